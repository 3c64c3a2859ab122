"""Traces as packet captures, read by scapy and by Wireshark."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from fractions import Fraction
from ipaddress import IPv4Address
from pathlib import Path
from typing import cast

import pytest
from counterexamples import NAMES, SCHEDULES, counterexample
from hypothesis import given
from hypothesis import strategies as st
from kernel_walks import OPENINGS, harmed
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
    with PcapNgReader(cast(str, io.BytesIO(octets))) as reader:  # it reads open files too
        return list(reader)


def altered(trace: Trace, **changes: object) -> Trace:
    """The trace with changed attributes of the first copy sent."""
    index = next(index for index, step in enumerate(trace.steps) if step.event.sent)
    step = trace.steps[index]
    copy = replace(step.event.sent[0], **changes)  # type: ignore[arg-type]  # whatever a test likes
    event = replace(step.event, sent=(copy, *step.event.sent[1:]))
    return replace(trace, steps=(*trace.steps[:index], replace(step, event=event), *trace.steps[index + 1 :]))


class TestEntries:
    """The packets in a capture, and their comments."""

    @every_trace
    @either_end
    def test_every_step_is_described(self, name: str, end: str) -> None:
        """At either end the comments describe the whole trace, in order."""
        trace = counterexample(name)
        comments = "\n".join(entry.comment for entry in capture_entries(trace, [end.upper()]))
        positions = [comments.find(f"step {step.number} of {len(trace.steps)}, ") for step in trace.steps]
        assert -1 not in positions
        assert positions == sorted(positions)

    @every_trace
    def test_lost_copies_leave_and_never_arrive(self, name: str) -> None:
        """Only the sender captures a lost copy, and the comment says that it is lost."""
        trace = counterexample(name)
        lost = {copy.number: copy for step in trace.steps for copy in step.event.sent if copy.lost}
        entries = [entry for entry in capture_entries(trace, "AB") if entry.identification in lost]
        assert {entry.identification for entry in entries} == set(lost)
        for entry in entries:
            assert entry.end == lost[entry.identification].sender
            assert "LOST" in entry.comment.splitlines()[0]

    @every_trace
    def test_copies_arrive_as_often_as_in_the_trace(self, name: str) -> None:
        """Every arrival is a packet at its time, and the comments mark all but the first as duplicates."""
        trace = counterexample(name)
        arrivals = [(step.time, step.event.received.number) for step in trace.steps if step.event.received is not None]
        entries = [entry for entry in capture_entries(trace, "AB") if not entry.leaves and entry.identification < ADDED]
        assert [(entry.time, entry.identification) for entry in entries] == arrivals
        arrived: set[int] = set()
        for entry in entries:
            assert ("DUPLICATE" in entry.comment.splitlines()[0]) == (entry.identification in arrived)
            arrived.add(entry.identification)

    @every_trace
    def test_the_violation_comes_last(self, name: str) -> None:
        """The comment of the last packet states the violation, that of the first packet of a loop the repetition."""
        trace = counterexample(name)
        comments = [entry.comment for entry in capture_entries(trace, "AB")]
        if trace.loop is not None:
            assert sum("from here on again and again, every 2s" in comment for comment in comments) == 1
        elif name not in SCHEDULES:
            assert f"BREAKS {trace.shows}: " in comments[-1]
        else:
            assert not any("BREAKS" in comment for comment in comments)

    def test_old_copies(self) -> None:
        """The comment states the age, the lifetime and the incarnation."""
        trace = counterexample("C16")
        last = capture_entries(trace, trace.steps[-1].event.actor)[-1]
        assert re.search("OLD: .*s of the 2s that it may live; of the PREVIOUS INCARNATION$", last.comment.splitlines()[0])
        assert last.incarnation == 0

    def test_the_next_incarnation_covers_old_numbers(self) -> None:
        """Its handshake is captured, and the old duplicate lies in its window."""
        packets = read(pcapng.as_pcapng(counterexample("C8"), "b"))
        opened = [packet for packet in packets if packet[TCP].flags == "S"]
        first, second = (packet[TCP].seq for packet in opened)
        assert (first, second) == (1_000_000, 999_999)
        assert 0 <= packets[-1][TCP].seq - (opened[1][TCP].seq + 1) < packets[-1][TCP].window

    def test_an_arrival_without_a_sending(self) -> None:
        """A copy that no step sends is captured all the same: of copies that arrive together a step names one."""
        trace = counterexample("C8")
        copy = next(step.event.received for step in trace.steps if step.event.received is not None)
        steps = tuple(
            replace(step, event=replace(step.event, sent=tuple(sent for sent in step.event.sent if sent != copy)))
            for step in trace.steps
        )
        assert steps != trace.steps
        before, after = capture_entries(trace, copy.sender), capture_entries(replace(trace, steps=steps), copy.sender)
        assert sorted((entry.time, entry.identification) for entry in after) == [
            (entry.time, entry.identification) for entry in before
        ]

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"receiver": "C"}, "not between A and B"),
            ({"fields": (("len", 0),)}, "no sequence number"),
            ({"fields": (("seq", -1), ("len", 0))}, "that no TCP segment can have"),
            ({"fields": (("seq", 1), ("len", 70_000))}, "that no TCP segment can have"),
        ],
    )
    def test_other_than_segments(self, changes: dict[str, object], message: str) -> None:
        """Such a trace cannot be captured; the message names the copy."""
        with pytest.raises(BrokenTrace, match=f"copy 1 .*{message}"):
            pcapng.as_pcapng(altered(counterexample("C15"), **changes))


class TestOctets:
    """The file, as scapy reads it."""

    @every_trace
    @either_end
    def test_headers(self, name: str, end: str) -> None:
        """Checksums are correct; numbers, flags and times are those of the trace; every packet has a comment."""
        trace = counterexample(name)
        entries = capture_entries(trace, [end.upper()])
        packets = read(pcapng.as_pcapng(trace, end))
        assert len(packets) == len(entries)
        for entry, raw in zip(entries, packets, strict=True):
            ip, tcp = raw[IP], raw[TCP]
            anew = IP(bytes(raw))
            del anew.chksum, anew[TCP].chksum
            assert bytes(IP(bytes(anew))) == bytes(raw)
            assert (tcp.seq - entry.fields["seq"]) % 1_000_000 in (0, 999_999)
            assert ("A" in tcp.flags) == ("ack" in entry.fields)
            assert {letter for letter in "FSR" if letter in tcp.flags} == {
                letter for letter, name in (("F", "fin"), ("S", "syn"), ("R", "rst")) if entry.fields.get(name)
            }
            assert len(tcp.payload) == entry.fields["len"]
            assert ip.id == entry.identification
            assert ip.ttl == (64 if entry.leaves else 63)
            assert {ip.src, ip.dst} == {"192.0.2.1", "192.0.2.2"}
            assert abs(Fraction(str(raw.time)) - pcapng.START - entry.time) <= Fraction(1, 10**9)
            assert (raw.comment or b"").decode().startswith(entry.comment)

    def test_times_between_nanoseconds(self) -> None:
        """A third of a second is rounded, and the comment states the exact time."""
        packets = read(pcapng.as_pcapng(counterexample("C2 thirds"), "a"))
        assert any(b"exactly at t=" in (packet.comment or b"") for packet in packets)
        assert not any(
            b"exactly at t=" in (packet.comment or b"") for packet in read(pcapng.as_pcapng(counterexample("C2 core"), "a"))
        )

    def test_many_octets(self) -> None:
        """Where an end sends more than the specification's window holds, a larger one is advertised."""
        trace = altered(counterexample("C15"), fields=(("seq", 1), ("ack", 1), ("len", 1_448)))
        packets = read(pcapng.as_pcapng(trace, "a"))
        assert {packet[TCP].window for packet in packets} == {65_535}
        assert max(len(packet[TCP].payload) for packet in packets) == 1_448

    @given(st.binary(max_size=99))
    def test_checksum(self, octets: bytes) -> None:
        """The checksum of octets with their checksum is 0."""
        even = octets + b"\0" * (len(octets) % 2)
        assert checksum(even + checksum(even).to_bytes(2)) == 0

    @given(st.integers(0, 2**32 - 1), st.integers(0, 2**33), st.integers(0, 9))
    def test_numbers_wrap(self, origin: int, seq: int, length: int) -> None:
        """Sequence numbers have 32 bits."""
        sockets = WireSocket(IPv4Address("192.0.2.1"), 1), WireSocket(IPv4Address("192.0.2.2"), 2)
        made = IP(packet(Envelope(*sockets, 7, 64), {"seq": seq, "len": length, "ack": seq}, (origin, origin), 8))
        assert made[TCP].seq == made[TCP].ack == (origin + seq) % 2**32

    def test_a_long_comment_is_truncated(self) -> None:
        """The length of an option has 16 bits."""
        file = capture("é" * 40_000, "x", [Interface("A", "")], [PacketBlock(0, 1, True, bytes(range(20)), "€" * 30_000)])
        (packet,) = read(file)
        assert (packet.comment or b"").decode().rstrip(" …") == "€" * 20_000


