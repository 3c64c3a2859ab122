"""SPIN: from a model to its verdict and the number of states that it stores."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

import pytest

NEEDED = ("spin", "gcc")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
needs_spin = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

BUILD = ("gcc", "-O0", "-w", "-DSAFETY", "-DNOREDUCE", "-DBFS", "-DMEMLIM=4000", "-o", "pan", "pan.c")
"""The command of the head comment, but not optimised: these models take longer to compile than to run."""


class SpinAnswer(NamedTuple):
    """SPIN's answer about a model.

    Attributes
    ----------
    violated : bool
        Whether an assertion is violated.
    time_locked : bool
        Whether a state is reached in which neither time can pass nor an edge is enabled.
    states : int
        The number of states stored, past every violation.
    trail : str
        The run to the first violation, as text; empty without one.
    """

    violated: bool
    time_locked: bool
    states: int
    trail: str


def spin(model: str, folder: Path) -> SpinAnswer:
    """Run SPIN once for a verdict, and once past every violation for the number of states."""
    (folder / "model.pml").write_text(model, encoding="utf-8")
    translated = _run(folder, "spin", "-a", "model.pml")
    assert "Error" not in translated, translated
    _run(folder, *BUILD)
    verdict = _run(folder, "./pan", "-n", "-w20", "-m1000000")
    counted = _run(folder, "./pan", "-n", "-w20", "-m1000000", "-A", "-c0")
    for output in (verdict, counted):
        assert "too small" not in output, output
        assert _number(r"(\d+) atomic steps", output) == 0, output
    assert "Search not completed" not in counted, counted
    errors = _number(r"errors: (\d+)", verdict)
    violated = re.search(r"^pan:1: assertion violated", verdict, re.MULTILINE) is not None
    time_locked = re.search(r"^pan:1: invalid end state", verdict, re.MULTILINE) is not None
    assert errors == (violated or time_locked), verdict
    trail = _run(folder, "spin", "-t", "model.pml") if violated else ""
    return SpinAnswer(violated, _number(r"errors: (\d+)", counted) > 0, _number(r"(\d+) states, stored", counted), trail)


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    assert found is not None, text
    return int(found[1])


def _run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=300)
    return done.stdout + done.stderr
