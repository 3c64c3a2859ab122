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


class Phase(StrEnum):
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


class Unknown(StrEnum):
    """What a box does with a packet without SYN of a connection that it does not know."""

    DROP = "drop"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Box:
    """A kind of box.

    Attributes
    ----------
    title : str
        Its name.
    remembers : mapping of Phase to Fraction
        How long it remembers an idle connection, in seconds.
    unknown : Unknown
        What it does with packets of a connection that it has forgotten.
    source : str
        The source of these values.
    """

    title: str
    remembers: Mapping[Phase, Fraction]
    unknown: Unknown
    source: str


BOXES: dict[str, Box] = {
    "conntrack": Box(
        "Linux conntrack, as a strict firewall",
        {
            Phase.OPENING: Fraction(120),
            Phase.OPEN: Fraction(432_000),
            Phase.HALF_CLOSED: Fraction(60),
            Phase.LAST_ACK: Fraction(30),
            Phase.CLOSED: Fraction(120),
        },
        Unknown.DROP,
        "tcp_timeouts, net/netfilter/nf_conntrack_proto_tcp.c: SYN_SENT, ESTABLISHED, CLOSE_WAIT, LAST_ACK, TIME_WAIT; "
        "nf_conntrack_tcp_loose = 0 and a rule that drops INVALID",
    ),
    "cloud-nat": Box(
        "a cloud NAT with an idle timeout of 350 s",
        dict.fromkeys(Phase, Fraction(350)),
        Unknown.RESET,
        "AWS, NAT gateways, troubleshooting: a connection idle for 350 s times out, and a RST answers what follows",
    ),
}
"""Known boxes; a load balancer with an idle timeout behaves as the second one."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A connection in the table of a box.

    Attributes
    ----------
    phase : Phase
        How far the connection has got.
    seen : Fraction
        When its last packet passed, in seconds.
    fins : mapping of str to int
        For each end whose FIN has passed, the number after it.
    """

    phase: Phase
    seen: Fraction
    fins: Mapping[str, int]


class Passage(NamedTuple):
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
    phase : Phase or None
        The connection in the table afterwards; None if it is unknown.
    """

    time: Fraction
    sender: str
    segment: Segment
    fate: str
    phase: Phase | None

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


def passes(box: Box, entry: Entry | None, time: Fraction, sender: str, segment: Segment) -> tuple[Entry | None, str]:
    """What a box does with a packet: the connection in its table afterwards, and the fate of the packet.

    Parameters
    ----------
    box : Box
        The box.
    entry : Entry or None
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
    if segment.syn and not segment.ack and (entry is None or entry.phase is Phase.CLOSED):
        return Entry(Phase.OPENING, time, {}), "forwarded"
    if entry is None:
        return None, "dropped" if box.unknown is Unknown.DROP else "reset"
    if segment.rst:
        return None, "forwarded"
    return replace(_advanced(entry, sender, segment), seen=time), "forwarded"


def _advanced(entry: Entry, sender: str, segment: Segment) -> Entry:
    """The connection after a packet has passed."""
    fins = dict(entry.fins)
    if segment.fin:
        fins[sender] = segment.seq + segment.length + 1
    peer = "B" if sender == "A" else "A"
    if len(fins) == 2 and segment.ack == fins[peer] and not segment.fin:
        return Entry(Phase.CLOSED, entry.seen, fins)
    phases = {0: entry.phase if segment.syn else Phase.OPEN, 1: Phase.HALF_CLOSED, 2: Phase.LAST_ACK}
    phase = Phase.CLOSED if entry.phase is Phase.CLOSED else phases[len(fins)]
    return Entry(phase, entry.seen, fins)


Sending = tuple[Fraction, str, Segment]


def through(box: Box, packets: Iterable[Sending], entry: Entry | None) -> Iterator[Passage]:
    """Packets of one connection, in order of time, through a box that begins with an entry."""
    for time, sender, segment in packets:
        entry, fate = passes(box, entry, time, sender, segment)
        yield Passage(time, sender, segment, fate, None if entry is None else entry.phase)


OPEN = Entry(Phase.OPEN, Fraction(0), {})


def forgets_first(box: Box) -> list[Passage]:
    """Both ends are open and idle, or wait half-closed, for a second longer than the box remembers; then B sends text."""
    idle = min(box.remembers[Phase.OPEN], box.remembers[Phase.HALF_CLOSED]) + 1
    closes = [(Fraction(0), "A", Segment(1, ack=1, fin=True)), (Fraction(0), "B", Segment(1, ack=2))]
    return list(through(box, [*closes, (idle, "B", Segment(1, ack=2, length=1))], OPEN))


def forgets_last(box: Box, time_wait: Fraction) -> list[Passage]:
    """An orderly close; A ends TIME-WAIT, and the box still knows the connection when an old FIN of B passes."""
    start = Fraction(0)
    closing = [
        (start, "A", Segment(1, ack=1, fin=True)),
        (start, "B", Segment(1, ack=2, fin=True)),
        (start, "A", Segment(2, ack=2)),
    ]
    return list(through(box, [*closing, (time_wait + 1, "B", Segment(1, ack=2, fin=True))], OPEN))
