"""Phrases about a trace that pictures, pages, files and the console share: its configuration, its violation, its steps."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from timewait.checker.trace import Step, Trace
from timewait.narration.prose import counted
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.vocabulary.replay import Event

if TYPE_CHECKING:
    from timewait.checker.decide import Answer

# --- answers --------------------------------------------------------------------------------------------------------


COVERED = {"zones": "zone", "explicit": "state"}
"""The unit of what an engine covers, by the first word of its label; the others cover locations."""


def answer_facts(answer: Answer) -> list[str]:
    """How an answer was found: the length of its run, the engine, what it covered, the time, and how it was confirmed."""
    finding, trace = answer.finding, answer.trace
    unit = COVERED.get(finding.engine.split(",")[0], "location")
    facts = [finding.engine, counted(finding.states, unit), f"{finding.seconds:.2f} s"]
    if trace is None:
        return facts + ([] if answer.confirmation is None else [str(answer.confirmation)])
    minimised = f" (minimised from {len(trace.steps) + trace.dropped})" if trace.dropped else ""
    return [f"{len(trace.steps)} steps{minimised}", *facts, "replay: confirmed"]


# --- violations -----------------------------------------------------------------------------------------------------


def shows_violation(trace: Trace) -> bool:
    """Whether a trace violates its property; a scenario does not."""
    return trace.loop is not None or bool(violating_steps(trace))


def violating_steps(trace: Trace) -> frozenset[int]:
    """The steps that violate the trace's property; none in a lasso, which violates it as a whole."""
    return frozenset(step.number for step in trace.steps if any(name == trace.shows for name, _ in step.event.breaks))


def _why(trace: Trace, step: Step) -> str:
    return "; ".join(why for name, why in step.event.breaks if name == trace.shows)


def headline(trace: Trace) -> str:
    """What a trace shows, in a few words."""
    return f"{trace.shows} is violated" if shows_violation(trace) else trace.shows


def violation_at(trace: Trace, step: Step) -> str:
    """The violation at a step, or, at the last step of a lasso, the return to its loop; otherwise empty."""
    if why := _why(trace, step):
        return f"breaks {trace.shows}: {why}"
    if trace.loop is None or step.number < len(trace.steps):
        return ""
    return f"breaks {trace.shows}: step {trace.loop + 1} follows, and so on for ever. The property: {trace.statement}"


def violation_reason(trace: Trace) -> str:
    """What fails at the end of a trace, or how its loop repeats; empty when nothing is violated."""
    if trace.loop is not None:
        return f"from step {trace.loop + 1} on {repetition(trace)[0]}"
    return _why(trace, trace.steps[-1]) if trace.steps else ""


def deciding_rules(trace: Trace) -> list[str]:
    """The rules applied at the last step of a violation, or in its loop."""
    deciding = trace.steps[trace.loop :] if trace.loop is not None else trace.steps[-1:]
    return list(dict.fromkeys(f"{section}: {text}" for step in deciding for _, section, text in step.event.rules))


def repetition(trace: Trace) -> tuple[str, ...]:
    """How the loop of a lasso repeats, from the longest wording to the shortest."""
    begun = trace.steps[trace.loop - 1].time if trace.loop else Fraction(0)
    every = f"every {format_duration(trace.duration - begun)}"
    return f"again and again, {every}", f"again, {every}", "for ever"


# --- steps ----------------------------------------------------------------------------------------------------------


def event_in_words(event: Event) -> str:
    """An event in a line: the actor, the action, and what was sent."""
    sent = ", ".join(f"{copy.text}{' (lost)' if copy.lost else ''}" for copy in event.sent)
    return str(event) + (f", sends {sent}" if sent else "")


def step_in_words(step: Step) -> str:
    """A step in a line, as `event_in_words`."""
    return event_in_words(step.event)


def changes_in_words(step: Step) -> str:
    """The changed variables of both ends, states first; empty when none changed."""
    names = sorted(step.changed, key=lambda name: (not name.endswith(".state"), name))
    return ", ".join(
        f"{name} {step.changed[name][0]} -> {step.changed[name][1]}" for name in names if name.partition(".")[0] in ENDS
    )


def trace_lines(trace: Trace) -> Iterator[str]:
    """A trace as plain text for proportional fonts: a line for each step, and one before a loop."""
    yield f"0  t=0: A {trace.initial.get('A.state', '?')}, B {trace.initial.get('B.state', '?')}"
    for step in trace.steps:
        if trace.loop is not None and step.number == trace.loop + 1:
            yield f"{repetition(trace)[0]}:"
        states = ", ".join(f"{end} {step.state[f'{end}.state']}" for end in ENDS if f"{end}.state" in step.changed)
        yield f"{step.number}  t={format_duration(step.time)}: {step_in_words(step)}" + (f"  [{states}]" if states else "")
