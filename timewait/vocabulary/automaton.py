"""The vocabulary of timed automata: the specification is written in it, and every engine reads it.

An automaton is a graph of *locations* joined by *edges*. In a location some *clocks* run, all at the same rate. An edge
may be taken when its *guard* holds, and updates each clock of its target. Time may pass in a location as long as its
*invariant* holds. Every bound names a *parameter*, so an automaton is explored with numbers and proved with symbols.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol, runtime_checkable

Relation = Literal["<=", ">=", ">", "=="]
Location = Hashable

INACTIVE: Literal["inactive"] = "inactive"
"""The update that makes a clock inactive: its value exceeds its lifetime and no longer matters."""

ZERO = "0"
"""The parameter whose value is always zero, for guards such as ``clock > 0``."""


class Clock(NamedTuple):
    """A clock: what it measures (its role), and of which thing (its owner)."""

    role: str
    owner: str

    def __str__(self) -> str:
        return f"{self.role}({self.owner})"


ClockUpdate = Clock | Literal["inactive"] | None


class Bound(NamedTuple):
    """A comparison of one clock with one parameter, for instance ``age(FIN) <= MSL``."""

    clock: Clock
    relation: Relation
    parameter: str

    def __str__(self) -> str:
        return f"{self.clock} {self.relation} {self.parameter}"


@dataclass(frozen=True, slots=True)
class Action:
    """The action of an edge: a trace shows it, and a replay carries it out again.

    Attributes
    ----------
    kind : str
        The kind of action, for instance ``"deliver"`` or ``"timer"``.
    actor : str
        The end that acts, ``"users"`` or ``"network"``.
    subject : Hashable
        The object of the action; only the specification interprets it.
    lost : tuple of bool
        For each segment sent in consequence, whether the network loses it.
    rules : tuple of str
        The rules of the specification that are applied, in order.
    """

    kind: str
    actor: str
    subject: Hashable
    lost: tuple[bool, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str, Hashable, tuple[bool, ...]]:
        """The action without its rules, which follow from the rest. Counted copies of one segment share an identity."""
        return self.kind, self.actor, self.subject, self.lost

    def __str__(self) -> str:
        parts = self.subject if type(self.subject) is tuple else (self.subject,)
        lost = " (lost)" if any(self.lost) else ""
        return f"{self.actor} {self.kind} {' '.join(map(str, parts))}{lost}"


@dataclass(frozen=True, slots=True)
class Edge:
    """An edge of a timed automaton.

    Attributes
    ----------
    action : Action
        Its action.
    guard : tuple of Bound
        The bounds that must hold, all of them, when the edge is taken.
    target : Location
        Its target.
    updates : tuple of (Clock or None or INACTIVE)
        For each clock of the target, in order, the clock of the source whose value it keeps, None when it starts from
        zero, `INACTIVE` when it becomes inactive.
    violates : frozenset of str
        The ``always`` properties that the edge violates.
    witnesses : frozenset of str
        The ``sometimes`` properties that the edge fulfils.
    fair : frozenset of str
        Fairness names: an edge of a name is taken infinitely often if one is possible infinitely often (strong
        fairness). Empty when nothing forces the edge.
    recurrent : frozenset of str
        The ``eventually`` properties for which the edge is the recurrent event that should come to an end.
    """

    action: Action
    guard: tuple[Bound, ...]
    target: Location
    updates: tuple[ClockUpdate, ...]
    violates: frozenset[str] = frozenset()
    witnesses: frozenset[str] = frozenset()
    fair: frozenset[str] = frozenset()
    recurrent: frozenset[str] = frozenset()


class TimedAutomaton(Protocol):
    """A timed automaton, as engines read it."""

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        """The value of every parameter, in seconds."""

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        """For each clock role the largest parameter that it is compared with; an update keeps the role of a clock."""

    @property
    def dense(self) -> bool:
        """Whether its locations are finite in number, whatever the guards say; dense time can then be explored."""

    @property
    def lifetimes(self) -> Mapping[str, str]:
        """For each role whose clocks cease to matter beyond a limit, that limit."""

    def initial(self) -> Location:
        """The location in which every run starts."""

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        """The updates of the clocks of the initial location: each None (at zero) or `INACTIVE`."""

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        """The clocks that matter in a location, in a fixed order."""

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        """The upper bounds under which time may pass; none is strict, and no edge leads beyond them."""

    def edges(self, location: Location) -> Iterable[Edge]:
        """Every edge out of a location, in a deterministic order."""

    def expired(self, location: Location, clock: Clock) -> Location:
        """The location that is left when a clock has passed its lifetime."""

    def equivalence_class(self, location: Location) -> Location:
        """The location without every clock with a lifetime that can expire: it stands for its equivalence class.

        A location in which more clocks are alive has at least the edges of one in which fewer are, and no stricter
        invariant.
        """

    def join(self, location: Location, other: Location) -> Location:
        """The location of the same equivalence class in which every clock is alive that is alive in one of two."""

    def pending(self, location: Location) -> frozenset[str]:
        """The ``eventually`` properties that are pending here."""


@runtime_checkable
class Identified(Protocol):
    """What a timed automaton offers if it can be recognised by its locations and edges."""

    def identity(self) -> Hashable:
        """Equal for automata with equal locations and edges, whatever the values of their parameters are."""


@dataclass(frozen=True, slots=True)
class Property:
    """A property of a system.

    Attributes
    ----------
    name : str
        Its name.
    kind : {"always", "eventually", "sometimes"}
        ``always``: no reachable edge violates it. ``eventually``: it stays pending for ever on no fair run.
        ``sometimes``: some run fulfils it, which rules out vacuous proofs.
    statement : str
        The property in one sentence.
    section : str
        The section of the standard that requires it.
    recurrent : bool
        For ``eventually``: violated only by a run in which a `recurrent` edge recurs for ever, not by mere waiting.
    """

    name: str
    kind: Literal["always", "eventually", "sometimes"]
    statement: str
    section: str
    recurrent: bool = False
