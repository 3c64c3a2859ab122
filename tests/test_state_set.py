"""The set of packed states against a set in Python: what is new, in which order, whatever the table looks like."""

from __future__ import annotations

import random

import numpy as np
import pytest
from numpy.typing import NDArray

from timewait.checker.state_set_kernels import insert, mixed, spread

BATCH = 37
"""States that are inserted at a time."""


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("spread", [40, 1 << 60], ids=["alike", "apart"])
def test_insert(words: int, spread: int) -> None:
    """Each state is appended when it is first met, in a table that is nearly full at the end."""
    chosen = random.Random(words)
    pool = [tuple(chosen.randrange(spread) for _ in range(words)) for _ in range(300)]
    expected: list[tuple[int, ...]] = []
    states, slots, known = np.zeros((400, words), dtype=np.uint64), np.zeros(320, dtype=np.uint64), 0
    for _ in range(60):
        batch = [chosen.choice(pool) for _ in range(BATCH)]
        expected += [state for state in dict.fromkeys(batch) if state not in expected]
        known = insert(states, known, slots, np.array(batch, dtype=np.uint64).T.copy(), BATCH)
        assert [tuple(map(int, state)) for state in states[:known]] == expected
    assert np.count_nonzero(slots) == known


@pytest.mark.parametrize("words", [1, 2, 3])
@pytest.mark.parametrize("alike", [False, True], ids=["any place", "the last places"])
def test_spread(words: int, alike: bool) -> None:
    """A table that grows knows the same states, near its beginning, at its end, and beyond its end."""
    chosen = random.Random(words)
    for _ in range(300):
        before = chosen.choice([1, 2, 3, 8, 60, 300])
        after = before + chosen.choice([1, before // 2 + 1, before, 3 * before])
        states, slots = np.zeros((2 * before, words), dtype=np.uint64), np.zeros(before, dtype=np.uint64)
        found = _found(words, chosen.randint(0, before), before if alike else 1, chosen)
        count = found.shape[1]
        known = insert(states, 0, slots, found, count)
        entries = sorted(slots[slots != 0])
        slots.resize(after, refcheck=False)
        spread(slots, before, words)
        assert sorted(slots[slots != 0]) == entries
        assert insert(states, known, slots, found, count) == known


def _found(words: int, count: int, parts: int, chosen: random.Random) -> NDArray[np.uint64]:
    """Some states, of shape (words, count), whose hashes are all in the last one of so many parts of their range."""
    least = np.uint64((1 << 32) * (parts - 1) // parts)
    drawn = np.random.default_rng(chosen.getrandbits(32)).integers(1 << 50, size=(words, 20 * count * parts), dtype=np.uint64)
    hashes = np.zeros(drawn.shape[1], dtype=np.uint64)
    for word in drawn:
        hashes = mixed.py_func(hashes ^ word)  # type: ignore[attr-defined]  # the function that is compiled
    return np.ascontiguousarray(drawn[:, hashes >> np.uint64(32) >= least][:, :count])


def test_empty_is_no_state() -> None:
    """The state of zeros alone is a state."""
    states, slots = np.zeros((4, 1), dtype=np.uint64), np.zeros(4, dtype=np.uint64)
    found = np.zeros((1, 2), dtype=np.uint64)
    assert insert(states, 0, slots, found, 2) == 1
