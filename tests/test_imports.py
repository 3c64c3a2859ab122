"""Who may know whom, read from the source of every module."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("spec", "checker", "proofs", "diagrams", "timewait")
MODULES = sorted(
    (path for package in PACKAGES for path in (ROOT / package).rglob("*.py") if not path.name.startswith("test_")), key=str
)
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]

OWN = {
    "spec": {"spec", "timewait.vocabulary.automaton"},
    "checker": {"checker"},
    "proofs": {"proofs", "spec", "checker"},
    "diagrams": {"diagrams", "spec", "checker"},
    "timewait": set(PACKAGES),
}
"""What of the five packages each may import: a package with all that is in it, or one module."""

LIBRARIES = {
    "spec": {"networkx"},
    "checker": {"networkx", "numba", "numpy", "z3", "cvc5"},
    "proofs": set[str](),
    "diagrams": {"networkx", "graphviz", "jinja2", "pygraphviz", "vl_convert"},
    "timewait": {"click", "rich"},
}
"""What else each imports that is not in the standard library."""

every_module = pytest.mark.parametrize("path", MODULES, ids=NAMES)


def tree(path: Path) -> ast.Module:
    """The source of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def package(path: Path) -> str:
    """The package that a module belongs to."""
    return path.relative_to(ROOT).parts[0]


def imported(path: Path) -> Iterator[str]:
    """Every module that is imported, wherever in the file."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            assert node.module is not None
            yield from (f"{node.module}.{alias.name}" for alias in node.names) if node.module in PACKAGES else (node.module,)


def test_every_module_is_looked_at() -> None:
    """Each package is there, with what it is known for."""
    assert {package(path) for path in MODULES} == set(PACKAGES)
    for name in ("spec/endpoint.py", "checker/dbm.py", "proofs/claims.py", "diagrams/states.py", "timewait/cli/console.py"):
        assert name in NAMES
    assert sorted(OWN) == sorted(LIBRARIES) == sorted(PACKAGES)


@every_module
def test_imports_run_one_way(path: Path) -> None:
    """Of the five packages only those that may be known, of all others only those that are meant to be used."""
    allowed = OWN[package(path)]
    for name in imported(path):
        first = name.partition(".")[0]
        if first in PACKAGES:
            assert any(name == known or name.startswith(f"{known}.") for known in allowed), name
        else:
            assert first in sys.stdlib_module_names or first in LIBRARIES[package(path)], name


@pytest.mark.parametrize("name", PACKAGES)
def test_what_may_be_imported_is(name: str) -> None:
    """No library is permitted that nobody needs."""
    used = {one.partition(".")[0] for path in MODULES if package(path) == name for one in imported(path)}
    assert used >= LIBRARIES[name]


def test_libraries_are_declared() -> None:
    """What is imported is installed under a name that the project declares."""
    declared = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("[project.optional-dependencies]")[0].casefold()
    distributions = packages_distributions()
    for library in sorted(set.union(*LIBRARIES.values())):
        assert any(f'"{name.casefold()}>' in declared for name in distributions[library]), library


@every_module
def test_imports_stand_at_the_top(path: Path) -> None:
    """An import inside a function hides who knows whom."""
    module = tree(path)
    inside = {node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom)} - set(module.body)
    guarded = {
        node
        for block in module.body
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in block.body
    }
    assert not inside - guarded, [ast.unparse(node) for node in inside - guarded]


# --- who speaks ----------------------------------------------------------------------------------------------------

SPEAKS = "timewait/cli/console.py"


def spoken(path: Path) -> list[str]:
    """Where a module prints, or gets hold of standard output or standard error."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in (
            "sys.stdout",
            "sys.stderr",
            "sys.__stdout__",
            "sys.__stderr__",
        ):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.ImportFrom) and node.module == "sys":
            found += [f"line {node.lineno}: {one.name}" for one in node.names if one.name in ("stdout", "stderr")]
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == "rich":
            found += [f"line {node.lineno}: {one.name}" for one in node.names if one.name in ("print", "Console", "get_console")]
    return found


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=name) for path, name in zip(MODULES, NAMES, strict=True)],
)
def test_only_the_console_speaks(path: Path) -> None:
    """All output goes one way."""
    if str(path.relative_to(ROOT)) == SPEAKS:
        assert spoken(path)
    else:
        assert spoken(path) == []


# --- what changes --------------------------------------------------------------------------------------------------

REGISTRIES = {"proofs/claim.py": {"CLAIMS"}}
"""The names that other modules add to while they are imported."""

MUTATING = {"append", "add", "update", "setdefault", "pop", "popitem", "clear", "extend", "insert", "remove", "discard", "sort"}


def at_the_top(path: Path) -> Iterator[tuple[str, ast.expr | None]]:
    """Every name that is assigned to at the top of a module, with its value."""
    for node in tree(path).body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                yield from ((one.id, node.value) for one in ast.walk(target) if isinstance(one, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.value
        elif isinstance(node, ast.AugAssign | ast.For | ast.While | ast.With):
            raise AssertionError(f"{path}: line {node.lineno}: a module that computes")


@every_module
def test_names_at_the_top_are_constants(path: Path) -> None:
    """In capitals, or a type, whose name is that of a class."""
    for name, value in at_the_top(path):
        is_type = name[0].isupper() and any(letter.islower() for letter in name)
        if is_type:
            made = isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "NewType", "ParamSpec")
            assert made or isinstance(value, ast.Subscript | ast.BinOp | ast.Name | ast.Attribute), name
        else:
            assert name.lstrip("_").isupper() or name == "__all__", name


@every_module
def test_constants_stay_as_they_are(path: Path) -> None:
    """No function rebinds one with ``global``, and none changes one: but for registries."""
    module = tree(path)
    constants = {name for name, _ in at_the_top(path)}
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            constants |= {alias.asname or alias.name for alias in node.names if alias.name.isupper()}
    constants -= REGISTRIES.get(str(path.relative_to(ROOT)), set())
    assert not any(isinstance(node, ast.Global) for node in ast.walk(module))
    for node in ast.walk(module):
        changed: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING:
            changed = node.func.value
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            changed = node.value
        if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
            changed = node.target
        if isinstance(changed, ast.Name):
            assert changed.id not in constants, f"line {changed.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize(("name", "registered"), sorted(REGISTRIES.items()))
def test_registries_are_where_they_are_said_to_be(name: str, registered: set[str]) -> None:
    """And are added to."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for one in registered:
        assert f"{one}[" in text
