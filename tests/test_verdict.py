"""The order of verdicts and of exit codes."""

from __future__ import annotations

from itertools import combinations_with_replacement, permutations, product

import pytest

from timewait.checker.verdict import SEVERITY, Verdict, worst, worst_exit

FROM_BEST_TO_WORST = [
    Verdict.PROVED,
    Verdict.INCONCLUSIVE,
    Verdict.VACUOUS,
    Verdict.VIOLATED,
    Verdict.DISAGREEMENT,
]


def test_the_order_is_total() -> None:
    """Of any two verdicts exactly one of better, same and worse."""
    assert list(Verdict) == FROM_BEST_TO_WORST
    for (place, one), (other_place, other) in product(enumerate(FROM_BEST_TO_WORST), repeat=2):
        assert (one < other, one == other, one > other) == (place < other_place, place == other_place, place > other_place)


def test_the_worst_of_several() -> None:
    """The order in which they are given does not matter; of none it is that nothing was asked."""
    for count in (1, 2, 3):
        for chosen in combinations_with_replacement(FROM_BEST_TO_WORST, count):
            assert {worst(order) for order in permutations(chosen)} == {chosen[-1]}
    assert worst([]) is Verdict.VACUOUS
    assert worst(iter([Verdict.VIOLATED, Verdict.PROVED])) is Verdict.VIOLATED


@pytest.mark.parametrize(
    ("verdict", "code", "word"),
    [
        (Verdict.PROVED, 0, "proved"),
        (Verdict.VIOLATED, 10, "violated"),
        (Verdict.INCONCLUSIVE, 20, "inconclusive"),
        (Verdict.VACUOUS, 30, "vacuous"),
        (Verdict.DISAGREEMENT, 40, "disagreement"),
    ],
)
def test_exit_codes(verdict: Verdict, code: int, word: str) -> None:
    """Each its own, and none that a crash or bad usage gives."""
    assert (verdict.exit_code, str(verdict)) == (code, word)
    assert code not in (1, 2, 3, 4)


def test_every_verdict_and_every_error_has_its_place() -> None:
    """No code twice, none left out."""
    assert sorted(SEVERITY) == sorted([*(verdict.exit_code for verdict in Verdict), 1, 2, 3, 4])


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 30),
        ([0], 0),
        ([0, 0], 0),
        ([0, 20], 20),
        ([20, 30], 30),
        ([30, 4], 4),
        ([4, 3], 3),
        ([3, 2], 2),
        ([2, 1], 1),
        ([1, 10], 10),
        ([10, 40], 40),
        ([0, 20, 30, 4, 3, 2, 1, 10, 40], 40),
        ([0, 2, 30], 2),
        ([1, 1], 1),
    ],
)
def test_the_worst_exit_code(codes: list[int], expected: int) -> None:
    """An error is worse than to know nothing, and better than to know the worst."""
    for order in {tuple(codes), tuple(reversed(codes))}:
        assert worst_exit(order) == expected


def test_exit_codes_are_ordered_as_verdicts_are() -> None:
    """The worst exit code of some verdicts is that of the worst."""
    for one, other in product(Verdict, repeat=2):
        assert worst_exit([one.exit_code, other.exit_code]) == worst([one, other]).exit_code
    assert worst_exit([]) == worst([]).exit_code
