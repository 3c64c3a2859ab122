"""Durations as text, such as ``250ms`` or ``1.5s``, and as exact numbers of seconds."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from itertools import count

SECONDS = {
    "us": Fraction(1, 1_000_000),
    "ms": Fraction(1, 1_000),
    "s": Fraction(1),
    "m": Fraction(60),
    "h": Fraction(3_600),
}
"""The units and their lengths in seconds, shortest first."""

LONGEST_DURATION = 10**12
"""The longest duration in seconds, thirty thousand years."""

MINUTES_FROM = 120
"""The length from which a duration is written in minutes, in seconds."""

_FORM = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>us|ms|s|m|h)")
_PARTS = re.compile(r"(?=.*[0-9])(?:(?P<h>[0-9]+)h)?(?:(?P<m>[0-9]+)m)?(?:(?P<s>[0-9]+(?:\.[0-9]+)?)s)?")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
PLACES = 6
"""The decimal places of a number that has no finite decimal form."""

_LONGEST = 100
"""The longest text accepted; Python refuses to read numbers of thousands of digits."""


def parse_duration(text: str) -> Fraction:
    """Read a duration.

    Parameters
    ----------
    text : str
        A decimal number and its unit, one of `SECONDS`, without a space between; hours, minutes and seconds in a row, such
        as ``2m30s``; or ``0``.

    Returns
    -------
    Fraction
        The exact length in seconds.

    Raises
    ------
    ValueError
        The text is not a duration, or a negative one.
    """
    written = text.strip()
    if written == "0":
        return Fraction(0)
    shown = repr(written if len(written) <= _LONGEST else written[:_LONGEST] + "...")
    if written.startswith("-"):
        raise ValueError(f"a length of time must not be negative: {shown}")
    if len(written) <= _LONGEST:
        if found := _FORM.fullmatch(written):
            return _limited(Fraction(found["number"]) * SECONDS[found["unit"]], shown)
        if found := _PARTS.fullmatch(written):
            parts = (Fraction(number) * SECONDS[unit] for unit, number in found.groupdict("0").items())
            return _limited(sum(parts, Fraction(0)), shown)
        if _NUMBER.fullmatch(written):
            raise ValueError(f"{shown} has no unit; write {written}s for seconds, {written}ms for milliseconds")
    raise ValueError(f"{shown} is not a length of time; write for instance 250ms, 30s, 1.5s, 2m or 1h")


def _limited(seconds: Fraction, shown: str) -> Fraction:
    if seconds > LONGEST_DURATION:
        raise ValueError(f"{shown} is too long a time")
    return seconds


@lru_cache(maxsize=4096)
def format_duration(seconds: Fraction) -> str:
    """Write a duration as a person would, in a text that `parse_duration` reads.

    The size chooses the unit: ``999.5ms``, ``60s``, ``59.901s``, from two minutes on ``2m`` and ``2m30s``. The text is exact.
    Only a value without a decimal form, such as a third of a second, is rounded to six places, and not read back unchanged.
    """
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds == 0:
        return "0"
    if seconds >= SECONDS["ms"] and not _is_decimal(seconds):
        seconds = Fraction(round(seconds * 10**PLACES), 10**PLACES)
    if seconds < 1:
        unit = "ms" if seconds >= SECONDS["ms"] else "us"
        return _decimal(seconds / SECONDS[unit]) + unit
    if seconds < MINUTES_FROM:
        return _decimal(seconds) + "s"
    whole, rest = divmod(seconds, 60)
    hours, minutes = divmod(whole, 60)
    parts = [f"{hours}h" if hours else "", f"{minutes}m" if minutes else "", f"{_decimal(rest)}s" if rest else ""]
    return "".join(parts)


def _is_decimal(number: Fraction) -> bool:
    """Whether a number has a finite decimal form."""
    rest = number.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    return rest == 1


def _decimal(number: Fraction) -> str:
    """Write a number as a decimal, exact if possible, else to six places."""
    places = PLACES
    if _is_decimal(number):
        places = next(exact for exact in count() if (number * 10**exact).denominator == 1)
    whole, part = divmod(round(number * 10**places), 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".") if places else str(whole)
