"""The connection states and the control block (RFC 9293 3.3.1, 3.3.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from timewait.vocabulary.suggestions import advice


class State(StrEnum):
    """The states of RFC 9293 3.3.2, with ``_`` for ``-``."""

    CLOSED = "CLOSED"
    LISTEN = "LISTEN"
    SYN_SENT = "SYN_SENT"
    SYN_RECEIVED = "SYN_RECEIVED"
    ESTABLISHED = "ESTABLISHED"
    FIN_WAIT_1 = "FIN_WAIT_1"
    FIN_WAIT_2 = "FIN_WAIT_2"
    CLOSE_WAIT = "CLOSE_WAIT"
    CLOSING = "CLOSING"
    LAST_ACK = "LAST_ACK"
    TIME_WAIT = "TIME_WAIT"


ELSEWHERE = {"ESTAB": State.ESTABLISHED, "SYNRECV": State.SYN_RECEIVED}
"""States by the names that ``ss`` and ``netstat`` write otherwise than the standard, without hyphens."""


def state_named(text: str) -> State:
    """The state of a name as RFC 9293 (TIME-WAIT), a program (TIME_WAIT) or ``netstat`` (FIN_WAIT1) writes it, in any case.

    Raises
    ------
    ValueError
        There is no such state; the message names the nearest.
    """
    known = {_letters(state): state for state in State} | ELSEWHERE
    found = known.get(_letters(text))
    if found is None:
        near = advice(text.replace("-", "_"), [*State], "RFC 9293 3.3.2 names them, such as TIME-WAIT")
        raise ValueError(f"there is no state {text!r}; {near}")
    return found


def _letters(name: str) -> str:
    """A name without what stands between its words, in upper case."""
    return name.upper().replace("-", "").replace("_", "").replace(" ", "")


def in_rfc_spelling(text: str) -> str:
    """A text with the names of states as RFC 9293 writes them, with hyphens."""
    for state in State:
        text = text.replace(state, state.replace("_", "-"))
    return text


MEANING = {
    State.CLOSED: "There is no connection and no record of one; a RST answers every segment but a RST.",
    State.LISTEN: "Waits for a request to open a connection.",
    State.SYN_SENT: "Has sent a SYN and waits for the answer.",
    State.SYN_RECEIVED: "Has received a SYN, has sent its own, and waits for the acknowledgement.",
    State.ESTABLISHED: "The connection is open; data flow in both directions.",
    State.FIN_WAIT_1: "This end closed first; its FIN is not yet acknowledged.",
    State.FIN_WAIT_2: "The FIN of this end is acknowledged; the peer has not closed and may still send, without a time limit.",
    State.CLOSE_WAIT: "The peer has closed; the user of this end may still send. Only a call of that user ends this state.",
    State.CLOSING: "Both ends closed at once: the peer's FIN arrived before the FIN of this end was acknowledged.",
    State.LAST_ACK: "This end closed second; it waits for the acknowledgement of its FIN.",
    State.TIME_WAIT: (
        "Both FINs are acknowledged. This end waits 2 MSL, to answer a retransmitted FIN if its last acknowledgement was lost,"
        " and to let old segments expire before the same addresses and ports are used again."
    ),
}
"""The purpose of each state, for readers who do not know it."""

FIN_RECEIVED = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT})
"""The states after the FIN of the other end."""


class Block(NamedTuple):
    """The control block of one endpoint; immutable, all numbers relative and in octets.

    Attributes
    ----------
    state : State
        The connection state.
    una, nxt : int
        SND.UNA and SND.NXT.
    rcv : int
        RCV.NXT. In CLOSED it holds only the amount of text that the user had read.
    sent : int
        Octets of text that the user has sent.
    passive : bool
        In SYN-RECEIVED: whether LISTEN came before (RFC 9293 3.10.7.4, MUST-11).
    tries : int
        Retransmissions since the last acknowledgement of something new.
    early : bool
        In TIME-WAIT: whether its clock still counts from before the state began.
    kept : int
        Octets of text beyond RCV.NXT that are kept: bit n stands for sequence number n.
    kept_fin : int
        The sequence number of a FIN beyond RCV.NXT that is kept; 0: none.
    waited : int
        In SYN-RECEIVED after an old SYN ended TIME-WAIT: RCV.NXT there; else 0.
    """

    state: State
    una: int = 0
    nxt: int = 0
    rcv: int = 0
    sent: int = 0
    passive: bool = False
    tries: int = 0
    early: bool = False
    kept: int = 0
    kept_fin: int = 0
    waited: int = 0

    @property
    def fin_seq(self) -> int:
        """The sequence number of this end's FIN."""
        return 1 + self.sent

    @property
    def fin_sent(self) -> bool:
        """Whether this end has sent its FIN."""
        return self.nxt > self.fin_seq

    @property
    def fin_acknowledged(self) -> bool:
        """Whether this end's FIN has been sent and acknowledged."""
        return self.una > self.fin_seq

    @property
    def outstanding(self) -> bool:
        """Whether something sent is not yet acknowledged."""
        return self.una < self.nxt

    @property
    def read(self) -> int:
        """Octets of text received in order and handed to the user."""
        return max(self.rcv - 1 - (self.state in FIN_RECEIVED), 0)


ESTABLISHED = Block(State.ESTABLISHED, una=1, nxt=1, rcv=1)
"""A connection that was just opened; nothing has been sent."""


def closed(block: Block) -> Block:
    """The control block after the end of a connection; it keeps only what the users sent and read, for the properties."""
    return Block(State.CLOSED, rcv=1 + block.read, sent=block.sent)
