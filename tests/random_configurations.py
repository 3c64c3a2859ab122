"""Small configurations drawn at random, of a size that the oracle can judge."""

from __future__ import annotations

import random
from collections.abc import Iterable
from fractions import Fraction

from spec.behaviour import Arrival, Behaviour, ResetRule
from spec.configuration import Configuration, Scope


def random_configuration(rng: random.Random) -> Configuration:
    """Draw a small configuration, every duration a whole number of ticks.

    What makes the search large is drawn the more rarely the more of it there is already: a long life of copies,
    a second closer, text, copies that are counted one by one.
    """
    core = rng.random() < 0.4
    both_close = not core and rng.random() < 0.3
    text = (0, 0) if core or rng.random() < 0.7 else rng.choice(((1, 0), (0, 1), (1, 1)))
    extra = (not core) + both_close + any(text)
    msl = rng.choices((1, 2, 3), ((35, 50, 15), (55, 45, 0), (90, 10, 0), (1, 0, 0))[extra])[0]
    counted = rng.random() < (0.6, 0.4, 0.25, 0.15)[extra]
    behaviour = random_behaviour(rng)
    return Configuration(
        msl=Fraction(msl),
        time_wait=Fraction(rng.randint(0, 6 if core else 4 + msl)),
        rto=tuple(Fraction(rng.randint(1, 3)) for _ in range(behaviour.backoff)),
        rto_exact=rng.random() < 0.25,
        fin_wait_2=Fraction(rng.randint(0, 4)),
        loss=rng.choice((0, 1, 1, 2, None)),
        duplication=rng.choice((0, 0, 1)) if counted else None,
        fifo=rng.random() < 0.3,
        scope=Scope.CORE if core else Scope.CLOSE,
        both_close=both_close,
        text=text,
        behaviour=behaviour,
    )


def random_behaviour(rng: random.Random) -> Behaviour:
    """Draw a behaviour: half the time TIME-WAIT answers and restarts as by default, otherwise anything goes."""
    usual = Behaviour()
    plain = rng.random() < 0.5
    return Behaviour(
        time_wait=rng.random() < 0.9,
        answers=usual.answers if plain else random_subset(rng, Arrival),
        restarts=usual.restarts if plain else random_subset(rng, Arrival),
        reset=rng.choice((ResetRule.IGNORE, *ResetRule)),
        fin_wait_2=rng.random() < 0.25,
        late_data_reset=rng.random() < 0.2,
        linger_zero=rng.random() < 0.1,
        retries=rng.choice((None, None, None, 0, 1, 2)),
        backoff=rng.choice((1, 1, 1, 2)),
        abandons=rng.random() < 0.5,
    )


def random_subset(rng: random.Random, arrivals: Iterable[Arrival]) -> frozenset[Arrival]:
    """Draw each element with an even chance."""
    return frozenset(arrival for arrival in arrivals if rng.random() < 0.5)
