"""A process of its own for the laboratory: its network is apart from that of the caller, and vanishes with it.

The process is forked and enters a new network namespace (and a new user namespace where it is not root) before it does
anything else, so the network of the machine is never touched. When the caller dies, however it dies, the kernel sends the
process a signal, on which it removes its hosts and ends. No namespace, device, process or setting is left behind.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import signal
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any, NoReturn, ParamSpec, TypeVar

from timewait.checker.worker_pool import interrupts_blocked, leave_interrupts
from timewait.vocabulary.errors import UnavailableError

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
DEATH_SIGNAL = 1
"""prctl: the signal that a process gets when its parent dies."""

TIDYING = 3.0
"""How long the process may take to remove its hosts, in seconds."""

Parameters = ParamSpec("Parameters")
Yielded = TypeVar("Yielded")


class LaboratoryUnavailable(UnavailableError):
    """The laboratory cannot run on this machine; the message says why in one line."""


class LaboratoryTimeout(UnavailableError):
    """The laboratory waited in vain, for instance on a machine under load; the message says for what in one line."""


class _Ended(BaseException):
    """The caller has died, or wants no more items."""


class LaboratoryFailure(RuntimeError):
    """The process of the laboratory failed; the message holds its traceback."""


def isolated(
    work: Callable[Parameters, Generator[Yielded]], *arguments: Parameters.args, **named: Parameters.kwargs
) -> Iterator[Yielded]:
    """The items of a generator function that runs in the process of the laboratory, each as soon as it is there.

    The process ends when the iterator does, is closed or is interrupted.

    Parameters
    ----------
    work : callable
        A generator function; its items must be picklable.
    *arguments, **named
        Its arguments.

    Raises
    ------
    LaboratoryUnavailable
        This machine cannot run the laboratory.
    LaboratoryTimeout
        The function raised a `TimeoutError`.
    LaboratoryFailure
        The function raised an exception that cannot be passed on, or its process died.
    Exception
        Any exception of the function.
    """
    if sys.platform != "linux":
        raise LaboratoryUnavailable("the laboratory needs the network namespaces of Linux")
    reading, writing = os.pipe()
    parent = os.getpid()
    child = 0
    try:
        with interrupts_blocked():  # an interrupt would pass through the frames of the caller in both processes
            child = os.fork()
            if child == 0:
                os.close(reading)
                _run_child(parent, writing, work, arguments, named)
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            yield from _received(stream)
    finally:
        if child:
            _end(child)


def _end(child: int) -> None:
    """End the process of the laboratory: in order within `TIDYING`, else by force."""
    with suppress(ProcessLookupError):
        os.kill(child, signal.SIGTERM)
    end = time.monotonic() + TIDYING
    while os.waitpid(child, os.WNOHANG)[0] == 0:
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return
        time.sleep(0.001)


def _received(stream: IO[bytes]) -> Iterator[Any]:
    while True:
        try:
            kind, value = pickle.load(stream)
        except EOFError:
            raise LaboratoryFailure("the process of the laboratory died") from None
        if kind == "end":
            return
        if isinstance(value, TimeoutError) and kind == "error":
            raise LaboratoryTimeout(f"the laboratory waited in vain: {value}; is the machine under load?") from value
        if kind == "error":
            raise value
        yield value


def _run_child(parent: int, writing: int, work: Callable[..., Generator[Any]], arguments: Any, named: Any) -> NoReturn:
    """Run a generator function and write its items to a pipe; never returns."""

    def on_end(number: int, frame: object) -> NoReturn:
        del number, frame
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise _Ended

    try:
        leave_interrupts()
        signal.signal(signal.SIGTERM, on_end)
        with os.fdopen(writing, "wb") as stream:
            _write_items(stream, parent, work, arguments, named)
    except (BrokenPipeError, _Ended):
        pass
    finally:
        os._exit(0)


def _write_items(stream: IO[bytes], parent: int, work: Callable[..., Generator[Any]], arguments: Any, named: Any) -> None:
    try:
        enter_new_network()
        _die_with(parent)
        with closing(work(*arguments, **named)) as items:
            for item in items:
                _write(stream, ("item", item))
        _write(stream, ("end", None))
    except BrokenPipeError:
        raise
    except Exception as problem:
        _write(stream, ("error", _passed_on(problem)))


def _passed_on(problem: Exception) -> Exception:
    """An exception that can be passed to the caller: the same one, or one with its traceback."""
    try:
        pickle.loads(pickle.dumps(problem))
    except Exception:  # pickle raises whatever the exception's own class raises; the caller gets the traceback as text
        return LaboratoryFailure("".join(traceback.format_exception(problem)))
    problem.add_note("in the process of the laboratory:\n" + "".join(traceback.format_tb(problem.__traceback__)))
    return problem


def _write(stream: IO[bytes], message: tuple[str, Any]) -> None:
    pickle.dump(message, stream)
    stream.flush()


def _die_with(parent: int) -> None:
    """Have the kernel end this process when its parent dies. It must come after a change of user namespace, which resets it."""
    ctypes.CDLL(None).prctl(DEATH_SIGNAL, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def checked_call(result: int, reason: str) -> None:
    """Raise `LaboratoryUnavailable` with a reason if a function of the C library failed."""
    if result:
        raise LaboratoryUnavailable(f"{reason}: {os.strerror(ctypes.get_errno())}")


def enter_new_network() -> None:
    """Move this process to a new network namespace; where it may not, to a new user namespace with it.

    Raises
    ------
    LaboratoryUnavailable
        The kernel allows neither.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET) == 0:
        return
    user, group = os.geteuid(), os.getegid()
    checked_call(libc.unshare(CLONE_NEWUSER | CLONE_NEWNET), "this user may make no network namespace")
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    except OSError as problem:
        raise LaboratoryUnavailable(f"this user may make no user namespace: {problem.strerror}") from problem
