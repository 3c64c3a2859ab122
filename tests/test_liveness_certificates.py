"""Liveness certificates: one is accepted where the property holds, and none can be made where it does not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from itertools import product
from pathlib import Path

import networkx as nx
import pytest
import z3
from toys import courier, eventually, lamp, sleeper, whirl

from timewait.checker import certificate, liveness_certificate
from timewait.checker.certificate import BrokenCertificate
from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.finding import Budget
from timewait.checker.liveness_certificate import Component, ComponentEdges, Exclusion, LivenessCertificate, Reason
from timewait.checker.queries import Query
from timewait.checker.structural import proof_of
from timewait.checker.verdict import Verdict
from timewait.proofs.certificate_files import check_file
from timewait.proofs.certify import ClaimedLiveness, certify_liveness
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Arrival, Behaviour
from timewait.vocabulary.automaton import Edge, Location, Property, TimedAutomaton

STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
INTENDED = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
LITERAL = Behaviour(answers=frozenset(Arrival), restarts=frozenset(Arrival))
CORE = Configuration(Fraction(1), Fraction(2), (Fraction(1),), loss=1, scope=Scope.CORE, behaviour=INTENDED)
CLOSE = replace(CORE, scope=Scope.CLOSE)
BOTH = replace(CLOSE, loss=0, both_close=True)

TOYS = {
    "a courier": (courier(True, False), eventually("delivered")),
    "a courier, always ready": (courier(True, True), eventually("delivered")),
    "a whirl": (whirl(), eventually("still")),
    "a sleeper": (sleeper(False), eventually("risen")),
    "a lamp": (lamp(3, again=False), eventually("dark")),
}
BROKEN = {
    "a courier without fairness": (courier(False, False), eventually("delivered")),
    "a sleeper that starts again": (sleeper(True), eventually("risen")),
    "a lamp pressed again": (lamp(3), eventually("dark")),
}


def certificate_of(configuration: Configuration, name: str) -> LivenessCertificate:
    """The certificate that the graph yields."""
    automaton = ClaimedLiveness(configuration, name).automaton(Budget())
    assert automaton is not None
    proof = proof_of(automaton, PROPERTIES[name])
    assert proof is not None
    return LivenessCertificate(automaton.system, name, PROPERTIES[name].recurrent, proof)


# --- accepted certificates ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_toys(name: str) -> None:
    """The checker accepts every proof from the graph."""
    toy, asked = TOYS[name]
    proof = proof_of(CompiledAutomaton(toy), asked)
    assert proof is not None
    assert certificate.rejection(LivenessCertificate(toy, asked.name, asked.recurrent, proof)) == ""


@pytest.mark.parametrize("name", ["closes", "quiet"])
@pytest.mark.parametrize(
    "configuration",
    [
        CORE,
        replace(CORE, loss=None),
        CLOSE,
        BOTH,
        replace(CLOSE, text=(1, 0)),
        replace(CLOSE, behaviour=Behaviour(answers=STEP_ONE, restarts=STEP_ONE, retries=2), duplication=0, fifo=True, loss=0),
        replace(CLOSE, behaviour=replace(INTENDED, fin_wait_2=True, abandons=True), fin_wait_2=Fraction(3)),
    ],
    ids=["core", "any loss", "close", "either end", "text", "few retries", "an orphan"],
)
def test_closes(configuration: Configuration, name: str, tmp_path: Path) -> None:
    """A certificate is written and accepted; it does not depend on the durations."""
    made = certify_liveness(configuration, name, Budget())
    if made.verdict is Verdict.INCONCLUSIVE:
        automaton = question(configuration).finite
        assert automaton is None or proof_of(automaton, PROPERTIES[name]) is None
        pytest.skip(made.reason)
    assert made.verdict is Verdict.PROVED
    file = tmp_path / "liveness_certificate.smt2"
    file.write_text(made.text, encoding="utf-8")
    (checked,) = check_file(file)
    assert (checked.statement, checked.rejection) == (f"{name}, for all values", "")


@pytest.mark.parametrize("name", ["closes", "quiet"])
def test_read_again(name: str) -> None:
    """The file holds the whole proof, and a query for every exclusion."""
    found = certificate_of(CLOSE, name)
    text = certificate.as_smt2(found, ClaimedLiveness(CLOSE, name).header)
    assert liveness_certificate.read(found.system, text, "here") == found.proof
    assert text.count("(check-sat)") == found.size > 0
    assert configuration_from_data(certificate.header(text, "here")["configuration"]) == CLOSE


# --- rejected certificates ---------------------------------------------------------------------------------------------------


def without_one(component: Component) -> Iterator[tuple[Exclusion, Component]]:
    """The proof without one of the excluded locations."""
    for one in component.exclusions:
        if one.edge is None:
            yield one, replace(component, exclusions=tuple(other for other in component.exclusions if other is not one))
    for index, inner in enumerate(component.parts):
        for one, less in without_one(inner):
            yield one, replace(component, parts=(*component.parts[:index], less, *component.parts[index + 1 :]))


def changed(component: Component) -> Iterator[Component]:
    """The proof with a mistake in one of its parts."""
    for index, part in enumerate(component.parts):
        before, after = component.parts[:index], component.parts[index + 1 :]
        fewer = part.locations - {min(part.locations, key=str)}
        yield replace(component, parts=(*before, *after))
        yield replace(component, parts=(*before, part, part, *after))
        yield replace(component, parts=(*before, replace(part, harmless=True), *after))
        yield replace(component, parts=(*before, replace(part, locations=fewer), *after))
        for other in changed(part):
            yield replace(component, parts=(*before, other, *after))


class TestTampered:
    """A proof with a part omitted, weakened or exchanged is rejected."""

    @pytest.fixture(scope="class")
    @staticmethod
    def sound() -> LivenessCertificate:
        return certificate_of(CORE, "closes")

    def test_every_location_must_go(self, sound: LivenessCertificate) -> None:
        tampered = [less for _, less in without_one(sound.proof)]
        assert len(tampered) >= 3
        assert all(LivenessCertificate(sound.system, "closes", False, less).mismatch() for less in tampered)

    def test_parts(self, sound: LivenessCertificate) -> None:
        """A part is dropped, repeated, marked harmless, or lacks a location."""
        tampered = list(changed(sound.proof))
        assert len(tampered) >= 12
        assert all(LivenessCertificate(sound.system, "closes", False, other).mismatch() for other in tampered)

    def test_the_order_of_parts(self) -> None:
        sound = certificate_of(CLOSE, "closes")
        turned = replace(sound.proof, parts=sound.proof.parts[::-1])
        assert "leads back" in LivenessCertificate(sound.system, "closes", False, turned).mismatch()

    def test_of_another_system(self, tmp_path: Path) -> None:
        """The proof for the intended reading does not fit the literal reading, which acknowledges for ever."""
        made = certify_liveness(BOTH, "quiet", Budget())
        literal = replace(BOTH, behaviour=LITERAL)
        assert certify_liveness(literal, "quiet", Budget()).verdict is Verdict.INCONCLUSIVE
        first, rest = made.text.split("\n", 1)
        forged = certificate.as_smt2(certificate_of(BOTH, "quiet"), ClaimedLiveness(literal, "quiet").header).split("\n", 1)[0]
        assert forged != first
        file = tmp_path / "forged.smt2"
        file.write_text(f"{forged}\n{rest}", encoding="utf-8")
        (checked,) = check_file(file)
        assert checked.rejection

    @pytest.mark.parametrize(
        ("pattern", "instead", "message"),
        [
            (r'\(set-info :part "0 left[^\n]*', "", "no part of any location"),
            (r'(\(set-info :part "0\.1 [^\n]*)', r"\1\n\1", "comes twice"),
            (r'(:out "[\d.]+:) \d+', r"\1 9999", "locations"),
        ],
    )
    def test_files(self, tmp_path: Path, pattern: str, instead: str, message: str) -> None:
        text = certify_liveness(CORE, "closes", Budget()).text
        file = tmp_path / "broken.smt2"
        file.write_text(re.sub(pattern, instead, text, count=1), encoding="utf-8")
        with pytest.raises(BrokenCertificate, match=message):
            check_file(file)

    def test_a_wrong_reason(self, tmp_path: Path) -> None:
        """Solvers reject the reason "late" in place of another reason."""
        text = certify_liveness(CLOSE, "closes", Budget()).text
        file = tmp_path / "weaker.smt2"
        forged = re.sub(r'(:out "[\d.]+: \d+ -) starved \d+', r"\1 late -", text, count=1)
        assert forged != text
        file.write_text(forged, encoding="utf-8")
        (checked,) = check_file(file)
        assert "late query" in checked.rejection


# --- the strongest proof that the checker accepts --------------------------------------------------------------------


def candidates(system: TimedAutomaton, part: frozenset[Location], edges: ComponentEdges) -> Iterator[Exclusion]:
    """Every possible exclusion."""
    for location in part:
        others = [*range(len(tuple(system.edges(location)))), None]
        for reason, untaken in product((Reason.PAST_BOUND, Reason.UNTAKEN_HERE), others):
            yield Exclusion(location, None, reason, untaken)
    for (location, number), edge in edges.items():
        numbers = range(max(len(tuple(system.edges(place))) for place in (location, edge.target)))
        for reason, untaken in product(
            (Reason.PAST_BOUND, Reason.UNTAKEN_ALTERNATIVE, Reason.UNTAKEN_ON_ENTRY), [*numbers, None]
        ):
            yield Exclusion(location, number, reason, untaken)


def forged(system: TimedAutomaton, asked: Property) -> Component | None:
    """A proof from every exclusion that the checker accepts; None when even that is not enough."""
    _, found = certificate.numbered(system, lambda *_: True)
    inside = frozenset(location for location in found if asked.name in system.pending(location))
    everything = {(place, number): edge for place in inside for number, edge in enumerate(found[place]) if edge.target in inside}
    return _forged(system, asked, inside, everything, [])


def _forged(
    system: TimedAutomaton,
    asked: Property,
    locations: frozenset[Location],
    edges: dict[tuple[Location, int], Edge],
    above: Sequence[Component],
) -> Component | None:
    def placed(part: Component) -> LivenessCertificate:
        for outer in reversed(above):
            part = replace(outer, parts=(part,))
        return LivenessCertificate(system, asked.name, asked.recurrent, part)

    alone = placed(Component(locations, (), ()))
    fitting = [one for one in candidates(system, locations, edges) if not alone.misapplied(one, edges)]
    whole = placed(Component(locations, tuple(fitting), ()))
    queries = list(whole.queries())[-len(fitting) :] if fitting else []
    out = tuple(one for one, answer in zip(fitting, answers(whole, queries), strict=True) if answer == "unsat")
    if above and not out:
        return None
    gone, dropped = {one.location for one in out if one.edge is None}, {(one.location, one.edge) for one in out}
    left = locations - gone
    stay = {key: edge for key, edge in edges.items() if {key[0], edge.target} <= left and key not in dropped}
    graph = nx.DiGraph()
    graph.add_nodes_from(left)
    graph.add_edges_from((key[0], edge.target) for key, edge in stay.items())
    condensed = nx.condensation(graph)
    parts = []
    for index in nx.topological_sort(condensed):
        members = frozenset(condensed.nodes[index]["members"])
        within = {key: edge for key, edge in stay.items() if {key[0], edge.target} <= members}
        if asked.recurrent and not any(asked.name in edge.recurrent for edge in within.values()):
            parts.append(Component(members, (), (), harmless=True))
            continue
        inner = _forged(system, asked, members, within, [*above, Component(locations, out, ())])
        if inner is None:
            return None
        parts.append(inner)
    return Component(locations, out, tuple(parts))


def answers(whole: LivenessCertificate, queries: Sequence[Query]) -> list[str]:
    """Z3's answer to each query."""
    asked = [f"(push 1){''.join(f'(assert {part})' for part in query.assertions)}(check-sat)(pop 1)" for query in queries]
    context = z3.Context()
    return str(z3.Z3_eval_smtlib2_string(context.ref(), "\n".join([*whole.head(), *asked]))).split()


@pytest.mark.parametrize("name", [*TOYS, *BROKEN])
def test_a_proof_of_all_that_is_accepted(name: str) -> None:
    """Such a proof exists where the property holds, and only there."""
    toy, asked = (TOYS | BROKEN)[name]
    found = forged(toy, asked)
    assert (found is not None) is (name in TOYS)
    if found is not None:
        assert certificate.rejection(LivenessCertificate(toy, asked.name, asked.recurrent, found)) == ""


def test_the_literal_reading_is_not_quiet() -> None:
    """The checker accepts no proof for the literal reading, which has the lasso of C10."""
    system = question(replace(BOTH, behaviour=LITERAL)).quotient.system
    assert forged(system, PROPERTIES["quiet"]) is None
