"""A verification suite for the way TCP closes a connection.

The functions `check`, `threshold`, `threshold_formula`, `certify`, `explain` and `prove` do what the commands of the same
names do, and return typed results. Durations are text with a unit (``"30s"``) or seconds (int or Fraction).

Examples
--------
>>> import timewait
>>> result = timewait.check(msl="30s", time_wait="60s", rto="30s", closers="a", properties=["graceful", "isolation"])
>>> print(result)
graceful        PROVED
isolation       PROVED
>>> print(timewait.threshold(msl="30s", rto="30s", loss=1))
least safe TIME_WAIT: 60s
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from timewait.vocabulary.deferred import defer

if TYPE_CHECKING:
    from timewait.api import certify as certify
    from timewait.api import check as check
    from timewait.api import explain as explain
    from timewait.api import prove as prove
    from timewait.api import threshold as threshold
    from timewait.api import threshold_formula as threshold_formula
    from timewait.checker.decide import Answer as Answer
    from timewait.checker.finding import Budget as Budget
    from timewait.checker.question import Engine as Engine
    from timewait.checker.threshold import InconclusiveAnswer as InconclusiveAnswer
    from timewait.checker.threshold import Threshold as Threshold
    from timewait.checker.trace import Step as Step
    from timewait.checker.trace import Trace as Trace
    from timewait.checker.verdict import Verdict as Verdict
    from timewait.options import Options as Options
    from timewait.proofs.certificate_files import CheckedCertificate as CheckedCertificate
    from timewait.proofs.suite import ClaimResult as ClaimResult
    from timewait.results import CheckResult as CheckResult
    from timewait.results import Explanation as Explanation
    from timewait.results import FormulaResult as FormulaResult
    from timewait.results import ThresholdResult as ThresholdResult
    from timewait.spec.assemble import Overrides as Overrides
    from timewait.spec.configuration import Configuration as Configuration
    from timewait.spec.configuration import Scope as Scope
    from timewait.spec.properties import PROPERTIES as PROPERTIES
    from timewait.spec.settings import Arrival as Arrival
    from timewait.spec.settings import Behaviour as Behaviour
    from timewait.spec.settings import ResetRule as ResetRule
    from timewait.spec.stacks import Stack as Stack
    from timewait.spec.stacks import load_stack as load_stack
    from timewait.spec.stacks import stack_names as stack_names
    from timewait.vocabulary.automaton import Property as Property
    from timewait.vocabulary.errors import InputError as InputError
    from timewait.vocabulary.errors import RequestError as RequestError

__version__ = "0.1.0"

defer()

_MODULES = {
    "timewait.checker.decide": ("Answer",),
    "timewait.checker.question": ("Engine",),
    "timewait.checker.finding": ("Budget",),
    "timewait.checker.threshold": ("Threshold", "InconclusiveAnswer"),
    "timewait.checker.trace": ("Step",),
    "timewait.checker.verdict": ("Verdict",),
    "timewait.api": ("certify", "check", "explain", "prove", "threshold", "threshold_formula"),
    "timewait.options": ("Options",),
    "timewait.proofs.certificate_files": ("CheckedCertificate",),
    "timewait.proofs.suite": ("ClaimResult",),
    "timewait.results": ("CheckResult", "Explanation", "FormulaResult", "ThresholdResult", "Trace"),
    "timewait.spec.assemble": ("Overrides",),
    "timewait.spec.configuration": ("Configuration", "Scope"),
    "timewait.spec.properties": ("PROPERTIES",),
    "timewait.spec.settings": ("Arrival", "Behaviour", "ResetRule"),
    "timewait.spec.stacks": ("Stack", "load_stack", "stack_names"),
    "timewait.vocabulary.automaton": ("Property",),
    "timewait.vocabulary.errors": ("InputError", "RequestError"),
}
"""The public names, by the module that defines them."""

__all__ = sorted([*(name for names in _MODULES.values() for name in names), "__version__"])


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first used: the engines take a second to load."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return __all__
