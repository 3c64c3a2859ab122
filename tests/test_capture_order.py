"""Frames out of order, packets that overtake one another, and acknowledgements captured before what they acknowledge."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from captured_runs import MILLISECOND, SECOND, SOCKETS, START, Capture, Impairment, Simulation
from wire import Script, pcap

from timewait.captures.closes import CapturedCloses, assumed_configuration, read_closes
from timewait.captures.headers import ACK, FIN, CapturedPacket
from timewait.captures.kept_packets import CapturedSegment
from timewait.captures.observations import CloseKind
from timewait.captures.ordering import in_order_of_sending
from timewait.captures.time_order import WINDOW, OutOfOrder, checked, in_full, windowed
from timewait.captures.traffic import traffic
from timewait.spec.segment import Segment
from timewait.spec.stacks import load_stack

ACKNOWLEDGES = Segment(1, 1)


def explained(path: Path) -> CapturedCloses:
    """A capture, told."""
    return read_closes(path, assumed_configuration(load_stack("rfc9293-intended")))


def packet(frame: int, time: int, sender: int = 0, segment: Segment = ACKNOWLEDGES) -> CapturedPacket:
    """A packet with relative numbers."""
    ends = SOCKETS[sender], SOCKETS[1 - sender]
    flags = ACK | FIN * segment.fin
    return CapturedPacket(frame, time, "eth0", *ends, segment.seq, segment.ack, segment.length, flags, 9, None, None, frame, 64)


class TestOrderOfTimes:
    """Whole files."""

    def test_a_file_in_order_is_read_as_it_comes(self) -> None:
        """Nothing is held back."""
        packets = [packet(number, number) for number in range(9)]
        taken = checked(iter(packets))
        assert next(taken) is packets[0]
        assert list(taken) == packets[1:]

    def test_a_file_out_of_order_is_noticed(self) -> None:
        """At the first packet that is too early."""
        with pytest.raises(OutOfOrder):
            list(checked([packet(1, 5), packet(2, 4)]))

    def test_the_window_sorts_what_it_holds(self) -> None:
        """Local disorder is mended, and disorder as long as the file is not."""
        rng = random.Random(1)
        near = [packet(number, number * 10 + rng.randrange(2_000)) for number in range(2 * WINDOW)]
        assert [it.time for it in windowed(near)] == sorted(it.time for it in near)
        far = [packet(number, (number + WINDOW + 9) % (2 * WINDOW + 18)) for number in range(2 * WINDOW + 18)]
        assert [it.time for it in windowed(far)] != sorted(it.time for it in far)
        assert [it.time for it in in_full(far)] == sorted(it.time for it in far)

    @pytest.mark.parametrize("seed", range(8))
    def test_any_order_of_frames_gives_the_same_story(self, tmp_path: Path, seed: int) -> None:
        """Two files one after the other, by direction, or shuffled at random."""
        script = Script().opened()
        script.say(1.0, "A", "PFA", 1, 1, length=100)
        script.say(1.01, "B", "A", 1, 102)
        script.say(1.2, "B", "FA", 1, 102)
        script.say(1.21, "A", "A", 102, 2)
        whole = explained(pcap(tmp_path / "whole.pcap", script.packets))
        shuffled = list(script.packets)
        random.Random(seed).shuffle(shuffled)
        again = explained(pcap(tmp_path / "shuffled.pcap", shuffled))
        assert [(facts.kind, facts.ends, facts.states) for facts in again.connections] == [
            (facts.kind, facts.ends, facts.states) for facts in whole.connections
        ]


def sent(*lines: tuple[int, int, Segment]) -> list[int]:
    """The frames in the order of sending; each line is a time in microseconds, a sender and a segment."""
    captured = [
        CapturedSegment(packet(frame, START + time * 1_000, sender, segment), sender, segment, None)
        for frame, (time, sender, segment) in enumerate(lines, start=1)
    ]
    return [it.captured.packet.frame for it in in_order_of_sending(captured)]


class TestOrderOfSending:
    """The packets of one connection."""

    def test_an_acknowledgement_never_goes_back(self) -> None:
        """The packet with the lower number was sent first."""
        assert sent((0, 0, Segment(1, 9)), (50, 0, Segment(1, 5))) == [2, 1]

    def test_a_fin_that_overtook_its_text(self) -> None:
        """Text below a FIN, captured just after it for the first time, was sent before it."""
        assert sent((0, 0, Segment(101, 1, fin=True)), (200, 0, Segment(1, 1, length=100))) == [2, 1]

    def test_a_retransmission_stays_where_it_is(self) -> None:
        """The text had been captured before."""
        text = Segment(1, 1, length=100)
        assert sent((0, 0, text), (10, 0, Segment(101, 1, fin=True)), (90_000, 0, text)) == [1, 2, 3]

    def test_text_that_comes_after_a_timeout_was_retransmitted(self) -> None:
        """Its first transmission is missing from the capture."""
        assert sent((0, 0, Segment(101, 1, fin=True)), (300_000, 0, Segment(1, 1, length=100))) == [1, 2]

    def test_an_acknowledgement_captured_early(self) -> None:
        """What it acknowledges was sent before it."""
        lines = ((0, 0, Segment(1, 1)), (100, 1, Segment(1, 2)), (107, 0, Segment(1, 1, fin=True)))
        assert sent(*lines) == [1, 3, 2]

    def test_times_do_not_go_back(self) -> None:
        """A packet that is moved takes the place just before the next one."""
        captured = [
            CapturedSegment(packet(frame, START + time, 0, Segment(1, ack)), 0, Segment(1, ack), None)
            for frame, (time, ack) in enumerate(((0, 9), (5, 7), (9, 5)), start=1)
        ]
        places = [it.sent for it in in_order_of_sending(captured)]
        assert places == sorted(places)


def test_every_packet_twice_is_counted_once() -> None:
    """On one interface and almost at once; on two interfaces the second may be an arrival."""
    rng = random.Random(7)
    run = Simulation(rng).run()
    once = Capture(run, Impairment(), random.Random(1)).packets()
    twice = Capture(run, Impairment(twice=True), random.Random(1)).packets()
    (single,), (double,) = traffic(once).connections, traffic(twice).connections
    assert double.captured_twice == len(once) == single.packets == double.packets
    assert [side.octets for side in double.directions] == [side.octets for side in single.directions]
    assert [side.repeated for side in double.directions] == [side.repeated for side in single.directions]


@pytest.mark.parametrize("segments", [1, 40, 600])
def test_all_text_in_flight_is_remembered(tmp_path: Path, segments: int) -> None:
    """However many packets are not acknowledged when the close begins, none counts as missing."""
    script = Script().opened()
    for number in range(segments):
        script.say(1 + number / 10_000, "A", "A", 1 + 10 * number, 1, length=10)
    end = 1 + 10 * segments
    script.say(1.1, "A", "FA", end, 1)
    for number in range(2, segments + 1, 2):
        script.say(1.2 + number / 10_000, "B", "A", 1, 1 + 10 * number)
    script.say(1.4, "B", "FA", 1, end + 1)
    script.say(1.41, "A", "A", end + 1, 2)
    (close,) = explained(pcap(tmp_path / "flight.pcap", script.packets)).closes
    assert close.facts.kind is CloseKind.IN_ORDER
    assert (close.facts.deviations, close.facts.unknowns, close.remarks) == ((), (), ())
    assert close.facts.totals[0].octets == 10 * segments
    assert close.facts.totals[0].missing == 0
    assert not any(copy.lost for step in close.trace.steps for copy in step.event.sent)


def test_a_round_trip_is_measured(tmp_path: Path) -> None:
    """From the capture point to both ends and back."""
    script = Script()
    for at, who, flags, seq, ack in (
        (0.0, "A", "S", 0, None),
        (0.03, "B", "SA", 0, 1),
        (0.032, "A", "A", 1, 1),
        (1.0, "A", "FA", 1, 1),
        (1.04, "B", "FA", 1, 2),
        (1.041, "A", "A", 2, 2),
    ):
        script.say(at, who, flags, seq, ack)
    (facts,) = explained(pcap(tmp_path / "trip.pcap", script.packets)).connections
    assert facts.round_trip is not None
    assert float(facts.round_trip) == pytest.approx(0.031)


def test_a_far_number_without_a_syn_begins_a_connection() -> None:
    """Where the capture lacks the SYN, numbers far from those of a connection that is over belong to the next one."""
    rng = random.Random(5)
    packets = Capture(Simulation(rng).run(), Impairment(), rng).packets()
    last = packets[-1]
    (connection,) = traffic(packets).connections
    assert connection.over
    far = last._replace(
        frame=last.frame + 1,
        time=last.time + SECOND,
        seq=(last.seq + 2**31) % 2**32,
        ack=((last.ack or 0) + 2**31) % 2**32,
        flags=ACK,
        ident=0,
    )
    again = traffic([*packets, far, far._replace(frame=far.frame + 1, time=far.time + MILLISECOND)]).connections
    assert [it.packets for it in again] == [connection.packets, 2]
