"""Reading of captures: this reader beside libraries, and `timewait explain` of large captures with its time and memory.

Run by hand on Linux: ``python -m benchmarks.captures``. dpkt is compared only where it is installed.
"""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from importlib import import_module
from pathlib import Path

from timewait.captures.capture_file import CaptureReader
from timewait.captures.headers import CapturedPacket, decode
from timewait.cli.main import cli

FIN, SYN, ACK = 1, 2, 16
COMPARED = 1_000
"""Connections in the capture for the comparison."""
LARGE = {"some": (5_000, 63), "few and long": (5, 66_000), "many and short": (55_000, 2)}
"""Captures of half a million frames: their connections, and the segments of text in each."""


def packet(client: int, from_client: bool, seq: int, ack: int, flags: int, length: int) -> bytes:
    """An Ethernet frame, cut off after 96 octets as ``tcpdump -s 96`` does."""
    ends = [(bytes((10, 0, client >> 8, client & 255)), 1_024 + client), (bytes((192, 0, 2, 1)), 443)]
    (source, port), (destination, other) = ends if from_client else ends[::-1]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 40 + length, seq & 0xFFFF, 0x4000, 64, 6, 0, source, destination)
    tcp = struct.pack("!HHIIBBHHH", port, other, seq, ack, 0x50, flags, 512, 0, 0)
    return bytes(12) + b"\x08\0" + ip + tcp + bytes(length)


def write(path: Path, connections: int, texts: int) -> None:
    """A capture of connections that close in order, interleaved by time."""
    frames = []
    for client in range(connections):
        segments = [(0.0, True, 1_000, 0, SYN, 0), (0.01, False, 5_000, 1_001, SYN | ACK, 0), (0.01, True, 1_001, 5_001, ACK, 0)]
        for index in range(texts):
            last = 5_001 + 1_400 * index
            segments.append((0.001, False, last, 1_001, ACK, 1_400))
            if index % 2:
                segments.append((0.01, True, 1_001, last + 1_400, ACK, 0))
        last = 5_001 + 1_400 * texts
        segments += [(0.1, True, 1_001, last, FIN | ACK, 0), (0.01, False, last, 1_002, FIN | ACK, 0)]
        segments.append((0.01, True, 1_002, last + 1, ACK, 0))
        now = client * 0.01
        for gap, from_client, seq, ack, flags, length in segments:
            now += gap
            frames.append((now, packet(client, from_client, seq, ack, flags, length)))
    frames.sort(key=lambda frame: frame[0])
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 96, 1))
        for now, octets in frames:
            microseconds = round(now * 1_000_000)
            head = (microseconds // 1_000_000, microseconds % 1_000_000, min(len(octets), 96), len(octets))
            file.write(struct.pack("<4I", *head) + octets[:96])


def own(path: Path) -> int:
    """The TCP segments that this reader decodes."""
    with path.open("rb", buffering=0) as file:
        return sum(isinstance(decode(frame), CapturedPacket) for frame in CaptureReader(file.read, str(path)))


def by_dpkt(path: Path) -> int:
    """The TCP segments that dpkt decodes."""
    dpkt = import_module("dpkt")
    with path.open("rb") as file:
        frames = (dpkt.ethernet.Ethernet(octets) for _, octets in dpkt.pcap.Reader(file))
        return sum(isinstance(frame.data.data, dpkt.tcp.TCP) for frame in frames)


def by_scapy(path: Path) -> int:
    """The TCP segments that scapy decodes."""
    scapy = import_module("scapy.all")
    with scapy.PcapReader(str(path)) as reader:
        return sum(scapy.TCP in frame for frame in reader)


def compare(path: Path, name: str, read: Callable[[Path], int]) -> None:
    """Print the processor time of one reader for a frame."""
    try:
        read(path)
    except ImportError:
        print(f"{name:<8} not installed")
        return
    started = time.process_time()
    segments = read(path)
    print(f"{name:<8} {(time.process_time() - started) / segments * 1e6:8.1f} us a frame, {segments:,} TCP segments")


def explain(path: Path, shape: str) -> None:
    """Explain a capture in this process, which does nothing else, and print its time and memory."""
    printed = io.StringIO()
    started = time.monotonic()
    with redirect_stdout(printed), suppress(SystemExit):
        cli(["explain", str(path)])
    wall, seconds = time.monotonic() - started, time.process_time()
    status = Path("/proc/self/status").read_text()  # ru_maxrss would count the process that started this one
    megabytes = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024
    first, _, _ = printed.getvalue().partition("\n")
    print(f"{shape}: {first.partition(': ')[2]}: {seconds:.1f} s of processor time, {wall:.1f} s, {megabytes:,.0f} MB")


def main() -> None:
    """Compare the readers, then explain large captures."""
    with tempfile.TemporaryDirectory() as folder:
        small, large = Path(folder) / "small.pcap", Path(folder) / "large.pcap"
        write(small, COMPARED, 6)
        for name, read in (("own", own), ("dpkt", by_dpkt), ("scapy", by_scapy)):
            compare(small, name, read)
        for shape, (connections, texts) in LARGE.items():
            write(large, connections, texts)
            subprocess.run([sys.executable, "-m", "benchmarks.captures", str(large), shape], check=True)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        explain(Path(sys.argv[1]), sys.argv[2])
    else:
        main()
