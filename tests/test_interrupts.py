"""An interrupt is heard even where Python drops the exceptions of a destructor."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from timewait.cli.interrupts import heard_interrupts


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
