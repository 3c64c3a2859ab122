"""Small captures with known right answers, read as data: each stands for a kind of fault that readers of captures make."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from timewait.captures.closes import CapturedCloses, assumed_configuration, read_closes
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.profiles import ProfileFit, fit_profiles
from timewait.captures.report import deviations, headline, known, outcome, summary
from timewait.spec.settings import Arrival
from timewait.spec.stacks import load_stack
from timewait.spec.state import State

CASES = Path(__file__).parent / "data" / "captures"

CLIENT, SERVER = "192.0.2.10", "198.51.100.20"


def explained(name: str) -> CapturedCloses:
    """A case, read."""
    return read_closes(CASES / name, assumed_configuration(load_stack("rfc9293-intended")))


def only(name: str) -> ObservedClose:
    """The only close of a case."""
    (close,) = explained(name).closes
    return close


def first(facts: ConnectionFacts) -> str:
    """The address of A, the end that closed first."""
    return str(facts.ends[0]).partition(":")[0]


def likely(facts: ConnectionFacts) -> tuple[State | None, State | None]:
    """The likely states at the end."""
    a, b = facts.states
    return a.likely, b.likely


def fit(close: ObservedClose, end: str, *names: str) -> ProfileFit:
    """Some stacks compared with an end."""
    return fit_profiles(close, end, [load_stack(name) for name in names])


def fitting(close: ObservedClose, end: str, *names: str) -> list[str]:
    """The stacks of some that fit an end."""
    return [stack.name for stack in fit(close, end, *names).fitting]


ORDERLY = [
    ("ack-captured-before-fin.pcap", SERVER, CloseKind.IN_ORDER),
    ("cut-off.pcap", CLIENT, CloseKind.IN_ORDER),
    ("fin-before-its-text.pcap", SERVER, CloseKind.IN_ORDER),
    ("fin-on-the-ack-bsd.pcap", CLIENT, CloseKind.SIMULTANEOUS),
    ("fin-overtaken-by-its-ack.pcap", CLIENT, CloseKind.SIMULTANEOUS),
    ("frames-out-of-time-order.pcap", CLIENT, CloseKind.IN_ORDER),
    ("link-gre.pcap", CLIENT, CloseKind.IN_ORDER),
    ("link-ipip.pcap", CLIENT, CloseKind.IN_ORDER),
    ("link-pppoe-compressed.pcap", CLIENT, CloseKind.IN_ORDER),
    ("link-vxlan.pcap", CLIENT, CloseKind.IN_ORDER),
    ("mixed-links.pcapng", CLIENT, CloseKind.IN_ORDER),
    ("tso-acknowledged-in-parts.pcap", CLIENT, CloseKind.IN_ORDER),
    ("twenty-in-flight.pcap", CLIENT, CloseKind.IN_ORDER),
]
"""Captures of closes in which nothing deviates and nothing is lost: file, end that closed first, kind."""


@pytest.mark.parametrize(("name", "closer", "kind"), ORDERLY, ids=[name for name, _, _ in ORDERLY])
def test_an_orderly_close(name: str, closer: str, kind: CloseKind) -> None:
    """Both FINs acknowledged, no octet missing, no deviation; the trace says the same as the facts."""
    close = only(name)
    facts = close.facts
    assert facts.kind is kind
    assert first(facts) == closer
    assert [fin is not None and fin.acknowledged is not None for fin in facts.fins] == [True, True]
    second = State.TIME_WAIT if kind is CloseKind.SIMULTANEOUS else State.CLOSED
    assert likely(facts) == (State.TIME_WAIT, second)
    assert (facts.deviations, facts.unknowns, facts.resets) == ((), (), ())
    assert [total.missing for total in facts.totals] == [0, 0]
    assert not close.remarks
    last = close.trace.steps[-1].state
    assert (last["A.state"], last["B.state"]) == (str(State.TIME_WAIT), str(second))
    assert not any(copy.lost for step in close.trace.steps for copy in step.event.sent)


class TestReading:
    """Files with odd frames and an early end."""

    def test_cut_off(self) -> None:
        """A file that ends in the middle of a frame is read up to there, and says so."""
        assert "in the middle of a frame" in explained("cut-off.pcap").reader.problem

    def test_mixed_links(self) -> None:
        """One frame of a link type that is not read is counted, with its link type."""
        left_out = explained("mixed-links.pcapng").reader.left_out
        assert left_out.total() == 1
        assert any("189" in reason for reason in left_out)


class TestOrder:
    """A capture is one place."""

    def test_a_fin_on_an_acknowledgement(self) -> None:
        """It is no retransmission by a timer, and excludes no stack."""
        close = only("fin-on-the-ack-bsd.pcap")
        (repeated,) = close.retransmissions
        assert (repeated.fin, repeated.timed) == (True, False)
        assert fitting(close, "A", "freebsd", "macos") == ["freebsd", "macos"]
        assert not fit(close, "A").clues

    def test_syn_fin_and_rst_only(self) -> None:
        """The octets between were acknowledged; the last acknowledgement is not in the capture."""
        close = only("filter-syn-fin-rst.pcap")
        facts = close.facts
        a, b = facts.states
        assert (facts.kind, first(facts)) == (CloseKind.CLOSING, SERVER)
        assert facts.fins[0] is not None
        assert facts.fins[0].acknowledged is not None
        assert facts.fins[1] is not None
        assert (facts.fins[1].acknowledged, facts.fins[1].knew) == (None, True)
        assert (a.likely, a.coming) == (None, State.TIME_WAIT)
        assert b.likely is State.LAST_ACK
        assert [total.missing for total in facts.totals] == [83_457, 1_932]
        assert {unknown.kind for unknown in facts.unknowns} == {"octets-missing", "fin-not-answered"}
        assert "B acknowledged them" in known(close)[1]
        assert outcome(close) == "closing, A first: the capture shows no acknowledgement of the FIN of B"
        assert not facts.deviations


class TestTimers:
    """Retransmissions and timers."""

    def test_the_maximum_of_the_timeout(self) -> None:
        """Waits of 64 s need not double (RFC 6298 2.5)."""
        facts = only("fin-rto-at-its-maximum.pcap").facts
        assert [float(again.gap) for again in facts.retransmissions] == [24.4, 48.5, 64, 64, 64]
        assert not facts.deviations
        assert likely(facts) == (None, State.LAST_ACK)

    def test_fin_wait_2(self) -> None:
        """It lasted at most 75 s: most stacks fit, and those with ten minutes do not."""
        close = only("fin-wait-2-ran-out.pcap")
        (left,) = close.states_left
        (reset,) = close.facts.resets
        assert (left.end, left.state) == ("A", State.FIN_WAIT_2)
        assert 74 < left.within < 76
        assert (reset.end, reset.causes) == ("A", (ResetCause.FORGOTTEN,))
        names = "linux", "freebsd", "fuchsia", "macos", "openbsd"
        assert fitting(close, "A", *names) == ["linux", "freebsd", "fuchsia", "macos"]
        ((stack, setting),) = fit(close, "A", *names).provided
        assert (stack.name, setting) == ("freebsd", "net.inet.tcp.fast_finwait2_recycle = 1")
        assert outcome(close) == "closed by both, but B was reset in LAST_ACK before its close was complete"
        assert not close.facts.deviations

    def test_fins_that_nobody_answers(self) -> None:
        """Nothing shows that any of them arrived, and no TIME_WAIT is needed."""
        close = only("fins-never-answered.pcap")
        a, b = close.facts.states
        assert close.facts.kind is CloseKind.CLOSING
        assert (a.likely, a.coming) == (None, None)
        assert State.FIN_WAIT_1 in a.possible
        assert (b.likely, b.certain) == (State.LAST_ACK, True)
        (unknown,) = close.facts.unknowns
        assert (unknown.kind, unknown.end, len(unknown.frames)) == ("fin-not-answered", "B", 9)
        assert close.facts.entered == (None, None)
        assert close.trace.steps[-1].state["A.state"] == State.FIN_WAIT_1
        assert not close.facts.deviations

    def test_giving_up(self) -> None:
        """A RST one doubling after the last unanswered retransmission is the limit R2, and no user's call."""
        close = only("gave-up-with-rst.pcap")
        (reset,) = close.facts.resets
        assert (reset.end, reset.causes, reset.frame) == ("B", (ResetCause.RETRY_LIMIT,), 15)
        assert close.facts.kind is CloseKind.GAVE_UP
        assert likely(close.facts) == (None, State.CLOSED)
        assert State.TIME_WAIT in close.facts.states[0].possible
        assert "after the last of 5 unanswered retransmissions" in summary(close)
        assert not close.facts.deviations


