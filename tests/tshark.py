"""Wireshark's opinion of a packet capture."""

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
SENT_AGAIN = ("retransmission", "fast_retransmission", "spurious_retransmission")
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
    *(f"tcp.analysis.{name}" for name in SENT_AGAIN),
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


def sent_again(row: Row) -> bool:
    """Whether the analysis takes a packet for a retransmission of some kind."""
    return any(row[f"tcp.analysis.{name}"] for name in SENT_AGAIN)


def seen_before(seen: list[CaptureEntry]) -> list[int]:
    """The numbers of the packets whose numbers were all seen before, on the same connection."""
    found, known, connection = [], set(), 0
    for number, one in enumerate(seen, start=1):
        fields = one.fields
        if fields.get("syn") and "ack" not in fields:
            connection += 1
        length = fields["len"] + fields.get("syn", 0) + fields.get("fin", 0)
        octets = {(connection, one.sender, fields["seq"] - one.incarnation + place) for place in range(length)}
        if octets and octets <= known:
            found.append(number)
        known |= octets
    return found


def overtaken(seen: list[CaptureEntry]) -> list[int]:
    """The numbers of the packets that come after one that the same end sent later on the same connection."""
    found, latest, connection = [], dict[tuple[int, str], int](), 0
    for number, one in enumerate(seen, start=1):
        if one.fields.get("syn") and "ack" not in one.fields:
            connection += 1
        if one.identification < ADDED:
            before = latest.get((connection, one.sender), 0)
            if one.identification < before:
                found.append(number)
            latest[connection, one.sender] = max(before, one.identification)
    return found


def agrees(trace: Trace, end: str, folder: Path) -> None:
    """Wireshark and the trace agree on all but what was overtaken: seen from its place, that may have been sent again."""
    seen = capture_entries(trace, [end.upper()])
    told = rows(pcapng.as_pcapng(trace, end), folder)
    assert len(told) == len(seen)
    assert {row["ip.checksum.status"] for row in told} == {row["tcp.checksum.status"] for row in told} == {"1"}
    assert not any(row["_ws.malformed"] for row in told)
    assert all(row["frame.comment"] for row in told)
    again = [number for number, row in enumerate(told, start=1) if sent_again(row)]
    at_once = [number for number, row in enumerate(told, start=1) if row["tcp.analysis.out_of_order"]]
    assert all(seen[number - 1].time == seen[number - 2].time for number in at_once)
    late = set(overtaken(seen))
    assert set(again + at_once) - late == set(seen_before(seen)) - late
    resent = {
        copy.number
        for step in trace.steps
        for copy in step.event.sent
        if any(rule == "timer.retransmission" for rule, _, _ in step.event.rules)
    }
    leaving = {one.identification for one in seen if one.leaves}
    assert {seen[number - 1].identification for number in again if seen[number - 1].leaves} == resent & leaving
