"""The command ``help``: explains a command, property, claim, state or term, and writes the man page."""

from __future__ import annotations

from collections.abc import Iterator

import click

from timewait import __version__
from timewait.cli.console import Screen
from timewait.cli.glossary import explained
from timewait.proofs.claims import CLAIMS
from timewait.spec.properties import PROPERTIES
from timewait.spec.state import MEANING, State

EXIT_CODES = {
    0: "as expected",
    1: "internal error",
    2: "usage",
    3: "bad input file",
    4: "this machine cannot run it",
    10: "a property is violated",
    20: "inconclusive",
    30: "vacuous",
    40: "engines disagree, or a certificate is rejected",
}
"""The meaning of every exit code."""


@click.command("help")
@click.argument("topic", nargs=-1)
@click.option("--man", is_flag=True, help="Write the man page of timewait, for man -l.")
@click.pass_context
def help_command(ctx: click.Context, topic: tuple[str, ...], man: bool) -> int:
    """Explain a command, a property, a claim, a state, or a term of the glossary."""
    screen = Screen()
    group = ctx.parent
    assert group is not None
    if man:
        screen.raw("\n".join(_man_page(group)))
    elif not topic:
        screen.raw(group.get_help())
    else:
        _explain(" ".join(topic), group, screen)
    return 0


def _explain(topic: str, group: click.Context, screen: Screen) -> None:
    commands = dict(_commands(group))
    state = topic.upper().replace("-", "_")
    if topic in commands:
        screen.raw(commands[topic].get_help(click.Context(commands[topic], group, topic)))
    elif topic in PROPERTIES:
        screen.paragraphs([f"{topic}: {PROPERTIES[topic].statement} ({PROPERTIES[topic].section})"])
    elif topic.upper() in CLAIMS:
        screen.paragraphs([f"{topic.upper()}: {CLAIMS[topic.upper()].statement} ({CLAIMS[topic.upper()].section})"])
    elif state in State.__members__:
        screen.paragraphs([f"{state}: {MEANING[State[state]]}"])
    else:
        name, paragraphs = explained(topic)
        screen.heading(name)
        screen.paragraphs(paragraphs, indent=2)


def _commands(group: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command with its name."""
    assert isinstance(group.command, click.Group)
    for name in group.command.list_commands(group):
        command = group.command.get_command(group, name)
        assert command is not None
        yield name, command


# --- the man page, in roff ------------------------------------------------------------------------------------------


def _man_page(group: click.Context) -> Iterator[str]:
    """The lines of the man page: every command with its options, and the exit codes."""
    yield f'.TH TIMEWAIT 1 "" "timewait {__version__}"'
    yield from (".nh", ".ad l", ".SH NAME", "timewait \\- decide when TCP closes a connection reliably")
    yield from (".SH SYNOPSIS", ".B timewait", "COMMAND [OPTION ...]")
    yield from (".SH DESCRIPTION", _roff(group.command.help or ""))
    yield ".SH COMMANDS"
    for name, command in _commands(group):
        yield from (".SS " + name, _roff(command.help or ""))
        for parameter in command.get_params(click.Context(command, group, name)):
            record = parameter.get_help_record(click.Context(command, group, name))
            if record is not None:
                yield from (".TP", f".B {_roff(record[0])}", _roff(record[1]) or "\\&")
    yield ".SH EXIT STATUS"
    for code, meaning in EXIT_CODES.items():
        yield from (".TP", f".B {code}", meaning)


def _roff(text: str) -> str:
    """Text in a line of roff, without anything that roff would read as a request or an escape."""
    line = " ".join(text.split()).replace("\\", "\\e").replace("-", "\\-").replace("|", "|\\:")
    return f"\\&{line}" if line.startswith((".", "'")) else line
