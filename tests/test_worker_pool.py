"""Worker processes that are ended from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from commands import run

from timewait.checker.worker_pool import WorkerEnded, worker_pool
from timewait.cli import sweep


def ended(*_: object) -> None:
    """End this process as the kernel does where memory runs out."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_worker_that_is_killed() -> None:
    """It is no answer, and no fault of the program."""
    with pytest.raises(WorkerEnded, match="was ended from outside"), worker_pool(1) as pool:
        pool.submit(ended).result()


def test_a_command_whose_worker_is_killed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line, exit code 4, and no row."""

    def rows(*_: object) -> object:
        with worker_pool(1) as pool:
            yield pool.submit(ended).result()

    monkeypatch.setattr(sweep, "rows", rows)
    asked = ("sweep", "--msl", "1s", "--rto", "1s", "--time-wait", "1s", "--out", str(tmp_path / "a.csv"))
    code, out, err = run(capsys, *asked)
    assert (code, out) == (4, "")
    assert err.splitlines()[-1].startswith("timewait: a worker process was ended from outside")
    assert (tmp_path / "a.csv").read_text().count("\n") == 1
