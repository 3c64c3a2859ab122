"""A file or a pipe that still grows: reading waits for more, and does something else meanwhile."""

from __future__ import annotations

import select
import stat
import time
from collections.abc import Callable
from os import fstat
from typing import BinaryIO

PAUSE = 0.3
"""Seconds between two looks at a file that has not grown."""


class Growing:
    """A source of octets that waits at the end.

    Parameters
    ----------
    stream : BinaryIO
        The open file or pipe, without a buffer.
    idle : callable
        Called whenever there is nothing to read; returns whether to go on waiting.
    """

    def __init__(self, stream: BinaryIO, idle: Callable[[], bool]) -> None:
        self._stream = stream
        self._idle = idle
        self._is_file = stat.S_ISREG(fstat(stream.fileno()).st_mode)

    def read(self, size: int) -> bytes:
        """The next octets; none when the pipe was closed, or when waiting ends."""
        while True:
            if self._is_file:
                if octets := self._stream.read(size):
                    return octets
            elif select.select([self._stream], [], [], PAUSE)[0]:
                return self._stream.read(size) or b""
            if not self._idle():
                return b""
            if self._is_file:
                time.sleep(PAUSE)
