"""The claim about an old duplicate SYN that meets TIME-WAIT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from timewait.checker.question import Engine
from timewait.proofs.claim import claim
from timewait.proofs.evidence import PROVED, VIOLATED, Evidence, agreed, at, for_all, for_all_by_schedule
from timewait.proofs.next_incarnation import POSITIVE, reopened
from timewait.spec.configuration import Configuration
from timewait.spec.incarnation import HARMS, ISOLATION
from timewait.spec.reopening import NextIncarnation, Numbers, Reopen, SynRule
from timewait.spec.settings import Behaviour

RETURNS = NextIncarnation(Reopen.HANDSHAKE, text=(0, 0), old_syn=True, syn=SynRule.ABOVE)
"""A SYN above RCV.NXT opens in TIME-WAIT; if it proves old, TIME-WAIT begins again."""
ENDS_THERE = replace(RETURNS, returns=False)
"""If it proves old, nothing waits any more, as on Linux."""

OLD_FIN = """
    0: A call CLOSE
    0: B deliver A FIN+ACK seq=1 ack=1
    0: B call CLOSE
    0: A deliver B FIN+ACK seq=1 ack=2
    0: A deliver B SYN seq=500
    0: B deliver A ACK seq=2 ack=2
    0: B deliver A SYN+ACK seq=2 ack=501
    0: A deliver B RST seq=501
    0: A call OPEN (active)
    0: B call OPEN (passive)
    0: B deliver A SYN seq=0 (new)
    0: A deliver B SYN+ACK seq=0 ack=1 (new)
    0: A call SEND
    0: A deliver B FIN+ACK seq=1 ack=2
"""
"""The RST that proves the SYN old leaves A CLOSED at once; both open again, and another copy of B's old FIN is accepted."""


def waiting(opening: NextIncarnation, loss: int = 0) -> Configuration:
    """The close with a TIME_WAIT of 2 MSL, and an old SYN in flight; M = R = 1 s."""
    return replace(reopened(opening, loss=loss), time_wait=Fraction(2), behaviour=Behaviour())


@claim(
    "C21",
    "where a SYN of an incarnation before, above RCV.NXT, ends TIME-WAIT: the SYN,ACK draws a RST that proves it old. Without"
    " the return to TIME-WAIT (MAY-2, second condition; Linux) an old FIN is then accepted by the next incarnation, for every"
    " MSL, RTO and TIME_WAIT, even if both ISNs repeat. With the return, isolation holds for TIME_WAIT >= 2 MSL and RTO <= MSL,"
    " harm by harm (k = 0). The return is for isolation alone: where no end gives up retransmitting, graceful holds with it and"
    " without it (k <= 1); if the last ACK was lost (k = 1), the peer in LAST-ACK answers the SYN,ACK with an ACK, which proves"
    " nothing, and is never acknowledged, so closes is violated with it and without it; where SYN-RECEIVED looks at the ACK"
    " first (Linux), a RST answers it instead: closes holds, and graceful is violated, even if nothing is lost",
    "RFC 9293 3.6.1 MAY-2",
    VIOLATED,
    slow=True,
)
def old_syn_in_time_wait() -> Iterator[Evidence]:
    """The purpose of the second condition of MAY-2, and what it does not do."""
    repeated = waiting(replace(ENDS_THERE, numbers=Numbers.REPEATED, text=(1, 0)))
    label = "close, an old SYN, no return, ISNs repeated"
    yield for_all_by_schedule(label, repeated, "old-fin", OLD_FIN, (*POSITIVE, "TIME_WAIT >= 0"))
    safe = (*POSITIVE, "RTO <= MSL", "TIME_WAIT >= 2*MSL")
    kept = (ISOLATION, "graceful", *(name for name in HARMS if name != "old-text"))
    yield for_all("close, k = 0, an old SYN, return", waiting(RETURNS), safe, kept)
    # Without the return the states in ticks are too many for the tick engine; Z3 and cvc5 check the certificate.
    yield for_all("close, k = 0, an old SYN, no return", waiting(ENDS_THERE), safe, ("graceful",))
    for opening, how in ((RETURNS, "return"), (ENDS_THERE, "no return")):
        yield for_all(f"close, k = 1, an old SYN, {how}", waiting(opening, 1), safe, ("graceful",))
    label = "close, M = R = 1, TIME_WAIT = 2, k = 0, an old SYN"
    yield agreed(f"{label}, no return", waiting(ENDS_THERE), "old-fin", VIOLATED)
    yield agreed(f"{label}, return", waiting(RETURNS), ISOLATION, PROVED)
    yield agreed(f"{label}, return", waiting(RETURNS), "graceful", PROVED)
    for opening, how in ((RETURNS, "return"), (ENDS_THERE, "no return")):
        yield at(
            f"close, M = R = 1, TIME_WAIT = 2, k = 1, an old SYN, {how}", waiting(opening, 1), "closes", VIOLATED, Engine.ZONES
        )
        first = replace(opening, ack_first=True)
        label = f"close, M = R = 1, TIME_WAIT = 2, an old SYN, {how}, the ACK first"
        yield at(f"{label}, k = 1", waiting(first, 1), "closes", PROVED, Engine.ZONES)
        yield at(f"{label}, k = 0", waiting(first), "graceful", VIOLATED, Engine.ZONES)
