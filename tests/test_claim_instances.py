"""The words of each claim hold at points that its evidence did not use."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from random import Random
from typing import Any

import pytest

from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.proofs import claims, crash, next_incarnation, old_syn
from timewait.proofs.claim import CLAIMS
from timewait.proofs.evidence import Evidence
from timewait.proofs.instance import Instance
from timewait.proofs.instances import INSTANCES
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES

SLOW_DRAWS = 3
KINDS = ("at", "all_at", "agreed", "least")
"""The functions of evidence that decide single configurations."""


def drawn(name: str, seed: int) -> list[Instance]:
    """The instances of a claim for a seed."""
    return list(INSTANCES[name](Random(f"{name} {seed}")))


def wrong(instance: Instance) -> str:
    """Where the words and an engine disagree; empty if they agree."""
    asked = [PROPERTIES[instance.name]]
    (answer,) = decide(question(instance.configuration), asked, Engine.ZONES, Budget(seconds=240))
    if answer.verdict is instance.expected:
        return ""
    return f"{instance.words!r} predicts {instance.expected} of {instance.name}, not {answer.verdict}: {instance.configuration}"


def used(name: str, monkeypatch: pytest.MonkeyPatch) -> set[Configuration]:
    """The configurations that the evidence of a claim decides one by one."""
    found: set[Configuration] = set()

    def recorded(*arguments: Any, **named: Any) -> Any:
        found.update(value for value in (*arguments, *named.values()) if isinstance(value, Configuration))
        return Evidence("", Verdict.PROVED, Verdict.PROVED, "")

    def several(*arguments: Any, **named: Any) -> Iterator[Evidence]:
        yield recorded(*arguments, **named)

    one = ("at", "agreed", "least", "for_all", "by_horn", "for_every_duration", "for_all_by_schedule")
    many = ("all_at", "as_formula", "for_any_text")
    for module, kind in product((claims, crash, next_incarnation, old_syn), (*one, *many)):
        monkeypatch.setattr(module, kind, recorded if kind in one else several, raising=False)
    list(CLAIMS[name].gather())
    return found


@pytest.mark.parametrize("name", INSTANCES)
def test_each_instance_quotes_its_claim(name: str) -> None:
    """The words that predict a verdict are words of the statement."""
    for instance in drawn(name, 0):
        assert instance.words in CLAIMS[name].statement


@pytest.mark.parametrize("name", INSTANCES)
def test_no_instance_is_evidence(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The points are not those of the evidence."""
    evidence = used(name, monkeypatch)
    assert evidence
    for seed in range(SLOW_DRAWS):
        assert not {instance.configuration for instance in drawn(name, seed)} & evidence


def test_every_claim_has_instances() -> None:
    """A claim without instances has words that nothing tests."""
    assert set(INSTANCES) == set(CLAIMS)


@pytest.mark.parametrize("name", INSTANCES)
def test_the_words_hold_at_a_few_points(name: str) -> None:
    """One draw of the instances that are decided in a moment."""
    assert not [text for instance in drawn(name, 0) if not instance.slow and (text := wrong(instance))]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, SLOW_DRAWS + 1))
@pytest.mark.parametrize("name", INSTANCES)
def test_the_words_hold_at_more_points(name: str, seed: int) -> None:
    """More draws, with the instances that take seconds."""
    assert not [text for instance in drawn(name, seed) if (text := wrong(instance))]


def test_words_that_outrun_the_truth_are_found() -> None:
    """Words that the evidence at one point suggested, and that are false at another."""
    (instance, *_) = drawn("C5", 0)
    assert "2M is not enough" in instance.words
    assert wrong(Instance(instance.words, instance.configuration, instance.name, Verdict.PROVED))
