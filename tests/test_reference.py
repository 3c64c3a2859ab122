"""The reference semantics: what its states have in common, whatever happens, and records of everything that they show."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
from openings import OLD_FIN, OPENED
from reference_walks import RECORD, WALKED, account, walk

from timewait.spec.exchange import ENDS
from timewait.spec.handshake import LOST_MEMORY
from timewait.spec.incarnation import harm_rule
from timewait.spec.outcome import Call, Timer
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.reference_packets import TimedPacket
from timewait.spec.segment import PacketInFlight
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove

every_walk = pytest.mark.parametrize("name", WALKED)


@every_walk
def test_everything_is_as_recorded(name: str) -> None:
    """``python tests/mutation.py --record`` records it anew: read what has changed before."""
    assert account(name) == json.loads(RECORD.read_text(encoding="utf-8"))[name]


def states(name: str) -> list[ReferenceState]:
    """The states of some walks, and all that any action leads to from there."""
    found = []
    for seed in range(2):
        for state, tried in walk(name, seed):
            found += [state, *(after for _, afters in tried if not isinstance(afters, str) for after in afters)]
    return found


@every_walk
def test_packets_live_no_longer_than_msl(name: str) -> None:
    """Nothing older is in flight, what must be delivered stops time, and copies are numbered in the order of sending."""
    for state in states(name):
        msl, ages = state.configuration.msl, [state.now - entry.sent for entry in state.in_transit if not entry.is_new]
        assert all(0 <= age <= msl for age in ages)
        numbers = [entry.number for entry in state.in_transit]
        assert numbers == sorted(set(numbers))
        assert max(numbers, default=0) <= state.copies
        due = [state.now - entry.sent for entry in state.in_transit if entry.packet.must_be_delivered]
        if due:
            with pytest.raises(ImpossibleMove):
                state.wait(msl - max(due) + Fraction(1, 10**9))


@every_walk
def test_the_network_keeps_to_its_limits(name: str) -> None:
    """Losses of a loss window, and how often a copy arrives; what is sent and not lost is in flight."""
    for state in states(name):
        given = state.configuration
        assert given.loss is None or max(state.lost) <= given.loss
        assert not (given.lossless and any(packet.lost for packet in state.event.sent))
        for entry in state.in_transit:
            left = entry.packet.left
            assert (left is None) == (given.duplication is None or entry.is_new)
            assert left is None or 0 <= left <= (given.duplication or 0)
        sent = {packet.number for packet in state.event.sent if packet.sent == state.now and not packet.lost}
        assert sent <= {entry.number for entry in state.in_transit}


@every_walk
def test_timers_expire_when_they_may(name: str) -> None:
    """A retransmission no later than its gap, any other timer only after its length; none runs where both have reopened."""
    for state in states(name):
        for timer in state.timers():
            old = not state.incarnations[ENDS.index(timer.owner)]
            if timer.name == Timer.RETRANSMISSION and old:
                assert state.now - timer.since <= timer.limit
                assert not timer.strict
        assert not (state.reopened and state.timers())


def test_only_the_end_that_crashed_keeps_quiet() -> None:
    """Its host opens no connection until the quiet time has passed; the peer may open at once."""
    state = initial_state(WALKED["A crashes"])
    for action in (Action("call", "B", Call.ABORT, (True,)), Action("crash", "A", LOST_MEMORY)):
        (state,) = state.act(action)
    (after,) = state.act(Action("call", "B", Call.OPEN_PASSIVE))
    assert after.incarnations == (0, 1)
    opening = Action("call", "A", Call.OPEN_PASSIVE)
    for delay in (Fraction(0), Fraction(1)):
        with pytest.raises(ImpossibleMove, match=r"^A cannot open the next incarnation yet$"):
            state.wait(delay).act(opening)
    (after,) = state.wait(Fraction(1) + Fraction(1, 10**9)).act(opening)
    assert after.incarnations == (1, 0)


def test_a_harm_in_the_next_incarnation_cites_its_rule() -> None:
    """An old FIN that its receiver accepts breaks isolation, and the event has the rule of the harm with its section."""
    in_flight = (TimedPacket(PacketInFlight("B", OLD_FIN, False, None), 1, Fraction(0)),)
    start = initial_state(WALKED["opens"])
    state = replace(start, ends=(OPENED, OPENED), incarnations=(1, 1), in_transit=in_flight, copies=1)
    harmful = [after for after in state.act(Action("deliver", "A", ("B", OLD_FIN), (False,))) if "old-fin" in after.broken]
    assert harmful
    for after in harmful:
        assert "isolation" in after.broken
        assert after.event.rules[-1] == harm_rule("old-fin")


def test_a_segment_of_the_next_incarnation_may_arrive_again() -> None:
    """The limit on copies is one of the close; it holds for old segments alone."""
    start = initial_state(WALKED["opens, each copy once"])
    opened = replace(start, ends=(OPENED, OPENED), incarnations=(1, 1))
    for state, left in ((start, 0), (opened, None)):
        (after,) = state.act(Action("call", "A", Call.SEND, (False,)))
        assert after.in_transit[-1].packet.left == left
