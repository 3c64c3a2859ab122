"""Interrupts that are heard wherever they arrive."""

from __future__ import annotations

import _thread
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

SOON = 0.02
"""Seconds after which an interrupt that was lost comes again."""


@contextmanager
def heard_interrupts() -> Iterator[None]:
    """Repeat an interrupt that arrives while Python removes an object: an exception is dropped there, and the work would go on.

    Formulas of Z3 are removed by thousands, so this is common.
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
    finally:
        sys.unraisablehook = before
