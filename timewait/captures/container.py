"""Packet captures as files, pcap and pcapng: every frame in its order, one at a time.

Written out here because a close needs what readers of captures tend to drop: the interface of every frame, comments,
and times in whole nanoseconds. The formats are those of draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng; files
compressed by gzip are read too.
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

LARGEST = 16 * 1024 * 1024
"""Octets of one block or frame at most; a longer one is no capture but garbage."""

PCAP_UNITS = {0xA1B2C3D4: 1_000, 0xA1B23C4D: 1}
"""The magic numbers of pcap, and how many nanoseconds a unit of its fractions of a second is."""

SECTION, INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
BYTE_ORDER_MAGIC = b"\x1a\x2b\x3c\x4d"

COMMENT, NAME, RESOLUTION, OFFSET = 1, 2, 9, 14
"""Options of pcapng: of any block, and of an interface: if_name, if_tsresol, if_tsoffset."""


class BrokenCapture(InputError):
    """A file that is no capture, or a damaged one; the message says what is wrong and where."""


class Frame(NamedTuple):
    """One captured frame.

    Attributes
    ----------
    number : int
        Its number in the file, from 1, as other tools count.
    time : int
        When it was captured, in nanoseconds since 1970.
    place : str
        Where: the interface, by name where the file gives one.
    link_type : int
        How `octets` begin: a number of the registry of link types.
    octets : bytes
        What was kept of it.
    comment : str
        What the file says of it.
    """

    number: int
    time: int
    place: str
    link_type: int
    octets: bytes
    comment: str = ""


class _Interface(NamedTuple):
    name: str
    link_type: int
    units: int
    offset: int

    def time(self, high: int, low: int) -> int:
        """A time stamp in nanoseconds since 1970."""
        return (high << 32 | low) * NANOSECONDS // self.units + self.offset * NANOSECONDS


def frames(path: Path) -> Iterator[Frame]:
    """Every frame of a capture, in the order of the file.

    Raises
    ------
    BrokenCapture
        The file is no capture, or is cut off or damaged somewhere.
    """
    reader: _Reader | None = None
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            with gzip.open(plain) if packed else plain as file:
                reader = _Reader(file, str(path))  # type: ignore[arg-type]  # a GzipFile reads as any other
                yield from reader.frames()
    except (OSError, EOFError, zlib.error) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
        raise BrokenCapture(f"{path}: {reason}") from problem


class _Reader:
    """A file, read from its start; complaints name the frame and the octet.

    Parameters
    ----------
    file : file object
        What is read.
    where : str
        What messages call it.
    """

    def __init__(self, file: BinaryIO, where: str) -> None:
        self._file = file
        self._where = where
        self._at = 0
        self._number = 0
        self._order = "<"
        self._interfaces: list[_Interface] = []

    def frames(self) -> Iterator[Frame]:
        """Every frame, whichever the format."""
        start = self._file.read(4)
        self._at += len(start)
        if not start:
            raise BrokenCapture(f"{self._where}: is empty")
        if start == SECTION.to_bytes(4, "big"):
            return self._pcapng()
        for self._order in "<>":
            units = PCAP_UNITS.get(self._unpack("I", start.ljust(4, b"\0"))[0])
            if units is not None:
                return self._pcap(units)
        raise BrokenCapture(f"{self._where}: is neither a packet capture (pcap or pcapng) nor a trace of timewait")

    def _broken(self, problem: str) -> BrokenCapture:
        return BrokenCapture(f"{self._where}: {problem}, after frame {self._number}, at octet {self._at}")

    def _unpack(self, form: str, octets: bytes) -> tuple[int, ...]:
        return struct.unpack_from(self._order + form, octets)

    def _take(self, count: int) -> bytes:
        octets = self._file.read(count)
        if len(octets) < count:
            raise self._broken(
                f"is cut off; 'tcpdump -r {self._where} -w WHOLE.pcap' keeps the frames that are whole; the file ends"
            )
        self._at += count
        return octets

    def _next(self, count: int) -> bytes:
        """The head of what follows; empty at the end of the file."""
        first = self._file.read(1)
        if not first:
            return b""
        self._at += 1
        return first + self._take(count - 1)

    # --- pcap -------------------------------------------------------------------------------------------------------

    def _pcap(self, units: int) -> Iterator[Frame]:
        head = self._take(20)
        link_type = self._unpack("I", head[16:])[0] & 0xFFFF
        while record := self._next(16):
            seconds, fraction, kept, _ = self._unpack("4I", record)
            if kept > LARGEST:
                raise self._broken(f"is damaged: a frame of {kept:,} octets")
            octets = self._take(kept)
            self._number += 1
            yield Frame(self._number, seconds * NANOSECONDS + fraction * units, "capture", link_type, octets)

    # --- pcapng -----------------------------------------------------------------------------------------------------

    def _pcapng(self) -> Iterator[Frame]:
        self._section(self._take(4))
        while head := self._next(8):
            if head[:4] == SECTION.to_bytes(4, "big"):
                self._section(head[4:])
                continue
            kind, body = self._unpack("I", head)[0], self._body(head[4:], 8)
            try:
                if kind == INTERFACE:
                    self._interfaces.append(self._interface(body))
                elif kind in (PACKET, ENHANCED_PACKET):
                    yield self._frame(kind, body)
                elif kind == SIMPLE_PACKET:
                    raise self._broken("has frames without a time (simple packet blocks), of which no story can be told")
            except (struct.error, IndexError) as problem:
                raise self._broken("is damaged: a block is shorter than it says") from problem

    def _section(self, length: bytes) -> None:
        """A section header: its byte order holds from here on, and interfaces count from nought."""
        magic = self._take(4)
        if magic not in (BYTE_ORDER_MAGIC, BYTE_ORDER_MAGIC[::-1]):
            raise self._broken("is damaged: no byte order where a section begins")
        self._order = ">" if magic == BYTE_ORDER_MAGIC else "<"
        self._interfaces = []
        self._body(length, 12)

    def _body(self, length: bytes, taken: int) -> bytes:
        """What is left of a block whose length is given first and last."""
        total = self._unpack("I", length)[0]
        if total % 4 or not taken + 4 <= total <= LARGEST:
            raise self._broken(f"is damaged: a block of {total:,} octets")
        body = self._take(total - taken)
        if body[-4:] != length:
            raise self._broken("is damaged: a block that ends otherwise than it began")
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
        interface, high, low, kept, _ = self._unpack("5I" if kind == ENHANCED_PACKET else "H2x4I", body)
        if interface >= len(self._interfaces):
            raise self._broken(f"is damaged: a frame of interface {interface}, which the file does not describe")
        if kept > len(body) - 20:
            raise self._broken(f"is damaged: a frame of {kept:,} octets in a block of {len(body):,}")
        about = self._interfaces[interface]
        comment = self._options(body[20 + kept + -kept % 4 :]).get(COMMENT, b"").decode(errors="replace")
        self._number += 1
        return Frame(self._number, about.time(high, low), about.name, about.link_type, body[20 : 20 + kept], comment)

    def _options(self, octets: bytes) -> dict[int, bytes]:
        """The options of a block, the first of each kind."""
        found: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(octets):
            code, length = self._unpack("2H", octets[at : at + 4])
            if code == 0:
                break
            found.setdefault(code, octets[at + 4 : at + 4 + length])
            at += 4 + length + -length % 4
        return found
