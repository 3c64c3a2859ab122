"""The laboratory: a process with its own network, kernel sockets in it, and a network whose every packet the process decides."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from commands import run

from timewait.laboratory import isolation, probe
from timewait.laboratory.crafted_peer import CraftedConnection, CraftedPeer
from timewait.laboratory.diagnosis import KernelTimer
from timewait.laboratory.isolation import LaboratoryFailure, LaboratoryTimeout, LaboratoryUnavailable, isolated
from timewait.laboratory.kernel_pair import KernelPair, NoSuchPacket
from timewait.laboratory.links import Link, TunLink, VethLink
from timewait.laboratory.namespaces import Namespace
from timewait.laboratory.packets import SegmentWriter, with_checksum
from timewait.spec.segment import Segment
from timewait.spec.state import State

MISSING = probe.missing()
in_laboratory = pytest.mark.skipif(bool(MISSING), reason=MISSING)
LINKS = [
    pytest.param(TunLink, marks=pytest.mark.skipif(bool(probe.missing(TunLink)), reason=probe.missing(TunLink))),
    pytest.param(VethLink, marks=pytest.mark.skipif(bool(probe.missing(VethLink)), reason=probe.missing(VethLink))),
]
NOBODY = 65_534


def whole(work: Callable[..., Generator[Any]], *arguments: Any) -> list[Any]:
    """All items of a generator function in the laboratory."""
    return [*isolated(work, *arguments)]


def own_network() -> str:
    """The identity of the network namespace of this process."""
    return str(Path("/proc/self/ns/net").readlink())


def close_first(connection: CraftedConnection) -> Iterator[tuple[State, Segment | None]]:
    """Let the kernel close first, and the peer second: every state with what the kernel sends."""
    assert connection.socket is not None
    connection.socket.shutdown(socket.SHUT_WR)
    yield connection.state, connection.receive(1)
    connection.send(Segment(1, 2))
    yield connection.state, connection.receive()
    connection.send(Segment(1, 2, fin=True))
    yield connection.state, connection.receive(0.1)


CLOSED_FIRST = [
    (State.FIN_WAIT_1, Segment(1, 1, fin=True)),
    (State.FIN_WAIT_2, None),
    (State.TIME_WAIT, Segment(2, 2)),
]


def crafted_close(link: Callable[[Namespace, str], Link]) -> Generator[Any]:
    """A close of a kernel socket with the crafted peer."""
    with CraftedPeer(link) as peer:
        yield from close_first(peer.connect())


@in_laboratory
@pytest.mark.parametrize("link", LINKS)
def test_crafted_peer_closes_with_the_kernel(link: type[TunLink | VethLink]) -> None:
    """Over both kinds of link, as this user."""
    assert whole(crafted_close, link) == CLOSED_FIRST


def as_nobody(work: Callable[..., Generator[Any]], *arguments: Any) -> list[Any]:
    """All items of a generator function in the laboratory of an ordinary user."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        with os.fdopen(writing, "w") as stream:
            try:
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which a new program would be
                stream.write(repr(whole(work, *arguments)))
            except Exception as problem:
                stream.write(repr([str(problem)]))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    os.waitpid(child, 0)
    return [text]


@in_laboratory
@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
@pytest.mark.parametrize("link", [TunLink, VethLink])
def test_ordinary_user_has_a_laboratory(link: type[TunLink | VethLink]) -> None:
    """In a user namespace; where the machine allows none, or no TUN device, the reason is the one line that is said."""
    (found,) = as_nobody(crafted_close, link)
    allowed = "this user may make no", "/dev/net/tun: "
    if any(reason in found for reason in allowed):
        pytest.skip(found)
    assert found == repr(CLOSED_FIRST)


def simultaneous_open() -> Generator[Any]:
    """Both ends open and close at once, with chosen ISNs; the network crosses their segments."""
    with KernelPair() as pair:
        ends = {name: host.socket() for name, host in pair.hosts.items()}
        addresses = {"A": ("192.0.2.1", 40_000), "B": ("192.0.2.2", 80)}
        for name, isn in (("A", 5_000), ("B", 2**32 - 2)):
            pair.hosts[name].choose_isn(ends[name], isn)
            ends[name].bind(addresses[name])
        for name, other in (("A", "B"), ("B", "A")):
            with suppress(BlockingIOError):
                ends[name].connect(addresses[other])
        held = [pair.expect(lambda packet: packet.segment.syn) for _ in ends]
        yield sorted((packet.sender, packet.decoded.seq) for packet in held)
        for packet in reversed(held):
            pair.deliver(packet)
        pair.carry(0.05)
        for end in ends.values():
            end.shutdown(socket.SHUT_WR)
        fins = [pair.expect(lambda packet: packet.segment.fin) for _ in ends]
        for fin in fins:
            pair.deliver(fin)
        yield {host.diagnosis.records()[0].state for host in pair.hosts.values()}
        acks = [pair.expect(lambda packet: packet.segment.ack == 2 and not packet.segment.fin) for _ in ends]
        pair.drop(acks[0])
        pair.deliver(acks[1])
        pair.deliver(fins[0])
        yield sorted(host.diagnosis.records()[0].state for host in pair.hosts.values())
        yield (
            len([event for event in pair.events if event.packet is fins[0]]),
            [event.fate for event in pair.events].count("dropped"),
        )
        yield pair.aids


