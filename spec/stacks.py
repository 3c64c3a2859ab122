"""Profiles of real TCP stacks: what each does when it closes, for how long, and where that was read.

A profile is a TOML file. Beside ``name``, ``title`` and ``note`` every key is a table of ``value``, ``source`` and
``evidence``; a key that is absent is not known. The profiles that come with the package lie in ``spec/stacks``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from importlib import resources
from os import PathLike, fspath
from pathlib import Path
from typing import Literal, NamedTuple, overload

from timewait.spec.duration import parse_duration
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, ResetRule
from timewait.vocabulary.errors import InputError, RequestError

EVIDENCE = {
    "read": "read in the named file at the named version",
    "excerpt": "seen as an excerpt, its version not pinned",
    "documented": "told by documentation or an issue thread",
    "measured": "seen on the running stack",
}
"""How far a value can be trusted."""


_MULTIPLE = re.compile(r"([1-9][0-9]*) ?\* ?msl")
"""A duration stated as so many MSL."""


class UnknownStack(RequestError):
    """There is no such profile; the message names those that there are."""


class BrokenStack(InputError):
    """A profile that makes no sense; the message names the file, the key and what is wrong."""


class MissingValue(RequestError):
    """A profile does not know a value that is needed; the message names the flag that gives it."""


class Source(NamedTuple):
    """Where a value comes from.

    Attributes
    ----------
    where : str
        A file of the stack and its version, a section of a standard, or what was tried.
    evidence : str
        One of `EVIDENCE`.
    """

    where: str
    evidence: str


class Question(NamedTuple):
    """What a knob answers, and the flag that answers it instead."""

    text: str
    flag: str


QUESTIONS: dict[str, Question] = {
    "msl": Question("how long a segment may live", "--msl TIME, for instance --msl 30s"),
    "time_wait": Question("how long TIME-WAIT lasts", "--time-wait TIME, for instance --time-wait 60s"),
    "answers": Question("what TIME-WAIT answers", "--answers fin,unacceptable,ack,syn or some of these"),
    "restarts": Question(
        "what restarts TIME-WAIT", "--restarts fin,unacceptable,ack,syn or some of these, or answered, any, none"
    ),
    "reset": Question("which RST ends TIME-WAIT", "--rst ignore, exact, window or any"),
    "rto_max": Question("how long a retransmission may take", "--rto TIME, for instance --rto 60s"),
    "fin_wait_2": Question("how long FIN-WAIT-2 lasts", "--fin-wait-2 TIME, for instance --fin-wait-2 60s"),
}
"""What `Stack.require` says of each knob."""


@dataclass(frozen=True, slots=True)
class Stack:
    """What is known of a stack; None stands for what is not. Times are in seconds.

    Attributes
    ----------
    name : str
        How commands call it.
    title : str
        How people call it.
    note : str
        What the values leave unsaid.
    msl : Fraction or None
        The maximum segment lifetime that the stack reckons with.
    time_wait : Fraction or None
        How long TIME-WAIT lasts; nought where there is none.
    has_time_wait : bool
        Whether there is a TIME-WAIT at all, as opposed to one that lasts no time.
    answers : frozenset of Arrival or None
        What TIME-WAIT answers with an acknowledgement.
    restarts : frozenset of Arrival or None
        What restarts the TIME-WAIT timer.
    reset : ResetRule or None
        Which RST ends TIME-WAIT.
    fin_wait_2 : Fraction or None
        How long an abandoned connection stays in FIN-WAIT-2.
    rto_min : Fraction or None
        The shortest retransmission timeout.
    rto_max : Fraction or None
        The longest retransmission timeout.
    retries : int or None
        How often a FIN is retransmitted before the connection is given up.
    late_data_reset : bool or None
        Whether text for a user who reads no more is answered with a RST.
    sources : mapping of str to Source
        For every known value, under the name of its attribute, where it comes from.
    multiples : mapping of str to int
        The values that are stated as so many MSL.
    """

    name: str
    title: str
    note: str = ""
    msl: Fraction | None = None
    time_wait: Fraction | None = None
    has_time_wait: bool = True
    answers: frozenset[Arrival] | None = None
    restarts: frozenset[Arrival] | None = None
    reset: ResetRule | None = None
    fin_wait_2: Fraction | None = None
    rto_min: Fraction | None = None
    rto_max: Fraction | None = None
    retries: int | None = None
    late_data_reset: bool | None = None
    sources: Mapping[str, Source] = field(default_factory=dict, hash=False)
    multiples: Mapping[str, int] = field(default_factory=dict, hash=False)

    def with_msl(self, msl: Fraction) -> Stack:
        """The same stack for another MSL, in seconds: what it states as a multiple of MSL follows."""
        return replace(
            self,
            msl=msl,
            time_wait=self.multiples["time_wait"] * msl if "time_wait" in self.multiples else self.time_wait,
            rto_max=self.multiples["rto_max"] * msl if "rto_max" in self.multiples else self.rto_max,
        )

    @overload
    def require(self, knob: Literal["msl", "time_wait", "rto_max", "fin_wait_2"]) -> Fraction: ...
    @overload
    def require(self, knob: Literal["answers", "restarts"]) -> frozenset[Arrival]: ...
    @overload
    def require(self, knob: Literal["reset"]) -> ResetRule: ...
    def require(self, knob: str) -> Fraction | frozenset[Arrival] | ResetRule:
        """Return the value of a knob that the question at hand cannot do without.

        Raises
        ------
        MissingValue
            The profile does not know it.
        """
        question = QUESTIONS[knob]
        value: Fraction | frozenset[Arrival] | ResetRule | None = getattr(self, knob)
        if value is None:
            raise MissingValue(f"profile {self.name} does not say {question.text}; give {question.flag}")
        return value


KNOBS = tuple(
    one.name for one in fields(Stack) if one.name not in ("name", "title", "note", "has_time_wait", "sources", "multiples")
)
"""The keys of a profile that carry a value and its source."""


def names() -> tuple[str, ...]:
    """List the profiles that come with the package, in alphabetical order."""
    entries = (resources.files("timewait.spec") / "stacks").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


def load(name_or_path: str | PathLike[str]) -> Stack:
    """Read a profile.

    Parameters
    ----------
    name_or_path : str or path
        One of `names`; or a file, which is anything that contains a ``/`` or ends in ``.toml``.

    Raises
    ------
    UnknownStack
        There is no such profile.
    BrokenStack
        The profile makes no sense.
    """
    wanted = fspath(name_or_path)
    if "/" in wanted or wanted.endswith(".toml"):
        return _load_file(wanted)
    if wanted not in names():
        raise UnknownStack(f"there is no profile {wanted!r}{_meant(wanted.lower(), names())}; known: {', '.join(names())}")
    return _parse(f"{wanted}.toml", (resources.files("timewait.spec") / "stacks" / f"{wanted}.toml").read_bytes())


def _load_file(path: str) -> Stack:
    try:
        content = Path(path).read_bytes()
    except FileNotFoundError:
        raise UnknownStack(f"there is no profile file {path}; the names of known profiles: {', '.join(names())}") from None
    except OSError as error:
        raise BrokenStack(f"{path}: cannot be read: {error.strerror}") from None
    return _parse(path, content)


def _meant(word: str, known: Collection[str]) -> str:
    """Suggest a known word, if one is near."""
    near = difflib.get_close_matches(word, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _parse(file: str, content: bytes) -> Stack:
    try:
        text = content.decode()
        table = tomllib.loads(text)
    except UnicodeDecodeError:
        raise BrokenStack(f"{file}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        end = f"at line {text.count(chr(10)) + 1}, the end of the document"
        raise BrokenStack(f"{file}: {str(error).replace('at end of document', end)}") from None
    return _Profile(file, table).stack()


class _Profile:
    """A parsed file, asked key by key; complaints name the file and the key.

    Parameters
    ----------
    file : str
        The name of the file, for messages.
    table : mapping
        Its content.
    """

    def __init__(self, file: str, table: Mapping[str, object]) -> None:
        self._file = file
        self._table = table
        self._sources: dict[str, Source] = {}
        self._multiples: dict[str, int] = {}

    def stack(self) -> Stack:
        """Put everything together, checked."""
        known = ("name", "title", "note", *KNOBS)
        for key in self._table:
            if key not in known:
                raise self._broken(key, f"is not a key of a profile{_meant(key, known)}; known: {', '.join(known)}")
        answers = self._arrivals("answers", {})
        has_time_wait = self._value("time_wait") != "none"
        stack = Stack(
            name=self._text(self._table, "name", "name"),
            title=self._text(self._table, "title", "title"),
            note=self._text(self._table, "note", "note") if "note" in self._table else "",
            msl=self._duration("msl"),
            time_wait=self._duration("time_wait") if has_time_wait else Fraction(0),
            has_time_wait=has_time_wait,
            answers=answers,
            restarts=self._arrivals("restarts", _words(answers)),
            reset=self._reset("reset"),
            fin_wait_2=self._duration("fin_wait_2"),
            rto_min=self._duration("rto_min"),
            rto_max=self._duration("rto_max"),
            retries=self._count("retries"),
            late_data_reset=self._truth("late_data_reset"),
            sources=self._sources,
            multiples=self._multiples,
        )
        if stack.rto_min is not None and stack.rto_max is not None and stack.rto_min > stack.rto_max:
            raise self._broken("rto_min", "is longer than rto_max")
        return stack

    def _broken(self, key: str, problem: str) -> BrokenStack:
        return BrokenStack(f"{self._file}: {key}: {problem}")

    def _text(self, table: Mapping[str, object], part: str, key: str) -> str:
        text = table.get(part)
        if text is None:
            raise self._broken(key, "is missing")
        if not isinstance(text, str) or not text.strip():
            raise self._broken(key, f"must be a text that is not empty, not {text!r}")
        return text

    def _value(self, key: str) -> object:
        """Return the value of a knob, its source taken down; None if the knob is absent."""
        if key not in self._table:
            return None
        entry = self._table[key]
        if not isinstance(entry, dict):
            raise self._broken(key, "must be a table of value, source and evidence")
        for part in entry:
            if part not in ("value", "source", "evidence"):
                raise self._broken(f"{key}.{part}", "is not known here; a value has value, source and evidence")
        if "value" not in entry:
            raise self._broken(f"{key}.value", "is missing")
        where = self._text(entry, "source", f"{key}.source")
        evidence = self._text(entry, "evidence", f"{key}.evidence")
        if evidence not in EVIDENCE:
            raise self._broken(f"{key}.evidence", f"must be one of {', '.join(EVIDENCE)}, not {evidence!r}")
        self._sources[key] = Source(where, evidence)
        value: object = entry["value"]
        return value

    def _duration(self, key: str) -> Fraction | None:
        value = self._value(key)
        if value is None:
            return None
        if not isinstance(value, str):
            raise self._broken(key, f'must be a length of time in quotes, such as "30s", not {value!r}')
        if multiple := _MULTIPLE.fullmatch(value):
            msl = self._duration("msl") if key != "msl" else None
            if msl is None:
                raise self._broken(key, f"is {value} where msl is not known")
            if key not in ("time_wait", "rto_max"):
                raise self._broken(key, "cannot be stated in MSL; only time_wait and rto_max can")
            self._multiples[key] = int(multiple[1])
            return int(multiple[1]) * msl
        try:
            return parse_duration(value)
        except ValueError as error:
            raise self._broken(key, str(error)) from None

    def _arrivals(self, key: str, words: Mapping[str, frozenset[Arrival]]) -> frozenset[Arrival] | None:
        value = self._value(key)
        if value is None:
            return None
        if isinstance(value, str) and value in words:
            return words[value]
        if value == "answered":
            raise self._broken(key, 'cannot be "answered" where answers is not known')
        expected = "a list of " + ", ".join(Arrival) + "".join(f', or "{word}"' for word in words)
        if not isinstance(value, list):
            raise self._broken(key, f"must be {expected}, not {value!r}")
        for entry in value:
            if entry not in tuple(Arrival):
                raise self._broken(key, f"must be {expected}; {entry!r} is none of them")
        return frozenset(Arrival(entry) for entry in value)

    def _reset(self, key: str) -> ResetRule | None:
        value = self._value(key)
        if value is None:
            return None
        if value not in tuple(ResetRule):
            raise self._broken(key, f"must be one of {', '.join(ResetRule)}, not {value!r}")
        return ResetRule(str(value))

    def _count(self, key: str) -> int | None:
        value = self._value(key)
        if value is None:
            return None
        # To Python true is a whole number, to a reader it is not.
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self._broken(key, f"must be a whole number, nought or more, not {value!r}")
        return value

    def _truth(self, key: str) -> bool | None:
        value = self._value(key)
        if value is None or isinstance(value, bool):
            return value
        raise self._broken(key, f"must be true or false, not {value!r}")


def _words(answers: frozenset[Arrival] | None) -> dict[str, frozenset[Arrival]]:
    """Return the words that `restarts` may be instead of a list."""
    words = {"any": EVERY_ARRIVAL, "none": frozenset[Arrival](), "fin": frozenset({Arrival.FIN})}
    return words if answers is None else {"answered": answers, **words}
