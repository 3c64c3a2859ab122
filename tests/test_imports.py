"""Which package imports which, read from the source of every module."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from functools import cache
from graphlib import TopologicalSorter
from importlib import import_module
from importlib.metadata import packages_distributions
from itertools import chain
from pathlib import Path

import pytest

from timewait.vocabulary.deferred import COMMAND_DEFERRED, DEFERRED, defer

ROOT = Path(__file__).parent.parent
FOLDERS = ("spec", "checker", "proofs", "diagrams", "timewait")
"""The folders of the distribution; ``timewait`` holds links to the others."""
MODULES = sorted(
    path
    for folder in FOLDERS
    for path in (ROOT / folder).rglob("*.py")
    if not path.name.startswith("test_") and not any(parent.is_symlink() for parent in path.parents)
)
NAMES = [str(path.relative_to(ROOT)) for path in MODULES]

LAYERS = (
    {"vocabulary"},
    {"spec", "checker"},
    {"proofs", "narration"},
    {"captures", "formats", "diagrams", "capacity", "risk"},
    {"laboratory", "machine", "ways"},
    {"library"},
    {"cli"},
)
"""The packages, lowest first: each imports those below it alone. The library is the modules directly in ``timewait``."""

LIBRARIES = {
    "vocabulary": set[str](),
    "spec": {"networkx"},
    "checker": {"networkx", "numba", "numpy", "z3"},
    "proofs": set[str](),
    "narration": {"networkx"},
    "captures": set[str](),
    "capacity": set[str](),
    "risk": set[str](),
    "ways": set[str](),
    "machine": set[str](),
    "formats": set[str](),
    "diagrams": {"networkx", "graphviz", "jinja2"},
    "laboratory": set[str](),
    "library": set[str](),
    "cli": {"click"},
}
"""What else each package imports that is not in the standard library."""

LAZY = {
    "timewait/__init__.py": "the names of the library, imported when they are first used: the engines take a second to load",
    "timewait/cli/main.py": "a command, imported when it runs: help loads no engine",
    "timewait/vocabulary/deferred.py": "modules that are executed when they are first used: their users import them at the top",
    "proofs/claim_files.py": "a file of the user's claims, which are Python",
    "proofs/memory.py": "the folders of the solvers, for the key of what is remembered",
    "timewait/vocabulary/errors.py": "a package of an extra, imported when it is used: it may not be installed",
}
"""The modules that find a module by name or execute a text while they run, with the reason; no other hides what it imports."""


MOST_LINES = 500
"""The most lines of a module: a longer one has several subjects."""

BY_NAME = {
    *("import_module", "__import__", "find_spec", "load_module", "exec_module", "module_from_spec", "spec_from_file_location"),
    *("resolve_name", "run_module", "run_path", "sys.modules"),
}
"""The names of functions that import by name, and of the table of modules."""

EXECUTING = {"exec", "eval", "compile"}
"""The names of functions that execute a text, where they are no methods."""


def every_module(check: Callable[[Path], None]) -> Callable[[], None]:
    """Make one test of a check of every module; a failure names the module."""

    def test() -> None:
        for path, name in zip(MODULES, NAMES, strict=True):
            try:
                check(path)
            except AssertionError as problem:
                raise AssertionError(f"{name}: {problem}") from problem

    test.__doc__ = check.__doc__
    return test


@cache
def tree(path: Path) -> ast.Module:
    """The source of a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_name(path: Path) -> str:
    """The name by which a module is imported."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    if parts[0] != "timewait":
        parts.insert(0, "timewait")
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULE_NAMES = {module_name(path) for path in MODULES}


def package(module: str) -> str:
    """The package that a module belongs to."""
    if module == "timewait.__main__":
        return "cli"
    first = module.split(".")[1] if "." in module else ""
    return first if first in set.union(*LAYERS) else "library"


def imported(module: ast.Module, *, for_types: bool = False) -> Iterator[str]:
    """Every module that is imported, wherever in the source; what type checkers alone read only if it is asked for.

    A name of the library that is taken from ``timewait`` itself is shown with it.
    """
    unseen = set() if for_types else {node for block in guarded(module) for node in block.body}
    for node in ast.walk(module):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import"
            assert node.module is not None
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULE_NAMES or node.module == "timewait" else node.module


def guarded(module: ast.Module) -> list[ast.If]:
    """The blocks that type checkers alone read."""
    return [block for block in module.body if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"]


def optional(path: Path) -> Iterator[tuple[str, str]]:
    """The packages of extras that a module imports when it needs them, each with its extra."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "optional_package":
            name, extra = (ast.literal_eval(argument) for argument in node.args)
            yield name, extra


