"""Both ends of a captured connection, run on the specification: the likeliest reading of the capture, as a trace.

Arrivals go through `timewait.spec.endpoint`. What an end sends is then either what the specification expects, the result
of a user call or timer of its own, or something else. A is the end that closed first. The trace starts with its FIN (or
RST), or with the oldest text still in flight then. Numbers are relative, as Wireshark shows them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from timewait.captures.at_ends import at_ends, times_in_words, unmeasured
from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.connections import Connection
from timewait.captures.delivery import Deliveries, Delivery, deliveries, near_interfaces
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.fins import second_closed_first
from timewait.captures.judging import Judged, judge
from timewait.captures.kept_packets import CapturedSegment, CaptureInstant, SkippedRun, captured_segments
from timewait.captures.observations import Remark, RemarkKind
from timewait.captures.ordering import items_in_order
from timewait.captures.passages import passages
from timewait.captures.plain_closes import plain_facts
from timewait.captures.renumbering import arrives
from timewait.captures.sending import Sending, explain_segment
from timewait.captures.trace_start import UNSEEN, TraceStart, capture_point_beside, swapped, trace_start, with_missing_fins
from timewait.captures.trace_writer import TraceWriter
from timewait.checker.trace import Trace
from timewait.narration.prose import rounded
from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import timer_fires
from timewait.spec.exchange import ENDS
from timewait.spec.outcome import Outcome, Timer
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.segment import Segment
from timewait.spec.sequence_numbers import wrapped
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.state import Block, State
from timewait.vocabulary.replay import Packet

WINDOW = 65_535
"""Octets beyond the last number of the next incarnation that it may accept, where its window is not known."""


class _DueAnswer(NamedTuple):
    """An answer that the specification expects.

    Attributes
    ----------
    reply : Segment
        The expected answer.
    since : Instant
        When the segment to be answered arrived.
    to : Segment
        The segment to be answered.
    """

    reply: Segment
    since: CaptureInstant
    to: Segment


class _Prepared(NamedTuple):
    """A connection that closes, before it is run on the specification.

    Attributes
    ----------
    facts : ConnectionFacts
        Its facts.
    shown : Deliveries
        The copies of the trace.
    start : TraceStart
        The start of the trace.
    interfaces : tuple of str
        The capturing interfaces.
    beside : str
        The end beside the only capture point; empty if unknown.
    started : int
        The start of the trace in nanoseconds since 1970.
    """

    facts: ConnectionFacts
    shown: Deliveries
    start: TraceStart
    interfaces: tuple[str, ...]
    beside: str
    started: int


def facts_of(connection: Connection, configuration: Configuration, ended: int) -> ConnectionFacts:
    """The facts of a connection, whether it closes or not; parameters as of `follow`."""
    plain = plain_facts(connection, ended)
    return judged_facts(connection, configuration, ended) if plain is None else plain


def judged_facts(connection: Connection, configuration: Configuration, ended: int) -> ConnectionFacts:
    """The facts of a connection by the general judgement; parameters as of `follow`."""
    if connection.closes:
        return _prepared(connection, configuration, ended).facts
    captured = captured_segments(connection.items)
    started = connection.times[0]
    found = passages(deliveries(captured, connection.responses, None, ended), connection.directions, started)
    return judge(Judged(connection, found, connection.ends, ended, configuration.msl))


def _prepared(connection: Connection, configuration: Configuration, ended: int) -> _Prepared:
    """The facts of a connection that closes, and the part of it that becomes a trace."""
    kept = connection.items
    near = near_interfaces(captured_segments(kept)) if connection.several_interfaces else None
    items = with_missing_fins(kept if near else items_in_order(kept))
    responses, hops, ends = connection.responses, connection.hops, connection.ends
    directions = connection.directions
    if second_closed_first(captured_segments(items)):
        near = near and near[::-1]
        items = [swapped(item) for item in items]
        responses, hops, ends, directions = responses[::-1], hops[::-1], ends[::-1], directions[::-1]
    start = trace_start(items)
    captured = captured_segments(items)
    found = deliveries(captured, responses, near, ended)
    traced = {(it.sender, it.packet.frame) for it in captured_segments(start.items)}
    shown = found._replace(copies=tuple(copy for copy in found.copies if _place(copy) in traced))
    started = min(copy.sent[0] for copy in shown.copies)
    beside = "" if near else capture_point_beside(hops)
    facts = judge(Judged(connection, passages(found, directions, started, beside), ends, ended, configuration.msl))
    return _Prepared(facts, shown, start, near or (captured[0].packet.interface,), beside, started)


def follow(connection: Connection, configuration: Configuration, ended: int, about: Mapping[str, Any]) -> ObservedClose:
    """Reconstruct the close of a connection.

    Parameters
    ----------
    connection : Connection
        A connection that `closes`.
    configuration : Configuration
        The settings and timer lengths to assume where stacks differ.
    ended : int
        The end of the capture in nanoseconds since 1970.
    about : mapping
        Facts about the capture to store in the trace.
    """
    ready = _prepared(connection, configuration, ended)
    return _observed(connection, configuration, ready, about)


def follow_at_ends(connection: Connection, configuration: Configuration, ended: int, about: Mapping[str, Any]) -> Trace:
    """The close of a connection with the times at its ends, as far as the capture shows them; parameters as of `follow`.

    Each packet has the further fields ``frame``, and ``measured``: 1 where its times at both ends are measured, else 0. The
    statement says what the times are. The events of each end are those of `follow`: where estimated times would give others,
    all times are those of the capture, and no packet is measured.
    """
    ready = _prepared(connection, configuration, ended)
    observed = _observed(connection, configuration, ready, about)
    for shown, estimated in ((at_ends(ready.shown, ready.facts), True), (unmeasured(ready.shown), False)):
        moved = ready._replace(shown=shown, started=min(copy.sent[0] for copy in shown.copies))
        again = _observed(connection, configuration, moved, about)
        if _events(again) == _events(observed):
            return replace(again.trace, statement=f"{again.trace.statement}. {times_in_words(observed, shown, estimated)}")
    raise AssertionError("the same times give the same events")


def _events(observed: ObservedClose) -> tuple[object, ...]:
    """What happened at each end, without times: its states, in order, the outcomes of packets, violations, and remarks."""
    steps = observed.trace.steps
    states = [[step.changed[f"{end}.state"] for step in steps if f"{end}.state" in step.changed] for end in ENDS]
    lost = sorted((copy.sender, copy.text) for step in steps for copy in step.event.sent if copy.lost)
    arrived = len([step for step in steps if step.event.received is not None])
    broken = [[step.event.breaks for step in steps if step.event.actor == end and step.event.breaks] for end in ENDS]
    remarks = sorted((remark.end, remark.kind) for remark in observed.remarks)
    return states, lost, arrived, broken, remarks


def _observed(connection: Connection, configuration: Configuration, ready: _Prepared, about: Mapping[str, Any]) -> ObservedClose:
    """The connection, run on the specification."""
    follower = _Follower(configuration, ready.shown, ready.started, ready.start, ready.facts)
    follower.run([item for item in ready.start.items if isinstance(item, SkippedRun)], connection.next)
    reopened = connection.reopened
    a, b = map(str, ready.facts.ends)
    places = {"A": a, "B": b, "places": list(ready.interfaces), "started": ready.started, **about}
    return ObservedClose(
        facts=ready.facts,
        trace=follower.writer.trace(configuration_as_data(configuration) | {"capture": places}),
        interfaces=ready.interfaces,
        beside=ready.beside,
        opened=connection.opened is not None,
        reopened=None if reopened is None else Fraction(reopened[0] - ready.started, NANOSECONDS),
        remarks=tuple(follower.remarks),
        clock_shift=ready.shown.clock_shift,
    )


def _place(copy: Delivery) -> tuple[int, int]:
    """The sender and the frame of a copy; the frame of a FIN that the capture lacks is 0."""
    return copy.captured.sender, copy.captured.packet.frame


def _is_acceptable(connection: Connection | None, captured: CapturedSegment) -> bool:
    """Whether an old segment is in the window of the next incarnation, as far as its numbers show."""
    if connection is None:
        return False
    own, _ = connection.sides(captured.packet)
    if own.first is None:
        return False
    offset = wrapped(captured.packet.seq - own.first)
    end = offset + captured.segment.span
    return end > 0 and offset < own.high + WINDOW


class _Follower:
    """Runs both ends through a capture and collects observations.

    Parameters
    ----------
    configuration : Configuration
        The assumed settings of both ends.
    found : Deliveries
        The delivery of every copy.
    started : int
        The start of the trace in nanoseconds since 1970.
    start : TraceStart
        The sequence numbers at the start.
    facts : ConnectionFacts
        What the packets show: the causes of RSTs and their effects, and which retransmissions a timer sent.
    """

    def __init__(
        self,
        configuration: Configuration,
        found: Deliveries,
        started: int,
        start: TraceStart,
        facts: ConnectionFacts,
    ) -> None:
        self.remarks: list[Remark] = []
        self.writer = TraceWriter(configuration, start.next_seq, start.received)
        self._configuration = configuration
        self._found = found
        self._started = started
        self._causes = {reset.frame: reset.cause for reset in facts.resets}
        self._effects = {reset.frame: reset.ended for reset in facts.reset_arrivals}
        self._answers = {again.frame for again in facts.retransmissions if not again.timed}
        self._next: Connection | None = None
        self._due: tuple[list[_DueAnswer], list[_DueAnswer]] = ([], [])
        self._out_of_order: tuple[list[Segment], list[Segment]] = ([], [])
        self._windows: list[int | None] = [None, None]
        self._transmissions: dict[tuple[int, int], list[Fraction]] = {}
        self._packets: dict[int, Packet] = {}
        self._high = list(start.next_seq)
        self._sent: tuple[list[tuple[CaptureInstant, Segment]], list[tuple[CaptureInstant, Segment]]] = ([], [])
        for copy in found.copies:
            self._sent[copy.captured.sender].append((copy.sent, copy.captured.segment))

    # --- the run ----------------------------------------------------------------------------------------------------

    def run(self, skipped: Sequence[SkippedRun], following: Connection | None) -> None:
        """Process every sending, arrival and skipped run, in order of time.

        Parameters
        ----------
        skipped : sequence of SkippedRun
            The runs of packets that were not kept.
        following : Connection or None
            The next incarnation.
        """
        self._next = following
        reopened = None if following is None else following.accepted
        events: list[tuple[CaptureInstant, int, str]] = [((run.until, 1 << 62, 0), i, "skip") for i, run in enumerate(skipped)]
        for index, copy in enumerate(self._found.copies):
            events.append((copy.sent, index, "send"))
            events += [(arrival, index, "arrive") for arrival in copy.arrivals]
        # Damaged times may put the next opening before the start of the trace.
        if reopened is not None and reopened[0] >= self._started:
            events.append(((*reopened, 0), 0, "reopen"))
        for instant, index, kind in sorted(events, key=lambda event: event[:2]):
            self.writer.frame = 0 if kind == "skip" else max(instant[1], 0)
            if kind == "reopen":
                self.writer.reopen(self._time(instant))
            elif kind == "skip":
                self._skip(instant, skipped[index])
            elif kind == "send":
                self._send(instant, index, self._found.copies[index])
            else:
                self._arrive(instant, index, self._found.copies[index])

    def _skip(self, instant: CaptureInstant, run: SkippedRun) -> None:
        """Advance both ends past packets that were not kept."""
        for side in (0, 1):
            own, other = self.writer.ends[side], self.writer.ends[1 - side]
            to = run.next_seq[side]
            if to is None or own.fin_sent or to <= own.nxt:
                continue
            self._out_of_order[1 - side].clear()
            self._due[1 - side].clear()
            self.writer.set_block(1 - side, other._replace(rcv=to))
            text = f"sends {run.octets[side]:,} octets ({run.packets:,} packets of both ends, not shown)"
            outcome = Outcome(own._replace(una=to, nxt=to, sent=to - 1), rules=("send",))
            self.writer.add_step(self._time(instant), side, text, outcome)

    # --- arrivals ---------------------------------------------------------------------------------------------------

    def _arrive(self, instant: CaptureInstant, index: int, copy: Delivery) -> None:
        side, segment, now = 1 - copy.captured.sender, copy.captured.segment, self._time(instant)
        packet = self._packets.get(index)
        if packet is None or packet.lost:
            return
        age = f" ({rounded(now - self._time(copy.sent))} old)" if self._found.near else ""
        text = f"receives {segment}{age}"
        if self.writer.reopened:
            if _is_acceptable(self._next, copy.captured):
                remark = f"may accept {segment} of the closed connection in the next one on the same addresses and ports"
                self._remark(now, side, remark, RemarkKind.OLD_DUPLICATE)
                self.writer.accept_old_duplicate(now, side, text, packet, segment)
            return
        behaviour = self._behaviour(side, instant, copy)
        if self._answers_as_closed(side, instant, segment):
            self._leave_state(side, instant)
        block = self.writer.ends[side]
        if segment.rst and block.rcv < segment.seq <= self._high[1 - side] and not self._found.near:
            # Nothing shows whether the text before the RST arrived; in this reading it did.
            block = block._replace(rcv=segment.seq)
            self.writer.set_block(side, block)
        outcome = arrives(block, segment, behaviour, self._windows[side])
        if self._takes_acknowledgement(side, instant, block, segment):
            bare = Segment(block.rcv, segment.ack)
            outcome = outcome.then(arrives(outcome.block, bare, behaviour))
        outcome = self._with_reordered(side, segment, outcome, behaviour)
        self._due[side].extend(_DueAnswer(reply, instant, segment) for reply in outcome.replies)
        self.writer.in_flight.pop(index, None)
        self.writer.add_step(now, side, text, outcome, received=packet)

    def _takes_acknowledgement(self, side: int, instant: CaptureInstant, block: Block, segment: Segment) -> bool:
        """Whether an end takes the acknowledgement on a repeated FIN, as real stacks do: it then retransmits nothing more.

        By the letter of RFC 9293 3.10.7.4 the whole segment is dropped.
        """
        repeats = bool(segment.span) and not segment.syn and not segment.rst and segment.end <= block.rcv
        new = segment.ack is not None and block.una < segment.ack <= block.nxt
        goes_on = any(sent > instant and it.span and not it.rst for sent, it in self._sent[side])
        return repeats and new and not goes_on and not self._found.near

    def _with_reordered(self, side: int, segment: Segment, outcome: Outcome, behaviour: Behaviour) -> Outcome:
        """The outcome with text and FINs that came out of order processed as soon as what precedes them has arrived.

        The specification drops segments that arrive out of order; real stacks keep them.
        """
        waiting = self._out_of_order[side]
        if segment.span and not segment.syn and segment.seq > outcome.block.rcv:
            waiting.append(segment)
        while (ready := next((it for it in waiting if it.seq <= outcome.block.rcv), None)) is not None:
            waiting.remove(ready)
            if ready.end > outcome.block.rcv:
                outcome = outcome._replace(replies=()).then(arrives(outcome.block, ready, behaviour))
        return outcome

    def _behaviour(self, side: int, instant: CaptureInstant, copy: Delivery) -> Behaviour:
        """The settings of an end, corrected where its packets show another choice."""
        behaviour, block, segment = self._configuration.behaviour, self.writer.ends[side], copy.captured.segment
        if segment.rst and block.state is State.TIME_WAIT:
            ended = self._effects.get(copy.captured.packet.frame)
            if ended is not None:
                return replace(behaviour, reset=ResetRule.ANY if ended else ResetRule.IGNORE)
        if segment.length and block.state in (State.FIN_WAIT_1, State.FIN_WAIT_2):
            answer = self._next_sent(side, instant)
            refused = answer is not None and answer.rst
            return replace(behaviour, late_data_reset=refused, abandons=refused)
        return behaviour

    def _next_sent(self, side: int, instant: CaptureInstant) -> Segment | None:
        sent = self._sent[side]
        index = bisect_right(sent, instant, key=lambda entry: entry[0])
        return sent[index][1] if index < len(sent) else None

    def _answers_as_closed(self, side: int, instant: CaptureInstant, segment: Segment) -> bool:
        """Whether an end that should be in TIME-WAIT or FIN-WAIT-2 answers as CLOSED does."""
        block, answer = self.writer.ends[side], self._next_sent(side, instant)
        waits = block.state is State.TIME_WAIT or (block.state is State.FIN_WAIT_2 and not segment.length)
        as_closed = answer is not None and answer.rst and answer.seq == (segment.ack or 0)
        return waits and as_closed and not segment.rst

    def _leave_state(self, side: int, instant: CaptureInstant) -> None:
        block, now = self.writer.ends[side], self._time(instant)
        timer = Timer.TIME_WAIT if block.state is State.TIME_WAIT else Timer.FIN_WAIT_2
        outcome = timer_fires(block, timer, self._configuration.behaviour)
        since = self.writer.entered(side)
        within = "" if since is None else f", {rounded(now - since)} after entering it at most"
        self.writer.add_step(now, side, f"has left {block.state}{within}", outcome)

    # --- sendings ---------------------------------------------------------------------------------------------------

    def _send(self, instant: CaptureInstant, index: int, copy: Delivery) -> None:
        side, segment, now = copy.captured.sender, copy.captured.segment, self._time(instant)
        if copy.captured.window is not None and not segment.syn:
            self._windows[side] = copy.captured.window
        if not segment.rst:
            self._high[side] = max(self._high[side], segment.end)
        frame = copy.captured.packet.frame
        earlier = self._transmissions.setdefault((side, segment.end), []) if segment.span and not segment.rst else []
        due = [answer.reply for answer in self._due[side]]
        sending = Sending(
            self.writer.ends[side],
            segment,
            due,
            self.writer.ends[1 - side].nxt,
            now - earlier[-1] if earlier else None,
            frame not in self._answers,
            self._causes.get(frame),
        )
        explanation = explain_segment(sending, self._configuration.behaviour)
        earlier.append(now)
        if explanation.missing:
            self._remark(now, side, explanation.missing, RemarkKind.NOT_CAPTURED)
        if frame == UNSEEN:
            text = "had sent a FIN missing from the capture, as a later number shows"
            self._remark(now, side, text, RemarkKind.NOT_CAPTURED)
        self._advance_past_missing(side, instant, segment)
        packet = self._packet(index, copy, lost=copy.lost or self._ignored_rst(copy))
        self._packets[index] = packet
        if not packet.lost:
            self.writer.in_flight[index] = packet
        settled = self._settle(side, segment)
        if explanation.kind == "answer" and self.writer.add_answer(now, side, packet):
            return
        text = explanation.text
        if explanation.kind == "answer" and settled:
            text += f" after {rounded(now - self._time(settled[0].since))}"
        self.writer.add_step(now, side, text, explanation.outcome, (packet,))

    def _never_captured(self, side: int, instant: CaptureInstant, segment: Segment) -> bool:
        """Whether the octets before a segment were received although the capture has them neither before nor later."""
        start, end = self.writer.ends[side].nxt, segment.seq
        later = any(sent > instant and it.span and it.seq < end and it.end > start for sent, it in self._sent[side])
        return not later and any((it.ack or 0) >= end for _, it in self._sent[1 - side])

    def _advance_past_missing(self, side: int, instant: CaptureInstant, segment: Segment) -> None:
        """Advance both ends past octets that the capture lacks and that the segment shows sent and received."""
        own, other = self.writer.ends[side], self.writer.ends[1 - side]
        beyond = segment.span and not segment.syn and segment.seq > own.nxt and own.state is not State.CLOSED
        if beyond and self._never_captured(side, instant, segment):
            other = other._replace(rcv=max(other.rcv, segment.seq))
            self.writer.set_block(1 - side, other)
        if segment.ack is not None and segment.ack > other.nxt and not other.fin_sent and other.state is not State.CLOSED:
            self.writer.set_block(1 - side, other._replace(nxt=segment.ack, sent=segment.ack - 1))

    def _ignored_rst(self, copy: Delivery) -> bool:
        """Whether a RST should have ended the connection at its receiver, and did not: in this reading it was lost."""
        side, segment = 1 - copy.captured.sender, copy.captured.segment
        block = self.writer.ends[side]
        if not segment.rst or block.state in (State.TIME_WAIT, State.CLOSED) or not copy.arrivals:
            return False
        outcome = arrives(block, segment, self._configuration.behaviour, self._windows[side])
        answer = self._next_sent(side, copy.arrivals[0])
        return outcome.block.state is State.CLOSED and answer is not None and not answer.rst and not answer.syn

    def _settle(self, side: int, segment: Segment) -> list[_DueAnswer]:
        """Remove and return the due answers that a segment gives."""
        due = self._due[side]
        settled = [answer for answer in due if _settles(segment, answer.reply)]
        for answer in settled:
            due.remove(answer)
        return settled

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _remark(self, now: Fraction, side: int, text: str, kind: RemarkKind) -> None:
        self.remarks.append(Remark(now, ENDS[side], text, kind))

    def _time(self, instant: CaptureInstant) -> Fraction:
        return Fraction(instant[0] - self._started, NANOSECONDS)

    def _packet(self, index: int, copy: Delivery, *, lost: bool) -> Packet:
        sender, segment, now = copy.captured.sender, copy.captured.segment, self._time(copy.sent)
        expires, fields = now + self._configuration.msl, segment.fields
        if copy.measured is not None:
            fields = (*fields, ("frame", copy.captured.frame), ("measured", int(copy.measured)))
        return Packet(index + 1, ENDS[sender], ENDS[1 - sender], str(segment), fields, now, expires, lost)


def _settles(segment: Segment, due: Segment) -> bool:
    if segment.rst or due.rst:
        return segment.rst and due.rst
    return segment.ack is not None and due.ack is not None and segment.ack >= due.ack
