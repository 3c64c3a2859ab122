"""The command ``help``: explains a command, option, setting, property, claim, state or term, and writes the man page."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from enum import StrEnum

import click

from timewait import __version__
from timewait.cli.console import Screen
from timewait.cli.glossary import explained
from timewait.cli.questions import QuestionPage, asked, questions
from timewait.proofs.claims import CLAIMS
from timewait.spec.properties import PROPERTIES
from timewait.spec.setting import InProfile, Setting
from timewait.spec.settings import SETTINGS, Arrival
from timewait.spec.stacks import load_stack, stack_names
from timewait.spec.state import MEANING, in_rfc_spelling, state_named
from timewait.vocabulary.errors import RequestError

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


QUESTION_PAGES = {
    "tcp_tw_reuse": "tcp-tw-reuse",
    "tcp_tw_reuse_delay": "tcp-tw-reuse",
    "tcp_tw_recycle": "tcp-tw-recycle",
    "tcp_fin_timeout": "tcp-fin-timeout",
    "tcp_max_tw_buckets": "time-wait-bucket-table-overflow",
    "tcp_rfc1337": "rst-in-time-wait",
    "tcp_orphan_retries": "last-ack",
    "tcp_retries2": "last-ack",
    "ip_local_port_range": "cannot-assign-requested-address",
    "eaddrnotavail": "cannot-assign-requested-address",
    "eaddrinuse": "address-already-in-use",
    "econnreset": "who-sent-the-rst",
    "epipe": "who-sent-the-rst",
    "etimedout": "last-ack",
    "so_reuseaddr": "address-already-in-use",
    "so_exclusiveaddruse": "address-already-in-use",
    "so_linger": "so-linger-zero",
    "ip_bind_address_no_port": "cannot-assign-requested-address",
    "conntrack": "conntrack",
    "nf_conntrack_max": "conntrack",
    "snat": "cloud-nat",
    "fin_wait_1": "last-ack",
    "fin_wait1": "last-ack",
    "fin_wait_2": "fin-wait-2",
    "fin_wait2": "fin-wait-2",
    "close_wait": "close-wait",
    "last_ack": "last-ack",
    "syn_sent": "no-time-wait",
}
"""The page of docs/questions about a setting, an error, a socket option or a state, in small letters."""

NEAR = 2
"""How many further questions are named, where a text asks several."""


Sections = Iterator[tuple[str, list[str]]]


@click.command("help", context_settings={"ignore_unknown_options": True})
@click.argument("topic", nargs=-1)
@click.option("--man", is_flag=True, help="Write the man page of timewait, for man -l.")
@click.pass_context
def help_command(ctx: click.Context, topic: tuple[str, ...], man: bool) -> int:
    """Explain a command, an option, a setting, a property, a claim, a state, a term of the glossary, or an error text."""
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
    if topic in commands:
        screen.raw(commands[topic].get_help(commands[topic].context_class(commands[topic], group, topic)))
        return
    found = list(_sections(topic, group))
    if topic.startswith("-") and not found:
        options = {option for _, _, each in _every_option(group) for option in (*each.opts, *each.secondary_opts)}
        near = difflib.get_close_matches(topic, sorted(options), n=3)
        raise RequestError(f"no command has an option {topic!r}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    if found:
        with suppress(RequestError):
            found.append(explained(topic))
    else:
        found = list(_term_or_questions(topic))
    for number, (name, paragraphs) in enumerate(found):
        if number:
            screen.line()
        screen.heading(name)
        screen.paragraphs(paragraphs, indent=2)


def _term_or_questions(topic: str) -> Sections:
    """The term of the glossary that a topic names, or else the questions that an error text asks.

    Raises
    ------
    RequestError
        There is neither; the message names similar terms.
    """
    try:
        yield explained(topic)
    except RequestError as problem:
        near = asked(topic)
        if not near:
            more = str(problem).partition("; ")[2]
            raise RequestError(f"there is no topic {topic!r}; {more}") from None
        yield near[0].title, [*near[0].paragraphs, *map(_see_also, near[1 : NEAR + 1])]


def _see_also(question: QuestionPage) -> str:
    """Where a further question is answered."""
    return f"See also docs/questions/{question.page}.md: {question.title}"


def _sections(topic: str, group: click.Context) -> Sections:
    """Everything with the name of a topic, apart from commands and terms of the glossary."""
    key = topic.strip("-").replace("-", "_").lower()
    if topic in PROPERTIES:
        yield topic, [f"{PROPERTIES[topic].statement} ({PROPERTIES[topic].section})"]
    if topic.upper() in CLAIMS:
        yield topic.upper(), [f"{CLAIMS[topic.upper()].statement} ({CLAIMS[topic.upper()].section})"]
    with suppress(ValueError):
        state = state_named(topic)
        yield in_rfc_spelling(state), [MEANING[state]]
    if page := QUESTION_PAGES.get(key.rpartition(".")[2]):
        yield questions()[page].title, questions()[page].paragraphs
    settings = [entry for name, entry in SETTINGS.items() if name == key or (entry.option and entry.keyword == key)]
    for entry in settings:
        yield f"setting {entry.name}", list(_of_setting(entry))
    yield from _of_option(f"--{key.replace('_', '-')}", group)


def _of_setting(entry: Setting) -> Iterator[str]:
    """What a setting means, and where it can be stated."""
    yield f"{entry.meaning[0].upper()}{entry.meaning[1:]} ({entry.section})."
    if issubclass(entry.kind, StrEnum):
        yield f"Values: {', '.join(entry.choices)}."
    elif entry.kind is frozenset:
        yield f"Any of: {', '.join(map(str, Arrival))}."
    if entry.matters_with:
        yield f"It matters only with {entry.matters_with}."
    if entry.option:
        yield f"Option: {entry.supplied_by}."
    if entry.profile is not InProfile.ABSENT:
        stated = sum(load_stack(name).value(entry.name) is not None for name in stack_names())
        yield f"Key {entry.name} in the profile of a stack; {stated} of {len(stack_names())} profiles state it."


def _of_option(option: str, group: click.Context) -> Sections:
    """What an option means; where its text differs between commands, one section for each text."""
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for name, context, each in _every_option(group):
        if option in (*each.opts, *each.secondary_opts) and (record := each.get_help_record(context)) is not None:
            found[record].append(name)
    for (form, text), names in found.items():
        yield form, [text, f"An option of: {', '.join(sorted(names))}."]


def _every_option(group: click.Context) -> Iterator[tuple[str, click.Context, click.Option]]:
    """Every option that help shows, with the name and the context of its command."""
    for name, command in _every_command(group):
        context = click.Context(command, group, name)
        for parameter in command.get_params(context):
            if isinstance(parameter, click.Option) and not parameter.hidden:
                yield name, context, parameter


def _every_command(group: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command, and each that is below another one, with its full name."""
    for name, command in _commands(group):
        yield name, command
        if isinstance(command, click.Group):
            below = click.Context(command, group, name)
            yield from ((f"{name} {part}", inner) for part, inner in _commands(below))


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
