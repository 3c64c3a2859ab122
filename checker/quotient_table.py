"""The quotient of an automaton that passes messages, compiled from the table of its edges.

The result is that of `CompiledAutomaton(Quotient(system))`, number by number: the same locations, clocks, edges and updates.
There the specification builds every edge of every location, often several times. Here it builds each row of a small table
(`timewait.checker.mealy`), and edges are combinations of rows and sets of messages, which are whole numbers with one bit for
each message. Certificates are rebuilt from `Quotient` all the same: it is the `system` here, and explores locations when it is
asked for one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from heapq import heappop, heappush
from typing import NamedTuple

from timewait.checker.compiled import (
    INACTIVE,
    RESET,
    CompiledAutomaton,
    CompiledBound,
    CompiledEdge,
    CompiledLocation,
)
from timewait.checker.finding import Budget, Stopped
from timewait.checker.mealy import AGE, Limit, Mealy, Row, Unsupported
from timewait.checker.quotient import Quotient
from timewait.vocabulary.automaton import Clock, Location, TimedAutomaton
from timewait.vocabulary.message_passing import InFlight, MessagePassing, ObligationDropping

BEFORE, AFTER = -2, -1
"""The spontaneous edges of a class before and after those of arrivals, in the place of a message."""


def message_passing(system: TimedAutomaton) -> MessagePassing | None:
    """The automaton that passes messages whose edges a system has, up to obligations; None if there is none."""
    exact = system.exact if isinstance(system, ObligationDropping) else system
    return exact if isinstance(exact, MessagePassing) else None


class ClassStep(NamedTuple):
    """An edge of a class.

    Attributes
    ----------
    row : Row
        Its row in the table.
    target : int
        The class that it leads to.
    sent, fresh : int
        The messages that it sends, and those whose deadlines start, as bits.
    keeps : bool
        Whether messages stay in flight.
    """

    row: Row
    target: int
    sent: int
    fresh: int
    keeps: bool


class ClockSource(NamedTuple):
    """A clock of a location: its position, if it is one of the control, else the messages it belongs to, as bits.

    Attributes
    ----------
    clock : int
        The number of the clock among all those of messages, or -1.
    control : int
        Its position among the clocks of the control, or -1.
    messages : int
        The messages whose age or deadline it is.
    deadline : bool
        Whether it is a deadline.
    """

    clock: int
    control: int
    messages: int
    deadline: bool


class ClassLocation(NamedTuple):
    """The representative of a class.

    Attributes
    ----------
    original : Location
        The location.
    clocks : tuple of Clock
        Its clocks.
    positions, numbered : dict
        The position of each clock, and of each clock of messages by its number.
    sources : tuple of ClockSource
        Where the values of the clocks come from.
    layout : int
        The number of these sources: locations with equal ones share the updates of their edges.
    """

    original: Location
    clocks: tuple[Clock, ...]
    positions: dict[Clock, int]
    numbered: dict[int, int]
    sources: tuple[ClockSource, ...]
    layout: int


class QuotientTable(CompiledAutomaton):
    """The compiled quotient of an automaton that passes messages, or of an over-approximation of one.

    Parameters
    ----------
    system : TimedAutomaton
        The automaton; its messages are merged.
    table : Mealy
        The table of `message_passing` of it.
    budget : Budget
        The budget for finding the classes.

    Raises
    ------
    Unsupported
        The table cannot express the automaton.
    Stopped
        The budget is used up.
    """

    def __init__(self, system: TimedAutomaton, table: Mealy, budget: Budget) -> None:
        self.base = system
        self.table = table
        self._dropping = system if isinstance(system, ObligationDropping) else None
        if not table.rules.merged:
            raise Unsupported("only automata whose messages are merged have a quotient")
        self._budget = budget
        self._kept_at: dict[tuple[int, tuple[int, ...]], list[tuple[int, ...]]] = {}
        self._order: list[str] = []
        self._ages: list[Clock] = []
        self._dues: list[Clock] = []
        self._due_bound = -1
        self._clock_numbers: dict[Clock, int] = {}
        self._bounds: dict[tuple[int, int], CompiledBound] = {}
        self._layouts: dict[tuple[ClockSource, ...], int] = {}
        self._guards: dict[tuple[tuple[Limit, ...], int], tuple[CompiledBound, ...]] = {}
        self._carried: dict[tuple[int, int, tuple[int, ...], int, int], tuple[int, ...]] = {}
        self._classes: list[tuple[int, tuple[int, ...]]] = []
        self._class_numbers: dict[tuple[int, tuple[int, ...]], int] = {}
        self._flying: list[int] = []
        self._steps: list[dict[int, list[ClassStep]]] = []
        self._sent_to: list[dict[int, int]] = []
        self._needed = cache(self.table.must_be_delivered)
        self._keeps = cache(self.table.keeps_in_flight)
        self._find_classes()
        self.system = Quotient(system, budget)
        self._by_number: list[int] = []
        self._number_of: dict[int, int] = {}
        self._locations: list[CompiledLocation | None] = []
        self._representatives: dict[int, ClassLocation] = {}
        self.start = self._number(0)

    # --- the interface of a compiled automaton ----------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._by_number)

    def location(self, number: int) -> CompiledLocation:
        known = self._locations[number]
        if known is None:
            known = self._locations[number] = self._compile_class(self._by_number[number])
        return known

    def start_updates(self) -> tuple[int, ...]:
        alive = self.base.clocks(self.base.initial())
        return tuple(RESET if clock in alive else INACTIVE for clock in self._representative(0).clocks)

    def after_expiry(self, number: int, clock: int) -> int:
        del clock
        return number

    def explore(self) -> tuple[CompiledLocation, ...]:
        self.within(None)
        return tuple(location for location in self._locations if location is not None)

    def _number(self, number_of_class: int) -> int:
        known = self._number_of.get(number_of_class)
        if known is None:
            known = self._number_of[number_of_class] = len(self._by_number)
            self._by_number.append(number_of_class)
            self._locations.append(None)
        return known

    # --- classes ----------------------------------------------------------------------------------------------------

    def _find_classes(self) -> None:
        """Find the classes and, for each, every message that may be in flight: a least fixed point."""
        self._class(self.table.start, ())
        waiting = [0]
        queued = {0}
        processed: list[int] = []
        visits = 0
        while waiting:
            if visits % 64 == 1 and (stopped := self._budget.exceeded(len(self._classes), 0)):
                raise Stopped(f"{stopped}, while locations were merged")
            visits += 1
            here = heappop(waiting)
            queued.remove(here)
            processed += [0] * (len(self._classes) - len(processed))
            flying, steps, sent_to = self._flying[here], self._steps[here], self._sent_to[here]
            fresh = [] if steps else self._spontaneous(here)
            for message in bits(flying & ~processed[here]):
                steps[message] = [step for row in self._arrivals(here, message) for step in self._targets(here, row, message)]
                fresh += steps[message]
            processed[here] = flying
            for step in fresh:
                if step.keeps:
                    sent_to[step.target] = sent_to.get(step.target, 0) | step.sent
            reached = {step.target for step in fresh if not self._steps[step.target]}
            for target, sent in sent_to.items():
                if (flying | sent) & ~self._flying[target]:
                    self._flying[target] |= flying | sent
                    reached.add(target)
            for target in reached - queued:
                heappush(waiting, target)
            queued |= reached

    def _class(self, control: int, must: tuple[int, ...]) -> int:
        key = control, must
        known = self._class_numbers.get(key)
        if known is None:
            known = self._class_numbers[key] = len(self._classes)
            self._classes.append(key)
            self._flying.append(0)
            self._steps.append({})
            self._sent_to.append({})
        return known

    def _spontaneous(self, here: int) -> list[ClassStep]:
        control, _ = self._classes[here]
        rows = self.table.spontaneous(control)
        self._describe()
        found = self._steps[here][AFTER] = [step for row in rows for step in self._targets(here, row, None)]
        return list(found)

    def _arrivals(self, here: int, message: int) -> list[Row]:
        rows = self.table.arrivals(self._classes[here][0], message)
        self._describe()
        return rows

    def _targets(self, here: int, row: Row, arrived: int | None) -> Iterator[ClassStep]:
        """The steps of a row out of a class: one, unless an over-approximation chooses obligations."""
        _, before = self._classes[here]
        must = [message for message in before if message != arrived]
        sent = fresh = 0
        for message, obliged in row.sent:
            sent |= 1 << message
            if obliged and message not in must:
                must.append(message)
                fresh |= 1 << message
        keeps = self._keeps(row.target)
        left = [message for message in must if self._needed(row.target, message)] if keeps else []
        left.sort(key=self._order.__getitem__)
        for kept in self._choices(row.target, tuple(left)):
            yield ClassStep(row, self._class(row.target, kept), sent, fresh, keeps)

    def _choices(self, control: int, must: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Each choice of the messages that must still be delivered."""
        if self._dropping is None:
            return [must]
        known = self._kept_at.get((control, must))
        if known is None:
            flying = [InFlight(self.table.messages[message], True, None) for message in must]
            location = self.table.system.with_in_flight(self.table.controls[control], flying)
            known = [tuple(must[position] for position in sorted(kept)) for kept in self._dropping.kept_obligations(location)]
            self._kept_at[control, must] = known
        return known

    def _describe(self) -> None:
        """Describe the clocks of messages that are new in the table."""
        table = self.table
        for message in range(len(self._order), len(table.messages)):
            control = table.start
            own = table.system.clocks(table.alone(control, message, must_be_delivered=False))[len(table.clocks[control]) :]
            self._order.append(own[0].owner)
            alone = [
                self.base.clocks(table.alone(control, message, must_be_delivered=must))[len(table.clocks[control]) :]
                for must in (False, True)
            ]
            (age,) = alone[0]
            (due,) = [clock for clock in alone[1] if clock != age]
            self._ages.append(age)
            self._dues.append(due)
            self._due_bound, _ = table.deadline(control, message)

    # --- locations --------------------------------------------------------------------------------------------------

    def _representative(self, here: int) -> ClassLocation:
        known = self._representatives.get(here)
        if known is None:
            control, must = self._classes[here]
            flying = sorted(bits(self._flying[here]), key=self._order.__getitem__)
            packets = [InFlight(self.table.messages[message], message in must, None) for message in flying]
            original = self.table.system.with_in_flight(self.table.controls[control], packets)
            clocks = self.base.clocks(original)
            sources = []
            own = {clock: position for position, clock in enumerate(self.table.clocks[control])}
            aged, due = _by_clock(flying, self._ages), _by_clock(must, self._dues)
            for clock in clocks:
                messages = aged.get(clock) or due.get(clock, 0)
                number = self._clock_numbers.setdefault(clock, len(self._clock_numbers)) if messages else -1
                sources.append(ClockSource(number, own.get(clock, -1), messages, clock not in aged))
            positions = {clock: position for position, clock in enumerate(clocks)}
            numbered = {source.clock: position for position, source in enumerate(sources) if source.control < 0}
            layout = self._layouts.setdefault(tuple(sources), len(self._layouts))
            known = ClassLocation(original, clocks, positions, numbered, tuple(sources), layout)
            self._representatives[here] = known
        return known

    def _compile_class(self, here: int) -> CompiledLocation:
        control, must = self._classes[here]
        representative = self._representative(here)
        positions = representative.positions
        bounds = [self._bound(limit.clock, limit) for limit in self.table.invariants[control]]
        due = Limit(AGE, self._due_bound)
        bounds += [self._bound(positions[self._dues[message]], due) for message in must]
        edges = tuple(self._edge(representative, step, message) for message, step in self._in_order(here))
        pending = self.base.pending(representative.original)
        return CompiledLocation(representative.original, representative.clocks, tuple(bounds), edges, pending)

    def _in_order(self, here: int) -> Iterator[tuple[int, ClassStep]]:
        """The steps of a class in the order of the automaton."""
        control, _ = self._classes[here]
        steps = self._steps[here]
        rows = {id(row): number for number, row in enumerate(self.table.spontaneous(control))}
        before = self.table.before.get(control, len(rows))
        yield from ((AFTER, step) for step in steps[AFTER] if rows[id(step.row)] < before)
        for message in sorted(bits(self._flying[here]), key=self._order.__getitem__):
            yield from ((message, step) for step in steps.get(message, ()))
        yield from ((AFTER, step) for step in steps[AFTER] if rows[id(step.row)] >= before)

    def _edge(self, source: ClassLocation, step: ClassStep, message: int) -> CompiledEdge:
        age = source.positions[self._ages[message]] if message >= 0 else AGE
        row, target = step.row, self._representative(step.target)
        guard = self._guards.get((row.guard, age))
        if guard is None:
            guard = tuple(self._bound(age if limit.clock == AGE else limit.clock, limit) for limit in row.guard)
            self._guards[row.guard, age] = guard
        key = source.layout, target.layout, row.updates, step.sent, step.fresh
        updates = self._carried.get(key)
        if updates is None:
            updates = self._carried[key] = tuple(_carried(source, target, step))
        return CompiledEdge(guard, self._number(step.target), updates, row.edge)

    def _bound(self, position: int, limit: Limit) -> CompiledBound:
        known = self._bounds.get((position, limit.bound))
        if known is None:
            relation, parameter = self.table.bounds[limit.bound]
            known = CompiledBound(position, relation, parameter)
            self._bounds[position, limit.bound] = known
        return known


def _by_clock(messages: Iterable[int], clocks: Sequence[Clock]) -> dict[Clock, int]:
    """The messages of each clock, as bits."""
    found: dict[Clock, int] = {}
    for message in messages:
        found[clocks[message]] = found.get(clocks[message], 0) | 1 << message
    return found


def _carried(source: ClassLocation, target: ClassLocation, step: ClassStep) -> Iterator[int]:
    """The update of each clock of a target."""
    for clock, control, messages, deadline in target.sources:
        if control >= 0:
            yield step.row.updates[control]
        elif messages & (step.fresh if deadline else step.sent):
            yield RESET
        else:
            yield source.numbered.get(clock, INACTIVE)


def bits(number: int) -> Iterator[int]:
    """The positions of the bits of a number that are set, lowest first."""
    while number:
        lowest = number & -number
        yield lowest.bit_length() - 1
        number ^= lowest
