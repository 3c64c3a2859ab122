"""The profile of the machine at hand, from settings in a directory of our own."""

from __future__ import annotations

import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from timewait.spec.host import ROOT, HostSetting, HostUnreadable, read_host, read_settings
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import load_stack
from timewait.vocabulary.errors import InputError

DEFAULTS = {
    "tcp_rfc1337": "0",
    "tcp_fin_timeout": "60",
    "tcp_tw_reuse": "2",
    "tcp_tw_reuse_delay": "1000",
    "tcp_max_tw_buckets": "131072",
    "tcp_retries2": "15",
    "tcp_orphan_retries": "0",
    "tcp_rto_max_ms": "120000",
    "tcp_rto_min_us": "200000",
    "tcp_timestamps": "1",
    "ip_local_port_range": "32768\t60999",
}

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Write the default settings, some of them changed or, if None, left out."""

    def settings(**changed: str | None) -> Path:
        for name, value in (DEFAULTS | changed).items():
            if value is not None:
                (tmp_path / name).write_text(value + "\n", encoding="utf-8")
        return tmp_path

    return settings


def meaning(root: Path, name: str) -> str:
    """Look up what is said of one setting."""
    (found,) = [setting.meaning for setting in read_settings(root) if setting.name == name]
    return found


# --- the profile ---------------------------------------------------------------------------------------------------


def test_default_settings_are_the_linux_profile(make: Make) -> None:
    """The defaults of the kernel change nothing but the sources."""
    host, linux = read_host(make()), load_stack("linux")
    assert (host.name, host.title) == ("host", "this Linux machine")
    for name in linux.sources:
        assert host.value(name) == linux.value(name)
    assert set(host.sources) == set(linux.sources)
    assert host.sources["fin_wait_2"] == ("net.ipv4.tcp_fin_timeout = 60", "measured")
    assert host.sources["time_wait"] == linux.sources["time_wait"]


@pytest.mark.parametrize(
    ("changed", "name", "value"),
    [
        ({"tcp_rfc1337": "1"}, "reset", ResetRule.IGNORE),
        ({"tcp_fin_timeout": "5"}, "fin_wait_2", Fraction(5)),
        ({"tcp_orphan_retries": "3"}, "retries", 3),
        ({"tcp_rto_max_ms": "1500"}, "rto_max", Fraction(3, 2)),
        ({"tcp_rto_min_us": "20000"}, "rto_min", Fraction(1, 50)),
        ({"tcp_max_tw_buckets": "0"}, "time_wait", Fraction(0)),
        ({"tcp_max_tw_buckets": "0"}, "has_time_wait", False),
        ({"tcp_max_tw_buckets": "0"}, "fin_wait_2", Fraction(0)),
        ({"tcp_max_tw_buckets": "0", "tcp_fin_timeout": "120"}, "fin_wait_2", Fraction(60)),
        ({"tcp_fin_timeout": "5"}, "time_wait", Fraction(60)),
    ],
)
def test_a_setting_shows_in_the_profile(make: Make, changed: dict[str, str], name: str, value: object) -> None:
    """Each kernel setting that matters changes the setting of the profile that it should."""
    host = read_host(make(**changed))
    assert (host.has_time_wait if name == "has_time_wait" else host.value(name)) == value


def test_sources_name_the_settings(make: Make) -> None:
    """A changed value cites the setting it comes from."""
    host = read_host(make(tcp_rfc1337="1", tcp_max_tw_buckets="0", tcp_fin_timeout="5"))
    assert host.sources["reset"] == ("net.ipv4.tcp_rfc1337 = 1", "measured")
    assert host.sources["time_wait"] == ("net.ipv4.tcp_max_tw_buckets = 0", "measured")
    assert host.sources["fin_wait_2"] == ("net.ipv4.tcp_fin_timeout = 5, net.ipv4.tcp_max_tw_buckets = 0", "measured")


def test_an_older_kernel(make: Make) -> None:
    """Settings that an older kernel lacks are left as the linux profile has them."""
    root = make(tcp_rto_max_ms=None, tcp_rto_min_us=None, tcp_tw_reuse_delay=None)
    host, linux = read_host(root), load_stack("linux")
    assert (host.rto_min, host.rto_max) == (linux.rto_min, linux.rto_max)
    assert host.sources["rto_max"] == linux.sources["rto_max"]
    assert len(read_settings(root)) == len(DEFAULTS) - 3


# --- the sentences -------------------------------------------------------------------------------------------------


def test_every_setting_is_explained_in_one_sentence(make: Make) -> None:
    """All settings are explained, in a fixed order."""
    settings = read_settings(make())
    assert [setting.name for setting in settings] == list(DEFAULTS)
    assert settings[-1] == HostSetting(
        "ip_local_port_range",
        "32768 60999",
        "28232 ports, each blocked for 1m by TIME-WAIT, allow 470 connections per second to one destination.",
    )
    for setting in settings:
        assert setting.meaning.endswith(".")
        assert "\n" not in setting.meaning


@pytest.mark.parametrize(
    ("changed", "name", "said"),
    [
        ({}, "tcp_rfc1337", "A RST with exactly the next expected sequence number ends TIME-WAIT"),
        ({"tcp_rfc1337": "1"}, "tcp_rfc1337", "In TIME-WAIT every RST is dropped"),
        ({"tcp_fin_timeout": "5"}, "tcp_fin_timeout", "FIN-WAIT-2 lasts 5s after the program has closed"),
        ({"tcp_fin_timeout": "5"}, "tcp_fin_timeout", "does NOT shorten TIME-WAIT, which always lasts 1m"),
        ({"tcp_max_tw_buckets": "0"}, "tcp_fin_timeout", "tcp_max_tw_buckets = 0 shortens that by up to 1m"),
        ({"tcp_tw_reuse": "0"}, "tcp_tw_reuse", "never takes a port in TIME-WAIT"),
        ({"tcp_tw_reuse": "1"}, "tcp_tw_reuse", "For a new connection the kernel may take"),
        ({}, "tcp_tw_reuse", "For a new connection over loopback the kernel may take"),
        ({"tcp_timestamps": "0"}, "tcp_tw_reuse", "but only with tcp_timestamps"),
        ({"tcp_tw_reuse": "7"}, "tcp_tw_reuse", "The meaning of this value is not known."),
        ({"tcp_tw_reuse_delay": "1"}, "tcp_tw_reuse_delay", "in TIME-WAIT for 1ms before"),
        ({}, "tcp_max_tw_buckets", "At most 131072 connections are in TIME-WAIT at once"),
        ({"tcp_max_tw_buckets": "0"}, "tcp_max_tw_buckets", "There is no TIME-WAIT"),
        ({"tcp_retries2": "5"}, "tcp_retries2", "retransmitted 5 times"),
        ({}, "tcp_orphan_retries", "retransmitted 8 times before the drop (0 stands for 8)."),
        ({"tcp_orphan_retries": "1"}, "tcp_orphan_retries", "retransmitted once before the drop."),
        ({}, "tcp_rto_max_ms", "at most 2m apart, longer than TIME-WAIT (1m)"),
        ({"tcp_rto_max_ms": "60000"}, "tcp_rto_max_ms", "Two retransmissions are at most 1m apart."),
        ({}, "tcp_rto_min_us", "200ms after the first transmission"),
        ({}, "tcp_timestamps", "these identify old segments (PAWS)"),
        ({"tcp_timestamps": "0"}, "tcp_timestamps", "only sequence numbers identify old segments"),
        ({"ip_local_port_range": "40000 40000"}, "ip_local_port_range", "allow 0.017 connections per second"),
        ({"tcp_max_tw_buckets": "0"}, "ip_local_port_range", "no TIME-WAIT blocks one"),
    ],
)
def test_meanings(make: Make, changed: dict[str, str], name: str, said: str) -> None:
    """Each sentence says what its value means."""
    assert said in meaning(make(**changed), name)


# --- machines that cannot be read ----------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [read_host, read_settings])
def test_not_linux(read: Callable[[Path], object], tmp_path: Path) -> None:
    """Elsewhere there is nothing to read."""
    with pytest.raises(HostUnreadable) as caught:
        read(tmp_path / "ipv4")
    assert str(caught.value) == f"this machine shows no Linux TCP settings: there is no directory {tmp_path / 'ipv4'}"
    assert isinstance(caught.value, InputError)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tcp_rfc1337": None}, "cannot read {root}/tcp_rfc1337: No such file or directory"),
        (
            {"tcp_fin_timeout": "soon"},
            "cannot make sense of {root}/tcp_fin_timeout: 'soon' is not a whole number, zero or more",
        ),
        ({"tcp_retries2": "-1"}, "cannot make sense of {root}/tcp_retries2: '-1' is not a whole number, zero or more"),
        ({"tcp_rto_max_ms": ""}, "cannot make sense of {root}/tcp_rto_max_ms: '' is not a whole number, zero or more"),
        ({"tcp_timestamps": "\u00e9"}, "cannot read {root}/tcp_timestamps: it is not text"),
        (
            {"ip_local_port_range": "32768"},
            "cannot make sense of {root}/ip_local_port_range: '32768' is not two port numbers, the lower first",
        ),
        (
            {"ip_local_port_range": "9 8"},
            "cannot make sense of {root}/ip_local_port_range: '9 8' is not two port numbers, the lower first",
        ),
    ],
)
def test_an_unreadable_setting_is_named(make: Make, changed: dict[str, str | None], said: str) -> None:
    """The complaint names the setting and what is wrong with it."""
    root = make(**changed)
    with pytest.raises(HostUnreadable) as caught:
        read_host(root)
    assert str(caught.value) == said.format(root=root)


@pytest.mark.skipif(not (sys.platform == "linux" and (ROOT / "tcp_rfc1337").exists()), reason="not Linux")
def test_this_machine() -> None:
    """The real settings can be read."""
    assert read_host().name == "host"
    assert read_settings()
