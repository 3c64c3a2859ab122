"""The table of a message-passing automaton: its edges by part of a control and message, each built once.

An edge of a location depends on one part of the control, on what the parts share and on what the part sees of the others (the
*stance* of the part), and where it is an arrival on the message. So the specification is asked for the edges of each stance
with nothing in flight, and of each stance with one message in flight, where they occur. Each such edge becomes a `PartReaction`
of small numbers. `timewait.checker.class_kernels` and `Mealy.spontaneous` and `Mealy.arrivals` put them together to rows, the
edges of controls, and `timewait.checker.locations` makes the edges of every location from these.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from copy import copy
from itertools import accumulate
from typing import NamedTuple

from timewait.checker.compiled import RESET
from timewait.vocabulary.automaton import Bound, Clock, Edge, Location, Relation
from timewait.vocabulary.message_passing import ControlParts, InFlight, MessagePassing, NetworkMessage, NetworkRules

AGE = -1
"""The clock of a guard that is the age of the arriving message."""


class Limit(NamedTuple):
    """A comparison of a clock, by its position among those of its control or `AGE`, with a bound, by its number."""

    clock: int
    bound: int


class PartReaction(NamedTuple):
    """An edge of a part of a control, spontaneous or for the arrival of one message.

    Attributes
    ----------
    place : int
        The place of the part among those of the control.
    guard : tuple of Limit
        Its guard; clocks are those of the part.
    part : int
        The number of the part after it.
    shared : int
        The number of what the parts share after it.
    updates : tuple of int
        For each clock of the part after it the position of its source among those before it, or `RESET`.
    sent : tuple of (int, bool)
        The messages sent, by number, and whether each must be delivered where that matters.
    edge : Edge
        An edge of the specification that it stands for, with nothing else in flight.
    """

    place: int
    guard: tuple[Limit, ...]
    part: int
    shared: int
    updates: tuple[int, ...]
    sent: tuple[tuple[int, bool], ...]
    edge: Edge


class Row(NamedTuple):
    """An edge of a control, spontaneous or for the arrival of one message.

    Attributes
    ----------
    guard : tuple of Limit
        Its guard.
    target : int
        The number of its target control.
    updates : tuple of int
        For each clock of the target control the position of its source, or `RESET`.
    sent : tuple of (int, bool)
        The messages sent, by number, and whether each must be delivered where that matters.
    edge : Edge
        An edge of the specification that it stands for, with nothing else in flight.
    """

    guard: tuple[Limit, ...]
    target: int
    updates: tuple[int, ...]
    sent: tuple[tuple[int, bool], ...]
    edge: Edge


class Unsupported(Exception):
    """The automaton has a property that the table cannot express; the message says which."""


class Mealy:
    """The table; all that is numbered is so in the order in which it is first met.

    Parameters
    ----------
    system : MessagePassing
        The automaton.

    Attributes
    ----------
    groups : tuple of int
        The part of each group of spontaneous edges.
    groups_before : int
        How many of the groups come before arrivals.
    parts : list of tuple of int
        For each control the numbers of its parts, then that of what they share.
    stances : list of tuple of int
        For each control the number of the stance of each part.
    begins : list of tuple of int
        For each control the position of the first clock of each part, and the number of its clocks.
    lists : list of list of PartReaction
        The lists of reactions, by the numbers that `list_of` gives.

    Raises
    ------
    Unsupported
        Its rules for messages in flight are unknown.
    """

    def __init__(self, system: MessagePassing) -> None:
        rules = system.network_rules()
        if rules is None:
            raise Unsupported("the rules of the network are none that the table describes")
        self.system = system
        self.rules: NetworkRules = rules
        self._unrelieved = system.unrelieved()
        self.controls: list[Location] = []
        self.parts: list[tuple[int, ...]] = []
        self.stances: list[tuple[int, ...]] = []
        self.begins: list[tuple[int, ...]] = []
        self.clocks: list[tuple[Clock, ...]] = []
        self.invariants: list[tuple[Limit, ...]] = []
        self.messages: list[NetworkMessage] = []
        self.receivers: list[int] = []
        self.bounds: list[tuple[Relation, str]] = []
        self.roles: list[str] = []
        self._bound_numbers: dict[tuple[Relation, str], int] = {}
        self._parts: list[Hashable] = []
        self._part_numbers: dict[Hashable, int] = {}
        self._stance_numbers: dict[Hashable, int] = {}
        self._control_numbers: dict[tuple[int, ...], int] = {}
        self._message_numbers: dict[NetworkMessage, int] = {}
        self.lists: list[list[PartReaction]] = []
        self._list_of: dict[tuple[int, int], int] = {}
        self._list_numbers: dict[tuple[Hashable, ...], int] = {}
        self._deadlines: dict[int, tuple[int, tuple[Clock, ...]]] = {}
        self._duties: dict[tuple[int, int], bool] = {}
        initial = system.initial()
        before, after = system.spontaneous_edges(system.control(initial))
        self.groups = tuple(group.part for group in (*before, *after))
        self.groups_before = len(before)
        self.start = self.control(system.control(initial))
        if system.in_flight(initial) or any(update is not None for update in system.initial_updates()):
            raise Unsupported("messages are in flight at the beginning")

    def __len__(self) -> int:
        """The number of controls met so far."""
        return len(self.controls)

    def at_values_of(self, system: MessagePassing) -> Mealy:
        """The same table, which grows with this one, with the values of a system of the same identity."""
        other = copy(self)
        other.system = system
        return other

    # --- numbers ----------------------------------------------------------------------------------------------------

    def control(self, control: Location) -> int:
        """The number of a control."""
        own, shared = self.system.parts(control)
        return self.control_of((*(self._part((place, part)) for place, part in enumerate(own)), self._part((-1, shared))))

    def control_of(self, parts: tuple[int, ...]) -> int:
        """The number of the control of some parts, and of what they share, by number."""
        known = self._control_numbers.get(parts)
        if known is None:
            known = len(self._control_numbers)
            self._describe(known, parts)
            self._control_numbers[parts] = known
        return known

    def _describe(self, number: int, parts: tuple[int, ...]) -> None:
        """Describe a control that is met for the first time; what an earlier description left behind that failed goes."""
        system, places = self.system, range(len(parts) - 1)
        *own, shared = (self._parts[part] for part in parts)
        control = system.with_parts(ControlParts(tuple(own), shared))
        clocks = system.clocks(control)
        ends = [*accumulate((len(system.clocks_of_part(control, place)) for place in places), initial=0)]
        if ends[-1] != len(clocks):
            raise Unsupported(f"the clocks of {control} are not those of its parts")
        stances = ((parts[place], parts[-1], system.seen(control, place)) for place in places)
        numbers = tuple(self._stance_numbers.setdefault(each, len(self._stance_numbers)) for each in stances)
        limits = self._limits(system.invariant(control), clocks)
        self.controls[number:] = [control]
        self.parts[number:] = [parts]
        self.stances[number:] = [numbers]
        self.begins[number:] = [tuple(ends)]
        self.clocks[number:] = [clocks]
        self.invariants[number:] = [limits]

    @property
    def met_stances(self) -> int:
        """The number of stances met so far."""
        return len(self._stance_numbers)

    def _part(self, part: tuple[int, Hashable]) -> int:
        """The number of a part of a control, given with its place; that of what parts share is -1."""
        known = self._part_numbers.get(part)
        if known is None:
            known = len(self._part_numbers)
            self._parts[known:] = [part[1]]
            self._part_numbers[part] = known
        return known

    def message(self, message: NetworkMessage) -> int:
        """The number of a message."""
        known = self._message_numbers.get(message)
        if known is None:
            known, receiver = len(self._message_numbers), self.system.receiver(message)
            self.messages[known:] = [message]
            self.receivers[known:] = [receiver]
            self._message_numbers[message] = known
        return known

    def bound(self, relation: Relation, parameter: str) -> int:
        """The number of a bound: a relation and a parameter."""
        known = self._bound_numbers.get((relation, parameter))
        if known is None:
            known = len(self._bound_numbers)
            self.bounds[known:] = [(relation, parameter)]
            self._bound_numbers[relation, parameter] = known
        return known

    def role(self, clock: Clock) -> int:
        """The number of the role of a clock."""
        if clock.role not in self.roles:
            self.roles.append(clock.role)
        return self.roles.index(clock.role)

    # --- reactions --------------------------------------------------------------------------------------------------

    def reactions(self, control: int, message: int) -> list[PartReaction]:
        """The reactions of a control to the arrival of a message, or, for -1, -2 and so on, those of a group."""
        return self.lists[self.list_of(control, message)]

    def list_of(self, control: int, message: int) -> int:
        """The number of the list of reactions of a control to the arrival of a message, or, for -1 and so on, of a group."""
        place = self.receivers[message] if message >= 0 else self.groups[-1 - message]
        stance = self.stances[control][place], message
        known = self._list_of.get(stance)
        if known is None:
            known = self._list_of[stance] = self._new_list_of(control, place, message)
        return known

    def _new_list_of(self, control: int, place: int, message: int) -> int:
        """The number of a list, which another stance may have already."""
        key: tuple[Hashable, ...] = self.stances[control][place], message
        if message >= 0:
            own, shared = self.parts[control][place], self.parts[control][-1]
            key = own, shared, message, self.system.seen_on_arrival(self.controls[control], self.messages[message])
        known = self._list_numbers.get(key)
        if known is None:
            built = [*self._built(control, place, message)]
            known = len(self._list_numbers)
            self.lists[known:] = [built]
            self._list_numbers[key] = known
        return known

    def _built(self, control: int, place: int, message: int) -> Iterator[PartReaction]:
        """The reactions of a part, from edges with nothing else in flight that have every obligation."""
        if message >= 0:
            location = self.alone(control, message, must_be_delivered=False)
            edges = self._unrelieved.arrival_edges(location)
        else:
            location = self.controls[control]
            before, after = self._unrelieved.spontaneous_edges(location)
            edges = (*before, *after)[-1 - message].edges
        for edge in edges:
            yield self._reaction(control, place, edge, location, None if message < 0 else self.messages[message])

    def _reaction(self, control: int, place: int, edge: Edge, location: Location, arrived: NetworkMessage | None) -> PartReaction:
        begin, end = self.begins[control][place : place + 2]
        after = self.system.control(edge.target)
        (own, shared), before = self.system.parts(after), self.system.parts(self.controls[control]).own
        if own[:place] != before[:place] or own[place + 1 :] != before[place + 1 :]:
            raise Unsupported(f"{edge.action} changes more than a part")
        sources = {clock: position for position, clock in enumerate(self.clocks[control][begin:end])}
        # the parts before it keep their clocks
        updates = edge.updates[begin : begin + len(self.system.clocks_of_part(after, place))]
        for update in updates:
            if update is not None and update not in sources:
                raise Unsupported(f"the clock {update} of a message or of another part becomes one of a part")
        flying = [entry for entry in self.system.in_flight(edge.target) if entry.message != arrived]
        return PartReaction(
            place,
            tuple(self._within(limit, begin, end) for limit in self._guard(control, edge, location)),
            self._part((place, own[place])),
            self._part((-1, shared)),
            tuple(RESET if not isinstance(update, Clock) else sources[update] for update in updates),
            tuple((self.message(entry.message), entry.must_be_delivered) for entry in flying),
            edge,
        )

    def _guard(self, control: int, edge: Edge, location: Location) -> tuple[Limit, ...]:
        return self._limits(edge.guard, self.system.clocks(location), len(self.clocks[control]))

    def _within(self, limit: Limit, begin: int, end: int) -> Limit:
        """A limit on a clock of a control as one on a clock of a part."""
        if limit.clock == AGE:
            return limit
        if not begin <= limit.clock < end:
            raise Unsupported("a guard bounds a clock of another part")
        return Limit(limit.clock - begin, limit.bound)

    # --- rows -------------------------------------------------------------------------------------------------------

    def spontaneous(self, control: int) -> list[Row]:
        """The edges of a control that need no message."""
        return [row for group in range(len(self.groups)) for row in self._rows(control, -1 - group)]

    def arrivals(self, control: int, message: int) -> list[Row]:
        """The edges of a control for the arrival of a message."""
        return self._rows(control, message)

    def _rows(self, control: int, message: int) -> list[Row]:
        """The reactions of a control as its edges."""
        return [self._row(control, reaction) for reaction in self.reactions(control, message)]

    def _row(self, control: int, reaction: PartReaction) -> Row:
        """A reaction of a part of a control as an edge of the control: other parts keep their clocks."""
        parts, begins, place = self.parts[control], self.begins[control], reaction.place
        begin, end = begins[place : place + 2]
        return Row(
            tuple(limit if limit.clock == AGE else Limit(limit.clock + begin, limit.bound) for limit in reaction.guard),
            self.control_of((*parts[:place], reaction.part, *parts[place + 1 : -1], reaction.shared)),
            (
                *range(begin),
                *(source if source == RESET else source + begin for source in reaction.updates),
                *range(end, begins[-1]),
            ),
            reaction.sent,
            reaction.edge,
        )

    def alone(self, control: int, message: int, *, must_be_delivered: bool) -> Location:
        """The location of a control with one message in flight, for the last time if copies are counted."""
        left = None if self.rules.duplication is None else 0
        flying = InFlight(self.messages[message], must_be_delivered, left)
        return self.system.with_in_flight(self.controls[control], [flying])

    def deadline(self, message: int) -> tuple[int, tuple[Clock, ...]]:
        """The bound under which a message must be delivered, and the clocks of one that must be, the limited one last.

        Both are the same in every control; they are taken from the first.
        """
        if message not in self._deadlines:
            self._deadlines[message] = self._deadline(message)
        return self._deadlines[message]

    def _deadline(self, message: int) -> tuple[int, tuple[Clock, ...]]:
        location = self.alone(self.start, message, must_be_delivered=True)
        own = self.system.clocks(location)[len(self.clocks[self.start]) :]
        (bound,) = [bound for bound in self.system.invariant(location) if bound.clock in own]
        if bound.clock != own[-1]:
            raise Unsupported(f"the deadline of {self.messages[message]} is not that of its last clock")
        return self.bound(bound.relation, bound.parameter), own

    def must_be_delivered(self, control: int, message: int) -> bool:
        """Whether an obligation to deliver a message remains once an edge leads to a control."""
        key = self.stances[control][self.receivers[message]], message
        known = self._duties.get(key)
        if known is None:
            known = self._duties[key] = self.system.must_be_delivered(self.controls[control], self.messages[message])
        return known

    def keeps_in_flight(self, control: int) -> bool:
        """Whether messages stay in flight once an edge leads to a control."""
        return self.system.keeps_in_flight(self.controls[control])

    def _limits(self, bounds: tuple[Bound, ...], clocks: tuple[Clock, ...], own: int | None = None) -> tuple[Limit, ...]:
        """Bounds on clocks, of which the first `own` are those of the control and the next is the age of a message."""
        limits = []
        for bound in bounds:
            position = clocks.index(bound.clock)
            if own is not None and position > own:
                raise Unsupported(f"a guard bounds {bound.clock}")
            limits.append(Limit(AGE if position == own else position, self.bound(bound.relation, bound.parameter)))
        return tuple(limits)
