"""The laboratory as an ordinary user: user namespaces, and virtual Ethernet devices where /dev/net/tun is not open."""

from __future__ import annotations

import ctypes
import os
import pickle
from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

import pytest
from kernel_walks import harmed

from timewait.capacity.ports import PortPool
from timewait.cli.run import carry_out
from timewait.laboratory import port_check, probe
from timewait.laboratory.links import LINKS
from timewait.laboratory.replaying.outcome import ReplayVerdict
from timewait.laboratory.replaying.replayer import replay_on_kernel
from timewait.spec.scenarios import SCENARIOS
from timewait.spec.stacks import load_stack

NOBODY = 65_534
DUMPABLE = 4
"""prctl: whether the process may write its own maps of users; a change of user clears it."""

Found = TypeVar("Found")


def as_nobody(work: Callable[[], Found]) -> Found:
    """What a function returns in a process of a user without any right; an exception is passed on."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        result: tuple[bool, object]
        try:
            if os.geteuid() == 0:
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


REASON = as_nobody(lambda: probe.missing(LINKS["veth"]))
pytestmark = pytest.mark.skipif(bool(REASON), reason=f"as an ordinary user: {REASON}")


@pytest.mark.parametrize("name", ["lost-last-ack", "simultaneous-close"])
def test_replay(name: str) -> None:
    """Scenarios are confirmed as they are for root."""
    trace = carry_out(SCENARIOS[name])
    outcome = as_nobody(lambda: replay_on_kernel(trace))
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)


def test_replay_chooses_isns() -> None:
    """TCP_REPAIR is there in a user namespace."""
    trace = harmed("old-fin", "both at once")
    outcome = as_nobody(lambda: replay_on_kernel(trace))
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)
    assert any("TCP_REPAIR" in aid for aid in outcome.aids)


@pytest.mark.slow
def test_ports() -> None:
    """Port exhaustion is as predicted."""
    load_stack("linux")  # the modules of the interpreter may be readable for the user of the tests alone
    pool = PortPool(ports=10, reuse_delay=Fraction(1, 10))
    assert not any(comparison.different for _, comparison in as_nobody(lambda: list(port_check.check_ports(pool))))
