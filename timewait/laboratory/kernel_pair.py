"""Two kernels' sockets, and between them a network whose every packet this process delivers, drops, holds or duplicates.

A kernel has dealt with a packet when `KernelPair.deliver` returns, and its answer, if it answers at once, can be read without
waiting. A script therefore names the packet that it expects next and decides what becomes of it; it never sleeps.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple, Self

from timewait.captures.headers import SYN
from timewait.laboratory.host import LaboratoryHost
from timewait.laboratory.links import Link, open_link
from timewait.laboratory.namespaces import Namespace
from timewait.laboratory.packets import CarriedPacket, Numbering, decoded

ADDRESSES = {"A": "192.0.2.1", "B": "192.0.2.2"}
"""Addresses for documentation (RFC 5737)."""
PATIENCE = 5.0
"""How long a script waits for a packet, in seconds: longer than any retransmission timer of the settings in use."""


class NoSuchPacket(TimeoutError):
    """A packet that was expected did not come in time; the message says what came instead."""


class WireEvent(NamedTuple):
    """What became of a packet, for captures and reports.

    Attributes
    ----------
    time : int
        Nanoseconds since 1970.
    fate : str
        ``"sent"`` when it left its sender, ``"delivered"`` each time it arrived, or ``"dropped"``.
    packet : CarriedPacket
        The packet.
    """

    time: int
    fate: str
    packet: CarriedPacket


class KernelPair:
    """Hosts A and B, and the network between them.

    Parameters
    ----------
    link : callable
        Makes the link of each host; by default a TUN device where one can be had.

    Attributes
    ----------
    hosts : dict of str to LaboratoryHost
        Hosts A and B.
    numbering : Numbering
        The ISNs of the incarnation that is open. `forget_numbers` begins another.
    events : list of WireEvent
        Everything that happened on the wire so far.

    Raises
    ------
    LaboratoryUnavailable
        The machine cannot make the hosts; the message says why.
    """

    def __init__(self, link: Callable[[Namespace, str], Link] = open_link) -> None:
        self.hosts = {name: LaboratoryHost(name, address, link) for name, address in ADDRESSES.items()}
        self.numbering = Numbering({})
        self._former = self.numbering
        self.events: list[WireEvent] = []
        self._waiting: deque[CarriedPacket] = deque()
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def aids(self) -> list[str]:
        """What was done to the hosts that does not happen by default."""
        return [aid for host in self.hosts.values() for aid in host.aids]

    def forget_numbers(self) -> None:
        """Begin another incarnation: from its next SYN on, the numbers of an end refer to it. Packets read before keep theirs."""
        self._former, self.numbering = self.numbering, Numbering({})

    def crash(self, name: str) -> None:
        """Let a host lose all memory, without a packet (`LaboratoryHost.crashed`); those that it sent before are kept."""
        self._read_links()
        self.hosts[name] = self.hosts[name].crashed()

    def next_packet(self, timeout: float = PATIENCE) -> CarriedPacket | None:
        """Return the next packet that a host sent, oldest first as far as one can tell; None if none comes in time.

        Parameters
        ----------
        timeout : float
            Seconds to wait; 0 asks only for what is there.
        """
        end = time.monotonic() + timeout
        while not self._waiting:
            self._read_links()
            left = end - time.monotonic()
            if self._waiting or left <= 0:
                break
            select.select([host.link for host in self.hosts.values()], [], [], left)
        return self._waiting.popleft() if self._waiting else None

    def expect(self, matches: Callable[[CarriedPacket], bool], timeout: float = PATIENCE) -> CarriedPacket:
        """Return the next packet that matches; others that came before it stay to be read.

        Raises
        ------
        NoSuchPacket
            None comes in time.
        """
        passed: list[CarriedPacket] = []
        end = time.monotonic() + timeout
        try:
            while (packet := self.next_packet(max(end - time.monotonic(), 0))) is not None:
                if matches(packet):
                    return packet
                passed.append(packet)
        finally:
            self._waiting.extendleft(reversed(passed))
        came = ", ".join(f"{packet.sender}: {packet.segment}" for packet in passed) or "nothing"
        raise NoSuchPacket(f"within {timeout:g} s came {came}")

    def put_back(self, packet: CarriedPacket) -> None:
        """Let a packet that was taken be the next one again."""
        self._waiting.appendleft(packet)

    def deliver(self, packet: CarriedPacket) -> None:
        """Let a packet arrive, for the first time or again. The receiving kernel has dealt with it on return."""
        receiver = "B" if packet.sender == "A" else "A"
        self.events.append(WireEvent(time.time_ns(), "delivered", packet))
        self.hosts[receiver].link.send(packet.octets)

    def drop(self, packet: CarriedPacket) -> None:
        """Note that a packet is lost. A packet that is only held needs no call."""
        self.events.append(WireEvent(time.time_ns(), "dropped", packet))

    def carry(self, seconds: float) -> None:
        """Deliver every packet at once for some seconds, for instance while a connection opens."""
        end = time.monotonic() + seconds
        while (packet := self.next_packet(max(end - time.monotonic(), 0))) is not None:
            self.deliver(packet)

    def _read_links(self) -> None:
        for name, host in self.hosts.items():
            while (octets := host.link.receive()) is not None:
                fields = decoded(octets)
                if fields is None:
                    continue
                self._read += 1
                opened = name in self.numbering.initial or fields.flags & SYN
                numbering = self.numbering if opened else self._former
                segment = numbering.relative(name, "B" if name == "A" else "A", fields)
                packet = CarriedPacket(self._read, name, time.monotonic(), octets, fields, segment)
                self.events.append(WireEvent(time.time_ns(), "sent", packet))
                self._waiting.append(packet)

    def close(self) -> None:
        """Let go of both hosts."""
        for host in self.hosts.values():
            host.close()
