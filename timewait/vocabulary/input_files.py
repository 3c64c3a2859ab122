"""Input files of any size: a regular file, a pipe or a device is read up to a limit."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import BinaryIO

SMALL, LARGE, LARGEST = 1 << 20, 1 << 26, 1 << 28
"""Limits in octets: of a file that a person writes, of a trace, and of a certificate."""

_CHUNK = 1 << 20


def read_octets(path: Path, most: int) -> bytes:
    """The octets of a file, which need not be regular.

    Parameters
    ----------
    path : Path
        The file, such as ``/dev/stdin``.
    most : int
        How many octets it may have; a device such as ``/dev/zero`` has no end.

    Raises
    ------
    OSError
        It cannot be read, or is larger; the reason is its `strerror`.
    """
    with path.open("rb") as stream:
        return read_stream(stream, most)


def read_stream(stream: BinaryIO, most: int, begin: bytes = b"") -> bytes:
    """The octets of a stream after some that were read before; limit and errors are those of `read_octets`."""
    parts, size = [begin], len(begin)
    while size <= most and (part := stream.read(_CHUNK)):
        parts.append(part)
        size += len(part)
    if size > most:
        raise OSError(errno.EFBIG, f"it is larger than {most >> 20} MB")
    return b"".join(parts)
