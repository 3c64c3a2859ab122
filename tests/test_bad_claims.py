"""Claims of one's own in damaged files: each is registered whole, or refused in one line."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from bad_inputs import INPUTS, damaged_octets, damaged_text, within

from timewait.checker.verdict import Verdict
from timewait.proofs.claim import CLAIMS
from timewait.proofs.claim_files import load_claims, with_checked_evidence
from timewait.proofs.evidence import Evidence
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.untrusted import unprintable

CLAIM = """\
from timewait.checker.verdict import Verdict
from timewait.proofs.claim import claim
from timewait.proofs.evidence import Evidence

@claim("Mine-1", "one and one are two", "design, 3", Verdict.PROVED, slow=False)
def mine():
    yield Evidence("one", Verdict.PROVED, Verdict.PROVED, "arithmetic", "1 + 1 == 2")
"""

WORDS = (
    *("None", "1", "-1", "1e999", "''", "()", "{}", "\\x1b[31m", "\\n", "\\ud800", "\\u202e", "\\", "\0", "\f", "\t", "\n", "#"),
    *("raise ", "return ", "yield ", "1/0", "exit()", "Verdict.VIOLATED", "Verdict.INCONCLUSIVE", "*", "[" * 300, "(" * 300),
    *("@", ":", "=", '"', "'", '"""', "lambda: ", "not ", "assert 0\n", "\u00e9", "\u2028", "9" * 5_000, "C1", "class X: pass\n"),
)


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    """The registry is restored after each test."""
    before = dict(CLAIMS)
    yield
    CLAIMS.clear()
    CLAIMS.update(before)


def fuzz(number: int, seed: int, path: Path) -> int:
    """Load damaged files; returns how many registered a claim."""
    rng, accepted = random.Random(seed), 0
    for _ in range(number):
        text = damaged_text(rng, CLAIM, WORDS)
        octets = text.encode("utf-8", "surrogatepass")
        path.write_bytes(damaged_octets(rng, octets) if rng.random() < 0.2 else octets)
        message = ""
        try:
            with within(20), warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                for name in load_claims(path):
                    look_at(name)
                accepted += 1
        except InputError as problem:
            message = str(problem)
        assert "\n" not in message, octets
        assert not unprintable(message), octets
    return accepted


def look_at(name: str) -> None:
    """A claim has texts in a line and an expected verdict, and yields evidence or one line."""
    claim = CLAIMS[name]
    assert not any(map(unprintable, (claim.statement, claim.section)))
    assert claim.expected in (Verdict.PROVED, Verdict.VIOLATED)
    assert (type(claim.slow), type(claim.seconds)) == (bool, int)
    assert all(isinstance(piece, Evidence) for piece in with_checked_evidence(claim).gather())


def test_damaged_claims(tmp_path: Path) -> None:
    """Every one gives claims or one line."""
    assert 0 < fuzz(300, 1, tmp_path / "mine.py") < 300


@pytest.mark.slow
def test_damaged_claims_at_length(tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(INPUTS, 2, tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("part", "other", "problem"),
    [
        ('"one and one are two"', '"one\\n::error::two"', "its statement must be a text in one line"),
        ('"design, 3"', "3", "its section must be a text in one line"),
        ("Verdict.PROVED, slow", "Verdict.INCONCLUSIVE, slow", "its verdict must be Verdict.PROVED or Verdict.VIOLATED"),
        ("slow=False", 'slow="no"', "slow must be True or False"),
    ],
)
def test_a_claim_that_reports_cannot_show(part: str, other: str, problem: str, tmp_path: Path) -> None:
    """It is refused before anything is decided."""
    path = tmp_path / "mine.py"
    path.write_text(CLAIM.replace(part, other, 1))
    with pytest.raises(InputError, match=problem):
        load_claims(path)
    assert "Mine-1" not in CLAIMS
