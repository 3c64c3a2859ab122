"""Connections of the kernel's own TCP, captured: over loopback by tcpdump, and between two network namespaces.

No packet leaves this machine. The two namespaces last as long as their file descriptors. Each has a TUN device whose
other side is this process, so that it can capture, forward, drop or duplicate every packet.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

TIMEOUT = 5.0
"""Time limit of each operation, in seconds."""

# --- loopback --------------------------------------------------------------------------------------------------------


def _no_capture() -> str:
    """The reason why connections over loopback cannot be captured; empty if they can."""
    if shutil.which("tcpdump") is None:
        return "there is no tcpdump"
    if sys.platform != "linux" or os.geteuid() != 0:
        return "capturing on lo needs Linux and root"
    # Without a filter expression, -d only opens the device, which needs the permission.
    tried = subprocess.run(["tcpdump", "-i", "lo", "-d"], capture_output=True, text=True, check=False)
    return f"tcpdump may not capture: {tried.stderr.strip()}" if tried.returncode else ""


NO_CAPTURE = _no_capture()


def clean_close(client: socket.socket, server: socket.socket) -> None:
    """Each end sends text; the client closes, then the server."""
    client.sendall(b"hello")
    server.recv(5)
    server.sendall(b"world")
    client.recv(5)
    client.close()
    time.sleep(0.06)
    server.recv(1)
    server.close()


def half_close(client: socket.socket, server: socket.socket) -> None:
    """The client closes its direction; the server sends 3,000 octets and closes."""
    client.shutdown(socket.SHUT_WR)
    server.recv(1)
    for _ in range(3):
        server.sendall(bytes(1_000))
        time.sleep(0.01)
    server.close()
    while client.recv(4_096):
        pass
    client.close()


def reset(client: socket.socket, server: socket.socket) -> None:
    """The client drops the connection."""
    client.sendall(b"hello")
    server.recv(5)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()
    with suppress(ConnectionResetError):
        server.recv(1)
    server.close()


def on_loopback(path: Path, script: Callable[[socket.socket, socket.socket], None]) -> Path:
    """Capture one connection over loopback, on a port that the kernel chooses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        command = [
            "tcpdump",
            "-i",
            "lo",
            "-U",
            "--immediate-mode",
            "-s",
            "256",
            "-Z",
            "root",
            "-w",
            str(path),
            f"tcp port {port}",
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tcpdump:
            assert tcpdump.stderr is not None
            line = tcpdump.stderr.readline()
            assert "listening on lo" in line, line
            client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
            server, _ = listener.accept()
            server.settimeout(TIMEOUT)
            with client, server:
                script(client, server)
            _until_quiet(path)
            tcpdump.terminate()
    return path


def _until_quiet(path: Path) -> None:
    """Wait until a file has not grown for a while."""
    size, end = -1, time.monotonic() + TIMEOUT
    while path.stat().st_size != size and time.monotonic() < end:
        size = path.stat().st_size
        time.sleep(0.15)


# --- two namespaces --------------------------------------------------------------------------------------------------

CLONE_NEWNET = 0x40000000
SET_ADDRESS, SET_NETMASK, SET_FLAGS, SET_TUN = 0x8916, 0x891C, 0x8914, 0x400454CA
UP_AND_RUNNING = 0x41
PLAIN_TUN = 0x1001
FIN = 1
CALM = {
    "ipv6/conf/all/disable_ipv6": "1",
    "ipv4/tcp_congestion_control": "reno",
    "ipv4/tcp_early_retrans": "0",
    "ipv4/tcp_sack": "0",
}
"""Settings that avoid packets irrelevant to the tests."""


def _no_tunnel() -> str:
    """The reason why two hosts cannot be made; empty if they can."""
    if sys.platform != "linux":
        return "network namespaces are Linux's"
    if os.geteuid() != 0 or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "TUN devices need root and /dev/net/tun"
    try:
        for name in ADDRESSES:
            Host.made(name).close()
    except OSError as problem:
        return f"two hosts cannot be made: {problem}"
    return ""


def _namespace() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)


def _checked(result: int) -> None:
    if result:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


ADDRESSES = {"A": "192.0.2.1", "B": "192.0.2.2"}


