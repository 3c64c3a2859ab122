"""Whether files that a command wrote are whole, and what another run may take from them."""

from __future__ import annotations

import csv
import io
import json
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from timewait.captures.capture_file import BrokenCapture
from timewait.captures.reading import SegmentReader
from timewait.checker.certificate import sections
from timewait.proofs.memory import FIRST_LINE, with_digest

EARLIER = "an earlier file\n"

BINARY = (".parquet", ".pcapng")

ENDS = {
    ".html": "</html>",
    ".smt2": "(pop 1)\n",
    ".dot": "}\n",
    ".parquet": "PAR1",
    **dict.fromkeys((".csv", ".pml", ".mmd", ".jsonl", ".toml", ".md"), "\n"),
}
"""How a file ends, by its suffix."""


def written(folder: Path) -> Iterator[Path]:
    """The files under final names: not those that a run writes beside them first."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            yield path


def contents(folder: Path) -> dict[str, bytes]:
    """The octets of each file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in written(folder)}


def half_written(path: Path) -> str:
    """Why a file is not whole; empty if it is, or if it is the earlier one."""
    octets = path.read_bytes()
    if octets == EARLIER.encode() or (path.suffix == ".jsonl" and not octets):  # no row yet
        return ""
    if path.parent.name == "cache":
        return "" if is_kept(octets.decode(errors="replace")) else f"{path} has another digest"
    try:
        text = octets.decode() if path.suffix not in BINARY else ""
        if path.suffix in (".json", ".sarif"):
            json.loads(text)
        elif path.suffix == ".jsonl":
            assert all(isinstance(json.loads(line), dict) for line in text.splitlines())
        elif path.suffix in (".xml", ".svg"):
            ElementTree.fromstring(text)
        elif path.suffix == ".toml":
            tomllib.loads(text)
        elif path.suffix == ".pcapng":
            assert sum(1 for _ in SegmentReader(io.BytesIO(octets).read, str(path))) > 0
        elif path.suffix == ".smt2":
            sections(path)
    except (ValueError, AssertionError, ElementTree.ParseError, BrokenCapture) as problem:
        return f"{path}: {problem!r}"
    end = ENDS.get(path.suffix, "").encode()
    return "" if octets.endswith((end, end + b"\n")) else f"{path} ends with {octets[-20:]!r}"


def is_kept(text: str) -> bool:
    """Whether a file of a folder for results of earlier runs is whole: it begins with the digest of the rest."""
    return text == with_digest(text.removeprefix(FIRST_LINE).partition(" ")[2])


def finished_parts(place: Path) -> set[Any]:
    """What a run finished of that from which the next one goes on: files of a folder as they were written, or rows.

    A row has the time that its answer took, so the same row again was not found anew.
    """
    if place.is_dir():
        whole = (path for path in written(place) if path.read_bytes() != EARLIER.encode())
        return {(path.name, path.stat().st_mtime_ns) for path in whole}
    final = place.with_name(place.name.removeprefix(".").removesuffix(".rows.jsonl"))
    return {(float(row["time_wait"]), float(row["seconds"])) for path in {place, final} if path.exists() for row in rows_in(path)}


def rows_in(path: Path) -> Iterable[dict[str, Any]]:
    """The whole rows in a file of rows."""
    if path.suffix == ".parquet":
        rows: list[dict[str, Any]] = pytest.importorskip("pyarrow.parquet").read_table(path).to_pylist()
        return rows
    text = path.read_text()
    text = text[: text.rfind("\n") + 1]
    return csv.DictReader(io.StringIO(text)) if path.suffix == ".csv" else map(json.loads, text.splitlines())
