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

from numba import njit, types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.cgutils import int32_t, ir, voidptr_t  # type: ignore[attr-defined]  # the compiler that numba uses
from numba.extending import intrinsic

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


def is_kept(function: Callable[..., Any]) -> bool:
    """Whether the cache has machine code of a compiled function for the present sources, so that it starts at once."""
    cached = getattr(function, "_cache", None)
    return isinstance(cached, _Cache) and cached.has_code


@intrinsic
def prefetch(context: Any, array: Any, index: Any) -> Any:
    """Begin to read an entry of an array, which a compiled function is going to need, and do not wait for it."""
    del context

    def generate(target: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entry = builder.gep(target.make_array(signature.args[0])(target, builder, arguments[0]).data, [arguments[1]])
        shape = ir.FunctionType(ir.VoidType(), [voidptr_t, int32_t, int32_t, int32_t])
        hint = builder.module.declare_intrinsic("llvm.prefetch", [voidptr_t], shape)
        builder.call(hint, [builder.bitcast(entry, voidptr_t), int32_t(0), int32_t(3), int32_t(1)])  # to read, keep, as data
        return target.get_dummy_value()

    return types.void(array, index), generate


class _Cache(FunctionCache):
    """A cache that is empty where it cannot be read, and stays as it is where it cannot be written."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = IndexDataCacheFile(self._cache_path, self._impl.filename_base, sources())

    @property
    def has_code(self) -> bool:
        """Whether there is code for the present sources."""
        try:
            return bool(self._cache_file._load_index())
        except Exception:  # damaged in whatever way: the function is going to be compiled
            return False

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