def test_every_module_is_read() -> None:
    """Each package is there, with a module that it is known for."""
    assert {package(name) for name in MODULE_NAMES} == set.union(*LAYERS) == set(LIBRARIES)
    for name in ("spec/endpoint.py", "checker/dbm.py", "proofs/claims.py", "diagrams/states.py", "timewait/cli/console.py"):
        assert name in NAMES


def misplaced(module: ast.Module, own: str) -> list[str]:
    """The imports that a package must not have, those that type checkers alone read among them."""
    layer = next(number for number, layer in enumerate(LAYERS) if own in layer)
    allowed = set(chain(*LAYERS[:layer], [own]))
    found = []
    for name in imported(module, for_types=True):
        first = name.partition(".")[0]
        if first == "timewait":
            permitted = name == "timewait.__version__" or package(name) in allowed
        else:
            permitted = first in sys.stdlib_module_names or first in LIBRARIES[own]
        found += [] if permitted else [name]
    return found


@every_module
def test_imports_lead_downwards(path: Path) -> None:
    """Of the distribution a package imports itself and lower layers; of other libraries those that it is meant to use."""
    assert misplaced(tree(path), package(module_name(path))) == []


def test_no_module_is_long() -> None:
    """At most 500 lines, the tests and the code of the pages too."""
    folders = (*FOLDERS, "tests", "benchmarks", "docs")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "node_modules" not in path.parts]
    lines = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8").count("\n") for path in paths}
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}
    assert {"tests/test_imports.py", "spec/endpoint.py", "benchmarks/ticks.py", "docs/code/live/tables.py"} <= set(lines)


def test_modules_form_no_cycle() -> None:
    """Not within a package either."""
    graph = {module_name(path): {name for name in imported(tree(path)) if name != "timewait"} & MODULE_NAMES for path in MODULES}
    assert len([*TopologicalSorter(graph).static_order()]) == len(MODULE_NAMES)


@pytest.mark.parametrize("name", sorted(LIBRARIES))
def test_permitted_libraries_are_used(name: str) -> None:
    """No library is permitted without a user."""
    used = {one.partition(".")[0] for path in MODULES if package(module_name(path)) == name for one in imported(tree(path))}
    assert used >= LIBRARIES[name]


def test_the_layout_names_every_package() -> None:
    """ARCHITECTURE.md has each package of the distribution, and each module of the library."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    assert [name for name in packages if name.count(".") == 1 and f"`{name}`" not in text] == []
    library = [name for name in NAMES if name.count("/") == 1 and name.startswith("timewait/") and "__" not in name]
    assert library
    assert [name for name in library if f"`{name}`" not in text] == []
    for row in LAYERS[1:-2]:
        assert all(re.search(rf"^ .*\b{name}\b", text, re.MULTILINE) for name in row), row


def test_libraries_are_declared() -> None:
    """What is imported is installed under a name that the project declares, as a dependency or in the extra that is named."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    distributions = packages_distributions()
    wanted = [(name, project["dependencies"]) for name in sorted(set.union(*LIBRARIES.values()))]
    wanted += [(name, project["optional-dependencies"][extra]) for path in MODULES for name, extra in optional(path)]
    for name, declared in wanted:
        top = name.partition(".")[0]
        known = [distribution.casefold() for distribution in distributions.get(top, [top])]  # Ray need not be installed
        names = [re.split(r"[\[>]", entry.casefold())[0] for entry in declared]
        assert set(known) & set(names), name


def hidden(module: ast.Module) -> list[str]:
    """The imports that do not stand at the top."""
    inside = {node for node in ast.walk(module) if isinstance(node, ast.Import | ast.ImportFrom)} - set(module.body)
    inside -= {node for block in guarded(module) for node in block.body}
    return [ast.unparse(node) for node in inside]


def imports_by_name(module: ast.Module) -> bool:
    """Whether a module can import by name, or execute a text: it uses a function that does, under whatever name."""
    found = set()
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name):
                found |= {name} & (BY_NAME | EXECUTING)
            case ast.Attribute(attr=name):
                found |= {name, ast.unparse(node)} & BY_NAME
            case ast.ImportFrom(module=source, names=names):
                found |= {name for alias in names for name in (alias.name, f"{source}.{alias.name}")} & BY_NAME
            case ast.Constant(value=str() as text):
                found |= {text} & BY_NAME
    return bool(found)


