"""A network that loses and delays packets at random, and a close across it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm

from timewait.spec.settings import Behaviour
from timewait.spec.state import State
from timewait.vocabulary.errors import RequestError

Distribution = tuple[tuple[Fraction, Fraction], ...]
"""Pairs of a value and its probability; the probabilities add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPath:
    """The delivery outcome of a packet, independent of that of every other packet.

    Attributes
    ----------
    loss_rate : Fraction
        The probability that a packet is lost.
    delays : Distribution
        The delay of a packet that is not lost, in seconds.
    budget : int or None
        After so many losses in a loss window (`timewait.spec.exchange.loss_windows`) no further packet of it is lost; None:
        no bound.
    """

    loss_rate: Fraction
    delays: Distribution
    budget: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.loss_rate < 1:
            raise RequestError(f"a loss rate is at least 0 and less than 1, not {float(self.loss_rate):g}")
        if sum(chance for _, chance in self.delays) != 1 or min(delay for delay, _ in self.delays) < 0:
            raise RequestError("the delays must not be negative, and their probabilities must add up to 1")

    @property
    def longest(self) -> Fraction:
        """The longest delay, in seconds."""
        return max(delay for delay, _ in self.delays)


def delays_around(rtt: Fraction, jitter: Fraction) -> Distribution:
    """Half a round trip, in a quarter of the cases shorter and in a quarter longer by the jitter.

    Parameters
    ----------
    rtt : Fraction
        The round trip in seconds.
    jitter : Fraction
        In seconds; at most half the round trip.

    Raises
    ------
    RequestError
        The jitter is larger.
    """
    half = rtt / 2
    if not jitter:
        return ((half, Fraction(1)),)
    if jitter > half:
        raise RequestError("the jitter must not be longer than half the round trip")
    return ((half - jitter, Fraction(1, 4)), (half, Fraction(1, 2)), (half + jitter, Fraction(1, 4)))


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderlyClose:
    """A close: A closes first, B closes as soon as it has read the end of file.

    Attributes
    ----------
    time_wait : Fraction
        In seconds.
    gaps : tuple of Fraction
        The gaps between two transmissions of one segment, in seconds; the last one repeats.
    behaviour : Behaviour
        The settings of both ends; they must bound the number of retransmissions.
    path : NetworkPath
        The network.
    limits : mapping of State to Fraction
        The limits of states that have one, in seconds.
    """

    time_wait: Fraction
    gaps: tuple[Fraction, ...]
    behaviour: Behaviour
    path: NetworkPath
    limits: Mapping[State, Fraction] = field(default_factory=dict)

    @property
    def unit(self) -> int:
        """The number of ticks in a second for which every delay and duration is a whole number of ticks."""
        lengths = (self.time_wait, *self.gaps, *self.limits.values(), *(delay for delay, _ in self.path.delays))
        return lcm(*(length.denominator for length in lengths))

    def __post_init__(self) -> None:
        if self.behaviour.retries is None:
            raise RequestError("the probability needs a limit of retransmissions: give --retries")
        if len(self.gaps) != self.behaviour.backoff:
            raise RequestError(f"{len(self.gaps)} gaps for {self.behaviour.backoff} steps of back-off")
