"""The steps of a trace, one after the other, on two kernels."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from timewait.checker.trace import Step, Trace
from timewait.laboratory.isolation import isolated
from timewait.laboratory.kernel_pair import KernelPair, NoSuchPacket
from timewait.laboratory.packets import CarriedPacket, Numbering
from timewait.laboratory.replaying.capture import captured
from timewait.laboratory.replaying.ends import NEW, OLD, KernelEnds, connection, other
from timewait.laboratory.replaying.explanation import settings_that_explain
from timewait.laboratory.replaying.half_open import BEFORE, counting, numbers_before, old_syn, opened_by, opens_half
from timewait.laboratory.replaying.kernel_settings import KernelScript, apply_settings, script_of
from timewait.laboratory.replaying.next_incarnation import effect_of, meet_old_segment
from timewait.laboratory.replaying.outcome import CarriedStep, NotReplayable, Refuted, ReplayOutcome, ReplayVerdict
from timewait.laboratory.replaying.reopening_plan import Meeting, ReopeningPlan, check_syn, counts_as, moved_back, placed
from timewait.spec.incarnation import FAR, HARMS
from timewait.spec.old_syn import at_start
from timewait.spec.outcome import Call, Timer
from timewait.spec.segment import Segment
from timewait.spec.sequence_numbers import difference, wrapped
from timewait.spec.state import State
from timewait.spec.trace_actions import segment_of
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Packet

PROMPT, DELAYED, RETRANSMITTED, GIVEN_UP = 0.5, 0.06, 5.0, 10.0
"""Seconds within which come: an answer, an acknowledgement that may be delayed, a retransmission, the end of a connection
whose packets nobody acknowledges."""

PAUSE, MOVED = 0.06, 0.03
"""Seconds before a segment that may restart TIME-WAIT, and by which a restart then moves the end of TIME-WAIT at least."""
LOOKS, PROMPT_LOOK = 20, 0.01
"""Looks at a timer at most, and the seconds that one takes which nothing interrupts."""
NEWER = 0.005
"""Seconds after which a timestamp is newer than the last one by more than PAWS tolerates: one unit, of a millisecond."""


def replay_on_kernel(trace: Trace) -> ReplayOutcome:
    """Carry a trace out on the kernel of this machine, in the laboratory.

    Parameters
    ----------
    trace : Trace
        A trace of `check`, `prove` or `run`.

    Raises
    ------
    LaboratoryUnavailable
        This machine cannot run the laboratory.
    """
    try:
        script = script_of(trace)
    except NotReplayable as problem:
        return ReplayOutcome(ReplayVerdict.NOT_REPLAYABLE, None, str(problem))
    (outcome,) = isolated(_carried_out, script)
    if outcome.verdict is not ReplayVerdict.REFUTED or outcome.step is None:
        return outcome
    names = settings_that_explain(script, outcome.step)
    if not names:
        return outcome
    reason = f"{outcome.reason}; the trace has another {', '.join(names)} than Linux"
    return outcome._replace(verdict=ReplayVerdict.OTHER_SETTINGS, reason=reason)


class ArrivedPacket(NamedTuple):
    """A packet that has arrived.

    Attributes
    ----------
    met, arrived : CarriedPacket
        The packet, as it was sent and as it arrived.
    numbers : Numbering
        The ISNs of an answer that belongs to no connection of the receiver.
    """

    met: CarriedPacket
    arrived: CarriedPacket
    numbers: Numbering


def _carried_out(script: KernelScript) -> Generator[ReplayOutcome]:
    with KernelPair() as pair:
        apply_settings(pair, script)
        yield _Replayer(script, pair, KernelEnds(pair)).outcome()


@dataclass(slots=True)
class _Replayer:
    script: KernelScript
    pair: KernelPair
    ends: KernelEnds
    copies: dict[int, CarriedPacket] = field(default_factory=dict)
    put_aside: list[CarriedPacket] = field(default_factory=list)
    carried: list[CarriedStep] = field(default_factory=list)
    effects: list[str] = field(default_factory=list)
    reopened: bool = False
    numbers: dict[int, Numbering] = field(default_factory=dict)

    def outcome(self) -> ReplayOutcome:
        """Carry out every step."""
        verdict, number, reason = ReplayVerdict.CONFIRMED, None, ""
        try:
            self.ends.open()
            self.numbers = {0: Numbering(dict(self.pair.numbering.initial))}
            self._put_old_syn_in_flight()
            if self.script.core:
                self._lead_to_core()
            for step, action in zip(self.script.trace.steps, self.script.actions, strict=True):
                number = step.number
                self._step(step, action)
            number = None
        except Refuted as problem:
            verdict, reason = ReplayVerdict.REFUTED, str(problem)
        except (NotReplayable, OSError) as problem:
            verdict, reason = ReplayVerdict.NOT_REPLAYABLE, str(problem)
        aids = tuple(self.pair.aids)
        capture = captured(self.pair.events, self.script.trace.shows)
        return ReplayOutcome(
            verdict, number, reason, tuple(self.carried), tuple(self.effects), aids, len(self.put_aside), capture
        )

    def _put_old_syn_in_flight(self) -> None:
        """Make the SYN of an incarnation before, which is in flight at the start; noted among the aids."""
        for number, packet in enumerate(at_start(self.script.configuration), 1):
            self.numbers[BEFORE] = numbers_before(packet.sender, self.numbers[0])
            self.copies[number] = old_syn(packet.sender, self.numbers[BEFORE], self.pair.events)
            self.pair.hosts[packet.sender].aids.append(
                f"{packet.sender}: an old {packet.segment} of an incarnation before the trace is made and injected"
            )

    def _lead_to_core(self) -> None:
        """Half of the close, in order: A in FIN-WAIT-2, B in CLOSE-WAIT."""
        self.ends.call("A", Call.CLOSE, abandons=self.script.behaviour.abandons)
        self.pair.carry(2 * DELAYED)
        if self.ends.states() != (State.FIN_WAIT_2, State.CLOSE_WAIT):
            raise NotReplayable(f"the close does not reach its last exchange: {self.ends.states()}")

    def _step(self, step: Step, action: Action | None) -> None:
        if action is None:
            return
        if self.reopened:
            self._old_arrival(step)
            return
        before = self._time_wait_end(step, action)
        arrival: ArrivedPacket | None = None
        match action.kind:
            case "call":
                self._call(step, action)
            case "deliver":
                arrival = self._deliver(step)
            case "timer":
                self._expire(step, action)
            case "crash":
                self._begin_next_incarnation()
                self.ends.crash(action.actor)
            case "reopen":
                self._reopen()
                return
        sent = self._expected(step, action, arrival)
        self._compare_states(step)
        self._compare_restart(step, action, before)
        self._describe_harm(step)
        self.carried.append(CarriedStep(step.number, sent, self.ends.states()))

    # --- events ---------------------------------------------------------------------------------------------------------

    def _call(self, step: Step, action: Action) -> None:
        call, name, users = Call(str(action.subject)), action.actor, self.script.behaviour
        if call is Call.OPEN_ACTIVE:
            self._begin_next_incarnation()
            self.ends.open_actively(name, self._chosen_isn(name))
        elif call is Call.OPEN_PASSIVE:
            self._begin_next_incarnation()
            self.ends.listen(name)
        else:
            self.ends.text = NEW if self._incarnation(step) else OLD
            self.ends.call(name, call, abandons=users.abandons, aborts=users.linger_zero)

    def _begin_next_incarnation(self) -> None:
        """Number the segments of the next incarnation anew; with timestamps, let their clock go on first."""
        if 1 in self.numbers:
            return
        time.sleep(NEWER)
        self.pair.forget_numbers()
        self.numbers[1] = self.pair.numbering

    def _chosen_isn(self, name: str) -> int | None:
        """The ISN that the plan chooses for an end, if any."""
        assert self.script.plan is not None, "only a handshake opens by a call"
        distance = self.script.plan.distances.get(name)
        return None if distance is None else wrapped(self.numbers[0].initial[name] + distance)

    def _deliver(self, step: Step) -> ArrivedPacket | None:
        """Let a packet arrive; returns None where it reaches nobody."""
        packet = step.event.received
        assert packet is not None, "a delivery names its packet"
        if packet.number not in self.copies:
            raise NotReplayable(f"packet {packet.number}, {packet.text}, was not seen before")
        met, plan = self.copies[packet.number], self.script.plan
        if plan is not None and step.number in plan.quiet:
            self.pair.drop(met)
            self.pair.hosts[step.event.actor].aids.append(f"{step.event.actor}: is down after the crash; {packet.text} is lost")
            return None
        arrived = met
        if plan is not None and step.number in plan.meetings:
            arrived = self._placed(met, plan.meetings[step.number], plan)
        if opens_half(step):
            self.ends.serve(step.event.actor)
        self.pair.deliver(arrived)
        self.ends.accept()
        self.ends.receive(step.event.actor)
        return ArrivedPacket(met, arrived, counts_as(arrived, segment_of(packet.fields)))

    def _placed(self, copy: CarriedPacket, meeting: Meeting, plan: ReopeningPlan) -> CarriedPacket:
        """A packet that meets an end of another incarnation, where its numbers lie as the plan says."""
        if meeting.segment.incarnation:
            check_syn(meeting, copy, self.numbers[0].initial)
            if meeting.opens:
                self.ends.listen(meeting.receiver)
                self.pair.hosts[meeting.receiver].aids.append(f"{meeting.receiver}: a listener on the port of the connection")
            return copy
        new = self.numbers[1].initial
        if plan.above and any(difference(isn, self.numbers[0].initial[name]) <= FAR for name, isn in new.items()):
            raise NotReplayable("the kernel's own ISNs do not exceed every old number")
        moved = placed(copy, meeting, new)
        if moved is not copy:
            self.pair.hosts[meeting.receiver].aids.append(
                f"{meeting.receiver}: the numbers of {meeting.sender}'s old {meeting.segment} were moved on the way,"
                " as if the ISNs differed"
            )
        return moved

    def _expire(self, step: Step, action: Action) -> None:
        """Let a timer expire: TIME-WAIT and FIN-WAIT-2 are cut short, a retransmission is waited for (with its packets)."""
        if action.subject == Timer.RETRANSMISSION:
            if not step.event.sent:
                self._wait_until_given_up(action.actor)
            return
        if not self.pair.hosts[action.actor].cut_timer(*connection(action.actor)):
            raise Refuted(f"{action.actor} has no {action.subject} timer to expire; it is in {self.ends.state(action.actor)}")

    def _wait_until_given_up(self, name: str) -> None:
        """Wait until the kernel gives a connection up after its last retransmission; others are put aside."""
        end = time.monotonic() + GIVEN_UP
        while self.ends.state(name) is not State.CLOSED:
            if time.monotonic() > end:
                raise Refuted(f"{name} does not give up within {GIVEN_UP:g} s")
            self._nothing_more(0.05)

    def _reopen(self) -> None:
        if self.ends.states() != (State.CLOSED, State.CLOSED):
            raise Refuted(f"the connection is not CLOSED at both ends: {', '.join(self.ends.states())}")
        self.reopened = True

    def _old_arrival(self, step: Step) -> None:
        packet = step.event.received
        if packet is None or packet.number not in self.copies:
            raise NotReplayable("the next incarnation meets no packet that was seen before")
        found = meet_old_segment(self.ends, self.copies[packet.number])
        self.effects += found
        self.carried.append(CarriedStep(step.number, "; ".join(found), self.ends.states()))

    # --- what comes of them ---------------------------------------------------------------------------------------------

    def _expected(self, step: Step, action: Action, arrival: ArrivedPacket | None) -> str:
        """Read the packets that a step sends, and nothing else; give each the number of its copy."""
        retransmits = action.kind == "timer" and action.subject == Timer.RETRANSMISSION
        for packet in step.event.sent:
            wanted = segment_of(packet.fields)
            foreign = arrival is not None and wanted.incarnation != self._incarnation(step)
            if opens_half(step):
                self._number_half_open(step, wanted)
            numbers = arrival.numbers if foreign and arrival is not None else self.numbers[counting(wanted)]
            found = self._find(packet, numbers, RETRANSMITTED if retransmits else PROMPT, retransmits)
            if foreign and arrival is not None:
                found = self._moved_back(found, arrival)
            self.copies[packet.number] = replace(found, segment=wanted)
            if packet.lost:
                self.pair.drop(found)
        brings = step.event.received is not None and {"len", "fin"} & {n for n, v in step.event.received.fields if v}
        self._nothing_more(DELAYED if brings and not step.event.sent else 0.0)
        return ", ".join(packet.text for packet in step.event.sent)

    def _moved_back(self, answer: CarriedPacket, arrival: ArrivedPacket) -> CarriedPacket:
        """The RST that answers a packet, with the numbers of the packet as it was sent."""
        found = moved_back(answer, arrival.met, arrival.arrived)
        if found is not answer:
            self.pair.hosts[answer.sender].aids.append(f"{answer.sender}: so were the numbers of its RST that answers it")
        return found

    def _number_half_open(self, step: Step, wanted: Segment) -> None:
        """Learn the ISN of a half-open connection from the answer to the old SYN, if one comes."""
        if wanted.end != step.state[f"{step.event.actor}.nxt"]:
            raise NotReplayable(f"{step.event.actor} would send a SYN whose number is not the one before SND.NXT")
        answer = self.pair.next_packet(PROMPT)
        if answer is not None:
            self.numbers[BEFORE] = opened_by(answer, wanted, self.numbers[BEFORE], self.numbers[0])
            self.pair.put_back(answer)

    def _incarnation(self, step: Step) -> int:
        """The incarnation of the end that acts, after a step."""
        return int(step.state.get(f"{step.event.actor}.incarnation", 0))

    def _find(self, packet: Packet, numbers: Numbering, patience: float, retransmits: bool) -> CarriedPacket:
        """The kernel's packet for a packet of the trace; retransmissions before their time are put aside."""
        wanted = segment_of(packet.fields)
        if retransmits:
            for held in self.put_aside:
                if held.sender == packet.sender and _carries(held, wanted, numbers):
                    self.put_aside.remove(held)
                    return held
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            try:
                found = self.pair.expect(lambda carried: carried.sender == packet.sender, left)
            except NoSuchPacket:
                break
            if _carries(found, wanted, numbers):
                return found
            if self._is_retransmission(found):
                self.put_aside.append(found)
                continue
            raise Refuted(f"{packet.sender} sends {found.segment}, not {packet.text}")
        raise Refuted(f"{packet.sender} does not send {packet.text}")

    def _is_retransmission(self, found: CarriedPacket) -> bool:
        """Whether a packet repeats a SYN, text or a FIN that its sender has sent before."""
        for incarnation, numbers in self.numbers.items():
            segment = _counted(found, numbers)
            if not segment.span:
                return False
            for copy in self.copies.values():
                same = copy.sender == found.sender and counting(copy.segment) == incarnation and copy.segment.span
                if same and copy.segment.seq >= segment.seq >= 0:
                    return True
        return False

    def _nothing_more(self, patience: float) -> None:
        end = time.monotonic() + patience
        while True:
            found = self.pair.next_packet(max(end - time.monotonic(), 0.0))
            if found is None:
                return
            if not self._is_retransmission(found):
                raise Refuted(f"{found.sender} sends {found.segment} besides")
            self.put_aside.append(found)

    def _compare_states(self, step: Step) -> None:
        for name, found in zip("AB", self.ends.states(), strict=True):
            wanted = str(step.state[f"{name}.state"])
            if found != wanted:
                raise Refuted(f"{name} is in {found}, not in {wanted}")
            self.ends.receive(name)
            read = max(int(step.state[f"{name}.rcv"]) - 1 - (wanted in ("CLOSE_WAIT", "CLOSING", "LAST_ACK", "TIME_WAIT")), 0)
            self._compare_outstanding(name, step)
            if name in self.ends.sockets and len(self.ends.read[name]) != read and wanted != "CLOSED":
                raise Refuted(f"the user of {name} has read {len(self.ends.read[name])} octets, not {read}")

    def _compare_outstanding(self, name: str, step: Step) -> None:
        """Compare the unacknowledged octets of an open connection of the next incarnation."""
        record = self.ends.record(name)
        if not step.state.get(f"{name}.incarnation") or record is None or record.state is not State.ESTABLISHED:
            return
        wanted = int(step.state[f"{name}.nxt"]) - int(step.state[f"{name}.una"])
        if record.unacknowledged != wanted:
            raise Refuted(f"{name} has {record.unacknowledged} octets unacknowledged, not {wanted}")

    def _describe_harm(self, step: Step) -> None:
        """Say what the users see where an old segment does harm in the next incarnation."""
        name = step.event.actor
        for harm in (harm for harm, _ in step.event.breaks if harm in HARMS):
            outstanding = int(step.state[f"{name}.nxt"]) - int(step.state[f"{name}.una"])
            self.effects.append(effect_of(self.ends, name, harm, outstanding))

    # --- the TIME-WAIT timer --------------------------------------------------------------------------------------------

    def _time_wait_end(self, step: Step, action: Action) -> float | None:
        """The end of the TIME-WAIT of the end that acts (`_expiry`), after a pause that makes a restart visible."""
        if step.event.starts is None or action.kind != "deliver" or str(step.state[f"{action.actor}.state"]) != State.TIME_WAIT:
            return None
        record = self.ends.record(action.actor)
        if record is None or record.state is not State.TIME_WAIT:
            return None
        time.sleep(PAUSE)
        return self._expiry(action.actor)

    def _expiry(self, name: str) -> float | None:
        """When the timer of an end expires, in seconds of `time.monotonic`; None if it has none.

        A look that the machine interrupts is repeated, so that the answer is exact however busy the machine is.
        """
        found: list[tuple[float, float]] = []
        for _ in range(LOOKS):
            begin = time.monotonic()
            record = self.ends.record(name)
            end = time.monotonic()
            if record is None:
                return None
            found.append((end - begin, begin + record.left))
            if end - begin < PROMPT_LOOK:
                break
        return min(found)[1]

    def _compare_restart(self, step: Step, action: Action, before: float | None) -> None:
        after = self._expiry(action.actor) if before is not None else None
        if before is None or after is None:
            return
        restarted = after > before + MOVED
        wanted = Timer.TIME_WAIT in (step.event.starts or ())
        if restarted != wanted:
            did = "restarts" if restarted else "does not restart"
            raise Refuted(f"{action.actor} {did} its TIME-WAIT timer")


def _counted(packet: CarriedPacket, numbers: Numbering) -> Segment:
    """The segment in a packet, relative to some ISNs; the number of a SYN counts only if that of its sender is known."""
    sender, receiver = packet.sender, other(packet.sender)
    segment = Numbering(dict(numbers.initial)).relative(sender, receiver, packet.decoded)
    known = numbers.initial.get(sender)
    return segment if known is None else segment._replace(seq=difference(packet.decoded.seq, known))


def _carries(packet: CarriedPacket, wanted: Segment, numbers: Numbering) -> bool:
    """Whether a packet carries a segment. Of a RST only its number counts; of one that answers a segment without ACK, its ACK."""
    found = _counted(packet, numbers)
    if not wanted.rst or not found.rst:
        return found == wanted._replace(incarnation=0)
    return found.ack == wanted.ack if wanted.ack is not None else found.seq == wanted.seq
