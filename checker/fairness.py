"""Whether a run without end is fair: its loop walked with exact clocks, not searched for.

The search for lassos says that its loop leaves out nothing that it could do again and again. Here that is looked at
anew, in the automata alone and with clocks that are fractions, not ticks: what could be done at any instant of the loop,
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


def unfair(automaton: CompiledAutomaton, run: Run) -> str:
    """Why a run without end is no fair one; empty when it is.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, not folded.
    run : Run
        Its loop must lead back to where it began, clocks beyond all that they are compared with counted as equal.
    """
    walker = LoopWalker(automaton)
    start = LoopState(automaton.start, (Fraction(0),) * len(automaton.location(automaton.start).clocks))
    loop = len(run.moves) if run.loop is None else run.loop
    reason = "its moves are no run of the automata"
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
    """Carries moves out in an automaton.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, not folded.
    """

    def __init__(self, automaton: CompiledAutomaton) -> None:
        self.automaton = automaton
        self._values = automaton.system.parameters

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
        maximal_constants = self.automaton.system.maximal_constants
        clocks = self.automaton.location(place.number).clocks
        known = (
            None if shown > self._values[maximal_constants[clock.role]] else shown
            for clock, shown in zip(clocks, place.shown, strict=True)
        )
        return place.number, tuple(known)

    def _move(self, walk: LoopWalk, move: Move) -> Iterator[LoopWalk]:
        location = self.automaton.location(walk.place.number)
        could = walk.could.union(*(edge.original.fair for edge in location.edges if self._opens(edge, walk.place, move.delay)))
        later = self._later(walk.place, move.delay)
        if later is None:
            return
        edges = self.automaton.location(later.number).edges
        could = could.union(*(edge.original.fair for edge in edges if self._opens(edge, later, Fraction(0))))
        if move.action is None:
            yield LoopWalk(later, could, walk.served)
            return
        for edge in edges:
            if edge.original.action.identity == move.action.identity and self._opens(edge, later, Fraction(0)):
                yield LoopWalk(self._beyond(edge, later), could, walk.served | edge.original.fair)

    def _later(self, place: LoopState, delay: Fraction) -> LoopState | None:
        """The place after a wait; None when time may not pass for so long."""
        location = self.automaton.location(place.number)
        if any(place.shown[test.clock] + delay > self._values[test.parameter] for test in location.invariant):
            return None
        number, shown = place.number, [value + delay for value in place.shown]
        for clock in reversed(range(len(shown))):
            lifetime = self.automaton.system.lifetimes.get(location.clocks[clock].role)
            if lifetime is not None and shown[clock] > self._values[lifetime]:
                number = self.automaton.after_expiry(number, clock)
                del shown[clock]
        return LoopState(number, tuple(shown))

    def _opens(self, edge: CompiledEdge, place: LoopState, delay: Fraction) -> bool:
        """Whether an edge is open at some instant of a wait."""
        first, last, after_first = Fraction(0), delay, False
        for test in edge.guard:
            instant = self._values[test.parameter] - place.shown[test.clock]
            if test.relation in ("<=", "=="):
                last = min(last, instant)
            if test.relation in (">=", "==", ">") and instant >= first:
                after_first = test.relation == ">" or (after_first and instant == first)
                first = instant
        return first < last or (first == last and not after_first)

    def _beyond(self, edge: CompiledEdge, place: LoopState) -> LoopState:
        return LoopState(edge.target, tuple(Fraction(0) if origin == RESET else place.shown[origin] for origin in edge.updates))