class TestResets:
    """Who sent a RST, and what it did."""

    def test_a_rst_that_crosses_an_answer(self) -> None:
        """Nothing shows whether it ended TIME_WAIT, and no stack is excluded by it."""
        close = only("rst-crosses-the-answer-to-its-fin.pcap")
        assert close.facts.kind is CloseKind.IN_ORDER
        assert first(close.facts) == CLIENT
        assert [reset.ended for reset in close.resets] == [None]
        assert "reset-in-time-wait" in {unknown.kind for unknown in close.facts.unknowns}
        assert {State.TIME_WAIT, State.CLOSED} <= close.facts.states[0].possible
        assert fitting(close, "A", "linux", "freebsd", "lwip") == ["linux", "freebsd", "lwip"]
        assert "in spite of" not in summary(close)
        assert not close.facts.deviations

    def test_a_rst_from_the_middle(self) -> None:
        """The time to live gives the device away; the end in whose name it came is not accused, and has not reset."""
        close = only("rst-from-the-middle.pcap")
        forged, *answers = close.facts.resets
        assert (close.facts.kind, close.facts.by) == (CloseKind.RESET, "device")
        assert forged.causes == (ResetCause.DEVICE,)
        assert "a time to live of 250" in forged.evidence
        assert first(close.facts) == SERVER
        assert [reset.cause for reset in answers] == [ResetCause.CLOSED] * 2
        assert outcome(close) == "reset by a device on the way"
        assert not close.facts.deviations
        assert close.facts.states[1].likely is State.CLOSED


