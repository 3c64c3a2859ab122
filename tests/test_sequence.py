"""Sequence charts: complete, legible and true to scale."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from runs import EVERY, VIOLATIONS, long, trace

from timewait import check
from timewait.checker.trace import Trace
from timewait.diagrams.arrow_labels import StraightLine
from timewait.diagrams.chart import BESIDE, SLIM, WHOLE, Chart, ChartFormat, Lifetimes
from timewait.diagrams.chart_layout import chart_of
from timewait.diagrams.colours import NAMED, themed
from timewait.diagrams.geometry import Point, Rectangle
from timewait.diagrams.sequence import parts, sequence
from timewait.diagrams.sequence_text import as_text, lanes
from timewait.diagrams.time_axis import LONGEST, GapScale, axis
from timewait.narration.sentences import trace_lines as in_words
from timewait.narration.sentences import violation_at
from timewait.narration.timeline import DeliveryOutcome, transits, waits
from timewait.spec.scenarios import SCENARIOS
from timewait.spec.state import in_rfc_spelling

SVG = "{http://www.w3.org/2000/svg}"
FORMATS = {"whole": WHOLE, "beside": BESIDE, "slim": SLIM}

every_run = pytest.mark.parametrize("name", EVERY)
every_form = pytest.mark.parametrize("form", FORMATS.values(), ids=FORMATS)


def drawn(name: str, form: ChartFormat = WHOLE) -> ET.Element:
    """The parsed picture of a run."""
    return ET.fromstring(sequence(trace(name), form))


def groups(picture: ET.Element, kind: str) -> list[ET.Element]:
    """The groups of a class."""
    return [group for group in picture.iter(f"{SVG}g") if kind in group.get("class", "").split()]


def has(group: ET.Element, kind: str) -> bool:
    """Whether a group contains an element of a class."""
    return any(kind in one.get("class", "").split() for one in group.iter())


class TestArrows:
    """The arrows of copies."""

    @every_run
    @every_form
    def test_every_copy_has_one_arrow(self, name: str, form: ChartFormat) -> None:
        """And one more, dashed, for each duplicate."""
        steps = trace(name).steps
        sent = Counter(copy.number for step in steps for copy in step.event.sent)
        arrived = Counter(step.event.received.number for step in steps if step.event.received is not None)
        picture = drawn(name, form)
        first = Counter(
            int(group.get("data-copy", "")) for group in groups(picture, "arrow") if "again" not in group.get("class", "")
        )
        again = Counter(
            int(group.get("data-copy", "")) for group in groups(picture, "again") if "arrow" in group.get("class", "")
        )
        assert first == sent == dict.fromkeys(sent, 1)
        assert again == {number: count - 1 for number, count in arrived.items() if count > 1}

    @every_run
    def test_outcomes_have_different_shapes(self, name: str) -> None:
        """A cross for a loss, a ring for a copy that does not arrive, an arrow head for an arrival."""
        lost = {copy.number for step in trace(name).steps for copy in step.event.sent if copy.lost}
        for arrow in groups(drawn(name), "arrow"):
            number, kinds = int(arrow.get("data-copy", "")), arrow.get("class", "").split()
            assert has(arrow, "cross") == ("lost" in kinds) == (number in lost)
            assert has(arrow, "end") == ("open" in kinds)
            assert has(arrow, "head") == bool({"arrives", "again"} & {*kinds})

    @every_run
    def test_arrows_lead_from_sending_to_arrival(self, name: str) -> None:
        """From lifeline to lifeline, at the rows of the steps."""
        run, layout = trace(name), chart_of(trace(name), WHOLE)
        for arrow in layout.arrows:
            copy, transit = arrow.transit.copy, arrow.transit
            assert arrow.x1 == layout.end_x["AB".index(copy.sender)]
            assert arrow.receiver_x == layout.end_x["AB".index(copy.receiver)]
            assert transit.sent is not None
            assert copy in run.steps[transit.sent - 1].event.sent
            assert arrow.y1 == layout.axis.rows[transit.sent]
            if transit.arrives is not None:
                received = run.steps[transit.arrives - 1].event.received
                assert received is not None
                assert received.number == copy.number
                assert (arrow.x2, arrow.y2) == (arrow.receiver_x, layout.axis.rows[transit.arrives])
            else:
                assert abs(arrow.x2 - arrow.x1) < abs(arrow.receiver_x - arrow.x1) / 2

    @every_run
    def test_lifetimes(self, name: str) -> None:
        """From the sending to the last instant at which a copy may arrive; none for a lost copy."""
        layout = chart_of(trace(name), BESIDE)
        for arrow in layout.arrows:
            if arrow.transit.outcome in (DeliveryOutcome.LOST, DeliveryOutcome.DUPLICATE):
                assert arrow.window is None
            else:
                assert arrow.window == (arrow.y1, max(arrow.y1, layout.axis.at(arrow.transit.copy.expires)))
        shown = [int(group.get("data-copy", "")) for group in groups(drawn(name, BESIDE), "lifetime")]
        assert shown == [arrow.transit.copy.number for arrow in layout.arrows if arrow.window is not None]

    @every_run
    def test_a_chart_alone_has_the_lifetimes_of_the_violation(self, name: str) -> None:
        """Those of copies that arrive where the property is violated; none in a run that goes well, none on request."""
        received = [step.event.received for step in trace(name).steps if violation_at(trace(name), step)]
        violating = {str(copy.number) for copy in received if copy is not None and trace(name).loop is None}
        assert {group.get("data-copy") for group in groups(drawn(name), "lifetime")} == violating
        assert bool(violating) == (name in VIOLATIONS and name != "endless")
        assert not groups(drawn(name, replace(WHOLE, lifetimes=Lifetimes.NONE)), "lifetime")


class TestEnds:
    """The lifelines and their labels."""

    def test_time_wait_is_a_bar(self) -> None:
        """With 2 MSL beside it."""
        layout = chart_of(trace("old duplicate"), WHOLE)
        (bar,) = layout.bars
        assert (bar.top, bar.bottom) == (layout.axis.rows[2], layout.axis.rows[6])
        assert bar.two_msl == layout.axis.at(Fraction(60)) > bar.bottom
        texts = [label.text for label in layout.labels]
        assert texts.count("for 59.9s") == texts.count("2 MSL: 60s") == texts.count("end of 2 MSL") == 1

    def test_a_restart_begins_another_bar(self) -> None:
        """2 MSL are counted from the last restart."""
        found = waits(trace("assassinated"))
        assert [(wait.first, wait.last, wait.restarted, wait.ended) for wait in found] == [
            (4, 6, False, False),
            (6, 8, True, True),
        ]
        layout = chart_of(trace("assassinated"), WHOLE)
        assert [bar.two_msl is None for bar in layout.bars] == [True, False]
        assert "timer restarts" in [label.text for label in layout.labels]

    def test_both_ends_may_wait(self) -> None:
        """In a simultaneous close."""
        assert [bar.wait.end for bar in chart_of(trace("simultaneous-close"), WHOLE).bars] == ["A", "B"]

    @every_run
    def test_incarnations_differ(self, name: str) -> None:
        """The next one begins at the reopen, at both ends."""
        layout = chart_of(trace(name), WHOLE)
        again = [
            step.number for step in trace(name).steps if "A.state" in step.changed and step.state["A.state"] == "new incarnation"
        ]
        later = [(lifetime.end, top) for lifetime, top, _ in layout.lifelines if lifetime.kind == "next"]
        assert later == [(end, layout.axis.rows[step]) for end in "AB" for step in again]

    @every_run
    @every_form
    def test_every_step_has_a_mark_and_a_row(self, name: str, form: ChartFormat) -> None:
        """With attributes for the page."""
        picture = drawn(name, form)
        numbers = [str(step.number) for step in trace(name).steps]
        assert [group.get("data-step") for group in groups(picture, "step")] == numbers
        assert [group.get("data-step") for group in groups(picture, "row")] == numbers

    @pytest.mark.parametrize("name", [name for name in VIOLATIONS if name != "endless"])
    def test_a_violation_has_a_diamond_and_a_text(self, name: str) -> None:
        """At its step."""
        last = trace(name).steps[-1]
        picture = drawn(name)
        assert [group.get("data-step") for group in groups(picture, "step") if has(group, "wrong")] == [str(last.number)]
        said = " ".join(text.text or "" for text in picture.iter(f"{SVG}text") if "verdict" in text.get("class", ""))
        assert said == in_rfc_spelling(violation_at(trace(name), last))
        assert said.startswith(f"breaks {trace(name).shows}: ")

    def test_a_loop_has_a_frame(self) -> None:
        """Around the part that repeats, with its period."""
        layout = chart_of(trace("endless"), WHOLE)
        assert layout.loop is not None
        left, top, right, bottom = layout.loop
        assert layout.axis.rows[7] < top < layout.axis.rows[8]
        assert bottom > layout.axis.rows[9]
        assert left < layout.end_x[0] < layout.end_x[1] < right
        heading = [label for label in layout.labels if label.kind == "loop"]
        assert " ".join(label.text for label in heading) == "loop: again and again, every 2s"
        assert all(left < label.box[0] and label.box[2] < right and top < label.box[1] for label in heading)
        assert any("step 8 follows" in label.text for label in layout.labels)

    @pytest.mark.parametrize("name", SCENARIOS)
    def test_scenarios_have_no_violation(self, name: str) -> None:
        """No diamond, no text, no bracket."""
        layout = chart_of(trace(name), WHOLE)
        assert (layout.violating, layout.frames, layout.loop) == (frozenset(), (), None)


class TestLabels:
    """The labels are legible."""

    @every_form
    @pytest.mark.parametrize("name", [*EVERY, "long"])
    def test_labels_do_not_overlap(self, name: str, form: ChartFormat) -> None:
        """Nor leave the picture, in any format."""
        run = long(300) if name == "long" else trace(name)
        layout = chart_of(run, form)
        assert not crowded(layout)
        for left, top, right, bottom in layout.frames:
            for label in layout.labels:
                one = label.box
                inside = label.kind == "verdict"
                assert inside or not (one[0] < right and left < one[2] and one[1] < bottom and top < one[3]), label.text

    @every_form
    @pytest.mark.parametrize("name", [*EVERY, "long"])
    def test_labels_are_off_the_arrows(self, name: str, form: ChartFormat) -> None:
        """A line runs through a label only where nothing beside its arrow is free; the label hides it there."""
        layout = chart_of(long(300) if name == "long" else trace(name), form)
        lines = [StraightLine(Point(arrow.x1, arrow.y1), Point(arrow.x2, arrow.y2)) for arrow in layout.arrows]
        named = [label for arrow in layout.arrows for label in arrow.labels]
        struck = [label for label in named if any(line.meets(Rectangle(*label.box)) for line in lines)]
        assert [label.text for label in struck if not label.backed] == []
        if form is WHOLE:
            assert len(struck) <= 1 + len(named) / 20

    @every_form
    def test_every_copy_is_named(self, form: ChartFormat) -> None:
        """In one line or in two."""
        for name in EVERY:
            for arrow in chart_of(trace(name), form).arrows:
                described = " ".join(label.text for label in arrow.labels)
                assert described == ("" if arrow.transit.outcome is DeliveryOutcome.DUPLICATE else arrow.transit.copy.text)

    @pytest.mark.parametrize("page", ["light", "dark"])
    @pytest.mark.parametrize("colour", ["text", "muted", "wrong", "first", "next"])
    def test_contrast(self, page: str, colour: str) -> None:
        """At least that of WCAG 2.2 AA for text, on the page, on a band and on a highlighted row."""
        for ground in ("background", "band", "marked"):
            assert contrast(getattr(NAMED[colour], page), getattr(NAMED[ground], page)) >= 4.5, ground

    def test_themes_have_every_colour(self) -> None:
        """No name of a colour remains in a style sheet."""
        first, paper = NAMED["first"], NAMED["background"]
        assert themed("a { fill: $first; stroke: $background; }") == (
            f"a {{ fill: {first.light}; stroke: {paper.light}; }}\n@media screen and (prefers-color-scheme: dark) {{\n"
            f"a {{ fill: {first.dark}; stroke: {paper.dark}; }}\n}}"
        )
        assert "$" not in sequence(trace("endless"))


def crowded(layout: Chart) -> list[str]:
    """The labels that leave the picture or overlap another."""
    boxes = sorted((label.box, label.text) for label in layout.labels)
    boxes.sort(key=lambda entry: entry[0][1])
    found = [
        f"{text} is cut"
        for (left, top, right, bottom), text in boxes
        if left < 0 or top < 0 or right > layout.width or bottom > layout.height
    ]
    for index, (one, text) in enumerate(boxes):
        for other, more in boxes[index + 1 :]:
            if other[1] >= one[3]:
                break
            if one[0] < other[2] and other[0] < one[2]:
                found.append(f"{text} | {more}")
    return found


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2.2 between two colours."""

    def luminance(colour: str) -> float:
        parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


