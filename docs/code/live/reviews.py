"""Review pages: of the counterexamples of the claims, and of any check that a page names with the role ``review``."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import ReferenceRole

from live.evidence import folder_of, pieces, shown
from timewait.checker import itf
from timewait.diagrams.page import page
from timewait.proofs.claims import CLAIMS

FOLDER = "review"


def address(name: str, docname: str) -> str:
    """Where a review page is, seen from another page."""
    return f"{'../' * docname.count('/')}{FOLDER}/{name}.html"


def slug(command: str) -> str:
    """The name of the page of a check."""
    return re.sub(r"[^a-z0-9.]+", "-", command.lower()).strip("-")


class Review(ReferenceRole):
    """A link to the review page of a check, for instance ``{review}`this run <check --msl 30s --time-wait 59s>```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The link; the page is written at the end."""
        asked = getattr(self.env, "timewait_reviews", {})
        self.env.timewait_reviews = asked | {slug(self.target): self.target}  # type: ignore[attr-defined] # Sphinx's way
        link = nodes.reference(self.rawtext, self.title, refuri=address(slug(self.target), self.env.docname))
        return [link], []


class Trace(ReferenceRole):
    """A link to the review page of a piece of evidence, for instance ``{trace}`9 steps <C3.2>```."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """The link; `write_reviews` writes the page of the shortest of each claim."""
        return [nodes.reference(self.rawtext, self.title, refuri=address(self.target, self.env.docname))], []


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
    traces = [shown(pieces(folder_of(app), claim)) for claim in CLAIMS]
    for trace in filter(None, traces):
        target = folder / f"{trace.name.removesuffix('.itf.json')}.html"
        if not target.exists() or target.stat().st_mtime < trace.stat().st_mtime:
            target.write_text(page(itf.read(trace)), encoding="utf-8")
    for name, command in getattr(app.env, "timewait_reviews", {}).items():
        _check(folder / f"{name}.html", command)


def _check(target: Path, command: str) -> None:
    target.unlink(missing_ok=True)
    whole = [sys.executable, "-m", "timewait", *shlex.split(command), "--html", str(target)]
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    if not target.exists():
        raise ExtensionError(f"timewait {command} wrote no review page:\n{done.stdout}{done.stderr}")
