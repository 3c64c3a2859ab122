"""The plan of a next incarnation that opens by a handshake: the ISNs to choose, and how the numbers of old segments count.

The specification says for each segment that meets an end of another incarnation where its numbers lie (`Crossing.counted`).
An ISN is chosen so that the first of them lie there of their own accord; the network moves the numbers of the others, which
is the same to an end that knows nothing but differences.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from timewait.checker.trace import Step
from timewait.laboratory.packets import CarriedPacket, Numbering, with_checksum
from timewait.laboratory.replaying.half_open import apart, counting
from timewait.laboratory.replaying.outcome import NotReplayable
from timewait.spec.configuration import Configuration
from timewait.spec.exchange import ENDS
from timewait.spec.incarnation import Crossing, crossings
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.reopening import Numbers
from timewait.spec.segment import Segment
from timewait.spec.sequence_numbers import difference, wrapped
from timewait.spec.state import State
from timewait.spec.trace_actions import segment_of
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove


class Meeting(NamedTuple):
    """A segment that meets an end of another incarnation.

    Attributes
    ----------
    sender, receiver : str
        The ends.
    segment : Segment
        The segment, with the numbers of its own incarnation.
    counted : Segment
        The segment, with its numbers as they count at the receiver.
    next_expected : int or None
        RCV.NXT of the receiver; None where it knows no number of the sender.
    opens : bool
        Whether it is a SYN that opens the next incarnation in TIME-WAIT.
    """

    sender: str
    receiver: str
    segment: Segment
    counted: Segment
    next_expected: int | None
    opens: bool

    @property
    def old_number(self) -> bool:
        """Whether its number is old, so that one further back is the same."""
        return self.counted.end < 0

    @property
    def old_ack(self) -> bool:
        """Whether its ACK is old, so that one further back is the same."""
        return self.counted.ack is not None and self.counted.ack < 0


class ReopeningPlan(NamedTuple):
    """How the next incarnation lies to the old one.

    Attributes
    ----------
    meetings : mapping of int to Meeting
        The segments that meet an end of another incarnation, by the number of the step.
    quiet : frozenset of int
        The steps at which a segment reaches a host that has crashed and not opened again.
    distances : mapping of str to int
        The distance from the old ISN of an end to the new one, where it matters; elsewhere the kernel's own ISN serves.
    above : bool
        Whether both new ISNs must exceed every old number.
    """

    meetings: Mapping[int, Meeting]
    quiet: frozenset[int]
    distances: Mapping[str, int]
    above: bool


def course(
    configuration: Configuration, steps: Sequence[Step], actions: Sequence[Action | None]
) -> Iterator[tuple[Step, ReferenceState, ReferenceState]]:
    """Each step with the state of the specification before it, when its delay has passed, and after it.

    Where a step has several results, that one is taken whose numbers lie where the trace says and which it states; else one whose
    numbers lie there, else one that it states, else the first.

    Raises
    ------
    ImpossibleMove
        The specification does not allow a step.
    """
    state = initial_state(configuration)
    for step, action in zip(steps, actions, strict=True):
        waited = state.wait(step.delay)
        results = (waited,) if action is None else waited.act(action)
        # The first of those that agree most: where numbers lie comes before what follows from it.
        state = max(results, key=lambda result: (result.event.text == step.event.text, _is_stated(result, step)))
        yield step, waited, state


def _is_stated(result: ReferenceState, step: Step) -> bool:
    event = result.event
    same = result.state() == step.state and event.rules == step.event.rules and event.breaks == step.event.breaks
    return same and [packet.text for packet in event.sent] == [packet.text for packet in step.event.sent]


def plan_of(configuration: Configuration, steps: Sequence[Step], actions: Sequence[Action | None]) -> ReopeningPlan:
    """The plan of a trace.

    Raises
    ------
    NotReplayable
        The specification does not allow a step, or a segment of another incarnation does otherwise there.
    """
    meetings: dict[int, Meeting] = {}
    quiet = set()
    try:
        for step, before, after in course(configuration, steps, actions):
            packet = step.event.received
            if packet is None:
                continue
            side, segment = ENDS.index(packet.receiver), segment_of(packet.fields)
            if before.is_quiet(side):
                quiet.add(step.number)
            elif segment.incarnation != before.incarnations[side]:
                if not _is_stated(after, step):
                    raise NotReplayable(f"step {step.number}: the specification does not let the segment count so")
                way = _way(configuration, before, after, side, segment)
                block = before.ends[side]
                known = None if block.state in (State.CLOSED, State.LISTEN, State.SYN_SENT) else block.rcv
                counted = way.counted or segment
                meetings[step.number] = Meeting(
                    packet.sender, packet.receiver, segment, apart(segment, counted), known, way.opens
                )
    except ImpossibleMove as problem:
        raise NotReplayable(f"the specification does not allow a step: {problem}") from problem
    relation = configuration.reopening.relation(configuration.msl)
    return ReopeningPlan(meetings, frozenset(quiet), _distances(relation, meetings), relation is Numbers.ABOVE)


def _way(configuration: Configuration, before: ReferenceState, after: ReferenceState, side: int, segment: Segment) -> Crossing:
    """The way in which a segment counts, by its outcome."""
    applied = tuple(name for name, _, _ in after.event.rules)
    return next(
        way
        for way in crossings(configuration, before.ends, before.incarnations, side, segment, before.isns)
        if way.outcome.block == after.ends[side]
        and applied[: len(way.outcome.rules)] == way.outcome.rules
        and set(way.broken) <= set(after.event.breaks)
    )


def _distances(relation: Numbers, meetings: Mapping[int, Meeting]) -> dict[str, int]:
    """The distances that segments need: those of SYNs first, since the network cannot move a SYN alone."""
    if relation is Numbers.REPEATED:
        return dict.fromkeys(ENDS, 0)
    found: dict[str, int] = {}
    above = set()
    for meeting in meetings.values():
        if not meeting.segment.incarnation or meeting.next_expected is None:
            continue
        if meeting.counted.seq > meeting.next_expected:
            above.add(meeting.sender)  # as the kernel's own ISN is
        else:
            found.setdefault(meeting.sender, meeting.counted.seq)
    for meeting in meetings.values():
        if counting(meeting.segment):
            continue
        if meeting.next_expected is not None and not meeting.old_number and meeting.sender not in above:
            found.setdefault(meeting.sender, meeting.segment.seq - meeting.counted.seq)
        acks = meeting.segment.ack, meeting.counted.ack
        if acks[0] is not None and acks[1] is not None and not meeting.old_ack and meeting.receiver not in above:
            found.setdefault(meeting.receiver, acks[0] - acks[1])
    return found


def check_syn(meeting: Meeting, packet: CarriedPacket, old: Mapping[str, int]) -> None:
    """Check that the number of a SYN lies where it must, at an end of the old incarnation.

    Raises
    ------
    NotReplayable
        It lies elsewhere.
    """
    if meeting.next_expected is None:
        return
    actual = difference(packet.decoded.seq, old[meeting.sender])
    above = meeting.counted.seq > meeting.next_expected
    if (above and actual <= meeting.next_expected) or (not above and actual != meeting.counted.seq):
        raise NotReplayable(
            f"the SYN of {meeting.sender} must lie {meeting.counted.seq} above the old ISN, and its ISN is already chosen"
        )


def placed(packet: CarriedPacket, meeting: Meeting, new: Mapping[str, int]) -> CarriedPacket:
    """An old packet whose numbers count as the plan says; the same one where they do so already.

    Parameters
    ----------
    packet : CarriedPacket
        The packet as its sender sent it.
    meeting : Meeting
        How it counts.
    new : mapping of str to int
        The new ISNs of the ends that have sent their SYN.
    """
    fields = packet.decoded
    seq, ack = fields.seq, fields.ack
    if meeting.sender in new and meeting.next_expected is not None:
        seq = _place(seq, wrapped(new[meeting.sender] + meeting.counted.seq), old=meeting.old_number)
    if ack is not None and meeting.counted.ack is not None and meeting.receiver in new:
        ack = _place(ack, wrapped(new[meeting.receiver] + meeting.counted.ack), old=meeting.old_ack)
    if (seq, ack) == (fields.seq, fields.ack):
        return packet
    return _numbered(packet, seq, ack)


def _numbered(packet: CarriedPacket, seq: int, ack: int | None) -> CarriedPacket:
    """A packet with other numbers."""
    octets = bytearray(packet.octets)
    start = (octets[0] & 15) * 4 + 4
    struct.pack_into("!II", octets, start, seq, ack or 0)
    return replace(packet, octets=with_checksum(bytes(octets)), decoded=packet.decoded._replace(seq=seq, ack=ack))


def moved_back(answer: CarriedPacket, met: CarriedPacket, arrived: CarriedPacket) -> CarriedPacket:
    """The RST that answers a packet whose numbers the network moved, with the numbers of the packet as it was sent.

    Such a RST takes its SEQ from the ACK of the packet, and its ACK, if it has one, from the SEQ (RFC 9293 3.5.2, group 1).

    Parameters
    ----------
    answer : CarriedPacket
        The RST.
    met, arrived : CarriedPacket
        The packet that it answers, as it was sent and as it arrived.
    """
    sent, came, fields = met.decoded, arrived.decoded, answer.decoded
    seq, ack = fields.seq, fields.ack
    if sent.ack is not None and came.ack is not None:
        seq = wrapped(seq + sent.ack - came.ack)
    if ack is not None:
        ack = wrapped(ack + sent.seq - came.seq)
    return answer if (seq, ack) == (fields.seq, fields.ack) else _numbered(answer, seq, ack)


def _place(actual: int, wanted: int, *, old: bool) -> int:
    """A number where it must lie; one that is old may lie further back."""
    return actual if old and difference(actual, wanted) <= 0 else wanted


def counts_as(packet: CarriedPacket, segment: Segment) -> Numbering:
    """The ISNs relative to which a packet carries a segment: those of the answer of an end to which it belongs to nothing."""
    receiver = "B" if packet.sender == "A" else "A"
    initial = {packet.sender: wrapped(packet.decoded.seq - segment.seq)}
    if packet.decoded.ack is not None and segment.ack is not None:
        initial[receiver] = wrapped(packet.decoded.ack - segment.ack)
    return Numbering(initial)
