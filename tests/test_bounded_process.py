"""Computations in a process of their own: results, failures, and each bound."""

from __future__ import annotations

import errno
import os
import time
from functools import partial

import pytest
import z3
from toys import always, letterbox, world

from timewait.checker import horn
from timewait.checker.bounded_process import bounded
from timewait.checker.finding import Budget, Stopped
from timewait.checker.question import Question
from timewait.checker.smt import SmtEngine
from timewait.checker.symbolic import Symbolic
from timewait.checker.verdict import Verdict


def test_result() -> None:
    """The result comes from another process."""
    parent = os.getpid()
    number, child = bounded(lambda: (42, os.getpid()), Budget())
    assert number == 42
    assert child != parent


def test_failure() -> None:
    """An error of the computation is an error here."""
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 // 0, Budget())


def test_memory() -> None:
    """A computation that needs more memory than it may is stopped, and this process goes on."""
    with pytest.raises(Stopped, match=r"memory bound \(200 MB\)"):
        bounded(lambda: len(bytearray(1 << 30)), Budget(megabytes=200.0))
    assert bounded(lambda: len(bytearray(1 << 27)), Budget(megabytes=400.0)) == 1 << 27


def test_time() -> None:
    """A computation that never ends is ended."""
    with pytest.raises(Stopped, match=r"^stopped after 0\.1 s$"):
        bounded(lambda: time.sleep(60), Budget(seconds=0.1))


def test_interruption() -> None:
    """An interruption ends the computation at once."""
    began = time.monotonic()
    with pytest.raises(Stopped, match="interrupted"):
        bounded(lambda: time.sleep(60), Budget(interrupted=lambda: True))
    assert time.monotonic() - began < 5


def test_death() -> None:
    """A child that dies has no answer, which is no error of this process."""
    with pytest.raises(Stopped, match="without an answer"):
        bounded(lambda: os._exit(3), Budget())


@pytest.mark.parametrize(
    "problem",
    [
        z3.Z3Exception("out of memory"),
        RuntimeError("can't start new thread"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        ImportError("libz3.so: failed to map segment from shared object"),
    ],
    ids=lambda problem: type(problem).__name__,
)
def test_out_of_memory(problem: Exception) -> None:
    """Errors that come from too little memory are the memory bound."""
    with pytest.raises(Stopped, match="memory bound"):
        bounded(partial(fail, problem), Budget())


def test_another_error_of_a_solver() -> None:
    """Any other error of a solver is an error here."""
    with pytest.raises(z3.Z3Exception, match="canceled"):
        bounded(partial(fail, z3.Z3Exception("canceled")), Budget())


def fail(problem: Exception) -> None:
    """A computation that fails."""
    raise problem


def test_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine that asks a solver is inconclusive at its memory bound.

    The solver reserves a gigabyte first: in a process with enough free memory of its own it needs no more for so small a system.
    """
    toy = letterbox(2, 2)
    asked = Question(toy, world(toy))
    solve = horn.solve

    def solve_greedily(symbolic: Symbolic, seconds: float) -> horn.HornResult:
        bytearray(1 << 30)
        return solve(symbolic, seconds)

    monkeypatch.setattr(horn, "solve", solve_greedily)
    (finding,) = SmtEngine().decide(asked, [always("fresh")], Budget(megabytes=200.0))
    assert finding.verdict is Verdict.INCONCLUSIVE
    assert finding.reason == "stopped at the memory bound (200 MB)"
    (finding,) = SmtEngine().decide(asked, [always("fresh")], Budget())
    assert finding.verdict is Verdict.PROVED
