"""Replay of a run on the specification, and minimisation: every step that is not needed is dropped."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction

from timewait.checker.finding import Move, Run
from timewait.checker.trace import Step, Trace
from timewait.vocabulary.automaton import Property
from timewait.vocabulary.replay import Event, ImpossibleMove, ReplayState

ROUNDS = 3
"""Iterations of the loop of a run without end in its replay."""


class Rejected(Exception):
    """A run that the specification cannot carry out, or that does not violate its property; the message says why."""


def replay(initial: ReplayState, run: Run, asked: Property) -> Trace:
    """Carry out a run and check that it violates a property.

    Parameters
    ----------
    initial : ReplayState
        The initial state.
    run : Run
        The run that an engine found.
    asked : Property
        The last step must violate an ``always`` property. For an ``eventually`` property the loop must return to its
        first state in every iteration, take time, and leave the property pending throughout. Whether the loop is fair is
        not checked here (see `timewait.checker.fairness`).

    Raises
    ------
    Rejected
        The run is impossible, or violates nothing.
    """
    if asked.kind == "always":
        return _trace(initial, _carry_out(initial, run.moves, asked.name), run, asked)
    if run.loop is None:
        raise Rejected(f"a run that violates {asked.name} must repeat itself, and this one ends")
    repeated = run.moves[run.loop :]
    if sum((move.delay for move in repeated), Fraction(0)) <= 0:
        raise Rejected("the loop takes no time")
    states = _carry_out(initial, run.moves + repeated * (ROUNDS - 1), None)
    entered = states[run.loop - 1] if run.loop else initial
    for turn in range(ROUNDS):
        if states[run.loop + len(repeated) * (turn + 1) - 1].loop_key() != entered.loop_key():
            raise Rejected("the loop does not lead back to where it began")
    once = states[run.loop : run.loop + len(repeated)]
    if not all(asked.name in state.pending for state in once):
        raise Rejected(f"{asked.name} is not pending throughout the loop")
    acting = [state for state, move in zip(once, repeated, strict=True) if move.action is not None]
    if asked.recurrent and not any(asked.name in state.recurrent for state in acting):
        raise Rejected(f"no step of the loop is a recurrent event of {asked.name}")
    return _trace(initial, states[: len(run.moves)], run, asked)


def minimal(initial: ReplayState, run: Run, asked: Property, retimed: Callable[[Run], Iterable[Run]] | None = None) -> Trace:
    """The trace of a run without the steps that are not needed, dropped one at a time.

    Loops are left as they are: fairness may need each of their steps.

    Parameters
    ----------
    initial, run, asked
        As for `replay`.
    retimed : callable, optional
        The same moves at other times; the first that the replay accepts are taken, else the shortened run keeps its own.

    Raises
    ------
    Rejected
        As for `replay`.
    """
    trace = replay(initial, run, asked)
    if asked.kind != "always":
        return trace
    short = shortened(initial, run, asked)
    start = _Reached(initial)
    chosen = next((other for other in (retimed(short) if retimed else ()) if _shows(start, other.moves, asked)), short)
    return replace(replay(initial, chosen, asked), dropped=len(run.moves) - len(short.moves))


def shortened(initial: ReplayState, run: Run, asked: Property) -> Run:
    """A run that violates an ``always`` property, without the steps and the delays that are not needed."""
    moves, start = list(run.moves), _Reached(initial)
    while (shorter := _without_one(start, moves, asked)) is not None:
        moves = shorter
    for index, move in enumerate(moves):
        attempt = [*moves[:index], Move(Fraction(0), move.action), *moves[index + 1 :]]
        if move.delay and _shows(start, attempt, asked):
            moves = attempt
    return Run(tuple(moves))


def _without_one(start: _Reached, moves: list[Move], asked: Property) -> list[Move] | None:
    """The moves without the last one that is not needed; None when each is needed."""
    for index in range(len(moves) - 2, -1, -1):
        follower = moves[index + 1]
        for delay in (follower.delay, follower.delay + moves[index].delay):
            attempt = [*moves[:index], Move(delay, follower.action), *moves[index + 2 :]]
            if _shows(start, attempt, asked):
                return attempt
    return None


def _shows(start: _Reached, moves: Sequence[Move], asked: Property) -> bool:
    try:
        _carried_out(start, moves, asked.name)
    except Rejected:
        return False
    return True


class _Reached:
    """A state, and those that moves lead to from it: runs that begin alike are carried out once as far as they are alike.

    Attributes
    ----------
    state : ReplayState
        The state.
    """

    def __init__(self, state: ReplayState) -> None:
        self.state = state
        self._after: dict[Move, list[_Reached] | ImpossibleMove] = {}

    def ways(self, move: Move) -> list[_Reached]:
        """The states after a move, one for each way to do its action.

        Raises
        ------
        ImpossibleMove
            There is none.
        """
        if move not in self._after:
            try:
                self._after[move] = [_Reached(state) for state in _ways(self.state, move)]
            except ImpossibleMove as impossible:
                self._after[move] = impossible
        found = self._after[move]
        if isinstance(found, ImpossibleMove):
            raise found
        return found


def _carry_out(initial: ReplayState, moves: Sequence[Move], broken: str | None) -> list[ReplayState]:
    """The states after each move; of several ways to do an action the first that makes the later moves possible."""
    return [reached.state for reached in _carried_out(_Reached(initial), moves, broken)]


def _carried_out(start: _Reached, moves: Sequence[Move], broken: str | None) -> list[_Reached]:
    """The same, in the tree of the states reached so far."""
    reason = "it has no steps"
    reached: list[_Reached] = []
    waiting: list[list[_Reached]] = []
    while True:
        done = len(reached)
        if done == len(moves) and (broken is None or (reached and broken in reached[-1].state.broken)):
            return reached
        if done == len(moves):
            reason = f"its last step does not violate {broken}"
            ways: list[_Reached] = []
        else:
            try:
                ways = list((reached[-1] if reached else start).ways(moves[done]))
            except ImpossibleMove as impossible:
                reason, ways = f"step {done + 1}: {impossible}", []
        waiting.append(ways)
        while waiting and not waiting[-1]:
            waiting.pop()
            if reached:
                reached.pop()
        if not waiting:
            raise Rejected(reason)
        reached.append(waiting[-1].pop(0))


def is_possible(initial: ReplayState, run: Run) -> bool:
    """Whether the specification can carry out a run."""
    try:
        _carry_out(initial, run.moves, None)
    except Rejected:
        return False
    return True


def _ways(state: ReplayState, move: Move) -> tuple[ReplayState, ...]:
    later = state.wait(move.delay)
    return (later,) if move.action is None else later.act(move.action)


def carried_out(initial: ReplayState, run: Run, name: str, statement: str) -> Trace:
    """The trace of a run that violates no property, under a name of its own.

    Raises
    ------
    Rejected
        The run is impossible.
    """
    return _trace_of(initial, _carry_out(initial, run.moves, None), run, name, statement)


def _trace(initial: ReplayState, states: Sequence[ReplayState], run: Run, asked: Property) -> Trace:
    return _trace_of(initial, states, run, asked.name, asked.statement)


def _trace_of(initial: ReplayState, states: Sequence[ReplayState], run: Run, name: str, statement: str) -> Trace:
    steps = []
    before = dict(initial.state())
    time = Fraction(0)
    for number, (move, state) in enumerate(zip(run.moves, states, strict=True), start=1):
        time += move.delay
        after = dict(state.state())
        changed = {variable: (before[variable], after[variable]) for variable in after if before[variable] != after[variable]}
        event = state.event if move.action is not None else Event("network", "time passes")
        steps.append(Step(number, time, move.delay, event, changed, after, state.in_flight(), state.timers()))
        before = after
    return Trace(name, statement, dict(initial.state()), tuple(steps), dict(initial.about()), initial.timers(), run.loop)
