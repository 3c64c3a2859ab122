"""Timed automata of a few locations, without TCP, whose verdicts can be worked out by hand.

A toy is data with two readings: a `timewait.vocabulary.automaton.TimedAutomaton` for the engines, and a
`timewait.vocabulary.replay.ReplayState` that replays runs with the instants at which the clocks started.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Any, Literal, cast

from timewait.vocabulary.automaton import INACTIVE, ZERO, Action, Bound, Clock, ClockUpdate, Edge, Location, Property, Relation
from timewait.vocabulary.replay import Event, ImpossibleMove, Packet, RunningTimer


def clock(name: str) -> Clock:
    """The clock ``role`` or ``role.owner``."""
    role, _, owner = name.partition(".")
    return Clock(role, owner)


def bounds(*texts: str) -> tuple[Bound, ...]:
    """Bounds from text such as ``t <= LIMIT``."""
    parts = [text.split() for text in texts]
    return tuple(Bound(clock(name), cast(Relation, relation), parameter) for name, relation, parameter in parts)


def names(*several: str) -> frozenset[str]:
    """A set of names."""
    return frozenset(several)


@dataclass(frozen=True)
class Step:
    """An edge: `guard` lists bounds, `keeps` the clocks of the target that keep their values; all others are reset.

    A clock that takes the value of another clock is written ``new=old``.
    """

    does: str
    to: Location
    guard: Sequence[str] = ()
    keeps: Sequence[str] = ()
    violates: frozenset[str] = frozenset()
    witnesses: frozenset[str] = frozenset()
    fair: frozenset[str] = frozenset()
    recurrent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Place:
    """A location: its clocks, its invariant, its edges, and the properties that are pending in it."""

    clocks: Sequence[str] = ()
    invariant: Sequence[str] = ()
    steps: Sequence[Step] = ()
    pending: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Toy:
    """A timed automaton given by its locations; its clocks have no lifetimes, except in a `Letterbox`."""

    start: Location
    places: Mapping[Location, Place]
    values: Mapping[str, int | Fraction]
    dense: bool = True
    lifetimes: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def parameters(self) -> dict[str, Fraction]:
        return {ZERO: Fraction(0)} | {name: Fraction(value) for name, value in self.values.items()}

    @cached_property
    def maximal_constants(self) -> dict[str, str]:
        maximal_constants: dict[str, str] = {}
        for place in self.places.values():
            maximal_constants |= {clock(name).role: ZERO for name in place.clocks if clock(name).role not in maximal_constants}
            for bound in (*bounds(*place.invariant), *(bound for step in place.steps for bound in bounds(*step.guard))):
                role = bound.clock.role
                maximal_constants[role] = max(maximal_constants.get(role, ZERO), bound.parameter, key=self.parameters.__getitem__)
        return maximal_constants

    def initial(self) -> Location:
        return self.start

    def initial_updates(self) -> tuple[ClockUpdate, ...]:
        return (None,) * len(self.clocks(self.start))

    def clocks(self, location: Location) -> tuple[Clock, ...]:
        return tuple(map(clock, self.places[location].clocks))

    def invariant(self, location: Location) -> tuple[Bound, ...]:
        return bounds(*self.places[location].invariant)

    def edges(self, location: Location) -> Iterable[Edge]:
        for step in self.places[location].steps:
            kept = {clock(name.partition("=")[0]): clock(name.rpartition("=")[2]) for name in step.keeps}
            updates = tuple(kept.get(each) for each in self.clocks(step.to))
            action = Action("toy", "somebody", step.does)
            yield Edge(action, bounds(*step.guard), step.to, updates, step.violates, step.witnesses, step.fair, step.recurrent)

    def expired(self, location: Location, clock: Clock) -> Location:
        raise NotImplementedError(f"{clock} has no lifetime in {location}")

    def equivalence_class(self, location: Location) -> Location:
        return location

    def join(self, location: Location, other: Location) -> Location:
        assert location == other
        return location

    def pending(self, location: Location) -> frozenset[str]:
        return self.places[location].pending


class Letterbox(Toy):
    """A toy whose locations are pairs: a phase, and whether a letter is in the box; the clock of its age has a lifetime."""

    def expired(self, location: Location, clock: Clock) -> Location:
        phase, about = cast(tuple[str, bool], location)
        assert about
        assert clock.role == "age"
        return phase, False

    def equivalence_class(self, location: Location) -> Location:
        phase, _ = cast(tuple[str, bool], location)
        return phase, False

    def join(self, location: Location, other: Location) -> Location:
        (phase, first), (same, second) = cast(tuple[str, bool], location), cast(tuple[str, bool], other)
        assert phase == same
        return phase, first or second


NOTHING = Event("", "nothing yet")


@dataclass(frozen=True)
class World:
    """A replay state of a toy, with the instant at which each clock started."""

    toy: Toy
    here: Location
    since: Mapping[Clock, Fraction]
    now: Fraction = Fraction(0)
    event: Event = NOTHING
    broken: frozenset[str] = frozenset()
    recurrent: frozenset[str] = frozenset()

    @property
    def pending(self) -> frozenset[str]:
        return self.toy.pending(self.here)

    def _holds(self, bound: Bound, now: Fraction) -> bool:
        shown, limit = now - self.since[bound.clock], self.toy.parameters[bound.parameter]
        return {"<=": shown <= limit, ">=": shown >= limit, ">": shown > limit, "==": shown == limit}[bound.relation]

    def wait(self, delay: Fraction) -> World:
        if delay < 0:
            raise ImpossibleMove("time runs forwards")
        for bound in self.toy.invariant(self.here):
            if delay and not self._holds(bound, self.now + delay):
                raise ImpossibleMove(f"{bound} must hold")
        return replace(self, now=self.now + delay)

    def act(self, action: Action) -> tuple[World, ...]:
        ways = []
        for edge in self.toy.edges(self.here):
            if edge.action == action and all(self._holds(bound, self.now) for bound in edge.guard):
                since = {
                    mine: self.now if origin is None else self.since[origin]
                    for mine, origin in zip(self.toy.clocks(edge.target), edge.updates, strict=True)
                    if origin != INACTIVE
                }
                event = Event(action.actor, str(action.subject))
                ways.append(World(self.toy, edge.target, since, self.now, event, edge.violates, edge.recurrent))
        if not ways:
            raise ImpossibleMove(f"{action.subject} cannot happen")
        return tuple(ways)

    def state(self) -> dict[str, str | int]:
        return {"place": str(self.here), "clocks": len(self.since)}

    def in_flight(self) -> tuple[Packet, ...]:
        return ()

    def timers(self) -> tuple[RunningTimer, ...]:
        return ()

    def about(self) -> Mapping[str, Any]:
        return {}

    def loop_key(self) -> Hashable:
        return self.here


def world(toy: Toy) -> World:
    """The initial replay state of a toy."""
    return World(toy, toy.start, dict.fromkeys(toy.clocks(toy.start), Fraction(0)))


def always(name: str) -> Property:
    """An ``always`` property."""
    return Property(name, "always", f"never: {name}", "no standard")


def eventually(name: str, recurrent: bool = False) -> Property:
    """An ``eventually`` property."""
    return Property(name, "eventually", f"in the end: {name}", "no standard", recurrent)


# --- the toys ------------------------------------------------------------------------------------------------------


def lamp(on: int = 3, again: bool = True) -> Toy:
    """A lamp that goes out `on` seconds after its button was last pressed; if `again`, it can be pressed while it is lit."""
    press = Step("press", "lit")
    out = Step("go out", "dark", ("t == ON",), witnesses=names("goes out"), fair=names("out"))
    lit = Place(("t",), ("t <= ON",), (press, out) if again else (out,), names("dark"))
    return Toy("dark", {"dark": Place(steps=(press,)), "lit": lit}, {"ON": on})


def counter(last: int, second: int = 2) -> Toy:
    """A counter of seconds that can be reset at any time and must not reach `last`."""
    places: dict[Location, Place] = {}
    for count in range(last):
        bad = names("overflow") if count + 1 == last else names()
        tick = Step("count", count + 1, ("t == SECOND",), violates=bad)
        places[count] = Place(("t",), ("t <= SECOND",), (tick, Step("set back", 0)))
    places[last] = Place(("t",))
    return Toy(0, places, {"SECOND": second})


def window(relation: Relation, limit: int | Fraction, deadline: int | Fraction) -> Toy:
    """One bad step with the guard ``t relation LIMIT``, while time may pass up to ``t <= DEADLINE``."""
    steps = (Step("break", "end", (f"t {relation} LIMIT",), violates=names("safe")), Step("leave", "end"))
    places: dict[Location, Place] = {"start": Place(("t",), ("t <= DEADLINE",), steps), "end": Place()}
    return Toy("start", places, {"LIMIT": limit, "DEADLINE": deadline})


def hurry() -> Toy:
    """Two delays, each longer than zero, within a second: possible in dense time, impossible in whole seconds."""
    first = Step("first", "half", ("t > 0",), ("t",))
    second = Step("second", "end", ("u > 0", "t <= SECOND"), violates=names("safe"))
    places: dict[Location, Place] = {
        "start": Place(("t",), (), (first,)),
        "half": Place(("t", "u"), (), (second,)),
        "end": Place(),
    }
    return Toy("start", places, {"SECOND": 1})


def fischer(within: int | Fraction, after: int | Fraction, relation: Literal[">", ">="] = ">") -> Toy:
    """Fischer's mutual exclusion for two: it holds for ``x > AFTER`` if AFTER >= WITHIN, for ``x >= AFTER`` if AFTER > WITHIN.

    A process that finds the lock free writes its number into the lock at most WITHIN seconds later. It waits for AFTER
    seconds, and enters if the lock still holds its number.
    """
    places: dict[Location, Place] = {}
    running = {"idle": False, "asks": True, "waits": True, "in": False}
    for one, two, lock in product(running, running, (0, 1, 2)):
        state, owners = (one, two, lock), (one, two)
        places[state] = Place(
            [f"x.{who}" for who, doing in enumerate(owners, start=1) if running[doing]],
            [f"x.{who} <= WITHIN" for who, doing in enumerate(owners, start=1) if doing == "asks"],
            [step for who in (1, 2) for step in _fischer_steps(state, who, running, relation)],
        )
    return Toy(("idle", "idle", 0), places, {"WITHIN": within, "AFTER": after})


def _fischer_steps(state: tuple[str, str, int], who: int, running: Mapping[str, bool], relation: str) -> Iterable[Step]:
    lock = state[2]
    mine, other = state[:2] if who == 1 else (state[1], state[0])
    keeps = [f"x.{3 - who}"] if running[other] else []

    def step(does: str, doing: str, number: int, guard: Sequence[str] = (), **what: frozenset[str]) -> Step:
        ends = (doing, other) if who == 1 else (other, doing)
        return Step(f"{who} {does}", (*ends, number), guard, keeps, **what)

    if mine == "idle" and lock == 0:
        yield step("asks", "asks", lock)
    if mine == "asks":
        yield step("writes", "waits", who)
    if mine == "waits" and lock == who:
        bad = names("exclusion") if other == "in" else names()
        yield step("enters", "in", lock, (f"x.{who} {relation} AFTER",), violates=bad, witnesses=names("enters"))
    if mine == "waits" and lock != who:
        yield step("gives up", "idle", lock)
    if mine == "in":
        yield step("leaves", "idle", 0)


def trap(guard: str) -> Toy:
    """A location that must be left within LIMIT seconds, by an edge with the guard `guard` on its clock t."""
    places: dict[Location, Place] = {"trap": Place(("t",), ("t <= LIMIT",), (Step("flee", "free", (guard,)),)), "free": Place()}
    return Toy("trap", places, {"LIMIT": 2, "MORE": 3})


def letterbox(life: int | Fraction, wait: int | Fraction) -> Letterbox:
    """A letter of lifetime LIFE must not be read after the box was shut for more than WAIT: safe if WAIT >= LIFE."""
    places: dict[Location, Place] = {}
    for about in (False, True):
        age = ["age"] if about else []
        read = [Step("read", ("new", False), ("age <= LIFE",), violates=names("fresh"))] if about else []
        places["open", about] = Place(age, (), (Step("post", ("open", True)), Step("close", ("shut", about), (), age)))
        places["shut", about] = Place(
            ("shut", *age), (), (Step("open anew", ("new", about), ("shut > WAIT",), age, witnesses=names("opens")),)
        )
        places["new", about] = Place(age, (), read)
    return Letterbox(("open", False), places, {"LIFE": life, "WAIT": wait}, lifetimes={"age": "LIFE"})


def courier(fair: bool, always_ready: bool) -> Toy:
    """A delivery that can be delayed for ever unless it is fair; possible in both of two locations, or in one only."""
    deliver = Step("deliver", "done", fair=names("delivery") if fair else names())
    places: dict[Location, Place] = {
        "here": Place(("t",), ("t <= HOUR",), (Step("go", "there"), deliver), names("delivered")),
        "there": Place(
            ("t",), ("t <= HOUR",), (Step("come back", "here"), *([deliver] if always_ready else [])), names("delivered")
        ),
        "done": Place(),
    }
    return Toy("here", places, {"HOUR": 1})


def sleeper(again: bool) -> Toy:
    """A sleeper who, by fairness, gets up more than LIMIT after the alarm; a snooze resets its clock if `again`."""
    up = Step("get up", "up", ("t > LIMIT",), fair=names("getting up"))
    wait = Step("start it again", "bed") if again else Step("turn round", "bed", (), ("t",))
    places: dict[Location, Place] = {"bed": Place(("t",), (), (wait, up), names("risen")), "up": Place()}
    return Toy("bed", places, {"LIMIT": 2})


def whirl() -> Toy:
    """A property that is pending along endless steps that take no time; without them it is fulfilled."""
    places: dict[Location, Place] = {
        "whirl": Place(("t",), ("t <= HOUR",), (Step("turn", "whirl", (), ("t",)), Step("stop", "still")), names("still")),
        "still": Place(),
    }
    return Toy("whirl", places, {"HOUR": 1})


def chatter(endless: bool) -> Toy:
    """A recurrent event that happens for ever if `endless`, and once otherwise; the property stays pending in both cases."""
    say = Step("say", "talk" if endless else "hush", recurrent=names("quiet"))
    places: dict[Location, Place] = {
        "talk": Place(("t",), (), (say,), names("quiet")),
        "hush": Place(("t",), (), (), names("quiet")),
    }
    return Toy("talk", places, {"HOUR": 1})


def relay() -> Toy:
    """A property that stays pending in a loop of two locations, which copy one clock value between two names."""
    places: dict[Location, Place] = {
        "one": Place(("x",), ("x <= SECONDS",), (Step("hand over", "other"),), names("done")),
        "other": Place(("y",), ("y <= SECONDS",), (Step("hand back", "one", (), ("x=y",)),), names("done")),
    }
    return Toy("one", places, {"SECONDS": 2, "SECOND": 1})


def soiled() -> Toy:
    """A violation that needs neither of two steps before it; but if the first is taken, the second is needed."""
    steps = (Step("paint", "painted"), Step("wipe", "clean"), Step("open", "open", violates=names("shut")))
    places: dict[Location, Place] = {
        "clean": Place(steps=steps),
        "painted": Place(steps=(Step("wipe", "clean"),)),
        "open": Place(),
    }
    return Toy("clean", places, {"SECOND": 1})


def errands(*ways: Sequence[str], relation: Literal[">", ">="] = ">") -> Toy:
    """Errands run one after the other, which must all end before the door is locked, WAIT after the start.

    Each way is a row of errands, each named by the parameter that bounds its duration. Safe for ``t > WAIT`` if WAIT is
    at least the sum of every row; for ``t >= WAIT`` if it is more.
    """
    places: dict[Location, Place] = {"home": Place(steps=[Step(f"set out {way}", (way, 0)) for way in range(len(ways))])}
    for way, row in enumerate(ways):
        for errand, longest in enumerate(row):
            last = errand + 1 == len(row)
            late = Step("find it locked", "street", (f"t {relation} WAIT",), violates=names("open"))
            places[way, errand] = Place(
                ("t", "x"), (f"x <= {longest}",), (late if last else Step("go on", (way, errand + 1), (), ("t",)),)
            )
    places["street"] = Place()
    return Toy("home", places, {"SCALE": 1, "RATE": 1, "WAIT": 1, **dict.fromkeys((errand for row in ways for errand in row), 1)})


def snoozer(steps: int = 1, unit: str | None = "RATE", restarts: bool = False) -> Toy:
    """A sleeper who can snooze for ever, for RATE at a time, gets up late in the end: more than WAIT after the alarm.

    Parameters
    ----------
    steps : int
        The number of edges of one snooze.
    unit : str or None
        The parameter in the guard of each of these edges; None if the invariant alone bounds the delay.
    restarts : bool
        Whether a snooze resets the alarm, so that the toy is safe if WAIT is at least RATE.
    """
    late = Step("get up late", "up", ("t > WAIT",), violates=names("early"))
    places: dict[Location, Place] = {"night": Place(steps=(Step("ring", 0),)), "up": Place()}
    for step in range(steps):
        following = (step + 1) % steps
        guard = (f"x <= {unit}",) if unit else ()
        snooze = Step(f"snooze {step}", following, guard, () if restarts and not following else ("t",))
        places[step] = Place(("t", "x"), ("x <= RATE",), (snooze, late) if step == 0 else (snooze,))
    return Toy("night", places, {"SCALE": 1, "RATE": 1, "WAIT": 1})
