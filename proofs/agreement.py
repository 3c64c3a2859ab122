"""Agreement of the engines: their answers about each property of a configuration, compared.

One answer alone does not count as agreement, unless a check has confirmed it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from timewait.checker.finding import Budget
from timewait.checker.verdict import Verdict, worst
from timewait.checker.worker_pool import worker_pool
from timewait.proofs.agreement_cases import CASES
from timewait.proofs.engine_answers import CHECKS, PROVED, VACUOUS, VIOLATED, EngineAnswer, EngineName, engine_answers
from timewait.spec.configuration import Configuration


@dataclass(frozen=True)
class PropertyAgreement:
    """The answers about one property of one configuration.

    Attributes
    ----------
    case, name : str
        The configuration and the property.
    answers : tuple of EngineAnswer
        The answers, in the order of `EngineName`.
    """

    case: str
    name: str
    answers: tuple[EngineAnswer, ...]

    @property
    def disagreements(self) -> list[str]:
        """Every disagreement, in words."""
        return list(_disagreements(self.answers))

    @property
    def decided(self) -> list[EngineAnswer]:
        """The answers that decide the property."""
        return [answer for answer in self.answers if answer.decided]

    @property
    def agreement(self) -> Verdict:
        """Proved if at least two answers agree, vacuous if there is one alone, inconclusive if there is none."""
        if self.disagreements:
            return Verdict.DISAGREEMENT
        if not self.decided:
            return Verdict.INCONCLUSIVE
        return VACUOUS if len(self.decided) == 1 or self.verdict is VACUOUS else PROVED

    @property
    def verdict(self) -> Verdict:
        """The verdict of those that decide; inconclusive if none does."""
        if self.disagreements:
            return Verdict.DISAGREEMENT
        return max((answer.verdict for answer in self.decided if answer.verdict is not None), default=Verdict.INCONCLUSIVE)

    @property
    def summary(self) -> str:
        """The number of answers that agree, or why there is no agreement."""
        engines = [answer.engine for answer in self.decided if answer.engine not in CHECKS]
        checks = [answer.engine for answer in self.decided if answer.engine in CHECKS]
        if self.disagreements:
            return "; ".join(self.disagreements)
        if not self.decided:
            return "no engine decides it"
        if len(self.decided) == 1:
            return f"{self.decided[0].engine} alone: no agreement"
        if self.verdict is VACUOUS:
            return "what must be possible never happens"
        return f"{len(engines)} engines" if len(engines) > 1 else f"{engines[0]}, and {' and '.join(checks)}"

    def as_json(self) -> dict[str, Any]:
        """The answers as plain data."""
        return {
            "case": self.case,
            "property": self.name,
            "agreement": str(self.agreement),
            "verdict": str(self.verdict),
            "told": self.summary,
            "answers": [
                {
                    "who": str(answer.engine),
                    "decided": answer.decided,
                    "told": answer.summary,
                    "steps": answer.steps,
                    "reason": answer.reason,
                    "seconds": round(answer.seconds, 3),
                }
                for answer in self.answers
            ],
        }


def _disagreements(answers: Sequence[EngineAnswer]) -> Iterator[str]:
    """The answers that contradict one another, and the results that were rejected."""
    yield from (f"{answer.engine}: {answer.reason}" for answer in answers if answer.verdict is Verdict.DISAGREEMENT)
    holds = [answer.engine for answer in answers if answer.verdict in (PROVED, VACUOUS)]
    violated = [answer for answer in answers if answer.verdict is VIOLATED]
    if holds and violated:
        yield f"{', '.join(holds)}: it holds; {', '.join(answer.engine for answer in violated)}: it does not"
    exploring = {answer.verdict for answer in answers if answer.engine in (EngineName.TICKS, EngineName.ZONES)}
    if exploring >= {PROVED, VACUOUS}:
        yield "ticks and zones differ about what is possible"
    for bounded in answers:
        for answer in violated:
            if answer.steps is not None and answer.steps <= bounded.no_run_up_to:
                yield f"{bounded.engine}: no run of up to {bounded.no_run_up_to:g} steps; {answer.engine}: one of {answer.steps}"


@dataclass(frozen=True)
class ConfigurationAgreement:
    """The answers about one configuration.

    Attributes
    ----------
    case : str
        The name of the configuration.
    configuration : Configuration
        The configuration.
    rows : tuple of PropertyAgreement
        The answers about each property.
    seconds : float
        Time spent.
    """

    case: str
    configuration: Configuration
    rows: tuple[PropertyAgreement, ...]
    seconds: float

    @property
    def agreement(self) -> Verdict:
        """The worst agreement of its properties."""
        return worst(row.agreement for row in self.rows)


def compare(case: str, configuration: Configuration, budget: Budget) -> ConfigurationAgreement:
    """Ask every engine about every property that applies to a configuration; the budget bounds each question to each engine."""
    started = time.monotonic()
    rows = tuple(PropertyAgreement(case, name, answers) for name, answers in engine_answers(configuration, budget).items())
    return ConfigurationAgreement(case, configuration, rows, time.monotonic() - started)


def compare_case(case: str, seconds: float) -> ConfigurationAgreement:
    """Compare the answers about a configuration of the table, by its name."""
    return compare(case, CASES[case], Budget(seconds=seconds))


def compare_all(chosen: Sequence[str], seconds: float, jobs: int) -> Iterator[ConfigurationAgreement]:
    """Compare the answers about some configurations of the table, in the given order.

    Parameters
    ----------
    chosen : sequence of str
        The names of the configurations.
    seconds : float
        Time limit for each question to each engine.
    jobs : int
        Processes; with 1, no process is started.
    """
    if jobs == 1:
        yield from (compare_case(case, seconds) for case in chosen)
        return
    with worker_pool(jobs) as pool:
        yield from pool.map(partial(compare_case, seconds=seconds), chosen)
