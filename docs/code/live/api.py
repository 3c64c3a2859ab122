"""The Python modules of a package, each for autodoc."""

from __future__ import annotations

import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator

from sphinx.application import Sphinx
from sphinx.config import Config

PACKAGES = ("spec", "checker", "proofs", "diagrams")
"""The packages that the reference shows."""


def modules(package: str) -> Iterator[str]:
    """Every module of a package that is no test."""
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        if not module.name.rsplit(".", 1)[-1].startswith(("_", "test_")):
            yield module.name


def package(name: str) -> str:
    """A section for every module of a package, sub-packages included."""
    return "\n\n".join(_section(module) for module in modules(name)) + "\n"


def _section(module: str) -> str:
    body = f".. automodule:: {module}\n   :members:"
    return f"## `{module}`\n\n```{{eval-rst}}\n{body}\n```"


def is_alias(value: object) -> bool:
    """Whether a value is a name for a type and no class of its own."""
    return isinstance(value, types.UnionType) or typing.get_origin(value) is not None


def ignore_aliases(app: Sphinx, config: Config) -> None:
    """Names for types are written out where they are used, so that there is nothing to link to."""
    del app
    found = [importlib.import_module(module) for one in PACKAGES for module in modules(one)]
    names = {name for module in found for name, value in vars(module).items() if is_alias(value)}
    config.nitpick_ignore_regex += [("py:.*", rf"(.*\.)?{name}") for name in sorted(names)]


def skip_alias(app: Sphinx, what: str, name: str, value: object, skip: bool, options: object) -> bool | None:
    """Leave out names for types: autodoc would describe the type that they stand for, as if it were theirs."""
    del app, what, name, skip, options
    return True if is_alias(value) else None
