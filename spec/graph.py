"""The state diagram, derived rather than drawn: what the functions of `timewait.spec.endpoint` do in every small case.

From CLOSED, the handshake included, every control block that can be reached with at most `TEXT` octets each way
is given every user call, every timer that runs, and every segment whose numbers lie around its own. What comes of
it becomes the edges: nothing here knows a rule of TCP. The words of a guard are found the same way, as the fewest
circumstances that tell the events of one edge from all the others, and the knobs of an edge by asking the same
functions again with each knob varied.

Segments are taken to be such as some endpoint may send: once a connection is open every one carries an ACK
(RFC 9293 3.1), a SYN or a RST apart; SYN, FIN and RST exclude one another; and no text or FIN lies beyond a FIN.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from enum import Enum
from functools import cache, partial
from itertools import takewhile
from typing import Any, NamedTuple

import networkx as nx

from timewait.spec.endpoint import (
    RULES,
    WINDOW,
    Call,
    Outcome,
    Timer,
    acceptable,
    allowed_calls,
    earliest_unacknowledged,
    running,
    segment_arrives,
    timer_fires,
    user_calls,
)
from timewait.spec.segment import Segment
from timewait.spec.settings import BEHAVIOUR, Arrival, Behaviour
from timewait.spec.state import FIN_RECEIVED, MEANING, Block, State

TEXT = 2
"""Octets of text that each end may send, at most: enough for an acknowledgement of a part."""

CLOSE_PART = (
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSE_WAIT,
    State.CLOSING,
    State.LAST_ACK,
    State.TIME_WAIT,
    State.CLOSED,
)
"""The states in which a connection closes, and the one to which all of them lead."""

Graph = nx.MultiDiGraph
"""What `transition_graph` makes."""

EndpointEvent = Segment | Timer | Call

UNNUMBERED = frozenset({State.CLOSED, State.LISTEN, State.SYN_SENT})
"""The states that know no sequence number of the other end yet."""


class Circumstances(NamedTuple):
    """All about an event that decides what comes of it; what plays no part is left empty.

    Attributes
    ----------
    trigger : str
        What happens, for instance ``"segment FIN+ACK"``.
    position : str
        Where a segment lies: ``"old"``, ``"next"``, ``"later"`` in the window, or ``"far"`` beyond it.
    acknowledges : str
        What a segment acknowledges: ``"nothing"`` new, something ``"new"``, the ``"SYN"``, the ``"FIN"``, something
        ``"unsent"``, or ``"no ACK"``.
    rest : str
        Whether an acknowledgement of something new leaves ``"some"`` of it outstanding, or ``"none"``.
    origin : str
        In SYN-RECEIVED, the OPEN it came from: ``"active"`` or ``"passive"``.
    outstanding : str
        What is outstanding first when a user calls or a timer fires: ``"SYN"``, ``"text"``, ``"FIN"`` or ``"none"``.
    tries : str
        When a retransmission is due: whether R2 is ``"reached"`` or ``"not reached"``.
    """

    trigger: str
    position: str = ""
    acknowledges: str = ""
    rest: str = ""
    origin: str = ""
    outstanding: str = ""
    tries: str = ""


class EdgeClass(NamedTuple):
    """What two events have in common when they are one edge."""

    source: State
    target: State
    trigger: str
    reply: str
    timers: tuple[str, ...]
    rules: tuple[str, ...]
    effects: tuple[str, ...]

    @property
    def rank(self) -> tuple[object, ...]:
        """Where the edge stands among the others: states in the order of the standard, then by name."""
        states = tuple(State)
        return states.index(self.source), states.index(self.target), *self[2:]

    @property
    def silent(self) -> bool:
        """Whether nothing at all is seen of the edge."""
        return self.source is self.target and not self.reply and not self.timers


# --- what can happen ----------------------------------------------------------------------------------------------


def possible_events(block: Block, behaviour: Behaviour) -> Iterator[EndpointEvent]:
    """Whatever can happen to a control block: calls, timers, segments."""
    yield from (call for call in allowed_calls(block) if call is not Call.SEND or block.sent < TEXT)
    yield from running(block, behaviour)
    yield from _segments(block)


def _segments(block: Block) -> Iterator[Segment]:
    unnumbered = block.state in UNNUMBERED
    around = {block.rcv - 2, block.rcv - 1, block.rcv, block.rcv + 1, block.rcv + WINDOW}
    acks = range(block.nxt + 2)
    for seq in (0, 1) if unnumbered else sorted(seq for seq in around if seq >= 0):
        for ack in (None, *acks):
            yield Segment(seq, ack, rst=True)
            if seq == 0 or not unnumbered:
                yield Segment(seq, ack, syn=True)
        for ack in acks:
            yield Segment(seq, ack)
            for length, fin in ((1, False), (0, True), (1, True)):
                segment = Segment(seq, ack, length, fin=fin)
                if _plausible(block, segment):
                    yield segment


def _plausible(block: Block, segment: Segment) -> bool:
    """Whether the other end may have sent such text or such a FIN: not beyond its FIN, nor more than `TEXT`."""
    if block.state in FIN_RECEIVED:
        return segment.end <= block.rcv
    return segment.seq + segment.length <= 1 + TEXT or segment.seq >= block.rcv + WINDOW


def apply_event(block: Block, happening: EndpointEvent, behaviour: Behaviour) -> Outcome:
    """What comes of it."""
    match happening:
        case Timer():
            return timer_fires(block, happening, behaviour)
        case Call():
            return user_calls(block, happening, behaviour)
        case _:
            return segment_arrives(block, happening, behaviour)


def reachable_steps(behaviour: Behaviour) -> Iterator[tuple[Block, EndpointEvent, Outcome]]:
    """Everything that can happen to every reachable control block, and what comes of it."""
    seen = {Block(State.CLOSED)}
    waiting = list(seen)
    while waiting:
        block = waiting.pop()
        for happening in possible_events(block, behaviour):
            outcome = apply_event(block, happening, behaviour)
            yield block, happening, outcome
            if outcome.block not in seen:
                seen.add(outcome.block)
                waiting.append(outcome.block)


def _kind(block: Block, happening: EndpointEvent, outcome: Outcome, behaviour: Behaviour) -> EdgeClass:
    """The edge that an event belongs to."""
    started = [timer for timer in running(outcome.block, behaviour) if timer in outcome.started] if outcome.started else []
    before = running(block, behaviour) if started else ()
    return EdgeClass(
        block.state,
        outcome.block.state,
        _trigger(happening),
        ", ".join(segment.flags for segment in outcome.replies),
        tuple(f"{'restart' if timer in before else 'start'} {timer}" for timer in started),
        outcome.rules,
        tuple(sorted(effect.value for effect in outcome.effects)),
    )


def _trigger(happening: EndpointEvent) -> str:
    match happening:
        case Timer():
            return f"timer {happening}"
        case Call():
            return f"call {happening}"
        case _:
            return "segment RST" if happening.rst else f"segment {happening.flags}"


# --- guards -------------------------------------------------------------------------------------------------------


def _circumstances(block: Block, happening: EndpointEvent, behaviour: Behaviour) -> Circumstances:
    trigger = _trigger(happening)
    origin = ("passive" if block.passive else "active") if block.state is State.SYN_RECEIVED else ""
    if not isinstance(happening, Segment):
        reached = behaviour.retries is not None and block.tries >= behaviour.retries
        tries = ("reached" if reached else "not reached") if happening is Timer.RETRANSMISSION else ""
        return Circumstances(trigger, origin=origin, outstanding=_outstanding(block), tries=tries)
    acknowledges = _acknowledges(block, happening.ack)
    new = acknowledges in ("new", "SYN", "FIN")
    rest = ("none" if happening.ack == block.nxt else "some") if new else ""
    return Circumstances(trigger, _position(block, happening), acknowledges, rest, origin)


def _outstanding(block: Block) -> str:
    if not block.outstanding:
        return "none"
    first = earliest_unacknowledged(block)
    return "SYN" if first.syn else "FIN" if first.fin else "text"


def _position(block: Block, segment: Segment) -> str:
    if block.state in UNNUMBERED:
        return ""
    if acceptable(block, segment):
        return "later" if segment.seq > block.rcv else "next"
    return "far" if segment.seq > block.rcv else "old"


def _acknowledges(block: Block, ack: int | None) -> str:
    if ack is None:
        return "no ACK"
    if ack > block.nxt:
        return "unsent"
    if ack <= block.una:
        return "nothing"
    if block.fin_sent and ack > block.fin_seq:
        return "FIN"
    return "SYN" if block.una == 0 and block.state in (State.SYN_SENT, State.SYN_RECEIVED) else "new"


POSITIONS = ("old", "next", "later", "far")

WORDS: dict[str, dict[frozenset[str], str]] = {
    "position": {
        frozenset({"old"}): "duplicate",
        frozenset({"next"}): "at RCV.NXT",
        frozenset({"later"}): "beyond RCV.NXT",
        frozenset({"far"}): "beyond the window",
        frozenset({"next", "later"}): "in the window",
        frozenset({"old", "far"}): "outside the window",
    },
    "acknowledges": {
        frozenset({"nothing"}): "acknowledges nothing new",
        frozenset({"new"}): "acknowledges something new",
        frozenset({"SYN"}): "acknowledges our SYN",
        frozenset({"FIN"}): "acknowledges our FIN",
        frozenset({"unsent"}): "acknowledges what was not sent",
    },
    "rest": {
        frozenset({"some"}): "acknowledges something but not all",
        frozenset({"none"}): "acknowledges all that was sent",
    },
    "origin": {
        frozenset({"active"}): "after an active OPEN",
        frozenset({"passive"}): "after a passive OPEN",
    },
    "outstanding": {
        frozenset({"SYN"}): "our SYN is outstanding",
        frozenset({"text"}): "our text is outstanding",
        frozenset({"FIN"}): "our FIN is outstanding",
        frozenset({"none"}): "nothing is outstanding",
    },
    "tries": {
        frozenset({"reached"}): "R2 is reached",
        frozenset({"not reached"}): "R2 is not reached",
    },
}
"""How a guard puts the values that a circumstance has."""

EXCEPT: dict[str, dict[frozenset[str], str]] = {
    "acknowledges": {
        frozenset({"SYN"}): "does not acknowledge our SYN",
        frozenset({"FIN"}): "does not acknowledge our FIN",
        frozenset({"FIN", "unsent"}): "does not acknowledge our FIN",
        frozenset({"unsent"}): "acknowledges nothing unsent",
        frozenset({"nothing", "unsent"}): "acknowledges something new",
    },
    "outstanding": {frozenset({"none"}): "something is outstanding"},
}
"""How a guard puts the values that a circumstance could have, but has not, where that is shorter."""


def guard(cases: Collection[Circumstances], others: Collection[Circumstances]) -> str:
    """The fewest circumstances, in words, that tell some cases from others of the same state.

    Parameters
    ----------
    cases, others : collection of Circumstances
        What the guard lets pass, and what it does not.

    Returns
    -------
    str
        Phrases joined by commas; empty when the trigger alone says it all. The trigger itself is left out.
    """
    box = {name: {getattr(case, name) for case in cases} for name in Circumstances._fields}
    possible = {name: {getattr(case, name) for case in (*cases, *others) if case.trigger in box["trigger"]} for name in box}
    apart = {frozenset(name for name, value in zip(box, case, strict=True) if value not in box[name]) for case in others}
    for name in reversed(Circumstances._fields[1:]):
        wider = box.keys() - {name}
        informative = name == "position" and not box[name] & {""} and len(box[name]) < len(POSITIONS)
        if not informative and not any(names.isdisjoint(wider) for names in apart):
            del box[name]
    return ", ".join(_words(name, box[name], possible[name]) for name in Circumstances._fields[1:] if name in box)


def _words(name: str, values: set[str], possible: set[str]) -> str:
    phrase = WORDS[name].get(frozenset(values)) or EXCEPT.get(name, {}).get(frozenset(possible - values))
    return phrase or " or ".join(WORDS[name][frozenset({value})] for value in sorted(values))


# --- knobs --------------------------------------------------------------------------------------------------------


def alternatives(behaviour: Behaviour) -> dict[str, tuple[Behaviour, ...]]:
    """For each knob, behaviours that differ in it alone: a set by one member, a number by little, all else in full."""
    return {
        name: tuple(replace(behaviour, **{name: value}) for value in _others(getattr(behaviour, name), entry.default is None))
        for name, entry in BEHAVIOUR.items()
    }


def _others(value: object, optional: bool) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case Enum():
            yield from (other for other in type(value) if other is not value)
        case frozenset():
            yield from (value ^ {arrival} for arrival in Arrival)
        case int():
            yield from (other for other in ((None, 0, value + 1) if optional else (value + 1,)) if other != value)
        case None:
            yield from (0, 1)
        case _:
            raise TypeError(f"no other value is known for a knob that stands at {value!r}")


class SettingDependence:
    """Which knobs an event depends on, close to one behaviour: with at most one other knob turned away from it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._base = _Around.of(behaviour)
        self._turned = {knob: [_Around.of(other) for other in others] for knob, others in self._base.others.items()}

    def of(self, block: Block, happening: EndpointEvent) -> set[str]:
        """The knobs of one event."""
        looks = cache(partial(_looked_at, block, happening))
        ask = cache(partial(_ask, block, happening))
        first = looks(self._base.behaviour)
        # A knob may be looked at only once another one is turned, for the sake of which it then matters.
        near = first.union(*(looks(around.behaviour) for knob in first for around in self._turned[knob]))
        found = {knob for knob in first if self._base.matters(knob, ask)}
        for turned in near:
            for around in self._turned[turned]:
                open_ones = looks(around.behaviour) - found - {turned}
                found |= {knob for knob in open_ones if around.matters(knob, ask)}
        return found


