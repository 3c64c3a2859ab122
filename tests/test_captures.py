"""Captures: connections, deliveries and renumbering."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from scapy.layers.inet import TCP
from wire import START, Script, pcap

from timewait.captures.capture_file import NANOSECONDS, frames
from timewait.captures.connections import CONTEXT
from timewait.captures.delivery import deliveries, near_interfaces
from timewait.captures.headers import CapturedPacket, decode
from timewait.captures.kept_packets import SkippedRun
from timewait.captures.renumbering import arrives
from timewait.captures.traffic import Traffic, traffic
from timewait.spec.endpoint import segment_arrives
from timewait.spec.segment import Segment
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, ResetRule
from timewait.spec.state import Block, State
from timewait.spec.window import WINDOW


def clean_close() -> Script:
    """A connection that is opened, carries a little text, and closes in order."""
    script = Script().opened()
    script.say(0.1, "A", "PA", 1, 1, length=5)
    script.say(0.11, "B", "A", 1, 6)
    script.say(1.0, "A", "FA", 6, 1)
    script.say(1.01, "B", "A", 1, 7)
    script.say(1.2, "B", "FA", 1, 7)
    script.say(1.21, "A", "A", 7, 2)
    return script


def read(path: Path) -> list[CapturedPacket]:
    """The TCP segments of a capture."""
    return [found for frame in frames(path) if isinstance(found := decode(frame), CapturedPacket)]


def connections_of(path: Path) -> Traffic:
    """The connections of a capture."""
    return traffic(read(path))


class TestConnections:
    """Packets sorted by four-tuple and incarnation."""

    def test_numbers_are_relative_and_unwrapped(self, tmp_path: Path) -> None:
        """B's numbers pass 2**32; a SYN is 0."""
        script = Script().opened()
        for number in range(40):
            script.say(0.1 + number / 100, "B", "A", 1 + 50 * number, 1, length=50)
        script.say(1, "B", "FA", 2_001, 1)
        (connection,) = connections_of(pcap(tmp_path / "wrap.pcap", script.packets)).connections
        kept = [item for item in connection.items if not isinstance(item, SkippedRun)]
        assert kept[0].segment == Segment(0, syn=True)
        assert kept[-1].segment == Segment(2_001, 1, fin=True)
        assert connection.closes

    def test_long_runs_of_text_are_skipped(self, tmp_path: Path) -> None:
        """Memory does not grow with the amount of text."""
        script = Script().opened()
        for number in range(150):
            script.say(0.1 + number / 1000, "A", "A", 1 + 10 * number, 1, length=10)
            script.say(0.1005 + number / 1000, "B", "A", 1, 11 + 10 * number)
        script.say(2, "A", "FA", 1_501, 1)
        (connection,) = connections_of(pcap(tmp_path / "long.pcap", script.packets)).connections
        (gap,) = [item for item in connection.items if isinstance(item, SkippedRun)]
        assert len(connection.items) < 4 * CONTEXT
        assert gap.packets + len(connection.items) - 1 == connection.packets == 304
        assert gap.next_seq[0] == 1 + gap.octets[0] + 10 * CONTEXT // 2
        assert connection.closes

    def test_an_open_connection_does_not_close(self, tmp_path: Path) -> None:
        """Neither does a refused one."""
        script = Script().opened()
        assert not connections_of(pcap(tmp_path / "open.pcap", script.packets)).connections[0].closes
        refused = Script()
        refused.say(0, "A", "S", 0)
        refused.say(0.1, "B", "RA", -4_294_967_200, 1)
        assert not connections_of(pcap(tmp_path / "refused.pcap", refused.packets)).connections[0].closes

    def test_the_next_incarnation_is_another_connection(self, tmp_path: Path) -> None:
        """As soon as its SYN is answered; the SYN then no longer belongs to the old one."""
        script = clean_close()
        script.say(3, "A", "S", 5_000)
        script.say(3.1, "B", "SA", 7_000, 5_001)
        script.say(3.2, "A", "A", 5_001, 7_001)
        found = connections_of(pcap(tmp_path / "again.pcap", script.packets))
        assert [connection.packets for connection in found.connections] == [9, 3]
        assert found.connections[0].reopened == (int((START + 3) * NANOSECONDS), 10)
        assert found.connections[1].reopened is None


