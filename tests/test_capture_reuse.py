"""Addresses and ports used again, again and again: each connection is told by itself, whatever is between them."""

from __future__ import annotations

import random

import pytest
from captured_runs import MILLISECOND, SECOND, SOCKETS, Capture, Impairment, Simulation

from timewait.captures.closes import assumed_configuration
from timewait.captures.connections import Connection
from timewait.captures.facts import ConnectionFacts
from timewait.captures.following import facts_of, follow
from timewait.captures.headers import ACK, RST, SYN, CapturedPacket
from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.traffic import traffic
from timewait.spec.stacks import load_stack

CONFIGURATION = assumed_configuration(load_stack("rfc9293-intended"))


def shifted(packets: list[CapturedPacket], by: int, frame: int) -> list[CapturedPacket]:
    """A capture some nanoseconds later, with frames that follow others."""
    return [packet._replace(time=packet.time + by, frame=frame + number) for number, packet in enumerate(packets, start=1)]


def explained(packets: list[CapturedPacket]) -> list[ConnectionFacts]:
    """The facts of every connection."""
    ended = packets[-1].time
    return [_facts(connection, ended) for connection in traffic(packets).connections]


def _facts(connection: Connection, ended: int) -> ConnectionFacts:
    return follow(connection, CONFIGURATION, ended, {}).facts if connection.closes else facts_of(connection, CONFIGURATION, ended)


def chained(rng: random.Random, number: int) -> tuple[list[CapturedPacket], list[list[ConnectionFacts]]]:
    """Several runs one after the other on the same addresses and ports, and what each is told to be alone."""
    packets: list[CapturedPacket] = []
    alone = []
    at = 0
    for _ in range(number):
        run = Simulation(rng).run()
        single = Capture(run, Impairment(place=rng.choice((0.0, 0.5, 1.0))), rng).packets()
        alone.append(explained(single))
        later = shifted(single, at, len(packets))
        packets += later
        at += later[-1].time - later[0].time + rng.choice((2, 70, 400)) * SECOND
    return packets, alone


def same(facts: ConnectionFacts) -> tuple[object, ...]:
    """What does not depend on what came before or after."""
    return facts.kind, facts.by, facts.ends, facts.packets_captured, [fin is not None for fin in facts.fins]


@pytest.mark.parametrize("seed", range(25))
def test_each_incarnation_is_told_as_if_it_were_alone(seed: int) -> None:
    """Kind, ends, packets and FINs; the numbers of the incarnations count up."""
    packets, alone = chained(random.Random(seed), 4)
    found = explained(packets)
    assert [same(facts) for facts in found] == [same(facts) for single in alone for facts in single]
    assert [facts.incarnation for facts in found] == list(range(1, len(found) + 1))
    assert not any(facts.deviations for facts in found)


def segment(frame: int, time: int, sender: int, flags: int, seq: int, ack: int | None, ident: int = 0) -> CapturedPacket:
    """A packet without text."""
    bits = flags | (ACK if ack is not None else 0)
    ends = SOCKETS[sender], SOCKETS[1 - sender]
    return CapturedPacket(frame, time, "eth0", *ends, seq % 2**32, ack and ack % 2**32, 0, bits, 65_535, None, None, ident, 64)


def orderly(rng: random.Random) -> list[CapturedPacket]:
    """A capture of a run that closes in order."""
    while True:
        run = Simulation(rng).run()
        packets = Capture(run, Impairment(), rng).packets()
        (facts,) = explained(packets)
        if facts.kind is CloseKind.IN_ORDER and not facts.resets and facts.entered != (None, None):
            return packets


@pytest.mark.parametrize("seed", range(15))
@pytest.mark.parametrize("answers", [0, 1, 3])
def test_syns_into_time_wait(seed: int, answers: int) -> None:
    """SYNs that TIME-WAIT answers as often as asked, or never; the first connection stays what it was."""
    rng = random.Random(seed)
    packets = orderly(rng)
    (alone,) = explained(packets)
    waiting = next(index for index, entered in enumerate(alone.entered) if entered is not None)
    waits, opens = (SOCKETS.index(alone.ends[side]) for side in (waiting, 1 - waiting))
    last = max((it for it in packets if it.source == SOCKETS[waits]), key=lambda it: (it.ack or 0, it.time))
    isn = rng.randrange(2**32)
    frame, at = packets[-1].frame, packets[-1].time + 5 * SECOND
    extra: list[tuple[int, int, int, int, int | None]] = []
    for number in range(max(answers, 2)):
        now = at + (2**number) * SECOND
        extra.append((now, opens, SYN, isn, None))
        if number < answers:
            extra.append((now + MILLISECOND, waits, 0, last.seq + last.length, last.ack))
            assert last.ack is not None
            extra.append((now + 2 * MILLISECOND, opens, RST, last.ack, None))
    packets = packets + [segment(frame + i, *it, 500 + i) for i, it in enumerate(extra, start=1)]
    old, new = explained(packets)
    assert (old.kind, old.ends, old.deviations) == (alone.kind, alone.ends, ())
    assert new.kind is (CloseKind.CHALLENGED if answers else CloseKind.UNANSWERED)
    assert len(new.challenges) == answers
    assert [reset.cause for reset in old.resets] == [ResetCause.SYN_SENT] * answers
    assert old.reopening is not None
    assert (old.reopening.syns, old.reopening.accepted) == (max(answers, 2), None)
    assert [hit.ended for hit in old.reset_arrivals if hit.exact] == ([False] * (answers - 1) + [None] if answers else [])


def test_an_unanswered_opening_with_new_numbers_each_time() -> None:
    """Every new ISN is an attempt of its own."""
    packets = [segment(number, number * SECOND, 0, SYN, number * 10**6, None) for number in range(1, 5)]
    found = explained(packets)
    assert [facts.kind for facts in found] == [CloseKind.UNANSWERED] * 4
    assert [facts.incarnation for facts in found] == [1, 2, 3, 4]


def test_a_retransmitted_syn_is_no_reuse() -> None:
    """The same ISN again belongs to the same opening."""
    packets = [segment(number, number * SECOND, 0, SYN, 7, None, ident=number) for number in range(1, 5)]
    (facts,) = explained(packets)
    assert (facts.kind, facts.packets_captured) == (CloseKind.UNANSWERED, 4)


def test_the_same_numbers_after_the_end() -> None:
    """A stack that opens with the same ISN again opens another connection, once the old one is over."""
    packets = orderly(random.Random(3))
    again = [replace_ident(packet, 1_000) for packet in shifted(packets, 300 * SECOND, packets[-1].frame)]
    first, second = explained([*packets, *again])
    assert same(first)[2:] == same(second)[2:]
    assert (first.kind, second.kind) == (CloseKind.IN_ORDER, CloseKind.IN_ORDER)


def replace_ident(packet: CapturedPacket, by: int) -> CapturedPacket:
    """The packet with another IPv4 identification."""
    return packet._replace(ident=(packet.ident + by) % 2**16 or 1)