class _Around(NamedTuple):
    """A behaviour, and for each knob those that differ from it in that knob alone."""

    behaviour: Behaviour
    others: dict[str, tuple[Behaviour, ...]]

    @classmethod
    def of(cls, behaviour: Behaviour) -> _Around:
        return cls(behaviour, alternatives(behaviour))

    def matters(self, knob: str, ask: Callable[[Behaviour], EdgeClass | None]) -> bool:
        """Whether what comes of an event changes with a knob."""
        return any(ask(other) != ask(self.behaviour) for other in self.others[knob])


def _ask(block: Block, happening: EndpointEvent, behaviour: Behaviour) -> EdgeClass | None:
    if isinstance(happening, Timer) and happening not in running(block, behaviour):
        return None
    return _kind(block, happening, apply_event(block, happening, behaviour), behaviour)


def _looked_at(block: Block, happening: EndpointEvent, behaviour: Behaviour) -> frozenset[str]:
    """The knobs that are looked at when something happens: it cannot depend on any other."""
    watched = _Watched(behaviour)
    _ask(block, happening, watched)
    return frozenset(watched.looked)


class _Watched(Behaviour):
    """A behaviour that notes which knobs are looked at."""

    __slots__ = ("looked",)
    looked: set[str]

    def __init__(self, behaviour: Behaviour) -> None:
        object.__setattr__(self, "looked", set())
        super().__init__(**{name: getattr(behaviour, name) for name in BEHAVIOUR})

    def __getattribute__(self, name: str) -> Any:
        if name in BEHAVIOUR:
            object.__getattribute__(self, "looked").add(name)
        return object.__getattribute__(self, name)


