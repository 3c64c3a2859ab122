"""Connections of a capture chosen by what they are, by number, by address or by frame, and put in order."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from fractions import Fraction
from ipaddress import ip_address
from typing import NamedTuple

from timewait.captures.facts import ConnectionFacts
from timewait.captures.headers import Socket
from timewait.captures.observations import CloseKind
from timewait.vocabulary.errors import RequestError
from timewait.vocabulary.suggestions import advice

LISTED = "'timewait explain --help' lists them"
"""Where to find the groups of connections."""


class ConnectionGroup(NamedTuple):
    """A group of connections.

    Attributes
    ----------
    meaning : str
        What its connections have in common.
    holds : callable
        Whether a connection belongs to it.
    """

    meaning: str
    holds: Callable[[ConnectionFacts], bool]


def _of_kind(meaning: str, *kinds: CloseKind) -> ConnectionGroup:
    return ConnectionGroup(meaning, lambda facts: facts.kind in kinds)


GROUPS: dict[str, ConnectionGroup] = {
    "in-order": _of_kind("closed in order, one end first", CloseKind.IN_ORDER),
    "simultaneous": _of_kind("closed in order, by both ends simultaneously", CloseKind.SIMULTANEOUS),
    "closing": _of_kind("a FIN is not acknowledged in the capture", CloseKind.CLOSING),
    "half-closed": _of_kind("one end closed", CloseKind.HALF_CLOSED),
    "cut-off": _of_kind("reset before the close was complete", CloseKind.CUT_OFF),
    "gave-up": _of_kind("an end gave up without an answer", CloseKind.GAVE_UP),
    "reset": _of_kind("ended by a RST", CloseKind.RESET),
    "open": _of_kind("neither end closed", CloseKind.OPEN),
    "refused": _of_kind("a RST ended the opening", CloseKind.REFUSED),
    "unanswered": _of_kind("nothing answered the SYN", CloseKind.UNANSWERED),
    "challenged": _of_kind("the SYN was answered by the previous connection", CloseKind.CHALLENGED),
    "opening": _of_kind("the opening is not complete", CloseKind.OPENING),
    "look": ConnectionGroup("needs a look", lambda facts: facts.needs_a_look),
    "deviating": ConnectionGroup("an end deviates from the standard", lambda facts: bool(facts.deviations)),
    "unknown": ConnectionGroup("something that matters is not in the capture", lambda facts: bool(facts.unknowns)),
    "retransmitted": ConnectionGroup(
        "text or a FIN was retransmitted", lambda facts: any(total.repeated for total in facts.totals)
    ),
    "reused": ConnectionGroup("its addresses and ports were used again", lambda facts: facts.reopening is not None),
    "time-wait": ConnectionGroup("an end entered TIME_WAIT", lambda facts: any(entered is not None for entered in facts.entered)),
}
"""The groups that ``--only`` takes; the first ones, one for each kind of end, divide all connections."""

ORDERS: dict[str, Callable[[ConnectionFacts], Fraction | int]] = {
    "time": lambda facts: facts.frames[0],
    "duration": lambda facts: facts.began - facts.finished,
    "packets": lambda facts: -facts.packets_captured,
    "octets": lambda facts: -sum(total.octets for total in facts.totals),
    "retransmissions": lambda facts: -sum(total.repeated for total in facts.totals),
    "rtt": lambda facts: -(facts.round_trip or Fraction(0)),
}
"""The orders that ``--sort`` takes; all but the first put the largest first."""


def groups(text: str) -> tuple[str, ...]:
    """The groups in a list such as ``reset,unanswered``.

    Raises
    ------
    RequestError
        One is unknown.
    """
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [name for name in names if name not in GROUPS]
    if unknown or not names:
        wrong = unknown[0] if unknown else text
        raise RequestError(f"{wrong!r} is no group of connections; {advice(wrong, GROUPS, LISTED)}")
    return names


def matching(connections: Sequence[ConnectionFacts], names: Sequence[str]) -> list[int]:
    """The indices of the connections in some groups; of all where none is named."""
    if not names:
        return [*range(len(connections))]
    return [index for index, facts in enumerate(connections) if any(GROUPS[name].holds(facts) for name in names)]


class _End(NamedTuple):
    address: bytes
    port: int | None

    def is_at(self, socket: Socket) -> bool:
        return self.address == socket.address and self.port in (None, socket.port)


def chosen(connections: Sequence[ConnectionFacts], text: str) -> list[int]:
    """The indices of the connections that a text names.

    Parameters
    ----------
    connections : sequence of ConnectionFacts
        All connections.
    text : str
        A number from 1 (``3``), a frame (``frame:57``), an end (``192.0.2.1`` or ``192.0.2.1:80``), two ends
        (``192.0.2.1:40000-192.0.2.2:80``), either with an incarnation (``#2``).

    Raises
    ------
    RequestError
        The text names nothing.
    """
    if re.fullmatch(r"[0-9]{1,9}", text):
        return [int(text) - 1] if 1 <= int(text) <= len(connections) else []
    if found := re.fullmatch(r"frame:([0-9]{1,12})", text):
        frame = int(found[1])
        holding = [index for index, facts in enumerate(connections) if facts.frames[0] <= frame <= facts.frames[1]]
        exact = [index for index in holding if frame in _shown_frames(connections[index])]
        return exact or holding
    where, _, incarnation = text.partition("#")
    ends = [_end(part, text) for part in where.split("-")]
    if len(ends) > 2 or not re.fullmatch(r"[0-9]{0,9}", incarnation):
        raise _not_understood(text)
    return [
        index
        for index, facts in enumerate(connections)
        if _connects(facts, ends) and (not incarnation or facts.incarnation == int(incarnation))
    ]


def _shown_frames(facts: ConnectionFacts) -> set[int]:
    """The frames that the account of a connection names."""
    transmissions = [it.frame for fin in facts.fins if fin is not None for it in fin.transmissions]
    return {*facts.frames, *transmissions, *(reset.frame for reset in facts.resets), *(it.frame for it in facts.retransmissions)}


def _connects(facts: ConnectionFacts, ends: Sequence[_End]) -> bool:
    one, other = facts.ends
    if len(ends) == 1:
        return ends[0].is_at(one) or ends[0].is_at(other)
    first, second = ends
    return (first.is_at(one) and second.is_at(other)) or (first.is_at(other) and second.is_at(one))


def _end(text: str, whole: str) -> _End:
    """An address with or without a port: ``192.0.2.1:80``, ``[2001:db8::1]:80``, ``2001:db8::1``."""
    address, port = text.strip(), ""
    if found := re.fullmatch(r"\[([0-9a-fA-F.:]+)\](?::([0-9]{1,5}))?", address):
        address, port = found[1], found[2] or ""
    elif address.count(":") == 1 or "." in address:
        address, _, port = address.partition(":") if address.count(":") <= 1 else address.rpartition(":")
    elif (parts := address.rpartition(":"))[2].isdecimal() and address.count(":") > 7:
        address, port = parts[0], parts[2]
    if port and not re.fullmatch(r"[0-9]{1,5}", port):
        raise _not_understood(whole)
    try:
        return _End(ip_address(address).packed, int(port) if port else None)
    except ValueError:
        raise _not_understood(whole) from None


def _not_understood(text: str) -> RequestError:
    return RequestError(
        f"{text!r} is no connection; write its number, frame:57, or 192.0.2.1:40000-192.0.2.2:80 ([2001:db8::1]:80 for IPv6),"
        " with #2 for the second of several on the same addresses and ports"
    )


def display_filter(facts: ConnectionFacts) -> str:
    """The display filter of Wireshark that shows the packets of a connection and of no other incarnation."""
    first, second = facts.ends
    addresses = dict.fromkeys(
        f"{'ip' if len(socket.address) == 4 else 'ipv6'}.addr == {ip_address(socket.address)}" for socket in (first, second)
    )
    ports = dict.fromkeys(f"tcp.port == {socket.port}" for socket in (first, second))
    low, high = facts.frames
    return " && ".join([*addresses, *ports, f"frame.number >= {low}", f"frame.number <= {high}"])
