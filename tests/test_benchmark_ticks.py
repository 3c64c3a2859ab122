"""The benchmark of the exploration in ticks: it measures, compares with SPIN, and fails on other counts."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from spin import needs_spin

from benchmarks import ticks


def test_counts() -> None:
    """The first step of the ladder has the states that the specification gives."""
    measured = ticks.explore(ticks.LADDER[0])
    assert measured[:2] == (1_688, 7_925)
    assert measured.memory > 0


@pytest.mark.slow
@needs_spin
def test_spin(tmp_path: Path) -> None:
    """SPIN finds the same."""
    assert ticks.by_spin(ticks.LADDER[0], tmp_path)[:2] == ticks.explore(ticks.LADDER[0])[:2]


@pytest.mark.parametrize(("states", "code"), [(7, 0), (8, 1)])
def test_exit_code(states: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal counts succeed, other ones fail."""
    ours = ticks.Measured(7, 20, 0.5, 1.0, 24.0)
    monkeypatch.setattr(ticks, "in_fresh_process", lambda _: ours)
    monkeypatch.setattr(ticks, "by_spin", lambda *_: ours._replace(states=states))
    monkeypatch.setattr("shutil.which", lambda name: name)
    result = CliRunner().invoke(ticks.main, ["--most", "1"])
    assert result.exit_code == code, result.output
    assert ("differ" in result.output) == bool(code)
