"""Modules that are loaded when something of them is first used, not when they are imported.

A module that few questions need, and that takes long to load, is imported at the top of its users like any other, as
``from package import module``, and executed at the first use of one of its names.

The modules of `importlib.util.LazyLoader` are not used: every import asks a module for its specification, which would execute
such a module, and Python forgets an interrupt that arrives while it asks. The work would go on, with half a module.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any, cast

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


class DeferredModule(ModuleType):
    """A module that is executed when something but its specification is asked for."""

    def __getattribute__(self, name: str) -> Any:
        own = super().__getattribute__
        if name in ("__spec__", "__class__", "__dict__"):
            return own(name)
        loader = cast("DeferringLoader", own("__spec__").loader)
        self.__class__ = ModuleType  # type: ignore[assignment] # what it is from now on
        try:
            loader.loader.exec_module(self)
        except BaseException:
            self.__class__ = DeferredModule  # the next use executes it from its beginning
            raise
        return getattr(self, name)


class DeferringLoader(Loader):
    """Loads a module without executing it.

    Parameters
    ----------
    loader : Loader
        The loader that executes it.
    """

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = DeferredModule


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
            spec.loader = DeferringLoader(spec.loader)
        return spec


def defer(names: frozenset[str] = DEFERRED) -> None:
    """Let some modules be loaded when they are first used."""
    if not any(isinstance(finder, DeferringFinder) and finder.names == names for finder in sys.meta_path):
        sys.meta_path.insert(0, DeferringFinder(names))
