"""The analysis of a packet capture by Wireshark."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from timewait.checker.trace import Trace
from timewait.formats import pcapng
from timewait.formats.capture_entries import ADDED, CaptureEntry, capture_entries

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="no tshark on this machine")

VALIDATE = ("-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE")
RETRANSMISSIONS = ("retransmission", "fast_retransmission", "spurious_retransmission")
FIELDS = (
    "frame.time_epoch",
    "frame.interface_name",
    "frame.comment",
    "ip.src",
    "ip.id",
    "ip.checksum.status",
    "tcp.checksum.status",
    "tcp.stream",
    "tcp.flags.str",
    "_ws.malformed",
    "tcp.analysis.out_of_order",
    "tcp.analysis.keep_alive",
    *(f"tcp.analysis.{name}" for name in RETRANSMISSIONS),
)

Row = dict[str, str]


def rows(octets: bytes, folder: Path) -> list[Row]:
    """Some fields of every packet of a capture."""
    assert TSHARK is not None
    file = folder / "capture.pcapng"
    file.write_bytes(octets)
    wanted = [part for field in FIELDS for part in ("-e", field)]
    command = [TSHARK, "-n", "-r", str(file), *VALIDATE, "-T", "fields", "-E", "separator=/t", *wanted]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return [dict(zip(FIELDS, line.split("\t"), strict=True)) for line in done.stdout.splitlines()]


def is_retransmission(row: Row) -> bool:
    """Whether the analysis takes a packet for a retransmission of any kind."""
    return any(row[f"tcp.analysis.{name}"] for name in RETRANSMISSIONS)


def repeated(entries: list[CaptureEntry], streams: list[str]) -> list[int]:
    """The indices, from 1, of packets whose numbers lie below one captured before in the same stream of Wireshark.

    The SYN,ACK of a simultaneous open is one: it has the number of the SYN.
    """
    found, reached = [], dict[tuple[str, str], int]()
    for number, (stream, entry) in enumerate(zip(streams, entries, strict=True), start=1):
        fields = entry.fields
        begin = fields["seq"] - entry.incarnation
        end = begin + fields["len"] + fields.get("syn", 0) + fields.get("fin", 0)
        before = reached.get((stream, entry.sender), begin)
        if begin < end <= before:
            found.append(number)
        if not fields.get("rst"):
            reached[stream, entry.sender] = max(before, end)
    return found


def overtaken(entries: list[CaptureEntry], streams: list[str]) -> list[int]:
    """The indices, from 1, of packets captured after one that the same end sent later, in the same stream of Wireshark."""
    found, latest = [], dict[tuple[str, str], int]()
    for number, (stream, entry) in enumerate(zip(streams, entries, strict=True), start=1):
        if entry.identification < ADDED:
            before = latest.get((stream, entry.sender), 0)
            if entry.identification < before:
                found.append(number)
            latest[stream, entry.sender] = max(before, entry.identification)
    return found


def acknowledged_by_old(entries: list[CaptureEntry], streams: list[str]) -> list[int]:
    """The indices, from 1, of packets that an old segment, captured before in the same stream, seems to acknowledge."""
    found, edges = [], dict[tuple[str, str], int]()
    newest = {stream: max(e.incarnation for s, e in zip(streams, entries, strict=True) if s == stream) for stream in streams}
    for number, (stream, entry) in enumerate(zip(streams, entries, strict=True), start=1):
        fields = entry.fields
        end = fields["seq"] - entry.incarnation + fields["len"] + fields.get("fin", 0)
        if fields["len"] + fields.get("fin", 0) and end <= edges.get((stream, entry.sender), end - 1):
            found.append(number)
        if entry.incarnation < newest[stream] and "ack" in fields:
            receiver = "B" if entry.sender == "A" else "A"
            edges[stream, receiver] = max(edges.get((stream, receiver), 0), fields["ack"] - entry.incarnation)
    return found


def below_a_syn(entries: list[CaptureEntry], streams: list[str]) -> list[int]:
    """The indices, from 1, of packets whose numbers lie below those of a SYN of the same end, captured before in the stream.

    The SYN is then one of an incarnation before, whose numbers were higher; to Wireshark it begins the stream.
    """
    found, begins = [], dict[tuple[str, str], int]()
    for number, (stream, entry) in enumerate(zip(streams, entries, strict=True), start=1):
        fields = entry.fields
        begin = fields["seq"] - entry.incarnation
        span = fields["len"] + fields.get("syn", 0) + fields.get("fin", 0)
        if span and begin + span <= begins.get((stream, entry.sender), begin):
            found.append(number)
        if fields.get("syn"):
            begins[stream, entry.sender] = begin
    return found


def syns(entries: list[CaptureEntry]) -> int:
    """The SYNs without ACK: each begins a connection, or both do at a simultaneous open."""
    return sum("syn" in entry.fields and "ack" not in entry.fields for entry in entries)


def agrees(trace: Trace, end: str, folder: Path) -> None:
    """Assert that Wireshark and the trace agree, except on packets that may look like retransmissions.

    These are overtaken packets, text that an old ACK, captured before, seems to acknowledge, and what lies below an old SYN.
    """
    entries = capture_entries(trace, [end.upper()])
    packets = rows(pcapng.as_pcapng(trace, end), folder)
    assert len(packets) == len(entries)
    assert {row["ip.checksum.status"] for row in packets} == {row["tcp.checksum.status"] for row in packets} == {"1"}
    assert not any(row["_ws.malformed"] for row in packets)
    assert all(row["frame.comment"] for row in packets)
    streams = [row["tcp.stream"] for row in packets]
    assert len({entry.incarnation for entry in entries}) <= len(set(streams)) <= syns(entries)
    again = [number for number, row in enumerate(packets, start=1) if is_retransmission(row)]
    at_once = [number for number, row in enumerate(packets, start=1) if row["tcp.analysis.out_of_order"]]
    assert all(entries[number - 1].time == entries[number - 2].time for number in at_once)
    late = {*overtaken(entries, streams), *acknowledged_by_old(entries, streams)}
    assert set(again + at_once) - late == set(repeated(entries, streams)) - late
    again_sent = {
        rule: {
            copy.number for step in trace.steps for copy in step.event.sent if rule in {name for name, _, _ in step.event.rules}
        }
        for rule in ("timer.retransmission", "syn-sent.crossing")
    }
    # The SYN,ACK of a simultaneous open has the number of the SYN, which may be in an earlier stream.
    below = {entries[number - 1].identification for number in repeated(entries, streams)}
    after_old_syn = {entries[number - 1].identification for number in below_a_syn(entries, streams) if number not in at_once}
    resent = again_sent["timer.retransmission"] | (again_sent["syn-sent.crossing"] & below) | after_old_syn
    leaving = {entry.identification for number, entry in enumerate(entries, start=1) if entry.leaves and number not in late}
    taken = {entries[number - 1].identification for number in again if entries[number - 1].leaves and number not in late}
    assert taken == resent & leaving
