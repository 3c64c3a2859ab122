"""The places of marks and texts in charts: on no arrow, beside no mark too closely, inside the axes."""

from __future__ import annotations

import random
from itertools import combinations, product

import pytest
from runs import EVERY, trace

from timewait.cli.claim_runs import counterexample
from timewait.diagrams.arrow_labels import StraightLine
from timewait.diagrams.chart import BESIDE, WHOLE, Chart, ChartFormat
from timewait.diagrams.chart_layout import chart_of
from timewait.diagrams.geometry import Point, Rectangle, Size
from timewait.diagrams.risk_chart import HEIGHT, NAMES_WIDTH, WIDTH, RiskCurve, specification
from timewait.diagrams.sequence import sequence
from timewait.diagrams.widths import width
from timewait.spec.exchange import ENDS

every_run = pytest.mark.parametrize("name", EVERY)
every_form = pytest.mark.parametrize("form", [WHOLE, BESIDE], ids=["whole", "beside"])


def arrows(chart: Chart) -> list[StraightLine]:
    """Return the lines of all copies."""
    return [StraightLine(Point(arrow.x1, arrow.y1), Point(arrow.x2, arrow.y2)) for arrow in chart.arrows]


@every_run
@every_form
def test_marks_of_steps_of_no_end(name: str, form: ChartFormat) -> None:
    """They and their texts stand between the lifelines, and no arrow runs through them; other marks stand on a lifeline."""
    clear(chart_of(trace(name), form))


def test_a_mark_moves_off_an_arrow() -> None:
    """In this run a RST crosses the line of the reopening in its middle."""
    chart = chart_of(counterexample("C4", "isolation"), WHOLE)
    clear(chart)
    (x,) = [x for x, step in zip(chart.mark_x, chart.steps, strict=True) if step.event.actor not in ENDS]
    assert x != sum(chart.end_x) / 2


def clear(chart: Chart) -> None:
    """Fail where an arrow runs through the mark or the text of a step of no end."""
    form = chart.form
    texts = [Rectangle(*label.box) for label in chart.labels if label.kind == "common"]
    for step, x, y in zip(chart.steps, chart.mark_x, chart.axis.rows[1:], strict=True):
        if step.event.actor in ENDS:
            assert x == chart.end_x[ENDS.index(step.event.actor)]
            continue
        mark = Rectangle.around(Point(x, y), Size(2 * form.radius, 2 * form.radius))
        assert chart.end_x[0] + form.radius < mark.left < mark.right < chart.end_x[1] - form.radius
        assert any(text.left < x < text.right and y < text.bottom < y + 4 * form.radius for text in texts)
        assert not any(line.meets(area) for line, area in product(arrows(chart), (mark, *texts)))


@every_run
@every_form
def test_texts_beside_violations(name: str, form: ChartFormat) -> None:
    """They leave three pixels between them and the mark, a diamond."""
    chart = chart_of(trace(name), form)
    for step, x, y in zip(chart.steps, chart.mark_x, chart.axis.rows[1:], strict=True):
        if step.number in chart.violating:
            half = max(form.radius, width(str(step.number), form.number_size, bold=True) / 2 + 4) + 5 + 3
            mark = Rectangle.around(Point(x, y), Size(2 * half, form.radius))
            beside = [label for label in chart.labels if label.kind in ("note", "state")]
            assert not any(mark.meets(Rectangle(*label.box)) for label in beside)


@every_run
def test_labels_on_a_band_have_its_colour(name: str) -> None:
    """A label that hides an arrow looks the same as the ground around it."""
    chart = chart_of(trace(name), WHOLE)
    bands = [instant.band for instant in chart.axis.instants if instant.band is not None]
    backed = [label for arrow in chart.arrows for label in arrow.labels if label.backed]
    inside = [label for label in backed if any(top <= label.box[1] and label.box[3] <= bottom for top, bottom in bands)]
    assert [label for label in backed if label.banded] == inside
    assert sequence(trace(name)).count('class="backing band"') == len(inside)


@pytest.mark.parametrize("seed", range(20))
def test_names_of_stacks_beside_the_risk(seed: int) -> None:
    """Long lists of names have several lines, which lie between the axes, off one another and off the points."""
    draw = random.Random(seed)
    times = sorted({round(draw.uniform(0.1, 200), 2) for _ in range(12)})
    chances = sorted((10 ** draw.uniform(-14, -1) for _ in times), reverse=True)
    names = [
        ", ".join(f"stack{draw.randrange(10 ** draw.randrange(1, 6))}" for _ in range(draw.randrange(1, 8))) for _ in range(5)
    ]
    places = sorted(draw.sample(range(len(times)), 5))
    stacks = tuple((times[place], chances[place], name) for place, name in zip(places, names, strict=True))
    curve = RiskCurve("a title", (), tuple(zip(times, chances, strict=True)), times[-1] * 1.3, None, stacks)
    rows = specification(curve)["layer"][-1]["data"]["values"]
    assert " ".join(row["text"] for row in rows) == " ".join(names)
    boxes = []
    for row in rows:
        wide = width(row["text"], 12, bold=True)
        assert wide <= NAMES_WIDTH or ", " not in row["text"].removesuffix(",")
        left = row["x"] - wide * {"left": 0, "center": 0.5, "right": 1}[row["align"]]
        boxes.append(Rectangle(left, row["y"] - 7, left + wide, row["y"] + 7))
    assert all(box.within(Rectangle(0, 0, WIDTH, HEIGHT)) for box in boxes)
    assert not any(one.meets(other) for one, other in combinations(boxes, 2))
