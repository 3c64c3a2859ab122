"""Attempts to connect that a kernel has carried out, compared with the prediction one by one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
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
    destination : int
        The number of its destination.
    """

    instant: int
    opened: bool
    destination: int = 0


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
        Attempts about which the prediction says nothing: nearer than `MARGIN` to an instant at which it changes, or with one
        port left in a range that the kernel need not scan as a whole. Either outcome agrees.
    """

    attempts: int
    opened: int
    different: tuple[int, ...]
    undecided: int


def compare(
    attempts: Iterable[Attempt], ports: PortPool, service: Service, margin: int = MARGIN, width: int | None = None
) -> Comparison:
    """Compare attempts with the prediction; after each, the prediction goes on from what the kernel did.

    One attempt of Linux tries an even number of the ports of a range, so in a range of an odd number it leaves one out, which
    depends on where it begins (``__inet_hash_connect``, ``net/ipv4/inet_hashtables.c``).

    Parameters
    ----------
    attempts : iterable of Attempt
        In order of time, from a cold start.
    ports : PortPool
        The ports; those of one destination do not matter to another one.
    service : Service
        The use of a connection.
    margin : int
        In nanoseconds; see `MARGIN`.
    width : int, optional
        The ports of the range, reserved ones included. By default all can be used.
    """
    one = replace(ports, destinations=1)
    leaves_one_out = bool((width or one.ports) % 2 and (width or one.ports) > 1)
    followers: dict[int, tuple[_Follower, ...]] = {}
    different, undecided, opened, number = [], 0, 0, -1
    for number, attempt in enumerate(attempts):
        pair = followers.setdefault(
            attempt.destination, tuple(_Follower(one, service, shift, leaves_one_out) for shift in (margin, -margin))
        )
        answers = frozenset[bool]().union(*(follower.answers(attempt.instant) for follower in pair))
        undecided += len(answers) == 2
        if attempt.opened not in answers:
            different.append(number)
        if attempt.opened:
            opened += 1
            for follower in pair:
                follower.open(attempt.instant)
    return Comparison(number + 1, opened, tuple(different), undecided)


class _Follower:
    """A pool that follows what a kernel did, its clock ahead of the kernel's by a shift in nanoseconds."""

    def __init__(self, ports: PortPool, service: Service, shift: int, leaves_one_out: bool) -> None:
        self._pool = Pool(ports, service)
        self._shift = shift
        self._sure = 2 if leaves_one_out else 1

    def answers(self, instant: int) -> frozenset[bool]:
        """What the kernel may answer."""
        spare = self._pool.spare(instant + self._shift, self._sure)
        return frozenset({spare > 0, spare >= self._sure})

    def open(self, instant: int) -> None:
        self._pool.take(instant)
