"""The prediction of port exhaustion, against a simulation in which every port is an object of its own."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path

import pytest
from commands import run, run_json

from timewait.capacity.comparison import Attempt, compare
from timewait.capacity.load import NANOSECONDS, BrokenLoad, Load, Stretch, constant, read_load
from timewait.capacity.ports import Closer, PortPool, Reuse, Service
from timewait.capacity.prediction import Prediction
from timewait.capacity.simulation import Pool, simulate
from timewait.vocabulary.errors import RequestError

FREE, OPEN, WAITING = "free", "open", "waiting"


def port_by_port(load: Load, pool: PortPool, service: Service) -> tuple[int, int, Fraction | None]:
    """The connections opened and refused, and the instant of the first refusal, with every port looked at on its own."""
    use, wait = (int(length * NANOSECONDS) for length in (service.service_time, service.time_wait))
    wait = 0 if service.closer is Closer.SERVER else wait
    ports: list[tuple[str, int]] = [(FREE, 0)] * pool.size
    opened = refused = 0
    first = None
    for now in (stretch.instant(number) for stretch in load for number in range(stretch.connections)):
        while True:
            events = [(since + wait, 0, i) for i, (state, since) in enumerate(ports) if state is WAITING]
            events += [(end, 1, i) for i, (state, end) in enumerate(ports) if state is OPEN]
            at, closes, index = min(events, default=(now + 1, 0, 0))
            if at > now:
                break
            full = pool.buckets is not None and sum(state is WAITING for state, _ in ports) >= pool.buckets
            ports[index] = (WAITING, at) if closes and wait and not full else (FREE, at)
        free = [i for i, (state, _) in enumerate(ports) if state is FREE]
        oldest = min(((since, i) for i, (state, since) in enumerate(ports) if state is WAITING), default=None)
        if not free and oldest and pool.reuses and now - oldest[0] > pool.reuse_delay * NANOSECONDS:
            free = [oldest[1]]
        if free:
            ports[free[0]] = (OPEN, now + use)
            opened += 1
        else:
            refused += 1
            first = Fraction(now, NANOSECONDS) if first is None else first
    return opened, refused, first


def some_pool(chance: random.Random) -> PortPool:
    """A few ports under random rules."""
    return PortPool(
        ports=chance.randint(1, 6),
        destinations=chance.randint(1, 2),
        reuse=chance.choice([*Reuse]),
        reuse_delay=Fraction(chance.randint(0, 6), 2),
        timestamps=chance.random() < 0.8,
        loopback=chance.random() < 0.5,
        buckets=chance.choice([None, 0, 1, 3, 20]),
    )


def some_service(chance: random.Random) -> Service:
    """A random use of connections."""
    return Service(
        time_wait=Fraction(chance.randint(0, 12), 2),
        service_time=Fraction(chance.randint(0, 6), 3),
        closer=chance.choice([Closer.CLIENT, Closer.CLIENT, Closer.SERVER]),
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_simulation_equals_one_with_a_port_at_a_time(seed: int) -> None:
    """Both simulations open and refuse the same connections."""
    chance = random.Random(seed)
    for _ in range(12):
        pool, service = some_pool(chance), some_service(chance)
        half = chance.randint(1, 10) * NANOSECONDS
        load = (
            Stretch(0, half, Fraction(chance.randint(0, 12), chance.randint(1, 4))),
            Stretch(half, 20 * NANOSECONDS, Fraction(chance.randint(0, 12), chance.randint(1, 4))),
        )
        timeline = simulate(load, pool, service)
        assert (timeline.opened, timeline.refused, timeline.first_refused) == port_by_port(load, pool, service)
        assert all(sample.in_use + sample.waiting + sample.free == pool.size for sample in timeline.samples)
        assert timeline.samples[-1].opened + timeline.samples[-1].refused == timeline.opened + timeline.refused


@pytest.mark.parametrize("seed", range(10))
def test_the_formulas_equal_a_long_simulation(seed: int) -> None:
    """The first refusal is exact, and the share of refusals approaches that of the formula."""
    chance = random.Random(100 + seed)
    for _ in range(10):
        pool = PortPool(ports=chance.randint(20, 60), reuse=chance.choice([*Reuse]), loopback=True)
        service = Service(time_wait=Fraction(chance.randint(1, 10)), service_time=Fraction(chance.randint(0, 4), 4))
        prediction = Prediction(pool, service, Fraction(chance.randint(2, 80)))
        period = service.service_time + pool.blocked(service)
        timeline = simulate(constant(prediction.rate, 40 * period), pool, service)
        refused, predicted = timeline.first_refused, prediction.runs_out
        assert (refused is None) == (predicted is None)
        assert refused is None or predicted is None or abs(refused - predicted) < 1 / prediction.rate
        share = Fraction(timeline.refused, timeline.opened + timeline.refused)
        # The last period may be cut off anywhere, and a port that is reused waits for the next attempt.
        assert abs(share - prediction.refused_share) < Fraction(1, 20)


def carried_out(load: Load, pool: PortPool, service: Service, chance: random.Random) -> list[Attempt]:
    """What a kernel would do whose clock is up to 5 ms late."""
    ports, attempts = Pool(pool, service), []
    for instant in (stretch.instant(number) for stretch in load for number in range(stretch.connections)):
        attempts.append(Attempt(instant, ports.connect(instant - chance.randint(0, 5_000_000))))
    return attempts


@pytest.mark.parametrize("seed", range(5))
def test_attempts_are_compared_one_by_one(seed: int) -> None:
    """A kernel that is a little late agrees; one wrong outcome away from any change is found."""
    chance = random.Random(200 + seed)
    pool = PortPool(ports=20, reuse=chance.choice([*Reuse]))
    service = Service(time_wait=Fraction(3), service_time=Fraction(0))
    attempts = carried_out(constant(Fraction(37, 2), Fraction(10)), pool, service, chance)
    honest = compare(attempts, pool, service)
    assert honest.different == ()
    assert honest.attempts == len(attempts)
    wrong = len(attempts) // 3
    for number in range(wrong, len(attempts)):
        spoiled = [*attempts[:number], attempts[number]._replace(opened=not attempts[number].opened), *attempts[number + 1 :]]
        if number in (found := compare(spoiled, pool, service)).different:
            break
    assert found.different[0] == number
    assert honest.undecided < len(attempts) / 4


def test_a_limit_of_sockets_frees_ports() -> None:
    """Connections beyond the limit end without TIME_WAIT and block no port."""
    pool = PortPool(ports=500, buckets=100)
    service = Service(time_wait=Fraction(60), service_time=Fraction(1))
    for rate, refused in ((400, 0), (1000, Fraction(3, 5))):
        prediction = Prediction(pool, service, Fraction(rate))
        timeline = simulate(constant(Fraction(rate), Fraction(100)), pool, service)
        assert prediction.refused_share == refused
        assert abs(Fraction(timeline.refused, timeline.opened + timeline.refused) - refused) < Fraction(1, 50)
        assert timeline.without_time_wait > 0


def test_a_server_that_closes_first_blocks_no_port() -> None:
    """The client then has no TIME_WAIT, and the server has them all."""
    service = Service(time_wait=Fraction(60), service_time=Fraction(0), closer=Closer.SERVER)
    prediction = Prediction(PortPool(ports=1), service, Fraction(1000))
    assert prediction.lasting_rate is None
    assert prediction.runs_out is None
    assert prediction.waiting == 60_000


def test_the_textbook() -> None:
    """A second of work blocks a port for minutes: 28,232 ports and a minute allow 470 connections per second."""
    service = Service(time_wait=Fraction(60), service_time=Fraction(0))
    prediction = Prediction(PortPool(ports=28232), service, Fraction(1000))
    assert int(prediction.lasting_rate or 0) == 470
    assert prediction.runs_out == Fraction("28.232")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("time,rate\n0,x\n", "line 2: 'x' is not a number"),
        ("0,1\n0,2\n", "line 2: each time must be later"),
        ("0,1,2\n", "line 1: 3 fields"),
        ("", "there is no row"),
        ("time,rate\n0,-1\n", "line 2: '-1' is not a number"),
        ("0,1e9\n", "'1e9' is not a number"),
    ],
)
def test_a_bad_load_is_one_line(tmp_path: Path, text: str, problem: str) -> None:
    """A message names the line and the mistake."""
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(BrokenLoad, match=problem):
        read_load(path, Fraction(1))


def test_a_load_that_is_no_text(tmp_path: Path) -> None:
    """Binary data and missing files are refused."""
    path = tmp_path / "load.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BrokenLoad, match="not text"):
        read_load(path, Fraction(1))
    with pytest.raises(BrokenLoad, match="cannot read"):
        read_load(tmp_path / "none.csv", Fraction(1))


def test_a_load_from_a_file(tmp_path: Path) -> None:
    """Each rate lasts until the next row."""
    path = tmp_path / "load.csv"
    path.write_text("time,rate\n0,10\n2.5,100\n5,0\n")
    load = read_load(path, Fraction(3))
    assert [stretch.connections for stretch in load] == [25, 250, 0]
    assert load[-1].end == 8 * NANOSECONDS


def test_a_load_that_opens_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """A simulation of millions of connections is refused in a line."""
    monkeypatch.setattr("timewait.capacity.simulation.MOST_OPENED", 100)
    pool = PortPool(ports=200)
    service = Service(time_wait=Fraction(0), service_time=Fraction(0))
    with pytest.raises(RequestError, match="would be opened"):
        simulate(constant(Fraction(1000), Fraction(1)), pool, service)


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Text, JSON and exit codes."""
    code, out, _ = run(capsys, "capacity", "--rate", "1000/s", "--service-time", "1s")
    assert code == 0
    assert "28.2s after a cold start" in out
    assert "for 1s, then for 60s, which is 60 times as long" in " ".join(out.split())
    code, data = run_json(capsys, "capacity", "--rate", "60/m", "--ports", "10")
    assert code == 0
    assert data["runs_out_after"] == 10
    assert data["simulated"]["first_refused"] == 10
    assert run(capsys, "capacity")[0] == 2
    assert run(capsys, "capacity", "--rate", "0")[0] == 2
    assert run(capsys, "capacity", "--load", str(tmp_path / "none.csv"))[0] == 3


def test_a_load_reports_what_it_meets(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """For a load from a file the simulation speaks, not the formula for its average."""
    path = tmp_path / "load.csv"
    path.write_text("0,1\n5,100\n6,0\n")
    code, out, _ = run(capsys, "capacity", "--load", str(path), "--ports", "50")
    assert code == 0
    assert "50 connections opened, 55 refused, the first one 5.45s after the start" in out
    assert "never at this rate" not in out
