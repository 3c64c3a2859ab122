"""What one old segment does to the next incarnation, and what is stated about it."""

from __future__ import annotations

from typing import Any

import pytest
from openings import (
    ESTABLISHED,
    HALF_OPEN,
    LISTEN,
    NEW_SYN,
    OLD_ACK,
    OLD_FIN,
    OLD_RST,
    OLD_SYN_ACK,
    OLD_TEXT,
    OPENED,
    SYN_RECEIVED,
    SYN_SENT,
    TAKEN,
    WAITING,
    F,
    handshake,
    harms,
)

from timewait.spec.endpoint import allowed_calls, segment_arrives
from timewait.spec.exchange import loss_windows
from timewait.spec.incarnation import (
    HARMS,
    INCARNATION_RULES,
    ISOLATION,
    UNDELAYED,
    UNKNOWN,
    KnownIsns,
    answers,
    crossings,
    harm_in_words,
    harm_of,
    harm_rule,
    rule_of,
    stamped,
)
from timewait.spec.old_syn import OLD_SYN, received
from timewait.spec.outcome import Timer
from timewait.spec.reference import initial_state
from timewait.spec.reopening import Numbers, Paws, SynRule
from timewait.spec.replies import earliest_unacknowledged
from timewait.spec.request import refused_by_ack
from timewait.spec.rules import RULES
from timewait.spec.segment import Segment
from timewait.spec.state import Block, State
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove


class TestOneArrival:
    """The effect of one old segment."""

    @pytest.mark.parametrize(
        ("block", "segment", "harm"),
        [
            (OPENED, OLD_TEXT, {"old-text"}),
            (OPENED, OLD_FIN, {"old-fin"}),
            (OPENED, OLD_RST, {"old-reset"}),
            (OPENED, OLD_ACK, set()),
            (ESTABLISHED, OLD_ACK, {"old-ack"}),
            (ESTABLISHED, OLD_FIN, {"old-fin", "old-ack"}),
            (SYN_RECEIVED, OLD_RST, set()),
            (SYN_RECEIVED._replace(passive=False), OLD_RST, {"old-reset"}),
            (SYN_RECEIVED, OLD_FIN, {"old-fin"}),
            (SYN_SENT, OLD_FIN, set()),
            (SYN_SENT, OLD_RST, set()),
            (Block(State.LISTEN), OLD_FIN, set()),
            (Block(State.LISTEN), OLD_RST, set()),
        ],
    )
    def test_worst(self, block: Block, segment: Segment, harm: set[str]) -> None:
        """The worst numbers: exactly next, with an ACK of everything outstanding."""
        assert harms(block, segment) == harm

    @pytest.mark.parametrize("segment", [OLD_FIN, OLD_TEXT, OLD_ACK, OLD_RST])
    @pytest.mark.parametrize("block", [OPENED, ESTABLISHED, SYN_RECEIVED, SYN_SENT, Block(State.LISTEN)])
    def test_above(self, block: Block, segment: Segment) -> None:
        """New numbers above all old ones: no harm in any state."""
        assert harms(block, segment, numbers=Numbers.ABOVE) == set()

    @pytest.mark.parametrize("segment", [OLD_FIN, OLD_TEXT, OLD_RST])
    @pytest.mark.parametrize("block", [OPENED, ESTABLISHED, SYN_RECEIVED, SYN_SENT])
    def test_known_isns(self, block: Block, segment: Segment) -> None:
        """An ISN at the number after the old FIN is enough; at the number of the FIN itself, an old RST is next."""
        ends = (block, OPENED)
        at, below = (crossings(handshake(), ends, (1, 1), 0, segment, (2, isn)) for isn in (2, 1))
        assert not any(crossing.harmful for crossing in at)
        accepted = segment is OLD_RST and block in (OPENED, ESTABLISHED)
        assert any(crossing.harmful for crossing in below) == accepted

    def test_an_unknown_isn_is_the_worst(self) -> None:
        """Where only the receiver's ISN is known, an old FIN may be next; where only the sender's is, its ACK may be."""
        own, peer = (crossings(handshake(), (ESTABLISHED, OPENED), (1, 1), 0, OLD_FIN, isns) for isns in ((2, None), (None, 2)))
        assert {name for crossing in own for name, _ in crossing.broken} == {ISOLATION, "old-fin"}
        assert not any(crossing.harmful for crossing in peer)

    def test_an_acknowledgement_of_what_arrived_is_no_harm(self) -> None:
        """An old ACK that acknowledges new text changes nothing if the peer has received that text."""
        assert harms(ESTABLISHED, OLD_ACK, peer=OPENED._replace(rcv=2)) == set()

    @pytest.mark.parametrize("paws", Paws)
    def test_timestamps(self, paws: Paws) -> None:
        """Timestamps keep out old text, FINs and ACKs, not RSTs; Linux lets through only an ACK that changes nothing."""
        about: dict[str, Any] = {"timestamps": (True, True), "paws": paws}
        assert [harms(ESTABLISHED, segment, **about) for segment in (OLD_TEXT, OLD_FIN, OLD_ACK)] == [set()] * 3
        assert harms(ESTABLISHED, OLD_RST, **about) == {"old-reset"}
        passed = crossings(handshake(**about), (ESTABLISHED, OPENED), (1, 1), 0, OLD_ACK)
        assert any(not crossing.outcome.rules for crossing in passed) == (paws is Paws.LINUX)

    def test_timestamps_at_one_end_have_no_effect(self) -> None:
        """Timestamps take effect if both ends use them."""
        assert harms(OPENED, OLD_TEXT, timestamps=(True, False)) == {"old-text"}

    def test_answers(self) -> None:
        """LISTEN and SYN-SENT answer an old ACK with a RST that has its numbers; the RST belongs to the old incarnation."""
        for block in (Block(State.LISTEN), SYN_SENT):
            found = crossings(handshake(numbers=Numbers.ABOVE), (block, OPENED), (1, 1), 0, OLD_ACK)
            assert [crossing.outcome.replies for crossing in found] == [(Segment(2, rst=True),)]
            assert [name for name, _ in found[0].broken] == ["undelayed"]


