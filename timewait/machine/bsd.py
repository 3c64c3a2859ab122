"""The settings of FreeBSD and macOS that matter for closing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from timewait.capacity.ports import PortPool
from timewait.machine.meanings import HostSetting
from timewait.machine.sources import SettingsSource, number, port_range
from timewait.spec.duration import format_duration

TCP, IP = "net.inet.tcp.", "net.inet.ip.portrange."


@dataclass(frozen=True, slots=True, kw_only=True)
class BsdSettings:
    """The settings of FreeBSD or macOS.

    Attributes
    ----------
    system : str
        ``FreeBSD`` or ``macOS``.
    msl : Fraction
        ``net.inet.tcp.msl`` in seconds; TIME_WAIT is twice as long.
    ports : (int, int)
        The first and the last port that connect() chooses.
    meanings : tuple of HostSetting
        The settings, each with its meaning.
    """

    system: str
    msl: Fraction
    ports: tuple[int, int]
    meanings: tuple[HostSetting, ...]

    @property
    def time_wait(self) -> Fraction:
        """TIME_WAIT in seconds."""
        return 2 * self.msl

    @property
    def pool(self) -> PortPool:
        """The ports for connections to one destination."""
        low, high = self.ports
        return PortPool(ports=high - low + 1)


def is_bsd(source: SettingsSource) -> bool:
    """Whether the settings are those of FreeBSD or macOS."""
    return source.knows(f"{TCP}msl")


def read_bsd(source: SettingsSource) -> BsdSettings:
    """Read the settings.

    Raises
    ------
    HostUnreadable
        One cannot be read or makes no sense.
    """
    low, high = sorted(number(source, f"{IP}{end}") for end in ("first", "last"))
    first, last = port_range(source, f"{IP}first, last", low, high)
    msl = Fraction(number(source, f"{TCP}msl"), 1_000)
    system = "FreeBSD" if source.knows(f"{TCP}nolocaltimewait") or source.knows(f"{TCP}fast_finwait2_recycle") else "macOS"
    return BsdSettings(system=system, msl=msl, ports=(first, last), meanings=tuple(_meanings(source, msl, last - first + 1)))


def _meanings(source: SettingsSource, msl: Fraction, ports: int) -> Iterator[HostSetting]:
    wait = format_duration(2 * msl)
    rate = f"{float(ports / (2 * msl)):.4g}" if msl else "any number of"
    yield _shown(source, f"{TCP}msl", lambda _: f"TIME-WAIT lasts {wait}, twice this; it is the one setting that shortens it.")
    texts: dict[str, Callable[[int], str]] = {
        f"{TCP}nolocaltimewait": lambda on: (
            "A connection between addresses of this machine has no TIME-WAIT."
            if on
            else "Local connections have a TIME-WAIT too."
        ),
        f"{TCP}finwait2_timeout": lambda ms: (
            f"FIN-WAIT-2 lasts {format_duration(Fraction(ms, 1_000))} after the program has closed, "
            "if fast_finwait2_recycle is on; this does NOT shorten TIME-WAIT."
        ),
        f"{TCP}fast_finwait2_recycle": lambda on: (
            "finwait2_timeout applies."
            if on
            else "FIN-WAIT-2 of a closed program lasts 10 minutes or more; finwait2_timeout is ignored."
        ),
        f"{TCP}maxtcptw": lambda most: f"At most {most:,} connections are in TIME-WAIT; the oldest is deleted for a further one.",
        f"{TCP}rfc1323": lambda on: (
            "If both ends use timestamps, these identify old segments (PAWS)."
            if on
            else "Timestamps are off: numbers alone identify old segments."
        ),
    }
    for name, text in texts.items():
        if source.knows(name):
            yield _shown(source, name, text)
    first = number(source, f"{IP}first")
    last = number(source, f"{IP}last")
    allows = f"{ports:,} ports, each blocked for {wait} by TIME-WAIT, allow {rate} connections per second to one destination."
    yield HostSetting("portrange.first, last", f"{first} {last}", allows)


def _shown(source: SettingsSource, name: str, text: Callable[[int], str]) -> HostSetting:
    value = number(source, name)
    return HostSetting(name.removeprefix(TCP), str(value), text(value))
