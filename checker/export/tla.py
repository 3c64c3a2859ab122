"""For TLC and Apalache: a TLA+ module in ticks, with an action `Tick` and an action for every step.

Its states are those of `timewait.checker.explicit.Explicit`, one for one: where the system is, and what each clock shows, where
clocks that do not run show nought. A property is an invariant: no step that breaks it can be taken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from timewait.checker.export.plan import (
    ClockChange,
    ClockCopy,
    ExportedBound,
    ExportedEdge,
    ExportedLocation,
    ExportedUpdate,
    Plan,
    head,
    identifier,
)
from timewait.vocabulary.automaton import ZERO


def as_tla(plan: Plan) -> str:
    """A plan whose locations are finitely many as a TLA+ module."""
    lines = [f"---- MODULE {plan.words.stem} ----", *(f"\\* {line}".rstrip() for line in _head(plan)), ""]
    lines += ["EXTENDS Naturals", "", f"CONSTANTS {', '.join(plan.ticks)}", "VARIABLES at, clock", "vars == <<at, clock>>", ""]
    lines += ["Clocks == {", ",\n".join(f"  {_text(plan, clock)}" for clock in plan.clocks), "}", ""]
    lines += ["\\* Beyond this it does not matter how much a clock shows: it stays at one more.", *_most(plan), ""]
    lines += ["\\* The clocks that run in each place.", *_running(plan), ""]
    lines += [*_start(plan), "", *_tick(plan), ""]
    names: list[str] = []
    for place in plan.places:
        lines += ["", f"\\* {place.says}"]
        for step in place.steps:
            names.append(f"Step{len(names)}_{step.name}")
            lines += _step(plan, place, step, names[-1])
    lines += ["", "Next ==", "  \\/ Tick", *(f"  \\/ {name}" for name in names), "", "Spec == Init /\\ [][Next]_vars", ""]
    for name in plan.asked:
        lines += [*_invariant(plan, name), ""]
    return "\n".join([*lines, "====", ""])


def as_tla_configuration(plan: Plan) -> str:
    """What TLC reads beside the module: the durations in ticks, and what is asked."""
    lines = [f"\\* One tick is {float(plan.unit):g} s.", "SPECIFICATION Spec", "CONSTANTS"]
    lines += [f"  {name} = {count}" for name, count in plan.ticks.items()]
    return "\n".join([*lines, "INVARIANTS", *(f"  {identifier(name)}" for name in plan.asked), ""])


def _head(plan: Plan) -> list[str]:
    means = (
        "No error has been found: no reachable step breaks what is asked.",
        "Invariant ... is violated: the run that is shown ends where a step that breaks it can be taken.",
        "Deadlock reached: time cannot pass and nothing can happen, which would make a proof worthless.",
        "distinct states found: as many as timewait's engine 'explicit' visits, if there is no error.",
    )
    run = (f"java -cp tla2tools.jar tlc2.TLC -config {plan.words.stem}.cfg {plan.words.file}",)
    return head(plan.words, f"in ticks of {float(plan.unit):g} s", means, run)


def _text(plan: Plan, clock: str) -> str:
    return f'"{plan.clocks[clock]}"'


def _most(plan: Plan) -> Iterator[str]:
    yield "Most == [c \\in Clocks |->"
    yield "  CASE " + "\n    [] ".join(f"c = {_text(plan, clock)} -> {_numeral(plan.most(clock))}" for clock in plan.clocks)
    yield "]"


def _running(plan: Plan) -> Iterator[str]:
    yield "Running =="
    entries = (f"{place.name} |-> {{{', '.join(_text(plan, clock) for clock in place.clocks)}}}" for place in plan.places)
    yield "  [ " + ",\n    ".join(entries) + " ]"


def _start(plan: Plan) -> Iterator[str]:
    yield "Init =="
    yield f'  /\\ at = "{plan.places[0].name}"'
    dead = ", ".join(_text(plan, clock) for clock in plan.clocks if clock in plan.dead)
    yield f"  /\\ clock = [c \\in Clocks |-> IF c \\in {{{dead}}} THEN Most[c] + 1 ELSE 0]"


def _tick(plan: Plan) -> Iterator[str]:
    yield "\\* Time passes, where nothing must happen first."
    yield "Tick =="
    for place in plan.places:
        if place.limits:
            below = " /\\ ".join(f"clock[{_text(plan, test.clock)}] < {test.limit}" for test in place.limits)
            yield f'  /\\ at = "{place.name}" => {below}'
    yield "  /\\ clock' = [c \\in Clocks |->"
    yield "       IF c \\in Running[at] /\\ clock[c] <= Most[c] THEN clock[c] + 1 ELSE clock[c]]"
    yield "  /\\ UNCHANGED at"


def _step(plan: Plan, place: ExportedLocation, step: ExportedEdge, name: str) -> Iterator[str]:
    yield ""
    yield f"\\* {step.told}"
    yield f"{name} =="
    yield f"  /\\ {_possible(plan, place, step)}"
    yield f'  /\\ at\' = "{step.target}"'
    changes = ", ".join(_changes(plan, step.changes))
    yield f"  /\\ clock' = [clock EXCEPT {changes}]" if changes else "  /\\ UNCHANGED clock"


def _changes(plan: Plan, changes: Mapping[str, ExportedUpdate]) -> Iterator[str]:
    """Changes that happen at once, as they do in an EXCEPT."""
    for clock, change in changes.items():
        value = "0"
        if isinstance(change, ClockCopy):
            value = f"clock[{_text(plan, change.clock)}]"
        elif change is ClockChange.DEAD:
            value = f"{plan.lifetimes[clock]} + 1"
        yield f"![{_text(plan, clock)}] = {value}"


def _possible(plan: Plan, place: ExportedLocation, step: ExportedEdge) -> str:
    return " /\\ ".join((f'at = "{place.name}"', *(_compared(plan, test) for test in step.guard)))


def _invariant(plan: Plan, name: str) -> Iterator[str]:
    yield f"\\* {name}: {plan.words.properties[name]}"
    breaking = [(place, step) for place, step in plan.steps if name in step.breaks]
    if not breaking:
        yield f"{identifier(name)} == TRUE \\* there is no step that breaks it"
        return
    yield f"{identifier(name)} == ~("
    for place, step in breaking:
        yield f"  \\/ {_possible(plan, place, step)} \\* {step.says}"
    yield ")"


def _compared(plan: Plan, test: ExportedBound) -> str:
    return f"clock[{_text(plan, test.clock)}] {test.relation.replace('==', '=')} {test.limit}"


def _numeral(parameter: str) -> str:
    return "0" if parameter == ZERO else parameter
