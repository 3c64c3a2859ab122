"""A load carried out connection by connection on a pool of ports."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from typing import NamedTuple

from timewait.capacity.load import NANOSECONDS, Load
from timewait.capacity.ports import Closer, PortPool, Service
from timewait.vocabulary.errors import RequestError

MOST_OPENED = 3_000_000
"""The most connections that one simulation opens."""

SAMPLES = 240
"""Points of a timeline."""


class Sample(NamedTuple):
    """The state of the pool at one instant.

    Attributes
    ----------
    time : Fraction
        Seconds from the start.
    in_use, waiting, free : int
        Ports of open connections, ports in TIME-WAIT, and free ports.
    opened, refused : int
        Connections opened and refused until then.
    """

    time: Fraction
    in_use: int
    waiting: int
    free: int
    opened: int
    refused: int


class Timeline(NamedTuple):
    """The outcome of a simulation.

    Attributes
    ----------
    samples : tuple of Sample
        At equal intervals, in order of time.
    opened, refused : int
        Connections in all.
    first_refused : Fraction or None
        The instant of the first refused connection, in seconds; None if none was refused.
    without_time_wait : int
        Connections that ended without TIME-WAIT, since there were as many in TIME-WAIT as the host allows.
    """

    samples: tuple[Sample, ...]
    opened: int
    refused: int
    first_refused: Fraction | None
    without_time_wait: int


@dataclass(slots=True)
class Pool:
    """The ports during a simulation; every instant in nanoseconds, in order of time.

    A free port is taken before a port in TIME-WAIT, and the port that has waited longest before the others, as a kernel does
    that tries the ports in turn.
    """

    ports: PortPool
    service: Service
    free: int = field(init=False)
    in_use: deque[int] = field(default_factory=deque)
    waiting: deque[int] = field(default_factory=deque)
    without_time_wait: int = 0
    _time_wait: int = field(init=False)
    _service_time: int = field(init=False)
    _delay: int = field(init=False)
    _reuses: bool = field(init=False)

    def __post_init__(self) -> None:
        self.free = self.ports.size
        self._time_wait = 0 if self.service.closer is Closer.SERVER else int(self.service.time_wait * NANOSECONDS)
        self._service_time = int(self.service.service_time * NANOSECONDS)
        self._delay = int(self.ports.reuse_delay * NANOSECONDS)
        self._reuses = self.ports.reuses

    def pass_time(self, now: int) -> None:
        """Close the connections and end the TIME-WAITs that are due."""
        while self.in_use and self.in_use[0] <= now:
            closed = self.in_use.popleft()
            self._expire(closed)
            if not self._time_wait:
                self.free += 1
            elif self.ports.buckets is not None and len(self.waiting) >= self.ports.buckets:
                self.free += 1
                self.without_time_wait += 1
            else:
                self.waiting.append(closed)
        self._expire(now)

    def _expire(self, now: int) -> None:
        while self.waiting and self.waiting[0] + self._time_wait <= now:
            self.waiting.popleft()
            self.free += 1

    def connect(self, now: int) -> bool:
        """Open a connection; whether there was a port."""
        if not self.available(now):
            return False
        self.take(now)
        return True

    def available(self, now: int) -> bool:
        """Whether there is a port: a free one, or one in TIME-WAIT that may be reused."""
        return self.spare(now, 1) > 0

    def spare(self, now: int, most: int) -> int:
        """How many ports there are, free or in TIME-WAIT and reusable; counted up to a number."""
        self.pass_time(now)
        reusable = (now > closed + self._delay for closed in islice(self.waiting, most)) if self._reuses else ()
        return min(self.free + sum(reusable), most)

    def take(self, now: int) -> None:
        """Open a connection on the port that is free, else on the one that has been blocked longest."""
        if self.free:
            self.free -= 1
        else:
            (self.waiting or self.in_use).popleft()
        self.in_use.append(now + self._service_time)

    def next_change(self) -> int:
        """The next instant at which a refused connection could succeed."""
        instants = [self.in_use[0]] if self.in_use else []
        if self.waiting:
            reusable = self.waiting[0] + self._delay + 1
            ended = self.waiting[0] + self._time_wait
            instants.append(min(reusable, ended) if self._reuses else ended)
        return min(instants)


def simulate(load: Load, ports: PortPool, service: Service, samples: int = SAMPLES) -> Timeline:
    """Carry out a load from a cold start.

    Parameters
    ----------
    load : Load
        When connections are opened.
    ports : PortPool
        The ports.
    service : Service
        The use of a connection.
    samples : int
        Points of the timeline, beside its begin.

    Raises
    ------
    RequestError
        More than `MOST_OPENED` connections would be opened.
    """
    pool = Pool(ports, service)
    grid = _grid(load, samples)
    taken: list[Sample] = []
    opened = refused = 0
    first: Fraction | None = None

    def sample_until(now: int) -> None:
        while len(taken) < len(grid) and grid[len(taken)] < now:
            instant = grid[len(taken)]
            pool.pass_time(instant)
            in_use, waiting = len(pool.in_use), len(pool.waiting)
            tried = sum(stretch.first_from(min(instant, stretch.end)) for stretch in load if stretch.rate)
            taken.append(Sample(Fraction(instant, NANOSECONDS), in_use, waiting, pool.free, opened, tried - opened))

    for instant, count in _attempts(load, pool):
        sample_until(instant)
        if pool.connect(instant):
            opened += 1
        else:
            refused += count
            first = Fraction(instant, NANOSECONDS) if first is None else first
        if opened > MOST_OPENED:
            raise RequestError(f"more than {MOST_OPENED:,} connections would be opened; shorten --duration or lower --rate")
    sample_until(grid[-1] + 1)
    return Timeline(tuple(taken), opened, refused, first, pool.without_time_wait)


def _grid(load: Load, samples: int) -> list[int]:
    begin, end = load[0].begin, load[-1].end
    return [begin + (end - begin) * number // samples for number in range(samples + 1)]


def _attempts(load: Load, pool: Pool) -> Iterator[tuple[int, int]]:
    """Each attempt, and how many attempts it stands for: all are refused until something changes in the pool.

    The pool is looked at when the next attempt is asked for, after the one before was carried out.
    """
    for stretch in load:
        number = 0
        while number < stretch.connections:
            instant = stretch.instant(number)
            pool.pass_time(instant)
            following = number + 1
            if not pool.free and (change := pool.next_change()) > instant:
                following = max(following, min(stretch.first_from(change), stretch.connections))
            yield instant, following - number
            number = following
