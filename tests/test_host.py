"""The profile of the machine at hand, from settings in a directory of our own."""

from __future__ import annotations

import os
import random
import socket
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

from timewait.machine.linux_settings import read_linux
from timewait.machine.meanings import HostSetting, linux_meanings
from timewait.machine.profile import host_profile
from timewait.machine.reading import report, this_host_profile
from timewait.machine.sockets import live_sockets
from timewait.machine.sources import PROC, HostUnreadable, settings_of_file, settings_of_folder, settings_of_text
from timewait.spec.backoff import doubling, retransmissions
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import Stack, load_stack
from timewait.spec.state import State
from timewait.vocabulary.errors import InputError

DEFAULTS = {
    "tcp_rfc1337": "0",
    "tcp_fin_timeout": "60",
    "tcp_tw_reuse": "2",
    "tcp_tw_reuse_delay": "1000",
    "tcp_max_tw_buckets": "131072",
    "tcp_retries2": "15",
    "tcp_orphan_retries": "0",
    "tcp_max_orphans": "4096",
    "tcp_rto_max_ms": "120000",
    "tcp_rto_min_us": "200000",
    "tcp_timestamps": "1",
    "ip_local_port_range": "32768\t60999",
}

Make = Callable[..., Path]


def read_host(root: Path) -> Stack:
    """The profile of a machine whose settings are in a directory."""
    return host_profile(read_linux(settings_of_folder(root)))


def read_settings(root: Path) -> tuple[HostSetting, ...]:
    """The settings in a directory, each with its meaning."""
    source = settings_of_folder(root)
    return linux_meanings(read_linux(source), source)


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
        ({"tcp_orphan_retries": "3"}, "retries", 4),
        ({"tcp_orphan_retries": "3"}, "retry_time", Fraction(3)),
        ({"tcp_orphan_retries": "3", "tcp_rto_min_us": "250000"}, "retries", 3),
        ({"tcp_rto_max_ms": "1000"}, "retries", 3),
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


@pytest.mark.parametrize(
    ("orphan_retries", "rto_max_ms", "rto", "sent"),
    [
        (1, 120_000, "0.2", 2),
        (2, 120_000, "0.2", 3),
        (2, 120_000, "0.25", 2),
        (2, 120_000, "0.5", 2),
        (2, 120_000, "1", 1),
        (3, 120_000, "0.25", 3),
        (3, 120_000, "1", 2),
        (0, 120_000, "0.225", 8),
        (0, 120_000, "0.25", 8),
        (0, 120_000, "1", 6),
        (0, 1_000, "0.2", 3),
        (4, 1_000, "0.2", 5),
        (5, 1_000, "0.2", 6),
    ],
)
def test_retransmissions_as_measured(make: Make, orphan_retries: int, rto_max_ms: int, rto: str, sent: int) -> None:
    """The numbers that Linux 6.18 sent to a silent peer, with this RTO as its least."""
    host = read_linux(settings_of_folder(make(tcp_orphan_retries=str(orphan_retries), tcp_rto_max_ms=str(rto_max_ms))))
    assert host.fin_retransmissions(Fraction(rto)) == sent


