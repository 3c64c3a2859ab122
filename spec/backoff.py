"""The retransmission schedule of a stack: RFC 6298, from its least to its greatest RTO."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from math import ceil

from timewait.spec.stacks import Stack

MOST_GAPS = 24
"""The most gaps of a schedule: a least RTO of a millisecond and a greatest one of more than two hours."""


def backoff(stack: Stack) -> tuple[Fraction, ...]:
    """The gaps between the transmissions of one segment, in seconds; empty where the profile does not state them.

    Each gap is twice the one before (RFC 6298 5.5), from the least RTO of the stack to its greatest, which repeats. These are
    the gaps of a fast path: where a stack has measured a longer RTT, its schedule begins further on.

    Parameters
    ----------
    stack : Stack
        A profile. One that states its RTO as a multiple of MSL describes a standard, which gives no instants.
    """
    least, most = stack.rto_min, stack.rto_max
    if least is None or most is None or least <= 0 or {"rto_min", "rto_max"} & stack.multiples.keys():
        return ()
    gaps = doubling(least, most)
    return gaps if len(gaps) <= MOST_GAPS else ()


def doubling(first: Fraction, longest: Fraction) -> tuple[Fraction, ...]:
    """A retransmission schedule that doubles up to its longest gap (RFC 6298 5.5, 2.5).

    Parameters
    ----------
    first, longest : Fraction
        In seconds, more than zero.
    """
    gaps = [min(first, longest)]
    while gaps[-1] < longest:
        gaps.append(min(2 * gaps[-1], longest))
    return tuple(gaps)


def retransmissions(gaps: Sequence[Fraction], retry_time: Fraction) -> int:
    """How often a segment is retransmitted where R2 is a time (RFC 9293 3.8.3).

    An end gives up at the first expiry of its timer at which this time has passed since the first retransmission.

    Parameters
    ----------
    gaps : sequence of Fraction
        The gaps between transmissions, in seconds; the last one repeats.
    retry_time : Fraction
        R2, in seconds.
    """
    count, passed = 1, Fraction(0)
    for gap in gaps[1:-1]:
        if passed + gap >= retry_time:
            return count
        count, passed = count + 1, passed + gap
    return count + max(0, ceil((retry_time - passed) / gaps[-1]) - 1)
