"""Review pages: of the shortest counterexample of each claim, and of every check in a directive ``review``."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from live.evidence import answers, folder_of, shortest
from timewait.checker import itf
from timewait.diagrams.page import page
from timewait.proofs.claims import CLAIMS

FOLDER = "review"


def address(name: str, docname: str) -> str:
    """The address of a review page, relative to another page."""
    return f"{'../' * docname.count('/')}{FOLDER}/{name}.html"


def slug(command: str) -> str:
    """The name of the review page of a command."""
    return re.sub(r"[^a-z0-9.]+", "-", command.lower()).strip("-")


def write_reviews(app: Sphinx, problem: Exception | None) -> None:
    """Write every review page.

    Raises
    ------
    ExtensionError
        A check found no counterexample.
    """
    if problem is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir, FOLDER)
    folder.mkdir(exist_ok=True)
    for claim in CLAIMS:
        answer = shortest(answers(folder_of(app), claim))
        if answer is None or answer.trace is None:
            continue
        target = folder / f"{answer.trace.name.removesuffix('.itf.json')}.html"
        if not target.exists() or target.stat().st_mtime < answer.trace.stat().st_mtime:
            target.write_text(page(itf.read(answer.trace)), encoding="utf-8")
    for name, command in getattr(app.env, "timewait_reviews", {}).items():
        _run(folder / f"{name}.html", command)


def _run(target: Path, command: str) -> None:
    target.unlink(missing_ok=True)
    words = shlex.split(command)[1:]
    words[words.index("--html") + 1] = str(target)
    done = subprocess.run([sys.executable, "-m", "timewait", *words], capture_output=True, text=True, check=False)
    if not target.exists():
        raise ExtensionError(f"{command} wrote no review page:\n{done.stdout}{done.stderr}")
