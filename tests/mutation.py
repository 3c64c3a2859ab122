"""Mutants of the specification, and the kill suite that must detect each of them.

A mutant is one module of `spec` with one change. It is imported afresh, with all of `spec`, in a process of its own, and the
kill suite runs on it: the tests of the endpoint, the verdicts of small configurations, a replay of every run found, the
verdicts of the oracle, and the exact size of every exploration. No file is changed.

As a script, this module tries mutants and reports the result of each; ``--record`` records the verdicts anew.
"""

from __future__ import annotations

import argparse
import ast
import copy
import gc
import importlib
import importlib.abc
import importlib.util
import itertools
import json
import random
import signal
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from importlib.machinery import ModuleSpec
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
EXPECTATIONS = HERE / "mutation_expectations.json"
SURVIVORS = HERE / "mutation_survivors.toml"
MUTATED = (
    "spec/endpoint.py",
    "spec/time_wait.py",
    "spec/abandoned.py",
    "spec/replies.py",
    "spec/window.py",
    "spec/exchange.py",
    "spec/network.py",
    "spec/composition.py",
    "spec/timer_guards.py",
    "spec/state.py",
    "spec/over_approximation.py",
)
"""The modules that are mutated; the other modules of `spec` state no behaviour."""

ENDPOINT = ("spec/endpoint.py", "spec/time_wait.py", "spec/abandoned.py", "spec/replies.py", "spec/window.py", "spec/state.py")
"""The modules that the tests of the endpoint test."""

SECONDS = 60.0
"""Seconds of processor time for one mutant; the specification itself takes about eight."""
PATIENCE = 900.0
"""Seconds of real time for one mutant."""


# --- mutants -------------------------------------------------------------------------------------------------------


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


# --- the kill suite ------------------------------------------------------------------------------------------------