class TestDeliveries:
    """The number of arrivals of each copy."""

    def arrivals(self, script: Script, tmp_path: Path) -> dict[int, int]:
        """The number of arrivals of each copy, by identification."""
        (connection,) = connections_of(pcap(tmp_path / "deliveries.pcap", script.packets)).connections
        seen = [item for item in connection.items if not isinstance(item, SkippedRun)]
        found = deliveries(seen, connection.responses, near_interfaces(seen), 0)
        return {copy.captured.packet.ident: len(copy.arrivals) for copy in found.copies}

    def test_a_fin_whose_retransmission_was_acknowledged(self, tmp_path: Path) -> None:
        """The first transmission was lost."""
        script = Script().opened()
        first = script.say(1.0, "A", "FA", 1, 1)
        second = script.say(1.3, "A", "FA", 1, 1)
        script.say(1.31, "B", "A", 1, 2)
        found = self.arrivals(script, tmp_path)
        assert (found[first], found[second]) == (0, 1)

    def test_a_fin_retransmitted_too_early(self, tmp_path: Path) -> None:
        """An answer within a round trip of the second transmission answers the first."""
        script = Script().opened()
        first = script.say(1.0, "A", "FA", 1, 1)
        script.say(1.3, "A", "FA", 1, 1)
        script.say(1.301, "B", "A", 1, 2)
        assert self.arrivals(script, tmp_path)[first] == 1

    @pytest.mark.parametrize(
        ("window", "between", "arrived"), [(8_192, "", 1), (9_000, "", 0), (8_192, "text", 0)], ids=["again", "window", "text"]
    )
    def test_every_transmission_is_acknowledged(self, tmp_path: Path, window: int, between: str, arrived: int) -> None:
        """Two acknowledgements alike answer two transmissions; an update of the window and the answer to text are none."""
        script = Script().opened()
        first = script.say(1.0, "A", "PA", 1, 1, length=10)
        script.say(1.3, "A", "PA", 1, 1, length=10)
        script.say(1.32, "B", "A", 1, 11)
        if between:
            script.say(1.325, "A", "PA", 11, 1, length=10)
        script.say(1.33, "B", "A", 1, 11, window=window)
        script.say(1.4, "A", "FA", 11 + 10 * bool(between), 1)
        assert self.arrivals(script, tmp_path)[first] == arrived

    @pytest.mark.parametrize(("echo", "answers", "arrived"), [(500, 1, 1), (800, 1, 0), (800, 2, 0), (7, 1, 0)])
    def test_time_stamps_name_the_transmission_that_is_answered(
        self, tmp_path: Path, echo: int, answers: int, arrived: int
    ) -> None:
        """An acknowledgement repeats the time stamp of what it answers; one that repeats neither shows nothing."""
        script = Script().opened()
        first = script.say(1.0, "A", "FA", 1, 1)
        script.packets[-1][TCP].options = [("Timestamp", (500, 1))]
        script.say(1.3, "A", "FA", 1, 1)
        script.packets[-1][TCP].options = [("Timestamp", (800, 1))]
        for number in range(answers):
            script.say(1.32 + number / 1_000, "B", "A", 1, 2)
            script.packets[-1][TCP].options = [("Timestamp", (9, echo))]
        assert self.arrivals(script, tmp_path)[first] == arrived

    def test_a_lost_acknowledgement(self, tmp_path: Path) -> None:
        """The FIN that it acknowledges is retransmitted."""
        script = Script().opened()
        script.say(1.0, "B", "FA", 1, 1)
        answer = script.say(1.01, "A", "A", 1, 2)
        script.say(1.3, "B", "FA", 1, 1)
        again = script.say(1.31, "A", "A", 1, 2)
        found = self.arrivals(script, tmp_path)
        assert (found[answer], found[again]) == (0, 1)

    def test_an_acknowledgement_that_crossed(self, tmp_path: Path) -> None:
        """The FIN is retransmitted within a round trip: both packets were in flight."""
        script = Script().opened()
        script.say(1.0, "B", "FA", 1, 1)
        answer = script.say(1.3, "A", "A", 1, 2)
        script.say(1.305, "B", "FA", 1, 1)
        assert self.arrivals(script, tmp_path)[answer] == 1

    def test_a_duplicate_has_the_same_identification(self, tmp_path: Path) -> None:
        """A retransmission has an identification of its own."""
        script = Script().opened()
        copy = script.say(1.0, "B", "FA", 1, 1)
        script.say(1.01, "A", "A", 1, 2)
        script.say(1.4, "B", "FA", 1, 1, ident=copy)
        assert self.arrivals(script, tmp_path)[copy] == 2

    def test_an_end_in_closed_had_the_acknowledgement(self, tmp_path: Path) -> None:
        """An end that answers the next acknowledgement with a RST must have received the previous one, however late."""
        script = Script().opened()
        script.say(1.0, "B", "FA", 1, 1)
        late = script.say(1.01, "A", "A", 1, 2)
        script.say(1.3, "B", "FA", 1, 1)
        script.say(1.31, "A", "A", 1, 2)
        script.say(1.32, "B", "R", 2)
        assert self.arrivals(script, tmp_path)[late] == 1


