"""The claims about the close, one function each.

M stands for MSL, R for RTO, k for the loss budget of one round. Durations in the questions are in seconds;
where a proof is *for all values*, those of the configuration do not matter. Incarnations are separated by
an atomic reopen, and the new one's window covers all old numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.decide import STRUCTURAL, Answer, Engine, decide
from timewait.checker.family import failed_conditions, instance, parse_schedule
from timewait.checker.finding import Budget
from timewait.checker.linear import constraint
from timewait.checker.replay import Rejected, replay
from timewait.checker.synthesis import InconclusiveSynthesis
from timewait.checker.threshold import InconclusiveAnswer, minimum_safe
from timewait.checker.time_unit import unit_of
from timewait.checker.verdict import Verdict, worst
from timewait.proofs.certify import (
    HORN,
    ZONES,
    CertifiedProof,
    certify_liveness,
    prove_for_all,
    prove_for_all_by_horn,
    terms_of,
)
from timewait.proofs.claim import CLAIMS, Evidence, claim
from timewait.proofs.question import question
from timewait.proofs.thresholds import RANGE, formula, formula_in_words, interval_in_words
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.duration import format_duration
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.settings import Arrival, Behaviour, ResetRule

__all__ = ["CLAIMS"]

PROVED, VIOLATED = Verdict.PROVED, Verdict.VIOLATED
BOTH = ("graceful", "isolation")
FIN = frozenset({Arrival.FIN})
STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
EVERYTHING = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE, Arrival.ACK})

INTENDED = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
"""Whatever TIME-WAIT answers restarts its timer; a RST is ignored."""
LETTER = Behaviour(answers=EVERYTHING, restarts=frozenset({Arrival.ACK}), reset=ResetRule.EXACT)
"""RFC 9293 3.10.7.4 read to the letter."""
RUNS_ON = replace(INTENDED, acks_restart_rto=False)
"""The retransmission timer runs from the last transmission on, whatever is acknowledged meanwhile (see C17)."""

SOLVER_SECONDS = 240.0


def core(msl: int, time_wait: Fraction | int, rto: int, loss: int | None, behaviour: Behaviour = INTENDED) -> Configuration:
    """The last exchange alone."""
    return Configuration(Fraction(msl), Fraction(time_wait), (Fraction(rto),), loss=loss, scope=Scope.CORE, behaviour=behaviour)


def close(msl: int, time_wait: Fraction | int, rto: int, loss: int | None, behaviour: Behaviour = INTENDED) -> Configuration:
    """The whole close, A first."""
    return replace(core(msl, time_wait, rto, loss, behaviour), scope=Scope.CLOSE)


# --- kinds of evidence ---------------------------------------------------------------------------------------------


def for_all(label: str, configuration: Configuration, region: Sequence[str], properties: Sequence[str] = BOTH) -> Evidence:
    """A proof for all values in a region, with its certificate."""
    return _for_all(label, region, ZONES, prove_for_all(configuration, properties, region))


def by_horn(label: str, configuration: Configuration, region: Sequence[str], properties: Sequence[str] = BOTH) -> Evidence:
    """The same by Spacer, which knows nothing of zones."""
    return _for_all(label, region, HORN, prove_for_all_by_horn(configuration, properties, region, SOLVER_SECONDS))


def _for_all(label: str, region: Sequence[str], engine: str, done: CertifiedProof) -> Evidence:
    detail = done.reason or f"{done.cases} cases over {done.locations} locations"
    return Evidence(f"{label}, for all {' and '.join(region)}", done.verdict, PROVED, engine, detail, None, done.text)


def for_every_duration(label: str, configuration: Configuration, name: str) -> Evidence:
    """A promise that is kept whatever the durations are, with its certificate."""
    done = certify_liveness(configuration, name, Budget())
    detail = done.reason or f"{done.cases} reasons over {done.locations} locations"
    return Evidence(f"{label}, for every duration: {name}", done.verdict, PROVED, STRUCTURAL, detail, None, done.text)


def at(label: str, configuration: Configuration, name: str, expected: Verdict, engine: Engine = Engine.AUTO) -> Evidence:
    """One property of one configuration, by one engine."""
    (evidence,) = all_at(label, configuration, [name], expected, engine)
    return evidence


def all_at(
    label: str, configuration: Configuration, names: Sequence[str], expected: Verdict, engine: Engine = Engine.AUTO
) -> Iterator[Evidence]:
    """Some properties of one configuration, from one exploration."""
    answers = decide(question(configuration), [PROPERTIES[name] for name in names], engine, Budget())
    for name, answer in zip(names, answers, strict=True):
        yield _evidence(f"{label}: {name}", answer, expected)


def agreed(label: str, configuration: Configuration, name: str, expected: Verdict) -> Evidence:
    """One property by ticks and in dense time: they must agree."""
    first, second = (
        decide(question(configuration), [PROPERTIES[name]], engine, Budget())[0] for engine in (Engine.EXPLICIT, Engine.ZONES)
    )
    if first.verdict is not second.verdict:
        detail = f"ticks say {first.verdict}, zones say {second.verdict}"
        return Evidence(f"{label}: {name}", Verdict.DISAGREEMENT, expected, "explicit and zones", detail)
    dense = "zones" if PROPERTIES[name].kind == "always" else "loops in dense time"
    return replace(_evidence(f"{label}: {name}", second, expected), engine=f"explicit and {dense}")


def _evidence(label: str, answer: Answer, expected: Verdict) -> Evidence:
    steps = f"{len(answer.trace.steps)} steps" if answer.trace is not None else ""
    finding = answer.finding
    return Evidence(label, finding.verdict, expected, finding.engine, finding.reason or steps, answer.trace)


def least(label: str, configuration: Configuration, properties: Sequence[str], expected: Fraction | int) -> Evidence:
    """The least safe TIME_WAIT by zones, as a claim says it is."""
    unit = unit_of({name: value for name, value in configuration.parameters.items() if name != "TIME_WAIT"})

    def ask(value: Fraction) -> list[Answer]:
        asked = replace(configuration, time_wait=value)
        return decide(question(asked), [PROPERTIES[name] for name in properties], Engine.ZONES, Budget())

    told = f"{label}: least TIME_WAIT for {' and '.join(properties)}"
    limit = 2 * (configuration.msl + max(configuration.rto)) * (2 + (configuration.loss or 0))
    try:
        found = minimum_safe(ask, unit, limit // unit * unit, whole=False)
    except InconclusiveAnswer as undecided:
        return Evidence(told, worst(answer.verdict for answer in undecided.answers), PROVED, "zones, dense time", str(undecided))
    trace = next((answer.trace for answer in found.answers_below if answer.trace is not None), None)
    if found.minimum is None:
        return Evidence(told, VIOLATED, PROVED, "zones, dense time", f"none up to {format_duration(found.largest_tried)}", trace)
    shown = f"{format_duration(found.minimum)}, claimed {format_duration(Fraction(expected))}"
    verdict = PROVED if found.minimum == expected else VIOLATED
    return Evidence(told, verdict, PROVED, "zones, dense time", shown, trace)


def family(
    label: str,
    configuration: Configuration,
    name: str,
    told: str,
    region: Sequence[str],
    rounds: Callable[[Configuration], int] | None = None,
) -> Evidence:
    """One schedule in terms, legal and violating for all values in a region; an instance of it is replayed."""
    table = CompiledAutomaton(Composition(configuration))
    schedule = parse_schedule(told)
    fault = failed_conditions(
        table, schedule, name, [constraint(part) for part in region], terms_of(configuration, symbolic=True)
    )
    run = instance(table, schedule, configuration.parameters, rounds(configuration) if rounds else 0)
    told_label = f"{label}: {name}, for all {' and '.join(region)}"
    try:
        trace = replay(initial_state(configuration), run, PROPERTIES[name])
    except Rejected as rejected:
        fault = fault or f"the instance is no run: {rejected}"
        trace = None
    verdict = Verdict.DISAGREEMENT if fault else VIOLATED
    return Evidence(told_label, verdict, VIOLATED, "family, all values", fault or f"schedule {schedule}", trace)


def as_formula(
    label: str,
    configuration: Configuration,
    properties: Sequence[str],
    expected: str,
    ratios: tuple[Fraction, Fraction] = RANGE,
) -> Iterator[Evidence]:
    """The least safe TIME_WAIT as a formula, as a claim says it is; and each of its pieces, proved from both sides."""
    told = f"{label}: least TIME_WAIT for {' and '.join(properties)}"
    try:
        pieces = list(formula(configuration, properties, ratios, Budget()))
    except InconclusiveSynthesis as unsettled:
        yield Evidence(told, Verdict.INCONCLUSIVE, PROVED, ZONES, str(unsettled))
        return
    found = formula_in_words(pieces)
    yield Evidence(told, PROVED if found == expected else VIOLATED, PROVED, ZONES, f"{found}, claimed {expected}")
    for piece in pieces:
        where = interval_in_words(piece.ratios)
        if piece.counterexample is not None:
            detail = piece.counterexample.rejection or f"schedule {piece.counterexample.schedule}"
            verdict = Verdict.DISAGREEMENT if piece.counterexample.rejection else VIOLATED
            yield Evidence(
                f"{told}, {where}, below it", verdict, VIOLATED, "family, all values", detail, piece.counterexample.trace
            )
        if piece.proof is not None:
            yield _for_all(f"{told}, {where}", [part.text for part in piece.region], ZONES, piece.proof)


def rounds_to_outlast(configuration: Configuration) -> int:
    """How many gaps of RTO are longer than TIME_WAIT."""
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
"""The schedule of C7 and C9: each FIN is answered, each answer lost, and the timer runs on."""


# --- the claims ----------------------------------------------------------------------------------------------------


@claim(
    "C1",
    "TIME_WAIT >= 2 MSL, RTO <= MSL, one loss a round, any duplication and order, RST ignored, every answer restarts"
    " the timer (or none is given to anything but a FIN): graceful and isolation",
    "RFC 9293 3.6.1 MUST-13",
    PROVED,
)
def two_msl_is_enough() -> Iterator[Evidence]:
    """The headline."""
    region = (*POSITIVE, "RTO <= MSL", "TIME_WAIT >= 2*MSL")
    silent = Behaviour(answers=FIN, restarts=FIN)
    yield for_all("core, k = 1", core(1, 2, 1, 1), region)
    yield by_horn("core, k = 1", core(1, 2, 1, 1), region)
    yield by_horn("close, A first, k = 0", close(1, 2, 1, 0), region)
    yield for_all("close, A first, k = 0", close(1, 2, 1, 0), region)
    yield for_all("close, A first, k = 1", close(1, 2, 1, 1), region)
    yield for_all("close, A first, k = 1, only a FIN is answered", close(1, 2, 1, 1, silent), region)
    for text in ((1, 0), (0, 1), (1, 1)):
        sends = replace(close(1, 2, 1, 1, RUNS_ON), text=text)
        yield for_all(f"close, A first, k = 1, text {text}, RTO from the last transmission on", sends, region)
    for name in BOTH:
        yield agreed("close, A first, M = 2, R = 1, k = 1, TIME_WAIT = 4", close(2, 4, 1, 1), name, PROVED)


@claim(
    "C2",
    "for every TIME_WAIT < 2 MSL (MSL/2 <= RTO <= MSL, one loss) one schedule breaks isolation",
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
    yield family("core, k = 1", core(30, Fraction(599, 10), 30, 1), "isolation", schedule, region)
    yield family("core, k = 1", core(30, 0, 15, 1), "isolation", schedule, region)
    for time_wait in (0, 1, 2, 3):
        yield agreed(f"core, M = R = 2, k = 1, TIME_WAIT = {time_wait}", core(2, time_wait, 2, 1), "isolation", VIOLATED)
    for name in BOTH:
        yield at("close, M = R = 30 s, k = 1, TIME_WAIT = 59.999 s", close(30, Fraction(59999, 1000), 30, 1), name, VIOLATED)


@claim(
    "C3",
    "exact thresholds. Close: graceful M at k = 0, else kR + M; isolation and both max(2M, kR + M)."
    " Core: graceful likewise; isolation M + max(kR, min((k+1)R, M))",
    "RFC 9293 3.6.1 MUST-13",
    PROVED,
)
def exact_thresholds() -> Iterator[Evidence]:
    """Both sides for all values: a run in terms below, a certificate from it on."""
    for loss in range(4):
        lost = _sum(loss)
        yield from as_formula(f"core, k = {loss}", core(1, 0, 1, loss), ["graceful"], f"safe iff TIME_WAIT >= {lost}")
        yield from as_formula(f"close, k = {loss}", close(1, 0, 1, loss), ["graceful"], f"safe iff TIME_WAIT >= {lost}")
        for properties in (["isolation"], BOTH):
            yield from as_formula(f"core, k = {loss}", core(1, 0, 1, loss), properties, CORE_ISOLATION[loss])
            greatest = f"max(2*MSL, {lost})" if loss else "2*MSL"
            yield from as_formula(f"close, k = {loss}", close(1, 0, 1, loss), properties, f"safe iff TIME_WAIT >= {greatest}")


def _sum(loss: int) -> str:
    """MSL and so many RTO."""
    return "MSL" if not loss else f"MSL + {loss}*RTO" if loss > 1 else "MSL + RTO"


CORE_ISOLATION = (
    "RTO <= MSL: safe iff TIME_WAIT >= MSL + RTO; MSL <= RTO: safe iff TIME_WAIT >= 2*MSL",
    "RTO <= 1/2*MSL: safe iff TIME_WAIT >= MSL + 2*RTO; 1/2*MSL <= RTO <= MSL: safe iff TIME_WAIT >= 2*MSL;"
    " MSL <= RTO: safe iff TIME_WAIT >= MSL + RTO",
    "RTO <= 1/3*MSL: safe iff TIME_WAIT >= MSL + 3*RTO; 1/3*MSL <= RTO <= 1/2*MSL: safe iff TIME_WAIT >= 2*MSL;"
    " 1/2*MSL <= RTO: safe iff TIME_WAIT >= MSL + 2*RTO",
    "safe iff TIME_WAIT >= max(2*MSL, MSL + 3*RTO)",
)
"""M + max(kR, min((k+1)R, M)) piece by piece, for k = 0 to 3; the last from R = M/4 on, where the middle term is the least."""


@claim(
    "C4",
    "which reason needs what: the lost acknowledgement kR + M, a matter of RTO and loss; the old duplicate 2M,"
    " a matter of lifetime alone, even when nothing is lost",
    "RFC 1323 appendix B.2",
    PROVED,
)
def two_reasons() -> Iterator[Evidence]:
    """RTO and loss move the one threshold, MSL alone the other."""
    for rto in (1, 2, 4):
        yield least(f"close, M = 2, R = {rto}, k = 0", close(2, 0, rto, 0), ["isolation"], 4)
        yield least(f"close, M = 2, R = {rto}, k = 0", close(2, 0, rto, 0), ["graceful"], 2)
        yield least(f"close, M = 2, R = {rto}, k = 1", close(2, 0, rto, 1), ["graceful"], rto + 2)
    for msl in (1, 3):
        yield least(f"close, M = {msl}, R = 1, k = 0", close(msl, 0, 1, 0), ["isolation"], 2 * msl)


@claim(
    "C5",
    "two losses a round, RTO <= MSL: 2M is not enough, M + 2R is. A back-off schedule needs M and its k longest"
    " consecutive gaps, not its first k: later rounds start further on in the schedule",
    "RFC 6298 5.5",
    PROVED,
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


@claim("C6", "any number of losses: no finite TIME_WAIT is enough for graceful", "RFC 9293 3.6.1 MUST-13", VIOLATED)
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
    yield family("core, any loss", core(30, 600, 30, None), "graceful", schedule, OUTLASTED, rounds_to_outlast)
    for time_wait in (4, 40):
        yield at(f"close, M = R = 2, any loss, TIME_WAIT = {time_wait}", close(2, time_wait, 2, None), "graceful", VIOLATED)


@claim(
    "C7",
    "a TIME_WAIT that a retransmitted FIN does not restart: no finite one is enough, with one loss a round",
    "RFC 9293 3.10.7.4 eighth step",
    VIOLATED,
)
def no_restart() -> Iterator[Evidence]:
    """Each FIN is answered, each answer lost, and the timer runs on."""
    deaf = replace(INTENDED, restarts=frozenset())
    yield family("core, k = 1", core(30, 600, 30, 1, deaf), "graceful", NEVER_RESTARTED, OUTLASTED, rounds_to_outlast)
    for time_wait in (4, 20):
        yield at(f"close, M = R = 2, k = 1, TIME_WAIT = {time_wait}", close(2, time_wait, 2, 1, deaf), "graceful", VIOLATED)
    yield at("close, M = R = 2, k = 1, TIME_WAIT = 4, restarted", close(2, 4, 2, 1), "graceful", PROVED)


@claim(
    "C8",
    "a RST honoured in TIME_WAIT (RFC 1337): no TIME_WAIT is enough, even with no loss, and with no duplication once"
    " a delay exceeds RTO; ignoring it (F1) makes 2 MSL enough again",
    "RFC 9293 3.10.7.4 second step; RFC 1337",
    VIOLATED,
)
def assassination() -> Iterator[Evidence]:
    """TIME-WAIT is killed within MSL, whatever its length."""
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
    yield family("close, k = 0", close(30, 600, 30, 0, honours), "isolation", schedule, POSITIVE)
    for time_wait in (4, 20):
        yield at(f"close, M = R = 2, k = 0, TIME_WAIT = {time_wait}", close(2, time_wait, 2, 0, honours), "isolation", VIOLATED)
    once = replace(close(1, 2, 1, 0, honours), duplication=0)
    for name in ("time-wait-kept", "isolation"):
        yield at("close, M = R = 1, k = 0, no duplication, TIME_WAIT = 2", once, name, VIOLATED)
    yield at("close, M = R = 1, k = 0, no duplication, RST ignored", replace(once, behaviour=INTENDED), "isolation", PROVED)
    yield at("close, M = R = 2, k = 1, TIME_WAIT = 4, RST ignored", close(2, 4, 2, 1), "isolation", PROVED)


@claim(
    "C9",
    "RFC 9293 to the letter: a retransmitted FIN fails the acceptability test, is acknowledged and dropped, and never"
    " reaches the step that restarts the timer; so C7 applies to the letter of the standard",
    "RFC 9293 3.10.7.4 first and eighth step",
    VIOLATED,
)
def letter_of_the_standard() -> Iterator[Evidence]:
    """C7's schedule, on the letter."""
    yield agreed("close, M = R = 1, k = 1, TIME_WAIT = 2, letter", close(1, 2, 1, 1, LETTER), "fin-restarts", VIOLATED)
    yield family("core, k = 1, letter", core(30, 600, 30, 1, LETTER), "graceful", NEVER_RESTARTED, OUTLASTED, rounds_to_outlast)
    yield agreed("close, M = R = 1, k = 1, TIME_WAIT = 2, intended", close(1, 2, 1, 1), "fin-restarts", PROVED)


