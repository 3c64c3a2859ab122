"""Statements of certificates compared with what is asked: a claim of the project, or a configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields, replace
from fractions import Fraction
from itertools import pairwise
from types import FunctionType
from typing import Any, Literal, NamedTuple

from timewait.checker import certificate
from timewait.checker.engine import TIME_LOCK
from timewait.checker.linear import constraint
from timewait.proofs import evidence
from timewait.proofs.any_text import fault
from timewait.proofs.certificate_files import ProvedStatement, stated, value_in_words
from timewait.proofs.certify import SYMBOLS, terms_of
from timewait.proofs.claim import CLAIMS
from timewait.proofs.question import question
from timewait.proofs.thresholds import RANGE
from timewait.spec.configuration import Configuration
from timewait.spec.plain_data import configuration_as_data
from timewait.spec.properties import PROPERTIES

ONE = Fraction(1)


def missing(proved: Sequence[ProvedStatement], asked: ProvedStatement) -> str:
    """The reason why some statements together do not imply another; empty if they do.

    The configurations must be equal but for durations that a statement for all values leaves open, the properties must
    be among those proved, and every value asked about must lie in a region proved.
    """
    reasons = [_difference(each, asked) for each in proved]
    fitting = [each for each, reason in zip(proved, reasons, strict=True) if not reason]
    if not fitting:
        return next(iter(reasons), "nothing is proved")
    return _uncovered(fitting, asked)


def _difference(proved: ProvedStatement, asked: ProvedStatement) -> str:
    """The reason why a statement is about something else, its values aside."""
    if silent := sorted(set(asked.properties) - set(proved.properties)):
        return f"it says nothing about {silent[0]}"
    if proved.region is None and asked.region is not None:
        return "it is about one value of every duration alone"
    if proved.region is None and proved.configuration != asked.configuration:
        return f"it is about another configuration: {_first_difference(proved.configuration, asked.configuration)}"
    if asked.any_text and not proved.any_text:
        return "it is about a limited amount of text"
    own, other = (_without_durations(each.configuration) for each in (proved, asked))
    if proved.any_text:
        if problem := fault(proved.configuration):
            return f"any amount of text needs {problem}"
        own, other = (replace(each, text=(each.text[0], 0)) for each in (own, other))
    if own != other:
        return f"it is about another configuration: {_first_difference(own, other)}"
    if all(PROPERTIES[name].kind == "eventually" for name in proved.properties):
        return _different_graph(proved.configuration, asked.configuration)
    return _different_length(proved.configuration, asked.configuration)


def _different_graph(proved: Configuration, asked: Configuration) -> str:
    """The reason why a proof for every value of every duration is one of another graph; empty if it is not.

    The graph depends on which durations there are, and on whether a clock of sequence numbers is ahead of the old ones. At the
    durations asked about time must be able to pass, too.
    """
    own, other = (configuration.parameters.keys() for configuration in (proved, asked))
    if differing := sorted(own ^ other):
        return f"it is about another configuration: only one of both has a duration {differing[0]}"
    if proved.reopening.relation(proved.msl) is not asked.reopening.relation(asked.msl):
        return "it is about another configuration: the next incarnation has other numbers at this MSL"
    differ = proved.parameters != asked.parameters
    return TIME_LOCK if differ and question(asked).may_time_lock else ""


def _without_durations(configuration: Configuration) -> Configuration:
    """The configuration with equal durations: `_different_length` compares those."""
    lengths: dict[str, Any] = dict.fromkeys(configuration.further_lengths, Fraction(0))
    rto = tuple(ONE for _ in configuration.rto)
    return replace(
        configuration, **lengths | {"idle_before_close": None, "rto_slack": Fraction(0)}, msl=ONE, time_wait=ONE, rto=rto
    )


def _different_length(proved: Configuration, asked: Configuration) -> str:
    """The reason why a duration is another multiple of MSL, RTO or TIME_WAIT; empty if none is.

    A proof for all values fixes these multiples, not the seconds: with them equal, its durations at the values asked about are
    those of the question.
    """
    own, other = (terms_of(configuration, symbolic=True) for configuration in (proved, asked))
    for name in sorted(own.keys() | other.keys()):
        if own.get(name) != other.get(name):
            stated, wanted = (terms[name].items() if name in terms else None for terms in (own, other))
            return f"it is about another configuration: {name} = {_term_in_words(stated)}, not {_term_in_words(wanted)}"
    return ""


def _term_in_words(term: Iterable[tuple[str, Fraction]] | None) -> str:
    """A duration as a sum of multiples of the symbols; none where the configuration has no such duration."""
    if term is None:
        return "none"
    return " + ".join(f"{factor}*{symbol}" for symbol, factor in term) or "0"


def _first_difference(own: Configuration, other: Configuration) -> str:
    """The first setting that differs, with both values."""
    differing = ((name, one, two) for (name, one), (_, two) in zip(_settings(own), _settings(other), strict=True) if one != two)
    name, one, two = next(differing)
    if name in ("rto", "text"):
        return f"{name} {','.join(map(str, one))}, not {','.join(map(str, two))}"
    return f"{name} {value_in_words(one)}, not {value_in_words(two)}"


def _settings(configuration: Configuration) -> list[tuple[str, Any]]:
    """Every setting on which a verdict depends, by its name in plain data."""
    data = configuration_as_data(configuration)
    behaviour, reopening = data.pop("behaviour"), configuration.reopening
    data.pop("reopening")
    opening = [(f"next incarnation: {entry.name}", getattr(reopening, entry.name)) for entry in fields(reopening)]
    return [*data.items(), *behaviour.items(), *opening]


def _uncovered(proved: Sequence[ProvedStatement], asked: ProvedStatement) -> str:
    """The reason why not every value asked about lies in a region proved; empty if all do."""
    configuration = asked.configuration
    values = {SYMBOLS.scale: configuration.msl, SYMBOLS.rate: configuration.rto[0], SYMBOLS.wait: configuration.time_wait}
    regions = [each.region or () for each in proved]
    if asked.region is None:
        inside = any(all(part.holds(values) for part in region) for region in regions)
    else:
        inside = certificate.covered(tuple(SYMBOLS), asked.region, regions)
    return "" if inside else f"it holds only {' and '.join(dict.fromkeys(each.values for each in proved))}"


# --- claims ---------------------------------------------------------------------------------------------------------


NO_CERTIFICATE: Literal["no certificate"] = "no certificate"
"""A piece of evidence without a certificate: an answer of an engine, a counterexample, or arithmetic."""

Noted = ProvedStatement | Literal["no certificate"]
"""A piece of evidence, as the stand-ins note it."""


class CertifiedPart(NamedTuple):
    """The part of a claim that certificates can prove.

    Attributes
    ----------
    statements : list of ProvedStatement
        What the certificates must state, each once; empty for a claim that rests on other evidence alone.
    certified, pieces : int
        How many pieces of its evidence carry a certificate, and of how many. A threshold is a piece for the comparison of
        formulas, and two for each case of the formula: a certificate above, a counterexample below.
    """

    statements: list[ProvedStatement]
    certified: int
    pieces: int

    @property
    def whole(self) -> bool:
        """Whether every piece of evidence carries a certificate."""
        return self.certified == self.pieces


def certified_part(name: str) -> CertifiedPart:
    """The part of a claim that certificates can prove.

    The function of the claim runs with functions in place of those that yield evidence which only note what is proved.
    """
    gather = CLAIMS[name].gather
    assert isinstance(gather, FunctionType)
    noted: dict[str, Any] = {}
    for key, value in gather.__globals__.items():
        if isinstance(value, FunctionType) and value.__module__ == evidence.__name__:
            noted[key] = _NOTES.get(value.__name__, _one_piece)
    scope = {**gather.__globals__, **noted}
    for key, value in gather.__globals__.items():
        if isinstance(value, FunctionType) and value.__module__ == gather.__module__:
            scope[key] = _in_scope(value, scope)
    found = list(_flat(_in_scope(gather, scope)()))
    statements = [each for each in found if isinstance(each, ProvedStatement)]
    once = list({(each.configuration, str(each)): each for each in statements}.values())
    return CertifiedPart(once, len(statements), len(found))


def statements_of_claim(name: str) -> list[ProvedStatement]:
    """What the certificates of a claim must state; empty for a claim that rests on counterexamples or on engines alone."""
    return certified_part(name).statements


def _in_scope(function: FunctionType, scope: dict[str, Any]) -> Callable[[], Iterable[Any]]:
    """The function with other global names."""
    found = FunctionType(function.__code__, scope, function.__name__, function.__defaults__, function.__closure__)
    found.__kwdefaults__ = function.__kwdefaults__
    return found


def _flat(noted: Iterable[Any]) -> Iterator[Noted]:
    """The pieces of evidence noted; a claim may also make a piece of evidence itself."""
    for part in noted:
        if isinstance(part, evidence.Evidence):
            yield _note_evidence(part)
        elif isinstance(part, ProvedStatement) or part == NO_CERTIFICATE:
            yield part
        else:
            yield from _flat(part)


def _note_evidence(piece: evidence.Evidence) -> Noted:
    """What a piece of evidence states, from the first line of its certificate."""
    return stated(certificate.header(piece.certificate, piece.label)) if piece.certificate else NO_CERTIFICATE


def _note_region(
    label: str, configuration: Configuration, region: Sequence[str], properties: Sequence[str] = evidence.BOTH
) -> list[ProvedStatement]:
    del label
    return [ProvedStatement(configuration, tuple(properties), tuple(map(constraint, region)))]


def _note_liveness(label: str, configuration: Configuration, name: str) -> list[ProvedStatement]:
    del label
    return [ProvedStatement(configuration, (name,), ())]


def _note_formula(
    label: str,
    configuration: Configuration,
    properties: Sequence[str],
    expected: str,
    ratios: tuple[Fraction, Fraction] = RANGE,
) -> list[Noted]:
    """The comparison of a threshold with the claimed one; of each case the proof and the counterexample."""
    found: list[Noted] = [NO_CERTIFICATE]
    for piece in expected.split("; "):
        where, _, needed = piece.rpartition(": ")
        found.append(NO_CERTIFICATE)
        if (bound := _BOUND.fullmatch(needed)) is None:
            continue
        parts = [f"RTO >= {ratios[0]}*MSL", f"RTO <= {ratios[1]}*MSL", "MSL > 0", "RTO > 0"]
        names = where.split(" <= ") if where else []
        parts += [f"{left} <= {right}" for left, right in pairwise(names)]
        parts += [f"TIME_WAIT >= {term}" for term in (bound[1] or bound[2]).split(", ")]
        found += _note_region(label, configuration, parts, properties)
    return found


def _note_any_text(label: str, configuration: Configuration, properties: Sequence[str], wait: str) -> list[ProvedStatement]:
    (found,) = _note_region(label, configuration, ("MSL > 0", "RTO > 0", f"TIME_WAIT >= {wait}"), properties)
    return [replace(found, any_text=True)]


_BOUND = re.compile(r"safe iff TIME_WAIT >= (?:max\(([^()]*)\)|([^()]*))")


def _one_piece(*arguments: Any, **keywords: Any) -> list[Noted]:
    """A piece of evidence without a certificate."""
    del arguments, keywords
    return [NO_CERTIFICATE]


def _piece_each(label: str, configuration: Configuration, names: Sequence[str], *others: Any, **keywords: Any) -> list[Noted]:
    """A piece of evidence without a certificate for each property."""
    del label, configuration, others, keywords
    return [NO_CERTIFICATE for _ in names]


_NOTES: dict[str, Callable[..., Sequence[Noted]]] = {
    "for_all": _note_region,
    "by_horn": _note_region,
    "for_every_duration": _note_liveness,
    "as_formula": _note_formula,
    "for_any_text": _note_any_text,
    "all_at": _piece_each,
}
"""What to note in place of each function that yields evidence; of any other, one piece without a certificate."""
