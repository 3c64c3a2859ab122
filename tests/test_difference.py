"""The differences between two endpoints, as data and in words."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import pytest
from commands import run

from timewait.cli.figures import can_be_drawn, difference_of, difference_picture
from timewait.spec.difference import GraphChange, difference
from timewait.spec.graph import close_part, transition_graph
from timewait.spec.guards import Circumstances
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, ResetRule
from timewait.spec.stacks import load_stack, stack_names
from timewait.spec.state import State

S = State
LETTER = Behaviour(answers=EVERY_ARRIVAL, restarts=frozenset({Arrival.ACK}), reset=ResetRule.EXACT)
FIN_ONLY = frozenset({Arrival.FIN})

OTHERS = {
    "silent": replace(LETTER, answers=FIN_ONLY, restarts=FIN_ONLY, reset=ResetRule.IGNORE),
    "any reset": replace(LETTER, reset=ResetRule.ANY),
    "forgetful": replace(LETTER, time_wait=False),
    "abortive": replace(LETTER, linger_zero=True),
    "limited": replace(LETTER, retries=2),
    "no half-close": replace(LETTER, half_close=False),
    "orphan": replace(LETTER, abandons=True, fin_wait_2=True, late_data_reset=True),
}


@pytest.fixture(scope="module")
def letter() -> nx.MultiDiGraph:
    """The graph of the literal reading of the standard."""
    return transition_graph(LETTER)


@pytest.fixture(scope="module")
def graphs() -> dict[str, nx.MultiDiGraph]:
    """The graphs that differ from it."""
    return {name: transition_graph(behaviour) for name, behaviour in OTHERS.items()}


def outcome(graph: nx.MultiDiGraph, state: State, case: Circumstances) -> tuple[object, ...] | None:
    """Return the visible outcome of an event; None where it cannot occur, in these circumstances or in wider ones."""
    wider = [
        case,
        *(
            one
            for one in circumstances(graph, state)
            if one != case and all(a in ("", b) for a, b in zip(one, case, strict=True))
        ),
    ]
    for found in wider:
        for _, target, edge in graph.out_edges(state, data=True):
            if found in edge["cases"]:
                return target, edge["reply"], edge["timers"]
        if found in graph.nodes[state]["silent"]:
            return state, "", ()
    return None


def test_nothing_differs_from_itself(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph]) -> None:
    """A graph does not differ from itself, whole or in part."""
    for graph in (letter, *graphs.values(), close_part(letter)):
        found = difference(graph, graph)
        assert not found
        assert found.words("one", "other") == ()


@pytest.mark.parametrize("name", OTHERS)
def test_every_change_is_real(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
    """Every change is real in each of its circumstances, with the outcomes that it states."""
    for change in difference(letter, graphs[name]).changes:
        assert change.cases
        for case in change.cases:
            for graph, described in ((letter, change.before), (graphs[name], change.after)):
                assert outcome(graph, change.source, case) == (None if described is None else tuple(described))


@pytest.mark.parametrize("name", OTHERS)
def test_every_change_is_listed_once(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
    """In states that both graphs reach, every change is listed exactly once."""
    found = difference(letter, graphs[name])
    described = [(change.source, case) for change in found.changes for case in change.cases]
    assert len(described) == len(set(described))
    for state in set(State) - {*found.lost, *found.gained}:
        for case in compared(letter, graphs[name], state):
            before, after = outcome(letter, state, case), outcome(graphs[name], state, case)
            seen = {before, after} - {None, (state, "", ())}
            assert ((state, case) in described) is (before != after and bool(seen))


def circumstances(graph: nx.MultiDiGraph, state: State) -> frozenset[Circumstances]:
    """Return all the circumstances of a state."""
    edges = (edge["cases"] for _, _, edge in graph.out_edges(state, data=True))
    return frozenset(graph.nodes[state]["silent"]).union(*edges)


def compared(one: nx.MultiDiGraph, other: nx.MultiDiGraph, state: State) -> set[Circumstances]:
    """Return the circumstances of a state as the finer of two graphs tells them apart."""
    every = circumstances(one, state) | circumstances(other, state)
    return {
        case for case in every if not any(a != case and all(b in ("", c) for b, c in zip(case, a, strict=True)) for a in every)
    }


@pytest.mark.parametrize("name", OTHERS)
def test_a_guard_excludes_all_other_circumstances(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
    """The combinations of the values of its circumstances include no other circumstances of the state."""
    for change in difference(letter, graphs[name]).changes:
        values = [set(column) for column in zip(*change.cases, strict=True)]
        every = compared(letter, graphs[name], change.source)
        inside = {case for case in every if all(one in column for one, column in zip(case, values, strict=True))}
        assert inside == change.cases


@pytest.mark.parametrize("name", OTHERS)
def test_the_reverse_difference_has_the_same_changes(
    letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph], name: str
) -> None:
    """An effect added in one direction is missing in the other."""
    opposite = {"added": "missing", "missing": "added", "changed": "changed"}
    forth, back = difference(letter, graphs[name]), difference(graphs[name], letter)
    assert (forth.lost, forth.gained) == (back.gained, back.lost)
    assert {(change.source, change.cases, change.kind) for change in forth.changes} == {
        (change.source, change.cases, opposite[change.kind]) for change in back.changes
    }


@pytest.mark.parametrize("name", OTHERS)
def test_every_circumstance_has_words(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
    """No phrase of a guard is empty."""
    for change in difference(letter, graphs[name]).changes:
        assert not change.guard or all(change.guard.split(", ")), change.guard


def test_a_feature_that_plays_no_part_in_one_graph(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph]) -> None:
    """Without half-close the answer to a FIN depends on outstanding text; with it the same FIN arrives all the same."""
    changes = difference(letter, graphs["no half-close"]).changes
    fins = [change for change in changes if change.source is S.ESTABLISHED and "FIN" in change.trigger]
    assert fins
    assert all(change.before is not None and change.after is not None for change in fins)
    assert all(change.before.target is S.CLOSE_WAIT for change in fins if change.before)


def only(changes: tuple[GraphChange, ...], **wanted: object) -> GraphChange:
    """Return the only change with given attributes."""
    (found,) = [change for change in changes if all(getattr(change, name) == value for name, value in wanted.items())]
    return found


def test_words(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph]) -> None:
    """The lines of the differences of a stack that answers less."""
    assert difference(letter, graphs["silent"]).words("letter", "silent") == (
        "missing: TIME_WAIT, any but FIN+ACK, FIN+DATA+ACK, RST [outside the window]: silent / nothing; letter / ACK",
        "missing: TIME_WAIT, ACK [beyond RCV.NXT]: silent / nothing; letter / ACK",
        "missing: TIME_WAIT, ACK [at RCV.NXT]: silent / nothing; letter / ACK, restart time-wait",
        "changed: TIME_WAIT, FIN+ACK, FIN+DATA+ACK [duplicate]: silent / ACK, restart time-wait; letter / ACK",
        "missing: TIME_WAIT, RST [beyond RCV.NXT]: silent / nothing; letter / ACK",
        "missing: TIME_WAIT, RST [at RCV.NXT]: silent / nothing; letter -> CLOSED",
        "missing: TIME_WAIT, SYN, SYN+ACK [in the window]: silent / nothing; letter / ACK",
    )


def test_a_state_that_is_never_entered(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph]) -> None:
    """The state is listed as lost; other targets of the edges that led there are changes."""
    found = difference(letter, graphs["forgetful"])
    assert (found.lost, found.gained) == ((S.TIME_WAIT,), ())
    assert found.words("letter", "forgetful")[0] == "missing: forgetful never enters TIME_WAIT"
    change = only(found.changes, source=S.CLOSING)
    assert change.before is not None
    assert change.after is not None
    assert (change.kind, change.before.target, change.after.target) == ("changed", S.TIME_WAIT, S.CLOSED)
    assert not any(change.source is S.TIME_WAIT for change in found.changes)


def test_an_event_of_one_graph_only(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph]) -> None:
    """Circumstances that occur in only one graph."""
    change = only(difference(letter, graphs["limited"]).changes, source=S.LAST_ACK)
    assert (change.kind, change.before, change.event) == ("added", None, "timer retransmission [R2 is reached]")
    assert "letter never meets it" in change.words("letter", "limited")


def test_sections_are_cited(letter: nx.MultiDiGraph, graphs: dict[str, nx.MultiDiGraph]) -> None:
    """Every change cites the standard."""
    for graph in graphs.values():
        assert all(change.section for change in difference(letter, graph).changes)


def test_what_is_not_known_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """The command names the settings for which it takes those of RFC 9293; the picture counts them."""
    _, out, _ = run(capsys, "diff", "linux", "freebsd")
    assert " ".join(out.split()).endswith(
        "Not known for freebsd, and compared as RFC 9293 has it: fin_wait_1, close_wait, closing, last_ack, reset_at_fin and"
        " half_close."
    )
    _, out, _ = run(capsys, "diff", "linux", "linux")
    assert "Not known" not in out
    remarks = ["".join(span.text for span in one) for one in difference_picture("freebsd", "rfc9293", whole=False).caption]
    assert "6 settings that freebsd leaves out: drawn as RFC 9293 has them" in remarks


@pytest.mark.parametrize("name", stack_names())
def test_every_stack_can_be_described(name: str) -> None:
    """The difference of every stack from the standard has words; a guard that mixes all values has a phrase."""
    if can_be_drawn(load_stack(name)):
        assert difference_of(name, "rfc9293", whole=False).words("rfc9293", name) or name == "rfc9293"
