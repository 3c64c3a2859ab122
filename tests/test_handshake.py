"""The next incarnation by a handshake: numbers, timestamps, and each harm by its effect."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
from handshake_oracle import judge_handshake
from openings import F, crashed, handshake

from timewait.checker.decide import Answer, decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.formats import packetdrill
from timewait.formats.capture_entries import capture_entries
from timewait.narration.timeline import lifetimes, transits
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.incarnation import HARMS, ISOLATION
from timewait.spec.old_syn import OLD_SYN
from timewait.spec.properties import PROPERTIES
from timewait.spec.reopening import AnswerIsn, NextIncarnation, Numbers, Paws, Reopen, SynRule
from timewait.spec.settings import Behaviour
from timewait.spec.trace_actions import action_of

PROVED, VIOLATED = Verdict.PROVED, Verdict.VIOLATED


def decided(configuration: Configuration, *names: str, engine: Engine = Engine.ZONES) -> dict[str, Answer]:
    """Return the answers about some properties, by name."""
    answers = decide(question(configuration), [PROPERTIES[name] for name in names], engine, Budget())
    return {answer.finding.name: answer for answer in answers}


def verdicts(configuration: Configuration, *names: str, engine: Engine = Engine.ZONES) -> dict[str, Verdict]:
    """Return the verdicts on some properties, by name."""
    return {name: answer.verdict for name, answer in decided(configuration, *names, engine=engine).items()}


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


class TestOldSyn:
    """Whole runs with a SYN of an incarnation before, which ends TIME-WAIT and proves old."""

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


class TestCrash:
    """A host that loses all memory."""

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
