"""Random walks of the reference semantics: what each action leads to in every state on the way, the impossible ones too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.outcome import Call, Timer
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.reopening import AnswerIsn, Crash, NextIncarnation, Numbers, Reopen, SynRule
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove

F = Fraction
CLOSE = Configuration(F(2), F(4), (F(2),), both_close=True, text=(1, 1))
CORE = Configuration(F(2), F(3), (F(2),), scope=Scope.CORE)
OPENS = replace(CLOSE, time_wait=F(2), loss=0)


def _opening(**about: Any) -> NextIncarnation:
    return NextIncarnation(Reopen.HANDSHAKE, **{"text": (1, 1)} | about)


WALKED = {
    "core": CORE,
    "core, no TIME-WAIT": replace(CORE, behaviour=Behaviour(time_wait=False)),
    "A first": replace(CLOSE, both_close=False),
    "either first": CLOSE,
    "any loss": replace(CLOSE, loss=None),
    "two losses, each copy twice": replace(CLOSE, loss=2, duplication=1),
    "each copy once": replace(CLOSE, duplication=0),
    "in order": replace(CLOSE, fifo=True),
    "lossless": replace(CLOSE, loss=0, duplication=0, lossless=True),
    "back-off, exact, with slack": replace(
        CLOSE, rto=(F(1), F(2)), rto_exact=True, rto_slack=F(1, 2), behaviour=Behaviour(backoff=2, retries=2)
    ),
    "limits": replace(
        CLOSE,
        fin_wait_2=F(1),
        last_ack=F(1),
        idle_before_close=F(1),
        behaviour=Behaviour(fin_wait_2=True, last_ack=True, abandons=True, clock_before_close=True),
    ),
    "TIME-WAIT is cut": replace(CLOSE, behaviour=Behaviour(time_wait_cut=True)),
    "opens": replace(OPENS, reopening=_opening()),
    "opens, each copy once": replace(OPENS, duplication=0, reopening=_opening()),
    "opens early": replace(OPENS, reopening=_opening(early=True, syn=SynRule.AT_OR_ABOVE, isn=AnswerIsn.ANY)),
    "numbers repeated": replace(OPENS, reopening=_opening(numbers=Numbers.REPEATED)),
    "A crashes": replace(OPENS, reopening=_opening(crash=Crash.A, quiet=F(1))),
    "B crashes": replace(OPENS, reopening=_opening(crash=Crash.B, quiet=F(1))),
    "an old SYN": replace(OPENS, reopening=_opening(old_syn=True, syn=SynRule.ABOVE)),
}
"""Configurations, such that each rule of the reference semantics matters in one of them."""

RECORD = Path(__file__).parent / "data" / "reference_walks.json"
"""The digest of the walks of each configuration; ``python tests/mutation.py --record`` records them anew."""

SEEDS, STEPS = 6, 16
"""The walks of a configuration, and their length."""

LOSSES = ((), (False,), (True,), (False, False), (True, False), (False, True))
DELAYS = (F(0), F(0), F(0), F(1, 2), F(1), F(2), F(5, 2))
NEVER_SENT = Segment(9, 9, fin=True)


def walk(name: str, seed: int) -> Iterator[tuple[ReferenceState, list[tuple[Action, tuple[ReferenceState, ...] | str]]]]:
    """Each state on the way, with every action and the states that it leads to, or why it is impossible."""
    random = Random(f"{name} {seed}")
    state = initial_state(WALKED[name])
    for _ in range(STEPS):
        tried = [(action, _outcome(state, action)) for action in _actions(state)]
        yield state, tried
        kinds: dict[str, list[ReferenceState]] = {}
        seldom = random.random() < 0.1
        for action, found in tried:
            if not isinstance(found, str) and (seldom or (action.kind != "inject" and action.subject is not Call.ABORT)):
                kinds.setdefault(action.kind, []).extend(found)
        if not kinds:
            return
        state = _later(random.choice(kinds[random.choice(sorted(kinds))]), random)


def account(name: str) -> str:
    """A digest of everything that the walks of a configuration show."""
    digest = sha256()
    for seed in range(SEEDS):
        for state, tried in walk(name, seed):
            digest.update(_shown(state).encode())
            for delay in (F(-1), F(0), F(1), F(3)):
                digest.update(_waited(state, delay).encode())
            for action, found in tried:
                shown = found if isinstance(found, str) else "\n".join(map(_shown, found))
                digest.update(f"{action}: {shown}".encode())
    return digest.hexdigest()


def steps_of(name: str) -> Iterator[tuple[ReferenceState, Action, ReferenceState]]:
    """Every state of a walk with every possible action, and each state that it leads to."""
    for state, tried in walk(name, 0):
        for action, found in tried:
            if not isinstance(found, str):
                yield from ((state, action, after) for after in found)


def _actions(state: ReferenceState) -> Iterator[Action]:
    """Every action that could be possible, with each choice of losses."""
    for losses in LOSSES:
        for end in "AB":
            yield from (Action("call", end, call, losses) for call in Call)
            yield from (Action("timer", end, timer, losses) for timer in Timer)
        in_flight = [(packet.sender, packet.segment) for packet, _, _ in state.in_transit]
        for sender, segment in [*dict.fromkeys(in_flight), ("A", NEVER_SENT)]:
            yield Action("deliver", "B" if sender == "A" else "A", (sender, segment), losses)
    yield from (Action("crash", end, "all memory") for end in "AB")
    yield Action("reopen", "users", "the same addresses and ports")
    yield Action("inject", "network", ("B", Segment(1, 2, fin=True)))
    yield Action("deliver", "A", "a word")
    yield Action("dance", "A", "")


def _outcome(state: ReferenceState, action: Action) -> tuple[ReferenceState, ...] | str:
    try:
        return state.act(action)
    except (ImpossibleMove, ValueError) as problem:
        return f"{type(problem).__name__}: {problem}"


def _later(state: ReferenceState, random: Random) -> ReferenceState:
    """The state after a delay that is possible."""
    delay = random.choice(DELAYS)
    try:
        return state.wait(delay)
    except ImpossibleMove:
        return state


def _waited(state: ReferenceState, delay: Fraction) -> str:
    try:
        return _shown(state.wait(delay))
    except ImpossibleMove as problem:
        return str(problem)


def _shown(state: ReferenceState) -> str:
    """Everything that a trace shows of a state, and everything that a replay asks of it."""
    sets = [sorted(found) for found in (state.broken, state.pending, state.recurrent)]
    quiet = [state.is_quiet(side) for side in (0, 1)]
    packets = [(entry.packet, entry.number, str(entry.sent)) for entry in state.in_transit]
    kept = (state.now, state.lost, state.copies, state.reopened, state.incarnations, state.isns, state.crashed_at)
    return repr((state.event, state.state(), state.in_flight(), state.timers(), state.loop_key(), sets, quiet, packets, kept))
