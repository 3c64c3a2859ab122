"""The vocabulary of a replay: a specification carried out step by step, without any abstraction.

An engine explores a `timewait.vocabulary.automaton.TimedAutomaton`; a run that it finds is carried out again on a
`ReplayState`, packet by packet, before anybody is shown it.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Protocol

from timewait.vocabulary.automaton import Action


class ImpossibleMove(Exception):
    """A move that the specification does not allow; the message says why."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One copy of something sent.

    Attributes
    ----------
    number : int
        Its number among all copies of a run, lost ones too, counted from 1 in the order of sending.
    sender, receiver : str
        Who sent it, and to whom.
    text : str
        What was sent, as people write it; copies of one thing have the same text.
    fields : tuple of (str, int)
        What it carries, by name.
    sent : Fraction
        When it was sent, in seconds since the start of the run.
    expires : Fraction
        The last instant at which it may arrive.
    lost : bool
        Whether the network loses it.
    """

    number: int
    sender: str
    receiver: str
    text: str
    fields: tuple[tuple[str, int], ...]
    sent: Fraction
    expires: Fraction
    lost: bool = False

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class RunningTimer:
    """A timer that runs.

    Attributes
    ----------
    name, owner : str
        Which timer, and whose.
    since : Fraction
        When it started, in seconds since the start of the run.
    limit : Fraction
        Its length in seconds.
    strict : bool
        Whether it runs out only after its whole length, at any instant later; otherwise at its length at the latest.
    """

    name: str
    owner: str
    since: Fraction
    limit: Fraction
    strict: bool


@dataclass(frozen=True, slots=True)
class Event:
    """One step of a replay; as text, for instance ``A receives FIN+ACK seq=1 ack=2``.

    Attributes
    ----------
    actor : str
        Who acted.
    text : str
        What happened, for instance ``receives FIN+ACK seq=1 ack=2``.
    received : Packet or None
        The copy that arrived, if one did.
    sent : tuple of Packet
        What was sent in consequence.
    rules : tuple of (str, str, str)
        The rules applied: name, section, words.
    breaks : tuple of (str, str)
        The ``always`` properties broken by it, each with the part of it that fails.
    """

    actor: str
    text: str
    received: Packet | None = None
    sent: tuple[Packet, ...] = ()
    rules: tuple[tuple[str, str, str], ...] = ()
    breaks: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        return f"{self.actor} {self.text}"


class ReplayState(Protocol):
    """One moment of a replay: the specification carried out step by step, without any abstraction."""

    @property
    def broken(self) -> frozenset[str]:
        """The ``always`` properties that the last step broke."""

    @property
    def pending(self) -> frozenset[str]:
        """The ``eventually`` properties whose promise is open now."""

    @property
    def recurrent(self) -> frozenset[str]:
        """The ``eventually`` properties for which the last step was noise."""

    @property
    def event(self) -> Event:
        """What the last step did."""

    def wait(self, delay: Fraction) -> ReplayState:
        """The world some seconds later; raises `ImpossibleMove` when something must happen before."""

    def act(self, action: Action) -> tuple[ReplayState, ...]:
        """The worlds that an action may lead to, the likeliest first; raises `ImpossibleMove` when there is none."""

    def state(self) -> Mapping[str, str | int]:
        """Every variable a reader may want to see, by name."""

    def in_flight(self) -> tuple[Packet, ...]:
        """The copies that may still arrive."""

    def timers(self) -> tuple[RunningTimer, ...]:
        """The timers that run."""

    def about(self) -> Mapping[str, Any]:
        """What is carried out, as plain data."""

    def loop_key(self) -> Hashable:
        """What must be the same again when a run repeats itself."""
