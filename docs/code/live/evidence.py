"""The evidence for the claims: the answers of ``timewait prove``, which runs again if the code is newer than they are."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

import timewait.checker
import timewait.proofs
import timewait.spec
from timewait.proofs.claims import CLAIMS

RECORD = "verdicts.jsonl"
"""The file that ``timewait prove --events`` writes, beside the certificates and traces."""

DOWNLOADS = "evidence"
"""The folder of the site with the certificates and traces."""

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """One answer of an engine.

    Attributes
    ----------
    label, verdict, engine, detail : str
        The question, the verdict, the engine, and the reason or a remark.
    steps : int or None
        Length of the counterexample.
    certificate, trace : Path or None
        Their files.
    """

    label: str
    verdict: str
    engine: str
    detail: str
    steps: int | None
    certificate: Path | None
    trace: Path | None


def gather(app: Sphinx) -> None:
    """Decide the claims, unless the evidence is newer than the code.

    Raises
    ------
    ExtensionError
        A verdict is not the expected one, or `timewait prove` failed.
    """
    folder = folder_of(app)
    fault = stale(folder)
    if not fault:
        return
    LOG.info("%s; timewait prove decides the claims, which takes minutes", fault)
    folder.mkdir(parents=True, exist_ok=True)
    record = folder / RECORD
    for old in _files(folder):
        old.unlink()
    command = [sys.executable, "-m", "timewait", "prove", "--all", "--out", str(folder), "--events", str(record)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    fault = stale(folder)
    if done.returncode or fault:
        raise ExtensionError(f"timewait prove exited with {done.returncode}; {fault}\n{done.stdout}{done.stderr}")


def download(file: Path, docname: str) -> str:
    """The address of a certificate or a trace, relative to a page."""
    return f"{'../' * docname.count('/')}{DOWNLOADS}/{file.name}"


def write_downloads(app: Sphinx, problem: Exception | None) -> None:
    """Copy the certificates and the traces of all claims into the site."""
    if problem is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir, DOWNLOADS)
    folder.mkdir(exist_ok=True)
    found = (answer for claim in CLAIMS for answer in answers(folder_of(app), claim))
    for file in (file for answer in found for file in (answer.certificate, answer.trace) if file is not None):
        shutil.copyfile(file, folder / file.name)


def folder_of(app: Sphinx) -> Path:
    """The folder with the evidence."""
    return Path(app.srcdir, app.config.timewait_evidence).resolve()


def stale(folder: Path) -> str:
    """The reason why the evidence in a folder cannot be used; empty if it can."""
    record = folder / RECORD
    if not record.exists():
        return f"there is no {record}"
    try:
        events = _events(record)
    except ValueError:  # torn, for instance by a build that was interrupted
        return f"{record} is damaged"
    if not events or events[-1].get("event") != "end" or events[-1].get("exit_code") != 0:
        return f"{record} does not end as expected"
    missing = sorted(set(CLAIMS) - {event["asked"] for event in events if event["event"] == "verdict"})
    if missing:
        return f"{record} says nothing of {', '.join(missing)}"
    newest = max(_sources(), key=lambda path: path.stat().st_mtime)
    oldest = min([record, *_files(folder)], key=lambda path: path.stat().st_mtime)
    if newest.stat().st_mtime > oldest.stat().st_mtime:
        return f"{newest} is newer than {oldest}"
    return ""


def _files(folder: Path) -> list[Path]:
    """The certificates and traces in a folder."""
    return [*folder.glob("*.smt2"), *folder.glob("*.itf.json")]


def _sources() -> Iterator[Path]:
    """The files on which a verdict may depend."""
    for package in (timewait.spec, timewait.checker, timewait.proofs):
        folder = Path(str(package.__file__)).parent
        yield from (path for path in folder.rglob("*") if path.suffix in (".py", ".toml"))


def _events(record: Path) -> list[dict[str, object]]:
    lines = record.read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def answers(folder: Path, claim: str) -> list[RecordedAnswer]:
    """The answers for a claim, in order."""
    found = [event for event in _events(folder / RECORD) if event["event"] == "verdict" and event["asked"] == claim]
    return [_answer(folder, claim, number, event) for number, event in enumerate(found, start=1)]


def shortest(found: list[RecordedAnswer]) -> RecordedAnswer | None:
    """The answer with the shortest counterexample, whose review page the site has."""
    return min((answer for answer in found if answer.trace is not None), key=lambda answer: answer.steps or 0, default=None)


def _answer(folder: Path, claim: str, number: int, event: dict[str, object]) -> RecordedAnswer:
    certificate, trace = (folder / f"{claim}.{number}.{end}" for end in ("smt2", "itf.json"))
    steps = event["steps"]
    return RecordedAnswer(
        label=str(event["label"]),
        verdict=str(event["verdict"]),
        engine=str(event["engine"]),
        detail=str(event["reason"] or ""),
        steps=steps if isinstance(steps, int) else None,
        certificate=certificate if certificate.exists() else None,
        trace=trace if steps is not None else None,
    )
