"""Worker processes that end with their parent, however it ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.context import SpawnContext, SpawnProcess

from timewait.vocabulary.errors import UnavailableError

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


@contextmanager
def interrupts_blocked() -> Iterator[None]:
    """Hold interrupts back, so that a process started in the body gets none before it calls `leave_interrupts`.

    A terminal interrupts every process of its foreground; a worker that is still starting would end with a traceback.
    """
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_interrupts() -> None:
    """Leave interrupts to the parent of this process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


class WorkerEnded(UnavailableError):
    """A worker process was ended by something else than its work, for instance where memory ran out."""

    def __init__(self) -> None:
        super().__init__("a worker process was ended from outside, for instance because the memory of this machine ran out")


class Worker(SpawnProcess):
    """A new process, started while interrupts are held back."""

    def start(self) -> None:
        """Start the process."""
        with interrupts_blocked():
            super().start()


class _Workers(SpawnContext):
    """New processes that are workers."""

    Process = Worker


@contextmanager
def worker_pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of new processes that leave interrupts to their parent; an error or an interrupt ends them at once.

    Raises
    ------
    WorkerEnded
        A process ended without an answer.
    """
    others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(jobs, mp_context=_Workers(), initializer=_begin, initargs=(os.getpid(),))
    try:
        yield pool
    except BaseException as problem:
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
        if isinstance(problem, BrokenProcessPool):
            raise WorkerEnded from None
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int) -> None:
    leave_interrupts()
    end_with(parent)


def end_with(parent: int) -> None:
    """Let the kernel end this process when its parent ends; where it cannot (other systems than Linux), nothing happens.

    Parameters
    ----------
    parent : int
        The process that should be the parent; if it ended before, this process ends now.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
