"""Linear constraints over the parameters, as people write them: ``TIME_WAIT >= 2*MSL``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

_NAME = r"[A-Z][A-Z_0-9]*"
_DIVIDED = rf"({_NAME})(?:/([1-9]\d*))?"
_TERM = re.compile(rf"\s*([+-])?\s*(?:(\d+(?:/[1-9]\d*)?)(?:\s*\*?\s*{_DIVIDED})?|{_DIVIDED})\s*")
_RELATION = re.compile(r"(<=|>=|<|>|==)")

Terms = Mapping[str, Fraction]
"""A linear term: each parameter's coefficient; the constant stands under the empty name."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A constraint: a linear term, compared with nought.

    Attributes
    ----------
    terms : mapping
        The coefficient of each parameter, the constant under the empty name.
    relation : {">=", ">", "=="}
        How the term compares with nought.
    text : str
        The constraint as it was written.
    """

    terms: Terms
    relation: Literal[">=", ">", "=="]
    text: str

    def holds(self, values: Mapping[str, Fraction]) -> bool:
        """Whether it holds for some values, in seconds."""
        value = evaluate(self.terms, values)
        return value == 0 if self.relation == "==" else value > 0 or (value == 0 and self.relation == ">=")


def constraint(text: str) -> Constraint:
    """Read a constraint.

    Raises
    ------
    ValueError
        It is not two linear terms with one relation between them.
    """
    parts = _RELATION.split(text)
    if len(parts) != 3:
        raise ValueError(f"{text!r} is no comparison of two linear terms")
    left, relation, right = term(parts[0]), parts[1], term(parts[2])
    if relation in ("<", "<="):
        left, right, relation = right, left, relation.replace("<", ">")
    terms = {name: left.get(name, Fraction(0)) - right.get(name, Fraction(0)) for name in {**left, **right}}
    assert relation in (">=", ">", "==")
    return Constraint(terms, relation, text)  # type: ignore[arg-type]  # narrowed by the assertion above


def constraint_of(terms: Terms, relation: Literal[">=", ">", "=="]) -> Constraint:
    """The constraint that a term is at least (more than, equal to) nought, written for its alphabetically last parameter."""
    given = only(terms)
    subject = max((name for name in given if name), default="")
    factor = given.get(subject, Fraction(0)) if subject else Fraction(0)
    if not factor:
        return Constraint(given, relation, f"{as_text(given)} {relation} 0")
    rest = times(-1 / factor, {name: value for name, value in given.items() if name != subject})
    shown = relation if factor > 0 else relation.replace(">", "<")
    return Constraint(times(1 / abs(factor), given), relation, f"{subject} {shown} {as_text(rest)}")


def term(text: str) -> dict[str, Fraction]:
    """Read a linear term such as ``2*MSL - TIME_WAIT/2 + 1``.

    Raises
    ------
    ValueError
        It is none.
    """
    terms: dict[str, Fraction] = {}
    position = 0
    while position < len(text) or not terms:
        match = _TERM.match(text, position)
        if match is None or (terms and not match[1]):
            raise ValueError(f"{text.strip()!r} is no linear term")
        sign, number, times, over, alone, alone_over = match.groups()
        name = times or alone or ""
        factor = Fraction(number or 1) / int(over or alone_over or 1) * (-1 if sign == "-" else 1)
        terms[name] = terms.get(name, Fraction(0)) + factor
        position = match.end()
    return terms


def only(terms: Terms) -> dict[str, Fraction]:
    """A term without the parameters that it does not depend on."""
    return {name: factor for name, factor in terms.items() if factor}


def plus(left: Terms, right: Terms) -> dict[str, Fraction]:
    """The sum of two terms."""
    return only({name: left.get(name, Fraction(0)) + right.get(name, Fraction(0)) for name in {**left, **right}})


def times(factor: Fraction, terms: Terms) -> dict[str, Fraction]:
    """A multiple of a term."""
    return only({name: factor * value for name, value in terms.items()})


def difference(left: Terms, right: Terms) -> dict[str, Fraction]:
    """One term less another."""
    return plus(left, times(Fraction(-1), right))


def evaluate(terms: Terms, values: Mapping[str, Fraction]) -> Fraction:
    """The value of a term."""
    return sum((factor * (values[name] if name else 1) for name, factor in terms.items()), Fraction(0))


def as_text(terms: Terms) -> str:
    """A term as people write it, for instance ``2*MSL - TIME_WAIT``."""
    parts: list[str] = []
    for name, factor in sorted(terms.items(), key=lambda item: (item[1] < 0, item[0])):
        if factor:
            size = abs(factor)
            shown = str(size) if not name else name if size == 1 else f"{size}*{name}"
            parts.append(("- " if factor < 0 else "+ " if parts else "") + shown)
    return " ".join(parts) or "0"
