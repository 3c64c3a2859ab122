"""Values on command lines: each is read at once, or refused in one line; whatever was typed."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from bad_inputs import INPUTS, damaged_text, within
from commands import run

from timewait.captures.choosing import chosen, groups
from timewait.captures.closes import read_closes
from timewait.cli.main import FORMER, cli
from timewait.cli.value_types import Parsed
from timewait.proofs.claims import close
from timewait.vocabulary.errors import RequestError

CAPTURE = Path(__file__).parent.parent / "examples" / "capture.pcapng"

GOOD = (
    *("30s", "250ms", "1.5s", "2m30s", "0", "1h", "none", "any", "1s,2s,4s", "10s..60s/10s", "1s..4s", "0..3", "1,1", "1/4,2"),
    *("1%", "0.01", "1/100", "1000/s", "60/m", "fin,ack", "answered", "linux,freebsd", "all", "a", "17", "1e3", "auto"),
    *("3", "frame:57", "192.0.2.1:49152-192.0.2.2:50000#1", "reset,unanswered"),
)

WORDS = (
    *(
        "9" * 5_000,
        "1e999999999",
        "1e-999999999",
        "inf",
        "nan",
        "-1",
        "1/0",
        "/0",
        "..",
        "//",
        ",",
        "," * 200,
        "#",
        "%",
        "-",
        ":",
    ),
    *("\x1b[31m", "\n", "\ud800", "\u0663", "\u00b2", "\u202e", "0x10", "1_0", " ", "us", "h", "..1us/1us", "999999999999h"),
)


def commands(command: click.Command, name: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command below a group, with its words."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command)
    for each in [*command.list_commands(context), *(FORMER if command is cli else ())]:
        found = command.get_command(context, each)
        assert found is not None
        yield from commands(found, f"{name} {each}".strip())


def readers() -> list[tuple[str, click.Parameter]]:
    """A parameter for each way of reading a value, with its name; files and free texts are read elsewhere."""
    found: dict[Any, tuple[str, click.Parameter]] = {}
    for name, command in commands(cli):
        for each in command.params:
            kind = each.type
            key = kind._parse if isinstance(kind, Parsed) else repr(kind)
            if not isinstance(kind, click.Path) and kind.name != "text":
                found.setdefault(key, (f"{name} {each.name}", each))
    return [*found.values()]


READERS = readers()


def fuzz(number: int, seed: int) -> tuple[int, int]:
    """Read damaged values; returns how many were values, and how many were not."""
    rng, context = random.Random(seed), click.Context(cli)
    connections = read_closes(CAPTURE, close(1, 2, 1, 1)).connections
    accepted = refused = 0
    for _ in range(number):
        text = damaged_text(rng, rng.choice(GOOD), WORDS)
        _, parameter = rng.choice(READERS)
        try:
            with within(5):
                if (way := rng.random()) < 0.9:
                    value = parameter.type.convert(text, parameter, context)
                    assert not isinstance(value, float) or math.isfinite(value), text
                elif way < 0.95:
                    chosen(connections, text)
                else:
                    groups(text)
        except (click.UsageError, RequestError):
            refused += 1
        else:
            accepted += 1
    return accepted, refused


def test_every_kind_is_read() -> None:
    """The types of all options of all commands are among the readers."""
    names = " ".join(name for name, _ in READERS)
    for part in ("check msl", "check loss", "sweep msl", "threshold ratios", "risk loss_rate", "capacity opened", "max_seconds"):
        assert part in names


def test_damaged_values() -> None:
    """Every one gives a value or one line."""
    assert all(fuzz(2_000, 1))


@pytest.mark.slow
def test_damaged_values_at_length() -> None:
    """The same, a hundred thousand times."""
    fuzz(INPUTS, 2)


@pytest.mark.parametrize(
    "words",
    [
        ("threshold", "--symbolic", "--msl", "1s", "--rto", "1s", "--ratios", "1e999999999,2e999999999"),
        ("risk", "--rtt", "50ms", "--loss-rate", "1e999999999"),
        ("risk", "--rtt", "50ms", "--loss-rate", "1e-99999999"),
        ("check", "--msl", "1s", "--rto", "1s", "--time-wait", "1s", "--max-seconds", "nan"),
        ("check", "--msl", "1s", "--rto", "1s", "--time-wait", "1s", "--max-seconds", "inf"),
        ("diagram", "states", "--scale", "nan", "--out", "a.png"),
        ("explain", str(CAPTURE), "--connection", f"192.0.2.1:49152#{'9' * 5_000}"),
        ("explain", str(CAPTURE), "--connection", "192.0.2.1:49152#\u00b2"),
    ],
)
def test_values_that_took_for_ever(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """A usage error in one line, at once."""
    with within(20):
        code, out, err = run(capsys, *words)
    assert (code, out, err.count("\n")) == (2, "", 1)
