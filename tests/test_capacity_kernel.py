"""The prediction of port exhaustion against the running kernel, in a network namespace."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest
from commands import run

from timewait.capacity.comparison import compare
from timewait.capacity.load import constant
from timewait.capacity.ports import PortPool, Reuse, Service
from timewait.capacity.prediction import Prediction
from timewait.laboratory import probe
from timewait.laboratory.port_check import attempts, bursts, check_ports

pytestmark = pytest.mark.skipif(bool(probe.missing()), reason=probe.missing() or "the laboratory runs")

SERVICE = Service(time_wait=Fraction(60), service_time=Fraction(0))


def test_each_rule_of_reuse(capsys: pytest.CaptureFixture[str]) -> None:
    """The command agrees with the kernel, and says so for each rule."""
    code, out, _ = run(capsys, "capacity", "--on", "linux", "--ports", "20", "--reuse-delay", "200ms")
    assert code == 0
    assert out.count("as predicted, connect by connect") == 3


def test_a_wrong_rule_is_a_disagreement() -> None:
    """A prediction that ignores timestamps differs from the kernel."""
    pool = PortPool(ports=10, reuse=Reuse.ON, reuse_delay=Fraction(1, 10), timestamps=False)
    done = list(attempts(pool, bursts(pool)))
    wrong = PortPool(ports=10, reuse=Reuse.ON, reuse_delay=Fraction(1, 10))
    assert compare(done, pool, SERVICE).different == ()
    assert compare(done, wrong, SERVICE).different


@pytest.mark.parametrize(("ports", "reserved", "destinations"), [(1, 0, 1), (3, 0, 1), (7, 0, 3), (6, 4, 1), (6, 3, 2)])
def test_odd_ranges(ports: int, reserved: int, destinations: int) -> None:
    """One port, an odd number of ports, reserved ports among them, several destinations: each as predicted."""
    for reuse in Reuse:
        pool = PortPool(ports=ports, destinations=destinations, reuse=reuse, reuse_delay=Fraction(1, 10))
        done = list(attempts(pool, bursts(pool), reserved))
        found = compare(done, pool, SERVICE, width=ports + reserved)
        assert found.different == (), (pool, found)
        assert (ports - (ports + reserved > 1 and (ports + reserved) % 2)) * destinations <= found.opened
        assert len({attempt.destination for attempt in done if attempt.opened}) == destinations


def test_another_number_of_ports_is_a_disagreement() -> None:
    """Reserved ports that count as usable, and a destination too many, are noticed."""
    pool = PortPool(ports=6, reuse_delay=Fraction(1, 10))
    done = list(attempts(pool, bursts(pool), 4))
    assert compare(done, PortPool(ports=10), SERVICE).different
    assert compare([attempt._replace(destination=number % 2) for number, attempt in enumerate(done)], pool, SERVICE).different


@pytest.mark.slow
@pytest.mark.parametrize(("ports", "timestamps", "loopback"), [*product((10, 60, 300), (True, False), (True, False))])
def test_connect_by_connect(ports: int, timestamps: bool, loopback: bool) -> None:
    """Three port ranges, each rule of reuse, timestamps on and off, loopback and not."""
    pool = PortPool(ports=ports, timestamps=timestamps, loopback=loopback, reuse_delay=Fraction(1, 2))
    for chosen, found in check_ports(pool):
        assert found.different == (), (chosen, found)
        assert found.opened >= ports


@pytest.mark.slow
@pytest.mark.parametrize("reuse", [Reuse.ON, Reuse.OFF])
def test_the_lasting_rate(reuse: Reuse) -> None:
    """A load of 60 s on top of one life of a port opens as many connections per second as predicted, within 2 percent."""
    pool = PortPool(ports=100, reuse=reuse)
    prediction = Prediction(pool, SERVICE, Fraction(200))
    lasting = prediction.lasting_rate
    assert lasting is not None
    settle = pool.blocked(SERVICE)
    (load,) = constant(prediction.rate, settle + 60)
    done = list(attempts(pool, [load.instant(number) for number in range(load.connections)]))
    later = [attempt for attempt in done if attempt.instant >= settle * 10**9]
    opened = sum(attempt.opened for attempt in later)
    assert abs(opened / 60 - lasting) <= lasting * Fraction(2, 100)
