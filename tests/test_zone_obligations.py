"""Invariants checked by shortest paths: both solvers accept what these accept, and of honest certificates nothing stays open."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from timewait.checker import certificate
from timewait.checker.linear import constraint
from timewait.checker.zone_obligations import NotZones, ZoneInvariant
from timewait.proofs.certify import ClaimedProperties, certified_proof, claimed_properties, prove_for_all
from timewait.proofs.claims import INTENDED, close, core
from timewait.spec.configuration import Configuration

REGION = ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL")

SOME = 5
"""Changes of a certificate in a default run."""

NUMBER = re.compile(r"[0-9]+\.0")


def honest(configuration: Configuration) -> tuple[ClaimedProperties, str]:
    """A certificate, and what it states."""
    text = prove_for_all(configuration, ["graceful", "isolation"], REGION).text
    return claimed_properties(certificate.header(text, "a test")), text


def accepted(claimed: ClaimedProperties, text: str) -> bool:
    """Whether shortest paths show that the cases in a text are an invariant."""
    try:
        return not ZoneInvariant(claimed.statement, text).unproved()
    except NotZones:
        return False


def accepted_by_solvers(claimed: ClaimedProperties, text: str) -> bool:
    """Whether Z3 and cvc5 accept it."""
    return not certified_proof(claimed, certificate.read(claimed.statement, text, "a test")).reason


@pytest.mark.parametrize(
    "configuration",
    [core(1, 2, 1, 1), close(1, 2, 1, 0), close(1, 2, 1, 1), replace(close(1, 2, 1, 0, INTENDED), both_close=True)],
    ids=["core", "close", "close with a loss", "either first"],
)
def test_honest(configuration: Configuration) -> None:
    """Of a certificate that both solvers accept nothing stays open."""
    claimed, text = honest(configuration)
    found = ZoneInvariant(claimed.statement, text)
    assert found.unproved() == ""
    assert 0 < found.locations <= found.cases


def _another_number(line: str, draw: random.Random) -> str:
    place = draw.choice(list(NUMBER.finditer(line, line.index("Bool"))))
    return f"{line[: place.start()]}{draw.choice(['0.0', '1.0', '2.0', '3.0'])}{line[place.end() :]}"


def _without_a_bound(line: str, draw: random.Random) -> str:
    bounds = re.findall(r"\(<=? (?:\([^()]*\)|\S+) (?:\((?:[^()]|\([^()]*\))*\)|[0-9.]+)\)", line)
    return line.replace(f" {draw.choice(bounds)}", "", 1) if len(bounds) > 2 else line


def _other_relation(line: str, draw: random.Random) -> str:
    place = draw.choice(list(re.finditer(r"<=? ", line)))
    return f"{line[: place.start()]}{'< ' if place[0] == '<= ' else '<= '}{line[place.end() :]}"


@pytest.mark.parametrize("change", [_another_number, _without_a_bound, _other_relation])
def test_changed(change: Callable[[str, random.Random], str]) -> None:
    """A case with another number, relation, or a bound less is accepted only where both solvers accept it too."""
    claimed, text = honest(core(1, 2, 1, 1))
    rows = [row for row, line in enumerate(text.split("\n")) if re.match(r"\(define-fun at[0-9]+\.[0-9]+ .* Bool .*[<]", line)]
    draw = random.Random(7)
    answers = []
    for _ in range(SOME):
        lines, row = text.split("\n"), draw.choice(rows)
        lines[row] = change(lines[row], draw)
        other = "\n".join(lines)
        if other != text and accepted(claimed, other):
            assert accepted_by_solvers(claimed, other), lines[row]
        if other != text:
            answers.append(accepted(claimed, other))
    assert False in answers


@pytest.mark.parametrize(
    ("region", "holds"),
    [
        (REGION, True),
        ((*REGION, "RTO <= 1/2*MSL"), True),
        (("MSL > 0", "RTO > 0", "RTO == MSL", "TIME_WAIT > 2*MSL"), True),
        (("MSL >= 1", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL + 1"), True),
        (("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 1/2*MSL"), False),
        (("MSL > 0", "RTO > 0", "TIME_WAIT >= 2*MSL"), False),
        (("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL - 1"), False),
        (("MSL > 0", "RTO > 0", "RTO <= MSL + 1", "TIME_WAIT >= 2*MSL"), False),
    ],
)
def test_another_region(region: tuple[str, ...], holds: bool) -> None:
    """The same cases are an invariant in a part of the region, and not in one with values where the property fails."""
    claimed, text = honest(core(1, 2, 1, 1))
    other = replace(claimed, region=[constraint(part) for part in region])
    assert accepted(other, text) is holds
    if not holds:
        assert not accepted_by_solvers(other, text)


def test_no_zones() -> None:
    """A case that is no zone, a clock that a location lacks, or large numbers are not decided."""
    claimed, text = honest(core(1, 2, 1, 0))
    line = next(line for line in text.split("\n") if re.match(r"\(define-fun at0\.0 ", line))
    head = line.partition("Bool ")[0]
    for body in (
        "(or true false)",
        "(<= x77 0.0)",
        "(<= (- x0 x0) 0.0)",
        "(<= x0 (* 99999999999.0 MSL))",
        "(<= x0 (* 1.0 OTHER))",
    ):
        with pytest.raises(NotZones):
            ZoneInvariant(claimed.statement, text.replace(line, f"{head}Bool {body})")).unproved()
