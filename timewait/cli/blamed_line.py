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


def with_blame(case: ReportedCase, stack: Stack, values: Sequence[BlamedValue], wished: str) -> ReportedCase:
    """The case at the line of the first value, with all values in its advice."""
    now = listed([f"{each.setting} = {each.value}" for each in values])
    instead = listed([f"{each.setting} = {each.instead}" for each in values])
    return replace(
        case, location=location_of_value(stack, values[0].setting), advice=f"{now}; with {instead} the verdict is {wished}"
    )
