"""Certificates checked in a process of their own, with bounds on time and memory.

A solver inside a process listens neither to a deadline nor to an interrupt. In another process it can be ended.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path

from timewait.checker import certificate
from timewait.checker.bounded_process import end
from timewait.checker.certificate import BrokenCertificate
from timewait.checker.finding import Budget
from timewait.checker.verdict import Verdict
from timewait.checker.worker_pool import end_with, interrupts_blocked, leave_interrupts
from timewait.proofs.certificate_files import CheckedCertificate, checked_one_by_one, statements_of
from timewait.vocabulary.errors import MissingPackage

Message = CheckedCertificate | BrokenCertificate | MissingPackage


def check_within(path: Path, seconds: float, megabytes: int) -> list[CheckedCertificate]:
    """Check the certificates in a file; those that are not checked when a bound is reached are inconclusive.

    Parameters
    ----------
    path : Path
        The file.
    seconds : float
        Bound on the time for all of them.
    megabytes : int
        Bound on the memory of the process.

    Raises
    ------
    BrokenCertificate
        The file holds no certificate, or a malformed one.
    MissingPackage
        A solver is not installed.
    """
    sections = certificate.sections(path)  # read once: a pipe has nothing more, and a file may change
    stated = statements_of(sections)
    found = list(_answers(sections, seconds, megabytes))
    reason = f"not checked within {seconds:g} s and {megabytes:,} MB"
    return [*found, *(CheckedCertificate(rest, Verdict.INCONCLUSIVE, reason) for rest in stated[len(found) :])]


def _answers(sections: Sequence[tuple[str, str]], seconds: float, megabytes: int) -> Iterator[CheckedCertificate]:
    """The results, one by one, until the bounds are reached."""
    deadline = time.monotonic() + seconds
    context = get_context("fork") if sys.platform == "linux" else get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_check, args=(sender, sections, seconds, megabytes, os.getpid()), daemon=True)
    try:
        with interrupts_blocked():
            process.start()
        sender.close()
        while receiver.poll(max(deadline - time.monotonic(), 0)):
            message: Message = receiver.recv()
            if isinstance(message, Exception):
                raise message
            yield message
    except EOFError:
        return
    finally:
        end(process)
        receiver.close()


def _check(sender: Connection, sections: Sequence[tuple[str, str]], seconds: float, megabytes: int, parent: int) -> None:
    """Check the certificates in this process, and send the results."""
    leave_interrupts()
    end_with(parent)
    limit = megabytes << 20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    try:
        for checked in checked_one_by_one(sections, Budget(seconds=seconds, megabytes=megabytes)):
            sender.send(checked)
    except (BrokenCertificate, MissingPackage) as problem:
        sender.send(problem)
    except MemoryError:
        return
