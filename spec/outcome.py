"""The vocabulary of an endpoint: its timers, the calls of its user, and the outcome of an event."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from timewait.spec.segment import Segment
from timewait.spec.state import Block


class Timer(StrEnum):
    """The timers of an endpoint (RFC 9293 3.10.8)."""

    RETRANSMISSION = "retransmission"
    TIME_WAIT = "time-wait"
    FIN_WAIT_2 = "fin-wait-2"
    LIMIT = "limit"
    """The limit of another state, where the stack has one."""


class Call(StrEnum):
    """The user calls (RFC 9293 3.10.1 to 3.10.5)."""

    OPEN_ACTIVE = "OPEN (active)"
    OPEN_PASSIVE = "OPEN (passive)"
    SEND = "SEND"
    CLOSE = "CLOSE"
    ABORT = "ABORT"


class Effect(StrEnum):
    """What a step means outside the endpoint, for the properties and the loss windows."""

    FIN_ACCEPTED = "fin accepted"
    """A FIN of the peer was accepted, for the first time or again in TIME-WAIT."""
    RESET = "reset"
    """A RST ended the connection."""
    GAVE_UP = "gave up"
    """The endpoint itself dropped the connection before an orderly close."""
    UNKNOWN = "unknown connection"
    """A RST was sent because no such connection exists."""
    ASSASSINATED = "assassinated"
    """A RST ended TIME-WAIT (RFC 1337)."""
    NOT_RESTARTED = "not restarted"
    """A further copy of a FIN reached TIME-WAIT and did not restart its timer."""
    LIMITED = "limited"
    """A limit on answers may suppress the answer."""


class Outcome(NamedTuple):
    """The outcome of an event.

    Attributes
    ----------
    block : Block
        The new control block.
    replies : tuple of Segment
        The segments sent, in order.
    started : frozenset of Timer
        The timers that start or restart.
    rules : tuple of str
        The rules applied, in order; see `RULES`.
    effects : frozenset of Effect
        What the event means outside the endpoint.
    """

    block: Block
    replies: tuple[Segment, ...] = ()
    started: frozenset[Timer] = frozenset()
    rules: tuple[str, ...] = ()
    effects: frozenset[Effect] = frozenset()

    def then(self, later: Outcome) -> Outcome:
        """The outcome followed by a later outcome of the same event."""
        return Outcome(
            later.block,
            self.replies + later.replies,
            self.started | later.started,
            self.rules + later.rules,
            self.effects | later.effects,
        )
