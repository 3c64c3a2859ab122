"""Runs of the specification into a next incarnation that opens by a handshake: one for each harm, and random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from itertools import product

from timewait.checker.trace import Step, Trace
from timewait.spec.assemble import Overrides, behaviour_of
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.spec.outcome import Call, Timer
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.reopening import NextIncarnation, Numbers, Paws, Reopen, SynRule
from timewait.spec.segment import Segment
from timewait.spec.stacks import load_stack
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove

LONGEST = 24
"""Steps of a walk."""


def drawn_configuration(chance: random.Random) -> Configuration:
    """Linux, with an opening at random."""
    early = chance.random() < 0.3
    opening = NextIncarnation(
        Reopen.HANDSHAKE,
        numbers=chance.choice([Numbers.WORST, Numbers.WORST, Numbers.REPEATED, Numbers.ABOVE]),
        timestamps=chance.choice([(False, False), (True, True), (True, False)]),
        paws=Paws.LINUX,
        syn=SynRule.TIMESTAMP if early else SynRule.NEVER,
        early=early,
    )
    return _linux(opening, chance.choice([(0, 0), (1, 0), (0, 1)]))


def _linux(opening: NextIncarnation, text: tuple[int, int]) -> Configuration:
    second = Fraction(1)
    behaviour = behaviour_of(load_stack("linux"), Overrides.of(abandons=False))
    return Configuration(2 * second, second, (2 * second,), loss=1, text=text, behaviour=behaviour, reopening=opening)


def _actions(state: ReferenceState) -> Iterator[Action]:
    """The actions that may be possible, each with every choice of losses."""
    calls = (Call.SEND, Call.CLOSE, Call.OPEN_ACTIVE, Call.OPEN_PASSIVE)
    subjects: list[tuple[str, str, object]] = [("call", end, call) for end in ENDS for call in calls]
    subjects += [("timer", end, timer) for end, timer in state.started if timer in (Timer.TIME_WAIT, Timer.RETRANSMISSION)]
    arrivals = {(entry.packet.sender, entry.packet.segment) for entry in state.in_transit}
    subjects += [("deliver", "B" if sender == "A" else "A", (sender, segment)) for sender, segment in sorted(arrivals, key=str)]
    for (kind, end, subject), count in product(subjects, range(3)):
        for lost in product((False, True), repeat=count):
            yield Action(kind, end, subject, lost)


CLOSED_OPENS = (
    ("call", "A", Call.OPEN_ACTIVE),
    ("call", "B", Call.OPEN_PASSIVE),
    ("deliver", "B", ("A", Segment(0, syn=True, incarnation=1))),
    ("deliver", "A", ("B", Segment(0, 1, syn=True, incarnation=1))),
    ("deliver", "B", ("A", Segment(1, 1, incarnation=1))),
)
CROSSING_OPENS = (
    ("call", "A", Call.OPEN_ACTIVE),
    ("call", "B", Call.OPEN_ACTIVE),
    ("deliver", "B", ("A", Segment(0, syn=True, incarnation=1))),
    ("deliver", "A", ("B", Segment(0, 1, syn=True, incarnation=1))),
    ("deliver", "B", ("A", Segment(1, 1, incarnation=1))),
)
OPENINGS = {"one after the other": CLOSED_OPENS, "both at once": CROSSING_OPENS}
"""The user calls and segments of an opening."""


def harmed(harm: str, opening: str = "one after the other", timestamps: tuple[bool, bool] = (False, False)) -> Trace:
    """A close in order, an opening, and an old segment that does a harm where the numbers allow it."""
    text = int(harm == "old-text")
    fin, last = Segment(1 + text, 1, fin=True), Segment(2 + text, 2)
    words = Segment(1, 1, length=1)
    sends = [("call", "A", Call.SEND), ("deliver", "B", ("A", words))] if text else []
    refuses = [("deliver", "B", ("A", last))] if harm == "old-reset" else []
    acknowledged = Segment(1, 2 + text)
    close = [
        *sends,
        ("call", "A", Call.CLOSE),
        ("deliver", "B", ("A", fin)),
        ("deliver", "A", ("B", acknowledged)),
        ("call", "B", Call.CLOSE),
        ("deliver", "A", ("B", acknowledged._replace(fin=True))),
        ("deliver", "B", ("A", last)),
        *refuses,
        ("timer", "A", Timer.TIME_WAIT),
    ]
    met: dict[str, list[tuple[str, str, object]]] = {
        "old-text": [("deliver", "B", ("A", words))],
        "old-fin": [("deliver", "B", ("A", fin))],
        "old-reset": [("deliver", "A", ("B", Segment(2, rst=True)))],
        "old-ack": [("call", "B", Call.SEND), ("deliver", "B", ("A", last))],
    }
    state = start = initial_state(_linux(NextIncarnation(Reopen.HANDSHAKE, timestamps=timestamps, paws=Paws.LINUX), (text, 0)))
    steps: list[Step] = []
    for kind, end, subject in (*close, *OPENINGS[opening], *met[harm]):
        delay = Fraction(3, 2) if kind == "timer" else Fraction(0)
        results: list[ReferenceState] = []
        for count in range(2):
            lost = (kind == "call" and subject is Call.SEND and bool(steps) and harm == "old-ack",) * count
            with suppress(ImpossibleMove):
                results += state.wait(delay).act(Action(kind, end, subject, lost))
        state = next((result for result in results if harm in result.broken), results[0])
        steps.append(_step(len(steps) + 1, delay, state))
    return _trace(f"a walk to {harm}", start, steps)


def _step(number: int, delay: Fraction, after: ReferenceState) -> Step:
    return Step(number, after.now, delay, after.event, {}, dict(after.state()), after.in_flight(), after.timers())


def _trace(statement: str, start: ReferenceState, steps: list[Step]) -> Trace:
    return Trace("walk", statement, dict(start.state()), tuple(steps), dict(start.about()), start.timers())


def walk(seed: int) -> Trace:
    """A run of at most `LONGEST` steps; it ends with the first harm."""
    chance = random.Random(seed)
    start = state = initial_state(drawn_configuration(chance))
    steps: list[Step] = []
    while len(steps) < LONGEST and not _has_harm(state):
        found = []
        for action in _actions(state):
            delay = Fraction(3, 2) if action.subject == Timer.TIME_WAIT else Fraction(1, 2)
            delay = delay if action.kind == "timer" else Fraction(0)
            try:
                reached = state.wait(delay).act(action)
            except ImpossibleMove:
                continue
            # Several copies that arrive as one step would have several answers, of which a trace shows the last.
            one = [after for after in reached if len(after.event.sent) == len(action.lost) == after.copies - state.copies]
            found += [(action, delay, after) for after in one]
        if not found:
            break
        action, delay, after = chance.choices(found, [_weight(action) for action, _, _ in found])[0]
        steps.append(_step(len(steps) + 1, delay, after))
        state = after
    return _trace(f"a walk from {seed}", start, steps)


def _has_harm(state: ReferenceState) -> bool:
    return "isolation" in state.broken


def _weight(action: Action) -> float:
    """Openings are likely, losses and retransmissions are not."""
    weight = 0.3 ** sum(action.lost)
    if action.subject == Timer.RETRANSMISSION:
        weight *= 0.2
    return weight * (4 if action.subject in (Call.OPEN_ACTIVE, Call.OPEN_PASSIVE, Call.CLOSE) else 1)
