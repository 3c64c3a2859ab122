"""The closes in a capture file: everything from its frames to the observations."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from pathlib import Path
from typing import overload

from timewait.captures.capture_file import BrokenCapture
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.following import facts_of, follow, follow_at_ends
from timewait.captures.headers import CapturedPacket
from timewait.captures.reading import MAX_FRAMES, SegmentReader
from timewait.captures.time_order import OutOfOrder, checked, in_full, windowed
from timewait.captures.traffic import Traffic, traffic
from timewait.checker.trace import Trace
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration
from timewait.spec.stacks import Stack
from timewait.vocabulary.untrusted import visible

ORDERS = (checked, lambda packets: checked(windowed(packets)), in_full)
"""Ways to put the packets of a file in order, each tried when the one before finds them out of order."""

HELD = 1_024
"""Connections whose facts are held at the same time."""


class JudgedConnections(Sequence[ConnectionFacts]):
    """The facts of every connection, made when they are asked for: held all at once, they take more memory than the packets.

    Parameters
    ----------
    found : Traffic
        The packets, by connection.
    configuration : Configuration
        The assumed settings.
    ended : int
        The end of the capture in nanoseconds since 1970.
    """

    def __init__(self, found: Traffic, configuration: Configuration, ended: int) -> None:
        self._number = len(found.connections)
        self._judged = lru_cache(HELD)(lambda index: facts_of(found.connections[index], configuration, ended))

    def __len__(self) -> int:
        return self._number

    @overload
    def __getitem__(self, index: int) -> ConnectionFacts: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[ConnectionFacts, ...]: ...
    def __getitem__(self, index: int | slice) -> ConnectionFacts | tuple[ConnectionFacts, ...]:
        if isinstance(index, slice):
            return tuple(map(self._judged, range(*index.indices(self._number))))
        return self._judged(range(self._number)[index])


@dataclass
class CapturedCloses:
    """The connections in a capture.

    Attributes
    ----------
    traffic : Traffic
        The packets, by connection.
    connections : sequence of ConnectionFacts
        The facts of every connection, one for each incarnation, in the order of first packets.
    reader : SegmentReader
        The account of all frames, read or left out.
    configuration : Configuration
        The assumed settings.
    name : str
        The name of the file.
    """

    traffic: Traffic
    connections: Sequence[ConnectionFacts]
    reader: SegmentReader
    configuration: Configuration
    name: str

    @cached_property
    def closes(self) -> tuple[ObservedClose, ...]:
        """The connections that close, with their traces."""
        found = map(self.close, range(len(self.connections)))
        return tuple(close for close in found if close is not None)

    def close(self, index: int) -> ObservedClose | None:
        """A connection with its trace, by its index from 0; None if it does not close."""
        connection = self.traffic.connections[index]
        if not connection.closes:
            return None
        return follow(connection, self.configuration, self.reader.ended, {"file": visible(self.name)})

    def at_ends(self, index: int) -> Trace:
        """The trace of a connection that closes, by its index from 0, with the times at its ends (`follow_at_ends`)."""
        connection = self.traffic.connections[index]
        return follow_at_ends(connection, self.configuration, self.reader.ended, {"file": visible(self.name)})


def read_closes(file: Path, configuration: Configuration, max_frames: int = MAX_FRAMES) -> CapturedCloses:
    """Read a capture (pcap or pcapng, also gzipped) and reconstruct every close in it.

    Parameters
    ----------
    file : Path
        The capture.
    configuration : Configuration
        The settings and timer lengths to assume where stacks differ.
    max_frames : int
        Frames read at most.

    Raises
    ------
    BrokenCapture
        The file cannot be read, is not a capture, or holds no TCP segment that can be read.
    """
    try:
        for order in ORDERS:
            with suppress(OutOfOrder), file.open("rb", buffering=0) as stream:
                reader = SegmentReader(stream.read, str(file), max_frames=max_frames, steady=order is not ORDERS[0])
                return judged(_sorted(order(reader)), reader, configuration, file.name)
    except OSError as problem:
        raise BrokenCapture(f"{file}: {problem.strerror or problem}") from problem
    raise AssertionError("sorted packets are in order")


def closes_in(reader: SegmentReader, configuration: Configuration, name: str) -> CapturedCloses:
    """Reconstruct every close in a capture that is already open; parameters and errors as of `read_closes`.

    What cannot be read twice is put in order by a window; packets that are later still are taken as they come.
    """
    return judged(_sorted(windowed(reader)), reader, configuration, name)


def judged(found: Traffic, reader: SegmentReader, configuration: Configuration, name: str) -> CapturedCloses:
    """The connections of a capture that was read to its end; parameters as the attributes of `CapturedCloses`."""
    return CapturedCloses(found, JudgedConnections(found, configuration, reader.ended), reader, configuration, name)


def _sorted(packets: Iterable[CapturedPacket]) -> Traffic:
    """The packets by connection."""
    with _collector_paused():
        return traffic(packets)


@contextmanager
def _collector_paused() -> Iterator[None]:
    """Without the collector of cycles, which would go through all packets again and again: no packet is part of a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def assumed_configuration(stack: Stack, msl: Fraction | None = None, time_wait: Fraction | None = None) -> Configuration:
    """The configuration to assume for a capture of a stack; MSL is the stack's unless given, else 30 s."""
    assumed_msl = msl if msl is not None else stack.msl or Fraction(30)
    rto = None if stack.rto_max is not None else (2 * assumed_msl,)
    return assemble(stack, Overrides(msl=assumed_msl, time_wait=time_wait, rto=rto))
