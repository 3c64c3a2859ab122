"""An interrupt is heard even where Python drops the exceptions of a destructor."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from timewait.checker.finding import Budget
from timewait.cli.interrupts import heard_interrupts
from timewait.proofs.certify import certify_at_values
from timewait.proofs.claims import core


class Interrupted:
    """Something whose removal is interrupted."""

    def __del__(self) -> None:
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)


def interrupted_removal(seconds: float) -> None:
    """Remove an object, which is interrupted, and go on for a while."""
    Interrupted()
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.01)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Interrupts raise an exception, as in a process of their own; workers of a test run ignore them."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupt_in_a_destructor() -> None:
    """It ends the work soon after."""
    with pytest.raises(KeyboardInterrupt), heard_interrupts():
        interrupted_removal(10)


class Argument(ctypes.c_int):
    """An argument of a foreign function, whose conversion does something."""

    convert: Callable[[], object]

    @classmethod
    def from_param(cls, value: int) -> ctypes.c_int:
        """Convert it."""
        cls.convert()
        return ctypes.c_int(value)


class InterruptedArgument(Argument):
    """An argument whose conversion is interrupted."""

    convert = partial(signal.raise_signal, signal.SIGINT)


class WrongArgument(Argument):
    """An argument that cannot be converted."""

    convert = partial(int, "no number")


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("kind", "error"), [(InterruptedArgument, KeyboardInterrupt), (WrongArgument, ctypes.ArgumentError)])
def test_an_interrupt_in_the_conversion_of_an_argument(kind: type[Argument], error: type[BaseException]) -> None:
    """It stays an interrupt, and another error stays what it is."""
    function = ctypes.CDLL(None)["abs"]
    function.argtypes = [kind]
    with pytest.raises(error), heard_interrupts():
        function(1)


def test_other_exceptions_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the hook that was there."""
    seen: list[sys.UnraisableHookArgs] = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)

    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    with heard_interrupts():
        Broken()
    assert [problem.exc_type for problem in seen] == [ValueError]


INTERRUPTED = """
import sys
import click
from timewait.cli import main as command

class Half:
    def __del__(self):
        raise ValueError("half made")

def work(*arguments, **options):
    Half.kept = [Half()]
    exec("raise KeyboardInterrupt")

command.LazyGroup.get_command = lambda *_: click.Command("check", callback=work)
sys.argv = ["timewait", "check"]
print("an answer")
command.main()
"""


def test_an_interrupt_in_executed_text() -> None:
    """The exit code is that of an interruption, what was printed is kept, and objects that were half made say nothing."""
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (20, "an answer\n")
    assert done.stderr == "timewait: interrupted\n"


AT_A_FORK = """
import os
import signal
import sys
import time
from pathlib import Path
from timewait.checker.bounded_process import bounded
from timewait.checker.finding import Budget
from timewait.laboratory.isolation import isolated
from timewait.proofs.bounded_check import check_within

first, forked, fork = os.getpid(), [], os.fork

def interrupted_fork():
    number = fork()
    os.kill(os.getpid(), signal.SIGINT)
    forked.append(number)
    return number

def for_ever():
    while True:
        time.sleep(1)
        yield 1

WAYS = {
    "a solver": lambda: bounded(lambda: time.sleep(600), Budget()),
    "a certificate": lambda: check_within(Path(sys.argv[2]), 600, 4_000),
    "the laboratory": lambda: list(isolated(for_ever)),
}
os.fork = interrupted_fork
try:
    WAYS[sys.argv[1]]()
except KeyboardInterrupt:
    alive = [number for number in forked if Path("/proc", str(number)).exists()]
    print("the first process" if os.getpid() == first else "a forked process", len(forked), alive)
"""
"""A process that is interrupted while it forks, and so is the new one."""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no /proc on this machine")
@pytest.mark.parametrize("way", ["a solver", "a certificate", "the laboratory"])
def test_an_interrupt_at_a_fork(way: str, tmp_path: Path) -> None:
    """It ends the work of the first process alone, and the new process with it."""
    proof = certify_at_values(core(1, 2, 1, 1), ["graceful"], Budget()).text
    (tmp_path / "a.smt2").write_text(proof)
    line = [sys.executable, "-c", AT_A_FORK, way, str(tmp_path / "a.smt2")]
    done = subprocess.run(line, capture_output=True, text=True, check=False, timeout=120, preexec_fn=hear_interrupts)
    assert (done.stdout, done.stderr) == ("the first process 1 []\n", "")


def hear_interrupts() -> None:
    """Let a new process get interrupts; what a shell runs in the background ignores them, which is inherited."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
