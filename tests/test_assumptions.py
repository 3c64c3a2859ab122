"""What an answer rests on: every setting, condition and abstraction, and the verdicts with other values."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import pytest
from commands import run, run_json

from timewait.api import check
from timewait.assumptions import CONDITIONS, Basis, Neighbour, basis_of, effect_in_words, other_values
from timewait.checker.finding import Budget
from timewait.checker.verdict import Verdict
from timewait.options import Keywords, Options
from timewait.spec.abstractions import abstractions_of
from timewait.spec.settings import BEHAVIOUR, SETTINGS

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
        answers = check(**{**SMALL, **changes}).answers
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
        assert f">{entry.name}</th><td>{entry.value}</td><td>{entry.source}</td>" in text
    for left_out in found.abstractions:
        assert left_out.left_out in text
