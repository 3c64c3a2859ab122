"""Small configurations drawn at random, of a size that the oracle can judge."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.durations import STATE_LIMITS
from timewait.spec.settings import AnswerLimit, Arrival, Behaviour, DroppedAck, ResetRule

FLAGS = (
    *("late_fin_reset", "minimal_fin_wait_2", "clock_before_close", "time_wait_cut", "reset_at_fin", "challenges_reset"),
    *("half_close", "keeps_out_of_order", "unread", "unread_reset", "retries_reset"),
)
"""The settings that are true or false and in which stacks deviate from RFC 9293."""
TEXTS = ((1, 0), (0, 1), (1, 1))


def random_configuration(rng: random.Random) -> Configuration:
    """Draw a small configuration, every duration a whole number of ticks.

    TIME-WAIT is mostly drawn from about where it begins to be long enough. Whatever makes the search large is drawn
    the more rarely the more of it there is already: a long life of copies, a second closer, text, copies that arrive
    a counted number of times, retransmissions without end.
    """
    core = rng.random() < 0.45
    both_close = not core and rng.random() < 0.2
    text = rng.choice(TEXTS) if not core and rng.random() < 0.2 else (0, 0)
    size = (not core) + both_close + 2 * any(text)
    duplication = rng.choices((None, 0, 1), ((4, 4, 2), (6, 3, 1), (6, 4, 0), (7, 3, 0), (6, 4, 0))[size])[0]
    crowd = min(size + 2 * bool(duplication), 3)
    msl = rng.choices((1, 2, 3), ((25, 60, 15), (70, 30, 0), (90, 10, 0), (1, 0, 0))[crowd])[0]
    loss = rng.choice((0, 0, 1, 1, 1, 2, None))
    behaviour = random_behaviour(rng, patient=rng.random() < (0.85, 0.8, 0.6, 0.2, 0.0)[size])
    rto = tuple(rng.randint(1, 3) for _ in range(behaviour.backoff))
    critical = max(2 * msl, (loss or 0) * max(rto) + msl) + rng.choice((-1, 0, 0, 0, 1))
    drawn = Configuration(
        msl=Fraction(msl),
        time_wait=Fraction(critical if rng.random() < 0.7 else rng.randint(0, 6)),
        rto=tuple(map(Fraction, rto)),
        rto_exact=rng.random() < (0.25, 0.25, 0.25, 0.5, 0.7)[size],
        fin_wait_2=Fraction(rng.randint(0, 4)),
        loss=loss,
        duplication=duplication,
        fifo=rng.random() < 0.3,
        scope=Scope.CORE if core else Scope.CLOSE,
        both_close=both_close,
        text=text,
        behaviour=behaviour,
    )
    drawn = replace(drawn, rto_slack=Fraction(1)) if drawn.rto_exact and rng.random() < 0.3 else drawn
    return drawn if rng.random() < 0.6 else with_deviations(rng, drawn)


def with_deviations(rng: random.Random, configuration: Configuration) -> Configuration:
    """Draw the settings in which stacks deviate from RFC 9293, each of them rarely.

    They are drawn last, so that the other values of a draw do not depend on them.
    """
    rare = {name: rng.random() < 0.2 for name in (*FLAGS, *STATE_LIMITS)}
    behaviour = replace(
        configuration.behaviour,
        dropped_ack=rng.choice(tuple(DroppedAck)),
        answer_limit=rng.choices(tuple(AnswerLimit), (8, 1, 1))[0],
        **{name: getattr(configuration.behaviour, name) != flips for name, flips in rare.items()},
    )
    lengths: dict[str, Any] = {name: Fraction(rng.randint(0, 4)) for name in STATE_LIMITS}
    idle = rng.choice((None, Fraction(0), Fraction(1), Fraction(2)))
    return replace(configuration, behaviour=behaviour, idle_before_close=idle, **lengths)


def random_behaviour(rng: random.Random, *, patient: bool) -> Behaviour:
    """Draw a behaviour; a patient end retransmits for ever.

    Two times in three TIME-WAIT answers, and is restarted by, what it is by default; otherwise anything goes.
    """
    usual = Behaviour()
    plain = rng.random() < 0.65
    backoff = rng.choice((1, 1, 1, 2))
    return Behaviour(
        time_wait=rng.random() < 0.95,
        answers=usual.answers if plain else random_arrivals(rng),
        restarts=usual.restarts if plain else random_arrivals(rng),
        reset=ResetRule.IGNORE if rng.random() < 0.6 else rng.choice(tuple(ResetRule)),
        fin_wait_2=rng.random() < 0.25,
        late_data_reset=rng.random() < 0.25,
        linger_zero=rng.random() < 0.08,
        retries=None if patient else rng.randint(0, 2),
        backoff=backoff,
        acks_restart_rto=backoff > 1 or rng.random() < 0.8,
        abandons=rng.random() < 0.5,
    )


def random_arrivals(rng: random.Random) -> frozenset[Arrival]:
    """Draw a set of arrivals, each with an even chance."""
    return frozenset(arrival for arrival in Arrival if rng.random() < 0.5)
