"""A configuration as a question to the checker."""

from __future__ import annotations

from checker.decide import Question
from checker.language import Property
from spec.composition import Composition
from spec.configuration import Configuration, Scope
from spec.properties import DEFAULT, PROPERTIES, WITNESSES
from spec.reference import beginning


def question(configuration: Configuration) -> Question:
    """The question: the composition to explore, and the specification to replay on."""
    return Question(Composition(configuration), beginning(configuration), WITNESSES)


def applicable(configuration: Configuration) -> tuple[Property, ...]:
    """The properties asked by default: integrity where text is sent, those of TIME-WAIT where there is one."""
    left_out = set()
    if not any(configuration.text):
        left_out.add("integrity")
    if configuration.scope is Scope.CORE:
        left_out.add("time-wait-kept")
    if not configuration.behaviour.time_wait:
        left_out |= {"time-wait-kept", "fin-restarts"}
    return tuple(PROPERTIES[name] for name in DEFAULT if name not in left_out)
