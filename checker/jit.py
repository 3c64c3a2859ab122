"""The decorator of functions that numba compiles, with a cache of machine code that never fails.

numba's own cache compares the time of the source file of a function alone, so a function would keep the old code of another
module that it calls; and it raises where its files are damaged or cannot be written. Here the cache belongs to the sources
of every compiled function together, and where it cannot be read or written, functions are compiled again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import njit
from numba.core.caching import FunctionCache, IndexDataCacheFile

Compiled = TypeVar("Compiled", bound=Callable[..., Any])

COMPILED_MODULES = ("*_kernels.py", "dbm.py")
"""The modules with compiled functions, as patterns in the folder of this one."""


def kernel(function: Compiled) -> Compiled:
    """Compile a function when it is first called, or take its code from the cache."""
    dispatcher: Any = njit(function)
    with suppress(OSError, RuntimeError):  # no folder for a cache can be written: every process compiles the function
        dispatcher._cache = _Cache(function)
    compiled: Compiled = dispatcher
    return compiled


@cache
def sources() -> str:
    """A digest of the sources of all compiled functions."""
    digest = hashlib.sha256()
    for pattern in COMPILED_MODULES:
        for path in sorted(Path(__file__).parent.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class _Cache(FunctionCache):
    """A cache that is empty where it cannot be read, and stays as it is where it cannot be written."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, sources())

    def load_overload(self, signature: Any, target_context: Any) -> Any:
        try:
            return super().load_overload(signature, target_context)
        except Exception:  # damaged in whatever way: the function is compiled again
            return None

    def save_overload(self, signature: Any, data: Any) -> None:
        try:
            super().save_overload(signature, data)
        except Exception:  # a full or read-only disk, or a damaged index: the next process compiles the function again
            self._forget()

    def _forget(self) -> None:
        """Begin a new index, if that is possible."""
        try:
            self.flush()
        except OSError:
            self.disable()
