"""The decorators of functions that numba compiles, with a cache of machine code that never fails.

Most of what numba does with a function of this project has nothing to do with its text: it writes an entry for Python and one
for C, counts the references to each of the arrays in a tuple whenever the tuple is read, and does all of this again for every
mixture of widths of whole numbers. None of it is wanted here. Functions that other compiled functions alone call have no
entries; none counts references but those that make arrays; and compiled callers pass signed numbers with 64 bits.

numba's own cache compares the time of the source file of a function alone, so a function would keep the old code of another
module that it calls; and it raises where its files are damaged or cannot be written. Here the cache belongs to the sources
of every compiled function together, and where it cannot be read or written, functions are compiled again. Each file begins
with a digest of the rest: damaged machine code would answer wrongly, or end the process.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from numba import types
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.cgutils import int32_t, ir, voidptr_t  # type: ignore[attr-defined]  # the compiler that numba uses
from numba.core.registry import CPUDispatcher
from numba.extending import intrinsic

Compiled = TypeVar("Compiled", bound=Callable[..., Any])

COMPILED_MODULES = ("*_kernels.py", "dbm.py", "jit.py")
"""The modules with compiled functions, and this one with their options, as patterns in the folder of this one."""

WITHOUT_MEMORY = {"_nrt": False, "no_cfunc_wrapper": True}
"""The options of functions that neither make nor return arrays: nothing needs numba's count of references."""


def kernel(function: Compiled) -> Compiled:
    """Compile a function that neither makes nor returns an array when it is first called, or take its code from the cache."""
    return _compiled(_Kernel, function, WITHOUT_MEMORY)


def allocating_kernel(function: Compiled) -> Compiled:
    """Compile a function that makes or returns arrays: as `kernel`, but slower to compile."""
    return _compiled(_Kernel, function, {"no_cfunc_wrapper": True})


def subroutine(function: Compiled) -> Compiled:
    """Compile a function that compiled functions alone call, and that neither makes nor returns an array."""
    return _compiled(_Subroutine, function, WITHOUT_MEMORY | {"no_cpython_wrapper": True})


def _compiled(kind: Any, function: Compiled, options: dict[str, bool]) -> Compiled:
    options = {"nopython": True, "nogil": True, **options}  # without the lock of Python, threads run compiled functions at once
    dispatcher: Any = kind(function, targetoptions={"boundscheck": None, **options})
    with suppress(OSError, RuntimeError):  # no folder for a cache can be written: every process compiles the function
        dispatcher._cache = _Cache(function)
    compiled: Compiled = dispatcher
    return compiled


class _Kernel(CPUDispatcher):
    """A function with one version for all widths of the signed numbers, known or not, that compiled callers pass."""

    def get_call_template(self, args: Any, kws: Any) -> Any:
        return super().get_call_template(tuple(map(_widened, args)), kws)

    def add_overload(self, cres: Any) -> None:
        returned = cres.signature.return_type
        if not self.targetoptions.get("_nrt", True) and any(isinstance(part, types.Array) for part in _parts(returned)):
            raise TypeError(f"{self.py_func.__qualname__} returns an array, whose references it does not count")
        self._insert_overload(cres)

    def _insert_overload(self, cres: Any) -> None:
        super().add_overload(cres)


class _Subroutine(_Kernel):
    """A function that Python cannot call, since it has no entry for Python."""

    def _insert_overload(self, cres: Any) -> None:
        self.overloads[tuple(cres.signature.args)] = cres

    def _compile_for_args(self, *args: Any, **kws: Any) -> Any:
        del args, kws
        raise TypeError(f"compiled functions alone can call {self.py_func.__qualname__}; it is a subroutine, not a kernel")


def _parts(returned: Any) -> tuple[Any, ...]:
    """The types of the members of a tuple, or a type alone."""
    return tuple(getattr(returned, "types", (returned,)))


def _widened(passed: Any) -> Any:
    """The type of a parameter for the type of what a compiled function passes."""
    if isinstance(passed, types.Literal):
        passed = passed.literal_type
    return types.int64 if isinstance(passed, types.Integer) and getattr(passed, "signed", False) else passed


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


class CheckedFiles(IndexDataCacheFile):
    """The files of the code of one function; a damaged one is as good as none."""

    def _digest(self, octets: bytes) -> bytes:
        return hashlib.sha256(f"numba {self._version}\n".encode() + octets).digest()

    def _read(self, path: str) -> Any:
        octets = Path(path).read_bytes()
        size = hashlib.sha256().digest_size
        if octets[:size] != self._digest(octets[size:]):
            raise OSError(f"{path} is damaged, or of another version of numba")
        return pickle.loads(octets[size:])

    def _write(self, path: str, content: object) -> None:
        octets = self._dump(content)
        with self._open_for_write(path) as stream:
            stream.write(self._digest(octets) + octets)

    def _load_index(self) -> dict[Any, str]:
        try:
            stamp, names = self._read(self._index_path)
        except OSError:
            return {}
        return names if stamp == self._source_stamp else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        self._write(self._index_path, (self._source_stamp, overloads))

    def _load_data(self, name: str) -> Any:
        return self._read(self._data_path(name))

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), data)


class _Cache(FunctionCache):
    """A cache that is empty where it cannot be read, and stays as it is where it cannot be written."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        # The digest is part of the name: the index of new sources never leads to the code of old ones.
        name = f"{self._impl.filename_base}.{sources()[:16]}"
        self._cache_file = CheckedFiles(self._cache_path, name, sources())

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
