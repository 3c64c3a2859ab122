"""A trace as a packet capture, for Wireshark and other analysers.

A is 192.0.2.1, port 49152, B is 192.0.2.2, port 50000. The trace starts at 2000-01-01 00:00:00 UTC. Packets are raw IPv4
(link type 101) with correct checksums; times are in nanoseconds. The initial sequence numbers of the first incarnation are
1,000,000 at A and 2,000,000 at B, those of the next one are smaller by 1: every old number then lies in its window, as the
specification assumes. The identification of a packet is the number of its copy, so that duplicates made by the network
share it and retransmissions do not. A packet that arrives has a time to live one less than when it was sent. Packets that
are not part of the trace (the handshakes) say so in their comments.

A capture at one end gets the usual analysis of Wireshark. A capture at both ends, one file with two interfaces, does not:
every packet that arrives is in it twice.
"""

from __future__ import annotations

from fractions import Fraction
from ipaddress import IPv4Address

from timewait.checker.trace import Trace
from timewait.formats.capture_entries import CaptureEntry, capture_entries
from timewait.formats.pcapng_blocks import Interface, PacketBlock, capture
from timewait.formats.wire import Envelope, WireSocket, packet
from timewait.narration.sentences import violation_reason
from timewait.spec.description import data_in_words
from timewait.spec.exchange import ENDS
from timewait.spec.window import WINDOW

SOCKETS = {"A": WireSocket(IPv4Address("192.0.2.1"), 49_152), "B": WireSocket(IPv4Address("192.0.2.2"), 50_000)}
INITIAL = {"A": 1_000_000, "B": 2_000_000}
"""The initial sequence numbers of the first incarnation."""

START = 946_684_800
"""The start of the trace, 2000-01-01 00:00:00 UTC, in seconds since 1970."""

HOPS = 64
"""The time to live of a packet that leaves."""

LARGE_WINDOW = 65_535
"""The window in octets where an end sends more than the specification's window holds."""


def as_pcapng(trace: Trace, at: str = "a") -> bytes:
    """A trace as the octets of a pcapng file.

    Parameters
    ----------
    trace : Trace
        The trace.
    at : {"a", "b", "both"}
        The capturing end.

    Raises
    ------
    BrokenTrace
        The trace contains something other than TCP segments between A and B.
    """
    ends = ENDS if at == "both" else (at.upper(),)
    entries = capture_entries(trace, ends)
    window = WINDOW if all(entry.fields["len"] < WINDOW for entry in entries) else LARGE_WINDOW
    interfaces = [Interface(end, f"at {end}, {SOCKETS[end].address}") for end in ends]
    packets = [_block(entry, ends.index(entry.end), window) for entry in entries]
    return capture(_about(trace), "timewait", interfaces, packets)


def _about(trace: Trace) -> str:
    why = violation_reason(trace)
    configuration = data_in_words(trace.about)
    return "\n".join(
        [
            f"{trace.shows}: {trace.statement}",
            *([f"fails: {why}"] if why else []),
            *([configuration] if configuration else []),
            "A is 192.0.2.1:49152, B is 192.0.2.2:50000; t=0 is 2000-01-01 00:00:00 UTC",
            "the identification of a packet is the number of its copy: duplicates share it, retransmissions do not",
        ]
    )


def _block(entry: CaptureEntry, interface: int, window: int) -> PacketBlock:
    receiver = ENDS[1 - ENDS.index(entry.sender)]
    envelope = Envelope(SOCKETS[entry.sender], SOCKETS[receiver], entry.identification, HOPS - (not entry.leaves))
    initial = INITIAL[entry.sender] - entry.incarnation, INITIAL[receiver] - entry.incarnation
    exact = START + entry.time
    nanoseconds = round(exact * 10**9)
    rounded = Fraction(nanoseconds, 10**9) != exact
    comment = f"{entry.comment}\nexactly at t={entry.time} s" if rounded else entry.comment
    return PacketBlock(interface, nanoseconds, entry.leaves, packet(envelope, entry.fields, initial, window), comment)
