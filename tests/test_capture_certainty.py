"""What a capture at one place can know: a packet that passes may be lost behind it, and one that was lost before never passes."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction
from pathlib import Path

import pytest
from capture_scripts import explained, of_script
from scapy.utils import EDecimal
from test_captured_runs import CAUSES, Told
from test_captured_runs import explained as explained_run
from wire import Script, pcapng

from timewait.captures.closes import CapturedCloses, assumed_configuration, read_closes
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.observations import FinFacts, ResetCause, TimeWaitEntry
from timewait.captures.overview import facts_as_data
from timewait.captures.profiles import fit_profiles
from timewait.captures.report import summary, time_wait
from timewait.spec.stacks import Stack, load_stack
from timewait.spec.state import State

PLACES = ["between", "A", "B"]
FAR = {"between": ("ttl=60", "ttl=60"), "A": ("ttl=64", "ttl=57"), "B": ("ttl=57", "ttl=64")}
"""The times to live with which the packets of A and of B pass each place."""


def captured(place: str, text: str) -> CapturedCloses:
    """A script, captured beside an end or between them."""
    hops = dict(zip("AB", FAR[place], strict=True))
    lines = [line.split() for line in text.split("\n") if line.strip()]
    return explained("\n".join(" ".join([*words, hops[words[1]]]) for words in lines))


def only(found: CapturedCloses) -> ObservedClose:
    """The only close of a capture."""
    (close,) = found.closes
    return close


def side_of(facts: ConnectionFacts, end: str) -> int:
    """The index in the facts of an end of the script."""
    return next(index for index in (0, 1) if of_script(facts, index) == end)


def entry(facts: ConnectionFacts, end: str) -> TimeWaitEntry | None:
    """The entry into TIME-WAIT of an end of the script."""
    return facts.entered[side_of(facts, end)]


def fin(facts: ConnectionFacts, end: str) -> FinFacts:
    """The FIN of an end of the script."""
    found = facts.fins[side_of(facts, end)]
    assert found is not None
    return found


OPEN = "0 A S 0\n.01 B SA 0 1\n.011 A A 1 1\n"
CROSSING = OPEN + "1 A FA 1 1\n1.005 B FA 1 1\n1.01 A A 2 2\n1.02 B A 2 2\n"


@pytest.mark.parametrize("place", PLACES)
def test_the_last_acknowledgements_of_crossing_fins(place: str) -> None:
    """Each may be lost behind the capture; only the end beside it is certain to have received one."""
    close = only(captured(place, CROSSING))
    for end in "AB":
        found = entry(close.facts, end)
        assert found is not None
        assert found.certain is (end == place)
        state = close.facts.states[side_of(close.facts, end)]
        assert state.likely is State.TIME_WAIT
        assert state.possible == ({State.TIME_WAIT} if end == place else {State.TIME_WAIT, State.CLOSING})
    lines = " ".join(time_wait(close, [], None))
    assert lines.count("is then still in CLOSING") == (2 if place == "between" else 1)


@pytest.mark.parametrize("place", PLACES)
def test_a_fin_that_acknowledges_brings_its_receiver_into_time_wait(place: str) -> None:
    """Wherever it was captured: A acknowledged it, so it arrived, and every copy acknowledges the FIN of A."""
    text = OPEN + "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n"
    found = entry(only(captured(place, text)).facts, "A")
    assert found is not None
    assert found.certain


@pytest.mark.parametrize("place", PLACES)
def test_no_stack_is_excluded_by_answers_that_may_come_from_closing(place: str) -> None:
    """A, whose FIN was acknowledged in a packet that may be lost, answers for 70 s: a TIME-WAIT of 60 s, or CLOSING."""
    text = CROSSING + "71 B FA 1 2\n71.01 A A 2 2\n"
    close = only(captured(place, text))
    brief = Stack(name="brief", title="A TIME-WAIT of a minute", time_wait=Fraction(60), behaviour={})
    fit = fit_profiles(close, "AB"[side_of(close.facts, "A")], [brief])
    assert bool(fit.excluded) is (place == "A")


@pytest.mark.parametrize("place", PLACES)
def test_a_rst_where_closing_was_likely_left(place: str) -> None:
    """A answers with a RST: it had left TIME-WAIT, or its user had dropped it in CLOSING, which sends nothing."""
    close = only(captured(place, CROSSING + "2 B FA 1 1\n2.01 A R 1\n"))
    (reset,) = close.facts.resets
    assert reset.cause is ResetCause.LEFT_TIME_WAIT
    assert (ResetCause.ABORT in reset.causes) is (place != "A")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("before", ["nothing", "an acknowledgement", "an old acknowledgement"])
def test_a_fin_that_answers_the_other_at_once(place: str, before: str) -> None:
    """It may be sent again, after one that did not acknowledge and was lost, unless B said just before that it had sent none."""
    said = {"nothing": "", "an acknowledgement": ".95 B A 1 1\n", "an old acknowledgement": ".5 B A 1 1 id=0\n"}[before]
    text = OPEN + ".4 A A 1 1 len=10\n.41 B A 1 11\n" + said + "1 A FA 11 1\n1.01 B FA 1 12\n1.02 A A 12 2\n"
    facts = only(captured(place, text.replace("B A 1 1", "B A 1 11").replace("B A 1 111", "B A 1 11"))).facts
    found = fin(facts, "B")
    certain = place == "B" or before == "an acknowledgement"
    assert (found.knew, found.certain) == (True, certain)
    state = facts.states[side_of(facts, "B")]
    assert state.likely is State.CLOSED
    assert (State.TIME_WAIT in state.possible) is not certain
    assert facts.unknowns == ()
    data = facts_as_data(0, facts)["ends"]["AB"[side_of(facts, "B")]]
    assert data["fin"]["knew_for_certain"] is certain


@pytest.mark.parametrize("lacks", [True, False])
def test_a_fin_beside_its_sender_in_a_capture_that_lacks_the_opening_of_the_other(lacks: bool) -> None:
    """It may lack the first transmission of the FIN, too."""
    text = "0 B S 0\n" + ("" if lacks else ".01 A SA 0 1\n") + ".011 B A 1 1\n1 A FA 1 1\n1.01 B FA 1 2\n1.03 A A 2 2\n"
    found = fin(only(captured("B", text)).facts, "B")
    assert (found.knew, found.certain) == (True, not lacks)


def test_a_fin_beside_its_sender_in_a_capture_that_began_late() -> None:
    """Its first transmission may have come before the capture."""
    text = "0 B PA 1 1 len=10\n.02 A A 1 11\n1 A FA 1 11\n1.01 B FA 11 2\n1.03 A A 2 12\n"
    found = fin(only(captured("B", text)).facts, "B")
    assert (found.knew, found.certain) == (True, False)


@pytest.mark.parametrize(("ident", "text"), [(0, "2 A FA 1 2"), (0, ""), (9, "2 A FA 1 2")])
def test_an_acknowledgement_on_a_fin_that_came_before(ident: int, text: str) -> None:
    """A in CLOSING drops it with the FIN (RFC 9293 3.10.7.4), and may send its own FIN again: no TIME-WAIT is certain."""
    script = f"1 A FA 1 1 id={ident}\n1.005 B FA 1 1\n1.006 A A 2 2\n1.5 B FA 1 2\n1.51 A A 2 2\n" + (
        f"{text} id=0\n" if text else ""
    )
    entered = entry(
        only(captured("A", OPEN.replace("A A 1 1", f"A A 1 1 id={ident}").replace("A S 0", f"A S 0 id={ident}") + script)).facts,
        "A",
    )
    assert entered is None if text else (entered is not None and not entered.certain)


def test_old_copies_of_acknowledgements_are_no_keep_alive_probes() -> None:
    """They have the number before the last one, too."""
    text = OPEN + "1 B PA 1 1 len=1 id=70\n1.02 A A 1 2\n1.5 B A 1 1 id=71\n1.52 A PA 1 2 len=9\n1.54 B A 2 10 id=72\n"
    text += "2 B A 1 1 id=71\n4 B A 1 1 id=71\n6 B RA 2 10\n"
    (reset,) = only(captured("between", text)).facts.resets
    assert ResetCause.KEEP_ALIVE not in reset.causes


LATE = OPEN + "1 A FA 1 1\n1.01 B A 1 2\n1.5 B PA 1 2 len=100\n1.51 A R 2\n"


@pytest.mark.parametrize("place", PLACES)
def test_late_text_or_a_rst_that_was_lost(place: str) -> None:
    """Elsewhere than beside its sender an earlier RST of its user may have been lost before the capture."""
    close = only(captured(place, LATE))
    (reset,) = close.facts.resets
    assert reset.cause is ResetCause.LATE_TEXT
    assert (ResetCause.ABORT in reset.causes) is (place != "A")
    quiet = Stack(name="quiet", title="Ignores late text", behaviour={"late_data_reset": False})
    fit = fit_profiles(close, "AB"[side_of(close.facts, "A")], [quiet])
    assert bool(fit.excluded) is (place == "A")


@pytest.mark.parametrize(("waited", "lost", "certain"), [(20, True, False), (20, False, False), (90, True, True)])
def test_a_half_close_that_ran_out(waited: int, lost: bool, certain: bool) -> None:
    """The user may have dropped the connection with a RST that was lost before the capture, until a minute passed."""
    again = ".5 A PA 1 1 len=10\n" + ".8 A PA 1 1 len=10\n" * lost + ".81 B A 1 11\n"
    text = OPEN + again + f"1 A FA 11 1\n1.01 B A 1 12\n{1 + waited} B FA 1 12\n{1 + waited}.01 A R 12\n"
    (reset,) = only(captured("between", text)).facts.resets
    assert reset.cause is ResetCause.FORGOTTEN
    assert (ResetCause.ABORT not in reset.causes) is certain


@pytest.mark.parametrize("lacks", [True, False])
def test_a_fin_that_came_before_and_was_perhaps_answered(lacks: bool) -> None:
    """In a capture of FINs alone, A may have acknowledged the first FIN of B, and then it has left TIME-WAIT."""
    text = "0 A S 0\n.01 B SA 0 1\n" + ("" if lacks else ".011 A A 1 1\n.5 A A 1 1 len=100\n.51 B A 1 101\n")
    text += "1 A FA 101 1\n" + ("" if lacks else "1.01 B A 1 102\n") + "31 B FA 1 102\n" + ("127 B FA 1 102\n127.001 A R 102\n")
    (reset,) = only(captured("A", text)).facts.resets
    assert reset.cause is ResetCause.FORGOTTEN
    assert (ResetCause.LEFT_TIME_WAIT in reset.causes) is lacks


def waits(*lengths: float) -> str:
    """The FIN of A, sent again after each of these waits in seconds."""
    times = [1.0]
    for length in lengths:
        times.append(times[-1] + length)
    return OPEN + "".join(f"{time:.3f} A FA 1 1\n" for time in times)


@pytest.mark.parametrize(
    ("lengths", "excluded"),
    [((127,), False), ((1, 2, 4, 120), False), ((1, 2, 4, 8, 16, 32, 64, 128), True), ((1, 2, 4, 8, 16, 32, 64, 64), False)],
)
def test_a_wait_that_may_be_several(lengths: tuple[float, ...], excluded: bool) -> None:
    """A wait of over a minute exceeds the greatest timeout only if it is not much longer than the doubled wait before."""
    close = only(captured("A", waits(*lengths)))
    capped = Stack(name="capped", title="At most 64 s", rto_max=Fraction(64), behaviour={})
    assert bool(fit_profiles(close, "A", [capped]).excluded) is excluded


@pytest.mark.parametrize("place", ["between", "A"])
@pytest.mark.parametrize("opening", ["whole", "without its SYN,ACK", "without its ACK", "none", "whole, and text is missing"])
def test_an_old_copy_of_a_fin(place: str, opening: str) -> None:
    """Where the capture may lack its first passage, a second FIN soon after may be a copy that the network made."""
    opened = {
        "whole": OPEN,
        "without its SYN,ACK": OPEN.replace(".01 B SA 0 1\n", "") + ".5 B A 1 1\n",
        "without its ACK": OPEN.replace(".011 A A 1 1\n", ""),
        "none": "",
        "whole, and text is missing": OPEN + ".5 B A 101 1\n",
    }[opening]
    close = only(captured(place, opened + "1 A FA 1 1\n1.1 A FA 1 1\n1.11 B A {} 2\n".format(101 if "text" in opening else 1)))
    slow = Stack(name="slow", title="At least 1 s", rto_min=Fraction(1), behaviour={})
    whole = opening == "whole" or (place == "A" and opening != "none")
    assert bool(fit_profiles(close, "A", [slow]).excluded) is whole


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize(("place", "opening"), [("A", ""), ("A", OPEN), ("B", ""), ("B", OPEN), ("between", OPEN)])
def test_an_acknowledgement_after_a_rst_that_nothing_calls_for(place: str, opening: str, asked: bool) -> None:
    """It answers what did not pass, so A stayed in TIME-WAIT; it may be a copy where the capture may lack its first passage.

    So it may where the capture lacks the acknowledgement that the RST answers.
    """
    before = "1.49 A A 2 2\n" if asked else ""
    text = opening + f"1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n{before}1.5 B R 2\n2 A A 2 2\n"
    ended = False if place == "A" or (opening and asked) else None
    close = only(captured(place, text))
    assert [hit.ended for hit in close.resets] == [ended]


@pytest.mark.parametrize(("opening", "possible"), [(OPEN, False), ("", True)])
def test_a_fin_that_comes_after_its_acknowledgement(opening: str, possible: bool) -> None:
    """It is sent again, so the acknowledgement was lost; in a capture that began late it may be an old copy."""
    close = only(captured("B", opening + "1 A FA 1 1\n1.01 B A 1 2\n2 A FA 1 1\n"))
    state = close.facts.states[side_of(close.facts, "A")]
    assert (State.FIN_WAIT_2 in state.possible) is possible


@pytest.mark.parametrize("fin", ["answered", "not answered", "missing"])
def test_a_time_wait_that_began_with_a_fin_that_did_not_pass(fin: str) -> None:
    """An acknowledgement beyond the text of B shows its FIN, and not when that came: A may have entered TIME-WAIT 70 s later.

    So it may where the FIN passed and may not have been taken.
    """
    text = {
        "answered": "1.01 B FA 1 1\n1.02 A A 2 2\n1.03 B A 2 2\n",
        "not answered": "1.01 B FA 1 1\n1.03 B A 2 2\n",
        "missing": "1.03 B A 2 2\n",
    }[fin]
    text = f"{OPEN}1 A FA 1 1\n{text}"
    close = only(captured("A", text + "71 A A 2 2\n71.001 B FA 1 2\n72 B FA 1 2\n72.01 A A 2 2\n"))
    brief = Stack(name="brief", title="A TIME-WAIT of a minute", time_wait=Fraction(60), behaviour={})
    assert bool(fit_profiles(close, "AB"[side_of(close.facts, "A")], [brief]).excluded) is (fin == "answered")


@pytest.mark.parametrize(
    ("place", "waited", "certain"), [("A", 4, True), ("B", 4, False), ("between", 4, False), ("B", 70, True)]
)
def test_a_half_close_of_which_nothing_shows_a_loss(place: str, waited: int, certain: bool) -> None:
    """Elsewhere than beside A the acknowledgement of its FIN may be lost, and then a RST of its user: it is told as likely."""
    close = only(captured(place, OPEN + f"1 A FA 1 1\n1.01 B A 1 2\n{1 + waited} B FA 1 2\n{1 + waited}.01 A R 2\n"))
    (left,) = close.states_left
    assert (left.state, left.certain) == (State.FIN_WAIT_2, certain)
    (clue,) = fit_profiles(close, left.end, []).clues
    assert ("or its user had dropped the connection" in clue) is not certain
    long = Stack(name="long", title="A FIN-WAIT-2 of ten minutes", fin_wait_2=Fraction(600), behaviour={})
    assert bool(fit_profiles(close, left.end, [long]).excluded) is certain


@pytest.mark.parametrize("arrives", [True, False])
def test_an_acknowledgement_that_was_lost_between_two_points(arrives: bool, tmp_path: Path) -> None:
    """It was captured beside B and not beside A, so A is still in CLOSING, and acknowledges once more."""
    script = Script().opened()
    closing = [(1, "A", "FA", 1), (1.001, "B", "FA", 1), (1.007, "A", "A", 2), (1.008, "B", "A", 2), (2, "A", "A", 2)]
    for at, who, flags, seq in closing:
        script.say(at, who, flags, seq, seq)
    found = []
    for packet in script.packets:
        sender, receiver = ("A", "B") if packet.sport == 40_000 else ("B", "A")
        far = packet.copy()
        far.time = EDecimal(packet.time) + EDecimal("0.005")
        found += [(sender, packet), (receiver, far)]
    if not arrives:
        del found[-3]
    path = pcapng(tmp_path / "two.pcapng", sorted(found, key=lambda it: it[1].time))
    close = only(read_closes(path, assumed_configuration(load_stack("rfc9293-intended"))))
    assert (entry(close.facts, "A") is not None) is arrives


@pytest.mark.parametrize(("place", "ended"), [("A", False), ("between", None)])
def test_an_answer_without_an_identification(place: str, ended: bool | None) -> None:
    """It looks like the acknowledgement before; no copy that the network made passes beside the sender."""
    text = OPEN + "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n1.5 B R 2\n2 B FA 1 2\n2.01 A A 2 2\n"
    close = only(captured(place, text.replace("\n", " id=0\n")))
    assert [hit.ended for hit in close.resets] == [ended]


TEXT = OPEN + "1 A PA 1 1 len=100\n1.4 A PA 1 1 len=100\n2.2 A PA 1 1 len=100\n"
LIMIT, CALL = ResetCause.RETRY_LIMIT, ResetCause.ABORT


@pytest.mark.parametrize(
    ("rest", "causes"),
    [
        ("3.8 A RA 101 1\n", (LIMIT, CALL)),
        ("3.05 A RA 101 1\n", (CALL, LIMIT)),
        ("9 A RA 101 1\n", (CALL, LIMIT)),
        ("3.8 A PA 1 1 len=100\n7 A RA 101 1\n", (LIMIT,)),
        ("3.8 A PA 1 1 len=100\n5.5 A RA 101 1\n", (CALL, LIMIT)),
        ("3.8 A PA 1 1 len=100\n5.4 A PA 1 1 len=100\n7 A RA 101 1\n", (LIMIT,)),
    ],
)
def test_the_retry_limit_or_the_user(rest: str, causes: tuple[ResetCause, ...]) -> None:
    """The limit is reached when the next timeout has passed, after three retransmissions at least (RFC 9293 3.8.3)."""
    close = only(captured("A", TEXT + rest))
    assert [reset.causes for reset in close.facts.resets] == [causes]
    unknown = {it.kind for it in close.facts.unknowns}
    assert ("cause-of-reset" in unknown) is (len(causes) > 1)
    assert "limit of retransmissions" in summary(close)


def test_who_answers_after_a_close_that_was_likely_in_order() -> None:
    """B acknowledges where CLOSED sends a RST: it may be in TIME-WAIT, if both closed at once."""
    close = only(captured("between", OPEN + "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n5 B A 2 2\n"))
    (unknown,) = (it for it in close.facts.unknowns if it.kind == "spoke-when-closed")
    assert "both had closed at once and it was in TIME_WAIT" in unknown.text


# --- how much is told -------------------------------------------------------------------------------------------------


def definite(case: Told) -> Counter[str]:
    """What is told of a run in so many words, and what there was to tell."""
    found: Counter[str] = Counter()
    facts = case.facts
    for index, entered in enumerate(facts.entered):
        found["waits"] += State.TIME_WAIT in case.run.entered(case.side(index))
        found["waits told"] += entered is not None
        found["waits certain"] += entered is not None and entered.certain
    for it in facts.fins:
        found["FINs"] += it is not None
        found["FINs told"] += it is not None and it.knew is not None
        found["FINs certain"] += it is not None and it.known is not None
    for state in facts.states:
        found["states"] += 1
        found["states told"] += state.likely is not None
        found["states certain"] += state.certain
    for reset in facts.resets:
        ident = next(packet.ident for packet in case.packets if packet.frame == reset.frame)
        if ident:
            rules = case.run.copies[ident - 1].rules
            found["RSTs"] += 1
            found["RSTs certain"] += len(reset.causes) == 1
            found["RSTs told"] += reset.cause in set.union(*(CAUSES.get(rule, set()) for rule in rules))
    found["closes"] += any(fin is not None for fin in facts.fins) or bool(facts.resets)
    return found


LEAST = {
    "waits": (0.40, 0.28),
    "FINs": (0.60, 0.58),
    "states": (0.60, 0.33),
    "RSTs": (0.72, 0.0),
}
"""For each kind the least shares that must be told rightly or as likely, and that must be told for certain."""


def test_captures_are_told_definitely() -> None:
    """Nothing that a capture shows is left open out of caution: much of every kind is told, and much is certain."""
    total: Counter[str] = Counter()
    for seed in range(600):
        case = explained_run(seed)
        if case is not None:
            total += definite(case)
    for kind, (likely, certain) in LEAST.items():
        assert total[f"{kind} told"] >= likely * total[kind], (kind, total)
        assert total[f"{kind} certain"] >= certain * total[kind], (kind, total)