class TestReuse:
    """The same addresses and ports, used again."""

    def test_time_wait_answers_a_syn(self) -> None:
        """A fresh answer, a RST of SYN_SENT, the end of TIME_WAIT, and only then the next connection."""
        found = explained("linux-time-wait-answers-a-syn.pcap")
        old, new = found.connections
        (close,) = found.closes
        assert (old.kind, first(old)) == (CloseKind.IN_ORDER, "127.0.0.2")
        assert (new.incarnation, new.kind, new.challenges) == (2, CloseKind.REFUSED, ((12, 13),))
        assert old.reopening is not None
        assert old.reopening.accepted is not None
        assert float(old.reopening.accepted) == pytest.approx(1.267, abs=0.001)
        (arrival,) = old.time_wait_arrivals
        assert (arrival.arrival, arrival.frame, arrival.answered) == (Arrival.SYN, 12, 13)
        assert [reset.cause for reset in old.resets] == [ResetCause.SYN_SENT]
        assert [(hit.end, hit.ended) for hit in old.reset_arrivals] == [("A", True)]
        assert not any(name == "isolation" for step in close.trace.steps for name, _ in step.event.breaks)
        assert fitting(close, "A", "linux", "freebsd", "lwip") == ["linux"]
        assert (old.deviations, new.deviations) == ((), ())
        assert "in the window" not in " ".join([summary(close), *known(close)])

    def test_a_rst_that_time_wait_ignores(self) -> None:
        """Four SYNs, four answers, four RSTs of SYN_SENT: the new connection cannot open, and nobody deviates."""
        found = explained("rst-ignored-in-time-wait-blocks-reuse.pcap")
        old, new = found.connections
        assert (old.kind, first(old)) == (CloseKind.IN_ORDER, SERVER)
        assert likely(old) == (State.TIME_WAIT, State.CLOSED)
        assert [reset.cause for reset in old.resets] == [ResetCause.SYN_SENT] * 4
        assert [hit.ended for hit in old.reset_arrivals] == [False, False, False, None]
        assert new.kind is CloseKind.CHALLENGED
        assert [syn for syn, _ in new.challenges] == [10, 13, 16, 19]
        assert old.time_wait_arrivals[-1].waited > Fraction(119, 10)
        assert fitting(found.closes[0], "A", "lwip", "linux") == ["lwip"]
        assert (old.deviations, new.deviations) == ((), ())
        assert outcome(found.closes[0]) == "closed in order, A first"

    def test_a_syn_answered_with_old_numbers(self) -> None:
        """By an end that ought to be CLOSED: a middlebox, or LAST_ACK."""
        found = explained("syn-answered-with-old-numbers.pcap")
        old, new = found.connections
        assert (old.kind, first(old)) == (CloseKind.IN_ORDER, CLIENT)
        assert (new.kind, first(new)) == (CloseKind.IN_ORDER, SERVER)
        (unknown,) = old.unknowns
        assert (unknown.kind, unknown.end, unknown.frames) == ("old-numbers", "B", (11, 12, 13, 14))
        assert "LAST_ACK, or a middlebox" in unknown.text
        assert new.challenges == ((11, 12), (13, 14))
        assert old.reopening is not None
        assert old.reopening.accepted is not None
        assert old.reopening.accepted - old.reopening.after == 9
        assert (old.deviations, new.deviations) == ((), ())

    def test_a_syn_challenged_in_time_wait(self) -> None:
        """Two connections, both closed in order; neither was reset."""
        found = explained("syn-challenged-in-time-wait.pcap")
        old, new = found.connections
        assert (old.kind, first(old)) == (CloseKind.IN_ORDER, SERVER)
        assert (new.kind, first(new)) == (CloseKind.IN_ORDER, CLIENT)
        assert [reset.cause for reset in (*old.resets, *new.resets)] == [ResetCause.SYN_SENT]
        assert [hit.ended for hit in old.reset_arrivals] == [True]
        assert old.reopening is not None
        assert old.reopening.accepted is not None
        assert float(old.reopening.accepted - old.reopening.after) == pytest.approx(1)
        assert (old.deviations, new.deviations) == ((), ())

    def test_syns_that_nobody_answers(self) -> None:
        """They belong to the next connection; the first one's outcome stays."""
        found = explained("syn-into-time-wait-unanswered.pcap")
        old, new = found.connections
        assert (old.kind, first(old)) == (CloseKind.IN_ORDER, SERVER)
        assert likely(old) == (State.TIME_WAIT, State.CLOSED)
        assert (new.kind, new.packets_captured) == (CloseKind.UNANSWERED, 4)
        assert old.reopening is not None
        assert (old.reopening.syns, old.reopening.accepted, old.reopening.frames) == (4, None, (9, 10, 11, 12))
        assert "4 SYNs tried to open the same addresses and ports again, and none was accepted" in summary(found.closes[0])
        assert (old.deviations, new.deviations) == ((), ())

    def test_three_incarnations(self) -> None:
        """Each is a connection of its own, told apart by its number, its frames and its time."""
        found = explained("three-incarnations.pcap")
        assert [facts.incarnation for facts in found.connections] == [1, 2, 3]
        assert [facts.frames for facts in found.connections] == [(1, 9), (10, 16), (17, 25)]
        assert [facts.kind for facts in found.connections] == [CloseKind.IN_ORDER, CloseKind.RESET, CloseKind.IN_ORDER]
        assert [facts.by for facts in found.connections] == ["", "A", ""]
        assert [first(facts) for facts in found.connections] == [CLIENT] * 3
        assert [reset.cause for reset in found.connections[1].resets] == [ResetCause.ABORT]
        assert len({headline(close) for close in found.closes}) < len({close.started for close in found.closes}) == 3
        assert [deviations(close) for close in found.closes] == [[], [], []]
