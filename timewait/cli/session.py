"""What commands that ask a question share: its configuration, the bounds of an exploration, its answers, and how it is told."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from typing import Any

import click

from timewait.checker.decide import Answer, Engine, decide
from timewait.checker.finding import Budget
from timewait.checker.time_unit import unit_of
from timewait.checker.verdict import Verdict
from timewait.cli import console
from timewait.cli.options import overrides_from
from timewait.proofs.question import question
from timewait.spec.assemble import Overrides, assemble, assumptions
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.stacks import Stack
from timewait.vocabulary.automaton import Property

CLOSERS = click.Choice(["a", "both"])


def configuration_from(stack: Stack, given: dict[str, Any]) -> Configuration:
    """The configuration of a stack and some options.

    Raises
    ------
    timewait.spec.stacks.MissingValue
        Neither states a value that is needed.
    timewait.spec.configuration.ConfigurationError
        The values make no sense.
    """
    both = given["closers"] == "both" and given["scope"] == "close"
    overrides = overrides_from(given, both, stack)
    note_assumptions(stack, overrides)
    return assemble(stack, overrides)


def note_assumptions(stack: Stack, overrides: Overrides) -> None:
    """Write a note for every value that matters and is assumed since nobody states it; once in a command."""
    context = click.get_current_context(silent=True)
    noted = set() if context is None else context.meta.setdefault("timewait.assumptions", set())
    for assumption in assumptions(stack, overrides):
        if assumption not in noted:
            console.Screen().note(assumption)
            noted.add(assumption)


def bounds(given: dict[str, Any], screen: console.Screen) -> Budget:
    """The bounds of an exploration; the first interrupt ends it in order, the second at once."""
    stop = threading.Event()

    def on_interrupt(number: int, frame: object) -> None:
        del number, frame
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if given.get("engine") != "smt":
        signal.signal(signal.SIGINT, on_interrupt)
    return Budget(given["max_states"], given["max_seconds"], listener=screen.progress, interrupted=stop.is_set)


def decided(configuration: Configuration, asked: list[Property], engine: Engine, budget: Budget) -> list[Answer]:
    """Decide; where either end may close first, A closing first is asked by itself too, and the worse answer counts.

    An end that may still close first holds a round of its own, so that fewer copies may be lost at will: to let both
    close first is no weaker a network.
    """
    alone = decide(question(replace(configuration, both_close=False)), asked, engine, budget)
    if not configuration.both_close:
        return alone
    left = [entry for entry, answer in zip(asked, alone, strict=True) if answer.verdict is not Verdict.VIOLATED]
    both = {answer.finding.name: answer for answer in decide(question(configuration), left, engine, budget)} if left else {}
    return [max(both.get(answer.finding.name, answer), answer, key=lambda one: one.verdict) for answer in alone]


def _any(budget: int | None) -> str:
    return "any" if budget is None else str(budget)


def configuration_in_words(configuration: Configuration, show_wait: bool = True) -> str:
    """A configuration in a line."""
    waits = f"TIME_WAIT {format_duration(configuration.time_wait)}, " if configuration.behaviour.time_wait else "no TIME_WAIT, "
    closers = "either end may close first" if configuration.both_close else "A closes first"
    return (
        f"MSL {format_duration(configuration.msl)}, {waits if show_wait else ''}"
        f"RTO up to {', '.join(map(format_duration, configuration.rto))},"
        f" loss {_any(configuration.loss)}, duplication {_any(configuration.duplication)}, scope {configuration.scope},"
        f" {closers}, atomic reopen; ticks of {format_duration(unit_of(configuration.parameters))} where ticks are counted"
    )
