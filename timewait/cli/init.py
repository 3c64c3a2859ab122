"""The command ``init``: writes a profile to fill in, and the questions that go with it."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import click

from timewait.cli.ci import FILE
from timewait.cli.console import Screen
from timewait.cli.files import make_folder, write_new
from timewait.cli.value_types import FilePath
from timewait.spec.durations import NoLimit
from timewait.spec.setting import InProfile, Setting
from timewait.spec.settings import PROFILE_KEYS, SETTINGS, Arrival
from timewait.spec.stacks import DEFAULT_STACK, EVIDENCE, Stack, load_stack

MSL, RTO = "30s", "30s"
"""The network of the profile that is written; the user replaces them."""

_STATED = (
    *("msl", "time_wait", "rto_max", "answers", "restarts", "reset"),
    *(name for name, entry in SETTINGS.items() if entry.profile is InProfile.ASSUMED and entry.matters_with in ("", "time_wait")),
)
"""The keys that every question needs, and those that every question assumes where they are left out."""

_LINE = 118


@click.command("init")
@click.argument("folder", metavar="[DIR]", type=FilePath(file_okay=False), default=".")
@click.option("--name", default="my-stack", show_default=True, help="The name of the stack, and of its file.")
def init_command(folder: Path, name: str) -> int:
    """Write NAME.toml, a commented profile, and timewait.toml, its questions, into the folder DIR; never overwrites a file."""
    if not re.fullmatch("[a-z][a-z0-9-]{0,40}", name) or f"{name}.toml" == FILE:
        raise click.UsageError(f"{name!r} is no name of a stack; small letters, digits and hyphens, and not timewait")
    profile, questions = folder / f"{name}.toml", folder / FILE
    make_folder(folder)
    write_new({profile: profile_text(name), questions: questions_text(name)})
    screen = Screen()
    screen.line(f"wrote {profile}: replace its values by those of your stack")
    screen.line(f"wrote {questions}: then run 'timewait ci {questions}', with --update where other verdicts are right")
    return 0


def profile_text(name: str) -> str:
    """A profile with the values of RFC 9293, every key of a profile explained."""
    head = [
        "How this stack closes a connection. Every value has a source, and says how it is known:",
        *(f"  {word}: {meaning}" for word, meaning in EVIDENCE.items()),
        "The values below are those of RFC 9293 (intended reading). Replace them; leave out what is not known.",
    ]
    lines = [*(f"# {line}" for line in head), "", f'name = "{name}"', f'title = "{name}"', ""]
    standard = load_stack(DEFAULT_STACK)
    for key in sorted(PROFILE_KEYS, key=lambda key: (key not in _STATED, list(PROFILE_KEYS).index(key))):
        lines += [*_entry(SETTINGS[key], standard, stated=key in _STATED), ""]
    return "\n".join(lines)


def _entry(entry: Setting, standard: Stack, stated: bool) -> Iterator[str]:
    """The table of a key with its meaning; a comment where it need not be stated."""
    about = f"{entry.meaning[0].upper()}{entry.meaning[1:]} ({entry.section}); {_takes(entry)}."
    if entry.profile is InProfile.ASSUMED:
        about += " Assumed as in RFC 9293 where it is left out."
    yield from (f"# {line}" for line in textwrap.wrap(about, _LINE - 2))
    source = standard.sources.get(entry.name)
    network = {"msl": MSL, "rto_max": RTO}.get(entry.name)
    where = source.where if source is not None and network is None else "where this value comes from"
    mark = "" if stated else "# "
    yield f"{mark}[{entry.name}]"
    yield f"{mark}value = {_written(entry, standard) if network is None else json.dumps(network)}"
    yield f'{mark}source = "{where}"'
    yield f'{mark}evidence = "documented"'


def _takes(entry: Setting) -> str:
    """The values that a key may have."""
    if entry.kind is Fraction:
        multiple = ', or "2 * msl"' if entry.in_msl else ""
        return f'a time such as "250ms", "60s" or "2m"{multiple}' + (', or "none" for no limit' if entry.may_lack_limit else "")
    if entry.kind is frozenset:
        return f"a list of {', '.join(Arrival)}" + (', or "answered"' if entry.alike else "")
    if entry.kind is bool:
        return "true or false"
    return "a whole number" if entry.kind is int else f"one of {', '.join(entry.choices)}"


def _written(entry: Setting, standard: Stack) -> str:
    """The value of the standard as TOML; a plain one where the standard has none."""
    value = standard.value(entry.name)
    if entry.name in standard.multiples:
        return f'"{standard.multiples[entry.name]} * msl"'
    if value is None:
        value = 0 if entry.kind is int else "none" if entry.may_lack_limit else "1s" if entry.kind is Fraction else entry.default
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, frozenset):
        return json.dumps([word for word in Arrival if word in value])
    return f'"{value}"' if isinstance(value, NoLimit | str) else f'"{standard.described(entry.name)}"'


def questions_text(name: str) -> str:
    """The questions about a profile, each with its expected verdicts."""
    return f'''\
# What is expected of the way in which {name} closes a connection; 'timewait ci' decides it.
#
# Every verdict is stated, "proved" or "violated". A violation that is expected passes; a proof in its place does not,
# nor does an answer that is missing because a limit was reached.
#
# The verdicts and the length below are those of the profile as 'timewait init' writes it, where RTO is MSL. Once the profile
# has your values, replace them too: 'timewait ci --update' writes what it finds, and prints each change. Read each change
# before you keep it, since from then on it is what is expected.

stacks = ["{name}.toml"] # profiles: files beside this one, or names that 'timewait stacks' lists

# Options of every question, as 'timewait check --help' lists them.
[options]
closers = "a" # A closes first; "both" decides that either end may, and takes longer

[[question]]
name = "one loss"
expect = {{ graceful = "proved", isolation = "proved" }}
least_time_wait = "60s" # what 'timewait threshold' finds; "none" where no TIME_WAIT is safe

# Two copies lost in a row. With RTO = MSL they outlast 2 MSL; with RTO <= MSL/2 they do not.
[[question]]
name = "two losses"
loss = 2 # an option of this question alone
expect = {{ graceful = "violated" }}

# The questions above have no text. A late acknowledgement of the peer's text delays its FIN: TIME_WAIT must be longer (C17).
# [[question]]
# name = "text from the peer"
# data = "0,1" # octets from A and from B; as many from B as MSL / RTO
# expect = {{ graceful = "violated" }}
'''
