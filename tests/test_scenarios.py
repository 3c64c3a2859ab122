"""Closes that go well, what a trace tells of its actions, and the commands that show runs."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from commands import run
from runs import EVERY, long, trace

from timewait.checker import itf
from timewait.checker.decide import decide
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.question import Engine
from timewait.checker.replay import carried_out
from timewait.checker.verdict import Verdict
from timewait.cli.run import carry_out
from timewait.narration.timeline import waits
from timewait.proofs.question import question
from timewait.spec.description import configuration_in_words, data_in_words
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.scenarios import EVERY_SCENARIO, SCENARIOS, WITHOUT_TIME_WAIT
from timewait.spec.trace_actions import action_of
from timewait.vocabulary.replay import Event

every_scenario = pytest.mark.parametrize("name", SCENARIOS)


class TestScenarios:
    """What they show."""

    @pytest.mark.parametrize("name", EVERY_SCENARIO)
    def test_the_line_that_heads_it_names_no_option(self, name: str) -> None:
        """Both ends behave as RFC 9293 (intended reading), with TIME-WAIT or without it."""
        assert "--" not in configuration_in_words(EVERY_SCENARIO[name].configuration)

    @every_scenario
    def test_both_ends_close_and_open_again(self, name: str) -> None:
        """Nothing is broken, and no copy is alive when the next incarnation begins."""
        run = trace(name)
        assert [run.steps[-2].state[f"{end}.state"] for end in "AB"] == ["CLOSED", "CLOSED"]
        assert [run.steps[-1].state[f"{end}.state"] for end in "AB"] == ["new incarnation"] * 2
        assert run.steps[-1].in_flight == ()
        assert not any(step.event.breaks for step in run.steps)
        assert (run.shows, run.loop) == (name, None)

    @every_scenario
    def test_time_wait_is_waited_out(self, name: str) -> None:
        """For its whole length, 2 MSL."""
        run = trace(name)
        ended = [wait for wait in waits(run) if wait.ended]
        assert len(ended) == (2 if name == "simultaneous-close" else 1)
        for wait in ended:
            assert wait.limit == 2 * SCENARIOS[name].configuration.msl
            assert run.steps[wait.last - 1].time - wait.since == Fraction("60.02")

    def test_the_lost_acknowledgement_is_made_good(self) -> None:
        """One copy is lost, the FIN comes again, and TIME-WAIT begins anew."""
        run = trace("lost-last-ack")
        assert [copy.text for step in run.steps for copy in step.event.sent if copy.lost] == ["ACK seq=2 ack=2"]
        assert [wait.restarted for wait in waits(run)] == [False, True]

    def test_half_a_connection_carries_text(self) -> None:
        """Two octets, after the other direction was closed."""
        run = trace("half-close")
        texts = [step for step in run.steps if step.event.received is not None and dict(step.event.received.fields)["len"]]
        assert [step.state["A.state"] for step in texts] == ["FIN_WAIT_2"] * 2
        assert [step.state["A.rcv"] for step in texts] == [2, 3]


class TestWithoutTimeWait:
    """The runs that TIME-WAIT prevents."""

    def test_the_pair_is_the_same_up_to_the_last_acknowledgement(self) -> None:
        """The same instants, actions and packets; then TIME-WAIT in one and CLOSED in the other."""
        before, after = trace("lost-last-ack"), carry_out(WITHOUT_TIME_WAIT["lost-last-ack-without"])
        pairs = [*zip(before.steps, after.steps, strict=False)]
        assert all(one.time == other.time and one.event.received == other.event.received for one, other in pairs[:6])
        assert [(one.state["A.state"], other.state["A.state"]) for one, other in pairs[4:7]] == [("TIME_WAIT", "CLOSED")] * 3
        assert [copy.text for copy in after.steps[6].event.sent] == ["RST seq=2"]
        assert after.steps[-1].state["B.state"] == "CLOSED"

    @pytest.mark.parametrize(("name", "broken"), [("lost-last-ack-without", "graceful"), ("old-duplicate", "old-text")])
    def test_an_engine_finds_the_violation_and_none_with_time_wait(self, name: str, broken: str) -> None:
        """The property that the run violates, decided for its configuration; 2 MSL prevents it."""
        configuration = replace(WITHOUT_TIME_WAIT[name].configuration, duplication=None)
        last = carry_out(WITHOUT_TIME_WAIT[name]).steps[-1]
        assert broken in dict(last.event.breaks)
        waiting = replace(configuration.behaviour, time_wait=True)
        kept = replace(configuration, behaviour=waiting, time_wait=2 * configuration.msl)
        found = [decide(question(each), [PROPERTIES[broken]], Engine.AUTO, Budget())[0] for each in (configuration, kept)]
        assert [answer.verdict for answer in found] == [Verdict.VIOLATED, Verdict.PROVED]


class TestRetrace:
    """From steps back to actions."""

    @pytest.mark.parametrize("name", [*EVERY, "long"])
    def test_a_run_can_be_carried_out_from_its_trace(self, name: str, tmp_path: Path) -> None:
        """Even when it was read from a file."""
        (tmp_path / "trace.json").write_text(itf.as_itf_text(long(50) if name == "long" else trace(name)))
        run = itf.read(tmp_path / "trace.json")
        moves = tuple(Move(step.delay, action_of(step.event)) for step in run.steps)
        again = carried_out(initial_state(configuration_from_data(run.about)), Run(moves, run.loop), run.shows, run.statement)
        assert again == run

    def test_time_is_no_action(self) -> None:
        """The passing of time is not an action."""
        assert action_of(Event("network", "time passes")) is None

    def test_an_unknown_rule(self) -> None:
        """A rule of no action is an error."""
        with pytest.raises(ValueError, match="not a step of the specification: A dances"):
            action_of(Event("A", "dances", rules=(("dance", "RFC 1", "it dances"),)))


class TestCommands:
    """``timewait run`` and ``timewait view``."""

    def test_scenarios_are_listed(self, capsys: pytest.CaptureFixture[str]) -> None:
        """When none is named."""
        code, out, _ = run(capsys, "run")
        assert code == 0
        assert all(name in out for name in SCENARIOS)

    @every_scenario
    def test_text(self, capsys: pytest.CaptureFixture[str], name: str) -> None:
        """A table as violations have it."""
        code, out, _ = run(capsys, "run", "--scenario", name)
        assert code == 0
        assert out.startswith(f"{name}: ")
        assert "A leaves TIME_WAIT after 60.02s" in out

    def test_files(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A trace, and pages from the run and from the trace that are the same but for the command that each states."""
        trace_file, page = tmp_path / "close.itf.json", tmp_path / "page.html"
        options = ("--trace", str(trace_file), "--html", str(page))
        code, out, _ = run(capsys, "run", "--scenario", "clean-close", *options)
        assert (code, out) == (0, f"wrote {page}\nwrote {trace_file}\n")
        assert itf.read(trace_file) == trace("clean-close")
        beside = tmp_path / "close.html"
        assert run(capsys, "view", str(trace_file))[:2] == (0, f"wrote {beside}\n")
        other = tmp_path / "other.html"
        assert run(capsys, "view", str(trace_file), "--out", str(other))[0] == 0
        pages = [file.read_text() for file in (page, beside, other)]
        commands = [re.findall('<code class="command" id="command">.*</code>', text) for text in pages]
        assert [len(found) for found in commands] == [1, 1, 1]
        assert len({text.replace(found[0], "") for text, found in zip(pages, commands, strict=True)}) == 1
        assert {one.name for one in tmp_path.iterdir()} == {"close.itf.json", "close.html", "page.html", "other.html"}

    def test_check_writes_a_page(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Of the violations; of none, with the verdicts alone."""
        page = tmp_path / "page.html"
        asked = ("--msl", "30s", "--rto", "30s", "--scope", "core", "--property", "graceful", "--html", str(page))
        code, _, err = run(capsys, "check", *asked, "--time-wait", "60s")
        assert (code, err) == (0, f"wrote {page}\n")
        assert "verdict: PROVED" in page.read_text()
        code, _, err = run(capsys, "check", *asked, "--time-wait", "59s")
        assert (code, err) == (10, f"wrote {page}\n")
        assert "verdict: VIOLATED" in page.read_text()

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("run", "--scenario", "chaos"), 2, "'chaos'"),
            (("run", "--html", "x.html"), 2, "need --scenario"),
            (("view", "missing.json"), 2, "missing.json"),
            (("view", __file__), 3, "line 1"),
            (("run", "--scenario", "clean-close", "--html", "/nowhere/x.html"), 2, "cannot write"),
            (("check", "--msl", "30s", "--html", "/nowhere/x.html"), 2, "cannot write"),
            (("check", "--msl", "30s", "--trace", "/nowhere/x.json"), 2, "cannot write"),
        ],
    )
    def test_bad_input(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str) -> None:
        """One clear line."""
        left, out, err = run(capsys, *arguments)
        assert (left, out) == (code, "")
        assert err.count("\n") == 1
        assert said in err

    def test_a_trace_of_another_kind(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """JSON, but no trace."""
        file = tmp_path / "other.json"
        file.write_text(json.dumps({"states": []}))
        code, _, err = run(capsys, "view", str(file))
        assert code == 3
        assert "not a trace" in err
        assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("name", EVERY)
def test_a_picture_names_no_option(name: str) -> None:
    """What its ends do is stated in sentences; a setting that does not matter is left out."""
    assert "--" not in data_in_words(trace(name).about, behaviour=True)
