"""A load: how many connections a program opens, and when."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from timewait.narration.prose import counted
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.input_files import read_octets

NANOSECONDS = 1_000_000_000
"""In a second: the unit of every instant of a simulation."""

LARGEST_FILE = 16 * 2**20
"""The largest CSV file that is read, in octets."""


class BrokenLoad(InputError):
    """A CSV file that is no load; the message names the file and the line."""


class Stretch(NamedTuple):
    """A time during which connections are opened at equal intervals.

    Attributes
    ----------
    begin, end : int
        In nanoseconds; the end does not belong to it.
    rate : Fraction
        Connections per second.
    """

    begin: int
    end: int
    rate: Fraction

    def instant(self, number: int) -> int:
        """The instant of the connection of a number, from 0, in nanoseconds."""
        return self.begin + number * NANOSECONDS * self.rate.denominator // self.rate.numerator

    @property
    def connections(self) -> int:
        """How many connections are opened in it."""
        if not self.rate:
            return 0
        return self.first_from(self.end)

    def first_from(self, instant: int) -> int:
        """The number of the first connection that is opened at an instant or later; the rate is not zero."""
        number = max(instant - self.begin, 0) * self.rate.numerator // (NANOSECONDS * self.rate.denominator)
        while self.instant(number) < instant:
            number += 1
        return number


Load = tuple[Stretch, ...]
"""Stretches in order of time, without overlap."""


def constant(rate: Fraction, duration: Fraction) -> Load:
    """A constant load.

    Parameters
    ----------
    rate : Fraction
        Connections per second.
    duration : Fraction
        In seconds.
    """
    return (Stretch(0, int(duration * NANOSECONDS), rate),)


def read_load(path: Path, tail: Fraction) -> Load:
    """Read a load from a CSV file with the columns ``time`` and ``rate``.

    Each row states the connections per second from its time on, in seconds, until the time of the next row.

    Parameters
    ----------
    path : Path
        The file.
    tail : Fraction
        How long the rate of the last row lasts, in seconds.

    Raises
    ------
    BrokenLoad
        The file cannot be read, or a row makes no sense.
    """
    rows = list(_rows(path))
    if not rows:
        raise BrokenLoad(f"{path}: there is no row; write for instance time,rate and then 0,1000")
    times = [time for time, _ in rows] + [rows[-1][0] + tail]
    edges = [int(time * NANOSECONDS) for time in times]
    return tuple(Stretch(begin, end, rate) for (begin, end), (_, rate) in zip(pairwise(edges), rows, strict=True))


def _rows(path: Path) -> Iterator[tuple[Fraction, Fraction]]:
    """The rows of the file; each time later than the one before."""
    lines = _lines(path)
    before = Fraction(-1)
    for number, fields in enumerate(lines, start=1):
        if not any(field.strip() for field in fields) or (
            number == 1 and [field.strip().lower() for field in fields] == ["time", "rate"]
        ):
            continue
        time, rate = _pair(fields, f"{path}, line {number}")
        if time <= before:
            raise BrokenLoad(f"{path}, line {number}: each time must be later than the one before")
        before = time
        yield time, rate


def _lines(path: Path) -> Iterator[list[str]]:
    """The fields of each line."""
    reader = csv.reader(_text(path).splitlines())
    try:
        yield from reader
    except csv.Error as problem:
        raise BrokenLoad(f"{path}, line {reader.line_num}: {problem}") from None


def _text(path: Path) -> str:
    try:
        return read_octets(path, LARGEST_FILE).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BrokenLoad(f"{path}: the file is not text in UTF-8") from None
    except OSError as problem:
        raise BrokenLoad(f"cannot read {path}: {problem.strerror}") from None


def _pair(fields: Sequence[str], where: str) -> tuple[Fraction, Fraction]:
    if len(fields) != 2:
        raise BrokenLoad(f"{where}: {counted(len(fields), 'field')} instead of the two, time and rate")
    numbers = []
    for field in fields:
        text = field.strip()
        if not text.isascii() or not text.replace(".", "", 1).isdecimal() or len(text) > 20:
            raise BrokenLoad(f"{where}: {text[:20]!r} is not a number of seconds or of connections per second")
        numbers.append(Fraction(text))
    return numbers[0], numbers[1]
