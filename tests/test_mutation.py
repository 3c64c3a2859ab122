"""Mutation tests of the specification: a test or a verdict detects a change to any rule or guard.

By default a sample of the mutants is tried; all of them take some minutes. ``mutation_survivors.toml`` lists the mutants that
no check can detect, each with the reason.
"""

from __future__ import annotations

import ast
from collections import Counter

import pytest
from mutants import MUTATED, ROOT, Mutant, mutants
from mutation import sample, survivors, try_all

SAMPLE = 25

ALL = mutants()
BY_NAME = {mutant.name: mutant for mutant in ALL}

KNOWN = {
    "spec/endpoint.py:_check_reset:1:drop-effect": "test",
    "spec/exchange.py:violations:1:never-if": "verdict",
    "spec/exchange.py:loss_windows:1:never-if": "fact",
    "spec/network.py:Channel.blocked:1:drop-operand": "verdict",
    "spec/composition.py:Composition.invariant:1:never-if": "replay",
    "spec/timer_guards.py:timer_guard:2:drop-case": "verdict",
}
"""Some mutants and the kind of evidence that kills them."""


def unexplained(tried: list[Mutant]) -> list[str]:
    """The mutants that survive and are not listed, each with its change."""
    return [
        str(mutant)
        for mutant, result in zip(tried, try_all(tried), strict=True)
        if not result.kind and mutant.name not in survivors()
    ]


class TestMachinery:
    """Mutants and their names."""

    def test_names_are_unique(self) -> None:
        assert [name for name, times in Counter(mutant.name for mutant in ALL).items() if times > 1] == []

    def test_every_module_is_mutated(self) -> None:
        assert {mutant.path for mutant in ALL} == set(MUTATED)

    def test_each_mutant_is_another_module(self) -> None:
        codes = [(mutant.path, ast.unparse(mutant.tree)) for mutant in sample(ALL, SAMPLE)]
        assert len(set(codes)) == len(codes)
        originals = {ast.unparse(ast.parse(source)) for source in map(_source, MUTATED)}
        assert not originals & {code for _, code in codes}

    def test_the_sample_is_the_same_each_time_and_from_every_module(self) -> None:
        chosen = sample(ALL, SAMPLE)
        assert [mutant.name for mutant in chosen] == [mutant.name for mutant in sample(mutants(), SAMPLE)]
        assert {mutant.path for mutant in chosen} == set(MUTATED)

    def test_survivors_are_mutants_with_a_reason(self) -> None:
        assert [name for name in survivors() if name not in BY_NAME] == []
        assert [name for name, reason in survivors().items() if len(reason) < 20] == []


def _source(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def test_the_specification_itself_survives() -> None:
    """Otherwise every mutant would be killed; ``python tests/mutation.py --record`` records the answers anew."""
    (result,) = try_all([None])
    assert result.kind == "", result.detail


def test_known_mutants_are_killed() -> None:
    """The evidence is of the expected kind."""
    results = try_all([BY_NAME[name] for name in KNOWN])
    assert {name: result.kind for name, result in zip(KNOWN, results, strict=True)} == KNOWN


def test_a_sample_is_killed_or_explained() -> None:
    """At least one mutant of each module, always the same."""
    left = unexplained(sample(ALL, SAMPLE))
    assert left == [], "not detected:\n" + "\n".join(left)


@pytest.mark.slow
def test_all_are_killed_or_explained() -> None:
    """And no listed mutant is killed."""
    results = dict(zip(ALL, try_all(ALL), strict=True))
    listed = survivors()
    left = [str(mutant) for mutant, result in results.items() if not result.kind and mutant.name not in listed]
    assert left == [], "not detected:\n" + "\n".join(left)
    stale = [
        f"{mutant} is killed: {result.detail}" for mutant, result in results.items() if result.kind and mutant.name in listed
    ]
    assert stale == [], "listed as survivors:\n" + "\n".join(stale)
