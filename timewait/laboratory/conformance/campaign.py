"""A campaign: layers of experiments on a running stack, their differences explained, grouped and minimised."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

from timewait.checker.verdict import Verdict
from timewait.laboratory.conformance.departures import DEPARTURES
from timewait.laboratory.conformance.experiment import ComparedExperiment, Experiment, Observation, RunningStack, compare, steps
from timewait.laboratory.conformance.explanation import DifferenceExplanation, Explainer, settings_left_out
from timewait.laboratory.conformance.grid import grid
from timewait.laboratory.conformance.minimal import minimised
from timewait.laboratory.conformance.reachable import experiments, reachable_situations
from timewait.laboratory.conformance.walks import walks
from timewait.spec.graph_events import circumstances_of
from timewait.spec.guards import Circumstances
from timewait.spec.settings import Behaviour
from timewait.spec.state import State

WALKS = 200
"""Random walks for each way to close."""


class ExperimentLayer(StrEnum):
    """A layer of experiments."""

    REACHABLE = "reachable"
    """Every situation that a close can reach (`timewait.laboratory.conformance.reachable`)."""
    GRID = "grid"
    """Every state, and segments of every kind, place and acknowledgement (`timewait.laboratory.conformance.grid`)."""
    WALKS = "walks"
    """Random walks (`timewait.laboratory.conformance.walks`)."""


@dataclass
class LayerResult:
    """The result of a layer.

    Attributes
    ----------
    layer : ExperimentLayer
        The layer.
    planned : int
        Its experiments.
    compared : list of ComparedExperiment
        Those that were carried out.
    seconds : float
        The time that they took.
    """

    layer: ExperimentLayer
    planned: int
    compared: list[ComparedExperiment]
    seconds: float = 0.0

    @property
    def agreeing(self) -> int:
        """The number of experiments in which stack and specification agree."""
        return sum(one.first_difference is None for one in self.compared)


@dataclass(frozen=True)
class DifferenceGroup:
    """Differences of one kind.

    Attributes
    ----------
    explanation : DifferenceExplanation or None
        What explains them; None if nothing does.
    counts : mapping of ExperimentLayer to int
        How many experiments of each layer show them.
    shortest : ComparedExperiment
        The shortest experiment that shows the difference.
    """

    explanation: DifferenceExplanation | None
    counts: Mapping[ExperimentLayer, int]
    shortest: ComparedExperiment

    def as_json(self) -> dict[str, Any]:
        """The group as plain data."""
        return {
            "explanation": None if self.explanation is None else self.explanation.as_json(),
            "counts": {str(layer): count for layer, count in self.counts.items()},
            "closes_by": "close()" if self.shortest.experiment.abandons else "shutdown()",
            "experiment": [str(event) for event in self.shortest.experiment.events],
            "predicted": self.shortest.predicted[-1].as_json(),
            "observed": self.shortest.observed[-1].as_json(),
        }


@dataclass(frozen=True)
class ConformanceReport:
    """The result of a campaign.

    Attributes
    ----------
    stack, version : str
        The running stack, and its version.
    aids : tuple of str
        What was done to it that does not happen by default.
    seed : int
        The seed of the random walks.
    layers : tuple of LayerResult
        The layers, in the order in which they were carried out.
    groups : tuple of DifferenceGroup
        The differences, unexplained ones first, then by number.
    stopped : str
        Why experiments were left out; empty if none were.
    """

    stack: str
    version: str
    aids: tuple[str, ...]
    seed: int
    layers: tuple[LayerResult, ...]
    groups: tuple[DifferenceGroup, ...]
    stopped: str

    @property
    def verdict(self) -> Verdict:
        """The verdict of the campaign.

        Violated if a difference is unexplained, or shows that a setting of the profile is wrong; else inconclusive if
        experiments were left out; vacuous if there were none.
        """
        if self.wrong_settings or any(group.explanation is None for group in self.groups):
            return Verdict.VIOLATED
        if self.stopped:
            return Verdict.INCONCLUSIVE
        return Verdict.PROVED if any(layer.compared for layer in self.layers) else Verdict.VACUOUS

    @property
    def wrong_settings(self) -> tuple[str, ...]:
        """The settings whose value in the profile is wrong: another value explains differences, and no abstraction states it."""
        left_out = settings_left_out(self.stack)
        found = {group.explanation.setting for group in self.groups if group.explanation and group.explanation.setting}
        return tuple(sorted(found - left_out))

    def shows_wrong_profile(self, group: DifferenceGroup) -> bool:
        """Whether the differences of a group show that a setting of the profile is wrong."""
        return group.explanation is not None and group.explanation.setting in self.wrong_settings

    @property
    def summary(self) -> str:
        """The verdict in a few words."""
        unexplained = sum(self.count(result.layer, False) for result in self.layers)
        if unexplained:
            return f"{unexplained:,} differences are UNEXPLAINED"
        if self.wrong_settings:
            return f"the profile {self.stack} is WRONG about {', '.join(self.wrong_settings)}"
        if self.verdict is not Verdict.PROVED:
            return str(self.verdict).upper()
        return "every difference is EXPLAINED" if self.groups else "stack and specification AGREE"

    def count(self, layer: ExperimentLayer, explained: bool) -> int:
        """The number of differences of a layer that are explained, or that are not."""
        chosen = [group for group in self.groups if (group.explanation is not None) is explained]
        return sum(group.counts.get(layer, 0) for group in chosen)

    def as_json(self) -> dict[str, Any]:
        """The report as plain data."""
        used = sorted({name for group in self.groups if group.explanation for name in group.explanation.departures})
        return {
            "stack": self.stack,
            "version": self.version,
            "aids": list(self.aids),
            "seed": self.seed,
            "verdict": str(self.verdict),
            "stopped": self.stopped or None,
            "wrong_settings": [*self.wrong_settings],
            "layers": [
                {
                    "layer": str(result.layer),
                    "planned": result.planned,
                    "carried_out": len(result.compared),
                    "agree": result.agreeing,
                    "seconds": round(result.seconds, 2),
                }
                for result in self.layers
            ],
            "differences": [group.as_json() for group in self.groups],
            "departures": {
                name: {"meaning": entry.meaning, "reason": entry.reason, "source": entry.source}
                for name, entry in ((name, DEPARTURES[name]) for name in used)
            },
        }


def planned(layer: ExperimentLayer, behaviours: Mapping[bool, Behaviour], seed: int) -> list[Experiment]:
    """The experiments of a layer.

    Parameters
    ----------
    layer : ExperimentLayer
        The layer.
    behaviours : mapping of bool to Behaviour
        The settings for shutdown() (False) and for close() (True).
    seed : int
        The seed of random walks.
    """
    found: list[Experiment] = []
    for abandons, behaviour in behaviours.items():
        match layer:
            case ExperimentLayer.REACHABLE:
                ways = experiments(reachable_situations(behaviour), behaviour, abandons)
                found += [way for way in ways.values() if way is not None]
            case ExperimentLayer.GRID:
                found += [experiment for _, experiment in grid(behaviour, abandons)]
            case ExperimentLayer.WALKS:
                found += walks(behaviour, abandons, WALKS, seed)
    return found


ProgressNote = Callable[[ExperimentLayer, int, int], None]
"""Called with a layer, the experiments carried out, and those planned."""


def run_campaign(
    stack: RunningStack,
    behaviours: Mapping[bool, Behaviour],
    layers: Sequence[ExperimentLayer],
    seed: int,
    max_seconds: float,
    progress: ProgressNote,
) -> ConformanceReport:
    """Carry out layers of experiments on a running stack, and explain every difference.

    The first interrupt ends the experiments; the report then says so.

    Parameters
    ----------
    stack : RunningStack
        The running stack.
    behaviours : mapping of bool to Behaviour
        The settings of its profile for shutdown() (False) and for close() (True).
    layers : sequence of ExperimentLayer
        The layers, in order.
    seed : int
        The seed of the random walks.
    max_seconds : float
        The experiments end after so many seconds.
    progress : callable
        Called before the first experiment of a layer, and after every experiment.
    """
    end = time.monotonic() + max_seconds
    results: list[LayerResult] = []
    stopped = ""
    for layer in layers:
        chosen = planned(layer, behaviours, seed)
        result = LayerResult(layer, len(chosen), [])
        results.append(result)
        if not stopped:
            stopped = _carry_out(result, stack, chosen, behaviours, end, progress)
    groups = _groups(results, stack, behaviours)
    return ConformanceReport(stack.name, stack.version, stack.aids, seed, tuple(results), groups, stopped)


def _carry_out(
    result: LayerResult,
    stack: RunningStack,
    chosen: Sequence[Experiment],
    behaviours: Mapping[bool, Behaviour],
    end: float,
    progress: ProgressNote,
) -> str:
    """Carry out the experiments of a layer; returns why some were left out, or nothing."""
    started = time.monotonic()
    progress(result.layer, 0, result.planned)
    try:
        with closing(compare(stack, chosen, behaviours)) as comparisons:
            for comparison in comparisons:
                result.compared.append(comparison)
                progress(result.layer, len(result.compared), result.planned)
                if time.monotonic() > end and len(result.compared) < result.planned:
                    return "the limit on time was reached"
    except KeyboardInterrupt:
        return "interrupted"
    finally:
        result.seconds = time.monotonic() - started
    return ""


class DifferenceKind(NamedTuple):
    """What differences that nothing explains have in common.

    Attributes
    ----------
    state : State
        The state before the last event.
    circumstances : Circumstances
        The event and its circumstances.
    predicted, observed : tuple
        The control bits of the replies, the next state, and whether TIME-WAIT restarted.
    """

    state: State
    circumstances: Circumstances
    predicted: tuple[tuple[str, ...], State, bool]
    observed: tuple[tuple[str, ...], State, bool]


def kind_of(comparison: ComparedExperiment, behaviours: Mapping[bool, Behaviour]) -> DifferenceKind:
    """The kind of a difference after the last event."""
    behaviour = behaviours[comparison.experiment.abandons]
    *_, last = steps(comparison.experiment.events, behaviour)
    circumstances = circumstances_of(last.block, last.event, behaviour)
    return DifferenceKind(last.block.state, circumstances, _outline(comparison.predicted[-1]), _outline(comparison.observed[-1]))


def _outline(observation: Observation) -> tuple[tuple[str, ...], State, bool]:
    return tuple(reply.flags for reply in observation.replies), observation.state, observation.restarted


def _groups(
    results: Sequence[LayerResult], stack: RunningStack, behaviours: Mapping[bool, Behaviour]
) -> tuple[DifferenceGroup, ...]:
    """The differences of all layers by their explanation, or by their kind; unexplained ones first, then the most frequent."""
    explainer = Explainer(stack.name, behaviours, [one for result in results for one in result.compared])
    explanations = iter(explainer.explain_all())
    found: dict[DifferenceExplanation | DifferenceKind, list[tuple[ExperimentLayer, ComparedExperiment]]] = defaultdict(list)
    for result in results:
        for comparison in result.compared:
            if comparison.first_difference is not None:
                explanation = next(explanations)
                found[explanation or kind_of(comparison.truncated, behaviours)].append((result.layer, comparison.truncated))
    groups = [_group(key, members, stack, behaviours, explainer) for key, members in found.items()]
    return tuple(sorted(groups, key=lambda group: (group.explanation is not None, -sum(group.counts.values()))))


def _group(
    key: DifferenceExplanation | DifferenceKind,
    members: Sequence[tuple[ExperimentLayer, ComparedExperiment]],
    stack: RunningStack,
    behaviours: Mapping[bool, Behaviour],
    explainer: Explainer,
) -> DifferenceGroup:
    """A group with its shortest experiment."""

    def alike(comparison: ComparedExperiment) -> bool:
        if isinstance(key, DifferenceExplanation):
            return explainer.holds(key, comparison)
        return kind_of(comparison, behaviours) == key and not explainer.is_explained(comparison)

    first = min((comparison for _, comparison in members), key=lambda one: len(one.experiment.events))
    shortest = minimised(first, stack, behaviours, alike)
    counts = Counter(layer for layer, _ in members)
    return DifferenceGroup(key if isinstance(key, DifferenceExplanation) else None, counts, shortest)
