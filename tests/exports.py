"""Configurations of every kind, their plans, and labels for toys, for the tests of exports."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from toys import Toy

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.explicit import Explicit
from timewait.checker.export.plan import Labels, Plan, plan_of, plan_of_exploration
from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.cli.export import labels_for
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, ResetRule
from timewait.vocabulary.automaton import TimedAutomaton

CLOSE = ("graceful", "isolation")


def close(msl: int, time_wait: int, *rto: int, **more: Any) -> Configuration:
    """A configuration in whole seconds."""
    return Configuration(msl=Fraction(msl), time_wait=Fraction(time_wait), rto=tuple(map(Fraction, rto)), **more)


@dataclass(frozen=True)
class Case:
    """A configuration, its properties, and whether one is violated (by theory, not by an engine)."""

    configuration: Configuration
    broken: bool
    asked: tuple[str, ...] = CLOSE

    @property
    def labels(self) -> Labels:
        """The labels of an export."""
        return labels_for(self.configuration, [PROPERTIES[name] for name in self.asked], "model.pml", "a test")


CORE = Scope.CORE
FIN_ONLY = frozenset({Arrival.FIN})
RUDE = Behaviour(time_wait=False, answers=frozenset(), restarts=frozenset())
ORPHAN = Behaviour(fin_wait_2=True, abandons=True)

CASES = {
    # The last exchange alone.
    "2 MSL": Case(close(1, 2, 1, scope=CORE), False),
    "less than 2 MSL": Case(close(2, 3, 2, scope=CORE), True),
    "the old duplicate alone": Case(close(2, 3, 2, loss=0, scope=CORE), True, ("isolation",)),
    "the last acknowledgement alone": Case(close(2, 2, 1, loss=0, scope=CORE), False, ("graceful",)),
    "two losses need more": Case(close(2, 5, 2, loss=2, scope=CORE), True, ("graceful",)),
    "two losses and enough": Case(close(2, 6, 2, loss=2, scope=CORE), False),
    "any loss": Case(close(1, 4, 1, loss=None, scope=CORE), True, ("graceful",)),
    "a FIN restarts nothing": Case(
        close(1, 2, 1, scope=CORE, behaviour=Behaviour(restarts=frozenset())), True, ("fin-restarts",)
    ),
    "a schedule": Case(close(2, 5, 1, 3, scope=CORE, behaviour=Behaviour(backoff=2)), False, ("graceful",)),
    "a schedule too slow": Case(close(2, 4, 1, 3, scope=CORE, behaviour=Behaviour(backoff=2)), True, ("graceful",)),
    "exact gaps": Case(close(2, 4, 2, rto_exact=True, scope=CORE), False),
    "no duplication": Case(close(2, 4, 2, duplication=0, scope=CORE), False),
    "no duplication, too short": Case(close(1, 1, 1, duplication=0, scope=CORE), True),
    "in order": Case(close(2, 4, 2, fifo=True, scope=CORE), False),
    "in order, no duplication, too short": Case(close(1, 1, 1, fifo=True, duplication=0, scope=CORE), True),
    # The whole close.
    "the whole close": Case(close(1, 2, 1), False, (*CLOSE, "time-wait-kept", "fin-restarts")),
    "the whole close, too short": Case(close(2, 3, 2), True),
    "the whole close without loss": Case(close(1, 2, 1, loss=0), False),
    "the whole close, exact gaps": Case(close(1, 2, 1, rto_exact=True), False),
    "no RST at all": Case(close(1, 2, 1, loss=0), True, ("no-stray-reset",)),
    "a RST ends TIME_WAIT": Case(close(1, 2, 1, loss=0, behaviour=Behaviour(reset=ResetRule.EXACT)), True, ("time-wait-kept",)),
    "everything answered": Case(close(1, 2, 1, behaviour=Behaviour(answers=EVERY_ARRIVAL, restarts=EVERY_ARRIVAL)), False),
    "answered without a restart": Case(close(1, 2, 1, behaviour=Behaviour(restarts=FIN_ONLY)), True, ("isolation",)),
    "no TIME_WAIT": Case(close(1, 0, 1, loss=0, behaviour=RUDE), True, ("isolation",)),
    "a limit on retries": Case(close(1, 2, 1, behaviour=Behaviour(retries=1)), True),
    "an orphan in FIN_WAIT_2": Case(close(1, 2, 1, fin_wait_2=Fraction(1), behaviour=ORPHAN), True),
    "text cut off": Case(close(1, 2, 1, text=(1, 0), behaviour=Behaviour(linger_zero=True)), True, ("integrity",)),
    "either closes first": Case(close(1, 2, 1, loss=None, both_close=True), True, ("graceful",)),
}
"""Configurations of every kind, safe and unsafe, each of a size that SPIN compiles in about a second."""

DENSE = {name: case for name, case in CASES.items() if question(case.configuration).system.dense}
"""The cases with finitely many locations."""


@dataclass
class Explored:
    """A case and its exploration in ticks."""

    case: Case
    engine: Explicit = field(init=False)

    def __post_init__(self) -> None:
        self.engine = Explicit(question(self.case.configuration).compiled)
        self.engine.explore(Budget())
        assert not self.engine.stopped

    @property
    def broken(self) -> bool:
        """Whether one of the properties is violated."""
        return bool(set(self.case.asked) & self.engine.broken.keys())

    def plan(self) -> Plan:
        """The plan, of the quotient where possible."""
        asked = question(self.case.configuration)
        return (
            plan_of(asked.quotient, self.case.labels)
            if asked.system.dense
            else plan_of_exploration(self.engine, self.case.labels)
        )


def toy_labels(*asked: str) -> Labels:
    """Labels for a toy."""
    return Labels("A toy", ("none",), dict.fromkeys(asked, "it never happens"), {}, str, str, "toy.pml")


def toy_plan(toy: Toy, *asked: str) -> Plan:
    """The plan of a toy's quotient."""
    system: TimedAutomaton = Quotient(toy) if toy.lifetimes else toy
    return plan_of(CompiledAutomaton(system), toy_labels(*asked))
