"""The settings of Linux that matter for closing, as numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from timewait.capacity.ports import PortPool, Reuse
from timewait.machine.sources import HostUnreadable, SettingsSource, number, numbers, optional_number, port_range
from timewait.spec.backoff import doubling, retransmissions

ORPHAN_RETRIES = 8
"""The meaning of ``tcp_orphan_retries = 0``."""

MODEL_RTO = Fraction(1, 5)
"""``TCP_RTO_MIN`` in seconds: the kernel turns numbers of retries into times with it, whatever ``tcp_rto_min_us`` is."""

LONGEST_RTO = Fraction(120)
"""``TCP_RTO_MAX`` in seconds: the default of ``tcp_rto_max_ms``."""

RTO_MAX_MS, RTO_MIN_US = (1_000, 120_000), (1, 2**31 - 1)
"""The values of ``tcp_rto_max_ms`` and ``tcp_rto_min_us`` that the kernel accepts (``net/ipv4/sysctl_net_ipv4.c``)."""

REUSE = {0: Reuse.OFF, 1: Reuse.ON, 2: Reuse.LOOPBACK}
"""The meanings of ``tcp_tw_reuse``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinuxSettings:
    """The settings below ``net.ipv4``, and conntrack's; None where a kernel lacks one.

    Attributes
    ----------
    ports : (int, int)
        ``ip_local_port_range``.
    reserved : tuple of (int, int)
        The ranges of ``ip_local_reserved_ports``.
    conntrack_time_wait : int or None
        ``net.netfilter.nf_conntrack_tcp_timeout_time_wait``, in seconds.
    rfc1337, fin_timeout, tw_reuse, tw_reuse_delay, max_tw_buckets, retries2, orphan_retries, max_orphans, rto_max_ms,
    rto_min_us, timestamps, tw_recycle : int or None
        Of the same names with ``tcp_`` before.
    """

    rfc1337: int
    fin_timeout: int
    tw_reuse: int
    tw_reuse_delay: int | None
    max_tw_buckets: int
    retries2: int
    orphan_retries: int
    max_orphans: int | None
    rto_max_ms: int | None
    rto_min_us: int | None
    timestamps: int
    ports: tuple[int, int]
    reserved: tuple[tuple[int, int], ...]
    conntrack_time_wait: int | None
    tw_recycle: int | None = None

    @property
    def rto_min(self) -> Fraction:
        """The least RTO, in seconds."""
        return MODEL_RTO if self.rto_min_us is None else Fraction(self.rto_min_us, 1_000_000)

    @property
    def rto_max(self) -> Fraction:
        """The longest RTO, in seconds."""
        return LONGEST_RTO if self.rto_max_ms is None else Fraction(self.rto_max_ms, 1_000)

    def retry_time(self, retries: int) -> Fraction:
        """The time, in seconds, that a number of retries stands for (``tcp_model_timeout``, ``net/ipv4/tcp_timer.c``).

        The kernel gives up at the first expiry at which it has passed since the first retransmission.
        """
        doublings = int(self.rto_max / MODEL_RTO).bit_length() - 1
        doubled = ((2 << min(retries, doublings)) - 1) * MODEL_RTO
        return doubled + max(0, retries - doublings) * self.rto_max

    @property
    def fin_retry_time(self) -> Fraction:
        """How long the FIN of an orphan is retransmitted, from its first retransmission on, in seconds."""
        return self.retry_time(self.orphan_retries or ORPHAN_RETRIES)

    def fin_retransmissions(self, rto: Fraction) -> int:
        """How often the FIN of an orphan is retransmitted, from a first RTO in seconds on.

        Without ``tcp_orphan_retries`` the kernel also gives up once the RTO has reached its longest (``tcp_orphan_retries()``).
        """
        gaps = doubling(rto, self.rto_max)
        count = retransmissions(gaps, self.fin_retry_time)
        return count if self.orphan_retries else min(count, max(1, len(gaps) - 1))

    @property
    def reserved_ports(self) -> int:
        """Ports of the range that connect() does not choose, since they are reserved."""
        low, high = self.ports
        return sum(max(0, min(high, last) - max(low, first) + 1) for first, last in self.reserved)

    @property
    def usable_ports(self) -> int:
        """Ports that connect() may choose."""
        low, high = self.ports
        return high - low + 1 - self.reserved_ports

    @property
    def reuse_delay(self) -> Fraction:
        """How long a connection must have been in TIME-WAIT before its port may be taken, in seconds."""
        return Fraction(1) if self.tw_reuse_delay is None else Fraction(self.tw_reuse_delay, 1_000)

    def pool(self, *, loopback: bool = False, destinations: int = 1, addresses: int = 1) -> PortPool:
        """The ports of the machine for connections to a destination.

        Raises
        ------
        RequestError
            No port is left.
        """
        return PortPool(
            ports=self.usable_ports,
            addresses=addresses,
            destinations=destinations,
            reuse=REUSE.get(self.tw_reuse, Reuse.OFF),
            reuse_delay=self.reuse_delay,
            timestamps=self.timestamps != 0,
            loopback=loopback,
            buckets=self.max_tw_buckets,
        )