@every_module
def test_imports_stand_at_the_top(path: Path) -> None:
    """An import inside a function hides what a module needs."""
    assert hidden(tree(path)) == []
    assert imports_by_name(tree(path)) == (str(path.relative_to(ROOT)) in LAZY)


AN_IMPORT = {
    "of a module": "import timewait.{package}.{module}",
    "of a module by another name": "import timewait.{package}.{module} as other",
    "of a name": "from timewait.{package}.{module} import name",
    "of a module from its package": "from timewait.{package} import {module}",
    "of a package": "from timewait import {package}",
    "of everything": "from timewait.{package}.{module} import *",
}
"""Each form of an import."""
A_PLACE = {
    "at the top": "{line}",
    "for type checkers": "if TYPE_CHECKING:\n    {line}",
    "in a function": "def f():\n    {line}",
    "in a method": "class C:\n    def f(self):\n        {line}",
    "in an attempt": "try:\n    {line}\nexcept ImportError:\n    pass",
    "under a condition": "if sys:\n    {line}",
}
"""Each place where an import may stand."""
BY_NAMES = (
    "importlib.import_module('timewait.cli.main')",
    "from importlib import import_module as load\nload('timewait.cli.main')",
    "load = __import__\nload('timewait.cli.main')",
    "getattr(importlib, 'import_module')('timewait.cli.main')",
    "importlib.util.find_spec('timewait.cli.main').loader.load_module()",
    "exec('import timewait.cli.main')",
    "run = eval\nrun('timewait.cli')",
    "from sys import modules\nmodules['timewait.cli.main']",
    "import runpy\nrunpy.run_module('timewait.cli.main')",
    "import pkgutil\npkgutil.resolve_name('timewait.cli.main')",
    "sys.modules['timewait.cli.main']",
)
"""Ways to a module by its name."""


def example(own: str) -> str:
    """The last name of a module of a package."""
    return next(name for name in sorted(MODULE_NAMES) if package(name) == own and name.count(".") == 2).rpartition(".")[2]


@pytest.mark.parametrize("place", A_PLACE)
@pytest.mark.parametrize("form", AN_IMPORT)
def test_an_import_that_leads_upwards_or_sideways_is_found(form: str, place: str) -> None:
    """Between any two packages, wherever it stands; one that leads downwards is not, and no import is hidden."""
    for height, layer in enumerate(LAYERS):
        for own in layer:
            for other in set.union(*LAYERS) - {"library"}:
                line = AN_IMPORT[form].format(package=other, module=example(other))
                source = ast.parse(A_PLACE[place].format(line=line))
                permitted = other == own or any(other in lower for lower in LAYERS[:height])
                assert bool(misplaced(source, own)) != permitted, (own, line)
                assert bool(hidden(source)) == (place not in ("at the top", "for type checkers"))


@pytest.mark.parametrize(
    "line", ["import timewait", "import timewait.api", "from timewait import check", "from timewait import api"]
)
def test_the_library_is_above_its_packages(line: str) -> None:
    """What it exports too; the version alone is for all."""
    packages = set.union(*LAYERS)
    assert {own for own in packages if misplaced(ast.parse(line), own)} == packages - {"library", "cli"}
    assert not any(misplaced(ast.parse("from timewait import __version__"), own) for own in packages)


@pytest.mark.parametrize("own", sorted(LIBRARIES))
def test_a_library_that_is_not_permitted_is_found(own: str) -> None:
    """Each library that only other packages may import, and the tests."""
    for name in {*set.union(*LIBRARIES.values()), "tests", "benchmarks", "pytest"} - LIBRARIES[own]:
        assert misplaced(ast.parse(f"if TYPE_CHECKING:\n    import {name}.inner"), own) == [f"{name}.inner"]


@pytest.mark.parametrize("source", BY_NAMES)
def test_an_import_by_name_is_found(source: str) -> None:
    """Under whatever name the function goes."""
    assert imports_by_name(ast.parse(source))


def test_deferred_modules_exist() -> None:
    """Each is one of the distribution, or a library that it may import."""
    assert set(MODULE_NAMES) >= DEFERRED
    assert set().union(*LIBRARIES.values()) >= COMMAND_DEFERRED


