"""Modules that are loaded when something of them is first used, not when they are imported.

A module that few questions need, and that takes long to load, is imported at the top of its users like any other, as
``from package import module``. It is executed at the first use of one of its names, or by ``import package.module`` if that
comes second.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType

DEFERRED = frozenset(
    {
        "networkx",
        "timewait.captures.choosing",
        "timewait.captures.closes",
        "timewait.captures.report",
        "timewait.checker.digraphs",
        "timewait.cli.replay",
        "timewait.diagrams.page",
        "timewait.diagrams.sequence",
        "timewait.laboratory.isolation",
        "timewait.laboratory.replaying.replayer",
        "timewait.narration.trace_file",
        "timewait.proofs.bounded_check",
        "timewait.proofs.certify",
        "timewait.proofs.claim_files",
        "timewait.proofs.claims",
    }
)
"""The modules."""


class DeferringFinder(MetaPathFinder):
    """Finds the modules in `DEFERRED`."""

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in DEFERRED else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def defer() -> None:
    """Let the modules in `DEFERRED` be loaded when they are first used."""
    if not any(isinstance(finder, DeferringFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, DeferringFinder())
