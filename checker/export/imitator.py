"""IMITATOR: the system in dense time, every duration a parameter.

IMITATOR synthesizes the durations for which no edge that violates a property is reachable. With every duration symbolic it
need not terminate; the commented lines at the end of the model fix durations, one by one, which makes the problem easier.
"""

from __future__ import annotations

from collections.abc import Iterator

from timewait.checker.export.plan import SPARE, ExportedBound, ExportedEdge, ExportedLocation, Plan, head_comment, sequential

AUTOMATON = "timed_system"
BROKEN = "broken"


def as_imitator(plan: Plan) -> str:
    """A plan with finitely many locations as an IMITATOR model."""
    clocks = [*plan.clocks, *([SPARE] if plan.needs_spare else [])]
    lines = ["(*", *(f"   {line}".replace("*)", "* )").rstrip() for line in _head(plan)), "*)", ""]
    lines += ["var", "  " + ",\n  ".join(clocks), "    : clock;"] if clocks else ["var"]
    lines += ["  " + ",\n  ".join(plan.values), "    : parameter;", ""]
    actions = sorted({edge.name for _, edge in plan.edges})
    lines += [f"automaton {AUTOMATON}", "actions:", "  " + ",\n  ".join(actions) + ";"]
    for location in plan.locations:
        lines += _location(plan, location)
    violated = " or ".join(plan.properties)
    lines += ["", f"(* the target of every edge that violates {violated} *)", f"loc {BROKEN}: invariant True"]
    lines += ["", f"end (* {AUTOMATON} *)", "", "init := {", f"  discrete = loc[{AUTOMATON}] := {plan.locations[0].name};"]
    lines += ["  continuous =", *_initial(plan, clocks), "  ;", "}", "", "end", ""]
    return "\n".join(lines)


def as_imitator_property(plan: Plan) -> str:
    """The property that goes with the model, in a file of its own."""
    return (
        f"(* For which durations is no edge reachable that violates {' or '.join(plan.properties)}? *)\n"
        f"property := #synth AGnot(loc[{AUTOMATON}] = {BROKEN});\n"
    )


def _head(plan: Plan) -> list[str]:
    fixed = " & ".join(f"{name} = {value}" for name, value in plan.values.items())
    meanings = (
        "The printed constraint: the durations for which no reachable edge violates a property.",
        f"It includes {fixed},",
        "if and only if timewait reports PROVED for this configuration.",
        "No answer: with every duration symbolic IMITATOR may not terminate; fix durations at the end of this file.",
    )
    command = (f"imitator {plan.labels.file} {plan.labels.stem}.imiprop",)
    return head_comment(plan.labels, "in dense time, every duration a parameter (in seconds)", meanings, command)


def _location(plan: Plan, location: ExportedLocation) -> Iterator[str]:
    yield ""
    yield f"(* {location.description} *)"
    yield f"loc {location.name}: invariant {_all_of(location.invariant)}"
    for edge in location.edges:
        yield f"  (* {edge.comment} *)"
        yield _transition(
            edge, edge.target, [f"{clock} := {plan.assigned(clock, change)}" for clock, change in sequential(edge.changes)]
        )
        if edge.violates:
            yield f"  (* the same violates {' and '.join(edge.violates)} *)"
            yield _transition(edge, BROKEN, [])


def _transition(edge: ExportedEdge, target: str, updates: list[str]) -> str:
    assignments = f" do {{{'; '.join(updates)}}}" if updates else ""
    return f"  when {_all_of(edge.guard)} sync {edge.name}{assignments} goto {target};"


def _initial(plan: Plan, clocks: list[str]) -> Iterator[str]:
    yield from (f"    & {clock} = {plan.initial(clock)}" for clock in clocks)
    yield from (f"    & {name} >= 0" for name in plan.values)
    yield "    (* this configuration: uncomment some or all of these"
    yield from (f"    & {name} = {value}" for name, value in plan.values.items())
    yield "    *)"


def _all_of(bounds: tuple[ExportedBound, ...]) -> str:
    return " & ".join(f"{bound.clock} {bound.sign} {bound.parameter}" for bound in bounds) or "True"
