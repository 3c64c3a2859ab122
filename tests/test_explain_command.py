"""The command ``timewait explain``: output and exit codes."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from pathlib import Path

import pytest
from commands import run
from explained_captures import closed, violation
from scapy.layers.inet import IP, UDP
from wire import Script, pcap

import timewait
from timewait.checker import itf
from timewait.spec.state import MEANING, State
from timewait.vocabulary.errors import RequestError

# --- the command -----------------------------------------------------------------------------------------------------


class TestCommand:
    """Output and exit codes."""

    def test_a_capture(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """One close, in full; its trace is written, read back and explained."""
        path, out = pcap(tmp_path / "one.pcap", closed().packets), tmp_path / "one.itf.json"
        code, printed, _ = run(capsys, "explain", str(path), "--trace", str(out), "--steps", "--time-wait", "1s")
        assert code == 0
        for words in (
            "7 frames, 7 TCP segments, 1 connection, which closes",
            "192.0.2.1:40000 (A) and 192.0.2.2:80 (B): closed in order, A first",
            "No deviation from RFC 9293.",
            f"TIME_WAIT: {MEANING[State.TIME_WAIT][:30]}",
            "0.210000 TIME_WAIT",
        ):
            assert words in printed
        assert all(len(line) <= 132 for line in printed.splitlines())
        assert itf.read(out).shows == "capture"
        code, printed, _ = run(capsys, "explain", str(out))
        assert code == 0
        assert "B's user closes too" in printed

    def test_the_library(self, tmp_path: Path) -> None:
        """`timewait.explain` explains a capture of one close, and a trace."""
        found = timewait.explain(pcap(tmp_path / "one.pcap", closed().packets))
        assert found.lines[0].startswith("A closed first")
        assert timewait.explain(found.trace).lines == found.lines[1:]
        with pytest.raises(RequestError, match="2 connections close"):
            timewait.explain(self.many(tmp_path, 2))

    def test_json(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """One object."""
        path = pcap(tmp_path / "one.pcap", closed().packets)
        code, printed, _ = run(capsys, "explain", str(path), "--json")
        (data,) = json.loads(printed)["connections"]
        assert (code, data["A"], data["outcome"]) == (0, "192.0.2.1:40000", "closed in order, A first")
        assert data["story"][0]["text"] == "Both ends are in ESTABLISHED."

    def many(self, tmp_path: Path, number: int) -> Path:
        """A capture of several closes."""
        packets = []
        for port in range(number):
            for packet in closed().packets:
                copy = packet.copy()
                copy.time = packet.time
                layer = copy["TCP"]
                layer.sport, layer.dport = [40_000 + port if it == 40_000 else it for it in (layer.sport, layer.dport)]
                packets.append(copy)
        return pcap(tmp_path / "many.pcap", packets)

    def test_some(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A paragraph each; --connection explains one in full."""
        path = self.many(tmp_path, 3)
        code, printed, _ = run(capsys, "explain", str(path))
        assert code == 0
        assert printed.count("closed in order, A first") == 3
        assert "Step by step" not in printed
        code, printed, _ = run(capsys, "explain", str(path), "--connection", "192.0.2.2:80-192.0.2.1:40001")
        assert code == 0
        assert printed.count("closed in order, A first") == 1
        assert "Step by step" in printed

    def test_many(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A table."""
        code, printed, _ = run(capsys, "explain", str(self.many(tmp_path, 14)))
        assert code == 0
        assert len(re.findall(r"^\d+ +192\.0\.2\.1:\d+ +192\.0\.2\.2:80 +closed in order", printed, re.MULTILINE)) == 14

    def test_a_trace_is_of_one_connection(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """--trace needs --connection where several close."""
        code, _, err = run(capsys, "explain", str(self.many(tmp_path, 2)), "--trace", str(tmp_path / "out.json"))
        assert code == 2
        assert "--connection" in err
        assert not (tmp_path / "out.json").exists()

    def test_a_limit(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """--max-frames stops reading, and a note says so."""
        path = pcap(tmp_path / "one.pcap", closed().packets)
        code, printed, _ = run(capsys, "explain", str(path), "--max-frames", "5")
        assert code == 0
        assert "half closed" in printed
        assert "Reading stopped after 5 frames" in printed

    def test_nothing_closes(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The exit code is that of a vacuous verdict."""
        code, printed, _ = run(capsys, "explain", str(pcap(tmp_path / "open.pcap", Script().opened().packets)))
        assert code == 30
        assert "1 connection, which does not close" in printed

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is empty"),
            (b"\xd4\xc3\xb2\xa1\x02", "ends in the middle of its header"),
            (b"some garbage", "is neither"),
            (b"{}", "not a trace"),
            (b"\x1f\x8b\x08\x00garbage", ""),
        ],
    )
    def test_bad_files(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, said: str) -> None:
        """One line on standard error, and exit code 3."""
        path = tmp_path / "bad"
        path.write_bytes(content)
        code, printed, err = run(capsys, "explain", str(path))
        assert (code, printed, err.count("\n")) == (3, "", 1)
        assert str(path) in err
        assert said in err

    def test_no_tcp_in_it(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Captures without TCP, without frames, and with an unsupported link type."""
        path = pcap(tmp_path / "udp.pcap", [IP() / UDP()] * 3)
        code, _, err = run(capsys, "explain", str(path))
        assert (code, err.count("\n")) == (3, 1)
        assert "no TCP segment that can be read; its 3 frames: 3 UDP" in err
        path.write_bytes(path.read_bytes()[:24])
        code, _, err = run(capsys, "explain", str(path))
        assert (code, err.count("\n")) == (3, 1)
        assert "without a single frame" in err
        path = pcap(tmp_path / "usb.pcap", closed().packets, link_type=189)
        code, _, err = run(capsys, "explain", str(path))
        assert (code, err.count("\n")) == (3, 1)
        assert "link type 189 (USB)" in err

    @pytest.mark.parametrize("text", ["nonsense", "1.2.3.4:5", "1.2.3.4:5-1.2.3.400:6", "1.2.3.4:5-6.7.8.9:10-11.12.13.14:15"])
    def test_no_connection(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
        """Text that names no connection is a usage error."""
        path = pcap(tmp_path / "one.pcap", closed().packets)
        code, _, err = run(capsys, "explain", str(path), "--connection", text)
        assert (code, err.count("\n")) == (2, 1)

    def test_options_of_captures_are_for_captures(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """On a trace they are usage errors."""
        path = tmp_path / "trace.json"
        path.write_text(itf.as_itf_text(violation("graceful", time_wait=Fraction(1))))
        code, _, err = run(capsys, "explain", str(path), "--time-wait", "1s")
        assert code == 2
        assert "--time-wait is for packet captures" in err
        code, printed, _ = run(capsys, "explain", str(path), "--json")
        assert code == 0
        assert json.loads(printed)["moral"][0].startswith("What fails")

    def test_check_explains(self, capsys: pytest.CaptureFixture[str]) -> None:
        """--explain describes every verdict and every run; it excludes --json."""
        asked = ("check", "--msl", "30s", "--rto", "30s", "--scope", "core", "--property", "graceful", "--explain")
        code, printed, _ = run(capsys, *asked, "--time-wait", "59s")
        assert code == 10
        assert "B has received no acknowledgement" in printed
        assert "What fails: B was closing in order" in printed
        code, printed, _ = run(capsys, *asked, "--time-wait", "60s")
        assert code == 0
        assert "holds on every run" in printed
        assert run(capsys, *asked, "--time-wait", "60s", "--json")[0] == 2
