"""Parts of an exploration in other processes: the counts and the runs of one core, also where parts are lost."""

from __future__ import annotations

import importlib.util
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from timewait.checker import ray_cluster, remote_parts
from timewait.checker.explicit import packed
from timewait.checker.finding import Budget, Run
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.partitioned_ticks import PartitionedTicks, explored
from timewait.checker.remote_parts import PartLost, PartReplica, RemoteCrew
from timewait.checker.worker_pool import WorkerEnded
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.vocabulary.errors import MissingPackage, UnavailableError

SHORT = Configuration(Fraction(3), Fraction(3), (Fraction(3),))
"""A TIME-WAIT that is too short: several properties are violated."""

ROOT = Path(__file__).parent.parent

HAS_RAY = importlib.util.find_spec("ray") is not None
"""Whether Ray is installed."""


class Copied:
    """A replica that gets and gives copies alone, as one in another process does, and is lost where a test wants it."""

    def __init__(self, seed: bytes, number: int, parts: int, lost: Callable[[], bool]) -> None:
        self._replica = PartReplica(seed, number, parts)
        self._lost = lost

    def ask(self, method: str, values: tuple[Any, ...]) -> Callable[[], Any]:
        """Call a method."""
        if self._lost():
            raise PartLost
        copied = pickle.loads(pickle.dumps(getattr(self._replica, method)(*pickle.loads(pickle.dumps(values)))))

        def result() -> Any:
            if self._lost():
                raise PartLost
            return copied

        return result

    def end(self) -> None:
        """End the replica."""


def in_copies(configuration: Configuration, lost: Callable[[], bool]) -> tuple[RemoteCrew, PartitionedTicks]:
    """An exploration in two replicas, after the first states."""
    locations = question(configuration).locations
    assert locations is not None
    first = PackedTicks(locations)
    first.explore(Budget(), few=10)
    crew = RemoteCrew(first, 2, lambda seed, number, parts: Copied(seed, number, parts, lost))
    states = PartitionedTicks(first, crew)
    states.explore(Budget())
    return crew, states


def found(states: PackedTicks | PartitionedTicks) -> tuple[object, ...]:
    """The counts and the runs of an exploration."""
    runs: dict[str, Run] = {name: states.run_to(*where) for name, where in states.broken.items()}
    return len(states), states.transitions, states.depth, states.dead_ends, runs, frozenset(states.witnessed)


def alone(configuration: Configuration) -> tuple[object, ...]:
    """The counts and the runs of one core."""
    states = packed(question(configuration), Budget())
    assert states is not None
    return found(states)


@pytest.mark.parametrize("fifo", [False, True])
def test_replicas(fifo: bool) -> None:
    """Replicas with tables of their own have the counts and the runs of one core."""
    crew, states = in_copies(replace(SHORT, fifo=fifo), lambda: False)
    assert found(states) == alone(replace(SHORT, fifo=fifo))
    assert states.bytes > 0
    crew.close()


def test_parts_that_are_lost() -> None:
    """What a lost part had done is done again, and nothing is missing or counted twice."""
    calls, losses = count(), {5, 6, 60, 61, 150}  # at the beginning, and when a part does again what was done

    def lost() -> bool:
        return next(calls) in losses

    crew, states = in_copies(SHORT, lost)
    assert found(states) == alone(SHORT)
    assert next(calls) > max(losses)
    crew.close()


def test_parts_that_are_always_lost() -> None:
    """The exploration gives up after some attempts."""
    with pytest.raises(WorkerEnded):
        in_copies(SHORT, lambda: True)


def test_other_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that number locations otherwise are an error, and no answer."""
    known = iter(range(10))
    monkeypatch.setattr(remote_parts, "digest", lambda _: next(known))
    with pytest.raises(UnavailableError, match="differently"):
        in_copies(SHORT, lambda: False)


def test_memory_of_a_worker() -> None:
    """The bound on memory holds for each worker."""
    locations = question(SHORT).locations
    assert locations is not None
    with explored(locations, Budget(workers=2, megabytes=1e9), few=1) as states:
        assert not states.stopped
        assert isinstance(states, PartitionedTicks)
        states.stopped, states._megabytes = "", 2e9
        assert "MB of a worker" in states._stopped(Budget(megabytes=1e9))


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed")
def test_without_ray() -> None:
    """One line says what to install."""
    with pytest.raises(MissingPackage, match=r"timewait\[ray\]"), ray_cluster.connected("ray"):
        pass


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A Ray cluster on this machine with two processors, whose workers find this module."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'timewait[ray]'")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), str(ROOT / "tests")]))
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=200_000_000)
    yield ray
    ray.shutdown()


@pytest.mark.slow
def test_on_ray(cluster: Any) -> None:
    """Two actors have the counts and the runs of one core; one that is killed in the middle loses nothing."""
    locations = question(SHORT).locations
    assert locations is not None
    with explored(locations, Budget(workers=2, cluster="ray"), few=10) as states:
        assert found(states) == alone(SHORT)
    killed: list[object] = []
    advance = RemoteCrew.advance

    def advance_then_kill(crew: RemoteCrew, *values: Any) -> Any:
        sent = advance(crew, *values)
        if len(killed) < 2 and states_of(crew) > 100 * (len(killed) + 1):
            cluster.kill(crew._parts[len(killed)]._actor)  # type: ignore[attr-defined]
            killed.append(crew)
        return sent

    def states_of(crew: RemoteCrew) -> int:
        return len(crew._logs) and sum(log.tell() for log in crew._logs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RemoteCrew, "advance", advance_then_kill)
        locations = question(SHORT).locations
        assert locations is not None
        with explored(locations, Budget(workers=2, cluster="ray"), few=10) as states:
            assert found(states) == alone(SHORT)
    assert len(killed) == 2


def square(number: int, folder: str) -> int:
    """The square of a number; the first worker that is asked for that of three is killed."""
    mark = Path(folder) / "killed"
    if number == 3 and not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number * number


@pytest.mark.slow
def test_calls_on_ray(cluster: Any, tmp_path: Path) -> None:
    """Each call has one result, also that of a worker that is killed."""
    assert cluster.is_initialized()
    results = sorted(ray_cluster.side_by_side("ray", square, ((number, str(tmp_path)) for number in range(6)), 2))
    assert results == [(number, number * number) for number in range(6)]
    assert (tmp_path / "killed").exists()


@pytest.mark.slow
def test_too_few_processors(cluster: Any) -> None:
    """A cluster with fewer processors than workers is refused, instead of waiting for ever."""
    assert cluster.is_initialized()
    locations = question(SHORT).locations
    assert locations is not None
    with (
        pytest.raises(UnavailableError, match="too few for 3 workers"),
        explored(locations, Budget(workers=3, cluster="ray"), few=10),
    ):
        pass
