"""Closes of the kernel's own TCP between two namespaces, captured at both ends, with the kernel's states at the end."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from capture_octets import enhanced, interface, option, section

from timewait.laboratory.kernel_pair import ADDRESSES, KernelPair
from timewait.laboratory.packets import CarriedPacket

RAW = 101
PORT, CLIENT_PORT = 80, 40_000
CLIENT, SERVER = (ADDRESSES["A"], CLIENT_PORT), (ADDRESSES["B"], PORT)


class Carried(NamedTuple):
    """A packet as one end captures it: the time in nanoseconds since 1970, the end, and the octets."""

    time: int
    place: str
    octets: bytes


class KernelClose(NamedTuple):
    """A captured script, and the states of the sockets of A and B after it, by the kernel's own record."""

    packets: list[Carried]
    states: dict[str, list[str]]

    def written(self, places: str) -> bytes:
        """The capture at one end, or at both (``AB``), as a pcapng file."""
        blocks = [section(), *(interface(RAW, option("<", 2, place.encode()) + option("<", 9, b"\x09")) for place in places)]
        kept = (packet for packet in self.packets if packet.place in places)
        return b"".join([*blocks, *(enhanced("<", places.index(it.place), it.time, it.octets) for it in kept)])


@dataclass
class Scene:
    """Two hosts, and a connection from A to B."""

    pair: KernelPair
    listener: socket.socket
    client: socket.socket
    server: socket.socket

    @classmethod
    def opened(cls, pair: KernelPair) -> Scene:
        """A listener on B, and an open connection to it."""
        listener = pair.hosts["B"].socket()
        listener.bind(SERVER)
        listener.listen()
        client, server = _connected(pair, listener)
        return cls(pair, listener, client, server)

    def reopen(self, isn: int | None = None, patience: float = 0.05) -> None:
        """Connect again from the same port, with an ISN of choice."""
        self.client, self.server = _connected(self.pair, self.listener, isn, patience)

    def close(self, first: str = "A") -> None:
        """Both ends close in order."""
        ends = {"A": self.client, "B": self.server}
        second = "B" if first == "A" else "A"
        ends[first].shutdown(socket.SHUT_WR)
        self.pair.carry(0.06)
        self.pair.hosts[second].abandon(ends[second])
        self.pair.carry(0.06)
        self.pair.hosts[first].abandon(ends[first])

    def drop_all(self, seconds: float) -> None:
        """The network loses everything for some seconds."""
        end = time.monotonic() + seconds
        while (packet := self.pair.next_packet(max(end - time.monotonic(), 0))) is not None:
            self.pair.drop(packet)


def _connected(
    pair: KernelPair, listener: socket.socket, isn: int | None = None, patience: float = 0.05
) -> tuple[socket.socket, socket.socket]:
    pair.forget_numbers()
    client = pair.hosts["A"].socket()
    client.bind(CLIENT)
    if isn is not None:
        pair.hosts["A"].choose_isn(client, isn)
    with suppress(BlockingIOError):
        client.connect(SERVER)
    pair.carry(patience)
    server, _ = listener.accept()
    return client, server


def is_fin(packet: CarriedPacket) -> bool:
    """Whether a packet carries a FIN."""
    return packet.segment.fin


# --- scripts ---------------------------------------------------------------------------------------------------------


def clean(scene: Scene) -> None:
    """The client closes, then the server."""
    scene.client.send(b"hello")
    scene.pair.carry(0.06)
    scene.server.recv(5)
    scene.close()


def simultaneous(scene: Scene) -> None:
    """Both close before the FIN of the other has arrived."""
    scene.client.shutdown(socket.SHUT_WR)
    scene.server.shutdown(socket.SHUT_WR)
    for fin in [scene.pair.expect(is_fin), scene.pair.expect(is_fin)]:
        scene.pair.deliver(fin)
    scene.pair.carry(0.06)


