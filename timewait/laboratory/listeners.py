"""A server that starts again while connections of its former listener are in TIME-WAIT: which options let it bind."""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator
from itertools import product
from socket import AF_INET, SO_REUSEADDR, SO_REUSEPORT, SOCK_STREAM, SOL_SOCKET, socket
from typing import NamedTuple

from timewait.laboratory.connects import LISTENER, LOOPBACK, bring_up_loopback
from timewait.laboratory.diagnosis import Diagnosis
from timewait.laboratory.isolation import isolated
from timewait.laboratory.namespaces import Namespace
from timewait.spec.state import State

OPTIONS = {"SO_REUSEADDR": SO_REUSEADDR, "SO_REUSEPORT": SO_REUSEPORT}
"""The options of a listener that change what bind() allows."""


class Restart(NamedTuple):
    """A server that has started again on the port of a connection in TIME-WAIT.

    Attributes
    ----------
    option : str
        The option: a key of `OPTIONS`.
    old, new : bool
        Whether the former listener and whether the new one had set it.
    bound : bool
        Whether bind() succeeded; otherwise it failed with EADDRINUSE.
    kept : bool
        Whether the connection was still in TIME-WAIT afterwards.
    """

    option: str
    old: bool
    new: bool
    bound: bool
    kept: bool

    @property
    def sentence(self) -> str:
        """The outcome in words."""
        setters = {
            (True, True): "both listeners",
            (True, False): "the former listener alone",
            (False, True): "the new listener alone",
            (False, False): "neither listener",
        }
        outcome = "bind() succeeds" if self.bound else "bind() fails with EADDRINUSE"
        after = "the connection stays in TIME-WAIT" if self.kept else "TIME-WAIT has ended"
        return f"{self.option} set by {setters[self.old, self.new]}: {outcome}; {after}"


def restarts() -> Iterator[Restart]:
    """Each option, set by the former listener, the new one, both or neither, on the running kernel.

    Raises
    ------
    LaboratoryUnavailable
        This machine has no laboratory.
    """
    yield from isolated(_restarts)


def _restarts() -> Generator[Restart]:
    for option, old, new in product(OPTIONS, (False, True), (False, True)):
        namespace = Namespace()
        with namespace.entered():
            bring_up_loopback(LOOPBACK)
            client = _leave_in_time_wait(option if old else None)
            bound = _binds(option if new else None)
        diagnosis = Diagnosis(namespace)
        record = diagnosis.find((LOOPBACK, LISTENER), client)
        yield Restart(option, old, new, bound, record is not None and record.state is State.TIME_WAIT)
        diagnosis.close()
        namespace.close()


def _listener(option: str | None) -> socket:
    made = socket(AF_INET, SOCK_STREAM)
    if option is not None:
        made.setsockopt(SOL_SOCKET, OPTIONS[option], 1)
    return made


def _leave_in_time_wait(option: str | None) -> tuple[str, int]:
    """Open a connection and close it, the server first, then close the listener; returns the address of the client."""
    with _listener(option) as listener:
        listener.bind((LOOPBACK, LISTENER))
        listener.listen()
        with socket(AF_INET, SOCK_STREAM) as client:
            client.connect((LOOPBACK, LISTENER))
            address, port = client.getsockname()
            accepted, _ = listener.accept()
            accepted.close()
            client.recv(1)
    return str(address), int(port)


def _binds(option: str | None) -> bool:
    with _listener(option) as listener:
        try:
            listener.bind((LOOPBACK, LISTENER))
        except OSError as problem:
            if problem.errno == errno.EADDRINUSE:
                return False
            raise
        listener.listen()
    return True
