"""Violations of earlier runs (`timewait.proofs.memory`), each of which counts only when its run was carried out again.

An engine searches for a run that violates a property; to carry out a run that is known takes a hundredth of the time. The
specification replays it, packet by packet, and the trace must be the one that was kept. The loop of a run without end must also
be fair. Nothing is read from the file but the trace, the engine that found it, and how many steps minimisation dropped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from timewait.checker import itf
from timewait.checker.decide import ENGINES, Answer, decide
from timewait.checker.fairness import unfair
from timewait.checker.finding import Budget, Finding, Move, Run
from timewait.checker.question import Engine
from timewait.checker.replay import replay
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.proofs.memory import current
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.trace_actions import action_of

WHERE = "a remembered run"


def decided(configuration: Configuration, names: Sequence[str], engine: Engine, expected: Verdict) -> list[Answer]:
    """`timewait.checker.decide.decide` with the largest budget; violations that are expected are remembered.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    names : sequence of str
        The properties.
    engine : Engine
        The choice of engines.
    expected : Verdict
        The verdict that is expected: unless it is a violation, nothing is looked for among earlier results.
    """
    known: dict[str, Answer] = {}
    if expected is Verdict.VIOLATED:
        known = {name: answer for name in names if (answer := _recalled(configuration, name, engine)) is not None}
    if left := [PROPERTIES[name] for name in names if name not in known]:
        for answer in decide(question(configuration), left, engine, Budget()):
            known[answer.name] = answer
            if answer.verdict is expected is Verdict.VIOLATED and answer.trace is not None:
                facts = {"engine": answer.engine, "trace": itf.as_itf(answer.trace)}
                current().keep(asked(configuration, answer.name, engine), facts, [])
    return [known[name] for name in names]


def asked(configuration: Configuration, name: str, engine: Engine) -> dict[str, Any]:
    """What a violation depends on."""
    return {"violation by": engine.value, "configuration": configuration_as_data(configuration), "properties": [name]}


def _recalled(configuration: Configuration, name: str, engine: Engine) -> Answer | None:
    """The violation of an earlier run, if there is one, carried out again."""

    def check(facts: Any, texts: list[str]) -> Answer | None:
        kept, label = itf.parsed(facts["trace"], WHERE), facts["engine"]
        trace = replace(_carried_out(configuration, name, kept), dropped=max(kept.dropped, 0))
        same = json.loads(itf.as_itf_text(trace)) == facts["trace"] and not texts
        if not same or label not in [procedure.label for procedure in ENGINES]:
            return None
        return Answer(Finding(name, Verdict.VIOLATED, label), trace)

    return current().recall(asked(configuration, name, engine), check)


def _carried_out(configuration: Configuration, name: str, kept: Trace) -> Trace:
    """The trace of the run that a trace shows, as the specification carries it out.

    Raises
    ------
    timewait.checker.replay.Rejected
        The run is impossible, or does not violate the property.
    ValueError
        A step is none of the specification, or the run is not fair.
    """
    run = Run(tuple(Move(step.delay, action_of(step.event)) for step in kept.steps), kept.loop)
    if PROPERTIES[name].kind == "eventually" and (reason := unfair(question(configuration).compiled, run)):
        raise ValueError(reason)
    return replay(initial_state(configuration), run, PROPERTIES[name])
