"""Output files of commands, written whole or not at all; a problem is one line that names the file."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from timewait.vocabulary import output_files


def ensure_writable(path: Path) -> None:
    """Raise before a long computation begins if its output file could not be written.

    Raises
    ------
    click.UsageError
        There is no such folder, or no right to write in it; or the name is that of a folder, too long, or a circle of links.
    """
    try:
        kind = _kind(path)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if stat.S_ISREG(kind):
            if not os.access(path.resolve().parent, os.W_OK | os.X_OK):
                raise click.UsageError(f"cannot write {path}: there is no such folder, or no right to write in it")
        elif not os.access(path, os.W_OK):  # a device or a pipe, which is written itself
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as problem:
        raise click.UsageError(f"cannot write {path}: {problem.strerror}") from problem


def _kind(path: Path) -> int:
    """What a name stands for, as in `os.stat_result`; a regular file where there is nothing yet."""
    with suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        return path.stat().st_mode
    return stat.S_IFREG


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, where they do not exist yet.

    Raises
    ------
    click.UsageError
        It cannot be made; the message names it and the reason.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise click.UsageError(f"cannot make the folder {path}: {problem.strerror}") from problem


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all; raises as `write_all`."""
    write_all({path: content})


def write_all(contents: Mapping[Path, str | bytes]) -> None:
    """Write several files, all of them or none (`timewait.vocabulary.output_files.write_all`).

    Raises
    ------
    click.UsageError
        A file cannot be written; the message names it and the reason, and no file is left.
    """
    try:
        output_files.write_all(
            {path: content.encode() if isinstance(content, str) else content for path, content in contents.items()}
        )
    except output_files.CannotWrite as problem:
        raise click.UsageError(f"cannot write {problem.path}: {problem.reason}") from problem


def write_new(contents: Mapping[Path, str]) -> None:
    """Write several files that do not exist yet, all of them or none.

    Raises
    ------
    click.UsageError
        One of the files exists, or cannot be written; the message names it, and no file is left.
    """
    made: list[Path] = []
    parts = {path: output_files.beside(path) for path in contents}
    path = Path()
    try:
        for path, content in contents.items():
            parts[path].write_text(content, encoding="utf-8")
        for path in contents:
            os.link(parts[path], path)  # fails where there is a file of this name, unlike a renaming
            made.append(path)
    except OSError as problem:
        for each in made:
            each.unlink(missing_ok=True)
        why = "it exists, and is not overwritten" if isinstance(problem, FileExistsError) else problem.strerror
        raise click.UsageError(f"cannot write {path}: {why}; nothing was written") from problem
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)