class TestOldSyn:
    """A SYN of an incarnation before, which ends TIME-WAIT and proves old."""

    @pytest.mark.parametrize(
        ("about", "opens"),
        [
            ({"syn": SynRule.ABOVE}, True),
            ({"syn": SynRule.AT_OR_ABOVE}, True),
            ({"syn": SynRule.NEVER}, False),
            ({"syn": SynRule.RESET}, False),
            ({"syn": SynRule.TIMESTAMP}, True),
            ({"syn": SynRule.TIMESTAMP, "timestamps": (True, True)}, False),
            ({"syn": SynRule.ABOVE, "timestamps": (True, True)}, True),
        ],
    )
    def test_opens_by_its_number(self, about: dict[str, object], opens: bool) -> None:
        """An old SYN ends TIME-WAIT by its number, never by its timestamp, which is old."""
        outcome = received(handshake(2, old_syn=True, **about), WAITING, OLD_SYN)  # type: ignore[arg-type]
        assert (outcome.block == HALF_OPEN) == opens
        if opens:
            assert (outcome.replies, outcome.started) == ((Segment(2, 501, syn=True),), frozenset({Timer.RETRANSMISSION}))
            assert earliest_unacknowledged(outcome.block) == Segment(2, 501, syn=True)
            assert not allowed_calls(outcome.block)

    @pytest.mark.parametrize("segment", [OLD_FIN, OLD_ACK, OLD_RST, Segment(2, syn=True, ack=2)])
    def test_only_a_syn_that_is_more_than_enough(self, segment: Segment) -> None:
        """Other segments meet TIME-WAIT as usual, and so does a SYN below RCV.NXT; the rule says which number is enough."""
        at, above = (handshake(2, old_syn=True, syn=rule) for rule in (SynRule.AT_OR_ABOVE, SynRule.ABOVE))
        assert received(at, WAITING, segment) == segment_arrives(WAITING, segment, at.behaviour)
        states = [received(rule, WAITING, Segment(number, syn=True)).block.state for rule in (at, above) for number in (1, 2, 3)]
        stays, opened = State.TIME_WAIT, State.SYN_RECEIVED
        assert states == [stays, opened, opened, stays, stays, opened]

    @pytest.mark.parametrize("segment", [Segment(501, rst=True), Segment(501, syn=True)])
    def test_it_proves_old(self, segment: Segment) -> None:
        """A RST, or another SYN, proves it old: TIME-WAIT begins again, with its numbers, or nothing waits any more."""
        for half_open in (HALF_OPEN, HALF_OPEN._replace(tries=2, early=True)):
            back = received(handshake(2, old_syn=True, syn=SynRule.ABOVE), half_open, segment)
            assert (back.block, back.started) == (WAITING, frozenset({Timer.TIME_WAIT}))
        gone = received(handshake(2, old_syn=True, syn=SynRule.ABOVE, returns=False), HALF_OPEN, segment)
        assert (gone.block, gone.started) == (Block(State.CLOSED, rcv=1), frozenset())

    @pytest.mark.parametrize("segment", [Segment(1, 2, fin=True), Segment(2, 2)])
    def test_an_ack_proves_nothing(self, segment: Segment) -> None:
        """The FIN and the ACK of a peer in LAST-ACK do not prove it old; each gets an ACK that acknowledges nothing of it."""
        outcome = received(handshake(2, old_syn=True, syn=SynRule.ABOVE), HALF_OPEN, segment)
        assert (outcome.block, outcome.replies) == (HALF_OPEN, (Segment(3, 501),))

    def test_its_answers_are_under_no_loss_budget(self) -> None:
        """The acknowledgements of the half-open connection are none of the FIN."""
        peer = Block(State.LAST_ACK, una=1, nxt=2, rcv=2)
        assert loss_windows((HALF_OPEN, peer), 0, Segment(3, 501), (True, False)) == ()
        assert loss_windows((WAITING, peer), 0, Segment(2, 2), (True, False)) == (0,)

    def test_an_old_syn_never_fits_the_next_incarnation(self) -> None:
        """In the worst place of the numbers the SYN,ACK that answers an old SYN is still not that of a new one."""
        found = crossings(handshake(old_syn=True, syn=SynRule.ABOVE), (OPENED, SYN_SENT), (0, 1), 1, Segment(2, 501, syn=True))
        assert [crossing.outcome.replies for crossing in found] == [(Segment(501, rst=True),)]

    def test_numbers_count_from_an_old_syn_that_was_taken(self) -> None:
        """To an end that took it for a new SYN, every other old number of its sender lies below, so no old FIN is next."""
        opening = handshake(old_syn=True, syn=SynRule.ABOVE)
        old_fin = Segment(1, 2, fin=True)
        after = Block(State.SYN_RECEIVED, una=0, nxt=1, rcv=OLD_SYN.end)
        assert all(not crossing.broken for crossing in crossings(opening, (after, OPENED), (1, 1), 0, old_fin))
        other = after._replace(rcv=1)
        broken = {name for crossing in crossings(opening, (other, OPENED), (1, 1), 0, old_fin) for name, _ in crossing.broken}
        assert "old-fin" in broken

    def test_in_flight_at_the_start(self) -> None:
        """It is no older than MSL: it arrives within MSL of the start, and not later."""
        start = initial_state(handshake(2, old_syn=True, syn=SynRule.ABOVE))
        arrival = Action("deliver", "A", ("B", OLD_SYN), (False,))
        assert start.wait(F(1)).act(arrival)
        with pytest.raises(ImpossibleMove):
            start.wait(F(1001, 1000)).act(arrival)
        with pytest.raises(ImpossibleMove):
            initial_state(handshake(2)).act(arrival)

    @pytest.mark.parametrize("segment", [Segment(1, 2, fin=True), Segment(2, 2), Segment(501, 2, length=1)])
    def test_its_ack_may_come_first(self, segment: Segment) -> None:
        """Where the ACK comes before the number, a RST answers a segment that does not complete the handshake."""
        first = handshake(2, old_syn=True, syn=SynRule.ABOVE, ack_first=True)
        outcome = received(first, HALF_OPEN, segment)
        assert (outcome.block, outcome.replies) == (HALF_OPEN, (Segment(2, rst=True),))
        assert outcome.rules == ("incarnation.ack-first",)

    @pytest.mark.parametrize("segment", [Segment(501, 3), Segment(501, rst=True), Segment(500, syn=True), Segment(2, 3)])
    def test_other_segments_meet_the_usual_rules(self, segment: Segment) -> None:
        """An ACK that completes it, a RST and a segment without ACK; an end that opened actively looks at the number first."""
        rules = [handshake(2, old_syn=True, syn=SynRule.ABOVE, ack_first=first) for first in (False, True)]
        assert received(rules[0], HALF_OPEN, segment) == received(rules[1], HALF_OPEN, segment)
        crossing = HALF_OPEN._replace(passive=False, waited=0)
        assert received(rules[1], crossing, OLD_ACK) == received(rules[0], crossing, OLD_ACK)
        assert refused_by_ack(rules[1].reopening, HALF_OPEN, Segment(501, 7, rst=True)) is None
        assert refused_by_ack(rules[1].reopening, OPENED._replace(passive=True), OLD_ACK) is None

    def test_the_ack_comes_before_the_timestamp(self) -> None:
        """An old segment that meets SYN-RECEIVED of the next incarnation gets a RST with its own numbers."""
        opened = Block(State.SYN_RECEIVED, nxt=1, rcv=1, passive=True)
        for first, rule in ((False, "incarnation.timestamp"), (True, "incarnation.ack-first")):
            configuration = handshake(timestamps=(True, True), ack_first=first, numbers=Numbers.ABOVE)
            (way,) = crossings(configuration, (SYN_SENT, opened), (1, 1), 1, OLD_ACK)
            assert way.outcome.rules == (rule,)
            if first:
                assert way.outcome.replies == (Segment(OLD_ACK.ack or 0, rst=True),)


