"""Packets that a capture lacks, lost before it, dropped by it or filtered out: what remains certain, and what is only likely."""

from __future__ import annotations

from fractions import Fraction

import pytest
from capture_scripts import of_script
from test_capture_certainty import CROSSING, OPEN, captured, entry, fin, only, side_of

from timewait.captures.closes import CapturedCloses
from timewait.captures.observations import EndState, ResetCause
from timewait.captures.profiles import fit_profiles
from timewait.spec.stacks import Stack
from timewait.spec.state import State

SLOW = Stack(name="slow", title="At least 1 s", rto_min=Fraction(1), behaviour={})
ABORTS = Stack(name="aborts", title="A RST ends TIME-WAIT", behaviour={"reset": "exact"})


def state(found: CapturedCloses, end: str) -> EndState:
    """The state of an end of the script in the only connection of a capture."""
    (facts,) = found.connections
    return facts.states[next(index for index in (0, 1) if of_script(facts, index) == end)]


@pytest.mark.parametrize(("later", "certain"), [("1.0215", False), ("1.04", False), ("2.2", True)])
def test_a_fin_that_comes_again_just_after_its_acknowledgement_passed(later: str, certain: bool) -> None:
    """Ways vary: the acknowledgement may have taken longer than the fastest one, and arrived after the FIN was sent again."""
    found = captured("between", CROSSING + f"{later} A FA 1 2\n")
    assert (state(found, "A").possible == {State.CLOSING}) is certain


@pytest.mark.parametrize(("later", "certain"), [("1.01", True), ("1.03", True), ("1.164", False)])
def test_a_fin_beside_its_sender_that_comes_later_than_an_answer(later: str, certain: bool) -> None:
    """The capture may lack its first transmission and the acknowledgement of the other FIN, and then it was sent again."""
    facts = only(captured("B", OPEN + f"1 A FA 1 1\n{later} B FA 1 2\n1.2 A A 2 2\n")).facts
    found = fin(facts, "B")
    assert (found.knew, found.certain) == (True, certain)
    assert facts.states[side_of(facts, "B")].possible == ({State.CLOSED} if certain else {State.CLOSED, State.TIME_WAIT})


@pytest.mark.parametrize(("ident", "excluded"), [(14, False), (18, True), (40_000, False)])
def test_an_identification_from_before(ident: int, excluded: bool) -> None:
    """B counts its packets: a FIN with a number from before is a copy of one whose first passage the capture lacks."""
    text = "0 A S 0\n.01 B SA 0 1 id=10\n.011 A A 1 1\n.5 A PA 1 1 len=9\n.51 B A 1 10 id=11\n"
    text += f"1 B FA 1 10 id=16\n1.1 B FA 1 10 id={ident}\n1.101 A A 10 2\n"
    close = only(captured("A", text))
    (again,) = close.retransmissions
    assert again.certain is excluded
    assert bool(fit_profiles(close, again.end, [SLOW]).excluded) is excluded


@pytest.mark.parametrize("ahead", [True, False])
def test_an_acknowledgement_that_passed_before_what_it_acknowledges(ahead: bool) -> None:
    """The capture lacks what was acknowledged first, and what follows may be a copy of that."""
    text = OPEN + ("1.001 A A 1 2\n" if ahead else "") + "2 B FA 1 1\n2.1 B FA 1 1\n2.101 A A 1 2\n"
    close = only(captured("A", text))
    assert bool(fit_profiles(close, close.retransmissions[0].end, [SLOW]).excluded) is not ahead


def test_fins_that_nothing_answers_in_a_capture_of_flags() -> None:
    """Beside A the capture lacks every acknowledgement: A may have left TIME-WAIT, and no FIN-WAIT-2 of two minutes is shown."""
    text = "0 A S 0\n.01 B SA 0 1\n1 A FA 1 1\n1.007 B FA 1 1\n8 B FA 1 2\n64 B FA 1 2\n128 B FA 1 2\n128.001 A R 2\n"
    close = only(captured("A", text))
    (reset,) = close.facts.resets
    assert ResetCause.LEFT_TIME_WAIT in reset.causes
    assert close.states_left == ()


@pytest.mark.parametrize(
    ("place", "rest", "further"),
    [
        ("between", "2.3 B R 1 id=0", True),
        ("between", "2.3 B R 1 id=9", False),
        ("B", "2.3 B R 1 id=0", False),
        ("B", "2.0001 B R 1 id=0", True),
    ],
)
def test_a_rst_that_looks_like_the_one_before(place: str, rest: str, further: bool) -> None:
    """It answers as CLOSED does; or it is a copy that the network made, or the capture has it twice."""
    close = only(captured(place, OPEN + f"1 A FA 1 1\n1.01 B A 1 2\n2 B R 1 id=0\n{rest}\n"))
    second = close.facts.resets[1]
    assert second.cause is ResetCause.CLOSED
    assert (ResetCause.ABORT in second.causes) is further


