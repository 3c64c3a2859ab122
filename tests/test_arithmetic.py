"""Real arithmetic for all values."""

from __future__ import annotations

import pytest

from timewait.checker.arithmetic import follows
from timewait.checker.verdict import Verdict


@pytest.mark.parametrize(
    ("conditions", "conclusion", "verdict"),
    [
        (["(> x 1)", "(> y 1)"], "(> (* x y) 1)", Verdict.PROVED),
        (["(> x 1)", "(> y 0)"], "(> (* x y) 1)", Verdict.VIOLATED),
        (["(> x 1)"], "(>= x 1)", Verdict.PROVED),
    ],
)
def test_follows(conditions: list[str], conclusion: str, verdict: Verdict) -> None:
    """A conclusion follows, or some values refute it."""
    assert follows(["x", "y"], conditions, conclusion) is verdict
