"""The composition on a network without limits, which has every run of the composition.

It loses nothing, since a packet that is lost is one that never arrives, and delivers each packet any number of times, in any
order. So nothing is counted there, and no packet must be delivered.

Who may close first makes no difference to such a network. So one composition in which either end may close first serves the
question where A closes first and that where either may (`MayCloseFirst`); `timewait check` asks both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from timewait.spec.composition import Composition, CompositionState, UnrelievedComposition
from timewait.spec.configuration import Configuration
from timewait.spec.handshake import compose
from timewait.spec.outcome import Call
from timewait.spec.state import State
from timewait.vocabulary.automaton import Edge


class MayCloseFirst(Composition):
    """A composition in which either end may close first, but nothing obliges B to.

    The CLOSE with which B closes first has no fairness name, so that a proof of liveness does not rest on it: such a proof holds
    where B may not close first, too. It holds where B may, and closes at last, since no run has that CLOSE twice, and
    fairness speaks only of what may happen again and again. Time never passes only because of that CLOSE: the invariant of a
    control bounds its retransmission timers alone, and each of these may expire at its bound.
    """

    def calls_of(self, state: CompositionState, side: int) -> Iterator[Edge]:
        closes_first = side == 1 and state.ends[side].state is State.ESTABLISHED
        for edge in super().calls_of(state, side):
            yield replace(edge, fair=frozenset()) if closes_first and edge.action.subject is Call.CLOSE else edge

    def unrelieved_kind(self) -> type[UnrelievedComposition]:
        return _Unrelieved


class _Unrelieved(MayCloseFirst, UnrelievedComposition):
    """The same in which a packet must be delivered even where its delivery does not matter."""


def without_limits(configuration: Configuration) -> Configuration:
    """The configuration with the same ends and a network without limits."""
    return replace(configuration, loss=None, duplication=None, fifo=False)


def unlimited_network(configuration: Configuration) -> Composition:
    """The composition of a configuration on a network without limits."""
    return compose(without_limits(configuration))


def unlimited_for_either(configuration: Configuration) -> Composition:
    """The same for A closing first and for either end: equal for configurations that differ in nothing else."""
    unlimited = without_limits(replace(configuration, both_close=True))
    return compose(unlimited) if unlimited.reopening.handshake else MayCloseFirst(unlimited)
