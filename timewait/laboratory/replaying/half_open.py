"""An old SYN of an incarnation before the trace, and the half-open connection that it opens at an end in TIME-WAIT.

No kernel of the replay has sent such a SYN, so this process makes it: the SYN with which its sender opened the connection, with
a number above every window and, where it has one, an earlier timestamp. What comes of it is the kernel's own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from timewait.captures.headers import SYN
from timewait.checker.trace import Step
from timewait.laboratory.kernel_pair import WireEvent
from timewait.laboratory.packets import CarriedPacket, Numbering, decoded, with_checksum
from timewait.laboratory.replaying.outcome import NotReplayable
from timewait.spec.old_syn import OLD_SYN, beyond
from timewait.spec.segment import Segment
from timewait.spec.sequence_numbers import difference, wrapped

BEFORE = -1
"""The incarnation before the trace, among the ISNs of a replay."""

ABOVE = 1 << 24
"""The distance of its numbers from those of the trace: more than any window of a kernel (`OLD_SYN` lies above those of the
specification, which are smaller)."""

FLAGS, OPTIONS = 13, 20
"""Where a TCP header has its control bits, and its options."""
TIMESTAMPS = b"\x08\x0a"
"""Kind and length of the timestamps option (RFC 7323 3.2)."""
EARLIER = 60_000
"""Units of the timestamp clock, of a millisecond, by which the old SYN is earlier."""


def counting(segment: Segment) -> int:
    """The incarnation to whose ISNs the numbers of a segment refer; `BEFORE` for the old SYN and for what answers it."""
    return BEFORE if not segment.incarnation and beyond(segment) else segment.incarnation


def numbers_before(sender: str, numbers: Numbering) -> Numbering:
    """The ISNs of the incarnation before; that of the end which answers is not known yet (`opened_by`)."""
    return Numbering({**numbers.initial, sender: wrapped(numbers.initial[sender] + ABOVE)})


def apart(segment: Segment, counted: Segment) -> Segment:
    """A segment as its numbers count at an end; those of the incarnation before lie as far above the others as on the wire."""
    if counting(segment) != BEFORE:
        return counted
    seq = counted.seq + ABOVE * (segment.seq in (OLD_SYN.seq, OLD_SYN.end))
    ack = None if counted.ack is None else counted.ack + ABOVE * (segment.ack == OLD_SYN.end)
    return counted._replace(seq=seq, ack=ack)


def old_syn(sender: str, before: Numbering, events: Sequence[WireEvent]) -> CarriedPacket:
    """A SYN of the incarnation before.

    Parameters
    ----------
    sender : str
        The end that sent it.
    before : Numbering
        The ISNs of that incarnation.
    events : sequence of WireEvent
        What happened on the wire while the connection opened.

    Raises
    ------
    NotReplayable
        The wire has seen no SYN of the end.
    """
    opening = next((event.packet for event in events if event.packet.sender == sender and event.packet.segment.syn), None)
    if opening is None:
        raise NotReplayable(f"no SYN of {sender} was seen, from which the old one is made")
    octets = bytearray(opening.octets)
    start = (octets[0] & 15) * 4
    struct.pack_into("!II", octets, start + 4, wrapped(before.initial[sender] + OLD_SYN.seq), 0)
    octets[start + FLAGS] = SYN
    option = octets.find(TIMESTAMPS, start + OPTIONS)
    if opening.decoded.timestamps is not None:
        struct.pack_into("!II", octets, option + 2, wrapped(opening.decoded.timestamps[0] - EARLIER), 0)
    made = with_checksum(bytes(octets))
    fields = decoded(made)
    assert fields is not None, "a SYN with another number is a TCP segment"
    return CarriedPacket(0, sender, opening.time, made, fields, OLD_SYN)


def opens_half(step: Step) -> bool:
    """Whether the old SYN opens a connection at an end in TIME-WAIT, by what the trace says."""
    return any(name == "incarnation.old-syn" for name, _, _ in step.event.rules)


def opened_by(answer: CarriedPacket, wanted: Segment, before: Numbering, old: Numbering) -> Numbering:
    """The ISNs of the half-open connection, from the SYN,ACK that answers the old SYN.

    The specification takes the least ISN that its rule allows; a kernel may take a greater one. Where it takes a lesser one, or
    the answer is no SYN, the ISNs of the specification are returned, relative to which the answer is another segment.

    Parameters
    ----------
    answer : CarriedPacket
        The answer.
    wanted : Segment
        The SYN,ACK of the trace.
    before, old : Numbering
        The ISNs of the incarnation before, and of the one that closes.
    """
    sender, fields = answer.sender, answer.decoded
    if not fields.flags & SYN or difference(fields.seq, old.initial[sender]) < wanted.seq:
        return before
    return Numbering({**before.initial, sender: wrapped(fields.seq - wanted.seq)})