INTERRUPTED = """
from pathlib import Path

begun = Path(__file__).with_suffix(".begun")
if not begun.exists():
    begun.touch()
    raise KeyboardInterrupt
value = 1
"""
"""A module whose first execution is interrupted."""


def test_an_interrupt_while_a_deferred_module_is_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is heard, though the module was imported before; the next use executes the module from its beginning."""
    (tmp_path / "interrupted_module.py").write_text(INTERRUPTED, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    defer(frozenset({"interrupted_module"}))
    module = import_module("interrupted_module")
    with pytest.raises(KeyboardInterrupt):
        exec("from interrupted_module import value", {})
    assert import_module("interrupted_module") is module
    assert module.value == 1
    del sys.modules["interrupted_module"]


def test_a_check_loads_no_deferred_module() -> None:
    """A question that is answered by zones executes neither pages nor captures nor what they load."""
    program = "import sys; from timewait.cli.main import main; main(sys.argv[1:])"
    question = ["check", "--msl", "2s", "--rto", "2s", "--scope", "core", "--closers", "a", "--property", "graceful"]
    loaded = f"import atexit, sys; atexit.register(lambda: print(*sys.modules)); {program}"
    done = subprocess.run([sys.executable, "-c", loaded, *question], capture_output=True, text=True, check=True, timeout=120)
    modules = done.stdout.split()
    assert "timewait.checker.zones" in modules
    assert not {"jinja2", "networkx.classes", "timewait.captures.capture_file", "timewait.spec.difference"} & set(modules)


# --- output ----------------------------------------------------------------------------------------------------------

PRINTS = {"timewait/cli/console.py", "timewait/cli/errors.py"}


def printing(path: Path) -> list[str]:
    """Where a module prints, or gets hold of standard output or standard error."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("print", "input"):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.Attribute) and ast.unparse(node) in (
            "click.echo",
            "click.secho",
            "sys.stdout",
            "sys.stderr",
            "sys.__stdout__",
            "sys.__stderr__",
        ):
            found.append(f"line {node.lineno}: {ast.unparse(node)}")
        if isinstance(node, ast.ImportFrom) and node.module == "sys":
            found += [f"line {node.lineno}: {alias.name}" for alias in node.names if alias.name in ("stdout", "stderr")]
    return found


@every_module
def test_only_the_console_prints(path: Path) -> None:
    """All output goes one way."""
    assert bool(printing(path)) == (str(path.relative_to(ROOT)) in PRINTS)


# --- constants -----------------------------------------------------------------------------------------------------

REGISTRIES = {"proofs/claim.py": {"CLAIMS"}, "checker/trace.py": {"RENDERERS"}}
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
        is_type = name.lstrip("_")[0].isupper() and any(letter.islower() for letter in name)
        if is_type:
            made = isinstance(value, ast.Call) and ast.unparse(value.func) in ("TypeVar", "NewType", "ParamSpec")
            assert made or isinstance(value, ast.Subscript | ast.BinOp | ast.Name | ast.Attribute), name
        else:
            assert name.lstrip("_").isupper() or name.startswith("__"), name


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
def test_registries_are_used(name: str, registered: set[str]) -> None:
    """Something is registered in each."""
    text = (ROOT / name).read_text(encoding="utf-8")
    for registry in registered:
        assert f"{registry}[" in text


# --- names ----------------------------------------------------------------------------------------------------------


def test_a_class_name_stands_for_one_thing() -> None:
    """No two modules define a class or a type under one name, private names and the tests aside."""
    homes: dict[str, list[str]] = {}
    for path in MODULES:
        for node in tree(path).body:
            names = [node.name] if isinstance(node, ast.ClassDef) else []
            if isinstance(node, ast.Assign):
                names = [target.id for target in node.targets if isinstance(target, ast.Name)]
            for name in names:
                if name[0].isupper() and not name.isupper() and not any(letter == "_" for letter in name):
                    homes.setdefault(name, []).append(str(path.relative_to(ROOT)))
    assert {name: paths for name, paths in homes.items() if len(paths) > 1} == {}


def test_the_library_leaves_the_imports_of_others_alone() -> None:
    """A program that uses the library imports networkx as ever; a command loads it when it needs it."""
    program = "import sys, {name}; import networkx; print('DeferredModule' in str(type(networkx)))"
    for name, deferred in (("timewait", "False"), ("timewait.cli", "True")):
        asked = [sys.executable, "-c", program.format(name=name)]
        assert subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip() == deferred
