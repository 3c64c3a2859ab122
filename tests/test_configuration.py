"""Configurations: which make no sense, and the durations of those that do, by name."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest

from timewait.spec.configuration import Configuration, ConfigurationError, Scope, latest
from timewait.spec.durations import STATE_LIMITS
from timewait.spec.reopening import Crash, NextIncarnation, Numbers, Reopen
from timewait.spec.settings import Behaviour

F = Fraction
USUAL = Configuration(F(2), F(4), (F(3),))
OPENS = NextIncarnation(Reopen.HANDSHAKE)
IDLE = Behaviour(abandons=True, clock_before_close=True, fin_wait_2=True, close_wait=True, last_ack=True)
"""The clocks of states may have started before CLOSE."""

NO_SENSE: list[tuple[dict[str, Any], str]] = [
    ({"msl": F(0)}, "MSL must be more than zero, not 0s"),
    ({"msl": F(-1, 2)}, "MSL must be more than zero, not -0.5s"),
    ({"time_wait": F(-1)}, "TIME_WAIT must not be negative, not -1s"),
    ({"rto": ()}, "every RTO must be more than zero"),
    ({"rto": (F(0),)}, "every RTO must be more than zero"),
    ({"rto": (F(1), F(-1)), "behaviour": Behaviour(backoff=2)}, "every RTO must be more than zero"),
    ({"rto": (F(1), F(2))}, "2 RTO values for 1 steps of back-off"),
    ({"behaviour": Behaviour(backoff=2)}, "1 RTO values for 2 steps of back-off"),
    (
        {"rto": (F(1), F(2)), "behaviour": Behaviour(backoff=2, acks_restart_rto=False)},
        "a back-off schedule restarts with the timer, so acknowledgements must restart the timer",
    ),
    ({"rto_slack": F(1)}, "the slack of a retransmission must not be negative, and needs a least gap"),
    ({"rto_slack": F(-1), "rto_exact": True}, "the slack of a retransmission must not be negative, and needs a least gap"),
    ({"fin_wait_2": F(-1)}, "the FIN-WAIT-2 timeout must not be negative"),
    *(({name: F(-1)}, f"the limit of {name.upper()} must not be negative") for name in STATE_LIMITS),
    ({"idle_before_close": F(-1)}, "the time before CLOSE must not be negative"),
    ({"loss": -1}, "loss must not be negative, not -1"),
    ({"duplication": -2}, "duplication must not be negative, not -2"),
    ({"text": (0, -1)}, "text must not be negative, not -1"),
    ({"text": (-3, 1)}, "text must not be negative, not -3"),
    *(
        ({"lossless": True, **about}, "a network that loses nothing has a loss budget of 0, no duplicates and an atomic reopen")
        for about in (
            {"loss": 1, "duplication": 0},
            {"loss": 0, "duplication": None},
            {"loss": 0, "duplication": 0, "reopening": OPENS},
        )
    ),
    *(
        ({"scope": Scope.CORE, **about}, "scope core has one closer and no text")
        for about in ({"both_close": True}, {"text": (1, 0)}, {"text": (0, 1)})
    ),
]
"""Changes of a configuration that makes sense, and the message."""

SENSE: list[dict[str, Any]] = [
    {"msl": F(1, 10**9), "time_wait": F(0), "rto": (F(1, 10**9),)},
    {"rto": (F(1), F(2)), "behaviour": Behaviour(backoff=2)},
    {"behaviour": Behaviour(acks_restart_rto=False)},
    {"rto_exact": True},
    {"rto_exact": True, "rto_slack": F(1)},
    {"idle_before_close": F(0)},
    {"loss": 0, "duplication": 0, "lossless": True},
    {"loss": None, "duplication": None},
    {"scope": Scope.CORE},
    {"both_close": True, "text": (1, 1), "reopening": OPENS},
]
"""Changes that leave one that makes sense, each at a limit."""


@pytest.mark.parametrize(("changes", "message"), NO_SENSE)
def test_what_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    """In one sentence."""
    with pytest.raises(ConfigurationError, match=f"^{re.escape(message)}$"):
        replace(USUAL, **changes)


@pytest.mark.parametrize("changes", SENSE)
def test_what_makes_sense_is_accepted(changes: dict[str, Any]) -> None:
    """At each limit."""
    found = replace(USUAL, **changes)
    assert {name: getattr(found, name) for name in changes} == changes


def test_parameters_are_what_matters() -> None:
    """A duration has a name only where the behaviour has what it limits."""
    usual = {"0": F(0), "MSL": F(2), "TIME_WAIT": F(4), "RTO": F(3)}
    lengths: dict[str, Any] = {"fin_wait_2": F(7), **dict.fromkeys(STATE_LIMITS, F(8))}
    assert USUAL.parameters == replace(USUAL, **lengths).parameters == usual
    assert USUAL.text == (0, 0)
    for name in ("fin_wait_2", *STATE_LIMITS):
        has: dict[str, Any] = {name: True}
        one = replace(USUAL, behaviour=Behaviour(**has), **lengths)
        assert one.parameters == usual | {name.upper(): lengths[name]}
        assert one.limits == (() if name == "fin_wait_2" else (name.upper(),))
    quiet = NextIncarnation(Reopen.HANDSHAKE, crash=Crash.A, quiet=F(9))
    assert replace(USUAL, reopening=quiet).parameters == usual | {"QUIET": F(9)}


@pytest.mark.parametrize(("idle", "left"), [(None, (0, 0, 0)), (F(3), (1, 4, 0)), (F(0), (4, 7, 1))])
def test_what_is_left_of_a_state_whose_clock_started_before_close(idle: Fraction | None, left: tuple[int, ...]) -> None:
    """Of every state that an abandoned connection can be in; the user of CLOSE-WAIT has not called CLOSE."""
    given = replace(USUAL, fin_wait_2=F(7), close_wait=F(8), last_ack=F(1), idle_before_close=idle, behaviour=IDLE)
    lengths = {"TIME_WAIT": F(4), "FIN_WAIT_2": F(7), "LAST_ACK": F(1)}
    others = {"0": F(0), "MSL": F(2), "RTO": F(3), "CLOSE_WAIT": F(8)}
    shortened = {f"{name}_LEFT": F(number) for name, number in zip(lengths, left, strict=True)}
    assert given.parameters == others | lengths | shortened
    for name in ("abandons", "clock_before_close"):
        changes: dict[str, Any] = {name: False}
        assert replace(given, behaviour=replace(IDLE, **changes)).parameters == others | lengths
    without = replace(given, behaviour=replace(IDLE, fin_wait_2=False)).parameters
    assert without == {name: value for name, value in given.parameters.items() if not name.startswith("FIN_WAIT_2")}


def test_further_lengths() -> None:
    """Those without a symbol, by field; the time before CLOSE where it is known."""
    lengths: dict[str, Any] = {"fin_wait_2": F(7)} | {name: F(number) for number, name in enumerate(STATE_LIMITS, 1)}
    assert replace(USUAL, **lengths).further_lengths == lengths
    assert replace(USUAL, **lengths, idle_before_close=F(5)).further_lengths == lengths | {"idle_before_close": F(5)}


def test_names_of_gaps() -> None:
    """One gap has no number; a least length is named where there is one, a greatest where it differs."""
    two = replace(USUAL, rto=(F(3), F(5)), behaviour=Behaviour(backoff=2))
    assert (USUAL.rto_names, two.rto_names) == (("RTO",), ("RTO_1", "RTO_2"))
    assert two.gap_names == (("0", "RTO_1"), ("0", "RTO_2"))
    assert replace(two, rto_exact=True).gap_names == (("RTO_1", "RTO_1"), ("RTO_2", "RTO_2"))
    late = replace(two, rto_exact=True, rto_slack=F(1))
    assert late.gap_names == (("RTO_1", "RTO_1_LATEST"), ("RTO_2", "RTO_2_LATEST"))
    assert {name: value for name, value in late.parameters.items() if name.startswith("RTO")} == {
        "RTO_1": 3,
        "RTO_2": 5,
        "RTO_1_LATEST": 4,
        "RTO_2_LATEST": 6,
    }
    assert latest("RTO") == "RTO_LATEST"


def test_without_durations() -> None:
    """Locations and edges depend on MSL alone, and only where numbers depend on it; whether there is a slack is kept."""
    clock = NextIncarnation(Reopen.HANDSHAKE, numbers=Numbers.CLOCK, data_rate=F(1), idle=F(9), lifetime=F(9))
    assert clock.depends_on_msl
    assert replace(USUAL, reopening=clock).without_durations.msl == USUAL.msl
    plain, late = USUAL.without_durations, replace(USUAL, rto_exact=True, rto_slack=F(5)).without_durations
    assert (plain.msl, plain.time_wait, plain.rto, plain.rto_slack) == (F(1), F(1), (F(1),), F(0))
    assert late.rto_slack == 1
