"""The observations made on one captured close: its trace, and what each end did that is worth reporting."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.headers import Socket
from timewait.checker.trace import Trace
from timewait.spec.settings import Arrival


class RemarkKind(StrEnum):
    """What a remark is about."""

    DEVIATION = "deviation"
    """An end violated the standard."""
    OLD_DUPLICATE = "old duplicate"
    """The next incarnation accepted a segment of the old one: TIME-WAIT was too short."""
    NOT_CAPTURED = "not captured"
    """The capture lacks something."""


class Remark(NamedTuple):
    """A deviation from the specification, or a gap in the capture.

    Attributes
    ----------
    time : Fraction
        Seconds since the start of the trace.
    end : str
        A or B.
    text : str
        The rest of a sentence that begins with the end's name.
    section : str
        The section of the standard.
    kind : RemarkKind
        What the remark is about.
    """

    time: Fraction
    end: str
    text: str
    section: str
    kind: RemarkKind = RemarkKind.DEVIATION


class Retransmission(NamedTuple):
    """A retransmission.

    Attributes
    ----------
    end : str
        The sender.
    gap : Fraction
        Seconds since the previous transmission.
    before : int
        The number of earlier transmissions.
    fin : bool
        Whether it is a FIN, with or without text.
    oldest : bool
        Whether everything before it is acknowledged.
    """

    end: str
    gap: Fraction
    before: int
    fin: bool
    oldest: bool


class TimeWaitAnswer(StrEnum):
    """The answer of an end in TIME-WAIT to a segment."""

    ACK = "an acknowledgement"
    RST = "a RST"
    NONE = "nothing"


@dataclass(slots=True)
class TimeWaitArrival:
    """A segment that arrived at an end after it had entered TIME-WAIT.

    Attributes
    ----------
    end : str
        The end that had entered TIME-WAIT.
    waited : Fraction
        Seconds since the end entered TIME-WAIT.
    quiet : Fraction
        Seconds since the end's last acknowledgement.
    arrival : Arrival
        The class of the segment.
    answer : TimeWaitAnswer
        The answer.
    """

    end: str
    waited: Fraction
    quiet: Fraction
    arrival: Arrival
    answer: TimeWaitAnswer = TimeWaitAnswer.NONE


class ResetArrival(NamedTuple):
    """A RST that arrived at an end in TIME-WAIT.

    Attributes
    ----------
    end : str
        The end in TIME-WAIT.
    time : Fraction
        Seconds since the start of the trace.
    exact : bool
        Whether its number was RCV.NXT.
    ended : bool or None
        Whether it ended TIME-WAIT; None where nothing later shows that.
    """

    end: str
    time: Fraction
    exact: bool
    ended: bool | None


class StateLeft(NamedTuple):
    """A state that an end was found to have left without a visible cause.

    Attributes
    ----------
    end : str
        The end.
    state : str
        The state.
    within : Fraction
        The longest it can have been in it, in seconds.
    """

    end: str
    state: str
    within: Fraction


@dataclass(frozen=True, slots=True)
class ObservedClose:
    """Everything known about the close of one connection.

    Attributes
    ----------
    trace : Trace
        The close, step by step.
    ends : (Socket, Socket)
        The sockets of A and B; A closed first.
    interfaces : tuple of str
        The capturing interfaces: beside A and beside B, or a single one.
    beside : str
        With one capture point: ``A`` or ``B`` if the times to live show which end is beside it, else empty.
    opened : bool
        Whether the opening was captured.
    started : int
        The start of the trace in nanoseconds since 1970.
    lasted : Fraction
        Seconds from the start of the trace to the end of the capture.
    reopened : Fraction or None
        When the next incarnation was opened, in seconds since the start of the trace.
    remarks, retransmissions, time_wait_arrivals, resets, states_left : tuple
        The observations, in order of time.
    captured_twice : int
        Packets that the capture has twice.
    clock_shift : int
        Nanoseconds by which B's clock was advanced.
    truncated : bool
        Whether packets at the end were dropped because there were too many.
    """

    trace: Trace
    ends: tuple[Socket, Socket]
    interfaces: tuple[str, ...]
    beside: str
    opened: bool
    started: int
    lasted: Fraction
    reopened: Fraction | None
    remarks: tuple[Remark, ...] = ()
    retransmissions: tuple[Retransmission, ...] = ()
    time_wait_arrivals: tuple[TimeWaitArrival, ...] = ()
    resets: tuple[ResetArrival, ...] = ()
    states_left: tuple[StateLeft, ...] = ()
    captured_twice: int = 0
    clock_shift: int = 0
    truncated: bool = False
