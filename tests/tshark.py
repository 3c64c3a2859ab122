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


def repeated(entries: list[CaptureEntry]) -> list[int]:
    """The indices, from 1, of packets whose sequence numbers were all captured before on the same connection."""
    found, known, connection = [], set(), 0
    for number, entry in enumerate(entries, start=1):
        fields = entry.fields
        if fields.get("syn") and "ack" not in fields:
            connection += 1
        length = fields["len"] + fields.get("syn", 0) + fields.get("fin", 0)
        octets = {(connection, entry.sender, fields["seq"] - entry.incarnation + offset) for offset in range(length)}
        if octets and octets <= known:
            found.append(number)
        known |= octets
    return found


def overtaken(entries: list[CaptureEntry]) -> list[int]:
    """The indices, from 1, of packets captured after one that the same end sent later on the same connection."""
    found, latest, connection = [], dict[tuple[int, str], int](), 0
    for number, entry in enumerate(entries, start=1):
        if entry.fields.get("syn") and "ack" not in entry.fields:
            connection += 1
        if entry.identification < ADDED:
            before = latest.get((connection, entry.sender), 0)
            if entry.identification < before:
                found.append(number)
            latest[connection, entry.sender] = max(before, entry.identification)
    return found


def agrees(trace: Trace, end: str, folder: Path) -> None:
    """Assert that Wireshark and the trace agree, except on overtaken packets, which may look like retransmissions."""
    entries = capture_entries(trace, [end.upper()])
    packets = rows(pcapng.as_pcapng(trace, end), folder)
    assert len(packets) == len(entries)
    assert {row["ip.checksum.status"] for row in packets} == {row["tcp.checksum.status"] for row in packets} == {"1"}
    assert not any(row["_ws.malformed"] for row in packets)
    assert all(row["frame.comment"] for row in packets)
    if trace.about.get("reopening", {}).get("kind") == "handshake":
        return  # Wireshark follows one connection on a pair of ports, and takes old segments in the next one for its own
    again = [number for number, row in enumerate(packets, start=1) if is_retransmission(row)]
    at_once = [number for number, row in enumerate(packets, start=1) if row["tcp.analysis.out_of_order"]]
    assert all(entries[number - 1].time == entries[number - 2].time for number in at_once)
    late = set(overtaken(entries))
    assert set(again + at_once) - late == set(repeated(entries)) - late
    resent = {
        copy.number
        for step in trace.steps
        for copy in step.event.sent
        if any(rule == "timer.retransmission" for rule, _, _ in step.event.rules)
    }
    leaving = {entry.identification for entry in entries if entry.leaves}
    assert {entries[number - 1].identification for number in again if entries[number - 1].leaves} == resent & leaving
