"""RSTs that a device on the way sends, and those that only look so: time to live, hardware address, identification."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from captured_runs import MILLISECOND, SOCKETS

from timewait.captures.closes import assumed_configuration
from timewait.captures.facts import ConnectionFacts
from timewait.captures.following import follow
from timewait.captures.headers import ACK, RST, SYN, CapturedPacket
from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.traffic import traffic
from timewait.spec.stacks import load_stack

CONFIGURATION = assumed_configuration(load_stack("rfc9293-intended"))
OWN, ROUTER = b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02"

Change = Callable[[CapturedPacket], CapturedPacket]


def injected(change: Change, *, goes_on: bool) -> ConnectionFacts:
    """A connection in which a RST comes in the name of the server, changed so that it differs from its other packets."""
    lines = [
        (0, SYN, 0, None, 0),
        (1, SYN, 0, 1, 0),
        (0, 0, 1, 1, 0),
        (0, 0, 1, 1, 200),
        (1, 0, 1, 201, 0),
        (1, 0, 1, 201, 300),
        (0, 0, 201, 301, 0),
        (1, 0, 301, 201, 300),
        (1, RST, 601, None, 0),
        *([(1, 0, 601, 201, 500), (1, 0, 1101, 201, 500)] if goes_on else []),
    ]
    packets = []
    for frame, (sender, flags, seq, ack, length) in enumerate(lines, start=1):
        bits = flags | (ACK if ack is not None else 0)
        ends = SOCKETS[sender], SOCKETS[1 - sender]
        hops = 64 if sender == 0 else 52
        time = frame * 20 * MILLISECOND
        packet = CapturedPacket(frame, time, "eth0", *ends, seq, ack, length, bits, 65_535, None, None, 1_000 + frame, hops, OWN)
        packets.append(change(packet) if flags & RST else packet)
    (connection,) = traffic(packets).connections
    return follow(connection, CONFIGURATION, packets[-1].time, {}).facts


MARKS: list[tuple[str, Change]] = [
    ("a time to live of 250", lambda packet: packet._replace(hops=250)),
    ("a time to live of 61", lambda packet: packet._replace(hops=61)),
    ("hardware address 02:00:00:00:00:02", lambda packet: packet._replace(hardware=ROUTER)),
]


@pytest.mark.parametrize(("evidence", "change"), MARKS, ids=[evidence for evidence, _ in MARKS])
def test_a_device_sent_it(evidence: str, change: Change) -> None:
    """Certain if the end goes on as if it had sent no RST, else likely."""
    facts = injected(change, goes_on=True)
    (reset,) = facts.resets
    assert (facts.kind, facts.by, reset.causes) == (CloseKind.RESET, "device", (ResetCause.DEVICE,))
    assert evidence in reset.evidence
    assert not facts.deviations
    (reset,) = injected(change, goes_on=False).resets
    assert reset.cause is ResetCause.DEVICE
    assert ResetCause.ABORT in reset.causes


def test_an_identification_shows_a_device_only_if_the_end_goes_on() -> None:
    """Kernels take the identifications of RSTs without a socket from another counter."""

    def change(packet: CapturedPacket) -> CapturedPacket:
        return packet._replace(ident=40_000)

    (reset,) = injected(change, goes_on=True).resets
    assert reset.causes == (ResetCause.DEVICE,)
    assert "it has the identification 40000" in reset.evidence
    (reset,) = injected(change, goes_on=False).resets
    assert ResetCause.DEVICE not in reset.causes


def test_no_mark() -> None:
    """A RST like the other packets is the end's own, unless the end goes on: then both readings remain."""
    (reset,) = injected(lambda packet: packet, goes_on=False).resets
    assert reset.cause is ResetCause.ABORT
    assert ResetCause.DEVICE not in reset.causes
    facts = injected(lambda packet: packet, goes_on=True)
    assert {ResetCause.ABORT, ResetCause.DEVICE} == set(facts.resets[0].causes)
    assert "cause-of-reset" in {unknown.kind for unknown in facts.unknowns}
    assert not facts.deviations


def test_another_route_is_no_device() -> None:
    """A time to live that differs by one or two is another route."""
    (reset,) = injected(lambda packet: packet._replace(hops=51), goes_on=False).resets
    assert ResetCause.DEVICE not in reset.causes
