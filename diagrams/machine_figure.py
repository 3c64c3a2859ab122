"""A learned machine as a figure, with its differences from the machine of the specification."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from timewait.diagrams.box_sizes import LABEL, LABEL_WIDTH, TEXT
from timewait.diagrams.colours import BLUE, GREY, RED
from timewait.diagrams.figure import Arrow, Box, Figure, FigureRow, LineStyle, TextLine, bold, line
from timewait.diagrams.widths import joined
from timewait.spec.state import in_rfc_spelling

AGREES = LineStyle("as the specification", BLUE, "solid")
DIFFERS = LineStyle("differs from the specification", RED, "bold")
STATE = LineStyle("a state", GREY, "solid")

SILENT = "nothing"
"""The output of an event to which nothing is sent."""

RESET = "RST"
"""The event of a RST that arrives."""

ROW_WIDTH = 130.0
"""The width at which the events of a row are wrapped, in pixels."""

CONTINUED = "\u2003"
"""An em space, before what follows from an event."""


class MachineEdge(NamedTuple):
    """A transition of a learned machine.

    Attributes
    ----------
    source, target : str
        The names of two states.
    event, output : str
        What arrives, and what is sent.
    expected : str
        What the specification sends; the same as `output` where they agree.
    """

    source: str
    target: str
    event: str
    output: str
    expected: str


def machine_figure(title: str, states: Iterable[str], edges: Iterable[MachineEdge]) -> Figure:
    """The figure of a machine; events that change nothing and draw nothing are left out.

    A box lists the events that leave its state as it is, and the resets that end several states alike; the other transitions,
    and every difference, are arrows.

    Parameters
    ----------
    title : str
        The subject in one line.
    states : iterable of str
        The names of the states.
    edges : iterable of MachineEdge
        The transitions.
    """
    shown = [edge for edge in edges if edge.source != edge.target or edge.output != SILENT or edge.output != edge.expected]
    grouped: defaultdict[tuple[str, str, bool], list[MachineEdge]] = defaultdict(list)
    for edge in shown:
        grouped[edge.source, edge.target, edge.output != edge.expected].append(edge)
    reached = {target for (source, target, _), together in grouped.items() if source != target and not _is_reset(together)}
    listed: defaultdict[str, list[FigureRow]] = defaultdict(list)
    drawn = []
    for (source, target, differs), together in _sorted(grouped):
        if not differs and (source == target or (target in reached and _is_reset(together))):
            listed[source] += _rows(together, "" if source == target else target)
        else:
            reached.add(target)  # one arrow leads there; the other resets are rows
            drawn.append(_arrow(source, target, differs, together))
    arrows = tuple(drawn)
    boxes = tuple(Box(name, in_rfc_spelling(name), STATE, rows=tuple(listed[name])) for name in states)
    styles = tuple(style for style in (AGREES, DIFFERS) if any(arrow.style is style for arrow in arrows))
    return Figure("machine", title, boxes, arrows, styles=styles, caption=(line(bold(title)),))


def _sorted(grouped: Mapping[tuple[str, str, bool], list[MachineEdge]]) -> list[tuple[tuple[str, str, bool], list[MachineEdge]]]:
    return sorted(grouped.items(), key=lambda item: item[0])


def _is_reset(edges: Iterable[MachineEdge]) -> bool:
    """Whether these transitions are those of a RST to which nothing is sent."""
    return all((edge.event, edge.output) == (RESET, SILENT) for edge in edges)


def _by_output(edges: Iterable[MachineEdge]) -> dict[tuple[str, str], list[str]]:
    """The events of some transitions, by what is sent and what the specification sends."""
    together: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in edges:
        together[edge.output, edge.expected].append(edge.event)
    return dict(together)


def _rows(edges: Iterable[MachineEdge], target: str) -> Iterator[FigureRow]:
    """The rows of a box: events, and below them what is sent, or the state that follows."""
    for (output, _), events in _by_output(edges).items():
        yield from (FigureRow((line(bold(text)),)) for text in joined(events, TEXT, ROW_WIDTH, bold=True))
        yield FigureRow((line(f"{CONTINUED}-> {in_rfc_spelling(target)}" if target else f"{CONTINUED}/ {output}"),))


def _arrow(source: str, target: str, differs: bool, edges: list[MachineEdge]) -> Arrow:
    label: list[TextLine] = []
    for (output, expected), events in _by_output(edges).items():
        label += (line(bold(text)) for text in joined(events, LABEL, LABEL_WIDTH, bold=True))
        label.append(line(f"/ {output} (specification: {expected})" if differs else f"/ {output}"))
    return Arrow(source, target, tuple(label), DIFFERS if differs else AGREES)
