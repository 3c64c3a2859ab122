"""Parts of the states in other processes, which may be lost: each has a table of locations of its own.

Every part completes its table in the same way, so that all of them number locations alike. What each part was asked is kept
in a file; a part that is lost is begun anew, and does again what it had done, with the same result.
"""

from __future__ import annotations

import pickle
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from timewait.checker.location_kernels import EDGES, LOCATIONS
from timewait.checker.locations import Locations
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.partition import Advance, Gone, Level, Parcel, StatePart, complete
from timewait.checker.shortest_run import StateStep
from timewait.checker.worker_pool import MOST_ENDS, WorkerEnded
from timewait.vocabulary.errors import UnavailableError


class PartLost(Exception):
    """The process of a part ended, or cannot be reached."""


class PartReplica:
    """A part with a table of its own.

    Parameters
    ----------
    seed : bytes
        The exploration of the first levels, pickled.
    number, parts : int
        As of `StatePart`.
    """

    def __init__(self, seed: bytes, number: int, parts: int) -> None:
        self._explored: PackedTicks = pickle.loads(seed)
        self._part = StatePart(number, parts, self._explored)

    def begin(self) -> tuple[int, Level]:
        """Begin the next level; a digest of the table, and the level."""
        return digest(self._explored), self._part.begin()

    def advance(self, lacking: Sequence[int], missing: Sequence[Gone], parcels: Sequence[Parcel]) -> Advance:
        """Complete the table, store what others sent, and go on."""
        complete(self._explored, lacking, missing)
        done = self._part.advance(parcels)
        return done._replace(parcels=tuple((np.ascontiguousarray(states[:, :count]), count) for states, count in done.parcels))

    def parent(self, level: int, words: Sequence[int]) -> StateStep | None:
        """As `StatePart.parent`."""
        return self._part.parent(level, words)

    def violation(self, level: int, name: str) -> StateStep | None:
        """As `StatePart.violation`."""
        return self._part.violation(level, name)

    def bytes(self) -> int:
        """The memory of the part and its table, in bytes."""
        return self._explored.bytes + self._part.bytes


def digest(explored: PackedTicks) -> int:
    """A number that tells whether two tables number locations and edges alike."""
    arrays = explored.locations.arrays
    known = zlib.crc32(arrays.place[: int(arrays.counts[LOCATIONS]), :3].tobytes())
    return zlib.crc32(arrays.edges[: int(arrays.counts[EDGES])].tobytes(), known)


class RemotePart(Protocol):
    """A replica in another process."""

    def ask(self, method: str, values: tuple[Any, ...]) -> Callable[[], Any]:
        """Call a method; the function that is returned waits for the result.

        Raises
        ------
        PartLost
            There is no such process any more; waiting may raise it too.
        """

    def end(self) -> None:
        """End the process."""


class RemoteCrew:
    """Parts in other processes; see `timewait.checker.partitioned_ticks.Crew`.

    Parameters
    ----------
    explored : PackedTicks
        An exploration that ended with a level.
    workers : int
        The number of parts.
    start : callable
        Starts a process with a replica, given the parameters of `PartReplica`.
    """

    def __init__(self, explored: PackedTicks, workers: int, start: Callable[[bytes, int, int], RemotePart]) -> None:
        self._explored, self._start = explored, start
        self._seed = pickle.dumps(explored)
        self._parts = [start(self._seed, number, workers) for number in range(workers)]
        self._logs = [tempfile.TemporaryFile() for _ in range(workers)]  # noqa: SIM115  # `close` closes them

    def close(self) -> None:
        """End the processes."""
        for part in self._parts:
            part.end()
        for log in self._logs:
            log.close()

    def begin(self) -> list[Level]:
        """Let every part begin the next level."""
        begun: list[tuple[int, Level]] = self._ask("begin", [() for _ in self._parts], kept=True)
        if {known for known, _ in begun} != {digest(self._explored)}:
            raise UnavailableError("the workers number the locations differently; do all of them run the same version?")
        return [level for _, level in begun]

    def advance(self, lacking: Sequence[int], missing: Sequence[Gone], parcels: Sequence[Sequence[Parcel]]) -> list[Advance]:
        """Complete the tables, then let each part store its parcels and go on."""
        complete(self._explored, lacking, missing)
        advances: list[Advance] = self._ask("advance", [(lacking, missing, own) for own in parcels], kept=True)
        return advances

    def parents(self, level: int, words: Sequence[int]) -> list[StateStep | None]:
        """What `StatePart.parent` says in each part."""
        found: list[StateStep | None] = self._ask("parent", [(level, words) for _ in self._parts])
        return found

    def violations(self, level: int, name: str) -> list[StateStep | None]:
        """What `StatePart.violation` says in each part."""
        found: list[StateStep | None] = self._ask("violation", [(level, name) for _ in self._parts])
        return found

    @property
    def bytes(self) -> int:
        """The memory of all parts, in bytes."""
        return sum(self._ask("bytes", [() for _ in self._parts]))

    @property
    def locations(self) -> Locations:
        """The locations."""
        return self._explored.locations

    # --- parts that are lost ----------------------------------------------------------------------------------------

    def _ask(self, method: str, values: Sequence[tuple[Any, ...]], kept: bool = False) -> list[Any]:
        """Call a method of every part; what changes the part is kept, so that another process can do it again."""
        waiting = [self._asked(number, method, own) for number, own in enumerate(values)]
        results = [
            self._result(number, method, own, wait) for number, (own, wait) in enumerate(zip(values, waiting, strict=True))
        ]
        if kept:
            for log, own in zip(self._logs, values, strict=True):
                pickle.dump((method, own), log)
        return results

    def _asked(self, number: int, method: str, values: tuple[Any, ...]) -> Callable[[], Any] | None:
        try:
            return self._parts[number].ask(method, values)
        except PartLost:
            return None

    def _result(self, number: int, method: str, values: tuple[Any, ...], wait: Callable[[], Any] | None) -> Any:
        """The result of a call, by another process if the first one is lost."""
        for _ in range(MOST_ENDS):
            try:
                if wait is None:
                    wait = self._again(number).ask(method, values)
                return wait()
            except PartLost:
                wait = None
        raise WorkerEnded

    def _again(self, number: int) -> RemotePart:
        """A new process that has done what the part had done."""
        self._parts[number].end()
        self._parts[number] = part = self._start(self._seed, number, len(self._parts))
        for method, values in self._logged(number):
            part.ask(method, values)()
        return part

    def _logged(self, number: int) -> Iterator[tuple[str, tuple[Any, ...]]]:
        log = self._logs[number]
        log.seek(0)
        try:
            while True:
                try:
                    yield pickle.load(log)
                except EOFError:
                    return
        finally:
            log.seek(0, 2)
