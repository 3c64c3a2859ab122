"""The table of a message-passing automaton: its edges by control and message, each built once.

An edge of a location depends on the control alone, or on the control and the message that arrives. So the specification
is asked for the edges of each control with nothing in flight, and of each control with one message in flight, where they
occur. Each such edge becomes a `Row` of small numbers, from which `timewait.checker.locations` makes the edges of every
location.
"""

from __future__ import annotations

from itertools import takewhile
from typing import NamedTuple

from timewait.checker.compiled import RESET
from timewait.vocabulary.automaton import Bound, Clock, Edge, Location, Relation
from timewait.vocabulary.message_passing import InFlight, MessagePassing, NetworkMessage, NetworkRules

AGE = -1
"""The clock of a guard that is the age of the arriving message."""


class Limit(NamedTuple):
    """A comparison of a clock, by its position among those of its control or `AGE`, with a bound, by its number."""

    clock: int
    bound: int


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
        The messages sent, by number, and whether each must be delivered.
    edge : Edge
        The edge of the specification with nothing else in flight.
    """

    guard: tuple[Limit, ...]
    target: int
    updates: tuple[int, ...]
    sent: tuple[tuple[int, bool], ...]
    edge: Edge


class Unsupported(Exception):
    """The automaton has a property that the table cannot express; the message says which."""


class Mealy:
    """The table; controls, messages, bounds and clock roles are numbered in the order in which they are first met.

    Parameters
    ----------
    system : MessagePassing
        The automaton.

    Attributes
    ----------
    before : dict
        For each control with arrivals, how many of its spontaneous edges come before them in the order of the automaton.

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
        self.controls: list[Location] = []
        self.clocks: list[tuple[Clock, ...]] = []
        self.invariants: list[tuple[Limit, ...]] = []
        self.messages: list[NetworkMessage] = []
        self.bounds: list[tuple[Relation, str]] = []
        self.roles: list[str] = []
        self._control_numbers: dict[Location, int] = {}
        self._message_numbers: dict[NetworkMessage, int] = {}
        self.before: dict[int, int] = {}
        self._rows: dict[tuple[int, int | None], list[Row]] = {}
        self.start = self.control(system.control(system.initial()))
        if system.in_flight(system.initial()) or any(update is not None for update in system.initial_updates()):
            raise Unsupported("messages are in flight at the beginning")

    # --- numbers ----------------------------------------------------------------------------------------------------

    def control(self, control: Location) -> int:
        """The number of a control."""
        known = self._control_numbers.get(control)
        if known is None:
            known = self._control_numbers[control] = len(self.controls)
            clocks = self.system.clocks(control)
            self.controls.append(control)
            self.clocks.append(clocks)
            self.invariants.append(self._limits(self.system.invariant(control), clocks))
        return known

    def message(self, message: NetworkMessage) -> int:
        """The number of a message."""
        known = self._message_numbers.get(message)
        if known is None:
            known = self._message_numbers[message] = len(self.messages)
            self.messages.append(message)
        return known

    def bound(self, relation: Relation, parameter: str) -> int:
        """The number of a bound: a relation and a parameter."""
        if (relation, parameter) not in self.bounds:
            self.bounds.append((relation, parameter))
        return self.bounds.index((relation, parameter))

    def role(self, clock: Clock) -> int:
        """The number of the role of a clock."""
        if clock.role not in self.roles:
            self.roles.append(clock.role)
        return self.roles.index(clock.role)

    # --- rows -------------------------------------------------------------------------------------------------------

    def spontaneous(self, control: int) -> list[Row]:
        """The edges of a control that need no message."""
        known = self._rows.get((control, None))
        if known is None:
            known = [self._row(control, edge, None) for edge in self.system.edges(self.controls[control])]
            self._rows[control, None] = known
        return known

    def arrivals(self, control: int, message: int) -> list[Row]:
        """The edges of a control for the arrival of a message."""
        known = self._rows.get((control, message))
        if known is None:
            known = self._rows[control, message] = self._arrivals(control, message)
        return known

    def _arrivals(self, control: int, message: int) -> list[Row]:
        location = self.alone(control, message, must_be_delivered=False)
        found = [self._row(control, edge, self.messages[message]) for edge in self.system.arrival_edges(location)]
        if found and control not in self.before:
            self.before[control] = self._before(control, location)
        return found

    def _before(self, control: int, location: Location) -> int:
        """How many spontaneous edges of a location come before its arrivals."""
        spontaneous = {row.edge.action.identity for row in self.spontaneous(control)}
        return len([*takewhile(spontaneous.__contains__, (edge.action.identity for edge in self.system.edges(location)))])

    def alone(self, control: int, message: int, *, must_be_delivered: bool) -> Location:
        """The location of a control with one message in flight, for the last time if copies are counted."""
        left = None if self.rules.duplication is None else 0
        flying = InFlight(self.messages[message], must_be_delivered, left)
        return self.system.with_in_flight(self.controls[control], [flying])

    def deadline(self, control: int, message: int) -> tuple[int, tuple[Clock, ...]]:
        """The bound under which a message must be delivered, and the clocks of one that must be, the limited one last."""
        location = self.alone(control, message, must_be_delivered=True)
        own = self.system.clocks(location)[len(self.clocks[control]) :]
        (bound,) = [bound for bound in self.system.invariant(location) if bound.clock in own]
        if bound.clock != own[-1]:
            raise Unsupported(f"the deadline of {self.messages[message]} is not that of its last clock")
        return self.bound(bound.relation, bound.parameter), own

    def must_be_delivered(self, control: int, message: int) -> bool:
        """Whether an obligation to deliver a message remains once an edge leads to a control."""
        return self.system.must_be_delivered(self.controls[control], self.messages[message])

    def keeps_in_flight(self, control: int) -> bool:
        """Whether messages stay in flight once an edge leads to a control."""
        return self.system.keeps_in_flight(self.controls[control])

    def _row(self, control: int, edge: Edge, arrived: NetworkMessage | None) -> Row:
        location = (
            self.controls[control] if arrived is None else self.alone(control, self.message(arrived), must_be_delivered=False)
        )
        target = self.control(self.system.control(edge.target))
        sources = {clock: position for position, clock in enumerate(self.clocks[control])}
        updates = edge.updates[: len(self.clocks[target])]
        for update in updates:
            if update is not None and update not in sources:
                raise Unsupported(f"the clock {update} of a message becomes one of the control")
        flying = [entry for entry in self.system.in_flight(edge.target) if entry.message != arrived]
        return Row(
            self._limits(edge.guard, self.system.clocks(location), len(self.clocks[control])),
            target,
            tuple(RESET if not isinstance(update, Clock) else sources[update] for update in updates),
            tuple((self.message(entry.message), entry.must_be_delivered) for entry in flying),
            edge,
        )

    def _limits(self, bounds: tuple[Bound, ...], clocks: tuple[Clock, ...], own: int | None = None) -> tuple[Limit, ...]:
        """Bounds on clocks, of which the first `own` are those of the control and the next is the age of a message."""
        limits = []
        for bound in bounds:
            position = clocks.index(bound.clock)
            if own is not None and position > own:
                raise Unsupported(f"a guard bounds {bound.clock}")
            limits.append(Limit(AGE if position == own else position, self.bound(bound.relation, bound.parameter)))
        return tuple(limits)
