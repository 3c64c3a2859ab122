"""A stack made of the specification, as the conformance campaign sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from timewait.cli.conform import profile_behaviours
from timewait.laboratory.conformance.campaign import ConformanceReport, ExperimentLayer, run_campaign
from timewait.laboratory.conformance.departures import Reaction
from timewait.laboratory.conformance.experiment import Experiment, Observation, Stimulus, predicted
from timewait.spec.endpoint import segment_arrives
from timewait.spec.settings import Behaviour

PROFILES = {name: profile_behaviours(name) for name in ("linux", "lwip")}
LINUX = PROFILES["linux"]
LAYERS = [*ExperimentLayer]


class ModelStack:
    """A stack made of the specification, with other settings or another reaction to segments."""

    name = "linux"
    version = "model"
    aids: tuple[str, ...] = ("none",)

    def __init__(self, behaviours: Mapping[bool, Behaviour], reaction: Callable[[], Reaction] = lambda: segment_arrives) -> None:
        self.behaviours = behaviours
        self.reaction = reaction
        self.carried_out = 0

    def carry_out(self, scripts: Sequence[tuple[Stimulus, ...]], abandons: bool) -> Iterator[tuple[Observation, ...]]:
        """What the specification does."""
        for chosen in scripts:
            self.carried_out += 1
            experiment = Experiment(tuple(stimulus.event for stimulus in chosen), abandons)
            yield self.observed(experiment)

    def observed(self, experiment: Experiment) -> tuple[Observation, ...]:
        """What it does in one experiment: after an event that the changed specification forbids nothing more happens."""
        for length in range(len(experiment.events), 0, -1):
            shorter = experiment._replace(events=experiment.events[:length])
            try:
                found = predicted(shorter, self.behaviours[experiment.abandons], self.reaction())
            except ValueError:
                continue
            return found + (found[-1]._replace(replies=()),) * (len(experiment.events) - length)
        raise AssertionError(experiment)


def quiet(layer: ExperimentLayer, done: int, planned: int) -> None:
    """No progress is shown."""
    del layer, done, planned


def campaign(
    stack: ModelStack, layers: Sequence[ExperimentLayer] = (ExperimentLayer.REACHABLE,), max_seconds: float = 60
) -> ConformanceReport:
    """A campaign on a model under the profile of Linux."""
    return run_campaign(stack, LINUX, layers, 1, max_seconds, quiet)
