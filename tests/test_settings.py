"""The table of settings: every setting is described once, and everything else follows from it."""

from __future__ import annotations

import json
from fractions import Fraction

import pytest
from commands import run

from timewait.spec.assemble import Overrides, assemble, assumptions, behaviour_of
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import configuration_as_data, configuration_from_data, verdict_parameters
from timewait.spec.setting_dependence import alternatives
from timewait.spec.settings import BEHAVIOUR, DURATIONS, SETTINGS, Behaviour, InProfile, ResetRule
from timewait.spec.stacks import MissingValue, Stack, load_stack

UNKNOWN = Stack(name="mine", title="My stack")
SECOND = Fraction(1)
TIMES = {"msl": SECOND, "time_wait": 2 * SECOND, "rto": (SECOND,)}
TIME_WAIT = {"answers": frozenset[str](), "restarts": frozenset[str](), "reset": ResetRule.IGNORE}


class TestTable:
    """The declarations."""

    @pytest.mark.parametrize("name", {**SETTINGS, **BEHAVIOUR})
    def test_each_setting_is_described(self, name: str) -> None:
        entry = {**BEHAVIOUR, **SETTINGS}[name]
        assert entry.name == name
        assert entry.meaning.split()[0] in ("how", "what", "which", "whether")
        assert entry.section
        assert bool(entry.option) == bool(entry.help)
        assert entry.follows in {"", *DURATIONS}
        assert entry.matters_with in {"", *BEHAVIOUR}
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
        values = {**TIMES, **TIME_WAIT, "rto_max": SECOND, name: None}
        if name == "rto_max":
            values["rto"] = None
        with pytest.raises(MissingValue, match=f"give {SETTINGS[name].option}"):
            assemble(UNKNOWN, Overrides.of(**values))

    def test_values_of_time_wait_do_not_matter_without_it(self) -> None:
        stack = Stack(name="mine", title="My stack", has_time_wait=False, time_wait=Fraction(0))
        assert not behaviour_of(stack, Overrides()).answers
        assert not behaviour_of(stack, Overrides()).time_wait

    def test_an_assumed_value_is_a_note(self) -> None:
        noted = [*assumptions(UNKNOWN, Overrides.of(abandons=True))]
        assert [line.split("; assumed: ")[1].split(".")[0] for line in noted] == ["no limit", "no"]
        assert "--fin-wait-2" in noted[0]
        assert all(line.startswith("profile mine does not say ") for line in noted)

    def test_no_note_where_the_value_is_known_or_does_not_matter(self) -> None:
        assert not [*assumptions(UNKNOWN, Overrides())]
        assert not [*assumptions(load_stack("linux"), Overrides.of(abandons=True))]
        assert len([*assumptions(UNKNOWN, Overrides.of(abandons=True, fin_wait_2=SECOND))]) == 1

    def test_a_reported_value_is_used_only_as_an_override(self) -> None:
        linux = load_stack("linux")
        assert linux.require("retries") == 8
        assert behaviour_of(linux, Overrides()).retries is None
        assert behaviour_of(linux, Overrides.of(retries=3)).retries == 3


class TestCommands:
    """Commands state the same settings."""

    def test_a_check_notes_an_assumed_value(self, capsys: pytest.CaptureFixture[str]) -> None:
        quick = ("--msl", "1s", "--rto", "1s", "--time-wait", "2s", "--scope", "core", "--property", "graceful", "--closers", "a")
        _, _, noted = run(capsys, "check", *quick, "--orphan")
        assert noted.count("does not say how long FIN-WAIT-2 lasts; assumed: no limit") == 1
        _, _, silent = run(capsys, "check", *quick)
        assert "assumed" not in silent

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