lengths = st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=1000)


class TestTime:
    """The axis."""

    def test_the_time_after_the_last_step_has_room(self) -> None:
        """The label of a gap up to the end of 2 MSL, which is longer than every time of a step."""
        (answer,) = check(msl="30s", rto="1s", time_wait="0s", closers="a", data=(1, 0), properties=["old-text"]).answers
        assert answer.trace is not None
        layout = chart_of(answer.trace, WHOLE)
        times = [label for label in layout.labels if label.box[2] < layout.axis_x]
        assert "+59.999s" in [label.text for label in times]
        assert all(label.box[0] >= 0 for label in times)

    @given(st.lists(st.one_of(st.just(Fraction(0)), lengths), max_size=30), st.one_of(st.just(Fraction(0)), lengths))
    def test_true_or_marked(self, pauses: list[Fraction], after: Fraction) -> None:
        """Rows keep their order and space; a gap that is not marked is true to scale."""
        times = [Fraction(0)]
        for pause in pauses:
            times.append(times[-1] + pause)
        above, below = [14.0] * len(times), [20.0 + 5 * (number % 3) for number in range(len(times))]
        found = axis(times, above, below, 10.0, times[-1] + after)
        assert len(found.rows) == len(times)
        for number, (one, other) in enumerate(pairwise(found.rows)):
            assert other - one >= below[number] + above[number + 1] - 1e-6
        for gap in found.gaps:
            height, true = gap.bottom - gap.top, float(gap.ends - gap.begins) * found.scale
            if gap.scale is GapScale.TRUE:
                assert height == pytest.approx(true)
            elif gap.scale is GapScale.SHORTENED and found.scale:
                assert height < LONGEST < true
            elif found.scale:
                assert height > true
        assert found.at(times[-1] + after + 1) == found.bottom >= found.rows[-1] + below[-1]

    @every_run
    def test_the_slope_is_the_delay(self, name: str) -> None:
        """Between rows that are the last and the first of their instants, across gaps that are true to scale."""
        layout = chart_of(trace(name), WHOLE)
        instant = {row: index for index, one in enumerate(layout.axis.instants) for row in range(one.first, one.last + 1)}
        for arrow in layout.arrows:
            sent, arrives = arrow.transit.sent, arrow.transit.arrives
            if sent is None or arrives is None or instant[sent] == instant[arrives]:
                continue
            between = layout.axis.instants[instant[sent] + 1 : instant[arrives]]
            crossed = layout.axis.gaps[instant[sent] : instant[arrives]]
            if all(gap.scale is GapScale.TRUE for gap in crossed) and all(one.top == one.bottom for one in between):
                begins, ends = layout.axis.instants[instant[sent]], layout.axis.instants[instant[arrives]]
                inside = begins.bottom - arrow.y1 + arrow.y2 - ends.top
                age = trace(name).steps[arrives - 1].time - arrow.transit.copy.sent
                assert arrow.y2 - arrow.y1 - inside == pytest.approx(float(age) * layout.axis.scale)

    def test_a_time_is_shown_once(self) -> None:
        """Beside the first step of its instant."""
        layout = chart_of(trace("never restarted"), WHOLE)
        times = [label.text for label in layout.labels if label.kind == "time"]
        assert len(times) == len({*times}) == len({step.time for step in trace("never restarted").steps})

    def test_marked_gaps_have_their_duration(self) -> None:
        """A minute among hundredths of a second."""
        layout = chart_of(trace("clean-close"), WHOLE)
        assert [gap.scale for gap in layout.axis.gaps] == [*[GapScale.TRUE] * 5, GapScale.SHORTENED]
        assert "+60s" in [label.text for label in layout.labels]
        assert "time, drawn shorter" in sequence(trace("clean-close"))
        assert "time, drawn longer" not in sequence(trace("clean-close"))