@pytest.mark.parametrize("milliseconds", [200, 201, 203, 405, 811, 1_000, 1_649, 10_000, 51_099, 51_100, 119_000])
def test_the_last_fin_leaves_before_the_time_is_over(milliseconds: int) -> None:
    """Whatever the RTO, the last FIN leaves less than RTO + R2 after the first, and the next one would not have."""
    rto, linux = Fraction(milliseconds, 1_000), load_stack("linux")
    assert linux.retry_time is not None
    sent = retransmissions(doubling(rto, Fraction(10_000)), linux.retry_time)
    assert (2**sent - 1) * rto < rto + linux.retry_time <= (2 ** (sent + 1) - 1) * rto
    assert sent <= linux.value("retries")


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
        "28,232 ports, each blocked for 60s by TIME-WAIT, allow 470 connections per second to one destination.",
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
        ({"tcp_fin_timeout": "5"}, "tcp_fin_timeout", "does NOT shorten TIME-WAIT, which always lasts 60s"),
        ({"tcp_max_tw_buckets": "0"}, "tcp_fin_timeout", "tcp_max_tw_buckets = 0 shortens that by up to 60s"),
        ({"tcp_tw_reuse": "0"}, "tcp_tw_reuse", "never takes a port in TIME-WAIT"),
        ({"tcp_tw_reuse": "1"}, "tcp_tw_reuse", "For a new connection the kernel may take"),
        ({}, "tcp_tw_reuse", "For a new connection over loopback the kernel may take"),
        ({"tcp_timestamps": "0"}, "tcp_tw_reuse", "but only with tcp_timestamps"),
        ({"tcp_tw_reuse": "7"}, "tcp_tw_reuse", "The meaning of this value is not known."),
        ({"tcp_tw_reuse_delay": "1"}, "tcp_tw_reuse_delay", "in TIME-WAIT for 1ms before"),
        ({}, "tcp_max_tw_buckets", "At most 131,072 connections are in TIME-WAIT at once"),
        ({"tcp_max_tw_buckets": "0"}, "tcp_max_tw_buckets", "There is no TIME-WAIT"),
        ({}, "tcp_retries2", "retransmitted for 15m24.6s from the first time on"),
        ({"tcp_retries2": "5"}, "tcp_retries2", "retransmitted for 12.6s"),
        (
            {},
            "tcp_orphan_retries",
            "for 102.2s from the first time on (0 stands for 8): 9 times at an RTO of 200ms, 6 times at an RTO of 1s.",
        ),
        (
            {"tcp_orphan_retries": "1"},
            "tcp_orphan_retries",
            "retransmitted for 600ms from the first time on: 2 times at an RTO of 200ms, once at an RTO of 1s.",
        ),
        ({}, "tcp_rto_max_ms", "at most 2m apart, longer than TIME-WAIT (60s)"),
        ({"tcp_rto_max_ms": "60000"}, "tcp_rto_max_ms", "Two retransmissions are at most 60s apart."),
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
    assert (
        str(caught.value)
        == f"this machine shows no Linux TCP settings: there is no directory {tmp_path / 'ipv4' / 'net' / 'ipv4'}"
    )
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
        ({"tcp_rto_max_ms": ""}, "cannot make sense of {root}/tcp_rto_max_ms: '' is not a whole number from 1000 to 120000"),
        ({"tcp_rto_max_ms": "0"}, "cannot make sense of {root}/tcp_rto_max_ms: 0 is not a whole number from 1000 to 120000"),
        ({"tcp_rto_min_us": "0"}, "cannot make sense of {root}/tcp_rto_min_us: 0 is not a whole number from 1 to 2147483647"),
        ({"tcp_timestamps": "\u00e9"}, "cannot read {root}/tcp_timestamps: it is not text"),
        (
            {"ip_local_port_range": "32768"},
            "cannot make sense of {root}/ip_local_port_range: '32768' is not two port numbers, the lower first",
        ),
        (
            {"ip_local_port_range": "9 8"},
            "cannot make sense of {root}/ip_local_port_range: '9 8' is not two port numbers, from 1 to 65535, the lower first",
        ),
    ],
)
def test_an_unreadable_setting_is_named(make: Make, changed: dict[str, str | None], said: str) -> None:
    """The complaint names the setting and what is wrong with it."""
    root = make(**changed)
    with pytest.raises(HostUnreadable) as caught:
        read_host(root)
    assert str(caught.value) == said.format(root=root)


ON_LINUX = pytest.mark.skipif(not (sys.platform == "linux" and (PROC / "net/ipv4/tcp_rfc1337").exists()), reason="not Linux")


@ON_LINUX
def test_this_machine() -> None:
    """The real settings and sockets can be read."""
    assert this_host_profile().name == "host"
    found = report()
    assert found.settings
    assert found.live is not None


# --- other machines ------------------------------------------------------------------------------------------------


def as_listing(root: Path, *, slashes: bool = False) -> str:
    """The settings of a directory as ``sysctl -a`` prints them."""
    lines = (f"net.ipv4.{path.name} = {path.read_text().strip()}" for path in sorted(root.iterdir()))
    return "\n".join(
        ["sysctl: reading key x: Permission denied", *(line.replace(".", "/", 2) if slashes else line for line in lines)]
    )


@pytest.mark.parametrize("slashes", [False, True])
def test_a_listing_says_what_the_directory_says(make: Make, slashes: bool) -> None:
    """The output of sysctl -a, with dots or slashes, gives the same settings, meanings and advice."""
    root = make(tcp_timestamps="0", ip_local_reserved_ports="40000-40009")
    listing = settings_of_text(as_listing(root, slashes=slashes), "saved.txt")
    folder = settings_of_folder(root)
    assert read_linux(listing) == read_linux(folder)
    assert report(listing) == report(folder)


