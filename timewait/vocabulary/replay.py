"""The vocabulary of a replay: the specification carried out step by step, without any abstraction.

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
    """A copy of a segment in flight.

    Attributes
    ----------
    number : int
        Its number among all copies of a run, lost ones included, from 1 in the order of sending.
    sender, receiver : str
        The ends that send and receive it.
    text : str
        The segment as text; copies of one segment have the same text.
    fields : tuple of (str, int)
        The fields of the segment, by name.
    sent : Fraction
        The time of sending, in seconds since the start of the run.
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
    """A running timer.

    Attributes
    ----------
    name, owner : str
        The timer, and the end that it belongs to.
    since : Fraction
        The time of its start, in seconds since the start of the run.
    limit : Fraction
        Its length in seconds.
    strict : bool
        Whether it expires at any instant after its length; otherwise no later than its length.
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
        The end that acted, ``users`` or ``network``.
    text : str
        What happened, for instance ``receives FIN+ACK seq=1 ack=2``.
    received : Packet or None
        The copy that arrived, if one did.
    sent : tuple of Packet
        The copies sent in consequence.
    rules : tuple of (str, str, str)
        The rules applied: name, section, sentence.
    breaks : tuple of (str, str)
        The ``always`` properties that the step violates, each with the conjunct that fails.
    frames : tuple of int
        Of a step read from a packet capture, the frames that show it.
    starts : tuple of str or None
        The timers of the actor that start or restart, by name; None if the source of the event does not say.
    """

    actor: str
    text: str
    received: Packet | None = None
    sent: tuple[Packet, ...] = ()
    rules: tuple[tuple[str, str, str], ...] = ()
    breaks: tuple[tuple[str, str], ...] = ()
    frames: tuple[int, ...] = ()
    starts: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.actor} {self.text}"


class ReplayState(Protocol):
    """A state of a replay: the specification carried out step by step, without any abstraction."""

    @property
    def broken(self) -> frozenset[str]:
        """The ``always`` properties that the last step violated."""

    @property
    def pending(self) -> frozenset[str]:
        """The ``eventually`` properties that are pending."""

    @property
    def recurrent(self) -> frozenset[str]:
        """The ``eventually`` properties for which the last step was a recurrent event."""

    @property
    def event(self) -> Event:
        """The event of the last step."""

    def wait(self, delay: Fraction) -> ReplayState:
        """The state some seconds later; raises `ImpossibleMove` when something must happen before."""

    def act(self, action: Action) -> tuple[ReplayState, ...]:
        """The states that an action may lead to, the likeliest first; raises `ImpossibleMove` when there is none."""

    def state(self) -> Mapping[str, str | int]:
        """Every variable of the state, by name."""

    def in_flight(self) -> tuple[Packet, ...]:
        """The copies that may still arrive."""

    def timers(self) -> tuple[RunningTimer, ...]:
        """The running timers."""

    def about(self) -> Mapping[str, Any]:
        """The configuration that is carried out, as plain data."""

    def loop_key(self) -> Hashable:
        """The loop key: equal for two states of a run that repeats itself."""
