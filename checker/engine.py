"""The interface of an engine, and how an engine turns an exploration into findings.

To add an engine, implement `DecisionEngine` in a module of its own and add it to `timewait.checker.decide.ENGINES`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol

from timewait.checker.finding import Budget, Finding, Run
from timewait.checker.question import Engine, Question
from timewait.checker.verdict import Verdict
from timewait.vocabulary.automaton import Property

TIME_LOCK = "time can stop with nothing left to happen"
"""Why a proof is vacuous where there may be a time-lock."""


class Exploration(Protocol):
    """What engines read of an exploration: see `timewait.checker.search.Search`."""

    @property
    def broken(self) -> Mapping[str, tuple[int, int]]:
        """For each violated ``always`` property the (node, step) that first violates it."""

    @property
    def witnessed(self) -> Collection[str]:
        """The witnessed ``sometimes`` properties."""

    @property
    def stopped(self) -> str:
        """Why the exploration ended early; empty when it is complete."""

    def __len__(self) -> int:
        """The number of nodes."""

    def run_to(self, number: int, step: int | None = None, /) -> Run | None:
        """A run to a node, then along a step out of it."""


class DecisionEngine(Protocol):
    """An engine that decides some properties of a question, and leaves the others to the engines after it.

    Attributes
    ----------
    label : str
        The engine's name in findings.
    kind : {"always", "eventually"}
        The kind of property that it decides.
    choices : frozenset of Engine
        The choices of a user that include it.
    """

    label: ClassVar[str]
    kind: ClassVar[str]
    choices: ClassVar[frozenset[Engine]]

    def supports(self, question: Question) -> bool:
        """Whether the engine can explore the system of a question: every system, unless it says otherwise."""
        del question
        return True

    def decide(self, question: Question, properties: Sequence[Property], budget: Budget) -> list[Finding]:
        """The findings about the properties that the engine decides, in their order.

        Raises
        ------
        Stopped
            The budget is used up before there is anything to explore.
        """


def proof(question: Question, finding: Finding, witnessed: Iterable[str], may_time_lock: bool) -> Finding:
    """A finding of a proof; vacuous when a witness is missing or time may stop."""
    missing = sorted(set(question.witnesses.get(finding.name, ())) - set(witnessed))
    if missing:
        return finding.but(Verdict.VACUOUS, f"never happens: {', '.join(missing)}")
    if may_time_lock:
        return finding.but(Verdict.VACUOUS, TIME_LOCK)
    return finding


def finding_of(
    question: Question,
    asked: Property,
    explored: Exploration,
    label: str,
    seconds: float,
    may_time_lock: Callable[[], bool],
) -> Finding:
    """The finding of an exploration of the system about an ``always`` property."""
    finding = Finding(asked.name, Verdict.PROVED, label, states=len(explored), seconds=seconds)
    where = explored.broken.get(asked.name)
    if where is not None:
        return replace(finding, verdict=Verdict.VIOLATED, run=explored.run_to(*where))
    if explored.stopped:
        return finding.but(Verdict.INCONCLUSIVE, explored.stopped)
    return proof(question, finding, explored.witnessed, may_time_lock())
