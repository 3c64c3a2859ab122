"""The trace of a captured connection while it is being written: both control blocks, the timers, what is in flight."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from timewait.checker.trace import Step, Trace, Value
from timewait.narration.story import CAPTURE
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.endpoint import RULES, Effect, Outcome, Timer, running
from timewait.spec.exchange import ENDS, EndPair, violations
from timewait.spec.reference import INCARNATION_RULES
from timewait.spec.state import ESTABLISHED, Block
from timewait.vocabulary.replay import Event, Packet, RunningTimer

NEW = "new incarnation"
"""In place of a state, once the same addresses and ports were opened again."""


class TraceWriter:
    """Both ends as they stand, and the steps that led there.

    Parameters
    ----------
    configuration : Configuration
        The lengths of the timers, and what both ends do where stacks differ.
    standing : tuple of int
        The next octet of either end at the start.
    """

    def __init__(self, configuration: Configuration, standing: tuple[int, int]) -> None:
        self.ends: EndPair = (_open(standing[0], standing[1]), _open(standing[1], standing[0]))
        self.frames: list[tuple[int, ...]] = []
        self.flying: dict[int, Packet] = {}
        self.reopened = False
        self._configuration = configuration
        self._steps: list[Step] = []
        self._started: dict[tuple[str, Timer], Fraction] = {}
        self._initial = self._state()

    def change(self, side: int, block: Block) -> None:
        """Another control block for one end, without a step: what the capture lacks happened meanwhile."""
        self.ends = (block, self.ends[1]) if side == 0 else (self.ends[0], block)

    def since(self, side: int, timer: Timer) -> Fraction | None:
        """When a timer started, in seconds since the start of the trace; None if it does not run."""
        return self._started.get((ENDS[side], timer))

    def write(
        self,
        now: Fraction,
        side: int,
        words: str,
        outcome: Outcome,
        sent: tuple[Packet, ...] = (),
        received: Packet | None = None,
        frames: tuple[int, ...] = (),
    ) -> None:
        """Store a new block, restart timers, and write a step."""
        old = self.ends
        self.change(side, outcome.block)
        self._run_timers(now, side, outcome)
        # A user who drops a connection may do so; what a RST does to the other end is another matter.
        grave = outcome.effects & {Effect.RESET, Effect.ASSASSINATED}
        faults = violations(old, self.ends, side, outcome) if grave else {}
        rules = tuple((rule, RULES[rule].section, RULES[rule].text) for rule in outcome.rules)
        event = Event(ENDS[side], words, received, sent, rules, tuple(faults.items()))
        self._append(now, event, frames)

    def reopen(self, now: Fraction) -> None:
        """The same addresses and ports are opened again: from here on there is a new incarnation."""
        self.reopened = True
        rule = "incarnation.reopen"
        event = Event("users", "open the same addresses and ports again", rules=((rule, *INCARNATION_RULES[rule]),))
        self._append(now, event, ())

    def intrude(self, now: Fraction, side: int, words: str, message: Packet, frame: int) -> None:
        """An old copy arrives in the new incarnation."""
        rule = "incarnation.intrusion"
        why = f"{message.sender}'s old {message.text} reached {ENDS[side]} in the new incarnation"
        breaks = (("isolation", why),)
        rules = ((rule, *INCARNATION_RULES[rule]),)
        self._append(now, Event(ENDS[side], f"{words} in the next incarnation", message, (), rules, breaks), (frame,))

    def _append(self, now: Fraction, event: Event, frames: tuple[int, ...]) -> None:
        before, earlier = self._before(len(self._steps))
        self._steps.append(self._step(len(self._steps) + 1, now, now - earlier, event, before))
        self.frames.append(frames)

    def add_answer(self, now: Fraction, side: int, message: Packet, frame: int) -> bool:
        """Put an answer into the step of what it answers, if that was the last one, by the same end, at the same time."""
        last = self._steps[-1] if self._steps else None
        if last is None or last.time != now or last.event.actor != ENDS[side] or last.event.received is None:
            return False
        event = replace(last.event, sent=(*last.event.sent, message))
        before, _ = self._before(len(self._steps) - 1)
        self._steps[-1] = self._step(last.number, now, last.delay, event, before)
        self.frames[-1] += (frame,)
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

    def _before(self, done: int) -> tuple[Mapping[str, Value], Fraction]:
        """The state and the time after so many steps."""
        return (self._steps[done - 1].state, self._steps[done - 1].time) if done else (self._initial, Fraction(0))

    def _step(self, number: int, now: Fraction, delay: Fraction, event: Event, before: Mapping[str, Value]) -> Step:
        after = self._state()
        changed = {name: (before[name], after[name]) for name in after if before[name] != after[name]}
        flying = tuple(one for one in self.flying.values() if one.expires >= now)
        return Step(number, now, delay, event, changed, after, flying, self._timers())

    def _state(self) -> dict[str, Value]:
        shown: dict[str, Value] = {}
        for end, block in zip(ENDS, self.ends, strict=True):
            shown[f"{end}.state"] = NEW if self.reopened else str(block.state)
            shown |= {f"{end}.una": block.una, f"{end}.nxt": block.nxt, f"{end}.rcv": block.rcv}
            for timer in Timer:
                since = self._started.get((end, timer))
                shown[f"{end}.{timer}"] = "off" if since is None or self.reopened else f"since {format_duration(since)}"
        shown["in flight"] = "; ".join(
            f"{one.sender}: {one.text} sent {format_duration(one.sent)}" for one in self.flying.values()
        )
        return shown

    def _timers(self) -> tuple[RunningTimer, ...]:
        """The waits that run; when a retransmission is due only its sender knows."""
        if self.reopened:
            return ()
        lengths = {Timer.TIME_WAIT: self._configuration.time_wait, Timer.FIN_WAIT_2: self._configuration.fin_wait_2}
        return tuple(
            RunningTimer(timer.value, end, since, lengths[timer], True)
            for (end, timer), since in sorted(self._started.items())
            if timer in lengths
        )


def _open(own: int, other: int) -> Block:
    return ESTABLISHED._replace(una=own, nxt=own, rcv=other, sent=own - 1)