@claim(
    "C10",
    "RFC 9293 to the letter: two ends in TIME_WAIT and one duplicated bare ACK acknowledge each other for ever",
    "RFC 9293 3.10.7.4 fifth step",
    VIOLATED,
)
def endless_acknowledgements() -> Iterator[Evidence]:
    """A lasso; silence to a bare ACK ends it."""
    both = replace(close(1, 2, 1, 0, LETTER), both_close=True)
    for name in ("quiet", "closes"):
        yield agreed("close, either first, M = R = 1, k = 0, TIME_WAIT = 2, letter", both, name, VIOLATED)
        yield at("the same, a bare ACK unanswered", replace(both, behaviour=INTENDED), name, PROVED)
        yield for_every_duration("the same", replace(both, behaviour=INTENDED), name)
        yield at("the same, in ticks", replace(both, behaviour=INTENDED), name, PROVED, Engine.EXPLICIT)


@claim("C11", "simultaneous close: the same thresholds, at both ends", "RFC 9293 3.6 figure 13", PROVED)
def simultaneous_close() -> Iterator[Evidence]:
    """Either end may close first, or both at once."""
    region = (*POSITIVE, "RTO <= MSL", "TIME_WAIT >= 2*MSL")
    for loss in (0, 1):
        both = replace(close(1, 2, 1, loss), both_close=True)
        yield for_all(f"close, either first, k = {loss}", both, region)
        short = replace(both, time_wait=Fraction(1999, 1000))
        yield at(f"close, either first, M = R = 1, k = {loss}, TIME_WAIT = 1.999", short, "isolation", VIOLATED)
    yield by_horn("close, either first, k = 0", replace(close(1, 2, 1, 0), both_close=True), region)
    sends = replace(close(1, 2, 1, 0, RUNS_ON), both_close=True, text=(1, 1))
    yield for_all("close, either first, k = 0, text (1, 1), RTO from the last transmission on", sends, region)
    label = "close, either first, M = R = 1, k = 1, TIME_WAIT = 2, text (1, 1), RTO from the last transmission on"
    yield from all_at(label, replace(sends, loss=1), BOTH, PROVED)
    yield at("close, either first, in ticks", replace(close(1, 2, 1, 0), both_close=True), "isolation", PROVED, Engine.EXPLICIT)


