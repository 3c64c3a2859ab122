"""Packet capture files, pcap and pcapng, plain or gzipped: a generator of frames.

Common readers drop the interface of a frame or round its time; this one keeps the interface and whole nanoseconds.
Sources: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import gzip
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from timewait.vocabulary.errors import InputError

NANOSECONDS = 1_000_000_000

MAX_BLOCK = 16 * 1024 * 1024
"""Largest block or frame in octets; a longer one means a damaged file."""

PCAP_UNITS = {0xA1B2C3D4: 1_000, 0xA1B23C4D: 1}
"""Magic numbers of pcap, and the nanoseconds in one unit of a time stamp's fraction."""

SECTION, INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
BYTE_ORDER_MAGIC = b"\x1a\x2b\x3c\x4d"

NAME, RESOLUTION, OFFSET = 2, 9, 14
"""Options of a pcapng interface: if_name, if_tsresol, if_tsoffset."""


class BrokenCapture(InputError):
    """A file that is damaged or is not a capture; the message names the problem and its position."""


class Frame(NamedTuple):
    """One captured frame.

    Attributes
    ----------
    number : int
        Its number in the file, counted from 1.
    time : int
        Capture time in nanoseconds since 1970.
    interface : str
        The name of the capturing interface.
    link_type : int
        The format of `octets`, by the registry of link types.
    octets : bytes
        The captured part of the frame.
    """

    number: int
    time: int
    interface: str
    link_type: int
    octets: bytes


class _Interface(NamedTuple):
    name: str
    link_type: int
    units: int
    offset: int

    def time(self, high: int, low: int) -> int:
        """A time stamp in nanoseconds since 1970."""
        return (high << 32 | low) * NANOSECONDS // self.units + self.offset * NANOSECONDS


def frames(path: Path) -> Iterator[Frame]:
    """Every frame of a capture, in file order.

    Raises
    ------
    BrokenCapture
        The file is not a capture, is truncated or is damaged.
    """
    try:
        with path.open("rb") as plain:
            gzipped = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            with gzip.open(plain) if gzipped else plain as file:
                yield from _Reader(file, str(path)).frames()  # type: ignore[arg-type]  # a GzipFile reads as any other
    except (OSError, EOFError, zlib.error) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise BrokenCapture(f"{path}: {reason}") from problem


