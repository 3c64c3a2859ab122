"""Reading captures: both file formats, every link layer, bad files, connections, deliveries and renumbering."""

from __future__ import annotations

import gzip
import random
import struct
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrHopByHop
from scapy.layers.l2 import CookedLinux, CookedLinuxV2, Dot1Q, Ether, Loopback
from scapy.layers.ppp import PPP, PPPoE
from scapy.packet import Packet as Layer
from wire import START, Script, pcap, pcapng

from timewait.captures.capture_file import NANOSECONDS, BrokenCapture, Frame, frames
from timewait.captures.connections import CONTEXT, SkippedRun
from timewait.captures.delivery import deliveries, near_interfaces
from timewait.captures.headers import CapturedPacket, UnsupportedLinkType, decode
from timewait.captures.renumbering import arrives
from timewait.captures.traffic import Traffic, traffic
from timewait.spec.endpoint import WINDOW, segment_arrives
from timewait.spec.segment import Segment
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, ResetRule
from timewait.spec.state import Block, State


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
    return [found for frame in frames(path) if (found := decode(frame)) is not None]


def connections_of(path: Path) -> Traffic:
    """The connections of a capture."""
    return traffic(map(decode, frames(path)))


class TestFiles:
    """pcap and pcapng, both byte orders, times to the nanosecond."""

    @pytest.mark.parametrize("nano", [False, True])
    def test_times_of_pcap_are_exact(self, tmp_path: Path, nano: bool) -> None:
        """To the microsecond, or to the nanosecond where the file has those."""
        script = Script()
        script.say(0.123456, "A", "S", 0)
        (frame,) = frames(pcap(tmp_path / "one.pcap", script.packets, nano=nano))
        assert frame.time == int((START + Decimal("0.123456")) * NANOSECONDS)
        assert frame.number == 1

    def test_both_formats_hold_the_same(self, tmp_path: Path) -> None:
        """The same packets, also gzipped."""
        script = clean_close()
        plain = pcap(tmp_path / "plain.pcap", script.packets)
        others = pcapng(tmp_path / "plain.pcapng", [("eth0", packet) for packet in script.packets])
        zipped = tmp_path / "plain.pcap.gz"
        zipped.write_bytes(gzip.compress(plain.read_bytes()))
        first, second, third = ([packet._replace(interface="") for packet in read(path)] for path in (plain, others, zipped))
        assert first == second == third
        assert len(first) == 9

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_pcapng_by_hand(self, tmp_path: Path, order: str) -> None:
        """Interfaces with names and clock resolutions of their own, and blocks that are skipped."""
        content = (
            block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))
            + block(order, 1, struct.pack(order + "HHI", 101, 0, 0) + option(order, 2, b"near") + option(order, 9, b"\x09"))
            + block(order, 1, struct.pack(order + "HHI", 1, 0, 0) + option(order, 9, b"\x8a"))
            + block(order, 5, b"statistics  ")
            + enhanced(order, 0, 5_000_000_007, b"abc", option(order, 1, b"a comment"))
            + enhanced(order, 1, 3 * 1024 + 512, b"defg", b"")
        )
        path = tmp_path / "by hand.pcapng"
        path.write_bytes(content)
        assert list(frames(path)) == [
            Frame(1, 5_000_000_007, "near", 101, b"abc"),
            Frame(2, 3_500_000_000, "interface 1", 1, b"defg"),
        ]


