"""Mutants of the specification: one module of `spec` with one change.

No file is changed: a mutant is a syntax tree, which `mutation` imports in the place of the module.
"""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
ENDPOINT = ("spec/endpoint.py", "spec/time_wait.py", "spec/abandoned.py", "spec/replies.py", "spec/window.py", "spec/state.py")
"""The modules that the tests of the endpoint test."""
ENDPOINT_TESTS = (
    "test_endpoint_unsynchronised",
    "test_endpoint_arrivals",
    "test_endpoint_calls",
    "test_endpoint_settings",
    "test_endpoint_exchanges",
    "test_endpoint_walks",
)
NETWORK = ("spec/exchange.py", "spec/network.py", "spec/composition.py", "spec/timer_guards.py", "spec/over_approximation.py")
"""The network, and its composition with two endpoints."""
COMPOSED = "spec/handshake.py"
"""The composition whose next incarnation opens by a handshake."""
OPENING = (COMPOSED, "spec/incarnation.py", "spec/reopening.py", "spec/old_syn.py", "spec/request.py")
"""The next incarnation, which opens by a handshake, with its composition."""
OPENING_TESTS = ("test_opening_arrivals", "test_opening", "test_opening_brute_force")
BESIDE = {
    "spec/middlebox.py": "test_tracking",
    "spec/shared_address.py": "test_shared_address",
    "spec/segment.py": "test_segment",
    "spec/configuration.py": "test_configuration",
    "spec/backoff.py": "test_backoff",
    "spec/trace_actions.py": "test_trace_actions",
    "spec/reference.py": "test_reference",
}
"""The modules that tests of their own test, without any verdict."""
MUTATED = (*ENDPOINT, *NETWORK, *OPENING, *BESIDE)
"""The modules that are mutated.

Of the other modules of `spec`, `outcome`, `settings`, `rules` and `properties` declare what the mutated modules read. The rest
reads, draws and compares: profiles, overrides, plain data, transition graphs, scenarios, schedules.
"""


class Site(NamedTuple):
    """One change to a syntax tree: a field of a node (or one item of it) gets another value; None deletes it."""

    operator: str
    node: int
    field: str
    item: int | None
    new: ast.AST | str | None
    before: str
    after: str


@dataclass(frozen=True)
class Mutant:
    """One module with one change.

    Attributes
    ----------
    name : str
        File, function, number of the change among those of its kind in the function, and kind; stable while the
        function is unchanged.
    path : str
        The file, from the root of the project.
    change : str
        The change in one line.
    source : str
        The module without the change.
    site : Site
        The change itself.
    """

    name: str
    path: str
    change: str
    source: str
    site: Site

    @property
    def module(self) -> str:
        """The name of the module."""
        return "timewait." + self.path.removesuffix(".py").replace("/", ".")

    @property
    def tree(self) -> ast.Module:
        """The changed module."""
        tree = ast.parse(self.source)
        _change(list(ast.walk(tree))[self.site.node], self.site)
        return ast.fix_missing_locations(tree)

    def __str__(self) -> str:
        return f"{self.name}\n    {self.change}"


def mutants() -> list[Mutant]:
    """Every mutant of the specification, in order; no two of one module have the same code."""
    found = []
    for path in MUTATED:
        source = (ROOT / path).read_text(encoding="utf-8")
        tree = ast.parse(source)
        nodes = list(ast.walk(tree))
        seen = {(number, ast.unparse(part)) for number, part in enumerate(tree.body)}
        for number, part in enumerate(tree.body):
            for name, line, site in _named_sites(part, nodes):
                restored = _change(nodes[site.node], site)
                text = ast.unparse(part)
                restored()
                if (number, text) not in seen:
                    seen.add((number, text))
                    change = f"line {line}: {site.before}  ->  {site.after}"
                    found.append(Mutant(f"{path}:{name}:{site.operator}", path, change, source, site))
    return found


def _change(node: ast.AST, site: Site) -> Callable[[], None]:
    """Make a change and return a function that undoes it."""
    value = copy.deepcopy(site.new)
    if site.item is None:
        old = getattr(node, site.field)
        setattr(node, site.field, value)
        return lambda: setattr(node, site.field, old)
    items = getattr(node, site.field)
    before = list(items)
    items[site.item : site.item + 1] = [] if value is None else [value]

    def restored() -> None:
        items[:] = before

    return restored


def _named_sites(part: ast.stmt, nodes: list[ast.AST]) -> Iterator[tuple[str, int, Site]]:
    """Each change with its function, its number among those of its kind there, and its line."""
    counts: Counter[tuple[str, str]] = Counter()
    numbers = {id(node): number for number, node in enumerate(nodes)}
    for where, node, parents in _mutable(part, _module_name(part), ()):
        for site in _sites(node, parents, numbers):
            counts[where, site.operator] += 1
            yield f"{where}:{counts[where, site.operator]}", getattr(node, "lineno", 0), site


