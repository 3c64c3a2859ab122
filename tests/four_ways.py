"""Random configurations, each decided in four ways: by brute force, in ticks, by zones and by bounded SMT.

The number of a draw determines its configuration. ``python tests/four_ways.py 1234 1`` repeats draw 1234;
``python tests/four_ways.py 0 1000`` decides draws until a thousand were decided in four ways. Both print the results.
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
from timewait.checker.explicit import Explicit, packed
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
    """A draw that exceeds a bound of a way to decide it; the message names the way."""


@dataclass(frozen=True)
class Bounds:
    """The bounds of each way.

    Attributes
    ----------
    worlds : int
        Worlds of the brute force at most.
    states : int
        States in ticks at most.
    locations : int
        Locations at most of a system that has no quotient, for zones and SMT.
    depth : int
        Steps up to which SMT must find no run that violates a safe property.
    seconds : float
        Seconds of one SMT search at most.
    """

    worlds: int = 10_000
    states: int = 20_000
    locations: int = 300
    depth: int = 9
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
        For each violated property the fewest steps of a violation in ticks.
    ways : tuple of str
        The ways that decided it.
    faults : list of str
        Every disagreement, in words.
    runs : int
        Runs that were replayed on the specification.
    shorter : int
        Properties with a violation of fewer steps in parts of a tick than in whole ticks.
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
    """Decide a draw in every way that it allows.

    Raises
    ------
    Unjudged
        A bound was reached.
    """
    return Draw(number, drawn(number), bounds).judgement()


@dataclass
class Draw:
    """One draw, while it is decided; `between` are the properties that are broken in parts of a tick alone."""

    number: int
    configuration: Configuration
    bounds: Bounds
    faults: list[str] = field(default_factory=list)
    runs: int = 0
    shorter: int = 0
    between: set[str] = field(default_factory=set)

    def judgement(self) -> Judgement:
        """The answers of all ways, compared."""
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
        self._compiled(asked, engine)
        for name in sorted(engine.broken.keys() & broken):
            self._replay(asked, "ticks", name, engine.run_to(*engine.broken[name]))
        return fewest_steps(engine, frozenset(engine.broken) & broken)

    def _compiled(self, asked: Question, engine: Explicit) -> None:
        """The compiled exploration against the one that reads the specification, where that is complete."""
        fast = None if engine.stopped else packed(asked, Budget())
        if fast is None:
            return
        if fast.broken.keys() != engine.broken.keys():
            self.faults.append(f"compiled ticks: broken are {sorted(fast.broken)}, not {sorted(engine.broken)}")
        if (len(fast), fast.transitions, fast.depth) != (len(engine), engine.transitions, engine.depth):
            self.faults.append(f"compiled ticks: {len(fast)} states, not {len(engine)}")
        for name in sorted(fast.broken.keys() & set(JUDGED)):
            self._replay(asked, "compiled ticks", name, fast.run_to(*fast.broken[name]))

    def _by_zones(self, asked: Question, automaton: CompiledAutomaton, broken: set[str]) -> None:
        engine = Zones(automaton)
        engine.explore(Budget())
        if engine.stopped:
            raise Unjudged("too large for zones")
        found = set(engine.broken) & set(JUDGED)
        self.between |= self._in_parts(asked, found - broken)
        self._compare("zones", found - self.between, broken)
        for name in sorted(engine.broken.keys() & (broken | self.between)):
            self._replay(asked, "zones", name, engine.run_to(*engine.broken[name]))

    def _in_parts(self, asked: Question, names: set[str]) -> set[str]:
        """Those of some properties that are broken in parts of a tick, where more strict delays fit than in whole ticks."""
        found: set[str] = set()
        for parts in (2, 3, 4) if names else ():
            engine = Explicit(asked.compiled)
            engine = Explicit(asked.compiled, engine.unit / parts)
            engine.explore(Budget(states=self.bounds.states))
            found |= engine.broken.keys() & names
        return found

    def _by_solver(self, asked: Question, automaton: CompiledAutomaton, broken: set[str], steps: dict[str, int]) -> None:
        """SMT finds a violation of each broken property in no more steps than ticks, and none of any other."""
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
        safe = frozenset(JUDGED) - broken - self.between
        searched = search(Symbolic(automaton, safe), self.bounds.depth, Budget(seconds=self.bounds.seconds))
        if searched.found is not None:
            found = f"in {len(searched.found.run.moves)} steps: {[str(move.action) for move in searched.found.run.moves]}"
            self.faults.append(f"SMT breaks one of {', '.join(sorted(safe))} {found}, the brute force does not")
        elif searched.clear < self.bounds.depth:
            raise Unjudged("too large for SMT")

    def _finer(self, asked: Question, name: str, shorter: int, fewest: int) -> None:
        """A shorter violation than any in ticks must exist in parts of a tick, since two strict delays may lie within a tick."""
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


@dataclass
class Tally:
    """The results of several draws.

    Attributes
    ----------
    judged : list of Judgement
        The draws that were decided in four ways.
    partly : list of Judgement
        The draws with too many locations for zones and SMT, decided by brute force and in ticks.
    unjudged : Counter
        The reasons why the others were not decided.
    """

    judged: list[Judgement] = field(default_factory=list)
    partly: list[Judgement] = field(default_factory=list)
    unjudged: Counter[str] = field(default_factory=Counter)

    def add(self, number: int, bounds: Bounds) -> Judgement | None:
        """Decide one more draw; None if it was not decided."""
        try:
            judged = judgement(number, bounds)
        except Unjudged as reason:
            self.unjudged[str(reason)] += 1
            return None
        (self.judged if len(judged.ways) == 4 else self.partly).append(judged)
        return judged

    @property
    def faults(self) -> list[str]:
        """Every disagreement."""
        return [str(judged) for judged in (*self.judged, *self.partly) if judged.faults]

    def lines(self) -> Iterator[str]:
        """The results as lines of text."""
        for means, some in (("four ways", self.judged), ("by brute force and ticks alone", self.partly)):
            violated = sum(bool(judged.broken) for judged in some)
            runs = sum(judged.runs for judged in some)
            yield f"{len(some)} judged {means}: something is broken in {violated}, nothing in {len(some) - violated}; {runs} runs"
            verdicts = Counter(name for judged in some for name in judged.broken)
            yield "  " + ", ".join(f"{name} broken {verdicts[name]}, safe {len(some) - verdicts[name]}" for name in JUDGED)
        yield f"fewer steps in dense time than in ticks: {sum(judged.shorter for judged in self.judged)}"
        yield f"not judged: {dict(self.unjudged)}"
        yield f"{len(self.faults)} disagreements"
        yield from self.faults


def tally(numbers: Iterable[int], wanted: int, bounds: Bounds) -> Tally:
    """Decide draws until a number of them were decided in four ways."""
    found = Tally()
    for number in numbers:
        if len(found.judged) >= wanted:
            break
        found.add(number, bounds)
    return found


def main(first: int, wanted: int, last: int | None = None) -> None:
    """Print the result of each draw, and then of all."""
    found, started, number = Tally(), time.monotonic(), first
    while len(found.judged) < wanted and (last is None or number < last):
        began = time.monotonic()
        judged = found.add(number, Bounds())
        described = "not judged"
        if judged is not None:
            described = f"{len(judged.ways)} ways, {judged.broken or 'safe'}" + f"\n  {judged}" * bool(judged.faults)
        print(f"draw {number}, {len(found.judged)} judged: {described}, {time.monotonic() - began:.1f} s", flush=True)
        number += 1
    print(f"draws {first} to {number - 1}, {time.monotonic() - started:.0f} s", *found.lines(), sep="\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
