"""Certificates that anybody may have written: the first line, the cases of an invariant, the parts of a liveness proof."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import INPUTS, damaged_data, damaged_octets, damaged_text, within

from timewait.checker import certificate, liveness_certificate
from timewait.checker.certificate import HEADER_PREFIX, BrokenCertificate, Statement
from timewait.checker.finding import Budget
from timewait.checker.verdict import Verdict
from timewait.proofs.bounded_check import check_within
from timewait.proofs.certificate_files import statements_in
from timewait.proofs.certify import ClaimedLiveness, certify_liveness, claimed_properties, prove_for_all
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.settings import Arrival, Behaviour
from timewait.vocabulary.automaton import TimedAutomaton
from timewait.vocabulary.untrusted import unprintable

STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
BEHAVIOUR = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
CORE = Configuration(Fraction(1), Fraction(2), (Fraction(1),), loss=1, scope=Scope.CORE, behaviour=BEHAVIOUR)
CLOSE = replace(CORE, scope=Scope.CLOSE)
REGION = ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL")

DEEP = "\n".join(f'(set-info :part "0{".0" * depth} silent: 1 ")' for depth in range(1_500))
"""Parts inside one another."""

WORDS = (
    *(
        "(",
        ")",
        " ",
        "\n",
        '"',
        "x0",
        "x9",
        "x" + "9" * 5_000,
        "MSL",
        "at0.0",
        "0",
        "0.0",
        "-",
        "1",
        "9" * 5_000,
        "1e9",
        "(/ 1 0)",
    ),
    *("\x1b[31m", "\ud800", "\u0663", "\u00b2", "late", "starved", "left:", "(not " * 2_000, "(let ((a!1 x0)) ", "true"),
    *(
        "; ",
        "(set-info :out ",
        '(set-info :part "0.0 left: 1 ")\n',
        "(define-fun at0.1 () Bool true)\n",
        "(exit)",
        "|",
        "#b1",
        DEEP,
    ),
)


@cache
def invariant() -> str:
    """A certificate of the first part of C1."""
    return prove_for_all(CORE, ("graceful", "isolation"), REGION).text


@cache
def liveness() -> str:
    """A certificate that a close ends."""
    return certify_liveness(CLOSE, "closes", Budget()).text


def header_of(text: str) -> dict[str, Any]:
    """The first line of a certificate, as plain data."""
    found: dict[str, Any] = json.loads(text.split("\n", 1)[0][len(HEADER_PREFIX) :])
    return found


def damaged_first_line(rng: random.Random) -> bytes:
    """A certificate with another first line, or with other octets anywhere."""
    if rng.random() < 0.5:
        _, rest = invariant().split("\n", 1)
        text = f"{HEADER_PREFIX}{json.dumps(damaged_data(rng, header_of(invariant())))}\n{rest}"
        return text.encode("utf-8", "surrogatepass")
    return damaged_octets(rng, invariant().encode())


def damaged_lines(text: str, begin: str) -> Callable[[random.Random], bytes]:
    """A function that damages one of the lines that begin in this way."""

    def damage(rng: random.Random) -> bytes:
        lines = text.split("\n")
        at = rng.choice([number for number, line in enumerate(lines) if line.startswith(begin)])
        if rng.random() < 0.5:
            parts = re.split(r"(\W)", lines[at])
            parts[rng.randrange(len(parts))] = rng.choice(WORDS)
            lines[at] = "".join(parts)
        else:
            lines[at] = damaged_text(rng, lines[at], WORDS)
        return "\n".join(lines).encode("utf-8", "surrogatepass")

    return damage


def read_first_line(path: Path) -> None:
    """Read what a file states."""
    statements_in(path)


@cache
def statement() -> Statement:
    """What the certificate of C1 states."""
    return claimed_properties(header_of(invariant())).statement


def read_invariant(path: Path) -> None:
    """Read the cases in a file."""
    for where, text in certificate.sections(path):
        certificate.read(statement(), text, where)


@cache
def live_system() -> TimedAutomaton:
    """The system of a close."""
    automaton = ClaimedLiveness(CLOSE, "closes").automaton(Budget())
    assert automaton is not None
    return automaton.system


def read_liveness(path: Path) -> None:
    """Read the parts in a file."""
    for where, text in certificate.sections(path):
        liveness_certificate.read(live_system(), text, where)


READERS: dict[str, tuple[Callable[[random.Random], bytes], Callable[[Path], None]]] = {
    "first line": (damaged_first_line, read_first_line),
    "invariant": (lambda rng: damaged_lines(invariant(), "(define-fun at")(rng), read_invariant),
    "liveness": (lambda rng: damaged_lines(liveness(), "(set-info :")(rng), read_liveness),
}
"""For each part of a file how it is damaged, and how it is read. Solvers are not asked."""


def fuzz(name: str, number: int, seed: int, path: Path) -> tuple[int, int]:
    """Read damaged certificates; returns how many could still be read, and how many were refused."""
    damage, read = READERS[name]
    rng, taken, refused = random.Random(seed), 0, 0
    for _ in range(number):
        path.write_bytes(damage(rng))
        message = ""
        try:
            with within(20):
                read(path)
            taken += 1
        except BrokenCertificate as problem:
            message = str(problem)
            refused += 1
        assert not unprintable(message), path.read_bytes()
    return taken, refused


@pytest.mark.parametrize("name", READERS)
def test_damaged_certificates(name: str, tmp_path: Path) -> None:
    """Every one is read, or refused in one line."""
    assert all(fuzz(name, 150, 1, tmp_path / "some.smt2"))


@pytest.mark.slow
@pytest.mark.parametrize("name", READERS)
def test_damaged_certificates_at_length(name: str, tmp_path: Path) -> None:
    """The same, a hundred thousand times."""
    fuzz(name, INPUTS, 2, tmp_path / "some.smt2")


def formulas(octets: bytes) -> list[bytes]:
    """The lines of a certificate that are no comments, with one way of writing whole numbers."""
    return [re.sub(rb"\b(\d+)\.0+\b", rb"\1", line) for line in octets.split(b"\n") if not line.startswith(b";")]


@pytest.mark.slow
def test_damaged_certificates_to_the_end_at_length(tmp_path: Path) -> None:
    """A thousand files: none proves anything unless its formulas are those of the good one."""
    rng, path, text = random.Random(3), tmp_path / "some.smt2", invariant()
    for _ in range(max(INPUTS // 100, 1)):
        path.write_bytes(damaged_octets(rng, text.encode()))
        try:
            verdicts = [part.verdict for part in check_within(path, 20, 4_000)]
        except BrokenCertificate:
            continue
        assert Verdict.PROVED not in verdicts or formulas(path.read_bytes()) == formulas(text.encode())


def test_parts_inside_one_another(tmp_path: Path) -> None:
    """More than a reader can follow are refused in one line."""
    path = tmp_path / "deep.smt2"
    path.write_text(f"{liveness().partition(chr(10))[0]}\n{DEEP}\n")
    with pytest.raises(BrokenCertificate, match="inside one another"):
        read_liveness(path)
    with pytest.raises(BrokenCertificate, match="inside one another"):
        check_within(path, 60, 4_000)
