"""A learned machine as a figure, with its differences from the machine of the specification."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from timewait.diagrams.colours import BLUE, GREY, RED
from timewait.diagrams.figure import Arrow, Box, Figure, LineStyle, TextLine, bold, line

AGREES = LineStyle("as the specification", BLUE, "solid")
DIFFERS = LineStyle("differs from the specification", RED, "bold")
STATE = LineStyle("a state", GREY, "solid")

SILENT = "nothing"
"""The output of an event to which nothing is sent."""


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
    arrows = tuple(_arrow(*ends, together) for ends, together in _sorted(grouped))
    boxes = tuple(Box(name, name, STATE) for name in states)
    styles = tuple(style for style in (AGREES, DIFFERS) if any(arrow.style is style for arrow in arrows))
    return Figure("machine", title, boxes, arrows, styles=styles, caption=(line(bold(title)),))


def _sorted(grouped: Mapping[tuple[str, str, bool], list[MachineEdge]]) -> list[tuple[tuple[str, str, bool], list[MachineEdge]]]:
    return sorted(grouped.items(), key=lambda item: item[0])


def _arrow(source: str, target: str, differs: bool, edges: list[MachineEdge]) -> Arrow:
    by_output: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for edge in edges:
        by_output[edge.output, edge.expected].append(edge.event)
    label: list[TextLine] = []
    for (output, expected), events in by_output.items():
        answer = f"{', '.join(events)} / {output}"
        label.append(line(f"{answer} (specification: {expected})" if differs else answer))
    return Arrow(source, target, tuple(label), DIFFERS if differs else AGREES)
