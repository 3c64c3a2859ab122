"""The derived state diagram: it contains figure 5 of RFC 9293, its guards are exact, and it renders."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from typing import Any

import networkx as nx
import pytest
from endpoint_cases import LINUX
from state_diagrams import BEHAVIOURS as DRAWN

from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.states import states
from timewait.diagrams.tables import as_json, as_text
from timewait.spec.graph import CLOSE_PART, close_part, condense, transition_graph
from timewait.spec.graph_events import EdgeClass, classified_events
from timewait.spec.guards import Circumstances
from timewait.spec.rules import RULES
from timewait.spec.setting_dependence import alternatives
from timewait.spec.settings import BEHAVIOUR, AnswerLimit, Behaviour, DroppedAck
from timewait.spec.state import MEANING, State

Edge = dict[str, Any]
S = State

BEHAVIOURS = {
    **DRAWN,
    "linux": LINUX,
    "limited": Behaviour(dropped_ack=DroppedAck.OLD, half_close=False, last_ack=True, answer_limit=AnswerLimit.ANY),
}


@pytest.fixture(scope="module")
def graphs() -> dict[str, nx.MultiDiGraph]:
    """Derive each graph once."""
    return {name: transition_graph(behaviour) for name, behaviour in BEHAVIOURS.items()}


@pytest.fixture(scope="module")
def graph(graphs: dict[str, nx.MultiDiGraph]) -> nx.MultiDiGraph:
    """The graph of the default behaviour."""
    return graphs["default"]


def edges(graph: nx.MultiDiGraph, source: State, target: State, **wanted: object) -> list[Edge]:
    """All edges between two states with given attributes."""
    found = graph.get_edge_data(source, target, default={}).values()
    return [edge for edge in found if all(edge[name] == value for name, value in wanted.items())]


# --- how much there is --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "all_edges", "condensed", "closing", "closing_condensed"),
    [
        ("default", 221, 118, 173, 90),
        ("letter", 222, 118, 174, 90),
        ("orphan", 221, 122, 171, 92),
        ("forgetful", 207, 108, 159, 80),
        ("abortive", 110, 55, 62, 27),
        ("linux", 253, 139, 205, 108),
        ("limited", 249, 130, 201, 99),
    ],
)
def test_sizes(
    graphs: dict[str, nx.MultiDiGraph], name: str, all_edges: int, condensed: int, closing: int, closing_condensed: int
) -> None:
    """Exact counts of nodes and edges."""
    graph = graphs[name]
    assert graph.number_of_nodes() == 11
    assert graph.number_of_edges() == all_edges
    assert condense(graph).number_of_edges() == condensed
    part = close_part(graph)
    assert part.number_of_nodes() == 8
    assert part.number_of_edges() == closing
    assert condense(part).number_of_edges() == closing_condensed


def test_edges_per_state(graph: nx.MultiDiGraph) -> None:
    """The edges of the default behaviour."""
    assert Counter(source for source, _ in graph.edges()) == {
        S.CLOSED: 8,
        S.LISTEN: 8,
        S.SYN_SENT: 11,
        S.SYN_RECEIVED: 27,
        S.ESTABLISHED: 39,
        S.FIN_WAIT_1: 38,
        S.FIN_WAIT_2: 22,
        S.CLOSE_WAIT: 19,
        S.CLOSING: 18,
        S.LAST_ACK: 17,
        S.TIME_WAIT: 14,
    }


# --- figure 5 of the standard -------------------------------------------------------------------------------------

FIGURE_5 = [
    # source, target, event, acknowledges, what is sent
    (S.CLOSED, S.LISTEN, "call OPEN (passive)", "", ""),
    (S.CLOSED, S.SYN_SENT, "call OPEN (active)", "", "SYN"),
    (S.LISTEN, S.CLOSED, "call CLOSE", "", ""),
    (S.LISTEN, S.SYN_RECEIVED, "segment SYN", "", "SYN+ACK"),
    (S.SYN_SENT, S.CLOSED, "call CLOSE", "", ""),
    (S.SYN_SENT, S.SYN_RECEIVED, "segment SYN", "", "SYN+ACK"),
    (S.SYN_SENT, S.ESTABLISHED, "segment SYN+ACK", "SYN", "ACK"),
    (S.SYN_RECEIVED, S.LISTEN, "segment RST", "", ""),
    (S.SYN_RECEIVED, S.ESTABLISHED, "segment ACK", "SYN", ""),
    (S.SYN_RECEIVED, S.FIN_WAIT_1, "call CLOSE", "", "FIN+ACK"),
    (S.ESTABLISHED, S.FIN_WAIT_1, "call CLOSE", "", "FIN+ACK"),
    (S.ESTABLISHED, S.CLOSE_WAIT, "segment FIN+ACK", "", "ACK"),
    (S.FIN_WAIT_1, S.FIN_WAIT_2, "segment ACK", "FIN", ""),
    (S.FIN_WAIT_1, S.CLOSING, "segment FIN+ACK", "nothing", "ACK"),
    (S.FIN_WAIT_1, S.TIME_WAIT, "segment FIN+ACK", "FIN", "ACK"),  # note 2
    (S.FIN_WAIT_2, S.TIME_WAIT, "segment FIN+ACK", "nothing", "ACK"),
    (S.CLOSING, S.TIME_WAIT, "segment ACK", "FIN", ""),
    (S.CLOSE_WAIT, S.LAST_ACK, "call CLOSE", "", "FIN+ACK"),
    (S.LAST_ACK, S.CLOSED, "segment ACK", "FIN", ""),
    (S.TIME_WAIT, S.CLOSED, "timer time-wait", "", ""),
]

BEYOND_FIGURE_5 = {
    # what 3.10 says and the figure, "only a summary", does not show: source, target, event
    (S.SYN_RECEIVED, S.LISTEN, "segment SYN"),
    (S.SYN_RECEIVED, S.LISTEN, "segment SYN+ACK"),
    (S.SYN_RECEIVED, S.CLOSE_WAIT, "segment FIN+ACK"),
    (S.SYN_SENT, S.CLOSED, "segment RST"),
    *((state, S.CLOSED, "segment RST") for state in CLOSE_PART if state not in (S.TIME_WAIT, S.CLOSED)),
    (S.SYN_RECEIVED, S.CLOSED, "segment RST"),
    *((state, S.CLOSED, "call ABORT") for state in State if state is not S.CLOSED),
}


class TestFigure5:
    """Every edge of figure 5 exists, and the text of the standard requires every further edge."""

    @pytest.mark.parametrize(("source", "target", "trigger", "acknowledges", "reply"), FIGURE_5)
    def test_every_edge_is_there(
        self, graph: nx.MultiDiGraph, source: State, target: State, trigger: str, acknowledges: str, reply: str
    ) -> None:
        found = edges(graph, source, target, trigger=trigger, reply=reply)
        assert found
        if acknowledges:
            assert any({case.acknowledges for case in edge["cases"]} == {acknowledges} for edge in found)

    def test_send_in_listen_is_not_modelled(self, graph: nx.MultiDiGraph) -> None:
        """One edge of the figure is left out: the SEND that leads from LISTEN to SYN-SENT."""
        assert not edges(graph, S.LISTEN, S.SYN_SENT)

    def test_nothing_else_moves(self, graph: nx.MultiDiGraph) -> None:
        """A segment with text has the target of one without."""
        moves = {
            (source, target, edge["trigger"].replace("DATA+", ""))
            for source, target, edge in graph.edges(data=True)
            if source is not target
        }
        drawn = {(source, target, trigger) for source, target, trigger, _, _ in FIGURE_5}
        out_of_order = {
            (source, target, "segment FIN+ACK")
            for source, target in ((S.SYN_RECEIVED, S.ESTABLISHED), (S.FIN_WAIT_1, S.FIN_WAIT_2))
        }
        assert moves == drawn | BEYOND_FIGURE_5 | out_of_order

    def test_time_wait_is_entered_with_its_timer_and_left_by_it(self, graph: nx.MultiDiGraph) -> None:
        for source, _, edge in graph.in_edges(S.TIME_WAIT, data=True):
            if source is not S.TIME_WAIT:
                assert "start time-wait" in edge["timers"]
        assert [edge["trigger"] for edge in edges(graph, S.TIME_WAIT, S.CLOSED)] == ["call ABORT", "timer time-wait"]

    def test_without_time_wait_nothing_leads_there(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        assert graphs["forgetful"].in_degree(S.TIME_WAIT) == 0
        assert edges(graphs["forgetful"], S.FIN_WAIT_2, S.CLOSED, trigger="segment FIN+ACK", reply="ACK")


# --- what is said of nodes and edges ------------------------------------------------------------------------------


class TestAttributes:
    """The attributes of nodes and edges are complete and exact."""

    def test_every_state_has_its_meaning(self, graph: nx.MultiDiGraph) -> None:
        assert {state: about["meaning"] for state, about in graph.nodes(data=True)} == MEANING
        assert list(graph) == list(State)

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_every_edge_cites_its_rules(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        for candidate in (graphs[name], condense(graphs[name])):
            for source, target, edge in candidate.edges(data=True):
                assert edge["rules"], (source, target, edge)
                assert set(edge["rules"]) <= RULES.keys()
                assert edge["section"].startswith(RULES[edge["rules"][0]].section)

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_an_edge_that_stays_is_worth_showing(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        for source, target, edge in graphs[name].edges(data=True):
            assert source is not target or edge["reply"] or edge["timers"] or edge["settings"]

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_no_edge_is_there_twice(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        for candidate in (graphs[name], condense(graphs[name])):
            described = [(source, target, *map(str, edge.items())) for source, target, edge in candidate.edges(data=True)]
            assert len(described) == len(set(described))

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_circumstances_decide(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        """The circumstances of an event determine its edge."""
        for candidate in (graphs[name], condense(graphs[name])):
            for state, about in candidate.nodes(data=True):
                cases = [case for _, _, edge in candidate.out_edges(state, data=True) for case in edge["cases"]]
                cases += about["silent"]
                assert len(cases) == len(set(cases))

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_guards_tell_the_edges_of_a_trigger_apart(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        """Two edges that leave a state by the same trigger never have the same guard."""
        for candidate in (graphs[name], condense(graphs[name])):
            for state in candidate:
                out = [edge for _, _, edge in candidate.out_edges(state, data=True)]
                described = [(trigger, edge["guard"]) for edge in out for trigger in {case.trigger for case in edge["cases"]}]
                assert len(described) == len(set(described))

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_a_guard_is_a_conjunction(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        """The combinations of the values of an edge's circumstances include no circumstances of another edge."""
        for candidate in (graphs[name], condense(graphs[name])):
            for state, about in candidate.nodes(data=True):
                out = [edge["cases"] for _, _, edge in candidate.out_edges(state, data=True)]
                for cases in out:
                    box = [{case[place] for case in cases} for place in range(len(Circumstances._fields))]
                    for other in about["silent"].union(*(others for others in out if others is not cases)):
                        assert not all(value in values for value, values in zip(other, box, strict=True))

    @pytest.mark.parametrize(
        ("source", "target", "trigger", "guard"),
        [
            (S.ESTABLISHED, S.CLOSED, "segment RST", "at RCV.NXT"),
            (S.ESTABLISHED, S.ESTABLISHED, "segment RST", "beyond RCV.NXT"),
            (S.SYN_RECEIVED, S.LISTEN, "segment RST", "at RCV.NXT, after a passive OPEN"),
            (S.FIN_WAIT_1, S.FIN_WAIT_2, "segment ACK", "in the window, acknowledges our FIN"),
            (S.FIN_WAIT_1, S.TIME_WAIT, "segment FIN+ACK", "at RCV.NXT, acknowledges our FIN"),
            (S.CLOSING, S.TIME_WAIT, "segment ACK", "in the window, acknowledges our FIN"),
            (S.LAST_ACK, S.CLOSED, "segment ACK", "in the window, acknowledges our FIN"),
            (S.TIME_WAIT, S.TIME_WAIT, "segment FIN+ACK", "duplicate"),
            (S.LAST_ACK, S.LAST_ACK, "segment FIN+ACK", "duplicate"),
            (S.SYN_SENT, S.CLOSED, "segment RST", "acknowledges our SYN"),
            (S.CLOSE_WAIT, S.LAST_ACK, "call CLOSE", "nothing is outstanding"),
            (S.TIME_WAIT, S.CLOSED, "timer time-wait", ""),
        ],
    )
    def test_guards(self, graph: nx.MultiDiGraph, source: State, target: State, trigger: str, guard: str) -> None:
        assert guard in {edge["guard"] for edge in edges(graph, source, target, trigger=trigger)}

    def test_a_retransmitted_fin_restarts_time_wait(self, graph: nx.MultiDiGraph) -> None:
        (edge,) = edges(graph, S.TIME_WAIT, S.TIME_WAIT, trigger="segment FIN+ACK")
        assert (edge["reply"], edge["timers"]) == ("ACK", ("restart time-wait",))
        assert edge["section"] == "RFC 9293 3.10.7.4 first step"

    def test_a_section_is_said_once(self, graph: nx.MultiDiGraph) -> None:
        (edge,) = edges(graph, S.FIN_WAIT_1, S.TIME_WAIT, trigger="segment FIN+ACK")
        assert edge["rules"] == ("ack.advance", "ack.fin-wait-2", "fin.time-wait")
        assert edge["section"] == "RFC 9293 3.10.7.4 fifth step, eighth step"


