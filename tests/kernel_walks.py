"""Runs of the specification into a next incarnation that opens by a handshake: one for each harm, and random ones."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from itertools import product

from timewait.checker.trace import Step, Trace
from timewait.spec.assemble import Overrides, behaviour_of
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.spec.old_syn import OLD_SYN
from timewait.spec.outcome import Call, Timer
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.reopening import Crash, NextIncarnation, Numbers, Paws, Reopen, SynRule
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
        syn=SynRule.TIMESTAMP if early else SynRule.NEVER,
        early=early,
    )
    return _linux(opening, chance.choice([(0, 0), (1, 0), (0, 1)]))


def _linux(opening: NextIncarnation, text: tuple[int, int], *, ack_first: bool = True) -> Configuration:
    second = Fraction(1)
    opening = replace(opening, paws=Paws.LINUX, ack_first=ack_first)
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
    configuration = _linux(NextIncarnation(Reopen.HANDSHAKE, timestamps=timestamps), (text, 0))
    return _towards(harm, configuration, (*close, *OPENINGS[opening], *met[harm]))


def _towards(harm: str, configuration: Configuration, events: Sequence[tuple[str, str, object]]) -> Trace:
    """A run of some events, each of which takes the way that does the harm, if there is one."""
    state = start = initial_state(configuration)
    steps: list[Step] = []
    for number, (kind, end, subject) in enumerate(events, 1):
        following = events[number : number + 1]
        delay = {"timer": Fraction(3, 2), "call": Fraction(1, 1_000) * (subject in OPENS)}.get(kind, Fraction(0))
        results: list[ReferenceState] = []
        for count in range(2):
            lost = (kind == "call" and subject is Call.SEND and bool(steps) and harm == "old-ack",) * count
            with suppress(ImpossibleMove):
                results += state.wait(delay).act(Action(kind, end, subject, lost))
        leading = [result for result in results if not following or _leads_to(result, following[0])] or results
        state = next((result for result in results if harm in result.broken), leading[0])
        steps.append(_step(len(steps) + 1, delay, state))
    return _trace(f"a walk to {harm}", start, steps)


def _leads_to(state: ReferenceState, event: tuple[str, str, object]) -> bool:
    """Whether the packet is in flight that an event delivers."""
    kind, _, subject = event
    return kind != "deliver" or subject in [(entry.packet.sender, entry.packet.segment) for entry in state.in_transit]


OPENS = (Call.OPEN_ACTIVE, Call.OPEN_PASSIVE)
CRASH = ("crash", "A", "all memory")
SYN, OLD_FIN, OLD_TEXT = Segment(0, syn=True, incarnation=1), Segment(1, 1, fin=True), Segment(1, 1, length=1)
CLOSING: tuple[tuple[str, str, object], ...] = (
    ("call", "A", Call.CLOSE),
    ("deliver", "B", ("A", OLD_FIN)),
    ("call", "B", Call.CLOSE),
    ("deliver", "A", ("B", OLD_FIN._replace(ack=2))),
)
"""A close up to TIME-WAIT of A."""

HALF_OPEN = (
    CRASH,
    ("call", "A", Call.OPEN_ACTIVE),
    ("deliver", "B", ("A", SYN)),
    ("deliver", "A", ("B", Segment(1, 1))),
    ("deliver", "B", ("A", Segment(1, rst=True))),
    ("call", "B", Call.OPEN_ACTIVE),
    ("deliver", "B", ("A", SYN)),
)
"""A crashes and opens again; B, half-open, acknowledges the SYN, a RST of A ends its connection, and B opens too."""

CRASHES: dict[str, tuple[tuple[str, str, object], ...]] = {
    "old-text": (
        ("call", "A", Call.SEND),
        CRASH,
        ("deliver", "B", ("A", OLD_TEXT)),
        ("call", "A", Call.OPEN_ACTIVE),
        ("deliver", "A", ("B", Segment(1, 2))),
        ("deliver", "B", ("A", Segment(2, rst=True))),
        ("call", "B", Call.OPEN_PASSIVE),
        ("deliver", "B", ("A", SYN)),
        ("deliver", "B", ("A", OLD_TEXT)),
    ),
    "old-fin": (
        ("call", "A", Call.CLOSE),
        CRASH,
        ("deliver", "B", ("A", OLD_FIN)),
        ("call", "B", Call.CLOSE),
        ("call", "A", Call.OPEN_PASSIVE),
        ("deliver", "A", ("B", Segment(1, 2))),
        ("deliver", "B", ("A", Segment(2, rst=True))),
        ("call", "B", Call.OPEN_ACTIVE),
        ("deliver", "A", ("B", SYN)),
        ("deliver", "A", ("B", OLD_FIN._replace(ack=2))),
    ),
    "old-reset": (*HALF_OPEN, ("deliver", "B", ("A", Segment(1, rst=True)))),
    "old-ack": (
        *HALF_OPEN,
        ("deliver", "A", ("B", Segment(0, 1, syn=True, incarnation=1))),
        ("call", "A", Call.SEND),
        ("deliver", "A", ("B", Segment(1, 1))),
    ),
}
"""For each harm, a crash of A that leads to it."""


def crashed(harm: str, timestamps: tuple[bool, bool] = (False, False)) -> Trace:
    """A crash of A, an opening, and an old segment that does a harm."""
    opening = NextIncarnation(Reopen.HANDSHAKE, timestamps=timestamps, crash=Crash.A, quiet=Fraction(0), text=(1, 0))
    return _towards(harm, _linux(opening, (int(harm == "old-text"), 0)), CRASHES[harm])


def text_of_peer() -> Trace:
    """A crash of A; B, half-open, sends text, of which a further copy reaches the next incarnation."""
    opening = NextIncarnation(Reopen.HANDSHAKE, crash=Crash.A, quiet=Fraction(0), text=(0, 0))
    events: list[tuple[str, str, object]] = [
        CRASH,
        ("call", "A", Call.OPEN_PASSIVE),
        ("call", "B", Call.SEND),
        ("deliver", "A", ("B", OLD_TEXT)),
        ("deliver", "B", ("A", Segment(1, rst=True))),
        ("call", "B", Call.OPEN_ACTIVE),
        ("deliver", "A", ("B", SYN)),
        ("deliver", "A", ("B", OLD_TEXT)),
    ]
    return _towards("old-text", _linux(opening, (0, 1)), events)


def quiet_crash() -> Trace:
    """A crash of A, and an old segment that reaches its host before it opens again."""
    configuration = _linux(NextIncarnation(Reopen.HANDSHAKE, crash=Crash.A, quiet=Fraction(0)), (0, 0))
    events = [("call", "B", Call.CLOSE), CRASH, ("deliver", "A", ("B", OLD_FIN)), ("call", "A", Call.OPEN_PASSIVE)]
    return _towards("", replace(configuration, both_close=True), events)


def met_by_old_syn(timestamps: tuple[bool, bool] = (False, False), *, returns: bool = False) -> Trace:
    """An old SYN ends TIME-WAIT and proves old, and an old FIN is accepted by the next incarnation.

    With timestamps the SYN is refused, and TIME-WAIT answers it.
    """
    opening = NextIncarnation(Reopen.HANDSHAKE, timestamps=timestamps, syn=SynRule.TIMESTAMP, old_syn=True, returns=returns)
    closes: list[tuple[str, str, object]] = [
        *CLOSING,
        ("deliver", "A", ("B", OLD_SYN)),
        ("deliver", "B", ("A", Segment(2, 2))),
    ]
    proves: list[tuple[str, str, object]] = [
        ("deliver", "B", ("A", Segment(2, OLD_SYN.end, syn=True))),
        ("deliver", "A", ("B", Segment(OLD_SYN.end, rst=True))),
    ]
    again: list[tuple[str, str, object]] = [
        ("call", "A", Call.OPEN_ACTIVE),
        ("call", "B", Call.OPEN_ACTIVE),
        ("deliver", "B", ("A", SYN)),
        ("deliver", "B", ("A", OLD_FIN)),
    ]
    events = closes if all(timestamps) else [*closes, *proves] if returns else [*closes, *proves, *again]
    return _towards("old-fin", _linux(opening, (0, 0)), events)


def opened_at_next_number() -> Trace:
    """A SYN at RCV.NXT opens in TIME-WAIT, as `SynRule.AT_OR_ABOVE` has it."""
    opening = NextIncarnation(Reopen.HANDSHAKE, syn=SynRule.AT_OR_ABOVE, early=True)
    events: list[tuple[str, str, object]] = [
        *CLOSING,
        ("deliver", "B", ("A", Segment(2, 2))),
        ("call", "B", Call.OPEN_ACTIVE),
        ("deliver", "A", ("B", SYN)),
        ("deliver", "B", ("A", Segment(0, 1, syn=True, incarnation=1))),
    ]
    return _towards("", _linux(opening, (0, 0)), events)


def cut_off_by_old_syn() -> Trace:
    """An old SYN ends TIME-WAIT; a RST answers an ACK of the peer in LAST-ACK, and ends its close."""
    opening = NextIncarnation(Reopen.HANDSHAKE, syn=SynRule.TIMESTAMP, old_syn=True, returns=False)
    events: list[tuple[str, str, object]] = [
        *CLOSING,
        ("deliver", "A", ("B", OLD_SYN)),
        ("deliver", "A", ("B", Segment(1, 2))),
        ("deliver", "B", ("A", Segment(2, rst=True))),
    ]
    return _towards("graceful", _linux(opening, (0, 0)), events)


def refused_in_syn_received(*, ack_first: bool = True) -> Trace:
    """An old SYN ends TIME-WAIT, and a further copy of the last FIN meets SYN-RECEIVED."""
    opening = NextIncarnation(Reopen.HANDSHAKE, syn=SynRule.TIMESTAMP, old_syn=True, returns=False)
    events: list[tuple[str, str, object]] = [
        *CLOSING,
        ("deliver", "A", ("B", OLD_SYN)),
        ("deliver", "A", ("B", OLD_FIN._replace(ack=2))),
    ]
    return _towards("", _linux(opening, (0, 0), ack_first=ack_first), events)


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
