"""Answers of the kernel that the pages for operators state: a SYN in TIME-WAIT, and a peer that is silent."""

from __future__ import annotations

import struct
import time
from collections.abc import Generator
from fractions import Fraction

import pytest
from kernel_closes import Scene

from timewait.laboratory import probe
from timewait.laboratory.crafted_peer import CraftedPeer
from timewait.laboratory.isolation import isolated
from timewait.laboratory.kernel_pair import KernelPair
from timewait.laboratory.packets import with_checksum
from timewait.machine.linux_settings import MODEL_RTO
from timewait.spec.state import State

MISSING = probe.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

TIMESTAMP = b"\x08\x0a"
"""Kind and length of the option."""

OLDER, EQUAL, NEWER = -1, 0, 1


def answer(number: int, clock: int | None) -> Generator[str]:
    """What a server in TIME-WAIT answers to a SYN: whether its number and its timestamp lie above or below the last ones."""
    with KernelPair() as pair:
        for host in pair.hosts.values():
            host.set("tcp_timestamps", int(clock is not None))
        scene = Scene.opened(pair)
        scene.close("B")
        sent = [event.packet for event in pair.events if event.packet.sender == "A"]
        octets = bytearray(sent[0].octets)
        struct.pack_into("!I", octets, 24, (sent[-1].decoded.seq + number * 1_000_000) % 2**32)
        if clock is not None:
            (last,) = struct.unpack_from("!I", sent[-1].octets, sent[-1].octets.index(TIMESTAMP, 40) + 2)
            struct.pack_into("!I", octets, octets.index(TIMESTAMP, 40) + 2, (last + clock * 1_000) % 2**32)
        pair.hosts["B"].link.send(with_checksum(bytes(octets)))
        reply = pair.next_packet(2.0)
        yield "nothing" if reply is None else "SYN,ACK" if reply.segment.syn else "RST" if reply.segment.rst else "ACK"


@pytest.mark.parametrize(
    ("number", "clock", "expected"),
    [
        (1, None, "SYN,ACK"),
        (-1, None, "ACK"),
        (1, NEWER, "SYN,ACK"),
        (-1, NEWER, "SYN,ACK"),
        (1, EQUAL, "SYN,ACK"),
        (-1, EQUAL, "ACK"),
        (1, OLDER, "ACK"),
        (-1, OLDER, "ACK"),
    ],
)
def test_a_syn_that_meets_time_wait(number: int, clock: int | None, expected: str) -> None:
    """An older timestamp refuses whatever the number; a newer one opens whatever the number."""
    assert list(isolated(answer, number, clock)) == [expected]


def retried(orphan_retries: int, rto: Fraction, longest: Fraction) -> Generator[list[float]]:
    """The times at which a FIN is sent to a silent peer, and that of the end, in seconds from the first."""
    with CraftedPeer() as peer:
        peer.host.set("tcp_orphan_retries", orphan_retries)
        peer.host.set("tcp_rto_min_us", int(rto * 1_000_000))
        peer.host.set("tcp_rto_max_ms", int(longest * 1_000))
        connection = peer.connect()
        assert connection.socket is not None
        peer.host.abandon(connection.socket, 0)
        connection.socket = None
        times = []
        while connection.state is not State.CLOSED:
            segment = connection.receive(0.02)
            if segment is not None and segment.fin:
                times.append(time.monotonic())
        yield [each - times[0] for each in (*times, time.monotonic())]


@pytest.mark.parametrize(
    ("orphan_retries", "rto"),
    [(1, Fraction(1, 5)), (2, Fraction(1, 4)), (2, Fraction(1)), pytest.param(3, Fraction(1), marks=pytest.mark.slow)],
)
def test_linux_gives_up_after_a_time(orphan_retries: int, rto: Fraction) -> None:
    """At the first expiry at which (2^(n+1) - 1) 200 ms have passed since the first retransmission, whatever the RTO."""
    (times,) = isolated(retried, orphan_retries, rto, Fraction(120))
    limit = float((2 ** (orphan_retries + 1) - 1) * MODEL_RTO)
    *_, last, end = times
    assert last - times[1] < limit <= end - times[1]


def test_an_orphan_gives_up_at_the_longest_rto() -> None:
    """With tcp_orphan_retries = 0, at the first expiry of an RTO that is as long as it may be."""
    (times,) = isolated(retried, 0, Fraction(1, 5), Fraction(1))
    assert times[-1] - times[-2] >= 1
    assert times[-2] - times[-3] < 1
