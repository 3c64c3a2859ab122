"""Frames whose clock was off by a minute or more, and frames that only look so."""

from __future__ import annotations

import pytest

from timewait.captures.capture_file import Frame
from timewait.captures.stray_times import FAR, SteadyFrames

SECOND = 1_000_000_000


def steady(*times: float) -> tuple[list[float], int]:
    """The times in seconds that frames at these times get, and how many of them are stray."""
    found = SteadyFrames(Frame(number, round(time * SECOND), "eth0", 1, b"") for number, time in enumerate(times, start=1))
    return [frame.time / SECOND for frame in found], found.stray


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ((100, 3_700, 102, 103), (100, 101, 102, 103)),
        ((4_000, 400, 4_002, 4_003), (4_000, 4_001, 4_002, 4_003)),
        ((3_700, 102, 103), (102, 102, 103)),
        ((4_000, 4_001, 400), (4_000, 4_001, 4_001)),
        ((100, 3_700, 102, 103, 9_000, 104, 105), (100, 101, 102, 103, 103.5, 104, 105)),
        ((100, 100 + FAR / SECOND, 100, 100), (100, 100, 100, 100)),
    ],
)
def test_a_stray_frame_stands_between_its_neighbours(times: tuple[float, ...], expected: tuple[float, ...]) -> None:
    """Ahead or behind, at the beginning, in the middle or at the end."""
    found, stray = steady(*times)
    assert found == list(expected)
    assert stray == sum(before != after for before, after in zip(times, expected, strict=True))


@pytest.mark.parametrize(
    "times",
    [
        (0, 100, 200, 300),  # silence
        (100, 159, 102, 103),  # out of order by less than a minute
        (0, 1, 200, 0.5, 1.5, 201),  # one direction after the other
        (0, 200, 0.5, 201),  # the same, with few frames
        (5_000, 5_001, 100, 101, 102),  # an older file after a newer one
        (0, 3_600, 1, 3_601, 2, 3_602),  # two clocks
        (0, 7_200),  # a silence at the end
    ],
)
def test_others_keep_their_times(times: tuple[float, ...]) -> None:
    """The frames around them do not agree with one another, or the difference is small."""
    assert steady(*times) == (list(times), 0)
