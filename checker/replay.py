"""Carrying a run out on the specification, and dropping every step that it can do without."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from timewait.checker.finding import Move, Run
from timewait.checker.trace import Step, Trace
from timewait.vocabulary.automaton import Property
from timewait.vocabulary.replay import Event, ImpossibleMove, ReplayState

ROUNDS = 3
"""How often the loop of a run without end is carried out before it is believed."""


class Rejected(Exception):
    """A run that the specification cannot carry out, or that does not show what it should; the message says why."""


def replay(beginning: ReplayState, run: Run, asked: Property) -> Trace:
    """Carry out a run and see that it shows a property broken.

    Parameters
    ----------
    beginning : ReplayState
        Where it starts.
    run : Run
        What an engine found.
    asked : Property
        An ``always`` property must be broken by the last step; for an ``eventually`` property the loop must
        lead back to where it began, take time, work again and again, and leave the promise open throughout.
        That the loop is fair is for the search to see to.

    Raises
    ------
    Rejected
        The run is impossible, or shows nothing.
    """
    if asked.kind == "always":
        return _trace(beginning, _carry_out(beginning, run.moves, asked.name), run, asked)
    if run.loop is None:
        raise Rejected(f"a run that breaks {asked.name} must repeat itself, and this one ends")
    repeated = run.moves[run.loop :]
    if sum((move.delay for move in repeated), Fraction(0)) <= 0:
        raise Rejected("the loop takes no time")
    worlds = _carry_out(beginning, run.moves + repeated * (ROUNDS - 1), None)
    entered = worlds[run.loop - 1] if run.loop else beginning
    for turn in range(ROUNDS):
        if worlds[run.loop + len(repeated) * (turn + 1) - 1].loop_key() != entered.loop_key():
            raise Rejected("the loop does not lead back to where it began")
    once = worlds[run.loop : run.loop + len(repeated)]
    if not all(asked.name in world.pending for world in once):
        raise Rejected(f"the promise of {asked.name} is kept in the loop")
    acting = [world for world, move in zip(once, repeated, strict=True) if move.action is not None]
    if asked.recurrent and not any(asked.name in world.recurrent for world in acting):
        raise Rejected(f"nothing in the loop is noise for {asked.name}")
    return _trace(beginning, worlds[: len(run.moves)], run, asked)


def minimal(beginning: ReplayState, run: Run, asked: Property) -> Trace:
    """The trace of a run without the steps that can be dropped, one at a time, while it still shows the same.

    Loops are left as they are: each of their steps may be there for the sake of fairness.
    """
    trace = replay(beginning, run, asked)
    if asked.kind != "always":
        return trace
    short = shortened(beginning, run, asked)
    return replace(replay(beginning, short, asked), dropped=len(run.moves) - len(short.moves))


def shortened(beginning: ReplayState, run: Run, asked: Property) -> Run:
    """A run that breaks an ``always`` property, without the steps and the waits that it can do without."""
    moves = list(run.moves)
    while (shorter := _without_one(beginning, moves, asked)) is not None:
        moves = shorter
    for index, move in enumerate(moves):
        attempt = [*moves[:index], Move(Fraction(0), move.action), *moves[index + 1 :]]
        if move.delay and _shows(beginning, attempt, asked):
            moves = attempt
    return Run(tuple(moves))


def _without_one(beginning: ReplayState, moves: list[Move], asked: Property) -> list[Move] | None:
    """The moves without the last one that can be dropped; None when every one is needed."""
    for index in range(len(moves) - 2, -1, -1):
        follower = moves[index + 1]
        for delay in (follower.delay, follower.delay + moves[index].delay):
            attempt = [*moves[:index], Move(delay, follower.action), *moves[index + 2 :]]
            if _shows(beginning, attempt, asked):
                return attempt
    return None


def _shows(beginning: ReplayState, moves: list[Move], asked: Property) -> bool:
    try:
        _carry_out(beginning, moves, asked.name)
    except Rejected:
        return False
    return True


def _carry_out(beginning: ReplayState, moves: Sequence[Move], broken: str | None) -> list[ReplayState]:
    """The worlds after each move; where an action can be done in several ways, the first that lets the rest be done."""
    reason = "it has no steps"
    trail: list[ReplayState] = []
    waiting: list[list[ReplayState]] = []
    while True:
        done = len(trail)
        if done == len(moves) and (broken is None or (trail and broken in trail[-1].broken)):
            return trail
        if done == len(moves):
            reason = f"its last step does not break {broken}"
            ways: list[ReplayState] = []
        else:
            try:
                ways = list(_ways(trail[-1] if trail else beginning, moves[done]))
            except ImpossibleMove as impossible:
                reason, ways = f"step {done + 1}: {impossible}", []
        waiting.append(ways)
        while waiting and not waiting[-1]:
            waiting.pop()
            if trail:
                trail.pop()
        if not waiting:
            raise Rejected(reason)
        trail.append(waiting[-1].pop(0))


def _ways(world: ReplayState, move: Move) -> tuple[ReplayState, ...]:
    later = world.wait(move.delay)
    return (later,) if move.action is None else later.act(move.action)


def carried_out(beginning: ReplayState, run: Run, name: str, statement: str) -> Trace:
    """The trace of a run that shows no property broken, under a name of its own.

    Raises
    ------
    Rejected
        The run is impossible.
    """
    return _told(beginning, _carry_out(beginning, run.moves, None), run, name, statement)


def _trace(beginning: ReplayState, worlds: Sequence[ReplayState], run: Run, asked: Property) -> Trace:
    return _told(beginning, worlds, run, asked.name, asked.statement)


def _told(beginning: ReplayState, worlds: Sequence[ReplayState], run: Run, name: str, statement: str) -> Trace:
    steps = []
    before = dict(beginning.state())
    time = Fraction(0)
    for number, (move, world) in enumerate(zip(run.moves, worlds, strict=True), start=1):
        time += move.delay
        after = dict(world.state())
        changed = {variable: (before[variable], after[variable]) for variable in after if before[variable] != after[variable]}
        event = world.event if move.action is not None else Event("network", "time passes")
        steps.append(Step(number, time, move.delay, event, changed, after, world.in_flight(), world.timers()))
        before = after
    return Trace(name, statement, dict(beginning.state()), tuple(steps), dict(beginning.about()), beginning.timers(), run.loop)
