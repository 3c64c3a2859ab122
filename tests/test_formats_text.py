"""Traces as text: Mermaid diagrams, packetdrill scripts, and the schema of trace files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from counterexamples import NAMES, QUESTIONS, SCHEDULES, counterexample
from node_packages import mermaid_results, needs_mermaid

from timewait.checker import itf
from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.formats import mermaid, packetdrill

every_trace = pytest.mark.parametrize("name", NAMES)

# --- Mermaid -------------------------------------------------------------------------------------------------------

ARROW = re.compile(r"    (?P<sender>[AB])(?P<arrow>->>|-->>|--x)(?P<receiver>[AB]): (?P<text>[^;#<>\n]+)")
NOTE = re.compile(r"    Note (left of A|right of B|over A,B): [^;#\n]+")


def arrows(text: str) -> list[re.Match[str]]:
    """The arrows of a diagram."""
    return [found for line in text.splitlines() if (found := ARROW.fullmatch(line))]


class TestMermaid:
    """Sequence diagrams."""

    @every_trace
    def test_an_arrow_for_every_arrival_and_every_loss(self, name: str) -> None:
        """Arrows follow the order of the trace; duplicates are dashed, lost copies end in a cross."""
        trace = counterexample(name)
        expected = []
        arrived: set[int] = set()
        for step in trace.steps:
            if (copy := step.event.received) is not None:
                expected.append((copy.sender, "-->>" if copy.number in arrived else "->>", copy.receiver, copy.text))
                arrived.add(copy.number)
            expected += [(copy.sender, "--x", copy.receiver, copy.text) for copy in step.event.sent if copy.lost]
        found = [
            (*match.group("sender", "arrow", "receiver"), match["text"].split(" (")[0])
            for match in arrows(mermaid.as_mermaid_text(trace))
        ]
        assert found == expected

    @every_trace
    def test_blocks_are_closed(self, name: str) -> None:
        """Every block and every TIME-WAIT bar ends."""
        lines = [line.strip() for line in mermaid.as_mermaid_text(counterexample(name)).splitlines()]
        opened = sum(line.startswith(("rect ", "loop ")) for line in lines)
        assert lines.count("end") == opened
        for end in "AB":
            assert lines.count(f"activate {end}") == lines.count(f"deactivate {end}")

    def test_content(self) -> None:
        """States, TIME-WAIT with its timer, ages, and the violation."""
        text = mermaid.as_mermaid_text(counterexample("C2 close"))
        assert "    Note right of B: user calls CLOSE<br/>LAST_ACK\n" in text
        assert (
            "    Note left of A: TIME_WAIT<br/>timer starts (59.999s)\n    activate A\n    A--xB: ACK seq=2 ack=2 (lost)\n"
            in text
        )
        assert "    B->>A: FIN+ACK seq=1 ack=2 (30s old)\n" in text
        assert text.index(mermaid.VIOLATION) < text.index("A->>B: RST seq=2") < text.index("breaks graceful")

    def test_a_loop(self) -> None:
        """The loop of a lasso is a block."""
        lines = [line.strip() for line in mermaid.as_mermaid_text(counterexample("C10")).splitlines()]
        block = lines[lines.index("loop again and again, every 2s") :]
        turn = ["A->>B: ACK seq=2 ack=2 (1s old)", "B->>A: ACK seq=2 ack=2 (1s old)"]
        assert [line for line in block if "->>" in line] == turn
        assert block[-1] == "end"

    def test_special_characters(self) -> None:
        """Characters with a meaning in Mermaid are replaced."""
        text = mermaid.as_mermaid_text(with_special_characters(counterexample("C15")))
        assert all(NOTE.fullmatch(line) for line in text.splitlines() if line.startswith("    Note"))
        assert ";" not in text
        assert "#" not in text

    @needs_mermaid
    def test_the_parser_accepts_them(self, tmp_path: Path) -> None:
        """Mermaid's own parser accepts all diagrams, and rejects a corrupted one."""
        texts = [mermaid.as_mermaid_text(counterexample(name)) for name in NAMES]
        texts.append(mermaid.as_mermaid_text(with_special_characters(counterexample("C15"))))
        results = mermaid_results([*texts, texts[0].replace("->>", "->;>")], tmp_path)
        assert results[:-1] == ["sequence"] * len(texts)
        assert "Parse error" in results[-1]


