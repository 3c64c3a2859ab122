"""Random configurations, each decided in four ways: by brute force, in ticks, by zones and by bounded SMT.

What each way shares with the others:

- The brute force (`oracle`) shares the endpoints and the `Configuration` with the others, and nothing else: it has a network,
  losses, clocks, incarnations and properties of its own.
- Ticks are counted by the compiled engine. It asks the specification once for each event of an endpoint, and puts the edges of
  the composition together from a table. Where the states are few, the engine that reads the composition edge by edge must find
  as many states, steps and levels.
- Zones and SMT share the edges of the composition in Python. Zones are sets of clock values, explored to the end; SMT is linear
  arithmetic over the delays of all paths of one length. A shortest violation must have as many steps in the one as in the other.
- Where copies are counted, or packets queue, the locations are many. Zones are then those of the over-approximation, and of the
  system as far as the over-approximation leads the search; SMT has the locations that so many steps can reach.

SMT finds a shortest violation of each broken property. That a property is safe it confirms up to a number of steps alone.

The number of a draw determines its configuration. ``python tests/four_ways.py --first 1234 --draws 1`` repeats draw 1234;
``python tests/four_ways.py --first 5000 --draws 1000`` decides draws from 5000 on until a thousand were decided in four ways.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Set
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import NoReturn

from oracle import JUDGED, Search, TooLarge, judge
from random_configurations import random_configuration

from timewait.checker.bounded import search
from timewait.checker.compiled import CompiledAutomaton, CompiledLocation, CompiledPath
from timewait.checker.explicit import Explicit, unpacked
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.guided import Guide, guided_search
from timewait.checker.packed_ticks import PackedTicks
from timewait.checker.question import Question
from timewait.checker.replay import Rejected, replay
from timewait.checker.schedule import delays
from timewait.checker.search import TICK
from timewait.checker.symbolic import Symbolic
from timewait.checker.time_unit import unit_of
from timewait.checker.zones import Zones
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES
from timewait.vocabulary.automaton import TimedAutomaton

PARTS = (2, 3, 4)
"""The parts of a tick in which a violation is looked for that lies between whole ticks."""


class Undecided(Exception):
    """A way reached a bound."""


@dataclass(frozen=True)
class Bounds:
    """The bounds of each way.

    Attributes
    ----------
    worlds : int
        Worlds of the brute force at most.
    states : int
        States in ticks at most.
    read_states : int
        States up to which the engine that reads the composition edge by edge is compared too.
    zones : int
        Zones of one exploration at most.
    followed : int
        Zones at most of a search that the over-approximation leads.
    few : int
        Locations up to which zones and SMT take the whole of a system that has no quotient.
    locations : int
        Locations at most that SMT takes of a larger one.
    depth : int
        Steps up to which SMT must find no run that violates a safe property.
    seconds : float
        Seconds of one SMT search at most.
    """

    worlds: int = 8_000
    states: int = 100_000
    read_states: int = 1_000
    zones: int = 20_000
    followed: int = 2_000
    few: int = 300
    locations: int = 2_000
    depth: int = 7
    seconds: float = 120.0


@dataclass(frozen=True)
class Judgement:
    """The result of one draw.

    Attributes
    ----------
    number : int
        The number of the draw.
    configuration : Configuration
        Its configuration.
    broken : dict
        For each violated property the steps of a shortest violation in dense time, or 0 if zones did not decide the draw.
    undecided : str
        The way that reached a bound, and which; empty if all four decided the draw.
    faults : list of str
        Every disagreement, in words.
    runs : int
        Runs that were replayed on the specification.
    between : frozenset of str
        The properties that are broken in parts of a tick alone.
    """

    number: int
    configuration: Configuration
    broken: dict[str, int]
    undecided: str
    faults: list[str]
    runs: int
    between: frozenset[str]

    def __str__(self) -> str:
        return f"draw {self.number}: {'; '.join(self.faults) or 'agreed'}: {configuration_as_data(self.configuration)}"


def drawn(number: int) -> Configuration:
    """The configuration of a draw."""
    return random_configuration(random.Random(number))


def judgement(number: int, bounds: Bounds) -> Judgement:
    """Decide a draw in every way, and compare the answers."""
    return Draw(number, drawn(number), bounds).judgement()


class Nearby(CompiledAutomaton):
    """The locations of a system that are reached in fewer than some steps, whatever the guards say.

    A run of no more steps than that visits no other location before its last step.

    Parameters
    ----------
    system : TimedAutomaton
        The system; its locations may be without number.
    steps : int
        The number of steps.
    limit : int
        The number of locations with which the search for them stops.

    Attributes
    ----------
    count : int
        The number of these locations, or more than `limit`.
    """

    def __init__(self, system: TimedAutomaton, steps: int, limit: int) -> None:
        super().__init__(system)
        done, self.count = 0, 1
        for _ in range(steps - 1):
            while done < self.count and len(self) <= limit:
                self.location(done)
                done += 1
            self.count = len(self)  # locations are numbered in the order of their distance from the first

    def explore(self) -> tuple[CompiledLocation, ...]:
        return tuple(map(self.location, range(self.count)))


@dataclass
class Draw:
    """One draw, while it is decided."""

    number: int
    configuration: Configuration
    bounds: Bounds
    undecided: str = ""
    faults: list[str] = field(default_factory=list)
    runs: int = 0
    between: set[str] = field(default_factory=set)

    def judgement(self) -> Judgement:
        """The answers of all ways, compared; a draw that one way cannot decide is not put to those after it."""
        asked, steps = question(self.configuration), dict[str, int]()
        with suppress(Undecided):
            broken = self._by_brute_force()
            steps = dict.fromkeys(sorted(broken), 0)
            self._compare("ticks", self._in_ticks(asked), broken)
            automaton = self._whole(asked)
            steps = self._by_zones(asked, automaton)
            self.between = in_parts(asked, steps.keys() - broken)
            self._compare("zones", steps.keys() - self.between, broken)
            self._by_solver(asked, automaton, steps)
        return Judgement(self.number, self.configuration, steps, self.undecided, self.faults, self.runs, frozenset(self.between))

    @cached_property
    def _attainable(self) -> frozenset[str]:
        """The properties that some run may break; once they are broken, nothing else is left to find."""
        return frozenset(Search(self.configuration).attainable)

    def _leave(self, way: str, reason: str) -> NoReturn:
        """End with a way that reached a bound."""
        self.undecided = f"{way}: {reason}"
        raise Undecided

    def _whole(self, asked: Question) -> CompiledAutomaton | None:
        """The quotient, or the system itself if its locations are few; None if they are many."""
        if asked.system.dense:
            return asked.quotient
        automaton = CompiledAutomaton(asked.system)
        return automaton if automaton.within(self.bounds.few) else None

    # --- brute force and ticks --------------------------------------------------------------------------------------

    def _by_brute_force(self) -> set[str]:
        try:
            verdicts = judge(self.configuration, self.bounds.worlds)
        except TooLarge as problem:
            self._leave("brute force", str(problem))
        return {name for name, violated in verdicts.items() if violated}

    def _in_ticks(self, asked: Question) -> set[str]:
        """The broken properties in whole ticks."""
        locations = asked.locations
        assert locations is not None, "every draw passes messages in a way that the table describes"
        engine = PackedTicks(locations)
        engine.explore(Budget(states=self.bounds.states), self._attainable)
        if engine.stopped and not self._attainable <= engine.broken.keys():
            self._leave("ticks", engine.stopped)
        for name in sorted(engine.broken.keys() & self._attainable):
            self._replay(asked, "ticks", name, engine.run_to(*engine.broken[name]))
        if not engine.stopped and len(engine) <= self.bounds.read_states:
            self._read(asked, engine)
        return engine.broken.keys() & set(JUDGED)

    def _read(self, asked: Question, fast: PackedTicks) -> None:
        """The compiled exploration against the one that reads the composition edge by edge."""
        engine = unpacked(asked, Budget())
        if fast.broken.keys() != engine.broken.keys():
            self.faults.append(f"ticks: broken are {sorted(fast.broken)}, edge by edge {sorted(engine.broken)}")
        if (len(fast), fast.transitions, fast.depth) != (len(engine), engine.transitions, engine.depth):
            self.faults.append(f"ticks: {len(fast)} states, edge by edge {len(engine)}")

    # --- zones ------------------------------------------------------------------------------------------------------

    def _by_zones(self, asked: Question, automaton: CompiledAutomaton | None) -> dict[str, int]:
        """For each property that is broken in dense time the steps of a shortest violation."""
        paths = self._of_the_approximation(asked) if automaton is None else self._of_the_system(automaton)
        for name, path in sorted(paths.items()):
            self._replay(asked, "zones", name, run_along(path, asked))
        return {name: len(path) for name, path in paths.items()}

    def _of_the_system(self, automaton: CompiledAutomaton) -> dict[str, CompiledPath]:
        """The violations by the zones of a system with few locations, or of its quotient."""
        zones, thorough = Zones(automaton), Zones(automaton, keeps_included=True)
        for explored in (zones, thorough):
            explored.explore(Budget(states=self.bounds.zones), self._attainable)
            if explored.stopped and not self._attainable <= explored.broken.keys():
                self._leave("zones", explored.stopped)
        found, same = zones.broken.keys() & set(JUDGED), thorough.broken.keys() & set(JUDGED)
        if found != same:
            self.faults.append(f"zones: broken are {sorted(found)}, where included zones are kept {sorted(same)}")
        return {name: thorough.path_to(*thorough.broken[name]) for name in sorted(same)}

    def _of_the_approximation(self, asked: Question) -> dict[str, CompiledPath]:
        """The violations of a system of any size: those of its over-approximation that the system can follow."""
        zones = Zones(asked.coarse, keeps_included=True)
        zones.explore(Budget(states=self.bounds.zones))
        if zones.stopped:
            self._leave("zones", f"over-approximation {zones.stopped}")
        guide, paths = Guide(zones), {}
        for name in zones.broken.keys() & set(JUDGED):
            found = guided_search(asked.compiled, guide, name, Budget(states=self.bounds.followed))
            if found.stopped:
                self._leave("zones", f"search for {name} {found.stopped}")
            if found.path is not None:
                paths[name] = found.path
        return paths

    # --- SMT --------------------------------------------------------------------------------------------------------

    def _by_solver(self, asked: Question, automaton: CompiledAutomaton | None, shortest: dict[str, int]) -> None:
        """SMT finds a violation of each broken property in as many steps as zones, and none of any other."""
        automaton = automaton or self._nearby(asked, max(self.bounds.depth, *shortest.values(), 0))
        for name, fewest in sorted(shortest.items()):
            self._shortest(asked, automaton, name, fewest)
        safe = frozenset(JUDGED) - shortest.keys()
        searched = search(Symbolic(automaton, safe), self.bounds.depth, Budget(seconds=self.bounds.seconds))
        if searched.found is not None:
            actions = [str(move.action) for move in searched.found.run.moves]
            self.faults.append(f"SMT breaks one of {', '.join(sorted(safe))} in {len(actions)} steps: {actions}")
        elif searched.clear < self.bounds.depth:
            self._leave("SMT", searched.reason)

    def _shortest(self, asked: Question, automaton: CompiledAutomaton, name: str, fewest: int) -> None:
        """A shortest violation by SMT, of as many steps as by zones."""
        searched = search(Symbolic(automaton, frozenset({name})), fewest, Budget(seconds=self.bounds.seconds))
        if searched.found is not None:
            self._replay(asked, "SMT", name, searched.found.run)
            if len(searched.found.run.moves) != fewest:
                self.faults.append(f"SMT breaks {name} in {len(searched.found.run.moves)} steps, zones in {fewest}")
        elif searched.clear < fewest:
            self._leave("SMT", f"{name}: {searched.reason}")
        else:
            self.faults.append(f"SMT finds no run of up to {fewest} steps that breaks {name}, zones do")

    def _nearby(self, asked: Question, steps: int) -> Nearby:
        automaton = Nearby(asked.system, steps, self.bounds.locations)
        if automaton.count > self.bounds.locations:
            self._leave("SMT", f"more than {self.bounds.locations} locations within {steps} steps")
        return automaton

    # --- comparisons ------------------------------------------------------------------------------------------------

    def _compare(self, way: str, found: set[str], broken: set[str]) -> None:
        if found != broken:
            self.faults.append(f"{way}: broken are {sorted(found)}, otherwise {sorted(broken)}")

    def _replay(self, asked: Question, way: str, name: str, run: Run | None) -> None:
        self.runs += 1
        if run is None:
            self.faults.append(f"{way}: no delays make the run possible that breaks {name}")
            return
        try:
            replay(asked.initial_state, run, PROPERTIES[name])
        except Rejected as rejected:
            self.faults.append(f"{way}: the run that breaks {name} is rejected: {rejected}")


def run_along(path: CompiledPath, asked: Question) -> Run | None:
    """A run along a path; None when no delays are possible along it."""
    waits = delays(path, asked.system.parameters, unit_of(asked.system.parameters))
    if waits is None:
        return None
    return Run(tuple(Move(wait, edge.original.action) for wait, (_, edge) in zip(waits, path, strict=True)))


def in_parts(asked: Question, names: Set[str]) -> set[str]:
    """Those of some properties that are broken in parts of a tick, where more strict delays fit than in whole ticks."""
    found: set[str] = set()
    for parts in PARTS if names else ():
        assert asked.locations is not None, "every draw passes messages in a way that the table describes"
        engine = PackedTicks(asked.locations, unit_of(asked.system.parameters) / parts)
        engine.explore(Budget(states=1_000_000), frozenset(names))
        found |= engine.broken.keys() & names
    return found


def fewest_steps(engine: Explicit, names: frozenset[str]) -> dict[str, int]:
    """For each of some violated properties the fewest steps of a violation in ticks; a tick is not a step."""
    first = engine.first()
    away = {first: 0}
    waiting = deque([first])
    done = set()
    found: dict[str, int] = {}
    while waiting and found.keys() < names:
        state = waiting.popleft()
        if state in done:
            continue
        done.add(state)
        edges = engine.edges_of(state)
        for step, after in engine.after(state):
            steps = away[state] + (step != TICK)
            if step != TICK:
                for name in edges[step].violates & names:
                    found[name] = min(steps, found.get(name, steps))
            if steps < away.get(after, steps + 1):
                away[after] = steps
                (waiting.append if step != TICK else waiting.appendleft)(after)
    return found
