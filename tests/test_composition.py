"""Figures of reachable locations: every location and every edge, drawn or counted."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from fractions import Fraction

import pytest

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget
from timewait.diagrams.composition import SMALL, ReachedGraph, TooManyToDraw, by_states, composition, reach, whole
from timewait.diagrams.figure import Arrow, Box, Figure, plain_text
from timewait.diagrams.graphviz_layout import laid_out
from timewait.diagrams.layout import overlaps
from timewait.proofs.claims import close, core
from timewait.spec.composition import Composition, CompositionState
from timewait.spec.configuration import Configuration

ASKED = {
    "core, nothing lost": (core(2, 4, 2, 0), 8, 8, 13),
    "core, one loss": (core(2, 4, 2, 1), 16, 18, 45),
    "close, one loss": (close(2, 4, 2, 1), 22, 30, 105),
    "too short a wait": (core(2, 1, 2, 0), 10, 11, 24),
}
every_question = pytest.mark.parametrize("name", ASKED)


@pytest.fixture(scope="module")
def reached() -> dict[str, ReachedGraph]:
    """Explore each once."""
    return {name: reach(configuration, Budget()) for name, (configuration, *_) in ASKED.items()}


@every_question
def test_sizes(reached: dict[str, ReachedGraph], name: str) -> None:
    """Exact counts."""
    found = reached[name]
    assert (len(found.locations), sum(found.zones.values()), len(found.edges)) == ASKED[name][1:]
    assert found.counts == "{} locations, {} zones, {} edges".format(*ASKED[name][1:])


@every_question
def test_ticks_reach_the_same(reached: dict[str, ReachedGraph], name: str) -> None:
    """Dense time and ticks reach the same locations where all durations are whole."""
    system = Composition(ASKED[name][0])
    automaton = CompiledAutomaton(system)
    explored = Explicit(automaton)
    explored.explore(Budget())
    seen = {system.equivalence_class(automaton.location(state[0]).original) for state in explored.nodes}
    assert seen == {system.equivalence_class(location) for location in reached[name].locations.values()}


@every_question
def test_whole_has_every_location_and_every_edge(reached: dict[str, ReachedGraph], name: str) -> None:
    """A box each, and each edge among the arrows between its locations."""
    found = reached[name]
    figure = whole(found, name)
    assert {box.name for box in figure.boxes} == {f"location_{number}" for number in found.locations}
    described = Counter((arrow.source, arrow.target) for arrow in figure.arrows for _ in arrow.tooltip.splitlines())
    assert described == Counter((f"location_{step.source}", f"location_{step.target}") for step in found.edges)


@every_question
def test_counts_add_up(reached: dict[str, ReachedGraph], name: str) -> None:
    """The numbers of locations, zones and edges by states are those of the whole graph."""
    found = reached[name]
    figure = by_states(found, name)
    notes = [note for box in figure.boxes for note in box.note]
    assert total(r"(\d+) locations?", notes) == len(found.locations)
    assert total(r"(\d+) zones?", notes) == sum(found.zones.values())
    labels = [plain_text(text) for arrow in figure.arrows for text in arrow.label]
    assert total(r"(\d+) edges? inside", notes) + total(r"^(\d+) edges?$", labels) == len(found.edges)


def total(pattern: str, texts: list[str]) -> int:
    """Return the sum of the numbers that a pattern finds."""
    return sum(int(number) for text in texts for number in re.findall(pattern, text))


@every_question
def test_a_small_graph_is_drawn_whole(reached: dict[str, ReachedGraph], name: str) -> None:
    """And a large one by states."""
    found = reached[name]
    boxes = len(composition(found, name).boxes)
    assert (boxes == len(found.locations)) is (len(found.locations) <= SMALL)
    assert boxes <= SMALL


def states_of(figure: Figure) -> set[str]:
    """Return the titles of the boxes."""
    return {box.title for box in figure.boxes}


def test_a_violation_is_labelled(reached: dict[str, ReachedGraph]) -> None:
    """A RST resets the end that closes second if TIME_WAIT is too short."""
    broken = [arrow for arrow in whole(reached["too short a wait"], "").arrows if arrow.style.name == "a property is violated"]
    assert any("violates graceful" in plain_text(text) for arrow in broken for text in arrow.label)
    long = whole(reached["core, nothing lost"], "")
    assert not any(arrow.style.name == "a property is violated" for arrow in long.arrows)
    assert "an old segment has reached the next connection" not in states_of(long)


def test_nothing_overlaps(reached: dict[str, ReachedGraph]) -> None:
    """In the figures of the default detail."""
    for name, found in reached.items():
        figure = composition(found, name)
        assert overlaps(figure, laid_out(figure)) == [], name


def test_tooltips_stay_short() -> None:
    """However many edges there are."""
    both: Configuration = replace(close(1, 2, 1, 0), both_close=True)
    figure = by_states(reach(both, Budget()), "both")
    parts: tuple[Box | Arrow, ...] = (*figure.boxes, *figure.arrows)
    assert max(len(part.tooltip.splitlines()) for part in parts) == 13
    assert "A CLOSING, B CLOSING" in states_of(figure)


def test_an_exploration_that_is_cut_short_is_refused() -> None:
    """A figure of a part would look complete."""
    with pytest.raises(TooManyToDraw, match="hit a limit"):
        reach(close(30, Fraction(60), 30, 1), Budget(states=5))


def test_the_first_location_is_the_initial_one(reached: dict[str, ReachedGraph]) -> None:
    """Exploration starts there."""
    first = next(iter(reached["close, one loss"].locations.values()))
    assert isinstance(first, CompositionState)
    assert first == Composition(ASKED["close, one loss"][0]).initial()