SYNCHRONISED = [state for state in State if state not in (State.CLOSED, State.LISTEN, State.SYN_SENT)]
FIN_SENT = (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK, State.TIME_WAIT)


def random_case(rng: random.Random) -> tuple[Block, Segment, Behaviour]:
    """A control block, a segment and a behaviour with small numbers."""
    state = rng.choice(SYNCHRONISED)
    una, fin = rng.randint(1, 6), state in FIN_SENT
    nxt = una + rng.randint(0, 4) + fin
    block = Block(state, una, nxt, rng.randint(2, 12), nxt - 1 - fin, rng.random() < 0.5)
    bits = [rng.random() < probability for probability in (0.1, 0.4, 0.2)]
    ack = rng.choice([None, *range(1, 14)])
    segment = Segment(rng.randint(1, 24), ack, rng.randint(0, 4), *bits)
    behaviour = Behaviour(
        answers=frozenset(rng.sample(list(Arrival), 2)),
        restarts=frozenset(rng.sample(list(Arrival), 2)),
        reset=rng.choice(list(ResetRule)),
        late_data_reset=rng.random() < 0.3,
        abandons=rng.random() < 0.5,
    )
    return block, segment, behaviour


class TestRenumbering:
    """Compressed numbers do not change the outcome."""

    def test_small_numbers(self) -> None:
        """With the specification's own window the outcome is exactly the same."""
        rng = random.Random(9293)
        for _ in range(6_000):
            block, segment, behaviour = random_case(rng)
            assert arrives(block, segment, behaviour, WINDOW) == segment_arrives(block, segment, behaviour)

    @pytest.mark.parametrize("scale", [1_000, 1_000_000])
    def test_large_numbers(self, scale: int) -> None:
        """A megabyte inside the window is accepted like an octet, and one beyond it is not."""
        block = Block(State.FIN_WAIT_2, 9 * scale, 9 * scale, 5 * scale, 9 * scale - 2)
        behaviour = Behaviour(answers=EVERY_ARRIVAL)
        text = Segment(5 * scale, 9 * scale, length=scale)
        assert arrives(block, text, behaviour, 2 * scale).block.rcv == 6 * scale
        assert arrives(block, text, behaviour, 2 * scale).replies == (Segment(9 * scale, 6 * scale),)
        fin = text._replace(fin=True)
        assert arrives(block, fin, behaviour).block.state is State.TIME_WAIT
        assert arrives(block, fin, behaviour).block.rcv == 6 * scale + 1
        beyond = Segment(7 * scale, 9 * scale, length=scale)
        assert arrives(block, beyond, behaviour, 2 * scale).rules == ("sequence.unacceptable",)
        assert arrives(block, beyond, behaviour).rules == ("text.out-of-order",)
