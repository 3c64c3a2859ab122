"""A middlebox that tracks connections and forgets them at its own time: a firewall, an address translator, a load balancer.

The box is a third party: it forwards the packets of a connection that it knows, and drops or resets those of one that it does
not. How long it remembers an idle connection depends on how far it has seen the close go; the phases and what leads from one to
the next are those of Linux (``tcp_conntracks``, ``net/netfilter/nf_conntrack_proto_tcp.c``). A is the host that opened the
connection: behind the translator, or the client of the load balancer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple

from timewait.spec.segment import Segment


class TrackedPhase(StrEnum):
    """The state of a connection as a box sees it; in brackets that of Linux."""

    OPENING = "opening"
    """A SYN has passed, and no packet without SYN (SYN_SENT)."""
    OPEN = "open"
    """Packets have passed, and no FIN (ESTABLISHED)."""
    FIRST_FIN = "first FIN"
    """A FIN has passed, and nothing after it (FIN_WAIT)."""
    HALF_CLOSED = "half-closed"
    """A packet without FIN has passed after the first FIN (CLOSE_WAIT)."""
    LAST_ACK = "last ACK"
    """A FIN has passed again, of either end (LAST_ACK)."""
    CLOSED = "closed"
    """A packet without FIN has passed after that (TIME_WAIT)."""
    RESET = "reset"
    """A RST has passed (CLOSE)."""


_BY_FIN = {
    TrackedPhase.OPENING: TrackedPhase.FIRST_FIN,
    TrackedPhase.OPEN: TrackedPhase.FIRST_FIN,
    TrackedPhase.FIRST_FIN: TrackedPhase.LAST_ACK,
    TrackedPhase.HALF_CLOSED: TrackedPhase.LAST_ACK,
}
"""The phase after a packet with FIN; any other phase stays."""

_BY_ACK = {
    TrackedPhase.OPENING: TrackedPhase.OPEN,
    TrackedPhase.FIRST_FIN: TrackedPhase.HALF_CLOSED,
    TrackedPhase.LAST_ACK: TrackedPhase.CLOSED,
}
"""The phase after a packet without SYN, FIN and RST; any other phase stays."""


@dataclass(frozen=True, slots=True)
class Middlebox:
    """A kind of box.

    Attributes
    ----------
    title : str
        Its name.
    remembers : mapping of TrackedPhase to Fraction
        How long it remembers an idle connection, in seconds.
    resets : frozenset of str
        The ends to whose packets of a forgotten connection it answers with a RST; it drops those of the others.
    source : str
        The source of these values.
    """

    title: str
    remembers: Mapping[TrackedPhase, Fraction]
    resets: frozenset[str]
    source: str


def _idle(seconds: int) -> dict[TrackedPhase, Fraction]:
    """A box that counts idle time alone, whatever has passed."""
    return dict.fromkeys(TrackedPhase, Fraction(seconds))


_TRANSITORY = (TrackedPhase.OPENING, TrackedPhase.FIRST_FIN, TrackedPhase.HALF_CLOSED, TrackedPhase.LAST_ACK, TrackedPhase.RESET)

BOXES: dict[str, Middlebox] = {
    "conntrack": Middlebox(
        "Linux conntrack, as a strict firewall",
        {
            TrackedPhase.OPENING: Fraction(120),
            TrackedPhase.OPEN: Fraction(432_000),
            TrackedPhase.FIRST_FIN: Fraction(120),
            TrackedPhase.HALF_CLOSED: Fraction(60),
            TrackedPhase.LAST_ACK: Fraction(30),
            TrackedPhase.CLOSED: Fraction(120),
            TrackedPhase.RESET: Fraction(10),
        },
        frozenset(),
        "tcp_timeouts, net/netfilter/nf_conntrack_proto_tcp.c: SYN_SENT, ESTABLISHED, FIN_WAIT, CLOSE_WAIT, LAST_ACK, TIME_WAIT, "
        "CLOSE; with nf_conntrack_tcp_loose = 0 and a rule that drops INVALID",
    ),
    "aws-nat": Middlebox(
        "AWS NAT gateway",
        _idle(350),
        frozenset("A"),
        "Amazon VPC User Guide, troubleshoot NAT gateways: idle for 350 s; a host behind the gateway that goes on receives a RST",
    ),
    "azure-nat": Middlebox(
        "Azure NAT gateway",
        _idle(240),
        frozenset("AB"),
        "Azure, NAT gateway resource: an idle timeout of 4 minutes by default; traffic on a dropped flow is answered by a RST",
    ),
    "gcp-nat": Middlebox(
        "Google Cloud NAT",
        {
            **dict.fromkeys(_TRANSITORY, Fraction(30)),
            TrackedPhase.OPEN: Fraction(1200),
            TrackedPhase.CLOSED: Fraction(120),
        },
        frozenset(),
        "Compute Engine API, RouterNat: tcpEstablishedIdleTimeoutSec 1200, tcpTransitoryIdleTimeoutSec 30, tcpTimeWaitTimeoutSec "
        "120; that a packet of a forgotten connection is dropped is assumed",
    ),
    "aws-nlb": Middlebox(
        "AWS Network Load Balancer",
        _idle(350),
        frozenset("A"),
        "Elastic Load Balancing, Network Load Balancers, connection idle timeout: 350 s by default; the client that sends later "
        "receives a RST",
    ),
}
"""Known boxes; the default of each setting."""


class TrackedConnection(NamedTuple):
    """A connection in the table of a box: how far it has got, and when its last packet passed, in seconds."""

    phase: TrackedPhase
    seen: Fraction


class Forwarding(StrEnum):
    """What a box does with a packet."""

    FORWARDED = "forwarded"
    DROPPED = "dropped"
    RESET = "reset"
    """Dropped, and answered by a RST in the name of the other end."""


def passes(
    box: Middlebox, entry: TrackedConnection | None, time: Fraction, sender: str, segment: Segment
) -> tuple[TrackedConnection | None, Forwarding]:
    """What a box does with a packet: the connection in its table afterwards, and the delivery of the packet.

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
    if segment.syn and segment.ack is None and (entry is None or entry.phase in (TrackedPhase.CLOSED, TrackedPhase.RESET)):
        return TrackedConnection(TrackedPhase.OPENING, time), Forwarding.FORWARDED
    if entry is None:
        return None, Forwarding.RESET if sender in box.resets else Forwarding.DROPPED
    return TrackedConnection(_advanced(entry.phase, segment), time), Forwarding.FORWARDED


def _advanced(phase: TrackedPhase, segment: Segment) -> TrackedPhase:
    """The phase after a packet has passed."""
    if segment.rst:
        return TrackedPhase.RESET
    if segment.syn:
        return phase
    return (_BY_FIN if segment.fin else _BY_ACK).get(phase, phase)