def half(scene: Scene) -> None:
    """The client closes its direction; the server sends text and closes."""
    scene.client.shutdown(socket.SHUT_WR)
    scene.pair.carry(0.06)
    for _ in range(3):
        scene.server.send(bytes(1_000))
        scene.pair.carry(0.05)
    scene.pair.hosts["B"].abandon(scene.server)
    scene.pair.carry(0.06)


def _old_fin(scene: Scene) -> CarriedPacket:
    """The server's FIN, after a clean close."""
    scene.close()
    fins = [event.packet for event in scene.pair.events if event.packet.segment.fin and event.packet.sender == "B"]
    return fins[0]


def assassinated(scene: Scene) -> None:
    """An old duplicate of the server's FIN; the RST that answers its acknowledgement ends TIME-WAIT, as does another."""
    fin = _old_fin(scene)
    for _ in range(2):
        scene.pair.deliver(fin)
        scene.pair.carry(0.05)


def survived(scene: Scene) -> None:
    """The same with tcp_rfc1337: TIME-WAIT ignores the RST."""
    scene.pair.hosts["A"].set("tcp_rfc1337", 1)
    assassinated(scene)


def challenged(scene: Scene) -> None:
    """The server closes first; a SYN with a lower number meets its TIME-WAIT, which a RST then ends; the next SYN opens."""
    scene.close("B")
    syn = next(event.packet for event in scene.pair.events if event.packet.segment.syn)
    scene.reopen(syn.decoded.seq - 1_000_000, 1.3)
    scene.close()


def reused_by_server(scene: Scene) -> None:
    """The server closes first, and its TIME-WAIT accepts a SYN with a higher number."""
    scene.close("B")
    syn = next(event.packet for event in scene.pair.events if event.packet.segment.syn)
    scene.reopen(syn.decoded.seq + 1_000_000)
    scene.close()


def reused_by_client(scene: Scene) -> None:
    """The client is in TIME-WAIT and connects again from the same port (tcp_tw_reuse), with time stamps."""
    scene.close()
    scene.reopen()
    scene.close()


def unanswered(scene: Scene) -> None:
    """The path drops everything before the server closes; its kernel gives up after two retransmissions."""
    scene.pair.hosts["B"].set("tcp_orphan_retries", 2)
    scene.client.shutdown(socket.SHUT_WR)
    scene.pair.carry(0.06)
    scene.pair.hosts["B"].abandon(scene.server, 0)
    scene.drop_all(2.5)


def fin_wait_2_expired(scene: Scene) -> None:
    """The client's abandoned FIN-WAIT-2 lasts a second; then the server closes."""
    scene.pair.hosts["A"].set("tcp_fin_timeout", 1)
    scene.pair.hosts["A"].abandon(scene.client)
    scene.pair.carry(1.6)
    scene.pair.hosts["B"].abandon(scene.server)
    scene.pair.carry(0.1)


def lingering(scene: Scene) -> None:
    """The client closes with SO_LINGER 0."""
    scene.client.send(b"hello")
    scene.pair.carry(0.06)
    scene.client.close()
    scene.pair.carry(0.05)


TIMESTAMPS = (reused_by_client,)
"""Scripts that need time stamps."""


def played(script: Callable[[Scene], None]) -> Generator[KernelClose]:
    """A script in the laboratory."""
    with KernelPair() as pair:
        if script in TIMESTAMPS:
            for host in pair.hosts.values():
                host.set("tcp_timestamps", 1)
                host.set("tcp_tw_reuse", 1)
        # The sockets must outlive the reading of their states.
        scene = Scene.opened(pair)
        script(scene)
        states = {
            name: sorted(str(record.state) for record in host.diagnosis.records() if record.state != "LISTEN")
            for name, host in pair.hosts.items()
        }
        yield KernelClose(_captured(pair), states)


def _captured(pair: KernelPair) -> list[Carried]:
    """What each end captures: its own packets, and those that arrive."""
    found = []
    for event in pair.events:
        sender = event.packet.sender
        if event.fate == "sent":
            found.append(Carried(event.time, sender, event.packet.octets))
        elif event.fate == "delivered":
            found.append(Carried(event.time, "B" if sender == "A" else "A", event.packet.octets))
    return found
