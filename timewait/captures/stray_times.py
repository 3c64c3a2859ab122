"""Frames whose clock is off: one that is a minute or more away from the frames around it, which agree with one another.

Such a frame is where the file has it, and not where its time says. Frames of several files, one after the other or by
direction, are no such frames: those around them do not agree.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from timewait.captures.capture_file import Frame

FAR = 60_000_000_000
"""Nanoseconds by which the time of a stray frame differs at least."""

FOLLOWING = 2
"""Frames after one that must agree with those before it."""


class SteadyFrames:
    """Frames, of which each stray one has a time between those of its neighbours.

    Parameters
    ----------
    frames : iterable of Frame
        The frames, in file order.

    Attributes
    ----------
    stray : int
        Stray frames so far.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self.stray = 0
        self._frames = frames

    def __iter__(self) -> Iterator[Frame]:
        before: int | None = None
        waiting: deque[Frame] = deque()
        for frame in self._frames:
            waiting.append(frame)
            if len(waiting) > FOLLOWING:
                steady = self._steady(before, waiting.popleft(), [*waiting])
                before = steady.time
                yield steady
        while waiting:
            steady = self._steady(before, waiting.popleft(), [*waiting])
            before = steady.time
            yield steady

    def _steady(self, before: int | None, frame: Frame, after: Sequence[Frame]) -> Frame:
        """A frame with its time, or with one between those of its neighbours if it is stray."""
        if not _is_stray(before, frame.time, [it.time for it in after]):
            return frame
        self.stray += 1
        around = [*([] if before is None else [before]), *(it.time for it in after[:1])]
        return frame._replace(time=sum(around) // len(around))


def _is_stray(before: int | None, time: int, after: Sequence[int]) -> bool:
    """Whether a time is far ahead of those around it, or far behind them."""
    ahead = len(after) == FOLLOWING and all((before is None or before <= it) and time - it >= FAR for it in after)
    behind = before is not None and before - time >= FAR and all(it >= before for it in after)
    return ahead or behind
