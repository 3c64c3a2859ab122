"""Damaged files of compiled code: none is executed, whatever was changed in it."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import INPUTS, damaged_octets

from timewait.checker.jit import CheckedFiles

CODE = ("name", bytes(range(256)) * 8, {"nested": [1, 2.5, None]})
"""Stands for the machine code of a function."""


def files_in(folder: Path, sources: str = "sources") -> Any:
    """The files of one function."""
    return CheckedFiles(str(folder), "function", sources)  # type: ignore[no-untyped-call] # numba has no types


def fuzz(number: int, seed: int, folder: Path) -> int:
    """Damage the index or the code; returns how often the files were whole after all."""
    rng, files = random.Random(seed), files_in(folder)
    files.save(("int64",), CODE)
    whole = {path: path.read_bytes() for path in folder.iterdir()}
    assert len(whole) == 2
    intact = 0
    for _ in range(number):
        path, octets = rng.choice([*whole.items()])
        damaged = damaged_octets(rng, octets)
        path.write_bytes(damaged)
        found = files.load(("int64",))
        assert found == (CODE if damaged == octets else None), damaged
        intact += damaged == octets
        path.write_bytes(octets)
    return intact


def test_damaged_code(tmp_path: Path) -> None:
    """Every damaged file is as good as none, and is replaced."""
    assert fuzz(300, 1, tmp_path) < 300
    for path in tmp_path.iterdir():
        path.write_bytes(path.read_bytes()[:-1])
    files = files_in(tmp_path)
    assert files.load(("int64",)) is None
    files.save(("int64",), CODE)
    assert files.load(("int64",)) == CODE
    assert files_in(tmp_path, "other sources").load(("int64",)) is None


@pytest.mark.slow
def test_damaged_code_at_length(tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(INPUTS, 2, tmp_path)
