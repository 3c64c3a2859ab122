"""The explanation of a difference: the settings and departures with which the specification does what was observed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import cache, cached_property
from itertools import combinations, groupby, product
from typing import Any, NamedTuple

from timewait.laboratory.conformance.departures import Departure, Reaction, departures_of, reaction_with
from timewait.laboratory.conformance.experiment import ComparedExperiment, predicted, steps
from timewait.spec.abstractions import ABSTRACTIONS, EVERY_STACK
from timewait.spec.graph_events import EndpointEvent
from timewait.spec.outcome import Outcome
from timewait.spec.segment import Segment
from timewait.spec.setting_dependence import alternatives
from timewait.spec.settings import BEHAVIOUR, Behaviour
from timewait.spec.stacks import load_stack
from timewait.spec.state import Block

MOST = 3
"""How many departures an explanation has at most, beside one setting."""

NEVER_VARIED = frozenset({"abandons", "linger_zero", "retries", "backoff"})
"""Settings that say what the user does or how a timer runs; an experiment fixes them."""


ATTEMPTS = 3
"""How many differences of one outline are searched for an explanation of their own; more of them stay unexplained."""


class DifferenceExplanation(NamedTuple):
    """What makes the specification do what a running stack did.

    Attributes
    ----------
    setting : str
        A setting whose value would have to be another; empty if none.
    value : str
        That value.
    departures : tuple of str
        The departures of the stack that no setting expresses, by name.
    """

    setting: str = ""
    value: str = ""
    departures: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [f"setting {self.setting} = {self.value}"] if self.setting else []
        return ", ".join([*parts, *(f"departure {name}" for name in self.departures)])

    def as_json(self) -> dict[str, Any]:
        """The explanation as plain data."""
        return {"setting": self.setting or None, "value": self.value or None, "departures": list(self.departures)}


def value_in_words(value: object) -> str:
    """A value of a setting as options and profiles write it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value))) or "none"
    return "no limit" if value is None else str(value)


@cache
def settings_left_out(stack: str) -> frozenset[str]:
    """The settings that may differ in a running stack although its profile is right.

    An abstraction of the stack has the option of such a setting, and the profile does not state the setting.

    Parameters
    ----------
    stack : str
        The name of the profile.
    """
    stated = load_stack(stack).sources
    options = {
        entry.option for entry in ABSTRACTIONS.values() if entry.option and (entry.stacks == EVERY_STACK or stack in entry.stacks)
    }
    return frozenset(name for name, entry in BEHAVIOUR.items() if entry.option in options and name not in stated)


