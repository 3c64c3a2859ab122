"""The profile of this Linux machine: the linux profile with the settings of the kernel, and the meaning of each setting."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from timewait.spec.duration import format_duration
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import Source, Stack, load_stack
from timewait.vocabulary.errors import InputError

ROOT = Path("/proc/sys/net/ipv4")
"""The directory of the settings."""

NEWER = ("tcp_rto_min_us", "tcp_rto_max_ms", "tcp_tw_reuse_delay")
"""Settings that older kernels lack; their values are then those of the linux profile."""

ORPHAN_RETRIES = 8
"""The meaning of ``tcp_orphan_retries = 0``."""


class HostUnreadable(InputError):
    """The settings cannot be read, or this is not Linux."""


class HostSetting(NamedTuple):
    """One setting of the machine.

    Attributes
    ----------
    name : str
        Its name without ``net.ipv4.``.
    value : str
        Its value, as the kernel writes it.
    meaning : str
        Its meaning for closing, in one sentence.
    """

    name: str
    value: str
    meaning: str


class _Host(NamedTuple):
    """The settings as numbers; None where an older kernel lacks one."""

    rfc1337: int
    fin_timeout: int
    tw_reuse: int
    tw_reuse_delay: int | None
    max_tw_buckets: int
    retries2: int
    orphan_retries: int
    rto_max_ms: int | None
    rto_min_us: int | None
    timestamps: int
    ports: tuple[int, int]


class HostPorts(NamedTuple):
    """The ports of this machine for connections to one destination, and the rule for using one again.

    Attributes
    ----------
    usable : int
        Ports that connect() may choose: those of ``ip_local_port_range`` without the reserved ones.
    reserved : int
        Ports of the range in ``ip_local_reserved_ports``.
    tw_reuse : int
        ``tcp_tw_reuse``: 0 off, 1 on, 2 for loopback alone.
    reuse_delay : Fraction
        ``tcp_tw_reuse_delay``, in seconds.
    timestamps : bool
        Whether this end uses timestamps.
    max_tw_buckets : int
        The most connections in TIME-WAIT.
    """

    usable: int
    reserved: int
    tw_reuse: int
    reuse_delay: Fraction
    timestamps: bool
    max_tw_buckets: int


def read_ports(root: Path = ROOT) -> HostPorts:
    """Return the ports that this machine has for connections to one destination.

    Parameters
    ----------
    root : Path
        The directory of the settings.

    Raises
    ------
    HostUnreadable
        This is not Linux, or a setting cannot be read.
    """
    host = _read(root)
    low, high = host.ports
    reserved = sum(max(0, min(high, last) - max(low, first) + 1) for first, last in _reserved(root))
    delay = Fraction(1) if host.tw_reuse_delay is None else Fraction(host.tw_reuse_delay, 1_000)
    timestamps = host.timestamps != 0
    return HostPorts(high - low + 1 - reserved, reserved, host.tw_reuse, delay, timestamps, host.max_tw_buckets)


def _reserved(root: Path) -> list[tuple[int, int]]:
    """The ranges of ``ip_local_reserved_ports``, which the kernel writes in order and without overlap."""
    name = "ip_local_reserved_ports"
    ranges = []
    for part in _text(root, name).split(","):
        ends = part.strip().split("-") if part.strip() else []
        if len(ends) > 2 or not all(end.isdecimal() for end in ends):
            raise HostUnreadable(f"cannot make sense of {root / name}: {part!r} is neither a port nor a range")
        if ends:
            ranges.append((int(ends[0]), int(ends[-1])))
    return ranges


def read_host(root: Path = ROOT) -> Stack:
    """Return the profile of this machine: the linux profile with the settings of the kernel.

    Parameters
    ----------
    root : Path
        The directory of the settings.

    Raises
    ------
    HostUnreadable
        This is not Linux, or a setting cannot be read.
    """
    host = _read(root)
    linux = load_stack("linux")
    fin_timeout = f"tcp_fin_timeout = {host.fin_timeout}"
    values: dict[str, tuple[object, Source]] = {
        "reset": (ResetRule.IGNORE if host.rfc1337 else ResetRule.EXACT, _source(f"tcp_rfc1337 = {host.rfc1337}")),
        "fin_wait_2": (Fraction(host.fin_timeout), _source(fin_timeout)),
        "retries": (host.orphan_retries or ORPHAN_RETRIES, _source(f"tcp_orphan_retries = {host.orphan_retries}")),
    }
    if host.rto_min_us is not None:
        values["rto_min"] = Fraction(host.rto_min_us, 1_000_000), _source(f"tcp_rto_min_us = {host.rto_min_us}")
    if host.rto_max_ms is not None:
        values["rto_max"] = Fraction(host.rto_max_ms, 1_000), _source(f"tcp_rto_max_ms = {host.rto_max_ms}")
    has_time_wait = host.max_tw_buckets != 0
    if not has_time_wait:
        # The last part of an orphan's FIN-WAIT-2, as long as TIME-WAIT, uses the same pool and is lost too.
        left = max(Fraction(0), Fraction(host.fin_timeout) - linux.require("time_wait"))
        values["time_wait"] = Fraction(0), _source("tcp_max_tw_buckets = 0")
        values["fin_wait_2"] = left, _source(fin_timeout, "tcp_max_tw_buckets = 0")
    return replace(linux.with_values(values), name="host", title="this Linux machine", has_time_wait=has_time_wait)


def _source(*settings: str) -> Source:
    return Source(", ".join(f"net.ipv4.{name}" for name in settings), "measured")


def read_settings(root: Path = ROOT) -> tuple[HostSetting, ...]:
    """Explain the settings of this machine that matter for closing, one sentence for each.

    Parameters
    ----------
    root : Path
        The directory of the settings.

    Raises
    ------
    HostUnreadable
        This is not Linux, or a setting cannot be read.
    """
    host = _read(root)
    wait = load_stack("linux").require("time_wait")
    meanings = {
        "tcp_rfc1337": _rfc1337(host),
        "tcp_fin_timeout": _fin_timeout(host, wait),
        "tcp_tw_reuse": _tw_reuse(host),
        "tcp_tw_reuse_delay": _tw_reuse_delay(host),
        "tcp_max_tw_buckets": _max_tw_buckets(host),
        "tcp_retries2": f"A segment of an open connection is retransmitted {_times(host.retries2)} before the drop.",
        "tcp_orphan_retries": _orphan_retries(host),
        "tcp_rto_max_ms": _rto_max(host, wait),
        "tcp_rto_min_us": _rto_min(host),
        "tcp_timestamps": _timestamps(host),
        "ip_local_port_range": _ports(host, wait),
    }
    return tuple(
        HostSetting(name, " ".join(_text(root, name).split()), text) for name, text in meanings.items() if text is not None
    )


def _read(root: Path) -> _Host:
    try:
        linux = root.is_dir()
    except OSError as error:
        raise HostUnreadable(f"cannot read {root}: {error.strerror}") from None
    if not linux:
        raise HostUnreadable(f"this machine shows no Linux TCP settings: there is no directory {root}")
    return _Host(
        rfc1337=_number(root, "tcp_rfc1337"),
        fin_timeout=_number(root, "tcp_fin_timeout"),
        tw_reuse=_number(root, "tcp_tw_reuse"),
        tw_reuse_delay=_newer(root, "tcp_tw_reuse_delay"),
        max_tw_buckets=_number(root, "tcp_max_tw_buckets"),
        retries2=_number(root, "tcp_retries2"),
        orphan_retries=_number(root, "tcp_orphan_retries"),
        rto_max_ms=_newer(root, "tcp_rto_max_ms"),
        rto_min_us=_newer(root, "tcp_rto_min_us"),
        timestamps=_number(root, "tcp_timestamps"),
        ports=_range(root, "ip_local_port_range"),
    )


def _text(root: Path, name: str) -> str:
    try:
        return (root / name).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise HostUnreadable(f"cannot read {root / name}: {reason}") from None


def _numbers(root: Path, name: str, count: int, expected: str) -> list[int]:
    text = _text(root, name)
    words = text.split()
    if len(words) != count or not all(word.isdecimal() for word in words):
        raise HostUnreadable(f"cannot make sense of {root / name}: {text!r} is not {expected}")
    return [int(word) for word in words]


def _number(root: Path, name: str) -> int:
    return _numbers(root, name, 1, "a whole number, zero or more")[0]


def _newer(root: Path, name: str) -> int | None:
    return _number(root, name) if (root / name).exists() else None


def _range(root: Path, name: str) -> tuple[int, int]:
    expected = "two port numbers, the lower first"
    low, high = _numbers(root, name, 2, expected)
    if low > high:
        raise HostUnreadable(f"cannot make sense of {root / name}: '{low} {high}' is not {expected}")
    return low, high


# --- one sentence each ---------------------------------------------------------------------------------------------


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _rfc1337(host: _Host) -> str:
    if host.rfc1337:
        return "In TIME-WAIT every RST is dropped (RFC 1337, fix F1)."
    return "A RST with exactly the next expected sequence number ends TIME-WAIT; 1 would drop it (RFC 1337, fix F1)."


def _fin_timeout(host: _Host, wait: Fraction) -> str:
    lasts = format_duration(Fraction(host.fin_timeout))
    if host.max_tw_buckets == 0:
        cut = f"tcp_max_tw_buckets = 0 shortens that by up to {format_duration(wait)}"
        return f"FIN-WAIT-2 would last {lasts} after the program has closed, but {cut}."
    fixed = f"this does NOT shorten TIME-WAIT, which always lasts {format_duration(wait)}"
    return f"FIN-WAIT-2 lasts {lasts} after the program has closed; {fixed}."


def _tw_reuse(host: _Host) -> str:
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


def _tw_reuse_delay(host: _Host) -> str | None:
    if host.tw_reuse_delay is None:
        return None
    lasts = format_duration(Fraction(host.tw_reuse_delay, 1_000))
    return f"A connection must have been in TIME-WAIT for {lasts} before tcp_tw_reuse may take its port."


def _max_tw_buckets(host: _Host) -> str:
    if host.max_tw_buckets == 0:
        return "There is no TIME-WAIT: the connection is deleted after its last acknowledgement."
    return f"At most {host.max_tw_buckets} connections are in TIME-WAIT at once; any further one is deleted without TIME-WAIT."


def _orphan_retries(host: _Host) -> str:
    retries = host.orphan_retries or ORPHAN_RETRIES
    stands = "" if host.orphan_retries else f" (0 stands for {ORPHAN_RETRIES})"
    return f"The FIN of a connection that its program has closed is retransmitted {_times(retries)} before the drop{stands}."


def _rto_max(host: _Host, wait: Fraction) -> str | None:
    if host.rto_max_ms is None:
        return None
    longest = Fraction(host.rto_max_ms, 1_000)
    gap = f"Two retransmissions are at most {format_duration(longest)} apart"
    if host.max_tw_buckets == 0 or longest <= wait:
        return gap + "."
    return gap + f", longer than TIME-WAIT ({format_duration(wait)}): a last FIN may arrive after TIME-WAIT."


def _rto_min(host: _Host) -> str | None:
    if host.rto_min_us is None:
        return None
    least = format_duration(Fraction(host.rto_min_us, 1_000_000))
    return f"A retransmission comes {least} after the first transmission at the earliest."


def _timestamps(host: _Host) -> str:
    if host.timestamps:
        return "If both ends use timestamps, these identify old segments (PAWS), in TIME-WAIT and in the next connection."
    return "Without timestamps only sequence numbers identify old segments, and tcp_tw_reuse has no effect."


def _ports(host: _Host, wait: Fraction) -> str:
    low, high = host.ports
    count = high - low + 1
    if host.max_tw_buckets == 0:
        return f"There are {count} ports for connections to one destination, and no TIME-WAIT blocks one."
    rate = count / wait
    shown = f"{int(rate)}" if rate >= 1 else f"{float(rate):.2g}"
    held = format_duration(wait)
    return f"{count} ports, each blocked for {held} by TIME-WAIT, allow {shown} connections per second to one destination."
