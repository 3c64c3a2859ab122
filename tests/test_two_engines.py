"""Evidence by two engines: they agree, they disagree, or one of them has no answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from timewait.checker.decide import Answer
from timewait.checker.finding import Finding
from timewait.checker.verdict import Verdict
from timewait.proofs import evidence
from timewait.proofs.claims import core

PROVED, VIOLATED, INCONCLUSIVE, VACUOUS, DISAGREEMENT = (
    Verdict.PROVED,
    Verdict.VIOLATED,
    Verdict.INCONCLUSIVE,
    Verdict.VACUOUS,
    Verdict.DISAGREEMENT,
)


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [
        ((PROVED, PROVED), PROVED),
        ((VIOLATED, VIOLATED), VIOLATED),
        ((PROVED, VIOLATED), DISAGREEMENT),
        ((VACUOUS, PROVED), DISAGREEMENT),
        ((INCONCLUSIVE, PROVED), INCONCLUSIVE),
        ((VIOLATED, INCONCLUSIVE), INCONCLUSIVE),
        ((INCONCLUSIVE, INCONCLUSIVE), INCONCLUSIVE),
    ],
)
def test_what_two_answers_say_together(verdicts: Sequence[Verdict], together: Verdict, monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine without an answer contradicts nobody, and confirms nobody."""
    answers: Iterator[Verdict] = iter(verdicts)

    def decided(*_: object) -> list[Answer]:
        return [Answer(Finding("graceful", next(answers), "an engine"))]

    monkeypatch.setattr(evidence, "decided", decided)
    assert evidence.agreed("label", core(2, 4, 1, 1), "graceful", PROVED).verdict is together
