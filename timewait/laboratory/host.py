"""A host of the laboratory: a namespace with an address, calm settings, sockets, and a link to this process."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from socket import (
    AF_INET,
    IPPROTO_TCP,
    SO_LINGER,
    SO_REUSEADDR,
    SOCK_NONBLOCK,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_NODELAY,
    TCP_USER_TIMEOUT,
)
from socket import socket as KernelSocket  # noqa: N812  # LaboratoryHost.socket makes one

from timewait.laboratory.diagnosis import Diagnosis
from timewait.laboratory.links import Link, open_link
from timewait.laboratory.namespaces import Namespace
from timewait.spec.sequence_numbers import wrapped

QUIET: Mapping[str, int | str] = {
    "ipv6/conf/all/disable_ipv6": 1,
    "ipv6/conf/default/disable_ipv6": 1,
}
"""Settings written before the link is made: neither neighbours nor routers are looked for."""

CALM: Mapping[str, int | str] = {
    "ipv4/tcp_congestion_control": "reno",
    "ipv4/tcp_timestamps": 0,
    "ipv4/tcp_sack": 0,
    "ipv4/tcp_window_scaling": 0,
    "ipv4/tcp_early_retrans": 0,
    "ipv4/tcp_recovery": 0,
    "ipv4/tcp_ecn": 0,
    "ipv4/tcp_fastopen": 0,
    "ipv4/tcp_autocorking": 0,
    "ipv4/tcp_retrans_collapse": 0,
    "ipv4/tcp_no_metrics_save": 1,
}
"""Settings that leave out packets and options which play no part in closing; the congestion control is the standard's."""

REPAIR, REPAIR_QUEUE, QUEUE_SEQ = 19, 20, 21
"""Socket options TCP_REPAIR, TCP_REPAIR_QUEUE and TCP_QUEUE_SEQ (include/uapi/linux/tcp.h)."""
SEND_QUEUE = 2

ABORT, IN_ORDER = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)
"""Values of SO_LINGER."""


class LaboratoryHost:
    """A host of the laboratory.

    Parameters
    ----------
    name : str
        Its name.
    address : str
        Its IPv4 address; all hosts are in one network of 24 bits.
    link : callable
        Makes the link; by default a TUN device where one can be had.

    Attributes
    ----------
    kind : callable
        Makes its link.
    namespace : Namespace
        Its namespace, for its settings.
    link : Link
        Where its packets leave and others enter.
    diagnosis : Diagnosis
        The kernel's record of its sockets.
    aids : list of str
        What was done to it that does not happen by default, in order: settings, ISNs chosen, timers cut short.

    Raises
    ------
    LaboratoryUnavailable
        The machine cannot make one; the message says why.
    """

    def __init__(self, name: str, address: str, link: Callable[[Namespace, str], Link] = open_link) -> None:
        self.name = name
        self.address = address
        self.kind = link
        self.aids: list[str] = []
        self.namespace = Namespace()
        for setting, value in QUIET.items():
            self.namespace.set_if_known(setting, value)
        self.link = link(self.namespace, address)
        for setting, value in CALM.items():
            self.namespace.set_if_known(setting, value)
        self.diagnosis = Diagnosis(self.namespace)

    def set(self, name: str, value: int | str) -> None:
        """Change a setting of the host below ``net/ipv4``, for instance ``tcp_rfc1337``; noted among the aids.

        Raises
        ------
        LaboratoryUnavailable
            The kernel does not know it, or refuses the value.
        """
        if self.namespace.get(f"ipv4/{name}") != str(value):
            self.namespace.set(f"ipv4/{name}", value)
            self.aids.append(f"{self.name}: {name} = {value}")

    def socket(self) -> KernelSocket:
        """Return a new TCP socket of the host, which sends small segments at once and does not block.

        Its close() aborts (SO_LINGER {1,0}), so that nothing stays behind when the process is killed: `abandon` closes in order.
        """
        with self.namespace.entered():
            made = KernelSocket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
        made.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
        made.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
        made.setsockopt(SOL_SOCKET, SO_LINGER, ABORT)
        return made

    def abandon(self, opened: KernelSocket, limit: float = 10.0) -> None:
        """Close a socket in order, as close() does by default; its connection then belongs to the kernel alone.

        Parameters
        ----------
        opened : KernelSocket
            A socket of this host.
        limit : float
            Seconds after which the kernel gives up where the peer acknowledges nothing (TCP_USER_TIMEOUT): until then a
            namespace whose process was killed is kept. 0: the kernel's own limit, of minutes.
        """
        opened.setsockopt(IPPROTO_TCP, TCP_USER_TIMEOUT, round(limit * 1_000))
        opened.setsockopt(SOL_SOCKET, SO_LINGER, IN_ORDER)
        opened.close()

    def choose_isn(self, unconnected: KernelSocket, isn: int) -> None:
        """Choose the ISN that the connect() of a socket will use (TCP_REPAIR); noted among the aids.

        Raises
        ------
        OSError
            The process may not; it needs CAP_NET_ADMIN in the namespace.
        """
        unconnected.setsockopt(IPPROTO_TCP, REPAIR, 1)
        unconnected.setsockopt(IPPROTO_TCP, REPAIR_QUEUE, SEND_QUEUE)
        unconnected.setsockopt(IPPROTO_TCP, QUEUE_SEQ, struct.pack("=I", wrapped(isn)))
        unconnected.setsockopt(IPPROTO_TCP, REPAIR, 0)
        unconnected.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)  # leaving repair clears it
        self.aids.append(f"{self.name}: ISN {wrapped(isn)} chosen (TCP_REPAIR)")

    def cut_timer(self, local: tuple[str, int], remote: tuple[str, int]) -> bool:
        """End a TIME-WAIT, or the FIN-WAIT-2 of an abandoned connection, now (SOCK_DESTROY); noted among the aids.

        Returns
        -------
        bool
            Whether there was one; a connection that still has its socket is left alone.
        """
        record = self.diagnosis.find(local, remote)
        if record is None or not record.small or not self.diagnosis.destroy(local, remote):
            return False
        self.aids.append(f"{self.name}: {record.state} ended {record.left:.1f} s early (SOCK_DESTROY)")
        return True

    def crashed(self) -> LaboratoryHost:
        """Return the host as it is after a crash that loses all memory, with its settings; noted among the aids.

        A new namespace takes the place of the old one: no connection, no TIME-WAIT and no port is known there. What the kernel
        sends when it removes the old connections reaches nobody.

        Raises
        ------
        LaboratoryUnavailable
            The machine cannot make another host; this one is as before.
        """
        again = LaboratoryHost(self.name, self.address, self.kind)
        for setting, value in self.namespace.settings.items():
            again.namespace.set_if_known(setting, value)
        again.aids = [*self.aids, f"{self.name}: a crash that loses all memory: a new network namespace takes its place"]
        self.close()
        return again

    def close(self) -> None:
        """Remove the host with all its connections, those that the kernel alone keeps too."""
        with suppress(OSError):
            self.diagnosis.destroy_all()
        self.diagnosis.close()
        self.link.close()
        self.namespace.close()
