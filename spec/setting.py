"""The description of one setting: its meaning, its source, its option, its role in profiles."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, get_args, get_type_hints


class InProfile(StrEnum):
    """The role of a setting in profiles, and the treatment of a value that a profile leaves out."""

    ABSENT = "absent"
    """A profile has no such key; the setting keeps its default unless it is overridden."""
    REQUIRED = "required"
    """An unknown value that matters is an error, which names the option that supplies it."""
    ASSUMED = "assumed"
    """An unknown value that matters is replaced by the default, and a note says so."""
    REPORTED = "reported"
    """The value is shown, but only an override is used."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes
    ----------
    meaning : str
        The meaning, as an indirect question.
    section : str
        The section of the standard, or the name of the mechanism.
    option : str
        The option that overrides it; empty if there is none. The option of a `switch` negates the default.
    takes : str
        The argument of the option, for error messages.
    help : str
        The help text of the option.
    profile : InProfile
        Its role in profiles.
    matters_with : str
        The setting that must be on for this one to matter; empty if this one always matters.
    follows : str
        The setting of `Durations` from which this one is computed; empty if it is stated by itself.
    alike : str
        The setting whose value the word ``answered`` stands for.
    in_msl : bool
        Whether a profile may state it as a multiple of MSL.
    may_lack_limit : bool
        Whether ``none``, no limit, is a value of this duration.
    json : str
        Its name among the parameters in the JSON of a verdict; empty if it is not among them.
    name : str
        The name of the field, which is also its key in a profile.
    default : object
        The default of the field; None stands for no limit, or for unknown.
    kind : type
        The type of a known value: Fraction (seconds), bool, int, frozenset (of `Arrival`) or an enumeration.
    """

    meaning: str
    section: str
    option: str = ""
    takes: str = ""
    help: str = ""
    profile: InProfile = InProfile.ABSENT
    matters_with: str = ""
    follows: str = ""
    alike: str = ""
    in_msl: bool = False
    may_lack_limit: bool = False
    json: str = ""
    name: str = ""
    default: Any = None
    kind: type[Any] = object

    @property
    def keyword(self) -> str:
        """The name of its option as a keyword."""
        return self.option.removeprefix("--").replace("-", "_")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a setting whose kind is an enumeration."""
        return tuple(str(member) for member in self.kind)

    @property
    def supplied_by(self) -> str:
        """The option that supplies a value, with what it takes."""
        if self.kind is bool and not self.switch:
            return f"{self.option} or {self.negative}"
        return f"{self.option} {self.takes}".strip()

    @property
    def switch(self) -> bool:
        """Whether its option only switches it from its default: a bool that no profile states."""
        return self.kind is bool and self.profile is InProfile.ABSENT

    @property
    def negative(self) -> str:
        """The option that states that a bool is false; its option states that it is true."""
        return f"--no-{self.option.removeprefix('--')}"


def setting(meaning: str, section: str, **about: Any) -> Mapping[str, Setting]:
    """The metadata of a field that is a setting; `about` holds further attributes of `Setting`."""
    return {"setting": Setting(meaning, section, **about)}


def declared(owner: type) -> dict[str, Setting]:
    """The settings that a class declares by its fields, by name."""
    hints = get_type_hints(owner)
    found = {}
    for entry in fields(owner):
        kind = get_args(hints[entry.name])[0] if entry.default is None else type(entry.default)
        found[entry.name] = replace(entry.metadata["setting"], name=entry.name, default=entry.default, kind=kind)
    return found
