"""The cache of compiled functions: absent, damaged, not writable, shared, and out of date."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from timewait.checker import jit

PROGRAM = """
import numpy
from timewait.checker.jit import kernel
from helper import twice

@kernel
def four(value):
    return twice(twice(value))

print(four(10), sum(four.stats.cache_hits.values()))
"""

HELPER = """
from timewait.checker.jit import kernel

@kernel
def twice(value):
    return value * 2
"""

KEPT = """
from timewait.checker.jit import is_kept
from helper import twice

print(int(is_kept(twice)), int(is_kept(print)))
assert twice(21) == 42
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a program of two modules, and its cache."""
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    (tmp_path / "helper.py").write_text(HELPER, encoding="utf-8")
    return tmp_path


def run(folder: Path, cache: str = "cache") -> tuple[int, int]:
    """The result of the program, and how often the cache had the code."""
    paths = os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / cache), "PYTHONPATH": paths}
    command = [sys.executable, str(folder / "program.py")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    result, hits = map(int, done.stdout.split())
    return result, hits


def damage(folder: Path, pattern: str) -> None:
    """Cut files of the cache in half."""
    found = list((folder / "cache").rglob(pattern))
    assert found
    for path in found:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.slow
def test_cache(folder: Path) -> None:
    """The second process finds the code; damaged files are replaced, whether of code or of the index."""
    assert run(folder) == (40, 0)
    assert run(folder) == (40, 1)
    for pattern in ("*.nbc", "*.nbi", "*"):
        if pattern != "*":
            damage(folder, pattern)
        else:
            shutil.rmtree(folder / "cache")
        assert run(folder) == (40, 0)
        run(folder)  # a damaged index is replaced by an empty one first
        assert run(folder) == (40, 1)


@pytest.mark.parametrize("problem", [OSError, RuntimeError])
def test_no_place_for_a_cache(problem: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    """Functions work where no folder for a cache can be written."""

    def fail(function: object) -> None:
        raise problem(function)

    monkeypatch.setattr(jit, "_Cache", fail)
    assert jit.kernel(lambda value: value + 1)(1) == 2


def test_a_cache_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Functions work where the folder of the cache vanishes or is full."""
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile.save", lambda *_: (tmp_path / "none" / "x").read_bytes())
    monkeypatch.setattr("numba.core.caching.IndexDataCacheFile._save_index", lambda *_: (tmp_path / "none" / "x").read_bytes())
    assert jit.kernel(subtract)(5, 2) == 3


def subtract(left: int, right: int) -> int:
    """A function to compile."""
    return left - right


@pytest.mark.slow
def test_shared(folder: Path) -> None:
    """Processes that begin together leave a cache that works."""
    with ThreadPoolExecutor(4) as pool:
        assert {result for result, _ in pool.map(run, [folder] * 4)} == {40}
    assert run(folder) == (40, 1)


def test_sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The cache is that of the sources of all compiled modules: another text of one has another cache."""
    digest = jit.sources()
    for pattern in jit.COMPILED_MODULES:
        for path in Path(jit.__file__).parent.glob(pattern):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(jit, "__file__", str(tmp_path / "jit.py"))
    assert jit.sources.__wrapped__() == digest
    (tmp_path / "tick_kernels.py").write_text("changed", encoding="utf-8")
    assert jit.sources.__wrapped__() != digest


def test_every_compiled_module_counts() -> None:
    """Each module that compiles functions is one of those whose sources the cache depends on."""
    folder = Path(jit.__file__).parent
    named = {path for pattern in jit.COMPILED_MODULES for path in folder.glob(pattern)}
    users = {path for path in folder.glob("*.py") if "jit import kernel" in path.read_text(encoding="utf-8")}
    assert users == named


def test_code_is_kept_once_it_was_compiled(folder: Path) -> None:
    """A function is kept if some process has compiled it for these sources; a damaged or missing cache keeps nothing."""
    (folder / "program.py").write_text(KEPT, encoding="utf-8")
    assert run(folder) == (0, 0)
    assert run(folder) == (1, 0)
    damage(folder, "*.nbi")
    assert run(folder) == (0, 0)
