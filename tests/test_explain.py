"""``timewait explain`` on traces, on captures written by hand, and on captures of the kernel's own TCP."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import kernel
import pytest
from commands import run
from scapy.layers.inet import IP, UDP
from wire import ENDS, Script, pcap, pcapng

import timewait
from timewait.captures.closes import read_closes
from timewait.captures.facts import ObservedClose
from timewait.captures.observations import RemarkKind, TimeWaitAnswer
from timewait.captures.profiles import fit_profiles
from timewait.captures.report import deviations, known, outcome, summary, time_wait
from timewait.captures.time_wait_lengths import compare, time_waits_observed
from timewait.checker import itf
from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.trace import Trace
from timewait.formats.pcapng import as_pcapng
from timewait.narration.prose import counted, listed, rounded, short_duration
from timewait.narration.story import conclusion, story
from timewait.proofs.question import question
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.stacks import Stack, load_stack
from timewait.spec.state import MEANING, State
from timewait.vocabulary.errors import RequestError


def configuration(**overrides: Any) -> Configuration:
    """RFC 9293 (intended reading) with an MSL of 30 s."""
    values = {"msl": Fraction(30), "rto": (Fraction(30),), "time_wait": Fraction(60), **overrides}
    return assemble(load_stack("rfc9293-intended"), Overrides.of(**values))


def closes(path: Path, assumed: Configuration | None = None) -> tuple[ObservedClose, ...]:
    """Every close in a capture."""
    return read_closes(path, assumed or configuration()).closes


def only_close(script: Script, tmp_path: Path) -> ObservedClose:
    """The only close in a script."""
    (found,) = closes(pcap(tmp_path / "script.pcap", script.packets))
    return found


def states(close: ObservedClose, end: str) -> list[str]:
    """The states that an end goes through."""
    changes = [str(close.trace.initial[f"{end}.state"])]
    changes += [str(step.changed[f"{end}.state"][1]) for step in close.trace.steps if f"{end}.state" in step.changed]
    return changes


ACTIVE = ["ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"]
PASSIVE = ["ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]


def closed(script: Script | None = None, last: bool = True) -> Script:
    """A clean close: A at 1 s, B at 1.2 s."""
    script = Script().opened() if script is None else script
    script.say(1.0, "A", "FA", 1, 1)
    script.say(1.01, "B", "A", 1, 2)
    script.say(1.2, "B", "FA", 1, 2)
    if last:
        script.say(1.21, "A", "A", 2, 2)
    return script


class TestCloses:
    """Captures written by hand."""

    def test_clean(self, tmp_path: Path) -> None:
        """Both ends go through the textbook states."""
        close = only_close(closed(), tmp_path)
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert outcome(close) == "closed in order, A first"
        assert "B closed 200ms later" in summary(close)
        assert "A acknowledged B's FIN after 10ms" in summary(close)
        assert deviations(close) == []
        assert (str(close.ends[0]), str(close.ends[1])) == ("192.0.2.1:40000", "192.0.2.2:80")

    def test_a_closes_first(self, tmp_path: Path) -> None:
        """A is the end that closes first, even if the other end opened the connection."""
        script = Script().opened()
        script.say(1.0, "B", "FA", 1, 1)
        script.say(1.01, "A", "FA", 1, 2)
        script.say(1.02, "B", "A", 2, 2)
        close = only_close(script, tmp_path)
        assert str(close.ends[0]) == "192.0.2.2:80"
        assert (states(close, "A"), states(close, "B")) == (["ESTABLISHED", "FIN_WAIT_1", "TIME_WAIT"], PASSIVE)

    def test_simultaneous(self, tmp_path: Path) -> None:
        """Two FINs that cross, and so do their acknowledgements."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.005, "B", "FA", 1, 1)
        script.say(1.01, "A", "A", 2, 2)
        script.say(1.015, "B", "A", 2, 2)
        close = only_close(script, tmp_path)
        crossing = ["ESTABLISHED", "FIN_WAIT_1", "CLOSING", "TIME_WAIT"]
        assert (states(close, "A"), states(close, "B")) == (crossing, crossing)
        assert outcome(close) == "closed in order, by both ends simultaneously"
        assert [need.end for need in time_waits_observed(close)] == ["A", "B"]

    def test_half(self, tmp_path: Path) -> None:
        """B sends text after A's FIN and then closes; numbers count real octets."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "PA", 1, 2, length=1_400)
        script.say(1.02, "A", "A", 2, 1_401)
        script.say(1.03, "B", "PFA", 1_401, 2, length=600)
        script.say(1.04, "A", "A", 2, 2_002)
        close = only_close(script, tmp_path)
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert "Then B sent 2,000 more octets: a half-close" in summary(close)
        assert close.trace.steps[-1].state["A.rcv"] == 2_002

    def test_half_closed_only(self, tmp_path: Path) -> None:
        """B never closes."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        assert outcome(only_close(script, tmp_path)) == "half closed: A has closed, B has not"

    def test_text_in_flight_when_the_close_begins(self, tmp_path: Path) -> None:
        """The trace starts with it; text acknowledged earlier is left out."""
        script = Script().opened()
        script.say(0.5, "A", "PA", 1, 1, length=100)
        script.say(0.51, "B", "A", 1, 101)
        script.say(0.99, "A", "PA", 101, 1, length=50)
        script.say(1.0, "A", "FA", 151, 1)
        script.say(1.01, "B", "FA", 1, 152)
        script.say(1.02, "A", "A", 152, 2)
        close = only_close(script, tmp_path)
        assert close.trace.steps[0].event.text == "user calls SEND (50 octets)"
        assert close.trace.initial["A.nxt"] == 101
        assert deviations(close) == []

    def test_out_of_order(self, tmp_path: Path) -> None:
        """A FIN that overtook text is processed when the text has arrived, as real stacks do."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 101, 1)
        script.say(1.001, "A", "PA", 1, 1, length=100)
        script.say(1.02, "B", "A", 1, 102)
        script.say(1.1, "B", "FA", 1, 102)
        script.say(1.11, "A", "A", 102, 2)
        close = only_close(script, tmp_path)
        assert states(close, "B") == PASSIVE

    def test_keep_alives(self, tmp_path: Path) -> None:
        """Keep-alives, window updates and repeated acknowledgements change nothing."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        script.say(1.1, "B", "A", 1, 2, window=9_000)
        script.say(5.0, "B", "A", 0, 2)
        script.say(5.01, "A", "A", 2, 1)
        script.say(9.0, "B", "A", 0, 2, length=1)
        script.say(9.01, "A", "A", 2, 1)
        script.say(9.2, "B", "FA", 1, 2)
        script.say(9.21, "A", "A", 2, 2)
        close = only_close(script, tmp_path)
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert deviations(close) == []
        assert sum("keep-alive" in step.event.text for step in close.trace.steps) == 2

    def test_packets_missing_from_the_capture(self, tmp_path: Path) -> None:
        """The trace goes on, and remarks name what is missing."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 50_001, 1)
        script.say(1.01, "B", "FA", 3_001, 50_002)
        script.say(1.02, "A", "A", 50_002, 3_002)
        close = only_close(script, tmp_path)
        assert (states(close, "A")[-1], states(close, "B")) == ("TIME_WAIT", PASSIVE)
        missing = [remark.text for remark in close.remarks if remark.kind is RemarkKind.NOT_CAPTURED]
        assert missing == [f"had sent {octets} octets missing from the capture" for octets in ("50,000", "3,000")]
        assert deviations(close) == []

    def test_a_fin_missing_from_the_capture(self, tmp_path: Path) -> None:
        """Its acknowledgement shows that it was sent, and which end closed first."""
        script = closed()
        del script.packets[3]
        close = only_close(script, tmp_path)
        assert str(close.ends[0]) == "192.0.2.1:40000"
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert deviations(close) == []
        assert any("A's FIN is missing from the capture" in line for line in known(close))

    def test_without_an_opening(self, tmp_path: Path) -> None:
        """Numbers count from the first packets seen, and the report says so."""
        script = Script()
        script.say(1.0, "A", "FA", 700, 30_000)
        script.say(1.01, "B", "FA", 30_000, 701)
        script.say(1.02, "A", "A", 701, 30_001)
        close = only_close(script, tmp_path)
        assert close.trace.steps[0].event.sent[0].text == "FIN+ACK seq=1 ack=1"
        assert any("The opening is not in the capture" in line for line in known(close))


class TestLosses:
    """Losses and retransmissions, and the TIME-WAIT that they need."""

    def lost_last_acknowledgement(self, tmp_path: Path) -> ObservedClose:
        """B retransmits its FIN after 200 ms and 400 ms, and A acknowledges it each time."""
        script = closed()
        script.say(1.4, "B", "FA", 1, 2)
        script.say(1.41, "A", "A", 2, 2)
        script.say(1.8, "B", "FA", 1, 2)
        script.say(1.81, "A", "A", 2, 2)
        return only_close(script, tmp_path)

    def test_the_summary(self, tmp_path: Path) -> None:
        """Two acknowledgements were lost."""
        close = self.lost_last_acknowledgement(tmp_path)
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        lost = [copy.text for step in close.trace.steps for copy in step.event.sent if copy.lost]
        assert lost == ["ACK seq=2 ack=2"] * 2
        assert [(sent.end, sent.gap, sent.fin) for sent in close.retransmissions] == [
            ("B", Fraction(1, 5), True),
            ("B", Fraction(2, 5), True),
        ]
        assert "A's first 2 acknowledgements were lost." in summary(close)
        assert "B retransmitted its FIN twice, after 200ms and 400ms" in summary(close)

    def test_the_time_wait_needed(self, tmp_path: Path) -> None:
        """From A's last acknowledgement to B's next FIN; without restarts, from the start of TIME-WAIT."""
        (need,) = time_waits_observed(self.lost_last_acknowledgement(tmp_path))
        assert (need.restarted, need.unrestarted) == (Fraction(39, 100), Fraction(3, 5))

    def test_against_stacks(self, tmp_path: Path) -> None:
        """Each stack by its own rule for restarting the timer."""
        close = self.lost_last_acknowledgement(tmp_path)
        (need,) = time_waits_observed(close)
        brief = Stack(name="brief", title="Brief", time_wait=Fraction(1, 2), behaviour={"restarts": frozenset()})
        enough, short = compare(need, [load_stack("linux"), load_stack("mtcp"), brief])
        assert [stack.name for stack in enough] == ["linux"]
        assert [stack.name for stack in short] == ["mtcp", "brief"]

    def test_a_time_wait_that_was_too_short(self, tmp_path: Path) -> None:
        """A has left TIME-WAIT and answers the retransmitted FIN with a RST; B is reset while closing in order."""
        script = closed()
        script.say(1.5, "B", "FA", 1, 2)
        script.say(1.51, "A", "R", 2)
        close = only_close(script, tmp_path)
        assert states(close, "A") == [*ACTIVE, "CLOSED"]
        assert states(close, "B") == PASSIVE
        assert [(left.end, left.state, left.within) for left in close.states_left] == [("A", "TIME_WAIT", Fraction(3, 10))]
        assert close.time_wait_arrivals[0].answer is TimeWaitAnswer.RST
        (deviation,) = close.facts.deviations
        assert (deviation.kind, deviation.end, deviation.frames, deviation.section) == (
            "time-wait-left",
            "A",
            (8, 9),
            "RFC 9293 3.6.1 MUST-13",
        )
        assert deviations(close)[0].startswith(
            "At 510ms A had left TIME_WAIT after 300ms; 2 MSL are 60s (RFC 9293 3.6.1 MUST-13;"
        )
        assert "It may also be that its user dropped it" in deviations(close)[0]
        assert outcome(close) == "closed by both, but B was reset in LAST_ACK before its close was complete"
        assert "A had left TIME_WAIT and answered with a RST (frame 9)" in summary(close)
        last = [name for step in close.trace.steps for name, _ in step.event.breaks]
        assert last == ["graceful"]
        assert any("1m" not in why and "60s" in why for stack, why in fit_profiles(close, "A", [load_stack("linux")]).excluded)

    def test_rfc_1337(self, tmp_path: Path) -> None:
        """A duplicate of B's FIN is acknowledged, B answers with a RST, and the RST ends TIME-WAIT."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        copy = script.say(1.2, "B", "FA", 1, 2)
        script.say(1.21, "A", "A", 2, 2)
        script.say(2.0, "B", "FA", 1, 2, ident=copy)
        script.say(2.01, "A", "A", 2, 2)
        script.say(2.02, "B", "R", 2)
        script.say(2.5, "B", "FA", 1, 2, ident=copy)
        script.say(2.51, "A", "R", 2)
        close = only_close(script, tmp_path)
        assert states(close, "A") == [*ACTIVE, "CLOSED"]
        assert [(shot.exact, shot.ended) for shot in close.resets] == [(True, True)]
        assert "a RST ended the TIME_WAIT of A (RFC 1337)" in summary(close)
        assert "The network duplicated 2 packets" in summary(close)
        found = fit_profiles(close, "A", [load_stack("linux"), load_stack("freebsd")])
        assert [stack.name for stack in found.fitting] == ["linux"]
        assert [stack.name for stack, _ in found.excluded] == ["freebsd"]

    @pytest.mark.parametrize(
        ("ends", "hops", "fitting"),
        [((2.0, 3.0), 60, ["freebsd"]), ((2.0, 3.0, 4.0), 64, ["freebsd"]), ((2.0, 3.0), 64, ["linux", "freebsd"])],
    )
    def test_a_rst_that_time_wait_ignored(self, tmp_path: Path, ends: tuple[float, ...], hops: int, fitting: list[str]) -> None:
        """A still answers the next FIN: FreeBSD fits, Linux with its default settings only if the RST may have been lost.

        It can have been lost if it is the only one and the capture is not beside A.
        """
        script = Script().opened()
        for packet in script.packets[1::2]:
            packet[IP].ttl = hops
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2, hops=hops)
        copy = script.say(1.2, "B", "FA", 1, 2, hops=hops)
        script.say(1.21, "A", "A", 2, 2)
        for at in ends:
            script.say(at, "B", "FA", 1, 2, ident=copy, hops=hops)
            script.say(at + 0.01, "A", "A", 2, 2)
            script.say(at + 0.02, "B", "R", 2, hops=hops)
        close = only_close(script, tmp_path)
        assert states(close, "A") == ACTIVE
        assert [shot.ended for shot in close.resets] == [False] * (len(ends) - 1) + [None]
        found = fit_profiles(close, "A", [load_stack("linux"), load_stack("freebsd")])
        assert [stack.name for stack in found.fitting] == fitting

    def test_two_places(self, tmp_path: Path) -> None:
        """A capture at both ends shows losses and delays."""
        script, far = Script().opened(), Script()
        for at, who, flags, seq, ack, lost in (
            (1.0, "A", "FA", 1, 1, False),
            (1.1, "B", "A", 1, 2, False),
            (1.2, "B", "FA", 1, 2, False),
            (1.3, "A", "A", 2, 2, True),
            (2.2, "B", "FA", 1, 2, False),
            (2.3, "A", "A", 2, 2, False),
        ):
            ident = script.say(at, who, flags, seq, ack)
            if not lost:
                far.say(at + 0.05, who, flags, seq, ack, ident=ident, hops=63)
        places = {"A": "left", "B": "right"}
        captured = [(places["A" if packet[IP].src == ENDS["A"][0] else "B"], packet) for packet in script.packets]
        captured += [(places["B" if packet[IP].src == ENDS["A"][0] else "A"], packet) for packet in far.packets]
        handshake = [("right" if place == "left" else "left", packet.copy()) for place, packet in captured[:3]]
        path = pcapng(tmp_path / "both.pcapng", sorted([*captured, *handshake], key=lambda packet: packet[1].time))
        (close,) = closes(path)
        assert close.interfaces == ("left", "right")
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        received = [step.event.text for step in close.trace.steps if step.event.received is not None]
        assert all(text.endswith("(50ms old)") for text in received)
        assert [copy.text for step in close.trace.steps for copy in step.event.sent if copy.lost] == ["ACK seq=2 ack=2"]
        assert "the capture shows what was sent, what was lost and what arrived" in known(close)[0]

    def reused(self, tmp_path: Path, ahead: int) -> ObservedClose:
        """A duplicate of B's FIN comes in the next incarnation, whose numbers begin some octets after those of the first."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        copy = script.say(1.2, "B", "FA", 1, 2)
        script.say(1.21, "A", "A", 2, 2)
        script.say(1.3, "A", "S", 9_000)
        script.say(1.31, "B", "SA", ahead, 9_001)
        script.say(1.32, "A", "A", 9_001, ahead + 1)
        script.say(1.4, "B", "FA", 1, 2, ident=copy)
        return only_close(script, tmp_path)

    def test_an_old_duplicate_outside_the_window(self, tmp_path: Path) -> None:
        """The next incarnation drops it: nothing is broken."""
        close = self.reused(tmp_path, 9_000)
        assert close.reopened == Fraction(3, 10)
        assert not any(step.event.breaks for step in close.trace.steps)
        assert outcome(close) == "closed in order, A first"
        assert "opened again" in summary(close)

    def test_an_old_duplicate_in_the_window(self, tmp_path: Path) -> None:
        """It is found by its identification, and the next incarnation may accept it."""
        close = self.reused(tmp_path, 0)
        assert close.trace.steps[-1].event.breaks[0][0] == "isolation"
        assert "may accept FIN+ACK seq=1 ack=2 of the closed connection" in summary(close)
        assert any("at least 200ms were needed to keep old duplicates out" in line for line in time_wait(close, [], None))


class TestResets:
    """Aborted connections."""

    def test_abort(self, tmp_path: Path) -> None:
        """SO_LINGER 0, or unread text."""
        script = Script().opened()
        script.say(1.0, "B", "RA", 1, 1)
        close = only_close(script, tmp_path)
        assert str(close.ends[0]) == "192.0.2.2:80"
        assert outcome(close) == "reset by A"
        assert "aborted the connection with a RST" in summary(close)
        assert states(close, "B") == ["ESTABLISHED", "CLOSED"]

    def test_late_text(self, tmp_path: Path) -> None:
        """A RST that answers text for a user who has closed (RFC 9293 3.6.1) is no deviation."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        script.say(1.5, "B", "PA", 1, 2, length=10)
        script.say(1.51, "A", "R", 2)
        close = only_close(script, tmp_path)
        assert outcome(close) == "reset by A after A had closed"
        assert "after its user had closed both directions" in summary(close)
        assert deviations(close) == []

    def test_a_rst_without_effect(self, tmp_path: Path) -> None:
        """The other end goes on: with one capture point the RST counts as lost."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        script.say(1.1, "A", "R", 2)
        script.say(1.2, "B", "PA", 1, 2, length=10)
        script.say(1.21, "A", "R", 2)
        close = only_close(script, tmp_path)
        assert [copy.lost for step in close.trace.steps for copy in step.event.sent if copy.text == "RST seq=2"] == [True, False]

    def test_reopened_before_the_reset(self, tmp_path: Path) -> None:
        """The SYN of the next incarnation comes before the RST that ends the old one."""
        script = Script().opened()
        script.say(4.0, "B", "S", 9_000)
        script.say(4.6, "A", "R", 1)
        script.say(4.8, "A", "SA", 9_000, 9_001)
        close = only_close(script, tmp_path)
        assert outcome(close) == "reset by A"
        assert close.reopened == 4 - Fraction(46, 10)


class TestDeviations:
    """Ends that violate the standard."""

    def remarks(self, script: Script, tmp_path: Path) -> str:
        """The deviations in a script."""
        return "\n".join(deviations(only_close(script, tmp_path)))

    def test_text_beyond_the_fin(self, tmp_path: Path) -> None:
        """An end sends nothing new after its FIN."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        script.say(1.1, "A", "PA", 2, 1, length=10)
        assert "A sends DATA+ACK seq=2 ack=1 len=10, beyond its FIN (RFC 9293 3.10.2; frames 4 and 6)" in self.remarks(
            script, tmp_path
        )

    def test_a_fin_that_moves(self, tmp_path: Path) -> None:
        """A retransmission has the number of the first transmission."""
        script = Script().opened()
        script.say(0.9, "A", "PA", 1, 1, length=9)
        script.say(1.0, "A", "FA", 10, 1)
        script.say(1.4, "A", "FA", 8, 1)
        assert "sends its FIN with sequence number 8 after sending it with 10" in self.remarks(script, tmp_path)

    def test_an_acknowledgement_where_a_rst_is_due(self, tmp_path: Path) -> None:
        """B sends an acknowledgement where CLOSED calls for a RST; it may not have received the last acknowledgement."""
        script = closed()
        copy = script.say(3.0, "A", "A", 2, 2)
        assert copy
        script.say(3.01, "B", "A", 2, 2)
        close = only_close(script, tmp_path)
        assert deviations(close) == []
        (unknown,) = close.facts.unknowns
        assert (unknown.kind, unknown.end, unknown.frames) == ("spoke-when-closed", "B", (7, 9))
        assert "where CLOSED calls for a RST (RFC 9293 3.10.7.1)" in known(close)[-1]

    def test_no_back_off(self, tmp_path: Path) -> None:
        """Every timeout should double."""
        script = closed(last=False)
        for at in (1.4, 1.6, 1.8, 2.0):
            script.say(at, "B", "FA", 1, 2)
        assert "after 200ms, 200ms and 200ms: the timeout should have doubled (RFC 6298 5.5;" in self.remarks(script, tmp_path)

    def test_a_late_answer(self, tmp_path: Path) -> None:
        """Half a second is allowed; the capture beside the slow end shows that it may have taken longer."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1, hops=60)
        script.say(1.7, "B", "A", 1, 2)
        for packet in script.packets[:3]:
            packet[IP].ttl = 60 if packet[IP].src == ENDS["A"][0] else 64
        close = only_close(script, tmp_path)
        assert close.beside == "B"
        assert deviations(close) == []
        (unknown,) = close.facts.unknowns
        assert unknown.kind == "late-acknowledgement"
        assert "B may have acknowledged A's FIN only after 700ms" in unknown.text
        assert "3.8.6.3" in unknown.text


class TestProfiles:
    """Stack profiles that fit."""

    def test_retransmissions(self, tmp_path: Path) -> None:
        """A FIN retransmitted after 200 ms excludes smoltcp, whose shortest timeout is 1 s."""
        script = closed(last=False)
        script.say(1.4, "B", "FA", 1, 2)
        script.say(1.41, "A", "A", 2, 2)
        found = fit_profiles(only_close(script, tmp_path), "B", [load_stack("linux"), load_stack("smoltcp")])
        assert [stack.name for stack in found.fitting] == ["linux"]
        assert "1s at the earliest" in found.excluded[0][1]

    def test_the_length_of_time_wait(self, tmp_path: Path) -> None:
        """An end still in TIME-WAIT after 12 s excludes smoltcp, which stays for 10 s."""
        script = closed()
        script.say(13.3, "B", "FA", 1, 2)
        script.say(13.31, "A", "A", 2, 2)
        found = fit_profiles(
            only_close(script, tmp_path),
            "A",
            [load_stack("linux"), load_stack("smoltcp"), load_stack("mtcp"), load_stack("picotcp")],
        )
        assert [stack.name for stack in found.fitting] == ["linux"]

    def test_no_clues(self, tmp_path: Path) -> None:
        """Every profile fits a clean close."""
        found = fit_profiles(only_close(closed(), tmp_path), "A", [load_stack("linux"), load_stack("smoltcp")])
        assert (found.clues, len(found.fitting)) == ((), 2)


# --- traces ----------------------------------------------------------------------------------------------------------


def violation(name: str, **overrides: Any) -> Trace:
    """A run that violates a property."""
    (answer,) = decide(question(configuration(**overrides)), [PROPERTIES[name]], Engine.AUTO, Budget())
    assert answer.trace is not None
    return answer.trace


class TestStory:
    """Runs of the checker as stories."""

    @pytest.fixture
    def trace(self) -> Trace:
        """The lost last acknowledgement."""
        return violation("graceful", time_wait=Fraction(599, 10))

    def test_every_state_is_explained_once(self, trace: Trace) -> None:
        """With the meaning from the specification, where it is first entered."""
        explained = [name for line in story(trace) for name, _ in line.meanings]
        entered = ["ESTABLISHED", "FIN_WAIT_1", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSED"]
        assert explained == entered
        assert all(words == MEANING[State[name]] for line in story(trace) for name, words in line.meanings)

    def test_every_step_is_described_in_order(self, trace: Trace) -> None:
        """With its actor, its action and its rule."""
        lines = story(trace)
        assert [line.numbers for line in lines] == [(number, number) for number in range(len(trace.steps) + 1)]
        assert [line.time for line in lines] == [Fraction(0), *(step.time for step in trace.steps)]
        texts = [line.text for line in lines]
        assert texts[4].startswith("B's FIN arrives at A")
        assert "(this copy is lost)" in texts[4]
        assert texts[5] == "B has received no acknowledgement in the 29.901s since its last transmission and retransmits its FIN."
        assert texts[7] == ("B's FIN arrives at A, 30s after it was sent: A has no such connection. A answers with a RST.")
        assert "RFC 9293 3.10.7.1" in lines[7].why

    def test_the_conclusion(self, trace: Trace) -> None:
        """What fails, and the section that requires it."""
        first, second = conclusion(trace)
        assert first == "What fails: B was closing in order, in LAST_ACK, and a RST ended it."
        assert "MUST-13" in second

    def test_the_next_incarnation(self) -> None:
        """The ports are reused, and the new connection accepts an old duplicate."""
        text = " ".join(line.text for line in story(violation("isolation", time_wait=Fraction(599, 10))))
        assert "the same addresses and ports are opened again" in text
        assert "it lies in the window of the new connection" in text

    def test_a_lasso(self) -> None:
        """The loop is described once, with a line at its beginning."""
        endless = replace(violation("graceful", time_wait=Fraction(599, 10)), shows="quiet", loop=5)
        texts = [line.text for line in story(endless)]
        assert texts[6] == "From here on the steps can repeat for ever."
        assert len(texts) == len(endless.steps) + 2
        assert "for ever" in conclusion(endless)[0]

    def test_many_steps_of_text_are_one_sentence(self, tmp_path: Path) -> None:
        """Ten segments of a half-close become one sentence."""
        script = Script().opened()
        script.say(1.0, "A", "FA", 1, 1)
        script.say(1.01, "B", "A", 1, 2)
        for number in range(4):
            script.say(1.1 + number / 10, "B", "PA", 1 + 100 * number, 2, length=100)
            script.say(1.15 + number / 10, "A", "A", 2, 101 + 100 * number)
        script.say(2, "B", "FA", 401, 2)
        script.say(2.01, "A", "A", 2, 402)
        lines = story(only_close(script, tmp_path).trace)
        assert sum("B sends 400 octets in 4 segments" in line.text for line in lines) == 1
        assert len(lines) < 15

    @pytest.mark.parametrize("shape", [rounded, short_duration])
    def test_measured_times(self, shape: Callable[[Fraction], str]) -> None:
        """Three digits, and the unit that reads best."""
        values = [("0.0000271", "27.1us"), ("0.045701", "45.7ms"), ("1.23456", "1.23s"), ("75.4321", "75s"), ("0", "0")]
        assert [shape(Fraction(text)) for text, _ in values] == [shown for _, shown in values]

    def test_small_words(self) -> None:
        """Enumerations and counts."""
        assert (listed([]), listed(["a"]), listed(["a", "b", "c"], "or")) == ("", "a", "a, b or c")
        assert (counted(1, "octet"), counted(1_200, "octet"), counted(0, "octet")) == ("1 octet", "1,200 octets", "no octets")


# --- the command -----------------------------------------------------------------------------------------------------


class TestCommand:
    """Output and exit codes."""

    def test_a_capture(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """One close, in full; its trace is written, read back and explained."""
        path, out = pcap(tmp_path / "one.pcap", closed().packets), tmp_path / "one.itf.json"
        code, printed, _ = run(capsys, "explain", str(path), "--trace", str(out), "--steps", "--time-wait", "1s")
        assert code == 0
        for words in (
            "7 frames, 7 TCP segments, 1 connection, which closes",
            "192.0.2.1:40000 (A) and 192.0.2.2:80 (B): closed in order, A first",
            "No deviation from RFC 9293.",
            f"TIME_WAIT: {MEANING[State.TIME_WAIT][:30]}",
            "0.210000 TIME_WAIT",
        ):
            assert words in printed
        assert all(len(line) <= 132 for line in printed.splitlines())
        assert itf.read(out).shows == "capture"
        code, printed, _ = run(capsys, "explain", str(out))
        assert code == 0
        assert "B's user closes too" in printed

    def test_the_library(self, tmp_path: Path) -> None:
        """`timewait.explain` explains a capture of one close, and a trace."""
        found = timewait.explain(pcap(tmp_path / "one.pcap", closed().packets))
        assert found.lines[0].startswith("A closed first")
        assert timewait.explain(found.trace).lines == found.lines[1:]
        with pytest.raises(RequestError, match="2 connections close"):
            timewait.explain(self.many(tmp_path, 2))

    def test_json(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """One object."""
        path = pcap(tmp_path / "one.pcap", closed().packets)
        code, printed, _ = run(capsys, "explain", str(path), "--json")
        (data,) = json.loads(printed)["connections"]
        assert (code, data["A"], data["outcome"]) == (0, "192.0.2.1:40000", "closed in order, A first")
        assert data["story"][0]["text"] == "Both ends are in ESTABLISHED."

    def many(self, tmp_path: Path, number: int) -> Path:
        """A capture of several closes."""
        packets = []
        for port in range(number):
            for packet in closed().packets:
                copy = packet.copy()
                copy.time = packet.time
                layer = copy["TCP"]
                layer.sport, layer.dport = [40_000 + port if it == 40_000 else it for it in (layer.sport, layer.dport)]
                packets.append(copy)
        return pcap(tmp_path / "many.pcap", packets)

    def test_some(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A paragraph each; --connection explains one in full."""
        path = self.many(tmp_path, 3)
        code, printed, _ = run(capsys, "explain", str(path))
        assert code == 0
        assert printed.count("closed in order, A first") == 3
        assert "Step by step" not in printed
        code, printed, _ = run(capsys, "explain", str(path), "--connection", "192.0.2.2:80-192.0.2.1:40001")
        assert code == 0
        assert printed.count("closed in order, A first") == 1
        assert "Step by step" in printed

    def test_many(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A table."""
        code, printed, _ = run(capsys, "explain", str(self.many(tmp_path, 14)))
        assert code == 0
        assert len(re.findall(r"^\d+ +192\.0\.2\.1:\d+ +192\.0\.2\.2:80 +closed in order", printed, re.MULTILINE)) == 14

    def test_a_trace_is_of_one_connection(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """--trace needs --connection where several close."""
        code, _, err = run(capsys, "explain", str(self.many(tmp_path, 2)), "--trace", str(tmp_path / "out.json"))
        assert code == 2
        assert "--connection" in err
        assert not (tmp_path / "out.json").exists()

    def test_a_limit(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """--max-frames stops reading, and a note says so."""
        path = pcap(tmp_path / "one.pcap", closed().packets)
        code, printed, _ = run(capsys, "explain", str(path), "--max-frames", "5")
        assert code == 0
        assert "half closed" in printed
        assert "Reading stopped after 5 frames" in printed

    def test_nothing_closes(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The exit code is that of a vacuous verdict."""
        code, printed, _ = run(capsys, "explain", str(pcap(tmp_path / "open.pcap", Script().opened().packets)))
        assert code == 30
        assert "1 connection, which does not close" in printed

    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (b"", "is empty"),
            (b"\xd4\xc3\xb2\xa1\x02", "ends in the middle of its header"),
            (b"some garbage", "is neither"),
            (b"{}", "not a trace"),
            (b"\x1f\x8b\x08\x00garbage", ""),
        ],
    )
    def test_bad_files(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes, said: str) -> None:
        """One line on standard error, and exit code 3."""
        path = tmp_path / "bad"
        path.write_bytes(content)
        code, printed, err = run(capsys, "explain", str(path))
        assert (code, printed, err.count("\n")) == (3, "", 1)
        assert str(path) in err
        assert said in err

    def test_no_tcp_in_it(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """Captures without TCP, without frames, and with an unsupported link type."""
        path = pcap(tmp_path / "udp.pcap", [IP() / UDP()] * 3)
        code, _, err = run(capsys, "explain", str(path))
        assert (code, err.count("\n")) == (3, 1)
        assert "no TCP segment that can be read; its 3 frames: 3 UDP" in err
        path.write_bytes(path.read_bytes()[:24])
        code, _, err = run(capsys, "explain", str(path))
        assert (code, err.count("\n")) == (3, 1)
        assert "without a single frame" in err
        path = pcap(tmp_path / "usb.pcap", closed().packets, link_type=189)
        code, _, err = run(capsys, "explain", str(path))
        assert (code, err.count("\n")) == (3, 1)
        assert "link type 189 (USB)" in err

    @pytest.mark.parametrize("text", ["nonsense", "1.2.3.4:5", "1.2.3.4:5-1.2.3.400:6", "1.2.3.4:5-6.7.8.9:10-11.12.13.14:15"])
    def test_no_connection(self, capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str) -> None:
        """Text that names no connection is a usage error."""
        path = pcap(tmp_path / "one.pcap", closed().packets)
        code, _, err = run(capsys, "explain", str(path), "--connection", text)
        assert (code, err.count("\n")) == (2, 1)

    def test_options_of_captures_are_for_captures(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """On a trace they are usage errors."""
        path = tmp_path / "trace.json"
        path.write_text(itf.as_itf_text(violation("graceful", time_wait=Fraction(1))))
        code, _, err = run(capsys, "explain", str(path), "--time-wait", "1s")
        assert code == 2
        assert "--time-wait is for packet captures" in err
        code, printed, _ = run(capsys, "explain", str(path), "--json")
        assert code == 0
        assert json.loads(printed)["moral"][0].startswith("What fails")

    def test_check_explains(self, capsys: pytest.CaptureFixture[str]) -> None:
        """--explain describes every verdict and every run; it excludes --json."""
        asked = ("check", "--msl", "30s", "--rto", "30s", "--scope", "core", "--property", "graceful", "--explain")
        code, printed, _ = run(capsys, *asked, "--time-wait", "59s")
        assert code == 10
        assert "B has received no acknowledgement" in printed
        assert "What fails: B was closing in order" in printed
        code, printed, _ = run(capsys, *asked, "--time-wait", "60s")
        assert code == 0
        assert "holds on every run" in printed
        assert run(capsys, *asked, "--time-wait", "60s", "--json")[0] == 2


# --- the kernel's own TCP --------------------------------------------------------------------------------------------


@pytest.mark.skipif(bool(kernel.NO_CAPTURE), reason=kernel.NO_CAPTURE or "never")
class TestLoopback:
    """Real connections over the loopback interface, captured by tcpdump."""

    def test_a_clean_close(self, tmp_path: Path) -> None:
        """The client closes first."""
        (close,) = closes(kernel.on_loopback(tmp_path / "clean.pcap", kernel.clean_close))
        assert states(close, "A")[-1] == "TIME_WAIT"
        assert states(close, "B") == PASSIVE
        assert outcome(close) == "closed in order, A first"
        assert deviations(close) == []
        assert close.trace.initial["A.nxt"] == 6

    def test_a_half_close(self, tmp_path: Path) -> None:
        """The server sends text after the client's FIN, and closes second."""
        (close,) = closes(kernel.on_loopback(tmp_path / "half.pcap", kernel.half_close))
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert "Then B sent 3,000 more octets: a half-close" in summary(close)
        assert deviations(close) == []

    def test_a_reset(self, tmp_path: Path) -> None:
        """SO_LINGER 0."""
        (close,) = closes(kernel.on_loopback(tmp_path / "reset.pcap", kernel.reset))
        assert outcome(close) == "reset by A"
        assert (states(close, "A"), states(close, "B")) == (["ESTABLISHED", "CLOSED"],) * 2
        assert deviations(close) == []


@pytest.mark.skipif(bool(kernel.NO_TUNNEL), reason=kernel.NO_TUNNEL or "never")
class TestTunnels:
    """Two network namespaces of this kernel, and a network between them under the test's control."""

    @pytest.mark.parametrize("both", [True, False])
    def test_a_lost_last_acknowledgement(self, tmp_path: Path, both: bool) -> None:
        """Captured at both ends or at A alone, the result is the same: Linux retransmits its FIN after about 200 ms."""
        (close,) = closes(kernel.through_tunnels(tmp_path / "lost.pcapng", kernel.lose_the_last_acknowledgement, both))
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert [copy.sender for step in close.trace.steps for copy in step.event.sent if copy.lost] == ["A"]
        assert [(sent.end, sent.fin) for sent in close.retransmissions] == [("B", True)]
        (need,) = time_waits_observed(close)
        assert Fraction(1, 10) < need.restarted < Fraction(3, 2)
        assert deviations(close) == []
        assert "linux" in [stack.name for stack in fit_profiles(close, "B", [load_stack("linux"), load_stack("smoltcp")]).fitting]

    def test_rfc_1337(self, tmp_path: Path) -> None:
        """B answers the acknowledgement of a duplicate FIN with a RST, which ends A's TIME-WAIT, as on Linux."""
        (close,) = closes(kernel.through_tunnels(tmp_path / "killed.pcapng", kernel.duplicate_the_fin, True))
        assert (states(close, "A"), states(close, "B")) == ([*ACTIVE, "CLOSED"], PASSIVE)
        assert [(shot.end, shot.exact, shot.ended) for shot in close.resets] == [("A", True, True)]
        assert deviations(close) == []
        assert [stack.name for stack in fit_profiles(close, "A", [load_stack("linux"), load_stack("freebsd")]).fitting] == [
            "linux"
        ]


# --- captures of traces ------------------------------------------------------------------------------------------------

Visible = tuple[Fraction, str, str, tuple[tuple[str, bool], ...], str, str]


def visible(trace: Trace) -> list[Visible]:
    """The steps that move a packet: time, actor, arrival, packets sent with their delivery, and states."""
    arrived = {step.event.received.number for step in trace.steps if step.event.received is not None}
    return [
        (
            step.time,
            step.event.actor,
            "" if step.event.received is None else f"{step.event.received.number} {step.event.received.text}",
            tuple((copy.text, copy.number in arrived) for copy in step.event.sent),
            str(step.state["A.state"]),
            str(step.state["B.state"]),
        )
        for step in trace.steps
        if step.event.received is not None or step.event.sent
    ]


class TestRoundTrip:
    """A trace written as a capture of both ends is reconstructed with the same steps."""

    @pytest.mark.parametrize(
        ("name", "overrides"),
        [
            ("graceful", {"time_wait": Fraction(599, 10)}),
            ("isolation", {"time_wait": Fraction(599, 10)}),
            ("time-wait-kept", {"reset": load_stack("linux").require("reset")}),
            ("fin-restarts", {"restarts": frozenset()}),
            ("integrity", {"linger_zero": True, "text": (1, 0)}),
            ("integrity", {"text": (0, 1), "abandons": True, "fin_wait_2": Fraction(5)}),
        ],
    )
    def test_same_steps(self, tmp_path: Path, name: str, overrides: dict[str, Any]) -> None:
        """Times, copies, deliveries and states, apart from steps that move no packet."""
        trace = violation(name, **overrides)
        path = tmp_path / "ours.pcapng"
        path.write_bytes(as_pcapng(trace, "both"))
        (close,) = closes(path, configuration_from_data(trace.about))
        assert visible(close.trace) == visible(trace)

    def test_from_the_last_exchange(self, tmp_path: Path) -> None:
        """A trace of the core scope is written with the segments before it; the steps after those are the same."""
        trace = violation("graceful", time_wait=Fraction(599, 10), scope=Scope.CORE)
        path = tmp_path / "core.pcapng"
        path.write_bytes(as_pcapng(trace, "both"))
        (close,) = closes(path, configuration_from_data(trace.about))
        wanted, got = visible(trace), visible(close.trace)
        added = len(got) - len(wanted)
        start = got[added][0]
        assert added == 3
        assert [(time - start, who, what.partition(" ")[2], *rest) for time, who, what, *rest in got[added:]] == [
            (time, who, what.partition(" ")[2], *rest) for time, who, what, *rest in wanted
        ]
