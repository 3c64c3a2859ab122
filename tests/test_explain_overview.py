"""``timewait explain`` on captures of many connections: summary, groups, choices, counts, frames, pipes, growing files."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from capture_octets import ethernet, pcap_header, record
from commands import run, run_json
from tshark import TSHARK, needs_tshark

from timewait.captures.choosing import GROUPS, ORDERS, chosen, groups
from timewait.captures.closes import CapturedCloses, assumed_configuration, read_closes
from timewait.captures.observations import CloseKind
from timewait.captures.overview import KIND_GROUPS
from timewait.diagrams.page import page
from timewait.narration.trace_file import read_trace
from timewait.spec.stacks import load_stack
from timewait.vocabulary.errors import RequestError

FIN, SYN, RST, ACK = 1, 2, 4, 16
CAPTURES = Path(__file__).parent / "data" / "captures"
SCREEN = 40
"""Lines of a screen."""


def packet(client: int, from_client: bool, seq: int, ack: int, flags: int, number: int, length: int = 0) -> bytes:
    """An Ethernet frame of the connection of a client."""
    ends = [(bytes((10, 0, client >> 8, client & 255)), 1_024 + client % 60_000), (bytes((192, 0, 2, 1)), 443)]
    (source, port), (destination, other) = ends if from_client else ends[::-1]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + length, number & 0xFFFF, 0x4000, 64, 6, 0, source, destination)
    tcp = struct.pack("!HHIIBBHHH", port, other, seq, ack, 0x50, flags, 512, 0, 0)
    return ethernet(b"\x08\0", ip + tcp + b"x" * length)


def traffic(clients: int, texts: int = 2) -> bytes:
    """Connections one after the other: of twenty one is reset, one stays open, one is half closed, one is not answered."""
    frames: list[tuple[float, bytes]] = []
    for client in range(clients):
        now, number = client * 0.01, 0

        def send(gap: float, from_client: bool, seq: int, ack: int, flags: int, length: int = 0) -> None:
            nonlocal now, number
            now, number = now + gap, number + 1
            frames.append((now, packet(client, from_client, seq, ack, flags, number, length)))  # noqa: B023  # called at once

        send(0, True, 1_000, 0, SYN)
        if client % 20 == 3:
            continue
        send(0.01, False, 5_000, 1_001, SYN | ACK)
        send(0.01, True, 1_001, 5_001, ACK)
        for index in range(texts):
            send(0.002, False, 5_001 + 100 * index, 1_001, ACK, 100)
        last = 5_001 + 100 * texts
        send(0.01, True, 1_001, last, ACK)
        if client % 20 == 0:
            send(0.1, True, 1_001, last, RST | ACK)
        elif client % 20 != 1:
            send(0.1, True, 1_001, last, FIN | ACK)
            send(0.01, False, last, 1_002, ACK | (0 if client % 20 == 2 else FIN))
            if client % 20 != 2:
                send(0.01, True, 1_002, last + 1, ACK)
    return pcap_header(1) + b"".join(record(octets, 1_700_000_000 + at) for at, octets in sorted(frames))


@pytest.fixture(scope="module")
def forty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty connections."""
    path = tmp_path_factory.mktemp("forty") / "forty.pcap"
    path.write_bytes(traffic(40))
    return path


@pytest.fixture(scope="module")
def found(forty: Path) -> CapturedCloses:
    """The same, read."""
    return read_closes(forty, assumed_configuration(load_stack("rfc9293-intended")))


