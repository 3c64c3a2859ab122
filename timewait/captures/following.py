"""Both ends of a captured connection, run on the specification: what arrives goes through `timewait.spec.endpoint`.

What an end sends is then either what the specification calls for, or something that its user or a timer of its own
brought about, or a deviation. A is the end that closed first; the trace starts with its FIN (or RST), or with the
oldest text that was still on its way then. Numbers are relative octets, as Wireshark shows them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Any, NamedTuple

from timewait.captures.account import (
    Account,
    Remark,
    ResetArrival,
    Retransmission,
    StateLeft,
    TimeWaitAnswer,
    TimeWaitArrival,
    Weight,
)
from timewait.captures.beginning import UNSEEN, beginning, beside, flipped, second_closes, with_unseen_fins
from timewait.captures.connections import CapturedSegment, Connection, Skipped
from timewait.captures.container import NANOSECONDS
from timewait.captures.delivery import CapturedCopy, Deliveries, Instant, deliveries, sides
from timewait.captures.renumbering import arrives
from timewait.captures.sending import explain_segment
from timewait.captures.trace_writer import TraceWriter
from timewait.narration.prose import rounded
from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import RULES, Outcome, Timer, timer_fires
from timewait.spec.exchange import ENDS
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.segment import Segment
from timewait.spec.settings import Arrival, Behaviour, ResetRule
from timewait.spec.state import Block, State
from timewait.vocabulary.replay import Packet

PROMPT = 500_000_000
"""Nanoseconds within which an acknowledgement is due (RFC 9293 3.8.6.3, MUST-40)."""


class _Due(NamedTuple):
    """An answer that the specification calls for: what, since when, to what, and the meeting that it settles."""

    segment: Segment
    since: Instant
    to: Segment
    met: TimeWaitArrival | None


def followed(connection: Connection, configuration: Configuration, ended: int, about: Mapping[str, Any]) -> Account:
    """The account of a connection.

    Parameters
    ----------
    connection : Connection
        One that `closes`.
    configuration : Configuration
        What the specification is to assume where stacks differ, and the lengths of its timers.
    ended : int
        When the capture ended, in nanoseconds since 1970.
    about : mapping
        What the trace is to say of the capture beside what is known of the connection.
    """
    packets = with_unseen_fins(connection.items)
    flip = second_closes(packets)
    items = [flipped(item, flip) for item in packets]
    told = beginning(items)
    loops, hops, ends = connection.loops, connection.hops, connection.ends
    if flip:
        loops, hops, ends = loops[::-1], hops[::-1], ends[::-1]
    seen = [item for item in told.items if isinstance(item, CapturedSegment)]
    near = sides([item for item in items if isinstance(item, CapturedSegment)])
    found = deliveries(seen, loops, near, ended)
    start = min(copy.sent[0] for copy in found.copies)
    nearer = "" if found.near else beside(hops)
    follower = _Follower(configuration, found, start, told.standing, nearer)
    follower.run([item for item in told.items if isinstance(item, Skipped)], connection.reopened)
    places = found.near or (seen[0].place,)
    known = {"A": str(ends[0]), "B": str(ends[1]), "places": list(places), "started": start}
    reopened = connection.reopened
    return Account(
        follower.ledger.trace(configuration_as_data(configuration) | {"capture": {**known, **about}}),
        ends,
        tuple(follower.ledger.frames),
        places,
        nearer,
        connection.packets,
        connection.opened is not None,
        start,
        Fraction(max(ended - start, 0), NANOSECONDS),
        None if reopened is None else Fraction(reopened[0] - start, NANOSECONDS),
        tuple(follower.remarks),
        tuple(follower.agains),
        tuple(follower.met),
        tuple(follower.shots),
        tuple(follower.gone),
        found.twice,
        found.shift,
        connection.cut,
    )


class _Follower:
    """Runs both ends and writes down the steps.

    Parameters
    ----------
    configuration : Configuration
        What both ends are taken to do where stacks differ.
    found : Fates
        What became of every copy.
    start : int
        When the trace starts, in nanoseconds since 1970.
    standing : tuple of int
        The next octet of either end at the start.
    nearer : str
        The end that a single place of capture is beside, if that is known.
    """

    def __init__(
        self, configuration: Configuration, found: Deliveries, start: int, standing: tuple[int, int], nearer: str
    ) -> None:
        self._beside = nearer
        self.remarks: list[Remark] = []
        self.agains: list[Retransmission] = []
        self.met: list[TimeWaitArrival] = []
        self.shots: list[ResetArrival] = []
        self.gone: list[StateLeft] = []
        self._configuration = configuration
        self._found = found
        self._start = start
        self.ledger = TraceWriter(configuration, standing)
        self._due: tuple[list[_Due], list[_Due]] = ([], [])
        self._held: tuple[list[Segment], list[Segment]] = ([], [])
        self._windows: list[int | None] = [None, None]
        self._transmissions: dict[tuple[int, int], list[Fraction]] = {}
        self._messages: dict[int, Packet] = {}
        self._spoke: dict[int, Fraction] = {}
        self._entered: dict[int, Fraction] = {}
        self._sent: tuple[list[tuple[Instant, Segment]], list[tuple[Instant, Segment]]] = ([], [])
        for copy in found.copies:
            self._sent[copy.seen.sender].append((copy.sent, copy.seen.segment))

    # --- the run ----------------------------------------------------------------------------------------------------

    def run(self, skipped: Sequence[Skipped], reopened: tuple[int, int] | None) -> None:
        """Go through all that was sent, arrived or was left out, in order.

        Parameters
        ----------
        skipped : sequence of Skipped
            What was left out.
        reopened : (int, int) or None
            When the next connection on the same addresses and ports was opened, in nanoseconds since 1970, and by which frame.
        """
        happenings: list[tuple[Instant, int, str]] = [
            ((gap.until, 1 << 62, 0), index, "skip") for index, gap in enumerate(skipped)
        ]
        for index, copy in enumerate(self._found.copies):
            happenings.append((copy.sent, index, "send"))
            happenings += [(arrival, index, "arrive") for arrival in copy.arrivals]
        if reopened is not None:
            happenings.append(((*reopened, 0), 0, "reopen"))
        for instant, index, what in sorted(happenings, key=lambda one: one[:2]):
            if what == "reopen":
                self.ledger.reopen(self._time(instant))
            elif what == "skip":
                self._skip(instant, skipped[index])
            elif what == "send":
                self._send(instant, index, self._found.copies[index])
            else:
                self._arrive(instant, index, self._found.copies[index])
        self._complain_of_silence()

    def _skip(self, instant: Instant, gap: Skipped) -> None:
        """Packets that were left out: whoever sent text in them stands where they end."""
        for side in (0, 1):
            own, other = self.ledger.ends[side], self.ledger.ends[1 - side]
            to = gap.standing[side]
            if to is None or own.fin_sent or to <= own.nxt:
                continue
            sender = own._replace(una=to, nxt=to, sent=to - 1)
            receiver = other._replace(rcv=to)
            self._held[1 - side].clear()
            self._due[1 - side].clear()
            words = f"sends {gap.octets[side]:,} octets in {gap.packets:,} packets, both ends' counted, not shown here"
            self.ledger.change(1 - side, receiver)
            self.ledger.write(self._time(instant), side, words, Outcome(sender, rules=("send",)))

    # --- what arrives -----------------------------------------------------------------------------------------------

    def _arrive(self, instant: Instant, index: int, copy: CapturedCopy) -> None:
        side, segment = 1 - copy.seen.sender, copy.seen.segment
        if index not in self._messages or self._messages[index].lost:
            return
        if self.ledger.reopened:
            self._intrude(instant, side, copy, self._messages[index])
            return
        block = self.ledger.ends[side]
        behaviour = self._behaviour(side, instant, segment)
        if self._has_forgotten(side, instant, segment):
            self._forget(side, instant)
            block = self.ledger.ends[side]
        outcome = arrives(block, segment, behaviour, self._windows[side])
        outcome = self._with_held(side, segment, outcome, behaviour)
        met = self._meeting(side, block, instant, segment)
        if met is not None:
            self.met.append(met)
        self._due[side].extend(_Due(reply, instant, segment, met) for reply in outcome.replies)
        self.ledger.flying.pop(index, None)
        words, frames = self._receiving(instant, copy), (instant[1] if self._found.near else copy.seen.frame,)
        self.ledger.write(self._time(instant), side, words, outcome, received=self._messages[index], frames=frames)
        if block.state is not State.TIME_WAIT and outcome.block.state is State.TIME_WAIT:
            self._entered[side] = self._time(instant)

    def _receiving(self, instant: Instant, copy: CapturedCopy) -> str:
        age = f" ({rounded(self._time(instant) - self._time(copy.sent))} old)" if self._found.near else ""
        return f"receives {copy.seen.segment}{age}"

    def _intrude(self, instant: Instant, side: int, copy: CapturedCopy, message: Packet) -> None:
        """A copy arrives when the next connection is open already."""
        text = f"gets {copy.seen.segment} of the connection that is over, in the next one on the same addresses and ports"
        now = self._time(instant)
        self.remarks.append(Remark(now, ENDS[side], text, "RFC 9293 3.4.3", Weight.INTRUDES))
        self.ledger.intrude(now, side, self._receiving(instant, copy), message, instant[1])

    def _with_held(self, side: int, segment: Segment, outcome: Outcome, behaviour: Behaviour) -> Outcome:
        """Text and FINs that came too early are kept, as real ends do, until what is before them has arrived."""
        held = self._held[side]
        if segment.span and not segment.syn and segment.seq > outcome.block.rcv:
            held.append(segment)
        progress = True
        while progress:
            progress = False
            for one in held:
                if one.end <= outcome.block.rcv or one.seq <= outcome.block.rcv:
                    held.remove(one)
                    if one.end > outcome.block.rcv:
                        later = arrives(outcome.block, one, behaviour)
                        outcome = outcome._replace(replies=()).then(later)
                    progress = True
                    break
        return outcome

    def _behaviour(self, side: int, instant: Instant, segment: Segment) -> Behaviour:
        """What an end does, corrected by what it is seen to do next where that is for it to choose."""
        behaviour, block = self._configuration.behaviour, self.ledger.ends[side]
        answer = self._next_sent(side, instant)
        if segment.rst and block.state is State.TIME_WAIT:
            ended = None if answer is None or answer.syn else answer.rst
            self.shots.append(ResetArrival(ENDS[side], self._time(instant), segment.seq == block.rcv, ended))
            if ended is not None:
                return replace(behaviour, reset=ResetRule.ANY if ended else ResetRule.IGNORE)
        if segment.length and block.state in (State.FIN_WAIT_1, State.FIN_WAIT_2):
            refused = answer is not None and answer.rst
            return replace(behaviour, late_data_reset=refused, abandons=refused)
        return behaviour

    def _next_sent(self, side: int, instant: Instant) -> Segment | None:
        sent = self._sent[side]
        index = bisect_right(sent, instant, key=lambda one: one[0])
        return sent[index][1] if index < len(sent) else None

    def _has_forgotten(self, side: int, instant: Instant, segment: Segment) -> bool:
        """Whether an end answers as one that knows of no such connection, where it should still know."""
        block, answer = self.ledger.ends[side], self._next_sent(side, instant)
        waits = block.state is State.TIME_WAIT or (block.state is State.FIN_WAIT_2 and not segment.length)
        as_closed = answer is not None and answer.rst and answer.seq == (segment.ack or 0)
        return waits and as_closed and not segment.rst

    def _forget(self, side: int, instant: Instant) -> None:
        block, now = self.ledger.ends[side], self._time(instant)
        timer = Timer.TIME_WAIT if block.state is State.TIME_WAIT else Timer.FIN_WAIT_2
        since = self.ledger.since(side, timer)
        waited = now - (now if since is None else since)
        self.gone.append(StateLeft(ENDS[side], str(block.state), waited))
        if timer is Timer.TIME_WAIT and waited < 2 * self._configuration.msl:
            text = f"had left TIME_WAIT after {rounded(waited)}, and 2 MSL are {rounded(2 * self._configuration.msl)}"
            self.remarks.append(Remark(now, ENDS[side], text, "RFC 9293 3.6.1 MUST-13"))
        outcome = timer_fires(block, timer, self._configuration.behaviour)
        self.ledger.write(now, side, f"has left {block.state}, within {rounded(waited)} at most", outcome)

    def _meeting(self, side: int, block: Block, instant: Instant, segment: Segment) -> TimeWaitArrival | None:
        if side not in self._entered or segment.rst or block.state not in (State.TIME_WAIT, State.CLOSED):
            return None
        inside = block.state is State.TIME_WAIT and segment.seq == block.rcv and not segment.span
        otherwise = Arrival.ACK if inside else Arrival.UNACCEPTABLE
        arrival = Arrival.SYN if segment.syn else Arrival.FIN if segment.fin else otherwise
        now = self._time(instant)
        return TimeWaitArrival(
            ENDS[side], now, now - self._entered[side], now - self._spoke.get(side, self._entered[side]), arrival
        )

    # --- what is sent -----------------------------------------------------------------------------------------------

    def _send(self, instant: Instant, index: int, copy: CapturedCopy) -> None:
        side, segment, now = copy.seen.sender, copy.seen.segment, self._time(instant)
        if copy.seen.window is not None and not segment.syn:
            self._windows[side] = copy.seen.window
        due = self._due[side]
        earlier = self._transmissions.setdefault((side, segment.end), []) if segment.span and not segment.rst else []
        gap = now - earlier[-1] if earlier else None
        said = explain_segment(self.ledger.ends[side], segment, [one.segment for one in due], self._configuration.behaviour, gap)
        if gap is not None and said.kind == "timer":
            alone = self.ledger.ends[side].una == segment.seq
            self.agains.append(Retransmission(ENDS[side], now, gap, len(earlier), segment.fin, alone))
        earlier.append(now)
        self.remarks += [Remark(now, ENDS[side], *fault) for fault in said.faults]
        if copy.seen.frame == UNSEEN:
            text = "had sent a FIN that is not in the capture, as its acknowledgement shows"
            self.remarks.append(Remark(now, ENDS[side], text, "", Weight.UNSEEN))
        self._see_unseen(side, segment)
        message = self._message(index, copy, lost=copy.lost or self._disregarded(copy))
        self._messages[index] = message
        if not message.lost:
            self.ledger.flying[index] = message
        settled = self._settle(side, segment)
        if segment.ack is not None:
            self._spoke[side] = now
        if said.kind == "answer" and self.ledger.add_answer(now, side, message, copy.seen.frame):
            return
        words = said.words
        if said.kind == "answer" and settled:
            took = now - self._time(settled[0].since)
            words += f" after {rounded(took)}"
            self._complain_of_delay(side, now, took, settled[0].to)
        self.ledger.write(now, side, words, said.outcome, (message,), frames=(copy.seen.frame,))

    def _see_unseen(self, side: int, segment: Segment) -> None:
        """Octets that the capture lacks, as a segment shows: they were sent, and arrived."""
        own, other = self.ledger.ends[side], self.ledger.ends[1 - side]
        if segment.span and not segment.syn and segment.seq > own.nxt and own.state is not State.CLOSED:
            self.ledger.change(1 - side, other._replace(rcv=max(other.rcv, segment.seq)))
        if segment.ack is not None and segment.ack > other.nxt and not other.fin_sent and other.state is not State.CLOSED:
            self.ledger.change(1 - side, other._replace(nxt=segment.ack, sent=segment.ack - 1))

    def _disregarded(self, copy: CapturedCopy) -> bool:
        """Whether a RST that ought to end the other side's connection did not: by a capture at one place, it did not arrive."""
        side, segment = 1 - copy.seen.sender, copy.seen.segment
        if not segment.rst or self.ledger.ends[side].state in (State.TIME_WAIT, State.CLOSED) or not copy.arrivals:
            return False
        outcome = arrives(self.ledger.ends[side], segment, self._configuration.behaviour, self._windows[side])
        answer = self._next_sent(side, copy.arrivals[0])
        goes_on = outcome.block.state is State.CLOSED and answer is not None and not answer.rst and not answer.syn
        if goes_on and self._found.near:
            text = f"goes on in {self.ledger.ends[side].state} after a RST with just the number it expected"
            section = RULES["reset.accepted"].section
            self.remarks.append(Remark(self._time(copy.arrivals[0]), ENDS[side], text, section))
        return goes_on

    def _settle(self, side: int, segment: Segment) -> list[_Due]:
        """The answers that a segment gives."""
        due = self._due[side]
        settled = [one for one in due if _settles(segment, one.segment)]
        for one in settled:
            due.remove(one)
            if one.met is not None:
                one.met.answer = TimeWaitAnswer.RST if segment.rst else TimeWaitAnswer.ACK
        return settled

    def _complain_of_delay(self, side: int, now: Fraction, took: Fraction, to: Segment) -> None:
        if took * NANOSECONDS >= PROMPT and to.span and (self._found.near or self._beside == ENDS[side]):
            text = f"lets {rounded(took)} pass before it answers {to}; half a second is the most that is allowed"
            self.remarks.append(Remark(now, ENDS[side], text, "RFC 9293 3.8.6.3 MUST-40"))

    def _complain_of_silence(self) -> None:
        """Answers that never came, though there was time for them."""
        last = max((copy.sent[0] for copy in self._found.copies), default=0)
        for side in (0, 1):
            for one in self._due[side]:
                if last - one.since[0] < PROMPT:
                    continue
                rule = "closed.answer" if one.segment.rst else "sequence.unacceptable"
                text = f"gives no answer to {one.to}, as far as the capture shows"
                weight = Weight.DEVIATES if self._found.near else Weight.UNSEEN
                self.remarks.append(Remark(self._time(one.since), ENDS[side], text, RULES[rule].section, weight))

    # --- small things -----------------------------------------------------------------------------------------------

    def _time(self, instant: Instant) -> Fraction:
        return Fraction(instant[0] - self._start, NANOSECONDS)

    def _message(self, index: int, copy: CapturedCopy, *, lost: bool) -> Packet:
        sender, segment, now = copy.seen.sender, copy.seen.segment, self._time(copy.sent)
        expires = now + self._configuration.msl
        return Packet(index + 1, ENDS[sender], ENDS[1 - sender], str(segment), segment.fields, now, expires, lost)


def _settles(segment: Segment, due: Segment) -> bool:
    if segment.rst or due.rst:
        return segment.rst and due.rst
    return segment.ack is not None and due.ack is not None and segment.ack >= due.ack
