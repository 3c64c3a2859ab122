"""The laboratory as an ordinary user: user namespaces, and virtual Ethernet devices where /dev/net/tun is not open."""

from __future__ import annotations

import ctypes
import os
import pickle
import stat
from collections.abc import Callable, Generator
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import pytest
from kernel_walks import crashed, harmed

from timewait.capacity.ports import PortPool
from timewait.checker.trace import Trace
from timewait.cli.run import carry_out
from timewait.laboratory import port_check, probe
from timewait.laboratory.crafted_peer import CraftedPeer
from timewait.laboratory.isolation import isolated
from timewait.laboratory.links import LINKS
from timewait.laboratory.replaying.outcome import ReplayVerdict
from timewait.laboratory.replaying.replayer import replay_on_kernel
from timewait.spec.scenarios import SCENARIOS
from timewait.spec.stacks import load_stack

NOBODY = 65_534
DUMPABLE = 4
"""prctl: whether the process may write its own maps of users; a change of user clears it."""

DEVICE = Path("/dev/net/tun")
NEW_MOUNTS, PRIVATE, TUN = 0x20000, 0x44000, (10, 200)
"""CLONE_NEWNS; MS_PRIVATE and MS_REC; the numbers of the device."""

Found = TypeVar("Found")


def show_tun(mode: int) -> None:
    """Give this process a /dev/net/tun with a mode, in a mount namespace of its own; the machine's own stays as it is."""
    libc = ctypes.CDLL(None, use_errno=True)
    steps: tuple[Callable[[], int], ...] = (
        lambda: libc.unshare(NEW_MOUNTS),
        lambda: libc.mount(None, b"/", None, PRIVATE, None),
        lambda: libc.mount(b"tmpfs", b"/dev/net", b"tmpfs", 0, None),
    )
    for step in steps:
        if step():
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.mknod(DEVICE, mode | stat.S_IFCHR, os.makedev(*TUN))
    DEVICE.chmod(mode)  # whatever the mask


def as_nobody(work: Callable[[], Found], *, tun: bool = False) -> Found:
    """What a function returns in a process of a user without any right; an exception is passed on.

    With `tun` the user may open /dev/net/tun, else not; where the tests do not run as root, that depends on the machine.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        result: tuple[bool, object]
        try:
            if os.geteuid() == 0:
                show_tun(0o666 if tun else 0o600)
                os.setgroups([])
                os.setgid(NOBODY)
                os.setuid(NOBODY)
                ctypes.CDLL(None).prctl(DUMPABLE, 1, 0, 0, 0)
            result = True, work()
        except Exception as problem:
            result = False, RuntimeError(f"{type(problem).__name__}: {problem}")
        with os.fdopen(writing, "wb") as stream:
            stream.write(pickle.dumps(result))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as stream:
        done, found = pickle.loads(stream.read())
    os.waitpid(child, 0)
    if not done:
        raise found
    return found  # type: ignore[no-any-return]  # pickled


def without(link: str) -> str:
    """The reason why an ordinary user has no such link here; empty if it has."""
    try:
        return as_nobody(lambda: probe.missing(LINKS[link]), tun=link == "tun")
    except RuntimeError as problem:  # root that may not mount
        return str(problem)


REASON, NO_TUN = without("veth"), without("tun")
pytestmark = pytest.mark.skipif(bool(REASON), reason=f"as an ordinary user: {REASON}")
KINDS = [False, pytest.param(True, marks=pytest.mark.skipif(bool(NO_TUN), reason=f"an ordinary user with TUN: {NO_TUN}"))]
"""Whether the user may open /dev/net/tun; elsewhere virtual Ethernet devices serve."""


def kind_of_link() -> str:
    """The kind of link that a host gets."""

    def found() -> Generator[str]:
        with CraftedPeer() as peer:
            yield type(peer.host.link).__name__

    return next(isolated(found))


@pytest.mark.parametrize("tun", KINDS)
def test_the_link(tun: bool) -> None:
    """A TUN device where the user may open one, else virtual Ethernet devices."""
    has_tun = tun if os.geteuid() == 0 else os.access(DEVICE, os.W_OK)
    wanted = "TunLink" if has_tun else "VethLink"
    assert as_nobody(kind_of_link, tun=tun) == wanted


@pytest.mark.skipif(bool(NO_TUN), reason=f"an ordinary user with TUN: {NO_TUN}")
def test_the_device_of_the_machine_stays() -> None:
    """The device that everybody may open is seen in the process of the test alone."""
    before = DEVICE.stat()
    as_nobody(lambda: None, tun=True)
    after = DEVICE.stat()
    assert (before.st_mode, before.st_dev, before.st_ino) == (after.st_mode, after.st_dev, after.st_ino)


@pytest.mark.parametrize("tun", KINDS)
@pytest.mark.parametrize("name", ["lost-last-ack", "simultaneous-close"])
def test_replay(name: str, tun: bool) -> None:
    """Scenarios are confirmed as they are for root."""
    trace = carry_out(SCENARIOS[name])
    outcome = as_nobody(lambda: replay_on_kernel(trace), tun=tun)
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)


@pytest.mark.parametrize("tun", KINDS)
@pytest.mark.parametrize("trace", [harmed("old-fin", "both at once"), crashed("old-reset")], ids=["opening", "crash"])
def test_replay_chooses_isns(trace: Trace, tun: bool) -> None:
    """TCP_REPAIR is there in a user namespace, and another host after a crash."""
    outcome = as_nobody(lambda: replay_on_kernel(trace), tun=tun)
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)
    assert any("TCP_REPAIR" in aid for aid in outcome.aids)


@pytest.mark.slow
def test_ports() -> None:
    """Port exhaustion is as predicted."""
    load_stack("linux")  # the modules of the interpreter may be readable for the user of the tests alone
    pool = PortPool(ports=10, reuse_delay=Fraction(1, 10))
    assert not any(comparison.different for _, comparison in as_nobody(lambda: list(port_check.check_ports(pool))))
