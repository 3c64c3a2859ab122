"""TChecker: the system in dense time, with durations as whole numbers of a unit.

An inactive clock is set to its lifetime and one more. An edge that violates a property is written twice: to its
target, and to a location with the property's label, which TChecker looks for. Durations are numbers, with their names in
comments: TChecker would read bounded variables too, but not terminate.
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
    head_comment,
    identifier,
    sequential,
)
from timewait.vocabulary.automaton import ZERO

MAX_UNITS = (1 << 29) - 1
"""The longest duration: TChecker stores bounds in 32 bits, and the sum of two must fit."""

SYSTEM = "timed_system"
PROCESS = "P"
BEGINNING = "beginning"


def as_tchecker(plan: Plan) -> str:
    """A plan with finitely many locations as a TChecker file.

    Raises
    ------
    DurationTooLong
        A duration is too long for TChecker's zones.
    """
    plan.longest(MAX_UNITS)
    lines = [*(f"# {line}".rstrip() for line in _head(plan)), "", f"system:{SYSTEM}", ""]
    lines += [f"# {name} is {count}" for name, count in plan.ticks.items()]
    lines += ["", "# The clocks; an expired one shows more than its lifetime."]
    lines += [f"clock:1:{name}" for name in plan.clocks]
    if plan.needs_spare:
        lines.append(f"clock:1:{SPARE}")
    events = sorted({edge.name for _, edge in plan.edges} | ({BEGINNING} if plan.inactive else set()))
    lines += ["", "# The events.", *(f"event:{name}" for name in events)]
    lines += ["", f"process:{PROCESS}", "", "# The locations.", *_locations(plan), "", "# The edges.", *_beginning(plan)]
    for location in plan.locations:
        lines += _edges(plan, location)
    return "\n".join([*lines, ""])


def _head(plan: Plan) -> list[str]:
    meanings = (
        "REACHABLE false: no reachable edge violates the property of the label.",
        "REACHABLE true: an edge does; TChecker prints the run that leads to it.",
        "(tck-reach exits 0 for both.)",
    )
    labels = [identifier(name) for name in plan.properties]
    commands = (f"tck-reach -a covreach -C concrete -l {label} {plan.labels.file}" for label in labels)
    return head_comment(plan.labels, f"in dense time; the unit is {float(plan.unit):g} s", meanings, commands)


def _locations(plan: Plan) -> Iterator[str]:
    if plan.inactive:
        yield f"location:{PROCESS}:{BEGINNING}{{initial: : committed:}}"
    for location in plan.locations:
        attributes = [] if plan.inactive or location is not plan.locations[0] else ["initial:"]
        if location.invariant:
            attributes.append(f"invariant: {_all_of(plan, location.invariant)}")
        yield f"# {location.description}"
        yield f"location:{PROCESS}:{location.name}{{{' : '.join(attributes)}}}"
    for name in plan.properties:
        yield f"# the target of every edge that violates {name}"
        yield f"location:{PROCESS}:{_broken(name)}{{labels: {identifier(name)}}}"


def _broken(name: str) -> str:
    return f"broken_{identifier(name)}"


def _beginning(plan: Plan) -> Iterator[str]:
    """The edge that sets the clocks that are inactive at the start."""
    if plan.inactive:
        sets = ";".join(f"{clock}={plan.ticks[plan.lifetimes[clock]] + 1}" for clock in plan.clocks if clock in plan.inactive)
        yield f"edge:{PROCESS}:{BEGINNING}:{plan.locations[0].name}:{BEGINNING}{{do: {sets}}}"


def _edges(plan: Plan, location: ExportedLocation) -> Iterator[str]:
    for edge in location.edges:
        guard = " and ".join(f"{bound.clock} {bound.relation} {bound.parameter}" for bound in edge.guard)
        yield f"# {edge.comment}{f'; if {guard}' if guard else ''}"
        yield _edge(plan, location, edge, edge.target, list(_assignments(plan, edge)))
        for name in edge.violates:
            yield _edge(plan, location, edge, _broken(name), [])


def _edge(plan: Plan, location: ExportedLocation, edge: ExportedEdge, target: str, sets: list[str]) -> str:
    attributes = [f"provided: {_all_of(plan, edge.guard)}"] if edge.guard else []
    attributes += [f"do: {';'.join(sets)}"] if sets else []
    return f"edge:{PROCESS}:{location.name}:{target}:{edge.name}{{{' : '.join(attributes)}}}"


def _assignments(plan: Plan, edge: ExportedEdge) -> Iterator[str]:
    """The clocks that an edge sets; those that do not run in the target may have any value."""
    for clock, change in sequential(edge.changes):
        if isinstance(change, ClockCopy):
            yield f"{clock}={change.clock}+0"
        elif change is not ClockChange.UNUSED:
            yield f"{clock}={plan.ticks[plan.lifetimes[clock]] + 1 if change is ClockChange.INACTIVE else 0}"


def _all_of(plan: Plan, bounds: tuple[ExportedBound, ...]) -> str:
    ticks = {ZERO: 0, **plan.ticks}
    return " && ".join(f"{bound.clock}{bound.relation}{ticks[bound.parameter]}" for bound in bounds)
