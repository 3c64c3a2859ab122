"""Configurations drawn at random, each decided four ways: by brute force, in ticks, by zones and by bounded SMT.

Every draw has a number, and the number alone says what it is: ``python tests/four_ways.py 1234 1`` asks about draw 1234
again, ``python tests/four_ways.py 0 1000`` about as many draws as it takes to judge a thousand, and both tell how it went.
"""

from __future__ import annotations

import random
import sys
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from oracle import JUDGED, Search, TooLarge, judge
from random_configurations import random_configuration

from timewait.checker.bounded import search
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget, Run
from timewait.checker.question import Question
from timewait.checker.replay import Rejected, replay
from timewait.checker.search import TICK
from timewait.checker.symbolic import Symbolic
from timewait.checker.zones import Zones
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES


class Unjudged(Exception):
    """A draw that is more than somebody is ready to look at; the message says for whom."""


@dataclass(frozen=True)
class Bounds:
    """How much is looked at.

    Attributes
    ----------
    worlds : int
        Worlds of the brute force at most.
    states : int
        States in ticks at most.
    locations : int
        Locations at most, where copies are counted and zones and SMT must see each by itself.
    depth : int
        Steps up to which SMT must find no run that breaks what is safe.
    seconds : float
        Time for one question to SMT at most.
    """

    worlds: int = 10_000
    states: int = 20_000
    locations: int = 300
    depth: int = 9
    seconds: float = 120.0


@dataclass(frozen=True)
class Judgement:
    """What came out for one draw.

    Attributes
    ----------
    number : int
        Which draw.
    configuration : Configuration
        What was drawn.
    broken : dict
        For each broken property the fewest steps by which ticks break it.
    ways : tuple of str
        Who was asked.
    faults : list of str
        Every disagreement, in words.
    runs : int
        Runs that were carried out on the specification.
    shorter : int
        Properties that a run breaks which has fewer steps than any in whole ticks, and which is one in parts of a tick.
    """

    number: int
    configuration: Configuration
    broken: dict[str, int]
    ways: tuple[str, ...]
    faults: list[str]
    runs: int
    shorter: int

    def __str__(self) -> str:
        return f"draw {self.number}: {'; '.join(self.faults) or 'agreed'}: {configuration_as_data(self.configuration)}"


def drawn(number: int) -> Configuration:
    """The configuration of a draw."""
    return random_configuration(random.Random(number))


def judgement(number: int, bounds: Bounds) -> Judgement:
    """Ask all who can be asked about a draw.

    Raises
    ------
    Unjudged
        A bound was reached.
    """
    return Draw(number, drawn(number), bounds).judgement()


@dataclass
class Draw:
    """One draw, while it is asked about."""

    number: int
    configuration: Configuration
    bounds: Bounds
    faults: list[str] = field(default_factory=list)
    runs: int = 0
    shorter: int = 0

    def judgement(self) -> Judgement:
        """What everybody says."""
        try:
            verdicts = judge(self.configuration, self.bounds.worlds)
        except TooLarge as problem:
            raise Unjudged("too large for the brute force") from problem
        broken = {name for name, violated in verdicts.items() if violated}
        asked = question(self.configuration)
        steps = self._in_ticks(asked, broken)
        ways = ["brute force", "ticks"]
        automaton = asked.quotient if asked.system.dense else CompiledAutomaton(asked.system)
        if asked.system.dense or automaton.within(self.bounds.locations):
            ways += ["zones", "SMT"]
            self._by_zones(asked, automaton, broken)
            self._by_solver(asked, automaton, broken, steps)
        return Judgement(self.number, self.configuration, steps, tuple(ways), self.faults, self.runs, self.shorter)

    def _in_ticks(self, asked: Question, broken: set[str]) -> dict[str, int]:
        """Ticks against the brute force; for each broken property the fewest steps."""
        attainable = frozenset(Search(self.configuration).attainable)
        engine = Explicit(asked.compiled)
        engine.explore(Budget(states=self.bounds.states), attainable)
        if engine.stopped and not attainable <= engine.broken.keys():
            raise Unjudged("too large for ticks")
        self._compare("ticks", set(engine.broken) & set(JUDGED), broken)
        for name in sorted(engine.broken.keys() & broken):
            self._replay(asked, "ticks", name, engine.run_to(*engine.broken[name]))
        return fewest_steps(engine, frozenset(engine.broken) & broken)

    def _by_zones(self, asked: Question, automaton: CompiledAutomaton, broken: set[str]) -> None:
        engine = Zones(automaton)
        engine.explore(Budget())
        if engine.stopped:
            raise Unjudged("too large for zones")
        self._compare("zones", set(engine.broken) & set(JUDGED), broken)
        for name in sorted(engine.broken.keys() & broken):
            self._replay(asked, "zones", name, engine.run_to(*engine.broken[name]))

    def _by_solver(self, asked: Question, automaton: CompiledAutomaton, broken: set[str], steps: dict[str, int]) -> None:
        """What is broken must be broken by a run of no more steps than ticks take, the rest by none."""
        for name, fewest in steps.items():
            searched = search(Symbolic(automaton, frozenset({name})), fewest, Budget(seconds=self.bounds.seconds))
            if searched.found is not None:
                self._replay(asked, "SMT", name, searched.found.run)
                if len(searched.found.run.moves) < fewest:
                    self._finer(asked, name, len(searched.found.run.moves), fewest)
            elif searched.clear < fewest:
                raise Unjudged("too large for SMT")
            else:
                self.faults.append(f"SMT finds no run of up to {fewest} steps that breaks {name}, ticks do")
        safe = frozenset(JUDGED) - broken
        searched = search(Symbolic(automaton, safe), self.bounds.depth, Budget(seconds=self.bounds.seconds))
        if searched.found is not None:
            found = f"in {len(searched.found.run.moves)} steps: {[str(move.action) for move in searched.found.run.moves]}"
            self.faults.append(f"SMT breaks one of {', '.join(sorted(safe))} {found}, the brute force does not")
        elif searched.clear < self.bounds.depth:
            raise Unjudged("too large for SMT")

    def _finer(self, asked: Question, name: str, shorter: int, fewest: int) -> None:
        """A run of fewer steps than any in ticks must be one in parts of a tick: two strict waits may lie within one."""
        for parts in (2, 3, 4):
            engine = Explicit(asked.compiled)
            if fewest_steps(Explicit(asked.compiled, engine.unit / parts), frozenset({name})).get(name) == shorter:
                self.shorter += 1
                return
        self.faults.append(f"SMT breaks {name} in {shorter} steps, ticks in {fewest}, and parts of a tick not in {shorter}")

    def _compare(self, who: str, found: set[str], broken: set[str]) -> None:
        if found != broken:
            self.faults.append(f"{who}: broken are {sorted(found)}; brute force: {sorted(broken)}")

    def _replay(self, asked: Question, who: str, name: str, run: Run | None) -> None:
        self.runs += 1
        if run is None:
            self.faults.append(f"{who}: no delays make the run possible that breaks {name}")
            return
        try:
            replay(asked.initial_state, run, PROPERTIES[name])
        except Rejected as rejected:
            self.faults.append(f"{who}: the run that breaks {name} is rejected: {rejected}")


