"""Closes after which the next incarnation opens by a handshake, and the control blocks that their tests use."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.incarnation import HARMS, crossings
from timewait.spec.old_syn import OLD_SYN
from timewait.spec.reopening import Crash, NextIncarnation, Reopen
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block, State

F = Fraction

ESTABLISHED = Block(State.ESTABLISHED, una=1, nxt=2, rcv=1, sent=1)
"""An end of the next incarnation with one octet outstanding."""
SYN_SENT = Block(State.SYN_SENT, nxt=1)
SYN_RECEIVED = Block(State.SYN_RECEIVED, nxt=1, rcv=1, passive=True)
OPENED = Block(State.ESTABLISHED, una=1, nxt=1, rcv=1)
OLD_FIN, OLD_TEXT, OLD_ACK = Segment(1, 1, fin=True), Segment(1, 1, length=1), Segment(2, 2)
OLD_RST = Segment(2, rst=True)
LISTEN = Block(State.LISTEN)
OLD_SYN_ACK = Segment(0, 1, syn=True)
NEW_SYN = Segment(0, syn=True, incarnation=1)
ACTIVE = SYN_RECEIVED._replace(passive=False)
TAKEN = Block(State.SYN_RECEIVED, una=0, nxt=1, rcv=OLD_SYN.end)
"""An end that took the old SYN for a new one."""

WAITING = Block(State.TIME_WAIT, una=2, nxt=2, rcv=2)
HALF_OPEN = Block(State.SYN_RECEIVED, una=2, nxt=3, rcv=501, passive=True, waited=2)
"""TIME-WAIT, and the half-open connection that an old SYN makes of it."""


def handshake(time_wait: int = 0, msl: int = 1, text: tuple[int, int] = (0, 0), loss: int = 0, **about: object) -> Configuration:
    """Return a close after which the next incarnation opens by a handshake; without TIME-WAIT where it lasts 0 s."""
    opening = NextIncarnation(Reopen.HANDSHAKE, **{"text": (0, 0)} | about)  # type: ignore[arg-type]
    behaviour = Behaviour(time_wait=time_wait > 0)
    return Configuration(F(msl), F(time_wait), (F(1),), loss=loss, text=text, behaviour=behaviour, reopening=opening)


def crashed(quiet: int, **about: Any) -> Configuration:
    """Return the last exchange without TIME-WAIT, in which A loses all memory and keeps quiet for some seconds."""
    return replace(handshake(crash=Crash.A, quiet=F(quiet), **about), scope=Scope.CORE)


def harms(block: Block, segment: Segment, peer: Block = OPENED, **about: object) -> set[str]:
    """Return the harms that an old segment of B may do to A in a state of the next incarnation."""
    found = crossings(handshake(**about), (block, peer), (1, 1), 0, segment)  # type: ignore[arg-type]
    return {name for crossing in found for name, _ in crossing.broken if name in HARMS}