def block(order: str, kind: int, body: bytes) -> bytes:
    """A block of pcapng."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def option(order: str, code: int, value: bytes) -> bytes:
    """An option of pcapng."""
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def enhanced(order: str, interface: int, time: int, octets: bytes, options: bytes) -> bytes:
    """A frame of pcapng."""
    head = struct.pack(order + "5I", interface, time >> 32, time & 0xFFFFFFFF, len(octets), len(octets))
    return block(order, 6, head + octets + bytes(-len(octets) % 4) + options)


def bad_files() -> Iterator[tuple[str, bytes, str]]:
    """File names, contents, and expected messages."""
    good = Script().opened()
    whole = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 101)
    record = struct.pack("<IIII", 0, 0, 40, 40) + bytes(good.packets[0])
    section = block("<", 0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
    interface = block("<", 1, struct.pack("<HHI", 101, 0, 0))
    yield "empty", b"", "is empty"
    yield "garbage", b"not a capture at all", "is neither a packet capture"
    yield "head cut", whole[:10], "is cut off"
    yield "record cut", whole + record + record[:7], "is cut off"
    yield "frame cut", whole + record + record[:-1], "after frame 1"
    yield "huge frame", whole + struct.pack("<IIII", 0, 0, 1 << 30, 1 << 30), "is damaged: a frame of 1,073,741,824 octets"
    yield "odd block", section + struct.pack("<II", 6, 33), "is damaged: a block of 33 octets"
    yield "other end", section + struct.pack("<III", 5, 12, 16), "a block whose two lengths differ"
    yield "no interface", section + enhanced("<", 0, 0, b"abcd", b""), "which the file does not describe"
    yield "long frame", section + interface + block("<", 6, struct.pack("<5I", 0, 0, 0, 99, 99)), "a frame of 99 octets"
    yield "short block", section + interface + block("<", 6, b"abcd"), "shorter than it says"
    yield "no times", section + interface + block("<", 3, struct.pack("<I", 0)), "without a time"
    yield "no order", struct.pack("<III", 0x0A0D0D0A, 28, 7), "no byte order"
    yield "zipped, cut", gzip.compress(whole + record * 9)[:-20], ""


class TestBadFiles:
    """Every problem of a file is reported in one line with its position."""

    @pytest.mark.parametrize(("name", "content", "message"), list(bad_files()), ids=[name for name, _, _ in bad_files()])
    def test_one_line(self, tmp_path: Path, name: str, content: bytes, message: str) -> None:
        """The message names the file."""
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BrokenCapture) as problem:
            list(frames(path))
        assert message in str(problem.value)
        assert str(path) in str(problem.value)
        assert "\n" not in str(problem.value)

    def test_random_damage_is_reported_or_harmless(self, tmp_path: Path) -> None:
        """Changed octets and truncation raise only the documented errors, down to the connections."""
        rng = random.Random(9293)
        script = clean_close()
        both = [
            pcap(tmp_path / "good.pcap", script.packets).read_bytes(),
            pcapng(tmp_path / "good.pcapng", [("eth0", packet) for packet in script.packets]).read_bytes(),
        ]
        path = tmp_path / "damaged"
        messages = []
        for _ in range(400):
            octets = bytearray(rng.choice(both))
            for _ in range(rng.randint(1, 4)):
                octets[rng.randrange(len(octets))] = rng.randrange(256)
            path.write_bytes(octets[: rng.choice([len(octets), rng.randrange(len(octets))])])
            try:
                connections_of(path)
            except (BrokenCapture, UnsupportedLinkType) as problem:
                messages.append(str(problem))
        assert messages
        assert all("\n" not in message for message in messages)

    def test_no_file(self, tmp_path: Path) -> None:
        """The message of the operating system, in one line."""
        with pytest.raises(BrokenCapture, match="No such file"):
            list(frames(tmp_path / "none"))


class TestHeaders:
    """Every link layer gives the same segment."""

    def segment(self) -> Layer:
        """A FIN with text."""
        return TCP(sport=1, dport=2, seq=7, ack=9, flags="FA", window=5, options=[("Timestamp", (3, 4)), ("NOP", None)]) / b"ab"

    @pytest.mark.parametrize(
        ("wrap", "link_type"),
        [
            (Ether(), 1),
            (Ether() / Dot1Q(vlan=5), 1),
            (Ether() / Dot1Q(vlan=5) / Dot1Q(vlan=6), 1),
            (Ether(type=0x8864) / PPPoE() / PPP(), 1),
            (CookedLinux(), 113),
            (CookedLinuxV2(), 276),
            (Loopback(), 0),
            (Loopback(), 108),
            (None, 101),
            (None, 228),
        ],
    )
    def test_ipv4(self, wrap: Layer | None, link_type: int) -> None:
        """IPv4 over every link layer, with the padding of short Ethernet frames ignored."""
        ip = IP(src="10.0.0.1", dst="10.0.0.2", id=77, ttl=63) / self.segment()
        octets = bytes(ip if wrap is None else wrap / ip) + bytes(6)
        found = decode(Frame(1, 5, "eth0", link_type, octets))
        assert found is not None
        assert (str(found.source), str(found.destination)) == ("10.0.0.1:1", "10.0.0.2:2")
        assert (found.seq, found.ack, found.length, found.flags, found.window) == (7, 9, 2, 0x11, 5)
        assert (found.timestamps, found.ident, found.hops) == ((3, 4), 77, 63)

    def test_ipv6(self) -> None:
        """IPv6, with an extension header."""
        ip = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=9) / IPv6ExtHdrHopByHop() / self.segment()
        found = decode(Frame(1, 5, "eth0", 229, bytes(ip)))
        assert found is not None
        assert (str(found.source), found.length, found.hops) == ("[2001:db8::1]:1", 2, 9)

    def test_frames_without_a_segment(self) -> None:
        """Other protocols, later fragments, and truncated headers."""
        ip = IP(src="10.0.0.1", dst="10.0.0.2")
        whole = bytes(ip / self.segment())
        for octets in (bytes(ip / UDP()), bytes(IP(frag=3) / self.segment()), whole[:30], whole[:10], b"", b"\x00" * 60):
            assert decode(Frame(1, 5, "eth0", 101, octets)) is None
        assert decode(Frame(1, 5, "eth0", 1, b"short")) is None

    def test_truncated_text_counts(self) -> None:
        """A short snapshot length keeps the headers; the length of the text follows from them."""
        octets = bytes(IP() / TCP(flags="A") / (b"x" * 1_000))[:60]
        found = decode(Frame(1, 5, "eth0", 101, octets))
        assert found is not None
        assert found.length == 1_000

    def test_unsupported_link_type(self) -> None:
        """The message names the link type and those that are supported."""
        with pytest.raises(UnsupportedLinkType, match="link type 127 is not supported; Ethernet"):
            decode(Frame(1, 5, "wlan0", 127, bytes(60)))


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
