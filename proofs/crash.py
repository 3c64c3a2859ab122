"""The claim about a host that loses all memory, keeps quiet, and opens again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from timewait.checker.question import Engine
from timewait.proofs.claim import claim
from timewait.proofs.evidence import (
    PROVED,
    VIOLATED,
    Evidence,
    agreed,
    all_at,
    at,
    for_all,
    for_all_by_schedule,
)
from timewait.proofs.next_incarnation import POSITIVE, WITHOUT_RST, reopened
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.incarnation import ISOLATION
from timewait.spec.reopening import Crash, NextIncarnation, Numbers, Reopen

CRASH_OF_A = NextIncarnation(Reopen.HANDSHAKE, crash=Crash.A, text=(0, 0))
"""A loses all memory, and keeps quiet for TIME_WAIT."""

FROM_A, FROM_B = {"old-text": (1, 0), "old-ack": (0, 1)}, {"old-text": (0, 1), "old-ack": (1, 0)}
"""Whose text makes a harm one of A's old segments, or of B's: old text is that of its sender, an old ACK that of the peer."""

OWN_TEXT = """
    0: A call SEND
    0: A crash all memory
    0: B deliver A DATA+ACK seq=1 ack=1 len=1
    MSL: A call OPEN (active)
    0: A deliver B ACK seq=1 ack=2
    0: B deliver A RST seq=2
    0: B call OPEN (passive)
    0: B deliver A SYN seq=0 (new)
    0: B deliver A DATA+ACK seq=1 ack=1 len=1
"""
"""A opens before its text is MSL old; its RST ends B's connection, B opens, and reads the text as new."""

TEXT_OF_PEER = """
    0: A crash all memory
    TIME_WAIT + MSL: A call OPEN (passive)
    0: B call SEND
    0: A deliver B DATA+ACK seq=1 ack=1 len=1
    0: B deliver A RST seq=1
    0: B call OPEN (active)
    0: A deliver B SYN seq=0 (new)
    0: A deliver B DATA+ACK seq=1 ack=1 len=1
"""
"""B, half-open, sends after the quiet time; A's RST ends its connection, B opens, and a second copy arrives."""


def crashing(
    quiet: Fraction | int, harm: str = "", text: dict[str, tuple[int, int]] | None = None, **about: object
) -> Configuration:
    """The close in which A crashes and keeps quiet for a time in seconds, with the text that a harm needs; M = R = 1 s."""
    opening = replace(CRASH_OF_A, **about)  # type: ignore[arg-type]  # checked by the dataclass
    octets = (0, 0) if text is None else text[harm]
    if harm == "old-ack":
        return replace(reopened(replace(opening, text=octets)), time_wait=Fraction(quiet))
    return replace(reopened(opening, octets), time_wait=Fraction(quiet))


@claim(
    "C13",
    "after a crash of A that loses all memory, if A keeps quiet for Q (no TIME-WAIT): for text that A sent before the crash,"
    " Q >= M is enough (any loss, R <= M; for its ACKs in the last exchange too), and every shorter Q is not. For what B,"
    " half-open, still sends, no Q is enough: a RST of A ends B's connection, B opens again, and another copy of B's segment, or"
    " of that RST, is accepted; old text for every Q, MSL and RTO, even if both ISNs repeat, each other harm at Q = 0, M and 2M."
    " If both ISNs exceed every old number, isolation holds for every Q, even none. Timestamps keep out text, FINs and ACKs, and"
    " not RSTs. Graceful is violated",
    "RFC 9293 3.4.3",
    VIOLATED,
    slow=True,
)
def quiet_time() -> Iterator[Evidence]:
    """The segments of the host that crashed, those of its peer, and what protects."""
    yield from _own()
    yield from _of_the_peer()
    above = replace(crashing(0, numbers=Numbers.ABOVE), loss=None)
    region = (*POSITIVE, "TIME_WAIT >= 0")
    with_text = replace(above, reopening=replace(above.reopening, text=(1, 0)))
    yield for_all("close, A crashes, any loss, ISNs above, Q = TIME_WAIT", with_text, region, (ISOLATION,))
    stamped = crashing(0, timestamps=(True, True))
    yield agreed("close, A crashes, M = R = 1, k = 0, Q = 0, timestamps", stamped, "old-fin", PROVED)
    yield agreed("the same", stamped, "old-reset", VIOLATED)
    text = crashing(0, "old-text", FROM_B, timestamps=(True, True))
    text = replace(text, reopening=replace(text.reopening, text=(1, 0)))
    yield from all_at("the same, B sends one octet, the new A too", text, WITHOUT_RST, PROVED, Engine.ZONES)


def _own() -> Iterator[Evidence]:
    """Segments that A sent before it crashed: an MSL is enough, and nothing less."""
    shorter = crashing(Fraction(1, 2), "old-text", FROM_A, numbers=Numbers.REPEATED)
    region = (*POSITIVE, "TIME_WAIT >= 0", "TIME_WAIT < MSL")
    yield for_all_by_schedule("close, A crashes, Q = TIME_WAIT, ISNs repeated", shorter, "old-text", OWN_TEXT, region)
    long_enough = (*POSITIVE, "RTO <= MSL", "TIME_WAIT >= MSL")
    text, acks = crashing(1, "old-text", FROM_A), replace(crashing(1, "old-ack", FROM_A), scope=Scope.CORE)
    label = "A crashes, any loss, Q = TIME_WAIT"
    yield for_all(f"close, {label}, A sends one octet", replace(text, loss=None), long_enough, ("old-text",))
    yield for_all(f"core, {label}, the new B sends one octet", replace(acks, loss=None), long_enough, ("old-ack",))
    yield agreed("core, A crashes, M = R = 1, k = 0, Q = 1, the new B sends one octet", acks, "old-ack", PROVED)
    shorter = replace(acks, time_wait=Fraction(999, 1000))
    yield at("the same, Q = 0.999", shorter, "old-ack", VIOLATED, Engine.ZONES)


def _of_the_peer() -> Iterator[Evidence]:
    """Segments that B sends after the crash: no quiet time is enough."""
    repeated = crashing(2, "old-text", FROM_B, numbers=Numbers.REPEATED)
    region = (*POSITIVE, "TIME_WAIT >= 0")
    yield for_all_by_schedule("close, A crashes, Q = TIME_WAIT, ISNs repeated", repeated, "old-text", TEXT_OF_PEER, region)
    for quiet in (0, 1, 2):
        label = f"close, A crashes, M = R = 1, k = 0, Q = {quiet}"
        for name in ("old-fin", "old-reset", "graceful"):
            yield agreed(label, crashing(quiet), name, VIOLATED)
        yield at(f"{label}, the new A sends one octet", crashing(quiet, "old-ack", FROM_B), "old-ack", VIOLATED, Engine.ZONES)
