"""A shortest experiment that shows a difference, found by leaving events out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from timewait.laboratory.conformance.experiment import ComparedExperiment, Experiment, RunningStack, compare, predicted
from timewait.spec.settings import Behaviour


def minimised(
    comparison: ComparedExperiment,
    stack: RunningStack,
    behaviours: Mapping[bool, Behaviour],
    alike: Callable[[ComparedExperiment], bool],
) -> ComparedExperiment:
    """A difference of the same kind from which no event can be left out.

    Parameters
    ----------
    comparison : ComparedExperiment
        A difference, after its last event.
    stack : RunningStack
        The running stack, which carries out every attempt.
    behaviours : mapping of bool to Behaviour
        The settings for shutdown() (False) and for close() (True).
    alike : callable
        Whether a comparison shows a difference of the same kind, after its last event.
    """
    while True:
        shorter = [*_shorter(comparison.experiment, behaviours[comparison.experiment.abandons])]
        found = next((one for one in compare(stack, shorter, behaviours) if _last_differs(one) and alike(one)), None)
        if found is None:
            return comparison
        comparison = found


def _last_differs(comparison: ComparedExperiment) -> bool:
    return comparison.first_difference == len(comparison.experiment.events) - 1


def _shorter(experiment: Experiment, behaviour: Behaviour) -> Iterator[Experiment]:
    """The experiment without one event that is not the last, where the specification can carry that out."""
    events = experiment.events
    for number in range(len(events) - 1):
        candidate = experiment._replace(events=events[:number] + events[number + 1 :])
        try:
            predicted(candidate, behaviour)
        except ValueError:
            continue
        yield candidate
