"""The cache of compiled functions: absent, damaged, not writable, shared, and out of date."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

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
    monkeypatch.setattr("timewait.checker.jit.CheckedFiles._save_index", lambda *_: (tmp_path / "none" / "x").read_bytes())
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


def test_files_are_named_for_the_sources(folder: Path) -> None:
    """Code of other sources is in other files, so that no index of new sources leads to it while two processes write."""
    run(folder)
    names = [path.name for path in (folder / "cache").rglob("*.nb*")]
    assert names
    assert all(jit.sources()[:16] in name for name in names)


def test_every_compiled_module_counts() -> None:
    """Each module that compiles functions is one of those whose sources the cache depends on."""
    folder = Path(jit.__file__).parent
    named = {path for pattern in jit.COMPILED_MODULES for path in folder.glob(pattern)}
    decorators = ("@kernel\n", "@allocating_kernel\n", "@subroutine\n")
    users = {path for path in folder.glob("*.py") if any(name in path.read_text(encoding="utf-8") for name in decorators)}
    assert {*users, Path(jit.__file__)} == named


def test_code_is_kept_once_it_was_compiled(folder: Path) -> None:
    """A function is kept if some process has compiled it for these sources; a damaged or missing cache keeps nothing."""
    (folder / "program.py").write_text(KEPT, encoding="utf-8")
    assert run(folder) == (0, 0)
    assert run(folder) == (1, 0)
    damage(folder, "*.nbi")
    assert run(folder) == (0, 0)


@jit.subroutine
def third(values: NDArray[np.int32], factor: int, signed: bool) -> int:
    """An entry of an array, times a factor."""
    return int(values[2] * factor) if signed else 0


@jit.kernel
def sum_of_thirds(values: NDArray[np.int32]) -> int:
    """Calls with a literal, with 32 bits and with 64 bits."""
    return third(values, -1, True) + third(values, values[0], True) + third(values, len(values), True)


def test_one_version_for_all_widths() -> None:
    """A subroutine is compiled once, whatever signed numbers its callers pass; 2^31 and more keep their sign."""
    values = np.array([2**31 - 1, 0, 4], dtype=np.int32)
    assert sum_of_thirds(values) == 4 * (-1 + 2**31 - 1 + 3)
    sum_of_thirds.recompile()  # type: ignore[attr-defined] # its code may come from the cache
    assert len(third.signatures) == 1  # type: ignore[attr-defined]


def test_python_cannot_call_a_subroutine() -> None:
    """A subroutine has no entry for Python, before and after it was compiled: an error, never a crash."""
    values = np.zeros(3, dtype=np.int32)
    for _ in range(2):
        with pytest.raises(TypeError, match="third; it is a subroutine"):
            third(values, 1, True)
        sum_of_thirds(values)


def test_a_kernel_that_returns_arrays_counts_references() -> None:
    """Without a count of references an array cannot be returned, alone or in a tuple; a kernel that allocates returns it."""
    values = np.arange(4)
    for returning in (lambda array: array, lambda array: (1, array)):
        with pytest.raises(TypeError, match="returns an array"):
            jit.kernel(returning)(values)
        returned = jit.allocating_kernel(returning)
        for _ in range(100):
            returned(values)
    assert values.tolist() == [0, 1, 2, 3]