def broken(block: Block, segment: Segment, *, incarnation: int = 1, **about: Any) -> set[str]:
    """Return the properties that an arrival at A breaks."""
    found = crossings(handshake(2, **about), (block, SYN_SENT), (incarnation, 1), 0, segment)
    return {name for crossing in found for name, _ in crossing.broken}


class TestDelays:
    """An old segment, or an end of the old incarnation, that delays the next one."""

    def test_old_segments(self) -> None:
        """One that changes the state or is answered by a RST does; one that is dropped or acknowledged does not."""
        above: dict[str, Any] = {"numbers": Numbers.ABOVE}
        assert broken(OPENED, OLD_ACK, **above) == set()
        assert broken(SYN_SENT, OLD_ACK, **above) == {UNDELAYED}
        assert broken(LISTEN, OLD_SYN_ACK, **above) == {UNDELAYED}
        assert broken(LISTEN, OLD_SYN) == {UNDELAYED}
        assert broken(LISTEN, OLD_RST) == set()
        assert broken(SYN_RECEIVED, OLD_RST) == {UNDELAYED}

    def test_old_ends(self) -> None:
        """Any end of the old incarnation but a CLOSED one, unless the SYN opens there."""
        assert broken(WAITING, NEW_SYN, incarnation=0) == {UNDELAYED}
        assert broken(Block(State.LAST_ACK, una=1, nxt=2, rcv=2), NEW_SYN, incarnation=0) == {UNDELAYED}
        assert broken(Block(State.CLOSED), NEW_SYN, incarnation=0) == set()
        opened = {"early": True, "syn": SynRule.AT_OR_ABOVE, "numbers": Numbers.ABOVE}
        assert broken(WAITING, NEW_SYN, incarnation=0, **opened) == set()

    def test_sentences(self) -> None:
        """Each says which end of which state, and what happened."""
        sentences: dict[str, str] = {}
        for block, incarnation, segment in ((WAITING, 0, NEW_SYN), (LISTEN, 1, OLD_ACK), (ESTABLISHED, 1, OLD_FIN)):
            for crossing in crossings(handshake(2), (block, SYN_SENT), (incarnation, 1), 0, segment):
                sentences |= dict(crossing.broken)
        accepted = "B's old FIN+ACK seq=1 ack=1 is accepted in A's new incarnation"
        fin, ack = (HARMS[harm].format(end="A", peer="B") for harm in ("old-fin", "old-ack"))
        assert sentences[ISOLATION] == sentences["old-fin"] == f"{accepted}: {fin}; {ack}"
        assert sentences[UNDELAYED] == "B's old ACK seq=2 ack=2 disturbs A, which is opening the next incarnation"
        (late, *_) = crossings(handshake(2, numbers=Numbers.ABOVE), (WAITING, SYN_SENT), (0, 1), 0, NEW_SYN)
        assert late.broken == ((UNDELAYED, "A is still in TIME_WAIT of the old incarnation when B's SYN arrives"),)


