"""A computation in a process of its own, with bounds on its memory and its time.

Solvers check their own limits only now and then, and a solver that is out of memory may take its process with it. So such a
computation runs in a child process: the operating system bounds its memory, and its parent ends it when its time is up.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import resource
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, TypeVar

from timewait.checker.finding import Budget, Stopped
from timewait.checker.worker_pool import end_with, interrupts_blocked, leave_interrupts

Result = TypeVar("Result")

MEGABYTE = 1 << 20
POLL = 0.05
"""Seconds between two looks at the child and the budget."""

GRACE = 2.0
"""Seconds that the child may exceed its time, since the solver has a time limit of its own."""

OUT_OF_MEMORY = ("out of memory", "can't start new thread", "Cannot allocate memory", "failed to map segment")
"""What the errors say of a solver, of a thread, of the operating system and of its loader that get no more memory."""


def bounded(compute: Callable[[], Result], budget: Budget) -> Result:
    """The result of a computation that keeps to a budget.

    Where processes cannot be forked (Windows) the computation runs in this process, and only its own limits hold.

    Parameters
    ----------
    compute : callable
        The computation; its result must be picklable.
    budget : Budget
        Its bounds on time and on memory beyond that of this process.

    Raises
    ------
    Stopped
        The time or the memory was used up, the budget was interrupted, or the child process ended without a result.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        return compute()
    receiver, sender = multiprocessing.get_context("fork").Pipe(duplex=False)
    arguments = (compute, sender, budget.megabytes, os.getpid())
    child = multiprocessing.get_context("fork").Process(target=_run, args=arguments, daemon=True)
    try:
        with interrupts_blocked():
            child.start()
        sender.close()
        while not receiver.poll(POLL):
            if budget.interrupted():
                raise Stopped("interrupted")
            if budget.elapsed > budget.seconds + GRACE:
                raise Stopped(f"stopped after {budget.seconds:g} s")
        result: Result = _received(receiver, budget.megabytes)
        return result
    finally:
        end(child)
        receiver.close()


def end(child: BaseProcess) -> None:
    """End a process, if it was started."""
    if child.pid is not None:
        child.kill()
        child.join()


def _received(receiver: Connection, megabytes: float) -> Any:
    """The result of the child, or the reason why there is none."""
    try:
        outcome, value = receiver.recv()
    except EOFError:
        raise Stopped(f"the solver ended without an answer, within {megabytes:,.0f} MB") from None
    if outcome == "result":
        return value
    if outcome == "memory":
        raise Stopped(f"stopped at the memory bound ({megabytes:,.0f} MB)")
    raise value


def _run(compute: Callable[[], object], sender: Connection, megabytes: float, parent: int) -> None:
    """Compute in the child process, and send the outcome."""
    leave_interrupts()
    end_with(parent)
    faulthandler.disable()  # a solver that dies of its memory bound is no error of this program
    _bound_memory(megabytes)
    try:
        sender.send(("result", compute()))
    except MemoryError:
        sender.send(("memory", None))
    except Exception as problem:
        out_of_memory = any(words in str(problem) for words in OUT_OF_MEMORY)
        sender.send(("memory", None) if out_of_memory else ("error", problem))
    sender.close()


def _bound_memory(megabytes: float) -> None:
    """Bound the address space of this process to what it has now and some megabytes more."""
    pages = 0
    with suppress(OSError):  # the file exists on Linux only
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + int(megabytes * MEGABYTE)
    with suppress(ValueError, OSError):  # a lower limit was set before
        resource.setrlimit(resource.RLIMIT_AS, (limit, resource.getrlimit(resource.RLIMIT_AS)[1]))
