"""The claims about the close, one function each.

M stands for MSL, R for RTO, and k for the number of losses in a loss window. Durations of configurations are in seconds;
they do not matter to a proof *for all values*. Incarnations are separated by an atomic reopen, and the window of the new
one covers all old sequence numbers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from timewait.checker.question import Engine
from timewait.proofs.claim import CLAIMS, claim
from timewait.proofs.evidence import (
    BOTH,
    PROVED,
    VIOLATED,
    Evidence,
    agreed,
    all_at,
    as_formula,
    at,
    by_horn,
    for_all,
    for_all_by_schedule,
    for_any_text,
    for_every_duration,
    least,
)
from timewait.proofs.late_acknowledgements import late_schedule
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.settings import Arrival, Behaviour, ResetRule

__all__ = ["CLAIMS"]

FIN = frozenset({Arrival.FIN})
STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
EVERYTHING = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE, Arrival.ACK})

INTENDED = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
"""Every answer of TIME-WAIT restarts its timer, and a RST is ignored."""
LITERAL = Behaviour(answers=EVERYTHING, restarts=frozenset({Arrival.ACK}), reset=ResetRule.EXACT)
"""The literal reading of RFC 9293 3.10.7.4."""
RTO_RUNS_ON = replace(INTENDED, acks_restart_rto=False)
"""The retransmission timer runs from the last transmission; an acknowledgement does not restart it (see C17)."""


def core(msl: int, time_wait: Fraction | int, rto: int, loss: int | None, behaviour: Behaviour = INTENDED) -> Configuration:
    """The last exchange alone."""
    return Configuration(Fraction(msl), Fraction(time_wait), (Fraction(rto),), loss=loss, scope=Scope.CORE, behaviour=behaviour)


def close(msl: int, time_wait: Fraction | int, rto: int, loss: int | None, behaviour: Behaviour = INTENDED) -> Configuration:
    """The whole close, A first."""
    return replace(core(msl, time_wait, rto, loss, behaviour), scope=Scope.CLOSE)


def iterations_to_outlast(configuration: Configuration) -> int:
    """The number of gaps of RTO that are longer than TIME_WAIT."""
    return int(configuration.time_wait // configuration.rto[0]) + 1


POSITIVE = ("MSL > 0", "RTO > 0")
OUTLASTED = (*POSITIVE, "ROUNDS > TIME_WAIT", "ROUNDS <= TIME_WAIT + RTO")
NEVER_RESTARTED = """
    0: B call CLOSE
    0: A deliver B FIN+ACK seq=1 ack=2 (lost)
    repeat
    RTO: B timer retransmission
    0: A deliver B FIN+ACK seq=1 ack=2 (lost)
    end
    0: A timer time-wait
    0: A deliver B FIN+ACK seq=1 ack=2
    0: B deliver A RST seq=2
