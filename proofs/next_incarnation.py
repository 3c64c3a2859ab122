"""The claims about the next incarnation, opened by a handshake while old segments are in flight; one function each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

from timewait.checker.arithmetic import follows
from timewait.checker.question import Engine
from timewait.proofs.claim import claim
from timewait.proofs.evidence import PROVED, VIOLATED, Evidence, agreed, all_at, at, for_all
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.incarnation import HARMS, ISOLATION
from timewait.spec.reopening import CONTROLS, ISN_RATE, AnswerIsn, NextIncarnation, Numbers, Paws, Reopen, SynRule
from timewait.spec.sequence_numbers import HALF_THE_NUMBERS
from timewait.spec.settings import Behaviour

ALL_HARMS = (ISOLATION, *HARMS)
WITHOUT_RST = ("old-text", "old-fin", "old-ack")
POSITIVE = ("MSL > 0", "RTO > 0")
NO_TIME_WAIT = Behaviour(time_wait=False)
WORST_WITH_TIMESTAMPS = NextIncarnation(Reopen.HANDSHAKE, timestamps=(True, True), text=(1, 0))


def reopened(opening: NextIncarnation, text: tuple[int, int] = (0, 0), loss: int | None = 0) -> Configuration:
    """The whole close, A first, without TIME-WAIT, and the next incarnation; MSL and RTO of one second."""
    second = Fraction(1)
    return Configuration(second, Fraction(0), (second,), loss=loss, text=text, behaviour=NO_TIME_WAIT, reopening=opening)


@claim(
    "C14",
    "if both ISNs of the next incarnation exceed every old number, no old segment does any harm to it, even without TIME-WAIT,"
    " for any loss, any MSL and RTO; graceful still needs TIME-WAIT, and an old ACK may still refuse or delay the opening."
    " Repeated ISNs do not isolate",
    "RFC 9293 3.6.1 MAY-2",
    PROVED,
    seconds=8,
)
def numbers_above() -> Iterator[Evidence]:
    """An ISN above all old numbers keeps old segments out; it does not answer a retransmitted FIN."""
    above = NextIncarnation(Reopen.HANDSHAKE, Numbers.ABOVE, text=(1, 0))
    yield for_all(
        "close, any loss, ISNs above, no TIME-WAIT", reopened(above, loss=None), POSITIVE, (ISOLATION, *WITHOUT_RST[1:])
    )
    yield for_all("the same, A sends one octet", reopened(above, (1, 0), None), POSITIVE, ALL_HARMS)
    small = replace(above, text=(0, 0))
    last = replace(reopened(small), scope=Scope.CORE)
    yield agreed("core, M = R = 1, k = 0, ISNs above, no TIME-WAIT", last, ISOLATION, PROVED)
    for name in ("graceful", "undelayed"):
        yield agreed("close, M = R = 1, k = 0, ISNs above, no TIME-WAIT", reopened(small), name, VIOLATED)
    repeated = replace(small, numbers=Numbers.REPEATED)
    yield agreed("the same, ISNs repeated", reopened(repeated), ISOLATION, VIOLATED)


@claim(
    "C18",
    "timestamps at both ends (PAWS) keep old text, old FINs and old ACKs out of the next incarnation, wherever the old numbers"
    " lie, without TIME-WAIT, for any loss, any MSL and RTO: under RFC 7323 and under Linux's rule, which passes only an ACK"
    " that changes nothing. A RST is exempt, and an old one ends the next incarnation unless TIME-WAIT lasts (at M = R = 1 s,"
    " k = 0, 2 s is enough). Without timestamps each harm is possible",
    "RFC 7323 5.2, 5.3",
    PROVED,
    slow=True,
)
def timestamps() -> Iterator[Evidence]:
    """Each harm with and without timestamps, in the worst place of the numbers."""
    for paws in Paws:
        opening = replace(WORST_WITH_TIMESTAMPS, paws=paws)
        label = f"close, any loss, timestamps ({paws}), no TIME-WAIT, A sends one octet in each incarnation"
        yield for_all(label, reopened(opening, (1, 0), None), POSITIVE, WITHOUT_RST)
        short = reopened(replace(opening, text=(0, 0)))
        yield agreed(f"close, M = R = 1, k = 0, timestamps ({paws}), no TIME-WAIT", short, "old-reset", VIOLATED)
        enough = replace(short, time_wait=Fraction(2), behaviour=Behaviour())
        yield agreed("the same, TIME_WAIT = 2", enough, "old-reset", PROVED)
    without = NextIncarnation(Reopen.HANDSHAKE, text=(1, 0))
    yield from all_at("close, M = R = 1, k = 0, no timestamps", reopened(without, (1, 0)), ALL_HARMS, VIOLATED, Engine.ZONES)
    one_end = replace(without, text=(0, 0), timestamps=(True, False))
    yield agreed("the same, timestamps at one end alone", reopened(one_end), "old-fin", VIOLATED)


@claim(
    "C19",
    "an ISN clock of 250,000 numbers a second (RFC 6528) exceeds every old number, so that C14 applies, if the old connection"
    " sent no more than 250,000 octets a second on average and the clock has gained more than its SYN and FIN since its last"
    " number (8 us), if lifetime and the longer of idle time and MSL make"
    " less than 2^31 / 250,000 s (2 h 23 min); at a rate r above that, if"
    " it lasted less than (250,000 idle - 2) / (r - 250,000) s. It does not give graceful",
    "RFC 6528 3; RFC 9293 3.4.1",
    PROVED,
)
def clock_of_numbers() -> Iterator[Evidence]:
    """The arithmetic for all values, and the verdicts on either side of the border."""
    yield from _clock_for_all_values()
    clock = NextIncarnation(Reopen.HANDSHAKE, Numbers.CLOCK, text=(0, 0), data_rate=Fraction(250_000), idle=Fraction(1))
    faster = replace(clock, data_rate=Fraction(500_000))
    for opening, expected in (
        (replace(clock, lifetime=Fraction(8000)), PROVED),
        (replace(faster, lifetime=Fraction(9, 10)), PROVED),
        (replace(faster, lifetime=Fraction(1)), VIOLATED),
    ):
        label = f"close, M = R = 1, k = 0, no TIME-WAIT, {opening.derivation(Fraction(1))}"
        yield at(label, reopened(opening), ISOLATION, expected, Engine.ZONES)
    yield at(f"close, M = R = 1, k = 0, no TIME-WAIT, {clock.derivation(Fraction(1))}", reopened(clock), "graceful", VIOLATED)


@claim(
    "C20",
    "a SYN that meets TIME-WAIT, where an end opens as soon as it is CLOSED (TIME_WAIT = 2 MSL, M = R = 1 s, k = 0): if it"
    " never opens there, isolation holds and the opening is delayed. If it opens because its number is at RCV.NXT or above,"
    " isolation holds if the ISN of the end that answers exceeds every number that this end used (MAY-2, first condition), for"
    " TIME_WAIT >= 2 MSL, RTO <= MSL, k <= 1, wherever other numbers lie; with any other ISN, old FINs of that end are accepted"
    " (>= RCV.NXT is as safe as > RCV.NXT, harm by harm). If both ISNs exceed every old number, isolation holds for any loss, any"
    " MSL, RTO and TIME_WAIT. If it opens by its timestamp, old text, FINs and ACKs stay out and an old RST does not. Graceful"
    " always holds",
    "RFC 9293 3.6.1 MAY-2; RFC 6191",
    PROVED,
    slow=True,
)
def syn_in_time_wait() -> Iterator[Evidence]:
    """The number of the SYN keeps out old segments of one direction, the first condition of MAY-2 those of the other."""
    second = Fraction(1)
    never = NextIncarnation(Reopen.HANDSHAKE, text=(0, 0), early=True)
    by_number, at_least = replace(never, syn=SynRule.ABOVE), replace(never, syn=SynRule.AT_OR_ABOVE)
    by_timestamp = replace(never, syn=SynRule.TIMESTAMP, timestamps=(True, True))
    above = replace(by_number, numbers=Numbers.ABOVE)

    def waiting(opening: NextIncarnation) -> Configuration:
        return replace(reopened(opening), time_wait=2 * second, behaviour=Behaviour())

    any_loss = replace(waiting(replace(above, text=(1, 0))), loss=None)
    whole = (*POSITIVE, "TIME_WAIT >= 0")
    yield for_all(
        "close, any loss, a SYN opens by number, ISNs above", any_loss, whole, (ISOLATION, "old-fin", "old-reset", "old-ack")
    )
    safe = (*POSITIVE, "RTO <= MSL", "TIME_WAIT >= 2*MSL")
    harms = (ISOLATION, "old-fin", "old-reset", "old-ack")
    for label, opening, sent in (
        ("above RCV.NXT", replace(by_number, text=(1, 0)), (0, 0)),
        ("at RCV.NXT or above", replace(at_least, text=(1, 0)), (0, 0)),
        ("at RCV.NXT or above, A sends one octet", replace(at_least, text=(1, 0)), (1, 0)),
    ):
        either = replace(waiting(opening), loss=0 if any(sent) else 1, text=sent)
        label = f"close, k = {either.loss}, a SYN opens {label}, other numbers worst"
        yield for_all(label, either, safe, (*harms, "old-text") if any(sent) else harms)
    holds = {"old-fin": PROVED, "old-reset": PROVED, "old-ack": PROVED, "graceful": PROVED}
    for label, opening, expected in (
        ("never opens", never, {ISOLATION: PROVED, "undelayed": VIOLATED, "graceful": PROVED}),
        ("above RCV.NXT opens", by_number, holds),
        ("at RCV.NXT or above opens", at_least, holds),
        ("above RCV.NXT opens, any ISN", replace(by_number, isn=AnswerIsn.ANY), holds | {"old-fin": VIOLATED}),
        ("at RCV.NXT or above opens, any ISN", replace(at_least, isn=AnswerIsn.ANY), holds | {"old-fin": VIOLATED}),
        ("opens by number, ISNs above", above, {ISOLATION: PROVED, "graceful": PROVED}),
        ("opens by timestamp", by_timestamp, {"old-fin": PROVED, "old-ack": PROVED, "old-reset": VIOLATED, "graceful": PROVED}),
    ):
        for name, verdict in expected.items():
            yield agreed(f"close, M = R = 1, TIME_WAIT = 2, k = 0, a SYN {label}", waiting(opening), name, verdict)
    text = replace(waiting(by_timestamp), text=(1, 0))
    yield at("the same, A sends one octet", text, "old-text", PROVED, Engine.ZONES)


def _clock_for_all_values() -> Iterator[Evidence]:
    """The border between an ISN clock that is ahead of all old numbers and one that is not."""
    names = ("rate", "life", "idle", "used")
    possible = [*(f"(>= {name} 0)" for name in names), f"(<= used (+ (* rate life) {CONTROLS}))"]
    ahead = f"(> (* {ISN_RATE} (+ life idle)) used)"
    gained, lead = f"(- (* {ISN_RATE} idle) {CONTROLS})", f"(* (- rate {ISN_RATE}) life)"
    slow, fast = f"(<= rate {ISN_RATE})", f"(> rate {ISN_RATE})"
    most = f"(= used (+ (* rate life) {CONTROLS}))"
    for label, conditions, conclusion in (
        ("rate <= 250,000, 250,000 idle > 2: the clock is ahead", [slow, f"(> {gained} 0)"], ahead),
        (
            "rate > 250,000, (rate - 250,000) lifetime < 250,000 idle - 2: it is ahead",
            [fast, f"(< {lead} {gained})"],
            ahead,
        ),
        ("rate > 250,000 and a longer lifetime: the clock may lag", [fast, f"(>= {lead} {gained})", most], f"(not {ahead})"),
    ):
        verdict = follows(names, [*possible, *conditions], conclusion)
        yield Evidence(f"{label}, for all values", verdict, PROVED, "Z3, all values", "real arithmetic")
    below_half = f"(< (* {ISN_RATE} (+ life {{}})) {HALF_THE_NUMBERS})"
    limits = ["(>= longer idle)", "(>= longer msl)", "(or (<= pause idle) (<= pause msl))", below_half.format("longer")]
    verdict = follows(["life", "idle", "msl", "longer", "pause"], limits, below_half.format("pause"))
    label = "250,000 (lifetime + the longer of idle time and MSL) < 2^31: no old segment alive compares the other way round"
    yield Evidence(f"{label}, for all values", verdict, PROVED, "Z3, all values", "real arithmetic")
