"""Work on a Ray cluster: calls side by side, and parts of an exploration in actors. https://docs.ray.io"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from timewait.checker import worker_pool
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.remote_parts import PartLost, PartReplica, RemoteCrew
from timewait.checker.worker_pool import LOCAL, MOST_ENDS, WorkerEnded
from timewait.vocabulary.errors import UnavailableError, optional_package

Answered = TypeVar("Answered")


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """The package Ray, connected to a cluster until the body ends.

    Parameters
    ----------
    address : str
        See `timewait.checker.worker_pool.is_cluster`.

    Raises
    ------
    MissingPackage
        Ray is not installed.
    UnavailableError
        There is no cluster at the address.
    """
    ray = optional_package("ray", "ray")
    if ray.is_initialized():
        yield ray
        return
    try:
        ray.init(
            address=None if address == LOCAL else address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=None,
        )
    except Exception as problem:  # Ray raises errors of many kinds
        raise UnavailableError(f"no Ray cluster at {address}: {str(problem).splitlines()[0]}") from problem
    try:
        yield ray
    finally:
        ray.shutdown()


def side_by_side(
    address: str, work: Callable[..., Answered], calls: Iterable[tuple[Any, ...]], jobs: int
) -> Iterator[tuple[int, Answered]]:
    """The results of calls on a cluster, as `timewait.checker.worker_pool.side_by_side` yields them.

    Raises
    ------
    WorkerEnded
        Workers of one call ended several times.
    """
    with connected(address) as ray:

        def done_there(*values: Any) -> Answered:
            return work(*values)

        task = ray.remote(done_there).options(max_retries=MOST_ENDS - 1, num_cpus=1)
        numbered, running = enumerate(calls), dict[Any, int]()
        while True:
            for number, call in islice(numbered, 2 * jobs - len(running)):
                running[task.remote(*call)] = number
            if not running:
                return
            done, _ = ray.wait([*running], num_returns=1)
            for reference in done:
                try:
                    result = ray.get(reference)
                except ray.exceptions.WorkerCrashedError:
                    raise WorkerEnded from None
                yield running.pop(reference), result


def spread(
    cluster: str, work: Callable[..., Answered], calls: Iterable[tuple[Any, ...]], jobs: int, version: Callable[[], str]
) -> Iterator[tuple[int, Answered]]:
    """The results of calls side by side, on a cluster if one is named, else in processes of this machine.

    Raises
    ------
    UnavailableError
        A node of the cluster has another version, by a digest of its code: its results would be those of other code.
    """
    if not cluster:
        return worker_pool.side_by_side(work, calls, jobs)
    return side_by_side(cluster, SameVersion(work, version, version()), calls, jobs)


@dataclass(frozen=True)
class SameVersion:
    """Work that is done only where the code is the same.

    Attributes
    ----------
    work : callable
        The work.
    version : callable
        The version of the code of a process.
    expected : str
        The version of the process that asks.
    """

    work: Callable[..., Any]
    version: Callable[[], str]
    expected: str

    def __call__(self, *values: Any) -> Any:
        if self.version() != self.expected:
            raise UnavailableError("a node of the cluster has another version of timewait; install the same one on all nodes")
        return self.work(*values)


class RayPart:
    """A replica in an actor."""

    def __init__(self, ray: Any, seed: Any, number: int, parts: int) -> None:
        self._ray = ray
        self._actor = ray.remote(PartReplica).options(num_cpus=1).remote(seed, number, parts)

    def ask(self, method: str, values: tuple[Any, ...]) -> Callable[[], Any]:
        """Call a method of the actor."""
        reference = getattr(self._actor, method).remote(*values)

        def result() -> Any:
            try:
                return self._ray.get(reference)
            except (self._ray.exceptions.RayActorError, self._ray.exceptions.ObjectLostError) as problem:
                raise PartLost from problem

        return result

    def end(self) -> None:
        """End the actor."""
        self._ray.kill(self._actor)


@contextmanager
def actors(address: str, explored: PackedTicks, workers: int) -> Iterator[RemoteCrew]:
    """Parts of an exploration in actors of a cluster, which end with the body.

    Raises
    ------
    UnavailableError
        There is no cluster at the address, or it has too few processors.
    """
    with connected(address) as ray:
        processors = int(ray.cluster_resources().get("CPU", 0))
        if processors < workers:
            raise UnavailableError(f"the Ray cluster has {processors} processors, too few for {workers} workers; see --workers")
        crew = RemoteCrew(explored, workers, lambda seed, number, parts: RayPart(ray, seed, number, parts))
        try:
            yield crew
        finally:
            crew.close()
