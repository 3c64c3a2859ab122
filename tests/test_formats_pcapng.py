"""Traces as packet captures: what an engineer's tools make of them."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path

import pytest
from counterexamples import NAMES, SCRIPTS, counterexample
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.packet import Packet as ScapyPacket
from scapy.utils import PcapNgReader
from tshark import agrees, needs_tshark, rows

from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.formats import pcapng
from timewait.formats.capture_entries import ADDED, capture_entries
from timewait.formats.pcapng_blocks import Interface, PacketBlock, capture
from timewait.formats.wire import Envelope, WireSocket, checksum, packet
from timewait.vocabulary.replay import Packet

every_trace = pytest.mark.parametrize("name", NAMES)
either_end = pytest.mark.parametrize("end", ["a", "b"])


def read(octets: bytes) -> list[ScapyPacket]:
    """The packets of a capture, as scapy reads them."""
    with PcapNgReader(io.BytesIO(octets)) as reader:
        return list(reader)


def altered(trace: Trace, **changes: object) -> Trace:
    """The trace with something else about the first copy that is sent."""
    index = next(index for index, step in enumerate(trace.steps) if step.event.sent)
    step = trace.steps[index]
    copy = replace(step.event.sent[0], **changes)  # type: ignore[arg-type]  # whatever a test likes
    event = replace(step.event, sent=(copy, *step.event.sent[1:]))
    return replace(trace, steps=(*trace.steps[:index], replace(step, event=event), *trace.steps[index + 1 :]))


class TestWhatIsSeen:
    """Which packets a capture has, and what it says of them."""

    @every_trace
    @either_end
    def test_every_step_is_told(self, name: str, end: str) -> None:
        """Wherever one captures, the comments tell the whole trace, in its order."""
        trace = counterexample(name)
        comments = "\n".join(one.comment for one in capture_entries(trace, [end.upper()]))
        places = [comments.find(f"step {step.number} of {len(trace.steps)}, ") for step in trace.steps]
        assert -1 not in places
        assert places == sorted(places)

    @every_trace
    def test_lost_copies_leave_and_never_arrive(self, name: str) -> None:
        """A lost copy is seen by its sender alone, and told to be lost."""
        trace = counterexample(name)
        lost = {copy.number: copy for step in trace.steps for copy in step.event.sent if copy.lost}
        seen = [one for one in capture_entries(trace, "AB") if one.identification in lost]
        assert {one.identification for one in seen} == set(lost)
        for one in seen:
            assert one.end == lost[one.identification].sender
            assert "LOST" in one.comment.splitlines()[0]

    @every_trace
    def test_copies_arrive_as_often_as_in_the_trace(self, name: str) -> None:
        """Every arrival is a packet at its time, and every one but the first is told to be a duplicate."""
        trace = counterexample(name)
        arrivals = [(step.time, step.event.received.number) for step in trace.steps if step.event.received is not None]
        seen = [one for one in capture_entries(trace, "AB") if not one.leaves and one.identification < ADDED]
        assert [(one.time, one.identification) for one in seen] == arrivals
        told: set[int] = set()
        for one in seen:
            assert ("DUPLICATE" in one.comment.splitlines()[0]) == (one.identification in told)
            told.add(one.identification)

    @every_trace
    def test_what_breaks_is_told_last(self, name: str) -> None:
        """The last packet says what fails, the first one of a loop that it repeats."""
        trace = counterexample(name)
        comments = [one.comment for one in capture_entries(trace, "AB")]
        if trace.loop is not None:
            assert sum("from here on again and again, every 2s" in comment for comment in comments) == 1
        elif name not in SCRIPTS:
            assert f"BREAKS {trace.shows}: " in comments[-1]
        else:
            assert not any("BREAKS" in comment for comment in comments)

    def test_old_copies_are_told(self) -> None:
        """How old, of how long a life, and of which incarnation."""
        trace = counterexample("C16")
        last = capture_entries(trace, trace.steps[-1].event.actor)[-1]
        assert re.search("OLD: .*s of the 2s that it may live; of the PREVIOUS INCARNATION$", last.comment.splitlines()[0])
        assert last.incarnation == 0

    def test_the_next_incarnation_covers_old_numbers(self) -> None:
        """Its handshake is there; its initial numbers are such that the intruder lies in its window."""
        packets = read(pcapng.as_pcapng(counterexample("C8"), "b"))
        opened = [one for one in packets if one[TCP].flags == "S"]
        first, second = (one[TCP].seq for one in opened)
        assert (first, second) == (1_000_000, 999_999)
        assert 0 <= packets[-1][TCP].seq - (opened[1][TCP].seq + 1) < packets[-1][TCP].window

    def test_an_arrival_without_a_sending(self) -> None:
        """Of copies that arrive at one instant a trace tells of one: what answered the others left all the same."""
        trace = counterexample("C8")
        copy = next(step.event.received for step in trace.steps if step.event.received is not None)
        steps = tuple(
            replace(step, event=replace(step.event, sent=tuple(one for one in step.event.sent if one != copy)))
            for step in trace.steps
        )
        assert steps != trace.steps
        before, after = capture_entries(trace, copy.sender), capture_entries(replace(trace, steps=steps), copy.sender)
        assert sorted((one.time, one.identification) for one in after) == [(one.time, one.identification) for one in before]

    @pytest.mark.parametrize(
        ("changes", "said"),
        [
            ({"receiver": "C"}, "not between A and B"),
            ({"fields": (("len", 0),)}, "no sequence number"),
            ({"fields": (("seq", -1), ("len", 0))}, "that no TCP segment can have"),
            ({"fields": (("seq", 1), ("len", 70_000))}, "that no TCP segment can have"),
        ],
    )
    def test_what_is_no_segment(self, changes: dict[str, object], said: str) -> None:
        """Such a trace cannot be captured; the message says which copy is wrong."""
        with pytest.raises(BrokenTrace, match=f"copy 1 .*{said}"):
            pcapng.as_pcapng(altered(counterexample("C15"), **changes))


class TestOctets:
    """What stands in the file, as scapy reads it."""

    @every_trace
    @either_end
    def test_headers(self, name: str, end: str) -> None:
        """True checksums; numbers, flags and times are those of the trace; every packet has a comment."""
        trace = counterexample(name)
        seen = capture_entries(trace, [end.upper()])
        packets = read(pcapng.as_pcapng(trace, end))
        assert len(packets) == len(seen)
        for one, raw in zip(seen, packets, strict=True):
            ip, tcp = raw[IP], raw[TCP]
            anew = IP(bytes(raw))
            del anew.chksum, anew[TCP].chksum
            assert bytes(IP(bytes(anew))) == bytes(raw)
            assert (tcp.seq - one.fields["seq"]) % 1_000_000 in (0, 999_999)
            assert ("A" in tcp.flags) == ("ack" in one.fields)
            assert {letter for letter in "FSR" if letter in tcp.flags} == {
                letter for letter, name in (("F", "fin"), ("S", "syn"), ("R", "rst")) if one.fields.get(name)
            }
            assert len(tcp.payload) == one.fields["len"]
            assert ip.id == one.identification
            assert ip.ttl == (64 if one.leaves else 63)
            assert {ip.src, ip.dst} == {"192.0.2.1", "192.0.2.2"}
            assert abs(Fraction(str(raw.time)) - pcapng.START - one.time) <= Fraction(1, 10**9)
            assert raw.comment.decode().startswith(one.comment)

    def test_times_that_no_nanosecond_holds(self) -> None:
        """A third of a second is rounded, and the comment says what it is exactly."""
        packets = read(pcapng.as_pcapng(counterexample("C2 thirds"), "a"))
        assert any(b"exactly at t=" in one.comment for one in packets)
        assert not any(b"exactly at t=" in one.comment for one in read(pcapng.as_pcapng(counterexample("C2 core"), "a")))

    def test_many_octets(self) -> None:
        """Where somebody sends more than the window of the specification holds, a wider one is advertised."""
        trace = altered(counterexample("C15"), fields=(("seq", 1), ("ack", 1), ("len", 1_448)))
        packets = read(pcapng.as_pcapng(trace, "a"))
        assert {one[TCP].window for one in packets} == {65_535}
        assert max(len(one[TCP].payload) for one in packets) == 1_448

    @given(st.binary(max_size=99))
    def test_checksum(self, octets: bytes) -> None:
        """What is summed together with its checksum gives nought."""
        even = octets + b"\0" * (len(octets) % 2)
        assert checksum(even + checksum(even).to_bytes(2)) == 0

    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**33), st.integers(0, 9))
    def test_numbers_wrap(self, origin: int, seq: int, length: int) -> None:
        """Sequence numbers have 32 bits."""
        sockets = WireSocket(IPv4Address("192.0.2.1"), 1), WireSocket(IPv4Address("192.0.2.2"), 2)
        made = IP(packet(Envelope(*sockets, 7, 64), {"seq": seq, "len": length, "ack": seq}, (origin, origin), 8))
        assert made[TCP].seq == made[TCP].ack == (origin + seq) % 2**32

    def test_a_long_comment_is_cut(self) -> None:
        """An option has 16 bits for its length."""
        file = capture("é" * 40_000, "x", [Interface("A", "")], [PacketBlock(0, 1, True, bytes(range(20)), "€" * 30_000)])
        (one,) = read(file)
        assert one.comment.decode().rstrip(" …") == "€" * 20_000


@needs_tshark
class TestWireshark:
    """What tshark says."""

    @every_trace
    @either_end
    def test_analysis(self, name: str, end: str, tmp_path: Path) -> None:
        """Checksums hold, nothing is malformed, and its analysis agrees on what was sent again.

        What was sent again at the place of capture is what the specification's timer sends again. A duplicate that the
        network makes is taken for a retransmission too, as anywhere, or for out of order where it comes at once; its
        identification tells it apart.
        """
        agrees(counterexample(name), end, tmp_path)

    def test_both_ends(self, tmp_path: Path) -> None:
        """Two interfaces in one file; every copy that arrives is there twice."""
        trace = counterexample("C2 core")
        told = rows(pcapng.as_pcapng(trace, "both"), tmp_path)
        assert {row["frame.interface_name"] for row in told} == {"A", "B"}
        copies = [copy for step in trace.steps for copy in step.event.sent]
        arrivals = [step.event.received.number for step in trace.steps if step.event.received is not None]
        for copy in copies:
            sighted = sum(int(row["ip.id"], 16) == copy.number for row in told)
            assert sighted == 1 + arrivals.count(copy.number)


def test_messages_have_what_captures_need() -> None:
    """The fields that captures read are those that the specification writes."""
    copies = [copy for name in NAMES for step in counterexample(name).steps for copy in step.event.sent]
    assert all(isinstance(copy, Packet) and {"seq", "len"} <= dict(copy.fields).keys() for copy in copies)
    assert {name for copy in copies for name, _ in copy.fields} == {"seq", "ack", "len", "fin", "rst"}
