"""``ci --update`` of damaged files: the one value changes and every other character stays, or nothing is written."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import pytest
from bad_inputs import INPUTS, damaged_text, within

from timewait.checker.verdict import Verdict
from timewait.cli.expectation_update import DecidedCase, least_as_expected, write_found
from timewait.cli.expectations import ExpectationFile, read_expectations
from timewait.formats.case import ReportedCase, reported_property
from timewait.formats.toml_lines import Key
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.untrusted import unprintable

EXAMPLE = Path(__file__).parent.parent / "examples" / "stack"

TEXTS = (
    (EXAMPLE / "timewait.toml").read_text(),
    """\
stacks = ["tiny.toml"] # proved
question = [
  { name = "proved", expect = "proved" }, # "proved"
  { name = 'violated "one"', loss = 2, 'expect' = { "graceful" = 'violated', isolation = "proved" }, least_time_wait = "4s" },
]
""",
    '''\
stacks = ["tiny.toml"]
options.closers = "a"
[[question]]
name = """two
lines: graceful = "proved\\""""
expect.graceful = "proved" # graceful = "proved"
least_time_wait.isolation = '4s'
[[question]]
"expect".'isolation' = """violated"""
''',
)

WORDS = (
    *("proved", "violated", '"proved"', "'violated'", '"""', "'''", "#", "\n", "\r\n", "{", "}", "[", "]", "[[question]]\n", "="),
    *(
        ".",
        ",",
        '"4s"',
        '"none"',
        '"60s"',
        'expect = "proved"\n',
        "# graceful = 'proved'\n",
        "\\",
        "\\u0041",
        "\t",
        "\u00e9",
        "\ufeff",
    ),
)


class Place(NamedTuple):
    """An expectation of a file: its question, its way in the file, and what is expected."""

    question: int
    path: tuple[Key, ...]
    value: object


def places(file: ExpectationFile) -> list[Place]:
    """Every expectation of a file."""
    found = []
    for number, question in enumerate(file.questions):
        found += [Place(number, each.path, each.verdict) for each in question.verdicts]
        found += [Place(number, each.path, each.least) for each in question.thresholds]
    return found


def update(draw: random.Random, path: Path) -> bool:
    """Write another value in the place of one; returns whether it was written."""
    before = path.read_bytes()
    file = read_expectations(path)
    place = draw.choice(places(file))
    other = Verdict.VIOLATED if place.value is Verdict.PROVED else Verdict.PROVED
    least = draw.choice((Fraction(7), Fraction(3, 2), None))
    value = str(other) if isinstance(place.value, Verdict) else least_as_expected(least)
    case = ReportedCase(reported_property("graceful"), "label", other, Verdict.INCONCLUSIVE, "", 0.0)
    message, changes = "", []
    try:
        changes = write_found(file, [DecidedCase(file.questions[place.question], case, place.path, value)])
    except InputError as problem:
        message = str(problem)
    if message:
        assert not unprintable(message)
        assert path.read_bytes() == before
        return False
    after = path.read_bytes()
    same, rest = common(before, after), common(before[::-1], after[::-1])
    assert len(changes) == 1
    assert len(after) <= min(same + rest, len(before)) + len(value) + 2, (before, after)
    for one, new in zip(places(file), places(read_expectations(path)), strict=True):
        assert one[:2] == new[:2]
        changed = other if isinstance(one.value, Verdict) else least
        assert new.value == (changed if one.path == place.path else one.value), (before, after)
    return True


def common(one: bytes, other: bytes) -> int:
    """How many octets two texts begin with in common."""
    return next(
        (at for at, (left, right) in enumerate(zip(one, other, strict=False)) if left != right), min(len(one), len(other))
    )


def fuzz(number: int, seed: int, folder: Path) -> int:
    """Update damaged files; returns how many were written."""
    draw, path, written = random.Random(seed), folder / "timewait.toml", 0
    (folder / "tiny.toml").write_bytes((EXAMPLE / "tiny.toml").read_bytes())
    for _ in range(number):
        text = draw.choice(TEXTS)
        text = damaged_text(draw, text, WORDS) if draw.random() < 0.9 else text
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        try:
            with within(20):
                written += update(draw, path)
        except InputError:
            continue
    return written


def test_damaged_updates(tmp_path: Path) -> None:
    """Some files are updated, others refused."""
    assert 0 < fuzz(150, 1, tmp_path) < 150


@pytest.mark.slow
def test_damaged_updates_at_length(tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(INPUTS, 2, tmp_path)
