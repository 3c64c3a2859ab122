"""The claims as a test suite: ``pytest proofs`` (add ``--junitxml FILE`` for a report)."""

from __future__ import annotations

import pytest

from timewait.checker.verdict import Verdict
from timewait.proofs.claims import CLAIMS
from timewait.proofs.suite import decide_claim


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) if claim.slow else name for name, claim in CLAIMS.items()]
)
def test_claim(name: str) -> None:
    """Every piece of evidence has the expected verdict."""
    result = decide_claim(name)
    assert result.pieces
    assert not result.unexpected, "\n".join(result.unexpected)
    assert result.exit_verdict is Verdict.PROVED
