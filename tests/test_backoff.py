"""The retransmission schedule of a profile, and how often a segment is retransmitted within a time."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from timewait.spec.backoff import MOST_GAPS, backoff, doubling, retransmissions
from timewait.spec.stacks import Stack, load_stack

F = Fraction


@pytest.mark.parametrize(
    ("first", "longest", "gaps"),
    [(1, 1, [1]), (1, 4, [1, 2, 4]), (1, 5, [1, 2, 4, 5]), (3, 2, [2]), (1, 3, [1, 2, 3])],
)
def test_each_gap_is_twice_the_one_before(first: int, longest: int, gaps: list[int]) -> None:
    """Up to the longest, which ends the schedule."""
    assert list(doubling(F(first), F(longest))) == gaps


def stack(least: Fraction | None, most: Fraction | None, **others: Any) -> Stack:
    """A profile with a least and a greatest RTO."""
    return replace(load_stack("linux"), rto_min=least, rto_max=most, **others)


def test_schedule_of_a_profile() -> None:
    """From its least RTO to its greatest; none where one of them is not known, is zero, or is a multiple of MSL."""
    assert backoff(stack(F(1), F(4))) == (F(1), F(2), F(4))
    assert backoff(stack(None, F(4))) == backoff(stack(F(1), None)) == backoff(stack(F(0), F(4))) == ()
    for name in ("rto_min", "rto_max"):
        assert backoff(stack(F(1), F(4), multiples={name: F(1)})) == ()
    assert backoff(stack(F(1), F(4), multiples={"time_wait": F(2)})) == (F(1), F(2), F(4))


def test_a_schedule_has_a_limit() -> None:
    """As many gaps as `MOST_GAPS`, and no more."""
    assert len(backoff(stack(F(1), F(2) ** (MOST_GAPS - 1)))) == MOST_GAPS
    assert backoff(stack(F(1), F(2) ** (MOST_GAPS - 1) + 1)) == ()


def by_the_clock(gaps: list[int], retry_time: Fraction) -> int:
    """The retransmissions before the first expiry at which the time has passed since the first retransmission, one by one."""
    expiries = [F(gaps[0])]
    while expiries[-1] - expiries[0] < retry_time or len(expiries) < 2:
        expiries.append(expiries[-1] + gaps[min(len(expiries), len(gaps) - 1)])
    return len(expiries) - 1


@pytest.mark.parametrize("gaps", [[1], [1, 2], [1, 2, 4], [2, 1], [3]])
def test_retransmissions_within_a_time(gaps: list[int]) -> None:
    """The last expiry of the timer ends the connection, all before it retransmit."""
    for halves in range(1, 40):
        assert retransmissions([*map(F, gaps)], F(halves, 2)) == by_the_clock(gaps, F(halves, 2))
