"""The closes in a capture file: everything from its frames to the observations."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

from timewait.captures.capture_file import BrokenCapture
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.following import facts_of, follow, follow_at_ends
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


@dataclass
class CapturedCloses:
    """The connections in a capture.

    Attributes
    ----------
    traffic : Traffic
        The packets, by connection.
    connections : tuple of ConnectionFacts
        The facts of every connection, one for each incarnation, in the order of first packets.
    reader : SegmentReader
        The account of all frames, read or left out.
    configuration : Configuration
        The assumed settings.
    name : str
        The name of the file.
    """

    traffic: Traffic
    connections: tuple[ConnectionFacts, ...]
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
                reader = SegmentReader(stream.read, str(file), max_frames=max_frames)
                return _closes(traffic(order(reader)), reader, configuration, file.name)
    except OSError as problem:
        raise BrokenCapture(f"{file}: {problem.strerror or problem}") from problem
    raise AssertionError("sorted packets are in order")


def closes_in(reader: SegmentReader, configuration: Configuration, name: str) -> CapturedCloses:
    """Reconstruct every close in a capture that is already open; parameters and errors as of `read_closes`.

    What cannot be read twice is put in order by a window; packets that are later still are taken as they come.
    """
    return _closes(traffic(windowed(reader)), reader, configuration, name)


def _closes(found: Traffic, reader: SegmentReader, configuration: Configuration, name: str) -> CapturedCloses:
    facts = tuple(facts_of(connection, configuration, reader.ended) for connection in found.connections)
    return CapturedCloses(found, facts, reader, configuration, name)


def assumed_configuration(stack: Stack, msl: Fraction | None = None, time_wait: Fraction | None = None) -> Configuration:
    """The configuration to assume for a capture of a stack; MSL is the stack's unless given, else 30 s."""
    assumed_msl = msl if msl is not None else stack.msl or Fraction(30)
    rto = None if stack.rto_max is not None else (2 * assumed_msl,)
    return assemble(stack, Overrides(msl=assumed_msl, time_wait=time_wait, rto=rto))
