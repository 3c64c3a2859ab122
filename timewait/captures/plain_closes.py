"""The facts of a connection that plainly closed in order, without the general judgement, which takes ten times as long.

Nearly all connections of a large capture open, carry text, and close one end after the other, with nothing lost, repeated or
out of order. Then every fact follows from the kept packets directly. Whatever is not that plain is left to
`timewait.captures.judging`, which gives the same facts for the plain ones; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.connections import Connection
from timewait.captures.direction import Direction
from timewait.captures.facts import ConnectionFacts, Totals
from timewait.captures.fins import SHORTEST_TIMEOUT
from timewait.captures.headers import ACK, FIN, RST, SYN
from timewait.captures.kept_packets import PlainRecord
from timewait.captures.observations import CloseKind, EndState, FinFacts, TimeWaitEntry, Transmission
from timewait.captures.trace_start import capture_point_beside
from timewait.captures.unknowns import MAX_ACK_DELAY
from timewait.spec.exchange import ENDS
from timewait.spec.state import State

WAITING = EndState(State.TIME_WAIT, frozenset({State.TIME_WAIT}))
"""The end that closed first: it acknowledged the other's FIN, which acknowledged its own."""
DONE = EndState(State.CLOSED, frozenset({State.CLOSED}))
"""The other end, captured beside it: it received the last acknowledgement."""
LAST = EndState(State.CLOSED, frozenset({State.CLOSED, State.LAST_ACK}))
"""The same elsewhere: the capture cannot exclude that the last acknowledgement was lost."""
LAST_OR_FIRST = EndState(State.CLOSED, LAST.possible | {State.TIME_WAIT, State.CLOSING})
"""The same where its FIN is only likely to have answered the first one."""
DONE_OR_FIRST = EndState(State.CLOSED, DONE.possible | {State.TIME_WAIT})
"""The same, captured beside it."""

PROMPT_ANSWER = int(MAX_ACK_DELAY * NANOSECONDS)
"""Nanoseconds from which an acknowledgement is remarkably late."""


def plain_facts(connection: Connection, ended: int) -> ConnectionFacts | None:
    """The facts of a connection that plainly closed in order; None where it must be judged in general.

    Parameters
    ----------
    connection : Connection
        The connection.
    ended : int
        The end of the capture in nanoseconds since 1970.
    """
    if not _counts_plainly(connection):
        return None
    records = _in_order(connection)
    if records is None:
        return None
    first, second = (it for it in records if it.flags & FIN)  # one of each end: no end sends anything new after its FIN
    last = records[-1]
    theirs = [it for it in records if it.sender != first.sender]
    acknowledgement = next((it for it in theirs if it.ack >= _end(first)), None)
    if acknowledgement is None or last.sender != first.sender or last.ack < _end(second):
        return None
    if acknowledgement.length and acknowledgement is not second:
        return None
    # A FIN that comes long after the other one, and acknowledges it first, may be a retransmission of one that was lost.
    if acknowledgement is second and second.time - first.time >= SHORTEST_TIMEOUT:
        return None
    if second.ack < _end(first) or max(acknowledgement.time - first.time, last.time - second.time) >= PROMPT_ANSWER:
        return None
    beside = capture_point_beside(connection.hops) == ENDS[second.sender]
    at_once = beside and not connection.directions[second.sender].had_time(first.time, second.time)
    certain = acknowledgement is not second or at_once or _surely_knew(theirs, second)
    states = (LAST_OR_FIRST, LAST), (DONE_OR_FIRST, DONE)
    started = _started(connection, records, first)
    return _facts(connection, ended, started, (first, acknowledgement), (second, last), states[beside][certain])


def _surely_knew(theirs: Sequence[PlainRecord], fin: PlainRecord) -> bool:
    """Whether the FIN that answers the other one at once is certainly no retransmission of one that the capture lacks."""
    bare = (it for it in theirs if it.time < fin.time and not it.length and not it.flags & (SYN | FIN))
    return any(fin.time - it.time < SHORTEST_TIMEOUT for it in bare)


