"""The vocabulary in which a timed system is written and which every engine reads.

A system is a graph of *locations* joined by *edges*. In a location some *clocks* run, all at the
same rate; an edge may be taken when its *bounds* hold, and says where each clock of its target
comes from. Time may pass in a location as long as its own bounds hold. Every limit is a named
*parameter*, so the same system is explored with numbers and proved with symbols.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, Protocol

Relation = Literal["<=", ">=", ">", "=="]
Location = Hashable

INACTIVE: Literal["dead"] = "dead"
"""Where a clock comes from that is beyond its lifetime: its value no longer matters."""

ZERO = "0"
"""The parameter whose value is always nought, for guards such as ``clock > 0``."""


class Clock(NamedTuple):
    """A clock: what it measures (its role), and of which thing (its owner)."""

    role: str
    owner: str

    def __str__(self) -> str:
        return f"{self.role}({self.owner})"


ClockUpdate = Clock | Literal["dead"] | None


class Bound(NamedTuple):
    """A comparison of one clock with one parameter, for instance ``age(FIN) <= MSL``."""

    clock: Clock
    relation: Relation
    parameter: str

    def __str__(self) -> str:
        return f"{self.clock} {self.relation} {self.parameter}"


@dataclass(frozen=True, slots=True)
class Action:
    """What one edge does, in words a trace can show and a replay can carry out again.

    Attributes
    ----------
    kind : str
        What happens, for instance ``"deliver"`` or ``"timer"``.
    actor : str
        Who does it.
    subject : Hashable
        What it is done with; only the specification interprets it.
    lost : tuple of bool
        For each thing sent in consequence, whether the network loses it.
    rules : tuple of str
        The rules of the specification that were applied, in order.
    """

    kind: str
    actor: str
    subject: Hashable
    lost: tuple[bool, ...] = ()
    rules: tuple[str, ...] = ()

    @property
    def identity(self) -> tuple[str, str, Hashable, tuple[bool, ...]]:
        """What tells an action from others at the same location; its rules follow from it, its text does not suffice."""
        return self.kind, self.actor, self.subject, self.lost

    def __str__(self) -> str:
        parts = self.subject if type(self.subject) is tuple else (self.subject,)
        lost = " (lost)" if any(self.lost) else ""
        return f"{self.actor} {self.kind} {' '.join(map(str, parts))}{lost}"


@dataclass(frozen=True, slots=True)
class Edge:
    """One step of a timed system.

    Attributes
    ----------
    action : Action
        What the step does.
    guard : tuple of Bound
        What must hold, all of it, when the step is taken.
    target : Location
        Where it leads.
    origins : tuple of (Clock or None or INACTIVE)
        For each clock of the target, in its order, the clock of the source whose value it keeps,
        None when it starts from nought, `INACTIVE` when it is beyond its lifetime.
    violates : frozenset of str
        The ``always`` properties that this step breaks.
    witnesses : frozenset of str
        The ``sometimes`` properties that this step fulfils.
    fair : frozenset of str
        Names shared by steps of which one must be taken again and again if such a step can be
        taken again and again (strong fairness); empty when nothing forces the step.
    busy : frozenset of str
        The ``eventually`` properties for which this step is the noise that should come to an end.
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
    """What an engine asks of a model."""

    @property
    def parameters(self) -> Mapping[str, Fraction]:
        """The value of every parameter, in seconds."""

    @property
    def maximal_constants(self) -> Mapping[str, str]:
        """For each clock role, the largest parameter it is ever compared with; a clock keeps its role when carried."""

    @property
    def dense(self) -> bool:
        """Whether its locations are finitely many whatever the guards say, so that dense time can be explored."""

    @property
    def lifetimes(self) -> Mapping[str, str]:
        """For each role whose clocks cease to matter beyond a limit, that limit."""

    def initial(self) -> Location:
        """Where every run starts."""

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        """How the clocks of the initial location start: each None (at nought) or `INACTIVE`."""

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        """The clocks that matter in a location, in a fixed order."""

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        """What must hold for time to pass: upper bounds, each closed. No step leads beyond them."""

    def edges(self, location: Location) -> Iterable[Edge]:
        """Every step out of a location, in a deterministic order."""

    def expired(self, location: Location, clock: Clock) -> Location:
        """The location that is left when a clock has passed its lifetime."""

    def equivalence_class(self, location: Location) -> Location:
        """What is left of a location when every clock with a lifetime that can go has gone.

        Locations of one family differ only in what may still happen: none has a step fewer, or a stricter
        invariant, than one in which less is alive.
        """

    def join(self, location: Location, other: Location) -> Location:
        """The location of the same family in which everything is alive that is alive in one of two."""

    def pending(self, location: Location) -> frozenset[str]:
        """The ``eventually`` properties whose promise is still open here."""


@dataclass(frozen=True, slots=True)
class Property:
    """Something that is asked of a system.

    Attributes
    ----------
    name : str
        How people call it.
    kind : {"always", "eventually", "sometimes"}
        ``always``: no reachable step breaks it. ``eventually``: no fair run leaves its promise open
        for ever. ``sometimes``: some run fulfils it, the guard against a vacuous proof.
    statement : str
        One sentence.
    section : str
        Where the standard says so.
    recurrent : bool
        For ``eventually``: broken only by a run in which a `recurrent` step recurs for ever, not by mere waiting.
    """

    name: str
    kind: Literal["always", "eventually", "sometimes"]
    statement: str
    section: str
    recurrent: bool = False
