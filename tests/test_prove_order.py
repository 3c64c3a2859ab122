"""The order in which `prove` begins claims, and in which it yields them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from timewait.proofs import suite
from timewait.proofs.claims import CLAIMS
from timewait.proofs.suite import ClaimResult


def test_the_longest_begins_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The claims that take longest begin first, and the results come in the order that was asked for."""
    begun: list[str] = []

    def spread(cluster: str, work: Any, calls: Any, *others: Any) -> Iterator[tuple[int, ClaimResult]]:
        del cluster, work, others
        for place, (name, *_) in enumerate(calls):
            begun.append(name)
            yield place, ClaimResult(name, "", CLAIMS[name].expected, 0.0, ())

    monkeypatch.setattr(suite, "spread", spread)
    asked = ["C2", "C9", "C3", "C6", "C17", "C1"]
    assert [result.name for result in suite.prove(asked, 2, None)] == asked
    assert begun == ["C3", "C17", "C1", "C2", "C9", "C6"]


def test_evidence_is_written_when_it_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What was decided before a run ends early is kept, though a claim before it in the order is not decided."""
    written: list[str] = []

    def spread(cluster: str, work: Any, calls: Any, *others: Any) -> Iterator[tuple[int, ClaimResult]]:
        del cluster, work, others
        name, *_ = next(iter(calls))
        yield 0, ClaimResult(name, "", CLAIMS[name].expected, 0.0, ())
        raise KeyboardInterrupt

    monkeypatch.setattr(suite, "spread", spread)
    monkeypatch.setattr(suite, "_write", lambda result, _: written.append(result.name))
    with pytest.raises(KeyboardInterrupt):
        next(suite.prove(["C2", "C3"], 2, tmp_path))
    assert written == ["C3"]