def _counts_plainly(connection: Connection) -> bool:
    """Whether the totals show no gap, no repetition and no second incarnation."""
    if not connection.over or connection.opened is None or connection.next is not None:
        return False
    if connection.several_interfaces or connection.challenges:
        return False
    one, other = connection.directions
    return not (
        one.repeated
        or other.repeated
        or one.missing
        or other.missing
        or one.acknowledges > other.high
        or other.acknowledges > one.high
    )


def _in_order(connection: Connection) -> list[PlainRecord] | None:
    """The kept packets, if every one goes on where its sender was, acknowledges what was captured, and says something new."""
    records = list(connection.kept.records())
    runs = iter([*connection.kept.runs, (len(records) + 1, None)])
    place, run = next(runs)
    high, acknowledged, closed, moment = [0, 0], [0, 0], [False, False], (-1, 0)
    for index, record in enumerate(records):
        time, frame, seq, ack, length, flags, sender = record
        while run is not None and place <= index:
            high = [max(old, new or 0) for old, new in zip(high, run.next_seq, strict=True)]
            place, run = next(runs)
        span = length + (flags & FIN) + bool(flags & SYN)
        if flags & RST or (closed[sender] and span):
            return None
        other = 1 - sender
        news = span or ack > acknowledged[sender]
        if seq != high[sender] or ack < acknowledged[sender] or ack > high[other] or not news or (time, frame) <= moment:
            return None
        moment = time, frame
        high[sender], acknowledged[sender] = seq + span, ack
        closed[sender] = closed[sender] or bool(flags & FIN)
    return records


def _end(record: PlainRecord) -> int:
    """The number after a FIN."""
    return record.seq + record.length + 1


def _started(connection: Connection, records: Sequence[PlainRecord], fin: PlainRecord) -> int:
    """The capture time of the first FIN, or of the oldest text still in flight then that was kept without a gap."""
    closing = records.index(fin)
    answered = [0, 0]
    for it in records[:closing]:
        answered[1 - it.sender] = max(answered[1 - it.sender], it.ack)
    gap = max((place for place, _ in connection.kept.runs if place <= closing), default=0)
    flying = (it.time for it in records[gap:closing] if it.length and it.seq + it.length > answered[it.sender])
    return next(flying, fin.time)


def _facts(
    connection: Connection,
    ended: int,
    started: int,
    first: tuple[PlainRecord, PlainRecord],
    second: tuple[PlainRecord, PlainRecord],
    state: EndState,
) -> ConnectionFacts:
    """The facts, from both FINs with their acknowledgements, and from the state of the end that closed second."""
    ends, directions, closer = connection.ends, connection.directions, first[0].sender
    if closer:
        ends, directions = ends[::-1], directions[::-1]
    began, finished = connection.times
    fins = (
        _fin("A", started, first, knew=False),
        _fin("B", started, second, knew=True)._replace(certain=state not in (LAST_OR_FIRST, DONE_OR_FIRST)),
    )
    return ConnectionFacts(
        ends=ends,
        opener=_opener(connection, closer),
        incarnation=connection.incarnation,
        frames=connection.frames,
        started=started,
        began=_seconds(began - started),
        finished=_seconds(finished - started),
        lasted=_seconds(max(ended - started, 0)),
        kind=CloseKind.IN_ORDER,
        by="",
        fins=fins,
        states=(WAITING, state),
        totals=(_totals(directions[0]), _totals(directions[1])),
        entered=(TimeWaitEntry(fins[1].time, certain=True), None),
        captured_twice=connection.captured_twice,
    )


def _opener(connection: Connection, closer: int) -> str:
    """The end that sent a SYN without ACK; there is one, since nothing acknowledges what was not captured."""
    opening = next(it for it in connection.kept.records() if it.flags & (SYN | ACK) == SYN)
    return ENDS[opening.sender ^ closer]


def _fin(end: str, started: int, found: tuple[PlainRecord, PlainRecord], *, knew: bool) -> FinFacts:
    sent, acknowledged = (Transmission(_seconds(it.time - started), it.frame, it.ack) for it in found)
    return FinFacts(end, _end(found[0]), (sent,), True, acknowledged, knew)


def _totals(side: Direction) -> Totals:
    return Totals(side.packets, side.octets, 0, 0, None if side.response is None else _seconds(side.response))


def _seconds(nanoseconds: int) -> Fraction:
    return Fraction(nanoseconds, NANOSECONDS)
