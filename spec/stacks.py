"""Profiles of real TCP stacks: how each closes a connection, how long it waits, and the source of every value.

A profile is a TOML file. Beside ``name``, ``title`` and ``note`` every key is a setting (`timewait.spec.settings`), a table
of ``value``, ``source`` and ``evidence``. The value of an absent key is unknown. The profiles of the package lie in
``spec/stacks``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cache
from importlib import resources
from os import PathLike, fspath
from pathlib import Path
from typing import Any, NamedTuple

from timewait.spec.duration import format_duration, parse_duration
from timewait.spec.durations import DURATIONS, Durations, NoLimit
from timewait.spec.setting import Setting
from timewait.spec.settings import EVERY_ARRIVAL, PROFILE_KEYS, SETTINGS, Arrival
from timewait.vocabulary.errors import InputError, RequestError
from timewait.vocabulary.input_files import SMALL, read_octets
from timewait.vocabulary.suggestions import advice
from timewait.vocabulary.untrusted import parse_toml, shown, unprintable, visible

LISTED = "'timewait stacks' lists the profiles"
"""Where to find the names of profiles."""

KEYS = "'timewait stacks rfc9293' shows every key"
"""Where to find the keys of a profile."""

EVIDENCE = {
    "read": "read in the named file at the named version",
    "excerpt": "seen as an excerpt, its version not pinned",
    "documented": "stated by documentation or an issue thread",
    "measured": "seen on the running stack",
}
"""How far a value can be trusted."""

DEFAULT_STACK = "rfc9293-intended"
"""The default stack: RFC 9293 (intended reading)."""

MAX_WHOLE = 1_000_000
"""The largest whole number of a setting."""

_MULTIPLE = re.compile(r"([1-9][0-9]{0,5}) ?\* ?msl")
"""A duration stated as a multiple of MSL."""


class UnknownStack(RequestError):
    """There is no such profile; the message lists the known ones."""


class BrokenStack(InputError):
    """A profile makes no sense; the message names the file, the key and the problem."""


class MissingValue(RequestError):
    """A profile does not state a required value; the message names the option that supplies it."""


class Source(NamedTuple):
    """The source of a value.

    Attributes
    ----------
    where : str
        A file of the stack and its version, a section of a standard, or the test that was made.
    evidence : str
        One of `EVIDENCE`.
    """

    where: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stack(Durations):
    """The known settings of a stack.

    Attributes
    ----------
    name : str
        Its name in commands.
    title : str
        Its full name.
    note : str
        What the values leave out.
    has_time_wait : bool
        Whether there is a TIME-WAIT, as opposed to one that lasts no time.
    behaviour : mapping of str to object
        The known settings of `timewait.spec.settings.Behaviour`, by name.
    sources : mapping of str to Source
        The source of every known value, by the name of its setting.
    multiples : mapping of str to int
        The durations that the profile states as multiples of MSL.
    without_limit : frozenset of str
        The durations that the profile states to have no limit.
    alike : frozenset of str
        The settings that the profile states by the word ``answered``: to have the value of another one.
    file : str
        The file that it was read from; empty for a profile of the package.
    """

    name: str
    title: str
    note: str = ""
    has_time_wait: bool = True
    behaviour: Mapping[str, Any] = field(default_factory=dict, hash=False)
    sources: Mapping[str, Source] = field(default_factory=dict, hash=False)
    multiples: Mapping[str, int] = field(default_factory=dict, hash=False)
    without_limit: frozenset[str] = frozenset()
    alike: frozenset[str] = field(default=frozenset(), compare=False)
    file: str = field(default="", compare=False)

    def with_msl(self, msl: Fraction) -> Stack:
        """Return the same stack for another MSL, in seconds; multiples of MSL follow it."""
        durations: dict[str, Any] = {name: factor * msl for name, factor in self.multiples.items()}
        return replace(self, msl=msl, **durations)

    def without_time_wait(self) -> Stack:
        """Return the same stack without TIME-WAIT."""
        multiples = {name: factor for name, factor in self.multiples.items() if name != "time_wait"}
        sources = {name: source for name, source in self.sources.items() if name != "time_wait"}
        return replace(self, has_time_wait=False, time_wait=Fraction(0), multiples=multiples, sources=sources)

    def with_values(self, values: Mapping[str, tuple[Any, Source]]) -> Stack:
        """Return the stack with other values of some settings, each with its source."""
        stated = {name: value for name, (value, _) in values.items()}
        return replace(
            self,
            without_limit=self.without_limit - stated.keys(),
            behaviour={**self.behaviour} | {name: value for name, value in stated.items() if name not in DURATIONS},
            sources={**self.sources} | {name: source for name, (_, source) in values.items()},
            **{name: value for name, value in stated.items() if name in DURATIONS},
        )

    def value(self, name: str) -> Any:
        """Return the value of a setting; None if it is unknown, `NoLimit.NONE` for a duration without limit."""
        if name in self.without_limit:
            return NoLimit.NONE
        return getattr(self, name) if name in DURATIONS else self.behaviour.get(name)

    def require(self, name: str) -> Any:
        """Return the value of a setting.

        Raises
        ------
        MissingValue
            The value is unknown.
        """
        value = self.value(name)
        if value is None:
            entry = SETTINGS[name]
            raise MissingValue(f"profile {self.name} does not say {entry.meaning}; give {entry.supplied_by}")
        return value

    def described(self, name: str) -> str:
        """Describe the value of a setting in a word or two."""
        value = self.value(name)
        if name == "time_wait" and not self.has_time_wait:
            return "none"
        if value is None:
            return "not known"
        if value is NoLimit.NONE:
            return "no limit"
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, Fraction):
            return format_duration(value)
        return ", ".join(sorted(value)) or "nothing" if isinstance(value, frozenset) else str(value)


def stack_names() -> tuple[str, ...]:
    """List the profiles that come with the package, in alphabetical order."""
    entries = (resources.files("timewait.spec") / "stacks").iterdir()
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in entries if entry.name.endswith(".toml")))


def load_stack(name_or_path: str | PathLike[str]) -> Stack:
    """Read a profile.

    Parameters
    ----------
    name_or_path : str or path
        One of `stack_names`, or a file: anything that contains a ``/`` or ends in ``.toml``.

    Raises
    ------
    UnknownStack
        There is no such profile.
    BrokenStack
        The profile makes no sense.
    """
    name = fspath(name_or_path)
    if "/" in name or name.endswith(".toml"):
        return _load_file(name)
    if name not in stack_names():
        raise UnknownStack(f"there is no profile {name!r}; {advice(name, stack_names(), LISTED)}")
    return _shipped(name)


@cache
def _shipped(name: str) -> Stack:
    """A profile of this package; nothing changes its file while the process runs."""
    return _parse(f"{name}.toml", (resources.files("timewait.spec") / "stacks" / f"{name}.toml").read_bytes())


def _load_file(path: str) -> Stack:
    if problem := unprintable(path):
        raise UnknownStack(f"{shown(path)} is {problem}; rename it, since reports show the name")
    try:
        content = read_octets(Path(path), SMALL)
    except FileNotFoundError:
        raise UnknownStack(f"there is no profile file {path}; {LISTED}") from None
    except OSError as error:
        raise BrokenStack(f"{path}: cannot be read: {error.strerror}") from None
    return _parse(path, content, path)


def _parse(file: str, content: bytes, path: str = "") -> Stack:
    try:
        table = parse_toml(content)
    except ValueError as error:
        raise BrokenStack(f"{file}: {error}") from None
    return replace(_Profile(file, table).stack(), file=path)


class _Profile:
    """A parsed file, read key by key; errors name the file and the key.

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
        self._multiples: dict[str, int] = {}

    def stack(self) -> Stack:
        """Return the stack, checked."""
        known = ("name", "title", "note", *PROFILE_KEYS)
        for key in self._table:
            if key not in known:
                raise self._broken(key, f"is not a key of a profile; {advice(key, known, KEYS)}")
        stated = {key: self._stated(key) for key in PROFILE_KEYS if key in self._table}
        without_limit = frozenset(key for key in stated if SETTINGS[key].may_lack_limit and self._raw(key) == NoLimit.NONE)
        values = {key: self._value(SETTINGS[key]) for key in stated if key not in without_limit}
        stack = Stack(
            name=self._text(self._table, "name", "name"),
            title=self._text(self._table, "title", "title"),
            note=self._text(self._table, "note", "note") if "note" in self._table else "",
            has_time_wait=not self._lacks_time_wait(),
            behaviour={key: value for key, value in values.items() if key not in DURATIONS},
            sources=stated,
            multiples=self._multiples,
            without_limit=without_limit,
            alike=frozenset(key for key in stated if SETTINGS[key].alike and self._raw(key) == "answered"),
            **{key: value for key, value in values.items() if key in DURATIONS},
        )
        if stack.rto_min is not None and stack.rto_max is not None and stack.rto_min > stack.rto_max:
            raise self._broken("rto_min", "is longer than rto_max")
        return stack

    def _broken(self, key: str, problem: str) -> BrokenStack:
        return BrokenStack(f"{self._file}: {visible(key)}: {visible(problem)}")

    def _text(self, table: Mapping[str, object], part: str, key: str) -> str:
        text = table.get(part)
        if text is None:
            raise self._broken(key, "is missing")
        if not isinstance(text, str) or not text.strip():
            raise self._broken(key, f"must be a text that is not empty, not {shown(text)}")
        if part in ("name", "title") and (problem := unprintable(text)):
            raise self._broken(key, f"is {problem}")
        return " ".join(text.split())

    def _stated(self, key: str) -> Source:
        """Check the table of a setting and return its source."""
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
        return Source(where, evidence)

    def _raw(self, key: str) -> Any:
        """Return the value of a key as TOML has it; None if the key is absent."""
        entry = self._table.get(key)
        return entry.get("value") if isinstance(entry, dict) else None

    def _lacks_time_wait(self) -> bool:
        return bool(self._raw("time_wait") == "none")

    def _value(self, entry: Setting) -> Any:
        """Return the value of a setting, by the type that the setting declares."""
        key, value = entry.name, self._raw(entry.name)
        if entry.kind is Fraction:
            return self._duration(entry, value)
        if entry.kind is frozenset:
            return self._arrivals(entry, value)
        if entry.kind is bool:
            if isinstance(value, bool):
                return value
            raise self._broken(key, f"must be true or false, not {shown(value)}")
        if entry.kind is int:
            # To Python true is a whole number, to a reader it is not.
            if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_WHOLE:
                return value
            raise self._broken(key, f"must be a whole number from 0 to {MAX_WHOLE:,}, not {shown(value)}")
        if value not in entry.choices:
            raise self._broken(key, f"must be one of {', '.join(entry.choices)}, not {shown(value)}")
        return entry.kind(value)

    def _duration(self, entry: Setting, value: object) -> Fraction:
        key = entry.name
        if key == "time_wait" and self._lacks_time_wait():
            return Fraction(0)
        if not isinstance(value, str):
            raise self._broken(key, f'must be a length of time in quotes, such as "30s", not {shown(value)}')
        if multiple := _MULTIPLE.fullmatch(value):
            if key == "msl" or self._raw("msl") is None:
                raise self._broken(key, f"is {value} where msl is not known")
            if not entry.in_msl:
                allowed = " and ".join(name for name, other in DURATIONS.items() if other.in_msl)
                raise self._broken(key, f"cannot be stated in MSL; only {allowed} can")
            self._multiples[key] = int(multiple[1])
            return int(multiple[1]) * self._duration(DURATIONS["msl"], self._raw("msl"))
        try:
            return parse_duration(value)
        except ValueError as error:
            raise self._broken(key, str(error)) from None

    def _arrivals(self, entry: Setting, value: object) -> frozenset[Arrival]:
        key, words = entry.name, self._words(entry)
        if isinstance(value, str) and value in words:
            return words[value]
        if value == "answered":
            raise self._broken(key, 'cannot be "answered" where answers is not known')
        expected = "a list of " + ", ".join(Arrival) + " ([] for none)" + "".join(f', or "{word}"' for word in words)
        if not isinstance(value, list):
            raise self._broken(key, f"must be {expected}, not {shown(value)}")
        for part in value:
            if part not in tuple(Arrival):
                raise self._broken(key, f"must be {expected}; {part!r} is none of them")
        return frozenset(map(Arrival, value))

    def _words(self, entry: Setting) -> dict[str, frozenset[Arrival]]:
        """The words that may stand for a list, with the list that each stands for."""
        if not entry.alike:
            return {}
        words = {"any": EVERY_ARRIVAL, "none": frozenset[Arrival](), "fin": frozenset({Arrival.FIN})}
        other = SETTINGS[entry.alike]
        known = self._raw(other.name)
        return words if known is None else {"answered": self._arrivals(other, known), **words}
