"""The command ``timewait``: a group that imports a command only when it runs.

Exit codes: 0 as expected, 1 internal error, 2 usage, 3 bad input file, 4 this machine cannot run it, 10 violated,
20 inconclusive, 30 vacuous, 40 engines disagree or a certificate is rejected, 141 nobody reads standard output any more.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from click.shell_completion import get_completion_class

from timewait import __version__
from timewait.cli.errors import ReaderGone, answering, checked_output, error, interrupted, refused_by_the_machine
from timewait.cli.help_text import HelpContext, with_whole_words
from timewait.cli.interrupts import OF_THE_COMMAND, heard_interrupts
from timewait.vocabulary.errors import InputError, MissingPackage, RequestError, UnavailableError
from timewait.vocabulary.output_files import CannotWrite
from timewait.vocabulary.suggestions import advice

USAGE, BAD_FILE, UNAVAILABLE, INTERRUPTED, READER_GONE = 2, 3, 4, 20, 141

COMMANDS = {
    "check": "Decide properties of one configuration.",
    "threshold": "Find the least safe TIME_WAIT.",
    "sweep": "Decide every question of a grid, a row for each.",
    "ci": "Compare verdicts with those that timewait.toml expects.",
    "init": "Write a commented profile and timewait.toml.",
    "prove": "Decide the claims of the project.",
    "certify": "Check a certificate again.",
    "agree": "Compare the answers of all engines.",
    "explain": "Explain a trace or a packet capture.",
    "run": "Carry out a scenario: a close, in order or not.",
    "view": "Write the review page of a trace.",
    "diagram": "Draw states, runs and regions of safe TIME_WAIT.",
    "convert": "Write a trace in a format of other tools.",
    "export": "Write a configuration for other model checkers.",
    "conform": "Compare a running stack with the specification.",
    "stacks": "List the profiles of stacks.",
    "diff": "Compare two stacks.",
    "glossary": "Explain a term.",
    "help": "Explain a command, property, claim, state or term.",
    "host": "Explain the settings of a machine, and what it can do.",
    "replay": "Carry a trace out on the kernel of this machine.",
    "learn": "Learn how a running stack closes, and compare.",
    "risk": "Compute how probable it is that a close ends in a RST.",
    "capacity": "Compute how many connections the ports of a host allow.",
    "ways": "Judge the ways around TIME-WAIT.",
}
"""Every command, with its line of help; the module of its name in this package defines it, as ``NAME_command``."""

COMPLETE = "_TIMEWAIT_COMPLETE"
"""The environment variable by which a shell asks for completions."""

FORMER = ("graph",)
"""Commands that the next release drops; they are not listed."""


def check_completion_request() -> None:
    """Raise unless the environment asks for completions as a shell does.

    Raises
    ------
    click.UsageError
        No shell asks so, or the line to complete is missing.
    """
    asked = os.environ[COMPLETE]
    shell, _, what = asked.partition("_")
    if get_completion_class(shell) is None or what not in ("source", "complete"):
        raise click.UsageError(f"{COMPLETE} is {asked!r}, no request such as bash_source or zsh_complete; correct or unset it")
    if what == "source":
        return
    words, place = os.environ.get("COMP_WORDS"), os.environ.get("COMP_CWORD")
    expected = r"|\s*\S(?s:.*)" if shell == "fish" else "[0-9]{1,9}"  # fish states the word, the others its number
    if words is None or place is None or not re.fullmatch(expected, place):
        raise click.UsageError(f"{COMPLETE} is {asked!r}, for which a shell sets COMP_WORDS and COMP_CWORD; else unset it")


class LazyGroup(click.Group):
    """A group of commands that are imported when they run: the engines take a second to load, help needs none of them."""

    context_class = HelpContext

    def main(self, *arguments: Any, **options: Any) -> Any:
        """As click, whose shell completion writes octets."""
        if os.environ.get(COMPLETE):
            check_completion_request()
            with answering():
                return super().main(*arguments, **options)
        return super().main(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """As click, which writes an empty line where an interrupt gets so far."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as problem:
            raise click.Abort from problem

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return [*COMMANDS]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS and cmd_name not in FORMER:
            return None
        command = getattr(import_module(f"timewait.cli.{cmd_name}"), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return with_whole_words(command)

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        unknown = not args[0].startswith("-") and args[0] not in (*COMMANDS, *FORMER)
        if unknown and not ctx.resilient_parsing:  # as it is for completions
            raise click.UsageError(
                f"there is no command {args[0]!r}; {advice(args[0], COMMANDS, 'timewait --help lists the commands')}", ctx
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl([*COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Prove when TCP closes reliably in both directions; where it does not, show the packets."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command and exit with its code; every expected error is one line on standard error."""
    _open_closed_streams()
    try:
        words = sys.argv[1:] if arguments is None else arguments  # which review pages state
        with heard_interrupts(), checked_output():
            code = cli.main(arguments, prog_name="timewait", standalone_mode=False, obj=words)
        if arguments is None:
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the work is done, and its exit code is known
    except click.exceptions.NoArgsIsHelpError as problem:
        with suppress(OSError):
            problem.show()
        code = USAGE
    except (click.ClickException, RequestError, MissingPackage) as problem:
        error(problem.format_message() if isinstance(problem, click.ClickException) else str(problem))
        code = USAGE
    except CannotWrite as problem:
        error(f"cannot write {problem.path}: {problem.reason}")
        code = USAGE
    except InputError as problem:
        error(str(problem))
        code = BAD_FILE
    except UnavailableError as problem:
        error(str(problem))
        code = UNAVAILABLE
    except ReaderGone:
        code = READER_GONE
    except (OSError, MemoryError) as problem:
        error(refused_by_the_machine(problem))
        code = UNAVAILABLE
    except (click.Abort, KeyboardInterrupt):
        interrupted()
        code = INTERRUPTED
        if arguments is None:
            OF_THE_COMMAND.end_with(code)
    sys.exit(code)


def _open_closed_streams() -> None:
    """Lead streams that were closed before the start to nowhere; Python has None in their place."""
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w"))  # noqa: SIM115 # open to the end
