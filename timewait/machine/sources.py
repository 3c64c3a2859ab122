"""Where the settings of a machine come from: files below ``/proc/sys``, or the output of ``sysctl -a``."""

from __future__ import annotations

import codecs
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from timewait.vocabulary.errors import InputError
from timewait.vocabulary.input_files import SMALL, read_octets, read_stream

PROC = Path("/proc/sys")
"""The directory of the settings of a running Linux."""

LARGEST_LISTING = 16 * 2**20
"""The largest text that is read, in octets."""

LAST_PORT = 65_535

_LINE = re.compile(r"(?P<name>[A-Za-z0-9_][\w.\-/]*)\s*[=:]\s?(?P<value>.*)")


class HostUnreadable(InputError):
    """The settings cannot be read, or are of no system that is known."""


class SettingsSource(Protocol):
    """Settings by their dotted names, such as ``net.ipv4.tcp_fin_timeout``."""

    def text(self, name: str) -> str:
        """The value of a setting, as the kernel writes it.

        Raises
        ------
        HostUnreadable
            There is no such setting, or it cannot be read.
        """
        ...

    def knows(self, name: str) -> bool:
        """Whether there is such a setting."""
        ...

    def where(self, name: str) -> str:
        """Where the value of a setting stands, for error messages."""
        ...


@dataclass(frozen=True, slots=True)
class SettingsFolder:
    """A directory such as ``/proc/sys``, with a file for each setting; the part below ``net/ipv4`` alone is enough.

    Attributes
    ----------
    root : Path
        The directory.
    """

    root: Path = PROC

    def _path(self, name: str) -> Path:
        whole = self.root / name.replace(".", "/")
        short = self.root / name.removeprefix("net.ipv4.")
        return short if not _exists(whole) and name.startswith("net.ipv4.") and not _exists(self.root / "net") else whole

    def text(self, name: str) -> str:
        path = self._path(name)
        try:
            return read_octets(path, SMALL).decode("ascii").strip()
        except (OSError, UnicodeDecodeError) as problem:
            reason = problem.strerror if isinstance(problem, OSError) else "it is not text"
            raise HostUnreadable(f"cannot read {path}: {reason}") from None

    def knows(self, name: str) -> bool:
        return _exists(self._path(name))

    def where(self, name: str) -> str:
        return str(self._path(name))


@dataclass(frozen=True, slots=True)
class SettingsListing:
    """The output of ``sysctl -a``, of Linux, FreeBSD or macOS.

    Attributes
    ----------
    origin : str
        The name of the file.
    values : mapping of str to str
        The values by name.
    """

    origin: str
    values: Mapping[str, str]

    def text(self, name: str) -> str:
        try:
            return self.values[name].strip()
        except KeyError:
            raise HostUnreadable(f"{self.origin} has no line for {name}") from None

    def knows(self, name: str) -> bool:
        return name in self.values

    def where(self, name: str) -> str:
        return f"{self.origin}, {name}"


def _exists(path: Path) -> bool:
    """Whether there is such a file, as far as this user may see it."""
    return os.path.exists(path)  # noqa: PTH110 # which raises nothing, unlike `Path.exists`


def settings_of_folder(root: Path = PROC) -> SettingsFolder:
    """The settings in a directory.

    Parameters
    ----------
    root : Path
        ``/proc/sys``, a copy of it, or the part of a copy below ``net/ipv4``.

    Raises
    ------
    HostUnreadable
        There is no such directory.
    """
    try:
        found = (root / "net" / "ipv4").is_dir() or (root.is_dir() and root != PROC)
    except OSError as problem:
        raise HostUnreadable(f"cannot read {root}: {problem.strerror}") from None
    if not found:
        raise HostUnreadable(f"this machine shows no Linux TCP settings: there is no directory {root / 'net' / 'ipv4'}")
    return SettingsFolder(root)


def decoded(octets: bytes) -> str:
    """The text of a listing: UTF-8, or with a byte-order mark UTF-16, as some shells write what is redirected to a file."""
    utf_16 = octets.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return octets.decode("utf-16" if utf_16 else "utf-8-sig", errors="replace")


def settings_of_text(text: str, origin: str) -> SettingsListing:
    """The settings in the output of ``sysctl -a``; lines that are no settings are skipped.

    Raises
    ------
    HostUnreadable
        No line is a setting of TCP.
    """
    values = {
        found["name"].replace("/", "."): found["value"] for line in text.splitlines() if (found := _LINE.fullmatch(line.strip()))
    }
    if not any(name.startswith(("net.ipv4.", "net.inet.")) for name in values):
        raise HostUnreadable(f"{origin} holds no TCP settings; save the output of: sysctl -a")
    return SettingsListing(origin, values)


def settings_of_file(path: Path) -> SettingsSource:
    """The settings in a directory, or in a file with the output of ``sysctl -a``.

    Raises
    ------
    HostUnreadable
        It cannot be read.
    """
    try:
        if path.is_dir():
            return settings_of_folder(path)
        return settings_of_text(decoded(read_octets(path, LARGEST_LISTING)), str(path))
    except OSError as problem:
        raise HostUnreadable(f"cannot read {path}: {problem.strerror}") from None


def settings_of_stream(stream: BinaryIO, name: str) -> SettingsListing:
    """The settings in a stream with the output of ``sysctl -a``; errors as of `settings_of_file`."""
    try:
        return settings_of_text(decoded(read_stream(stream, LARGEST_LISTING)), name)
    except OSError as problem:
        raise HostUnreadable(f"cannot read {name}: {problem.strerror}") from None


def number(source: SettingsSource, name: str, bounds: tuple[int, int] | None = None) -> int:
    """A setting that is a whole number.

    Parameters
    ----------
    source : SettingsSource
        Where it is read.
    name : str
        Its dotted name.
    bounds : (int, int), optional
        The least and the greatest value that the kernel accepts.

    Raises
    ------
    HostUnreadable
        It cannot be read, is something else, or is beyond the bounds.
    """
    expected = "a whole number, zero or more" if bounds is None else f"a whole number from {bounds[0]} to {bounds[1]}"
    (found,) = numbers(source, name, 1, expected)
    if bounds is not None and not bounds[0] <= found <= bounds[1]:
        raise HostUnreadable(f"cannot make sense of {source.where(name)}: {found} is not {expected}")
    return found


def numbers(source: SettingsSource, name: str, count: int, expected: str) -> list[int]:
    """A setting that is a number of whole numbers; raises as `number`."""
    text = source.text(name)
    words = text.split()
    if len(words) != count or not all(word.isascii() and word.isdecimal() and len(word) <= 19 for word in words):
        raise HostUnreadable(f"cannot make sense of {source.where(name)}: {text[:60]!r} is not {expected}")
    return [int(word) for word in words]


def port_range(source: SettingsSource, name: str, low: int, high: int) -> tuple[int, int]:
    """The first and the last of some ports.

    Raises
    ------
    HostUnreadable
        They are no port numbers, or the first is above the last.
    """
    if not 1 <= low <= high <= LAST_PORT:
        what = f"two port numbers, from 1 to {LAST_PORT}, the lower first"
        raise HostUnreadable(f"cannot make sense of {source.where(name)}: '{low} {high}' is not {what}")
    return low, high


def optional_number(source: SettingsSource, name: str, bounds: tuple[int, int] | None = None) -> int | None:
    """A whole number that some systems lack; None where it is missing. Parameters and errors as of `number`."""
    return number(source, name, bounds) if source.knows(name) else None