class Killed(Exception):
    """The kill suite detected the mutant; `kind` names the kind of evidence."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


class Case(NamedTuple):
    """A configuration and the engines that decide it: ticks, lassos (in ticks), zones, graph."""

    label: str
    configuration: Any
    engines: tuple[str, ...]


Answer = dict[str, Any]
"""The answers of the engines about a case: broken and vacuous properties, and the size of each exploration."""

TICKS, LASSOS, ZONES, GRAPH = "ticks", "lassos", "zones", "graph"
EVERY = (TICKS, LASSOS, ZONES, GRAPH)
DENSE = (ZONES, GRAPH)
PLAIN = (TICKS, LASSOS)


def cases() -> Iterator[Case]:
    """Small configurations, such that each rule of the endpoint, the network and the composition matters in one of them."""
    from timewait.spec.configuration import Configuration, Scope
    from timewait.spec.settings import AnswerLimit, Arrival, Behaviour, DroppedAck, ResetRule

    fin, step_one = frozenset({Arrival.FIN}), frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
    everything = step_one | {Arrival.ACK}
    letter = Behaviour(answers=everything, restarts=frozenset({Arrival.ACK}), reset=ResetRule.EXACT)

    def ticks(msl: int, time_wait: int, rto: int | tuple[int, ...], **others: Any) -> Configuration:
        gaps = (rto,) if isinstance(rto, int) else rto
        return Configuration(Fraction(msl), Fraction(time_wait), tuple(map(Fraction, gaps)), **others)

    def core(msl: int, time_wait: int, rto: int | tuple[int, ...], loss: int | None, **others: Any) -> Configuration:
        return ticks(msl, time_wait, rto, loss=loss, scope=Scope.CORE, **others)

    def close(msl: int, time_wait: int, rto: int | tuple[int, ...], loss: int | None, **others: Any) -> Configuration:
        return ticks(msl, time_wait, rto, loss=loss, **others)

    yield Case("core, k = 1", core(1, 2, 1, 1), EVERY)
    yield Case("core, k = 1, short", core(1, 1, 1, 1), EVERY)
    yield Case("core, k = 2, M = 2", core(2, 4, 1, 2), EVERY)
    yield Case("core, k = 1, M = 2, R = 3", core(2, 5, 3, 1), EVERY)
    yield Case("core, k = 1, M = 2, R = 3, short", core(2, 4, 3, 1), EVERY)
    yield Case("core, any loss", core(1, 2, 1, None), EVERY)
    yield Case("core, no TIME_WAIT to speak of", core(1, 0, 1, 0), EVERY)
    yield Case("core, each copy once", core(1, 2, 1, 1, duplication=0), PLAIN)
    yield Case("core, each copy once, short", core(1, 1, 1, 1, duplication=0), PLAIN)
    yield Case("core, each copy twice, no retries", core(1, 2, 1, 0, duplication=1, behaviour=Behaviour(retries=0)), PLAIN)
    for copies, duplication in (("any number", None), ("once", 0), ("twice", 1)):
        apart = core(1, 0, 3, 0, rto_exact=True, duplication=duplication, behaviour=Behaviour(retries=1))
        yield Case(f"core, no TIME_WAIT to speak of, R = 3 exactly, each copy {copies}", apart, PLAIN)
    yield Case("core, in order", core(1, 2, 1, 1, fifo=True), PLAIN)
    yield Case("core, in order, each copy once", core(2, 3, 1, 1, fifo=True, duplication=0), PLAIN)
    yield Case(
        "core, FIN_WAIT_2 gives up",
        core(1, 2, 1, 0, fin_wait_2=Fraction(1), behaviour=Behaviour(fin_wait_2=True, abandons=True)),
        EVERY,
    )
    yield Case(
        "core, FIN_WAIT_2 does not give up", core(1, 2, 1, 0, fin_wait_2=Fraction(1), behaviour=Behaviour(fin_wait_2=True)), EVERY
    )
    yield Case("core, back-off", core(1, 3, (1, 2), 1, behaviour=Behaviour(backoff=2)), EVERY)
    yield Case("core, back-off, short", core(1, 2, (1, 2), 1, behaviour=Behaviour(backoff=2)), EVERY)
    yield Case("core, back-off, exact", core(1, 3, (1, 2), 1, rto_exact=True, behaviour=Behaviour(backoff=2)), EVERY)
    yield Case("core, retries", core(1, 2, (1, 2), 1, rto_exact=True, behaviour=Behaviour(backoff=2, retries=1)), EVERY)
    deaf = Behaviour(answers=frozenset(), restarts=frozenset(), retries=0)
    yield Case("core, a FIN is neither answered nor restarts", core(1, 2, 3, 0, rto_exact=True, behaviour=deaf), EVERY)
    hasty = Behaviour(time_wait=False)
    yield Case("core, no TIME_WAIT", core(1, 2, 3, 0, rto_exact=True, behaviour=hasty), EVERY)
    silent = Behaviour(answers=frozenset(), restarts=fin)
    yield Case("core, a FIN restarts and is not answered", core(1, 2, 1, 1, behaviour=silent), EVERY)
    yield Case("core, literal reading", core(1, 2, 1, 1, behaviour=letter), EVERY)
    yield Case("close, k = 0", close(1, 2, 1, 0), (TICKS, *DENSE))
    yield Case("close, k = 0, short", close(1, 1, 1, 0), DENSE)
    yield Case("close, k = 1", close(1, 2, 1, 1), DENSE)
    yield Case("close, k = 1, M = 2, short", close(2, 3, 2, 1), DENSE)
    yield Case("close, k = 1, literal reading", close(1, 2, 1, 1, behaviour=letter), DENSE)
    yield Case("close, only a FIN is answered", close(1, 2, 1, 0, behaviour=Behaviour(answers=fin, restarts=fin)), DENSE)
    yield Case("close, answered without restart", close(1, 2, 1, 0, behaviour=Behaviour(answers=step_one, restarts=fin)), DENSE)
    yield Case(
        "close, bare ACKs answered without restart",
        close(1, 3, 1, 0, behaviour=Behaviour(answers=everything, restarts=fin)),
        DENSE,
    )
    quiet = Behaviour(answers=fin, restarts=everything)
    yield Case("close, bare ACKs restart and are not answered", close(1, 2, 1, 0, behaviour=quiet), (TICKS, *DENSE))
    yield Case("close, nothing restarts", close(1, 2, 1, 1, behaviour=Behaviour(restarts=frozenset())), DENSE)
    for rule in ResetRule:
        yield Case(
            f"close, any loss, a RST in TIME_WAIT: {rule}", close(1, 2, 1, None, behaviour=Behaviour(reset=rule)), (TICKS, *DENSE)
        )
    yield Case("close, no TIME_WAIT", close(1, 2, 1, None, behaviour=Behaviour(time_wait=False)), EVERY)
    yield Case("close, retries", close(1, 2, 1, None, behaviour=Behaviour(retries=1)), EVERY)
    yield Case("close, CLOSE aborts", close(1, 2, 1, None, text=(1, 0), behaviour=Behaviour(linger_zero=True)), EVERY)
    yield Case("close, in order, each copy once", close(1, 2, 1, 0, fifo=True, duplication=0), PLAIN)
    yield Case("close, either first", close(1, 2, 1, None, both_close=True), (TICKS, *DENSE))
    yield Case("close, either first, literal reading", close(1, 2, 1, None, both_close=True, behaviour=letter), (TICKS, LASSOS))
    yield Case(
        "close, either first, no TIME_WAIT", close(1, 2, 1, None, both_close=True, behaviour=Behaviour(time_wait=False)), DENSE
    )
    once = Behaviour(retries=0)
    yield Case("close, either first, k = 1, no retries", close(1, 2, 1, 1, both_close=True, duplication=0, behaviour=once), PLAIN)
    for text in ((1, 0), (0, 1)):
        sends = f"text {text[0]} and {text[1]}"
        yield Case(f"{sends}, any loss", close(1, 2, 1, None, text=text), (ZONES,))
        yield Case(
            f"{sends}, in order, no retries", close(1, 1, 1, 0, text=text, fifo=True, duplication=0, behaviour=once), PLAIN
        )
    orphan = Behaviour(abandons=True, fin_wait_2=True)
    yield Case("B sends to an orphan", close(1, 2, 1, None, text=(0, 1), fin_wait_2=Fraction(1), behaviour=orphan), (ZONES,))
    late = Behaviour(abandons=True, late_data_reset=True)
    yield Case("B sends too late", close(1, 2, 1, None, text=(0, 1), behaviour=late), (ZONES,))
    for ignored in list(DroppedAck)[1:]:
        counts = Behaviour(dropped_ack=ignored)
        yield Case(f"dropped ACK: {ignored}", close(1, 2, 1, None, both_close=True, behaviour=counts), DENSE)
    early = Behaviour(abandons=True, clock_before_close=True)
    for idle in (0, 1, None):
        before = None if idle is None else Fraction(idle)
        yield Case(f"core, the clock started {idle} before", core(1, 3, 1, 1, idle_before_close=before, behaviour=early), EVERY)
    yield Case("core, TIME_WAIT is cut", core(1, 2, 1, 0, behaviour=Behaviour(time_wait_cut=True)), EVERY)
    yield Case("core, LAST_ACK has a limit", core(1, 2, 1, 0, last_ack=Fraction(1), behaviour=Behaviour(last_ack=True)), EVERY)
    mute = Behaviour(answer_limit=AnswerLimit.ANY)
    yield Case("core, answers are limited", core(1, 2, 1, 1, behaviour=mute), EVERY)
    yield Case("no half-close", close(1, 2, 1, 1, behaviour=Behaviour(half_close=False)), (TICKS, *DENSE))
    yield Case("unread text", close(1, 2, 1, 0, text=(0, 1), behaviour=Behaviour(unread=True)), DENSE)
    kept = Behaviour(keeps_out_of_order=True)
    yield Case("text out of order", close(1, 2, 1, None, text=(0, 1), behaviour=kept), (ZONES,))
    yield Case("retries, RST", close(1, 2, 1, None, behaviour=Behaviour(retries=1, retries_reset=True)), EVERY)
    open_still = Behaviour(late_data_reset=True)
    yield Case("B sends late but not too late", close(1, 2, 1, 0, text=(0, 1), behaviour=open_still), (ZONES,))


def drawn(numbers: Iterable[int]) -> Iterator[Case]:
    """Random configurations, by number."""
    configurations = importlib.import_module("random_configurations")
    for number in numbers:
        configuration = configurations.random_configuration(random.Random(number))
        yield Case(f"drawn {number}", configuration, (TICKS,))


def answer(case: Case, known: Answer | None, states: int = 100_000) -> Answer:
    """The answers of the engines about a case; a run that cannot be replayed kills at once.

    With `known`, an exploration stops if it is much larger than recorded; otherwise at a number of states.
    """
    from timewait.checker.compiled import CompiledAutomaton
    from timewait.checker.explicit import Explicit
    from timewait.checker.finding import Budget
    from timewait.checker.lasso import find_lasso
    from timewait.checker.quotient import Quotient
    from timewait.checker.structural import proof_of
    from timewait.checker.zones import Zones

    composition = importlib.import_module("timewait.spec.composition")
    asked = importlib.import_module("timewait.spec.properties").PROPERTIES
    always = [entry.name for entry in asked.values() if entry.kind == "always"]
    promises = [entry for entry in asked.values() if entry.kind == "eventually"]
    system = composition.Composition(case.configuration)
    described: Answer = {}
    sizes = known["sizes"] if known else {}
    if TICKS in case.engines:
        explored = Explicit(CompiledAutomaton(system))
        explored.explore(Budget(_bound(sizes.get("states"), states)))
        described["ticks break"] = sorted(explored.broken)
        described["ticks vacuous"] = _vacuous(always, explored) or (["time stops"] if explored.time_locked else [])
        _bounded(case, explored.stopped, described, known)
        for name, where in sorted(explored.broken.items()):
            _carried_out(case, explored.run_to(*where), asked[name])
        described["rules"] = sorted(explored.witnessed)
        described["sizes"] = {"states": len(explored.nodes), "transitions": explored.transitions}
        if LASSOS in case.engines:
            described["ticks never keep"] = []
            for entry in promises:
                lasso = find_lasso(explored, entry)
                if lasso is not None:
                    _carried_out(case, lasso, entry)
                    described["ticks never keep"].append(entry.name)
    if ZONES in case.engines:
        table = CompiledAutomaton(Quotient(system))
        locations = len(table.explore())
        if known and locations > 2 * sizes["locations"]:
            raise Killed("bound", f"{case.label}: {locations} locations, not {sizes['locations']}")
        zones = Zones(table)
        zones.explore(Budget(_bound(sizes.get("zones"), states)))
        described["zones break"] = sorted(zones.broken)
        described["zones vacuous"] = _vacuous(always, zones)
        _bounded(case, zones.stopped, described, known)
        for name, where in sorted(zones.broken.items()):
            _carried_out(case, zones.run_to(*where), asked[name])
        described["sizes"] = described.get("sizes", {}) | {
            "zones": len(zones),
            "crossings": zones.transitions,
            "locations": len(table),
        }
        described |= _relaxed(case, described["sizes"])
        if GRAPH in case.engines:
            described["graph keeps"] = [entry.name for entry in promises if proof_of(table, entry) is not None]
    if not system.dense:
        described["relaxed"] = _refused(case.configuration)
    return described


def _refused(configuration: Any) -> str:
    """The reason why there is no over-approximation."""
    relaxation = importlib.import_module("timewait.spec.over_approximation")
    try:
        relaxation.OverApproximation(configuration, relaxation.one_per_effect)
    except ValueError as refused:
        return str(refused)
    return ""


def _relaxed(case: Case, sizes: dict[str, int]) -> Answer:
    """The broken properties of the over-approximation, and the time-locks with each obligation alone; sizes are added."""
    from timewait.checker.compiled import CompiledAutomaton
    from timewait.checker.explicit import Explicit
    from timewait.checker.finding import Budget
    from timewait.checker.quotient import Quotient
    from timewait.checker.timelock import time_locks
    from timewait.checker.zones import Zones

    relaxation = importlib.import_module("timewait.spec.over_approximation")
    relaxed = relaxation.OverApproximation(case.configuration, relaxation.one_per_effect)
    if TICKS in case.engines:
        explored = Explicit(CompiledAutomaton(relaxed))
        explored.explore(Budget(states=50_000))
        sizes["relaxed states"] = len(explored.nodes)
    zones = Zones(CompiledAutomaton(Quotient(relaxed)))
    zones.explore(Budget())
    obliged_approximation = CompiledAutomaton(
        Quotient(relaxation.OverApproximation(case.configuration, relaxation.one_at_a_time))
    )
    sizes |= {
        "relaxed zones": len(zones),
        "relaxed crossings": zones.transitions,
        "obliged": len(obliged_approximation.explore()),
    }
    return {"relaxed breaks": sorted(zones.broken), "obliged stuck": len(time_locks(obliged_approximation))}


def _bound(known: int | None, otherwise: int) -> int:
    return otherwise if known is None else 5 * known + 2000


def _vacuous(always: list[str], explored: Any) -> list[str]:
    """The unbroken properties that lack a witness."""
    witnesses = importlib.import_module("timewait.spec.properties").WITNESSES
    return [name for name in always if name not in explored.broken and not set(witnesses[name]) <= explored.witnessed.keys()]


def _bounded(case: Case, stopped: str, described: Answer, known: Answer | None) -> None:
    """An exploration that was stopped kills: by what is broken beside what should be, else by its size."""
    if stopped:
        for key in (key for key in described if key.endswith("break")):
            if known and set(described[key]) - set(known[key]):
                raise Killed("verdict", f"{case.label}: {key} {described[key]}, not {known[key]}")
        raise Killed("bound", f"{case.label}: {stopped}")


def _carried_out(case: Case, run: Any, asked: Any) -> None:
    from timewait.checker.replay import Rejected, replay

    reference = importlib.import_module("timewait.spec.reference")
    if run is None:
        raise Killed("replay", f"{case.label}: no delays for the run that breaks {asked.name}")
    try:
        replay(reference.initial_state(case.configuration), run, asked)
    except Rejected as rejected:
        raise Killed("replay", f"{case.label}: the run that breaks {asked.name} is rejected: {rejected}") from rejected


def kill_suite(path: str, expected: dict[str, Any]) -> None:
    """Compare every answer of the imported specification with the recorded one; a difference raises `Killed`.

    Parameters
    ----------
    path : str
        The changed module, or an empty string; checks that cannot depend on it are left out.
    expected : dict
        The recorded answers.
    """
    endpoint = path in ("", *ENDPOINT)
    if endpoint:
        _endpoint_tests(drawn_values=False)
    answers: dict[str, Answer] = {}
    for case in itertools.chain(cases(), drawn(expected["drawn"])):
        known = expected["answers"][case.label]
        try:
            answers[case.label] = described = answer(case, known)
        except Killed:
            raise
        except Exception as problem:
            raise Killed("error", f"{case.label}: {problem!r}") from problem
        for key in known:
            if key not in ("rules", "sizes") and described[key] != known[key]:
                raise Killed("verdict", f"{case.label}: {key} {described[key]}, not {known[key]}")
    if endpoint:
        _oracle(expected)
        _endpoint_tests(drawn_values=True)
    _check_facts()
    for key, kind in (("rules", "rules"), ("sizes", "count")):
        for label, described in answers.items():
            known = expected["answers"][label]
            if key in known and described[key] != known[key]:
                raise Killed(kind, f"{label}: {key} {described[key]}, not {known[key]}")


def _facts() -> Iterator[tuple[str, bool]]:
    """Facts on which no verdict of a small configuration depends, each with whether it holds."""
    from timewait.spec.composition import Composition, CompositionState, Phase
    from timewait.spec.configuration import Configuration
    from timewait.spec.endpoint import allowed_calls, segment_arrives
    from timewait.spec.exchange import loss_windows, violated_properties
    from timewait.spec.network import Channel
    from timewait.spec.outcome import Call, Effect, Outcome, Timer
    from timewait.spec.replies import acknowledgement, earliest_unacknowledged
    from timewait.spec.segment import PacketInFlight, Segment
    from timewait.spec.settings import Behaviour
    from timewait.spec.state import ESTABLISHED, Block, State

    usual = Behaviour()
    closing = Block(State.FIN_WAIT_1, una=0, nxt=2, rcv=1, passive=True)
    outcome = segment_arrives(closing, Segment(1, rst=True), usual)
    yield "a RST ends FIN-WAIT-1 even if it was reached from a passive open", outcome.block.state is State.CLOSED
    outcome = segment_arrives(closing, Segment(1, syn=True), usual)
    yield "a SYN does not end it", outcome == Outcome(closing, (acknowledgement(closing),), rules=("syn.challenge",))
    outcome = segment_arrives(ESTABLISHED, Segment(1, syn=True), usual)
    yield "outside TIME-WAIT a SYN gets a challenge ACK for every setting", outcome.replies == (acknowledgement(ESTABLISHED),)
    yield "the challenge ACK starts no timer", outcome.started == frozenset()

    waiting = Block(State.TIME_WAIT, una=2, nxt=2, rcv=2)
    lasting = Block(State.LAST_ACK, una=1, nxt=2, rcv=2)
    both = (waiting, waiting)
    yield "a RST belongs to no loss window", loss_windows(both, 0, Segment(2, 2, rst=True), (True, True)) == ()
    yield "an acknowledgement of nothing belongs to no loss window", loss_windows(both, 0, Segment(2), (True, True)) == ()
    yield (
        "a FIN belongs to the loss window of the other end",
        loss_windows(both, 0, Segment(1, 1, fin=True), (True, True)) == (1,),
    )
    yield (
        "a FIN to an end that cannot close first belongs to no loss window",
        loss_windows((lasting, waiting), 0, Segment(1, 1, fin=True), (True, False)) == (),
    )
    yield "an end that closes second has no loss window", loss_windows((lasting, waiting), 0, Segment(2, 2), (True, True)) == ()

    half_open = Block(State.SYN_RECEIVED, una=2, nxt=3, rcv=501, passive=True, waited=2)
    windows = loss_windows((half_open, lasting), 0, Segment(3, 501), (True, False))
    yield "what a half-open connection sends acknowledges no FIN", windows == ()
    yield "its SYN,ACK is retransmitted", earliest_unacknowledged(half_open) == Segment(2, 501, syn=True)
    yield "its user makes no call", allowed_calls(half_open) == ()
    yield (
        "the user of any other connection in SYN-RECEIVED may close it",
        Call.CLOSE in allowed_calls(half_open._replace(waited=0)),
    )

    for state in State:
        before, over = Block(state, una=1, nxt=2, rcv=1), Block(State.CLOSED)
        reset = Outcome(over, effects=frozenset({Effect.RESET}))
        in_order = state in (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK)
        described = violated_properties((before, ESTABLISHED), (over, ESTABLISHED), 0, reset)
        yield f"a RST in {state} is{'' if in_order else ' not'} ungraceful", ("graceful" in described) is in_order
    configuration = Configuration(Fraction(1), Fraction(2), (Fraction(1),))
    composition = Composition(configuration)
    quiet = composition.pending(CompositionState((Block(State.CLOSED), waiting), (), (0, 0)))
    yield "an end that is CLOSED is silent too", quiet == {"closes", "quiet"}
    reopened = CompositionState((Block(State.CLOSED), Block(State.CLOSED)), (), (0, 0), Phase.REOPENED)
    yield "in the next incarnation nothing is pending", composition.pending(reopened) == frozenset()
    quiet = composition.pending(CompositionState((ESTABLISHED, waiting), (), (0, 0)))
    yield "quiet is not pending while an end is not silent", quiet == {"closes"}

    def recurrent(*ends: Block) -> set[str]:
        situation = CompositionState((ends[0], ends[1]), (PacketInFlight("B", Segment(1, 2, fin=True), True, None),), (0, 0))
        return {f"{edge.action.kind} {name}" for edge in composition.edges(situation) for name in edge.recurrent}

    yield (
        "an answer in TIME-WAIT is a recurrent event, the end of TIME-WAIT is not",
        recurrent(waiting, waiting) == {"deliver quiet"},
    )
    yield "that holds with a CLOSED peer too", recurrent(waiting, Block(State.CLOSED)) == {"deliver quiet"}
    yield "there are no recurrent events elsewhere", recurrent(ESTABLISHED, ESTABLISHED) == set()
    yield "every maximal constant is a parameter", set(composition.maximal_constants.values()) <= set(composition.parameters)
    queued = Composition(replace(configuration, fifo=True))
    free = CompositionState((ESTABLISHED, ESTABLISHED), (PacketInFlight("A", Segment(1, 1), False, None),), (0, 0))
    yield "in a queue each location is its own equivalence class", queued.equivalence_class(free) == free
    yield (
        "elsewhere packets that need not be delivered do not separate locations",
        composition.equivalence_class(free) == free._replace(network=()),
    )
    mine, other = PacketInFlight("A", Segment(1, 1), True, None), PacketInFlight("B", Segment(1, 1), True, None)
    queue, twice = Channel(None, True), Channel(1, False)
    yield (
        "a packet waits for those ahead of it that must be delivered",
        queue.blocked((mine, mine._replace(segment=Segment(2, 1))), 1),
    )
    yield "it does not wait for packets of the other direction", not queue.blocked((other, mine), 1)
    yield (
        "it does not wait for packets that need not be delivered",
        not queue.blocked((mine._replace(must_be_delivered=False), mine), 1),
    )
    yield "it does not wait without order", not twice.blocked((mine, mine), 1)
    (again,) = twice.deliver((mine._replace(left=1),), 0)
    yield "a delivered packet need not be delivered again", again.packet == mine._replace(must_be_delivered=False, left=0)
    yield "a packet arrives no more often than it may", twice.deliver((mine._replace(left=0),), 0) == []
    merged = Channel(None, False)
    yield "the oldest packet that must be delivered has a clock of its own", merged.due((mine,), 0) != merged.age((mine,), 0)
    yield "an unmerged packet has one clock", twice.due((mine,), 0) == twice.age((mine,), 0)
    unread = Block(State.CLOSED, sent=1)
    described = violated_properties((unread, ESTABLISHED), (unread, ESTABLISHED), 0, Outcome(unread))
    yield "integrity is lost when an end closes, not when it is closed", described == frozenset()
    yield (
        "a FIN restarts the timer of TIME-WAIT",
        Timer.TIME_WAIT in segment_arrives(waiting, Segment(1, 2, fin=True), usual).started,
    )


def _check_facts() -> None:
    try:
        for fact, holds in _facts():
            if not holds:
                raise Killed("fact", fact)
    except Killed:
        raise
    except Exception as problem:
        raise Killed("fact", repr(problem)) from problem


def _oracle(expected: dict[str, Any]) -> None:
    """The oracle and the engine must agree on the random configurations."""
    oracle = importlib.import_module("oracle")
    for case in drawn(expected["drawn"]):
        known = [name for name in expected["answers"][case.label]["ticks break"] if name in oracle.JUDGED]
        try:
            described = sorted(name for name, bad in oracle.judge(case.configuration, 20_000).items() if bad)
        except Exception as problem:
            raise Killed("oracle", f"{case.label}: {problem!r}") from problem
        if described != known:
            raise Killed("oracle", f"{case.label}: the oracle says {described}, the engine {known}")


def _endpoint_tests(*, drawn_values: bool) -> None:
    """The tests of the endpoint: those with random values and walks, or the others."""
    from hypothesis import Phase, settings

    settings.register_profile(
        "mutation", max_examples=30, database=None, derandomize=True, deadline=None, phases=[Phase.generate]
    )
    settings.load_profile("mutation")
    try:
        module = importlib.import_module("test_endpoint")
        tests = [test for test in _tests(module) if (hasattr(test.run, "hypothesis") or "somewhere" in test.name) is drawn_values]
    except Exception as problem:
        raise Killed("error", f"the tests of the endpoint cannot be imported: {problem!r}") from problem
    for test in tests:
        for values in test.values:
            try:
                test.run(**values)
            except BaseException as problem:
                if isinstance(problem, KeyboardInterrupt):
                    raise
                shown = ", ".join(f"{name}={value}" for name, value in values.items())
                raise Killed("test", f"{test.name}({shown}): {str(problem).splitlines()[:1]}") from problem


class EndpointTest(NamedTuple):
    """A test function with all sets of its values."""

    name: str
    run: Callable[..., object]
    values: list[dict[str, Any]]


def _tests(module: ModuleType) -> Iterator[EndpointTest]:
    """The test functions of a module, as pytest finds them, without those expected to fail."""
    for name, thing in vars(module).items():
        if name.startswith("Test") and isinstance(thing, type):
            for inner, function in vars(thing).items():
                if inner.startswith("test_") and not _expected_to_fail(function):
                    yield EndpointTest(f"{name}.{inner}", getattr(thing(), inner), _values(function))
        elif name.startswith("test_") and callable(thing) and not _expected_to_fail(thing):
            yield EndpointTest(name, thing, _values(thing))


def _expected_to_fail(function: Callable[..., object]) -> bool:
    return any(mark.name == "xfail" for mark in getattr(function, "pytestmark", []))


def _values(function: Callable[..., object]) -> list[dict[str, Any]]:
    """Every set of values from the marks of a test."""
    dimensions = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args[:2]
            names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
            rows = []
            for value in values:
                if hasattr(value, "marks"):
                    if any(inner.name == "xfail" for inner in value.marks):
                        continue
                    value = value.values if len(names) > 1 else value.values[0]
                rows.append(dict(zip(names, value if len(names) > 1 else [value], strict=True)))
            dimensions.append(rows)
    return [{name: value for part in parts for name, value in part.items()} for parts in itertools.product(*dimensions)]


# --- trying mutants ------------------------------------------------------------------------------------------------


class MutantResult(NamedTuple):
    """The result of a mutant: the kind of evidence that killed it (empty: it survived), details, seconds of processor time."""

    kind: str
    detail: str
    seconds: float


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed source."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        del path, target
        if fullname != self.mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, ROOT / self.mutant.path, loader=self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.tree, self.mutant.path, "exec"), vars(module))


def _forget_specification() -> None:
    """Unload every module that depends on the specification."""
    for name in list(sys.modules):
        if name.startswith(("timewait.spec", "timewait.proofs")) or name in ("oracle", "random_configurations", "test_endpoint"):
            del sys.modules[name]


def try_here(mutant: Mutant | None, expected: dict[str, Any]) -> MutantResult:
    """Run the kill suite on a mutant (None: the specification itself) in this process, which cannot be used afterwards."""
    started = time.process_time()
    _forget_specification()
    for folder in (ROOT, HERE):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant))
    try:
        if mutant is not None:
            try:
                importlib.import_module("timewait.spec.composition")
            except Exception as problem:
                raise Killed("error", f"cannot be imported: {problem!r}") from problem
        kill_suite(mutant.path if mutant is not None else "", expected)
    except Killed as killed:
        return MutantResult(killed.kind, killed.detail, time.process_time() - started)
    return MutantResult("", "", time.process_time() - started)


def _in_child(mutant: Mutant | None, expected: dict[str, Any], end: Connection) -> None:
    def out_of_time(number: int, frame: object) -> None:
        del number, frame
        raise Killed("time", f"no answer within {SECONDS:g} s")

    signal.signal(signal.SIGPROF, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        end.send(try_here(mutant, expected))
    except Exception as problem:
        end.send(repr(problem))
    end.close()


def try_all(
    asked: Sequence[Mutant | None], jobs: int = 2, described: Callable[[Mutant | None, MutantResult], None] | None = None
) -> list[MutantResult]:
    """Try mutants in parallel, each in a process of its own; a mutant that takes too long is killed.

    Parameters
    ----------
    asked : sequence of Mutant or None
        The mutants; None stands for the specification itself.
    jobs : int
        Processes at a time.
    described : callable, optional
        Called with each mutant and its result.
    """
    expected = expectations()
    _warm_up()
    context = get_context("fork")
    results: dict[int, MutantResult] = {}
    waiting = list(enumerate(asked))[::-1]
    running: dict[Connection, tuple[int, ForkProcess, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            index, mutant = waiting.pop()
            mine, other = context.Pipe(duplex=False)
            child = context.Process(target=_in_child, args=(mutant, expected, other), daemon=True)
            child.start()
            other.close()
            running[mine] = (index, child, time.monotonic())
        ready = wait(list(running), timeout=1.0)
        for end, (index, child, started) in list(running.items()):
            spent = time.monotonic() - started
            if end not in ready and spent < PATIENCE:
                continue
            result = MutantResult("time", f"no answer within {PATIENCE:g} s", spent)
            if end in ready:
                answered = _received(end)
                if not isinstance(answered, MutantResult):
                    raise RuntimeError(f"the kill suite fails on {asked[index] or 'the specification'}: {answered}")
                result = answered
            child.kill()
            child.join()
            end.close()
            del running[end]
            results[index] = result
            if described is not None:
                described(asked[index], result)
    return [results[index] for index in range(len(asked))]


def _received(end: Connection) -> MutantResult | str:
    """The result that a child sends, or a text if the child died."""
    try:
        received: MutantResult | str = end.recv()
    except EOFError:
        return "the process died"
    return received


def _warm_up() -> None:
    """Import and compile modules that do not depend on the specification, before processes are forked."""
    for folder in (ROOT, HERE):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    case = next(iter(cases()))
    answer(case, None)
    gc.collect()
    gc.freeze()


# --- records -------------------------------------------------------------------------------------------------------


def expectations() -> dict[str, Any]:
    """The recorded answers."""
    known: dict[str, Any] = json.loads(EXPECTATIONS.read_text(encoding="utf-8"))
    return known


def survivors() -> dict[str, str]:
    """The mutants that no check can detect, each with the reason."""
    listed = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    return {entry["name"]: entry["reason"] for entry in listed}


def record(wanted: int = 24, largest: int = 600) -> None:
    """Record the answers of the specification; random configurations are those that are decided quickly."""
    oracle = importlib.import_module("oracle")
    numbers: list[int] = []
    for case in drawn(range(400)):
        try:
            oracle.judge(case.configuration, 3 * largest)
            if answer(case, None, largest)["sizes"]["states"] > 30:
                numbers.append(int(case.label.split()[1]))
        except (oracle.TooLarge, Killed):
            continue
        if len(numbers) == wanted:
            break
    answers = {}
    for case in itertools.chain(cases(), drawn(numbers)):
        started = time.monotonic()
        answers[case.label] = answer(case, None)
        print(f"{time.monotonic() - started:6.2f} s  {case.label}: {answers[case.label]}", flush=True)
    lines = ",\n".join(f"    {json.dumps(label)}: {json.dumps(described)}" for label, described in answers.items())
    EXPECTATIONS.write_text(f'{{\n  "drawn": {json.dumps(numbers)},\n  "answers": {{\n{lines}\n  }}\n}}\n', encoding="utf-8")


def sample(asked: Sequence[Mutant], count: int, seed: int = 0) -> list[Mutant]:
    """A sample of the mutants of every module, the same each time."""
    rng = random.Random(seed)
    by_path: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in asked:
        by_path[mutant.path].append(mutant)
    for group in by_path.values():
        rng.shuffle(group)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*by_path.values()))
    return list(itertools.islice((mutant for mutant in turns if mutant is not None), count))


def main() -> int:
    """Try mutants and print their results; return 1 if one survives that is not listed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="record the answers anew")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="only mutants whose name contains this")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--baseline", action="store_true", help="try the specification itself")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args()
    for folder in (ROOT, HERE):
        sys.path.insert(0, str(folder))
    if options.record:
        record()
        return 0
    chosen: list[Mutant | None] = [mutant for mutant in mutants() if options.only in mutant.name]
    if options.sample:
        chosen = list(sample([mutant for mutant in chosen if mutant], options.sample))
    if options.baseline:
        chosen = [None]
    if options.list:
        print(*chosen, len(chosen), sep="\n")
        return 0
    listed = survivors()
    kinds: Counter[str] = Counter()
    unexplained = 0

    def described(mutant: Mutant | None, result: MutantResult) -> None:
        nonlocal unexplained
        kinds[result.kind or "survived"] += 1
        unexplained += not result.kind and mutant is not None and mutant.name not in listed
        print(
            f"{result.seconds:5.1f} s  {result.kind or 'SURVIVED':8}  {mutant or 'the specification'}\n    {result.detail}",
            flush=True,
        )

    try_all(chosen, options.jobs, described)
    print(dict(kinds))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
