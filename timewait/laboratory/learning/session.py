"""Learning the kernel of this machine in the laboratory, with progress."""

from __future__ import annotations

import threading
from collections.abc import Generator

from timewait.laboratory.isolation import isolated
from timewait.laboratory.learning.learner import Effort, LearningResult, learn
from timewait.laboratory.learning.systems import KernelEnd, SpecifiedEnd
from timewait.spec.settings import Behaviour

CADENCE = 0.5
"""Seconds between two reports of progress."""


def learn_specification(behaviour: Behaviour) -> LearningResult:
    """Learn the machine of an endpoint of the specification.

    Parameters
    ----------
    behaviour : Behaviour
        Its settings.
    """
    return learn(SpecifiedEnd(behaviour), expected=1)


def learn_kernel(abandons: bool, expected: int) -> Generator[Effort | LearningResult]:
    """Learn the machine of the kernel; yields the effort from time to time, and the result at the end.

    Parameters
    ----------
    abandons : bool
        Whether CLOSE is close() rather than shutdown().
    expected : int
        How many states it is expected to have.

    Raises
    ------
    LaboratoryUnavailable
        This machine cannot run the laboratory.
    """
    yield from isolated(_learn, abandons, expected)


def _learn(abandons: bool, expected: int) -> Generator[Effort | LearningResult]:
    effort = Effort()
    results: list[LearningResult | Exception] = []

    def work() -> None:
        try:
            system = KernelEnd(abandons)
            results.append(learn(system, expected, effort))
            system.close()
        except Exception as problem:  # passed on to the caller below
            results.append(problem)

    worker = threading.Thread(target=work)
    worker.start()
    while worker.is_alive():
        worker.join(CADENCE)
        yield Effort(effort.queries, effort.steps)
    (result,) = results
    if isinstance(result, Exception):
        raise result
    yield result
