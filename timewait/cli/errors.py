"""Error messages: one line on standard error."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO, cast

from timewait.vocabulary.output_files import CannotWrite
from timewait.vocabulary.untrusted import visible


class ReaderGone(Exception):
    """Nobody reads standard output any more, such as ``head`` after its last line; no OSError, which click would handle."""


@contextmanager
def answering() -> Iterator[None]:
    """Write on standard output in the body.

    Raises
    ------
    ReaderGone
        Its reader has closed it.
    CannotWrite
        It cannot be written, for instance because the disk is full.
    """
    try:
        yield
    except BrokenPipeError:
        _drop_output()
        raise ReaderGone from None
    except OSError as problem:
        _drop_output()
        raise CannotWrite(Path("standard output"), problem) from problem


class AnswerStream:
    """Standard output that raises as `answering` does, whoever writes on it: click writes help and versions itself.

    Parameters
    ----------
    stream : text stream
        Standard output.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write a text; an empty one, with which click tries whether this is a text stream, fails nowhere."""
        with answering():
            return self._stream.write(text) if text != "" else 0

    def flush(self) -> None:
        """Write what the stream still holds."""
        with answering():
            self._stream.flush()


@contextmanager
def checked_output() -> Iterator[None]:
    """Let standard output be an `AnswerStream` in the body."""
    before = sys.stdout
    sys.stdout = cast("TextIO", AnswerStream(before))
    try:
        yield
    finally:
        sys.stdout = before


def flush_streams() -> None:
    """Write what standard output and standard error still hold, as far as they can be written."""
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()


def _drop_output() -> None:
    """Lead standard output to nowhere, so that what it still holds does not fail again when the process ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def terminal_columns(stream: TextIO) -> int:
    """The characters in a line of the terminal that a stream writes to; 0 where it is none, or does not say."""
    try:
        return os.get_terminal_size(stream.fileno()).columns if stream.isatty() else 0
    except (OSError, ValueError):
        return 0


LONGEST = 5_000
"""The most characters of an error message: the name of a file may have 4,096."""


def shortened(text: str) -> str:
    """A text without its middle if it is longer than an error message may be."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} ... {text[-LONGEST // 2 :]}"


def error(text: str) -> None:
    """Write a line on standard error, folded on a terminal; characters that do not print are written as their codes."""
    line = f"timewait: {shortened(visible(' '.join(text.split())))}"
    with suppress(OSError):  # the exit code still says it
        wide = terminal_columns(sys.stderr)
        lines = textwrap.wrap(line, wide, subsequent_indent="  ", break_on_hyphens=False) if 0 < wide < len(line) else [line]
        sys.stderr.write("\n".join(lines) + "\n")


def refused_by_the_machine(problem: OSError | MemoryError) -> str:
    """A line about a file, a process or memory that the operating system refuses, where no command says more about it."""
    if isinstance(problem, MemoryError):
        return "this machine has too little memory for it, or this process may not take more"
    name = "" if problem.filename is None else f"{problem.filename}: "
    return f"this machine refuses it: {name}{problem.strerror or problem}"


def interrupted() -> None:
    """Say that the command was interrupted; on a terminal, after the line in which it shows ``^C``."""
    with suppress(OSError):
        sys.stderr.write("\n" if sys.stderr.isatty() else "")
    error("interrupted")
