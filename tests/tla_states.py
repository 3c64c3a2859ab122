"""A small reader of TLA+: parses a module by the library ``tla`` and visits every state, as TLC would.

It supports the operators of an export and fails on any other; a function is a dict.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import tla

Values = dict[str, Any]

INFIX: dict[str, Callable[[Any, Any], Any]] = {
    "=": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    ">": lambda left, right: left > right,
    "<=": lambda left, right: left <= right,
    ">=": lambda left, right: left >= right,
    "+": lambda left, right: left + right,
    "\\in": lambda left, right: left in right,
}


class Module:
    """A module with the constants of its TLC configuration."""

    def __init__(self, text: str, configuration: str) -> None:
        self.tree = tla.parse(text)
        assert self.tree is not None, "not a module"
        self.definitions = {unit.name: unit.definiens for unit in self.tree.units if hasattr(unit, "definiens")}
        self.constants: Values = {name: int(value) for name, value in re.findall(r"^  (\w+) = (\d+)$", configuration, re.M)}
        self.invariants = re.findall(r"^  (\w+)$", configuration.partition("INVARIANTS")[2], re.M)
        assert "SPECIFICATION Spec" in configuration
        self.known: Values = {}

    # --- states ---------------------------------------------------------------------------------------------------

    def explore(self) -> tuple[int, set[str]]:
        """The number of states and the violated invariants; fails at a deadlock."""
        first = next(self.solutions(self.definitions["Init"], {}, {}, ""))
        waiting, seen, violated = [first], {_frozen(first)}, set[str]()
        while waiting:
            state = waiting.pop()
            violated |= {name for name in self.invariants if not self.value(self.definitions[name], state)}
            later = list(self.solutions(self.definitions["Next"], state, {}, "'"))
            assert later, f"a deadlock in {state}"
            for one in later:
                if _frozen(one) not in seen:
                    seen.add(_frozen(one))
                    waiting.append(one)
        return len(seen), violated

    def solutions(self, formula: Any, state: Values, found: Values, mark: str) -> Iterator[Values]:
        """Every assignment of variables, primed ones if marked, that satisfies a formula."""
        match type(formula).__name__, getattr(formula, "operator", None):
            case "VerticalList", "\\/":
                for item in formula.arguments:
                    yield from self.solutions(item.expression, state, found, mark)
            case "VerticalList", "/\\":
                yield from self._all([item.expression for item in formula.arguments], state, found, mark)
            case "OperatorApplication", "=" if (name := _assigned(formula.arguments[0], mark)) and name not in found:
                yield found | {name: self.value(formula.arguments[1], state)}
            case "OperatorApplication", "UNCHANGED":
                name = formula.arguments[0].operator
                yield found | {name: state[name]}
            case "OperatorApplication", name if name in self.definitions:
                yield from self.solutions(self.definitions[name], state, found, mark)
            case _:
                if self.value(formula, state):
                    yield found

    def _all(self, parts: list[Any], state: Values, found: Values, mark: str) -> Iterator[Values]:
        if not parts:
            yield found
            return
        for one in self.solutions(parts[0], state, found, mark):
            yield from self._all(parts[1:], state, one, mark)

    # --- values ---------------------------------------------------------------------------------------------------

    def value(self, node: Any, scope: Mapping[str, Any]) -> Any:
        """The value of an expression."""
        match type(node).__name__:
            case "IntegralNumeral":
                return int(node.value)
            case "StringLiteral":
                return node.value.strip('"')
            case "BooleanLiteral":
                return node.value == "TRUE"
            case "Parentheses" | "VerticalItem":
                return self.value(node.expression, scope)
            case "SetEnumeration":
                return frozenset(self.value(item, scope) for item in node.items or ())
            case "Record":
                return {name: self.value(value, scope) for name, value in node.key_values}
            case "FunctionApplication":
                return self.value(node.function, scope)[self.value(node.arguments[0], scope)]
            case "Function":
                variable, domain = node.declaration[0].arguments
                items = self.value(domain, scope)
                return {item: self.value(node.value, {**scope, variable.operator: item}) for item in items}
            case "Except":
                changed = {self.value(change.item[0][0], scope): self.value(change.expression, scope) for change in node.changes}
                old = self.value(node.function, scope)
                assert changed.keys() <= old.keys()
                return old | changed
            case "If":
                return self.value(node.then if self.value(node.predicate, scope) else node.else_, scope)
            case "Cases":
                return next(self.value(case.expression, scope) for case in node.cases if self.value(case.predicate, scope))
            case "VerticalList":
                parts = (self.value(item, scope) for item in node.arguments)
                return all(parts) if node.operator == "/\\" else any(parts)
            case "OperatorApplication":
                return self._applied(node, scope)
        raise NotImplementedError(type(node).__name__)

    def _applied(self, node: Any, scope: Mapping[str, Any]) -> Any:
        name, arguments = node.operator, node.arguments
        if arguments is None:
            if name in scope:
                return scope[name]
            if name in self.constants:
                return self.constants[name]
            if name not in self.known:
                self.known[name] = self.value(self.definitions[name], {})
            return self.known[name]
        match name:
            case "/\\":
                return all(self.value(part, scope) for part in arguments)
            case "=>":
                return not self.value(arguments[0], scope) or self.value(arguments[1], scope)
            case "~":
                return not self.value(arguments[0], scope)
        left, right = (self.value(part, scope) for part in arguments)
        return INFIX[name](left, right)


def _assigned(node: Any, mark: str) -> str:
    """The variable that an equation assigns, if any."""
    if mark:
        if type(node).__name__ != "OperatorApplication" or node.operator != mark:
            return ""
        node = node.arguments[0]
    return node.operator if type(node).__name__ == "OperatorApplication" and node.arguments is None else ""


def _frozen(state: Values) -> tuple[str, frozenset[tuple[str, int]]]:
    assert state.keys() == {"at", "clock"}, state
    return state["at"], frozenset(state["clock"].items())
