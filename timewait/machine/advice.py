"""What a machine can do, and what needs doing: from its settings and its sockets."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import NamedTuple

from timewait.capacity.description import connections_in_words, rate_in_words
from timewait.capacity.ports import Service
from timewait.capacity.prediction import Prediction
from timewait.machine.bsd import BsdSettings
from timewait.machine.linux_settings import ORPHAN_RETRIES, LinuxSettings
from timewait.machine.sockets import LiveSockets
from timewait.narration.prose import counted
from timewait.spec.duration import format_duration
from timewait.spec.stacks import load_stack
from timewait.spec.state import State

NEARLY = Fraction(4, 5)
"""The share of a limit from which on it is reported."""

MANY = 100
"""Connections of one program in CLOSE-WAIT from which on they are reported."""

FEW_PORTS = 1000
"""Ports below which the range is reported."""

SHORT_MSL = Fraction(15)
"""In seconds: an MSL below this, the shortest of the systems with ports of this range, is reported."""


DEFAULT_RETRY_TIME = Fraction(511, 5)
"""Seconds for which a FIN is retransmitted with the defaults of Linux."""


class Advice(NamedTuple):
    """Something that needs doing.

    Attributes
    ----------
    finding : str
        What is wrong, in one sentence.
    command : str
        What to do.
    consequence : str
        What that would break or cost, in one sentence.
    """

    finding: str
    command: str
    consequence: str


def linux_headline(host: LinuxSettings, live: LiveSockets | None) -> str:
    """What the machine can do, in one sentence."""
    if not host.usable_ports:
        return "This machine can open no connection by itself: every port of ip_local_port_range is reserved."
    elsewhere, loopback = (_lasting(host, loopback=on) for on in (False, True))
    over = "" if loopback == elsewhere else f", and {loopback} over loopback"
    now = "" if live is None else f"; {counted(live.states[State.TIME_WAIT], 'connection')} in TIME-WAIT now"
    return f"This machine can open {connections_in_words(elsewhere)} to one destination{over}{now}."


def _lasting(host: LinuxSettings, *, loopback: bool) -> str:
    """The lasting rate for connections that are closed at once."""
    wait = load_stack("linux").require("time_wait") if host.max_tw_buckets else Fraction(0)
    prediction = Prediction(host.pool(loopback=loopback), Service(time_wait=wait, service_time=Fraction(0)), Fraction(10**9))
    rate = prediction.lasting_rate
    return (
        "any number of" if rate is None or rate >= prediction.rate else rate_in_words(Fraction(int(rate)) if rate >= 1 else rate)
    )


def bsd_headline(host: BsdSettings) -> str:
    """What the machine can do, in one sentence."""
    prediction = Prediction(host.pool, Service(time_wait=host.time_wait, service_time=Fraction(0)), Fraction(10**9))
    rate = prediction.lasting_rate
    shown = "any number of" if rate is None else rate_in_words(Fraction(int(rate)) if rate >= 1 else rate)
    waits = f"TIME-WAIT lasts {format_duration(host.time_wait)}" if host.msl else "there is no TIME-WAIT"
    return f"This {host.system} machine can open {connections_in_words(shown)} to one destination; {waits}."


def verdict_line(advice: list[Advice]) -> str:
    """Whether something needs doing, in one sentence."""
    if not advice:
        return "Nothing needs doing."
    return (
        f"{counted(len(advice), 'thing needs', 'things need')} doing: {'; '.join(entry.finding.rstrip('.') for entry in advice)}."
    )


def linux_advice(host: LinuxSettings, live: LiveSockets | None) -> Iterator[Advice]:
    """What needs doing on a Linux machine."""
    wait = load_stack("linux").require("time_wait")
    yield from _limits(host, live)
    if host.usable_ports < FEW_PORTS:
        yield Advice(
            f"Only {counted(host.usable_ports, 'port')} of ip_local_port_range may be used."
            if host.usable_ports
            else "Every port of ip_local_port_range is reserved by ip_local_reserved_ports.",
            'sysctl -w net.ipv4.ip_local_port_range="32768 60999"',
            "A service that listens on a port of the wider range may find it taken; list such ports in ip_local_reserved_ports.",
        )
    if host.tw_recycle:
        yield Advice(
            "tcp_tw_recycle is on: of several machines behind one address, all but one may be refused.",
            "sysctl -w net.ipv4.tcp_tw_recycle=0",
            "Nothing; Linux removed the setting in 4.12.",
        )
    if not host.timestamps:
        yield Advice(
            "Timestamps are off: tcp_tw_reuse has no effect, and only sequence numbers identify old segments.",
            "sysctl -w net.ipv4.tcp_timestamps=1",
            "Each segment is 12 octets longer, and a peer can estimate how long the machine has been running.",
        )
    if host.conntrack_time_wait is not None and host.conntrack_time_wait < wait:
        yield Advice(
            f"The packet filter forgets a closed connection after {host.conntrack_time_wait} s, before TIME-WAIT ends.",
            "sysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=120",
            "Its table holds closed connections for longer.",
        )
    covers = host.fin_retry_time
    if host.max_tw_buckets and covers > max(wait, DEFAULT_RETRY_TIME):
        yield Advice(
            f"A FIN may be retransmitted for {format_duration(covers)}, longer than the TIME-WAIT of a peer like this one lasts.",
            f"sysctl -w net.ipv4.tcp_orphan_retries={ORPHAN_RETRIES}",
            "A connection without a program gives up sooner on a path that fails for minutes.",
        )


def _limits(host: LinuxSettings, live: LiveSockets | None) -> Iterator[Advice]:
    """Limits of sockets: those that are wrong in themselves, and those that the live sockets approach."""
    if not host.max_tw_buckets:
        yield Advice(
            "There is no TIME-WAIT: a lost last acknowledgement resets the peer, and old segments may reach the next connection.",
            "sysctl -w net.ipv4.tcp_max_tw_buckets=131072",
            "A connection in TIME-WAIT costs 256 octets and blocks its port for a minute.",
        )
    elif host.max_tw_buckets < host.usable_ports:
        yield Advice(
            f"A connection beyond {host.max_tw_buckets:,} in TIME-WAIT has none, and there are {host.usable_ports:,} ports.",
            f"sysctl -w net.ipv4.tcp_max_tw_buckets={4 * host.usable_ports}",
            "Each connection in TIME-WAIT costs 256 octets.",
        )
    if live is None:
        return
    waiting = live.states[State.TIME_WAIT]
    if host.max_tw_buckets and waiting >= NEARLY * host.max_tw_buckets:
        yield Advice(
            f"{waiting:,} connections are in TIME-WAIT, and a connection beyond {host.max_tw_buckets:,} has none.",
            f"sysctl -w net.ipv4.tcp_max_tw_buckets={4 * host.max_tw_buckets}",
            "Each connection in TIME-WAIT costs 256 octets.",
        )
    for remote, used in live.ports.most_common(1):
        if used >= NEARLY * host.usable_ports:
            yield Advice(
                f"{used:,} of {host.usable_ports:,} ports are in use towards {remote}: connect() will fail with EADDRNOTAVAIL.",
                "use a second address or port of the destination, or keep connections open",
                "The other destination takes the load.",
            )
    for program, count in live.not_closed.most_common(1):
        if count >= MANY:
            yield Advice(
                f"{program} has {count:,} connections in CLOSE-WAIT: the peer has closed, the program has not.",
                "mend the program: it must close a connection after it has read end of file",
                "Nothing; no setting ends CLOSE-WAIT.",
            )
    if host.max_orphans and live.orphans >= NEARLY * host.max_orphans:
        yield Advice(
            f"{live.orphans:,} connections without a program are closing; a connection beyond {host.max_orphans:,} is reset.",
            f"sysctl -w net.ipv4.tcp_max_orphans={4 * host.max_orphans}",
            "Each of them may cost up to 64 kB.",
        )


def bsd_advice(host: BsdSettings) -> Iterator[Advice]:
    """What needs doing on a machine with FreeBSD or macOS."""
    if host.msl < SHORT_MSL:
        yield Advice(
            f"TIME-WAIT lasts {format_duration(host.time_wait)} only." if host.msl else "There is no TIME-WAIT.",
            "sysctl net.inet.tcp.msl=30000",
            f"A port is blocked for 60s instead of {format_duration(host.time_wait)}.",
        )
    if host.pool.ports < FEW_PORTS:
        yield Advice(
            f"Only {counted(host.pool.ports, 'port')} may be used.",
            "sysctl net.inet.ip.portrange.first=49152",
            "A service that listens on a port of the wider range may find it taken.",
        )
