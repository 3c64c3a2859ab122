"""The formats of `timewait export`.

To add a format, write a module with a function of a `Plan`, and add a line to `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from timewait.checker.export.imitator import as_imitator, as_imitator_property
from timewait.checker.export.plan import Plan
from timewait.checker.export.promela import as_promela
from timewait.checker.export.smt2 import as_smt2
from timewait.checker.export.tchecker import as_tchecker
from timewait.checker.export.tla import as_tla, as_tla_configuration


class Companion(NamedTuple):
    """The second file of a format."""

    suffix: str
    write: Callable[[Plan], str]


class ExportFormat(NamedTuple):
    """A format.

    Attributes
    ----------
    suffix : str
        The usual suffix of its files.
    write : callable
        Writes a plan; raises `timewait.checker.export.plan.DurationTooLong`.
    companion : Companion or None
        The second file, if there is one.
    ticks : bool
        Whether the tool counts ticks: long durations then have very many states.
    explored : bool
        Whether it can write an exploration too (`timewait.checker.export.plan.plan_of_exploration`).
    module : bool
        Whether the file must have the name of the module in it, an identifier.
    """

    suffix: str
    write: Callable[[Plan], str]
    companion: Companion | None = None
    ticks: bool = False
    explored: bool = False
    module: bool = False


FORMATS: Mapping[str, ExportFormat] = MappingProxyType(
    {
        "tchecker": ExportFormat(".tck", as_tchecker),
        "promela": ExportFormat(".pml", as_promela, ticks=True, explored=True),
        "tla": ExportFormat(".tla", as_tla, Companion(".cfg", as_tla_configuration), ticks=True, module=True),
        "imitator": ExportFormat(".imi", as_imitator, Companion(".imiprop", as_imitator_property)),
        "smt2": ExportFormat(".smt2", as_smt2),
    }
)
"""Every format by its name on the command line."""