@every_run
def test_pictures_stand_alone(name: str) -> None:
    """They have a title, no external references, and are the same each time."""
    text = sequence(trace(name))
    picture = ET.fromstring(text)
    assert trace(name).statement in (picture.findtext(f"{SVG}title") or "")
    assert (picture.findtext(f"{SVG}desc") or "").splitlines()[1:] == [*in_words(trace(name))]
    assert text == sequence(trace(name))
    assert "http" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not [one for one in picture.iter() if one.get("id")]


@pytest.mark.parametrize("steps", [2, 2000])
def test_short_and_long_runs(steps: int) -> None:
    """Two steps, and two thousand in a few seconds."""
    run = long(steps)
    began = time.monotonic()
    picture = ET.fromstring(sequence(run))
    assert time.monotonic() - began < 20
    assert len(groups(picture, "step")) == steps
    assert len([group for group in groups(picture, "arrow") if group.get("data-copy")]) == len(transits(run))


def test_a_copy_from_before_the_run() -> None:
    """It has an arrow from the time of sending."""
    whole = trace("clean-close")
    steps = tuple(replace(step, number=number) for number, step in enumerate(whole.steps[1:], start=1))
    run = Trace(whole.shows, whole.statement, whole.steps[0].state, steps, whole.about)
    first = transits(run)[0]
    assert (first.sent, first.arrives, first.copy.text) == (None, 1, "FIN+ACK seq=1 ack=1")
    assert not crowded(chart_of(run, WHOLE))


