"""A configuration as a question to the engines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from math import ceil
from typing import Any

from timewait.checker.question import Question
from timewait.checker.shared import Shared
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.handshake import compose
from timewait.spec.over_approximation import OverApproximation, one_at_a_time, one_per_effect
from timewait.spec.properties import DEFAULT, PROPERTIES, WITNESSES
from timewait.spec.reference import initial_state
from timewait.spec.unlimited_network import unlimited_for_either, unlimited_network
from timewait.vocabulary.automaton import Property

FEW_TICKS = 3
"""The longest duration of a small system, in ticks of its MSL."""


def question(configuration: Configuration, shared: Shared | None = None) -> Question:
    """The question: the composition to explore, its over-approximations, and the specification to replay on.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    shared : Shared, optional
        Where tables and quotients are kept, for questions about nearly the same system.

    Notes
    -----
    Where copies are counted, or order is kept, the over-approximation is that of the network without these limits. It has
    every run of the composition: a copy that may arrive once more may arrive any number of times, and a packet that waits in
    a queue may overtake. What is possible when a packet must be delivered depends on that packet and on the ends alone, so
    time can pass in the one if it can in the other. Without a limit on losses no packet must be delivered, and one that is lost
    is one that does not arrive, so that network has every run too. A network that loses nothing has no over-approximation.
    """
    return _question(configuration, Shared() if shared is None else shared, unlimited_network)


def questions_of_both(configuration: Configuration) -> tuple[Question, Question]:
    """The question where A closes first, and that where either end may close first; both have one network without limits."""
    shared = Shared()
    of_first, of_either = (replace(configuration, both_close=either) for either in (False, True))
    return _question(of_first, shared, unlimited_for_either), _question(of_either, shared, unlimited_for_either)


def _question(configuration: Configuration, shared: Shared, without_limits: Callable[[Configuration], Composition]) -> Question:
    system = compose(configuration)
    asked = Question(system, initial_state(configuration), WITNESSES, shared=shared)
    refined = None
    for told_apart in reversed(copies_told_apart(configuration)):
        refined = replace(asked, system=compose(configuration, told_apart), refined=refined)
    if configuration.lossless:
        return replace(asked, refined=refined)
    unlimited, lossy = replace(configuration, duplication=None, fifo=False), without_limits(configuration)
    return replace(
        asked,
        over_approximation=OverApproximation(unlimited, one_per_effect),
        obliged_approximation=OverApproximation(unlimited, one_at_a_time),
        unlimited=lossy,
        unlimited_approximation=OverApproximation(lossy.configuration, one_per_effect, lossy),
        narrower=tuple(question(each, shared) for each in less_text(configuration)),
        small=tuple(Question(compose(each), initial_state(each), shared=shared) for each in small(configuration)),
        refined=refined,
    )


def less_text(configuration: Configuration) -> list[Configuration]:
    """The same without text, and with an octet from one end alone, where that is less text.

    A user may call CLOSE before all is sent, so every run with less text is a run with more.
    """
    first, second = (min(octets, 1) for octets in configuration.text)
    texts = [(0, 0), (0, second), (first, 0)]
    return [replace(configuration, text=text) for text in dict.fromkeys(texts) if sum(text) < sum(configuration.text)]


def small(configuration: Configuration) -> list[Configuration]:
    """The same with the least of all that makes states many: loss, gaps, retries, and ticks; without text first.

    Their runs need not be runs of the configuration: durations are rounded up, to at most `FEW_TICKS` times the MSL.
    """

    def rounded(length: Fraction) -> Fraction:
        return Fraction(min(ceil(length / configuration.msl), FEW_TICKS))

    lengths: dict[str, Any] = {name: rounded(length) for name, length in configuration.further_lengths.items()}
    least = replace(
        configuration,
        msl=Fraction(1),
        time_wait=rounded(configuration.time_wait),
        rto=(rounded(configuration.rto[0]),),
        rto_exact=False,
        rto_slack=Fraction(0),
        loss=0,
        behaviour=replace(configuration.behaviour, retries=None, backoff=1),
        **lengths,
    )
    first, second = (min(octets, 1) for octets in configuration.text)
    return [replace(least, text=text) for text in dict.fromkeys([(0, 0), (0, second), (first, 0)])]


def copies_told_apart(configuration: Configuration) -> tuple[int, ...]:
    """The numbers of copies of one segment that refinements of the composition tell apart, in the order to try them.

    Only where an answer to one copy may be lost and those to others not. One copy more than may be lost in a loss window is
    enough, unless a second loss window begins while they are in flight.
    """
    if configuration.duplication is not None or not configuration.loss:
        return ()
    return configuration.loss + 1, 2 * (configuration.loss + 1)


def applicable(configuration: Configuration) -> tuple[Property, ...]:
    """The default properties that apply: integrity where text is sent, those of TIME-WAIT where it exists."""
    left_out = set()
    if not any(configuration.text):
        left_out.add("integrity")
    if configuration.scope is Scope.CORE:
        left_out.add("time-wait-kept")
    if not configuration.behaviour.time_wait:
        left_out |= {"time-wait-kept", "fin-restarts"}
    return tuple(PROPERTIES[name] for name in DEFAULT if name not in left_out)
