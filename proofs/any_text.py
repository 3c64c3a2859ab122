"""Any amount of text from the end that closes second: an abstraction that does not count octets.

Runs with more text have more sequence numbers, yet an endpoint only compares them: with SND.UNA, SND.NXT, RCV.NXT and the
end of the window. So the abstraction keeps of every number of B where it lies: in the text, at its end, or past the FIN. Of
the packets in flight it keeps which kinds must be delivered, of text at most one packet, and for each kind the age of the
youngest. Its edges are the images of the edges of closes with 0 to `OCTETS` octets. Every run of such a close is a run of the
abstraction, and more octets add neither a location nor an edge (`tests/test_any_text.py` compares them, for every loss and
behaviour of `COMPARED_LOSS` and `COMPARED_BEHAVIOUR`; others are refused): a property that holds here holds for any amount of
text that the window has room for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from functools import cache, cached_property, lru_cache, partial
from typing import NamedTuple

from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.spec.composition import Composition, CompositionState, Phase
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.segment import Segment
from timewait.spec.settings import BEHAVIOUR, STEP_ONE, Behaviour
from timewait.spec.state import Block, State
from timewait.vocabulary.automaton import INACTIVE, Bound, Clock, ClockUpdate, Edge, Location

OCTETS = 2
"""The octets of the closes from which the edges come; a third and a fourth add nothing."""

COMPARED_LOSS = (0, 1, 2)
"""The losses in a loss window for which an octet more was shown to add nothing."""

COMPARED_BEHAVIOUR = (
    Behaviour(answers=STEP_ONE, restarts=STEP_ONE),
    Behaviour(answers=STEP_ONE, restarts=STEP_ONE, acks_restart_rto=False),
)
"""The behaviours for which an octet more was shown to add nothing."""

IN_TEXT, AT_END, PAST_FIN = 1, 2, 3
"""Where a sequence number of B lies: in its text, just past it (that of the FIN), just past the FIN."""

KINDS = ("A before the FIN", "A after the FIN", "A RST", "B FIN", "B text", "B")
"""The kinds of packets: of A without and with an acknowledgement of B's FIN, a RST of A, a FIN of B, text, any other of B."""


TEXT_DUE = Clock("due", "B text")
"""The age of some packet of text that must be delivered."""


class AnyTextState(NamedTuple):
    """A location of the abstraction.

    Attributes
    ----------
    ends : pair of Block
        The control blocks, with every number of B replaced by where it lies.
    due : tuple of str
        The kinds of packets that must be delivered.
    lost : tuple of int
        Copies lost in the loss windows, as in the composition.
    phase : Phase
        The incarnation that is open.
    """

    ends: tuple[Block, Block]
    due: tuple[str, ...]
    lost: tuple[int, int]
    phase: Phase


class AnyText:
    """The close in which B sends any amount of text (a `timewait.vocabulary.automaton.TimedAutomaton`).

    Parameters
    ----------
    configuration : Configuration
        The whole close, A first and without text, with unlimited duplication in any order; the text of B does not matter.
    octets : int
        The octets of the closes from which the edges come.

    Raises
    ------
    ValueError
        B may close first, A sends text, duplication or order is limited, the next incarnation opens by a handshake, or the
        loss or the behaviour is none for which more octets were shown to add nothing.
    """

    def __init__(self, configuration: Configuration, octets: int = OCTETS) -> None:
        if problem := fault(configuration):
            raise ValueError(f"any amount of text needs {problem}")
        self.exact = Composition(replace(configuration, text=(0, octets)))

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        return self.exact.parameters

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        return self.exact.maximal_constants

    @property
    def dense(self) -> bool:
        return True

    @property
    def lifetimes(self) -> Mapping[str, str]:
        return self.exact.lifetimes

    @cached_property
    def _edges(self) -> Mapping[AnyTextState, tuple[Edge, ...]]:
        return _images(self.exact.configuration.without_durations)

    def initial(self) -> AnyTextState:
        return _abstract(self.exact.initial(), False)

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        return tuple(INACTIVE if clock.role == "age" else None for clock in self.clocks(self.initial()))

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        return _clocks(self.exact, _own(location))

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        state = _own(location)
        timers = self.exact.invariant(CompositionState(state.ends, (), state.lost, state.phase))
        return (*timers, *(Bound(_due(kind), "<=", "MSL") for kind in state.due))

    def edges(self, location: Location) -> Iterable[Edge]:
        return self._edges.get(_own(location), ())

    def expired(self, location: Location, clock: Clock) -> Location:
        del clock
        return location

    def equivalence_class(self, location: Location) -> Location:
        return location

    def join(self, location: Location, other: Location) -> Location:
        del other
        return location

    def pending(self, location: Location) -> frozenset[str]:
        state = _own(location)
        return self.exact.pending(CompositionState(state.ends, (), state.lost, state.phase))


def fault(configuration: Configuration) -> str:
    """What any amount of text needs and a configuration lacks; empty if it lacks nothing."""
    if configuration.both_close or configuration.duplication is not None or configuration.fifo:
        return "A to close first, unlimited duplication, and any order"
    if configuration.reopening.handshake:
        return "an atomic reopen"
    if configuration.scope is not Scope.CLOSE or configuration.text[0]:
        return "the whole close, in which A sends no text"
    if configuration.loss not in COMPARED_LOSS:
        return f"a loss of {COMPARED_LOSS[0]} to {COMPARED_LOSS[-1]}: no other was compared"
    if configuration.rto_exact:
        return "gaps of RTO at most: a least gap was not compared"
    if configuration.behaviour in COMPARED_BEHAVIOUR:
        return ""
    plain, stated = COMPARED_BEHAVIOUR[0], configuration.behaviour
    names = (name for name in BEHAVIOUR if name != "acks_restart_rto" and getattr(plain, name) != getattr(stated, name))
    return f"another setting {next(names)}: this one was not compared"


