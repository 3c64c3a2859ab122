"""The cases of an invariant in a file: formulas of linear real arithmetic, read strictly.

A case comes from a file that anybody may have written, and becomes part of the commands of two solvers. So it is not given
to a solver before it was read here: parentheses, the operators of `_OPERATORS`, numbers of a bounded length, and the
variables that the case may name. Quantifiers, other sorts, products of variables, commands, and definitions that grow
when they are written out are refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import NamedTuple

MAX_DEPTH = 200
"""Nested parentheses."""

MAX_SIZE = 100_000
"""Operators, numbers and variables of a case, with every definition written out."""

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_NUMBER = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?")
_LOCAL = re.compile(r"[a-z]![0-9]{1,6}")
"""A name that Z3 gives to a repeated part."""

FORMULA, TERM, NUMBER = "formula", "term", "number"

_OPERATORS = {
    "and": (FORMULA, FORMULA),
    "or": (FORMULA, FORMULA),
    "not": (FORMULA, FORMULA),
    "=>": (FORMULA, FORMULA),
    "<=": (TERM, FORMULA),
    "<": (TERM, FORMULA),
    ">=": (TERM, FORMULA),
    ">": (TERM, FORMULA),
    "=": (TERM, FORMULA),
    "+": (TERM, TERM),
    "-": (TERM, TERM),
    "*": (TERM, TERM),
    "/": (TERM, TERM),
}
"""What each operator takes, and what it makes."""


class _Part(NamedTuple):
    """A part of a case: its sort, and its size with every definition written out."""

    sort: str
    size: int


def fault(body: str, variables: Collection[str]) -> str:
    """The reason why a text is no case over some variables; empty if it is one."""
    try:
        part = _Reader(body, variables).part(0)
    except _Fault as problem:
        return str(problem)
    return "" if part.sort == FORMULA else "not a formula"


class _Fault(Exception):
    """A text that is no case; the message says why."""


class _Reader:
    """Reads one formula, from left to right.

    Parameters
    ----------
    body : str
        The text.
    variables : collection of str
        The names of clocks and parameters.
    """

    def __init__(self, body: str, variables: Collection[str]) -> None:
        self._tokens = _TOKEN.findall(body)
        self._next = 0
        self._variables = frozenset(variables)
        self._locals: dict[str, _Part] = {}
        if len(self._tokens) > MAX_SIZE:
            raise _Fault(f"a case of more than {MAX_SIZE:,} symbols")

    def part(self, depth: int) -> _Part:
        """The next part, and at depth 0 the end of the text."""
        if depth > MAX_DEPTH:
            raise _Fault(f"more than {MAX_DEPTH} parentheses inside one another")
        token = self._take()
        found = self._list(depth) if token == "(" else self._atom(token)
        if found.size > MAX_SIZE:
            raise _Fault(f"a case of more than {MAX_SIZE:,} symbols")
        if depth == 0 and self._next != len(self._tokens):
            raise _Fault("more than one formula")
        return found

    def _take(self) -> str:
        if self._next >= len(self._tokens):
            raise _Fault("a parenthesis is not closed")
        self._next += 1
        return str(self._tokens[self._next - 1])

    def _expect(self, wanted: str) -> None:
        if self._take() != wanted:
            raise _Fault("not a formula of linear arithmetic")

    def _atom(self, token: str) -> _Part:
        if token in ("true", "false"):
            return _Part(FORMULA, 1)
        if _NUMBER.fullmatch(token):
            return _Part(NUMBER, 1)
        if token in self._locals:
            return self._locals[token]
        if token in self._variables:
            return _Part(TERM, 1)
        if re.fullmatch(r"x[0-9]+|[A-Z][A-Z_0-9]*", token):
            raise _Fault(f"{token[:20]} is neither a clock of the location nor a parameter")
        raise _Fault("not a formula of linear arithmetic")

    def _list(self, depth: int) -> _Part:
        operator = self._take()
        if operator == "let":
            return self._let(depth)
        if operator not in _OPERATORS:
            raise _Fault("not a formula of linear arithmetic")
        arguments = []
        while self._tokens[self._next : self._next + 1] != [")"]:
            arguments.append(self.part(depth + 1))
        self._expect(")")
        return _applied(operator, arguments)

    def _let(self, depth: int) -> _Part:
        """``(let ((a!1 PART) ...) PART)``."""
        self._expect("(")
        before, defined = self._locals, dict[str, _Part]()
        while (token := self._take()) == "(":
            name = self._take()
            if not _LOCAL.fullmatch(name):
                raise _Fault("not a formula of linear arithmetic")
            defined[name] = self.part(depth + 1)
            self._expect(")")
        if token != ")":
            raise _Fault("not a formula of linear arithmetic")
        self._locals = {**before, **defined}
        found = self.part(depth + 1)
        self._locals = before
        self._expect(")")
        return found


def _applied(operator: str, arguments: list[_Part]) -> _Part:
    """An operator with its arguments."""
    takes, makes = _OPERATORS[operator]
    sorts = [part.sort for part in arguments]
    allowed = {FORMULA} if takes == FORMULA else {TERM, NUMBER}
    least = 1 if operator in ("and", "or", "not", "-") else 2
    if not set(sorts) <= allowed or len(sorts) < least or (operator == "not" and len(sorts) > 1):
        raise _Fault("not a formula of linear arithmetic")
    if operator == "*" and sorts.count(TERM) > 1:
        raise _Fault("a product of variables")
    if operator == "/" and (sorts[1:] != [NUMBER]):
        raise _Fault("a division by a variable")
    constant = makes == TERM and TERM not in sorts
    return _Part(NUMBER if constant else makes, 1 + sum(part.size for part in arguments))
