"""The opening of the next incarnation: who opens when, its composition, crashes, and the clock of ISNs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import pytest
from openings import NEW_SYN, OLD_ACK, OLD_FIN, OLD_RST, OPENED, SYN_RECEIVED, SYN_SENT, WAITING, F, crashed, handshake

from timewait.spec.composition import Composition, CompositionState, Phase, state_of
from timewait.spec.handshake import LOST_MEMORY, OPENS, HandshakeComposition, compose, is_quiet, may_crash, may_open
from timewait.spec.incarnation import UNDELAYED
from timewait.spec.outcome import Call
from timewait.spec.plain_data import configuration_as_data, configuration_from_data
from timewait.spec.reference import initial_state
from timewait.spec.reopening import ATOMIC, AnswerIsn, Crash, NextIncarnation, NextIncarnationError, Numbers, Reopen, SynRule
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.state import Block, State
from timewait.vocabulary.automaton import Action, Bound, Clock
from timewait.vocabulary.replay import ImpossibleMove


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
