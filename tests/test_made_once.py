"""What is made once for all values of the parameters: equal identities have equal edges, and no answer depends on the order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import count
from typing import Any

import pytest
from random_configurations import random_configuration
from toys import letterbox

from timewait.checker import made_once
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import decide
from timewait.checker.finding import Budget, Stopped
from timewait.checker.mealy import Mealy
from timewait.checker.question import Engine
from timewait.checker.quotient import Quotient
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.durations import STATE_LIMITS
from timewait.spec.handshake import compose
from timewait.spec.properties import PROPERTIES
from timewait.spec.reopening import NextIncarnation, Numbers, Reopen
from timewait.spec.settings import Behaviour
from timewait.vocabulary.automaton import Identified, TimedAutomaton

SOME = Configuration(Fraction(2), Fraction(4), (Fraction(2),))
"""A configuration with few locations."""

LOCATIONS = 150
"""Locations of each automaton that are compared."""


def with_other_durations(rng: random.Random, configuration: Configuration) -> Configuration:
    """The same configuration with other lengths of everything, none of them of another kind."""

    def other(length: Fraction) -> Fraction:
        return Fraction(rng.randint(1, 40), rng.randint(1, 6)) if length else length

    lengths: dict[str, Any] = {name: other(getattr(configuration, name)) for name in ("fin_wait_2", *STATE_LIMITS)}
    return replace(
        configuration,
        msl=other(configuration.msl),
        time_wait=Fraction(rng.randint(0, 60), 7),
        rto=tuple(map(other, configuration.rto)),
        rto_slack=other(configuration.rto_slack),
        **lengths,
    )


def edges(system: TimedAutomaton) -> list[Any]:
    """The first locations of a system, each with all that does not depend on the values of parameters."""
    compiled = CompiledAutomaton(system)
    number = 0
    while number < min(LOCATIONS, len(compiled)):
        compiled.location(number)
        number += 1
    return [
        compiled.start,
        compiled.start_updates(),
        *(compiled.location(number) for number in range(min(LOCATIONS, len(compiled)))),
    ]


def identity(system: TimedAutomaton) -> object:
    """The identity of a system."""
    assert isinstance(system, Identified)
    return system.identity()


def systems(configuration: Configuration) -> list[TimedAutomaton]:
    """The systems that a question about a configuration has."""
    asked = question(configuration)
    every = (asked.system, asked.over_approximation, asked.obliged_approximation, asked.unlimited, asked.unlimited_approximation)
    return [system for system in every if system is not None]


def interrupted(name: str, call: int) -> Callable[..., Any]:
    """A function of `Mealy`, interrupted at one of its calls."""
    plain, calls = getattr(Mealy, name), count(1)

    def function(*arguments: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return plain(*arguments)

    return function


def described(table: Mealy) -> list[Any]:
    """The first controls of a table with their spontaneous edges, by number."""
    number = 0
    while number < min(20, len(table)):
        table.spontaneous(number)
        number += 1
    first = slice(0, 20)
    return [*zip(table.controls[first], table.parts[first], table.begins[first], table.invariants[first], strict=True)]


class TestIdentity:
    """Equal identities have equal edges."""

    @pytest.mark.parametrize("start", [0, *(pytest.param(start, marks=pytest.mark.slow) for start in range(12, 300, 12))])
    def test_durations_change_no_edge(self, start: int) -> None:
        """Configurations that differ in durations have the same identity, locations and edges."""
        compared = 0
        for seed in range(start, start + 12):
            rng = random.Random(seed)
            own = random_configuration(rng)
            for one, other in zip(systems(own), systems(with_other_durations(rng, own)), strict=True):
                assert identity(one) == identity(other)
                assert edges(one) == edges(other)
                compared += 1
        assert compared > 12

    @pytest.mark.parametrize(
        "other",
        [
            {"loss": 0},
            {"text": (0, 1)},
            {"both_close": True},
            {"duplication": 0},
            {"fifo": True},
            {"rto_exact": True},
            {"rto": (Fraction(1), Fraction(2)), "behaviour": Behaviour(backoff=2)},
            {"behaviour": Behaviour(retries=3)},
            {"reopening": NextIncarnation(Reopen.HANDSHAKE)},
        ],
        ids=lambda changes: "-".join(changes),
    )
    def test_what_changes_edges_changes_the_identity(self, other: dict[str, Any]) -> None:
        """Everything else than a duration makes another automaton."""
        assert identity(compose(SOME)) != identity(compose(replace(SOME, **other)))

    def test_slack(self) -> None:
        """A timer that may be late is another one than a timer that may not, by however much."""
        exact = replace(SOME, rto_exact=True)
        late, later = (replace(exact, rto_slack=Fraction(seconds)) for seconds in (1, 2))
        assert identity(compose(exact)) != identity(compose(late))
        assert identity(compose(late)) == identity(compose(later))

    def test_a_clock_of_numbers(self) -> None:
        """Where the place of old numbers depends on MSL, so does the identity."""
        clock = NextIncarnation(
            Reopen.HANDSHAKE, Numbers.CLOCK, data_rate=Fraction(250_000), idle=Fraction(1), lifetime=Fraction(8000)
        )
        short, long = (replace(SOME, msl=Fraction(msl), reopening=clock) for msl in (1, 2000))
        assert identity(compose(short)) != identity(compose(long))
        assert clock.relation(short.msl) != clock.relation(long.msl)

    def test_over_approximations(self) -> None:
        """An over-approximation is neither the system nor one that keeps other obligations."""
        assert len({identity(system) for system in systems(SOME)}) == len(systems(SOME))


class TestMadeOnce:
    """Things are made once, and no answer depends on that."""

    def test_once(self) -> None:
        """The second question at other values reads what the first made, with its own values."""
        first, second = question(SOME), question(replace(SOME, msl=Fraction(3), time_wait=Fraction(9)))
        assert second.coarse.location(0) is first.coarse.location(0)
        assert second.coarse.system.parameters["MSL"] == 3
        assert first.coarse.system.parameters["MSL"] == 2

    @pytest.mark.parametrize("engine", [Engine.ZONES, Engine.EXPLICIT])
    def test_answers_do_not_depend_on_earlier_ones(self, engine: Engine) -> None:
        """Each of several questions has the answer that it has alone, violations with the same trace."""
        asked = [replace(SOME, time_wait=Fraction(wait), rto=(Fraction(rto),)) for wait in (3, 4, 5) for rto in (1, 2)]
        properties = [PROPERTIES[name] for name in ("graceful", "isolation", "closes")]

        def answers(configuration: Configuration) -> list[Any]:
            found = decide(question(configuration), properties, engine, Budget())
            return [(answer.verdict, answer.trace, answer.finding.states) for answer in found]

        together = list(map(answers, asked))
        for configuration, found in zip(asked, together, strict=True):
            made_once.kept_for.cache_clear()
            assert answers(configuration) == found
        assert len({verdict for found in together for verdict, _, _ in found}) == 2

    def test_something_large_is_not_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What is larger than the limit is made anew, and so is what other bounds were given for."""
        monkeypatch.setattr(made_once, "MAX_KEPT", 2)
        made: list[int] = []

        def made_anew(size: int) -> list[int]:
            made.append(size)
            return [0] * size

        system = compose(SOME)
        for size, expected in ((3, 2), (2, 1)):
            for _ in range(2):
                made_once.made_once(f"{size}", system, Budget(), partial(made_anew, size))
            assert made.count(size) == expected
        made_once.made_once("2", system, Budget(states=5), partial(made_anew, 2))
        assert made.count(2) == 2

    def test_something_that_grows_is_dropped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What has become larger than the limit is made anew, too."""
        monkeypatch.setattr(made_once, "MAX_KEPT", 2)
        system = compose(SOME)
        made = made_once.made_once("a list", system, Budget(), lambda: [0])
        assert made_once.made_once("a list", system, Budget(), list) is made
        made += [1, 2]
        assert made_once.made_once("a list", system, Budget(), list) is made
        assert made_once.made_once("a list", system, Budget(), list) == []

    @pytest.mark.parametrize("engine", [Engine.ZONES, Engine.EXPLICIT])
    @pytest.mark.parametrize("failing", ["_describe", "_limits", "_part", "_built", "_reaction"])
    def test_an_interrupt_leaves_nothing_half_made(self, engine: Engine, failing: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """After an interrupt anywhere in the table of edges, the same question has the answer that it has otherwise."""
        properties = [PROPERTIES[name] for name in ("isolation", "closes")]

        def answers() -> list[Any]:
            found = decide(question(SOME), properties, engine, Budget(states=20_000))
            return [(answer.verdict, answer.finding.states) for answer in found]

        expected = answers()
        for call in (1, 2, 5, 9):
            made_once.forget()
            monkeypatch.setattr(Mealy, failing, interrupted(failing, call))
            with pytest.raises(KeyboardInterrupt):
                answers()
            monkeypatch.undo()
            assert answers() == expected

    @pytest.mark.parametrize("call", range(1, 4))
    def test_an_interrupt_of_the_table_itself(self, call: int, monkeypatch: pytest.MonkeyPatch) -> None:
        """A table that goes on after an interrupt has no number twice, and no control without a description."""
        table, whole = (Mealy(compose(SOME)) for _ in range(2))
        monkeypatch.setattr(Mealy, "_limits", interrupted("_limits", call))
        with pytest.raises(KeyboardInterrupt):
            described(table)
        monkeypatch.undo()
        assert described(table) == described(whole)

    def test_without_an_identity(self) -> None:
        """An automaton that says nothing of its identity is compiled for each question."""
        toy = letterbox(1, 2)
        assert not isinstance(toy, Identified)
        made: list[int] = []
        for _ in range(2):
            found = made_once.made_once("toy", toy, Budget(), lambda: [len(made)])
            made.append(found[0])
        assert made == [0, 1]

    def test_a_bound_is_met_again(self) -> None:
        """A budget that does not suffice is met each time, also once a larger one has sufficed."""
        large = replace(SOME, text=(1, 1))
        edges(Quotient(compose(large)))
        for _ in range(2):
            with pytest.raises(Stopped):
                Quotient(compose(large), Budget(states=2)).initial()
