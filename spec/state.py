"""The connection states and the control block (RFC 9293 3.3.1, 3.3.2)."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class State(StrEnum):
    """The states of RFC 9293 3.3.2, under the names used there (with ``_`` for ``-``)."""

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


MEANING = {
    State.CLOSED: "There is no connection: nothing is remembered, and any segment but a RST is answered by a RST.",
    State.LISTEN: "Waiting for anybody to open a connection.",
    State.SYN_SENT: "Has asked to open a connection and waits for the answer.",
    State.SYN_RECEIVED: "Has been asked, has agreed, and waits to hear that its agreement arrived.",
    State.ESTABLISHED: "Open: text flows in both directions.",
    State.FIN_WAIT_1: "Its user closed first. Its FIN is on the way and not yet acknowledged.",
    State.FIN_WAIT_2: "Its own direction is closed and acknowledged; the other end may still send for as long as it likes.",
    State.CLOSE_WAIT: "The other end has closed; this end's user has not, and may still send. Only the user can end this state.",
    State.CLOSING: "Both ends closed at the same time: the other end's FIN arrived before our own was acknowledged.",
    State.LAST_ACK: "Closed second. Waits for the acknowledgement of its FIN, the last segment of the connection.",
    State.TIME_WAIT: (
        "Everything is done, but this end stays: to answer a retransmitted FIN if the last acknowledgement was lost,"
        " and to let old copies of segments die before the same addresses and ports are used again."
    ),
}
"""What each state is for, in words for somebody who meets it for the first time."""

FIN_RECEIVED = frozenset({State.CLOSE_WAIT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT})
"""The states in which the other end's FIN has been processed."""


class Block(NamedTuple):
    """The control block of one endpoint; immutable, all numbers relative and in octets.

    Attributes
    ----------
    state : State
        The connection state.
    una, nxt : int
        SND.UNA and SND.NXT.
    rcv : int
        RCV.NXT. In CLOSED it remembers only how much text the user had read.
    sent : int
        Octets of text the user has handed over with SEND.
    passive : bool
        In SYN-RECEIVED: whether it was reached from LISTEN (RFC 9293 3.10.7.4, MUST-11).
    tries : int
        Retransmissions since the last acknowledgement of something new.
    """

    state: State
    una: int = 0
    nxt: int = 0
    rcv: int = 0
    sent: int = 0
    passive: bool = False
    tries: int = 0

    @property
    def fin_seq(self) -> int:
        """The sequence number that this end's FIN has or will have."""
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
"""A connection just opened, nothing sent."""