# --- settings -----------------------------------------------------------------------------------------------------

INVISIBLE = {"backoff", "clock_before_close", "time_wait_cut"}
"""Settings without an effect on a single step: they matter only for the length of a gap or of a state."""


class TestSettings:
    """Every setting on which an event depends is named by the edges that it changes, and by no others."""

    def test_every_visible_setting_is_found(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        for name in ("default", "letter", "orphan"):
            found = {setting for _, _, edge in graphs[name].edges(data=True) for setting in edge["settings"]}
            assert found == BEHAVIOUR.keys() - INVISIBLE

    def test_where_they_belong(self, graph: nx.MultiDiGraph) -> None:
        where: dict[str, set[tuple[State, State, str]]] = {}
        for source, target, edge in graph.edges(data=True):
            for setting in edge["settings"]:
                where.setdefault(setting, set()).add((source, target, edge["trigger"].split()[0]))
        loop = (S.TIME_WAIT, S.TIME_WAIT, "segment")
        assert where["answers"] == where["restarts"] == where["reset"] == {loop}
        entries = {(state, S.TIME_WAIT, "segment") for state in (S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSING)}
        # Where the ACK field of a dropped segment counts, it leads from CLOSING to TIME-WAIT.
        assert where["time_wait"] == entries | {(S.CLOSING, S.CLOSING, "segment")}
        assert where["fin_wait_2"] == {(S.FIN_WAIT_1, S.FIN_WAIT_2, "segment")}
        assert where["linger_zero"] == {
            (S.SYN_RECEIVED, S.FIN_WAIT_1, "call"),
            (S.ESTABLISHED, S.FIN_WAIT_1, "call"),
            (S.CLOSE_WAIT, S.LAST_ACK, "call"),
        }
        assert {trigger for _, _, trigger in where["retries"]} == {"timer"}
        assert {source for source, _, _ in where["late_data_reset"]} == {S.FIN_WAIT_1, S.FIN_WAIT_2}
        of_abandoned = ("late_data_reset", "late_fin_reset", "minimal_fin_wait_2", "fin_wait_2")
        assert where["abandons"] == set().union(*(where[name] for name in of_abandoned))
        assert where["half_close"] == {(state, S.CLOSE_WAIT, "segment") for state in (S.SYN_RECEIVED, S.ESTABLISHED)}
        after_fin = (S.CLOSE_WAIT, S.CLOSING, S.LAST_ACK)
        assert where["reset_at_fin"] == {(state, state, "segment") for state in after_fin}
        assert where["unread"] == where["unread_reset"] == where["linger_zero"] - {(S.SYN_RECEIVED, S.FIN_WAIT_1, "call")}
        assert where["challenges_reset"] == {loop}
        assert {(source, target) for source, target, _ in where["close_wait"]} == {
            (S.SYN_RECEIVED, S.CLOSE_WAIT),
            (S.ESTABLISHED, S.CLOSE_WAIT),
            (S.CLOSE_WAIT, S.LAST_ACK),
        }

    def test_an_edge_that_a_setting_changes_names_it(self, graph: nx.MultiDiGraph) -> None:
        """Change each setting alone: an edge that is gone names it, unless its source is no longer reached."""
        for setting, (other, *_) in alternatives(Behaviour()).items():
            seen = {kind[:-1]: kind.source for kind in classified_events(other)}
            for source, target, edge in graph.edges(data=True):
                there = (source, target, *(edge[name] for name in EdgeClass._fields[2:-1])) in seen
                assert there or setting in edge["settings"] or source not in seen.values(), (setting, edge)

    def test_alternatives_differ_in_one_setting(self) -> None:
        behaviour = BEHAVIOURS["orphan"]
        for setting, others in alternatives(behaviour).items():
            assert others
            for other in others:
                assert [entry for entry in BEHAVIOUR if getattr(other, entry) != getattr(behaviour, entry)] == [setting]

    def test_time_outs_appear_with_their_settings(self, graphs: dict[str, nx.MultiDiGraph]) -> None:
        orphan = graphs["orphan"]
        (edge,) = edges(orphan, S.FIN_WAIT_2, S.CLOSED, trigger="timer fin-wait-2")
        assert edge["settings"] == ("fin_wait_2", "abandons")
        (edge,) = edges(orphan, S.LAST_ACK, S.CLOSED, trigger="timer retransmission")
        assert (edge["guard"], edge["settings"]) == ("R2 is reached", ("retries", "retries_reset"))
        (edge,) = edges(orphan, S.TIME_WAIT, S.CLOSED, trigger="segment RST")
        assert edge["effects"] == ("assassinated",)
        assert edges(orphan, S.FIN_WAIT_2, S.CLOSED, trigger="segment DATA+ACK", reply="RST")


# --- parts and renderings -----------------------------------------------------------------------------------------


class TestParts:
    """A part of the graph, and the graph with like edges joined."""

    def test_the_part_that_closes(self, graph: nx.MultiDiGraph) -> None:
        part = close_part(graph)
        assert set(part) == set(CLOSE_PART)
        inside = [(s, t, edge) for s, t, edge in graph.edges(data=True) if s in CLOSE_PART and t in CLOSE_PART]
        assert list(part.edges(data=True)) == inside
        assert graph.number_of_nodes() == 11

    @pytest.mark.parametrize("name", BEHAVIOURS)
    def test_joined_edges_cover_their_parts(self, graphs: dict[str, nx.MultiDiGraph], name: str) -> None:
        joined = condense(graphs[name])
        for source, target in {(source, target) for source, target, _ in graphs[name].edges}:
            one = frozenset().union(*(edge["cases"] for edge in edges(graphs[name], source, target)))
            other = frozenset().union(*(edge["cases"] for edge in edges(joined, source, target)))
            assert one == other

    def test_joining_twice_changes_nothing(self, graph: nx.MultiDiGraph) -> None:
        joined = condense(graph)
        assert list(condense(joined).edges(data=True)) == list(joined.edges(data=True))


class TestText:
    """The text rendering."""

    def test_reads_like_this(self, graph: nx.MultiDiGraph) -> None:
        block = as_text(graph).split("\n\n")[9]
        assert [re.sub(r"  +", "  ", line.strip()) for line in block.splitlines()] == [
            "LAST_ACK",
            "This end closed second; it waits for the acknowledgement of its FIN.",
            "call ABORT -> CLOSED  RFC 9293 3.10.5",
            "ACK [in the window, acknowledges our FIN] -> CLOSED  RFC 9293 3.10.7.4 fifth step",
            "RST [at RCV.NXT] -> CLOSED  RFC 9293 3.10.7.4 second step",
            "ACK [in the window, acknowledges something new] / restart retransmission -> (stays)  RFC 9293 3.10.7.4 fifth step"
            "  settings: acks_restart_rto",
            "ACK [in the window, acknowledges what was not sent] / ACK -> (stays)  RFC 9293 3.10.7.4 fifth step",
            "any but RST [outside the window] / ACK -> (stays)  RFC 9293 3.10.7.4 first step"
            "  settings: dropped_ack, answer_limit, acks_restart_rto",
            "RST [outside the window] / nothing -> (stays)  RFC 9293 3.10.7.4 first step  settings: reset_at_fin",
            "RST [beyond RCV.NXT] / ACK -> (stays)  RFC 9293 3.10.7.4 second step  settings: answer_limit",
            "SYN, SYN+ACK [in the window] / ACK -> (stays)  RFC 9293 3.10.7.4 fourth step  settings: answer_limit",
            "timer retransmission [our text is outstanding] / DATA+ACK, restart retransmission -> (stays)"
            "  RFC 9293 3.10.8  settings: retries, retries_reset",
            "timer retransmission [our FIN is outstanding] / FIN+ACK, restart retransmission -> (stays)"
            "  RFC 9293 3.10.8  settings: retries, retries_reset",
        ]

    def test_every_state_has_a_block(self, graph: nx.MultiDiGraph) -> None:
        blocks = as_text(graph).rstrip("\n").split("\n\n")
        assert [block.splitlines()[0] for block in blocks] == [state.value for state in State]

    def test_sections_stand_in_a_column(self, graph: nx.MultiDiGraph) -> None:
        rows = [line for line in as_text(graph).splitlines() if line.startswith("    ")]
        assert len(rows) == condense(graph).number_of_edges()
        assert {re.search(r"(RFC 9293|RFC 1337|no standard)", row).start() for row in rows} == {102}  # type: ignore[union-attr]


class TestJson:
    """The JSON rendering."""

    def test_networkx_reads_it(self, graph: nx.MultiDiGraph) -> None:
        again = nx.node_link_graph(json.loads(as_json(graph)), edges="edges")
        assert list(again) == [state.value for state in State]
        assert again.number_of_edges() == graph.number_of_edges()
        for (s, t, edge), (source, target, described) in zip(graph.edges(data=True), again.edges(data=True), strict=True):
            assert (s, t) == (source, target)
            assert {
                "knobs" if name == "settings" else name: list(value) if isinstance(value, tuple) else value
                for name, value in edge.items()
                if name != "cases"
            } == described


def test_every_rendering_is_the_same_in_every_run(graph: nx.MultiDiGraph) -> None:
    """Renderings do not depend on the hash seed."""
    program = (
        "from timewait.spec.settings import Behaviour; from timewait.spec.graph import transition_graph;"
        " from timewait.diagrams.tables import *;"
        "from timewait.diagrams.figure_dot import as_dot; from timewait.diagrams.states import states;"
        "graph = transition_graph(Behaviour()); print(as_text(graph), as_dot(states(graph, '')), as_json(graph))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "1"}
    other = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, check=True)
    assert other.stdout.decode() == f"{as_text(graph)} {as_dot(states(graph, ''))} {as_json(graph)}\n"
