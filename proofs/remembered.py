"""Proofs of earlier runs (`timewait.proofs.memory`), each of which counts only when it was checked again.

The proof obligations of a remembered certificate are built from the specification again. Z3 and cvc5 answered all of them when
it was found. Now they are decided by shortest paths (`timewait.checker.zone_obligations`), which takes a hundredth of the time
and shares nothing with the search; what these leave open, or cannot read, the two solvers answer again. They also do where the
text of certificates is handed on, which then must be the one that follows from the specification. The witnesses of each
certificate are looked for as in a new one. Of a remembered threshold the certificates are checked in this way, the schedule of
each counterexample by both solvers for all values, an instance of it on the specification, and whether the pieces cover every
ratio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

from timewait.checker import certificate, liveness_certificate
from timewait.checker.family import ParametricSchedule, ScheduledAction
from timewait.checker.finding import Budget
from timewait.checker.linear import as_text, constraint, term
from timewait.checker.ratios import EVERY_RATIO, RatioInterval
from timewait.checker.synthesis import ThresholdPiece
from timewait.checker.verdict import Verdict
from timewait.checker.zone_obligations import NotZones, ZoneInvariant
from timewait.proofs import certify, thresholds
from timewait.proofs.certify import (
    CertifiedProof,
    ClaimedLiveness,
    ClaimedProperties,
    certified_proof,
    claimed_properties,
    vacuous,
)
from timewait.proofs.memory import current
from timewait.proofs.thresholds import ParametricCounterexample, ProvedThreshold, checked_again, formula_in_words, subject_of
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import configuration_as_data
from timewait.vocabulary.untrusted import exact_number

WHERE = "a remembered certificate"


# --- proofs --------------------------------------------------------------------------------------------------------


def prove_for_all(configuration: Configuration, properties: Sequence[str], region: Sequence[str]) -> CertifiedProof:
    """`timewait.proofs.certify.prove_for_all`, remembered."""
    return _for_all(
        certify.ZONES, configuration, properties, region, lambda: certify.prove_for_all(configuration, properties, region)
    )


def prove_for_all_by_horn(
    configuration: Configuration, properties: Sequence[str], region: Sequence[str], seconds: float
) -> CertifiedProof:
    """`timewait.proofs.certify.prove_for_all_by_horn`, remembered."""

    def prove() -> CertifiedProof:
        return certify.prove_for_all_by_horn(configuration, properties, region, seconds)

    return _for_all(f"{certify.HORN}, {seconds:g} s", configuration, properties, region, prove)


def _for_all(
    engine: str,
    configuration: Configuration,
    properties: Sequence[str],
    region: Sequence[str],
    prove: Callable[[], CertifiedProof],
) -> CertifiedProof:
    asked = ClaimedProperties(configuration, list(properties), [constraint(text) for text in region])
    question = _question(engine, configuration, properties, Budget()) | {"region": list(region)}

    def check(facts: Any, texts: list[str]) -> CertifiedProof | None:
        (text,) = texts
        claimed = _subject(text)
        found = None if facts is not None else _proof(asked, claimed, text)
        return found if found is not None and vacuous(claimed, Budget()).verdict is Verdict.PROVED else None

    return _remembered(question, check, prove)


def certify_liveness(configuration: Configuration, name: str, budget: Budget) -> CertifiedProof:
    """`timewait.proofs.certify.certify_liveness`, remembered."""
    claimed = ClaimedLiveness(configuration, name)

    def check(facts: Any, texts: list[str]) -> CertifiedProof | None:
        (text,) = texts
        automaton = claimed.automaton(budget.fresh())
        if automaton is None or facts is not None:
            return None
        proof = certify.certified_liveness(claimed, automaton, liveness_certificate.read(automaton.system, text, WHERE))
        return proof if proof.verdict is Verdict.PROVED and proof.text == text else None

    question = _question("graph", configuration, [name], budget)
    return _remembered(question, check, lambda: certify.certify_liveness(configuration, name, budget))


def _remembered(
    question: Mapping[str, Any], check: Callable[[Any, list[str]], CertifiedProof | None], prove: Callable[[], CertifiedProof]
) -> CertifiedProof:
    memory = current()
    if (known := memory.recall(question, check)) is not None:
        return known
    found = prove()
    if found.verdict is Verdict.PROVED:
        memory.keep(question, None, [found.text])
    return found


def _question(engine: str, configuration: Configuration, properties: Sequence[str], budget: Budget) -> dict[str, Any]:
    """What every result depends on."""
    return {
        "engine": engine,
        "configuration": configuration_as_data(configuration),
        "properties": list(properties),
        "bounds": [budget.states, budget.seconds, budget.megabytes],
    }


def _subject(text: str) -> ClaimedProperties:
    """The subject of a certificate, by its first line."""
    return claimed_properties(certificate.header(text, WHERE))


def _proof(asked: ClaimedProperties, claimed: ClaimedProperties, text: str) -> CertifiedProof | None:
    """A certificate as a proof of what is asked, if it is one; whether it is vacuous is not checked here.

    The system may be the over-approximation, or tell copies apart: a proof for either is a proof for the close.
    """
    if replace(claimed, over_approximated=asked.over_approximated, told_apart=asked.told_apart).header != asked.header:
        return None
    if not current().for_others and (found := _by_shortest_paths(claimed, text)) is not None:
        return found
    proof = certified_proof(claimed, certificate.read(claimed.statement, text, WHERE))
    return proof if proof.verdict is Verdict.PROVED and proof.text == text else None


def _by_shortest_paths(claimed: ClaimedProperties, text: str) -> CertifiedProof | None:
    """A certificate as a proof, if shortest paths show that its cases are an invariant; its queries are not read."""
    try:
        found = ZoneInvariant(claimed.statement, text)
        proved = not found.unproved()
    except NotZones:
        return None
    stated = text.startswith(certificate.first_line(claimed.header) + "\n")
    return CertifiedProof(Verdict.PROVED, text, found.cases, found.locations) if proved and stated else None


# --- thresholds ----------------------------------------------------------------------------------------------------


def formula(
    configuration: Configuration,
    properties: Sequence[str],
    ratios: tuple[Fraction, Fraction],
    expected: str,
    budget: Budget,
) -> list[ProvedThreshold]:
    """`timewait.proofs.thresholds.formula`, remembered if it is the expected one; `expected` is the formula in words.

    The same formula can be cut into other pieces that are true as well, and then it reads otherwise: only the search decides
    that it is not the expected one.
    """
    claimed = ClaimedProperties(configuration, list(properties), None)
    interval = RatioInterval(*ratios, closed_low=ratios[0] > 0, closed_high=True)
    question = _question("threshold", configuration, properties, budget) | {"ratios": list(map(str, ratios))}

    def check(facts: Any, texts: list[str]) -> list[ProvedThreshold] | None:
        pieces = list(_pieces(claimed, facts, texts))
        tight = all(piece.counterexample is not None or not any((piece.minimum or {}).values()) for piece in pieces)
        return pieces if tight and _covered(interval, pieces) and formula_in_words(pieces) == expected else None

    memory = current()
    if (known := memory.recall(question, check)) is not None:
        return known
    found = list(thresholds.formula(configuration, properties, ratios, budget))
    if formula_in_words(found) == expected and all(piece.verdict is Verdict.PROVED for piece in found):
        memory.keep(question, *_kept(found))
    return found


def safe_with_any_text(
    configuration: Configuration, properties: Sequence[str], wait: str, highest: Fraction, budget: Budget
) -> Iterator[ProvedThreshold]:
    """`timewait.proofs.thresholds.safe_with_any_text`, remembered when it is complete and covers every ratio."""
    claimed = ClaimedProperties(configuration, list(properties), None, any_text=True)
    question = _question("any text", configuration, properties, budget) | {"wait": wait, "highest": str(highest)}

    def check(facts: Any, texts: list[str]) -> list[ProvedThreshold] | None:
        pieces = list(_pieces(claimed, facts, texts))
        safe = all(piece.minimum == term(wait) for piece in pieces)
        return pieces if safe and _covered(EVERY_RATIO, pieces) else None

    memory = current()
    if (known := memory.recall(question, check)) is not None:
        yield from known
        return
    found = []
    for piece in thresholds.safe_with_any_text(configuration, properties, term(wait), highest, budget):
        found.append(piece)
        yield piece
    if all(piece.verdict is Verdict.PROVED for piece in found):
        memory.keep(question, *_kept(found))


def _covered(interval: RatioInterval, pieces: Sequence[ProvedThreshold]) -> bool:
    """Whether pieces are in order, from the largest ratios down, and cover an interval."""
    left = [interval]
    for piece in pieces:
        left = [part for rest in left for part in (rest.above(piece.ratios), rest.below(piece.ratios)) if not part.empty]
    falling = all(_order(one.ratios) >= _order(other.ratios) for one, other in pairwise(pieces))
    return falling and not left


def _order(ratios: RatioInterval) -> tuple[bool, Fraction, Fraction]:
    return ratios.high is None, ratios.high or Fraction(0), ratios.low


def _kept(pieces: Sequence[ProvedThreshold]) -> tuple[list[dict[str, Any]], list[str]]:
    """The facts about some pieces, as plain data, and their certificates."""
    facts = [
        {
            "ratios": [str(piece.ratios.low), None if piece.ratios.high is None else str(piece.ratios.high), *piece.ratios[2:]],
            "minimum": as_text(piece.minimum or {}),
            "counterexample": None if piece.counterexample is None else _counterexample_as_data(piece.counterexample),
        }
        for piece in pieces
    ]
    return facts, [piece.proof.text for piece in pieces if piece.proof is not None]


def _counterexample_as_data(found: ParametricCounterexample) -> dict[str, Any]:
    schedule = found.schedule
    repeats = schedule is None or schedule.repeated
    actions = [] if schedule is None or repeats else schedule.before
    return {"violated": found.violated, "schedule": [[as_text(each.delay), str(each.action)] for each in actions]}


def _pieces(claimed: ClaimedProperties, facts: Any, texts: list[str]) -> Iterator[ProvedThreshold]:
    """Pieces from facts and certificates, each checked again.

    Raises
    ------
    ValueError, LookupError, TypeError
        The facts make no sense, or something in them does not hold.
    """
    for fact, text in zip(facts, texts, strict=True):
        low, high, *closed = fact["ratios"]
        if not all(type(end) is bool for end in closed):
            raise TypeError("an end of an interval is closed or not")
        ratios = RatioInterval(exact_number(low), None if high is None else exact_number(high), *closed)
        piece = ThresholdPiece(ratios, term(fact["minimum"]), None)
        configuration, region = subject_of(claimed, piece)
        own = _subject(text)
        proof = _proof(replace(claimed, configuration=configuration, region=region), own, text)
        told_apart = replace(claimed, told_apart=own.told_apart)
        found = checked_again(told_apart, piece, _counterexample(fact["counterexample"]), proof)
        shown = found.counterexample
        if proof is None or found.verdict is not Verdict.PROVED or (shown and shown.violated not in claimed.properties):
            raise ValueError("a piece that does not hold")
        yield found


def _counterexample(fact: Any) -> ParametricCounterexample | None:
    if fact is None:
        return None
    schedule = ParametricSchedule(tuple(ScheduledAction(term(delay), str(action)) for delay, action in fact["schedule"]))
    return ParametricCounterexample(schedule, [], fact["violated"], None, "")
