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

AROUND = 2
"""Frames before one, and after it, that must agree with one another."""


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
        before: deque[int] = deque(maxlen=AROUND)
        waiting: deque[Frame] = deque()
        for frame in self._frames:
            waiting.append(frame)
            if len(waiting) > AROUND:
                yield self._steady(before, waiting)
        while waiting:
            yield self._steady(before, waiting)

    def _steady(self, before: deque[int], waiting: deque[Frame]) -> Frame:
        """The next frame with its time, or with one between those of its neighbours if it is stray."""
        frame = waiting.popleft()
        if _is_stray([*before], frame.time, [it.time for it in waiting]):
            self.stray += 1
            around = [*[*before][-1:], *(it.time for it in [*waiting][:1])]
            frame = frame._replace(time=sum(around) // len(around))
        before.append(frame.time)
        return frame


def _is_stray(before: Sequence[int], time: int, after: Sequence[int]) -> bool:
    """Whether a time is far ahead of those around it, or far behind them; those before it agree if they are not far apart."""
    ahead = len(after) == AROUND and all(time - it >= FAR and (not before or before[-1] <= it) for it in after)
    agree = bool(before) and before[-1] - before[0] < FAR
    behind = agree and before[-1] - time >= FAR and all(it >= before[-1] for it in after)
    return ahead or behind
