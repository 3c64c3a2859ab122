"""``timewait explain`` on captures written by hand: how connections close, and what violates the standard."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from explained_captures import ACTIVE, PASSIVE, closed, only_close, states
from scapy.layers.inet import IP
from wire import ENDS, Script

from timewait.captures.observations import RemarkKind
from timewait.captures.profiles import fit_profiles
from timewait.captures.report import deviations, known, outcome, summary
from timewait.captures.time_wait_lengths import time_waits_observed
from timewait.spec.stacks import load_stack


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
