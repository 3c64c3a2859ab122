"""A trace as a packet capture, for Wireshark and its kin.

A is 192.0.2.1, port 49152, B is 192.0.2.2, port 50000. The trace starts at 2000-01-01 00:00:00 UTC. Packets are raw
IPv4 (link type 101) with true checksums; times are in nanoseconds. The initial sequence numbers of the first
incarnation are 1,000,000 at A and 2,000,000 at B, those of the next one smaller by 1: then every old number lies in
its window, as the specification assumes. The identification of a packet is the number of its copy, so duplicates
that the network made share it and retransmissions do not. A packet that arrives has one hop less left than when it was
sent. What was added so that tools know the initial numbers (the handshakes) says so in its comment.

Captured at one end, as anybody would on a host, the analysis of Wireshark applies. Captured at both, in one file with
two interfaces, it does not: every packet that arrives is there twice.
"""

from __future__ import annotations

from fractions import Fraction
from ipaddress import IPv4Address

from timewait.checker.trace import Trace
from timewait.formats.blocks import CapturedBlock, Interface, capture
from timewait.formats.sightings import Sighting, sightings
from timewait.formats.wire import Envelope, WireSocket, packet
from timewait.narration.sentences import violation_reason
from timewait.spec.description import data_in_words
from timewait.spec.endpoint import WINDOW
from timewait.spec.exchange import ENDS

SOCKETS = {"A": WireSocket(IPv4Address("192.0.2.1"), 49_152), "B": WireSocket(IPv4Address("192.0.2.2"), 50_000)}
INITIAL = {"A": 1_000_000, "B": 2_000_000}
"""The initial sequence numbers of the first incarnation."""

START = 946_684_800
"""2000-01-01 00:00:00 UTC in seconds since 1970: when a trace starts."""

HOPS = 64
"""The time to live of a packet that leaves."""

WIDE = 65_535
"""The window of ends that send more than the specification's window holds, in octets."""


def as_pcapng(trace: Trace, at: str = "a") -> bytes:
    """A trace as the octets of a pcapng file.

    Parameters
    ----------
    trace : Trace
        What happened.
    at : {"a", "b", "both"}
        At which end packets are captured.

    Raises
    ------
    BrokenTrace
        The trace has something in it that is no TCP segment between A and B.
    """
    places = ENDS if at == "both" else (at.upper(),)
    seen = sightings(trace, places)
    window = WINDOW if all(one.fields["len"] < WINDOW for one in seen) else WIDE
    interfaces = [Interface(place, f"at {place}, {SOCKETS[place].address}") for place in places]
    packets = [_captured(one, places.index(one.place), window) for one in seen]
    return capture(_about(trace), "timewait", interfaces, packets)


def _about(trace: Trace) -> str:
    why = violation_reason(trace)
    told = data_in_words(trace.about)
    return "\n".join(
        [
            f"{trace.shows}: {trace.statement}",
            *([f"fails: {why}"] if why else []),
            *([told] if told else []),
            "A is 192.0.2.1:49152, B is 192.0.2.2:50000; t=0 is 2000-01-01 00:00:00 UTC",
            "the identification of a packet is the number of its copy: duplicates share it, retransmissions do not",
        ]
    )


def _captured(one: Sighting, interface: int, window: int) -> CapturedBlock:
    receiver = ENDS[1 - ENDS.index(one.sender)]
    envelope = Envelope(SOCKETS[one.sender], SOCKETS[receiver], one.identification, HOPS - (not one.leaves))
    origin = INITIAL[one.sender] - one.incarnation, INITIAL[receiver] - one.incarnation
    exact = START + one.time
    nanoseconds = round(exact * 10**9)
    rounded = Fraction(nanoseconds, 10**9) != exact
    comment = f"{one.comment}\nexactly at t={one.time} s" if rounded else one.comment
    return CapturedBlock(interface, nanoseconds, one.leaves, packet(envelope, one.fields, origin, window), comment)
