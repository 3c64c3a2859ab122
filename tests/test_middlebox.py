"""A middlebox that forgets connections at its own time."""

from __future__ import annotations

from fractions import Fraction

import pytest
from commands import run

from timewait.spec.middlebox import (
    BOXES,
    OPEN,
    Middlebox,
    TrackedConnection,
    TrackedPhase,
    UnknownRule,
    forgets_first,
    forgets_last,
    passes,
    through,
)
from timewait.spec.segment import Segment

TEXT = Segment(1, ack=1, length=1)


@pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)
@pytest.mark.parametrize("phase", TrackedPhase)
def test_each_phase_is_forgotten_at_its_time(phase: TrackedPhase, box: Middlebox) -> None:
    """Up to the stated time a packet passes, after it the packet is dropped or reset."""
    entry = TrackedConnection(phase, Fraction(5), {})
    limit = 5 + box.remembers[phase]
    assert passes(box, entry, limit, "A", TEXT)[1] == "forwarded"
    assert passes(box, entry, limit + 1, "A", TEXT) == (None, "dropped" if box.unknown is UnknownRule.DROP else "reset")


def test_an_orderly_close_ends_closed() -> None:
    """The phases in turn; a SYN opens a closed connection again, and a RST removes it."""
    found = forgets_last(BOXES["conntrack"], Fraction(60))
    assert [passage.phase for passage in found] == [
        TrackedPhase.HALF_CLOSED,
        TrackedPhase.LAST_ACK,
        TrackedPhase.CLOSED,
        TrackedPhase.CLOSED,
    ]
    syn = Segment(0, syn=True)
    assert [each.phase for each in through(BOXES["conntrack"], [(Fraction(0), "A", syn)], None)] == [TrackedPhase.OPENING]
    assert passes(BOXES["conntrack"], OPEN, Fraction(1), "A", Segment(1, rst=True)) == (None, "forwarded")


def test_the_box_forgets_first_or_last() -> None:
    """A half-close outlasts conntrack's 60 s and a cloud NAT's 350 s; a Linux TIME-WAIT does not outlast 120 s."""
    assert forgets_first(BOXES["conntrack"])[-1].fate == "dropped"
    assert forgets_first(BOXES["cloud-nat"])[-1].fate == "reset"
    assert forgets_last(BOXES["conntrack"], Fraction(60))[-1].fate == "forwarded"
    assert forgets_last(BOXES["conntrack"], Fraction(240))[-1].fate == "dropped"


@pytest.mark.parametrize("name", BOXES)
def test_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both runs, each with the fate of its last packet."""
    code, out, _ = run(capsys, "ways", "--box", name)
    assert code == 0
    assert "the box forgets first" in out
    assert "the box forgets last" in out
    assert BOXES[name].source.split()[0] in out
