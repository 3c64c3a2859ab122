"""The machine at hand, or another one whose settings were saved."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from timewait.machine.advice import Advice, bsd_advice, bsd_headline, linux_advice, linux_headline
from timewait.machine.bsd import is_bsd, read_bsd
from timewait.machine.linux_settings import LinuxSettings, read_linux
from timewait.machine.meanings import HostSetting, linux_meanings
from timewait.machine.profile import host_profile
from timewait.machine.sockets import LiveSockets, live_sockets
from timewait.machine.sources import SettingsSource, settings_of_folder
from timewait.spec.stacks import Stack


class HostReport(NamedTuple):
    """What is said of a machine.

    Attributes
    ----------
    headline : str
        What it can do, in one sentence.
    advice : tuple of Advice
        What needs doing.
    settings : tuple of HostSetting
        The settings, each with its meaning.
    live : LiveSockets or None
        Its sockets; None for another machine.
    """

    headline: str
    advice: tuple[Advice, ...]
    settings: tuple[HostSetting, ...]
    live: LiveSockets | None


def read_this_host(root: Path | None = None) -> LinuxSettings:
    """Read the settings of this machine.

    Parameters
    ----------
    root : Path, optional
        The directory of the settings; ``/proc/sys``.

    Raises
    ------
    HostUnreadable
        This is not Linux, or a setting cannot be read.
    """
    return read_linux(settings_of_folder() if root is None else settings_of_folder(root))


def this_host_profile() -> Stack:
    """The profile of this machine; raises as `read_this_host`."""
    return host_profile(read_this_host())


def report(source: SettingsSource | None = None) -> HostReport:
    """Describe a machine.

    Parameters
    ----------
    source : SettingsSource, optional
        Its settings; without them, this machine, its sockets too.

    Raises
    ------
    HostUnreadable
        The settings cannot be read.
    """
    if source is not None and is_bsd(source):
        bsd = read_bsd(source)
        return HostReport(bsd_headline(bsd), tuple(bsd_advice(bsd)), bsd.meanings, None)
    live = live_sockets() if source is None else None
    source = source or settings_of_folder()
    host = read_linux(source)
    return HostReport(linux_headline(host, live), tuple(linux_advice(host, live)), linux_meanings(host, source), live)
