"""What an answer rests on: every setting, condition and abstraction, and the verdicts with other values."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from commands import run, run_json

from timewait.api import check, threshold
from timewait.assumptions import CONDITIONS, GAPS, Basis, Neighbour, basis_of, effect_in_words, effects_in_words, other_values
from timewait.checker.finding import Budget
from timewait.checker.verdict import Verdict
from timewait.options import Keywords, Options
from timewait.spec.abstractions import abstractions_of
from timewait.spec.duration import format_duration
from timewait.spec.durations import DURATIONS, STATE_LIMITS
from timewait.spec.settings import BEHAVIOUR, SETTINGS
from timewait.spec.stacks import load_stack

SMALL: Keywords = {"msl": "1s", "rto": "1s", "time_wait": "2s", "scope": "core", "properties": ["graceful", "isolation"]}


def basis(seconds: float = 0.0, **changes: Any) -> Basis:
    """The basis of an answer about the last exchange; engines are asked where there are seconds."""
    options = Options.of(**{**SMALL, **changes})
    return basis_of(options, check(options), Budget(seconds=10) if seconds else None, seconds)


@pytest.fixture(scope="module")
def asked() -> Basis:
    """The basis with other values asked."""
    return basis(60.0)


def test_every_setting_and_condition_is_named(asked: Basis) -> None:
    """New settings appear by themselves; those that cannot matter are left out."""
    options = Options.of(**SMALL)
    named = [entry.name for entry in asked.assumptions]
    for entry in BEHAVIOUR.values():
        matters = not entry.matters_with or getattr(options.configuration().behaviour, entry.matters_with)
        assert (entry.meaning in named) == bool(not entry.follows and matters), entry.name
    assert {condition.name for condition in CONDITIONS} <= {*named}
    assert asked.abstractions == abstractions_of(options.configuration(), options.stack.name, ("graceful", "isolation"))


def test_other_values_are_asked(asked: Basis) -> None:
    """Each verdict is that of the question asked directly."""
    found = {entry.option: {other.value: other.changed for other in entry.otherwise} for entry in asked.assumptions}
    assert found["--loss"]["2"]["graceful"] is Verdict.VIOLATED
    assert found["--restarts"]["none"]["graceful"] is Verdict.VIOLATED
    direct: list[tuple[Keywords, str, str]] = [
        ({"loss": 2}, "--loss", "2"),
        ({"rst": "any"}, "--rst", "any"),
        ({"restarts": "none"}, "--restarts", "none"),
        ({"fifo": True}, "--fifo", "as sent"),
    ]
    known = {answer.name: answer.verdict for answer in check(**SMALL).answers}
    for changes, option, value in direct:
        asked_directly: Any = {**SMALL, **changes}
        answers = check(**asked_directly).answers
        assert found[option][value] == {
            answer.name: answer.verdict for answer in answers if answer.verdict is not known[answer.name]
        }


def test_every_setting_of_a_choice_has_other_values() -> None:
    """Whatever its kind; durations are left to ``timewait threshold``."""
    for name, entry in BEHAVIOUR.items():
        if not entry.follows:
            others = other_values(entry, entry.default)
            assert others, name
            assert entry.default not in others


def test_nothing_is_said_that_was_not_asked() -> None:
    """Without time no engine is asked, and no effect is stated."""
    assert not any(entry.otherwise for entry in basis().assumptions)


@pytest.mark.parametrize(
    ("changes", "option", "source"),
    [
        ({}, "--rst", "RFC 1337 fix F1"),
        ({"rst": "any"}, "--rst", "option"),
        ({}, "--loss", "default"),
        ({"loss": 2}, "--loss", "option"),
        ({"linger_zero": False}, "--linger-zero", "default"),
    ],
)
def test_each_value_has_its_source(changes: dict[str, Any], option: str, source: str) -> None:
    """An option that changes it, else the profile, else the default."""
    (entry,) = [entry for entry in basis(**changes).assumptions if entry.option == option]
    stated = Options.of(**SMALL).stack.sources
    setting = next((name for name, known in SETTINGS.items() if known.option == option), "")
    expected = stated[setting].where if setting in stated and source not in ("option", "default") else source
    assert entry.source == expected


def test_words() -> None:
    """Of an effect."""
    changed = {"graceful": Verdict.VIOLATED, "isolation": Verdict.INCONCLUSIVE}
    assert effect_in_words(Neighbour("2", changed)) == "2: graceful VIOLATED, isolation INCONCLUSIVE"
    assert effect_in_words(Neighbour("2", {})) == "2: no verdict changes"


def named(found: Basis, name: str) -> tuple[str, str]:
    """The value and the source of an assumption, by the option of its setting."""
    (entry,) = [entry for entry in found.assumptions if entry.option == SETTINGS[name].option]
    return entry.value, entry.source


@pytest.mark.parametrize("stack", ["linux", "lwip"])
def test_a_value_that_is_not_used_is_no_source(stack: str) -> None:
    """A profile reports its limit on retransmissions; only the option puts it into the model."""
    limit = load_stack(stack).value("retries")
    value, source = named(basis(stack=stack), "retries")
    assert (value, source) == (f"no limit; the value of the profile, {limit}, is not used without --retries", "default")
    assert named(basis(stack=stack, retries=4), "retries") == ("4", "option")


@pytest.mark.parametrize("name", [name for name in DURATIONS if name not in GAPS])
def test_every_duration_that_matters_is_named(name: str) -> None:
    """The limits of states with their lengths, or that there is none."""
    changes: dict[str, Any] = {"orphan": True, "clock_before_close": True, name: "7s"}
    if name == "msl":
        changes["time_wait"] = "14s"
    assert named(basis(**changes), name) == ("7s", "option")


def test_a_state_without_a_limit_has_none() -> None:
    """It is named all the same; durations that do not matter are not."""
    found = basis()
    for name in STATE_LIMITS:
        assert named(found, name)[0] == "no limit"
    options = {entry.option for entry in found.assumptions}
    assert options.isdisjoint({"--fin-wait-2", "--idle-before-close"})


def test_questions_that_were_not_asked_are_named() -> None:
    """Where the time for all questions is over."""
    options = Options.of(**SMALL)
    found = basis_of(options, check(options), Budget(seconds=10), 0.0)
    (loss,) = [entry for entry in found.assumptions if entry.option == "--loss"]
    assert (loss.otherwise, loss.not_asked) == ((), ("0", "2", "any number"))
    assert effects_in_words(loss) == ["not asked, the time was over: 0, 2, any number"]
    assert {"0", "2", "any number"} in [{*entry["not_asked"]} for entry in found.as_json()["assumptions"]]
    assert not any(entry.not_asked for entry in basis().assumptions)


def test_the_least_safe_time_wait() -> None:
    """It is named where TIME_WAIT is too short, and engines decide with it what they decide at any other value."""
    found = basis(60.0, time_wait="1s", properties=["graceful"])
    (entry,) = [entry for entry in found.assumptions if entry.option == "--time-wait"]
    asked: Any = {**SMALL, "time_wait": None, "properties": ["graceful"]}
    least = threshold(**asked).least
    assert least is not None
    (other,) = entry.otherwise
    assert other == Neighbour(f"{format_duration(least)}, the least safe", {"graceful": Verdict.PROVED}, {"time_wait": least})
    assert basis(0.0, time_wait="1s", properties=["graceful"]).assumptions[1].otherwise == ()


def test_a_safe_time_wait_has_no_other(asked: Basis) -> None:
    """Nothing violated can be kept by another TIME_WAIT."""
    assert all(not entry.otherwise for entry in asked.assumptions if entry.option == "--time-wait")


@pytest.mark.parametrize(
    ("option", "value", "changes"),
    [
        ("--msl", "500ms, all else as here", {"msl": "500ms"}),
        ("--msl", "2s, all else as here", {"msl": "2s"}),
        ("--rto", "up to 500ms", {"rto": "500ms"}),
        ("--rto", "up to 2s", {"rto": "2s"}),
    ],
)
def test_half_and_twice_the_msl_and_the_rto(asked: Basis, option: str, value: str, changes: dict[str, str]) -> None:
    """Each verdict is that of the question asked directly, with the TIME_WAIT of the question."""
    (entry,) = [entry for entry in asked.assumptions if entry.option == option]
    (other,) = [other for other in entry.otherwise if other.value == value]
    directly: Any = {**SMALL, **changes}
    violated = {answer.name for answer in check(**directly).answers if answer.verdict is Verdict.VIOLATED}
    assert other.changed == dict.fromkeys(violated, Verdict.VIOLATED)
    assert bool(violated) == ("2s" in value)


def test_the_review_page_has_the_command_of_another_rto(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It can be carried out."""
    page = tmp_path / "review.html"
    run(capsys, *COMMAND[:5], "--time-wait", "1.5s", *COMMAND[7:], "--assumptions", "--html", str(page))
    text = unescape(page.read_text(encoding="utf-8"))
    shown = [
        re.sub("<[^>]*>", "", code).split() for code in re.findall('<code class="command"[^>]*>(.*?)</code>', text, re.DOTALL)
    ]
    (command,) = [words for words in shown if words[-2:] == ["--rto", "500ms"]]
    assert command == ["timewait", *COMMAND[:3], "--time-wait", "1.5s", *COMMAND[7:], "--rto", "500ms"]
    assert run(capsys, *command[1:])[0] == 0


