"""Everything known of one captured connection: its facts, and of a close its trace and remarks on it."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.headers import Socket
from timewait.captures.observations import (
    CloseKind,
    Deviation,
    EndState,
    FinPair,
    Remark,
    ResetArrival,
    ResetFacts,
    Retransmission,
    StateLeft,
    TimeWaitArrival,
    TimeWaitEntry,
    Unknown,
)
from timewait.checker.trace import Trace


class Totals(NamedTuple):
    """What one end sent.

    Attributes
    ----------
    packets : int
        Its packets.
    octets : int
        Octets of text captured, each counted once.
    repeated : int
        Packets with text or a FIN that had been captured before.
    missing : int
        Octets that the capture lacks and that later numbers or acknowledgements show.
    response : Fraction or None
        The shortest time from a segment of the other end to its acknowledgement by this end, in seconds, at the capture point.
    """

    packets: int
    octets: int
    repeated: int
    missing: int
    response: Fraction | None


class Reopening(NamedTuple):
    """The next use of the same addresses and ports.

    Attributes
    ----------
    after : Fraction
        Seconds from the start of this connection's times to the first SYN of the next one.
    syns : int
        SYNs captured.
    frames : tuple of int
        The frames of the SYNs.
    accepted : Fraction or None
        When the SYN that was accepted was captured; None where none was.
    """

    after: Fraction
    syns: int
    frames: tuple[int, ...]
    accepted: Fraction | None


@dataclass(frozen=True, slots=True)
class ConnectionFacts:
    """Everything that the packets of one incarnation show, before any assumption about the stacks.

    Attributes
    ----------
    ends : (Socket, Socket)
        The sockets of A and B.
    opener : str
        The end that sent the SYN; empty where the capture lacks the opening.
    incarnation : int
        Its number among the connections on the same addresses and ports, from 1.
    frames : (int, int)
        Its first and its last frame.
    started : int
        The zero of its times, in nanoseconds since 1970.
    began, lasted : Fraction
        Its first packet, and the end of the capture.
    finished : Fraction
        Its last packet.
    kind : CloseKind
        How it ended.
    by : str
        For a reset, or where an end gave up: the end that sent the RST, or ``device``; else empty.
    fins : tuple of (FinFacts or None)
        The FINs of A and B.
    states : (EndState, EndState)
        The states of A and B after the last packet.
    resets, deviations, unknowns, retransmissions, time_wait_arrivals, reset_arrivals, states_left : tuple
        The observations, in order of time.
    entered : tuple of (TimeWaitEntry or None)
        When A and B entered TIME-WAIT, and whether that is certain.
    totals : (Totals, Totals)
        What A and B sent.
    reopening : Reopening or None
        The next use of the same addresses and ports.
    challenges : tuple of (int, int)
        The frames of its SYNs that were answered with the numbers of the previous connection, and of the answers.
    captured_twice : int
        Packets that the capture has twice.
    truncated : bool
        Whether packets at the end were dropped because there were too many.
    """

    ends: tuple[Socket, Socket]
    opener: str
    incarnation: int
    frames: tuple[int, int]
    started: int
    began: Fraction
    finished: Fraction
    lasted: Fraction
    kind: CloseKind
    by: str
    fins: FinPair
    states: tuple[EndState, EndState]
    totals: tuple[Totals, Totals]
    resets: tuple[ResetFacts, ...] = ()
    deviations: tuple[Deviation, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    retransmissions: tuple[Retransmission, ...] = ()
    time_wait_arrivals: tuple[TimeWaitArrival, ...] = ()
    reset_arrivals: tuple[ResetArrival, ...] = ()
    states_left: tuple[StateLeft, ...] = ()
    entered: tuple[TimeWaitEntry | None, TimeWaitEntry | None] = (None, None)
    reopening: Reopening | None = None
    challenges: tuple[tuple[int, int], ...] = ()
    captured_twice: int = 0
    truncated: bool = False

    @property
    def packets_captured(self) -> int:
        """The packets of both ends."""
        return sum(total.packets for total in self.totals)

    @property
    def round_trip(self) -> Fraction | None:
        """The shortest round trip in seconds: from the capture point to both ends and back; None where one is not known."""
        first, second = (total.response for total in self.totals)
        return None if first is None or second is None else first + second

    @property
    def needs_a_look(self) -> bool:
        """Whether the connection did not simply close, stay open, or answer."""
        plain = self.kind in (CloseKind.IN_ORDER, CloseKind.SIMULTANEOUS, CloseKind.OPEN)
        return not plain or bool(self.deviations) or bool(self.states_left)


@dataclass(frozen=True, slots=True)
class ObservedClose:
    """Everything known about the close of one connection.

    Attributes
    ----------
    facts : ConnectionFacts
        What its packets show.
    trace : Trace
        The close step by step: the likeliest reading of the capture.
    interfaces : tuple of str
        The capturing interfaces: beside A and beside B, or a single one.
    beside : str
        With one capture point: ``A`` or ``B`` if the times to live show which end is beside it, else empty.
    opened : bool
        Whether the opening was captured.
    reopened : Fraction or None
        When the next incarnation was opened, in seconds since the start of the trace.
    remarks : tuple of Remark
        Remarks on steps of the trace.
    clock_shift : int
        Nanoseconds by which B's clock was advanced.
    """

    facts: ConnectionFacts
    trace: Trace
    interfaces: tuple[str, ...]
    beside: str
    opened: bool
    reopened: Fraction | None
    remarks: tuple[Remark, ...] = field(default=())
    clock_shift: int = 0

    def sees_all_of(self, end: str) -> bool:
        """Whether everything that an end sends or receives passes a capture point; elsewhere it may be lost out of sight."""
        return self.beside == end or len(self.interfaces) == 2

    @property
    def ends(self) -> tuple[Socket, Socket]:
        """The sockets of A and B; A closed first."""
        return self.facts.ends

    @property
    def started(self) -> int:
        """The start of the trace in nanoseconds since 1970."""
        return self.facts.started

    @property
    def lasted(self) -> Fraction:
        """Seconds from the start of the trace to the end of the capture."""
        return self.facts.lasted

    @property
    def retransmissions(self) -> tuple[Retransmission, ...]:
        """The retransmissions of both ends."""
        return self.facts.retransmissions

    @property
    def time_wait_arrivals(self) -> tuple[TimeWaitArrival, ...]:
        """The segments that came for an end in TIME-WAIT."""
        return self.facts.time_wait_arrivals

    @property
    def resets(self) -> tuple[ResetArrival, ...]:
        """The RSTs that came for an end in TIME-WAIT."""
        return self.facts.reset_arrivals

    @property
    def states_left(self) -> tuple[StateLeft, ...]:
        """The states that an end was found to have left without a visible cause."""
        return self.facts.states_left