def _module_name(part: ast.stmt) -> str:
    """The name for changes outside functions: the name that is assigned."""
    target = part.targets[0] if isinstance(part, ast.Assign) else part.target if isinstance(part, ast.AnnAssign) else None
    return target.id if isinstance(target, ast.Name) else ""


def _mutable(node: ast.AST, where: str, parents: tuple[ast.AST, ...]) -> Iterator[tuple[str, ast.AST, tuple[ast.AST, ...]]]:
    """Every node that runs, with its function: no annotation, assertion, decorator or documentation."""
    if isinstance(node, ast.Assert | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        where = f"{where}.{node.name}" if where else node.name
        children: Iterable[ast.AST] = node.body
    elif isinstance(node, ast.AnnAssign):
        children = [node.value] if node.value is not None else []
    else:
        children = ast.iter_child_nodes(node)
    yield where, node, parents
    for child in children:
        yield from _mutable(child, where, (*parents, node))


def _sites(node: ast.AST, parents: tuple[ast.AST, ...], numbers: dict[int, int]) -> Iterator[Site]:
    """Every change that starts at a node."""
    number = numbers[id(node)]
    match node:
        case ast.If(test=test):
            yield _site("negate-if", number, "test", None, test, _negated(test))
            yield _site("never-if", number, "test", None, test, ast.Constant(False))
            yield _site("always-if", number, "test", None, test, ast.Constant(True))
        case ast.IfExp(test=test):
            yield _site("negate-choice", number, "test", None, test, _negated(test))
        case ast.comprehension(ifs=tests):
            for index, test in enumerate(tests):
                yield _site("negate-filter", number, "ifs", index, test, _negated(test))
                yield _site("drop-filter", number, "ifs", index, test, None)
        case ast.match_case(pattern=pattern, guard=guard):
            shown = f"case {ast.unparse(pattern)}"
            if guard is not None:
                yield _site("negate-guard", number, "guard", None, guard, _negated(guard))
                yield _site("drop-guard", number, "guard", None, guard, None)
            if isinstance(pattern, ast.MatchOr):
                inner = numbers[id(pattern)]
                for index, alternative in enumerate(pattern.patterns):
                    yield Site("drop-alternative", inner, "patterns", index, None, shown, f"without {ast.unparse(alternative)}")
            match_node = parents[-1]
            if isinstance(match_node, ast.Match) and len(match_node.cases) > 1 and not _catch_all(node):
                yield Site("drop-case", numbers[id(match_node)], "cases", match_node.cases.index(node), None, shown, "nothing")
        case ast.BoolOp(op=op, values=values):
            for index in range(len(values)):
                rest = [value for place, value in enumerate(values) if place != index]
                left = rest[0] if len(rest) == 1 else ast.BoolOp(op, rest)
                yield _replaced("drop-operand", node, left, parents, numbers)
        case ast.Compare():
            yield from _comparisons(node, parents, numbers)
        case ast.Call():
            yield from _calls(node, number)
        case ast.Set() | ast.Tuple():
            yield from _members(node, parents, numbers)
    for field in ("body", "orelse"):
        statements = getattr(node, field, None)
        if isinstance(statements, list):
            for index, statement in enumerate(statements):
                if _has_effect(statement, parents if not isinstance(node, ast.FunctionDef) else (*parents, node), node):
                    yield Site("drop-statement", number, field, index, ast.Pass(), _shown(statement), "pass")


def _site(operator: str, number: int, field: str, item: int | None, old: ast.AST, new: ast.AST | None) -> Site:
    return Site(operator, number, field, item, new, _shown(old), "nothing" if new is None else _shown(new))


def _replaced(operator: str, old: ast.AST, new: ast.AST, parents: tuple[ast.AST, ...], numbers: dict[int, int]) -> Site:
    """A change that replaces a node in its parent."""
    parent = parents[-1]
    for field, value in ast.iter_fields(parent):
        if value is old:
            return _site(operator, numbers[id(parent)], field, None, old, new)
        if isinstance(value, list):
            for index, item in enumerate(value):
                if item is old:
                    return _site(operator, numbers[id(parent)], field, index, old, new)
    raise AssertionError("a node is a child of its parent")


def _shown(node: ast.AST) -> str:
    """The first line of a piece of code."""
    return ast.unparse(node).splitlines()[0]


def _negated(test: ast.expr) -> ast.expr:
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        for kind, opposite in ((ast.Is, ast.IsNot), (ast.In, ast.NotIn), (ast.Eq, ast.NotEq)):
            if isinstance(test.ops[0], kind):
                return ast.Compare(test.left, [opposite()], test.comparators)
            if isinstance(test.ops[0], opposite):
                return ast.Compare(test.left, [kind()], test.comparators)
    return ast.UnaryOp(ast.Not(), test)


def _catch_all(case: ast.match_case) -> bool:
    return isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None


SHIFTED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}


