"""Wireshark's opinion of a packet capture."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

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
