"""TLC and Apalache: a TLA+ module in ticks, with an action `Tick` and an action for every edge.

Its states are those of `timewait.checker.explicit.Explicit`, one for one: the location, and the value of each clock, with
zero for clocks that are not active. A property is an invariant: no edge that violates it is enabled.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from timewait.checker.export.plan import (
    ClockCopy,
    ExportedBound,
    ExportedEdge,
    ExportedLocation,
    ExportedUpdate,
    Plan,
    head_comment,
    identifier,
)


def as_tla(plan: Plan) -> str:
    """A plan with finitely many locations as a TLA+ module."""
    lines = [f"---- MODULE {plan.labels.stem} ----", *(f"\\* {line}".rstrip() for line in _head(plan)), ""]
    lines += ["EXTENDS Naturals", "", f"CONSTANTS {', '.join(plan.ticks)}", "VARIABLES at, clock", "vars == <<at, clock>>", ""]
    lines += ["Clocks == {", ",\n".join(f"  {_text(plan, clock)}" for clock in plan.clocks), "}", ""]
    lines += ["\\* The value beyond which a clock saturates, at one more.", *_saturation(plan), ""]
    lines += ["\\* The active clocks of each location.", *_active(plan), ""]
    lines += [*_start(plan), "", *_tick(plan), ""]
    names: list[str] = []
    for location in plan.locations:
        lines += ["", f"\\* {location.description}"]
        for edge in location.edges:
            names.append(f"Step{len(names)}_{edge.name}")
            lines += _edge(plan, location, edge, names[-1])
    lines += ["", "Next ==", "  \\/ Tick", *(f"  \\/ {name}" for name in names), "", "Spec == Init /\\ [][Next]_vars", ""]
    for name in plan.properties:
        lines += [*_invariant(plan, name), ""]
    return "\n".join([*lines, "====", ""])


def as_tla_configuration(plan: Plan) -> str:
    """The configuration of TLC: the durations in ticks, and the invariants."""
    lines = [f"\\* One tick is {float(plan.unit):g} s.", "SPECIFICATION Spec", "CONSTANTS"]
    lines += [f"  {name} = {count}" for name, count in plan.ticks.items()]
    return "\n".join([*lines, "INVARIANTS", *(f"  {identifier(name)}" for name in plan.properties), ""])


def _head(plan: Plan) -> list[str]:
    meanings = (
        "No error has been found: no reachable edge violates a property.",
        "Invariant ... is violated: the printed run ends where an edge that violates it is enabled.",
        "Deadlock reached: time cannot pass and no edge is enabled, which would make a proof vacuous.",
        "distinct states found: as many as timewait's engine 'explicit' visits, if there is no error.",
    )
    command = (f"java -cp tla2tools.jar tlc2.TLC -config {plan.labels.stem}.cfg {plan.labels.file}",)
    return head_comment(plan.labels, f"in ticks of {float(plan.unit):g} s", meanings, command)


def _text(plan: Plan, clock: str) -> str:
    return f'"{plan.clocks[clock]}"'


def _saturation(plan: Plan) -> Iterator[str]:
    yield "Most == [c \\in Clocks |->"
    yield "  CASE " + "\n    [] ".join(f"c = {_text(plan, clock)} -> {plan.saturation(clock)}" for clock in plan.clocks)
    yield "]"


def _active(plan: Plan) -> Iterator[str]:
    yield "Running =="
    entries = (
        f"{location.name} |-> {{{', '.join(_text(plan, clock) for clock in location.clocks)}}}" for location in plan.locations
    )
    yield "  [ " + ",\n    ".join(entries) + " ]"


def _start(plan: Plan) -> Iterator[str]:
    yield "Init =="
    yield f'  /\\ at = "{plan.locations[0].name}"'
    inactive = ", ".join(_text(plan, clock) for clock in plan.clocks if clock in plan.inactive)
    yield f"  /\\ clock = [c \\in Clocks |-> IF c \\in {{{inactive}}} THEN Most[c] + 1 ELSE 0]"


def _tick(plan: Plan) -> Iterator[str]:
    yield "\\* Time passes, unless an invariant forbids it."
    yield "Tick =="
    for location in plan.locations:
        if location.invariant:
            below = " /\\ ".join(f"clock[{_text(plan, bound.clock)}] < {bound.parameter}" for bound in location.invariant)
            yield f'  /\\ at = "{location.name}" => {below}'
    yield "  /\\ clock' = [c \\in Clocks |->"
    yield "       IF c \\in Running[at] /\\ clock[c] <= Most[c] THEN clock[c] + 1 ELSE clock[c]]"
    yield "  /\\ UNCHANGED at"


def _edge(plan: Plan, location: ExportedLocation, edge: ExportedEdge, name: str) -> Iterator[str]:
    yield ""
    yield f"\\* {edge.comment}"
    yield f"{name} =="
    yield f"  /\\ {_enabled(plan, location, edge)}"
    yield f'  /\\ at\' = "{edge.target}"'
    changes = ", ".join(_changes(plan, edge.changes))
    yield f"  /\\ clock' = [clock EXCEPT {changes}]" if changes else "  /\\ UNCHANGED clock"


def _changes(plan: Plan, changes: Mapping[str, ExportedUpdate]) -> Iterator[str]:
    """Simultaneous changes, as in an EXCEPT."""
    for clock, change in changes.items():
        value = f"clock[{_text(plan, change.clock)}]" if isinstance(change, ClockCopy) else plan.assigned(clock, change)
        yield f"![{_text(plan, clock)}] = {value}"


def _enabled(plan: Plan, location: ExportedLocation, edge: ExportedEdge) -> str:
    return " /\\ ".join((f'at = "{location.name}"', *(_bound(plan, bound) for bound in edge.guard)))


def _invariant(plan: Plan, name: str) -> Iterator[str]:
    yield f"\\* {name}: {plan.labels.properties[name]}"
    violating = [(location, edge) for location, edge in plan.edges if name in edge.violates]
    if not violating:
        yield f"{identifier(name)} == TRUE \\* no edge violates it"
        return
    yield f"{identifier(name)} == ~("
    for location, edge in violating:
        yield f"  \\/ {_enabled(plan, location, edge)} \\* {edge.description}"
    yield ")"


def _bound(plan: Plan, bound: ExportedBound) -> str:
    return f"clock[{_text(plan, bound.clock)}] {bound.sign} {bound.parameter}"
