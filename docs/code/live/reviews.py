"""Review pages: of the shortest counterexample of each claim, and of every check in a directive ``review``."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

import timewait
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
    """Run a command as a page shows it, in a folder of its own, since its review page states the command."""
    words = shlex.split(command)[1:]
    target.unlink(missing_ok=True)
    sources = os.pathsep.join(filter(None, (str(Path(timewait.__file__).parents[1]), os.environ.get("PYTHONPATH"))))
    with TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "timewait", *words],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": sources},
        )
        written = Path(folder, words[words.index("--html") + 1])
        if not written.exists():
            raise ExtensionError(f"{command} wrote no review page:\n{done.stdout}{done.stderr}")
        shutil.copyfile(written, target)
