"""Interrupts that are heard wherever they arrive."""

from __future__ import annotations

import _thread
import ctypes
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from timewait.cli.errors import flush_streams

SOON = 0.02
"""Seconds after which an interrupt that was lost comes again."""


@contextmanager
def heard_interrupts() -> Iterator[None]:
    """Repeat an interrupt that arrives while Python removes an object: an exception is dropped there, and the work would go on.

    Formulas of Z3 are removed by thousands, so this is common. They are passed to it by thousands too: an exception that arrives
    while ctypes converts an argument becomes an error about this argument, and is an interrupt again after the body.
    """
    before = sys.unraisablehook

    def dropped(problem: Any) -> None:
        if issubclass(problem.exc_type, KeyboardInterrupt):
            again = threading.Timer(SOON, _thread.interrupt_main)
            again.daemon = True
            again.start()
        else:
            before(problem)

    sys.unraisablehook = dropped
    try:
        yield
    except ctypes.ArgumentError as problem:
        if KeyboardInterrupt.__name__ in str(problem):
            raise KeyboardInterrupt from problem
        raise
    finally:
        sys.unraisablehook = before


class Interruption:
    """An interruption that ends the process, with an exit code of its own.

    Python would end the process by the signal, after all else, where the interruption passed through `exec` of a string, as in
    the definition of a data class. Objects that were being made when it arrived may not be able to remove themselves.
    """

    def __init__(self) -> None:
        self._code: int | None = None

    def end_with(self, code: int) -> None:
        """Let the process end with a code, and say nothing of objects that cannot remove themselves."""
        self._code = code
        sys.unraisablehook = _ignored

    def leave(self) -> None:
        """End the process if it was interrupted: the last thing that it does."""
        if self._code is not None:
            flush_streams()
            os._exit(self._code)


def _ignored(problem: Any) -> None:
    """Say nothing."""
    del problem


OF_THE_COMMAND = Interruption()
"""That of the process, if it is one of the command; `timewait.cli` has it looked at when the process ends."""
