"""Small pieces of prose that more than one module needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

from timewait.spec.duration import format_duration

_CITATION = re.compile(r"RFC (?P<rfc>\d+)(?: (?P<section>\d+(?:\.\d+)*))?")

DIGITS = 3
SHORT = 6


def rounded(seconds: Fraction) -> str:
    """A measured length of time as people say it: to three digits."""
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
    return (
        f"{float(value * 1_000):g}ms"
        if value < 1
        else format_duration(value)
        if value < 60
        else format_duration(Fraction(round(seconds)))
    )


def short_duration(seconds: Fraction) -> str:
    """A moment or a length of time: exact where that is short, else to three digits."""
    exact = format_duration(seconds)
    return exact if len(exact) <= SHORT else rounded(seconds)


def listed(words: Sequence[str], last: str = "and") -> str:
    """Several things in a row: ``a, b and c``."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"


def counted(number: int, thing: str, things: str = "") -> str:
    """So many of a thing: ``1 octet``, ``2 octets``, ``no octets``."""
    if number == 1:
        return f"1 {thing}"
    return f"{number:,} {things or thing + 's'}" if number else f"no {things or thing + 's'}"


def citation_url(citation: str) -> str:
    """The address of the first RFC section in a citation such as ``RFC 9293 3.10.7.4 first step``; empty if it names none."""
    cited = _CITATION.search(citation)
    if cited is None:
        return ""
    section = f"#section-{cited['section']}" if cited["section"] else ""
    return f"https://www.rfc-editor.org/rfc/rfc{cited['rfc']}{section}"
