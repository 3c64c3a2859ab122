"""Captures made octet by octet: blocks of both file formats, and an IP packet inside every encapsulation."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, GRE, CookedLinux, CookedLinuxV2, Dot1AD, Dot1Q, Ether
from scapy.layers.ppp import PPP, PPPoE
from scapy.packet import Raw

SNAP = b"\xaa\xaa\x03\0\0\0"
IPV4, IPV6, ETHERNET = 4, 6, 1


def ether(**fields: Any) -> Ether:
    """An Ethernet header with both addresses: scapy would ask the network for one that is left out, and wait for an answer."""
    return Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02", **fields)


def block(order: str, kind: int, body: bytes) -> bytes:
    """A block of pcapng."""
    body += bytes(-len(body) % 4)
    length = struct.pack(order + "I", len(body) + 12)
    return struct.pack(order + "I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    """The start of a pcapng file."""
    return block(order, 0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1))


def option(order: str, code: int, value: bytes) -> bytes:
    """An option of pcapng."""
    return struct.pack(order + "HH", code, len(value)) + value + bytes(-len(value) % 4)


def interface(link_type: int, options: bytes = b"", order: str = "<") -> bytes:
    """An interface of pcapng."""
    return block(order, 1, struct.pack(order + "HHI", link_type, 0, 0) + options)


def enhanced(order: str, index: int, time: int, octets: bytes, options: bytes = b"") -> bytes:
    """A frame of pcapng."""
    head = struct.pack(order + "5I", index, time >> 32, time & 0xFFFFFFFF, len(octets), len(octets))
    return block(order, 6, head + octets + bytes(-len(octets) % 4) + options)


def pcap_header(link_type: int, order: str = "<", magic: int = 0xA1B2C3D4) -> bytes:
    """The header of a pcap file."""
    return struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link_type)


def record(octets: bytes, time: float = 0.0, order: str = "<") -> bytes:
    """A frame of a pcap file."""
    microseconds = round(time * 1_000_000)
    head = struct.pack(order + "4I", microseconds // 1_000_000, microseconds % 1_000_000, len(octets), len(octets))
    return head + octets


class Wrapped(NamedTuple):
    """A packet inside an encapsulation: its name, the link type of the frame, the frame."""

    name: str
    link_type: int
    octets: bytes


def ethertype(version: int) -> bytes:
    """The ethertype of an IP version."""
    return b"\x08\0" if version == IPV4 else b"\x86\xdd"


def ethernet(kind: bytes, payload: bytes) -> bytes:
    """An Ethernet frame."""
    return b"\x02\0\0\0\0\x02\x02\0\0\0\0\x01" + kind + payload


def outer(protocol: int, payload: bytes, version: int = IPV4) -> bytes:
    """An IP packet around a payload."""
    if version == IPV6:
        return bytes(IPv6(src="2001:db8:9::1", dst="2001:db8:9::2", nh=protocol) / Raw(payload))
    return bytes(IP(src="198.51.100.1", dst="198.51.100.2", proto=protocol, id=9) / Raw(payload))


def udp(port: int, payload: bytes) -> bytes:
    """A UDP packet around a payload."""
    return bytes(IP(src="198.51.100.1", dst="198.51.100.2") / UDP(sport=50_000, dport=port) / Raw(payload))


def links(version: int, packet: bytes) -> Iterable[Wrapped]:
    """A packet in the frames of every link type."""
    kind = ethertype(version)
    label = bytes.fromhex("0006413f"), bytes.fromhex("0006403f")
    ppp = b"\0\x21" if version == IPV4 else b"\0\x57"
    family = struct.pack("<I", 2 if version == IPV4 else 30)
    whole = ethernet(kind, packet)
    yield Wrapped("ethernet", ETHERNET, whole)
    yield Wrapped("ethernet with padding", ETHERNET, whole + bytes(6))
    for name, tags in (("vlan", Dot1Q(vlan=5)), ("qinq", Dot1AD(vlan=5) / Dot1Q(vlan=6))):
        yield Wrapped(name, ETHERNET, bytes(ether() / tags / (IP(packet) if version == IPV4 else IPv6(packet))))
    yield Wrapped("macsec, not encrypted", ETHERNET, ethernet(b"\x88\xe5", b"\0\0\0\0\0\x09" + kind + packet))
    channel = b"\x20\0\0\0\0\x09\x02\0\0\0\0\x01\0\x01"
    yield Wrapped("macsec, channel", ETHERNET, ethernet(b"\x88\xe5", channel + kind + packet))
    yield Wrapped("cisco metadata", ETHERNET, ethernet(b"\x89\x09", b"\1\1\0\1\0\x07" + kind + packet))
    service = b"\x0f\xc6\1" + (b"\1" if version == IPV4 else b"\2") + b"\0\0\x07\xff" + bytes(16)
    yield Wrapped("network service header", ETHERNET, ethernet(b"\x89\x4f", service + packet))
    yield Wrapped("snap", ETHERNET, ethernet(struct.pack("!H", 8 + len(packet)), SNAP + kind + packet))
    yield Wrapped("provider backbone", ETHERNET, ethernet(b"\x88\xe7", b"\0\0\0\x07" + whole))
    yield Wrapped("mpls", ETHERNET, ethernet(b"\x88\x47", label[0] + packet))
    yield Wrapped("mpls, two labels", ETHERNET, ethernet(b"\x88\x47", label[1] + label[0] + packet))
    yield Wrapped("mpls, ethernet", ETHERNET, ethernet(b"\x88\x47", label[0] + bytes(4) + whole))
    yield Wrapped("pppoe", ETHERNET, bytes(ether(type=0x8864) / PPPoE() / PPP(ppp + packet)))
    compressed = b"\x11\0\0\x01" + struct.pack("!H", len(packet) + 1) + ppp[1:] + packet
    yield Wrapped("pppoe, compressed", ETHERNET, ethernet(b"\x88\x64", compressed))
    yield Wrapped("ppp", 9, b"\xff\x03" + ppp + packet)
    yield Wrapped("ppp, compressed", 9, ppp[1:] + packet)
    yield Wrapped("ppp, hdlc", 50, b"\xff\x03" + ppp + packet)
    yield Wrapped("cisco hdlc", 104, b"\x0f\0" + kind + packet)
    yield Wrapped("fddi", 10, b"\x50" + bytes(12) + SNAP + kind + packet)
    yield Wrapped("token ring", 6, b"\x10\x40" + bytes(12) + SNAP + kind + packet)
    yield Wrapped("atm", 100, SNAP + kind + packet)
    yield Wrapped("fibre channel", 122, bytes(16) + SNAP + kind + packet)
    yield Wrapped("firewire", 138, bytes(16) + kind + packet)
    yield Wrapped("loopback", 0, family + packet)
    yield Wrapped("loopback of openbsd", 108, family[::-1] + packet)
    yield Wrapped("raw", 101, packet)
    yield Wrapped("raw of one version", 228 if version == IPV4 else 229, packet)
    yield Wrapped("cooked", 113, bytes(CookedLinux(proto=int.from_bytes(kind, "big"))) + packet)
    yield Wrapped("cooked 2", 276, bytes(CookedLinuxV2(proto=int.from_bytes(kind, "big"))) + packet)
    yield Wrapped("nflog", 239, _nflog(version, packet))
    yield Wrapped("pktap", 258, struct.pack("<3I", 108, 1, 1) + bytes(96) + whole)
    yield Wrapped("mpls alone", 219, label[0] + packet)
    yield Wrapped("wireless", 105, _wireless(kind, packet))
    yield Wrapped("wireless, quality of service", 105, _wireless(kind, packet, quality=True))
    yield Wrapped("radiotap", 127, b"\0\0\x08\0\0\0\0\0" + _wireless(kind, packet))
    yield Wrapped("radiotap, padded", 127, _padded_radiotap(kind, packet))
    yield Wrapped("prism", 119, struct.pack("<2I", 0x44, 144) + bytes(136) + _wireless(kind, packet))


def _nflog(version: int, packet: bytes) -> bytes:
    hook = struct.pack("<HH", 8, 1) + ethertype(version) + b"\x03\0"
    prefix = struct.pack("<HH", 6, 10) + b"a\0" + bytes(2)
    payload = struct.pack("<HH", 4 + len(packet), 9) + packet
    return struct.pack("!BBH", 2 if version == IPV4 else 10, 0, 5) + hook + prefix + payload


def _wireless(kind: bytes, packet: bytes, quality: bool = False) -> bytes:
    control = b"\x88" if quality else b"\x08"
    addresses = b"\x02\0\0\0\0\x01" * 3
    return control + b"\x01\0\0" + addresses + b"\x10\0" + (b"\0\0" if quality else b"") + SNAP + kind + packet


def _padded_radiotap(kind: bytes, packet: bytes) -> bytes:
    """Two octets between the header of 26 octets and the rest."""
    frame = _wireless(kind, packet, quality=True)
    return struct.pack("<BBHIBB", 0, 0, 10, 2, 0x20, 0) + frame[:26] + bytes(2) + frame[26:]


def tunnels(version: int, packet: bytes) -> Iterable[Wrapped]:
    """A packet inside other IP packets."""
    kind = ethertype(version)
    whole = ethernet(kind, packet)
    inner = 4 if version == IPV4 else 41
    for around in (IPV4, IPV6):
        yield Wrapped(f"in IPv{around}", 101, outer(inner, packet, around))
        yield Wrapped(f"gre in IPv{around}", 101, outer(47, b"\0\0" + kind + packet, around))
    yield Wrapped("gre, key and number", 101, outer(47, b"\x30\0" + kind + bytes(8) + packet))
    yield Wrapped("gre, ethernet", 101, outer(47, bytes(GRE(proto=0x6558)) + whole))
    yield Wrapped("erspan", 101, outer(47, b"\x10\0\x88\xbe" + bytes(4) + b"\x10\0\0\x01" + bytes(4) + whole))
    yield Wrapped("pptp", 101, outer(47, b"\x30\x01\x88\x0b" + bytes(8) + b"\xff\x03" + _ppp(version) + packet))
    yield Wrapped("vxlan", 101, udp(4789, b"\x08\0\0\0\0\0\x07\0" + whole))
    yield Wrapped("vxlan-gpe", 101, udp(4790, b"\x0c\0\0" + (b"\1" if version == IPV4 else b"\2") + b"\0\0\x07\0" + packet))
    yield Wrapped("geneve", 101, udp(6081, b"\x01\0\x65\x58\0\0\x07\0" + b"\0\1\0\0" + whole))
    yield Wrapped("gtp", 101, udp(2152, b"\x30\xff" + struct.pack("!H", len(packet)) + b"\0\0\0\x07" + packet))
    yield Wrapped("l2tp", 101, udp(1701, b"\0\2\0\1\0\1" + b"\xff\x03" + _ppp(version) + packet))
    numbered = struct.pack("!6H", 0x4A02, 18 + len(packet), 1, 1, 0, 0) + b"\0\2\0\0"
    yield Wrapped("l2tp, numbers and offset", 101, udp(1701, numbered + _ppp(version) + packet))
    behind = b"\x0c\0\0\4\0\0\x07\0" + b"\x0f\xc2\2\3\0\0\x07\xff" + whole
    yield Wrapped("vxlan-gpe, service header", 101, udp(4790, behind))
    yield Wrapped("mpls in udp", 101, udp(6635, bytes.fromhex("0006413f") + packet))
    yield Wrapped("authentication", 101, _authenticated(version, packet))
    if version == IPV6:
        yield Wrapped("teredo", 101, udp(3544, packet))
        first = IPv6(packet)
        for name, extension in (("hop by hop", IPv6ExtHdrHopByHop()), ("destination", IPv6ExtHdrDestOpt())):
            yield Wrapped(name, 101, bytes(IPv6(src=first.src, dst=first.dst, hlim=first.hlim) / extension / first.payload))


def _ppp(version: int) -> bytes:
    return b"\0\x21" if version == IPV4 else b"\0\x57"


def _authenticated(version: int, packet: bytes) -> bytes:
    """An authentication header (RFC 4302) around a packet of either version."""
    return outer(51, struct.pack("!BBHII", 4 if version == IPV4 else 41, 4, 0, 1, 1) + bytes(12) + packet)


def without_segment(packet: bytes) -> Iterable[tuple[str, int, bytes]]:
    """Frames without a TCP segment that can be read: what is said of them, their link type, and their octets."""
    yield "ARP", ETHERNET, bytes(ether() / ARP())
    yield "UDP", 101, udp(53, b"\x08" * 20)
    yield "ESP (encrypted)", 101, outer(50, bytes(20))
    yield "later fragment of an IP packet", 101, bytes(IP(frag=3, proto=17) / Raw(packet[20:]))
    yield (
        "later fragment of an IP packet",
        101,
        bytes(IPv6() / IPv6ExtHdrFragment(offset=3, nh=17) / Raw(packet[20:])),
    )
    yield "link type 189 (USB)", 189, bytes(40)
    yield "link type 4000", 4000, bytes(40)
    yield "802.11 encrypted", 105, b"\x08\x41" + _wireless(b"\x08\0", packet)[2:]
    yield "802.11 without data", 105, b"\x80" + bytes(40)
    yield "802.11 aggregate (A-MSDU)", 105, b"\x88" + bytes(23) + b"\x80" + bytes(40)
    yield "spanning tree", ETHERNET, ethernet(b"\0\x26", b"\x42\x42\x03" + bytes(35))
    yield "PPP control", 9, b"\xff\x03\xc0\x21" + bytes(8)
    yield "a packet that is not IP", 101, bytes(40)
    yield "Ethernet type 0x1234", ETHERNET, ethernet(b"\x12\x34", packet)
    yield "more than 24 headers", ETHERNET, ethernet(b"\x81\0", b"\0\x05\x81\0" * 30)
    yield "MACsec (encrypted)", ETHERNET, ethernet(b"\x88\xe5", b"\x0c\0\0\0\0\x09" + bytes(40))
    yield "a network service header without IP", ETHERNET, ethernet(b"\x89\x4f", b"\x0f\xc2\2\x63" + bytes(40))
    yield "damaged headers", 101, packet[:20] + bytes(40)
    yield "damaged headers", 101, packet[:30]