class Explainer:
    """Finds the least explanation of each difference between a running stack and the specification.

    Parameters
    ----------
    stack : str
        The name of the running stack.
    behaviours : mapping of bool to Behaviour
        The settings for shutdown() (False) and for close() (True).
    comparisons : sequence of ComparedExperiment
        All comparisons, those that agree too.
    """

    def __init__(self, stack: str, behaviours: Mapping[bool, Behaviour], comparisons: Sequence[ComparedExperiment]) -> None:
        self._departures = departures_of(stack)
        self._behaviours = behaviours
        self._agreeing = [one for one in comparisons if one.first_difference is None]
        self._differing = [one.truncated for one in comparisons if one.first_difference is not None]
        self._spoils = cache(self._spoils_something)

    def explain_all(self) -> list[DifferenceExplanation | None]:
        """Explain every difference among the comparisons.

        An explanation that spoils an experiment in which stack and specification agree explains nothing. Of explanations that
        are equally simple the one counts that explains most.

        Returns
        -------
        list of DifferenceExplanation or None
            The least explanation of each comparison that differs, in order; None if there is none.
        """
        known: list[DifferenceExplanation] = []
        tried: Counter[object] = Counter()
        for one in self._differing:
            kind = _outline(one)
            if tried[kind] < ATTEMPTS and not any(self.holds(entry, one) for entry in known):
                tried[kind] += 1
                known += self._simplest(one)
        fitting = [self._first_level(one, sorted(known, key=_cost)) for one in self._differing]
        extent = Counter(entry for entries in fitting for entry in entries)
        return [max(entries, key=lambda entry: extent[entry], default=None) for entries in fitting]

    def is_explained(self, comparison: ComparedExperiment) -> bool:
        """Return whether a difference, which need not be among the comparisons, has an explanation."""
        return bool(self._simplest(comparison))

    def _simplest(self, comparison: ComparedExperiment) -> list[DifferenceExplanation]:
        """The explanations that hold and spoil nothing, of those that are equally simple."""
        moving = self._moving(comparison)
        candidates = [entry for entry in self._candidates[comparison.experiment.abandons] if entry[:2] in moving]
        return self._first_level(comparison, candidates)

    def _first_level(
        self, comparison: ComparedExperiment, candidates: Sequence[DifferenceExplanation]
    ) -> list[DifferenceExplanation]:
        """The explanations that hold and spoil nothing, the simplest ones among some that are sorted."""
        for _, equally_simple in groupby(candidates, key=_cost):
            found = [entry for entry in equally_simple if self.holds(entry, comparison) and not self._spoils(entry)]
            if found:
                return found
        return []

    def _spoils_something(self, explanation: DifferenceExplanation) -> bool:
        """Whether an explanation predicts something else in an experiment in which stack and specification agree."""
        behaviours, departures = self._changes[explanation]
        if any(entry.remembers for entry in departures):
            return any(not self.holds(explanation, one) for one in self._agreeing)
        touched: set[int] = set()
        for abandons, behaviour in behaviours.items():
            reaction = reaction_with(departures)
            for (block, event), (before, numbers) in self._steps[abandons].items():
                if isinstance(event, Segment):
                    if reaction(block, event, behaviour)[:3] != before[:3]:
                        touched.update(numbers)
                elif behaviour is not self._behaviours[abandons]:
                    touched.update(numbers)
        return any(not self.holds(explanation, self._agreeing[number]) for number in sorted(touched))

    @cached_property
    def _steps(self) -> dict[bool, dict[tuple[Block, EndpointEvent], tuple[Outcome, list[int]]]]:
        """Every step of the agreeing experiments: its outcome, and the experiments that have it."""
        found: dict[bool, dict[tuple[Block, EndpointEvent], tuple[Outcome, list[int]]]] = {False: {}, True: {}}
        for number, one in enumerate(self._agreeing):
            abandons = one.experiment.abandons
            for step in steps(one.experiment.events, self._behaviours[abandons]):
                found[abandons].setdefault((step.block, step.event), (step.outcome, []))[1].append(number)
        return found

    def _moving(self, comparison: ComparedExperiment) -> set[tuple[str, str]]:
        """The settings, with their values, that change what the specification predicts of an experiment; the profile's too."""
        entries = (entry for entry in self._candidates[comparison.experiment.abandons] if entry.setting and not entry.departures)
        original = DifferenceExplanation()
        return {entry[:2] for entry in (*entries, original) if not entry.setting or not self._leaves(entry, comparison)}

    def _leaves(self, explanation: DifferenceExplanation, comparison: ComparedExperiment) -> bool:
        """Whether a setting leaves every outcome of an experiment as it is, control blocks too."""
        abandons = comparison.experiment.abandons
        found = [
            steps(comparison.experiment.events, behaviour)
            for behaviour in (self._behaviours[abandons], self._changes[explanation][0][abandons])
        ]
        try:
            return all(one.outcome[:3] == other.outcome[:3] for one, other in zip(*found, strict=True))
        except ValueError:
            return False

    def holds(self, explanation: DifferenceExplanation, comparison: ComparedExperiment) -> bool:
        """Return whether the specification, changed by an explanation, predicts what was observed."""
        behaviours, departures = self._changes[explanation]
        behaviour = behaviours.get(comparison.experiment.abandons)
        # A departure may remember segments: each experiment has its own.
        return behaviour is None or _predicts(comparison, behaviour, reaction_with(departures))

    @cached_property
    def _changes(self) -> dict[DifferenceExplanation, tuple[dict[bool, Behaviour], tuple[Departure, ...]]]:
        """What each explanation changes: the settings for each way to close, and the reaction."""
        found: dict[DifferenceExplanation, tuple[dict[bool, Behaviour], tuple[Departure, ...]]] = {}
        for abandons, original in self._behaviours.items():
            for explanation, behaviour, departures in self._all(original):
                found.setdefault(explanation, ({}, departures))[0][abandons] = behaviour
        return found

    @cached_property
    def _candidates(self) -> dict[bool, tuple[DifferenceExplanation, ...]]:
        """The explanations to be tried, in order, for each way to close."""
        return {
            abandons: tuple(sorted((entry for entry, (known, _) in self._changes.items() if abandons in known), key=_cost))
            for abandons in self._behaviours
        }

    def _all(self, behaviour: Behaviour) -> Iterator[tuple[DifferenceExplanation, Behaviour, tuple[Departure, ...]]]:
        settings = [("", "", behaviour), *_other_values(behaviour)]
        chosen = [group for size in range(MOST + 1) for group in combinations(self._departures, size)]
        for (name, value, other), departures in product(settings, chosen):
            if name or departures:
                yield DifferenceExplanation(name, value, tuple(entry.name for entry in departures)), other, departures


def _cost(explanation: DifferenceExplanation) -> tuple[int, int]:
    return bool(explanation.setting) + len(explanation.departures), bool(explanation.setting)


def _outline(comparison: ComparedExperiment) -> object:
    """What differences with the same cause have in common: flags and states, not numbers."""
    last = comparison.experiment.events[-1]
    flags = last.flags if isinstance(last, Segment) else str(last)
    before = comparison.predicted[-2].state if len(comparison.predicted) > 1 else None
    ends = (comparison.predicted[-1], comparison.observed[-1])
    outlines = tuple((tuple(reply.flags for reply in end.replies), end.state, end.restarted) for end in ends)
    return comparison.experiment.abandons, before, flags, outlines


def _other_values(behaviour: Behaviour) -> Iterator[tuple[str, str, Behaviour]]:
    """Every setting with every other value, the rest as it is."""
    for name, others in alternatives(behaviour).items():
        if name not in NEVER_VARIED and not BEHAVIOUR[name].follows:
            for other in others:
                yield name, value_in_words(getattr(other, name)), other


def _predicts(comparison: ComparedExperiment, behaviour: Behaviour, reaction: Reaction) -> bool:
    try:
        return predicted(comparison.experiment, behaviour, reaction) == comparison.observed
    except ValueError:
        return False
