"""Deviations from the standard that no reading of a capture explains away.

A capture at one place may lack packets, and packets may overtake one another, be lost, or be duplicated. An end is accused
only of what none of this explains; a device on the way that changes or sends packets always remains, and is stated.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from timewait.captures.observations import (
    LEAST_CAP,
    Certainty,
    Deviation,
    FinPair,
    ResetCause,
    ResetFacts,
    Retransmission,
    StateLeft,
)
from timewait.captures.passages import Passage, Passages
from timewait.narration.prose import rounded
from timewait.spec.exchange import ENDS
from timewait.spec.state import State

PADDING = 6
"""Octets that pad a short frame, and that some captures count as text."""

FAR = 1 << 24
"""Numbers so far apart belong to another connection, or are damaged."""

DEVICE = "a device on the way sent or changed the packet"
OTHER_CONNECTION = f"{DEVICE}, or it belongs to another connection on the same addresses and ports"


def deviations(
    found: Passages,
    fins: FinPair,
    resets: tuple[ResetFacts, ...],
    retransmissions: tuple[Retransmission, ...],
    left: tuple[StateLeft, ...],
    msl: Fraction,
) -> tuple[Deviation, ...]:
    """The deviations of both ends, in order of time.

    Parameters
    ----------
    msl : Fraction
        The assumed maximum segment lifetime, in seconds.
    """
    first_reset = next((it.time for it in resets if it.cause is not ResetCause.SYN_SENT), None)
    made = [
        *_beyond_fin(found, fins),
        *_moved_fins(found, fins),
        *_without_ack(found, first_reset),
        *_without_back_off(retransmissions),
        *_short_time_waits(found, fins, left, resets, msl),
    ]
    return tuple(sorted(made, key=lambda it: it.time))


def _beyond_fin(found: Passages, fins: FinPair) -> Iterator[Deviation]:
    for side, fin in enumerate(fins):
        if fin is None or not fin.captured:
            continue
        for passage in found.of(side):
            segment = passage.segment
            probe = segment.length <= 1 and segment.seq == fin.number - 1
            beyond = PADDING < segment.seq + segment.length - (fin.number - 1) < FAR and segment.length > PADDING
            if beyond and not probe and not segment.rst and not segment.fin and not segment.syn:
                text = f"sends {segment}, beyond its FIN"
                if found.seconds(passage.time) < fin.time:
                    text = (
                        f"sends its FIN with sequence number {fin.number - 1}, below the end of text that it had sent: {segment}"
                    )
                yield _certain("beyond-fin", found, passage, "RFC 9293 3.10.2", text, (fin.frame,), OTHER_CONNECTION)
                break


def _moved_fins(found: Passages, fins: FinPair) -> Iterator[Deviation]:
    for side, fin in enumerate(fins):
        if fin is None or not fin.captured:
            continue
        copies = (it for it in found.of(side) if it.segment.fin and not it.segment.rst)
        moved = (it for it in copies if 0 < abs(it.segment.end - fin.number) < FAR)
        passage = next(moved, None)
        if passage is not None:
            number = passage.segment.end - 1
            text = f"sends its FIN with sequence number {number} after sending it with {fin.number - 1}"
            yield _certain("moved-fin", found, passage, "RFC 9293 3.4", text, (fin.frame,), OTHER_CONNECTION)


def _without_ack(found: Passages, first_reset: Fraction | None) -> Iterator[Deviation]:
    for side in (0, 1):
        bare = (it for it in found.of(side) if it.segment.ack is None and not it.segment.syn and not it.segment.rst)
        passage = next(bare, None)
        spoke = passage is not None and any(it.segment.ack is not None for it in found.of(side, before=passage.order))
        # Without anything before it, it is a scan and no connection.
        if passage is not None and spoke and (first_reset is None or found.seconds(passage.time) < first_reset):
            text = f"sends {passage.segment}, without the ACK bit"
            yield _certain("no-ack-bit", found, passage, "RFC 9293 3.1", text, (), DEVICE)


def _certain(
    kind: str, found: Passages, passage: Passage, section: str, text: str, frames: tuple[int, ...], otherwise: str
) -> Deviation:
    shown = tuple(sorted({frame for frame in (*frames, passage.frame) if frame}))
    time = found.seconds(passage.time)
    return Deviation(kind, ENDS[passage.sender], time, shown, section, text, Certainty.CERTAIN, otherwise)


def _without_back_off(retransmissions: tuple[Retransmission, ...]) -> Iterator[Deviation]:
    """Three successive waits of which the last is not much longer than the first.

    Where the timeout doubles, the third of three waits is more than twice the first even if the capture lacks some of the
    transmissions. The very first wait may be that of a loss probe (RFC 8985). A wait at the maximum need not double.
    """
    for end in ENDS:
        timed = [it for it in retransmissions if it.end == end and it.fin and it.shows_timeout][1:]
        for first, second in pairwise(timed):
            third = next((it for it in timed if it.before == second.before + 1), None)
            successive = third is not None and second.before == first.before + 1
            if third is None or not successive or third.gap >= LEAST_CAP or third.gap * 2 >= first.gap * 3:
                continue
            waits = f"{rounded(first.gap)}, {rounded(second.gap)} and {rounded(third.gap)}"
            yield Deviation(
                "no-back-off",
                end,
                third.time,
                (first.frame, second.frame, third.frame),
                "RFC 6298 5.5",
                f"retransmitted its FIN after {waits}: the timeout should have doubled",
                Certainty.CERTAIN,
                "something on the way delayed or repeated its packets",
            )
            break


def _short_time_waits(
    found: Passages, fins: FinPair, left: tuple[StateLeft, ...], resets: tuple[ResetFacts, ...], msl: Fraction
) -> Iterator[Deviation]:
    for state in left:
        reset = next(it for it in resets if it.frame == state.frame)
        side = ENDS.index(state.end)
        if state.state is not State.TIME_WAIT or state.within >= 2 * msl or not _still_waiting(found, fins, side, reset):
            continue
        text = f"had left TIME_WAIT after {rounded(state.within)}; 2 MSL are {rounded(2 * msl)}"
        frames = tuple(frame for frame in (reset.answers, reset.frame) if frame)
        otherwise = "its user dropped it, a RST that the capture lacks ended it, or a device on the way sent the RST"
        yield Deviation(
            "time-wait-left", state.end, reset.time, frames, "RFC 9293 3.6.1 MUST-13", text, Certainty.LIKELY, otherwise
        )


def _still_waiting(found: Passages, fins: FinPair, side: int, reset: ResetFacts) -> bool:
    """Whether the RST answers a retransmitted FIN: its sender still waited, and had therefore not sent a RST itself.

    A duplicate made by the network has the identification of the first copy.
    """
    fin = fins[1 - side]
    answered = next((it for it in found.of(1 - side) if it.frame == reset.answers and not it.duplicate), None)
    earlier = any(it.segment.rst for it in found.of(1 - side) if answered is None or it.order < answered.order)
    return fin is not None and answered is not None and answered.segment.fin and answered.frame != fin.frame and not earlier
