"""Formatting of durations, lists, counts and citations in sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS

DIGITS = 3
"""Significant digits of a rounded duration."""

SHOWN_FRAMES = 4
"""Frames that are listed one by one."""

SHORT = 6
"""Characters up to which an exact duration counts as short."""

_CITATION = re.compile(r"RFC (?P<rfc>\d+)(?: (?P<section>\d+(?:\.\d+)*))?")


def rounded(seconds: Fraction) -> str:
    """A duration to three significant digits, from a minute on to the second, with the unit that reads best."""
    if seconds == 0:
        return "0"
    exponent = 0
    size = abs(seconds)
    while size >= 10**DIGITS:
        size, exponent = size / 10, exponent + 1
    while size < 10 ** (DIGITS - 1):
        size, exponent = size * 10, exponent - 1
    value = round(size) * Fraction(10) ** exponent
    if value < Fraction(1, 1_000):
        return f"{float(value * 1_000_000):g}us"
    if value < 1:
        return f"{float(value * 1_000):g}ms"
    return format_duration(value if value < 60 else Fraction(round(seconds)))


def short_duration(seconds: Fraction) -> str:
    """A duration: exact where that is short, else rounded."""
    exact = format_duration(seconds)
    return exact if len(exact) <= SHORT else rounded(seconds)


def listed(words: Sequence[str], last: str = "and") -> str:
    """An enumeration: ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(number: int, thing: str, things: str = "") -> str:
    """A count: ``1 octet``, ``2 octets``, ``no octets``."""
    if number == 1:
        return f"1 {thing}"
    return f"{number:,} {things or thing + 's'}" if number else f"no {things or thing + 's'}"


def frames_in_words(frames: Sequence[int]) -> str:
    """Frames of a capture: ``frame 7``, ``frames 7 and 9``, ``frames 7 to 30``; empty for none."""
    if len(frames) > SHOWN_FRAMES:
        return f"frames {min(frames)} to {max(frames)}"
    return f"frame{'s' if len(frames) > 1 else ''} {listed([str(frame) for frame in frames])}" if frames else ""


def bracketed(text: str) -> str:
    """A text in brackets; empty for an empty one."""
    return f"({text})" if text else ""


def times(number: int) -> str:
    """How often: ``once``, ``twice``, ``3 times``."""
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def capitalised(text: str) -> str:
    """The text with a capital first letter; the other letters stay."""
    return text[:1].upper() + text[1:]


def other_end(end: str) -> str:
    """B for A, and A for B; empty for any other actor."""
    return ENDS[1 - ENDS.index(end)] if end in ENDS else ""


def citation_url(citation: str) -> str:
    """The address of the first RFC section in a citation such as ``RFC 9293 3.10.7.4 first step``; empty if it names none."""
    cited = _CITATION.search(citation)
    if cited is None:
        return ""
    section = f"#section-{cited['section']}" if cited["section"] else ""
    return f"https://www.rfc-editor.org/rfc/rfc{cited['rfc']}{section}"
