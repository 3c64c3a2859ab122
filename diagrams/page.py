"""The review page of an answer, or of a trace: one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from timewait.checker.trace import Step, Trace
from timewait.diagrams.chart import BESIDE, SLIM
from timewait.diagrams.chart_elements import STYLE
from timewait.diagrams.colours import NAMED, themed
from timewait.diagrams.minimap import minimap
from timewait.diagrams.page_data import NETWORK, KernelStep, citation, graph_data, rules_data, run_data
from timewait.diagrams.sequence import parts
from timewait.narration.prose import bracketed, frames_in_words, listed
from timewait.narration.sentences import repetition, shows_violation, violation_at
from timewait.narration.timeline import state
from timewait.proofs.longer_time_wait import Obstacle, longer_time_wait
from timewait.proofs.next_steps import state_graph
from timewait.spec.configuration import ConfigurationError
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.graph import transition_graph
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Behaviour
from timewait.spec.state import State

OPENING_STATES = frozenset({State.LISTEN.value, State.SYN_SENT.value, State.SYN_RECEIVED.value})
"""The states of a connection that is opening."""

PART_SIZE = 40
"""The most steps in a part of the chart or of the table."""


class BasisRow(NamedTuple):
    """A line of what an answer rests on: its name, value and source, and what other values change, in words."""

    name: str
    value: str
    source: str
    otherwise: Sequence[str] = ()


class VerdictRow(NamedTuple):
    """The answer for a property: its verdict, how it was found, and why, in words."""

    name: str
    verdict: str
    facts: Sequence[str]
    reason: str = ""


class OtherValue(NamedTuple):
    """A value with which engines found other verdicts: what has it, the value with the verdicts, and the command that asks."""

    name: str
    here: str
    effect: str
    command: str


class Origin(NamedTuple):
    """What made a page: the command line, empty where there was none, and the version of the program."""

    command: str
    version: str


@dataclass(frozen=True)
class AnswerInWords:
    """What a page states about an answer beside its runs, in words.

    Attributes
    ----------
    question : str
        The line that heads the answer: the stack, and everything that it does not decide.
    differs : str
        The settings of the stack that are not those of RFC 9293; empty where all of them are.
    verdict : str
        The line of the verdict.
    asks_others : str
        The command that asks about other values; empty where this answer already has them.
    properties : sequence of VerdictRow
        The answer for each property.
    basis : sequence of BasisRow
        What the answer rests on.
    others : sequence of OtherValue
        The values with which engines found other verdicts.
    """

    question: str
    differs: str
    verdict: str
    asks_others: str
    properties: Sequence[VerdictRow]
    basis: Sequence[BasisRow]
    others: Sequence[OtherValue] = ()


@dataclass(frozen=True)
class KernelInWords:
    """What a running stack did when it carried a run out.

    Attributes
    ----------
    name : str
        The running stack.
    verdict : str
        Whether it did what the run says, in a line.
    remarks : sequence of str
        What the users saw, and what does not happen by default.
    steps : mapping of int to KernelStep
        The steps carried out, by number.
    """

    name: str
    verdict: str
    remarks: Sequence[str] = ()
    steps: Mapping[int, KernelStep] = field(default_factory=dict)


@cache
def _template() -> Template:
    """The template of the page; to compile it takes longer than to fill it in."""
    environment = Environment(loader=PackageLoader("timewait.diagrams", "review"), autoescape=True, undefined=StrictUndefined)
    return environment.get_template("page.html")


def page(
    *runs: Trace,
    answer: AnswerInWords | None = None,
    kernels: Mapping[str, KernelInWords] | None = None,
    origin: Origin | None = None,
    others: bool = False,
) -> str:
    """The review page of an answer with its runs, or of one run alone, as HTML.

    Parameters
    ----------
    *runs : Trace
        Counterexamples of different properties, or a scenario; none where nothing is violated, and then there is an answer.
    answer : AnswerInWords, optional
        What was asked and found; none for a trace without an answer.
    kernels : mapping of str to KernelInWords, optional
        What a running stack did when it carried out a run, by what the run shows.
    origin : Origin, optional
        What made the page, for a reader who wants to make it again.
    others : bool
        Whether to explore what else could happen in the states of each run (`timewait.proofs.next_steps.state_graph`).
    """
    graph = transition_graph(_behaviour(runs[0]) if runs else Behaviour())
    carried = {name: kernel.steps for name, kernel in (kernels or {}).items()}
    around = [graph_data(state_graph(run), run.shows) if others else None for run in runs]
    return _template().render(
        title=_title(runs, answer),
        runs=[_run(number, run, carried.get(run.shows, {})) for number, run in enumerate(runs)],
        answer=answer,
        rows=_property_rows(runs, answer),
        kernels=[(name, kernel) for name, kernel in (kernels or {}).items()],
        origin=origin,
        actors=sorted({step.event.actor for run in runs for step in run.steps}),
        maps={end: minimap(graph, end, opening=any(map(_opens_by_handshake, runs))) for end in ENDS},
        variables=sorted({name for run in runs for name in run.initial if name != NETWORK}),
        explored=any(around),
        data={
            "runs": [
                run_data(run, graph, carried.get(run.shows, {})) | {"graph": each} for run, each in zip(runs, around, strict=True)
            ]
        },
        style=themed(f"{_colours()}\n{STYLE}") + _asset("style.css"),
        script=_asset("script.js"),
    )


def _title(runs: Sequence[Trace], answer: AnswerInWords | None) -> dict[str, str]:
    """The heading in two parts, of which the second one is a verdict, and the title of the document."""
    broken = [run.shows for run in runs if shows_violation(run)]
    if len(runs) == 1:
        steps = f": {len(runs[0].steps)} steps"
        subject, verdict = runs[0].shows, "is violated" if broken else ""
    elif runs:
        steps, subject, verdict = "", listed(broken), "are violated"
    else:
        steps, subject, verdict = "", answer.verdict if answer else "", ""
    return {"subject": subject, "verdict": verdict, "whole": " ".join(filter(None, (subject, verdict))) + steps}


def _property_rows(runs: Sequence[Trace], answer: AnswerInWords | None) -> list[dict[str, Any]]:
    """The answer for each property, with the link to its run where it has one."""
    numbers = {run.shows: number for number, run in enumerate(runs)}
    return [
        {
            "row": row,
            "statement": PROPERTIES[row.name].statement,
            "run": numbers.get(row.name),
            "last": len(runs[numbers[row.name]].steps) if row.name in numbers else 0,
            **citation(PROPERTIES[row.name].section),
        }
        for row in (answer.properties if answer else ())
    ]


def _run(number: int, trace: Trace, carried: Mapping[int, KernelStep]) -> dict[str, Any]:
    """A run for the template."""
    return {
        "number": number,
        "trace": trace,
        "at": "#step=" if number == 0 else f"#run={trace.shows}&step=",
        "about": data_in_words(trace.about, behaviour=True),
        "section": citation(PROPERTIES[trace.shows].section) if trace.shows in PROPERTIES else None,
        "fails": [(step.number, why) for step in trace.steps if (why := violation_at(trace, step))],
        "again": repetition(trace)[0] if trace.loop is not None else "",
        "tables": list(_tables(trace, carried)),
        "charts": {"beside": list(parts(trace, BESIDE, PART_SIZE)), "slim": list(parts(trace, SLIM, PART_SIZE))},
        "longer": list(_longer_time_waits(trace)),
    }


def _colours() -> str:
    """The colours as custom properties of the style sheet."""
    return f":root {{ {' '.join(f'--{name}: ${name};' for name in NAMED)} }}"


def _tables(trace: Trace, carried: Mapping[int, KernelStep]) -> Iterator[list[dict[str, Any]]]:
    """The steps in tables of at most `PART_SIZE` rows, which browsers draw faster."""
    for first in range(0, len(trace.steps), PART_SIZE):
        yield [_row(trace, step, carried.get(step.number)) for step in trace.steps[first : first + PART_SIZE]]


def _asset(name: str) -> str:
    return files("timewait.diagrams").joinpath("review", name).read_text(encoding="utf-8")


def _opens_by_handshake(trace: Trace) -> bool:
    """Whether an end of a run is in a state of the opening."""
    states = (values for values in (trace.initial, *(step.state for step in trace.steps)))
    return any(state(values, end) in OPENING_STATES for values in states for end in ENDS)


def _behaviour(trace: Trace) -> Behaviour:
    """The behaviour of the ends; RFC 9293 (intended reading) where the trace does not state it."""
    try:
        return configuration_from_data(trace.about).behaviour
    except ConfigurationError:
        return Behaviour()


def _longer_time_waits(trace: Trace) -> Iterator[dict[str, Any]]:
    """Longer TIME-WAITs with the step at which each stops the run; equal outcomes are joined."""
    for (step, why, later), group in groupby(longer_time_wait(trace), key=lambda stop: (stop.step, stop.why, stop.later)):
        lengths = [_length(trace, stop) for stop in group]
        yield {"lengths": lengths, "step": step, "why": why, "later": later}


def _length(trace: Trace, stop: Obstacle) -> str:
    times = stop.time_wait / Fraction(str(trace.about["msl"]))
    return format_duration(stop.time_wait) + (f" ({times} MSL)" if times.denominator == 1 else "")


def _row(trace: Trace, step: Step, kernel: KernelStep | None) -> dict[str, Any]:
    """A row of the table of all steps."""
    return {
        "number": step.number,
        "time": format_duration(step.time),
        "actor": step.event.actor,
        "event": " ".join(filter(None, [step.event.text, bracketed(frames_in_words(step.event.frames))])),
        "sent": [f"{copy.text}{', lost' if copy.lost else ''}" for copy in step.event.sent],
        "states": [state(step.state, end) for end in ENDS],
        "new": [f"{end}.state" in step.changed for end in ENDS],
        "rules": rules_data(step),
        "kernel": kernel,
        "fails": violation_at(trace, step),
        "loops": trace.loop is not None and step.number == trace.loop + 1,
    }
