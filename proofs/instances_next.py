"""Instances of the claims about the next incarnation; see `timewait.proofs.instances`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from random import Random

from timewait.checker.verdict import Verdict
from timewait.proofs.crash import CRASH_OF_A, FROM_A, FROM_B
from timewait.proofs.instance import Instance
from timewait.proofs.next_incarnation import reopened
from timewait.proofs.old_syn import ENDS_THERE, RETURNS, waiting
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.incarnation import ISOLATION
from timewait.spec.reopening import AnswerIsn, NextIncarnation, Numbers, Paws, Reopen, SynRule
from timewait.spec.settings import Behaviour

PROVED, VIOLATED = Verdict.PROVED, Verdict.VIOLATED
HANDSHAKE = NextIncarnation(Reopen.HANDSHAKE, text=(0, 0))


def _drawn(
    random: Random,
    opening: NextIncarnation,
    text: tuple[int, int] = (0, 0),
    loss: int | None = 0,
    rto: tuple[Fraction, Fraction] = (Fraction(1), Fraction(1)),
    scope: Scope = Scope.CLOSE,
) -> Configuration:
    """The close without TIME-WAIT at an MSL of no evidence; `rto` holds the least and the greatest RTO / MSL."""
    msl = random.randint(31, 99)
    gap = random.randint(int(rto[0] * msl), int(rto[1] * msl))
    return replace(reopened(opening, text, loss), msl=Fraction(msl), rto=(Fraction(gap),), scope=scope)


def crash(random: Random) -> Iterator[Instance]:
    """C13: half-open at any quiet time; own text at an MSL, and below; ISNs above."""
    below = (Fraction(1, 2), Fraction(1))
    half_open = _drawn(random, CRASH_OF_A, rto=below)
    quiet = half_open.msl * random.choice((0, 1, 2))
    for name in ("old-fin", "old-reset"):
        words = "each other harm at Q = 0, M and 2M"
        yield Instance(words, replace(half_open, time_wait=quiet, rto=(half_open.msl,)), name, VIOLATED, slow=name == "old-fin")
    repeated = replace(CRASH_OF_A, numbers=Numbers.REPEATED)
    later = _drawn(random, repeated, FROM_B["old-text"], rto=below)
    words = "old text for every Q, MSL and RTO, even if both ISNs repeat"
    yield Instance(words, replace(later, time_wait=later.msl * random.randint(0, 9)), "old-text", VIOLATED, slow=True)
    own = _drawn(random, CRASH_OF_A, FROM_A["old-text"], rto=below)
    yield Instance(
        "and every shorter Q is not", replace(own, time_wait=own.msl * Fraction(9, 10)), "old-text", VIOLATED, slow=True
    )
    words = "Q >= M is enough (any loss, R <= M"
    yield Instance(words, replace(own, time_wait=own.msl + random.randint(0, 40)), "old-text", PROVED, slow=True)
    above = _drawn(random, replace(CRASH_OF_A, numbers=Numbers.ABOVE), rto=(Fraction(1, 4), Fraction(2)))
    words = "isolation holds for every Q, even none"
    yield Instance(words, replace(above, time_wait=Fraction(random.randint(0, 100))), ISOLATION, PROVED)


def numbers_above(random: Random) -> Iterator[Instance]:
    """C14: isolation, and what it does not give."""
    above = replace(HANDSHAKE, numbers=Numbers.ABOVE)
    drawn = _drawn(random, above, loss=random.choice((0, 1, None)), rto=(Fraction(1, 4), Fraction(2)))
    yield Instance("no old segment does any harm to it, even without TIME-WAIT", drawn, ISOLATION, PROVED)
    lossless = replace(drawn, loss=0)
    yield Instance("graceful still needs TIME-WAIT", lossless, "graceful", VIOLATED)
    yield Instance("an old ACK may still refuse or delay the opening", lossless, "undelayed", VIOLATED)
    repeated = _drawn(random, replace(HANDSHAKE, numbers=Numbers.REPEATED))
    yield Instance("Repeated ISNs do not isolate", repeated, ISOLATION, VIOLATED)


def timestamps(random: Random) -> Iterator[Instance]:
    """C18: what timestamps keep out, and the RST."""
    opening = replace(HANDSHAKE, timestamps=(True, True), paws=random.choice(tuple(Paws)))
    drawn = _drawn(random, opening, rto=(Fraction(1, 4), Fraction(2)))
    words = "timestamps at both ends (PAWS) keep old text, old FINs and old ACKs out of the next incarnation"
    yield Instance(words, drawn, random.choice(("old-fin", "old-ack")), PROVED)
    words = "A RST is exempt, and an old one ends the next incarnation unless TIME-WAIT lasts"
    yield Instance(words, replace(drawn, rto=(drawn.msl,)), "old-reset", VIOLATED)
    yield Instance("Without timestamps each harm is possible", _drawn(random, HANDSHAKE), "old-fin", VIOLATED)


def clock_of_numbers(random: Random) -> Iterator[Instance]:
    """C19: either side of the border, at a rate and a lifetime of no evidence."""
    rate, idle = random.randint(250_001, 900_000), random.randint(1, 9)
    border = Fraction(250_000 * idle - 2, rate - 250_000)
    clock = NextIncarnation(Reopen.HANDSHAKE, Numbers.CLOCK, text=(0, 0), data_rate=Fraction(rate), idle=Fraction(idle))
    words = "if it lasted less than (250,000 idle - 2) / (r - 250,000) s"
    if border < 8000:
        yield Instance(words, _drawn(random, replace(clock, lifetime=border * Fraction(99, 100))), ISOLATION, PROVED)
    yield Instance(words, _drawn(random, replace(clock, lifetime=border)), ISOLATION, VIOLATED)
    slow = replace(clock, data_rate=Fraction(random.randint(0, 249_999)))
    yield Instance("It does not give graceful", _drawn(random, slow), "graceful", VIOLATED)


def old_syn(random: Random) -> Iterator[Instance]:
    """C21: an old SYN with and without the return to TIME-WAIT."""
    msl = Fraction(random.randint(31, 99))
    gap = Fraction(random.randint(int(msl / 2), int(msl)))
    long_enough = 2 * msl + random.randint(0, 40)
    drawn = replace(waiting(RETURNS), msl=msl, rto=(gap,), time_wait=long_enough)
    words = "With the return, isolation holds for TIME_WAIT >= 2 MSL and RTO <= MSL"
    yield Instance(words, drawn, random.choice((ISOLATION, "old-fin", "old-reset", "old-ack")), PROVED, slow=True)
    words = "an old FIN is then accepted by the next incarnation, for every MSL, RTO and TIME_WAIT"
    any_wait = Fraction(random.randint(1, 500))
    yield Instance(words, replace(drawn, reopening=ENDS_THERE, time_wait=any_wait), "old-fin", VIOLATED, slow=True)
    words = "graceful holds with it and without it (k <= 1)"
    either = replace(drawn, reopening=random.choice((RETURNS, ENDS_THERE)), loss=random.randint(0, 1))
    yield Instance(words, either, "graceful", PROVED, slow=True)


def syn_in_time_wait(random: Random) -> Iterator[Instance]:
    """C20: a SYN that opens by number or by timestamp."""

    def with_time_wait(opening: NextIncarnation) -> Configuration:
        drawn = _drawn(random, opening)
        return replace(drawn, time_wait=2 * drawn.msl, behaviour=Behaviour())

    early = replace(HANDSHAKE, early=True)
    never = with_time_wait(early)
    rule = random.choice((SynRule.ABOVE, SynRule.AT_OR_ABOVE))
    words = "if it never opens there, isolation holds and the opening is delayed"
    yield Instance(words, never, ISOLATION, PROVED, slow=True)
    yield Instance(words, never, "undelayed", VIOLATED)
    words = "isolation holds if the ISN of the end that answers exceeds every number that this end used"
    by_number = replace(with_time_wait(replace(early, syn=rule)), loss=random.choice((0, 1)))
    yield Instance(words, by_number, ISOLATION, PROVED, slow=True)
    words = "with any other ISN, old FINs of that end are accepted"
    yield Instance(words, with_time_wait(replace(early, syn=rule, isn=AnswerIsn.ANY)), "old-fin", VIOLATED, slow=True)
    words = "If both ISNs exceed every old number, isolation holds"
    both_above = with_time_wait(replace(early, syn=rule, isn=AnswerIsn.ANY, numbers=Numbers.ABOVE))
    yield Instance(words, replace(both_above, time_wait=Fraction(random.randint(0, 99))), ISOLATION, PROVED, slow=True)
    stamped = with_time_wait(replace(early, syn=SynRule.TIMESTAMP, timestamps=(True, True)))
    words = "If it opens by its timestamp, old text, FINs and ACKs stay out and an old RST does not"
    yield Instance(words, stamped, "old-fin", PROVED, slow=True)
    yield Instance(words, stamped, "old-reset", VIOLATED, slow=True)
