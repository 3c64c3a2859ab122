"""A way around TIME-WAIT as data: what it changes in the configuration of the close, and in the ports of the client."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction

from timewait.capacity.ports import Closer, PortPool, Reuse, Service
from timewait.spec.configuration import Configuration
from timewait.spec.reopening import NextIncarnation, Paws, Reopen, SynRule
from timewait.spec.settings import ResetRule
from timewait.vocabulary.suggestions import advice

REUSE_DELAY = Fraction(1)
"""Seconds in TIME-WAIT before Linux reuses a port: the default of ``tcp_tw_reuse_delay`` (``net/ipv4/tcp_ipv4.c``)."""

RECYCLED_AFTER = Fraction(7, 2)
"""TIME_WAIT in multiples of RTO with ``tcp_tw_recycle``: ``tcp_time_wait``, ``net/ipv4/tcp_minisocks.c`` before Linux 4.12."""

REQUESTS = 100
"""Requests on one connection with keep-alive: the former default of ``keepalive_requests`` in nginx."""

EVERY_PORT = 64_512
"""Ports from 1024 to 65535."""

LOCAL_SHARE = Fraction(1, 4)
"""How long a segment takes at most between two addresses of one machine, in parts of the least RTO."""


def unchanged_close(configuration: Configuration) -> Configuration:
    """The configuration as it is."""
    return configuration


def unchanged_pool(pool: PortPool) -> PortPool:
    """The ports as they are."""
    return pool


def unchanged_service(service: Service) -> Service:
    """The use of connections as it is."""
    return service


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way around TIME-WAIT.

    Attributes
    ----------
    name : str
        Its name on the command line.
    title : str
        Its name in the table.
    about : str
        What it does, in a sentence.
    close : callable
        The configuration of a close with it, from the one without it.
    pool : callable
        The ports of the client with it.
    service : callable
        The use of a connection with it, from that with the TIME_WAIT of the changed configuration.
    requests : int
        Requests that one connection serves; the gain counts requests.
    measured : bool
        Whether the part of it that the model does not have is measured on a kernel (`timewait.laboratory.listeners`).
    shared_address : bool
        Whether it judges a SYN by the last timestamp of its address (`timewait.spec.shared_address`).
    """

    name: str
    title: str
    about: str
    close: Callable[[Configuration], Configuration] = unchanged_close
    pool: Callable[[PortPool], PortPool] = unchanged_pool
    service: Callable[[Service], Service] = unchanged_service
    requests: int = 1
    measured: bool = False
    shared_address: bool = False


def _without_time_wait(configuration: Configuration) -> Configuration:
    return replace(configuration, time_wait=Fraction(0), behaviour=replace(configuration.behaviour, time_wait=False))


def _ended_at_any_time(configuration: Configuration) -> Configuration:
    return replace(configuration, behaviour=replace(configuration.behaviour, time_wait_cut=True))


def _shorter(configuration: Configuration) -> Configuration:
    return replace(configuration, time_wait=configuration.time_wait / 4)


def _aborts(configuration: Configuration) -> Configuration:
    return replace(configuration, behaviour=replace(configuration.behaviour, linger_zero=True))


def _resets_ignored(configuration: Configuration) -> Configuration:
    return replace(configuration, behaviour=replace(configuration.behaviour, reset=ResetRule.IGNORE))


def _with_timestamps(syn: SynRule = SynRule.NEVER) -> NextIncarnation:
    """A next incarnation that an end may open as soon as its own side allows, with timestamps at both ends."""
    return NextIncarnation(Reopen.HANDSHAKE, timestamps=(True, True), paws=Paws.LINUX, syn=syn, early=True)


def _reused(configuration: Configuration) -> Configuration:
    return replace(configuration, time_wait=min(configuration.time_wait, REUSE_DELAY), reopening=_with_timestamps())


def _recycled(configuration: Configuration) -> Configuration:
    short = RECYCLED_AFTER * configuration.rto[0]
    return replace(configuration, time_wait=min(configuration.time_wait, short), reopening=_with_timestamps())


def _met_by_a_syn(configuration: Configuration) -> Configuration:
    """The client does not wait, so its next SYN may meet TIME-WAIT at the server."""
    return replace(configuration, reopening=_with_timestamps(SynRule.TIMESTAMP))


def _orphan_given_up(configuration: Configuration) -> Configuration:
    behaviour = replace(configuration.behaviour, abandons=True, fin_wait_2=True)
    return replace(configuration, fin_wait_2=configuration.rto[0], behaviour=behaviour)


def _on_one_machine(configuration: Configuration) -> Configuration:
    """No TIME-WAIT, and a network that loses, duplicates and reorders nothing and is faster than every RTO.

    Either end may close first.
    """
    local = replace(configuration, loss=0, duplication=0, fifo=True, lossless=True, rto_exact=True, both_close=True)
    return _without_time_wait(replace(local, msl=configuration.rto[0] * LOCAL_SHARE))


def _no_wait(service: Service) -> Service:
    return replace(service, time_wait=Fraction(0))


PLAIN = Way(name="none", title="TIME-WAIT as it is", about="The client closes first and waits in TIME-WAIT.")
"""The close without any way around TIME-WAIT."""