def test_a_run_without_steps() -> None:
    """The start alone."""
    whole = trace("clean-close")
    run = Trace(whole.shows, whole.statement, whole.initial, (), whole.about)
    assert [label.text for label in chart_of(run, BESIDE).labels].count("ESTABLISHED") == 2
    assert not groups(ET.fromstring(sequence(run)), "arrow")


class TestParts:
    """The chart in parts, for the page."""

    @every_run
    @pytest.mark.parametrize("most", [3, 40])
    def test_parts_are_complete(self, name: str, most: int) -> None:
        """Every step and every copy is in a part."""
        run = trace(name)
        found = list(parts(run, BESIDE, most))
        assert [one.first for one in found] == list(range(0, len(run.steps) + 1, most))
        assert [one.last + 1 for one in found] == [*(one.first for one in found[1:]), len(run.steps) + 1]
        pictures = [ET.fromstring(one.svg) for one in found]
        tops = [float(picture.get("viewBox", "").split()[1]) for picture in pictures]
        assert [one + part.height for one, part in zip(tops, found, strict=True)][:-1] == tops[1:]
        steps = [[int(group.get("data-step", "")) for group in groups(picture, "step")] for picture in pictures]
        assert steps == [[*range(max(one.first, 1), one.last + 1)] for one in found]
        copies = {group.get("data-copy") for picture in pictures for group in groups(picture, "arrow")}
        assert copies == {group.get("data-copy") for group in groups(drawn(name, BESIDE), "arrow")}

    def test_a_part_has_the_arrows_that_cross_it(self) -> None:
        """Those that begin before it and end after it."""
        run = trace("old duplicate")
        late = next(one for one in chart_of(run, BESIDE).arrows if (one.transit.sent, one.transit.arrives) == (4, 8))
        where = [
            one.first
            for one in parts(run, BESIDE, 2)
            if f'data-copy="{late.transit.copy.number}"' in one.svg and "arrow" in one.svg
        ]
        assert where == [4, 6, 8]

    def test_the_size_of_parts_is_bounded(self) -> None:
        """In a long run."""
        sizes = [len(one.svg) for one in parts(long(400), BESIDE, 40)]
        assert max(sizes) < 1.3 * min(sizes[:-1])