@needs_tshark
class TestWireshark:
    """The analysis of tshark."""

    @every_trace
    @either_end
    def test_analysis(self, name: str, end: str, tmp_path: Path) -> None:
        """Checksums are correct, nothing is malformed, and tshark finds the same retransmissions.

        Retransmissions that leave the capturing end are those of the specification's timer. tshark also takes a duplicate
        made by the network for a retransmission, or for out of order where it comes at once; its identification differs.
        """
        agrees(counterexample(name), end, tmp_path)

    def test_both_ends(self, tmp_path: Path) -> None:
        """Two interfaces in one file; every copy that arrives is there twice."""
        trace = counterexample("C2 core")
        packets = rows(pcapng.as_pcapng(trace, "both"), tmp_path)
        assert {row["frame.interface_name"] for row in packets} == {"A", "B"}
        copies = [copy for step in trace.steps for copy in step.event.sent]
        arrivals = [step.event.received.number for step in trace.steps if step.event.received is not None]
        for copy in copies:
            captured = sum(int(row["ip.id"], 16) == copy.number for row in packets)
            assert captured == 1 + arrivals.count(copy.number)


def test_packets_have_the_fields_of_segments() -> None:
    """The fields that captures read are those that the specification writes."""
    copies = [copy for name in NAMES for step in counterexample(name).steps for copy in step.event.sent]
    assert all(isinstance(copy, Packet) and {"seq", "len"} <= dict(copy.fields).keys() for copy in copies)
    assert {name for copy in copies for name, _ in copy.fields} == {"seq", "ack", "len", "fin", "rst"}


@needs_tshark
@pytest.mark.slow
@either_end
@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("harm", ["old-text", "old-fin", "old-reset", "old-ack"])
def test_analysis_of_a_handshake(harm: str, opening: str, end: str, tmp_path: Path) -> None:
    """The same where the next incarnation opens by a handshake and meets an old segment."""
    agrees(harmed(harm, opening), end, tmp_path)