# --- the graph ----------------------------------------------------------------------------------------------------


def classified_events(behaviour: Behaviour) -> dict[EdgeClass, dict[Circumstances, tuple[Block, EndpointEvent]]]:
    """Everything that can happen, by what comes of it and by its circumstances, with one event of each as a sample."""
    events: dict[EdgeClass, dict[Circumstances, tuple[Block, EndpointEvent]]] = defaultdict(dict)
    for block, happening, outcome in reachable_steps(behaviour):
        kind = _kind(block, happening, outcome, behaviour)
        events[kind].setdefault(_circumstances(block, happening, behaviour), (block, happening))
    return dict(events)


@cache
def transition_graph(behaviour: Behaviour) -> nx.MultiDiGraph:
    """Everything that one endpoint does, as a graph of its states.

    A node is a `State` with its ``meaning``, and under ``silent`` the circumstances in which nothing at all comes of
    an event. An edge that stays where it is is kept only if it replies, starts a timer, or depends on a knob.

    Parameters
    ----------
    behaviour : Behaviour
        How the knobs stand.

    Returns
    -------
    networkx.MultiDiGraph
        Frozen, since whoever asks again has the same one: to derive it takes half a second. Nodes and edges in a
        fixed order; one edge for each way in which events of one trigger are seen and ruled.
        Its attributes: ``trigger``, ``guard``, ``reply``, ``timers``, ``rules``, ``section``, ``knobs``, ``effects``,
        and ``cases``, all the circumstances in which it is taken.
    """
    events = classified_events(behaviour)
    knobs = SettingDependence(behaviour)
    turned = {kind: _in_order(set().union(*(knobs.of(*event) for event in found.values()))) for kind, found in events.items()}
    silent = {kind for kind in events if kind.silent and not turned[kind]}
    graph = nx.MultiDiGraph()
    for state in State:
        unseen = {case for kind in silent if kind.source is state for case in events[kind]}
        graph.add_node(state, meaning=MEANING[state], silent=frozenset(unseen))
    for kind in sorted(events.keys() - silent, key=lambda kind: kind.rank):
        _add(graph, kind, frozenset(events[kind]), turned[kind])
    return nx.freeze(_guarded(graph))


