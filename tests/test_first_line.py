"""The line that heads an answer names every setting that a verdict depends on, and so do the parameters in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from enum import StrEnum
from fractions import Fraction
from itertools import combinations
from typing import Any

import pytest

from timewait.cli.session import header_in_words
from timewait.cli.threshold import conditions
from timewait.options import KEYWORDS, Options
from timewait.spec.configuration import Configuration
from timewait.spec.description import configuration_in_words
from timewait.spec.plain_data import configuration_as_data, verdict_parameters
from timewait.spec.settings import SETTINGS, Arrival
from timewait.vocabulary.errors import RequestError

MSL = Fraction(30)
STACKS = ("rfc9293-intended", "linux", "vpp")

CONDITIONS: dict[str, list[Any]] = {
    "exact_rto": [True],
    "rto_slack": ["2ms"],
    "schedule": ["any"],
    "loss": [0, 2, "any"],
    "duplication": [0, 1],
    "fifo": [True],
    "scope": ["core"],
    "closers": ["both"],
    "data": [(0, 1), (1, 0)],
}
"""Values of the conditions of the network and the users; `test_no_option_is_left_out` compares with the keywords."""

HANDSHAKES: list[dict[str, Any]] = [
    {},
    {"numbers": "above"},
    {"numbers": "repeated"},
    {"numbers": "clock", "data_rate": 1000, "idle": "1s"},
    {"numbers": "clock", "data_rate": 2000, "idle": "1s"},
    {"numbers": "clock", "data_rate": 1000, "idle": "2s"},
    {"numbers": "clock", "data_rate": 1000, "idle": "1s", "lifetime": "5s"},
    {"timestamps": "both"},
    {"timestamps": "both", "paws": "linux"},
    {"early": True},
    {"new_data": (0, 1)},
    {"crash": "a"},
    {"crash": "a", "quiet": "2s"},
    {"crash": "b", "quiet": "2s"},
    {"old_syn": True},
]
"""Values of the conditions that belong to a handshake."""

NOT_OF_A_VERDICT = {"stack", "properties", "engine", "max_states", "max_seconds", "workers", "cluster", "confirm"}


def values_of(name: str) -> list[Any]:
    """Values of a setting that differ from its default, by its kind."""
    kind, default = SETTINGS[name].kind, SETTINGS[name].default
    if kind is Fraction:
        return ["7s", "11s"]
    if kind is bool:
        return [True, False]
    if kind is frozenset:
        return ["none", "fin", "ack", "any", *Arrival]
    if kind is int:
        return [0, 3]
    assert issubclass(kind, StrEnum)
    return [member for member in kind if member is not default]


def variants(stack: str) -> Iterator[tuple[dict[str, Any], Options]]:
    """The options of a stack with every single option, and with pairs of settings."""
    base: dict[str, Any] = {"stack": stack, "msl": MSL}
    single: list[dict[str, Any]] = [{}]
    single += [{entry.keyword: value} for name, entry in SETTINGS.items() if entry.option for value in values_of(name)]
    single += [{name: value} for name, values in CONDITIONS.items() for value in values]
    single += [{"reopen": "handshake"} | more for more in HANDSHAKES]
    pairs = [one | other for one, other in combinations(single[::3], 2)]
    for changes in (*single, *pairs):
        try:
            yield changes, Options.of(**base | changes)
        except ValueError:
            continue


def decided(options: Options) -> Configuration | None:
    """The configuration that ``check`` decides; None where the options contradict each other."""
    try:
        return (options.of_stack() or options).configuration()
    except RequestError:
        return None


def line_of(form: str, options: Options, configuration: Configuration) -> str:
    """A configuration as ``check`` prints it, as its JSON does, or as the line of a trace."""
    if form == "check":
        return header_in_words(options, configuration)
    return configuration_in_words(configuration) if form == "trace" else json.dumps(verdict_parameters(configuration))


def test_no_option_is_left_out() -> None:
    """Every keyword of a question is varied here, or cannot change a verdict."""
    settings = {entry.keyword for entry in SETTINGS.values() if entry.option}
    handshake = {"reopen"}.union(*HANDSHAKES)
    assert settings | CONDITIONS.keys() | handshake | NOT_OF_A_VERDICT == KEYWORDS


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize("form", ["check", "json", "trace"])
def test_different_configurations_have_different_lines(stack: str, form: str) -> None:
    """For every option and many pairs of options."""
    seen: dict[str, tuple[str, dict[str, Any]]] = {}
    for changes, options in variants(stack):
        configuration = decided(options)
        if configuration is None:
            continue
        line = line_of(form, options, configuration)
        everything = json.dumps(configuration_as_data(configuration), sort_keys=True)
        known, before = seen.setdefault(line, (everything, changes))
        assert known == everything, f"{before} and {changes} have the same line: {line}"
    assert len(seen) > 100


@pytest.mark.parametrize("stack", STACKS)
def test_the_line_of_a_formula(stack: str) -> None:
    """It names everything but MSL, RTO and TIME_WAIT."""
    seen: dict[str, str] = {}
    for _, options in variants(stack):
        stated = options.overrides
        if stated.msl != MSL or any(value is not None for value in (stated.rto, stated.time_wait, stated.rto_slack)):
            continue
        configuration = decided(options)
        if configuration is None:
            continue
        line = conditions(options, configuration)
        everything = json.dumps(configuration_as_data(configuration), sort_keys=True)
        assert seen.setdefault(line, everything) == everything, line
    assert len(seen) > 50


def test_nothing_is_named_that_the_stack_decides() -> None:
    """Without options the line of a stack is short."""
    options = Options.of(stack="linux", msl="30s")
    line = header_in_words(options, options.configuration())
    assert line == (
        "Linux 6.18: MSL 30s, TIME_WAIT 60s, RTO up to 2m, loss 1, duplication any, scope close, A closes first, atomic reopen;"
        " ticks of 30s where ticks are counted"
    )


def test_the_formula_of_a_fin_wait_2_timeout() -> None:
    """The timeout, as a multiple of MSL, stands in the line."""
    options = Options.of(msl="1s", rto="1s", time_wait="0s", fin_wait_2="3s")
    assert conditions(options, options.configuration()).endswith("--orphan, FIN_WAIT_2 = 3*MSL")