@lru_cache(maxsize=8)
def _images(configuration: Configuration) -> Mapping[AnyTextState, tuple[Edge, ...]]:
    """For each location its edges: the images of the edges of every close with no more octets than a configuration has."""
    exact = Composition(configuration)
    quotient = Quotient(exact, Budget())
    names = cache(partial(_names, exact))
    found: dict[AnyTextState, dict[Edge, None]] = {}
    met = [quotient.initial()]
    seen = set(met)
    for location in met:
        source = _state(location)
        choices = (False, True) if _owed_text(source) else (False,)
        for edge in quotient.edges(location):
            for text_due in choices:
                here = found.setdefault(_abstract(source, text_due), {})
                here[_image(exact, source, edge, text_due, names)] = None
            if edge.target not in seen:
                seen.add(edge.target)
                met.append(edge.target)
    return {location: tuple(edges) for location, edges in found.items()}


def _image(
    exact: Composition,
    source: CompositionState,
    edge: Edge,
    text_due: bool,
    names_in: Callable[[CompositionState], Mapping[Clock, Clock]],
) -> Edge:
    """An edge of a close as an edge of the abstraction; `names_in` is `_names`, whose results are kept."""
    target, octets = _state(edge.target), source.ends[1].sent
    names, names_after = names_in(source), names_in(target)
    guard = tuple(bound._replace(clock=names[bound.clock]) for bound in edge.guard)
    action = edge.action
    if isinstance(action.subject, tuple):
        sender, segment = action.subject
        action = replace(action, subject=(sender, _kind(sender, segment, octets)))
    updates: dict[Clock, ClockUpdate] = {_age(kind): _age(kind) for kind in KINDS}
    for name, update in zip(names_after.values(), edge.updates, strict=True):
        assert not isinstance(update, Clock) or names[update] == name, "a packet keeps its kind"
        if name.role == "age":
            updates[name] = None if update is None else updates[name]
        elif name != TEXT_DUE:
            updates[name] = names[update] if isinstance(update, Clock) else update
    kept = text_due and action.subject != ("B", "B text") and _owed_text(source) <= _owed_text(target)
    updates[TEXT_DUE] = TEXT_DUE if kept else None
    sent = updates[_age("B text")] is None and _owed_text(target)
    reached = _abstract(target, kept or bool(sent))
    return replace(
        edge, action=action, guard=guard, target=reached, updates=tuple(updates[clock] for clock in _clocks(exact, reached))
    )


def _clocks(exact: Composition, state: AnyTextState) -> tuple[Clock, ...]:
    """The clocks of a location: the timers, the deadlines, and the age of each kind of packet."""
    timers = exact.timers(CompositionState(state.ends, (), state.lost, state.phase))
    return (*timers, *map(_due, state.due), *map(_age, KINDS))


def _abstract(state: CompositionState, text_due: bool) -> AnyTextState:
    """The location of the abstraction for one of a close, in which some packet of text must be delivered or none."""
    a, b = state.ends
    obligatory = [packet for packet in state.network if packet.must_be_delivered]
    due = {_kind(packet.sender, packet.segment, b.sent) for packet in obligatory if not packet.segment.length}
    if text_due:
        due.add("B text")
    return AnyTextState((_a_without_count(a, b.sent), _b_without_count(b)), tuple(sorted(due)), state.lost, state.phase)


def _owed_text(state: CompositionState) -> set[Segment]:
    """The text that must be delivered."""
    return {packet.segment for packet in state.network if packet.must_be_delivered and packet.segment.length}


def _a_without_count(block: Block, octets: int) -> Block:
    """The control block of A: its RCV.NXT as where it lies in the numbers of B."""
    return block._replace(rcv=_where(block.rcv, octets))


def _b_without_count(block: Block) -> Block:
    """The control block of B, as if it had one octet to send."""
    if block.state is State.CLOSED:
        return block._replace(sent=1)
    return block._replace(una=_where(block.una, block.sent), nxt=_where(block.nxt, block.sent), sent=1)


def _where(number: int, octets: int) -> int:
    """Where a sequence number of B lies, if it has sent some octets."""
    return IN_TEXT if number <= octets else number - octets + 1


def _kind(sender: str, segment: Segment, octets: int) -> str:
    """The kind of a packet."""
    if sender == "A":
        if segment.rst:
            return "A RST"
        after = segment.ack is not None and _where(segment.ack, octets) == PAST_FIN
        return "A after the FIN" if after else "A before the FIN"
    return "B FIN" if segment.fin else "B text" if segment.length else "B"


def _names(exact: Composition, state: CompositionState) -> dict[Clock, Clock]:
    """For each clock of a location of a close, in order, the clock of the abstraction."""
    octets = state.ends[1].sent
    kinds = {f"{packet.sender} {packet.segment}": _kind(packet.sender, packet.segment, octets) for packet in state.network}
    return {clock: Clock(clock.role, kinds[clock.owner]) if clock.owner in kinds else clock for clock in exact.clocks(state)}


def _age(kind: str) -> Clock:
    return Clock("age", kind)


def _due(kind: str) -> Clock:
    return Clock("due", kind)


def _state(location: Location) -> CompositionState:
    assert isinstance(location, CompositionState)
    return location


def _own(location: Location) -> AnyTextState:
    assert isinstance(location, AnyTextState)
    return location
