"""One engine on a question that is too large for its bounds, in a process of its own: its answer, and what it used.

``python tests/engine_in_bounds.py TickEngine seconds`` prints an object; `test_bounds_of_engines` reads it.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from fractions import Fraction

from timewait.checker.decide import ENGINES
from timewait.checker.dense_lasso import DenseLassoEngine
from timewait.checker.engine import DecisionEngine
from timewait.checker.explicit import TickEngine
from timewait.checker.finding import Budget, Stopped
from timewait.checker.smt import SmtEngine
from timewait.checker.synthesis import InconclusiveSynthesis
from timewait.proofs import certify
from timewait.proofs.question import question
from timewait.proofs.thresholds import RANGE, formula
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Arrival

SMALL = Configuration(Fraction(2), Fraction(4), (Fraction(2),))
"""A question that every engine answers at once: what is loaded for it counts for no bound."""

ANSWERING = replace(
    SMALL, both_close=True, behaviour=replace(SMALL.behaviour, answers=frozenset(Arrival), restarts=frozenset(Arrival))
)
"""Two ends in TIME-WAIT that answer everything: liveness is decided by no graph."""

LARGE = replace(SMALL, both_close=True, text=(12, 12))
"""Much text from both ends."""

QUESTIONS: Mapping[str, Configuration] = {
    "GuidedEngine": replace(LARGE, fifo=True, text=(3, 3)),
    "TickEngine": replace(LARGE, text=(2, 2)),
    "workers": replace(LARGE, text=(2, 2)),
    "SmtEngine": replace(SMALL, both_close=True),
    "DenseLassoEngine": ANSWERING,
    "LassoEngine": replace(ANSWERING, msl=Fraction(30), time_wait=Fraction(60), rto=(Fraction(7),)),
}
"""The questions of those engines that answer otherwise, or that do not support `LARGE`."""

SOLVERS = (SmtEngine, DenseLassoEngine)
"""The engines that ask a solver in another process, which may have as much memory as the bound says beside that of its parent."""

BOUNDS: Mapping[str, float] = {"seconds": 2.0, "megabytes": 80.0}
"""The bounds: seconds, and megabytes beyond those that the process has when it begins."""

Use = Callable[[Configuration, Budget], str]
"""Asks about a configuration; the answer, or the reason why there is none."""


def by_engine(engine: DecisionEngine) -> Use:
    """An engine about one property."""

    def use(configuration: Configuration, budget: Budget) -> str:
        asked = next(entry for entry in PROPERTIES.values() if entry.kind == engine.kind)
        whole = question(configuration)
        if not isinstance(engine, SOLVERS):
            narrower = tuple(replace(narrow, quotient_budget=budget) for narrow in whole.narrower)
            whole = replace(whole, quotient_budget=budget, narrower=narrower)
        if not engine.supports(whole):
            return "does not support the question"
        found = engine.decide(whole, [asked], budget)
        return f"{found[0].verdict}: {found[0].reason}" if found else "inconclusive: left to the engines after it"

    return use


def with_workers(configuration: Configuration, budget: Budget) -> str:
    """The engine in ticks on two workers."""
    return by_engine(TickEngine())(configuration, replace(budget, workers=2))


def threshold(configuration: Configuration, budget: Budget) -> str:
    """The threshold as a formula."""
    try:
        pieces = [*formula(configuration, ["graceful", "isolation"], RANGE, budget)]
    except InconclusiveSynthesis as problem:
        return f"inconclusive: {problem}"
    return f"{pieces[0].verdict}: {len(pieces)} pieces"


def certificate(configuration: Configuration, budget: Budget) -> str:
    """A certificate of a property of the kind ``always``."""
    found = certify.certify_at_values(configuration, ["graceful"], budget)
    return f"{found.verdict}: {found.reason}"


def liveness_certificate(configuration: Configuration, budget: Budget) -> str:
    """A certificate of a property of the kind ``eventually``."""
    found = certify.certify_liveness(configuration, "closes", budget)
    return f"{found.verdict}: {found.reason}"


def time_lock(configuration: Configuration, budget: Budget) -> str:
    """The check that time can always pass."""
    may_lock = replace(question(configuration), quotient_budget=budget).may_time_lock
    return f"violated: {may_lock}" if may_lock else "proved: time can pass"


USES: Mapping[str, Use] = {
    **{type(engine).__name__: by_engine(engine) for engine in ENGINES},
    "workers": with_workers,
    "threshold": threshold,
    "certificate": certificate,
    "liveness certificate": liveness_certificate,
    "time-lock": time_lock,
}
"""Everything that has bounds, by name."""


def megabytes(who: int) -> float:
    """The most memory that this process, or one of its children, has had."""
    return resource.getrusage(who).ru_maxrss / 1024


def seconds() -> float:
    """The processor time of this process and of its children."""
    spent = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in spent)


def main(name: str, bound: str) -> None:
    """Ask about a small question, then about one that is too large, and print what the second took."""
    use, limit = USES[name], BOUNDS[bound]
    use(SMALL, Budget(seconds=60.0))
    base, began = megabytes(resource.RUSAGE_SELF), seconds()
    most = limit if name in {solver.__name__ for solver in SOLVERS} else base + limit
    budget = Budget(states=1 << 40, seconds=limit) if bound == "seconds" else Budget(states=1 << 40, megabytes=most, seconds=60.0)
    try:
        answer = use(QUESTIONS.get(name, LARGE), budget)
    except Stopped as stopped:
        answer = f"inconclusive: {stopped}"
    peak = max(megabytes(resource.RUSAGE_SELF), megabytes(resource.RUSAGE_CHILDREN))
    print(json.dumps({"answer": answer, "seconds": seconds() - began, "megabytes": peak - base}))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
