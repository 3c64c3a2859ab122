"""The table of settings: every setting is described once, and everything else follows from it."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from fractions import Fraction
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from commands import run

from timewait.spec.assemble import Overrides, assemble, assumptions, behaviour_of
from timewait.spec.configuration import Configuration
from timewait.spec.durations import DURATIONS, STATE_LIMITS
from timewait.spec.plain_data import configuration_as_data, configuration_from_data, verdict_parameters
from timewait.spec.reopening import NextIncarnation, Reopen, SynRule
from timewait.spec.setting import InProfile
from timewait.spec.setting_dependence import alternatives
from timewait.spec.settings import BEHAVIOUR, PROFILE_KEYS, SETTINGS, Behaviour, ResetRule
from timewait.spec.stacks import MissingValue, Stack, load_stack

UNKNOWN = Stack(name="mine", title="My stack")
SECOND = Fraction(1)
TIMES = {"msl": SECOND, "time_wait": 2 * SECOND, "rto": (SECOND,)}
ABANDONED = {"abandons": True, "fin_wait_2": SECOND, "late_data_reset": False}
TIME_WAIT = {"answers": frozenset[str](), "restarts": frozenset[str](), "reset": ResetRule.IGNORE}


def known_value(name: str) -> Any:
    """Return some value of a setting."""
    entry = SETTINGS[name]
    return SECOND if entry.kind is Fraction else entry.default


def _noted(**values: Any) -> str:
    """Return the notes where every required value is known, but for some values."""
    return "\n".join(assumptions(UNKNOWN, Overrides.of(**{**TIMES, **TIME_WAIT, **ABANDONED, **values})))


class TestTable:
    """The declarations."""

    @pytest.mark.parametrize("name", [*SETTINGS, *BEHAVIOUR])
    def test_each_setting_is_described(self, name: str) -> None:
        entry = {**BEHAVIOUR, **SETTINGS}[name]
        assert entry.name == name
        assert entry.meaning.split()[0] in ("how", "what", "which", "whether")
        assert entry.section
        assert bool(entry.option) == bool(entry.help)
        assert entry.follows in {"", *DURATIONS}
        assert entry.matters_with in {"", *BEHAVIOUR, *(field.name for field in fields(NextIncarnation))}
        assert entry.alike in {"", *SETTINGS}

    def test_options_are_distinct(self) -> None:
        options = [entry.option for entry in SETTINGS.values() if entry.option]
        assert len(options) == len(set(options))

    def test_a_required_value_has_an_option(self) -> None:
        assert all(entry.option for entry in SETTINGS.values() if entry.profile is InProfile.REQUIRED)


class TestData:
    """The plain data of certificates, traces and reports."""

    @pytest.mark.parametrize("name", BEHAVIOUR)
    def test_every_value_survives(self, name: str) -> None:
        for behaviour in alternatives(Behaviour())[name]:
            gaps = (SECOND,) * behaviour.backoff
            configuration = Configuration(SECOND, SECOND, gaps, behaviour=behaviour)
            data = json.loads(json.dumps(configuration_as_data(configuration)))
            assert configuration_from_data(data) == configuration

    def test_parameters_of_a_verdict_have_their_names(self) -> None:
        found = verdict_parameters(Configuration(SECOND, SECOND, (SECOND,)))
        assert {entry.json for entry in BEHAVIOUR.values() if entry.json} <= found.keys()


class TestUnknown:
    """An unknown value that matters is an error or a note, never silent."""

    @pytest.mark.parametrize("name", [name for name, entry in SETTINGS.items() if entry.profile is InProfile.REQUIRED])
    def test_a_required_value_is_an_error(self, name: str) -> None:
        values = {**TIMES, **TIME_WAIT, **ABANDONED, "rto_max": SECOND, name: None}
        if name == "rto_max":
            values["rto"] = None
        with pytest.raises(MissingValue, match=f"give {SETTINGS[name].option}"):
            assemble(UNKNOWN, Overrides.of(**values))

    @pytest.mark.parametrize("name", ["fin_wait_2", "late_data_reset"])
    def test_a_value_of_abandoned_connections_is_no_error_without_one(self, name: str) -> None:
        values = {**TIMES, **TIME_WAIT, **ABANDONED, name: None, "abandons": False}
        assert not assemble(UNKNOWN, Overrides.of(**values)).behaviour.fin_wait_2

    def test_values_of_time_wait_do_not_matter_without_it(self) -> None:
        stack = Stack(name="mine", title="My stack", has_time_wait=False, time_wait=Fraction(0))
        assert not behaviour_of(stack, Overrides()).answers
        assert not behaviour_of(stack, Overrides()).time_wait

    @pytest.mark.parametrize("name", [name for name, entry in SETTINGS.items() if entry.profile is InProfile.ASSUMED])
    def test_an_assumed_value_is_noted_where_it_matters(self, name: str) -> None:
        entry = SETTINGS[name]
        opening = NextIncarnation(Reopen.HANDSHAKE, early=name != "returns", timestamps=(True, True), old_syn=name == "returns")
        matters: dict[str, Any] = {"unread": True, "retries": 3, "reopening": opening}
        if name == "isn":
            matters["syn"] = SynRule.ABOVE
        assert entry.meaning in _noted(**matters)
        assert entry.option in _noted(**matters)
        assert entry.meaning not in _noted(**matters, **{name: known_value(name)})
        if entry.matters_with in ("abandons", *matters):
            assert entry.meaning not in _noted(**matters | {entry.matters_with: None})

    def test_an_error_is_not_preceded_by_notes(self) -> None:
        assert not _noted(answers=None)
        assert not _noted(rto=None)
        assert not _noted(late_data_reset=None)

    def test_every_value_of_a_profile_is_required_assumed_or_reported(self) -> None:
        """A profile that leaves a value out is never silently taken for one that states the default."""
        for name in PROFILE_KEYS:
            assert SETTINGS[name].profile in (InProfile.REQUIRED, InProfile.ASSUMED, InProfile.REPORTED)

    def test_what_a_profile_states_is_not_noted(self) -> None:
        stated = Stack(
            name="mine",
            title="My stack",
            behaviour={name: entry.default for name, entry in SETTINGS.items() if entry.profile is InProfile.ASSUMED},
            without_limit=frozenset(STATE_LIMITS),
        )
        known = {**TIMES, **TIME_WAIT, **ABANDONED}
        assert not [*assumptions(stated, Overrides.of(**known, unread=True, retries=3))]

    def test_an_unknown_idle_time_is_the_worst_and_noted(self) -> None:
        early = {**TIMES, **TIME_WAIT, **ABANDONED, "clock_before_close": True}
        (noted,) = (line for line in assumptions(UNKNOWN, Overrides.of(**early)) if "any time" in line)
        assert "--idle-before-close" in noted
        assert assemble(UNKNOWN, Overrides.of(**early)).parameters["TIME_WAIT_LEFT"] == 0
        known = assemble(UNKNOWN, Overrides.of(**early, idle_before_close=Fraction(1, 2)))
        assert known.parameters["TIME_WAIT_LEFT"] == Fraction(3, 2)
        assert "any time" not in "".join(assumptions(UNKNOWN, Overrides.of(**early, idle_before_close=SECOND)))

    def test_a_reported_value_is_used_only_as_an_override(self) -> None:
        linux = load_stack("linux")
        assert linux.require("retries") == 9
        assert behaviour_of(linux, Overrides()).retries is None
        assert behaviour_of(linux, Overrides.of(retries=3)).retries == 3


def without(folder: Path, key: str) -> str:
    """The file of a profile like that of RFC 9293 (intended reading), without one of its keys."""
    text = (resources.files("timewait.spec") / "stacks" / "rfc9293-intended.toml").read_text(encoding="utf-8")
    changed, count = re.subn(rf"\[{key}\]\n(?:.+\n)+", "", text)
    assert count == 1
    path = folder / "unknown.toml"
    path.write_text(changed.replace('"rfc9293-intended"', '"unknown"'), encoding="utf-8")
    return str(path)


class TestCommands:
    """Commands state the same settings."""

    def test_a_check_needs_or_notes_an_unknown_value(self, capsys: pytest.CaptureFixture[str]) -> None:
        quick = ("--msl", "1s", "--rto", "1s", "--time-wait", "2s", "--scope", "core", "--property", "graceful", "--closers", "a")
        _, _, noted = run(capsys, "check", *quick, "--orphan")
        assert not noted
        known = ("--fin-wait-2", "none", "--no-late-data-reset")
        code, _, error = run(capsys, "check", "--stack", "mtcp", *quick, "--orphan", *known[:2])
        assert (code, "give --late-data-reset or --no-late-data-reset" in error) == (2, True)
        code, _, error = run(capsys, "check", "--stack", "mtcp", *quick, "--orphan", known[2])
        assert (code, "give --fin-wait-2 TIME or none" in error) == (2, True)
        _, _, noted = run(capsys, "check", "--stack", "mtcp", *quick, "--orphan", *known)
        assert noted.count("Assumed as in RFC 9293") == 1

    def test_the_line_names_only_settings_that_matter(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """A setting of abandoned connections is not named where no user abandons one, unknown as it may be in the profile."""
        unknown = without(tmp_path, "late_data_reset")
        quick = ("--msl", "1s", "--rto", "1s", "--time-wait", "2s", "--scope", "core", "--property", "graceful", "--closers", "a")
        _, out, _ = run(capsys, "check", "--stack", unknown, *quick)
        assert "late-data-reset" not in out
        orphaned = ("--orphan", "--fin-wait-2", "9s", "--no-late-data-reset")
        _, out, _ = run(capsys, "check", "--stack", unknown, *quick, *orphaned)
        assert "--no-late-data-reset" in out.splitlines()[0]

    @pytest.mark.parametrize("stack", ["rfc9293-intended", "linux"])
    def test_no_time_wait(self, stack: str, capsys: pytest.CaptureFixture[str]) -> None:
        """The value "none" of an option is that of a profile: the state is missing, and the line says so."""
        quick = ("--stack", stack, "--msl", "1s", "--rto", "1s", "--scope", "core", "--property", "graceful", "--closers", "a")
        code, out, _ = run(capsys, "check", *quick, "--time-wait", "none")
        assert code == 10
        assert "MSL 1s, no TIME_WAIT, RTO" in out.splitlines()[0]
        assert "TIME_WAIT " not in "\n".join(out.splitlines()[1:])

    @pytest.mark.parametrize("stack", ["linux", "rfc9293", "mtcp"])
    def test_both_graphs_have_the_same_settings(self, capsys: pytest.CaptureFixture[str], stack: str) -> None:
        _, graph, _ = run(capsys, "graph", "--stack", stack, "--format", "json")
        _, states, _ = run(capsys, "diagram", "states", "--stack", stack, "--against", "none", "--format", "json")
        assert json.loads(graph) == json.loads(states)

    def test_neither_graph_draws_an_unknown_value(self, capsys: pytest.CaptureFixture[str]) -> None:
        for command in (("graph",), ("diagram", "states")):
            code, out, error = run(capsys, *command, "--stack", "macos")
            assert (code, out) == (2, "")
            assert "profile macos does not say what TIME-WAIT answers" in error