@claim(
    "C12",
    "half-close: text that B sends while A is in FIN_WAIT_2 arrives; with a FIN_WAIT_2 timeout shorter than B's"
    " sending it does not",
    "RFC 9293 3.6",
    PROVED,
)
def half_close() -> Iterator[Evidence]:
    """Integrity with one octet from B, and an orphan that gives up."""
    sends = replace(close(1, 2, 1, 0), text=(0, 1))
    yield agreed("close, M = R = 1, k = 0, TIME_WAIT = 2, B sends one octet", sends, "integrity", PROVED)
    orphan = replace(INTENDED, abandons=True, fin_wait_2=True)
    gives_up = replace(sends, behaviour=orphan, fin_wait_2=Fraction(3))
    yield agreed("the same, A orphaned with a FIN_WAIT_2 timeout of 3", gives_up, "integrity", VIOLATED)
    refuses = replace(sends, behaviour=replace(INTENDED, abandons=True, late_data_reset=True))
    yield agreed("the same, A orphaned and answering late text with a RST", refuses, "integrity", VIOLATED)


@claim("C15", "SO_LINGER {1,0}: no TIME_WAIT, and integrity is lost", "RFC 9293 3.10.5", VIOLATED)
def linger_zero() -> Iterator[Evidence]:
    """What was sent and not yet acknowledged is gone."""
    sends = replace(close(1, 2, 1, 0), text=(1, 0))
    aborts = replace(sends, behaviour=replace(INTENDED, linger_zero=True))
    yield agreed("close, M = R = 1, k = 0, A sends one octet", sends, "integrity", PROVED)
    yield agreed("the same, CLOSE aborts", aborts, "integrity", VIOLATED)


