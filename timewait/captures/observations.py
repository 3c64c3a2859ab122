"""The observations made on one captured connection, as data: what is certain, what is likely, and what stays unknown.

Ends are called A and B; A is the end that closed first, or that opened the connection where neither closed. Times are
`Fraction`s of seconds since `timewait.captures.facts.ConnectionFacts.started`; frames are numbers in the capture file.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from timewait.spec.settings import Arrival
from timewait.spec.state import State

LEAST_CAP = Fraction(60)
"""The least maximum of the retransmission timeout in seconds (RFC 6298 2.5): longer waits need not double."""


class CloseKind(StrEnum):
    """How a connection ended, as far as the capture shows."""

    IN_ORDER = "closed in order"
    """Both ends closed, one after the other, and both FINs were acknowledged."""
    SIMULTANEOUS = "closed simultaneously"
    """Both ends closed before the FIN of the other had arrived, and both FINs were acknowledged."""
    CLOSING = "closing"
    """Both ends closed; the acknowledgement of a FIN is not in the capture."""
    HALF_CLOSED = "half closed"
    """One end closed."""
    CUT_OFF = "cut off"
    """Both ends closed, and a RST answered a FIN: its sender was reset before its close was complete."""
    GAVE_UP = "gave up"
    """An end received no answer and gave up after its last retransmission."""
    RESET = "reset"
    """A RST ended the connection before both ends had closed."""
    OPEN = "open"
    """Neither end closed."""
    REFUSED = "refused"
    """A RST ended the opening."""
    UNANSWERED = "unanswered"
    """Nothing answered the SYN."""
    CHALLENGED = "challenged"
    """The SYN was answered with the numbers of the previous connection, as TIME-WAIT does, and never accepted."""
    OPENING = "opening"
    """The opening is not complete in the capture."""


class EndState(NamedTuple):
    """The state of one end after the last packet of the capture.

    Attributes
    ----------
    likely : State or None
        The state if the packets that need no answer arrived; None where nothing makes one state more likely.
    possible : frozenset of State
        Every state that the capture leaves possible.
    coming : State or None
        Where none is likely: the state as soon as the FIN in flight arrives, if it does.
    """

    likely: State | None
    possible: frozenset[State]
    coming: State | None = None

    @property
    def certain(self) -> bool:
        """Whether only one state is possible."""
        return len(self.possible) == 1


class Transmission(NamedTuple):
    """One transmission of a FIN: its capture time, its frame (0: not in the capture), and its acknowledgement number."""

    time: Fraction
    frame: int
    ack: int | None


class FinFacts(NamedTuple):
    """The FIN of one end.

    Attributes
    ----------
    end : str
        Its sender.
    number : int
        The sequence number after it.
    transmissions : tuple of Transmission
        Every transmission, in order of sending.
    captured : bool
        Whether it is in the capture; otherwise its acknowledgement shows it.
    acknowledged : Transmission or None
        The first packet that acknowledges it; None where the capture has none.
    knew : bool or None
        Whether its sender had received the FIN of the other end when it first sent its own; None where that is unknown.
    certain : bool
        Whether `knew` is certain. It is only likely where a FIN answers the other one at once, and an earlier transmission that
        did not may have been lost before the capture point.
    """

    end: str
    number: int
    transmissions: tuple[Transmission, ...]
    captured: bool
    acknowledged: Transmission | None
    knew: bool | None
    certain: bool = True

    @property
    def known(self) -> bool | None:
        """The same as `knew`, as far as it is certain."""
        return self.knew if self.certain else None

    @property
    def time(self) -> Fraction:
        """When it was first captured, or shown by an acknowledgement."""
        return self.transmissions[0].time

    @property
    def frame(self) -> int:
        """The frame of its first transmission; 0 where that is missing from the capture."""
        return self.transmissions[0].frame


FinPair = tuple[FinFacts | None, FinFacts | None]
"""The FINs of A and B."""


class ResetCause(StrEnum):
    """Why a RST was sent."""

    ABORT = "abort"
    """The user closed with unread text or with SO_LINGER 0, or the program ended."""
    LATE_TEXT = "late text"
    """Text arrived after the user had closed both directions (RFC 9293 3.6.1, SHLD-3)."""
    RETRY_LIMIT = "retry limit"
    """The limit R2 of retransmissions was reached (RFC 9293 3.8.3)."""
    KEEP_ALIVE = "keep-alive"
    """Its keep-alive probes were not answered (RFC 9293 3.8.4)."""
    FORGOTTEN = "forgotten"
    """Its sender had left FIN-WAIT-2 or lost the connection, and answers as CLOSED does."""
    LEFT_TIME_WAIT = "left TIME-WAIT"
    """Its sender had left TIME-WAIT, and answers as CLOSED does."""
    CLOSED = "closed"
    """Its sender is CLOSED, as it should be, and answers an old or superfluous segment."""
    SYN_SENT = "SYN-SENT"
    """Its sender, in SYN-SENT, answers an acknowledgement of the previous connection (RFC 9293 3.10.7.3)."""
    DEVICE = "device"
    """A device between the ends sent it in the name of an end."""
    REFUSAL = "refusal"
    """It refuses or ends the opening of the connection."""


class ResetFacts(NamedTuple):
    """A RST.

    Attributes
    ----------
    end : str
        The end in whose name it was sent.
    time : Fraction
        When it was captured.
    frame : int
        Its frame.
    causes : tuple of ResetCause
        Every cause that the capture leaves possible, the likeliest first.
    answers : int or None
        The frame of the segment that it answers.
    evidence : str
        Why the cause is believed, as the rest of a sentence.
    """

    end: str
    time: Fraction
    frame: int
    causes: tuple[ResetCause, ...]
    answers: int | None = None
    evidence: str = ""

    @property
    def cause(self) -> ResetCause:
        """The likeliest cause."""
        return self.causes[0]


class Certainty(StrEnum):
    """How certain a deviation is."""

    CERTAIN = "certain"
    """Every reading of the capture deviates, unless a device on the way changed or sent a packet."""
    LIKELY = "likely"
    """Another reading is stated, and is less likely."""


class Deviation(NamedTuple):
    """A deviation from the standard.

    Attributes
    ----------
    kind : str
        Its name, for instance ``time-wait-left``.
    end : str
        The end that deviates.
    time : Fraction
        When.
    frames : tuple of int
        The frames that show it.
    section : str
        The section of the standard.
    text : str
        The rest of a sentence that begins with the name of the end.
    certainty : Certainty
        How certain it is.
    otherwise : str
        What else it may be, as a clause.
    """

    kind: str
    end: str
    time: Fraction
    frames: tuple[int, ...]
    section: str
    text: str
    certainty: Certainty
    otherwise: str


class Unknown(NamedTuple):
    """Something that the capture cannot show.

    Attributes
    ----------
    kind : str
        Its name, for instance ``fin-not-answered``.
    end : str
        The end that it is about.
    time : Fraction
        When.
    frames : tuple of int
        The frames that it is about.
    text : str
        A sentence, with the readings that are possible.
    """

    kind: str
    end: str
    time: Fraction
    frames: tuple[int, ...]
    text: str


class RemarkKind(StrEnum):
    """What a remark is about."""

    OLD_DUPLICATE = "old duplicate"
    """The next incarnation may have accepted a segment of the old one: TIME-WAIT was too short."""
    NOT_CAPTURED = "not captured"
    """The capture lacks something."""


class Remark(NamedTuple):
    """A remark on a step of the trace.

    Attributes
    ----------
    time : Fraction
        Seconds since the start of the trace.
    end : str
        A or B.
    text : str
        The rest of a sentence that begins with the end's name.
    kind : RemarkKind
        What the remark is about.
    """

    time: Fraction
    end: str
    text: str
    kind: RemarkKind


class Retransmission(NamedTuple):
    """A retransmission.

    Attributes
    ----------
    end : str
        The sender.
    time : Fraction
        When.
    frame : int
        Its frame.
    gap : Fraction
        Seconds since the previous transmission.
    before : int
        The number of earlier transmissions.
    fin : bool
        Whether it is a FIN, with or without text.
    timed : bool
        Whether only the retransmission timer, or a loss probe, can have sent it: it acknowledges nothing new.
    oldest : bool
        Whether everything before it was acknowledged when it was sent before, so that the timer ran for it alone.
    certain : bool
        Whether it cannot be a copy that the network made, as an IPv4 identification or a time stamp of its own shows.
    """

    end: str
    time: Fraction
    frame: int
    gap: Fraction
    before: int
    fin: bool
    timed: bool
    oldest: bool
    certain: bool

    @property
    def shows_timeout(self) -> bool:
        """Whether the time since the transmission before is a retransmission timeout, or the wait for a loss probe."""
        return self.timed and self.oldest and self.certain


class TimeWaitEntry(NamedTuple):
    """When an end entered TIME-WAIT.

    Attributes
    ----------
    time : Fraction
        When, as seen at the capture point.
    certain : bool
        Whether it is certain to have entered it. It is only likely where the acknowledgement of its FIN may have been lost
        behind the capture point: then it stayed in CLOSING.
    """

    time: Fraction
    certain: bool


class TimeWaitAnswer(StrEnum):
    """The answer of an end in TIME-WAIT to a segment."""

    ACK = "an acknowledgement"
    RST = "a RST"
    NONE = "nothing"


@dataclass(slots=True)
class TimeWaitArrival:
    """A segment that came for an end after it had entered TIME-WAIT.

    Attributes
    ----------
    end : str
        The end that had entered TIME-WAIT.
    time : Fraction
        When it passed the capture point.
    frame : int
        Its frame.
    waited : Fraction
        Seconds since the end entered TIME-WAIT.
    quiet : Fraction
        Seconds since the end's last acknowledgement.
    arrival : Arrival
        The class of the segment.
    answer : TimeWaitAnswer
        The answer; where there is none, nothing shows that the segment arrived.
    answered : int or None
        The frame of the answer.
    """

    end: str
    time: Fraction
    frame: int
    waited: Fraction
    quiet: Fraction
    arrival: Arrival
    answer: TimeWaitAnswer = TimeWaitAnswer.NONE
    answered: int | None = None


class ResetArrival(NamedTuple):
    """A RST sent to an end in TIME-WAIT.

    Attributes
    ----------
    end : str
        The end in TIME-WAIT.
    time : Fraction
        Seconds since the start of the trace.
    frame : int
        Its frame.
    exact : bool
        Whether its number was RCV.NXT.
    ended : bool or None
        Whether it ended TIME-WAIT; None where nothing later shows that.
    """

    end: str
    time: Fraction
    frame: int
    exact: bool
    ended: bool | None


class StateLeft(NamedTuple):
    """A state that an end was found to have left without a visible cause.

    Attributes
    ----------
    end : str
        The end.
    state : State
        The state.
    within : Fraction
        The longest it can have been in it, in seconds.
    frame : int
        The frame that shows it.
    certain : bool
        Whether nothing else explains that frame; otherwise the user may have dropped the connection with a RST that was lost.
    """

    end: str
    state: State
    within: Fraction
    frame: int
    certain: bool
