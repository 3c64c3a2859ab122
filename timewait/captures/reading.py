"""The TCP segments of a capture, and an account of everything else in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

from timewait.captures.capture_file import BrokenCapture, CaptureReader, Read
from timewait.captures.fragments import INCOMPLETE, Fragments
from timewait.captures.headers import CapturedPacket, Fragment, LeftOut, decode
from timewait.captures.stray_times import SteadyFrames
from timewait.narration.prose import counted

MAX_FRAMES = 5_000_000
"""Frames read by default; the limit is reported when it is hit."""


class SegmentReader:
    """The TCP segments of a capture, read up to a limit.

    Parameters
    ----------
    read : callable
        Returns up to so many octets of the open file or pipe, and none at its end.
    name : str
        Its name in messages.
    start : bytes
        Octets that were already read.
    max_frames : int
        Frames, and blocks without a frame, read at most.
    steady : bool
        Whether each frame waits for the next ones, which show if its clock was off.

    Attributes
    ----------
    frames, segments : int
        All frames so far, and those with a TCP segment.
    left_out : Counter of str
        Frames without a TCP segment that can be read, by what they hold instead.
    ended : int
        The latest capture time so far, in nanoseconds since 1970.
    backwards : int
        Frames that are earlier than the frame before them.
    limit_hit : bool
        Whether frames were left unread.
    """

    def __init__(
        self,
        read: Read,
        name: str,
        start: bytes = b"",
        max_frames: int = MAX_FRAMES,
        steady: bool = False,
    ) -> None:
        self.frames = 0
        self.segments = 0
        self.ended = 0
        self.backwards = 0
        self.limit_hit = False
        self._name = name
        self._max_frames = max_frames
        self._file = CaptureReader(read, name, start)
        self._undecoded: Counter[str] = Counter()
        self._fragments = Fragments()
        self._steady = SteadyFrames(self._file) if steady else None

    @property
    def stray(self) -> int:
        """Frames whose clock was off."""
        return 0 if self._steady is None else self._steady.stray

    @property
    def problem(self) -> str:
        """Where and why reading stopped before the end of the file; empty if it did not."""
        return self._file.problem

    @property
    def left_out(self) -> Counter[str]:
        """Frames without a TCP segment that can be read, by what they hold instead, most frequent first."""
        found = self._undecoded + self._file.left_out + Counter({INCOMPLETE: self._fragments.left_out})
        return Counter(dict(found.most_common()))

    def __iter__(self) -> Iterator[CapturedPacket]:
        """The TCP segments.

        Raises
        ------
        BrokenCapture
            The file is not a capture, or holds no TCP segment that can be read.
        """
        last = 0
        for frame in self._file if self._steady is None else self._steady:
            if self._file.blocks > self._max_frames:
                self.limit_hit = True
                break
            self.frames += 1
            if frame.time < last:
                self.backwards += 1
            last = frame.time
            self.ended = max(self.ended, last)
            packet = decode(frame)
            if isinstance(packet, Fragment):
                whole = self._fragments.add(packet)
                if whole is None:
                    continue
                packet = whole
            if isinstance(packet, LeftOut):
                self._undecoded[packet.reason] += 1
                continue
            self.segments += 1
            yield packet
        if not self.segments:
            raise BrokenCapture(f"{self._name}: {self._nothing()}")

    def _nothing(self) -> str:
        """Why there is no TCP segment."""
        if not (left_out := self.left_out):
            return f"{self.problem or 'is a capture without a single frame'}"
        held = ", ".join(f"{number:,} {reason}" for reason, number in left_out.most_common(4))
        more = f", and {len(left_out) - 4} other kinds" if len(left_out) > 4 else ""
        end = f"; it {self.problem}" if self.problem else ""
        return f"holds no TCP segment that can be read; its {counted(left_out.total(), 'frame')}: {held}{more}{end}"


def opened(stream: BinaryIO) -> tuple[Read, bytes]:
    """The reading function of an open file or pipe, and its first octets, which tell a capture from a trace."""
    start = b""
    while len(start) < 64 and (more := stream.read(64 - len(start))):
        start += more
    return stream.read, start
