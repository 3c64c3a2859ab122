"""Profiles that anybody may have written: a stack, or one clear line."""

from __future__ import annotations

import json
import random
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import INPUTS, damaged_data, damaged_octets
from commands import run

from timewait.cli.blamed_line import location_of_value
from timewait.spec.settings import SETTINGS
from timewait.spec.stacks import BrokenStack, Stack, load_stack, stack_names
from timewait.vocabulary.untrusted import unprintable

DATA = Path(__file__).parent / "data" / "reliability"
REFUSED = {
    "toml-esc.toml",
    "toml-longint.toml",
    "toml-retries.toml",
    "toml-title.toml",
    "toml-inject-smt.toml",
    "toml-inject-tck.toml",
}
PROFILES = [(resources.files("timewait.spec") / "stacks" / f"{name}.toml").read_bytes() for name in stack_names()]


def as_toml(data: Any) -> str:
    """Plain data as TOML: a JSON text is one, but for null and the equal signs of tables."""
    if isinstance(data, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(value)}" for key, value in data.items()) + "}"
    if isinstance(data, list):
        return "[" + ", ".join(map(as_toml, data)) + "]"
    if isinstance(data, float):
        return str(data)
    return '"null"' if data is None else json.dumps(data, ensure_ascii=False)


def fuzz(number: int, seed: int, path: Path) -> int:
    """Damage good profiles; returns how many were still profiles."""
    rng = random.Random(seed)
    accepted = 0
    for _ in range(number):
        octets = rng.choice(PROFILES)
        if rng.random() < 0.7:
            data = damaged_data(rng, tomllib.loads(octets.decode()))
            text = "\n".join(f"{json.dumps(key)} = {as_toml(value)}" for key, value in data.items())
            octets = text.encode("utf-8", "surrogatepass")
        else:
            octets = damaged_octets(rng, octets)
        path.write_bytes(octets)
        try:
            found = load_stack(str(path))
        except BrokenStack as problem:
            message = str(problem)
        else:
            accepted += 1
            message = found.title
            if accepted % 20 == 0:
                location_of_value(found, rng.choice(tuple(SETTINGS)))
        assert not unprintable(message)
    return accepted


def test_damaged_profiles(tmp_path: Path) -> None:
    """Every one gives a stack or one line."""
    assert 0 < fuzz(300, 1, tmp_path / "some.toml") < 300


@pytest.mark.slow
def test_damaged_profiles_at_length(tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(INPUTS, 2, tmp_path / "some.toml")


FILES = sorted(DATA.glob("toml-*"))


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_files_that_crashed_the_reader(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 3; texts that only try to be code are shown as they are."""
    code, out, err = run(capsys, "stacks", str(file))
    assert "\x1b" not in out + err
    if code:
        assert (code, out, err.count("\n")) == (3, "", 1)
    assert (code == 3) == (file.name in REFUSED)


@pytest.mark.parametrize(
    "text",
    [
        "name = " + "[" * 50_000,
        "name = " + "{a=" * 20_000,
        "a." * 50_000 + "a = 1",
        "[" + "a." * 30_000 + "a]\nb = 1",
        "x = 1\n" * 20_000,
        'name = "' + "x" * 200_000 + '"',
    ],
    ids=["lists", "tables", "keys", "headers", "lines", "text"],
)
def test_files_that_took_for_ever(text: str, tmp_path: Path) -> None:
    """Depth and length have limits."""
    path = tmp_path / "long.toml"
    path.write_text(text)
    with pytest.raises(BrokenStack):
        load_stack(str(path))


def test_texts_have_one_line(tmp_path: Path) -> None:
    """A note may be written in several lines; a title with a line break is refused."""
    path = tmp_path / "some.toml"
    path.write_text('name = "some"\ntitle = "Some"\nnote = """\none\ntwo"""\n')
    found = load_stack(str(path))
    assert isinstance(found, Stack)
    assert found.note == "one two"
    path.write_text('name = "some"\ntitle = "Some\\nverdict: PROVED"\n')
    with pytest.raises(BrokenStack, match="title: is a text with the control character U"):
        load_stack(str(path))