class TestSummary:
    """How many connections ended how, on one screen."""

    def test_a_thousand_connections(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The summary and the connections that need a look fit on a screen."""
        path = tmp_path / "many.pcap"
        path.write_bytes(traffic(1_000))
        code, out, _ = run(capsys, "explain", str(path))
        assert code == 0
        assert out.count("\n") <= SCREEN
        rows = [line.split() for line in out.splitlines()]
        for number, name in (("800", "in-order"), ("50", "reset"), ("50", "open"), ("50", "half-closed"), ("50", "unanswered")):
            assert [number, name] in [row[:2] for row in rows]
        assert "1,000 connections, 900 of them closing" in out
        assert "more need a look: --only look shows all" in out

    def test_every_kind_is_a_group(self, found: CapturedCloses) -> None:
        """The groups of kinds divide all connections."""
        for facts in found.connections:
            assert sum(GROUPS[name].holds(facts) for name in KIND_GROUPS) == 1
        assert len(KIND_GROUPS) == len(CloseKind)

    def test_totals(self, forty: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Packets, octets and retransmissions of all connections."""
        _, out, _ = run(capsys, "explain", str(forty))
        assert "in all: 332 packets, 7,600 octets of text, no retransmissions" in out


class TestChoices:
    """Connections by group, number, address, frame and incarnation, in an order."""

    def test_groups(self, forty: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """One, several, and an unknown one."""
        code, data = run_json(capsys, "explain", str(forty), "--only", "reset,unanswered")
        assert [(it["number"], it["kind"]) for it in data["connections"]] == [
            (1, "reset"),
            (4, "unanswered"),
            (21, "reset"),
            (24, "unanswered"),
        ]
        assert code == 0
        code, _, err = run(capsys, "explain", str(forty), "--only", "reset,nonsense")
        assert (code, err.count("\n")) == (2, 1)
        assert "'nonsense' is no group" in err
        assert "explain --help" in err
        assert groups("open, look") == ("open", "look")

    def test_connections_that_never_closed(self, forty: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """They are listed, and nothing closes."""
        code, out, _ = run(capsys, "explain", str(forty), "--only", "open")
        assert code == 30
        assert out.count("open: neither end closed") == 2

    @pytest.mark.parametrize("order", ORDERS)
    def test_orders(self, forty: Path, found: CapturedCloses, capsys: pytest.CaptureFixture[str], order: str) -> None:
        """The order of numbers, or the largest first."""
        _, data = run_json(capsys, "explain", str(forty), "--sort", order)
        values = [ORDERS[order](found.connections[it["number"] - 1]) for it in data["connections"]]
        assert values == sorted(values)
        assert len(values) == 40

    def test_names(self, found: CapturedCloses) -> None:
        """A number, a frame, one end, two ends in either order, an address, an incarnation."""
        connections = found.connections
        assert chosen(connections, "7") == [6]
        assert chosen(connections, "99") == []
        for text in ("10.0.0.6:1030-192.0.2.1:443", "192.0.2.1:443-10.0.0.6:1030", "10.0.0.6", "10.0.0.6:1030", "10.0.0.6#1"):
            assert chosen(connections, text) == [6]
        assert chosen(connections, "10.0.0.6#2") == []
        assert len(chosen(connections, "192.0.2.1:443")) == 40
        low, high = connections[6].frames
        assert chosen(connections, f"frame:{low}") == chosen(connections, f"frame:{high}") == [6]
        for text in ("nonsense", "1.2.3.400:6", "1.2.3.4:5-6.7.8.9:10-11.12.13.14:15", "10.0.0.6#x", "1.2.3.4:x"):
            with pytest.raises(RequestError):
                chosen(connections, text)

    def test_one_of_several_incarnations(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Each can be seen in full, and written."""
        file = CAPTURES / "three-incarnations.pcap"
        code, out, _ = run(capsys, "explain", str(file), "--connection", "192.0.2.10:49152-198.51.100.20:443#3")
        assert (code, "Step by step" in out, "#3 " in out) == (0, True, True)
        trace = tmp_path / "trace.json"
        code, _, _ = run(capsys, "explain", str(file), "--connection", "2", "--trace", str(trace))
        assert code == 0
        assert json.loads(trace.read_text())["#meta"]["about"]["capture"]["A"] == "192.0.2.10:49152"

    @needs_tshark
    def test_the_filter_shows_the_connection(self, capsys: pytest.CaptureFixture[str]) -> None:
        """And no other incarnation."""
        file = CAPTURES / "three-incarnations.pcap"
        _, data = run_json(capsys, "explain", str(file))
        seen = []
        for connection in data["connections"]:
            command = [str(TSHARK), "-n", "-r", str(file), "-Y", connection["filter"], "-T", "fields", "-e", "frame.number"]
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
            seen.append([int(number) for number in done.stdout.split()])
            assert [seen[-1][0], seen[-1][-1]] == connection["frames"]
        assert sorted(number for numbers in seen for number in numbers) == list(range(1, data["frames"] + 1))


class TestCounts:
    """What each end sent, and the frames that show each step."""

    def test_counts(self, forty: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """In words and as data."""
        _, out, _ = run(capsys, "explain", str(forty), "--connection", "7")
        assert "A: 5 packets, no octets of text" in out
        assert "B: 4 packets, 200 octets of text" in out
        assert "Round trip between the ends: 20ms" in out
        _, data = run_json(capsys, "explain", str(forty), "--connection", "7")
        (connection,) = data["connections"]
        assert connection["ends"]["B"]["octets"] == 200
        assert connection["ends"]["A"]["fin"]["frames"]
        assert connection["round_trip"] == pytest.approx(0.02)

    def test_frames_are_on_every_line(self, forty: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """In the story, the table, JSON, ITF and the page."""
        trace = tmp_path / "trace.itf.json"
        _, out, _ = run(capsys, "explain", str(forty), "--connection", "7", "--steps", "--trace", str(trace))
        _, data = run_json(capsys, "explain", str(forty), "--connection", "7")
        (connection,) = data["connections"]
        low, high = connection["frames"]
        steps = connection["trace"]["steps"]
        assert all(low <= frame <= high for step in steps for frame in step["frames"])
        assert all(line["frames"] for line in connection["story"][1:])
        for step in steps:
            assert f"(frame {step['frames'][0]})" in out
        states = json.loads(trace.read_text())["states"]
        assert [state["#meta"]["frames"] for state in states[1:]] == [step["frames"] for step in steps]
        assert f"(frame {steps[0]['frames'][0]})" in page(read_trace(trace))

    def test_what_was_left_out_is_data(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A frame of another link type, and a file that ends early."""
        _, data = run_json(capsys, "explain", str(CAPTURES / "mixed-links.pcapng"))
        assert (data["frames"], data["segments"], data["left_out"]) == (10, 9, {"link type 189 (USB)": 1})
        _, data = run_json(capsys, "explain", str(CAPTURES / "cut-off.pcap"))
        assert data["ends_early"].startswith("ends in the middle of a frame, after frame 9")


class TestPipes:
    """A capture from standard input, and one that grows."""

    COMMAND = (sys.executable, "-m", "timewait", "explain")

    def test_standard_input(self, forty: Path) -> None:
        """The same as from the file."""
        piped = subprocess.run([*self.COMMAND, "-"], input=forty.read_bytes(), capture_output=True, check=False, timeout=60)
        file = subprocess.run([*self.COMMAND, str(forty)], capture_output=True, check=False, timeout=60)
        assert piped.returncode == file.returncode == 0
        assert (
            piped.stdout.decode().replace("-:", f"{forty}:", 1).replace("explain -", f"explain {forty}") == file.stdout.decode()
        )

    @pytest.mark.slow
    def test_a_trace_on_standard_input(self) -> None:
        """Is a trace there, too."""
        trace = (Path(__file__).parent / "data" / "reliability" / "good-graceful.itf.json").read_bytes()
        done = subprocess.run([*self.COMMAND, "-"], input=trace, capture_output=True, check=False, timeout=60)
        assert done.returncode == 0
        assert b"What fails" in done.stdout

    @pytest.mark.slow
    @pytest.mark.parametrize("kind", ["file", "pipe"])
    def test_a_growing_capture(self, tmp_path: Path, kind: str) -> None:
        """Each close is told when it comes; an interrupt ends it with the summary."""
        whole = traffic(8)
        half = len(whole) - 100  # in the middle of a frame, before the last connection closes
        path = tmp_path / "growing.pcap"
        if kind == "pipe":
            os.mkfifo(path)
        else:
            path.write_bytes(whole[:half])
        child = subprocess.Popen([*self.COMMAND, "--follow", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert child.stderr is not None
        watchdog = threading.Timer(40, child.kill)
        watchdog.start()
        with path.open("wb" if kind == "pipe" else "ab", buffering=0) as growing:
            if kind == "pipe":
                growing.write(whole[:half])
            first = child.stderr.readline().decode()
            assert first.startswith("#1 ")
            growing.write(whole[half:])
            while not child.stderr.readline().decode().startswith("#8 "):
                assert child.poll() is None
            child.send_signal(signal.SIGINT)
            out, _ = child.communicate(timeout=60)
        assert child.returncode == 0
        assert "8 connections" in out.decode()
        watchdog.cancel()

    @pytest.mark.slow
    def test_a_pipe_that_is_closed(self) -> None:
        """Ends the answer without an interrupt."""
        done = subprocess.run([*self.COMMAND, "-", "--follow"], input=traffic(3), capture_output=True, check=False, timeout=60)
        assert done.returncode == 0
        assert b"3 connections" in done.stdout
