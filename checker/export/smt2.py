"""Z3 and other solvers of constrained Horn clauses: one predicate for each location, over its live clocks.

A predicate holds of the clock values with which its location can be entered. The file has only the locations from which an
edge that violates a property can be reached, each with the clocks that are read before they are reset
(`timewait.checker.symbolic`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from timewait.checker.certificate import numeral
from timewait.checker.export.plan import (
    ClockChange,
    ClockCopy,
    ExportedBound,
    ExportedEdge,
    ExportedLocation,
    ExportedUpdate,
    Plan,
    head_comment,
)
from timewait.checker.symbolic import Symbolic
from timewait.vocabulary.automaton import ZERO

BROKEN = "broken"
WAIT = "wait"

Live = Mapping[str, tuple[str, ...]]
"""For each location of the cone, by name, its live clocks."""


def as_smt2(plan: Plan) -> str:
    """A plan with finitely many locations as SMT-LIB 2, in the logic HORN."""
    symbolic = Symbolic(plan.automaton, frozenset(plan.properties))
    locations = [plan.locations[number] for number in sorted(symbolic.cone)]
    live = {
        plan.locations[number].name: tuple(plan.locations[number].clocks[clock] for clock in clocks)
        for number, clocks in symbolic.live.items()
    }
    lines = [*(f"; {line}".rstrip() for line in _head(plan)), "", "(set-logic HORN)", ""]
    lines += [f"(define-fun {name} () Real {numeral(value)}) ; seconds" for name, value in plan.values.items()]
    lines += ["", "; Each relevant location: the values of its live clocks with which it may be entered."]
    for location in locations:
        lines += [f"; {location.description}", f"; {location.name} {' '.join(live[location.name])}".rstrip()]
        lines.append(f"(declare-fun {location.name} ({' '.join('Real' for _ in live[location.name])}) Bool)")
    lines += [f"; an edge that violates {' or '.join(plan.properties)} was taken", f"(declare-fun {BROKEN} () Bool)"]
    lines += _start(plan, live)
    for location in locations:
        lines += ["", f"; --- {location.name}"]
        for edge in location.edges:
            lines += _edge(plan, location, edge, live)
    lines += ["", "; No such edge was taken.", f"(assert (=> {BROKEN} false))", "(check-sat)", ""]
    return "\n".join(lines)


def _head(plan: Plan) -> list[str]:
    meanings = (
        "sat: predicates exist that fulfil every clause, so no reachable edge violates a property.",
        "unsat: there are none, so an edge does.",
        "(The query command of Z3's fixedpoint engine answers the other way round: sat if the bad edge is reachable.)",
    )
    return head_comment(plan.labels, "as constrained Horn clauses, in dense time", meanings, [f"z3 {plan.labels.file}"])


def _start(plan: Plan, live: Live) -> Iterator[str]:
    start = plan.locations[0].name
    yield ""
    if start not in live:
        yield "; From the start no edge that violates a property can be reached, whatever the guards say."
        return
    changes = {clock: ClockChange.INACTIVE if clock in plan.inactive else ClockChange.RESET for clock in live[start]}
    yield "; the start"
    yield _clause((), (), _entry(plan, start, live, changes))


def _edge(plan: Plan, location: ExportedLocation, edge: ExportedEdge, live: Live) -> Iterator[str]:
    here = _applied(location.name, live[location.name])
    conditions = (here, f"(>= {WAIT} 0.0)", *map(_bound, location.invariant), *map(_bound, edge.guard))
    variables = (*live[location.name], WAIT)
    if edge.violates:
        yield f"; {edge.comment}: this violates {' and '.join(edge.violates)}"
        yield _clause(variables, conditions, Entry(BROKEN))
    if edge.target in live:
        yield f"; {edge.comment}"
        yield _clause(variables, conditions, _entry(plan, edge.target, live, edge.changes))


class Entry(NamedTuple):
    """The entry to a location: the predicate applied, additional variables, and conditions on them."""

    predicate: str
    variables: tuple[str, ...] = ()
    conditions: tuple[str, ...] = ()


def _entry(plan: Plan, target: str, live: Live, changes: Mapping[str, ExportedUpdate]) -> Entry:
    """The entry to a location; an inactive clock has any value beyond its lifetime."""
    inactive = tuple(clock for clock in live[target] if changes.get(clock) is ClockChange.INACTIVE)
    values = [f"dead_{clock}" if clock in inactive else _value(clock, changes.get(clock)) for clock in live[target]]
    beyond = tuple(f"(> dead_{clock} {plan.lifetimes[clock]})" for clock in inactive)
    return Entry(_applied(target, values), tuple(f"dead_{clock}" for clock in inactive), beyond)


def _value(clock: str, change: ExportedUpdate | None) -> str:
    if change is ClockChange.RESET:
        return "0.0"
    return _delayed(change.clock if isinstance(change, ClockCopy) else clock)


def _delayed(clock: str) -> str:
    return f"(+ {clock} {WAIT})"


def _bound(bound: ExportedBound) -> str:
    return f"({bound.sign} {_delayed(bound.clock)} {'0.0' if bound.parameter == ZERO else bound.parameter})"


def _clause(variables: Sequence[str], conditions: Sequence[str], entry: Entry) -> str:
    """The conditions imply the entry, for all values of the variables."""
    body = (*conditions, *entry.conditions)
    clause = f"(=> (and {' '.join(body)})\n      {entry.predicate})" if body else entry.predicate
    bound = " ".join(f"({name} Real)" for name in (*variables, *entry.variables))
    return f"(assert (forall ({bound})\n  {clause}))" if bound else f"(assert {clause})"


def _applied(predicate: str, values: Sequence[str]) -> str:
    return f"({predicate} {' '.join(values)})" if values else predicate