class _Reader:
    """A capture file read from its start; error messages name the frame and the octet.

    Parameters
    ----------
    file : file object
        The open file.
    name : str
        The file's name in error messages.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._position = 0
        self._number = 0
        self._order = "<"
        self._interfaces: list[_Interface] = []

    def frames(self) -> Iterator[Frame]:
        """Every frame, in either format."""
        start = self._file.read(4)
        self._position += len(start)
        if not start:
            raise BrokenCapture(f"{self._name}: is empty")
        if start == SECTION.to_bytes(4, "big"):
            return self._pcapng()
        for self._order in "<>":
            units = PCAP_UNITS.get(self._unpack("I", start.ljust(4, b"\0"))[0])
            if units is not None:
                return self._pcap(units)
        raise BrokenCapture(f"{self._name}: is neither a packet capture (pcap or pcapng) nor a trace of timewait")

    def _broken(self, problem: str) -> BrokenCapture:
        return BrokenCapture(f"{self._name}: {problem}, after frame {self._number}, at octet {self._position}")

    def _unpack(self, form: str, octets: bytes) -> tuple[int, ...]:
        return struct.unpack_from(self._order + form, octets)

    def _take(self, count: int) -> bytes:
        octets = self._file.read(count)
        if len(octets) < count:
            raise self._broken(f"is cut off ('tcpdump -r {self._name} -w WHOLE.pcap' keeps the complete frames)")
        self._position += count
        return octets

    def _take_header(self, count: int) -> bytes:
        """The header of the next record or block; empty at the end of the file."""
        first = self._file.read(1)
        if not first:
            return b""
        self._position += 1
        return first + self._take(count - 1)

    # --- pcap -------------------------------------------------------------------------------------------------------

    def _pcap(self, units: int) -> Iterator[Frame]:
        link_type = self._unpack("I", self._take(20)[16:])[0] & 0xFFFF
        while header := self._take_header(16):
            seconds, fraction, captured, _ = self._unpack("4I", header)
            if captured > MAX_BLOCK:
                raise self._broken(f"is damaged: a frame of {captured:,} octets")
            octets = self._take(captured)
            self._number += 1
            yield Frame(self._number, seconds * NANOSECONDS + fraction * units, "capture", link_type, octets)

    # --- pcapng -----------------------------------------------------------------------------------------------------

    def _pcapng(self) -> Iterator[Frame]:
        self._start_section(self._take(4))
        while header := self._take_header(8):
            if header[:4] == SECTION.to_bytes(4, "big"):
                self._start_section(header[4:])
                continue
            kind, body = self._unpack("I", header)[0], self._body(header[4:], 8)
            try:
                if kind == INTERFACE:
                    self._interfaces.append(self._interface(body))
                elif kind in (PACKET, ENHANCED_PACKET):
                    yield self._frame(kind, body)
                elif kind == SIMPLE_PACKET:
                    raise self._broken("has frames without a time (simple packet blocks), which cannot be explained")
            except (struct.error, IndexError) as problem:
                raise self._broken("is damaged: a block is shorter than it says") from problem

    def _start_section(self, length: bytes) -> None:
        """A section header sets the byte order and restarts the numbering of interfaces at 0."""
        magic = self._take(4)
        if magic not in (BYTE_ORDER_MAGIC, BYTE_ORDER_MAGIC[::-1]):
            raise self._broken("is damaged: no byte order where a section begins")
        self._order = ">" if magic == BYTE_ORDER_MAGIC else "<"
        self._interfaces = []
        self._body(length, 12)

    def _body(self, length: bytes, taken: int) -> bytes:
        """The rest of a block, whose length stands at both its ends."""
        total = self._unpack("I", length)[0]
        if total % 4 or not taken + 4 <= total <= MAX_BLOCK:
            raise self._broken(f"is damaged: a block of {total:,} octets")
        body = self._take(total - taken)
        if body[-4:] != length:
            raise self._broken("is damaged: a block whose two lengths differ")
        return body[:-4]

    def _interface(self, body: bytes) -> _Interface:
        link_type = self._unpack("H", body)[0]
        options = self._options(body[8:])
        resolution = options.get(RESOLUTION, b"\x06")[0]
        units = 2 ** (resolution & 0x7F) if resolution & 0x80 else 10**resolution
        offset = self._unpack("q", options[OFFSET])[0] if OFFSET in options else 0
        name = options.get(NAME, b"").decode(errors="replace").strip("\0")
        return _Interface(name or f"interface {len(self._interfaces)}", link_type, units, offset)

    def _frame(self, kind: int, body: bytes) -> Frame:
        index, high, low, captured, _ = self._unpack("5I" if kind == ENHANCED_PACKET else "H2x4I", body)
        if index >= len(self._interfaces):
            raise self._broken(f"is damaged: a frame of interface {index}, which the file does not describe")
        if captured > len(body) - 20:
            raise self._broken(f"is damaged: a frame of {captured:,} octets in a block of {len(body):,}")
        interface = self._interfaces[index]
        self._number += 1
        return Frame(self._number, interface.time(high, low), interface.name, interface.link_type, body[20 : 20 + captured])

    def _options(self, octets: bytes) -> dict[int, bytes]:
        """The options of a block; of repeated ones the first."""
        found: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(octets):
            code, length = self._unpack("2H", octets[at : at + 4])
            if code == 0:
                break
            found.setdefault(code, octets[at + 4 : at + 4 + length])
            at += 4 + length + -length % 4
        return found