@in_laboratory
def test_kernel_pair_opens_and_closes_at_once() -> None:
    """ISNs are the chosen ones, one FIN arrives twice, one acknowledgement never."""
    isns, closing, after, copies, aids = whole(simultaneous_open)
    assert isns == [("A", 5_000), ("B", 2**32 - 2)]
    assert closing == {State.CLOSING}
    assert after == [State.CLOSING, State.TIME_WAIT]
    assert copies == (3, 1)
    assert aids == ["A: ISN 5000 chosen (TCP_REPAIR)", "B: ISN 4294967294 chosen (TCP_REPAIR)"]


def unexpected_packet() -> Generator[Any]:
    """A packet that never comes is waited for."""
    with KernelPair() as pair:
        yield pair.next_packet(0.01)
        pair.expect(lambda packet: packet.segment.rst, 0.02)


@in_laboratory
def test_missing_packet_is_an_error() -> None:
    """The error passes from the process of the laboratory to the caller, as one that a user can correct."""
    items = isolated(unexpected_packet)
    assert next(items) is None
    with pytest.raises(LaboratoryTimeout, match=r"within 0\.02 s came nothing"):
        next(items)


def timers_and_settings() -> Generator[Any]:
    """Settings, the restart of TIME-WAIT, and its end by force."""
    with CraftedPeer() as peer:
        peer.host.set("tcp_rfc1337", 1)
        connection = peer.connect()
        states = [state for state, _ in close_first(connection)]
        record = connection.record()
        assert record is not None
        connection.send(Segment(2, 2, rst=True))
        yield states, record.timer, record.left, record.small, connection.state
        yield peer.host.cut_timer(connection.local, connection.remote), connection.state
        yield peer.host.cut_timer(connection.local, connection.remote), peer.host.aids
        other = peer.connect()
        yield peer.host.cut_timer(other.local, other.remote), other.state
        peer.host.set("tcp_no_such_setting", 1)


@in_laboratory
def test_settings_and_timers() -> None:
    """A setting holds, TIME-WAIT is shown and cut, a whole socket is left alone, an unknown setting is an error in one line."""
    items = isolated(timers_and_settings)
    states, timer, left, small, after = next(items)
    assert states == [state for state, _ in CLOSED_FIRST]
    assert (timer, small, after) == (KernelTimer.TIME_WAIT, True, State.TIME_WAIT)
    assert 59 < left <= 61
    assert next(items) == (True, State.CLOSED)
    again, aids = next(items)
    assert not again
    assert aids[0] == "kernel: tcp_rfc1337 = 1"
    assert aids[1].startswith("kernel: TIME_WAIT ended 60.0 s early") or aids[1].startswith(
        "kernel: TIME_WAIT ended 59.9 s early"
    )
    assert next(items) == (False, State.ESTABLISHED)
    with pytest.raises(OSError, match="tcp_no_such_setting"):
        next(items)


# --- the process -----------------------------------------------------------------------------------------------------


def namespace_of_the_child() -> Generator[str]:
    """Where the process of the laboratory is."""
    yield own_network()


@in_laboratory
def test_caller_keeps_its_network() -> None:
    """The process has another network namespace, the caller its own, also after an error."""
    before = own_network()
    assert whole(namespace_of_the_child) != [before]
    assert own_network() == before


def failing(problem: Exception) -> Generator[int]:
    """An exception after one item."""
    yield 1
    raise problem


class Unpicklable(Exception):
    """An exception that cannot be passed on."""

    def __init__(self, one: int, other: int) -> None:
        super().__init__(f"{one} and {other}")


@in_laboratory
def test_exceptions_reach_the_caller() -> None:
    """As they are, or with their traceback; a process that dies is an error too."""
    items = isolated(failing, KeyError("a key"))
    assert next(items) == 1
    with pytest.raises(KeyError, match="a key"):
        next(items)
    with pytest.raises(LaboratoryFailure, match="Unpicklable: 1 and 2"):
        whole(failing, Unpicklable(1, 2))
    with pytest.raises(LaboratoryFailure, match="died"):
        whole(dying)


