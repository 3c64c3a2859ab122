"""The set of packed states against a set in Python: what is new, in which order, whatever the table looks like."""

from __future__ import annotations

import random

import numpy as np
import pytest

from timewait.checker.state_set_kernels import insert, refill

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


@pytest.mark.parametrize("words", [1, 2])
def test_refill(words: int) -> None:
    """A larger table that is filled with the same states knows them."""
    states, slots = np.zeros((500, words), dtype=np.uint64), np.zeros(300, dtype=np.uint64)
    found = np.arange(200 * words, dtype=np.uint64).reshape(words, 200) << np.uint64(20)
    known = insert(states, 0, slots, found, 200)
    larger = np.zeros(450, dtype=np.uint64)
    refill(states, known, larger, 64)
    assert insert(states, known, larger, found, 200) == known
    assert (states[:known] == found.T).all()
    found[0] += np.uint64(1)
    assert insert(states, known, larger, found, 200) == 2 * known


def test_empty_is_no_state() -> None:
    """The state of zeros alone is a state."""
    states, slots = np.zeros((4, 1), dtype=np.uint64), np.zeros(4, dtype=np.uint64)
    found = np.zeros((1, 2), dtype=np.uint64)
    assert insert(states, 0, slots, found, 2) == 1