def _in_order(settings: Collection[str]) -> tuple[str, ...]:
    return tuple(name for name in BEHAVIOUR if name in settings)


def _add(graph: nx.MultiDiGraph, kind: EdgeClass, cases: frozenset[Circumstances], knobs: tuple[str, ...]) -> None:
    attributes = {name: getattr(kind, name) for name in ("trigger", "reply", "timers", "rules", "effects")}
    graph.add_edge(kind.source, kind.target, **attributes, section=section(kind.rules), settings=knobs, cases=cases)


def _guarded(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The graph with the guard of every edge put into words."""
    for state, about in graph.nodes(data=True):
        edges = [edge for _, _, edge in graph.out_edges(state, data=True)]
        for edge in edges:
            others = about["silent"].union(*(other["cases"] for other in edges if other is not edge))
            edge["guard"] = guard(edge["cases"], others)
    return graph


def section(rules: Iterable[str]) -> str:
    """Where the rules stand, each place once; what a place has in common with the one before is not said again."""
    cited: list[str] = []
    before: list[str] = []
    for place in dict.fromkeys(RULES[rule].section for rule in rules):
        words = place.split()
        same = takewhile(lambda pair: pair[0] == pair[1], zip(words, before, strict=False))
        cited.append(" ".join(words[len(list(same)) :]))
        before = words
    return ", ".join(cited)


def close_part(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The part from ESTABLISHED on, down to CLOSED."""
    part = graph.copy()
    part.remove_nodes_from([state for state in State if state not in CLOSE_PART])
    return part


def condense(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The graph with the edges joined that a reader takes for one.

    These have source, target, reply, effects and the last rule in common, and start the same timers but for the
    retransmission timer. Rules and sections are kept if all of them share them, triggers and knobs if any has them.
    """
    joined: dict[EdgeClass, list[dict[str, Any]]] = defaultdict(list)
    for source, target, edge in graph.edges(data=True):
        timers = tuple(timer for timer in edge["timers"] if not timer.endswith(Timer.RETRANSMISSION))
        joined[EdgeClass(source, target, "", edge["reply"], timers, edge["rules"][-1:], edge["effects"])].append(edge)
    condensed = nx.MultiDiGraph()
    condensed.add_nodes_from(graph.nodes(data=True))
    for kind, edges in joined.items():
        kind = kind._replace(
            trigger=one_trigger({case.trigger for edge in edges for case in edge["cases"]}),
            timers=_shared(edge["timers"] for edge in edges),
            rules=_shared(edge["rules"] for edge in edges),
        )
        cases = frozenset[Circumstances]().union(*(edge["cases"] for edge in edges))
        _add(condensed, kind, cases, _in_order({knob for edge in edges for knob in edge["settings"]}))
    return _guarded(condensed)


def _shared(tuples: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    """What all tuples have in common, in the order of the first."""
    first, *rest = tuples
    return tuple(item for item in first if all(item in other for other in rest))


SEGMENTS = ("SYN", "SYN+ACK", "ACK", "DATA+ACK", "FIN+ACK", "FIN+DATA+ACK", "RST")
"""The segments that an endpoint may meet, by their flags; a RST with and without ACK counts as one."""


def one_trigger(triggers: Collection[str]) -> str:
    """Several triggers of one sort as one."""
    sort, _, rest = min(triggers).partition(" ")
    if sort != "segment":
        return f"{sort} {rest}"
    named = [flags for flags in SEGMENTS if f"segment {flags}" in triggers]
    left_out = [flags for flags in SEGMENTS if flags not in named]
    return "segment " + ("any but " + ", ".join(left_out) if len(left_out) < len(named) else ", ".join(named))