def fewest_steps(engine: Explicit, names: frozenset[str]) -> dict[str, int]:
    """For each of some broken properties the fewest steps that break it in ticks; that time passes is no step."""
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
        passages = engine.edges_of(state)
        for step, after in engine.after(state):
            steps = away[state] + (step != TICK)
            if step != TICK:
                for name in passages[step].violates & names:
                    found[name] = min(steps, found.get(name, steps))
            if steps < away.get(after, steps + 1):
                away[after] = steps
                (waiting.append if step != TICK else waiting.appendleft)(after)
    return found


@dataclass
class Tally:
    """How some draws went.

    Attributes
    ----------
    judged : list of Judgement
        Those that all four decided.
    partly : list of Judgement
        Those in which copies are counted and locations are too many: decided by brute force and in ticks alone.
    unjudged : Counter
        Why the others were not judged.
    """

    judged: list[Judgement] = field(default_factory=list)
    partly: list[Judgement] = field(default_factory=list)
    unjudged: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, bounds: Bounds) -> Judgement | None:
        """Ask about one more draw; None when it was not judged."""
        try:
            one = judgement(number, bounds)
        except Unjudged as reason:
            self.unjudged[str(reason)] += 1
            return None
        (self.judged if len(one.ways) == 4 else self.partly).append(one)
        return one

    @property
    def faults(self) -> list[str]:
        """Every disagreement."""
        return [str(one) for one in (*self.judged, *self.partly) if one.faults]

    def lines(self) -> Iterator[str]:
        """How it went, for people."""
        for means, some in (("four ways", self.judged), ("by brute force and ticks alone", self.partly)):
            violated = sum(bool(one.broken) for one in some)
            runs = sum(one.runs for one in some)
            yield f"{len(some)} judged {means}: something is broken in {violated}, nothing in {len(some) - violated}; {runs} runs"
            verdicts = Counter(name for one in some for name in one.broken)
            yield "  " + ", ".join(f"{name} broken {verdicts[name]}, safe {len(some) - verdicts[name]}" for name in JUDGED)
        yield f"fewer steps in dense time than in ticks: {sum(one.shorter for one in self.judged)}"
        yield f"not judged: {dict(self.unjudged)}"
        yield f"{len(self.faults)} disagreements"
        yield from self.faults


def tally(numbers: Iterable[int], wanted: int, bounds: Bounds) -> Tally:
    """Ask about draws until so many were judged four ways."""
    found = Tally()
    for number in numbers:
        if len(found.judged) >= wanted:
            break
        found.add(number, bounds)
    return found


def main(first: int, wanted: int, last: int | None = None) -> None:
    """Tell of each draw as it is judged, and of all in the end."""
    found, started, number = Tally(), time.monotonic(), first
    while len(found.judged) < wanted and (last is None or number < last):
        began = time.monotonic()
        one = found.add(number, Bounds())
        described = (
            "not judged"
            if one is None
            else f"{len(one.ways)} ways, {one.broken or 'safe'}" + "".join(f"\n  {one}" * bool(one.faults))
        )
        print(f"draw {number}, {len(found.judged)} judged: {described}, {time.monotonic() - began:.1f} s", flush=True)
        number += 1
    print(f"draws {first} to {number - 1}, {time.monotonic() - started:.0f} s", *found.lines(), sep="\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
