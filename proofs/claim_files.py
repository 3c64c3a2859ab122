"""Claims in a file of the user, written as those of `timewait.proofs.claims`: loaded, and checked while they are decided."""

from __future__ import annotations

import os
import re
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from timewait.checker.verdict import Verdict
from timewait.proofs.claim import CLAIMS, Claim, register_file
from timewait.proofs.evidence import Evidence
from timewait.vocabulary.errors import InputError, RequestError
from timewait.vocabulary.input_files import SMALL, read_octets
from timewait.vocabulary.suggestions import advice
from timewait.vocabulary.untrusted import shown, unprintable, visible

_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,39}")
"""A name of a claim, which is also part of names of files."""


def registered(words: Sequence[str]) -> tuple[str, ...]:
    """The names of claims that some words stand for: a claim by its name, or all claims of a file.

    Parameters
    ----------
    words : sequence of str
        Names in upper or lower case, and files: words that end in ``.py`` or contain a ``/``.

    Raises
    ------
    RequestError
        There is no such claim.
    InputError
        A file cannot be loaded, or registers no claim.
    """
    names: list[str] = []
    for word in words:
        if word.endswith(".py") or "/" in word:
            names += load_claims(Path(word))
        elif (name := word if word in CLAIMS else word.upper()) in CLAIMS:
            names.append(name)
        else:
            near = advice(name, CLAIMS, "'timewait prove --all' decides every claim")
            raise RequestError(f"there is no claim {word!r}; {near} (a file of your own ends in .py)")
    return tuple(dict.fromkeys(names))


def load_claims(file: Path) -> tuple[str, ...]:
    """Run a file whose functions register claims; returns their names.

    Raises
    ------
    InputError
        It cannot be read or run, registers no claim, or one whose name is taken or makes no sense; the message is one line.
    """
    path = Path(os.path.realpath(file))  # which raises nothing, unlike `Path.resolve`

    def check(added: Mapping[str, Claim], others: Mapping[str, Claim]) -> None:
        for name, claim in added.items():
            if not isinstance(name, str) or not _NAME.fullmatch(name):
                raise InputError(f"{file}: {name!r} is no name of a claim; letters, digits, _ and -, a letter first")
            if name in others:
                raise InputError(f"{file}: there is a claim {name} already; choose another name")
            if problem := _problem_of(claim):
                raise InputError(f"{file}: claim {name}: {problem}")
        if not added:
            raise InputError(f"{file}: registers no claim; put @claim(...) of timewait.proofs.claim before a function")

    def run() -> None:
        with errors_in_one_line(file):
            _run(file, path)

    return tuple(register_file(path, run, check))


def _problem_of(claim: Claim) -> str:
    """What is wrong with the statement of a claim; empty if nothing is."""
    texts: dict[str, object] = {"statement": claim.statement, "section": claim.section}
    for name, text in texts.items():
        if not isinstance(text, str) or unprintable(text):
            return f"its {name} must be a text in one line, not {shown(text)}"
    if claim.expected not in (Verdict.PROVED, Verdict.VIOLATED):
        return f"its verdict must be Verdict.PROVED or Verdict.VIOLATED, not {shown(claim.expected)}"
    if not isinstance(claim.slow, bool) or not isinstance(claim.seconds, int):
        return "slow must be True or False, and seconds a whole number"
    return ""


def _run(file: Path, path: Path) -> None:
    """Run a file as a module, with its folder among those of which it imports."""
    try:
        source = read_octets(path, SMALL)
    except OSError as problem:
        raise InputError(f"{file}: cannot be read: {problem.strerror}") from None
    module = ModuleType(f"claims_in_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # where dataclasses look for it
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))
    exec(compile(source, str(path), "exec"), module.__dict__)


@contextmanager
def errors_in_one_line(file: Path) -> Iterator[None]:
    """Raise every error of a user's file as one line, with the last line of the file that it passed."""
    try:
        yield
    except (InputError, KeyboardInterrupt):
        raise
    except BaseException as problem:  # SystemExit too: a file that ends the process has decided nothing
        path = os.path.realpath(file)
        frames = [frame.lineno for frame in traceback.extract_tb(problem.__traceback__) if frame.filename == path]
        line = problem.lineno if isinstance(problem, SyntaxError) else frames[-1] if frames else None
        where = f"line {line}: " if line else ""
        said = problem.msg if isinstance(problem, SyntaxError) else str(problem)
        raise InputError(visible(" ".join(f"{file}: {where}{type(problem).__name__}: {said}".split()))) from None


def with_checked_evidence(claim: Claim) -> Claim:
    """The same claim of a file, whose function must yield evidence; any error of it is one line."""
    file = claim.file
    assert file is not None

    def gather() -> Iterator[Evidence]:
        with errors_in_one_line(file):
            found = claim.gather()
            if not isinstance(found, Iterator):
                raise InputError(f"{file}: the function of claim {claim.name} must yield evidence")
            for piece in found:
                if not isinstance(piece, Evidence):
                    raise InputError(f"{file}: claim {claim.name} yields {type(piece).__name__}, which is no evidence")
                yield piece

    return replace(claim, gather=gather)
