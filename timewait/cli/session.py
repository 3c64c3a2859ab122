"""What commands share: the bounds of an exploration, and a configuration in a line."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace

from timewait.checker.decide import Engine
from timewait.checker.finding import Budget
from timewait.checker.time_unit import unit_of
from timewait.cli.console import Screen
from timewait.options import Options
from timewait.spec.assemble import Overrides, assumptions
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.stacks import Stack


def budget_of(options: Options, screen: Screen) -> Budget:
    """The bounds of an exploration, with its progress on the screen.

    The first interrupt ends the exploration in order, the second at once. Z3 handles interrupts itself.
    """
    stop = threading.Event()

    def on_interrupt(number: int, frame: object) -> None:
        del number, frame
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    if options.engine is not Engine.SMT:
        signal.signal(signal.SIGINT, on_interrupt)
    return replace(options.budget(), listener=screen.progress, interrupted=stop.is_set)


def note_assumptions(stack: Stack, overrides: Overrides) -> None:
    """Write a note for every value that matters, is unknown, and is therefore assumed."""
    for assumption in assumptions(stack, overrides):
        Screen().note(assumption)


def bound_in_words(bound: int | None) -> str:
    """A bound on copies: a number, or any."""
    return "any" if bound is None else str(bound)


def configuration_in_words(configuration: Configuration, time_wait: bool = True) -> str:
    """A configuration in a line, with or without its TIME_WAIT."""
    waits = f"TIME_WAIT {format_duration(configuration.time_wait)}, " if configuration.behaviour.time_wait else "no TIME_WAIT, "
    return (
        f"MSL {format_duration(configuration.msl)}, {waits if time_wait else ''}"
        f"RTO up to {', '.join(map(format_duration, configuration.rto))},"
        f" loss {bound_in_words(configuration.loss)}, duplication {bound_in_words(configuration.duplication)},"
        f" scope {configuration.scope}, {closers_in_words(configuration)}, atomic reopen;"
        f" ticks of {format_duration(unit_of(configuration.parameters))} where ticks are counted"
    )


def closers_in_words(configuration: Configuration) -> str:
    """Which end may close first."""
    return "either end may close first" if configuration.both_close else "A closes first"
