"""``explain --follow``: a capture that still grows; each close is told when it comes."""

from __future__ import annotations

import copy
from typing import BinaryIO

from timewait.captures.closes import CapturedCloses, judged
from timewait.captures.connections import Connection
from timewait.captures.following import facts_of
from timewait.captures.growing import Growing
from timewait.captures.overview import line
from timewait.captures.reading import SegmentReader
from timewait.captures.time_order import Reordering
from timewait.captures.traffic import Traffic
from timewait.cli.console import Screen
from timewait.spec.configuration import Configuration

LOOKS = 4
"""Looks without anything new after which no packet is expected to come late; there are about three in a second."""


class LiveCapture:
    """A growing capture.

    Parameters
    ----------
    screen : Screen
        Where closes are told; on standard error, since the answer follows.
    stream : BinaryIO
        The open file or pipe, without a buffer.
    name : str
        Its name in messages.
    configuration : Configuration
        The assumed settings.
    """

    def __init__(self, screen: Screen, stream: BinaryIO, name: str, configuration: Configuration) -> None:
        self._screen = screen
        self._source = Growing(stream, self._tell)
        self._name = name
        self._configuration = configuration
        self._traffic = Traffic()
        self._order = Reordering()
        self._looks = 0
        self._told: dict[int, tuple[int, str]] = {}

    def run(self, start: bytes, max_frames: int) -> CapturedCloses:
        """Read until the pipe is closed or the user interrupts; returns everything read.

        Parameters
        ----------
        start : bytes
            Octets that were already read.
        max_frames : int
            Frames read at most.
        """
        reader = SegmentReader(self._source.read, self._name, start, max_frames=max_frames)
        try:
            for packet in reader:
                self._looks = 0
                for ready in self._order.add(packet):
                    self._traffic.add(ready)
        except KeyboardInterrupt:
            self._screen.note("interrupted; what was captured so far:")
        for packet in self._order.rest():
            self._traffic.add(packet)
        for connection in self._traffic.connections:
            connection.end()
        return judged(self._traffic, reader, self._configuration, self._name)

    def _tell(self) -> bool:
        """Tell every close that is new or has changed; goes on for ever."""
        self._looks += 1
        if self._looks == LOOKS:
            for packet in self._order.rest():
                self._traffic.add(packet)
        for index, connection in enumerate(self._traffic.connections):
            packets, text = self._told.get(index, (0, ""))
            if connection.closes and connection.packets != packets:
                now = line(index, facts_of(_copied(connection), self._configuration, connection.times[1]))
                self._told[index] = (connection.packets, now)
                if now != text:
                    self._screen.note(now)
        return True


def _copied(connection: Connection) -> Connection:
    """A connection as if the capture ended now; the original goes on."""
    following = connection.next
    found = copy.deepcopy(connection, {id(following): following})
    found.end()
    return found
