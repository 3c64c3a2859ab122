"""Situations that a reader of captures is likely to misread, generated with many numbers and times."""

from __future__ import annotations

import random

import pytest
from capture_octets import pcap_header, record
from test_bad_captures import capture_of
from wire import Script

from timewait.captures.closes import CapturedCloses
from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.report import outcome, summary
from timewait.spec.state import State

SEEDS = range(8)


def explained(script: Script) -> CapturedCloses:
    """The connections of a script."""
    return capture_of(pcap_header(228) + b"".join(record(bytes(it), float(it.time)) for it in script.packets))


def closed(script: Script, at: float, first: int = 1, second: int = 1) -> Script:
    """A script whose ends close in order, A first, from a time on; both have sent up to these numbers."""
    script.say(at, "A", "FA", first, second)
    script.say(at + 0.01, "B", "A", second, first + 1)
    script.say(at + 0.1, "B", "FA", second, first + 1)
    script.say(at + 0.11, "A", "A", first + 1, second + 1)
    return script


@pytest.mark.parametrize("seed", SEEDS)
def test_text_on_a_syn(seed: int) -> None:
    """The SYN,ACK of Fast Open acknowledges all, some or none of it (RFC 7413), and opens no second connection."""
    rng = random.Random(seed)
    length = rng.randint(1, 1_400)
    taken = rng.choice((0, length, rng.randint(0, length)))
    script = Script()
    script.say(0, "A", "S", 0, length=length)
    script.say(0.01, "B", "SA", 0, 1 + taken)
    if taken < length:
        script.say(0.02, "A", "PA", 1 + taken, 1, length=length - taken)
        script.say(0.03, "B", "A", 1, 1 + length)
    (facts,) = explained(closed(script, 1, 1 + length)).connections
    assert (facts.kind, facts.opener, facts.reopening) == (CloseKind.IN_ORDER, "A", None)
    assert not facts.deviations


@pytest.mark.parametrize("seed", SEEDS)
def test_keep_alives_that_nobody_answers(seed: int) -> None:
    """The RST after them is no call of the user, and the connection was not closing."""
    rng = random.Random(seed)
    script, interval, probes = Script().opened(), rng.choice((1, 10, 75)), rng.randint(3, 9)
    script.say(0.5, "A", "PA", 1, 1, length=10)
    script.say(0.51, "B", "A", 1, 11)
    for number in range(probes):
        script.say(60 + number * interval, "A", "A", 10, 1, length=rng.randint(0, 1))
    script.say(60 + probes * interval, "A", "RA", 11, 1)
    found = explained(script)
    (facts,) = found.connections
    (close,) = found.closes
    assert [reset.causes for reset in facts.resets] == [(ResetCause.KEEP_ALIVE,)]
    assert (facts.kind, facts.by) == (CloseKind.GAVE_UP, "A")
    assert outcome(close) == "A got no answer and gave up"
    assert "keep-alive" in summary(close)


def test_answered_keep_alives_end_nothing() -> None:
    """A RST after probes that were answered is the user's."""
    script = Script().opened()
    script.say(0.5, "A", "PA", 1, 1, length=10)
    script.say(0.51, "B", "A", 1, 11)
    for number in range(3):
        script.say(60 + number * 10, "A", "A", 10, 1)
        script.say(60.01 + number * 10, "B", "A", 1, 11)
    script.say(90, "A", "RA", 11, 1)
    (facts,) = explained(script).connections
    assert [reset.causes for reset in facts.resets] == [(ResetCause.ABORT,)]


@pytest.mark.parametrize("state", ["open", "fin-wait-2"])
@pytest.mark.parametrize("seed", SEEDS)
def test_an_end_that_opens_anew_has_left_the_old_connection(seed: int, state: str) -> None:
    """B answers the SYN with the numbers of the old connection; A, which rebooted, is CLOSED there, and nobody is accused."""
    rng = random.Random(seed)
    script, later = Script().opened(), rng.uniform(5, 300)
    last = 1
    if state == "fin-wait-2":
        script.say(1, "B", "FA", 1, 1)
        script.say(1.01, "A", "A", 1, 2)
        last = 2
    number = rng.randrange(10_000, 1 << 31)
    script.say(later, "A", "S", number)
    script.say(later + 0.01, "B", "A", last, 1)
    script.say(later + 0.02, "A", "R", 1)
    script.say(later + 1, "A", "S", number)
    script.say(later + 1.01, "B", "SA", 5_000, number + 1)
    script.say(later + 1.02, "A", "A", number + 1, 5_001)
    old, new = explained(script).connections
    side = [str(end).startswith("192.0.2.1:") for end in old.ends].index(True)
    assert old.states[side].likely is State.CLOSED
    assert (old.deviations, new.deviations) == ((), ())
    (unknown,) = (it for it in old.unknowns if it.kind == "old-numbers")
    assert "LAST_ACK" not in unknown.text


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rst_that_crosses_text(seed: int) -> None:
    """Text that its receiver sent less than a round trip later does not show that a RST was lost."""
    rng = random.Random(seed)
    script, texts = Script().opened(), rng.randint(2, 5)
    script.say(1, "A", "FA", 1, 1)
    script.say(1.01, "B", "A", 1, 2)
    for number in range(texts):
        at = 1.02 + number * 0.001
        script.say(at, "B", "PA", 1 + 100 * number, 2, length=100)
        script.say(at + 0.000_1, "A", "R", 2)
    found = explained(script)
    (close,) = found.closes
    assert not any(copy.lost for step in close.trace.steps for copy in step.event.sent)
    assert close.facts.resets[0].cause is ResetCause.LATE_TEXT
    assert not close.facts.deviations


