"""The headers between the start of a captured frame and its IP packet.

A *layer* is a function of a frame's octets and the place where its header begins; it returns the next layer and the place
where that begins. `link_layer` gives the first layer of a frame, by the registry of link types (tcpdump.org/linktypes).
"""

from __future__ import annotations

from struct import unpack_from
from typing import Protocol


class Layer(Protocol):
    """A header, read."""

    def __call__(self, octets: bytes, at: int, /) -> tuple[Layer | None, int]:
        """The next layer and its place; None where an IP packet begins."""
        ...


NextLayer = tuple[Layer | None, int]
"""The next layer and its place."""

LINK_NAMES = {
    143: "DOCSIS",
    148: "private use",
    177: "Linux LAPD",
    187: "Bluetooth",
    189: "USB",
    195: "IEEE 802.15.4",
    197: "ERF",
    201: "Bluetooth",
    215: "IEEE 802.15.4",
    220: "USB",
    227: "CAN",
    230: "IEEE 802.15.4",
    247: "InfiniBand",
    249: "USB",
    252: "Wireshark upper PDU",
    253: "netlink",
    266: "USB",
}
"""Names of link types that carry no IP, or that are not read."""

IP_TYPES = frozenset({0x0800, 0x86DD})

PROTOCOL_NAMES = {
    0x0806: "ARP",
    0x8035: "RARP",
    0x809B: "AppleTalk",
    0x8137: "IPX",
    0x8809: "slow protocols (LACP)",
    0x8863: "PPPoE discovery",
    0x888E: "EAPOL",
    0x8892: "PROFINET",
    0x88CC: "LLDP",
    0x88F7: "PTP",
    0x9000: "loopback test",
}
"""Ethertypes without IP."""


class Undecoded(Exception):
    """A frame without a TCP segment that can be read; the message says what it holds."""


def link_layer(link_type: int) -> NextLayer:
    """The first layer of a frame, and its place.

    Raises
    ------
    Undecoded
        Frames of this link type cannot be read.
    """
    found = _LINKS.get(link_type)
    if found is None:
        name = LINK_NAMES.get(link_type)
        raise Undecoded(f"link type {link_type}{f' ({name})' if name else ''}")
    return found


# --- Ethernet and what an ethertype names -------------------------------------------------------------------------------


def ethernet(octets: bytes, at: int) -> NextLayer:
    """An Ethernet header; a type below 1536 is a length, and LLC follows."""
    return ethertype(octets, at + 12)


def ethertype(octets: bytes, at: int) -> NextLayer:
    """The two octets of an ethertype, or of a length."""
    kind = int.from_bytes(octets[at : at + 2], "big")
    if len(octets) < at + 2:
        raise IndexError
    if kind < 1536:
        return llc, at + 2
    return by_ethertype(kind), at + 2


def by_ethertype(kind: int) -> Layer | None:
    """The layer that an ethertype names."""
    if kind in IP_TYPES:
        return None
    layer = _ETHERTYPES.get(kind)
    if layer is None:
        raise Undecoded(PROTOCOL_NAMES.get(kind, f"Ethernet type 0x{kind:04x}"))
    return layer


def _vlan(octets: bytes, at: int) -> NextLayer:
    del octets
    return ethertype, at + 2


def _service_instance(octets: bytes, at: int) -> NextLayer:
    """IEEE 802.1ah: a tag of four octets, then a whole frame."""
    del octets
    return ethernet, at + 4


def _bridge_tag(octets: bytes, at: int) -> NextLayer:
    """VN-Tag: four octets, then an ethertype."""
    del octets
    return ethertype, at + 4


def _security_tag(octets: bytes, at: int) -> NextLayer:
    """MACsec (IEEE 802.1AE): a tag of six octets, eight more with the channel, and the frame where it is not encrypted."""
    control = octets[at]
    if control & 0x0C:
        raise Undecoded("MACsec (encrypted)")
    return ethertype, at + (14 if control & 0x20 else 6)


def _cisco_metadata(octets: bytes, at: int) -> NextLayer:
    """Version, length in words of four octets less one, the options, then an ethertype."""
    return ethertype, at + 2 + 4 * octets[at + 1]


def network_service(octets: bytes, at: int) -> NextLayer:
    """The network service header (RFC 8300): its length in words of four octets, then the next protocol."""
    length, following = 4 * (octets[at + 1] & 0x3F), octets[at + 3]
    layers: dict[int, Layer | None] = {1: None, 2: None, 3: ethernet, 5: mpls}
    if following not in layers or length < 8:
        raise Undecoded("a network service header without IP")
    return layers[following], at + length


