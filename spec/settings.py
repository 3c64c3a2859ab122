"""The knobs: what a stack decides for itself when it closes, apart from how long things last."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Arrival(StrEnum):
    """How TIME-WAIT classes an arriving segment that is not a RST."""

    FIN = "fin"
    """The other end's FIN again: its acknowledgement was lost or is late."""
    UNACCEPTABLE = "unacceptable"
    """Anything else outside the window: old text, an old acknowledgement (3.10.7.4 first step)."""
    ACK = "ack"
    """A bare acknowledgement inside the window (3.10.7.4 fifth step)."""
    SYN = "syn"
    """A request to open the connection again."""


EVERY_ARRIVAL = frozenset(Arrival)


class ResetRule(StrEnum):
    """Which RST ends TIME-WAIT."""

    IGNORE = "ignore"
    """None: RFC 1337, fix F1."""
    EXACT = "exact"
    """Only one whose sequence number is exactly RCV.NXT (RFC 9293 3.10.7.4 second step, RFC 5961)."""
    WINDOW = "window"
    """Any inside the window (RFC 793)."""
    ANY = "any"
    """Any at all."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What one endpoint does where stacks differ.

    Attributes
    ----------
    time_wait : bool
        Whether there is a TIME-WAIT at all; without it the last acknowledgement is sent and all forgotten.
    answers : frozenset of Arrival
        What TIME-WAIT answers with an acknowledgement.
    restarts : frozenset of Arrival
        What restarts the TIME-WAIT timer.
    reset : ResetRule
        Which RST ends TIME-WAIT.
    fin_wait_2 : bool
        Whether an abandoned connection (its user reads no more) gives up FIN-WAIT-2 after a time.
    late_data_reset : bool
        Whether text that arrives after the user abandoned the connection is answered by a RST (RFC 9293 3.6.1, SHLD-3).
    linger_zero : bool
        Whether CLOSE aborts: SO_LINGER with a time of nought sends a RST instead of a FIN.
    retries : int or None
        Retransmissions of one segment before the connection is given up (R2, RFC 9293 3.8.3); None: never.
    backoff : int
        Steps of the retransmission schedule; the last one repeats.
    acks_restart_rto : bool
        Whether an acknowledgement of something new starts the retransmission timer again (RFC 6298 5.3). If not, what is
        outstanding is sent again within RTO of the last transmission of anything.
    abandons : bool
        Whether the user who closes also stops reading (close() rather than shutdown()).
    """

    time_wait: bool = True
    answers: frozenset[Arrival] = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
    restarts: frozenset[Arrival] = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
    reset: ResetRule = ResetRule.IGNORE
    fin_wait_2: bool = False
    late_data_reset: bool = False
    linger_zero: bool = False
    retries: int | None = None
    backoff: int = 1
    acks_restart_rto: bool = True
    abandons: bool = False
