"""The evidence for the claims: what ``timewait prove`` found, decided anew when the code has changed since."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

import checker
import proofs
import spec
from timewait.proofs.claims import CLAIMS

RECORD = "verdicts.jsonl"
"""What ``timewait prove --events`` writes, beside the certificates and traces."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence.

    Attributes
    ----------
    label, verdict, engine, detail : str
        What was asked, what came out, who decided it, and what else is to be said.
    steps : int or None
        How long the counterexample is, where there is one.
    certificate, trace : Path or None
        Where they are.
    """

    label: str
    verdict: str
    engine: str
    detail: str
    steps: int | None
    certificate: Path | None
    trace: Path | None


def gathered(app: Sphinx) -> None:
    """Decide the claims, unless that has been done since the code last changed.

    Raises
    ------
    ExtensionError
        A claim did not come out as expected, or `timewait prove` failed.
    """
    folder = folder_of(app)
    fault = stale(folder)
    if not fault:
        return
    LOG.info("%s; timewait prove decides the claims, which takes minutes", fault)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / RECORD
    for old in _kept(folder):
        old.unlink()
    command = [sys.executable, "-m", "timewait", "prove", "--all", "--out", str(folder), "--events", str(record)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    fault = stale(folder)
    if done.returncode or fault:
        raise ExtensionError(f"timewait prove exited with {done.returncode}; {fault}\n{done.stdout}{done.stderr}")


def folder_of(app: Sphinx) -> Path:
    """Where the evidence is kept."""
    return Path(app.srcdir, app.config.timewait_evidence).resolve()


def stale(folder: Path) -> str:
    """Why the evidence in a folder is not to be used; empty when it is."""
    record = folder / RECORD
    if not record.exists():
        return f"there is no {record}"
    events = _events(record)
    if not events or events[-1].get("event") != "end" or events[-1].get("exit_code") != 0:
        return f"{record} does not end as expected"
    missing = sorted(set(CLAIMS) - {event["asked"] for event in events if event["event"] == "verdict"})
    if missing:
        return f"{record} says nothing of {', '.join(missing)}"
    newest = max(_sources(), key=lambda path: path.stat().st_mtime)
    oldest = min([record, *_kept(folder)], key=lambda path: path.stat().st_mtime)
    if newest.stat().st_mtime > oldest.stat().st_mtime:
        return f"{newest} is newer than {oldest}"
    return ""


def _kept(folder: Path) -> list[Path]:
    """The certificates and traces in a folder."""
    return [*folder.glob("*.smt2"), *folder.glob("*.itf.json")]


def _sources() -> Iterator[Path]:
    """Whatever a verdict may depend on."""
    for package in (spec, checker, proofs):
        folder = Path(str(package.__file__)).parent
        yield from (path for path in folder.rglob("*") if path.suffix in (".py", ".toml"))


def _events(record: Path) -> list[dict[str, object]]:
    lines = record.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def pieces(folder: Path, claim: str) -> list[Piece]:
    """The evidence for a claim, in order."""
    found = [event for event in _events(folder / RECORD) if event["event"] == "verdict" and event["asked"] == claim]
    return [_piece(folder, claim, number, event) for number, event in enumerate(found, start=1)]


def shown(found: list[Piece]) -> Path | None:
    """Of several pieces the trace that is shown as a review page: the shortest."""
    traces = [(piece.steps or 0, number, piece.trace) for number, piece in enumerate(found) if piece.trace is not None]
    return min(traces)[2] if traces else None


def _piece(folder: Path, claim: str, number: int, event: dict[str, object]) -> Piece:
    certificate, trace = (folder / f"{claim}.{number}.{end}" for end in ("smt2", "itf.json"))
    steps = event["steps"]
    return Piece(
        label=str(event["label"]),
        verdict=str(event["verdict"]),
        engine=str(event["engine"]),
        detail=str(event["reason"] or ""),
        steps=steps if isinstance(steps, int) else None,
        certificate=certificate if certificate.exists() else None,
        trace=trace if steps is not None else None,
    )