@in_laboratory
@pytest.mark.parametrize("problem", [TimeoutError("no SYN came"), NoSuchPacket("within 5 s came nothing")])
@pytest.mark.parametrize("command", [("learn", "--on", "linux", "--users", "close"), ("conform", "--on", "linux")])
def test_a_wait_in_vain_is_one_line(
    problem: TimeoutError, command: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of any kind, in any command: no answer, no traceback, and an exit code that no verdict has."""

    def in_vain(peer: CraftedPeer) -> CraftedConnection:
        del peer
        raise problem

    monkeypatch.setattr(CraftedPeer, "connect", in_vain)
    code, out, err = run(capsys, *command)
    assert code == 4
    assert "Traceback" not in out + err
    assert err.splitlines()[-1] == f"timewait: the laboratory waited in vain: {problem}; is the machine under load?"
    with pytest.raises(LaboratoryTimeout, match=str(problem)):
        whole(failing, problem)


def dying() -> Generator[int]:
    """The process ends without a word."""
    os.kill(os.getpid(), signal.SIGKILL)
    yield 1


def test_other_systems_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line without Linux."""
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(LaboratoryUnavailable, match="needs the network namespaces of Linux"):
        whole(namespace_of_the_child)


def refused(*_: object) -> Link:
    """No link."""
    raise LaboratoryUnavailable("no link\nhere")


@in_laboratory
def test_probe_says_why() -> None:
    """The reason in one line."""
    assert probe.missing(refused) == "no link here"
    assert probe.missing() == ""


def test_probe_says_what_the_kernel_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the right to make namespaces the reason names them."""

    def denied() -> None:
        raise LaboratoryUnavailable("this user may make no network namespace: Operation not permitted")

    monkeypatch.setattr(isolation, "enter_new_network", denied)
    assert "network namespace" in probe.missing.__wrapped__()


VICTIM = """
import sys
from contextlib import suppress
from timewait.laboratory.isolation import isolated
from timewait.laboratory.crafted_peer import CraftedPeer
import os

def work():
    while True:
        with CraftedPeer() as peer:
            for number in range(5):
                peer.connect().abandon()
                yield os.getpid(), os.readlink("/proc/thread-self/ns/net")

for pid, namespace in isolated(work):
    print(pid, namespace, flush=True)
"""


def gone(pid: int, namespace: str) -> bool:
    """Whether a process has ended, and no process holds a namespace."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if entry.name == str(pid) and "Z" not in (entry / "stat").read_text().rpartition(")")[2].split()[0]:
                return False
            if str((entry / "ns/net").readlink()) == namespace:
                return False
    return True


def killed_after(seconds: float, by: int) -> tuple[int, str]:
    """Kill the caller of a laboratory some seconds after its first item; returns the process and namespace of the laboratory."""
    caller = subprocess.Popen([sys.executable, "-c", VICTIM], stdout=subprocess.PIPE, text=True)
    assert caller.stdout is not None
    with caller.stdout:
        pid, namespace = caller.stdout.readline().split()
        time.sleep(seconds)
        caller.send_signal(by)
        caller.wait()
    return int(pid), namespace


def assert_nothing_left(moments: list[float]) -> None:
    """Kill callers at some moments, in seconds: their laboratories vanish, and the machine has the devices it had."""
    devices = sorted(Path("/sys/class/net").iterdir())
    for number, moment in enumerate(moments):
        pid, namespace = killed_after(moment, signal.SIGTERM if number % 5 == 4 else signal.SIGKILL)
        end = time.monotonic() + isolation.TIDYING
        while not gone(pid, namespace):
            assert time.monotonic() < end, f"killed after {moment} s, process {pid} is still there"
            time.sleep(0.01)
    assert sorted(Path("/sys/class/net").iterdir()) == devices


@in_laboratory
def test_nothing_is_left_of_a_killed_caller() -> None:
    """Neither process, namespace nor device."""
    assert_nothing_left([0.0, 0.02])


@in_laboratory
@pytest.mark.slow
def test_nothing_is_left_at_any_moment() -> None:
    """At 50 moments."""
    assert_nothing_left([number * 0.003 for number in range(50)])


# --- packets ---------------------------------------------------------------------------------------------------------


def test_checksum_is_made_right() -> None:
    """A packet with any checksum gets the one that its writer would have computed; other protocols are left alone."""
    written = SegmentWriter(("192.0.2.1", 1), ("192.0.2.2", 2)).write(dict(Segment(7, 9, length=3).fields), (1, 2))
    spoiled = written[:36] + struct.pack("!H", 0x1234) + written[38:]
    assert with_checksum(spoiled) == written
    other = written[:9] + b"\x11" + written[10:36] + b"\0\0" + written[38:]
    assert with_checksum(other) == other
