"""Whether a run without end is fair: its loop is walked once more, with exact clocks.

The check shares nothing with the searches for lassos. It walks the loop in the compiled automaton with clocks that are
fractions, and compares the fairness names that are possible at any instant of the loop, delays included, with those
that the loop serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.compiled import CompiledAutomaton, CompiledEdge, carried
from timewait.checker.finding import Move, Run


class LoopState(NamedTuple):
    """The number of a location, with the values of its clocks in seconds."""

    number: int
    clocks: tuple[Fraction, ...]


class LoopWalk(NamedTuple):
    """Some moves carried out: the state after them, and the fairness names possible and served on the way."""

    state: LoopState
    possible: frozenset[str] = frozenset()
    served: frozenset[str] = frozenset()


def unfair(automaton: CompiledAutomaton, run: Run) -> str:
    """Why a run without end is not fair; empty when it is.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, not its quotient.
    run : Run
        The run. Its loop must return to its first state; clocks above their maximal constants count as equal.
    """
    walker = LoopWalker(automaton)
    start = LoopState(automaton.start, (Fraction(0),) * len(automaton.location(automaton.start).clocks))
    loop = len(run.moves) if run.loop is None else run.loop
    reason = "its moves are no run of the automaton"
    for entered in walker.walks(start, run.moves[:loop]):
        reason = "its loop does not lead back to where it began"
        for left in walker.walks(entered.state, run.moves[loop:]):
            if run.loop is None or walker.loop_key(left.state) != walker.loop_key(entered.state):
                continue
            if left.possible <= left.served:
                return ""
            reason = f"its loop could do again and again, and never does: {', '.join(sorted(left.possible - left.served))}"
    return reason


class LoopWalker:
    """Carries out moves in an automaton.

    Parameters
    ----------
    automaton : CompiledAutomaton
        The system, not its quotient.
    """

    def __init__(self, automaton: CompiledAutomaton) -> None:
        self.automaton = automaton
        self._values = automaton.system.parameters

    def walks(self, start: LoopState, moves: Sequence[Move]) -> Iterator[LoopWalk]:
        """Every way to carry out moves: there are several where copies of one segment are counted."""
        waiting = [(LoopWalk(start), 0)]
        while waiting:
            walk, done = waiting.pop()
            if done == len(moves):
                yield walk
            else:
                waiting += ((after, done + 1) for after in self._move(walk, moves[done]))

    def loop_key(self, state: LoopState) -> tuple[int, tuple[Fraction | None, ...]]:
        """A state, with None for a clock above its maximal constant."""
        maximal_constants = self.automaton.system.maximal_constants
        clocks = self.automaton.location(state.number).clocks
        known = (
            None if value > self._values[maximal_constants[clock.role]] else value
            for clock, value in zip(clocks, state.clocks, strict=True)
        )
        return state.number, tuple(known)

    def _move(self, walk: LoopWalk, move: Move) -> Iterator[LoopWalk]:
        location = self.automaton.location(walk.state.number)
        possible = walk.possible.union(
            *(edge.original.fair for edge in location.edges if self._possible(edge, walk.state, move.delay))
        )
        later = self._later(walk.state, move.delay)
        if later is None:
            return
        edges = self.automaton.location(later.number).edges
        possible = possible.union(*(edge.original.fair for edge in edges if self._possible(edge, later, Fraction(0))))
        if move.action is None:
            yield LoopWalk(later, possible, walk.served)
            return
        for edge in edges:
            if edge.original.action.identity == move.action.identity and self._possible(edge, later, Fraction(0)):
                yield LoopWalk(self._after(edge, later), possible, walk.served | edge.original.fair)

    def _later(self, state: LoopState, delay: Fraction) -> LoopState | None:
        """The state after a delay; None when the invariant forbids it."""
        location = self.automaton.location(state.number)
        if any(state.clocks[test.clock] + delay > self._values[test.parameter] for test in location.invariant):
            return None
        number, values = state.number, [value + delay for value in state.clocks]
        for clock in reversed(range(len(values))):
            lifetime = self.automaton.system.lifetimes.get(location.clocks[clock].role)
            if lifetime is not None and values[clock] > self._values[lifetime]:
                number = self.automaton.after_expiry(number, clock)
                del values[clock]
        return LoopState(number, tuple(values))

    def _possible(self, edge: CompiledEdge, state: LoopState, delay: Fraction) -> bool:
        """Whether an edge is possible at some instant of a delay."""
        first, last, after_first = Fraction(0), delay, False
        for test in edge.guard:
            instant = self._values[test.parameter] - state.clocks[test.clock]
            if test.relation in ("<=", "=="):
                last = min(last, instant)
            if test.relation in (">=", "==", ">") and instant >= first:
                after_first = test.relation == ">" or (after_first and instant == first)
                first = instant
        return first < last or (first == last and not after_first)

    def _after(self, edge: CompiledEdge, state: LoopState) -> LoopState:
        return LoopState(edge.target, tuple(carried(edge.updates, state.clocks, Fraction(0), _inactive)))


def _inactive(clock: int) -> Fraction:
    raise ValueError(f"clock {clock} is inactive; walk the system, not its quotient")
