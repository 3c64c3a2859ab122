"""Instances of the claims: points that the words of a claim cover, with the verdict that the words predict.

The evidence of a claim covers its words only if the words hold at points that the evidence did not use.
`tests/test_claim_instances.py` draws instances and asks an engine about each. An instance names the words that predict its
verdict: they must be words of the claim's statement, so that a statement and its instances change together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random

from timewait.checker.verdict import Verdict
from timewait.proofs import instances_next
from timewait.proofs.claims import (
    EVERYTHING,
    FIN,
    INTENDED,
    LITERAL,
    RTO_RUNS_ON,
    STEP_ONE,
    close,
    core,
)
from timewait.proofs.instance import Instance
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.settings import Behaviour, ResetRule

PROVED, VIOLATED = Verdict.PROVED, Verdict.VIOLATED


Draw = Callable[[Random], Iterator[Instance]]


@dataclass(frozen=True)
class InstancePoint:
    """Values of MSL and RTO in seconds, and a number of losses."""

    msl: int
    rto: int
    loss: int


def point(random: Random, *, least: Fraction, most: Fraction, losses: tuple[int, ...]) -> InstancePoint:
    """A point with a ratio RTO / MSL between two bounds; MSL is larger than in any evidence but that with 30 s."""
    msl = random.randint(31, 99)
    low, high = -(-least * msl // 1), most * msl // 1
    return InstancePoint(msl, max(random.randint(int(low), int(high)), 1), random.choice(losses))


def about(
    random: Random, words: str, configuration: Configuration, name: str, threshold: Fraction | int, *, slow: bool = False
) -> Iterator[Instance]:
    """An instance at a threshold or above, and one below it."""
    safe = Fraction(threshold) + random.choice((0, random.randint(1, 40)))
    short = Fraction(threshold) * random.choice((Fraction(99, 100), Fraction(9, 10), Fraction(1, 2)))
    yield Instance(words, replace(configuration, time_wait=safe), name, PROVED, slow)
    yield Instance(words, replace(configuration, time_wait=short), name, VIOLATED, slow)


def lost_acknowledgement(at: InstancePoint) -> int:
    """What graceful needs: M if nothing is lost, else kR + M."""
    return at.loss * at.rto + at.msl


# --- the claims ----------------------------------------------------------------------------------------------------


def _c1(random: Random) -> Iterator[Instance]:
    words = "TIME_WAIT >= 2 MSL is enough for graceful and isolation, if RTO <= MSL, at most one copy is lost in a loss window"
    for behaviour in (INTENDED, Behaviour(answers=FIN, restarts=FIN), Behaviour(answers=EVERYTHING, restarts=EVERYTHING)):
        at = point(random, least=Fraction(1, 50), most=Fraction(1), losses=(0, 1))
        time_wait = 2 * at.msl + random.choice((0, random.randint(0, 50)))
        for name in ("graceful", "isolation"):
            yield Instance(words, close(at.msl, time_wait, at.rto, at.loss, behaviour), name, PROVED)
    at = point(random, least=Fraction(1, 4), most=Fraction(1), losses=(1,))
    text = random.choice(((1, 0), (0, 1), (1, 1)))
    runs_on = replace(close(at.msl, 2 * at.msl, at.rto, 1, RTO_RUNS_ON), text=text)
    words = "with up to one octet from each end, if acknowledgements do not restart the retransmission timer"
    yield Instance(words, runs_on, random.choice(("graceful", "isolation")), PROVED, slow=True)


def _c2(random: Random) -> Iterator[Instance]:
    words = "for every TIME_WAIT < 2 MSL (MSL/2 <= RTO <= MSL, one loss) one schedule violates isolation"
    for make in (core, close):
        at = point(random, least=Fraction(1, 2), most=Fraction(1), losses=(1,))
        yield Instance(words, make(at.msl, Fraction(random.randint(0, 20 * at.msl - 1), 10), at.rto, 1), "isolation", VIOLATED)


def _c3(random: Random) -> Iterator[Instance]:
    words = "the exact thresholds for R >= M/4 and k <= 3, without text"
    for make in (core, close):
        at = point(random, least=Fraction(1, 4), most=Fraction(3), losses=(0, 1, 2, 3))
        yield from about(random, words, make(at.msl, 0, at.rto, at.loss), "graceful", lost_acknowledgement(at))
    at = point(random, least=Fraction(1, 4), most=Fraction(3), losses=(0, 1, 2, 3))
    least = max(2 * at.msl, lost_acknowledgement(at))
    yield from about(random, words, close(at.msl, 0, at.rto, at.loss), "isolation", least)
    at = point(random, least=Fraction(1, 4), most=Fraction(3), losses=(0, 1, 2, 3))
    least = at.msl + max(at.loss * at.rto, min((at.loss + 1) * at.rto, at.msl))
    yield from about(random, words, core(at.msl, 0, at.rto, at.loss), "isolation", least)


def _c4(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 4), most=Fraction(2), losses=(1, 2))
    words = "the lost acknowledgement needs kR + M"
    yield from about(random, words, close(at.msl, 0, at.rto, at.loss), "graceful", lost_acknowledgement(at))
    words = "the old duplicate needs 2M, which depends on the lifetime alone, even without loss"
    yield from about(random, words, close(at.msl, 0, at.rto, 0), "isolation", 2 * at.msl)
    words = "an old RST needs 2M, an old FIN or bare ACK M + min(R, M)"
    yield from about(random, words, close(at.msl, 0, at.rto, 0), "old-reset", 2 * at.msl)
    name = random.choice(("old-fin", "old-ack"))
    yield from about(random, words, close(at.msl, 0, at.rto, 0), name, at.msl + min(at.rto, at.msl))


def _c5(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(51, 100), most=Fraction(1), losses=(2,))
    words = "with two losses in a loss window and M/2 < R <= M, 2M is not enough for graceful, M + 2R is"
    yield Instance(words, close(at.msl, 2 * at.msl, at.rto, 2), "graceful", VIOLATED)
    yield Instance(words, close(at.msl, at.msl + 2 * at.rto, at.rto, 2), "graceful", PROVED)
    loss = random.choice((1, 2))
    gaps = random.choice(((1, 2), (1, 2, 4)))
    unit = random.randint(-(-at.msl // 2), 2 * at.msl)
    behaviour = replace(INTENDED, backoff=len(gaps))
    rto = tuple(Fraction(gap * unit) for gap in gaps)
    scheduled = replace(close(at.msl, 0, at.rto, loss), rto=rto, behaviour=behaviour)
    words = "For graceful, a back-off schedule needs M and its k longest consecutive gaps"
    yield from about(random, words, scheduled, "graceful", at.msl + longest(gaps, loss) * unit)


def longest(gaps: tuple[int, ...], count: int) -> int:
    """The largest sum of consecutive gaps of a schedule, of which the last repeats."""
    extended = (*gaps, *(gaps[-1] for _ in range(count)))
    return max(sum(extended[first : first + count]) for first in range(len(gaps)))


def _c6(random: Random) -> Iterator[Instance]:
    words = "with any number of losses no finite TIME_WAIT is enough for graceful"
    at = point(random, least=Fraction(1, 2), most=Fraction(2), losses=(0,))
    for make in (core, close):
        yield Instance(words, make(at.msl, random.randint(0, 6 * at.msl), at.rto, None), "graceful", VIOLATED)


def _c7(random: Random) -> Iterator[Instance]:
    words = "if a retransmitted FIN does not restart TIME-WAIT, no finite TIME_WAIT is enough for graceful"
    at = point(random, least=Fraction(1, 2), most=Fraction(2), losses=(1, 2))
    never = replace(INTENDED, restarts=frozenset())
    for make in (core, close):
        yield Instance(words, make(at.msl, random.randint(0, 6 * at.msl), at.rto, at.loss, never), "graceful", VIOLATED)


def _c8(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 4), most=Fraction(1), losses=(0, 1))
    honours = replace(INTENDED, reset=ResetRule.EXACT)
    words = "if a RST ends TIME-WAIT (RFC 1337), no TIME_WAIT is enough for isolation, even without loss"
    for time_wait in (random.randint(0, at.msl), random.randint(2 * at.msl, 50 * at.msl)):
        yield Instance(words, close(at.msl, time_wait, at.rto, 0, honours), "isolation", VIOLATED)
    words = "if it is ignored (F1), 2 MSL is enough again, as in C1"
    yield Instance(words, close(at.msl, 2 * at.msl, at.rto, at.loss), "isolation", PROVED)


def _c9(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 2), most=Fraction(2), losses=(1, 2))
    words = "never reaches the step that restarts the timer"
    yield Instance(words, close(at.msl, random.randint(0, 6 * at.msl), at.rto, at.loss, LITERAL), "fin-restarts", VIOLATED)
    words = "so C7 applies"
    yield Instance(words, core(at.msl, random.randint(0, 6 * at.msl), at.rto, at.loss, LITERAL), "graceful", VIOLATED)


def _c10(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1), most=Fraction(1), losses=(0,))
    both = replace(close(at.msl, 2 * at.msl, at.rto, 0, LITERAL), both_close=True)
    words = "two ends in TIME-WAIT and one duplicated bare ACK acknowledge each other for ever"
    yield Instance(words, both, "quiet", VIOLATED, slow=True)


def _c11(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 4), most=Fraction(1), losses=(0, 1))
    both = replace(close(at.msl, 2 * at.msl + random.randint(0, 30), at.rto, at.loss), both_close=True)
    words = "for RTO <= MSL and k <= 1, 2 MSL is enough"
    yield Instance(words, both, "graceful", PROVED, slow=True)
    yield Instance(words, both, "isolation", PROVED, slow=True)
    at = point(random, least=Fraction(51, 100), most=Fraction(1), losses=(1,))
    sends = replace(close(at.msl, 2 * at.msl, at.rto, 1), both_close=True, text=(0, 1))
    yield Instance("if they do, C17 applies", sends, "graceful", VIOLATED, slow=True)


def _c12(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 4), most=Fraction(2), losses=(0,))
    sends = replace(close(at.msl, 2 * at.msl, at.rto, 0), text=(0, 1))
    yield Instance("text that B sends while A is in FIN-WAIT-2 arrives", sends, "integrity", PROVED)
    orphan = replace(INTENDED, abandons=True, fin_wait_2=True)
    gives_up = replace(sends, behaviour=orphan, fin_wait_2=Fraction(random.randint(0, 5 * at.msl)))
    words = "with a FIN-WAIT-2 timeout shorter than B's sending it does not"
    yield Instance(words, gives_up, "integrity", VIOLATED)


def _c15(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 4), most=Fraction(2), losses=(0, 1))
    aborts = replace(close(at.msl, 2 * at.msl, at.rto, at.loss, replace(INTENDED, linger_zero=True)), text=(1, 0))
    yield Instance("integrity is violated", aborts, "integrity", VIOLATED)


def _c16(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 4), most=Fraction(1), losses=(1,))
    for words, answers, restarts, least in (
        ("isolation needs 3M if TIME-WAIT answers unacceptable segments without a restart", STEP_ONE, FIN, 3 * at.msl),
        (
            "min(4M, 3M + 2R) if it also answers bare ACKs without a restart",
            EVERYTHING,
            FIN,
            min(4 * at.msl, 3 * at.msl + 2 * at.rto),
        ),
        ("every other segment that is answered restarts it too", STEP_ONE, STEP_ONE, 2 * at.msl),
    ):
        behaviour = Behaviour(answers=answers, restarts=restarts)
        yield from about(random, words, close(at.msl, 0, at.rto, 1, behaviour), "isolation", least)
    words = "an old FIN needs M + min(2R, M)"
    behaviour = Behaviour(answers=random.choice((STEP_ONE, EVERYTHING)), restarts=FIN)
    least = at.msl + min(2 * at.rto, at.msl)
    yield from about(random, words, close(at.msl, 0, at.rto, 1, behaviour), "old-fin", least)
    words = "an old bare ACK 2M in the first"
    yield from about(random, words, close(at.msl, 0, at.rto, 1, Behaviour(answers=STEP_ONE, restarts=FIN)), "old-ack", 2 * at.msl)


def _c17(random: Random) -> Iterator[Instance]:
    at = point(random, least=Fraction(1, 4), most=Fraction(2), losses=(1, 2))
    octets = random.choice((1, 2))
    sends = replace(close(at.msl, 0, at.rto, at.loss), text=(0, octets))
    enough = replace(sends, time_wait=Fraction(2 * at.msl + at.loss * at.rto))
    yield Instance("2M + kR is enough for graceful", enough, "graceful", PROVED, slow=True)
    least = at.msl + min((at.loss + octets) * at.rto, at.msl + at.loss * at.rto)
    short = replace(sends, time_wait=Fraction(least) * Fraction(99, 100))
    words = "nothing less than M + min((k + n)R, M + kR) is enough for graceful"
    yield Instance(words, short, "graceful", VIOLATED, slow=octets > 1)
    runs_on = replace(sends, time_wait=Fraction(at.msl + at.rto), loss=1, behaviour=RTO_RUNS_ON, text=(0, 1))
    words = "M + R if k = 1 and acknowledgements do not restart the timer"
    yield Instance(words, runs_on, "graceful", PROVED, slow=True)
    lossless = replace(sends, time_wait=Fraction(at.msl), loss=0, text=(0, 1))
    yield Instance("M is enough for graceful if nothing is lost", lossless, "graceful", PROVED, slow=True)
    exact = replace(sends, loss=1, text=(0, 1), scope=Scope.CLOSE)
    words = "with one octet and one loss that is enough (R >= M/4)"
    least = at.msl + min(2 * at.rto, at.msl + at.rto)
    yield Instance(words, replace(exact, time_wait=Fraction(least)), "graceful", PROVED, slow=True)


INSTANCES: Mapping[str, Draw] = {
    "C1": _c1,
    "C2": _c2,
    "C3": _c3,
    "C4": _c4,
    "C5": _c5,
    "C6": _c6,
    "C7": _c7,
    "C8": _c8,
    "C9": _c9,
    "C10": _c10,
    "C11": _c11,
    "C12": _c12,
    "C13": instances_next.crash,
    "C14": instances_next.numbers_above,
    "C15": _c15,
    "C16": _c16,
    "C17": _c17,
    "C18": instances_next.timestamps,
    "C19": instances_next.clock_of_numbers,
    "C20": instances_next.syn_in_time_wait,
    "C21": instances_next.old_syn,
}
"""For each claim the function that draws its instances."""
