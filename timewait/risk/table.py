"""The risk at several values of TIME_WAIT: those of real stacks and those that a user names."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, product
from typing import NamedTuple

from timewait.risk.chain import CloseResult, result_probabilities
from timewait.risk.path import OrderlyClose
from timewait.risk.stray import Strays
from timewait.spec.incarnation import HARMS
from timewait.spec.stacks import load_stack, stack_names


class Risk(NamedTuple):
    """The risk at one TIME_WAIT.

    Attributes
    ----------
    time_wait : Fraction
        In seconds.
    stacks : tuple of str
        The stacks with this TIME_WAIT.
    results : dict of CloseResult to Fraction
        The probability of each result of a close.
    accepted : dict of str to Fraction
        The probability of each harm, for one packet of the old connection; empty where no duplicates were asked for.
    """

    time_wait: Fraction
    stacks: tuple[str, ...]
    results: dict[CloseResult, Fraction]
    accepted: dict[str, Fraction]

    @property
    def reset(self) -> Fraction:
        """The probability that the close ends in a RST."""
        return self.results[CloseResult.RESET]


def time_waits_of_stacks() -> dict[Fraction, tuple[str, ...]]:
    """The TIME_WAITs of the profiles, in seconds, each with the names of its stacks; a stack that states none is left out."""
    found: defaultdict[Fraction, list[str]] = defaultdict(list)
    for name in stack_names():
        stack = load_stack(name)
        if stack.time_wait is not None:
            found[stack.time_wait].append(name)
    return {value: tuple(names) for value, names in found.items()}


def risks(close: OrderlyClose, strays: Strays | None, time_waits: Iterable[Fraction]) -> Iterator[Risk]:
    """The risk at each TIME_WAIT, in order.

    Parameters
    ----------
    close : OrderlyClose
        The close, at any TIME_WAIT.
    strays : Strays or None
        Duplicates of packets of the old connection.
    time_waits : iterable of Fraction
        In seconds; those of the stacks are not added.
    """
    stacks = time_waits_of_stacks()
    for value in sorted(set(time_waits)):
        results = result_probabilities(replace(close, time_wait=value))
        accepted = {} if strays is None else {harm: strays.accepted(harm, value) for harm in HARMS}
        yield Risk(value, stacks.get(value, ()), results, accepted)


def least_without_risk(close: OrderlyClose) -> Fraction:
    """The least TIME_WAIT, in seconds, at which no close ends in a RST, whatever the loss rate.

    Whether TIME-WAIT meets a retransmitted FIN depends on the time between the arrivals of two transmissions alone: a sum of
    consecutive gaps and the difference of two delays. So it is one of these values, or 0; bisection finds it.

    Parameters
    ----------
    close : OrderlyClose
        The close, at any TIME_WAIT, on a path that loses packets.
    """
    candidates = sorted({Fraction(0), *_arrival_differences(close)})
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        if result_probabilities(replace(close, time_wait=candidates[middle]))[CloseResult.RESET]:
            low = middle + 1
        else:
            high = middle
    return candidates[low]


def _arrival_differences(close: OrderlyClose) -> Iterator[Fraction]:
    """Every time that can lie between the arrivals of two transmissions of one FIN, in seconds, if it is more than zero."""
    assert close.behaviour.retries is not None
    gaps = [close.gaps[min(number, len(close.gaps) - 1)] for number in range(close.behaviour.retries)]
    delays = {delay for delay, _ in close.path.delays}
    for first, last in combinations(range(len(gaps) + 1), 2):
        for early, late in product(delays, repeat=2):
            if (difference := sum(gaps[first:last], late - early)) > 0:
                yield difference
