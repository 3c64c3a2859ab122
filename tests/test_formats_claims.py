"""Every counterexample of every claim in every format. Slow: decides all claims, except for their proofs for all values.

If the environment variable ``TIMEWAIT_EVIDENCE`` names a folder written by ``timewait prove --out``, its traces are used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from node_packages import SARIF_SCHEMA, mermaid_results, needs_mermaid, needs_sarif_schema
from tshark import agrees, needs_tshark

from timewait.checker import itf
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.formats import mermaid, packetdrill, sarif
from timewait.formats.case import case_of_trace
from timewait.proofs import claims
from timewait.proofs.claim import CLAIMS
from timewait.proofs.evidence import Evidence

pytestmark = pytest.mark.slow
EVIDENCE = os.environ.get("TIMEWAIT_EVIDENCE")


def skipped(label: str, *_: object) -> Evidence:
    """In place of a proof for all values, which has no trace."""
    return Evidence(label, Verdict.PROVED, Verdict.PROVED, "nobody")


def traces(name: str) -> Iterator[Trace]:
    """The traces of a claim."""
    if EVIDENCE:
        yield from (itf.read(file) for file in sorted(Path(EVIDENCE).glob(f"{name}.*.itf.json")))
    else:
        yield from (piece.trace for piece in CLAIMS[name].gather() if piece.trace is not None)


@pytest.fixture(scope="module", params=CLAIMS)
def found(request: pytest.FixtureRequest) -> list[Trace]:
    """The counterexamples of a claim."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "for_all", skipped)
        shown = list(traces(request.param))
    if not shown:
        pytest.skip(f"{request.param} has no counterexample")
    return shown


@needs_tshark
@pytest.mark.parametrize("end", ["a", "b"])
def test_wireshark_agrees(found: list[Trace], end: str, tmp_path: Path) -> None:
    """On checksums, malformed packets, and retransmissions."""
    for trace in found:
        agrees(trace, end, tmp_path)


@needs_mermaid
def test_mermaid_accepts_them(found: list[Trace], tmp_path: Path) -> None:
    """Mermaid's own parser, on every diagram."""
    assert mermaid_results([mermaid.as_mermaid_text(trace) for trace in found], tmp_path) == ["sequence"] * len(found)


@needs_sarif_schema
def test_sarif(found: list[Trace]) -> None:
    """The official schema accepts them."""
    schema = json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))
    jsonschema.Draft4Validator(schema).validate(sarif.log([case_of_trace(trace) for trace in found], "1.2.3"))


def test_files(found: list[Trace], tmp_path: Path) -> None:
    """Each file satisfies the schema of traces, and reads back as the same trace."""
    validator = jsonschema.Draft202012Validator(json.loads(itf.SCHEMA.read_text(encoding="utf-8")))
    for trace in found:
        validator.validate(itf.as_itf(trace))
        file = tmp_path / "trace.itf.json"
        file.write_text(itf.as_itf_text(trace), encoding="utf-8")
        assert itf.read(file) == trace


@pytest.mark.parametrize("end", ["a", "b"])
def test_packetdrill(found: list[Trace], end: str) -> None:
    """A script describes every step up to the next incarnation."""
    for trace in found:
        text = packetdrill.as_packetdrill(trace, end)
        assert text.count("// step ") == len(trace.steps) or "not covered from here on" in text
