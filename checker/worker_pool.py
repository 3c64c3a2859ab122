"""Worker processes that end with their parent, however it ends."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any, TypeVar

from timewait.vocabulary.errors import UnavailableError

Returned = TypeVar("Returned")

MOST_ENDS = 3
"""Ends of workers from outside, one after another without a result, after which the work is given up."""

LOCAL = "ray"
"""The word for a cluster without an address: one that runs on this machine already, else a new one."""

DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def is_cluster(text: str) -> bool:
    """Whether a text names a cluster: `LOCAL`, or an address such as ``ray://head:10001``."""
    return text == LOCAL or text.startswith("ray://")


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


def side_by_side(work: Callable[..., Returned], calls: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[tuple[int, Returned]]:
    """The results of calls in worker processes, each with the number of its call, in the order in which they end.

    Where a worker is ended from outside, new workers take the place of all, and begin anew what had no result yet.

    Parameters
    ----------
    work : callable
        The function that is called; it, its arguments and its result are picklable.
    calls : iterable of tuple
        The arguments of each call; not more than two calls a worker are taken in advance.
    jobs : int
        The number of processes.

    Raises
    ------
    WorkerEnded
        Workers ended `MOST_ENDS` times in succession without a result in between.
    """
    numbered = enumerate(calls)
    begun: dict[int, tuple[Any, ...]] = {}
    ends = 0
    while True:
        try:
            with worker_pool(jobs) as pool:
                running = {pool.submit(work, *call): number for number, call in begun.items()}
                while True:
                    for number, call in islice(numbered, 2 * jobs - len(running)):
                        begun[number] = call
                        running[pool.submit(work, *call)] = number
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        result = future.result()
                        number = running.pop(future)
                        del begun[number]
                        ends = 0
                        yield number, result
        except WorkerEnded:
            ends += 1
            if ends == MOST_ENDS:
                raise


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
