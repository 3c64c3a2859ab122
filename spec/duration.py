"""Durations as text, such as ``250ms`` or ``1.5s``, and as exact numbers of seconds."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache

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

_FORM = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>us|ms|s|m|h)")
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_LONGEST = 100
"""The longest text accepted; Python refuses to read numbers of thousands of digits."""


def parse_duration(text: str) -> Fraction:
    """Read a duration.

    Parameters
    ----------
    text : str
        A decimal number and its unit, one of `SECONDS`, without a space between; or ``0``.

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
            if (seconds := Fraction(found["number"]) * SECONDS[found["unit"]]) > LONGEST_DURATION:
                raise ValueError(f"{shown} is too long a time")
            return seconds
        if _NUMBER.fullmatch(written):
            raise ValueError(f"{shown} has no unit; write {written}s for seconds, {written}ms for milliseconds")
    raise ValueError(f"{shown} is not a length of time; write for instance 250ms, 30s, 1.5s, 2m or 1h")


@lru_cache(maxsize=4096)
def format_duration(seconds: Fraction) -> str:
    """Write a duration in seconds as the shortest exact text that `parse_duration` reads.

    The text is a whole number of a unit, so a fifth of a second is ``200ms``; otherwise, or where it is shorter, a decimal
    number of seconds. A value without a decimal form, such as a third of a second, is rounded to microseconds; only such a
    text is not read back unchanged.
    """
    if seconds < 0:
        return "-" + format_duration(-seconds)
    if seconds == 0:
        return "0"
    forms = [f"{seconds / length}{unit}" for unit, length in SECONDS.items() if (seconds / length).denominator == 1]
    if seconds > 1 or not forms:
        forms.append(_decimal(seconds) + "s")
    # Of two forms of one length, prefer the larger unit.
    return min(reversed(forms), key=len)


def _decimal(number: Fraction) -> str:
    """Write a number as a decimal, exact if possible, else to six places."""
    rest, places = number.denominator, 0
    while rest % 2 == 0 or rest % 5 == 0:
        rest //= 10 if rest % 10 == 0 else 2 if rest % 2 == 0 else 5
        places += 1
    if rest != 1:
        places = 6
    whole, part = divmod(round(number * 10**places), 10**places)
    return f"{whole}.{part:0{places}d}".rstrip("0").rstrip(".") if places else str(whole)
