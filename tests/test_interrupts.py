"""An interrupt is heard even where Python drops the exceptions of a destructor."""

from __future__ import annotations

import signal
import sys
import time

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


def test_an_interrupt_in_a_destructor() -> None:
    """It ends the work soon after."""
    with pytest.raises(KeyboardInterrupt), heard_interrupts():
        interrupted_removal(10)


def test_other_exceptions_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the hook that was there."""
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)

    class Broken:
        def __del__(self) -> None:
            raise ValueError("broken")

    with heard_interrupts():
        Broken()
    assert [problem.exc_type for problem in seen] == [ValueError]
