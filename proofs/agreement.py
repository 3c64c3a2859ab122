"""Do the engines agree? The answers of all who can decide a property of a configuration, put side by side.

An answer that is missing agrees with nothing: where one engine alone decides, and nothing that it gave was checked, there
is no agreement.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import Any

from timewait.checker.finding import Budget
from timewait.checker.verdict import Verdict, worst
from timewait.proofs.agreement_cases import CASES
from timewait.proofs.engine_answers import CHECKS, PROVED, VACUOUS, VIOLATED, EngineAnswer, EngineName, engine_answers
from timewait.spec.configuration import Configuration


@dataclass(frozen=True)
class PropertyAgreement:
    """What all say about one property of one configuration.

    Attributes
    ----------
    case, name : str
        The configuration and the property.
    answers : tuple of EngineAnswer
        What each says, in the order of `EngineName`.
    """

    case: str
    name: str
    answers: tuple[EngineAnswer, ...]

    @property
    def disagreements(self) -> list[str]:
        """Every disagreement, in words."""
        return list(_faults(self.answers))

    @property
    def decided(self) -> list[EngineAnswer]:
        """Those that decide."""
        return [voice for voice in self.answers if voice.decided]

    @property
    def agreement(self) -> Verdict:
        """Proved where two at least agree, vacuous where one alone decides, inconclusive where nobody does."""
        if self.disagreements:
            return Verdict.DISAGREEMENT
        if not self.decided:
            return Verdict.INCONCLUSIVE
        return VACUOUS if len(self.decided) == 1 or self.verdict is VACUOUS else PROVED

    @property
    def verdict(self) -> Verdict:
        """What those who decide say; inconclusive where nobody does."""
        if self.disagreements:
            return Verdict.DISAGREEMENT
        return max((voice.verdict for voice in self.decided if voice.verdict is not None), default=Verdict.INCONCLUSIVE)

    @property
    def summary(self) -> str:
        """How many agree, in words."""
        engines = [voice.engine for voice in self.decided if voice.engine not in CHECKS]
        checks = [voice.engine for voice in self.decided if voice.engine in CHECKS]
        if self.disagreements:
            return "; ".join(self.disagreements)
        if not self.decided:
            return "nobody decides it"
        if len(self.decided) == 1:
            return f"{self.decided[0].engine} alone: no agreement"
        if self.verdict is VACUOUS:
            return "what must be possible never happens"
        return f"{len(engines)} engines" if len(engines) > 1 else f"{engines[0]}, and {' and '.join(checks)}"

    def as_json(self) -> dict[str, Any]:
        """The row as plain data."""
        return {
            "case": self.case,
            "property": self.name,
            "agreement": str(self.agreement),
            "verdict": str(self.verdict),
            "told": self.summary,
            "answers": [
                {
                    "who": str(voice.engine),
                    "decided": voice.decided,
                    "told": voice.summary,
                    "steps": voice.steps,
                    "reason": voice.reason,
                    "seconds": round(voice.seconds, 3),
                }
                for voice in self.answers
            ],
        }


def _faults(engine_answers: Sequence[EngineAnswer]) -> Iterator[str]:
    """What cannot all be true."""
    yield from (f"{voice.engine}: {voice.reason}" for voice in engine_answers if voice.verdict is Verdict.DISAGREEMENT)
    holds = [voice.engine for voice in engine_answers if voice.verdict in (PROVED, VACUOUS)]
    broken = [voice for voice in engine_answers if voice.verdict is VIOLATED]
    if holds and broken:
        yield f"{', '.join(holds)}: it holds; {', '.join(voice.engine for voice in broken)}: it does not"
    looking = {voice.verdict for voice in engine_answers if voice.engine in (EngineName.TICKS, EngineName.ZONES)}
    if looking >= {PROVED, VACUOUS}:
        yield "ticks and zones differ about what is possible"
    for bounded in engine_answers:
        for voice in broken:
            if voice.steps is not None and voice.steps <= bounded.no_run_up_to:
                yield f"{bounded.engine}: no run of up to {bounded.no_run_up_to:g} steps; {voice.engine}: one of {voice.steps}"


@dataclass(frozen=True)
class ConfigurationAgreement:
    """A configuration with its rows.

    Attributes
    ----------
    case : str
        Its name.
    configuration : Configuration
        What was asked about.
    rows : tuple of Row
        One for each property.
    seconds : float
        Time spent.
    """

    case: str
    configuration: Configuration
    rows: tuple[PropertyAgreement, ...]
    seconds: float

    @property
    def agreement(self) -> Verdict:
        """The worst of its rows."""
        return worst(row.agreement for row in self.rows)


def compare(case: str, configuration: Configuration, budget: Budget) -> ConfigurationAgreement:
    """Ask everybody about every property that applies to a configuration; the budget is for each question to each."""
    started = time.monotonic()
    rows = tuple(PropertyAgreement(case, name, said) for name, said in engine_answers(configuration, budget).items())
    return ConfigurationAgreement(case, configuration, rows, time.monotonic() - started)


def compare_case(case: str, seconds: float) -> ConfigurationAgreement:
    """The same for a line of the table, by its name."""
    return compare(case, CASES[case], Budget(seconds=seconds))


def compare_all(chosen: Sequence[str], seconds: float, jobs: int) -> Iterator[ConfigurationAgreement]:
    """Compare on some lines of the table, in the order asked.

    Parameters
    ----------
    chosen : sequence of str
        Their names.
    seconds : float
        Time for each question to each engine at most.
    jobs : int
        Processes; with one, no other than this.
    """
    if jobs == 1:
        yield from (compare_case(case, seconds) for case in chosen)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(partial(compare_case, seconds=seconds), chosen)
