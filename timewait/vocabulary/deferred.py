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
    }
)
"""The modules of this package."""

COMMAND_DEFERRED = frozenset({"networkx"})
"""The modules of other packages that a command defers too. A program that uses the library keeps its own imports."""


class DeferringFinder(MetaPathFinder):
    """Finds some modules, and defers their execution.

    Parameters
    ----------
    names : frozenset of str
        The modules.
    """

    def __init__(self, names: frozenset[str]) -> None:
        self.names = names

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(fullname, path, target) if fullname in self.names else None
        if spec is not None and spec.loader is not None:
            spec.loader = LazyLoader(spec.loader)
        return spec


def defer(names: frozenset[str] = DEFERRED) -> None:
    """Let some modules be loaded when they are first used."""
    if not any(isinstance(finder, DeferringFinder) and finder.names == names for finder in sys.meta_path):
        sys.meta_path.insert(0, DeferringFinder(names))
