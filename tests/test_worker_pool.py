"""Worker processes that are ended from outside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from commands import run

from timewait.checker.ray_cluster import SameVersion
from timewait.checker.worker_pool import WorkerEnded, side_by_side, worker_pool
from timewait.cli import sweep
from timewait.vocabulary.errors import UnavailableError


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


def killed_once(folder: Path, number: int) -> int:
    """The square of a number; the third call ends its process, when it is begun for the first time."""
    mark = folder / str(number)
    if number == 3 and not mark.exists():
        mark.touch()
        ended()
    return number * number


def always_killed(number: int) -> int:
    """A number, unless it is one, which ends the process."""
    if number == 1:
        ended()
    return number


def test_the_work_of_a_worker_that_is_killed_is_done_again(tmp_path: Path) -> None:
    """Every call has one result, also those that the worker, or another one, had begun."""
    found = sorted(side_by_side(killed_once, ((tmp_path, number) for number in range(8)), 2))
    assert found == [(number, number * number) for number in range(8)]
    assert (tmp_path / "3").exists()


def test_work_that_always_ends_its_worker() -> None:
    """It is given up after some attempts."""
    with pytest.raises(WorkerEnded):
        list(side_by_side(always_killed, ((number,) for number in range(2)), 1))


def test_a_node_with_another_version() -> None:
    """Its results are not taken over."""
    assert SameVersion(always_killed, lambda: "one", "one")(2) == 2
    with pytest.raises(UnavailableError, match="another version"):
        SameVersion(always_killed, lambda: "two", "one")(2)
