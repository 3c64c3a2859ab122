"""Results of earlier runs in files, of which none is trusted: whoever recalls a result checks it again.

A file holds one result: a line with a digest of the rest, the question and the facts that were found, then certificates. Its
name is a digest of the question, of the sources of this package, and of the versions of the solvers. A file that is damaged, or
that belongs to another question, is as good as none; files appear whole or not at all, so several processes may share a folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar

from timewait.checker import certificate
from timewait.vocabulary.output_files import write_whole
from timewait.vocabulary.untrusted import parse_json

Recalled = TypeVar("Recalled")

FIRST_LINE = "; timewait result "
"""The beginning of every file."""

MAX_OCTETS = 1 << 26
"""The largest file that is read."""

PACKAGES = ("vocabulary", "spec", "checker", "proofs")
"""The packages on which a verdict depends."""

SOLVERS = ("z3-solver", "cvc5")


@dataclass
class Memory:
    """The results of earlier runs.

    Attributes
    ----------
    folder : Path or None
        The folder of their files; without one, nothing is remembered.
    for_others : bool
        Whether certificates are handed on as files: then solvers answer all their queries again.
    asked, recalled : int
        How many results were asked for, and how many of them were recalled and held when they were checked again.
    """

    folder: Path | None = None
    for_others: bool = False
    asked: int = 0
    recalled: int = 0

    def recall(self, question: Mapping[str, Any], check: Callable[[Any, list[str]], Recalled | None]) -> Recalled | None:
        """The result of a question, if there is one that holds.

        Parameters
        ----------
        question : mapping
            Everything on which the result depends, as plain data.
        check : callable
            Gets the facts and the certificates of a file, of which nothing is known, and returns the result if they show it.
        """
        if self.folder is None:
            return None
        self.asked += 1
        try:
            found = check(*_read(self._file(self.folder, question), question))
        except Exception:  # a file may be spoiled in whatever way: then the question is asked again
            return None
        if found is not None:
            self.recalled += 1
        return found

    def keep(self, question: Mapping[str, Any], facts: Any, certificates: Sequence[str]) -> None:
        """Keep the result of a question; a folder that cannot be written keeps nothing."""
        if self.folder is None:
            return
        text = "\n".join([json.dumps({"question": question, "facts": facts}, sort_keys=True), certificate.joined(certificates)])
        file = self._file(self.folder, question)
        with suppress(OSError):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not os.path.lexists(file) or stat.S_ISREG(file.lstat().st_mode):
                write_whole(file, with_digest(text).encode())

    @staticmethod
    def _file(folder: Path, question: Mapping[str, Any]) -> Path:
        key = json.dumps([question, version_of_code()], sort_keys=True)
        return folder / f"{hashlib.sha256(key.encode()).hexdigest()}.smt2"


def with_digest(contents: str) -> str:
    """The text of a file of these contents."""
    return f"{FIRST_LINE}{hashlib.sha256(contents.encode()).hexdigest()} {contents}"


def _read(file: Path, question: Mapping[str, Any]) -> tuple[Any, list[str]]:
    """The facts and the certificates in a file.

    Raises
    ------
    OSError, ValueError, LookupError, TypeError
        It cannot be read, or is about another question.
    """
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(handle, "rb") as stream:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_OCTETS:
            raise ValueError(f"{file}: no file of a result")
        text = stream.read(MAX_OCTETS).decode()
    contents = text[len(FIRST_LINE) :].partition(" ")[2]
    if text != with_digest(contents):
        raise ValueError(f"{file}: no file of a result, or a damaged one")
    first, _, rest = contents.partition("\n")
    data = parse_json(first.encode())
    if data["question"] != json.loads(json.dumps(question)):
        raise ValueError(f"{file}: the result of another question")
    sections = certificate.sections_of(rest, str(file)) if rest else []
    return data["facts"], [text.removesuffix(certificate.BETWEEN) for _, text in sections]


@cache
def version_of_code() -> str:
    """A digest of the sources of this package and of the versions of the solvers."""
    digest = hashlib.sha256()
    for package in PACKAGES:
        found = find_spec(f"timewait.{package}")
        for folder in (found and found.submodule_search_locations) or ():
            for path in sorted(Path(folder).rglob("*")):
                if path.suffix in (".py", ".toml", ".json"):
                    digest.update(str(path.relative_to(folder)).encode() + b"\0" + path.read_bytes())
    for solver in SOLVERS:
        with suppress(PackageNotFoundError):
            digest.update(f"{solver} {version(solver)}".encode())
    return digest.hexdigest()


_CURRENT: ContextVar[Memory] = ContextVar("memory of results")


@contextmanager
def remembering(folder: Path | None, *, for_others: bool = False) -> Iterator[Memory]:
    """Remember results in a folder while the context lasts; None remembers nothing. See `Memory` for the parameters."""
    memory = Memory(folder, for_others)
    token = _CURRENT.set(memory)
    try:
        yield memory
    finally:
        _CURRENT.reset(token)


def current() -> Memory:
    """The memory of the context; one that remembers nothing where none was chosen."""
    return _CURRENT.get(Memory())
