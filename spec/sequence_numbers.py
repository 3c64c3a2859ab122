"""Sequence numbers on the wire: 32 bits, compared around the end (RFC 9293 3.4, RFC 1982)."""

from __future__ import annotations

NUMBERS = 2**32
"""How many there are."""

HALF_THE_NUMBERS = NUMBERS // 2
"""Sequence numbers further apart than this compare the other way round."""


def wrapped(number: int) -> int:
    """A number as it stands on the wire."""
    return number % NUMBERS


def difference(number: int, reference: int) -> int:
    """By how much a number is ahead of a reference; negative where it is behind, at least -2**31 and less than 2**31."""
    return wrapped(number - reference + HALF_THE_NUMBERS) - HALF_THE_NUMBERS
