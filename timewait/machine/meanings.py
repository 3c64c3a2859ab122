"""The meaning of each setting of Linux for closing, in one sentence."""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from timewait.capacity.description import connections_in_words
from timewait.machine.linux_settings import ORPHAN_RETRIES, LinuxSettings
from timewait.machine.sources import SettingsSource
from timewait.spec.duration import format_duration
from timewait.spec.stacks import load_stack


class HostSetting(NamedTuple):
    """One setting of a machine.

    Attributes
    ----------
    name : str
        Its name without ``net.ipv4.`` or ``net.netfilter.``.
    value : str
        Its value, as the system writes it.
    meaning : str
        Its meaning for closing, in one sentence.
    """

    name: str
    value: str
    meaning: str


def linux_meanings(host: LinuxSettings, source: SettingsSource) -> tuple[HostSetting, ...]:
    """Explain the settings that matter for closing.

    Parameters
    ----------
    host : LinuxSettings
        The settings as numbers.
    source : SettingsSource
        The settings as the kernel writes them.
    """
    wait = load_stack("linux").require("time_wait")
    meanings = {
        "net.ipv4.tcp_rfc1337": _rfc1337(host),
        "net.ipv4.tcp_fin_timeout": _fin_timeout(host, wait),
        "net.ipv4.tcp_tw_reuse": _tw_reuse(host),
        "net.ipv4.tcp_tw_reuse_delay": _tw_reuse_delay(host),
        "net.ipv4.tcp_max_tw_buckets": _max_tw_buckets(host),
        "net.ipv4.tcp_retries2": _retries2(host),
        "net.ipv4.tcp_orphan_retries": _orphan_retries(host),
        "net.ipv4.tcp_max_orphans": _max_orphans(host),
        "net.ipv4.tcp_rto_max_ms": _rto_max(host, wait),
        "net.ipv4.tcp_rto_min_us": _rto_min(host),
        "net.ipv4.tcp_timestamps": _timestamps(host),
        "net.ipv4.ip_local_reserved_ports": _reserved(host),
        "net.netfilter.nf_conntrack_tcp_timeout_time_wait": _conntrack(host, wait),
        "net.ipv4.ip_local_port_range": _ports(host, wait),
    }
    return tuple(
        HostSetting(name.rpartition(".")[2], " ".join(source.text(name).split()), text)
        for name, text in meanings.items()
        if text is not None
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rfc1337(host: LinuxSettings) -> str:
    if host.rfc1337:
        return "In TIME-WAIT every RST is dropped (RFC 1337, fix F1)."
    return "A RST with exactly the next expected sequence number ends TIME-WAIT; 1 would drop it (RFC 1337, fix F1)."


def _fin_timeout(host: LinuxSettings, wait: Fraction) -> str:
    lasts = format_duration(Fraction(host.fin_timeout))
    if host.max_tw_buckets == 0:
        cut = f"tcp_max_tw_buckets = 0 shortens that by up to {format_duration(wait)}"
        return f"FIN-WAIT-2 would last {lasts} after the program has closed, but {cut}."
    fixed = f"this does NOT shorten TIME-WAIT, which always lasts {format_duration(wait)}"
    return f"FIN-WAIT-2 lasts {lasts} after the program has closed; {fixed}."


def _tw_reuse(host: LinuxSettings) -> str:
    match host.tw_reuse:
        case 0:
            return "The kernel never takes a port in TIME-WAIT for a new connection to the same destination."
        case 1:
            where = "a new connection"
        case 2:
            where = "a new connection over loopback"
        case _:
            return "The meaning of this value is not known."
    if not host.timestamps:
        return f"The kernel would take a port in TIME-WAIT for {where}, but only with tcp_timestamps."
    limits = "this does not shorten TIME-WAIT and helps only the connecting side"
    return f"For {where} the kernel may take a port in TIME-WAIT; {limits}."


def _tw_reuse_delay(host: LinuxSettings) -> str | None:
    if host.tw_reuse_delay is None:
        return None
    lasts = format_duration(Fraction(host.tw_reuse_delay, 1_000))
    return f"A connection must have been in TIME-WAIT for {lasts} before tcp_tw_reuse may take its port."


def _max_tw_buckets(host: LinuxSettings) -> str:
    if host.max_tw_buckets == 0:
        return "There is no TIME-WAIT: the connection is deleted after its last acknowledgement."
    return f"At most {host.max_tw_buckets:,} connections are in TIME-WAIT at once; any further one is deleted without TIME-WAIT."


def _orphan_retries(host: LinuxSettings) -> str:
    stands = "" if host.orphan_retries else f" (0 stands for {ORPHAN_RETRIES})"
    often = ", ".join(f"{_times(host.fin_retransmissions(rto))} at an RTO of {format_duration(rto)}" for rto in _rtos(host))
    lasts = format_duration(host.fin_retry_time)
    closed = "The FIN of a connection that its program has closed"
    return f"{closed} is retransmitted for {lasts} from the first time on{stands}: {often}."


def _rtos(host: LinuxSettings) -> list[Fraction]:
    """The least RTO, and one of a second."""
    return sorted({host.rto_min, max(host.rto_min, Fraction(1))})


def _retries2(host: LinuxSettings) -> str:
    lasts = format_duration(host.retry_time(host.retries2))
    return f"A segment of an open connection is retransmitted for {lasts} from the first time on; then the connection is dropped."


def _rto_max(host: LinuxSettings, wait: Fraction) -> str | None:
    if host.rto_max_ms is None:
        return None
    longest = Fraction(host.rto_max_ms, 1_000)
    gap = f"Two retransmissions are at most {format_duration(longest)} apart"
    if host.max_tw_buckets == 0 or longest <= wait:
        return gap + "."
    return gap + f", longer than TIME-WAIT ({format_duration(wait)}): a last FIN may arrive after TIME-WAIT."


def _rto_min(host: LinuxSettings) -> str | None:
    if host.rto_min_us is None:
        return None
    least = format_duration(Fraction(host.rto_min_us, 1_000_000))
    return f"A retransmission comes {least} after the first transmission at the earliest."


def _timestamps(host: LinuxSettings) -> str:
    if host.timestamps:
        return "If both ends use timestamps, these identify old segments (PAWS), in TIME-WAIT and in the next connection."
    return "Without timestamps only sequence numbers identify old segments, and tcp_tw_reuse has no effect."


def _max_orphans(host: LinuxSettings) -> str | None:
    if host.max_orphans is None:
        return None
    return f"At most {host.max_orphans:,} connections without a program may still be closing; a further one is reset."


def _reserved(host: LinuxSettings) -> str | None:
    if not host.reserved:
        return None
    return f"connect() does not choose these ports by itself: {host.reserved_ports} of ip_local_port_range."


def _conntrack(host: LinuxSettings, wait: Fraction) -> str | None:
    if host.conntrack_time_wait is None:
        return None
    lasts = Fraction(host.conntrack_time_wait)
    shown = f"The packet filter keeps a closed connection for {format_duration(lasts)}"
    if lasts < wait:
        return f"{shown}, shorter than TIME-WAIT ({format_duration(wait)}): it may give its port to another host meanwhile."
    return f"{shown}; this is a timer of its own and does not change TIME-WAIT."


def _ports(host: LinuxSettings, wait: Fraction) -> str:
    count = host.usable_ports
    if host.max_tw_buckets == 0:
        return f"There are {count:,} ports for connections to one destination, and no TIME-WAIT blocks one."
    rate = count / wait
    shown = f"{int(rate):,}" if rate >= 1 else f"{float(rate):.2g}"
    held = format_duration(wait)
    return f"{count:,} ports, each blocked for {held} by TIME-WAIT, allow {connections_in_words(shown)} to one destination."
