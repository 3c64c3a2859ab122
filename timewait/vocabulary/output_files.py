"""Files written whole or not at all, whoever else writes them and whenever the process ends."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path


class CannotWrite(OSError):
    """A file cannot be written.

    Attributes
    ----------
    path : Path
        The file.
    reason : str
        The reason, in words.
    """

    def __init__(self, path: Path, problem: OSError) -> None:
        super().__init__(problem.errno, problem.strerror)
        self.path = path
        self.reason = problem.strerror or str(problem)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; raises as `write_all`."""
    write_all({path: content})


def write_all(contents: Mapping[Path, bytes]) -> None:
    """Write several files, each of which appears under its name only when all of them are complete.

    What is no regular file, such as a device, a pipe or a terminal, is written to and stays what it is; so does a link, whose
    target is written.

    Raises
    ------
    CannotWrite
        A file cannot be written; then none of them was changed, unless the names themselves cannot.
    """
    parts: dict[Path, Path] = {}
    streams: dict[Path, bytes] = {}
    path = Path()
    try:
        for path, content in contents.items():
            if _is_stream(path):
                streams[path] = content
                continue
            target = path.resolve()
            parts[target] = beside(target)
            parts[target].write_bytes(content)
            if target.exists():
                parts[target].chmod(stat.S_IMODE(target.stat().st_mode))
        for path, part in parts.items():
            part.replace(path)
        for path, content in streams.items():
            with path.open("wb") as stream:
                stream.write(content)
    except OSError as problem:
        raise CannotWrite(path, problem) from problem
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _is_stream(path: Path) -> bool:
    """Whether there is something of this name that is no regular file."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    return not stat.S_ISREG(mode)


def beside(path: Path) -> Path:
    """A name under which a file is written before it is complete; nobody else draws it."""
    return path.with_name(f".{path.name[:200]}.{secrets.token_hex(8)}.part")