def test_a_copy_of_proc_sys(make: Make, tmp_path: Path) -> None:
    """A copy with net/ipv4 in it, and conntrack's timers."""
    inside = tmp_path / "copy" / "net" / "ipv4"
    inside.mkdir(parents=True)
    for path in make().iterdir():
        if path.is_file():
            (inside / path.name).write_text(path.read_text())
    (inside.parent / "netfilter").mkdir()
    (inside.parent / "netfilter" / "nf_conntrack_tcp_timeout_time_wait").write_text("30\n")
    found = report(settings_of_file(tmp_path / "copy"))
    assert [advice.command for advice in found.advice] == ["sysctl -w net.netfilter.nf_conntrack_tcp_timeout_time_wait=120"]


@pytest.mark.parametrize(
    ("changed", "headline", "advice"),
    [
        ({}, "470 connections per second to one destination, and 28,232 over loopback", ()),
        ({"tcp_tw_reuse": "1"}, "28,232 connections per second to one destination", ()),
        ({"tcp_tw_reuse": "0"}, "470 connections per second to one destination.", ()),
        ({"tcp_tw_reuse_delay": "500"}, "470 connections per second to one destination, and 56,464 over loopback", ()),
        ({"ip_local_port_range": "40000 40059"}, "can open 1 connection per second", ("Only 60 ports",)),
        ({"ip_local_reserved_ports": "32768-60768"}, "can open 3 connections per second", ("Only 231 ports",)),
        ({"ip_local_reserved_ports": "1-65535"}, "can open no connection", ("Every port of ip_local_port_range is reserved",)),
        ({"tcp_max_tw_buckets": "0"}, "any number of connections per second", ("There is no TIME-WAIT",)),
        ({"tcp_max_tw_buckets": "100", "tcp_tw_reuse": "1"}, "per second", ("A connection beyond 100 in TIME-WAIT has none",)),
        ({"tcp_tw_recycle": "1"}, "470", ("tcp_tw_recycle is on",)),
        ({"tcp_timestamps": "0"}, "470 connections per second to one destination.", ("Timestamps are off",)),
        ({"tcp_orphan_retries": "10"}, "470", ("A FIN may be retransmitted for 5m24.6s",)),
    ],
)
def test_faked_settings_change_the_numbers(make: Make, changed: dict[str, str], headline: str, advice: tuple[str, ...]) -> None:
    """The first sentence and the advice follow the settings."""
    found = report(settings_of_folder(make(**changed)))
    assert headline in found.headline
    assert len(found.advice) == len(advice)
    for entry, said in zip(found.advice, advice, strict=True):
        assert said in entry.finding
        assert entry.command
        assert entry.consequence


FREEBSD = """\
net.inet.tcp.msl: 30000
net.inet.tcp.nolocaltimewait: 1
net.inet.tcp.finwait2_timeout: 60000
net.inet.tcp.fast_finwait2_recycle: 0
net.inet.ip.portrange.first: 10000
net.inet.ip.portrange.last: 65535
"""


def test_freebsd_and_macos() -> None:
    """TIME_WAIT is twice the MSL; ports are those of portrange."""
    found = report(settings_of_text(FREEBSD, "saved"))
    assert "This FreeBSD machine can open 925 connections per second" in found.headline
    assert found.advice == ()
    assert any("10 minutes or more" in entry.meaning for entry in found.settings)
    mac = report(
        settings_of_text("net.inet.tcp.msl: 1000\nnet.inet.ip.portrange.first: 49152\nnet.inet.ip.portrange.last: 65535", "-")
    )
    assert "macOS" in mac.headline
    assert "TIME-WAIT lasts 2s only." in [entry.finding for entry in mac.advice]


@pytest.mark.parametrize("text", ["", "hello", "kern.ostype: Darwin", "net.ipv4.tcp_rfc1337 = x", "net.inet.tcp.msl: 30000"])
def test_a_listing_without_the_settings(text: str, tmp_path: Path) -> None:
    """One line says what is missing."""
    path = tmp_path / "saved.txt"
    path.write_text(text)
    with pytest.raises(HostUnreadable) as caught:
        report(settings_of_file(path))
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", ["=", " = ", ": ", "\t=\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_listing_however_it_was_saved(encoding: str, separator: str, end: str, tmp_path: Path) -> None:
    """In other encodings, with other separators and ends of lines it says the same."""
    lines = [line.replace(": ", separator) for line in ("error: no permission", *FREEBSD.splitlines())]
    path = tmp_path / "saved.txt"
    path.write_bytes(end.join(lines).encode(encoding))
    assert report(settings_of_file(path)) == report(settings_of_text(FREEBSD, "saved"))


