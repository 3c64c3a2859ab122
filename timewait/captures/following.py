"""Both ends of a captured connection, run on the specification.

Arrivals go through `timewait.spec.endpoint`. What an end sends is then either what the specification expects, the result
of a user call or timer of its own, or a deviation. A is the end that closed first. The trace starts with its FIN (or RST),
or with the oldest text still in flight then. Numbers are relative, as Wireshark shows them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.connections import CapturedSegment, CaptureInstant, Connection, SkippedRun
from timewait.captures.delivery import Deliveries, Delivery, deliveries, near_interfaces
from timewait.captures.observations import (
    ObservedClose,
    Remark,
    RemarkKind,
    ResetArrival,
    Retransmission,
    StateLeft,
    TimeWaitAnswer,
    TimeWaitArrival,
)
from timewait.captures.renumbering import arrives
from timewait.captures.sending import explain_segment
from timewait.captures.trace_start import (
    UNSEEN,
    capture_point_beside,
    second_closes_first,
    swapped,
    trace_start,
    with_missing_fins,
)
from timewait.captures.trace_writer import TraceWriter
from timewait.narration.prose import rounded
from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import timer_fires
from timewait.spec.exchange import ENDS
from timewait.spec.outcome import Outcome, Timer
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.rules import RULES
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.state import Block, State
from timewait.spec.time_wait import arrival_class
from timewait.vocabulary.replay import Packet

MAX_ACK_DELAY = 500_000_000
"""Nanoseconds within which an acknowledgement is due (RFC 9293 3.8.6.3, MUST-40)."""


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
    time_wait_arrival : TimeWaitArrival or None
        The observation that the answer completes.
    """

    reply: Segment
    since: CaptureInstant
    to: Segment
    time_wait_arrival: TimeWaitArrival | None


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
    items = with_missing_fins(connection.items)
    responses, hops, ends = connection.responses, connection.hops, connection.ends
    if second_closes_first(items):
        items = [swapped(item) for item in items]
        responses, hops, ends = responses[::-1], hops[::-1], ends[::-1]
    start = trace_start(items)
    captured = [item for item in start.items if isinstance(item, CapturedSegment)]
    near = near_interfaces([item for item in items if isinstance(item, CapturedSegment)])
    found = deliveries(captured, responses, near, ended)
    started = min(copy.sent[0] for copy in found.copies)
    beside = "" if found.near else capture_point_beside(hops)
    follower = _Follower(configuration, found, started, start.next_seq, beside)
    reopened = connection.reopened
    follower.run([item for item in start.items if isinstance(item, SkippedRun)], reopened)
    interfaces = found.near or (captured[0].packet.interface,)
    facts = {"A": str(ends[0]), "B": str(ends[1]), "places": list(interfaces), "started": started, **about}
    return ObservedClose(
        trace=follower.writer.trace(configuration_as_data(configuration) | {"capture": facts}),
        ends=ends,
        interfaces=interfaces,
        beside=beside,
        opened=connection.opened is not None,
        started=started,
        lasted=Fraction(max(ended - started, 0), NANOSECONDS),
        reopened=None if reopened is None else Fraction(reopened[0] - started, NANOSECONDS),
        remarks=tuple(follower.remarks),
        retransmissions=tuple(follower.retransmissions),
        time_wait_arrivals=tuple(follower.time_wait_arrivals),
        resets=tuple(follower.resets),
        states_left=tuple(follower.states_left),
        captured_twice=found.captured_twice,
        clock_shift=found.clock_shift,
        truncated=connection.truncated,
    )


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
    next_seq : (int, int)
        The next sequence number of each end at the start.
    beside : str
        The end beside the only capture point; empty if unknown.
    """

    def __init__(
        self, configuration: Configuration, found: Deliveries, started: int, next_seq: tuple[int, int], beside: str
    ) -> None:
        self.remarks: list[Remark] = []
        self.retransmissions: list[Retransmission] = []
        self.time_wait_arrivals: list[TimeWaitArrival] = []
        self.resets: list[ResetArrival] = []
        self.states_left: list[StateLeft] = []
        self.writer = TraceWriter(configuration, next_seq)
        self._configuration = configuration
        self._found = found
        self._started = started
        self._beside = beside
        self._due: tuple[list[_DueAnswer], list[_DueAnswer]] = ([], [])
        self._out_of_order: tuple[list[Segment], list[Segment]] = ([], [])
        self._windows: list[int | None] = [None, None]
        self._transmissions: dict[tuple[int, int], list[Fraction]] = {}
        self._packets: dict[int, Packet] = {}
        self._acknowledged: dict[int, Fraction] = {}
        self._entered: dict[int, Fraction] = {}
        self._sent: tuple[list[tuple[CaptureInstant, Segment]], list[tuple[CaptureInstant, Segment]]] = ([], [])
        for copy in found.copies:
            self._sent[copy.captured.sender].append((copy.sent, copy.captured.segment))

    # --- the run ----------------------------------------------------------------------------------------------------

    def run(self, skipped: Sequence[SkippedRun], reopened: tuple[int, int] | None) -> None:
        """Process every sending, arrival and skipped run, in order of time.

        Parameters
        ----------
        skipped : sequence of SkippedRun
            The runs of packets that were not kept.
        reopened : (int, int) or None
            When the next incarnation was opened, in nanoseconds since 1970, and the frame of its SYN.
        """
        events: list[tuple[CaptureInstant, int, str]] = [((run.until, 1 << 62, 0), i, "skip") for i, run in enumerate(skipped)]
        for index, copy in enumerate(self._found.copies):
            events.append((copy.sent, index, "send"))
            events += [(arrival, index, "arrive") for arrival in copy.arrivals]
        if reopened is not None:
            events.append(((*reopened, 0), 0, "reopen"))
        for instant, index, kind in sorted(events, key=lambda event: event[:2]):
            if kind == "reopen":
                self.writer.reopen(self._time(instant))
            elif kind == "skip":
                self._skip(instant, skipped[index])
            elif kind == "send":
                self._send(instant, index, self._found.copies[index])
            else:
                self._arrive(instant, index, self._found.copies[index])
        self._report_missing_answers()

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
            remark = f"accepts {segment} of the closed connection in the next one on the same addresses and ports"
            self._remark(now, side, remark, "RFC 9293 3.4.3", RemarkKind.OLD_DUPLICATE)
            self.writer.accept_old_duplicate(now, side, text, packet, segment)
            return
        behaviour = self._behaviour(side, instant, segment)
        if self._answers_as_closed(side, instant, segment):
            self._leave_state(side, instant)
        block = self.writer.ends[side]
        outcome = arrives(block, segment, behaviour, self._windows[side])
        outcome = self._with_reordered(side, segment, outcome, behaviour)
        arrival = self._time_wait_arrival(side, block, now, segment)
        if arrival is not None:
            self.time_wait_arrivals.append(arrival)
        self._due[side].extend(_DueAnswer(reply, instant, segment, arrival) for reply in outcome.replies)
        self.writer.in_flight.pop(index, None)
        self.writer.add_step(now, side, text, outcome, received=packet)
        if block.state is not State.TIME_WAIT and outcome.block.state is State.TIME_WAIT:
            self._entered[side] = now

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

    def _behaviour(self, side: int, instant: CaptureInstant, segment: Segment) -> Behaviour:
        """The settings of an end, corrected where its next segment shows another choice."""
        behaviour, block = self._configuration.behaviour, self.writer.ends[side]
        answer = self._next_sent(side, instant)
        if segment.rst and block.state is State.TIME_WAIT:
            ended = None if answer is None or answer.syn else answer.rst
            self.resets.append(ResetArrival(ENDS[side], self._time(instant), segment.seq == block.rcv, ended))
            if ended is not None:
                return replace(behaviour, reset=ResetRule.ANY if ended else ResetRule.IGNORE)
        if segment.length and block.state in (State.FIN_WAIT_1, State.FIN_WAIT_2):
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
        since = self.writer.since(side, timer)
        waited = now - (now if since is None else since)
        self.states_left.append(StateLeft(ENDS[side], str(block.state), waited))
        if timer is Timer.TIME_WAIT and waited < 2 * self._configuration.msl:
            text = f"had left TIME_WAIT after {rounded(waited)}; 2 MSL are {rounded(2 * self._configuration.msl)}"
            self._remark(now, side, text, "RFC 9293 3.6.1 MUST-13")
        outcome = timer_fires(block, timer, self._configuration.behaviour)
        self.writer.add_step(now, side, f"has left {block.state}, within {rounded(waited)} at most", outcome)

    def _time_wait_arrival(self, side: int, block: Block, now: Fraction, segment: Segment) -> TimeWaitArrival | None:
        if side not in self._entered or segment.rst or block.state not in (State.TIME_WAIT, State.CLOSED):
            return None
        window = self._windows[side]
        before_edge = window is None or segment.seq < block.rcv + max(window, 1)
        in_window = block.state is State.TIME_WAIT and segment.seq >= block.rcv and before_edge
        arrival = arrival_class(segment, block.rcv, in_window=in_window)
        entered = self._entered[side]
        return TimeWaitArrival(ENDS[side], now - entered, now - self._acknowledged.get(side, entered), arrival)

    # --- sendings ---------------------------------------------------------------------------------------------------

    def _send(self, instant: CaptureInstant, index: int, copy: Delivery) -> None:
        side, segment, now = copy.captured.sender, copy.captured.segment, self._time(instant)
        if copy.captured.window is not None and not segment.syn:
            self._windows[side] = copy.captured.window
        earlier = self._transmissions.setdefault((side, segment.end), []) if segment.span and not segment.rst else []
        gap = now - earlier[-1] if earlier else None
        block = self.writer.ends[side]
        due = [answer.reply for answer in self._due[side]]
        explanation = explain_segment(block, segment, due, self._configuration.behaviour, gap)
        if gap is not None and explanation.kind == "timer":
            oldest = block.una == segment.seq
            self.retransmissions.append(Retransmission(ENDS[side], gap, len(earlier), segment.fin, oldest))
        earlier.append(now)
        for fault in explanation.faults:
            self._remark(now, side, *fault)
        if copy.captured.packet.frame == UNSEEN:
            text = "had sent a FIN missing from the capture, as its acknowledgement shows"
            self._remark(now, side, text, "", RemarkKind.NOT_CAPTURED)
        self._advance_past_missing(side, segment)
        packet = self._packet(index, copy, lost=copy.lost or self._ignored_rst(copy))
        self._packets[index] = packet
        if not packet.lost:
            self.writer.in_flight[index] = packet
        settled = self._settle(side, segment)
        if segment.ack is not None:
            self._acknowledged[side] = now
        if explanation.kind == "answer" and self.writer.add_answer(now, side, packet):
            return
        text = explanation.text
        if explanation.kind == "answer" and settled:
            took = now - self._time(settled[0].since)
            text += f" after {rounded(took)}"
            self._report_delay(side, now, took, settled[0].to)
        self.writer.add_step(now, side, text, explanation.outcome, (packet,))

    def _advance_past_missing(self, side: int, segment: Segment) -> None:
        """Advance both ends past octets that the capture lacks and that the segment shows sent and received."""
        own, other = self.writer.ends[side], self.writer.ends[1 - side]
        if segment.span and not segment.syn and segment.seq > own.nxt and own.state is not State.CLOSED:
            self.writer.set_block(1 - side, other._replace(rcv=max(other.rcv, segment.seq)))
        if segment.ack is not None and segment.ack > other.nxt and not other.fin_sent and other.state is not State.CLOSED:
            self.writer.set_block(1 - side, other._replace(nxt=segment.ack, sent=segment.ack - 1))

    def _ignored_rst(self, copy: Delivery) -> bool:
        """Whether a RST should have ended the connection at its receiver, and did not.

        With one capture point it counts as lost; with two, the receiver deviates.
        """
        side, segment = 1 - copy.captured.sender, copy.captured.segment
        block = self.writer.ends[side]
        if not segment.rst or block.state in (State.TIME_WAIT, State.CLOSED) or not copy.arrivals:
            return False
        outcome = arrives(block, segment, self._configuration.behaviour, self._windows[side])
        answer = self._next_sent(side, copy.arrivals[0])
        goes_on = outcome.block.state is State.CLOSED and answer is not None and not answer.rst and not answer.syn
        if goes_on and self._found.near:
            text = f"stays in {block.state} after a RST with exactly the expected number"
            self._remark(self._time(copy.arrivals[0]), side, text, RULES["reset.accepted"].section)
        return goes_on

    def _settle(self, side: int, segment: Segment) -> list[_DueAnswer]:
        """Remove and return the due answers that a segment gives."""
        due = self._due[side]
        settled = [answer for answer in due if _settles(segment, answer.reply)]
        for answer in settled:
            due.remove(answer)
            if answer.time_wait_arrival is not None:
                answer.time_wait_arrival.answer = TimeWaitAnswer.RST if segment.rst else TimeWaitAnswer.ACK
        return settled

    # --- remarks ----------------------------------------------------------------------------------------------------

    def _remark(self, now: Fraction, side: int, text: str, section: str, kind: RemarkKind = RemarkKind.DEVIATION) -> None:
        self.remarks.append(Remark(now, ENDS[side], text, section, kind))

    def _report_delay(self, side: int, now: Fraction, took: Fraction, to: Segment) -> None:
        if took * NANOSECONDS >= MAX_ACK_DELAY and to.span and (self._found.near or self._beside == ENDS[side]):
            text = f"answers {to} only after {rounded(took)}; at most half a second is allowed"
            self._remark(now, side, text, "RFC 9293 3.8.6.3 MUST-40")

    def _report_missing_answers(self) -> None:
        """Report the answers that were due half a second before the last packet and were not sent."""
        last = max((copy.sent[0] for copy in self._found.copies), default=0)
        for side in (0, 1):
            for answer in self._due[side]:
                if last - answer.since[0] < MAX_ACK_DELAY:
                    continue
                rule = "closed.answer" if answer.reply.rst else "sequence.unacceptable"
                text = f"gives no answer to {answer.to}, as far as the capture shows"
                kind = RemarkKind.DEVIATION if self._found.near else RemarkKind.NOT_CAPTURED
                self._remark(self._time(answer.since), side, text, RULES[rule].section, kind)

    # --- helpers ----------------------------------------------------------------------------------------------------

    def _time(self, instant: CaptureInstant) -> Fraction:
        return Fraction(instant[0] - self._started, NANOSECONDS)

    def _packet(self, index: int, copy: Delivery, *, lost: bool) -> Packet:
        sender, segment, now = copy.captured.sender, copy.captured.segment, self._time(copy.sent)
        expires = now + self._configuration.msl
        return Packet(index + 1, ENDS[sender], ENDS[1 - sender], str(segment), segment.fields, now, expires, lost)


def _settles(segment: Segment, due: Segment) -> bool:
    if segment.rst or due.rst:
        return segment.rst and due.rst
    return segment.ack is not None and due.ack is not None and segment.ack >= due.ack
