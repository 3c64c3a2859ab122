"""Timed automata that consist of a control part and messages in flight.

A location of such an automaton is a *control*, a location with nothing in flight, and the messages in flight. An edge is
spontaneous, and then it depends on the control alone, or it is the arrival of one message, and then it depends on the
control and that message. A control in turn has *parts*, and an edge changes one of them: it depends on that part, on what the
parts share, and on the little that the part sees of the others. An engine can therefore build the edges of every location from a
small table.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from timewait.vocabulary.automaton import Clock, Edge, Location, TimedAutomaton


class NetworkMessage(NamedTuple):
    """A message.

    Attributes
    ----------
    sender : str
        Its sender, whose messages form a queue where order is kept.
    subject : Hashable
        The rest; only the specification interprets it.
    """

    sender: str
    subject: Hashable


class InFlight(NamedTuple):
    """A message in flight.

    Attributes
    ----------
    message : NetworkMessage
        The message.
    must_be_delivered : bool
        Whether it must still arrive.
    left : int or None
        How often it may still arrive; None: any number of times.
    """

    message: NetworkMessage
    must_be_delivered: bool
    left: int | None


class ControlParts(NamedTuple):
    """What a control consists of.

    Attributes
    ----------
    own : tuple of Hashable
        Its parts, as many in every control.
    shared : Hashable
        What the parts share.
    """

    own: tuple[Hashable, ...]
    shared: Hashable


class EdgesOfPart(NamedTuple):
    """Some spontaneous edges of a control.

    Attributes
    ----------
    part : int
        The part that they change, and on which they depend.
    edges : iterable of Edge
        The edges, which may be built as they are asked for.
    """

    part: int
    edges: Iterable[Edge]


class NetworkRules(NamedTuple):
    """The rules for messages in flight.

    Attributes
    ----------
    duplication : int or None
        How often a message may arrive again; None: any number of times.
    fifo : bool
        Whether the messages of a sender arrive in the order in which they were sent, which loses those that are overtaken.
    """

    duplication: int | None
    fifo: bool

    @property
    def merged(self) -> bool:
        """Whether all copies of a message form one entry, with the age of the youngest."""
        return self.duplication is None and not self.fifo


@runtime_checkable
class MessagePassing(TimedAutomaton, Protocol):
    """A timed automaton whose locations have messages in flight.

    The clocks of a location are those of its control, followed for each message in flight by its age and, where the rules do
    not count copies and it must be delivered, by the age of its oldest undelivered copy. The properties that are pending in a
    location depend on its control alone.
    """

    def network_rules(self) -> NetworkRules | None:
        """The rules for messages in flight; None if they are none that `NetworkRules` describes."""

    def identity(self) -> Hashable:
        """Equal for automata with equal locations and edges, whatever the values of their parameters are."""

    def control(self, location: Location) -> Location:
        """The location without its messages in flight."""

    def in_flight(self, location: Location) -> tuple[InFlight, ...]:
        """The messages in flight, in order."""

    def with_in_flight(self, control: Location, messages: Sequence[InFlight]) -> Location:
        """The location of a control and messages in flight, which are in order."""

    def arrival_edges(self, location: Location) -> Iterable[Edge]:
        """The edges of a location that are arrivals, in their order among all its edges."""

    def parts(self, control: Location) -> ControlParts:
        """The parts of a control."""

    def with_parts(self, parts: ControlParts) -> Location:
        """The control of some parts."""

    def clocks_of_part(self, control: Location, part: int) -> tuple[Clock, ...]:
        """The clocks of a part of a control, which depend on that part alone.

        The clocks of a control are those of its parts, one behind another, and no edge copies one from another part.
        """

    def seen(self, control: Location, part: int) -> Hashable:
        """What the edges that change a part depend on beyond the part, what the parts share, and the message that arrives.

        Whether a message must still be delivered depends on the part at which it arrives in the same way.
        """

    def seen_on_arrival(self, control: Location, message: NetworkMessage) -> Hashable:
        """The part of what is `seen` on which the edges for the arrival of a message depend."""

    def receiver(self, message: NetworkMessage) -> int:
        """The part that the arrival of a message changes."""

    def spontaneous_edges(self, control: Location) -> tuple[Sequence[EdgesOfPart], Sequence[EdgesOfPart]]:
        """The spontaneous edges of a control in groups, those before arrivals and those after them.

        Every control has the same groups, of the same parts; a group may be empty.
        """

    def unrelieved(self) -> MessagePassing:
        """The automaton in which a message that must be delivered must be so until it arrives, whatever `must_be_delivered` says.

        Its edges have every obligation that they would have whatever the parts are that they do not change.
        """

    def must_be_delivered(self, control: Location, message: NetworkMessage) -> bool:
        """Whether a message that must be delivered must still be delivered once an edge leads to a control."""

    def keeps_in_flight(self, control: Location) -> bool:
        """Whether the messages in flight stay in flight once an edge leads to a control."""

    def sending_name(self, message: NetworkMessage) -> str:
        """The fairness name of the edges that send a message and do not lose it, and of no other edge."""

    def arrival_name(self, message: NetworkMessage) -> str:
        """The fairness name of the edges in which a message arrives, and of no other edge."""


@runtime_checkable
class ObligationDropping(Protocol):
    """What an over-approximation of such an automaton offers if it drops obligations to deliver, and shares ages.

    Its edges are those of `exact` but for their targets and their clocks: for each choice of obligations there is one
    target, and several messages may share one age, that of the youngest. The clocks of a location are those of its control, the
    deadlines of the messages that must be delivered, and the ages, each where its first message is.
    """

    @property
    def exact(self) -> TimedAutomaton:
        """The automaton that is approximated."""

    def kept_obligations(self, location: Location) -> Iterable[frozenset[int]]:
        """Each choice of messages in flight that must still be delivered, as positions; the others of the location need not.

        It depends on the control and on the messages that must be delivered, in their order.
        """
