"""The errors that a user of the library or of a command can mend.

::

    ValueError
    ├── RequestError    a command exits with 2
    │   ├── timewait.diagrams.graphviz_layout.MissingGraphviz
    │   ├── timewait.spec.configuration.ConfigurationError
    │   ├── timewait.spec.stacks.MissingValue
    │   └── timewait.spec.stacks.UnknownStack
    └── InputError      a command exits with 3
        ├── timewait.captures.capture_file.BrokenCapture
        ├── timewait.checker.certificate.BrokenCertificate
        ├── timewait.checker.itf.BrokenTrace
        ├── timewait.machine.sources.HostUnreadable
        └── timewait.spec.stacks.BrokenStack
    ImportError
    └── MissingPackage  a command exits with 2
    RuntimeError
    └── UnavailableError    a command exits with 4
        ├── timewait.checker.worker_pool.WorkerEnded
        ├── timewait.laboratory.isolation.LaboratoryTimeout
        └── timewait.laboratory.isolation.LaboratoryUnavailable
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType


class RequestError(ValueError):
    """The request makes no sense or leaves a needed value open; the message is one line."""


class InputError(ValueError):
    """An input file, or a setting of this machine, cannot be read; the message names the file."""


class MissingPackage(ImportError):
    """A package is not installed that only some commands need; the message says how to install it."""


class UnavailableError(RuntimeError):
    """Something other than a package is missing on this machine; the message is one line and says what."""


def optional_package(module: str, extra: str) -> ModuleType:
    """A package of an extra of this distribution, imported when it is first used.

    Raises
    ------
    MissingPackage
        It is not installed.
    """
    try:
        return import_module(module)
    except ImportError as problem:
        raise MissingPackage(f"this needs the package {module}: pip install 'timewait[{extra}]'") from problem