def with_special_characters(trace: Trace) -> Trace:
    """The trace with text that has a meaning in Mermaid."""
    steps = tuple(
        replace(step, event=replace(step.event, text=f'end; loop #1 <b>"{step.event.text}" %% --x & {{end}}\nend'))
        for step in trace.steps
    )
    return replace(trace, shows="end", statement="a; b # c\nend", steps=steps)


# --- packetdrill ---------------------------------------------------------------------------------------------------

DELAY = r"\+(?P<delay>[0-9]+(?:\.[0-9]{1,6})?)"
PACKET = re.compile(
    DELAY + r" (?P<way>[<>]) (?P<flags>[FSRP]*\.?) (?P<first>[0-9]+):(?P<next>[0-9]+)\((?P<length>[0-9]+)\)"
    r"(?: ack (?P<ack>[0-9]+))?(?: win [0-9]+)?(?: <(?:\.\.\.|mss [0-9]+)>)?"
)
CALL = re.compile(DELAY + r" (?P<name>[a-z]+)\((?P<arguments>.*)\) = (?P<result>-?[0-9]+( E[A-Z]+ \(.*\))?)")


def parts(text: str) -> list[re.Match[str]]:
    """The packets and calls of a script; every other line is a comment or empty."""
    found = []
    for line in text.splitlines():
        if line and not line.startswith("//"):
            matched = PACKET.fullmatch(line) or CALL.fullmatch(line)
            assert matched, line
            found.append(matched)
    return found


def _with_ack(fields: tuple[tuple[str, int], ...], ack: int) -> tuple[tuple[str, int], ...]:
    """The fields of a RST with an ACK; those of any other segment as they are."""
    if "rst" not in dict(fields) or "ack" in dict(fields):
        return fields
    return (fields[0], ("ack", ack), *fields[1:])