def _pppoe(octets: bytes, at: int) -> NextLayer:
    """Six octets of PPPoE, then PPP (RFC 2516)."""
    del octets
    return ppp_protocol, at + 6


def mpls(octets: bytes, at: int) -> NextLayer:
    """A stack of labels, then IP or, behind a control word or none, an Ethernet frame (RFC 4448)."""
    if not octets[at + 2] & 1:
        return mpls, at + 4
    at += 4
    version = octets[at] >> 4
    if version in (4, 6):
        return None, at
    return ethernet, at + 4 if version == 0 else at


def llc(octets: bytes, at: int) -> NextLayer:
    """IEEE 802.2, with or without SNAP (RFC 1042)."""
    points, control = octets[at : at + 2], octets[at + 2]
    if points == b"\xaa\xaa" and control == 3:
        return ethertype, at + 6
    if points == b"\x06\x06" and control == 3:
        return None, at + 3
    raise Undecoded("spanning tree" if points == b"\x42\x42" else "LLC without IP")


# --- PPP and its relatives ----------------------------------------------------------------------------------------------


def ppp(octets: bytes, at: int) -> NextLayer:
    """PPP, with or without the address and control octets of HDLC (RFC 1662)."""
    return ppp_protocol, at + 2 if octets[at : at + 2] == b"\xff\x03" else at


def ppp_protocol(octets: bytes, at: int) -> NextLayer:
    """The protocol of PPP: two octets, or one if it is odd (RFC 1661 6.5)."""
    protocol, at = (octets[at], at + 1) if octets[at] & 1 else (unpack_from("!H", octets, at)[0], at + 2)
    if protocol in (0x21, 0x57):
        return None, at
    if protocol in (0x281, 0x283):
        return mpls, at
    raise Undecoded("PPP compressed or encrypted" if protocol in (0x2D, 0x2F, 0x3D, 0x53, 0xFD) else "PPP control")


def _cisco_hdlc(octets: bytes, at: int) -> NextLayer:
    return (ppp, at) if octets[at] == 0xFF else (ethertype, at + 2)


def _frame_relay(octets: bytes, at: int) -> NextLayer:
    """A Q.922 address, then NLPID (RFC 2427) or the ethertype of Cisco."""
    at += 1
    while not octets[at] & 1:
        at += 1
    at += 1
    if octets[at : at + 2] in (b"\x03\xcc", b"\x03\x8e"):
        return None, at + 2
    if octets[at : at + 3] == b"\x03\x00\x80":
        return ethertype, at + 6
    return ethertype, at


# --- other local networks -----------------------------------------------------------------------------------------------


def _fddi(octets: bytes, at: int) -> NextLayer:
    if octets[at] & 0xF0 != 0x50:
        raise Undecoded("FDDI management")
    return llc, at + 13


def _token_ring(octets: bytes, at: int) -> NextLayer:
    if octets[at + 1] & 0xC0 != 0x40:
        raise Undecoded("token ring management")
    routing = octets[at + 14] & 0x1F if octets[at + 8] & 0x80 else 0
    return llc, at + 14 + routing


def wireless(octets: bytes, at: int) -> NextLayer:
    """IEEE 802.11: data frames that are not encrypted."""
    return _wireless(octets, at, 1)


def _wireless_padded(octets: bytes, at: int) -> NextLayer:
    """The same where the header is padded to a multiple of four octets."""
    return _wireless(octets, at, 4)


def _wireless(octets: bytes, at: int, multiple: int) -> NextLayer:
    control, flags = octets[at], octets[at + 1]
    if control & 0x0C != 0x08 or control & 0x40:
        raise Undecoded("802.11 without data")
    if flags & 0x40:
        raise Undecoded("802.11 encrypted")
    length = 30 if flags & 3 == 3 else 24
    if octets[at + 22] & 15:
        raise Undecoded("802.11 later fragment")
    if control & 0x80:
        if octets[at + length] & 0x80:
            raise Undecoded("802.11 aggregate (A-MSDU)")
        length += 6 if flags & 0x80 else 2
    return llc, at + length + -length % multiple


def _radiotap(octets: bytes, at: int) -> NextLayer:
    length, present = unpack_from("<HI", octets, at + 2)
    field, word = at + 4, present
    while word & 1 << 31:
        field += 4
        word = unpack_from("<I", octets, field)[0]
    field += 4
    if present & 1:
        field += -(field - at) % 8 + 8
    padded = present & 2 and octets[field] & 0x20
    return (_wireless_padded if padded else wireless), at + length


