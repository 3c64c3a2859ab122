"""For IMITATOR: the system in dense time, every duration a parameter.

It is asked for which durations no step that breaks a property can be reached. With all of them symbolic it need not
come to an end (neither do the engines here: `timewait.checker.horn` leaves that to an invariant); fixed, one by one, by the
lines that are commented out at the end, they make the question easier.
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
    in_order,
)

AUTOMATON = "timed_system"
BROKEN = "broken"


def as_imitator(plan: Plan) -> str:
    """A plan whose locations are finitely many as an IMITATOR model."""
    clocks = [*plan.clocks, *([SPARE] if plan.exchanges else [])]
    lines = ["(*", *(f"   {line}".replace("*)", "* )").rstrip() for line in _head(plan)), "*)", ""]
    lines += ["var", "  " + ",\n  ".join(clocks), "    : clock;"] if clocks else ["var"]
    lines += ["  " + ",\n  ".join(plan.values), "    : parameter;", ""]
    actions = sorted({step.name for _, step in plan.steps})
    lines += [f"automaton {AUTOMATON}", "actions:", "  " + ",\n  ".join(actions) + ";"]
    for place in plan.places:
        lines += _location(plan, place)
    lines += ["", f"(* reached by every step that breaks {' or '.join(plan.asked)} *)", f"loc {BROKEN}: invariant True"]
    lines += ["", f"end (* {AUTOMATON} *)", "", "init := {", f"  discrete = loc[{AUTOMATON}] := {plan.places[0].name};"]
    lines += ["  continuous ="]
    lines += _initial(plan, clocks)
    lines += ["  ;", "}", "", "end", ""]
    return "\n".join(lines)


def as_imitator_property(plan: Plan) -> str:
    """The question that goes with the model, a file of its own."""
    asked = " or ".join(plan.asked)
    return (
        f"(* For which durations can no step be reached that breaks {asked}? *)\n"
        f"property := #synth AGnot(loc[{AUTOMATON}] = {BROKEN});\n"
    )


def _head(plan: Plan) -> list[str]:
    fixed = " & ".join(f"{name} = {_exact(plan, name)}" for name in plan.values)
    means = (
        "the constraint that is printed: the durations for which no reachable step breaks what is asked.",
        f"They should include {fixed},",
        "if and only if timewait says PROVED of this configuration.",
        "No answer: with everything symbolic it may run for ever; fix durations at the end of this file.",
    )
    run = (f"imitator {plan.words.file} {plan.words.stem}.imiprop",)
    return head(plan.words, "in dense time, every duration a parameter (in seconds)", means, run)


def _location(plan: Plan, place: ExportedLocation) -> Iterator[str]:
    yield ""
    yield f"(* {place.says} *)"
    yield f"loc {place.name}: invariant {_all_of(place.limits)}"
    for step in place.steps:
        yield f"  (* {step.told} *)"
        yield _transition(step, step.target, list(_updates(plan, step)))
        if step.breaks:
            yield f"  (* the same breaks {' and '.join(step.breaks)} *)"
            yield _transition(step, BROKEN, [])


def _transition(step: ExportedEdge, target: str, updates: list[str]) -> str:
    done = f" do {{{'; '.join(updates)}}}" if updates else ""
    return f"  when {_all_of(step.guard)} sync {step.name}{done} goto {target};"


def _updates(plan: Plan, step: ExportedEdge) -> Iterator[str]:
    """The clocks that a step sets; those that do not run where it leads are set to nought, to keep zones few."""
    for clock, change in in_order(step.changes):
        if isinstance(change, ClockCopy):
            yield f"{clock} := {change.clock}"
        else:
            yield f"{clock} := {f'{plan.lifetimes[clock]} + 1' if change is ClockChange.DEAD else 0}"


def _initial(plan: Plan, clocks: list[str]) -> Iterator[str]:
    for clock in clocks:
        yield f"    & {clock} = {f'{plan.lifetimes[clock]} + 1' if clock in plan.dead else 0}"
    for name in plan.values:
        yield f"    & {name} >= 0"
    yield "    (* this configuration: take away the comments, or some of them"
    for name in plan.values:
        yield f"    & {name} = {_exact(plan, name)}"
    yield "    *)"


def _exact(plan: Plan, name: str) -> str:
    return str(plan.values[name])


def _all_of(tests: tuple[ExportedBound, ...]) -> str:
    return " & ".join(f"{test.clock} {test.relation.replace('==', '=')} {test.limit}" for test in tests) or "True"