def read_linux(source: SettingsSource) -> LinuxSettings:
    """Read the settings.

    Raises
    ------
    HostUnreadable
        One cannot be read or makes no sense.
    """

    def tcp(name: str) -> int:
        return number(source, f"net.ipv4.tcp_{name}")

    def newer(name: str, bounds: tuple[int, int] | None = None) -> int | None:
        return optional_number(source, f"net.ipv4.tcp_{name}", bounds)

    return LinuxSettings(
        rfc1337=tcp("rfc1337"),
        fin_timeout=tcp("fin_timeout"),
        tw_reuse=tcp("tw_reuse"),
        tw_reuse_delay=newer("tw_reuse_delay"),
        max_tw_buckets=tcp("max_tw_buckets"),
        retries2=tcp("retries2"),
        orphan_retries=tcp("orphan_retries"),
        max_orphans=newer("max_orphans"),
        rto_max_ms=newer("rto_max_ms", RTO_MAX_MS),
        rto_min_us=newer("rto_min_us", RTO_MIN_US),
        timestamps=tcp("timestamps"),
        ports=_range(source, "net.ipv4.ip_local_port_range"),
        reserved=_reserved(source, "net.ipv4.ip_local_reserved_ports"),
        tw_recycle=newer("tw_recycle"),
        conntrack_time_wait=optional_number(source, "net.netfilter.nf_conntrack_tcp_timeout_time_wait"),
    )


def _range(source: SettingsSource, name: str) -> tuple[int, int]:
    low, high = numbers(source, name, 2, "two port numbers, the lower first")
    return port_range(source, name, low, high)


def _reserved(source: SettingsSource, name: str) -> tuple[tuple[int, int], ...]:
    """The ranges, in order and without overlap, as the kernel writes them; none where the setting is missing."""
    ranges: list[tuple[int, int]] = []
    for part in source.text(name).split(",") if source.knows(name) else ():
        ends = part.strip().split("-") if part.strip() else []
        if len(ends) > 2 or not all(end.isascii() and end.isdecimal() and len(end) < 6 for end in ends):
            raise HostUnreadable(f"cannot make sense of {source.where(name)}: {part[:60]!r} is neither a port nor a range")
        if ends:
            ranges.append(port_range(source, name, int(ends[0]), int(ends[-1])))
    return tuple(_merged(ranges))


def _merged(ranges: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The same ports in ranges that do not overlap."""
    last: tuple[int, int] | None = None
    for first, end in sorted(ranges):
        if last is None or first > last[1] + 1:
            yield from () if last is None else (last,)
            last = (first, end)
        else:
            last = (last[0], max(last[1], end))
    yield from () if last is None else (last,)
