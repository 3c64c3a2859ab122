"""The steps of a trace, one after the other, on two kernels."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass, field

from timewait.checker.trace import Step, Trace
from timewait.laboratory.isolation import isolated
from timewait.laboratory.kernel_pair import KernelPair, NoSuchPacket
from timewait.laboratory.packets import CarriedPacket
from timewait.laboratory.replaying.capture import captured
from timewait.laboratory.replaying.ends import KernelEnds, connection
from timewait.laboratory.replaying.explanation import settings_that_explain
from timewait.laboratory.replaying.kernel_settings import KernelScript, apply_settings, script_of
from timewait.laboratory.replaying.next_incarnation import meet_old_segment
from timewait.laboratory.replaying.outcome import CarriedStep, NotReplayable, Refuted, ReplayOutcome, ReplayVerdict
from timewait.spec.outcome import Call, Timer
from timewait.spec.state import State
from timewait.spec.trace_actions import segment_of
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import Packet

PROMPT, DELAYED, RETRANSMITTED, GIVEN_UP = 0.5, 0.06, 5.0, 10.0
"""Seconds within which come: an answer, an acknowledgement that may be delayed, a retransmission, the end of a connection
whose packets nobody acknowledges."""

MOVED = 0.03
"""Seconds by which a restart moves the end of TIME-WAIT at least; between two looks the timer runs on for longer."""
PAUSE = 0.06


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

    def outcome(self) -> ReplayOutcome:
        """Carry out every step."""
        verdict, number, reason = ReplayVerdict.CONFIRMED, None, ""
        try:
            self.ends.open()
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
        before = self._time_wait_left(step, action)
        match action.kind:
            case "call":
                users = self.script.behaviour
                call = Call(str(action.subject))
                self.ends.call(action.actor, call, abandons=users.abandons, aborts=users.linger_zero)
            case "deliver":
                self._deliver(step)
            case "timer":
                self._expire(step, action)
            case "reopen":
                self._reopen()
                return
        sent = self._expected(step, action)
        self._compare_states(step)
        self._compare_restart(step, action, before)
        self.carried.append(CarriedStep(step.number, sent, self.ends.states()))

    # --- events ---------------------------------------------------------------------------------------------------------

    def _deliver(self, step: Step) -> None:
        packet = step.event.received
        assert packet is not None, "a delivery names its packet"
        if packet.number not in self.copies:
            raise NotReplayable(f"packet {packet.number}, {packet.text}, was not seen before")
        self.pair.deliver(self.copies[packet.number])
        self.ends.receive(step.event.actor)

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

    def _expected(self, step: Step, action: Action) -> str:
        """Read the packets that a step sends, and nothing else; give each the number of its copy."""
        retransmits = action.kind == "timer" and action.subject == Timer.RETRANSMISSION
        for packet in step.event.sent:
            found = self._find(packet, RETRANSMITTED if retransmits else PROMPT, retransmits)
            self.copies[packet.number] = found
            if packet.lost:
                self.pair.drop(found)
        brings = step.event.received is not None and {"len", "fin"} & {n for n, v in step.event.received.fields if v}
        self._nothing_more(DELAYED if brings and not step.event.sent else 0.0)
        return ", ".join(packet.text for packet in step.event.sent)

    def _find(self, packet: Packet, patience: float, retransmits: bool) -> CarriedPacket:
        """The kernel's packet for a packet of the trace; retransmissions before their time are put aside."""
        wanted = segment_of(packet.fields)
        if retransmits:
            for held in self.put_aside:
                if held.sender == packet.sender and held.segment == wanted:
                    self.put_aside.remove(held)
                    return held
        end = time.monotonic() + patience
        while (left := end - time.monotonic()) > 0:
            try:
                found = self.pair.expect(lambda carried: carried.sender == packet.sender, left)
            except NoSuchPacket:
                break
            if found.segment == wanted or (wanted.rst and found.segment.rst and found.segment.seq == wanted.seq):
                return found
            if self._is_retransmission(found):
                self.put_aside.append(found)
                continue
            raise Refuted(f"{packet.sender} sends {found.segment}, not {packet.text}")
        raise Refuted(f"{packet.sender} does not send {packet.text}")

    def _is_retransmission(self, found: CarriedPacket) -> bool:
        """Whether a packet repeats text or a FIN that its sender has sent before."""
        if not found.segment.span:
            return False
        return any(
            copy.sender == found.sender and copy.segment.span and copy.segment.seq >= found.segment.seq
            for copy in self.copies.values()
        )

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
            if name in self.ends.sockets and len(self.ends.read[name]) != read and wanted != "CLOSED":
                raise Refuted(f"the user of {name} has read {len(self.ends.read[name])} octets, not {read}")

    # --- the TIME-WAIT timer --------------------------------------------------------------------------------------------

    def _time_wait_left(self, step: Step, action: Action) -> float | None:
        """Seconds left of the TIME-WAIT of the end that acts, after a pause that makes a restart visible."""
        if step.event.starts is None or action.kind != "deliver" or str(step.state[f"{action.actor}.state"]) != State.TIME_WAIT:
            return None
        record = self.ends.record(action.actor)
        if record is None or record.state is not State.TIME_WAIT:
            return None
        time.sleep(PAUSE)
        record = self.ends.record(action.actor)
        return record.left if record else None

    def _compare_restart(self, step: Step, action: Action, before: float | None) -> None:
        record = self.ends.record(action.actor) if before is not None else None
        if before is None or record is None:
            return
        restarted = record.left > before + MOVED
        wanted = Timer.TIME_WAIT in (step.event.starts or ())
        if restarted != wanted:
            did = "restarts" if restarted else "does not restart"
            raise Refuted(f"{action.actor} {did} its TIME-WAIT timer")