"""
"""The schedule of C7 and C9: each FIN is answered, each answer is lost, and the timer is not restarted."""


# --- the claims ----------------------------------------------------------------------------------------------------


@claim(
    "C1",
    "TIME_WAIT >= 2 MSL is enough for graceful and isolation, if RTO <= MSL, at most one copy is lost in a loss window, RST is"
    " ignored, a retransmitted FIN is answered and restarts the timer, and every other segment that is answered restarts it"
    " too; any duplication, any order; with up to one octet from each end, if acknowledgements do not restart the"
    " retransmission timer (if they do, C17 has the formula)",
    "RFC 9293 3.6.1 MUST-13",
    PROVED,
    seconds=15,
)
def two_msl_is_enough() -> Iterator[Evidence]:
    """The headline."""
    region = (*POSITIVE, "RTO <= MSL", "TIME_WAIT >= 2*MSL")
    only_fin = Behaviour(answers=FIN, restarts=FIN)
    yield for_all("core, k = 1", core(1, 2, 1, 1), region)
    yield by_horn("core, k = 1", core(1, 2, 1, 1), region)
    yield by_horn("close, A first, k = 0", close(1, 2, 1, 0), region)
    yield for_all("close, A first, k = 0", close(1, 2, 1, 0), region)
    yield for_all("close, A first, k = 1", close(1, 2, 1, 1), region)
    yield for_all("close, A first, k = 1, only a FIN is answered", close(1, 2, 1, 1, only_fin), region)
    for text in ((1, 0), (0, 1), (1, 1)):
        sends = replace(close(1, 2, 1, 1, RTO_RUNS_ON), text=text)
        yield for_all(f"close, A first, k = 1, text {text}, RTO not restarted", sends, region)
    for name in BOTH:
        yield agreed("close, A first, M = 2, R = 1, k = 1, TIME_WAIT = 4", close(2, 4, 1, 1), name, PROVED)


@claim(
    "C2",
    "for every TIME_WAIT < 2 MSL (MSL/2 <= RTO <= MSL, one loss) one schedule violates isolation",
    "RFC 9293 3.6.1 MUST-13",
    VIOLATED,
)
def less_is_not_enough() -> Iterator[Evidence]:
    """The counterexample of C1, its delays linear in MSL and TIME_WAIT."""
    schedule = """
        0: B call CLOSE
        0: A deliver B FIN+ACK seq=1 ack=2
        MSL/2: B timer retransmission (lost)
        MSL/2: B timer retransmission
        0: B deliver A ACK seq=2 ack=2
        TIME_WAIT/2: A timer time-wait
        0: users reopen the same addresses and ports
        0: A deliver B FIN+ACK seq=1 ack=2
    """
    region = ("MSL > 0", "MSL <= 2*RTO", "RTO <= MSL", "TIME_WAIT < 2*MSL")
    yield for_all_by_schedule("core, k = 1", core(30, Fraction(599, 10), 30, 1), "isolation", schedule, region)
    yield for_all_by_schedule("core, k = 1", core(30, 0, 15, 1), "isolation", schedule, region)
    for time_wait in (0, 1, 2, 3):
        yield agreed(f"core, M = R = 2, k = 1, TIME_WAIT = {time_wait}", core(2, time_wait, 2, 1), "isolation", VIOLATED)
    for name in BOTH:
        yield at("close, M = R = 30 s, k = 1, TIME_WAIT = 59.999 s", close(30, Fraction(59999, 1000), 30, 1), name, VIOLATED)


@claim(
    "C3",
    "the exact thresholds for R >= M/4 and k <= 3, without text. Close: graceful needs M for k = 0, else kR + M; isolation, and"
    " both together, max(2M, kR + M). Core: graceful the same; isolation M + max(kR, min((k+1)R, M))",
    "RFC 9293 3.6.1 MUST-13",
    PROVED,
    seconds=35,
)
def exact_thresholds() -> Iterator[Evidence]:
    """Both sides for all values: a parametric counterexample below, a certificate for the threshold and above."""
    for loss in range(4):
        lost = _sum(loss)
        yield from as_formula(f"core, k = {loss}", core(1, 0, 1, loss), ["graceful"], f"safe iff TIME_WAIT >= {lost}")
        yield from as_formula(f"close, k = {loss}", close(1, 0, 1, loss), ["graceful"], f"safe iff TIME_WAIT >= {lost}")
        for properties in (["isolation"], BOTH):
            yield from as_formula(f"core, k = {loss}", core(1, 0, 1, loss), properties, CORE_ISOLATION[loss])
            greatest = f"max(2*MSL, {lost})" if loss else "2*MSL"
            yield from as_formula(f"close, k = {loss}", close(1, 0, 1, loss), properties, f"safe iff TIME_WAIT >= {greatest}")


def _sum(loss: int) -> str:
    """The sum of MSL and a number of RTO."""
    return "MSL" if not loss else f"MSL + {loss}*RTO" if loss > 1 else "MSL + RTO"


CORE_ISOLATION = (
    "RTO <= MSL: safe iff TIME_WAIT >= MSL + RTO; MSL <= RTO: safe iff TIME_WAIT >= 2*MSL",
    "RTO <= 1/2*MSL: safe iff TIME_WAIT >= MSL + 2*RTO; 1/2*MSL <= RTO <= MSL: safe iff TIME_WAIT >= 2*MSL;"
    " MSL <= RTO: safe iff TIME_WAIT >= MSL + RTO",
    "RTO <= 1/3*MSL: safe iff TIME_WAIT >= MSL + 3*RTO; 1/3*MSL <= RTO <= 1/2*MSL: safe iff TIME_WAIT >= 2*MSL;"
    " 1/2*MSL <= RTO: safe iff TIME_WAIT >= MSL + 2*RTO",
    "safe iff TIME_WAIT >= max(2*MSL, MSL + 3*RTO)",
)
"""M + max(kR, min((k+1)R, M)) piece by piece, for k = 0 to 3; for k = 3 from R = M/4 on, where min((k+1)R, M) is M."""


OLD_FIN = "RTO <= 1/2*MSL: safe iff TIME_WAIT >= MSL + 2*RTO; 1/2*MSL <= RTO <= MSL: safe iff TIME_WAIT >= 2*MSL"
"""M + min(2R, M), for k = 1 and R up to M."""


@claim(
    "C4",
    "each reason for TIME-WAIT has its own threshold: the lost acknowledgement needs kR + M, which depends on RTO and loss;"
    " the old duplicate needs 2M, which depends on the lifetime alone, even without loss. By its harm (k = 0, R >= M/4): an old"
    " RST needs 2M, an old FIN or bare ACK M + min(R, M)",
    "RFC 1323 appendix B.2",
    PROVED,
)
def two_reasons() -> Iterator[Evidence]:
    """RTO and loss move the first threshold, MSL alone the second."""
    for rto in (1, 2, 4):
        yield least(f"close, M = 2, R = {rto}, k = 0", close(2, 0, rto, 0), ["isolation"], 4)
        yield least(f"close, M = 2, R = {rto}, k = 0", close(2, 0, rto, 0), ["graceful"], 2)
        yield least(f"close, M = 2, R = {rto}, k = 1", close(2, 0, rto, 1), ["graceful"], rto + 2)
    for msl in (1, 3):
        yield least(f"close, M = {msl}, R = 1, k = 0", close(msl, 0, 1, 0), ["isolation"], 2 * msl)
    for name, expected in (
        ("old-reset", "safe iff TIME_WAIT >= 2*MSL"),
        ("old-fin", CORE_ISOLATION[0]),
        ("old-ack", CORE_ISOLATION[0]),
    ):
        yield from as_formula("close, k = 0", close(1, 0, 1, 0), [name], expected)


@claim(
    "C5",
    "with two losses in a loss window and M/2 < R <= M, 2M is not enough for graceful, M + 2R is. For graceful, a back-off"
    " schedule needs M and its k longest consecutive gaps, not its first k: later loss windows start further on in the schedule"
    " (shown for gaps R, 2R and R, 2R, 4R, for R from M/2 to 2M)",
    "RFC 6298 5.5",
    PROVED,
    seconds=7,
)
def more_loss_and_backoff() -> Iterator[Evidence]:
    """Loss beyond one, and schedules."""
    yield agreed("close, M = R = 2, k = 2, TIME_WAIT = 4", close(2, 4, 2, 2), "graceful", VIOLATED)
    yield least("close, M = 30 s, R = 30 s, k = 2", close(30, 0, 30, 2), BOTH, 90)
    for gaps, loss, needed in (((1, 2), 1, 2), ((1, 2, 4), 1, 4), ((1, 2, 4), 2, 8)):
        yield from as_formula(
            f"close, gaps {gaps}, k = {loss}",
            scheduled(gaps, loss),
            ["graceful"],
            f"safe iff TIME_WAIT >= MSL + {needed}*RTO",
            (Fraction(1, 2), Fraction(2)),
        )
    exact = replace(scheduled((3, 1), 1), msl=Fraction(2), rto=(Fraction(3), Fraction(1)), rto_exact=True)
    yield least("close, M = 2, gaps exactly 3, 1, k = 1", exact, ["graceful"], 2 + 3)


def scheduled(gaps: Sequence[int], loss: int) -> Configuration:
    """The close with a schedule of gaps, in multiples of RTO."""
    behaviour = replace(INTENDED, backoff=len(gaps))
    return replace(close(1, 0, 1, loss), rto=tuple(map(Fraction, gaps)), behaviour=behaviour)


@claim("C6", "with any number of losses no finite TIME_WAIT is enough for graceful", "RFC 9293 3.6.1 MUST-13", VIOLATED)
def unlimited_loss() -> Iterator[Evidence]:
    """Every copy of the FIN is lost until TIME_WAIT is over."""
    schedule = """
        0: B call CLOSE
        0: A deliver B FIN+ACK seq=1 ack=2
        repeat
        RTO: B timer retransmission
        end
        0: A timer time-wait
        0: A deliver B FIN+ACK seq=1 ack=2
        0: B deliver A RST seq=2
    """
    unsafe = core(30, 600, 30, None)
    yield for_all_by_schedule("core, any loss", unsafe, "graceful", schedule, OUTLASTED, iterations_to_outlast(unsafe))
    for time_wait in (4, 40):
        yield at(f"close, M = R = 2, any loss, TIME_WAIT = {time_wait}", close(2, time_wait, 2, None), "graceful", VIOLATED)


@claim(
    "C7",
    "if a retransmitted FIN does not restart TIME-WAIT, no finite TIME_WAIT is enough for graceful once a packet may be lost in"
    " each loss window (k >= 1)",
    "RFC 9293 3.10.7.4 eighth step",
    VIOLATED,
)
def no_restart() -> Iterator[Evidence]:
    """Each FIN is answered, each answer is lost, and the timer is not restarted."""
    no_restarts = replace(INTENDED, restarts=frozenset())
    unsafe = core(30, 600, 30, 1, no_restarts)
    yield for_all_by_schedule("core, k = 1", unsafe, "graceful", NEVER_RESTARTED, OUTLASTED, iterations_to_outlast(unsafe))
    for time_wait in (4, 20):
        yield at(
            f"close, M = R = 2, k = 1, TIME_WAIT = {time_wait}", close(2, time_wait, 2, 1, no_restarts), "graceful", VIOLATED
        )
    yield at("close, M = R = 2, k = 1, TIME_WAIT = 4, restarted", close(2, 4, 2, 1), "graceful", PROVED)


@claim(
    "C8",
    "if a RST ends TIME-WAIT (RFC 1337), no TIME_WAIT is enough for isolation, even without loss, and without duplication once a"
    " delay exceeds RTO (shown at M = R); if it is ignored (F1), 2 MSL is enough again, as in C1",
    "RFC 9293 3.10.7.4 second step; RFC 1337",
    VIOLATED,
)
def assassination() -> Iterator[Evidence]:
    """A RST ends TIME-WAIT within MSL, whatever its length."""
    honours = replace(INTENDED, reset=ResetRule.EXACT)
    schedule = """
        0: A call CLOSE
        0: B deliver A FIN+ACK seq=1 ack=1
        0: B call CLOSE
        0: A deliver B FIN+ACK seq=1 ack=2
        0: B deliver A ACK seq=2 ack=2
        MSL: A deliver B FIN+ACK seq=1 ack=2
        0: B deliver A ACK seq=2 ack=2
        0: A deliver B RST seq=2
        0: users reopen the same addresses and ports
        0: A deliver B FIN+ACK seq=1 ack=2
    """
    yield for_all_by_schedule("close, k = 0", close(30, 600, 30, 0, honours), "isolation", schedule, POSITIVE)
    for time_wait in (4, 20):
        yield at(f"close, M = R = 2, k = 0, TIME_WAIT = {time_wait}", close(2, time_wait, 2, 0, honours), "isolation", VIOLATED)
    once = replace(close(1, 2, 1, 0, honours), duplication=0)
    for name in ("time-wait-kept", "isolation"):
        yield at("close, M = R = 1, k = 0, no duplication, TIME_WAIT = 2", once, name, VIOLATED)
    yield at("close, M = R = 1, k = 0, no duplication, RST ignored", replace(once, behaviour=INTENDED), "isolation", PROVED)
    yield at("close, M = R = 2, k = 1, TIME_WAIT = 4, RST ignored", close(2, 4, 2, 1), "isolation", PROVED)


@claim(
    "C9",
    "RFC 9293 (literal reading): a retransmitted FIN fails the acceptability test, is acknowledged and dropped, and never"
    " reaches the step that restarts the timer, so C7 applies",
    "RFC 9293 3.10.7.4 first and eighth step",
    VIOLATED,
)
def literal_reading() -> Iterator[Evidence]:
    """The schedule of C7, on the literal reading."""
    yield agreed("close, M = R = 1, k = 1, TIME_WAIT = 2, literal reading", close(1, 2, 1, 1, LITERAL), "fin-restarts", VIOLATED)
    unsafe = core(30, 600, 30, 1, LITERAL)
    yield for_all_by_schedule(
        "core, k = 1, literal reading", unsafe, "graceful", NEVER_RESTARTED, OUTLASTED, iterations_to_outlast(unsafe)
    )
    yield agreed("close, M = R = 1, k = 1, TIME_WAIT = 2, intended reading", close(1, 2, 1, 1), "fin-restarts", PROVED)


@claim(
    "C10",
    "RFC 9293 (literal reading): two ends in TIME-WAIT and one duplicated bare ACK acknowledge each other for ever",
    "RFC 9293 3.10.7.4 fifth step",
    VIOLATED,
    seconds=6,
)
def endless_acknowledgements() -> Iterator[Evidence]:
    """A lasso; it ends if a bare ACK is not answered."""
    both = replace(close(1, 2, 1, 0, LITERAL), both_close=True)
    for name in ("quiet", "closes"):
        yield agreed("close, either first, M = R = 1, k = 0, TIME_WAIT = 2, literal reading", both, name, VIOLATED)
        yield at("the same, a bare ACK unanswered", replace(both, behaviour=INTENDED), name, PROVED)
        yield for_every_duration("the same", replace(both, behaviour=INTENDED), name)
        yield at("the same, in ticks", replace(both, behaviour=INTENDED), name, PROVED, Engine.EXPLICIT)


@claim(
    "C11",
    "a simultaneous close needs the same TIME_WAIT, at both ends: for RTO <= MSL and k <= 1, 2 MSL is enough (at RTO = MSL,"
    " 1.999 MSL is not). With one octet from each end, 2 MSL is enough if acknowledgements do not restart the retransmission"
    " timer (shown for k = 0, and for k = 1 at RTO = MSL); if they do, C17 applies",
    "RFC 9293 3.6 figure 13",
    PROVED,
    seconds=17,
)
def simultaneous_close() -> Iterator[Evidence]:
    """Either end may close first, or both at once."""
    region = (*POSITIVE, "RTO <= MSL", "TIME_WAIT >= 2*MSL")
    for loss in (0, 1):
        both = replace(close(1, 2, 1, loss), both_close=True)
        yield for_all(f"close, either first, k = {loss}", both, region)
        short = replace(both, time_wait=Fraction(1999, 1000))
        yield at(f"close, either first, M = R = 1, k = {loss}, TIME_WAIT = 1.999", short, "isolation", VIOLATED)
    yield by_horn("close, either first, k = 0", replace(close(1, 2, 1, 0), both_close=True), region)
    sends = replace(close(1, 2, 1, 0, RTO_RUNS_ON), both_close=True, text=(1, 1))
    yield for_all("close, either first, k = 0, text (1, 1), RTO not restarted", sends, region)
    label = "close, either first, M = R = 1, k = 1, TIME_WAIT = 2, text (1, 1), RTO not restarted"
    yield from all_at(label, replace(sends, loss=1), BOTH, PROVED)
    restarted = replace(close(1, 2, 1, 1), both_close=True, text=(0, 1))
    yield at("close, either first, M = R = 1, k = 1, TIME_WAIT = 2, text (0, 1)", restarted, "graceful", VIOLATED)
    yield at("close, either first, in ticks", replace(close(1, 2, 1, 0), both_close=True), "isolation", PROVED, Engine.EXPLICIT)


@claim(
    "C12",
    "half-close: text that B sends while A is in FIN-WAIT-2 arrives; with a FIN-WAIT-2 timeout shorter than B's sending it"
    " does not",
    "RFC 9293 3.6",
    PROVED,
)
def half_close() -> Iterator[Evidence]:
    """Integrity with one octet from B, and an orphaned A that gives up."""
    sends = replace(close(1, 2, 1, 0), text=(0, 1))
    yield agreed("close, M = R = 1, k = 0, TIME_WAIT = 2, B sends one octet", sends, "integrity", PROVED)
    orphan = replace(INTENDED, abandons=True, fin_wait_2=True)
    gives_up = replace(sends, behaviour=orphan, fin_wait_2=Fraction(3))
    yield agreed("the same, A orphaned with a FIN-WAIT-2 timeout of 3", gives_up, "integrity", VIOLATED)
    refuses = replace(sends, behaviour=replace(INTENDED, abandons=True, late_data_reset=True))
    yield agreed("the same, A orphaned and answering late text with a RST", refuses, "integrity", VIOLATED)


@claim("C15", "with SO_LINGER {1,0} there is no TIME-WAIT, and integrity is violated", "RFC 9293 3.10.5", VIOLATED)
def linger_zero() -> Iterator[Evidence]:
    """Text that was sent and not yet acknowledged is lost."""
    sends = replace(close(1, 2, 1, 0), text=(1, 0))
    aborts = replace(sends, behaviour=replace(INTENDED, linger_zero=True))
    yield agreed("close, M = R = 1, k = 0, A sends one octet", sends, "integrity", PROVED)
    yield agreed("the same, CLOSE aborts", aborts, "integrity", VIOLATED)


@claim(
    "C16",
    "the answer rule (k = 1, M/4 <= R <= M): isolation needs 3M if TIME-WAIT answers unacceptable segments without a restart,"
    " min(4M, 3M + 2R) if it also answers bare ACKs without a restart, and 2M if a retransmitted FIN is answered and restarts"
    " the timer, and every other segment that is answered restarts it too. An old RST needs all of that; in the first two cases"
    " an old FIN needs M + min(2R, M), and an old bare ACK 2M in the first and min(3M, 2M + 2R) in the second",
    "RFC 9293 3.10.7.4 first and fifth step",
    PROVED,
    seconds=14,
)
def answer_rule() -> Iterator[Evidence]:
    """An answer can provoke an answer."""
    unacceptable = Behaviour(answers=STEP_ONE, restarts=FIN)
    bare = Behaviour(answers=EVERYTHING, restarts=FIN)
    all_restart = Behaviour(answers=EVERYTHING, restarts=EVERYTHING)
    only_fin = Behaviour(answers=FIN, restarts=FIN)
    up_to_msl = (Fraction(1, 4), Fraction(1))
    for label, behaviour, expected in (
        ("unacceptable answered without restart", unacceptable, "safe iff TIME_WAIT >= 3*MSL"),
        ("every answer restarts", INTENDED, "safe iff TIME_WAIT >= 2*MSL"),
        ("bare ACKs answered, all restart", all_restart, "safe iff TIME_WAIT >= 2*MSL"),
        ("only a FIN is answered", only_fin, "safe iff TIME_WAIT >= 2*MSL"),
        (
            "bare ACKs answered without restart too",
            bare,
            "RTO <= 1/2*MSL: safe iff TIME_WAIT >= 3*MSL + 2*RTO; 1/2*MSL <= RTO <= MSL: safe iff TIME_WAIT >= 4*MSL",
        ),
    ):
        configuration = close(1, 0, 1, 1, behaviour)
        yield from as_formula(f"close, k = 1, {label}", configuration, ["isolation"], expected, up_to_msl)
    for name, expected in (
        ("old-reset", "safe iff TIME_WAIT >= 3*MSL"),
        ("old-fin", OLD_FIN),
        ("old-ack", "safe iff TIME_WAIT >= 2*MSL"),
    ):
        label = "close, k = 1, unacceptable answered without restart"
        yield from as_formula(label, close(1, 0, 1, 1, unacceptable), [name], expected, up_to_msl)
    old_ack = "RTO <= 1/2*MSL: safe iff TIME_WAIT >= 2*MSL + 2*RTO; 1/2*MSL <= RTO <= MSL: safe iff TIME_WAIT >= 3*MSL"
    for name, expected in (("old-fin", OLD_FIN), ("old-ack", old_ack)):
        label = "close, k = 1, bare ACKs answered without restart too"
        yield from as_formula(label, close(1, 0, 1, 1, bare), [name], expected, up_to_msl)
    yield least(
        "close, M = 2, R = 2, k = 1, unacceptable answered without restart", close(2, 0, 2, 1, unacceptable), ["graceful"], 4
    )
    yield agreed(
        "close, M = 2, R = 1, k = 0, unacceptable without restart, TIME_WAIT = 5",
        close(2, 5, 1, 0, unacceptable),
        "isolation",
        VIOLATED,
    )
    yield agreed(
        "close, M = 2, R = 1, k = 0, unacceptable without restart, TIME_WAIT = 6",
        close(2, 6, 1, 0, unacceptable),
        "isolation",
        PROVED,
    )


@claim(
    "C17",
    "text from the end that closes second: a late acknowledgement of the text restarts B's retransmission timer (RFC 6298"
    " 5.3) and delays the FIN. For any M, R and amount of text, with k losses (k = 1, 2), 2M + kR is enough for graceful, and for"
    " isolation if k = 1; M is enough for graceful if nothing is lost, and M + R if k = 1 and acknowledgements do not restart the"
    " timer. With n octets (n <= 4, k = 1, 2, any M and R) nothing less than M + min((k + n)R, M + kR) is enough for graceful;"
    " with one octet and one loss that is enough (R >= M/4)",
    "RFC 6298 5.3",
    PROVED,
    seconds=30,
)
def late_acknowledgement() -> Iterator[Evidence]:
    """The only gap between two transmissions of a FIN that is longer than RTO."""
    yield from for_any_text("close, k = 0", close(1, 0, 1, 0), ["graceful"], "MSL")
    yield from for_any_text("close, k = 1", close(1, 0, 1, 1), BOTH, "2*MSL + RTO")
    yield from for_any_text("close, k = 2", close(1, 0, 1, 2), ["graceful"], "2*MSL + 2*RTO")
    yield from for_any_text("close, k = 1, RTO not restarted", close(1, 0, 1, 1, RTO_RUNS_ON), ["graceful"], "MSL + RTO")
    exact = "safe iff TIME_WAIT >= MSL + 2*RTO"
    up_to_msl = (Fraction(1, 4), Fraction(1))
    one_octet = replace(close(1, 0, 1, 1), text=(0, 1))
    yield from as_formula("close, k = 1, B sends one octet", one_octet, ["graceful"], exact, up_to_msl)
    for loss in (1, 2):
        for octets in range(1, 5):
            yield from delayed_fin(loss, octets)
    longer = replace(one_octet, time_wait=Fraction(3))
    yield from all_at("close, M = R = 1, k = 1, TIME_WAIT = 3, B sends one octet", longer, BOTH, PROVED)
    shorter = replace(one_octet, time_wait=Fraction(2))
    yield agreed("the same, TIME_WAIT = 2", shorter, "graceful", VIOLATED)
    yield from all_at("the same, TIME_WAIT = 2, RTO not restarted", replace(shorter, behaviour=RTO_RUNS_ON), BOTH, PROVED)


def delayed_fin(loss: int, octets: int) -> Iterator[Evidence]:
    """For every TIME_WAIT below the threshold of C17 a run, for some octets of B: they are acknowledged one at a time.

    If the octets are few, each acknowledgement arrives one RTO after the one before; otherwise the last one arrives at the age
    of MSL. Then the FIN is retransmitted, and the copy that arrives last is MSL old.
    """
    rounds = ("ROUNDS <= MSL", "ROUNDS > MSL - RTO")
    label = f"close, k = {loss}, B sends {octets} octets"
    few = (*POSITIVE, f"{octets}*RTO <= MSL", f"TIME_WAIT < MSL + {octets + loss}*RTO", *rounds)
    many = (*POSITIVE, f"{octets}*RTO >= MSL", f"TIME_WAIT < 2*MSL + {loss}*RTO", *rounds)
    long = replace(close(octets, octets, 1, loss), text=(0, octets))
    short = replace(close(1, 1, 1, loss), text=(0, octets))
    yield for_all_by_schedule(label, long, "graceful", late_schedule(loss, octets, "RTO"), few, iterations=octets)
    yield for_all_by_schedule(label, short, "graceful", late_schedule(loss, octets, f"MSL/{octets}"), many, iterations=1)


import timewait.proofs.crash  # noqa: E402  # it imports `next_incarnation`; their claims come after those above
import timewait.proofs.old_syn  # noqa: E402, F401
