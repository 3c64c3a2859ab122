"""Findings of engines: a verdict for each property, with a run where there is one; and the budget of a search."""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from fractions import Fraction

from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Action


@dataclass(frozen=True, slots=True)
class Move:
    """Wait, then act.

    Attributes
    ----------
    delay : Fraction
        Seconds since the move before.
    action : Action or None
        The action; None for a mere delay at the end of a lasso.
    """

    delay: Fraction
    action: Action | None


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a system: moves from the initial location.

    Attributes
    ----------
    moves : tuple of Move
        The moves, in order.
    loop : int or None
        For a run without end: the number of the move from which the rest repeats for ever.
    """

    moves: tuple[Move, ...]
    loop: int | None = None

    @property
    def actions(self) -> list[Action]:
        """The actions in order, those of the loop once."""
        return [move.action for move in self.moves if move.action is not None]


@dataclass(frozen=True, slots=True)
class Finding:
    """The finding of one engine about one property.

    Attributes
    ----------
    name : str
        The property.
    verdict : Verdict
        The verdict.
    engine : str
        The label of the engine.
    run : Run or None
        The run that violates the property.
    reason : str
        The reason of every verdict but a plain proof or violation.
    states : int
        States, zones or locations covered.
    seconds : float
        Time spent.
    """

    name: str
    verdict: Verdict
    engine: str
    run: Run | None = None
    reason: str = ""
    states: int = 0
    seconds: float = 0.0

    def but(self, verdict: Verdict, reason: str) -> Finding:
        """The same finding with another verdict, and why."""
        return replace(self, verdict=verdict, reason=reason)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a second, independent way says of a proof.

    Attributes
    ----------
    way : str
        The way in words; empty where there is none.
    verdict : Verdict
        `Verdict.PROVED` confirms the proof, `Verdict.VIOLATED` contradicts it, and `Verdict.INCONCLUSIVE` is no answer.
    reason : str
        Why it does not confirm the proof, or the limits within which it does.
    """

    way: str
    verdict: Verdict
    reason: str = ""

    @property
    def decides(self) -> bool:
        """Whether there is an answer."""
        return self.verdict is not Verdict.INCONCLUSIVE

    def __str__(self) -> str:
        if self.verdict is Verdict.PROVED:
            return f"confirmed: {self.way}"
        return f"{'contradicted' if self.decides else 'not confirmed'}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a long exploration has come."""

    states: int
    depth: int
    rate: float
    megabytes: float


class Stopped(Exception):
    """The budget was used up before there was anything to explore; the message says which bound."""


Listener = Callable[[Progress], None]

REPORTED_SHARE = 0.1
"""The share of the time so far that passes between two reports of progress, so that a long exploration fills no screen."""

MEASURE_EVERY = 0.05
"""Seconds between two measurements of memory, each a call of the operating system."""


def silent(progress: Progress) -> None:
    """A listener that ignores progress."""
    del progress


def never() -> bool:
    """No interruption."""
    return False


@dataclass(slots=True)
class Budget:
    """Bounds on an exploration; when one is reached, properties still undecided are inconclusive.

    Attributes
    ----------
    states : int
        States or zones stored at most.
    seconds : float
        Time at most.
    megabytes : float
        Resident memory of the process at most.
    listener : callable
        Called after a second with the progress of the exploration, and again each second, or each tenth of the time so far.
    workers : int
        Threads, or workers of a cluster, that one exploration in ticks uses once its states are many.
    cluster : str
        The Ray cluster of the workers (`timewait.checker.ray_cluster`); empty for this process.
    seconds_in_ticks : float
        Time at most for liveness in ticks, which may have no end.
    interrupted : callable
        Polled: whether the exploration should stop; the findings so far are kept.
    """

    states: int = 3_000_000
    seconds: float = 600.0
    megabytes: float = 12_000.0
    listener: Listener = silent
    interrupted: Callable[[], bool] = never
    workers: int = 1
    cluster: str = ""
    seconds_in_ticks: float = math.inf
    started: float = field(default_factory=time.monotonic)
    _reported: float = field(default_factory=time.monotonic)
    _measured: float = -math.inf
    _megabytes: float = 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the exploration started."""
        return time.monotonic() - self.started

    def fresh(self) -> Budget:
        """The same bounds, with the time restarted."""
        now = time.monotonic()
        return replace(self, started=now, _reported=now, _measured=-math.inf)

    def exceeded(self, states: int, depth: int) -> str:
        """Why to stop, or an empty string; calls the listener from time to time."""
        now = time.monotonic()
        if self.interrupted():
            return f"interrupted with {states:,} states, depth {depth}"
        if states > self.states:
            return f"stopped at {states:,} states (bound {self.states:,}), depth {depth}"
        if now - self.started > self.seconds:
            return f"stopped after {self.seconds:g} s with {states:,} states, depth {depth}"
        if now - self._measured > MEASURE_EVERY:
            self._measured, self._megabytes = now, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        if self._megabytes > self.megabytes:
            return f"stopped at {self._megabytes:,.0f} MB (bound {self.megabytes:,.0f}) with {states:,} states, depth {depth}"
        if now - self._reported > max(1.0, (now - self.started) * REPORTED_SHARE):
            self._reported = now
            self.listener(Progress(states, depth, states / (now - self.started), self._megabytes))
        return ""