@pytest.mark.parametrize("place", ["between", "A", "B"])
@pytest.mark.parametrize("seq", [1, 5])
def test_a_rst_that_certainly_arrived(place: str, seq: int) -> None:
    """Beside its receiver, and with the number that the receiver expects, it ended the connection."""
    found = captured(place, OPEN + f"1 A FA 1 1\n1.01 B A 1 2\n2 B R {seq}\n")
    assert state(found, "A").certain is (place == "A" and seq == 1)


@pytest.mark.parametrize(("opening", "goes_on"), [(OPEN, True), ("", False)])
def test_an_acknowledgement_after_a_rst_that_may_be_old(opening: str, goes_on: bool) -> None:
    """In a capture that began late it may be a copy of one that was sent before, and the RST may have ended TIME-WAIT."""
    text = opening + ".9 A A 1 1\n1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n1.03 B R 2\n2 A A 2 2\n"
    assert (State.CLOSED not in state(captured("between", text), "A").possible) is goes_on


@pytest.mark.parametrize("flags", ["A", "B"])
def test_one_direction_of_a_close(flags: str) -> None:
    """The other end may have closed first, or at once, and acknowledged the FIN or not."""
    opened = "0 A S 0\n" if flags == "A" else ".01 B SA 0 1\n"
    found = captured("between", opened + f"1 {flags} FA 1 10\n")
    assert {State.FIN_WAIT_1, State.FIN_WAIT_2, State.LAST_ACK, State.CLOSED} <= state(found, flags).possible


@pytest.mark.parametrize(
    "lines",
    [
        "0 A S 0",
        "0 A S 0\n.01 A A 1 1\n.02 A PA 1 1 len=9",
        "0 A S 0\n.01 B SA 0 1",
        "0 A S 0\n.02 A A 1 2\n.03 A PA 1 2 len=9\n.031 B A 2 10",
    ],
)
def test_what_a_capture_without_a_close_leaves_possible(lines: str) -> None:
    """One direction, or a filter, hides whatever the other end did."""
    assert State.CLOSE_WAIT in state(captured("between", lines), "A").possible


def test_an_end_whose_first_captured_packet_begins_late() -> None:
    """B acknowledged its SYN, and the number after it was not captured: it may be a FIN, which B knew when it closed."""
    text = ".01 B SA 0 1\n.1 B A 1 2\n5 B FA 1 2\n5.001 A A 2 2\n"
    assert State.LAST_ACK in state(captured("between", text), "B").possible


@pytest.mark.parametrize("whole", [True, False])
def test_a_fin_whose_acknowledgement_the_capture_may_lack(whole: bool) -> None:
    """In a capture of flags nothing else shows that it arrived; where the opening is whole, it was not acknowledged."""
    opening = OPEN if whole else OPEN.replace(".011 A A 1 1\n", "")
    found = captured("between", opening + "1 A FA 1 1\n2 A FA 1 1\n")
    assert state(found, "A").possible == ({State.FIN_WAIT_1} if whole else {State.FIN_WAIT_1, State.FIN_WAIT_2})


@pytest.mark.parametrize(
    ("opening", "later"),
    [
        ("0 A S 0\n.02 A A 1 1\n", 5),
        (".01 B SA 0 1\n.010001 A S 0\n.02 A A 1 1\n", 0.9),
        (".01 B SA 0 1\n.010001 A S 0\n.02 A A 1 1\n", 5),
    ],
)
def test_a_long_time_to_an_acknowledgement_is_none(opening: str, later: float) -> None:
    """The capture lacks the acknowledgement that came before, or has it out of order: the RST need not be an answer."""
    text = opening + f"{later} B FA 1 1\n{later}02 A A 1 2\n{later + 1.3} B R 2\n"
    close = only(captured("B", text))
    assert close.facts.totals[side_of(close.facts, "B")].response is None
    assert ResetCause.ABORT in close.facts.resets[0].causes


def test_a_rst_to_an_end_that_had_sent_one() -> None:
    """It had left TIME-WAIT by then, if it ever was in it."""
    text = OPEN + "1 A FA 1 1\n1.001 B FA 1 1\n1.01 B A 2 2\n1.02 A A 2 2\n1.2 A R 2\n2 B R 1\n3 B A 2 2\n3.01 A R 2\n"
    close = only(captured("between", text))
    assert not any(hit.ended for hit in close.resets if hit.end == "AB"[side_of(close.facts, "A")])


