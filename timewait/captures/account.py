"""What following a connection yields: its trace, and what was noticed on the way."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.headers import Socket
from timewait.checker.trace import Trace
from timewait.spec.settings import Arrival


class Weight(StrEnum):
    """How much a remark says."""

    DEVIATES = "deviates"
    """The peer did what the standard forbids, or not what it orders."""
    INTRUDES = "intrudes"
    """An old segment reached the next connection: the network's doing, and a sign that TIME_WAIT was too short."""
    UNSEEN = "unseen"
    """The capture lacks something."""


class Remark(NamedTuple):
    """Something that an end did otherwise than the specification would, or that the capture lacks.

    Attributes
    ----------
    time : Fraction
        When, in seconds since the start of the trace.
    end : str
        Who: A or B.
    text : str
        What, as the rest of a sentence that begins with the end's name.
    section : str
        Where the standard says otherwise.
    weight : Weight
        How much it says.
    """

    time: Fraction
    end: str
    text: str
    section: str
    weight: Weight = Weight.DEVIATES


class Retransmission(NamedTuple):
    """A retransmission.

    Attributes
    ----------
    end : str
        Who sent something again.
    time : Fraction
        When, in seconds since the start of the trace.
    gap : Fraction
        Seconds since it was last sent.
    before : int
        How often it had been sent before.
    fin : bool
        Whether it is a FIN, with or without text.
    alone : bool
        Whether nothing before it was unacknowledged.
    """

    end: str
    time: Fraction
    gap: Fraction
    before: int
    fin: bool
    alone: bool


class TimeWaitAnswer(StrEnum):
    """How an end in TIME_WAIT met a segment."""

    ACK = "an acknowledgement"
    RST = "a RST"
    NONE = "nothing"


@dataclass(slots=True)
class TimeWaitArrival:
    """A segment that reached an end after it came to TIME_WAIT.

    Attributes
    ----------
    end : str
        Who had come to TIME_WAIT.
    time : Fraction
        When the segment arrived, in seconds since the start of the trace.
    waited : Fraction
        Seconds since that end came to TIME_WAIT.
    quiet : Fraction
        Seconds since its last acknowledgement.
    arrival : Arrival
        What sort of segment it was.
    answer : Answer
        How it was answered.
    """

    end: str
    time: Fraction
    waited: Fraction
    quiet: Fraction
    arrival: Arrival
    answer: TimeWaitAnswer = TimeWaitAnswer.NONE


class ResetArrival(NamedTuple):
    """A RST that reached an end in TIME_WAIT: who was hit, when, if its number was exactly RCV.NXT, and if it ended the wait.

    `ended` is None where nothing that came later tells.
    """

    end: str
    time: Fraction
    exact: bool
    ended: bool | None


class StateLeft(NamedTuple):
    """An end that had forgotten a connection: who, out of which state, and for how long it had been in it at most, in seconds."""

    end: str
    state: str
    within: Fraction


@dataclass(frozen=True, slots=True)
class Account:
    """All that is known of one connection.

    Attributes
    ----------
    trace : Trace
        The close, step by step.
    ends : tuple of End
        The addresses and ports of A and B; A closed first.
    frames : tuple of (tuple of int)
        For each step the frames of the file that it stands for.
    places : tuple of str
        Where it was captured: beside A and beside B, or at one place.
    beside : str
        With one place: ``A`` or ``B`` if the packets' times to live show which end it is beside, else empty.
    packets : int
        Packets of the whole connection.
    opened : bool
        Whether its opening was captured too.
    started : int
        When the trace starts, in nanoseconds since 1970.
    lasted : Fraction
        Seconds from the start of the trace to the last frame of the whole capture.
    reopened : Fraction or None
        When the same addresses and ports were opened again, in seconds since the start of the trace.
    remarks, agains, met, shots, gone :
        What was noticed.
    twice, shift : int
        Frames captured twice, and nanoseconds by which B's clock was set right.
    cut : bool
        Whether packets at the end were left out because there were too many.
    """

    trace: Trace
    ends: tuple[Socket, Socket]
    frames: tuple[tuple[int, ...], ...]
    places: tuple[str, ...]
    beside: str
    packets: int
    opened: bool
    started: int
    lasted: Fraction
    reopened: Fraction | None
    remarks: tuple[Remark, ...] = ()
    agains: tuple[Retransmission, ...] = ()
    met: tuple[TimeWaitArrival, ...] = ()
    shots: tuple[ResetArrival, ...] = ()
    gone: tuple[StateLeft, ...] = ()
    twice: int = 0
    shift: int = 0
    cut: bool = False