@pytest.mark.parametrize("only", ["A", "B"])
def test_one_direction(only: str) -> None:
    """A SYN and a FIN that the capture lacks are no octets of text, and no time is stated for an answer to them."""
    script = closed(Script().opened(), 1)
    script.packets = [it for it in script.packets if (it.sport == 40_000) == (only == "A")]
    found = explained(script)
    (facts,) = found.connections
    (close,) = found.closes
    assert [total.missing for total in facts.totals] == [0, 0]
    assert "which is not in the capture" in summary(close)
    assert "at the latest" in summary(close)
    assert all(state.likely is None or state.likely is State.LAST_ACK for state in facts.states)


@pytest.mark.parametrize(("silence", "remain"), [(59, False), (61, True)])
def test_silence_before_a_rst(silence: int, remain: bool) -> None:
    """From a minute on, timers, devices and a host that lost the connection remain as its cause."""
    script = Script().opened()
    script.say(0.02 + silence, "A", "RA", 1, 1)
    (reset,) = explained(script).connections[0].resets
    others = {ResetCause.KEEP_ALIVE, ResetCause.FORGOTTEN, ResetCause.DEVICE}
    assert reset.cause is ResetCause.ABORT
    assert others & set(reset.causes) == (others if remain else set())


@pytest.mark.parametrize(("silence", "cause"), [(59, ResetCause.ABORT), (61, ResetCause.FORGOTTEN)])
def test_a_rst_that_answers_after_silence(silence: int, cause: ResetCause) -> None:
    """An end that had said nothing for a minute, and answers as CLOSED does, has more likely lost the connection."""
    script = Script().opened()
    script.say(0.01 + silence, "A", "PA", 1, 1, length=10)
    script.say(0.02 + silence, "B", "R", 1)
    (reset,) = explained(script).connections[0].resets
    assert (reset.cause, reset.answers) == (cause, 4)


@pytest.mark.parametrize("unread", [True, False])
def test_a_rst_just_after_text_that_the_closer_never_read(unread: bool) -> None:
    """It is late text that was refused, although the RST has the next number of its sender; without text, it is an abort."""
    script = Script().opened()
    script.say(1, "A", "FA", 1, 1)
    if unread:
        script.say(1.005, "B", "PA", 1, 1, length=100)
    script.say(1.006, "A", "R", 2)
    (reset,) = explained(script).connections[0].resets
    assert reset.cause is (ResetCause.LATE_TEXT if unread else ResetCause.ABORT)


@pytest.mark.parametrize("hops", [(64, 64), (64, 57), (57, 64), (57, 57)])
@pytest.mark.parametrize("later", [0.005, 0.2])
def test_a_rst_that_may_not_have_arrived(hops: tuple[int, int], later: float) -> None:
    """Only beside its receiver, and an answer's time later, is it certain that a RST ended the connection there."""
    script, (near, far) = Script().opened(), hops
    script.say(1, "A", "FA", 1, 1, hops=near)
    script.say(1.01, "B", "PA", 1, 1, length=100, hops=far)
    script.say(1.02, "B", "R", 1, hops=far)
    script.say(1.02 + later, "A", "R", 1, hops=near)
    for packet in script.packets[:3]:
        packet.ttl = near if packet.sport == 40_000 else far
    reset = explained(script).connections[0].resets[1]
    if hops == (64, 57) and later > 0.01:
        assert reset.causes == (ResetCause.CLOSED,)
        assert "had ended the connection at A" in reset.evidence
    else:
        assert reset.causes[0] is ResetCause.CLOSED
        assert ResetCause.LATE_TEXT in reset.causes
        assert "may have ended the connection at A" in reset.evidence


@pytest.mark.parametrize("interval", [0.02, 90])
def test_an_end_goes_on_after_a_rst_in_its_name(interval: float) -> None:
    """It is not taken to be CLOSED; one that says nothing more is."""
    script = Script().opened()
    script.say(0.02 + interval, "A", "RA", 1, 1)
    (silent,) = explained(script).connections
    assert [end.likely for end in silent.states] == [State.CLOSED, State.CLOSED]
    script.say(0.1 + interval, "A", "PA", 1, 1, length=10)
    script.say(0.2 + interval, "B", "A", 1, 11)
    (going,) = explained(script).connections
    side = [str(end).startswith("192.0.2.1:") for end in going.ends].index(True)
    assert going.states[side].likely is not State.CLOSED
