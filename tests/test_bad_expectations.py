"""Damaged files of expectations: each is read, or refused in one line that names the file."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path

import pytest
from bad_inputs import INPUTS, damaged_data, damaged_octets
from test_bad_profiles import as_toml

from timewait.cli.expectations import read_expectations
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.untrusted import unprintable

EXAMPLE = Path(__file__).parent.parent / "examples" / "stack"


def fuzz(number: int, seed: int, folder: Path) -> int:
    """Damage a good file beside its profile; returns how many were still files of expectations."""
    draw, path = random.Random(seed), folder / "timewait.toml"
    (folder / "tiny.toml").write_bytes((EXAMPLE / "tiny.toml").read_bytes())
    whole, accepted = (EXAMPLE / "timewait.toml").read_bytes(), 0
    for _ in range(number):
        octets = damaged_octets(draw, whole)
        if draw.random() < 0.7:
            data = damaged_data(draw, tomllib.loads(whole.decode()))
            text = "\n".join(f"{json.dumps(key)} = {as_toml(value)}" for key, value in data.items())
            octets = text.encode("utf-8", "surrogatepass")
        path.write_bytes(octets)
        try:
            read_expectations(path)
        except InputError as problem:
            message = str(problem)
        else:
            accepted += 1
            message = str(folder)
        assert message.startswith(str(folder)), octets
        assert not unprintable(message)
    return accepted


def test_damaged_expectations(tmp_path: Path) -> None:
    """Every one gives questions or one line."""
    assert 0 < fuzz(60, 1, tmp_path) < 60


@pytest.mark.slow
def test_damaged_expectations_at_length(tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(INPUTS, 2, tmp_path)
