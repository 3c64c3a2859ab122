"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from pathlib import Path

import click


def write(texts: Mapping[Path, str]) -> None:
    """Write some files, all of them or none; each appears under its name only once it is complete.

    Raises
    ------
    click.UsageError
        One of them cannot be written; the message says which, and why.
    """
    beside = {path: path.with_name(path.name + ".part") for path in texts}
    try:
        for path, text in texts.items():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            beside[path].write_text(text, encoding="utf-8")
        for path in texts:
            beside[path].replace(path)
    except OSError as problem:
        for part in beside.values():
            part.unlink(missing_ok=True)
        raise click.UsageError(f"cannot write {path}: {problem.strerror}") from problem
