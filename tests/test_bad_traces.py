"""Trace files that anybody may have written: every reader answers with a result or with one clear line."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import INPUTS, damaged_data, damaged_octets
from commands import run

from timewait.checker import itf
from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.cli.console import Screen
from timewait.diagrams import sequence_text
from timewait.diagrams.page import page
from timewait.diagrams.sequence import sequence
from timewait.formats.trace_formats import TRACE_FORMATS
from timewait.narration.story import conclusion, story
from timewait.narration.trace_file import NUMBERS, parsed_trace
from timewait.vocabulary.untrusted import unprintable

DATA = Path(__file__).parent / "data" / "reliability"
ACCEPTED = {"trace-bom.itf.json", "trace-nosteps.itf.json", "trace-len-70000.itf.json"}
"""Files that hold a trace after all: with a byte order mark, without a step, with a long segment."""

CONSUMERS: list[Callable[[Trace], Any]] = [
    story,
    conclusion,
    page,
    sequence,
    sequence_text.as_text,
    Screen().trace,
    Screen().story,
    *(lambda trace, form=form, end=end: form.write(trace, end) for form in TRACE_FORMATS.values() for end in form.ends or ("a",)),
]


def good_traces() -> list[Any]:
    """Traces as plain data."""
    return [json.loads(file.read_bytes().removeprefix(b"\xef\xbb\xbf")) for file in sorted(DATA.glob("good*.itf.json"))]


def consume(octets: bytes, consumers: Iterable[Callable[[Trace], Any]]) -> bool:
    """Whether octets hold a trace; some accounts and pictures of it are made."""
    try:
        trace = parsed_trace(octets, "file")
    except BrokenTrace as problem:
        messages = [str(problem)]
    else:
        messages = [message for consumer in consumers if (message := refusal(consumer, trace))]
        messages.append("")
    assert not any(map(unprintable, messages))
    return not messages[-1]


def refusal(consumer: Callable[[Trace], Any], trace: Trace) -> str:
    """The message with which a consumer refuses a trace; empty if it does not."""
    try:
        consumer(trace)
    except BrokenTrace as problem:
        return str(problem)
    return ""


def fuzz(number: int, seed: int, drawn: int = len(CONSUMERS)) -> int:
    """Damage good traces, the shorter the more often; returns how many were still traces.

    Parameters
    ----------
    number, seed : int
        How many, and the seed of the draw.
    drawn : int
        Accounts and pictures that are made of each trace: they take much longer than the reader.
    """
    rng = random.Random(seed)
    whole = good_traces()
    texts = [json.dumps(data).encode() for data in whole]
    accepted = 0
    for _ in range(number):
        (index,) = rng.choices(range(len(whole)), [1 / len(text) for text in texts])
        if rng.random() < 0.9:
            octets = json.dumps(damaged_data(rng, whole[index])).encode("utf-8", "surrogatepass")
        else:
            octets = damaged_octets(rng, texts[index])
        accepted += consume(octets, rng.sample(CONSUMERS, drawn))
    return accepted


def test_damaged_traces(capsys: pytest.CaptureFixture[str]) -> None:
    """Every damaged trace is refused in a line, or all can be made of it."""
    assert 0 < fuzz(60, 1) < 60
    assert "\x1b]" not in capsys.readouterr().out


@pytest.mark.slow
def test_damaged_traces_at_length(capsys: pytest.CaptureFixture[str]) -> None:
    """The same, a hundred thousand times."""
    for seed in range(max(INPUTS // 1_000, 1)):
        fuzz(min(INPUTS, 1_000), seed, 3)
        capsys.readouterr()


REPRODUCERS = sorted(file for file in DATA.glob("trace-*"))


@pytest.mark.parametrize("file", REPRODUCERS, ids=[file.name for file in REPRODUCERS])
@pytest.mark.parametrize("command", [("explain",), ("view", "--out"), ("convert", "--to", "pcapng", "--out")])
def test_files_that_crashed_readers(
    file: Path, command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and exit code 3, and nothing written."""
    target = tmp_path / "out"
    code, out, err = run(capsys, command[0], str(file), *command[1:], *([str(target)] if command[-1] == "--out" else []))
    if code == 0:
        assert file.name in ACCEPTED
        assert "\x1b" not in out
        return
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "\x1b" not in err
    assert not target.exists()
    assert file.name not in ACCEPTED or command[0] == "convert"


def test_one_copy_sent_again_and_again() -> None:
    """A copy has one number."""
    data = good_traces()[0]
    sent = next(state["#meta"]["sent"] for state in data["states"][1:] if state["#meta"]["sent"])
    sent.append(sent[0])
    with pytest.raises(BrokenTrace, match="copy 1 is sent twice"):
        itf.parsed(data, "file")


@pytest.mark.parametrize("setting", ["retries", "backoff"])
def test_a_setting_that_makes_the_graph_endless(setting: str) -> None:
    """The pictures of a trace draw the graph of its behaviour."""
    data = good_traces()[0]
    data["#meta"]["about"]["behaviour"][setting] = 70_000
    with pytest.raises(BrokenTrace, match=f"70000 is no value of the setting {setting}"):
        parsed_trace(json.dumps(data).encode(), "file")


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_is_none(name: str) -> None:
    """Accounts compute with it."""
    data = good_traces()[1]
    data["vars"] = sorted({*data["vars"], name})
    for state in data["states"]:
        state[name] = "off"
    with pytest.raises(BrokenTrace, match=f"state 0: {name} is 'off', not a whole number"):
        parsed_trace(json.dumps(data).encode(), "file")
