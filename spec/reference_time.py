"""Times in the reference semantics: a timer that expires late."""

from __future__ import annotations

from fractions import Fraction

from timewait.spec.duration import format_duration

NOTICEABLE = 100
"""A timer that expires late by more than one part in so many of its length is called late."""

INSTANT = Fraction(1, 1000)
"""The most by which a timer expires late without being called late, however short it is, in seconds."""


def late_in_words(elapsed: Fraction, length: Fraction) -> str:
    """By how much a timer has expired late, if a reader would notice; otherwise empty."""
    late = elapsed - length
    return f", so {format_duration(late)} late" if late > max(length / NOTICEABLE, INSTANT) else ""
