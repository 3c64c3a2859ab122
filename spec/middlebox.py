"""A middlebox that tracks connections and forgets them at its own time: a firewall, an address translator, a load balancer.

The box is a third party: it forwards the packets of a connection that it knows, and drops or resets those of one that it does
not. How long it remembers an idle connection depends on how far it has seen the close go.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from timewait.spec.segment import Segment


class TrackedPhase(StrEnum):
    """The state of a connection as a box sees it."""

    OPENING = "opening"
    """A SYN has passed, and no packet without SYN."""
    OPEN = "open"
    """Packets have passed, and no FIN."""
    HALF_CLOSED = "half-closed"
    """The FIN of one end has passed."""
    LAST_ACK = "last ACK"
    """The FINs of both ends have passed."""
    CLOSED = "closed"
    """The acknowledgement of the second FIN has passed too."""


class UnknownRule(StrEnum):
    """What a box does with a packet without SYN of a connection that it does not know."""

    DROP = "drop"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Middlebox:
    """A kind of box.

    Attributes
    ----------
    title : str
        Its name.
    remembers : mapping of TrackedPhase to Fraction
        How long it remembers an idle connection, in seconds.
    unknown : UnknownRule
        What it does with packets of a connection that it has forgotten.
    source : str
        The source of these values.
    """

    title: str
    remembers: Mapping[TrackedPhase, Fraction]
    unknown: UnknownRule
    source: str


BOXES: dict[str, Middlebox] = {
    "conntrack": Middlebox(
        "Linux conntrack, as a strict firewall",
        {
            TrackedPhase.OPENING: Fraction(120),
            TrackedPhase.OPEN: Fraction(432_000),
            TrackedPhase.HALF_CLOSED: Fraction(60),
            TrackedPhase.LAST_ACK: Fraction(30),
            TrackedPhase.CLOSED: Fraction(120),
        },
        UnknownRule.DROP,
        "tcp_timeouts, net/netfilter/nf_conntrack_proto_tcp.c: SYN_SENT, ESTABLISHED, CLOSE_WAIT, LAST_ACK, TIME_WAIT; "
        "nf_conntrack_tcp_loose = 0 and a rule that drops INVALID",
    ),
    "cloud-nat": Middlebox(
        "a cloud NAT with an idle timeout of 350 s",
        dict.fromkeys(TrackedPhase, Fraction(350)),
        UnknownRule.RESET,
        "AWS, NAT gateways, troubleshooting: a connection idle for 350 s times out, and a RST answers what follows",
    ),
}
"""Known boxes; a load balancer with an idle timeout behaves as the second one."""


@dataclass(frozen=True, slots=True)
class TrackedConnection:
    """A connection in the table of a box.

    Attributes
    ----------
    phase : TrackedPhase
        How far the connection has got.
    seen : Fraction
        When its last packet passed, in seconds.
    fins : mapping of str to int
        For each end whose FIN has passed, the number after it.
    """

    phase: TrackedPhase
    seen: Fraction
    fins: Mapping[str, int]


class BoxPassage(NamedTuple):
    """A packet that reaches the box.

    Attributes
    ----------
    time : Fraction
        Seconds.
    sender : str
        A or B.
    segment : Segment
        The segment.
    fate : str
        ``forwarded``, ``dropped``, or ``reset``: the sender gets a RST and the other end nothing.
    phase : TrackedPhase or None
        The connection in the table afterwards; None if it is unknown.
    """

    time: Fraction
    sender: str
    segment: Segment
    fate: str
    phase: TrackedPhase | None

    @property
    def sentence(self) -> str:
        """The passage in words."""
        receiver = "B" if self.sender == "A" else "A"
        fates = {
            "forwarded": f"the box forwards it ({self.phase})",
            "dropped": f"the box has forgotten the connection and drops it; {receiver} sees nothing, {self.sender} no answer",
            "reset": f"the box has forgotten the connection; {self.sender} receives a RST, {receiver} nothing",
        }
        return f"{float(self.time):g} s: {self.sender} sends {self.segment}; {fates[self.fate]}"


def passes(
    box: Middlebox, entry: TrackedConnection | None, time: Fraction, sender: str, segment: Segment
) -> tuple[TrackedConnection | None, str]:
    """What a box does with a packet: the connection in its table afterwards, and the fate of the packet.

    Parameters
    ----------
    box : Middlebox
        The box.
    entry : TrackedConnection or None
        The connection in its table.
    time : Fraction
        When the packet comes, in seconds.
    sender : str
        A or B.
    segment : Segment
        The packet.
    """
    if entry is not None and time - entry.seen > box.remembers[entry.phase]:
        entry = None
    if segment.syn and not segment.ack and (entry is None or entry.phase is TrackedPhase.CLOSED):
        return TrackedConnection(TrackedPhase.OPENING, time, {}), "forwarded"
    if entry is None:
        return None, "dropped" if box.unknown is UnknownRule.DROP else "reset"
    if segment.rst:
        return None, "forwarded"
    return replace(_advanced(entry, sender, segment), seen=time), "forwarded"


def _advanced(entry: TrackedConnection, sender: str, segment: Segment) -> TrackedConnection:
    """The connection after a packet has passed."""
    fins = dict(entry.fins)
    if segment.fin:
        fins[sender] = segment.seq + segment.length + 1
    peer = "B" if sender == "A" else "A"
    if len(fins) == 2 and segment.ack == fins[peer] and not segment.fin:
        return TrackedConnection(TrackedPhase.CLOSED, entry.seen, fins)
    phases = {0: entry.phase if segment.syn else TrackedPhase.OPEN, 1: TrackedPhase.HALF_CLOSED, 2: TrackedPhase.LAST_ACK}
    phase = TrackedPhase.CLOSED if entry.phase is TrackedPhase.CLOSED else phases[len(fins)]
    return TrackedConnection(phase, entry.seen, fins)


TimedSegment = tuple[Fraction, str, Segment]


def through(box: Middlebox, packets: Iterable[TimedSegment], entry: TrackedConnection | None) -> Iterator[BoxPassage]:
    """Packets of one connection, in order of time, through a box that begins with an entry."""
    for time, sender, segment in packets:
        entry, fate = passes(box, entry, time, sender, segment)
        yield BoxPassage(time, sender, segment, fate, None if entry is None else entry.phase)


OPEN = TrackedConnection(TrackedPhase.OPEN, Fraction(0), {})


def forgets_first(box: Middlebox) -> list[BoxPassage]:
    """Both ends are open and idle, or wait half-closed, for a second longer than the box remembers; then B sends text."""
    idle = min(box.remembers[TrackedPhase.OPEN], box.remembers[TrackedPhase.HALF_CLOSED]) + 1
    closes = [(Fraction(0), "A", Segment(1, ack=1, fin=True)), (Fraction(0), "B", Segment(1, ack=2))]
    return list(through(box, [*closes, (idle, "B", Segment(1, ack=2, length=1))], OPEN))


def forgets_last(box: Middlebox, time_wait: Fraction) -> list[BoxPassage]:
    """An orderly close; A ends TIME-WAIT, and the box still knows the connection when an old FIN of B passes."""
    start = Fraction(0)
    closing = [
        (start, "A", Segment(1, ack=1, fin=True)),
        (start, "B", Segment(1, ack=2, fin=True)),
        (start, "A", Segment(2, ack=2)),
    ]
    return list(through(box, [*closing, (time_wait + 1, "B", Segment(1, ack=2, fin=True))], OPEN))
