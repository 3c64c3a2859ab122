"""The alphabet in which a close is learned, and the peer that gives each letter its numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from timewait.spec.graph_events import EndpointEvent
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment


class Letter(StrEnum):
    """An event at the end that is learned; the peer fills in the numbers."""

    CLOSE = "user: CLOSE"
    """The user closes: shutdown() for writing, or close()."""
    ACK = "ACK"
    """An acknowledgement of everything that the end has sent."""
    FIN = "FIN"
    """The FIN of the peer, which acknowledges nothing new."""
    FIN_ACK = "FIN with ACK"
    """The FIN of the peer, which acknowledges everything."""
    OLD = "old ACK"
    """A segment before the window, such as an old duplicate."""
    RESET = "RST"
    """A RST with exactly the next sequence number."""
    OLD_SYN = "old SYN"
    """The SYN that opened the connection, once more."""
    EXPIRY = "timer: TIME-WAIT"
    """The TIME-WAIT timer expires."""


@dataclass(slots=True)
class AbstractPeer:
    """The peer's knowledge: what it may send next, and what it has seen of the end.

    Attributes
    ----------
    next : int
        Its next sequence number, relative: 2 once it has sent its FIN.
    seen : int
        The number just past everything that it has seen of the end, relative: 2 once it has seen the FIN.
    """

    next: int = 1
    seen: int = 1

    def event(self, letter: Letter) -> EndpointEvent:
        """The event that a letter stands for now."""
        match letter:
            case Letter.CLOSE:
                return Call.CLOSE
            case Letter.EXPIRY:
                return Timer.TIME_WAIT
            case Letter.ACK:
                return Segment(self.next, self.seen)
            case Letter.FIN:
                self.next = 2
                return Segment(1, 1, fin=True)
            case Letter.FIN_ACK:
                self.next = 2
                return Segment(1, self.seen, fin=True)
            case Letter.OLD:
                return Segment(0, 1)
            case Letter.RESET:
                return Segment(self.next, rst=True)
            case Letter.OLD_SYN:
                return Segment(0, syn=True)

    def see(self, replies: tuple[Segment, ...]) -> None:
        """Take note of what the end has sent."""
        self.seen = max([self.seen, *(reply.end for reply in replies if not reply.rst)])


def output(replies: tuple[Segment, ...]) -> str:
    """The output of the machine: the segments sent, in words."""
    return ", ".join(map(str, replies)) or "nothing"
