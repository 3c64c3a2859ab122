"""The report of a campaign as a page: plain HTML in one file, without scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from timewait.laboratory.conformance.campaign import ConformanceReport, DifferenceGroup
from timewait.laboratory.conformance.departures import DEPARTURES

STYLE = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { border: 1px solid #8888; padding: .25rem .6rem; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
code { font-size: .95em; }
.unexplained { border-left: .3rem solid #c33; padding-left: .7rem; }
@media (max-width: 42rem) {
  body { margin: 1rem auto; }
  h1 { font-size: 1.5rem; }
  h2 { font-size: 1.2rem; }
  table, caption, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tr { border-top: 1px solid #8888; padding: .3rem 0; }
  th, td { border: 0; padding: 0; overflow-wrap: anywhere; }
  td.number { text-align: left; }
  td[data-label]::before { content: attr(data-label) ": "; opacity: .8; }
}
"""


def conformance_page(report: ConformanceReport) -> str:
    """Return the report as an HTML document."""
    title = f"{report.stack} {report.version} and the specification"
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>',
        f"<style>{STYLE}</style></head>",
        f"<body><main><h1>{escape(title)}</h1>",
        f"<p>Verdict: <strong>{escape(report.summary)}</strong></p>",
        f"<p>Changed for the experiments: {escape(', '.join(report.aids))}. Seed of the random walks: {report.seed}.</p>",
        *_layers(report),
        *(line for number, group in enumerate(report.groups, 1) for line in _group(number, group, report)),
        *_departures(report),
        "</main></body></html>",
    ]
    return "\n".join(lines) + "\n"


def _layers(report: ConformanceReport) -> Iterator[str]:
    rows = []
    for result in report.layers:
        counts = (len(result.compared), result.agreeing, report.count(result.layer, True), report.count(result.layer, False))
        rows.append((str(result.layer), *(f"{count:,}" for count in counts), f"{result.seconds:.1f} s"))
    yield from _table("Layers", ("layer", "experiments", "agree", "differ, explained", "differ, unexplained", "time"), rows)
    if report.stopped:
        yield f"<p>Experiments were left out: {escape(report.stopped)}.</p>"


def _group(number: int, group: DifferenceGroup, report: ConformanceReport) -> Iterator[str]:
    """A group of differences, with its shortest experiment event by event."""
    wrong = report.shows_wrong_profile(group)
    name = "unexplained" if group.explanation is None else f"{'the profile is wrong: ' if wrong else ''}{group.explanation}"
    where = ", ".join(f"{count:,} in {layer}" for layer, count in group.counts.items())
    mark = ' class="unexplained"' if group.explanation is None or wrong else ""
    yield f"<section{mark}><h2>{number}. {escape(name)}</h2><p>{escape(where)}. The shortest experiment:</p>"
    shortest = group.shortest
    events = (shortest.experiment.described(number) for number in range(len(shortest.experiment.events)))
    rows = zip(events, map(str, shortest.predicted), map(str, shortest.observed), strict=True)
    yield from _table("", ("event", "specification", report.stack), [*rows])
    yield "</section>"


def _departures(report: ConformanceReport) -> Iterator[str]:
    used = sorted({name for group in report.groups if group.explanation for name in group.explanation.departures})
    if used:
        entries = [DEPARTURES[name] for name in used]
        rows = [(entry.name, entry.meaning, entry.reason, entry.source) for entry in entries]
        yield from _table("Departures", ("departure", f"{report.stack}", "why no setting expresses it", "source"), rows)


def _table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "<table>"
    if caption:
        yield f"<caption>{escape(caption)}</caption>"
    yield "<thead><tr>" + "".join(f'<th scope="col">{escape(head)}</th>' for head in heads) + "</tr></thead><tbody>"
    for first, *rest in rows:
        labelled = zip(heads[1:], rest, strict=True)
        cells = "".join(f'<td{_alignment(cell)} data-label="{escape(head)}">{escape(cell)}</td>' for head, cell in labelled)
        yield f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>'
    yield "</tbody></table>"


def _alignment(cell: str) -> str:
    return ' class="number"' if cell.replace(",", "").isdigit() else ""
