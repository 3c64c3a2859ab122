"""Runs of the checker in sentences, and as captures that are read back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from explained_captures import closes, only_close, violation
from wire import Script

from timewait.checker.trace import Trace
from timewait.formats.pcapng import as_pcapng
from timewait.narration.prose import counted, listed, rounded, short_duration
from timewait.narration.story import conclusion, story
from timewait.spec.configuration import Scope
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.stacks import load_stack
from timewait.spec.state import MEANING, State


class TestStory:
    """Runs of the checker as stories."""

    @pytest.fixture
    def trace(self) -> Trace:
        """The lost last acknowledgement."""
        return violation("graceful", time_wait=Fraction(599, 10))

    def test_every_state_is_explained_once(self, trace: Trace) -> None:
        """With the meaning from the specification, where it is first entered."""
        explained = [name for line in story(trace) for name, _ in line.meanings]
        entered = ["ESTABLISHED", "FIN_WAIT_1", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSED"]
        assert explained == entered
        assert all(words == MEANING[State[name]] for line in story(trace) for name, words in line.meanings)

    def test_every_step_is_described_in_order(self, trace: Trace) -> None:
        """With its actor, its action and its rule."""
        lines = story(trace)
        assert [line.numbers for line in lines] == [(number, number) for number in range(len(trace.steps) + 1)]
        assert [line.time for line in lines] == [Fraction(0), *(step.time for step in trace.steps)]
        texts = [line.text for line in lines]
        assert texts[4].startswith("B's FIN arrives at A")
        assert "(this copy is lost)" in texts[4]
        assert texts[5] == "B has received no acknowledgement in the 29.901s since its last transmission and retransmits its FIN."
        assert texts[7] == ("B's FIN arrives at A, 30s after it was sent: A has no such connection. A answers with a RST.")
        assert "RFC 9293 3.10.7.1" in lines[7].why

    def test_the_conclusion(self, trace: Trace) -> None:
        """What fails, and the section that requires it."""
        first, second = conclusion(trace)
        assert first == "What fails: B was closing in order, in LAST_ACK, and a RST ended it."
        assert "MUST-13" in second

    def test_the_next_incarnation(self) -> None:
        """The ports are reused, and the new connection accepts an old duplicate."""
        text = " ".join(line.text for line in story(violation("isolation", time_wait=Fraction(599, 10))))
        assert "the same addresses and ports are opened again" in text
        assert "it lies in the window of the new connection" in text

    def test_a_lasso(self) -> None:
        """The loop is described once, with a line at its beginning."""
        endless = replace(violation("graceful", time_wait=Fraction(599, 10)), shows="quiet", loop=5)
        texts = [line.text for line in story(endless)]
        assert texts[6] == "From here on the steps can repeat for ever."
        assert len(texts) == len(endless.steps) + 2
        assert "for ever" in conclusion(endless)[0]

    def test_many_steps_of_text_are_one_sentence(self, tmp_path: Path) -> None:
        """Ten segments of a half-close become one sentence."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        for number in range(4):
            script.say(1.1 + number / 10, "B", "PA", 1 + 100 * number, 2, length=100)
            script.say(1.15 + number / 10, "A", "A", 2, 101 + 100 * number)
        script.say(2, "B", "FA", 401, 2)
        script.say(2.01, "A", "A", 2, 402)
        lines = story(only_close(script, tmp_path).trace)
        assert sum("B sends 400 octets in 4 segments" in line.text for line in lines) == 1
        assert len(lines) < 15

    @pytest.mark.parametrize("shape", [rounded, short_duration])
    def test_measured_times(self, shape: Callable[[Fraction], str]) -> None:
        """Three digits, and the unit that reads best."""
        values = [("0.0000271", "27.1us"), ("0.045701", "45.7ms"), ("1.23456", "1.23s"), ("75.4321", "75s"), ("0", "0")]
        assert [shape(Fraction(text)) for text, _ in values] == [shown for _, shown in values]

    def test_small_words(self) -> None:
        """Enumerations and counts."""
        assert (listed([]), listed(["a"]), listed(["a", "b", "c"], "or")) == ("", "a", "a, b or c")
        assert (counted(1, "octet"), counted(1_200, "octet"), counted(0, "octet")) == ("1 octet", "1,200 octets", "no octets")


# --- captures of traces ------------------------------------------------------------------------------------------------

Visible = tuple[Fraction, str, str, tuple[tuple[str, bool], ...], str, str]


def visible(trace: Trace) -> list[Visible]:
    """The steps that move a packet: time, actor, arrival, packets sent with their delivery, and states."""
    arrived = {step.event.received.number for step in trace.steps if step.event.received is not None}
    return [
        (
            step.time,
            step.event.actor,
            "" if step.event.received is None else f"{step.event.received.number} {step.event.received.text}",
            tuple((copy.text, copy.number in arrived) for copy in step.event.sent),
            str(step.state["A.state"]),
            str(step.state["B.state"]),
        )
        for step in trace.steps
        if step.event.received is not None or step.event.sent
    ]


class TestRoundTrip:
    """A trace written as a capture of both ends is reconstructed with the same steps."""

    @pytest.mark.parametrize(
        ("name", "overrides"),
        [
            ("graceful", {"time_wait": Fraction(599, 10)}),
            ("isolation", {"time_wait": Fraction(599, 10)}),
            ("time-wait-kept", {"reset": load_stack("linux").require("reset")}),
            ("fin-restarts", {"restarts": frozenset()}),
            ("integrity", {"linger_zero": True, "text": (1, 0)}),
            ("integrity", {"text": (0, 1), "abandons": True, "fin_wait_2": Fraction(5)}),
        ],
    )
    def test_same_steps(self, tmp_path: Path, name: str, overrides: dict[str, Any]) -> None:
        """Times, copies, deliveries and states, apart from steps that move no packet."""
        trace = violation(name, **overrides)
        path = tmp_path / "ours.pcapng"
        path.write_bytes(as_pcapng(trace, "both"))
        (close,) = closes(path, configuration_from_data(trace.about))
        assert visible(close.trace) == visible(trace)

    def test_from_the_last_exchange(self, tmp_path: Path) -> None:
        """A trace of the core scope is written with the segments before it; the steps after those are the same."""
        trace = violation("graceful", time_wait=Fraction(599, 10), scope=Scope.CORE)
        path = tmp_path / "core.pcapng"
        path.write_bytes(as_pcapng(trace, "both"))
        (close,) = closes(path, configuration_from_data(trace.about))
        wanted, got = visible(trace), visible(close.trace)
        added = len(got) - len(wanted)
        start = got[added][0]
        assert added == 3
        assert [(time - start, who, what.partition(" ")[2], *rest) for time, who, what, *rest in got[added:]] == [
            (time, who, what.partition(" ")[2], *rest) for time, who, what, *rest in wanted
        ]