def _comparisons(node: ast.Compare, parents: tuple[ast.AST, ...], numbers: dict[int, int]) -> Iterator[Site]:
    """Each operator shifted by one; of a chain also each link dropped."""
    operands = [node.left, *node.comparators]
    for index, op in enumerate(node.ops):
        ops = [SHIFTED[type(op)]() if place == index else other for place, other in enumerate(node.ops)]
        yield _replaced("shift-comparison", node, ast.Compare(node.left, ops, node.comparators), parents, numbers)
    if len(node.ops) > 1:
        yield _replaced("drop-link", node, ast.Compare(operands[0], node.ops[:-1], operands[1:-1]), parents, numbers)
        yield _replaced("drop-link", node, ast.Compare(operands[1], node.ops[1:], operands[2:]), parents, numbers)


EFFECTS = {"replies": "()", "started": "frozenset()", "effects": "frozenset()"}
RECORDS = {"_replace", "Block", "Segment", "CompositionState", "Edge", "Outcome", "Action", "ClockedPacket", "PacketInFlight"}
LOOSER = {">": ">=", "==": "<="}
"""A strict lower bound that admits its limit, and an exact one that becomes an upper one."""


def _calls(node: ast.Call, number: int) -> Iterator[Site]:
    """The parts of an outcome, a record or a bound, dropped one at a time."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called == "Outcome":
        for index, part in ((1, "replies"), (2, "started")):
            if index < len(node.args) and ast.unparse(node.args[index]) != EFFECTS[part]:
                yield _site("drop-effect", number, "args", index, node.args[index], ast.parse(EFFECTS[part], mode="eval").body)
    if called == "Edge" and ast.unparse(node.args[1]) != "()":
        yield _site("drop-guard", number, "args", 1, node.args[1], ast.Tuple([], ast.Load()))
    if called in RECORDS:
        for index, keyword in enumerate(node.keywords):
            if keyword.arg in EFFECTS and ast.unparse(keyword.value) != EFFECTS[keyword.arg]:
                yield _site("drop-effect", number, "keywords", index, keyword, None)
            elif keyword.arg not in (*EFFECTS, "rules"):
                yield _site("drop-keyword", number, "keywords", index, keyword, None)
    if called == "Bound":
        relation = node.args[1]
        if isinstance(relation, ast.Constant) and relation.value in LOOSER:
            yield _site("loosen-bound", number, "args", 1, relation, ast.Constant(LOOSER[relation.value]))


def _members(node: ast.Set | ast.Tuple, parents: tuple[ast.AST, ...], numbers: dict[int, int]) -> Iterator[Site]:
    """Each member of a set or of a tuple of names, and each bound of a guard, dropped."""
    if any(isinstance(parent, ast.Subscript | ast.arg) for parent in parents) or not isinstance(
        getattr(node, "ctx", ast.Load()), ast.Load
    ):
        return
    names = all(isinstance(member, ast.Attribute) for member in node.elts)
    steps = isinstance(node, ast.Tuple) and isinstance(parents[-1], ast.AnnAssign)
    bounds = any(isinstance(member, ast.Call) and ast.unparse(member.func) == "Bound" for member in node.elts)
    if not (names or steps or bounds):
        return
    for index, member in enumerate(node.elts):
        if isinstance(node, ast.Set) and len(node.elts) == 1:
            empty = ast.Call(ast.Name("set", ast.Load()), [], [])
            yield _replaced("drop-member", node, empty, parents, numbers)
        else:
            yield _site("drop-bound" if bounds else "drop-member", numbers[id(node)], "elts", index, member, None)


def _has_effect(statement: ast.AST, parents: tuple[ast.AST, ...], node: ast.AST) -> bool:
    """Whether a program remains without a statement: it is no return, no definition and no first assignment."""
    functions = [parent for parent in (*parents, node) if isinstance(parent, ast.FunctionDef)]
    match statement:
        case ast.AugAssign() | ast.Continue() | ast.Break():
            return True
        case ast.Expr(value=ast.Call() | ast.Yield() | ast.YieldFrom()):
            return True
        case ast.Assign(targets=[ast.Subscript()]):
            return True
        case ast.Assign(targets=[ast.Name(id=name)]) if functions:
            return _bound_before(functions[-1], name, statement)
    return False


def _bound_before(function: ast.FunctionDef, name: str, statement: ast.stmt) -> bool:
    """Whether a name has a value before a statement assigns it."""
    if any(argument.arg == name for argument in function.args.args):
        return True
    return any(
        isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store) and node.lineno < statement.lineno
        for node in ast.walk(function)
    )
