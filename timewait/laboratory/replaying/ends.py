"""The two kernel sockets of a replay: opening, user calls, reading, and what is observed."""

from __future__ import annotations

import errno
import time
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SHUT_WR, socket

from timewait.laboratory.diagnosis import SocketRecord
from timewait.laboratory.kernel_pair import ADDRESSES, KernelPair
from timewait.laboratory.replaying.outcome import NotReplayable
from timewait.spec.outcome import Call
from timewait.spec.state import State

PORTS = {"A": 40_000, "B": 80}
OLD, NEW = b"x", b"n"
"""The octets that users send in the old and in the next incarnation."""
OPENING = 2.0
"""Seconds that a handshake may take."""


def other(name: str) -> str:
    """The other end."""
    return "B" if name == "A" else "A"


def connection(name: str) -> tuple[tuple[str, int], tuple[str, int]]:
    """The connection as an end sees it: its own address and port first."""
    return endpoint(name), endpoint(other(name))


def endpoint(name: str) -> tuple[str, int]:
    """The address and port of an end."""
    return ADDRESSES[name], PORTS[name]


@dataclass(slots=True)
class KernelEnds:
    """The sockets of A and B.

    Attributes
    ----------
    pair : KernelPair
        The hosts and the network.
    sockets : dict of str to socket
        The sockets that users still hold.
    read : dict of str to bytes
        What the users have read.
    end_of_file : set of str
        The ends whose user has read the end of file.
    errors : dict of str to str
        The error that a user saw last.
    listeners : dict of str to socket
        The listening sockets of users who have opened passively and wait for a connection.
    servers : dict of str to socket
        The listening sockets of others on the port of the connection (`serve`).
    text : bytes
        The octet that SEND sends: another one in the next incarnation.
    """

    pair: KernelPair
    sockets: dict[str, socket] = field(default_factory=dict)
    read: dict[str, bytes] = field(default_factory=lambda: {"A": b"", "B": b""})
    end_of_file: set[str] = field(default_factory=set)
    errors: dict[str, str] = field(default_factory=dict)
    listeners: dict[str, socket] = field(default_factory=dict)
    servers: dict[str, socket] = field(default_factory=dict)
    text: bytes = OLD

    def open(self) -> None:
        """Let A connect to B.

        Raises
        ------
        NotReplayable
            The handshake does not end.
        """
        listener = self._listener("B")
        opening = self.pair.hosts["A"].socket()
        opening.bind(endpoint("A"))
        with suppress(BlockingIOError):
            opening.connect(endpoint("B"))
        accepted = self._carry_until_accepted(listener)
        listener.close()
        self.sockets = {"A": opening, "B": accepted}

    def _carry_until_accepted(self, listener: socket) -> socket:
        end = time.monotonic() + OPENING
        while time.monotonic() < end:
            self.pair.carry(0.005)
            with suppress(BlockingIOError):
                accepted, _ = listener.accept()
                accepted.setblocking(False)
                return accepted
        raise NotReplayable("the connection does not open")

    def open_both(self, isns: dict[str, int]) -> None:
        """Open the connection again with chosen ISNs, both ends at once, the SYNs crossing.

        Raises
        ------
        NotReplayable
            The ISNs cannot be chosen, or the connection does not open.
        """
        self.pair.forget_numbers()
        for name in isns:
            self._begin_again(name)
        for name, isn in isns.items():
            self._connect(name, isn)
        syns = [self.pair.expect(lambda packet, name=name: packet.sender == name and packet.segment.syn) for name in isns]  # type: ignore[misc]  # a default argument holds the name
        for syn in syns:
            self.pair.deliver(syn)
        end = time.monotonic() + OPENING
        while {self.state(name) for name in isns} != {State.ESTABLISHED}:
            self.pair.carry(0.005)
            if time.monotonic() > end:
                raise NotReplayable("the connection does not open again")

    def _begin_again(self, name: str) -> None:
        """Let a user, whose connection is CLOSED, forget it."""
        for sockets in (self.sockets, self.listeners, self.servers):
            held = sockets.pop(name, None)
            if held is not None:
                held.close()
        self.read[name] = b""
        self.end_of_file.discard(name)
        self.errors.pop(name, None)

    def _connect(self, name: str, isn: int | None) -> None:
        opening = self.pair.hosts[name].socket()
        opening.bind(endpoint(name))
        if isn is not None:
            try:
                self.pair.hosts[name].choose_isn(opening, isn)
            except OSError as problem:
                raise NotReplayable(f"the ISN of {name} cannot be chosen: {problem.strerror}") from problem
        with suppress(BlockingIOError):
            opening.connect(endpoint(other(name)))
        self.sockets[name] = opening

    def open_actively(self, name: str, isn: int | None) -> None:
        """Let the user of an end open the next incarnation by connect().

        Parameters
        ----------
        name : str
            The end, CLOSED.
        isn : int or None
            Its ISN; None: the kernel chooses.

        Raises
        ------
        NotReplayable
            The ISN cannot be chosen.
        """
        self._begin_again(name)
        self._connect(name, isn)

    def listen(self, name: str) -> None:
        """Let the user of an end open the next incarnation by listen()."""
        self._begin_again(name)
        self.listeners[name] = self._listener(name)

    def _listener(self, name: str) -> socket:
        listener = self.pair.hosts[name].socket()
        listener.bind(endpoint(name))
        listener.listen(1)
        return listener

    def serve(self, name: str) -> None:
        """Let another program listen on the port of an end: without a listener a kernel opens for no SYN; noted among the aids.

        The end is in TIME-WAIT, and its user reads no more. The listener accepts nothing, and its state is not that of the end.
        """
        self._begin_again(name)
        self.servers[name] = self._listener(name)
        self.pair.hosts[name].aids.append(f"{name}: a listener on the port of the connection, for the SYN in TIME-WAIT")

    def accept(self) -> None:
        """Let the users who listen accept a connection that is there; they listen no more then."""
        for name, listener in list(self.listeners.items()):
            with suppress(BlockingIOError):
                accepted, _ = listener.accept()
                accepted.setblocking(False)
                listener.close()
                del self.listeners[name]
                self.sockets[name] = accepted

    def crash(self, name: str) -> None:
        """Let the host of an end lose all memory, its user with it."""
        self.pair.crash(name)
        self._begin_again(name)  # the sockets of the user are those of the host that is gone

    def call(self, name: str, call: Call, *, abandons: bool, aborts: bool = False) -> None:
        """Make a user call.

        Parameters
        ----------
        name : str
            The end.
        call : Call
            The call.
        abandons, aborts : bool
            Whether CLOSE is close() rather than shutdown(), and whether it aborts (SO_LINGER {1,0}).

        Raises
        ------
        NotReplayable
            The user has no socket any more.
        """
        held = self.sockets.get(name)
        if held is None:
            raise NotReplayable(f"the user of {name} has closed")
        self.receive(name)
        if call is Call.SEND:
            held.send(self.text)
        elif call is Call.ABORT or aborts:
            held.close()
            del self.sockets[name]
        elif abandons:
            self.pair.hosts[name].abandon(held)
            del self.sockets[name]
        else:
            held.shutdown(SHUT_WR)

    def receive(self, name: str) -> None:
        """Let a user read everything that is there."""
        held = self.sockets.get(name)
        if held is None:
            return
        try:
            while octets := held.recv(4_096):
                self.read[name] += octets
            self.end_of_file.add(name)
        except BlockingIOError:
            return
        except OSError as problem:
            self.errors[name] = errno.errorcode.get(problem.errno or 0, str(problem))

    def record(self, name: str) -> SocketRecord | None:
        """The kernel's record of an end; None if it has none."""
        return self.pair.hosts[name].diagnosis.find(*connection(name))

    def state(self, name: str) -> State:
        """The state of an end."""
        record = self.record(name)
        if record is not None:
            return record.state
        return State.LISTEN if name in self.listeners else State.CLOSED

    def states(self) -> tuple[str, str]:
        """The states of A and B."""
        return str(self.state("A")), str(self.state("B"))
