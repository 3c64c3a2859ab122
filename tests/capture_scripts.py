"""Captures as scripts: a line for each packet, and what a report must say of each connection.

A script has a line for each packet: seconds, sender, flags, relative sequence number, relative acknowledgement number, and
``len``, ``id``, ``ttl`` or ``win`` where they matter. A and B in a script are the ends of the script, not of the report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capture_octets import pcap_header, record
from test_bad_captures import capture_of
from wire import ENDS, Script

from timewait.captures.closes import CapturedCloses
from timewait.captures.facts import ConnectionFacts
from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.report import headline, outcome_of, summary
from timewait.spec.state import State

OPEN = """
    0 A S 0
    .01 B SA 0 1
    .011 A A 1 1
"""
SLOW = """
    0 A S 0
    .1 B SA 0 1
    .1001 A A 1 1
"""
"""Captured beside A, 100 ms from B."""
CLOSE = """
    1 A FA 1 1
    1.01 B A 1 2
    1.05 B FA 1 2
    1.06 A A 2 2
"""


ORDERLY, HALF = CloseKind.IN_ORDER, CloseKind.HALF_CLOSED
NAMES = {"len": "length", "id": "ident", "ttl": "hops", "win": "window"}


@dataclass(frozen=True)
class Answer:
    """What a report must say of one connection; None where nothing is required.

    Attributes
    ----------
    kind : CloseKind
        How it ended.
    first : str or None
        The end of the script that the report calls A.
    likely : tuple of (State or None) or None
        The likely states of A and B of the script.
    possible : tuple of State
        States of which each must be possible at some end.
    causes : tuple of ResetCause or None
        The likeliest cause of each RST.
    also : tuple of ResetCause
        Causes that must be among those of the first RST.
    unknown : tuple of str
        Kinds of what must be said to be unknown.
    silent_on : tuple of str
        Kinds of unknowns that must not be stated.
    lost : int or None
        Copies that the story calls lost, or late.
    deviations : tuple of str
        The kinds of deviations: exactly these.
    says : str
        Words of the summary, or of the outcome of a connection without one.
    frames : tuple of int or None
        Its first and last frame.
    """

    kind: CloseKind
    first: str | None = None
    likely: tuple[State | None, State | None] | None = None
    possible: tuple[State, ...] = ()
    causes: tuple[ResetCause, ...] | None = None
    also: tuple[ResetCause, ...] = ()
    unknown: tuple[str, ...] = ()
    silent_on: tuple[str, ...] = ()
    lost: int | None = None
    deviations: tuple[str, ...] = ()
    says: str = ""
    frames: tuple[int, int] | None = None


PLAIN = Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), causes=(), lost=0, silent_on=("octets-missing", "order-of-fins"))
"""Closed in order by A, with nothing to remark."""


def packets(text: str) -> Script:
    """The packets of a script."""
    script = Script()
    for line in text.split("\n"):
        words = line.split()
        if words:
            at, who, flags, seq, *ack = (word for word in words if "=" not in word)
            extra = {NAMES[name]: int(value) for name, _, value in (word.partition("=") for word in words if "=" in word)}
            script.say(float(at), who, flags, int(seq), *map(int, ack), **extra)
    return script


def explained(text: str) -> CapturedCloses:
    """The connections of a script."""
    return capture_of(pcap_header(228) + b"".join(record(bytes(it), float(it.time)) for it in packets(text).packets))


def of_script(facts: ConnectionFacts, index: int) -> str:
    """The end of the script that the report calls A (0) or B (1)."""
    return next(name for name, (address, _) in ENDS.items() if str(facts.ends[index]).startswith(f"{address}:"))


def differences(found: CapturedCloses, index: int, answer: Answer) -> Sequence[str]:
    """Everything that a report says of a connection and that is not the answer."""
    facts, close = found.connections[index], found.close(index)
    order = (0, 1) if of_script(facts, 0) == "A" else (1, 0)
    likely = tuple(facts.states[side].likely for side in order)
    possible = {state for end in facts.states for state in end.possible}
    unknown = {it.kind for it in facts.unknowns}
    causes = tuple(reset.cause for reset in facts.resets)
    lost = 0 if close is None else sum(copy.lost for step in close.trace.steps for copy in step.event.sent)
    words = outcome_of(facts) if close is None else f"{headline(close)} {summary(close)}"
    checks = {
        f"kind {facts.kind}": facts.kind is answer.kind,
        f"first {of_script(facts, 0)}": answer.first in (None, of_script(facts, 0)),
        f"likely {likely}": answer.likely in (None, likely),
        f"possible {possible}": set(answer.possible) <= possible,
        f"causes {causes}": answer.causes in (None, causes),
        f"all causes {facts.resets}": not answer.also or set(answer.also) <= set(facts.resets[0].causes),
        f"unknown {unknown}": set(answer.unknown) <= unknown and not unknown & set(answer.silent_on),
        f"lost {lost}": answer.lost in (None, lost),
        f"deviations {facts.deviations}": answer.deviations == tuple(it.kind for it in facts.deviations),
        f"words {words}": answer.says in words,
        f"frames {facts.frames}": answer.frames in (None, facts.frames),
    }
    return [name for name, holds in checks.items() if not holds]