def places(block: Block, segment: Segment, isns: KnownIsns = UNKNOWN, incarnation: int = 1, **about: Any) -> list[str]:
    """Return how the numbers of a segment may lie to those of A, in words."""
    found = crossings(handshake(2, **about), (block, OPENED), (incarnation, 1), 0, segment, isns)
    return [crossing.place for crossing in found]


def test_places_in_words() -> None:
    """How the numbers of a segment may lie, in the order in which they are tried."""
    nothing, everything = "its ACK is SND.UNA", "its ACK is SND.NXT"
    next_ones = [f"where its number is exactly next, {ack}" for ack in (nothing, everything)]
    assert places(ESTABLISHED, OLD_FIN) == [*next_ones, "where its numbers are old"]
    assert places(OPENED, OLD_TEXT) == ["where its number is exactly next, its ACK is SND.UNA", "where its numbers are old"]
    assert places(ESTABLISHED, OLD_RST) == ["where its number is exactly next", "where its numbers are old"]
    assert places(SYN_SENT, OLD_SYN_ACK) == ["where its number is one of an incarnation before"]
    assert places(SYN_SENT, OLD_ACK)[0] == "where its number is of no account yet, its ACK is SND.UNA"
    assert places(TAKEN, OLD_FIN)[0] == "where its number is old, its ACK is SND.UNA"
    assert places(LISTEN, OLD_ACK) == ["where its numbers are old"]
    assert places(OPENED, OLD_TEXT, numbers=Numbers.ABOVE) == ["where its numbers are old"]
    assert places(OPENED, OLD_TEXT, numbers=Numbers.REPEATED) == ["whose ISNs are those of the old one"]
    assert places(ESTABLISHED, OLD_FIN, (None, 2)) == ["where its number is old, its ACK is SND.NXT"]
    assert places(ESTABLISHED, OLD_FIN, (2, None)) == ["where its number is exactly next", "where its number is old"]
    bare = [f"where its number is {place}, its ACK is SND.UNA" for place in ("exactly next", "old")]
    assert places(ESTABLISHED, OLD_ACK, (1, None)) == bare
    assert places(LISTEN, OLD_ACK, (2, None)) == bare[1:]
    first = places(SYN_RECEIVED, OLD_ACK, ack_first=True)
    assert first == [*next_ones, "where its number is old, its ACK is SND.NXT"]
    below, at, above = (f"where its ISN is {place}" for place in ("below RCV.NXT", "RCV.NXT", "above RCV.NXT"))
    assert places(WAITING, NEW_SYN, incarnation=0) == [below, at]
    rule: dict[str, Any] = {"early": True, "syn": SynRule.ABOVE}
    assert places(WAITING, NEW_SYN, incarnation=0, **rule) == [below, at, above]
    assert places(WAITING, NEW_SYN, incarnation=0, numbers=Numbers.REPEATED) == ["where its ISN is that of the old incarnation"]


