"""Packet captures written by scapy, for tests of the readers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import count
from pathlib import Path

from scapy.layers.inet import IP, TCP
from scapy.packet import Packet, Raw
from scapy.utils import EDecimal, PcapNgWriter, PcapWriter

IPV4 = 228
START = Decimal(1_700_000_000)
"""The start of every capture, in seconds since 1970."""

ENDS = {"A": ("192.0.2.1", 40_000), "B": ("192.0.2.2", 80)}
ISN = {"A": 1_000, "B": 4_294_967_200}
"""Initial sequence numbers; B's wraps around soon."""


@dataclass
class Script:
    """A capture under construction.

    Attributes
    ----------
    packets : list of Packet
        The packets so far, each with its time.
    idents : iterator of int
        The next IPv4 identifications.
    """

    packets: list[Packet] = field(default_factory=list)
    idents: count[int] = field(default_factory=lambda: count(1))

    def say(
        self,
        at: float,
        who: str,
        flags: str,
        seq: int,
        ack: int | None = None,
        length: int = 0,
        ident: int | None = None,
        hops: int = 64,
        window: int = 8_192,
    ) -> int:
        """Add a packet with relative numbers; returns its identification."""
        other = "B" if who == "A" else "A"
        number = next(self.idents) if ident is None else ident
        tcp = TCP(
            sport=ENDS[who][1],
            dport=ENDS[other][1],
            flags=flags,
            seq=(ISN[who] + seq) % 2**32,
            ack=0 if ack is None else (ISN[other] + ack) % 2**32,
            window=window,
        )
        packet = IP(src=ENDS[who][0], dst=ENDS[other][0], id=number, ttl=hops) / tcp
        packet = packet / Raw(b"x" * length) if length else packet
        packet.time = EDecimal(START + Decimal(str(at)))
        self.packets.append(packet)
        return number

    def opened(self, at: float = 0.0) -> Script:
        """Add the handshake, with 10 ms from one packet to the next."""
        self.say(at, "A", "S", 0)
        self.say(at + 0.01, "B", "SA", 0, 1)
        self.say(at + 0.02, "A", "A", 1, 1)
        return self


def pcap(path: Path, packets: Iterable[Packet], link_type: int = IPV4, nano: bool = False) -> Path:
    """Write a pcap file."""
    with PcapWriter(str(path), linktype=link_type, nano=nano) as file:
        for packet in packets:
            file.write(packet)
    return path


def pcapng(path: Path, packets: Iterable[tuple[str, Packet]]) -> Path:
    """Write a pcapng file from pairs of interface name and packet."""
    with PcapNgWriter(str(path)) as file:
        for interface, packet in packets:
            packet.sniffed_on = interface
            file.write(packet)
    return path
