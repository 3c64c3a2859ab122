"""The profile of a Linux machine: the linux profile with the settings of its kernel."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from timewait.machine.linux_settings import LinuxSettings
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import Source, Stack, load_stack


def host_profile(host: LinuxSettings) -> Stack:
    """Return the linux profile with the settings of a kernel.

    Parameters
    ----------
    host : LinuxSettings
        The settings.
    """
    linux = load_stack("linux")
    fin_timeout = f"tcp_fin_timeout = {host.fin_timeout}"
    values: dict[str, tuple[object, Source]] = {
        "reset": (ResetRule.IGNORE if host.rfc1337 else ResetRule.EXACT, _source(f"tcp_rfc1337 = {host.rfc1337}")),
        "fin_wait_2": (Fraction(host.fin_timeout), _source(fin_timeout)),
        "retries": (host.fin_retransmissions(host.rto_min), _source(f"tcp_orphan_retries = {host.orphan_retries}")),
        "retry_time": (host.fin_retry_time, _source(f"tcp_orphan_retries = {host.orphan_retries}")),
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
