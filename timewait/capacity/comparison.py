"""Attempts to connect that a kernel has carried out, compared with the prediction one by one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from timewait.capacity.ports import PortPool, Service
from timewait.capacity.simulation import Pool

MARGIN = 20_000_000
"""In nanoseconds: how far the clocks and timers of a kernel may be from the instant that the prediction names."""


class Attempt(NamedTuple):
    """An attempt to connect.

    Attributes
    ----------
    instant : int
        In nanoseconds.
    opened : bool
        Whether it succeeded; otherwise it failed with EADDRNOTAVAIL.
    """

    instant: int
    opened: bool


class Comparison(NamedTuple):
    """How a kernel and the prediction agree.

    Attributes
    ----------
    attempts : int
        All attempts.
    opened : int
        Those that succeeded.
    different : tuple of int
        The numbers of the attempts that did otherwise than predicted, from 0.
    undecided : int
        Attempts nearer than `MARGIN` to an instant at which the prediction changes; either outcome agrees.
    """

    attempts: int
    opened: int
    different: tuple[int, ...]
    undecided: int


def compare(attempts: Iterable[Attempt], ports: PortPool, service: Service, margin: int = MARGIN) -> Comparison:
    """Compare attempts with the prediction; after each, the prediction goes on from what the kernel did.

    Parameters
    ----------
    attempts : iterable of Attempt
        In order of time, from a cold start.
    ports : PortPool
        The ports.
    service : Service
        The use of a connection.
    margin : int
        In nanoseconds; see `MARGIN`.
    """
    early, late = (_Follower(ports, service, shift) for shift in (margin, -margin))
    different, undecided, opened, number = [], 0, 0, -1
    for number, attempt in enumerate(attempts):
        answers = {follower.would_open(attempt.instant) for follower in (early, late)}
        undecided += len(answers) == 2
        if attempt.opened not in answers:
            different.append(number)
        if attempt.opened:
            opened += 1
            for follower in (early, late):
                follower.open(attempt.instant)
    return Comparison(number + 1, opened, tuple(different), undecided)


class _Follower:
    """A pool that follows what a kernel did, its clock ahead of the kernel's by a shift in nanoseconds."""

    def __init__(self, ports: PortPool, service: Service, shift: int) -> None:
        self._pool = Pool(ports, service)
        self._shift = shift

    def would_open(self, instant: int) -> bool:
        return self._pool.available(instant + self._shift)

    def open(self, instant: int) -> None:
        self._pool.take(instant)