@claim(
    "C16",
    "the answer rule: a TIME_WAIT that answers unacceptable segments without restarting needs 3M for isolation, one"
    " that answers bare ACKs without restarting too needs 4M; whatever is answered restarts, or silence: 2M",
    "RFC 9293 3.10.7.4 first and fifth step",
    PROVED,
)
def answer_rule() -> Iterator[Evidence]:
    """Answers beget answers."""
    unacceptable = Behaviour(answers=STEP_ONE, restarts=FIN)
    bare = Behaviour(answers=EVERYTHING, restarts=FIN)
    all_restart = Behaviour(answers=EVERYTHING, restarts=EVERYTHING)
    only_fin = Behaviour(answers=FIN, restarts=FIN)
    up_to_msl = (Fraction(1, 4), Fraction(1))
    for label, behaviour, expected in (
        ("unacceptable answered without restart", unacceptable, "safe iff TIME_WAIT >= 3*MSL"),
        ("whatever is answered restarts", INTENDED, "safe iff TIME_WAIT >= 2*MSL"),
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
    "text from the end that closes second: an acknowledgement of the text that comes late restarts B's timer (RFC 6298"
    " 5.3) and puts off the FIN; at RTO = MSL 2 MSL is then not enough, 3 MSL is. With RTO < MSL, or a timer that"
    " runs on, it is",
    "RFC 6298 5.3",
    VIOLATED,
)
def late_acknowledgement() -> Iterator[Evidence]:
    """The one gap between two transmissions of the FIN that is longer than RTO."""
    sends = replace(close(1, 2, 1, 1), text=(0, 1))
    yield from all_at("close, M = R = 1, k = 1, TIME_WAIT = 2, B sends one octet", sends, BOTH, VIOLATED)
    yield from all_at("the same, TIME_WAIT = 3", replace(sends, time_wait=Fraction(3)), BOTH, PROVED)
    yield from all_at("the same, TIME_WAIT = 2, R = 1/2", replace(sends, rto=(Fraction(1, 2),)), BOTH, PROVED)
    yield from all_at("the same, TIME_WAIT = 2, R = 1, the timer runs on", replace(sends, behaviour=RUNS_ON), BOTH, PROVED)
