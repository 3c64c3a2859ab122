"""A question to the engines: a system, the state from which its runs are replayed, and what must be possible in it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property

from timewait.checker import timelock
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget
from timewait.checker.locations import Locations
from timewait.checker.made_once import made_once
from timewait.checker.mealy import Mealy, Unsupported
from timewait.checker.quotient import Quotient
from timewait.checker.quotient_table import QuotientTable, message_passing
from timewait.checker.shared import Shared
from timewait.checker.unlimited import UnlimitedGraph
from timewait.vocabulary.automaton import TimedAutomaton
from timewait.vocabulary.replay import ReplayState

MAX_COUNTED_LOCATIONS = 3_000
"""Locations up to which a system that is not `dense` is compiled whole."""

FEW_UNLIMITED_LOCATIONS = 200
"""Locations on a network without limits up to which a `dense` system itself is explored at once."""


class Engine(StrEnum):
    """The engine that a user asks for; `auto` takes zones where the system is dense, else explicit."""

    AUTO = "auto"
    EXPLICIT = "explicit"
    ZONES = "zones"
    SMT = "smt"


@dataclass(frozen=True)
class Question:
    """A system, the state from which its runs are replayed, and what must be possible in it.

    Attributes
    ----------
    system : TimedAutomaton
        The system.
    initial_state : ReplayState
        The initial state of the same system, for replays.
    witnesses : mapping
        For each property the ``sometimes`` properties without which its proof would be vacuous.
    over_approximation : TimedAutomaton or None
        A system with at least the behaviour of `system`, and edges with the same actions: explored first.
    obliged_approximation : TimedAutomaton or None
        An over-approximation that keeps every invariant of `system`; used for the time-lock check.
    unlimited : TimedAutomaton or None
        The system on a network without limits (see `timewait.checker.unlimited`).
    unlimited_approximation : TimedAutomaton or None
        An over-approximation of that; explored before `over_approximation` where it has many locations, for it has far fewer.
    narrower : tuple of Question
        The same question about systems with fewer locations, every run of which is a run of `system`: where a large system
        may be violated, the run is looked for in them first.
    small : tuple of Question
        Systems with few states in ticks and the same actions; their runs need not be runs of `system`. Where a run of an
        over-approximation is no witness, the actions of a run of these are tried in `system`.
    quotient_budget : Budget or None
        The budget of each quotient; using it up raises `Stopped`.
    refined : Question or None
        The same question about a system with fewer runs, yet all that the replay can carry out: asked when a run is impossible.
    shared : Shared
        Quotients and explorations made so far, which may serve several questions.
    """

    system: TimedAutomaton
    initial_state: ReplayState
    witnesses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    over_approximation: TimedAutomaton | None = None
    obliged_approximation: TimedAutomaton | None = None
    unlimited: TimedAutomaton | None = None
    unlimited_approximation: TimedAutomaton | None = None
    narrower: tuple[Question, ...] = ()
    small: tuple[Question, ...] = ()
    quotient_budget: Budget | None = None
    refined: Question | None = None
    shared: Shared = field(default_factory=Shared)

    @cached_property
    def compiled(self) -> CompiledAutomaton:
        """The system, compiled."""
        return CompiledAutomaton(self.system)

    @cached_property
    def locations(self) -> Locations | None:
        """The system, compiled in bulk; None unless it passes messages in a way that the table of its edges describes."""
        table = self._table(self.system)
        try:
            return None if table is None else Locations(table)
        except Unsupported:
            return None

    def _table(self, system: TimedAutomaton) -> Mealy | None:
        """The table of the edges of a system; None unless it passes messages in a way that a table describes."""
        exact = message_passing(system)
        if exact is None:
            return None
        try:
            made = made_once("table of edges", exact, self._quotient_budget, lambda: Mealy(exact))
        except Unsupported:
            return None
        return made.at_values_of(exact)

    @cached_property
    def quotient(self) -> CompiledAutomaton:
        """The quotient of the system, compiled."""
        return self.quotient_of(self.system)

    @cached_property
    def finite(self) -> CompiledAutomaton | None:
        """The quotient, or the system itself where copies are counted; None when its locations are too many."""
        if self.system.dense:
            return self.quotient
        compiled = CompiledAutomaton(self.system)
        return compiled if compiled.within(MAX_COUNTED_LOCATIONS) else None

    @cached_property
    def whole(self) -> CompiledAutomaton:
        """As `finite`, for engines that support the question only if there is one."""
        assert self.finite is not None, "the engine does not support this question"
        return self.finite

    @cached_property
    def coarse(self) -> CompiledAutomaton:
        """The quotient of the over-approximation, compiled; that of the system where there is none."""
        return self.quotient if self.over_approximation is None else self.quotient_of(self.over_approximation)

    @cached_property
    def may_time_lock(self) -> bool:
        """Whether time may stop with nothing left to happen."""
        checked = self.finite if self.obliged_approximation is None else self.quotient_of(self.obliged_approximation)
        return checked is not None and timelock.may_lock(checked)

    @cached_property
    def unlimited_graph(self) -> UnlimitedGraph | None:
        """The graph of the system on a network without limits; None where there is none, or no table of its edges."""
        quotient = None if self.unlimited is None else self.quotient_of(self.unlimited)
        return self.shared.once(quotient, UnlimitedGraph) if isinstance(quotient, QuotientTable) else None

    @property
    def takes_unlimited(self) -> bool:
        """Whether the network without limits is asked first: the system is not `dense`, or has many locations even so."""
        graph = self.unlimited_graph
        return graph is not None and (not self.system.dense or len(graph) > FEW_UNLIMITED_LOCATIONS)

    def quotient_of(self, system: TimedAutomaton) -> CompiledAutomaton:
        """The compiled quotient of a system: from the table of its edges where there is one, else edge by edge."""
        return self.shared.quotient(system, lambda: self._quotient_of(system))

    def _quotient_of(self, system: TimedAutomaton) -> CompiledAutomaton:
        budget = self._quotient_budget.fresh()
        if (table := self._table(system)) is not None:
            with suppress(Unsupported):
                made = made_once("quotient", system, budget, lambda: QuotientTable(system, table, budget))
                return made.at_values_of(system, table, budget)
        return CompiledAutomaton(Quotient(system, budget))

    @property
    def _quotient_budget(self) -> Budget:
        return Budget() if self.quotient_budget is None else self.quotient_budget
