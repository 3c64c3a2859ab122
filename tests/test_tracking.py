"""A middlebox as it tracks a connection: what it forgets when, and what each packet leads to."""

from __future__ import annotations

from fractions import Fraction

import pytest

from timewait.spec.middlebox import BOXES, Forwarding, Middlebox, TrackedConnection, TrackedPhase, passes
from timewait.spec.segment import Segment

TEXT, FIN, SYN, RST = Segment(1, ack=1, length=1), Segment(1, ack=1, fin=True), Segment(0, syn=True), Segment(1, rst=True)
every_box = pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)


@every_box
@pytest.mark.parametrize("phase", TrackedPhase)
@pytest.mark.parametrize("sender", ["A", "B"])
def test_each_phase_is_forgotten_at_its_time(sender: str, phase: TrackedPhase, box: Middlebox) -> None:
    """Up to the stated time a packet passes, after it the packet is dropped or reset."""
    entry = TrackedConnection(phase, Fraction(5))
    limit = 5 + box.remembers[phase]
    assert passes(box, entry, limit, sender, TEXT)[1] is Forwarding.FORWARDED
    assert passes(box, entry, limit + 1, sender, TEXT) == (
        None,
        Forwarding.RESET if sender in box.resets else Forwarding.DROPPED,
    )
    assert passes(box, entry, limit + 1, sender, SYN)[1] is Forwarding.FORWARDED


def test_phases_of_a_close() -> None:
    """As in the table of Linux: an orderly close, a FIN that is retransmitted, a RST, and a SYN afterwards."""
    box, entry = BOXES["conntrack"], None
    seen: list[str] = []
    for segment in (SYN, Segment(0, ack=1, syn=True), TEXT, FIN, TEXT, FIN, TEXT, FIN, TEXT, RST, TEXT, SYN):
        entry, delivery = passes(box, entry, Fraction(0), "A", segment)
        assert entry is not None
        assert delivery is Forwarding.FORWARDED
        seen.append(entry.phase)
    closing = ["first FIN", "half-closed", "last ACK", "closed", "closed", "closed"]
    assert seen == ["opening", "opening", "open", *closing, "reset", "reset", "opening"]
    again, _ = passes(box, TrackedConnection(TrackedPhase.FIRST_FIN, Fraction(0)), Fraction(1), "A", FIN)
    assert again == TrackedConnection(TrackedPhase.LAST_ACK, Fraction(1))


def test_a_syn_begins_a_connection_only_where_there_is_none() -> None:
    """One of a connection that is open changes nothing, one of a closed or reset connection begins anew; SYN,ACK never does."""
    box = BOXES["conntrack"]
    for phase in TrackedPhase:
        over = phase in (TrackedPhase.CLOSED, TrackedPhase.RESET)
        after, delivery = passes(box, TrackedConnection(phase, Fraction(0)), Fraction(1), "A", SYN)
        assert after == TrackedConnection(TrackedPhase.OPENING if over else phase, Fraction(1))
        assert delivery is Forwarding.FORWARDED
    assert passes(box, None, Fraction(1), "B", Segment(0, ack=1, syn=True)) == (None, Forwarding.DROPPED)
