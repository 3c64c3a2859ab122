"""Network namespaces without a name: one lasts as long as its file descriptor and the sockets and devices in it."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from timewait.laboratory.isolation import CLONE_NEWNET, LaboratoryUnavailable, checked_call

OWN = "/proc/thread-self/ns/net"


class Namespace:
    """A new network namespace. Make it in the process of the laboratory only (`timewait.laboratory.isolation.isolated`).

    Attributes
    ----------
    descriptor : int
        Its file descriptor.
    settings : dict of str to str
        The settings written to it, by their path below ``/proc/sys/net``.

    Raises
    ------
    LaboratoryUnavailable
        The kernel makes none.
    """

    def __init__(self) -> None:
        self.settings: dict[str, str] = {}
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            checked_call(libc.unshare(CLONE_NEWNET), "no network namespace can be made")
            self.descriptor = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
            checked_call(libc.setns(home, CLONE_NEWNET), "the network namespace cannot be left")
        finally:
            os.close(home)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Let this thread be in the namespace for a time; sockets and devices made meanwhile belong to it for ever."""
        libc = ctypes.CDLL(None, use_errno=True)
        home = os.open(OWN, os.O_RDONLY | os.O_CLOEXEC)
        try:
            checked_call(libc.setns(self.descriptor, CLONE_NEWNET), "the network namespace cannot be entered")
            yield
        finally:
            libc.setns(home, CLONE_NEWNET)
            os.close(home)

    def set(self, name: str, value: int | str) -> None:
        """Change a setting of the namespace, for instance ``ipv4/tcp_rfc1337``.

        Raises
        ------
        LaboratoryUnavailable
            The kernel does not know it, or refuses the value.
        """
        try:
            with self.entered():
                Path("/proc/sys/net", name).write_text(str(value))
        except OSError as problem:
            raise LaboratoryUnavailable(f"net/{name} cannot be set to {value}: {problem.strerror}") from problem
        self.settings[name] = str(value)

    def set_if_known(self, name: str, value: int | str) -> None:
        """Change a setting that some kernels do not have."""
        with suppress(LaboratoryUnavailable):
            self.set(name, value)

    def get(self, name: str) -> str:
        """Return the value of a setting.

        Raises
        ------
        OSError
            The kernel does not know it.
        """
        with self.entered():
            return Path("/proc/sys/net", name).read_text().strip()

    def close(self) -> None:
        """Let go of the namespace; it ends with its last socket."""
        os.close(self.descriptor)
