"""``timewait explain`` on captures with losses: retransmissions, and the TIME-WAIT that they need."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from explained_captures import ACTIVE, PASSIVE, closed, closes, only_close, states
from scapy.layers.inet import IP
from wire import ENDS, Script, pcapng

from timewait.captures.facts import ObservedClose
from timewait.captures.observations import TimeWaitAnswer
from timewait.captures.profiles import fit_profiles
from timewait.captures.report import deviations, known, outcome, summary, time_wait
from timewait.captures.time_wait_lengths import compare, time_waits_observed
from timewait.spec.stacks import Stack, load_stack


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