@every_trace
@pytest.mark.parametrize("end", ["a", "b"])
class TestPacketdrill:
    """Scripts for either end."""

    def test_packets(self, name: str, end: str) -> None:
        """Everything the end sends and receives, at the times of the trace, until the next incarnation."""
        trace = counterexample(name)
        expected = []
        states = [trace.initial, *(step.state for step in trace.steps)]
        for step, before in zip(trace.steps, states, strict=False):
            if any(rule == "incarnation.reopen" for rule, _, _ in step.event.rules):
                break
            if step.event.actor == end.upper():
                copies = [("<", step.event.received), *((">", copy) for copy in step.event.sent)]
                known = [(way, copy.fields) for way, copy in copies if copy is not None]
                if step.event.received is None:  # a RST that the user's call sends has an ACK
                    known = [(way, _with_ack(fields, int(before[f"{end.upper()}.rcv"]))) for way, fields in known]
                expected += [(round(step.time * 10**6), way, fields) for way, fields in known]
        found, now = [], Fraction(0)
        written = parts(packetdrill.as_packetdrill(trace, end))
        for match in written:
            now += Fraction(match["delay"])
            if match.re is PACKET and now >= 0:
                ack = () if match["ack"] is None else (("ack", int(match["ack"])),)
                bits = tuple((bit, 1) for bit, letter in (("syn", "S"), ("fin", "F"), ("rst", "R")) if letter in match["flags"])
                assert int(match["next"]) - int(match["first"]) == int(match["length"])
                assert ("." in match["flags"]) == (match["ack"] is not None)
                fields = (("seq", int(match["first"])), *ack, ("len", int(match["length"])), *bits)
                found.append((round(now * 10**6), match["way"], fields))
        opening = len(found) - len(expected)
        assert opening == (5 if trace.about["scope"] == "core" else 3)
        assert found[opening:] == expected

    def test_calls(self, name: str, end: str) -> None:
        """Each user call is a call of the script, on the socket of the connection."""
        trace = counterexample(name)
        rules = [rule for step in trace.steps if step.event.actor == end.upper() for rule, _, _ in step.event.rules]
        calls = [match for match in parts(packetdrill.as_packetdrill(trace, end)) if match.re is CALL]
        socket = "3" if end == "a" else "4"
        assert {match["arguments"].partition(",")[0] for match in calls if match["name"] in ("send", "close", "shutdown")} <= {
            socket
        }
        assert sum(match["name"] == "send" for match in calls) == rules.count("send")
        closing = [match["name"] for match in calls if match["name"] in ("close", "shutdown")]
        first = end == "a" and trace.about["scope"] == "core"
        assert len(closing) == sum(rule.startswith("close.") for rule in rules) + first
        abrupt = trace.about["behaviour"]["abandons"] or trace.about["behaviour"]["linger_zero"]
        assert set(closing) <= {"close" if abrupt else "shutdown"}
        assert ("SO_LINGER" in packetdrill.as_packetdrill(trace, end)) == ("close.linger-zero" in rules)

    def test_every_step_is_described(self, name: str, end: str) -> None:
        """In comments, up to the step where the script stops."""
        trace = counterexample(name)
        text = packetdrill.as_packetdrill(trace, end)
        described = [int(number) for number in re.findall(r"^// step ([0-9]+), ", text, re.MULTILINE)]
        assert described == list(range(1, len(described) + 1))
        assert (len(described) < len(trace.steps)) <= ("not covered from here on" in text)


# --- the schema ----------------------------------------------------------------------------------------------------


def schema() -> dict[str, Any]:
    """The JSON Schema of trace files."""
    data = json.loads(itf.SCHEMA.read_text(encoding="utf-8"))
    assert isinstance(data, dict)
    return data


class TestSchema:
    """The JSON Schema of traces."""

    def test_is_valid(self) -> None:
        """It is a valid schema of the draft that it names."""
        jsonschema.Draft202012Validator.check_schema(schema())
        assert schema()["$schema"].endswith("2020-12/schema")

    @every_trace
    def test_traces_satisfy_it(self, name: str) -> None:
        """Every trace written satisfies it."""
        jsonschema.Draft202012Validator(schema()).validate(itf.as_itf(counterexample(name)))

    @pytest.mark.parametrize(
        "spoil",
        [
            lambda data: data.pop("vars"),
            lambda data: data["#meta"].update(format="other"),
            lambda data: data["states"].clear(),
            lambda data: data["states"][0]["#meta"].update(index=1),
            lambda data: data["states"][1].update({"A.una": 3}),
            lambda data: data["states"][1]["#meta"].pop("timers"),
            lambda data: data["states"][1]["#meta"].update(time="soon"),
            lambda data: data["states"][1]["#meta"]["sent"][0].pop("copy"),
            lambda data: data.update(loop="1"),
        ],
    )
    def test_corrupted_traces_do_not(self, spoil: Any) -> None:
        """It rejects missing and mistyped values."""
        data = itf.as_itf(counterexample("C15"))
        spoil(data)
        assert not jsonschema.Draft202012Validator(schema()).is_valid(data)


def test_a_trace_without_states() -> None:
    """Diagrams and scripts need the states of both ends."""
    trace = counterexample("C15")
    blind = replace(trace, initial={name: value for name, value in trace.initial.items() if name != "B.state"})
    for write in (mermaid.as_mermaid_text, packetdrill.as_packetdrill):
        with pytest.raises(BrokenTrace, match=r"'B\.state' is missing"):
            write(blind)


def test_names() -> None:
    """Each trace has one name."""
    assert len(set(NAMES)) == len(QUESTIONS) + len(SCHEDULES) + 1
