"""The abstraction for any amount of text has every run of the closes with few octets, and more octets add nothing."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.cover import cover_of, invariant, multiples
from timewait.checker.finding import Budget
from timewait.checker.quotient import Quotient
from timewait.checker.zones import Zones
from timewait.proofs.any_text import COMPARED_BEHAVIOUR, COMPARED_LOSS, OCTETS, AnyText
from timewait.proofs.certificate_files import check_file
from timewait.proofs.certify import ClaimedProperties, certified_proof
from timewait.proofs.claims import close
from timewait.proofs.thresholds import safe_with_any_text
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.settings import BEHAVIOUR, Arrival, Behaviour
from timewait.vocabulary.automaton import Edge


def edges(configuration: Configuration, octets: int) -> dict[object, set[object]]:
    """For each location of the abstraction its edges, without the rules that they name."""
    abstraction = CompiledAutomaton(AnyText(configuration, octets))
    return {location.original: {essential(edge.original) for edge in location.edges} for location in abstraction.explore()}


def essential(edge: Edge) -> object:
    """The parts of an edge on which a proof depends."""
    return edge.action.identity, edge.guard, edge.target, edge.updates, edge.violates


def violated(time_wait: Fraction) -> bool:
    """Whether a run of the abstraction violates graceful at MSL = 1, RTO = 1/2, one loss."""
    configuration = replace(close(1, time_wait, 1, 1), rto=(Fraction(1, 2),))
    zones = Zones(CompiledAutomaton(AnyText(configuration)))
    zones.explore(Budget(), frozenset({"graceful"}))
    assert not zones.stopped or zones.broken
    return "graceful" in zones.broken


def test_the_bound_is_tight() -> None:
    """Safe from 2M + R on, and not below."""
    assert not violated(Fraction(5, 2))
    assert violated(Fraction(249, 100))


@pytest.mark.slow
@pytest.mark.parametrize("loss", COMPARED_LOSS)
@pytest.mark.parametrize("behaviour", COMPARED_BEHAVIOUR)
def test_an_octet_more_adds_nothing(loss: int, behaviour: Behaviour) -> None:
    """The same locations with the same edges."""
    configuration = replace(close(1, 2, 1, loss), behaviour=behaviour)
    assert edges(configuration, OCTETS) == edges(configuration, OCTETS + 1)


def test_too_few_octets_are_noticed() -> None:
    """One octet has no predecessor, so edges are missing: the comparison above can fail."""
    configuration = close(1, 2, 1, 0)
    assert edges(configuration, 1) != edges(configuration, 2)


def test_a_certificate_can_be_checked_from_its_file(tmp_path: Path) -> None:
    """The file names the abstraction, and the checker builds it again."""
    (piece,) = safe_with_any_text(close(1, 1, 1, 0), ["graceful"], {"MSL": Fraction(1)}, Fraction(2), Budget())
    assert piece.proof is not None
    path = tmp_path / "any.smt2"
    path.write_text(piece.proof.text)
    assert '"any text": true' in piece.proof.text.splitlines()[0]
    (checked,) = check_file(path)
    assert not checked.rejection
    path.write_text(piece.proof.text.replace('"any text": true', '"any text": 1', 1))
    with pytest.raises(ValueError, match="any text true or false"):
        check_file(path)


@pytest.mark.slow
def test_an_invariant_for_a_shorter_time_wait_is_rejected() -> None:
    """Z3 and cvc5 reject the invariant for M in a region that begins below."""
    configuration = close(1, 1, 1, 0)
    (piece,) = safe_with_any_text(configuration, ["graceful"], {"MSL": Fraction(1)}, Fraction(2), Budget())
    claimed = ClaimedProperties(configuration, ["graceful"], piece.region[:-1], any_text=True)
    automaton = claimed.automaton
    zones = Zones(automaton)
    zones.explore(Budget())
    found = invariant(zones, cover_of(zones), multiples("MSL", zones.ticks["MSL"]))
    assert certified_proof(claimed, found).reason


@pytest.mark.parametrize("others", [{"both_close": True}, {"duplication": 1}, {"fifo": True}])
def test_it_is_for_a_first(others: dict[str, Any]) -> None:
    """Other closes are refused."""
    with pytest.raises(ValueError, match="A to close first"):
        AnyText(replace(close(1, 2, 1, 1), **others))


@pytest.mark.parametrize(
    ("others", "said"),
    [
        ({"text": (1, 0)}, "A sends no text"),
        ({"text": (1, 1)}, "A sends no text"),
        ({"scope": Scope.CORE}, "the whole close"),
        ({"loss": 3}, "a loss of 0 to 2"),
        ({"loss": None}, "a loss of 0 to 2"),
        ({"rto_exact": True}, "least gap"),
    ],
)
def test_what_was_not_compared_is_refused(others: dict[str, Any], said: str) -> None:
    """More octets might add something there."""
    with pytest.raises(ValueError, match=said):
        AnyText(replace(close(1, 2, 1, 1), **others))


@pytest.mark.parametrize("name", sorted(BEHAVIOUR.keys() - {"acks_restart_rto"}))
@pytest.mark.parametrize("compared", COMPARED_BEHAVIOUR)
def test_every_other_setting_is_refused(compared: Behaviour, name: str) -> None:
    """By its name; keeping segments out of order is one of them."""
    entry, stated = BEHAVIOUR[name], getattr(compared, name)
    value: Any = not stated
    if entry.kind is frozenset:
        value = frozenset({Arrival.FIN})
    elif entry.kind is not bool:
        value = 2 if entry.kind is int else next(each for each in entry.kind if each is not stated)
    behaviour = replace(compared, **{name: value})
    rto = (Fraction(1),) * behaviour.backoff
    with_restart = replace(behaviour, acks_restart_rto=True) if name == "backoff" else behaviour
    with pytest.raises(ValueError, match=f"another setting {name}:"):
        AnyText(replace(close(1, 2, 1, 1), rto=rto, behaviour=with_restart))


@pytest.mark.parametrize("text", [[1, 0], [1, 1]])
def test_a_file_about_text_of_a_is_refused(text: list[int], tmp_path: Path) -> None:
    """The abstraction has none, so the certificate would state more than it proves."""
    (piece,) = safe_with_any_text(close(1, 1, 1, 0), ["graceful"], {"MSL": Fraction(1)}, Fraction(2), Budget())
    assert piece.proof is not None
    path = tmp_path / "any.smt2"
    path.write_text(piece.proof.text.replace('"text": [0, 0]', f'"text": {text}', 1))
    assert path.read_text() != piece.proof.text
    with pytest.raises(ValueError, match="A sends no text"):
        check_file(path)


def compiled(configuration: Configuration) -> CompiledAutomaton:
    """The quotient of a close, edge by edge."""
    return CompiledAutomaton(Quotient(Composition(configuration)))


def test_edges_do_not_depend_on_durations() -> None:
    """The edges of one system of durations serve every other: each names the durations in its bounds."""
    for configuration in (close(1, 0, 1, 1), replace(close(1, 0, 1, 2), text=(0, 1))):
        other = replace(configuration, msl=Fraction(7, 3), time_wait=Fraction(100), rto=(Fraction(1, 9),))
        plain, changed = (compiled(replace(each, text=(0, OCTETS))).explore() for each in (configuration, other))
        assert [(one.original, one.edges) for one in plain] == [(one.original, one.edges) for one in changed]