@pytest.mark.parametrize("early", [True, False])
def test_a_rst_recorded_before_the_fin_that_it_answers(early: bool) -> None:
    """It came a minute after the FIN before, and TIME-WAIT may have lasted until then."""
    text = "1 A FA 1 1\n1.01 B A 1 2\n"
    for at, answer in ((12, "A A 2 2"), (68, "A A 2 2"), (132, "A R 2")):
        first, second = (answer, "B FA 1 2") if early else ("B FA 1 2", answer)
        text += f"{at} {first}\n{at}.00001 {second}\n"
    (left,) = only(captured("A", text)).states_left
    assert left.state is State.TIME_WAIT
    assert left.within > 119


def test_an_acknowledgement_just_before_a_fin_that_is_sent_again() -> None:
    """It has the number after the FIN, which had thus been sent before: nothing shows what that acknowledged."""
    text = OPEN + ".1 A PA 1 1 len=100\n.11 B A 1 101\n1.11 B FA 1 101\n1.1101 A A 102 2\n1.135 A FA 101 2\n1.14 B A 2 102\n"
    assert fin(only(captured("A", text)).facts, "A").known is None


def test_two_fins_that_the_capture_lacks() -> None:
    """What the one acknowledges is not known: nothing shows that the other one arrived."""
    text = "1 A A 4 2\n1.01 B R 2\n2 A R 1\n2.2 A PA 2 1 len=1\n2.4 B R 1\n"
    close = only(captured("between", text))
    assert [fin.acknowledged.frame for fin in close.facts.fins if fin is not None and fin.acknowledged] == [1]


@pytest.mark.parametrize("whole", [True, False])
def test_late_text_in_a_capture_that_lacks_packets(whole: bool) -> None:
    """It may lack a RST of the user, too."""
    opening = OPEN if whole else OPEN.replace(".01 B SA 0 1\n", "")
    close = only(captured("A", opening + "1 A FA 1 1\n1.01 B A 1 2\n1.5 B PA 1 2 len=100\n1.51 A R 2\n"))
    assert (ResetCause.ABORT not in close.facts.resets[0].causes) is whole


@pytest.mark.parametrize("text", [True, False])
def test_text_that_a_closed_end_does_not_answer(text: bool) -> None:
    """Its RST may be among what the capture lacks."""
    rest = "1.5 B PA 1 2 len=10\n" if text else ""
    assert (State.CLOSED in state(captured("A", OPEN + "1 A FA 1 1\n1.01 B A 1 2\n" + rest), "A").possible) is text


@pytest.mark.parametrize("later", [True, False])
def test_a_packet_after_a_fin_that_nothing_acknowledges(later: bool) -> None:
    """The capture may have dropped an acknowledgement between them; when the FIN itself was sent, none had arrived."""
    text = OPEN + "1 A FA 1 1\n1.005 B FA 1 1\n1.01 A A 2 2\n2 A FA 1 2\n" + ("2.5 B FA 1 1\n2.51 A A 2 2\n" if later else "")
    assert (State.TIME_WAIT in state(captured("between", text), "A").possible) is later


@pytest.mark.parametrize("whole", [True, False])
def test_a_repeated_fin_beside_its_receiver(whole: bool) -> None:
    """A may have taken the first one, and answered out of sight; then it drops the acknowledgement on the second."""
    opening = OPEN if whole else OPEN.replace(".011 A A 1 1\n", "")
    text = opening + "1 A FA 1 1\n1.01 B FA 1 1\n2.5 B FA 1 2\n2.51 A A 2 2\n"
    entered = entry(only(captured("A", text)).facts, "A")
    assert entered is not None
    assert entered.certain is whole


@pytest.mark.parametrize("shown", [True, False])
def test_an_end_without_its_opening_beside_the_opening_of_the_other(shown: bool) -> None:
    """B may have closed with a FIN that the capture lacks, as it lacks the SYN,ACK, unless it shows text of B that was taken."""
    text = "0 A S 0\n" + (".02 B PA 1 1 len=10\n.021 A A 1 11\n" if shown else "")
    found = captured("between", text + f"1 A FA 1 {11 if shown else 1}\n1.01 B A {11 if shown else 1} 2\n")
    assert (State.LAST_ACK in state(found, "A").possible) is not shown


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("place", ["between", "A"])
def test_rsts_that_do_not_end_time_wait(place: str, number: int) -> None:
    """Elsewhere than beside the end a single one may have been lost, and no stack is excluded; two were not both lost."""
    text = OPEN + "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n"
    for second in range(2, 2 + number):
        text += f"{second} B R 2\n{second}.5 B FA 1 2\n{second}.51 A A 2 2\n"
    close = only(captured(place, text))
    assert [hit.ended for hit in close.resets] == [False] * number
    excluded = fit_profiles(close, "AB"[side_of(close.facts, "A")], [ABORTS]).excluded
    assert bool(excluded) is (place == "A" or number > 1)
