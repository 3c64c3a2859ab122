"""Files that commands write."""

from __future__ import annotations

from pathlib import Path

import click


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all.

    Raises
    ------
    click.UsageError
        It cannot be written there; nothing is left.
    """
    beside = path.with_name(path.name + ".part")
    try:
        if isinstance(content, str):
            beside.write_text(content, encoding="utf-8")
        else:
            beside.write_bytes(content)
        beside.replace(path)
    except OSError as problem:
        beside.unlink(missing_ok=True)
        raise click.UsageError(f"cannot write {path}: {problem.strerror}") from problem
