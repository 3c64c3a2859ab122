"""The facts of one incarnation, judged from its packets alone: how it ended, who closed, what deviates, what is unknown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.connections import Connection
from timewait.captures.deviations import deviations
from timewait.captures.end_states import end_state
from timewait.captures.facts import ConnectionFacts, Reopening, Totals
from timewait.captures.fins import fin_facts, surely_acknowledged
from timewait.captures.headers import ACK, SYN, CapturedPacket, Socket
from timewait.captures.kept_packets import captured_segments, is_zero_window
from timewait.captures.observations import (
    CloseKind,
    EndState,
    FinFacts,
    FinPair,
    ResetCause,
    ResetFacts,
    Retransmission,
    TimeWaitEntry,
)
from timewait.captures.passages import Passage, Passages
from timewait.captures.resets import reset_facts
from timewait.captures.time_wait_facts import (
    reset_arrivals,
    states_left,
    time_wait_arrivals,
    time_wait_began,
    time_wait_entered,
)
from timewait.captures.trace_start import UNSEEN
from timewait.captures.unknowns import missing_octets, unknowns
from timewait.spec.exchange import ENDS
from timewait.spec.state import State

ENDING = frozenset(
    {
        ResetCause.ABORT,
        ResetCause.LATE_TEXT,
        ResetCause.RETRY_LIMIT,
        ResetCause.KEEP_ALIVE,
        ResetCause.FORGOTTEN,
        ResetCause.LEFT_TIME_WAIT,
        ResetCause.DEVICE,
    }
)
"""Causes of a RST that ends an open connection."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A connection to be judged.

    Attributes
    ----------
    connection : Connection
        The connection.
    found : Passages
        Its packets, with A as end 0.
    ends : (Socket, Socket)
        The sockets of A and B.
    ended : int
        The end of the capture in nanoseconds since 1970.
    msl : Fraction
        The assumed maximum segment lifetime, in seconds.
    """

    connection: Connection
    found: Passages
    ends: tuple[Socket, Socket]
    ended: int
    msl: Fraction


def judge(case: Judged) -> ConnectionFacts:
    """The facts of a connection."""
    connection, found = case.connection, case.found
    fins = fin_facts(found)
    resets = reset_facts(found, fins, connection.established)
    entered = tuple(time_wait_entered(found, fins, side) for side in (0, 1))
    accepted = None if connection.reopened is None else (*connection.reopened, 0)
    waits = [(side, passage) for side, passage in enumerate(entered) if passage is not None]
    arrivals = tuple(it for side, passage in waits for it in time_wait_arrivals(found, fins, side, passage))
    hit = tuple(it for side, passage in waits for it in reset_arrivals(found, fins, side, passage, accepted))
    left = tuple(states_left(found, fins, resets))
    again = tuple(_retransmissions(found))
    kind, by = _kind(connection, fins, resets)
    return ConnectionFacts(
        ends=case.ends,
        opener=_opener(case),
        incarnation=connection.incarnation,
        frames=connection.frames,
        started=found.started,
        began=found.seconds(connection.times[0]),
        finished=found.seconds(connection.times[1]),
        lasted=max(found.seconds(case.ended), Fraction(0)),
        kind=kind,
        by=by,
        fins=fins,
        states=_states(case, fins, resets, hit),
        totals=(_totals(found, 0, fins[0]), _totals(found, 1, fins[1])),
        resets=resets,
        deviations=deviations(found, fins, resets, again, left, case.msl),
        unknowns=unknowns(found, fins, resets, hit, arrivals),
        retransmissions=again,
        time_wait_arrivals=arrivals,
        reset_arrivals=hit,
        states_left=left,
        entered=(_entered(found, fins, 0, entered[0]), _entered(found, fins, 1, entered[1])),
        reopening=_reopening(connection, found),
        challenges=_challenges(connection),
        captured_twice=connection.captured_twice,
        truncated=connection.truncated,
    )


def _entered(found: Passages, fins: FinPair, side: int, shown: Passage | None) -> TimeWaitEntry | None:
    if shown is None:
        return None
    return TimeWaitEntry(found.seconds(time_wait_began(found, side, shown)), surely_acknowledged(found, fins, side))


def _opener(case: Judged) -> str:
    """The end that sent a SYN without ACK; empty where the capture lacks it."""
    if case.connection.opened is None:
        return ""
    opening = (it.sender for it in case.connection.kept.records() if it.flags & (SYN | ACK) == SYN and it.seq == 0)
    sender = next(opening, None)
    return "" if sender is None else ENDS[case.ends.index(case.connection.ends[sender])]


# --- the kind of close -----------------------------------------------------------------------------------------------


def _kind(connection: Connection, fins: FinPair, resets: tuple[ResetFacts, ...]) -> tuple[CloseKind, str]:
    """How the connection ended, and by whom it was reset."""
    if not connection.closes:
        return _kind_of_open(connection, resets)
    first, second = fins
    ending = next((it for it in resets if it.cause in ENDING), None)
    complete = first is not None and second is not None and first.acknowledged is not None and second.acknowledged is not None
    if ending is not None:
        by = "device" if ending.cause is ResetCause.DEVICE else ending.end
        answers_fin = ending.cause in (ResetCause.FORGOTTEN, ResetCause.LEFT_TIME_WAIT)
        if first is not None and second is not None and answers_fin:
            return CloseKind.CUT_OFF, by
        if ending.cause in (ResetCause.RETRY_LIMIT, ResetCause.KEEP_ALIVE):
            return CloseKind.GAVE_UP, by
        if not complete:
            return CloseKind.RESET, by
    if complete and first is not None and second is not None:
        crossing = first.knew is False and second.knew is False
        return CloseKind.SIMULTANEOUS if crossing else CloseKind.IN_ORDER, ""
    if first is not None and second is not None:
        return CloseKind.CLOSING, ""
    if first is not None or second is not None:
        return CloseKind.HALF_CLOSED, ""
    return CloseKind.OPEN, ""


def _kind_of_open(connection: Connection, resets: tuple[ResetFacts, ...]) -> tuple[CloseKind, str]:
    if connection.established:
        return CloseKind.OPEN, ""
    if resets:
        return CloseKind.REFUSED, "device" if resets[0].cause is ResetCause.DEVICE else resets[0].end
    if all(side.packets for side in connection.directions):
        return CloseKind.OPENING, ""
    return (CloseKind.CHALLENGED if connection.challenges else CloseKind.UNANSWERED), ""


# --- states, totals, reuse -------------------------------------------------------------------------------------------


def _states(case: Judged, fins: FinPair, resets: tuple[ResetFacts, ...], hit: tuple) -> tuple[EndState, EndState]:  # type: ignore[type-arg]
    connection = case.connection
    if not connection.closes:
        kind = _kind(connection, fins, resets)[0]
        if kind is CloseKind.OPEN:
            state = _established(case.found)
            return state, state
        closed = {reset.end for reset in resets if ResetCause.DEVICE not in reset.causes}
        likely = (State.CLOSED, State.CLOSED) if kind is CloseKind.REFUSED else (State.SYN_SENT, State.LISTEN)
        # The capture may show one direction only, or drop what followed.
        possible = [frozenset({State.CLOSED} if end in closed else State) for end in ENDS]
        return EndState(likely[0], possible[0]), EndState(likely[1], possible[1])
    opened = set() if connection.next is None else connection.next.opened_by
    first, second = (end_state(case.found, fins, side, resets, hit, case.ends[side] in opened) for side in (0, 1))
    return first, second


def _established(found: Passages) -> EndState:
    """The state of both ends where neither closes in the capture: they may have closed before it began, or with what it lacks.

    Where the capture lacks the SYN of an end, its numbers may begin after a FIN.
    """
    text = any(side.octets for side in found.directions)
    if all(side.opening for side in found.directions) and not found.lossy:
        return EndState(State.ESTABLISHED, frozenset({State.ESTABLISHED}))
    opening = {State.LISTEN, State.SYN_SENT, State.SYN_RECEIVED}
    return EndState(State.ESTABLISHED if text or not found.began_late else None, frozenset(State) - opening)


def _totals(found: Passages, side: int, fin: FinFacts | None) -> Totals:
    own = found.directions[side]
    response = None if own.response is None else Fraction(own.response, NANOSECONDS)
    return Totals(own.packets, own.octets, own.repeated, missing_octets(found, side, fin), response)


def _reopening(connection: Connection, found: Passages) -> Reopening | None:
    following = connection.next
    if following is None:
        return None
    syns = _at_first_interface(
        it.packet for it in captured_segments(following.items) if it.packet.flags & SYN and it.packet.ack is None
    )
    accepted = None if following.accepted is None else found.seconds(following.accepted[0])
    frames = tuple(packet.frame for packet in syns)
    return Reopening(found.seconds(following.times[0]), len(syns), frames, accepted)


def _at_first_interface(packets: Iterable[CapturedPacket]) -> list[CapturedPacket]:
    """The packets of the interface of the first of them: a capture of two interfaces has each packet twice."""
    found = list(packets)
    return [packet for packet in found if packet.interface == found[0].interface]


def _challenges(connection: Connection) -> tuple[tuple[int, int], ...]:
    kept = {syn.frame for syn in _at_first_interface(sorted((syn for syn, _ in connection.challenges), key=lambda it: it.frame))}
    return tuple((syn.frame, answer.frame) for syn, answer in connection.challenges if syn.frame in kept)


# --- retransmissions -------------------------------------------------------------------------------------------------


def _retransmissions(found: Passages) -> Iterator[Retransmission]:
    """Text and FINs sent again; copies made by the network are left out.

    A FIN is the same with or without text before it; text is the same if it begins and ends alike. A single octet into a window
    of zero is a probe of the persist timer (RFC 9293 3.8.6.1).
    """
    sent: dict[tuple[int, int, int], list[Passage]] = defaultdict(list)
    oldest: dict[tuple[int, int, int], bool] = {}
    acknowledged = [0, 0]
    zero = [False, False]  # whether the end has closed its window
    challenged = [False, False]  # whether the other end has just sent a SYN of the next incarnation
    for passage in found.all:
        segment, side = passage.segment, passage.sender
        probe = segment.length == 1 and not segment.fin and zero[1 - side]
        text = (segment.length or segment.fin) and not segment.rst and not segment.syn and not probe
        zero[side] = is_zero_window(passage.captured)
        if text and passage.frame != UNSEEN and not passage.duplicate:
            key = side, 0 if segment.fin else segment.seq, segment.end
            earlier = sent[key]
            if earlier:
                answers = (segment.ack or 0) > acknowledged[side] or challenged[side]
                yield _retransmission(found, passage, earlier, timed=not answers, oldest=oldest[key])
            earlier.append(passage)
            oldest[key] = acknowledged[1 - side] >= segment.seq
        challenged[1 - side] = segment.syn and segment.seq != 0
        challenged[side] = False
        if not segment.rst and segment.ack is not None:
            acknowledged[side] = max(acknowledged[side], segment.ack)


def _retransmission(
    found: Passages, passage: Passage, earlier: Sequence[Passage], *, timed: bool, oldest: bool
) -> Retransmission:
    gap = Fraction(passage.time - earlier[-1].time, NANOSECONDS)
    alike = any(it.captured.copy_key == passage.captured.copy_key for it in earlier)
    distinct = passage.fresh and (bool(passage.captured.packet.ident) or not alike)
    certain = (
        distinct and found.shows_first_passages(passage.sender) and found.at_sender(passage) and found.at_sender(earlier[-1])
    )
    end, time = ENDS[passage.sender], found.seconds(passage.time)
    return Retransmission(end, time, passage.frame, gap, len(earlier), passage.segment.fin, timed, oldest, certain)
