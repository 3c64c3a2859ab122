"""Whether a run without end is fair: its loop walked with exact clocks, not searched for.

The search for lassos says that its loop leaves out nothing that it could do again and again. Here that is looked at
anew, in the tables alone and with clocks that are fractions, not ticks: what could be done at any instant of the loop,
waits included, against what is done in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.compiled import RESET, CompiledAutomaton, CompiledEdge
from timewait.checker.finding import Move, Run


class LoopState(NamedTuple):
    """A location by number, with what its clocks show in seconds."""

    number: int
    shown: tuple[Fraction, ...]


class LoopWalk(NamedTuple):
    """Some moves carried out: where they lead, the fairness names that could be served on the way, and those that were."""

    place: LoopState
    could: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()


def unfair(table: CompiledAutomaton, run: Run) -> str:
    """Why a run without end is no fair one; empty when it is.

    Parameters
    ----------
    table : Table
        The system, not folded.
    run : Run
        Its loop must lead back to where it began, clocks beyond all that they are compared with counted as equal.
    """
    walker = LoopWalker(table)
    start = LoopState(table.start, (Fraction(0),) * len(table.room(table.start).clocks))
    loop = len(run.moves) if run.loop is None else run.loop
    reason = "its moves are no run of the tables"
    for entered in walker.walks(start, run.moves[:loop]):
        reason = "its loop does not lead back to where it began"
        for left in walker.walks(entered.place, run.moves[loop:]):
            if run.loop is None or walker.loop_key(left.place) != walker.loop_key(entered.place):
                continue
            if left.could <= left.served:
                return ""
            reason = f"its loop could do again and again, and never does: {', '.join(sorted(left.could - left.served))}"
    return reason


class LoopWalker:
    """Carries moves out in a table.

    Parameters
    ----------
    table : Table
        The system, not folded.
    """

    def __init__(self, table: CompiledAutomaton) -> None:
        self.table = table
        self._values = table.system.parameters

    def walks(self, start: LoopState, moves: Sequence[Move]) -> Iterator[LoopWalk]:
        """Every way to carry moves out: there are several where copies of one thing are told apart."""
        waiting = [(LoopWalk(start), 0)]
        while waiting:
            walk, done = waiting.pop()
            if done == len(moves):
                yield walk
            else:
                waiting += ((after, done + 1) for after in self._move(walk, moves[done]))

    def loop_key(self, place: LoopState) -> tuple[int, tuple[Fraction | None, ...]]:
        """A place, with None for a clock beyond all that it is compared with."""
        maximal_constants = self.table.system.maximal_constants
        clocks = self.table.room(place.number).clocks
        known = (
            None if shown > self._values[maximal_constants[clock.role]] else shown
            for clock, shown in zip(clocks, place.shown, strict=True)
        )
        return place.number, tuple(known)

    def _move(self, walk: LoopWalk, move: Move) -> Iterator[LoopWalk]:
        room = self.table.room(walk.place.number)
        could = walk.could.union(*(door.edge.fair for door in room.edges if self._opens(door, walk.place, move.delay)))
        later = self._later(walk.place, move.delay)
        if later is None:
            return
        edges = self.table.room(later.number).edges
        could = could.union(*(door.edge.fair for door in edges if self._opens(door, later, Fraction(0))))
        if move.action is None:
            yield LoopWalk(later, could, walk.served)
            return
        for door in edges:
            if door.edge.action == move.action and self._opens(door, later, Fraction(0)):
                yield LoopWalk(self._beyond(door, later), could, walk.served | door.edge.fair)

    def _later(self, place: LoopState, delay: Fraction) -> LoopState | None:
        """The place after a wait; None when time may not pass for so long."""
        room = self.table.room(place.number)
        if any(place.shown[test.clock] + delay > self._values[test.parameter] for test in room.limits):
            return None
        number, shown = place.number, [value + delay for value in place.shown]
        for clock in reversed(range(len(shown))):
            lifetime = self.table.system.lifetimes.get(room.clocks[clock].role)
            if lifetime is not None and shown[clock] > self._values[lifetime]:
                number = self.table.expiry(number, clock)
                del shown[clock]
        return LoopState(number, tuple(shown))

    def _opens(self, door: CompiledEdge, place: LoopState, delay: Fraction) -> bool:
        """Whether a door is open at some instant of a wait."""
        first, last, after_first = Fraction(0), delay, False
        for test in door.tests:
            instant = self._values[test.parameter] - place.shown[test.clock]
            if test.relation in ("<=", "=="):
                last = min(last, instant)
            if test.relation in (">=", "==", ">") and instant >= first:
                after_first = test.relation == ">" or (after_first and instant == first)
                first = instant
        return first < last or (first == last and not after_first)

    def _beyond(self, door: CompiledEdge, place: LoopState) -> LoopState:
        return LoopState(door.target, tuple(Fraction(0) if origin == RESET else place.shown[origin] for origin in door.updates))
