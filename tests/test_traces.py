"""Traces as ITF and as plain data."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import itf_py  # type: ignore[import-untyped]
import pytest
from replayed_runs import AGAIN, CONFIGURATIONS, CORE, FIRST, MOVES, each_broken, each_run, found, go
from toys import courier, eventually, world

from timewait.checker.finding import Run
from timewait.checker.itf import BrokenTrace, as_itf, parsed
from timewait.checker.itf import as_itf_text as itf_text
from timewait.checker.itf import read as read_itf
from timewait.checker.replay import minimal, replay
from timewait.checker.trace import number
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state

# --- what a trace is written as ------------------------------------------------------------------------------------


class TestTraces:
    """As ITF and as plain data."""

    @each_run
    @each_broken
    def test_itf_is_read_by_others(self, name: str, asked: str, engine: str) -> None:
        trace = replay(initial_state(CONFIGURATIONS[name]), found(name, asked, engine), PROPERTIES[asked])
        read = itf_py.trace_from_json(json.loads(json.dumps(as_itf(trace))))
        assert read.meta["format"] == "ITF"
        assert read.meta["description"].startswith(f"{asked}: ")
        assert read.loop is None
        assert len(read.states) == 1 + len(trace.steps)
        assert read.vars == sorted(trace.initial)
        assert read.states[0].meta["action"] == "initial"
        assert read.states[0].values == trace.initial
        for state, step in zip(read.states[1:], trace.steps, strict=True):
            assert state.values == step.state
            assert state.meta["index"] == step.number
            assert state.meta["action"] == str(step.event)
            assert [rule["name"] for rule in state.meta["rules"]] == [rule[0] for rule in step.event.rules]
            assert Fraction(state.meta["delay"]) == step.delay
            assert Fraction(state.meta["time"]) == step.time

    @each_run
    @each_broken
    def test_itf_is_read_back_unchanged(self, name: str, asked: str, engine: str, tmp_path: Path) -> None:
        trace = minimal(initial_state(CONFIGURATIONS[name]), found(name, asked, engine), PROPERTIES[asked])
        file = tmp_path / "trace.itf.json"
        file.write_text(itf_text(trace), encoding="utf-8")
        assert read_itf(file) == trace

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[", "line 1"),
            ("{}", "not a trace in the Informal Trace Format"),
            ('{"#meta": {"format": "ITF"}, "vars": [], "states": []}', "the head|state 0"),
        ],
    )
    def test_a_broken_file_is_told_where(self, text: str, said: str, tmp_path: Path) -> None:
        file = tmp_path / "trace.itf.json"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BrokenTrace, match=said):
            read_itf(file)

    def test_any_part_that_is_missing_is_noticed(self) -> None:
        """Of the head, of a state, and of what stands in its meta."""
        whole = as_itf(minimal(initial_state(CORE), found("core", "isolation", "zones"), PROPERTIES["isolation"]))
        last = whole["states"][-1]
        for part in (whole, last, last["#meta"], last["#meta"]["received"]):
            for key in [key for key in part if key not in ("loop", "index", "action", "description")]:
                held = part.pop(key)
                with pytest.raises(BrokenTrace):
                    parsed(whole, "here")
                part[key] = held
        parsed(whole, "here")

    def test_itf_of_a_loop(self) -> None:
        """The number of the state to which the last one leads back."""
        run = Run((*go("go"), *go("come back", "go", delay=1)), 1)
        trace = replay(world(courier(False, True)), run, eventually("delivered"))
        read = itf_py.trace_from_json(json.loads(json.dumps(as_itf(trace))))
        assert read.loop == 1
        assert [state.values["place"] for state in read.states] == ["here", "there", "here", "there"]
        assert read.states[read.loop].values["place"] == read.states[-1].values["place"]

    def test_numbers_of_any_size_are_whole(self) -> None:
        written = as_itf(replay(initial_state(CORE), Run(MOVES), PROPERTIES["isolation"]))
        whole = [value for state in written["states"] for value in state.values() if isinstance(value, int)]
        assert whole == []
        assert written["states"][0]["A.una"] == {"#bigint": "2"}

    def test_delays_are_exact(self) -> None:
        """A third of a second is one, in ITF as a fraction and in plain data as one where no decimal is."""
        moves = [replace(move, delay=move.delay / 3) for move in MOVES]
        thirds = replace(CORE, msl=Fraction(2, 3), time_wait=Fraction(1), rto=(Fraction(2, 3),))
        trace = replay(initial_state(thirds), Run(tuple(moves)), PROPERTIES["isolation"])
        assert trace.steps[AGAIN].delay == Fraction(2, 3)
        assert as_itf(trace)["states"][AGAIN + 1]["#meta"]["delay"] == "2/3"
        assert trace.as_json()["steps"][AGAIN]["delay"] == "2/3"
        assert sum(Fraction(state["#meta"]["delay"]) for state in as_itf(trace)["states"]) == trace.duration == Fraction(4, 3)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (Fraction(0), 0.0),
            (Fraction(3), 3.0),
            (Fraction(1, 8), 0.125),
            (Fraction(599, 10), 59.9),
            (Fraction(1, 3), "1/3"),
            (Fraction(10**30 + 1), str(10**30 + 1)),
        ],
    )
    def test_numbers(self, value: Fraction, expected: float | str) -> None:
        assert number(value) == expected

    def test_plain_data(self) -> None:
        written = json.loads(json.dumps(replay(initial_state(CORE), Run(MOVES), PROPERTIES["isolation"]).as_json()))
        assert (written["property"], written["loop"], written["dropped"]) == ("isolation", None, 0)
        assert [step["number"] for step in written["steps"]] == [1, 2, 3, 4, 5, 6, 7]
        assert written["steps"][FIRST]["received"] == "FIN+ACK seq=1 ack=2"
        assert written["steps"][FIRST]["sent"] == [{"segment": "ACK seq=2 ack=2", "lost": False}]
        assert written["steps"][FIRST]["changed"]["A.state"] == {"from": "FIN_WAIT_2", "to": "TIME_WAIT"}
        assert {rule["name"] for rule in written["steps"][FIRST]["rules"]} == {"fin.time-wait"}

    def test_what_changed_is_the_difference_of_two_states(self) -> None:
        trace = replay(initial_state(CORE), Run(MOVES), PROPERTIES["isolation"])
        before = trace.initial
        for step in trace.steps:
            assert step.changed == {name: (before[name], now) for name, now in step.state.items() if before[name] != now}
            before = step.state
        assert [bool(step.changed) for step in trace.steps] == [True] * 6 + [False]