COMMAND = ("check", "--msl", "1s", "--rto", "1s", "--time-wait", "2s", "--scope", "core", "--property", "graceful")


def test_json_always_has_it(capsys: pytest.CaptureFixture[str]) -> None:
    """With the effects if they are asked for."""
    _, data = run_json(capsys, *COMMAND)
    (loss,) = [entry for entry in data["basis"]["assumptions"] if entry["option"] == "--loss"]
    assert (loss["value"], loss["source"], loss["otherwise"]) == ("1", "default", [])
    assert data["basis"]["left_out"]


def test_the_block(capsys: pytest.CaptureFixture[str]) -> None:
    """It follows the verdict, in lines that fit."""
    code, out, _ = run(capsys, *COMMAND, "--assumptions")
    assert code == 0
    block = out.partition("This answer rests on")[2]
    assert "copies lost in a loss window: 1 (--loss, default)" in block
    assert "      2: graceful VIOLATED" in block.splitlines()
    assert "The model leaves out" in block
    assert max(map(len, block.splitlines())) <= 100


def test_the_review_page_has_it(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every assumption, and what the model leaves out."""
    page = tmp_path / "review.html"
    run(capsys, *COMMAND[:5], "--time-wait", "1s", *COMMAND[7:], "--html", str(page))
    text = unescape(page.read_text(encoding="utf-8"))
    assert "This answer rests on" in text
    found = basis(time_wait="1s", properties=["graceful"])
    for entry in found.assumptions:
        cells = f'<td data-label="here">{entry.value}</td><td data-label="stated by">{entry.source}</td>'
        assert f">{entry.name}</th>{cells}" in text
    for left_out in found.abstractions:
        assert left_out.left_out in text
