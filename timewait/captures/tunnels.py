"""Packets that IP carries inside other protocols: IP in IP, GRE, VXLAN, GENEVE, GTP, Teredo, MPLS, L2TP."""

from __future__ import annotations

from struct import unpack_from

from timewait.captures.link_layers import NextLayer, Undecoded, by_ethertype, ethernet, mpls, network_service, ppp

UDP = 17

IP_IN_IP, IPV6_IN_IP, GRE, ETHER_IP, MPLS_IN_IP = 4, 41, 47, 97, 137
"""IP protocols that carry packets."""

NAMES = {
    1: "ICMP",
    2: "IGMP",
    17: "UDP",
    46: "RSVP",
    50: "ESP (encrypted)",
    58: "ICMPv6",
    88: "EIGRP",
    89: "OSPF",
    103: "PIM",
    112: "VRRP",
    132: "SCTP",
}
"""IP protocols without TCP."""

VXLAN, VXLAN_LINUX, VXLAN_GPE, GENEVE, GTP, TEREDO, MPLS_IN_UDP, L2TP = 4789, 8472, 4790, 6081, 2152, 3544, 6635, 1701
"""UDP ports of tunnels."""

TRANSPARENT_ETHERNET, ERSPAN, ERSPAN_3, WCCP, PPTP = 0x6558, 0x88BE, 0x22EB, 0x883E, 0x880B
"""Protocols of GRE that are no ethertypes of IP."""


def inside(octets: bytes, at: int, protocol: int) -> NextLayer:
    """The packet inside the payload of an IP packet.

    Parameters
    ----------
    octets : bytes
        The frame.
    at : int
        Where the payload begins.
    protocol : int
        The protocol of the payload, not TCP.

    Raises
    ------
    Undecoded
        It holds none.
    """
    if protocol in (IP_IN_IP, IPV6_IN_IP):
        return None, at
    if protocol == GRE:
        return _gre(octets, at)
    if protocol == UDP:
        return _udp(octets, at)
    if protocol == ETHER_IP:
        return ethernet, at + 2
    if protocol == MPLS_IN_IP:
        return mpls, at
    raise Undecoded(NAMES.get(protocol, f"IP protocol {protocol}"))


def _gre(octets: bytes, at: int) -> NextLayer:
    """RFC 2784, with the key and the sequence number of RFC 2890, and version 1 of RFC 2637 (PPTP)."""
    flags, protocol = unpack_from("!HH", octets, at)
    if flags & 0x4000 and not flags & 7:
        raise Undecoded("GRE with source routing")
    at += 4 + sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit) + (4 if flags & 7 == 1 and flags & 0x80 else 0)
    if protocol == PPTP:
        if at >= len(octets):
            raise Undecoded("GRE without a packet")
        return ppp, at
    if protocol == ERSPAN:
        return ethernet, at + 8 if flags & 0x1000 else at
    if protocol == ERSPAN_3:
        return ethernet, at + (20 if octets[at + 11] & 1 else 12)
    if protocol == WCCP:
        return None, at + 4 if octets[at] >> 4 != 4 else at
    return by_ethertype(protocol), at


def _udp(octets: bytes, at: int) -> NextLayer:
    source, port = unpack_from("!HH", octets, at)
    at += 8
    if port in (VXLAN, VXLAN_LINUX) and octets[at] & 8:
        return ethernet, at + 8
    if port == VXLAN_GPE and octets[at] & 4:
        return _next_protocol(octets[at + 3], at + 8)
    if port == GENEVE and octets[at] >> 6 == 0:
        return by_ethertype(unpack_from("!H", octets, at + 2)[0]), at + 8 + 4 * (octets[at] & 63)
    if port == GTP and octets[at] >> 4 == 3 and octets[at + 1] == 255:
        return _gtp(octets, at)
    if port == L2TP and unpack_from("!H", octets, at)[0] & 0x800F == 2:
        return _l2tp(octets, at)
    if TEREDO in (source, port):
        return _teredo(octets, at)
    if port == MPLS_IN_UDP:
        return mpls, at
    raise Undecoded("UDP")


def _next_protocol(number: int, at: int) -> NextLayer:
    """The packet after a VXLAN-GPE header (draft-ietf-nvo3-vxlan-gpe)."""
    if number in (1, 2):
        return None, at
    if number == 3:
        return ethernet, at
    if number == 4:
        return network_service, at
    raise Undecoded("UDP")


def _gtp(octets: bytes, at: int) -> NextLayer:
    """GTP-U version 1 (3GPP TS 29.281 5.1): eight octets, four more with any option, and extension headers."""
    flags = octets[at]
    more = octets[at + 11] if flags & 4 else 0
    at += 12 if flags & 7 else 8
    while more:
        length = 4 * octets[at]
        if not length:
            raise Undecoded("UDP")
        more = octets[at + length - 1]
        at += length
    return None, at


def _l2tp(octets: bytes, at: int) -> NextLayer:
    """A data message of version 2 (RFC 2661 3.1): optional length, sequence numbers and offset, then PPP."""
    flags = unpack_from("!H", octets, at)[0]
    at += 6 + (2 if flags & 0x4000 else 0) + (4 if flags & 0x0800 else 0)
    if flags & 0x0200:
        at += 2 + unpack_from("!H", octets, at)[0]
    return ppp, at


def _teredo(octets: bytes, at: int) -> NextLayer:
    """RFC 4380 5.1.1: an authentication and an origin may come first."""
    if octets[at : at + 2] == b"\0\1":
        at += 13 + octets[at + 2] + octets[at + 3]
    if octets[at : at + 2] == b"\0\0":
        at += 8
    if octets[at] >> 4 != 6:
        raise Undecoded("UDP")
    return None, at
