"""The trace of a captured connection under construction: both control blocks, the timers, and the packets in flight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from timewait.checker.trace import Step, Trace, VariableValue
from timewait.narration.story import CAPTURE
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.endpoint import running
from timewait.spec.exchange import ENDS, EndPair, violations
from timewait.spec.incarnation import INCARNATION_RULES, harm_in_words, harm_of, harm_rule
from timewait.spec.outcome import Effect, Outcome, Timer
from timewait.spec.reference import COMMON_TIMERS
from timewait.spec.rules import RULES
from timewait.spec.segment import Segment
from timewait.spec.state import ESTABLISHED, Block
from timewait.vocabulary.replay import Event, Packet, RunningTimer

NEW_INCARNATION = "new incarnation"
"""The value of ``A.state`` and ``B.state`` after the ports were reused."""


class TraceWriter:
    """The current state of both ends, and the steps that led to it.

    Parameters
    ----------
    configuration : Configuration
        The lengths of the timers and the settings of both ends.
    next_seq : (int, int)
        The next sequence number of each end at the start.
    received : (int, int)
        For each end the number up to which the other end had received everything.

    Attributes
    ----------
    ends : EndPair
        Both control blocks.
    in_flight : dict
        The packets in flight, by the index of their copy.
    reopened : bool
        Whether the next incarnation was opened.
    frame : int
        The frame that shows the next step; 0 where none does.
    """

    def __init__(self, configuration: Configuration, next_seq: tuple[int, int], received: tuple[int, int]) -> None:
        first, second = received
        self.ends: EndPair = (_established(next_seq[0], first, second), _established(next_seq[1], second, first))
        self.in_flight: dict[int, Packet] = {}
        self.reopened = False
        self.frame = 0
        self._configuration = configuration
        self._steps: list[Step] = []
        self._started: dict[tuple[str, Timer], Fraction] = {}
        self._entered: list[Fraction | None] = [None, None]
        self._initial = self._state()

    def set_block(self, side: int, block: Block) -> None:
        """Replace the control block of one end without a step, for what the capture lacks."""
        self.ends = (block, self.ends[1]) if side == 0 else (self.ends[0], block)

    def entered(self, side: int) -> Fraction | None:
        """When an end entered its present state, in seconds since the start of the trace; None for that of the start."""
        return self._entered[side]

    def add_step(
        self,
        now: Fraction,
        side: int,
        text: str,
        outcome: Outcome,
        sent: tuple[Packet, ...] = (),
        received: Packet | None = None,
    ) -> None:
        """Store the new control block, restart timers, and append a step."""
        old = self.ends
        if outcome.block.state is not old[side].state:
            self._entered[side] = now
        self.set_block(side, outcome.block)
        self._run_timers(now, side, outcome)
        # A user may abort its own end; what breaks a property is the effect of a RST on the other end.
        reset = outcome.effects & {Effect.RESET, Effect.ASSASSINATED}
        broken = violations(old, self.ends, side, outcome) if reset else {}
        rules = tuple((rule, RULES[rule].section, RULES[rule].text) for rule in outcome.rules)
        self._append(now, Event(ENDS[side], text, received, sent, rules, tuple(broken.items())))

    def reopen(self, now: Fraction) -> None:
        """Append the opening of the next incarnation on the same addresses and ports."""
        self.reopened = True
        rule = "incarnation.reopen"
        self._append(now, Event("users", "open the same addresses and ports again", rules=((rule, *INCARNATION_RULES[rule]),)))

    def accept_old_duplicate(self, now: Fraction, side: int, text: str, packet: Packet, segment: Segment) -> None:
        """Append the arrival of an old duplicate in the next incarnation, with the harm of its kind."""
        harm = harm_of(segment)
        breaks = harm_in_words(harm, packet.sender, ENDS[side], packet.text)
        self._append(now, Event(ENDS[side], f"{text} in the next incarnation", packet, (), (harm_rule(harm),), breaks))

    def add_answer(self, now: Fraction, side: int, packet: Packet) -> bool:
        """Put an answer into the last step if that was an arrival at the same end and time; returns whether it was."""
        last = self._steps[-1] if self._steps else None
        if last is None or last.time != now or last.event.actor != ENDS[side] or last.event.received is None:
            return False
        self._steps.pop()
        self._append(now, replace(last.event, sent=(*last.event.sent, packet)))
        return True

    def trace(self, about: Mapping[str, Any]) -> Trace:
        """The steps as a trace."""
        return Trace(CAPTURE, "how a captured connection closed", self._initial, tuple(self._steps), about)

    def _run_timers(self, now: Fraction, side: int, outcome: Outcome) -> None:
        run = running(outcome.block, self._configuration.behaviour)
        for timer in Timer:
            key = (ENDS[side], timer)
            if timer not in run:
                self._started.pop(key, None)
            elif timer in outcome.started or key not in self._started:
                self._started[key] = now

    def _append(self, now: Fraction, event: Event) -> None:
        last = self._steps[-1] if self._steps else None
        before, earlier = (self._initial, Fraction(0)) if last is None else (last.state, last.time)
        after = self._state()
        changed = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
        in_flight = tuple(packet for packet in self.in_flight.values() if packet.expires >= now)
        if self.frame and self.frame not in event.frames:
            event = replace(event, frames=(*event.frames, self.frame))
        self._steps.append(Step(len(self._steps) + 1, now, now - earlier, event, changed, after, in_flight, self._timers()))

    def _state(self) -> dict[str, VariableValue]:
        values: dict[str, VariableValue] = {}
        for end, block in zip(ENDS, self.ends, strict=True):
            values[f"{end}.state"] = NEW_INCARNATION if self.reopened else str(block.state)
            values |= {f"{end}.una": block.una, f"{end}.nxt": block.nxt, f"{end}.rcv": block.rcv}
            for timer in COMMON_TIMERS:
                since = self._started.get((end, timer))
                values[f"{end}.{timer}"] = "off" if since is None or self.reopened else f"since {format_duration(since)}"
        values["in flight"] = "; ".join(
            f"{packet.sender}: {packet.text} sent {format_duration(packet.sent)}" for packet in self.in_flight.values()
        )
        return values

    def _timers(self) -> tuple[RunningTimer, ...]:
        """The running timers, except for retransmission timers, whose length only their owner knows."""
        if self.reopened:
            return ()
        lengths = {Timer.TIME_WAIT: self._configuration.time_wait, Timer.FIN_WAIT_2: self._configuration.fin_wait_2}
        return tuple(
            RunningTimer(timer.value, end, since, lengths[timer], True)
            for (end, timer), since in sorted(self._started.items())
            if timer in lengths
        )


def _established(own: int, taken: int, other: int) -> Block:
    """The control block of an end that has sent up to `own`, of which `taken` was received, and received up to `other`."""
    return ESTABLISHED._replace(una=taken, nxt=own, rcv=other, sent=own - 1)
