"""The prediction of port exhaustion, checked on the running kernel connect by connect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from timewait.capacity.comparison import Attempt, Comparison, compare
from timewait.capacity.load import NANOSECONDS
from timewait.capacity.ports import PortPool, Reuse, Service
from timewait.laboratory.connects import ConnectingHost, connects
from timewait.laboratory.isolation import isolated
from timewait.spec.stacks import load_stack

SURPLUS = 5
"""Attempts of a burst beyond the number of ports."""

TW_REUSE = {Reuse.OFF: 0, Reuse.ON: 1, Reuse.LOOPBACK: 2}
"""The values of ``tcp_tw_reuse``."""


def bursts(pool: PortPool) -> list[int]:
    """The instants, in nanoseconds, of bursts with more attempts than ports: at the start, before and after reuse is allowed.

    The attempts of a burst go to each destination in turn.
    """
    delay = int(pool.reuse_delay * NANOSECONDS)
    begins = (0, delay // 2, delay * 3 // 2, delay * 2, delay * 3)
    return [begin for begin in begins for _ in range((pool.ports + SURPLUS) * pool.destinations)]


def attempts(pool: PortPool, instants: list[int], reserved: int = 0) -> Iterator[Attempt]:
    """Carry out attempts on the kernel in a namespace of its own, with the ports and rules of a pool.

    Parameters
    ----------
    pool : PortPool
        One address; no limit of sockets in TIME-WAIT. The destinations are tried in turn.
    instants : list of int
        Nanoseconds from the start, in order.
    reserved : int
        Further ports of the range that are reserved.

    Raises
    ------
    LaboratoryUnavailable
        This machine has no laboratory, or its kernel lacks a setting.
    """
    settings = {
        "tcp_tw_reuse": TW_REUSE[pool.reuse],
        "tcp_tw_reuse_delay": int(pool.reuse_delay * 1000),
        "tcp_timestamps": int(pool.timestamps),
    }
    host = ConnectingHost(
        ports=pool.ports, reserved=reserved, destinations=pool.destinations, loopback=pool.loopback, settings=settings
    )
    for number, (instant, opened) in enumerate(isolated(connects, host, instants)):
        yield Attempt(instant, opened, number % pool.destinations)


def check_ports(pool: PortPool) -> Iterator[tuple[PortPool, Comparison]]:
    """Compare the kernel with the prediction for each rule of reuse, one after the other.

    Parameters
    ----------
    pool : PortPool
        The ports, destinations, timestamps and loopback; its rule of reuse is replaced.
    """
    service = Service(time_wait=load_stack("linux").require("time_wait"), service_time=Fraction(0))
    for reuse in Reuse:
        chosen = replace(pool, reuse=reuse, addresses=1, buckets=None)
        yield chosen, compare(attempts(chosen, bursts(chosen)), chosen, service)