@dataclass
class Host:
    """A host: a TUN device whose other side is this process, and a socket in its namespace."""

    name: str
    tun: int
    socket: socket.socket

    @classmethod
    def made(cls, name: str) -> Host:
        """A new host in a new network namespace."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = _namespace()
        _checked(libc.unshare(CLONE_NEWNET))
        try:
            for setting, value in CALM.items():
                with suppress(OSError):
                    Path("/proc/sys/net", setting).write_text(value)
            device = f"tun{name}".encode()
            tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
            fcntl.ioctl(tun, SET_TUN, struct.pack("16sH22x", device, PLAIN_TUN))
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
                for request, address in ((SET_ADDRESS, ADDRESSES[name]), (SET_NETMASK, "255.255.255.0")):
                    octets = socket.inet_aton(address)
                    fcntl.ioctl(control, request, struct.pack("16sH2x4s8x", device, socket.AF_INET, octets))
                fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14x", device, UP_AND_RUNNING))
            return cls(name, tun, socket.socket())
        finally:
            _checked(libc.setns(home, CLONE_NEWNET))
            os.close(home)

    def close(self) -> None:
        """Close the device and the socket."""
        self.socket.close()
        os.close(self.tun)


@dataclass
class Wire:
    """The network between A and B, and the capture of it.

    Attributes
    ----------
    hosts : dict
        A and B.
    both : bool
        Whether packets are captured at both ends, or at A alone.
    blocks : list of bytes
        The capture so far, as blocks of pcapng.
    """

    hosts: dict[str, Host]
    both: bool
    blocks: list[bytes] = field(default_factory=list)

    def carry(self, seconds: float, loses: Callable[[str, bytes], bool] | None = None) -> None:
        """Forward packets for some seconds, each in 2 ms, except lost ones."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([host.tun for host in self.hosts.values()], [], [], min(left, 0.01))
            for name, host in self.hosts.items():
                if host.tun in ready:
                    octets = os.read(host.tun, 2_048)
                    if octets[0] >> 4 == 4:
                        self._pass(name, octets, loses)

    def _pass(self, sender: str, octets: bytes, loses: Callable[[str, bytes], bool] | None) -> None:
        self._capture(sender, octets)
        if loses is None or not loses(sender, octets):
            time.sleep(0.002)
            self.deliver("B" if sender == "A" else "A", octets)

    def deliver(self, to: str, octets: bytes) -> None:
        """Deliver a packet."""
        self._capture(to, octets)
        os.write(self.hosts[to].tun, octets)

    def _capture(self, place: str, octets: bytes) -> None:
        if place == "A" or self.both:
            now = time.time_ns()
            head = struct.pack("<5I", "AB".index(place), now >> 32, now & 0xFFFFFFFF, len(octets), len(octets))
            self.blocks.append(_block(6, head + octets))

    def written(self) -> bytes:
        """The capture as a file."""
        section = _block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1))
        nanoseconds = struct.pack("<HHB3xI", 9, 1, 9, 0)
        named = [struct.pack("<HHI HH4s", 101, 0, 0, 2, 1, name.encode()) + nanoseconds for name in "AB"]
        return b"".join([section, *(_block(1, body) for body in named), *self.blocks])


def _block(kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + length + body + length


def through_tunnels(path: Path, script: Callable[[Wire, socket.socket, socket.socket], None], both: bool) -> Path:
    """Open a connection from A to B, send text, run a script, and write the capture."""
    hosts = {name: Host.made(name) for name in ADDRESSES}
    wire = Wire(hosts, both)
    try:
        client, listener = hosts["A"].socket, hosts["B"].socket
        listener.bind((ADDRESSES["B"], 80))
        listener.listen()
        client.bind((ADDRESSES["A"], 40_000))
        client.setblocking(False)
        with suppress(BlockingIOError):
            client.connect((ADDRESSES["B"], 80))
        wire.carry(0.05)
        server, _ = listener.accept()
        with server:
            client.send(b"hello")
            wire.carry(0.08)
            server.recv(5)
            script(wire, client, server)
        path.write_bytes(wire.written())
    finally:
        for host in hosts.values():
            host.close()
    return path


def _close_both(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    client.shutdown(socket.SHUT_WR)
    wire.carry(0.08)
    server.close()


def lose_the_last_acknowledgement(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    """The first packet of A after B's FIN is lost."""
    _close_both(wire, client, server)
    lost: list[bytes] = []

    def loses(sender: str, octets: bytes) -> bool:
        if sender == "A" and not lost:
            lost.append(octets)
            return True
        return False

    wire.carry(0.5, loses)


def duplicate_the_fin(wire: Wire, client: socket.socket, server: socket.socket) -> None:
    """B's FIN arrives twice more, after it has been acknowledged."""
    _close_both(wire, client, server)
    fins: list[bytes] = []

    def loses(sender: str, octets: bytes) -> bool:
        if sender == "B" and octets[(octets[0] & 15) * 4 + 13] & FIN:
            fins.append(octets)
        return False

    wire.carry(0.05, loses)
    for _ in range(2):
        wire.deliver("A", fins[0])
        wire.carry(0.05)


NO_TUNNEL = _no_tunnel()
