"""The helpers of the fuzzers: a reader that does not end is stopped, and one that the machine delays is not."""

from __future__ import annotations

import signal
import time

import bad_inputs
import pytest
from bad_inputs import TookTooLong, within


def test_a_reader_without_end_is_stopped() -> None:
    """By the processor time that it takes."""
    with pytest.raises(TookTooLong, match=r"0\.05 s of processor time"):
        compute()


def compute() -> None:
    """Nothing, for ever, within a limit."""
    with within(0.05):
        while True:
            pass


def test_a_reader_that_waits_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Though it takes no processor time."""
    monkeypatch.setattr(bad_inputs, "WAITING", 2)
    with pytest.raises(TookTooLong), within(0.02):
        signal.pause()


def test_a_delayed_reader_is_not_stopped() -> None:
    """As on a machine that does other work."""
    with within(0.02):
        time.sleep(0.1)
    assert signal.getitimer(signal.ITIMER_PROF) == signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