WAYS: tuple[Way, ...] = (
    PLAIN,
    Way(
        name="keep-alive",
        title=f"keep-alive, {REQUESTS} req",
        about=f"One connection serves {REQUESTS} requests, so fewer connections close; the gain counts requests.",
        service=lambda service: replace(service, service_time=service.service_time * REQUESTS),
        requests=REQUESTS,
    ),
    Way(
        name="addresses",
        title="2 local addresses",
        about="The client has a second address, so each port can be used twice.",
        pool=lambda pool: replace(pool, addresses=2 * pool.addresses),
    ),
    Way(
        name="ports",
        title="every port",
        about="net.ipv4.ip_local_port_range = 1024 65535 lets connect() choose every port.",
        pool=lambda pool: replace(pool, ports=EVERY_PORT),
    ),
    Way(
        name="destinations",
        title="2 destinations",
        about="The server listens on a second address or port, so each port can be used twice.",
        pool=lambda pool: replace(pool, destinations=2 * pool.destinations),
    ),
    Way(
        name="client-first",
        title="client closes first",
        about="The client has the TIME-WAIT. This relieves the server and costs the client a port.",
        service=lambda service: replace(service, closer=Closer.CLIENT),
    ),
    Way(
        name="server-first",
        title="server closes first",
        about="The server has the TIME-WAIT. The client may choose the same port at once, and its SYN meets TIME-WAIT, which"
        " it ends if its timestamp is newer (RFC 6191).",
        close=_met_by_a_syn,
        service=lambda service: replace(service, closer=Closer.SERVER),
    ),
    Way(
        name="reuseaddr",
        title="SO_REUSEADDR",
        about="bind() allows the port of a listener whose connections are in TIME-WAIT; the connections stay as they are.",
        measured=True,
    ),
    Way(
        name="reuseport",
        title="SO_REUSEPORT",
        about="bind() allows several listeners on one port; the connections stay as they are.",
        measured=True,
    ),
    Way(
        name="tw-reuse-0",
        title="tcp_tw_reuse = 0",
        about="connect() takes no port whose connection is in TIME-WAIT.",
        pool=lambda pool: replace(pool, reuse=Reuse.OFF),
    ),
    Way(
        name="tw-reuse-1",
        title="tcp_tw_reuse = 1",
        about="connect() takes a port after a second of TIME-WAIT, if both ends use timestamps.",
        close=_reused,
        pool=lambda pool: replace(pool, reuse=Reuse.ON, reuse_delay=REUSE_DELAY),
    ),
    Way(
        name="tw-reuse-2",
        title="tcp_tw_reuse = 2",
        about="As 1 for loopback alone; this row is for another destination, for which nothing changes.",
        pool=lambda pool: replace(pool, reuse=Reuse.LOOPBACK, loopback=False),
    ),
    Way(
        name="tw-recycle",
        title="tcp_tw_recycle",
        about="TIME-WAIT ends after 3.5 RTO, and a SYN needs a newer timestamp than the last one of its address. Behind a NAT"
        " the hosts have clocks of their own, so their SYNs are dropped. Linux removed it in 4.12.",
        close=_recycled,
        shared_address=True,
    ),
    Way(
        name="shorter",
        title="TIME_WAIT / 4",
        about="TIME-WAIT lasts a quarter of the usual time, as a smaller net.inet.tcp.msl or TcpTimedWaitDelay sets it.",
        close=_shorter,
    ),
    Way(
        name="buckets",
        title="tcp_max_tw_buckets",
        about="A full table (here of 0 entries) leaves out TIME-WAIT.",
        close=_without_time_wait,
        pool=lambda pool: replace(pool, buckets=0),
    ),
    Way(
        name="kill",
        title="ss -K",
        about="An operator destroys connections in TIME-WAIT (SOCK_DESTROY) at any time.",
        close=_ended_at_any_time,
        service=_no_wait,
    ),
    Way(
        name="linger",
        title="SO_LINGER {1,0}",
        about="CLOSE sends a RST instead of a FIN, and there is no TIME-WAIT.",
        close=_aborts,
        service=_no_wait,
    ),
    Way(
        name="nolocal",
        title="nolocaltimewait",
        about="FreeBSD leaves out TIME-WAIT between two addresses of one machine, where nothing is lost, duplicated or late.",
        close=_on_one_machine,
        service=_no_wait,
    ),
    Way(
        name="fin-timeout",
        title="tcp_fin_timeout=RTO",
        about="Not a way: it limits FIN-WAIT-2 of connections that their user has abandoned, here to one RTO instead of a minute,"
        " and leaves TIME-WAIT alone.",
        close=_orphan_given_up,
    ),
    Way(
        name="rfc1337",
        title="tcp_rfc1337 = 1",
        about="Not a way: TIME-WAIT ignores a RST, which it needs.",
        close=_resets_ignored,
    ),
)
"""Every way, the close without any first."""


def way_name(text: str) -> str:
    """The name of the way that a text names: its own name, or that in the table, in any spelling; a setting alone is set to 1.

    Raises
    ------
    ValueError
        No way has this name.
    """
    for way in WAYS:
        setting = way.title.removesuffix(" = 1").removesuffix("=RTO")
        if _folded(text) in {_folded(way.name), _folded(way.title), _folded(setting)}:
            return way.name
    raise ValueError(f"there is no way {text[:40]!r}; {advice(text, [way.name for way in WAYS])}")


def _folded(text: str) -> str:
    return "".join(character for character in text.lower() if character.isalnum())
