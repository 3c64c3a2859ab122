"""What commands share: the bounds of an exploration, and the line that heads an answer."""

from __future__ import annotations

import signal
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.time_unit import unit_of
from timewait.cli.console import Screen
from timewait.narration.prose import listed
from timewait.options import Options
from timewait.spec.assemble import Overrides, assumptions, stack_defaults
from timewait.spec.configuration import Configuration
from timewait.spec.description import LISTED_GAPS, configuration_in_words, reopening_in_words
from timewait.spec.duration import format_duration
from timewait.spec.stacks import Stack

if TYPE_CHECKING:
    from timewait.results import CheckResult


def budget_of(options: Options, screen: Screen) -> Budget:
    """The bounds of an exploration, with its progress on the screen; interrupts as `watched`, or at once with `smt`."""
    if options.engine is Engine.SMT:
        return replace(options.budget(), listener=screen.progress)
    return watched(options.budget(), screen)


def watched(budget: Budget, screen: Screen) -> Budget:
    """A budget with its progress on the screen; the first interrupt ends the work in order, the second at once."""
    stop = threading.Event()

    def on_interrupt(number: int, frame: object) -> None:
        del number, frame
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGINT, on_interrupt)
    return replace(budget, listener=screen.progress, interrupted=stop.is_set)


def note_assumptions(stack: Stack, overrides: Overrides) -> None:
    """Write a note for every value that matters, is unknown, and is therefore assumed."""
    for assumption in assumptions(stack, overrides):
        Screen().remark(assumption)


def header_in_words(options: Options, configuration: Configuration, time_wait: bool = True) -> str:
    """The line that heads an answer: the stack, and everything in a configuration that the stack does not decide.

    Parameters
    ----------
    options : Options
        The question; settings that are those of its stack are not named.
    configuration : Configuration
        What was decided.
    time_wait : bool
        Whether to state TIME-WAIT.
    """
    words = configuration_in_words(configuration, time_wait=time_wait, defaults=stack_defaults(options.stack, options.overrides))
    return f"{options.stack.title}: {words}{ticks_in_words(configuration)}"


def ticks_in_words(configuration: Configuration) -> str:
    """How the next incarnation opens, unless by a handshake, which is described before, and the length of a tick."""
    unit = format_duration(unit_of(configuration.parameters))
    reopening = "" if configuration.reopening.handshake else f", {reopening_in_words(configuration.reopening, configuration.msl)}"
    return f"{reopening}; ticks of {unit} where ticks are counted"


def of_schedule(options: Options, configuration: Configuration) -> str:
    """Whose retransmission schedule a verdict is about, with its first gaps."""
    first = ", ".join(map(format_duration, configuration.rto[:LISTED_GAPS]))
    more = f", ... {format_duration(configuration.rto[-1])}" if len(configuration.rto) > LISTED_GAPS else ""
    return f"with the schedule of {options.stack.title} ({first}{more})"


def verdict_in_words(options: Options, result: CheckResult) -> str:
    """The verdict of all properties; with the schedule of a stack, that with any other gap too."""
    verdict = str(result.verdict).upper()
    if result.any_gap is None:
        return f"verdict: {verdict}"
    return f"verdict: {verdict} {of_schedule(options, result.configuration)}; {_with_any_gap(result, result.any_gap)}"


def _with_any_gap(result: CheckResult, any_gap: CheckResult) -> str:
    """The verdict with any gap up to the greatest RTO, and the properties whose verdict is another then."""
    most = format_duration(max(any_gap.configuration.rto))
    differing = [
        f"{answer.name} {str(answer.verdict).upper()}"
        for answer in any_gap.answers
        if answer.verdict is not result[answer.name].verdict
    ]
    others = f" ({listed(differing)})" if differing else ", each property as above"
    return f"{str(any_gap.verdict).upper()} with any gap up to {most}{others}: --schedule any"
