"""A configuration: durations, the network, the users, and the behaviour of both endpoints."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from fractions import Fraction

from timewait.spec.durations import STATE_LIMITS
from timewait.spec.reopening import ATOMIC, NextIncarnation
from timewait.spec.settings import Behaviour
from timewait.vocabulary.errors import RequestError


class Scope(StrEnum):
    """The part of the close that is explored."""

    CORE = "core"
    """The last exchange: A in FIN-WAIT-2, B in CLOSE-WAIT, no older segments; a CLOSED passive end is silent."""
    CLOSE = "close"
    """The whole close of two full endpoints."""


class ConfigurationError(RequestError):
    """A configuration that makes no sense; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that a verdict depends on.

    Attributes
    ----------
    msl : Fraction
        Maximum segment lifetime in seconds; no copy arrives at a greater age.
    time_wait : Fraction
        TIME-WAIT in seconds; it ends at some time strictly later.
    rto : tuple of Fraction
        Upper bounds, in seconds, on the gaps between transmissions of one segment; the last repeats.
    rto_exact : bool
        Whether the gaps are no shorter than `rto` and longer by at most `rto_slack`, instead of at most `rto`.
    rto_slack : Fraction
        By how many seconds a retransmission may be late where `rto_exact` holds.
    fin_wait_2 : Fraction
        FIN-WAIT-2 timeout in seconds, if the behaviour has one.
    fin_wait_1, close_wait, closing, last_ack : Fraction
        Limits of these states in seconds, if the behaviour has them.
    idle_before_close : Fraction or None
        How long before a state begins its clock may have started, in seconds, if the behaviour counts from before CLOSE; None:
        any time.
    loss : int or None
        Copies of the FIN/ACK exchange lost in one loss window at most; None: any number.
    duplication : int or None
        How often one copy may arrive again; None: any number of times.
    fifo : bool
        Whether copies of one direction arrive in the order in which they were sent.
    lossless : bool
        Whether every packet arrives, within MSL; otherwise one that belongs to no loss window may be lost without limit.
    scope : Scope
        The part of the close that is explored.
    both_close : bool
        Whether either end may close first, or both at once; otherwise A closes first. Scope close only.
    text : tuple of int
        Octets that the users of A and of B may send, at most.
    behaviour : Behaviour
        The settings of both endpoints.
    reopening : NextIncarnation
        The opening of the next incarnation.
    """

    msl: Fraction
    time_wait: Fraction
    rto: tuple[Fraction, ...]
    rto_exact: bool = False
    rto_slack: Fraction = Fraction(0)
    fin_wait_2: Fraction = Fraction(0)
    loss: int | None = 1
    duplication: int | None = None
    fifo: bool = False
    lossless: bool = False
    scope: Scope = Scope.CLOSE
    both_close: bool = False
    text: tuple[int, int] = (0, 0)
    fin_wait_1: Fraction = Fraction(0)
    close_wait: Fraction = Fraction(0)
    closing: Fraction = Fraction(0)
    last_ack: Fraction = Fraction(0)
    idle_before_close: Fraction | None = None
    behaviour: Behaviour = field(default_factory=Behaviour)
    reopening: NextIncarnation = ATOMIC

    def __post_init__(self) -> None:
        if self.msl <= 0:
            raise ConfigurationError(f"MSL must be more than zero, not {float(self.msl):g}s")
        if self.time_wait < 0:
            raise ConfigurationError(f"TIME_WAIT must not be negative, not {float(self.time_wait):g}s")
        if not self.rto or min(self.rto) <= 0:
            raise ConfigurationError("every RTO must be more than zero")
        if len(self.rto) != self.behaviour.backoff:
            raise ConfigurationError(f"{len(self.rto)} RTO values for {self.behaviour.backoff} steps of back-off")
        if len(self.rto) > 1 and not self.behaviour.acks_restart_rto:
            raise ConfigurationError("a back-off schedule restarts with the timer, so acknowledgements must restart the timer")
        if self.rto_slack < 0 or (self.rto_slack and not self.rto_exact):
            raise ConfigurationError("the slack of a retransmission must not be negative, and needs a least gap")
        if self.fin_wait_2 < 0:
            raise ConfigurationError("the FIN-WAIT-2 timeout must not be negative")
        for name in STATE_LIMITS:
            if getattr(self, name) < 0:
                raise ConfigurationError(f"the limit of {name.upper()} must not be negative")
        if self.idle_before_close is not None and self.idle_before_close < 0:
            raise ConfigurationError("the time before CLOSE must not be negative")
        for name, budget in (("loss", self.loss), ("duplication", self.duplication), ("text", min(self.text))):
            if budget is not None and budget < 0:
                raise ConfigurationError(f"{name} must not be negative, not {budget}")
        if self.lossless and ((self.loss, self.duplication) != (0, 0) or self.reopening.handshake):
            raise ConfigurationError("a network that loses nothing has a loss budget of 0, no duplicates and an atomic reopen")
        if self.scope is Scope.CORE and (self.both_close or any(self.text)):
            raise ConfigurationError("scope core has one closer and no text")

    @property
    def without_durations(self) -> Configuration:
        """A configuration with the same locations and edges: they name durations, and do not depend on their values.

        MSL stays where the numbers of the next incarnation depend on it.
        """
        second, zero = Fraction(1), Fraction(0)
        return replace(
            self,
            msl=self.msl if self.reopening.depends_on_msl else second,
            time_wait=second,
            rto=(second,) * len(self.rto),
            rto_slack=second if self.rto_slack else zero,
            idle_before_close=None,
            fin_wait_2=zero,
            fin_wait_1=zero,
            close_wait=zero,
            closing=zero,
            last_ack=zero,
        )

    @property
    def parameters(self) -> dict[str, Fraction]:
        """Every duration by name, in seconds."""
        values = {"0": Fraction(0), "MSL": self.msl, "TIME_WAIT": self.time_wait}
        values |= dict(zip(self.rto_names, self.rto, strict=True))
        if self.rto_slack:
            values |= {latest(name): gap + self.rto_slack for name, gap in zip(self.rto_names, self.rto, strict=True)}
        if self.behaviour.fin_wait_2:
            values["FIN_WAIT_2"] = self.fin_wait_2
        values |= {name: getattr(self, name.lower()) for name in self.limits}
        if self.reopening.quiet is not None:
            values["QUIET"] = self.reopening.quiet
        if self.behaviour.abandons and self.behaviour.clock_before_close:
            states = (name for name in ("TIME_WAIT", "FIN_WAIT_2", *self.limits) if name in values and name != "CLOSE_WAIT")
            values |= {f"{name}_LEFT": self._left(values[name]) for name in states}
        return values

    def _left(self, length: Fraction) -> Fraction:
        """What is left of the length of a state whose clock started as early as it may."""
        return Fraction(0) if self.idle_before_close is None else max(length - self.idle_before_close, Fraction(0))

    @property
    def further_lengths(self) -> dict[str, Fraction]:
        """The lengths that have no name of their own in a formula of MSL, RTO and TIME_WAIT, by the name of the field."""
        idle = {} if self.idle_before_close is None else {"idle_before_close": self.idle_before_close}
        return {name: getattr(self, name) for name in ("fin_wait_2", *STATE_LIMITS)} | idle

    @property
    def limits(self) -> tuple[str, ...]:
        """The states that end after a time, apart from FIN-WAIT-2 and TIME-WAIT; each is the name of a parameter."""
        return tuple(name.upper() for name in STATE_LIMITS if getattr(self.behaviour, name))

    @property
    def rto_names(self) -> tuple[str, ...]:
        """The names of the gaps of the retransmission schedule."""
        if len(self.rto) == 1:
            return ("RTO",)
        return tuple(f"RTO_{number}" for number in range(1, len(self.rto) + 1))

    @property
    def gap_names(self) -> tuple[tuple[str, str], ...]:
        """For each gap of the retransmission schedule the names of its least length, ``0`` if there is none, and its greatest."""
        if not self.rto_exact:
            return tuple(("0", name) for name in self.rto_names)
        return tuple((name, latest(name) if self.rto_slack else name) for name in self.rto_names)


def latest(name: str) -> str:
    """The name of the greatest length of a gap whose least length has a name."""
    return f"{name}_LATEST"