@pytest.mark.parametrize(
    ("segment", "harm"),
    [
        (Segment(1, 1, length=1), "old-text"),
        (Segment(1, 1, length=1, fin=True), "old-text"),
        (Segment(1, 1, fin=True), "old-fin"),
        (Segment(2, rst=True), "old-reset"),
        (Segment(2, 2), "old-ack"),
    ],
)
def test_harm_of_a_segment(segment: Segment, harm: str) -> None:
    """Each kind of segment does one harm if its numbers are acceptable."""
    assert harm_of(segment) == harm


def test_answers_have_the_numbers_of_their_incarnation() -> None:
    """A RST for an unknown connection has the numbers of the segment that it answers; in one incarnation replies are kept."""
    replies = (Segment(3, rst=True), Segment(1, 1))
    old = Segment(1, 5, length=1)
    assert answers(replies, 0, old) == replies
    assert answers(replies, 1, old._replace(incarnation=1)) == tuple(reply._replace(incarnation=1) for reply in replies)
    assert answers(replies, 1, old) == (Segment(5, rst=True), Segment(1, 1, incarnation=1))
    assert stamped(replies, 1) == tuple(reply._replace(incarnation=1) for reply in replies)


def test_a_harm_in_words() -> None:
    """Its rule, with its section, and the conjunct that fails, for isolation and for the harm itself."""
    assert harm_rule("old-fin") == ("incarnation.old-fin", *INCARNATION_RULES["incarnation.old-fin"])
    assert rule_of("incarnation.old-fin") == INCARNATION_RULES["incarnation.old-fin"]
    assert rule_of("send") == RULES["send"]
    why = "A's old FIN is in the window of B's new incarnation: B's user reads the old FIN as the end of A's text"
    assert harm_in_words("old-fin", "A", "B", "FIN") == ((ISOLATION, why), ("old-fin", why))
