"""Packet capture files, pcap and pcapng, plain or gzipped, from a file or a pipe: a reader of frames.

Common readers drop the interface of a frame or round its time; this one keeps the interface and whole nanoseconds. A
file that ends early or is damaged yields the frames before that place; `CaptureReader.problem` then says where reading
stopped. Frames are numbered as Wireshark numbers them. Sources: draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng.
"""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

from timewait.vocabulary.errors import InputError
from timewait.vocabulary.untrusted import visible

NANOSECONDS = 1_000_000_000

MAX_BLOCK = 16 * 1024 * 1024
"""Largest block or frame in octets; a longer one means a damaged file."""

MAX_IDLE = 1_000_000
"""Blocks without a frame, one after the other; more mean a damaged file."""

MAX_NAME = 100
"""Characters of the name of an interface that are kept."""

CHUNK = 256 * 1024
"""Octets read at once."""

PIECE = 4 * 1024
"""Compressed octets that are decompressed at once."""
GZIP = 31
"""The parameter of zlib that means gzip."""

Read = Callable[[int], bytes | None]

BINARY_DIGITS, DECIMAL_DIGITS = 64, 19
"""The finest clock: a 64-bit count of units of 2**-64 s or 10**-19 s still spans a second."""

LAST_TIME = 1 << 63
"""The year 2262, in nanoseconds since 1970, and the least that 63 bits do not hold; a later time is none that a clock shows."""

PCAP_UNITS = {0xA1B2C3D4: (1_000, 16), 0xA1B23C4D: (1, 16), 0xA1B2CD34: (1_000, 24)}
"""Magic numbers of pcap: nanoseconds in one unit of a time stamp's fraction, octets of a record's header."""

SECTION, INTERFACE, PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 0x0A0D0D0A, 1, 2, 3, 6
OTHER_RECORDS = {9: "entry of a system log", 0x204: "system call", 0x208: "system call", 0x216: "system call"}
"""Blocks that Wireshark numbers like frames."""
BYTE_ORDER_MAGIC = b"\x1a\x2b\x3c\x4d"

NAME, RESOLUTION, OFFSET = 2, 9, 14
"""Options of a pcapng interface: if_name, if_tsresol, if_tsoffset."""

COMPRESSED = {b"\x28\xb5\x2f\xfd": "zstd", b"\x04\x22\x4d\x18": "lz4", b"\xfd7zX": "xz", b"BZh": "bzip2", b"PK\x03\x04": "zip"}
FOREIGN = {b"snoop": "snoop", b"RTSS": "a Network Monitor capture", b"GMBU": "a Network Monitor capture"}
"""First octets of files that other programs turn into a capture that can be read."""


class BrokenCapture(InputError):
    """A file that holds no frame, or is not a capture; the message names the problem and its position."""


class _Damaged(Exception):
    """The place in a file at which reading stops; the message names the problem."""


class Decompressor(Protocol):
    """An object of `zlib.decompressobj`."""

    def decompress(self, data: bytes, /) -> bytes:
        """Decompressed octets."""
        ...


class Frame(NamedTuple):
    """One captured frame.

    Attributes
    ----------
    number : int
        Its number in the file, counted from 1, as Wireshark numbers it.
    time : int
        Capture time in nanoseconds since 1970.
    interface : str
        The name of the capturing interface.
    link_type : int
        The format of `octets`, by the registry of link types.
    octets : bytes
        The captured part of the frame.
    length : int
        Octets of the whole frame; 0 if unknown.
    """

    number: int
    time: int
    interface: str
    link_type: int
    octets: bytes
    length: int = 0


class _Interface(NamedTuple):
    name: str
    link_type: int
    units: int
    offset: int

    def time(self, high: int, low: int) -> int:
        """A time stamp in nanoseconds since 1970."""
        return (high << 32 | low) * NANOSECONDS // self.units + self.offset * NANOSECONDS


def frames(path: Path) -> Iterator[Frame]:
    """Every frame of a capture, in file order, up to the place where the file ends or is damaged.

    Raises
    ------
    BrokenCapture
        The file cannot be opened, is not a capture, or is damaged before its first frame.
    """
    try:
        with path.open("rb", buffering=0) as file:
            yield from CaptureReader(file.read, str(path))
    except OSError as problem:
        raise BrokenCapture(f"{path}: {problem.strerror or problem}") from problem