@pytest.mark.parametrize(
    "text",
    [
        "net.inet.tcp.msl: 15000\nnet.inet.ip.portrange.first: 99999\nnet.inet.ip.portrange.last: 1000000",
        "net.inet.tcp.msl: 15000\nnet.inet.ip.portrange.first: 0\nnet.inet.ip.portrange.last: 10",
    ],
)
def test_ports_that_are_none(text: str) -> None:
    """A number above 65535, and 0, is no port."""
    with pytest.raises(HostUnreadable, match="from 1 to 65535"):
        report(settings_of_text(text, "saved"))


@pytest.mark.parametrize("seed", range(20))
def test_reserved_ports_are_counted_once(make: Make, seed: int) -> None:
    """In any order, overlapping or not, inside the range of connect() or beyond it."""
    chance = random.Random(seed)
    low = chance.randint(1, 60_000)
    high = chance.randint(low, 65_535)
    firsts = [chance.randint(1, 65_000) for _ in range(chance.randint(1, 6))]
    ranges = [(first, min(first + chance.choice([0, 1, 500, 20_000]), 65_535)) for first in firsts]
    written = ",".join(str(first) if first == last else f"{first}-{last}" for first, last in ranges)
    host = read_linux(settings_of_folder(make(ip_local_port_range=f"{low}\t{high}", ip_local_reserved_ports=written)))
    taken = {port for first, last in ranges for port in range(first, last + 1)}
    assert host.usable_ports == sum(port not in taken for port in range(low, high + 1))


def test_no_time_wait_and_no_port(make: Make) -> None:
    """Both are said as such."""
    none = "net.inet.tcp.msl: 0\nnet.inet.ip.portrange.first: 49152\nnet.inet.ip.portrange.last: 65535"
    found = report(settings_of_text(none, "saved"))
    assert "there is no TIME-WAIT" in found.headline
    assert [entry.finding for entry in found.advice] == ["There is no TIME-WAIT."]
    reserved = report(settings_of_folder(make(ip_local_reserved_ports="1-65535")))
    assert "Every port of ip_local_port_range is reserved" in " ".join(entry.finding for entry in reserved.advice)


# --- sockets -------------------------------------------------------------------------------------------------------

TCP_TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1
   1: 0200000A:9C40 0100000A:01BB 06 00000000:00000000 03:00001770 00000000     0        0 0 3
   2: 0200000A:9C41 0100000A:01BB 06 00000000:00000000 03:00001770 00000000     0        0 0 3
   3: 0200000A:9C42 0100000A:01BB 08 00000000:00000000 00:00000000 00000000     0        0 12 1
   4: 0200000A:9C43 0300000A:0050 05 00000000:00000000 00:00000000 00000000     0        0 0 3
"""
TCP6_TABLE = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when
   0: 0000000000000000FFFF00000200000A:0050 0000000000000000FFFF00000100000A:D431 01 0:0 0:0 0 0 0 13 1
   1: B80D0120000000000000000001000000:0050 B80D0120000000000000000002000000:D431 06 0:0 0:0 0 0 0 0 1
"""


def test_sockets_are_counted(tmp_path: Path) -> None:
    """States, destinations and orphans, from both families."""
    (tmp_path / "tcp").write_text(TCP_TABLE)
    (tmp_path / "tcp6").write_text(TCP6_TABLE)
    (tmp_path / "sockstat").write_text("sockets: used 16\nTCP: inuse 1 orphan 7 tw 3 alloc 1 mem 290\n")
    live = live_sockets(tmp_path)
    assert live.states == {State.LISTEN: 1, State.TIME_WAIT: 3, State.CLOSE_WAIT: 1, State.FIN_WAIT_2: 1, State.ESTABLISHED: 1}
    assert live.waiting == {"10.0.0.1:443": 2, "[2001:0db8:0000:0000:0000:0000:0000:0002]:54321": 1}
    assert live.ports["10.0.0.1:443"] == 3
    assert sum(live.not_closed.values()) == 1
    assert live.orphans == 7


@ON_LINUX
def test_a_program_that_does_not_close_is_named() -> None:
    """A connection in CLOSE-WAIT of this process is counted under its name."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
        with accepted:
            client.close()
            accepted.recv(1)
            assert any(str(os.getpid()) in program for program in live_sockets().not_closed)
