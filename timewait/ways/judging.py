"""The verdict about each property with each way, decided by the engines; and what each way gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import NamedTuple

from timewait.capacity.ports import PortPool, Service
from timewait.capacity.prediction import Prediction
from timewait.checker.decide import Answer, decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration
from timewait.spec.incarnation import HARMS
from timewait.spec.properties import PROPERTIES
from timewait.ways.way import PLAIN, Way

ASKED = ("graceful", "integrity", *HARMS)
"""The columns of the table: the properties of the close, then each harm of an old segment."""


class TextLimit(NamedTuple):
    """Octets that users send at most, and the properties asked about that.

    Attributes
    ----------
    old, new : pair of int
        Octets of A and of B, in the connection and in the next one; the second counts only where a handshake opens that.
    names : tuple of str
        The properties.
    """

    old: tuple[int, int]
    new: tuple[int, int]
    names: tuple[str, ...]


ATOMIC = (TextLimit((1, 0), (0, 0), ASKED), TextLimit((0, 1), (0, 0), ("integrity",)))
"""What is asked where both ends are open again at once; the worst answer about a property counts."""

HANDSHAKE = (
    TextLimit((0, 0), (0, 0), ("graceful", "old-fin", "old-reset")),
    TextLimit((0, 0), (1, 0), ("old-ack",)),
    TextLimit((1, 0), (0, 0), ("integrity", "old-text")),
    TextLimit((0, 1), (0, 0), ("integrity",)),
)
"""What is asked where a handshake opens the next connection, which has many more states: only the text that a harm needs."""

PORTS = 28_232
"""Ports from 32768 to 60999: the default of ``net.ipv4.ip_local_port_range``."""

SERVICE_TIME = Fraction(1)
"""How long each connection works, in seconds, before it is closed."""


@dataclass(frozen=True, slots=True)
class Gain:
    """What a way gains.

    Attributes
    ----------
    rate, before : Fraction
        Requests per second to one server that last with the way and without it.
    """

    rate: Fraction
    before: Fraction

    @property
    def factor(self) -> Fraction:
        """How many times as many."""
        return self.rate / self.before


@dataclass(frozen=True, slots=True)
class JudgedWay:
    """A way with its verdicts.

    Attributes
    ----------
    way : Way
        The way.
    configuration : Configuration
        The close with it.
    answers : dict of str to Answer
        The answer about each property of `ASKED`.
    gain : Gain
        What it gains.
    inherits : bool
        Whether it leaves the configuration as it is, so that the answers are those without it.
    """

    way: Way
    configuration: Configuration
    answers: dict[str, Answer]
    gain: Gain
    inherits: bool

    @property
    def decided(self) -> bool:
        """Whether every property has a verdict."""
        return not any(answer.verdict in (Verdict.INCONCLUSIVE, Verdict.DISAGREEMENT) for answer in self.answers.values())

    def broken(self, before: JudgedWay) -> list[str]:
        """The properties that hold without the way and not with it."""
        return [
            name
            for name, answer in self.answers.items()
            if answer.verdict is Verdict.VIOLATED and before.answers[name].verdict is not Verdict.VIOLATED
        ]


@dataclass(slots=True)
class Judge:
    """Decides ways; a configuration is decided once, however many ways have it.

    Attributes
    ----------
    configuration : Configuration
        The close without any way.
    budget : callable
        Makes the budget of an exploration.
    """

    configuration: Configuration
    budget: Callable[[], Budget] = Budget
    _known: dict[Configuration, dict[str, Answer]] = field(default_factory=dict)

    def judge(self, way: Way) -> JudgedWay:
        """The verdicts and the gain of a way."""
        changed = way.close(self.configuration)
        if changed not in self._known:
            self._known[changed] = decided(changed, self.budget)
        inherits = way is not PLAIN and changed == self.configuration
        return JudgedWay(way, changed, self._known[changed], gain(way, self.configuration), inherits)


def decided(configuration: Configuration, budget: Callable[[], Budget]) -> dict[str, Answer]:
    """The worst answer about each property of `ASKED`, over everything that the users may send (`ATOMIC`, `HANDSHAKE`).

    Parameters
    ----------
    configuration : Configuration
        The close; the octets sent are replaced.
    budget : callable
        Makes the budget of one exploration.
    """
    found: dict[str, Answer] = {}
    for sent in HANDSHAKE if configuration.reopening.handshake else ATOMIC:
        left = [name for name in sent.names if name not in found or found[name].verdict is not Verdict.VIOLATED]
        asked = [PROPERTIES[name] for name in left]
        for answer in decide(question(_sending(configuration, sent)), asked, Engine.AUTO, budget()) if asked else ():
            found[answer.name] = max(found.get(answer.name, answer), answer, key=lambda each: each.verdict)
    return {name: found[name] for name in ASKED}


def _sending(configuration: Configuration, sent: TextLimit) -> Configuration:
    """The close in which users send some text."""
    opening = configuration.reopening
    if opening.handshake:
        opening = replace(opening, text=sent.new)
    return replace(configuration, text=sent.old, reopening=opening)


def gain(way: Way, configuration: Configuration) -> Gain:
    """What a way gains: requests per second to one server, from the ports of one client."""
    pool = PortPool(ports=PORTS)
    before = Service(time_wait=configuration.time_wait, service_time=SERVICE_TIME)
    service = way.service(replace(before, time_wait=way.close(configuration).time_wait))
    return Gain(_rate(way.pool(pool), service) * way.requests, _rate(pool, before))


def _rate(pool: PortPool, service: Service) -> Fraction:
    lasting = Prediction(pool, service, Fraction(pool.size)).lasting_rate
    assert lasting is not None, "each connection works for a time, so the ports limit the rate"
    return lasting


def named(ways: Sequence[Way], name: str) -> Way | None:
    """The way with a name."""
    return next((way for way in ways if way.name == name), None)
