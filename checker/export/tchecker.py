"""For TChecker: the system in dense time, with whole numbers of a unit in which every duration is whole.

A clock beyond its lifetime is set to one more than that. A step that breaks a property leads where the system says,
and also to a place of that property's, whose label is what is looked for. Durations stand as numbers, and by their
names in the comments: bounded variables in their place would read better, but keep TChecker from coming to an end.
"""

from __future__ import annotations

from collections.abc import Iterator

from timewait.checker.export.plan import (
    SPARE,
    ClockChange,
    ClockCopy,
    ExportedBound,
    ExportedEdge,
    ExportedLocation,
    Plan,
    head,
    identifier,
    in_order,
)
from timewait.vocabulary.automaton import ZERO

LARGEST = (1 << 29) - 1
"""The largest number of units: zones are kept in 32 bits, and sums of two bounds must fit."""

SYSTEM = "timed_system"
PROCESS = "P"
BEGINNING = "beginning"


def as_tchecker(plan: Plan) -> str:
    """A plan whose locations are finitely many as a TChecker file.

    Raises
    ------
    TooLong
        A duration is too long for TChecker's zones.
    """
    plan.fitting(LARGEST)
    lines = [*(f"# {line}".rstrip() for line in _head(plan)), "", f"system:{SYSTEM}", ""]
    lines += [f"# {name} is {count}" for name, count in plan.ticks.items()]
    lines += ["", "# The clocks; dead ones show more than their lifetime."]
    lines += [f"clock:1:{name}" for name in plan.clocks]
    if plan.exchanges:
        lines.append(f"clock:1:{SPARE}")
    events = sorted({step.name for _, step in plan.steps} | ({BEGINNING} if plan.dead else set()))
    lines += ["", "# What happens."]
    lines += [f"event:{name}" for name in events]
    lines += ["", f"process:{PROCESS}", "", "# The locations."]
    lines += _locations(plan)
    lines += ["", "# The steps."]
    lines += _beginning(plan)
    for place in plan.places:
        lines += _edges(plan, place)
    return "\n".join([*lines, ""])


def _head(plan: Plan) -> list[str]:
    means = (
        "REACHABLE false: no reachable step breaks the property whose label was looked for.",
        "REACHABLE true: one does; the run that leads to it is printed.",
        "(tck-reach exits 0 for both.)",
    )
    labels = [identifier(name) for name in plan.asked]
    run = tuple(f"tck-reach -a covreach -C concrete -l {label} {plan.words.file}" for label in labels)
    return head(plan.words, f"in dense time; one is {float(plan.unit):g} s", means, run)


def _locations(plan: Plan) -> Iterator[str]:
    if plan.dead:
        yield f"location:{PROCESS}:{BEGINNING}{{initial: : committed:}}"
    for place in plan.places:
        attributes = [] if plan.dead or place is not plan.places[0] else ["initial:"]
        if place.limits:
            attributes.append(f"invariant: {_all_of(plan, place.limits)}")
        yield f"# {place.says}"
        yield f"location:{PROCESS}:{place.name}{{{' : '.join(attributes)}}}"
    for name in plan.asked:
        yield f"# reached by every step that breaks {name}"
        yield f"location:{PROCESS}:{_broken(name)}{{labels: {identifier(name)}}}"


def _broken(name: str) -> str:
    return f"broken_{identifier(name)}"


def _beginning(plan: Plan) -> Iterator[str]:
    """The step that sets the clocks that are dead from the start."""
    if plan.dead:
        sets = ";".join(f"{clock}={plan.ticks[plan.lifetimes[clock]] + 1}" for clock in plan.clocks if clock in plan.dead)
        yield f"edge:{PROCESS}:{BEGINNING}:{plan.places[0].name}:{BEGINNING}{{do: {sets}}}"


def _edges(plan: Plan, place: ExportedLocation) -> Iterator[str]:
    for step in place.steps:
        guard = f"; if {' and '.join(map(_in_words, step.guard))}" if step.guard else ""
        yield f"# {step.told}{guard}"
        yield _edge(plan, place, step, step.target, list(_assignments(plan, step)))
        for name in step.breaks:
            yield _edge(plan, place, step, _broken(name), [])


def _edge(plan: Plan, place: ExportedLocation, step: ExportedEdge, target: str, sets: list[str]) -> str:
    attributes = [f"provided: {_all_of(plan, step.guard)}"] if step.guard else []
    attributes += [f"do: {';'.join(sets)}"] if sets else []
    return f"edge:{PROCESS}:{place.name}:{target}:{step.name}{{{' : '.join(attributes)}}}"


def _assignments(plan: Plan, step: ExportedEdge) -> Iterator[str]:
    """The clocks that a step sets; those that do not run where it leads may show anything."""
    for clock, change in in_order(step.changes):
        if isinstance(change, ClockCopy):
            yield f"{clock}={change.clock}+0"
        elif change is not ClockChange.IDLE:
            yield f"{clock}={plan.ticks[plan.lifetimes[clock]] + 1 if change is ClockChange.DEAD else 0}"


def _all_of(plan: Plan, tests: tuple[ExportedBound, ...]) -> str:
    return " && ".join(f"{test.clock}{test.relation}{_number(plan, test.parameter)}" for test in tests)


def _number(plan: Plan, parameter: str) -> int:
    return 0 if parameter == ZERO else plan.ticks[parameter]


def _in_words(test: ExportedBound) -> str:
    return f"{test.clock} {test.relation} {test.limit}"
