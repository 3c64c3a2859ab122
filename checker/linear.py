"""Linear terms and constraints over the parameters, such as ``TIME_WAIT >= 2*MSL``."""

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
"""A linear term: the coefficient of each parameter, and the constant under the empty name."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A linear term compared with zero.

    Attributes
    ----------
    terms : mapping
        The linear term.
    relation : {">=", ">", "=="}
        Its relation to zero.
    text : str
        The constraint as text.
    """

    terms: Terms
    relation: Literal[">=", ">", "=="]
    text: str

    def holds(self, values: Mapping[str, Fraction]) -> bool:
        """Whether it holds for the given values, in seconds."""
        value = evaluate(self.terms, values)
        return value == 0 if self.relation == "==" else value > 0 or (value == 0 and self.relation == ">=")


def constraint(text: str) -> Constraint:
    """Parse a constraint.

    Raises
    ------
    ValueError
        The text is not a comparison of two linear terms.
    """
    parts = _RELATION.split(text)
    if len(parts) != 3:
        raise ValueError(f"{text!r} is not a comparison of two linear terms")
    left, relation, right = term(parts[0]), parts[1], term(parts[2])
    if relation in ("<", "<="):
        left, right, relation = right, left, relation.replace("<", ">")
    terms = {name: left.get(name, Fraction(0)) - right.get(name, Fraction(0)) for name in {**left, **right}}
    assert relation in (">=", ">", "==")
    return Constraint(terms, relation, text)  # type: ignore[arg-type]  # narrowed by the assertion above


def constraint_of(terms: Terms, relation: Literal[">=", ">", "=="]) -> Constraint:
    """The constraint on a term's relation to zero, solved for its alphabetically last parameter."""
    terms = only(terms)
    subject = max((name for name in terms if name), default="")
    factor = terms.get(subject, Fraction(0)) if subject else Fraction(0)
    if not factor:
        return Constraint(terms, relation, f"{as_text(terms)} {relation} 0")
    rest = times(-1 / factor, {name: value for name, value in terms.items() if name != subject})
    solved = relation if factor > 0 else relation.replace(">", "<")
    return Constraint(times(1 / abs(factor), terms), relation, f"{subject} {solved} {as_text(rest)}")


def term(text: str) -> dict[str, Fraction]:
    """Parse a linear term such as ``2*MSL - TIME_WAIT/2 + 1``.

    Raises
    ------
    ValueError
        The text is not a linear term.
    """
    terms: dict[str, Fraction] = {}
    position = 0
    while position < len(text) or not terms:
        match = _TERM.match(text, position)
        if match is None or (terms and not match[1]):
            raise ValueError(f"{text.strip()!r} is not a linear term")
        sign, number, times, over, alone, alone_over = match.groups()
        name = times or alone or ""
        factor = Fraction(number or 1) / int(over or alone_over or 1) * (-1 if sign == "-" else 1)
        terms[name] = terms.get(name, Fraction(0)) + factor
        position = match.end()
    return terms


def only(terms: Terms) -> dict[str, Fraction]:
    """A term without zero coefficients."""
    return {name: factor for name, factor in terms.items() if factor}


def plus(left: Terms, right: Terms) -> dict[str, Fraction]:
    """The sum of two terms."""
    return only({name: left.get(name, Fraction(0)) + right.get(name, Fraction(0)) for name in {**left, **right}})


def times(factor: Fraction, terms: Terms) -> dict[str, Fraction]:
    """A multiple of a term."""
    return only({name: factor * value for name, value in terms.items()})


def difference(left: Terms, right: Terms) -> dict[str, Fraction]:
    """The difference of two terms."""
    return plus(left, times(Fraction(-1), right))


def evaluate(terms: Terms, values: Mapping[str, Fraction]) -> Fraction:
    """The value of a term."""
    return sum((factor * (values[name] if name else 1) for name, factor in terms.items()), Fraction(0))


def as_text(terms: Terms) -> str:
    """A term as text, for instance ``2*MSL - TIME_WAIT``."""
    parts: list[str] = []
    for name, factor in sorted(terms.items(), key=lambda item: (item[1] < 0, item[0])):
        if factor:
            size = abs(factor)
            product = str(size) if not name else name if size == 1 else f"{size}*{name}"
            parts.append(("- " if factor < 0 else "+ " if parts else "") + product)
    return " ".join(parts) or "0"