def _prism(octets: bytes, at: int) -> NextLayer:
    """A Prism header, or the AVS header that some drivers send under the same link type."""
    if octets[at : at + 3] == b"\x80\x21\x10":
        return _avs(octets, at)
    lengths = [unpack_from(order + "I", octets, at + 4)[0] for order in "<>"]
    return wireless, at + min(lengths)


def _avs(octets: bytes, at: int) -> NextLayer:
    return wireless, at + unpack_from("!I", octets, at + 4)[0]


def _ppi(octets: bytes, at: int) -> NextLayer:
    length, link_type = unpack_from("<2xHI", octets, at)
    layer, skipped = link_layer(link_type)
    return layer, at + length + skipped


# --- what operating systems put before a packet -------------------------------------------------------------------------

ETHERNET_HARDWARE, PPP_HARDWARE, NETLINK_HARDWARE = 1, 512, 824


def _cooked(octets: bytes, at: int) -> NextLayer:
    kind, protocol = unpack_from("!H", octets, at + 2)[0], unpack_from("!H", octets, at + 14)[0]
    return _by_cooked(kind, protocol), at + 16


def _cooked_2(octets: bytes, at: int) -> NextLayer:
    protocol, kind = unpack_from("!H", octets, at)[0], unpack_from("!H", octets, at + 8)[0]
    return _by_cooked(kind, protocol), at + 20


def _by_cooked(hardware: int, protocol: int) -> Layer | None:
    if hardware == NETLINK_HARDWARE:
        raise Undecoded("netlink")
    if protocol == 4:
        return llc
    return ppp if hardware == PPP_HARDWARE and protocol in (0, 0x0B, 0x07) else by_ethertype(protocol)


def _loopback(octets: bytes, at: int) -> NextLayer:
    """The address family, in the order of the capturing machine; the packet itself says which IP it is."""
    del octets
    return None, at + 4


def _packet_tap(octets: bytes, at: int) -> NextLayer:
    """PKTAP of macOS; its link type is a DLT, which differs from the registry for raw IP alone."""
    length, _, link_type = unpack_from("<3I", octets, at)
    layer, skipped = link_layer(link_type)
    return layer, at + length + skipped


PAYLOAD = 9
"""NFULA_PAYLOAD."""


def _netfilter_log(octets: bytes, at: int) -> NextLayer:
    """NFLOG: attributes with lengths in the order of the capturing machine, nearly always little-endian."""
    little, big = (unpack_from(order + "H", octets, at + 4)[0] for order in "<>")
    order = "<" if little <= big else ">"
    at += 4
    while True:
        length, kind = unpack_from(order + "2H", octets, at)
        if kind & 0x7FFF == PAYLOAD:
            return None, at + 4
        if length < 4:
            raise Undecoded("a log entry without a packet")
        at += length + -length % 4


def _packet_filter_log(octets: bytes, at: int) -> NextLayer:
    return None, at + octets[at] + -octets[at] % 4


_ETHERTYPES: dict[int, Layer] = {
    0x8100: _vlan,
    0x88A8: _vlan,
    0x9100: _vlan,
    0x9200: _vlan,
    0x8926: _bridge_tag,
    0x88E7: _service_instance,
    0x8847: mpls,
    0x8848: mpls,
    0x8864: _pppoe,
    0x88E5: _security_tag,
    0x8909: _cisco_metadata,
    0x894F: network_service,
    0x880B: ppp,
    0x6558: ethernet,
}

_LINKS: dict[int, NextLayer] = {
    0: (_loopback, 0),
    1: (ethernet, 0),
    6: (_token_ring, 0),
    9: (ppp, 0),
    10: (_fddi, 0),
    12: (None, 0),
    14: (None, 0),
    50: (ppp, 0),
    51: (_pppoe, 0),
    100: (llc, 0),
    101: (None, 0),
    104: (_cisco_hdlc, 0),
    105: (wireless, 0),
    107: (_frame_relay, 0),
    108: (_loopback, 0),
    109: (_loopback, 8),
    113: (_cooked, 0),
    117: (_packet_filter_log, 0),
    119: (_prism, 0),
    122: (llc, 16),
    127: (_radiotap, 0),
    138: (ethertype, 16),
    149: (_packet_tap, 0),
    163: (_avs, 0),
    166: (ppp, 2),
    192: (_ppi, 0),
    204: (ppp, 1),
    219: (mpls, 0),
    226: (None, 24),
    228: (None, 0),
    229: (None, 0),
    239: (_netfilter_log, 0),
    258: (_packet_tap, 0),
    276: (_cooked_2, 0),
}
"""The first layer of each link type, and the octets before it."""