class CaptureReader:
    """An iterator of the frames of a capture.

    Parameters
    ----------
    read : callable
        Returns up to so many octets of the open file or pipe, and none at its end.
    name : str
        Its name in messages.
    start : bytes
        Octets that were already read from the stream.

    Attributes
    ----------
    problem : str
        Where and why reading stopped before the end of the file; empty if it did not.
    left_out : Counter of str
        Frames that could not be read although the file goes on, by reason.
    blocks : int
        Records and blocks read so far, of every kind.
    """

    def __init__(self, read: Read, name: str, start: bytes = b"") -> None:
        self.problem = ""
        self.left_out: Counter[str] = Counter()
        self.blocks = 0
        self._name = name
        self._window = _Window(read, start)
        self._number = 0
        self._order = "<"
        self._interfaces: list[_Interface] = []

    def __iter__(self) -> Iterator[Frame]:
        """Every frame.

        Raises
        ------
        BrokenCapture
            The file is not a capture, or is damaged before its first frame.
        """
        try:
            yield from self._frames()
        except (_Damaged, OSError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else str(problem)
            place = f"{reason}, after frame {self._number}, at octet {self._window.position}"
            if not self._number:
                raise BrokenCapture(f"{self._name}: {place}") from problem
            self.problem = place

    def _frames(self) -> Iterator[Frame]:
        """Every frame, in either format."""
        window = self._window
        if window.has(2) and window.buffer.startswith(b"\x1f\x8b"):
            self._window = window = window.unzipped()
        if not window.has(4):
            raise BrokenCapture(f"{self._name}: is {'no capture' if window.has(1) else 'empty'}")
        start = bytes(window.buffer[:8])
        if start.startswith(SECTION.to_bytes(4, "big")):
            return self._pcapng()
        for self._order in "<>":
            form = PCAP_UNITS.get(self._unpack("I", start)[0])
            if form is not None:
                return self._pcap(*form)
        raise BrokenCapture(f"{self._name}: {_foreign(start)}")

    def _unpack(self, form: str, octets: bytes, at: int = 0) -> tuple[int, ...]:
        return struct.unpack_from(self._order + form, octets, at)

    def _need(self, count: int, into: str) -> bytes:
        """The window with this many octets, from `at` on."""
        if not self._window.has(count):
            raise _Damaged(f"ends in the middle of {into}")
        return self._window.buffer

    # --- pcap -------------------------------------------------------------------------------------------------------

    def _pcap(self, units: int, header_length: int) -> Iterator[Frame]:
        link_type = self._unpack("I", self._need(24, "its header"), 20)[0] & 0xFFFF
        window = self._window
        window.at = 24
        unpack = struct.Struct(self._order + "4I").unpack_from
        idle = 0
        while window.has(1):
            begin = window.at + header_length
            if begin > len(window.buffer):
                self._need(header_length, "a frame")
                begin = header_length
            seconds, fraction, captured, length = unpack(window.buffer, window.at)
            if captured > MAX_BLOCK:
                raise _Damaged(f"is damaged: a frame of {captured:,} octets")
            end = begin + captured
            if end > len(window.buffer):
                self._need(header_length + captured, "a frame")
                begin, end = header_length, header_length + captured
            window.at = end
            self._number += 1
            self.blocks += 1
            if captured:
                idle = 0
            else:
                idle += 1
                if idle > MAX_IDLE:
                    raise _Damaged(f"is damaged: {MAX_IDLE:,} frames without an octet")
            time = seconds * NANOSECONDS + fraction * units
            yield Frame(self._number, time, "capture", link_type, window.buffer[begin:end], length)

    # --- pcapng -----------------------------------------------------------------------------------------------------

    def _pcapng(self) -> Iterator[Frame]:
        window = self._window
        idle = 0
        while window.has(1):
            kind, total = self._unpack("2I", self._need(8, "a block"), window.at)
            if window.buffer[window.at : window.at + 4] == SECTION.to_bytes(4, "big"):
                kind, total = self._start_section()
            if total % 4 or not 12 <= total <= MAX_BLOCK:
                raise _Damaged(f"is damaged: a block of {total:,} octets")
            octets = self._need(total, "a block")
            at = window.at
            if self._unpack("I", octets, at + total - 4)[0] != total:
                raise _Damaged("is damaged: a block whose two lengths differ")
            window.at += total
            self.blocks += 1
            idle += 1
            if idle > MAX_IDLE:
                raise _Damaged(f"is damaged: {MAX_IDLE:,} blocks without a frame")
            if kind in (PACKET, ENHANCED_PACKET):
                frame = self._frame(kind, octets[at + 8 : at + total - 4])
                if isinstance(frame, Frame):
                    idle = 0
                    yield frame
                else:
                    self._leave_out(frame)
            elif kind == INTERFACE:
                self._interfaces.append(self._interface(octets[at + 8 : at + total - 4]))
            elif kind == SIMPLE_PACKET:
                self._leave_out("frame without a time (simple packet block)")
            elif kind in OTHER_RECORDS:
                self._leave_out(OTHER_RECORDS[kind])

    def _leave_out(self, reason: str) -> None:
        self._number += 1
        self.left_out[reason] += 1

    def _start_section(self) -> tuple[int, int]:
        """A section header sets the byte order and restarts the numbering of interfaces at 0; returns its kind and length."""
        octets = self._need(12, "a block")
        at = self._window.at
        magic = octets[at + 8 : at + 12]
        if magic not in (BYTE_ORDER_MAGIC, BYTE_ORDER_MAGIC[::-1]):
            raise _Damaged("is damaged: no byte order where a section begins")
        self._order = ">" if magic == BYTE_ORDER_MAGIC else "<"
        self._interfaces = []
        return SECTION, self._unpack("I", octets, at + 4)[0]

    def _interface(self, body: bytes) -> _Interface:
        if len(body) < 8:
            raise _Damaged("is damaged: the description of an interface is too short")
        options = self._options(body[8:])
        resolution = (options.get(RESOLUTION) or b"\x06")[0]
        exponent = resolution & 0x7F
        base, finest = (2, BINARY_DIGITS) if resolution & 0x80 else (10, DECIMAL_DIGITS)
        offset = options.get(OFFSET, b"")
        # Anybody may have written the name; it is shown, and written into traces.
        name = visible(options.get(NAME, b"").decode(errors="backslashreplace").strip("\0"))[:MAX_NAME]
        return _Interface(
            name or f"interface {len(self._interfaces)}",
            self._unpack("H", body)[0],
            base**exponent if exponent <= finest else 0,
            self._unpack("q", offset)[0] if len(offset) == 8 else 0,
        )

    def _frame(self, kind: int, body: bytes) -> Frame | str:
        """The frame in a block, or the reason why it cannot be read."""
        if len(body) < 20:
            return "frame whose block is too short"
        index, high, low, captured, length = self._unpack("5I" if kind == ENHANCED_PACKET else "H2x4I", body)
        if index >= len(self._interfaces):
            return "frame of an interface that the file does not describe"
        if captured > len(body) - 20:
            return "frame that is longer than its block"
        interface = self._interfaces[index]
        if not interface.units or not 0 <= (time := interface.time(high, low)) < LAST_TIME:
            return "frame with an impossible time"
        self._number += 1
        return Frame(self._number, time, interface.name, interface.link_type, body[20 : 20 + captured], length)

    def _options(self, octets: bytes) -> dict[int, bytes]:
        """The options of a block; of repeated ones the first."""
        found: dict[int, bytes] = {}
        at = 0
        while at + 4 <= len(octets):
            code, length = self._unpack("2H", octets, at)
            if code == 0:
                break
            found.setdefault(code, octets[at + 4 : at + 4 + length])
            at += 4 + length + -length % 4
        return found


def _foreign(start: bytes) -> str:
    """What a file is that begins with these octets and is no capture."""
    for magic, name in COMPRESSED.items():
        if start.startswith(magic):
            return f"is compressed with {name}; decompress it first"
    for magic, name in FOREIGN.items():
        if start.startswith(magic):
            return f"is {name}; 'editcap -F pcapng FILE NEW' turns it into a capture that can be read"
    return "is neither a packet capture (pcap or pcapng) nor a trace of timewait"


class _Window:
    """The part of a stream that is in memory: at most a chunk and the longest block.

    Attributes
    ----------
    buffer : bytes
        Octets of the stream.
    at : int
        The next octet of `buffer` to be processed.
    """

    def __init__(self, read: Read, start: bytes) -> None:
        self.buffer = start
        self.at = 0
        self._read = read
        self._before = 0

    @property
    def position(self) -> int:
        """The octet of the stream at `at`, counted from 0."""
        return self._before + self.at

    def has(self, count: int) -> bool:
        """Whether this many octets follow from `at` on, read if necessary."""
        missing = self.at + count - len(self.buffer)
        if missing <= 0:
            return True
        parts = [self.buffer[self.at :]]
        self._before += self.at
        self.at = 0
        try:
            while missing > 0 and (more := self._read(CHUNK)):
                parts.append(more)
                missing -= len(more)
        finally:
            self.buffer = b"".join(parts)
        return missing <= 0

    def unzipped(self) -> _Window:
        """The same stream, decompressed."""
        return _Window(_Unzipped(self.buffer, self._read).read, b"")


class _Unzipped:
    """A gzipped stream, decompressed piece by piece; what precedes a damaged place is kept.

    Parameters
    ----------
    start : bytes
        The octets of the stream that were already read.
    read : callable
        Reads the next ones.
    """

    def __init__(self, start: bytes, read: Read) -> None:
        self._compressed = start
        self._read = read
        self._member = zlib.decompressobj(GZIP)
        self._damaged = False

    def read(self, size: int) -> bytes:
        """The next octets, at most about `size`."""
        while not self._damaged:
            if not self._compressed:
                self._compressed = self._read(CHUNK) or b""
            if not self._compressed:
                if self._member.eof:
                    return b""
                raise _Damaged("ends in the middle of its compressed data")
            if self._member.eof:
                self._member = zlib.decompressobj(GZIP)
            if octets := self._piece(size):
                return octets
        raise _Damaged("has damaged compressed data")

    def _piece(self, size: int) -> bytes:
        piece, rest = self._compressed[:PIECE], self._compressed[PIECE:]
        before = self._member.copy()
        try:
            octets = self._member.decompress(piece, size)
        except zlib.error:
            self._damaged = True
            return _until_damage(before, piece)
        self._compressed = self._member.unconsumed_tail + self._member.unused_data + rest
        return octets


def _until_damage(member: Decompressor, piece: bytes) -> bytes:
    """All that can be decompressed of a damaged piece."""
    octets = []
    try:
        for at in range(len(piece)):
            octets.append(member.decompress(piece[at : at + 1]))
    except zlib.error:
        pass
    return b"".join(octets)
