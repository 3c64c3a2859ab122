"""Judged ways in words: the table in text and in Markdown, one way in detail, and everything as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from timewait.checker.decide import Answer
from timewait.checker.verdict import Verdict
from timewait.narration.prose import counted
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.shared_address import Opening, SharingHost, shortest_refusal
from timewait.ways.judging import ASKED, PORTS, SERVICE_TIME, JudgedWay

HEADS = ("way", "req/s", "graceful", "integrity", "old text", "old FIN", "old RST", "old ACK")
"""The headings of the table; the properties in the order of `ASKED`."""

WORDS = {
    Verdict.PROVED: "proved",
    Verdict.VIOLATED: "broken",
    Verdict.VACUOUS: "vacuous",
    Verdict.INCONCLUSIVE: "?",
    Verdict.DISAGREEMENT: "differs",
}
"""A verdict in a cell."""

INHERITED, CONFIRMED = "=", "!"
"""Marks of a cell: the close is as without the way; the running kernel has done what the trace says."""

NEIGHBOURS = (SharingHost("X", 5_000_000), SharingHost("Y", 1_000_000))
"""Two hosts behind a NAT, Y started more than an hour after X."""

Confirmations = Mapping[tuple[str, str], str]
"""What a kernel did with the trace of a way and a property, in words."""


def question_in_words(title: str, configuration: Configuration) -> str:
    """The question in one line."""
    losses = "any number of packets" if configuration.loss is None else counted(configuration.loss, "packet")
    return (
        f"{title}: MSL {format_duration(configuration.msl)}, TIME_WAIT {format_duration(configuration.time_wait)}, "
        f"RTO up to {format_duration(max(configuration.rto))}, {losses} lost in a loss window; "
        f"{PORTS:,} ports, each connection works for {format_duration(SERVICE_TIME)}"
    )


def legend(judged: Sequence[JudgedWay], confirmed: Confirmations) -> Iterator[str]:
    """The meaning of the words and marks that the table holds."""
    cells = {cell.rstrip(f"{INHERITED}{CONFIRMED}") for way in judged for cell in row(way, confirmed)[2:]}
    marks = "".join(cell for way in judged for cell in row(way, confirmed)[2:])
    meanings = {
        "proved": "proved: no run breaks the property",
        "broken": "broken: a run breaks it; --way NAME shows the trace",
        "vacuous": "vacuous: no run does what the property speaks of, so there is nothing to keep; --way NAME says what",
        "?": "?: not decided; --way NAME says why",
        "differs": "differs: a check of the engine's answer failed; --way NAME says which",
    }
    yield from (meaning for word, meaning in meanings.items() if word in cells)
    if INHERITED in marks:
        yield f"{INHERITED}: the way leaves the close as it is, so the verdict is that of the first row"
    if CONFIRMED in marks:
        yield f"{CONFIRMED}: the running kernel has done what the trace says"


def cell(judged: JudgedWay, name: str, confirmed: Confirmations) -> str:
    """The verdict about a property in a cell of the table."""
    mark = INHERITED if judged.inherits else CONFIRMED if confirmed.get((judged.way.name, name)) == "confirmed" else ""
    return f"{WORDS[judged.answers[name].verdict]}{mark}"


def row(judged: JudgedWay, confirmed: Confirmations) -> list[str]:
    """A way as a row of the table."""
    return [judged.way.title, f"{int(judged.gain.rate):,}", *(cell(judged, name, confirmed) for name in ASKED)]


def markdown(judged: Iterable[JudgedWay], confirmed: Confirmations) -> str:
    """The table in Markdown."""
    lines = [HEADS, ["---"] * len(HEADS), *(row(way, confirmed) for way in judged)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def evidence_in_words(judged: JudgedWay, answer: Answer) -> str:
    """What a verdict rests on."""
    source = "inherited, as the way leaves the close as it is; " if judged.inherits else ""
    steps = "" if answer.trace is None else f"; {counted(len(answer.trace.steps), 'step')}, replayed on the specification"
    reason = f"; {answer.reason}" if answer.reason else ""
    return f"{source}{answer.engine}{steps}{reason}"


def refusal(judged: JudgedWay) -> tuple[Opening, ...]:
    """The shortest run in which a server that recycles drops the SYN of a host behind a NAT; empty for other ways."""
    return (shortest_refusal(NEIGHBOURS) or ()) if judged.way.shared_address else ()


def as_data(judged: JudgedWay, confirmed: Confirmations) -> dict[str, Any]:
    """A judged way as plain data."""
    return {
        "name": judged.way.name,
        "title": judged.way.title,
        "about": judged.way.about,
        "requests_per_second": float(judged.gain.rate),
        "factor": float(judged.gain.factor),
        "inherits": judged.inherits,
        "properties": {
            name: {
                "verdict": str(answer.verdict),
                "evidence": evidence_in_words(judged, answer),
                "steps": None if answer.trace is None else len(answer.trace.steps),
                "linux": confirmed.get((judged.way.name, name)),
            }
            for name, answer in judged.answers.items()
        },
        "refused_behind_a_nat": [opening._asdict() for opening in refusal(judged)],
    }
