"""Statements of certificates compared with what is asked: a claim of the project, or a configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from types import FunctionType
from typing import Any

from timewait.checker import certificate
from timewait.checker.linear import Constraint, constraint
from timewait.proofs import evidence
from timewait.proofs.certificate_files import ProvedStatement
from timewait.proofs.certify import SYMBOLS
from timewait.proofs.claim import CLAIMS
from timewait.proofs.thresholds import RANGE
from timewait.spec.configuration import Configuration

ONE = Fraction(1)


def mismatch(proved: ProvedStatement, asked: ProvedStatement) -> str:
    """The reason why one statement does not imply another; empty if it does.

    The configurations must be equal but for durations that a statement for all values leaves open, the properties must
    be among those proved, and every value asked about must be in the region proved.
    """
    if missing := sorted(set(asked.properties) - set(proved.properties)):
        return f"it says nothing about {missing[0]}"
    own, other = (_without_durations(each) for each in (proved, asked))
    if proved.region is None and (asked.region is not None or proved.configuration != asked.configuration):
        return "it is about one configuration, and that is another" if asked.region is None else "it is about one value alone"
    if own != other:
        return f"it is about another configuration: {_first_difference(own, other)}"
    return _uncovered(proved, asked)


def _without_durations(statement: ProvedStatement) -> Configuration:
    """The configuration with the durations replaced that a statement for all values leaves open; their ratios are kept."""
    configuration = statement.configuration
    ratios = tuple(gap / configuration.rto[0] for gap in configuration.rto)
    timeout = configuration.fin_wait_2 / configuration.msl if configuration.behaviour.fin_wait_2 else Fraction(0)
    return replace(configuration, msl=ONE, time_wait=ONE, rto=ratios, fin_wait_2=timeout)


def _first_difference(own: Configuration, other: Configuration) -> str:
    for name in ("scope", "both_close", "loss", "duplication", "fifo", "text", "rto_exact", "rto", "fin_wait_2"):
        if getattr(own, name) != getattr(other, name):
            return f"{name} {getattr(own, name)}, not {getattr(other, name)}"
    return "its settings differ"


def _uncovered(proved: ProvedStatement, asked: ProvedStatement) -> str:
    """The constraint of the region proved that some value asked about does not satisfy."""
    if not proved.region:
        return ""
    if asked.region is None:
        configuration = asked.configuration
        values = {SYMBOLS.scale: configuration.msl, SYMBOLS.rate: configuration.rto[0], SYMBOLS.wait: configuration.time_wait}
        outside = [part.text for part in proved.region if not part.holds(values)]
    else:
        outside = [
            part.text
            for part in proved.region
            if any(certificate.satisfiable(tuple(SYMBOLS), [*asked.region, negated]) for negated in _negations(part))
        ]
    return f"it holds only for {outside[0]}" if outside else ""


def _negations(part: Constraint) -> Iterator[Constraint]:
    """Constraints of which one holds where a constraint does not."""
    minus = {name: -factor for name, factor in part.terms.items()}
    if part.relation == "==":
        yield Constraint(part.terms, ">", part.text)
    yield Constraint(minus, ">=" if part.relation == ">" else ">", part.text)


# --- claims ---------------------------------------------------------------------------------------------------------


def statements_of_claim(name: str) -> list[ProvedStatement]:
    """What the certificates of a claim must state; empty for a claim that rests on counterexamples or on engines alone.

    The function of the claim runs with functions in place of those that yield evidence which only note what is proved.
    """
    gather = CLAIMS[name].gather
    assert isinstance(gather, FunctionType)
    noted: dict[str, Any] = {}
    for key, value in gather.__globals__.items():
        if isinstance(value, FunctionType) and value.__module__ == evidence.__name__:
            noted[key] = _NOTES.get(value.__name__, _nothing)
    scope = {**gather.__globals__, **noted}
    for key, value in gather.__globals__.items():
        if isinstance(value, FunctionType) and value.__module__ == gather.__module__:
            scope[key] = _in_scope(value, scope)
    found = _flat(_in_scope(gather, scope)())
    return list({(each.configuration, str(each)): each for each in found}.values())


def _in_scope(function: FunctionType, scope: dict[str, Any]) -> Callable[[], Iterable[Any]]:
    """The function with other global names."""
    found = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)
    found.__kwdefaults__ = function.__kwdefaults__
    return found


def _flat(noted: Iterable[Any]) -> Iterator[ProvedStatement]:
    for part in noted:
        if isinstance(part, ProvedStatement):
            yield part
        else:
            yield from part


def _note_region(
    label: str, configuration: Configuration, region: Sequence[str], properties: Sequence[str] = evidence.BOTH
) -> list[ProvedStatement]:
    del label
    return [ProvedStatement(configuration, tuple(properties), tuple(map(constraint, region)))]


def _note_liveness(label: str, configuration: Configuration, name: str) -> list[ProvedStatement]:
    del label
    return [ProvedStatement(configuration, (name,), ())]


def _note_formula(
    label: str,
    configuration: Configuration,
    properties: Sequence[str],
    expected: str,
    ratios: tuple[Fraction, Fraction] = RANGE,
) -> list[ProvedStatement]:
    """The proofs of a threshold: one for each piece of the formula."""
    found = []
    for piece in expected.split("; "):
        where, _, needed = piece.rpartition(": ")
        if (bound := _BOUND.fullmatch(needed)) is None:
            continue
        parts = [f"RTO >= {ratios[0]}*MSL", f"RTO <= {ratios[1]}*MSL", "MSL > 0", "RTO > 0"]
        names = where.split(" <= ") if where else []
        parts += [f"{left} <= {right}" for left, right in pairwise(names)]
        parts += [f"TIME_WAIT >= {term}" for term in (bound[1] or bound[2]).split(", ")]
        found.append(_note_region(label, configuration, parts, properties)[0])
    return found


_BOUND = re.compile(r"safe iff TIME_WAIT >= (?:max\(([^()]*)\)|([^()]*))")


def _nothing(*arguments: Any, **keywords: Any) -> list[ProvedStatement]:
    """Evidence without a certificate."""
    del arguments, keywords
    return []


_NOTES: dict[str, Callable[..., list[ProvedStatement]]] = {
    "for_all": _note_region,
    "by_horn": _note_region,
    "for_every_duration": _note_liveness,
    "as_formula": _note_formula,
}
"""What to note in place of each function that yields evidence with a certificate."""
