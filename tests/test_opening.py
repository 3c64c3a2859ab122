"""The opening of the next incarnation, event by event: who opens when, what an old segment does, what is stated about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from handshake_oracle import HandshakeSearch, Opened
from openings import (
    ESTABLISHED,
    HALF_OPEN,
    OLD_ACK,
    OLD_FIN,
    OLD_RST,
    OLD_TEXT,
    OPENED,
    SYN_RECEIVED,
    SYN_SENT,
    WAITING,
    F,
    crashed,
    handshake,
)
from oracle import UNLIMITED, Copy, End

from timewait.spec.composition import Composition, CompositionState, Phase, state_of
from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import allowed_calls, segment_arrives
from timewait.spec.exchange import loss_windows
from timewait.spec.handshake import LOST_MEMORY, OPENS, HandshakeComposition, compose, is_quiet, may_crash, may_open
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
from timewait.spec.outcome import Call, Timer
from timewait.spec.plain_data import configuration_as_data, configuration_from_data
from timewait.spec.reference import initial_state
from timewait.spec.reopening import (
    ATOMIC,
    AnswerIsn,
    Crash,
    NextIncarnation,
    NextIncarnationError,
    Numbers,
    Paws,
    Reopen,
    SynRule,
)
from timewait.spec.replies import earliest_unacknowledged
from timewait.spec.request import refused_by_ack
from timewait.spec.rules import RULES
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.state import Block, State
from timewait.spec.window import WINDOW
from timewait.vocabulary.automaton import Action, Bound, Clock
from timewait.vocabulary.replay import ImpossibleMove


def harms(block: Block, segment: Segment, peer: Block = OPENED, **about: object) -> set[str]:
    """Return the harms that an old segment of B may do to A in a state of the next incarnation."""
    found = crossings(handshake(**about), (block, peer), (1, 1), 0, segment)  # type: ignore[arg-type]
    return {name for crossing in found for name, _ in crossing.broken if name in HARMS}


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


class TestOpening:
    """Who may open when, and what is stated about it."""

    CLOSED, WAITING = Block(State.CLOSED), Block(State.TIME_WAIT, una=2, nxt=2, rcv=2)

    @pytest.mark.parametrize(
        ("ends", "incarnations", "early", "allowed"),
        [
            ((CLOSED, CLOSED), (0, 0), False, True),
            ((CLOSED, WAITING), (0, 0), False, False),
            ((CLOSED, WAITING), (0, 0), True, True),
            ((WAITING, CLOSED), (0, 0), True, False),
            ((CLOSED, CLOSED), (1, 0), True, False),
            ((CLOSED, SYN_SENT), (0, 1), False, True),
        ],
    )
    def test_may_open(self, ends: tuple[Block, Block], incarnations: tuple[int, int], early: bool, allowed: bool) -> None:
        """An end opens once, when both ends are CLOSED, or the other has opened; early, when it is CLOSED itself."""
        assert may_open(handshake(early=early), ends, incarnations, 0) == allowed

    @pytest.mark.parametrize("asked", [{"early": True}, {"old_syn": True, "returns": False}])
    def test_plain_data(self, asked: dict[str, Any]) -> None:
        """A configuration is read back with its opening."""
        opening: dict[str, Any] = {
            "data_rate": F(1000),
            "idle": F(1, 3),
            "lifetime": F(7),
            "crash": Crash.B,
            "quiet": F(1, 7),
            "syn": SynRule.TIMESTAMP,
            "isn": AnswerIsn.ANY,
            "timestamps": (True, False),
            **asked,
        }
        stated = handshake(2, numbers=Numbers.CLOCK, **opening)
        assert configuration_from_data(configuration_as_data(stated)) == stated
        assert configuration_as_data(replace(stated, reopening=NextIncarnation()))["reopening"] == {"kind": "atomic"}

    @pytest.mark.parametrize(
        "about",
        [
            {"kind": Reopen.ATOMIC, "early": True},
            {"kind": Reopen.ATOMIC, "numbers": Numbers.ABOVE},
            {"kind": Reopen.HANDSHAKE, "numbers": Numbers.CLOCK},
            {"kind": Reopen.HANDSHAKE, "numbers": Numbers.CLOCK, "data_rate": F(1)},
            {"kind": Reopen.HANDSHAKE, "idle": F(1)},
            {"kind": Reopen.HANDSHAKE, "data_rate": F(1)},
            {"kind": Reopen.HANDSHAKE, "lifetime": F(1)},
            {"kind": Reopen.HANDSHAKE, "numbers": Numbers.CLOCK, "idle": F(1)},
            {"kind": Reopen.HANDSHAKE, "text": (-1, 0)},
            {"kind": Reopen.HANDSHAKE, "text": (0, -1)},
            {"kind": Reopen.HANDSHAKE, "numbers": Numbers.CLOCK, "data_rate": F(-1), "idle": F(1)},
            {"kind": Reopen.HANDSHAKE, "numbers": Numbers.CLOCK, "data_rate": F(1), "idle": F(1), "lifetime": F(-1)},
            {"kind": Reopen.HANDSHAKE, "syn": SynRule.ABOVE},
            {"kind": Reopen.HANDSHAKE, "early": True, "isn": AnswerIsn.ANY},
            {"kind": Reopen.HANDSHAKE, "returns": False},
            {"kind": Reopen.ATOMIC, "old_syn": True},
            {"kind": Reopen.HANDSHAKE, "early": True, "old_syn": True},
            {"kind": Reopen.HANDSHAKE, "early": True, "syn": SynRule.RESET, "isn": AnswerIsn.ANY},
            {"kind": Reopen.HANDSHAKE, "numbers": Numbers.CLOCK, "data_rate": F(1), "idle": F(-1)},
        ],
    )
    def test_contradictions(self, about: dict[str, object]) -> None:
        """An opening that makes no sense is refused."""
        with pytest.raises(NextIncarnationError):
            NextIncarnation(**about)  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        "about",
        [
            {},
            {"text": (0, 0)},
            {"numbers": Numbers.CLOCK, "data_rate": F(0), "idle": F(0), "lifetime": F(0)},
            {"crash": Crash.B, "quiet": F(0)},
            {"early": True, "syn": SynRule.ABOVE, "isn": AnswerIsn.ANY},
            {"old_syn": True, "syn": SynRule.RESET},
            {"old_syn": True, "returns": False},
        ],
    )
    def test_openings_that_make_sense(self, about: dict[str, Any]) -> None:
        """None of these is refused; what is left out has its default."""
        opening = NextIncarnation(Reopen.HANDSHAKE, **about)
        assert opening.timestamps == (False, False)
        assert opening.text == about.get("text", (1, 1))
        assert opening.quiet_name == ("QUIET" if "quiet" in about else "TIME_WAIT")
        assert opening.handshake
        assert not ATOMIC.handshake

    def test_the_place_of_numbers_may_depend_on_msl(self) -> None:
        """It does where the clock is ahead, and a lifetime is stated that may exceed half of all numbers with a longer MSL."""
        lasting = NextIncarnation(Reopen.HANDSHAKE, Numbers.CLOCK, data_rate=F(1), idle=F(1), lifetime=F(1))
        assert lasting.depends_on_msl
        assert not replace(lasting, lifetime=None).depends_on_msl
        assert not replace(lasting, idle=F(0)).depends_on_msl
        assert not NextIncarnation(Reopen.HANDSHAKE).depends_on_msl
        assert NextIncarnation(Reopen.HANDSHAKE).derivation(F(1)) == ""

    def test_derivations_in_words(self) -> None:
        """The facts, with what limits the lifetime where none is stated."""
        opening = NextIncarnation(Reopen.HANDSHAKE, Numbers.CLOCK, data_rate=F(1000), idle=F(2))
        facts = "1,000 octets a second at most, an idle time of 2s at least"
        assert opening.derivation(F(120)) == (
            f"the ISN clock is ahead of every old number ({facts}, for a connection shorter than 2h21m9s)"
        )
        stated = replace(opening, lifetime=F(3)).derivation(F(1))
        assert stated == f"the ISN clock is ahead of every old number ({facts}, a lifetime of 3s at most)"
        behind = replace(opening, data_rate=F(300_000)).derivation(F(1))
        assert behind.startswith("the ISN clock may lag behind old numbers (300,000 octets a second at most")
        assert behind.endswith(", so the worst case counts")

    @pytest.mark.parametrize(
        ("rule", "least", "by_timestamp"),
        [
            (SynRule.NEVER, None, False),
            (SynRule.ABOVE, 1, False),
            (SynRule.AT_OR_ABOVE, 0, False),
            (SynRule.TIMESTAMP, 1, True),
            (SynRule.TIMESTAMP_OR_AT, 0, True),
            (SynRule.RESET, None, False),
        ],
    )
    def test_rules_about_a_syn(self, rule: SynRule, least: int | None, by_timestamp: bool) -> None:
        """The least number above RCV.NXT, and whether a newer timestamp is enough."""
        assert (rule.least, rule.by_timestamp) == (least, by_timestamp)


def composed(**about: Any) -> HandshakeComposition:
    """Return the composition of a close after which the next incarnation opens."""
    system = compose(handshake(2, **about))
    assert isinstance(system, HandshakeComposition)
    return system


GONE = Block(State.CLOSED)
OWED = (PacketInFlight("A", OLD_ACK, True, None), PacketInFlight("B", OLD_FIN, True, None, further=1))
"""A packet of each end that must still be delivered, one of them twice."""


def undelivered(state: CompositionState) -> set[tuple[str, int]]:
    """Return the senders of the packets that must still be delivered, with the number of further copies."""
    return {(packet.sender, packet.further) for packet in state.network if packet.must_be_delivered or packet.further}


def opened(system: Composition, ends: tuple[Block, Block], network: tuple[PacketInFlight, ...]) -> CompositionState:
    """Return a state in which both ends have opened again."""
    return system.initial()._replace(ends=ends, network=network, phase=Phase.REOPENED, incarnations=(1, 1))


class TestComposition:
    """The clocks of the composition, and what an opening and a crash change."""

    def test_a_clock_measures_the_quiet_time(self) -> None:
        """Where a host crashes there is one, compared with the quiet time; otherwise there is none."""
        assert "quiet" not in composed().maximal_constants
        assert composed(crash=Crash.A).maximal_constants["quiet"] == "TIME_WAIT"
        assert composed(crash=Crash.B, quiet=F(1)).maximal_constants["quiet"] == "QUIET"

    def test_timers_of_the_next_incarnation_need_no_clock(self) -> None:
        """Only ends of the old incarnation have running timers, and of these those that crashed the quiet time."""
        system = composed(crash=Crash.A)
        start = system.initial()._replace(ends=(WAITING, Block(State.LAST_ACK, una=1, nxt=2, rcv=2)), phase=Phase.REOPENED)
        old = [(clock.role, clock.owner) for clock in system.timers(start)]
        assert old == [("time-wait", "A"), ("retransmission", "B")]
        assert [bound.clock.owner for bound in system.invariant(start)] == ["B"]
        later = start._replace(incarnations=(0, 1))
        assert [(clock.role, clock.owner) for clock in system.timers(later)] == [("time-wait", "A")]
        assert system.invariant(later) == ()
        gone = start._replace(crashed=(True, False), ends=(Block(State.CLOSED), start.ends[1]))
        assert [(clock.role, clock.owner) for clock in system.timers(gone)] == [("retransmission", "B"), ("quiet", "A")]
        assert [clock.role for clock in system.timers(gone._replace(incarnations=(1, 0)))] == ["retransmission"]

    def test_an_opening_ends_obligations(self) -> None:
        """No loss counts any more, and a packet need no longer arrive at the end that opens; it still must at the other one."""
        system = compose(replace(handshake(2), loss=1), told_apart=2)
        start = system.initial()._replace(ends=(GONE, GONE), lost=(1, 1), network=OWED)
        calls = [edge for edge in system.edges(start) if edge.action.kind == "call"]
        assert [(edge.action.actor, edge.action.subject) for edge in calls] == list(product("AB", OPENS))
        for edge in calls:
            target, guard = state_of(edge.target), edge.guard
            assert guard == ()
            assert (target.lost, target.phase) == ((0, 0), Phase.REOPENED)
            assert target.incarnations == ((1, 0) if edge.action.actor == "A" else (0, 1))
            assert undelivered(target) == ({("A", 0)} if edge.action.actor == "A" else {("B", 1)})
            assert {packet.sender for packet in target.network if not packet.segment.incarnation} == {"A", "B"}

    def test_a_crash_ends_obligations(self) -> None:
        """The same of the host that lost all memory; its own clock of the quiet time starts, and opening waits for it."""
        system = compose(replace(handshake(2, crash=Crash.A), loss=1), told_apart=2)
        start = system.initial()._replace(ends=(WAITING, GONE), lost=(1, 1), network=OWED)
        (crash,) = (edge for edge in system.edges(start) if edge.action.kind == "crash")
        target = state_of(crash.target)
        assert (target.lost, target.phase, target.crashed) == ((0, 0), Phase.REOPENED, (True, False))
        assert undelivered(target) == {("A", 0)}
        assert dict(zip(system.clocks(target), crash.updates, strict=True))[Clock("quiet", "A")] is None
        opens = [edge for edge in system.edges(target) if edge.action.subject in OPENS]
        quiet = Bound(Clock("quiet", "A"), ">", "TIME_WAIT")
        assert {(edge.action.actor, edge.guard) for edge in opens} == {("A", (quiet,)), ("B", ())}
        assert all(Clock("quiet", "A") in edge.updates for edge in system.edges(target) if edge.action.actor == "B")

    def test_an_old_packet_arrives_within_its_lifetime(self) -> None:
        """Whether it does harm, ends what can be violated or neither; a packet of the next incarnation arrives at any time."""
        system = compose(replace(handshake(2), duplication=0))
        packets = [PacketInFlight("B", segment, False, 0) for segment in (OLD_FIN, OLD_ACK, Segment(1, 1, incarnation=1))]
        for ends, network in (((OPENED, OPENED), packets), ((OPENED, OPENED), packets[1:2]), ((SYN_SENT, SYN_SENT), packets)):
            state = opened(system, ends, tuple(network))
            for edge in system.arrivals(state):
                assert isinstance(edge.action.subject, tuple)
                if edge.action.subject[1].incarnation:
                    assert edge.guard == ()
                else:
                    (bound,) = edge.guard
                    assert (bound.clock.role, *bound[1:]) == ("age", "<=", "MSL")

    def test_the_last_old_packet_may_still_delay(self) -> None:
        """A RST leads SYN-RECEIVED back to LISTEN while the other end is open, and nothing can be violated any more."""
        system = compose(replace(handshake(2), duplication=0))
        state = opened(system, (SYN_RECEIVED, OPENED), (PacketInFlight("B", OLD_RST, False, 0),))
        found = {(state_of(edge.target).phase, edge.violates) for edge in system.arrivals(state)}
        assert (Phase.OVER, frozenset({UNDELAYED})) in found

    def test_while_an_end_is_old_something_may_be_violated(self) -> None:
        """Though nothing old is in flight; and the next incarnation is open once an end of it is ESTABLISHED."""
        system = composed()
        begun = opened(system, (SYN_SENT, OPENED), ())._replace(incarnations=(1, 0))
        steps = list(system.edges(begun))
        assert {state_of(edge.target).phase for edge in steps} == {Phase.REOPENED}
        assert not any("reopen" in edge.witnesses for edge in steps)
        last = PacketInFlight("B", Segment(1, 1, incarnation=1), False, None)
        (open_again,) = system.arrivals(opened(system, (SYN_RECEIVED, OPENED), (last,)))
        assert "reopen" in open_again.witnesses

    def test_order_is_kept(self) -> None:
        """In a queue a packet that must be delivered at an end of the old incarnation is delivered before those behind it."""
        system = compose(replace(handshake(2), fifo=True))
        queue = (PacketInFlight("B", OLD_FIN, True, None), PacketInFlight("B", OLD_ACK, False, None))
        state = opened(system, (WAITING, SYN_SENT), queue)._replace(incarnations=(0, 1))
        assert {edge.action.subject for edge in system.arrivals(state)} == {("B", OLD_FIN)}

    def test_a_syn_that_opens_ends_obligations_too(self) -> None:
        """What had to be delivered to the end in TIME-WAIT need not arrive any more."""
        system = compose(handshake(2, early=True, syn=SynRule.ABOVE, numbers=Numbers.ABOVE))
        network = (*OWED, PacketInFlight("B", NEW_SYN, False, None))
        state = opened(system, (WAITING, SYN_SENT), network)._replace(incarnations=(0, 1))
        (opens,) = (edge for edge in system.arrivals(state) if edge.action.subject == ("B", NEW_SYN))
        target = state_of(opens.target)
        assert (target.incarnations, undelivered(target)) == ((1, 1), {("A", 0)})
        assert target.isns == (2, 3)

    def test_users_of_the_next_incarnation_send_and_do_not_close(self) -> None:
        """As much text as is stated; before that the user of the old incarnation calls what it always may."""
        system = compose(replace(handshake(2), reopening=NextIncarnation(Reopen.HANDSHAKE, text=(1, 0))))
        start = opened(system, (OPENED, OPENED), ())
        calls = [(edge.action.actor, edge.action.subject) for edge in system.edges(start)]
        assert calls == [("A", Call.SEND)]
        sent = start._replace(ends=(OPENED._replace(nxt=2, sent=1), OPENED))
        assert not [edge for edge in system.edges(sent) if edge.action.kind == "call"]
        assert ("A", Call.CLOSE) in {(edge.action.actor, edge.action.subject) for edge in system.edges(system.initial())}

    def test_only_a_handshake_has_such_a_composition(self) -> None:
        """An atomic reopen has the plain one."""
        assert not isinstance(compose(replace(handshake(2), reopening=ATOMIC)), HandshakeComposition)

    def test_an_end_is_quiet_between_crash_and_opening(self) -> None:
        """The end that crashed, until it opens; the other end never."""
        assert is_quiet((0, 0), 0, (True, False))
        assert not is_quiet((0, 0), 1, (True, False))
        assert not is_quiet((1, 0), 0, (True, False))
        assert not is_quiet((0, 0), 0, (False, False))


class TestCrash:
    """A host that loses all memory."""

    def test_a_crash_comes_before_every_opening(self) -> None:
        """Who may open: nobody before the crash; after it the end that crashed, whatever the other end does."""
        closed, waiting = Block(State.CLOSED), Block(State.LAST_ACK, una=1, nxt=2, rcv=2)
        configuration = crashed(1)
        assert not may_open(configuration, (closed, closed), (0, 0), 0)
        assert may_open(configuration, (closed, waiting), (0, 0), 0, (True, False))
        assert not may_open(configuration, (waiting, waiting), (0, 0), 1, (True, False))
        assert may_crash(configuration, (0, 0), 0, (False, False))
        assert not may_crash(configuration, (0, 0), 1, (False, False))
        assert not may_crash(configuration, (0, 0), 0, (True, False))
        assert not may_crash(configuration, (1, 0), 0, (False, False))

    def test_replay_refuses_what_a_crash_does_not_allow(self) -> None:
        """The reference semantics: no opening within the quiet time, no second crash, no crash of the other end."""
        crash = Action("crash", "A", LOST_MEMORY)
        (state,) = initial_state(crashed(3)).act(crash)
        for action in (crash, Action("crash", "B", LOST_MEMORY), Action("call", "A", Call.OPEN_ACTIVE, (False,))):
            with pytest.raises(ImpossibleMove):
                state.wait(F(3)).act(action)
        assert state.wait(F(31, 10)).act(Action("call", "A", Call.OPEN_PASSIVE))

    @pytest.mark.parametrize("about", [{"quiet": F(1)}, {"crash": Crash.A, "quiet": F(-1)}])
    def test_contradictions(self, about: dict[str, object]) -> None:
        """A quiet time without a crash, or a negative one, makes no sense."""
        with pytest.raises(NextIncarnationError):
            NextIncarnation(Reopen.HANDSHAKE, **about)  # type: ignore[arg-type]


def clocks() -> Iterator[tuple[int, Fraction, Fraction | None, bool]]:
    """Yield rate, idle time, lifetime, and whether the ISN clock is ahead."""
    second = F(1)
    yield 250_000, second, None, True
    yield 250_001, second, None, False
    yield 250_000, F(8, 1_000_000), None, False
    yield 250_000, F(9, 1_000_000), None, True
    yield 0, F(0), None, False
    yield 500_000, second, F(249_998, 250_000), False
    yield 500_000, second, F(249_997, 250_000), True
    yield 0, second, F(8588), True
    yield 0, second, F(8589), False
    yield 0, second, F(2**31, 250_000) - 1, False


@pytest.mark.parametrize(("rate", "idle", "lifetime", "ahead"), [*clocks()])
def test_the_clock(rate: int, idle: Fraction, lifetime: Fraction | None, ahead: bool) -> None:
    """The ISN clock is ahead of every old number exactly where 250,000 numbers a second outrun the data rate."""
    second = F(1)
    opening = NextIncarnation(Reopen.HANDSHAKE, Numbers.CLOCK, data_rate=F(rate), idle=idle, lifetime=lifetime)
    assert opening.relation(second) is (Numbers.ABOVE if ahead else Numbers.WORST)
    assert ("is ahead" if ahead else "may lag behind") in opening.derivation(second)


def test_the_actual_idle_time_may_be_as_long_as_msl() -> None:
    """Old segments of so long ago still live, and half of all numbers may have passed."""
    opening = NextIncarnation(Reopen.HANDSHAKE, Numbers.CLOCK, data_rate=F(1), idle=F(1), lifetime=F(8588))
    assert opening.relation(F(1)) is Numbers.ABOVE
    assert opening.relation(F(120)) is Numbers.WORST
    assert "may lag" in opening.derivation(F(120))
    assert replace(opening, lifetime=F(8469)).relation(F(120)) is Numbers.ABOVE


LISTEN = Block(State.LISTEN)
OLD_SYN_ACK = Segment(0, 1, syn=True)
NEW_SYN = Segment(0, syn=True, incarnation=1)
ACTIVE = SYN_RECEIVED._replace(passive=False)
TAKEN = Block(State.SYN_RECEIVED, una=0, nxt=1, rcv=OLD_SYN.end)
"""An end that took the old SYN for a new one."""

OPENINGS: tuple[dict[str, Any], ...] = (
    {},
    {"numbers": Numbers.REPEATED},
    {"numbers": Numbers.ABOVE},
    {"timestamps": (True, True)},
    {"timestamps": (True, False)},
    {"timestamps": (True, True), "paws": Paws.LINUX},
    {"ack_first": True},
    {"timestamps": (True, True), "ack_first": True},
    {"early": True, "syn": SynRule.ABOVE},
    {"early": True, "syn": SynRule.AT_OR_ABOVE, "isn": AnswerIsn.ANY},
    {"early": True, "syn": SynRule.TIMESTAMP, "timestamps": (True, True)},
    {"early": True, "syn": SynRule.TIMESTAMP_OR_AT},
    {"early": True, "syn": SynRule.TIMESTAMP_OR_AT, "timestamps": (True, True), "numbers": Numbers.REPEATED},
    {"early": True, "syn": SynRule.RESET},
    {"early": True, "syn": SynRule.ABOVE, "numbers": Numbers.ABOVE},
    {"early": True, "syn": SynRule.TIMESTAMP, "timestamps": (True, True), "paws": Paws.LINUX},
    {"early": True, "syn": SynRule.ABOVE, "timestamps": (True, True)},
    {"old_syn": True, "syn": SynRule.ABOVE},
    {"old_syn": True, "syn": SynRule.ABOVE, "timestamps": (True, True)},
)
"""Every rule about the next incarnation in one of them."""

ISNS: tuple[KnownIsns, ...] = (UNKNOWN, (2, None), (None, 2), (1, None), (None, 1), (2, 2), (1, 1))
Way = tuple[Block, frozenset[Segment], bool, KnownIsns]
"""An arrival that does no harm: the block afterwards, the answers, whether the next incarnation opens, the ISNs then known."""


def situations(opening: NextIncarnation) -> Iterator[tuple[Block, int, Segment, KnownIsns]]:
    """Yield the receiver's block and incarnation, a segment of the other incarnation, and the ISNs that are known.

    An ISN is known where a SYN may open in TIME-WAIT, and the old SYN is taken where there is one.
    """
    new = (OPENED, ESTABLISHED, SYN_SENT, SYN_RECEIVED, ACTIVE, LISTEN, *([TAKEN] if opening.old_syn else []))
    segments = (OLD_FIN, OLD_TEXT, OLD_ACK, OLD_RST, OLD_SYN_ACK, OLD_SYN, Segment(501, 2), Segment(2, OLD_SYN.end))
    for block, segment, isns in product(new, segments, ISNS if opening.early else ISNS[:1]):
        yield block, 1, segment, isns
    last = Block(State.LAST_ACK, una=1, nxt=2, rcv=2)
    for block in (WAITING, Block(State.CLOSED), last, ACTIVE, *([HALF_OPEN] if opening.old_syn else [])):
        yield block, 0, NEW_SYN, UNKNOWN


def suite_says(
    configuration: Configuration,
    side: int,
    ends: tuple[Block, Block],
    numbers: tuple[int, int],
    segment: Segment,
    isns: KnownIsns,
) -> tuple[set[Way], set[str]]:
    """Return the ways that do no harm, and the harms of the others."""
    ways, found = set(), set()
    for crossing in crossings(configuration, ends, numbers, side, segment, isns):
        harms_done = {name for name, _ in crossing.broken if name in HARMS}
        assert crossing.harmful == bool(harms_done)
        found |= harms_done
        if not harms_done:
            outcome = crossing.outcome
            ways.add((outcome.block, frozenset(outcome.replies), crossing.opens, crossing.isns))
    return ways, found


def brute_force_says(
    configuration: Configuration,
    side: int,
    ends: tuple[Block, Block],
    numbers: tuple[int, int],
    segment: Segment,
    isns: KnownIsns,
) -> tuple[set[Way], set[str]]:
    """Return the same, from the arrival of one copy in the search of the oracle."""
    search = HandshakeSearch(configuration)
    first, second = (End(block, (0,) * len(search.running(block))) for block in ends)
    copy = Copy(1 - side, search.number(segment), 0, True, UNLIMITED)
    old = (not numbers[0], not numbers[1])
    ways = set()
    for after in search.arrivals_of(Opened((first, second), (copy,), old, starts=isns), 0):
        answers = frozenset(search.segments[sent.number] for sent in after.copies if sent.sender == side)
        opens = after.old != old
        ways.add((after.ends[side].block, answers, opens, after.starts if opens else UNKNOWN))
    return ways, search.violated


class TestEveryArrival:
    """Brute force says the same of every segment in every state."""

    @pytest.mark.parametrize("opening", OPENINGS)
    def test_brute_force_agrees(self, opening: dict[str, Any]) -> None:
        """The outcome and the harm, at either end, whatever the peer has received."""
        configuration = handshake(2, **opening)
        compared = 0
        for (block, incarnation, segment, isns), side in product(situations(configuration.reopening), (0, 1)):
            for peer in (OPENED._replace(rcv=2), SYN_SENT) if segment.ack and incarnation else (SYN_SENT,):
                numbers = (1, 1) if incarnation else (0, 1) if side == 0 else (1, 0)
                ends = (block, peer) if side == 0 else (peer, block)
                asked = (configuration, side, ends, numbers, segment, isns)
                assert suite_says(*asked) == brute_force_says(*asked), (opening, asked[1:])
                compared += 1
        assert compared > 50

    def test_what_the_peer_has_received_counts_in_its_own_incarnation_alone(self) -> None:
        """RCV.NXT of an end that is still in the old incarnation, or not synchronised, says nothing about new text."""
        for peer, numbers in ((OPENED._replace(rcv=2), (1, 0)), (SYN_SENT._replace(rcv=2), (1, 1))):
            found = crossings(handshake(), (ESTABLISHED, peer), numbers, 0, OLD_ACK)
            assert {name for crossing in found for name, _ in crossing.broken} == {ISOLATION, "old-ack"}

    @pytest.mark.parametrize("segment", [Segment(0, rst=True, incarnation=1), Segment(0, 1, syn=True, incarnation=1)])
    def test_only_a_syn_without_ack_opens(self, segment: Segment) -> None:
        """Whatever its number, no other segment ends TIME-WAIT and opens, or gets the RST that answers a SYN."""
        configuration = handshake(2, early=True, syn=SynRule.AT_OR_ABOVE, numbers=Numbers.ABOVE)
        for at_end, opens in ((segment, False), (NEW_SYN, True)):
            (way,) = crossings(configuration, (WAITING, SYN_SENT), (0, 1), 0, at_end)
            assert way.opens == opens
            refuses = handshake(2, early=True, syn=SynRule.RESET, numbers=Numbers.ABOVE)
            (way,) = crossings(refuses, (WAITING, SYN_SENT), (0, 1), 0, at_end)
            assert ("incarnation.syn-reset" in way.outcome.rules) == opens

    @pytest.mark.parametrize(("number", "refused"), [(1, False), (2, True), (1 + WINDOW, True), (2 + WINDOW, False)])
    def test_a_rst_answers_a_syn_in_the_window_alone(self, number: int, refused: bool) -> None:
        """From RCV.NXT on, up to the end of the window."""
        configuration = handshake(2, early=True, syn=SynRule.RESET, numbers=Numbers.REPEATED)
        (way,) = crossings(configuration, (WAITING, SYN_SENT), (0, 1), 0, NEW_SYN._replace(seq=number))
        assert ("incarnation.syn-reset" in way.outcome.rules) == refused

    def test_linux_lets_through_one_ack_alone(self) -> None:
        """Only a bare ACK at RCV.NXT of SND.UNA passes the check of timestamps; every other one is acknowledged by it."""
        configuration = handshake(timestamps=(True, True), paws=Paws.LINUX)
        passed = [
            (crossing.counted, crossing.outcome.rules)
            for crossing in crossings(configuration, (OPENED, OPENED), (1, 1), 0, OLD_ACK)
        ]
        assert [rules for counted, rules in passed if counted != Segment(1, 1)] == [("incarnation.timestamp",)]
        assert (Segment(1, 1), ()) in passed

    def test_what_an_old_segment_finds_is_no_harm_of_it(self) -> None:
        """A RST ends no connection that is CLOSED already, and text that was acknowledged before is not acknowledged again."""
        assert harms(Block(State.CLOSED), OLD_RST) == set()
        assert harms(ESTABLISHED._replace(una=2), OLD_FIN, peer=SYN_SENT) == {"old-fin"}

    def test_an_acknowledgement_of_our_syn_alone_is_no_harm(self) -> None:
        """Only text that is acknowledged although it was lost is never sent again."""
        found = crossings(handshake(), (SYN_RECEIVED, SYN_SENT), (1, 1), 0, OLD_ACK)
        assert not any(crossing.harmful for crossing in found)


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
