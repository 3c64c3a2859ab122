"""The link of a namespace whose other side is this process: a TUN device, or else a pair of virtual Ethernet devices.

Both carry whole IPv4 packets. `TunLink` needs ``/dev/net/tun``; `VethLink` needs nothing beyond the namespaces: a second
namespace holds the other device, and a packet socket there sends and receives. Both devices have one hardware address, so that
no address is ever resolved.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import struct
from contextlib import suppress
from typing import Protocol

from timewait.laboratory.isolation import LaboratoryUnavailable
from timewait.laboratory.namespaces import Namespace
from timewait.laboratory.packets import with_checksum

SET_TUN, SET_ADDRESS, SET_NETMASK, SET_FLAGS = 0x400454CA, 0x8916, 0x891C, 0x8914
PLAIN_TUN = 0x1001
"""IFF_TUN and IFF_NO_PI."""
UP, NO_ARP = 0x41, 0x80
"""IFF_UP with IFF_RUNNING, and IFF_NOARP."""
DEVICE = "lab0"
HARDWARE = b"\x02\0\0\0\0\1"
"""The hardware address of both devices of a pair."""
LARGEST = 65_535

ETHERNET_HEADER = 14
IGNORE_OUTGOING = 23
"""PACKET_IGNORE_OUTGOING, an option of SOL_PACKET (263)."""


class Link(Protocol):
    """Where the packets of a namespace leave, and where others enter."""

    def fileno(self) -> int:
        """The file descriptor that becomes readable when the kernel has sent a packet."""
        ...

    def receive(self) -> bytes | None:
        """The next IPv4 packet that the kernel has sent; None if there is none now."""
        ...

    def send(self, octets: bytes) -> None:
        """Hand an IPv4 packet to the kernel, which has dealt with it when this returns."""
        ...

    def close(self) -> None:
        """Remove the link."""
        ...


class TunLink:
    """A TUN device.

    Raises
    ------
    LaboratoryUnavailable
        ``/dev/net/tun`` is not there, or not open to this user.
    """

    def __init__(self, namespace: Namespace, address: str) -> None:
        try:
            with namespace.entered():
                self._device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
                fcntl.ioctl(self._device, SET_TUN, struct.pack("16sH22x", DEVICE.encode(), PLAIN_TUN))
                configure(DEVICE, address, UP)
        except OSError as problem:
            raise LaboratoryUnavailable(f"/dev/net/tun: {problem.strerror}") from problem

    def fileno(self) -> int:
        return self._device

    def receive(self) -> bytes | None:
        while True:
            try:
                octets = os.read(self._device, LARGEST)
            except BlockingIOError:
                return None
            if octets[0] >> 4 == 4:
                return octets

    def send(self, octets: bytes) -> None:
        os.write(self._device, octets)

    def close(self) -> None:
        os.close(self._device)


class VethLink:
    """A pair of virtual Ethernet devices, one of them in a namespace of its own with a packet socket.

    Raises
    ------
    LaboratoryUnavailable
        The kernel makes no such devices.
    """

    def __init__(self, namespace: Namespace, address: str) -> None:
        self._hub = Namespace()
        try:
            with namespace.entered():
                _make_veth(self._hub.descriptor)
                configure(DEVICE, address, UP | NO_ARP)
            for setting in ("ipv6/conf/all/disable_ipv6", "ipv6/conf/default/disable_ipv6"):
                self._hub.set_if_known(setting, 1)
            with self._hub.entered():
                configure(DEVICE, "", UP | NO_ARP)
                self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, socket.htons(0x0800))
                self._socket.setsockopt(263, IGNORE_OUTGOING, 1)
                self._socket.bind((DEVICE, 0x0800))
                self._frame = HARDWARE * 2 + b"\x08\x00"
        except OSError as problem:
            raise LaboratoryUnavailable(f"virtual Ethernet devices: {problem.strerror}") from problem

    def fileno(self) -> int:
        return self._socket.fileno()

    def receive(self) -> bytes | None:
        # The kernel hands a packet over in a soft interrupt; give it a moment.
        select.select([self._socket], [], [], 0.0005)
        with suppress(BlockingIOError):
            return with_checksum(self._socket.recv(LARGEST)[ETHERNET_HEADER:])
        return None

    def send(self, octets: bytes) -> None:
        self._socket.send(self._frame + octets)

    def close(self) -> None:
        self._socket.close()
        self._hub.close()


def configure(device: str, address: str, flags: int) -> None:
    """Give a device of the current namespace an address, with a mask of 24 bits, and bring it up."""
    name = device.encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        for request, value in ((SET_ADDRESS, address), (SET_NETMASK, "255.255.255.0")) if address else ():
            fcntl.ioctl(control, request, struct.pack("16sH2x4s8x", name, socket.AF_INET, socket.inet_aton(value)))
        fcntl.ioctl(control, SET_FLAGS, struct.pack("16sH14x", name, flags))


def _make_veth(hub: int) -> None:
    """Make a device of the current namespace whose peer is in the namespace with a file descriptor (RTM_NEWLINK)."""
    hardware = _attribute(1, HARDWARE)  # IFLA_ADDRESS
    name = _attribute(3, DEVICE.encode() + b"\0")  # IFLA_IFNAME
    header = struct.pack("BxHiII", 0, 0, 0, 0, 0)  # struct ifinfomsg
    peer = _attribute(1, header + hardware + name + _attribute(28, struct.pack("i", hub)))  # VETH_INFO_PEER, IFLA_NET_NS_FD
    kind = _attribute(1, b"veth\0") + _attribute(2, peer)  # IFLA_INFO_KIND, IFLA_INFO_DATA
    body = header + hardware + name + _attribute(18, kind)  # IFLA_LINKINFO
    request = struct.pack("IHHII", 16 + len(body), 16, 0x605, 1, 0) + body  # RTM_NEWLINK; REQUEST, ACK, CREATE, EXCL
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as netlink:
        netlink.send(request)
        (error,) = struct.unpack_from("i", netlink.recv(LARGEST), 16)
    if error:
        raise OSError(-error, os.strerror(-error))


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("HH", 4 + len(value), kind) + value + bytes(-len(value) % 4)


def open_link(namespace: Namespace, address: str) -> Link:
    """A TUN device where ``/dev/net/tun`` is open, else virtual Ethernet devices.

    Raises
    ------
    LaboratoryUnavailable
        Neither can be made; the message names both reasons.
    """
    try:
        return TunLink(namespace, address)
    except LaboratoryUnavailable as first:
        try:
            return VethLink(namespace, address)
        except LaboratoryUnavailable as second:
            raise LaboratoryUnavailable(f"{first}; {second}") from second


LINKS = {"tun": TunLink, "veth": VethLink}
"""The kinds of link, by name."""
