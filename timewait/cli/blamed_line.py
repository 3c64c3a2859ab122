"""The line of a profile to which a verdict is due."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from timewait.blame import BlamedValue
from timewait.formats.case import ReportedCase
from timewait.formats.source_locations import SourceLocation, users_location
from timewait.formats.toml_lines import line_of
from timewait.narration.prose import listed
from timewait.spec.stacks import Stack
from timewait.vocabulary.input_files import SMALL, read_octets


def location_of_value(stack: Stack, setting: str) -> SourceLocation | None:
    """The line of a value in the file of a profile; None for a profile of the package."""
    if not stack.file:
        return None
    try:
        text = read_octets(Path(stack.file), SMALL).decode("utf-8-sig")
        return users_location(Path(stack.file), line_of(text, (setting, "value")))
    except (OSError, ValueError, KeyError):  # the file has changed since it was read
        return None


def with_blame(case: ReportedCase, stack: Stack, ways: Sequence[Sequence[BlamedValue]], wished: str) -> ReportedCase:
    """The case at the line of the first value, with all values in its advice; the lines of other ways stand beside them."""
    now = listed([f"{each.setting} = {each.value}" for way in ways for each in way])
    first, *further = [listed([f"{each.setting} = {each.instead}" for each in way]) for way in ways]
    instead = "".join([first, *(f", or with {text}{_line(stack, way[0])}," for text, way in zip(further, ways[1:], strict=True))])
    place = location_of_value(stack, ways[0][0].setting)
    return replace(case, location=place, advice=f"{now}; with {instead} the verdict is {wished}")


def _line(stack: Stack, value: BlamedValue) -> str:
    """The line of a value in its file, in brackets; empty where that is not known."""
    place = location_of_value(stack, value.setting)
    return "" if place is None else f" (line {place.line})"
