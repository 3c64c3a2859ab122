"""For Z3 and other solvers of constrained Horn clauses: one predicate for each location, over its live clocks.

A predicate holds of the values with which its location can be entered. Only the locations from which a step that
breaks a property can be reached are there, each with the clocks that are read before they start again
(`timewait.checker.symbolic`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.export.plan import (
    ClockChange,
    ClockCopy,
    ExportedBound,
    ExportedEdge,
    ExportedLocation,
    ExportedUpdate,
    Labels,
    Plan,
    head,
    plan_of,
)
from timewait.checker.symbolic import Symbolic

BROKEN = "broken"
WAIT = "wait"

Live = Mapping[str, tuple[str, ...]]
"""For each place of the cone, by name, its live clocks."""


def as_smt2(symbolic: Symbolic, words: Labels) -> str:
    """The question whether a bad step can be reached as SMT-LIB 2, in the logic HORN.

    Parameters
    ----------
    symbolic : Symbolic
        The question, every parameter of which has its value.
    words : Words
        What the caller says; its properties are those of the question.
    """
    plan = plan_of(symbolic.automaton, words)
    places = [plan.places[number] for number in sorted(symbolic.cone)]
    live = {plan.places[number].name: _live(plan.places[number], clocks) for number, clocks in symbolic.live.items()}
    lines = [*(f"; {line}".rstrip() for line in _head(plan)), "", "(set-logic HORN)", ""]
    lines += [f"(define-fun {name} () Real {_real(value)}) ; seconds" for name, value in plan.values.items()]
    lines += ["", "; Each location that matters: with which values of its live clocks it may be entered."]
    for place in places:
        lines += [f"; {place.says}", f"; {place.name} {' '.join(live[place.name])}".rstrip()]
        lines.append(f"(declare-fun {place.name} ({' '.join('Real' for _ in live[place.name])}) Bool)")
    lines += [f"; whether a step has been taken that breaks {' or '.join(plan.asked)}", f"(declare-fun {BROKEN} () Bool)"]
    lines += _start(plan, live)
    for place in places:
        lines += ["", f"; --- {place.name}"]
        for step in place.steps:
            lines += _step(plan, place, step, live)
    lines += ["", "; It has not.", f"(assert (=> {BROKEN} false))", "(check-sat)", ""]
    return "\n".join(lines)


def _live(place: ExportedLocation, clocks: Sequence[int]) -> tuple[str, ...]:
    return tuple(place.clocks[clock] for clock in clocks)


def _head(plan: Plan) -> list[str]:
    means = (
        "sat: predicates exist that fulfil every clause, so no reachable step breaks what is asked.",
        "unsat: there are none, so one does.",
        "(The other way round than the query command of Z3's fixedpoint engine, which says sat when the bad step is reached.)",
    )
    run = (f"z3 {plan.words.file}",)
    return head(plan.words, "as constrained Horn clauses, in dense time", means, run)


def _start(plan: Plan, live: Live) -> Iterator[str]:
    place = plan.places[0].name
    yield ""
    if place not in live:
        yield "; From the start no step can be reached that breaks a property, whatever the guards say."
        return
    changes = {clock: ClockChange.DEAD if clock in plan.dead else ClockChange.NOUGHT for clock in live[place]}
    yield "; the start"
    yield _clause((), (), _entry(plan, place, live, changes))


def _step(plan: Plan, place: ExportedLocation, step: ExportedEdge, live: Live) -> Iterator[str]:
    here = _applied(place.name, live[place.name])
    holds = (here, f"(>= {WAIT} 0.0)", *map(_holds, place.limits), *map(_holds, step.guard))
    bound = (*live[place.name], WAIT)
    if step.breaks:
        yield f"; {step.told}: this breaks {' and '.join(step.breaks)}"
        yield _clause(bound, holds, Entry(BROKEN))
    if step.target in live:
        yield f"; {step.told}"
        yield _clause(bound, holds, _entry(plan, step.target, live, step.changes))


class Entry(NamedTuple):
    """How a location is entered: the predicate applied, variables of its own, and what holds of them."""

    head: str
    variables: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()


def _entry(plan: Plan, place: str, live: Live, changes: Mapping[str, ExportedUpdate]) -> Entry:
    """The entry to a place; a dead clock shows anything beyond its lifetime."""
    dead = tuple(clock for clock in live[place] if changes.get(clock) is ClockChange.DEAD)
    values = [f"dead_{clock}" if clock in dead else _value(clock, changes.get(clock)) for clock in live[place]]
    beyond = tuple(f"(> dead_{clock} {plan.lifetimes[clock]})" for clock in dead)
    return Entry(_applied(place, values), tuple(f"dead_{clock}" for clock in dead), beyond)


def _value(clock: str, change: ExportedUpdate | None) -> str:
    if change is ClockChange.NOUGHT:
        return "0.0"
    return _shown(change.clock if isinstance(change, ClockCopy) else clock)


def _shown(clock: str) -> str:
    return f"(+ {clock} {WAIT})"


def _holds(test: ExportedBound) -> str:
    limit = "0.0" if test.limit == "0" else test.limit
    return f"({test.relation.replace('==', '=')} {_shown(test.clock)} {limit})"


def _clause(variables: Sequence[str], holds: Sequence[str], entry: Entry) -> str:
    """That what holds leads to an entry, whatever the variables are."""
    body = (*holds, *entry.holds)
    clause = f"(=> (and {' '.join(body)})\n      {entry.head})" if body else entry.head
    bound = " ".join(f"({name} Real)" for name in (*variables, *entry.variables))
    return f"(assert (forall ({bound})\n  {clause}))" if bound else f"(assert {clause})"


def _applied(predicate: str, values: Sequence[str]) -> str:
    return f"({predicate} {' '.join(values)})" if values else predicate


def _real(value: Fraction) -> str:
    return f"{value.numerator}.0" if value.denominator == 1 else f"(/ {value.numerator}.0 {value.denominator}.0)"