class TestLanes:
    """The chart as text."""

    @every_run
    def test_every_step_has_a_row(self, name: str) -> None:
        """With its states and segments."""
        run = trace(name)
        rows = [row for row in lanes(run) if row.number]
        assert [row.number for row in rows] == [str(number) for number in range(len(run.steps) + 1)]
        for row, step in zip(rows[1:], run.steps, strict=True):
            assert row.states == tuple(step.state[f"{end}.state"] for end in "AB")
            assert row.new == tuple(f"{end}.state" in step.changed for end in "AB")
            assert len(row.wire) == len(step.event.sent) + (step.event.received is not None)

    @every_run
    @pytest.mark.parametrize("width", [None, 60, 80, 100, 120])
    def test_columns_are_aligned(self, name: str, width: int | None) -> None:
        """The states of an end in one column, the violation below; no line is longer than the terminal."""
        run = trace(name)
        text = as_text(run, width)
        lines = text.splitlines()
        head = next(line for line in lines if line.split()[:2] == ["#", "t"])
        for step in run.steps:
            row = next(line for line in lines[lines.index(head) :] if line.split()[:1] == [str(step.number)])
            for end in "AB":
                words = str(step.state[f"{end}.state"])  # those of a new incarnation may be in two lines
                assert row[head.index(f" {end}") + 1 :].startswith(words if "what" in head else words.split()[0])
        described = " ".join(why for step in run.steps if (why := violation_at(run, step)))
        assert " ".join(lines).endswith(described)
        if width is not None:
            assert max(map(len, lines)) <= width
            assert all(f"({end} sends" in " ".join(lines) for end in {step.event.actor for step in run.steps if step.event.sent})

    def test_a_loop(self) -> None:
        """A line before its first step."""
        rows = list(lanes(trace("endless")))
        (place,) = (place for place, row in enumerate(rows) if not row.number)
        assert rows[place].wire == ("again and again, every 2s:",)
        assert rows[place + 1].number == str((trace("endless").loop or 0) + 1)
