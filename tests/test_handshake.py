"""The next incarnation by a handshake: numbers, timestamps, and each harm by its effect."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from handshake_oracle import judge_handshake

from timewait.checker.decide import Answer, decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.formats import packetdrill
from timewait.formats.capture_entries import capture_entries
from timewait.narration.timeline import lifetimes, transits
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.endpoint import allowed_calls, segment_arrives
from timewait.spec.exchange import loss_windows
from timewait.spec.handshake import LOST_MEMORY, may_crash, may_open
from timewait.spec.incarnation import HARMS, ISOLATION, crossings
from timewait.spec.old_syn import OLD_SYN, received
from timewait.spec.outcome import Call, Timer
from timewait.spec.plain_data import configuration_as_data, configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.reopening import AnswerIsn, Crash, NextIncarnation, NextIncarnationError, Numbers, Paws, Reopen, SynRule
from timewait.spec.replies import earliest_unacknowledged
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import Block, State
from timewait.spec.trace_actions import action_of
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove

PROVED, VIOLATED = Verdict.PROVED, Verdict.VIOLATED
F = Fraction

ESTABLISHED = Block(State.ESTABLISHED, una=1, nxt=2, rcv=1, sent=1)
"""An end of the next incarnation with one octet outstanding."""
SYN_SENT = Block(State.SYN_SENT, nxt=1)
SYN_RECEIVED = Block(State.SYN_RECEIVED, nxt=1, rcv=1, passive=True)
OPENED = Block(State.ESTABLISHED, una=1, nxt=1, rcv=1)
OLD_FIN, OLD_TEXT, OLD_ACK = Segment(1, 1, fin=True), Segment(1, 1, length=1), Segment(2, 2)
OLD_RST = Segment(2, rst=True)


def handshake(time_wait: int = 0, msl: int = 1, text: tuple[int, int] = (0, 0), loss: int = 0, **about: object) -> Configuration:
    """Return a close after which the next incarnation opens by a handshake; without TIME-WAIT where it lasts 0 s."""
    opening = NextIncarnation(Reopen.HANDSHAKE, **{"text": (0, 0)} | about)  # type: ignore[arg-type]
    behaviour = Behaviour(time_wait=time_wait > 0)
    return Configuration(F(msl), F(time_wait), (F(1),), loss=loss, text=text, behaviour=behaviour, reopening=opening)


def decided(configuration: Configuration, *names: str, engine: Engine = Engine.ZONES) -> dict[str, Answer]:
    """Return the answers about some properties, by name."""
    answers = decide(question(configuration), [PROPERTIES[name] for name in names], engine, Budget())
    return {answer.finding.name: answer for answer in answers}


def verdicts(configuration: Configuration, *names: str, engine: Engine = Engine.ZONES) -> dict[str, Verdict]:
    """Return the verdicts on some properties, by name."""
    return {name: answer.verdict for name, answer in decided(configuration, *names, engine=engine).items()}


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


class TestVerdicts:
    """Whole runs."""

    @pytest.mark.parametrize("harm", ["old-fin", "old-reset"])
    def test_shortest_without_time_wait(self, harm: str) -> None:
        """Without TIME-WAIT each harm has a run, replayed copy by copy, whose last step names it."""
        answer = decided(handshake(), harm)[harm]
        assert answer.verdict is VIOLATED
        assert answer.trace is not None
        last = answer.trace.steps[-1].event
        assert {ISOLATION, harm} <= dict(last.breaks).keys()
        assert any(rule == f"incarnation.{harm}" for rule, _, _ in last.rules)
        assert "in the next incarnation, where its number is exactly next" in last.text
        actions = [action_of(step.event) for step in answer.trace.steps]
        assert [action.kind for action in actions if action is not None].count("call") >= 4

    def test_captures(self) -> None:
        """In a capture, segments of the next incarnation have its initial sequence numbers, and an old one is marked."""
        trace = decided(handshake(), "old-fin")["old-fin"].trace
        assert trace is not None
        entries = capture_entries(trace, ("A", "B"))
        assert {entry.incarnation for entry in entries if "syn" in dict(entry.fields)} == {0, 1}
        old = [entry for entry in entries if "PREVIOUS INCARNATION" in entry.comment]
        assert [entry.incarnation for entry in old] == [0]

    def test_pictures_and_scripts(self) -> None:
        """A lifeline shows the next incarnation from each opening on; a script of an end stops there, before its new SYN."""
        trace = decided(handshake(), "old-fin")["old-fin"].trace
        assert trace is not None
        opening = {end: next(step.number for step in trace.steps if step.state[f"{end}.incarnation"]) for end in "AB"}
        assert {life.end: life.first for life in lifetimes(trace) if life.kind == "next"} == opening
        sent = {transit.incarnation for transit in transits(trace) if "SYN" in transit.copy.text}
        assert sent == {1}
        assert {transit.incarnation for transit in transits(trace) if "FIN" in transit.copy.text} == {0}
        for end in "AB":
            script = packetdrill.as_packetdrill(trace, end.lower())
            assert "the next one begins" in script
            after = script.partition(f"// step {opening[end]}, ")[2]
            assert not [line for line in after.splitlines() if line.startswith("+") and " S" in line]

    @pytest.mark.parametrize("numbers", [Numbers.WORST, Numbers.REPEATED, Numbers.ABOVE])
    @pytest.mark.parametrize("engine", [Engine.EXPLICIT, Engine.ZONES])
    def test_two_lifetimes(self, numbers: Numbers, engine: Engine) -> None:
        """A TIME_WAIT of 2 MSL isolates, whatever the numbers."""
        assert set(verdicts(handshake(2, numbers=numbers), ISOLATION, engine=engine).values()) == {PROVED}

    @pytest.mark.slow
    @pytest.mark.parametrize("engine", [Engine.EXPLICIT, Engine.ZONES])
    @pytest.mark.parametrize("harm", ["old-text", "old-ack"])
    def test_harms_of_text(self, harm: str, engine: Engine) -> None:
        """Old text, and an old ACK of new text, need text in the old and in the new incarnation."""
        text = (1, 0) if harm == "old-text" else (0, 0)
        new = (0, 0) if harm == "old-text" else (1, 0)
        with_new = replace(handshake(0, text=text), reopening=NextIncarnation(Reopen.HANDSHAKE, text=new))
        assert verdicts(with_new, harm, engine=engine) == {harm: VIOLATED}
        assert verdicts(replace(with_new, time_wait=F(2), behaviour=Behaviour()), harm, engine=engine) == {harm: PROVED}

    def test_undelayed(self) -> None:
        """An old ACK that meets LISTEN delays nothing after 2 MSL, and without TIME-WAIT it does."""
        assert verdicts(handshake(2), "undelayed") == {"undelayed": PROVED}
        assert verdicts(handshake(0, numbers=Numbers.ABOVE), "undelayed") == {"undelayed": VIOLATED}

    def test_an_atomic_reopen_delays_nothing(self) -> None:
        """With an atomic reopen the question is empty."""
        atomic = replace(handshake(2), reopening=NextIncarnation())
        assert verdicts(atomic, "undelayed") == {"undelayed": Verdict.VACUOUS}


WAITING = Block(State.TIME_WAIT, una=2, nxt=2, rcv=2)
HALF_OPEN = Block(State.SYN_RECEIVED, una=2, nxt=3, rcv=501, passive=True, waited=2)
"""TIME-WAIT, and the half-open connection that an old SYN makes of it."""


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
        back = received(handshake(2, old_syn=True, syn=SynRule.ABOVE), HALF_OPEN, segment)
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

    def test_the_ack_comes_before_the_timestamp(self) -> None:
        """An old segment that meets SYN-RECEIVED of the next incarnation gets a RST with its own numbers."""
        opened = Block(State.SYN_RECEIVED, nxt=1, rcv=1, passive=True)
        for first, rule in ((False, "incarnation.timestamp"), (True, "incarnation.ack-first")):
            configuration = handshake(timestamps=(True, True), ack_first=first, numbers=Numbers.ABOVE)
            (way,) = crossings(configuration, (SYN_SENT, opened), (1, 1), 1, OLD_ACK)
            assert way.outcome.rules == (rule,)
            if first:
                assert way.outcome.replies == (Segment(OLD_ACK.ack or 0, rst=True),)

    @pytest.mark.slow
    def test_a_capture(self) -> None:
        """A run with a packet that was sent before its start is replayed, and written as a capture."""
        trace = decided(handshake(2, old_syn=True, syn=SynRule.ABOVE, returns=False), "old-fin")["old-fin"].trace
        assert trace is not None
        rules = [rule for step in trace.steps for rule, _, _ in step.event.rules]
        assert [rule for rule in rules if rule.startswith("incarnation")] == [
            "incarnation.old-syn",
            "incarnation.old-syn-end",
            "incarnation.old-fin",
        ]
        entries = [entry for entry in capture_entries(trace, ("A", "B")) if entry.fields.get("seq") == OLD_SYN.seq]
        assert {entry.identification for entry in entries} == {1}
        assert packetdrill.as_packetdrill(trace, "a")

    @pytest.mark.slow
    def test_brute_force_agrees(self) -> None:
        """Without the return an old FIN is accepted; with it there is no harm."""
        gone, back = (handshake(2, old_syn=True, syn=SynRule.ABOVE, returns=returns) for returns in (False, True))
        assert judge_handshake(gone, wanted=("old-fin",)) == {"old-fin": True}
        wanted = ("old-fin", "old-reset", "old-ack")
        assert judge_handshake(back, wanted=wanted) == dict.fromkeys(wanted, False)
        for engine in (Engine.EXPLICIT, Engine.ZONES):
            assert verdicts(gone, "old-fin", engine=engine) == {"old-fin": VIOLATED}
            assert set(verdicts(back, *wanted, engine=engine).values()) == {PROVED}


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


def crashed(quiet: int, **about: Any) -> Configuration:
    """Return the last exchange without TIME-WAIT, in which A loses all memory and keeps quiet for some seconds."""
    return replace(handshake(crash=Crash.A, quiet=F(quiet), **about), scope=Scope.CORE)


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

    def test_a_quiet_end_sends_nothing(self) -> None:
        """In a run, nothing is sent between the crash and the opening, which comes after the quiet time."""
        answer = decided(crashed(3), "old-fin")["old-fin"]
        assert answer.trace is not None
        steps = answer.trace.steps
        crash = next(step for step in steps if any(rule == "incarnation.crash" for rule, _, _ in step.event.rules))
        opening = next(step for step in steps if step.event.actor == "A" and "OPEN" in step.event.text)
        between = [step for step in steps if crash.number <= step.number < opening.number and step.event.actor == "A"]
        assert not [step for step in between if step.event.sent]
        assert opening.time > crash.time + 3

    def test_replay_refuses_what_a_crash_does_not_allow(self) -> None:
        """The reference semantics: no opening within the quiet time, no second crash, no crash of the other end."""
        crash = Action("crash", "A", LOST_MEMORY)
        (state,) = initial_state(crashed(3)).act(crash)
        for action in (crash, Action("crash", "B", LOST_MEMORY), Action("call", "A", Call.OPEN_ACTIVE, (False,))):
            with pytest.raises(ImpossibleMove):
                state.wait(F(3)).act(action)
        assert state.wait(F(31, 10)).act(Action("call", "A", Call.OPEN_PASSIVE))

    @pytest.mark.parametrize("quiet", [0, 1, 2])
    def test_oracle_peer(self, quiet: int) -> None:
        """For what the peer still sends no quiet time is enough; brute force and zones agree."""
        wanted = ("old-fin", "old-reset")
        assert judge_handshake(crashed(quiet), wanted=wanted) == dict.fromkeys(wanted, True)
        assert verdicts(crashed(quiet), *wanted) == dict.fromkeys(wanted, VIOLATED)

    @pytest.mark.parametrize(("quiet", "verdict"), [(F(999, 1000), VIOLATED), (F(1), PROVED)])
    def test_own_acknowledgements(self, quiet: Fraction, verdict: Verdict) -> None:
        """An old ACK of the host that crashed is gone after an MSL, and not before."""
        configuration = replace(crashed(0), reopening=replace(crashed(0).reopening, quiet=quiet, text=(0, 1)))
        assert verdicts(configuration, "old-ack") == {"old-ack": verdict}

    def test_above(self) -> None:
        """With ISNs above all old numbers no quiet time is needed."""
        assert verdicts(crashed(0, numbers=Numbers.ABOVE), ISOLATION) == {ISOLATION: PROVED}

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


def agreed(configuration: Configuration) -> set[str]:
    """Return the harms that brute force, ticks and zones find; all three must find the same."""
    judged = {name for name, bad in judge_handshake(configuration).items() if bad}
    for engine in (Engine.EXPLICIT, Engine.ZONES):
        found = verdicts(configuration, *HARMS, engine=engine)
        assert {name for name, verdict in found.items() if verdict is VIOLATED} == judged
        assert set(found.values()) <= {VIOLATED, PROVED, Verdict.VACUOUS}
    return judged


OPENINGS = [
    {"numbers": Numbers.WORST},
    {"numbers": Numbers.REPEATED},
    {"numbers": Numbers.ABOVE},
    {"timestamps": (True, True)},
    {"timestamps": (True, True), "paws": Paws.LINUX},
    {"ack_first": True},
    {"timestamps": (True, True), "paws": Paws.LINUX, "ack_first": True},
]
"""The places of numbers without timestamps, both rules of timestamps in the worst place, and an ACK before a number."""


class TestOracle:
    """Brute force with single copies, their ages, and retransmission timers in the next incarnation finds the same harms."""

    @pytest.mark.parametrize("time_wait", [pytest.param(0, marks=pytest.mark.slow), 1, 2])
    @pytest.mark.parametrize("opening", OPENINGS)
    def test_last_exchange(self, time_wait: int, opening: dict[str, object]) -> None:
        """Scope core, with and without TIME-WAIT."""
        harms_found = agreed(replace(handshake(time_wait, **opening), scope=Scope.CORE))  # type: ignore[arg-type]
        if time_wait == 2 or opening.get("numbers") is Numbers.ABOVE:
            assert harms_found == set()
        elif opening == {"numbers": Numbers.WORST}:
            assert "old-fin" in harms_found

    def test_new_text(self) -> None:
        """Without TIME-WAIT an old ACK may acknowledge new text, in the worst place of the numbers."""
        configuration = replace(handshake(), scope=Scope.CORE, reopening=NextIncarnation(Reopen.HANDSHAKE, text=(1, 0)))
        assert judge_handshake(configuration, wanted=("old-ack",)) == {"old-ack": True}
        assert verdicts(configuration, "old-ack") == {"old-ack": VIOLATED}

    @pytest.mark.parametrize(
        ("opening", "found"),
        [
            ({}, set()),
            ({"syn": SynRule.ABOVE}, set()),
            ({"syn": SynRule.AT_OR_ABOVE}, set()),
            ({"syn": SynRule.AT_OR_ABOVE, "isn": AnswerIsn.ANY}, set()),
            ({"syn": SynRule.AT_OR_ABOVE, "numbers": Numbers.REPEATED}, set()),
            ({"syn": SynRule.ABOVE, "numbers": Numbers.ABOVE}, set()),
            ({"syn": SynRule.TIMESTAMP, "timestamps": (True, True)}, {"old-reset"}),
            ({"syn": SynRule.TIMESTAMP_OR_AT, "timestamps": (True, True)}, {"old-reset"}),
            ({"syn": SynRule.RESET}, set()),
        ],
    )
    def test_a_syn_in_time_wait(self, opening: dict[str, object], found: set[str]) -> None:
        """Scope core with a TIME_WAIT of 2 MSL, where an end opens as soon as it is CLOSED."""
        configuration = replace(handshake(2, early=True, **opening), scope=Scope.CORE)  # type: ignore[arg-type]
        assert agreed(configuration) == found

    @pytest.mark.slow
    @pytest.mark.parametrize("syn", [SynRule.ABOVE, SynRule.AT_OR_ABOVE])
    def test_the_answering_end(self, syn: SynRule) -> None:
        """The whole close: an old FIN of the end in TIME-WAIT is accepted if the ISN of that end may be any."""
        any_isn = handshake(2, early=True, syn=syn, isn=AnswerIsn.ANY)
        assert judge_handshake(any_isn, wanted=("old-fin",)) == {"old-fin": True}
        for engine in (Engine.EXPLICIT, Engine.ZONES):
            assert verdicts(any_isn, "old-fin", engine=engine) == {"old-fin": VIOLATED}
            above = verdicts(handshake(2, early=True, syn=syn), ISOLATION, "old-fin", engine=engine)
            assert above == {ISOLATION: PROVED, "old-fin": PROVED}

    @pytest.mark.slow
    @pytest.mark.parametrize("time_wait", [1, 2])
    def test_whole_close(self, time_wait: int) -> None:
        """The whole close, with a retransmission timer of each end."""
        agreed(handshake(time_wait))
