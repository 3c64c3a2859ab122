"""Certificates of promises: accepted where the promise is kept, and no proof at all is accepted where it is not."""

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
from timewait.checker.structural import proof_of
from timewait.checker.verdict import Verdict
from timewait.proofs.certify import ClaimedLiveness, certify_liveness, check_file
from timewait.proofs.question import question
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.plain_data import configuration_of
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Arrival, Behaviour
from timewait.vocabulary.automaton import Edge, Location, Property, TimedAutomaton

STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
INTENDED = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
LETTER = Behaviour(answers=frozenset(Arrival), restarts=frozenset(Arrival))
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
    "a courier whom nothing forces": (courier(False, False), eventually("delivered")),
    "a sleeper who starts again": (sleeper(True), eventually("risen")),
    "a lamp pressed again": (lamp(3), eventually("dark")),
}


def faults(stated: LivenessCertificate) -> str:
    """What is wrong with a proof."""
    return certificate.rejection(stated)


def stated(configuration: Configuration, name: str) -> LivenessCertificate:
    """The proof of a promise by the graph."""
    table = ClaimedLiveness(configuration, name).table(Budget())
    assert table is not None
    proof = proof_of(table, PROPERTIES[name])
    assert proof is not None
    return LivenessCertificate(table.system, name, PROPERTIES[name].recurrent, proof)


# --- what is accepted ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TOYS)
def test_toys(name: str) -> None:
    """Whatever the graph shows, the checker accepts."""
    toy, asked = TOYS[name]
    proof = proof_of(CompiledAutomaton(toy), asked)
    assert proof is not None
    assert faults(LivenessCertificate(toy, asked.name, asked.recurrent, proof)) == ""


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
    """Made, written down and accepted again; the durations are no part of it."""
    made = certify_liveness(configuration, name, Budget())
    if made.verdict is Verdict.INCONCLUSIVE:
        table = question(configuration).finite
        assert table is None or proof_of(table, PROPERTIES[name]) is None
        pytest.skip(made.reason)
    assert made.verdict is Verdict.PROVED
    file = tmp_path / "liveness_certificate.smt2"
    file.write_text(made.text, encoding="utf-8")
    (checked,) = check_file(file)
    assert (checked.statement, checked.rejection) == (f"{name}, for all values", "")


@pytest.mark.parametrize("name", ["closes", "quiet"])
def test_read_again(name: str) -> None:
    """The file has the whole proof, and queries for every reason."""
    found = stated(CLOSE, name)
    text = certificate.as_smt2(found, ClaimedLiveness(CLOSE, name).header)
    assert liveness_certificate.read(found.system, text, "here") == found.proof
    assert text.count("(check-sat)") == found.size > 0
    assert configuration_of(certificate.header(text, "here")["configuration"]) == CLOSE


# --- what is not ---------------------------------------------------------------------------------------------------


def without_one(part: Component) -> Iterator[tuple[Exclusion, Component]]:
    """The proof without one of the locations that cannot recur."""
    for one in part.out:
        if one.step is None:
            yield one, replace(part, out=tuple(other for other in part.out if other is not one))
    for index, inner in enumerate(part.parts):
        for one, less in without_one(inner):
            yield one, replace(part, parts=(*part.parts[:index], less, *part.parts[index + 1 :]))


def changed(part: Component) -> Iterator[Component]:
    """The proof with something about its parts wrong."""
    for index, inner in enumerate(part.parts):
        before, after = part.parts[:index], part.parts[index + 1 :]
        yield replace(part, parts=(*before, *after))
        yield replace(part, parts=(*before, inner, inner, *after))
        yield replace(part, parts=(*before, replace(inner, no_recurrent_edge=True), *after))
        yield replace(part, parts=(*before, replace(inner, locations=inner.locations - {min(inner.locations, key=str)}), *after))
        for other in changed(inner):
            yield replace(part, parts=(*before, other, *after))


class TestTampered:
    """Nobody accepts a proof with something left out, weakened or exchanged."""

    @pytest.fixture(scope="class")
    @staticmethod
    def sound() -> LivenessCertificate:
        return stated(CORE, "closes")

    def test_every_location_must_go(self, sound: LivenessCertificate) -> None:
        tampered = [less for _, less in without_one(sound.proof)]
        assert len(tampered) >= 3
        assert all(LivenessCertificate(sound.system, "closes", False, less).mismatch() for less in tampered)

    def test_parts(self, sound: LivenessCertificate) -> None:
        """One dropped, one twice, one said to be silent, one without a location."""
        tampered = list(changed(sound.proof))
        assert len(tampered) >= 12
        assert all(LivenessCertificate(sound.system, "closes", False, other).mismatch() for other in tampered)

    def test_the_order_of_parts(self) -> None:
        sound = stated(CLOSE, "closes")
        turned = replace(sound.proof, parts=sound.proof.parts[::-1])
        assert "leads back" in LivenessCertificate(sound.system, "closes", False, turned).mismatch()

    def test_of_another_system(self, tmp_path: Path) -> None:
        """The proof for what was meant is none for the letter, which acknowledges for ever."""
        made = certify_liveness(BOTH, "quiet", Budget())
        letter = replace(BOTH, behaviour=LETTER)
        assert certify_liveness(letter, "quiet", Budget()).verdict is Verdict.INCONCLUSIVE
        first, rest = made.text.split("\n", 1)
        forged = certificate.as_smt2(stated(BOTH, "quiet"), ClaimedLiveness(letter, "quiet").header).split("\n", 1)[0]
        assert forged != first
        file = tmp_path / "forged.smt2"
        file.write_text(f"{forged}\n{rest}", encoding="utf-8")
        (checked,) = check_file(file)
        assert checked.rejection

    @pytest.mark.parametrize(
        ("pattern", "instead", "said"),
        [
            (r'\(set-info :part "0 left[^\n]*', "", "no part of any location"),
            (r'(\(set-info :part "0\.1 [^\n]*)', r"\1\n\1", "comes twice"),
            (r'(:out "[\d.]+:) \d+', r"\1 9999", "locations"),
        ],
    )
    def test_files(self, tmp_path: Path, pattern: str, instead: str, said: str) -> None:
        text = certify_liveness(CORE, "closes", Budget()).text
        file = tmp_path / "broken.smt2"
        file.write_text(re.sub(pattern, instead, text, count=1), encoding="utf-8")
        with pytest.raises(BrokenCertificate, match=said):
            check_file(file)

    def test_a_reason_that_is_none(self, tmp_path: Path) -> None:
        """Solvers refuse a clock that is said to be late where another reason was given."""
        text = certify_liveness(CLOSE, "closes", Budget()).text
        file = tmp_path / "weaker.smt2"
        forged = re.sub(r'(:out "[\d.]+: \d+ -) starved \d+', r"\1 late -", text, count=1)
        assert forged != text
        file.write_text(forged, encoding="utf-8")
        (checked,) = check_file(file)
        assert "late query" in checked.rejection


# --- the best proof that the checker would accept --------------------------------------------------------------------


def candidates(system: TimedAutomaton, part: frozenset[Location], hops: ComponentEdges) -> Iterator[Exclusion]:
    """Every reason that anybody could give."""
    for location in part:
        others = [*range(len(tuple(system.edges(location)))), None]
        for reason, shown in product((Reason.PAST_BOUND, Reason.UNFAIR_HERE), others):
            yield Exclusion(location, None, reason, shown)
    for (location, number), edge in hops.items():
        numbers = range(max(len(tuple(system.edges(place))) for place in (location, edge.target)))
        for reason, shown in product((Reason.PAST_BOUND, Reason.UNFAIR_ALTERNATIVE, Reason.UNFAIR_ON_ENTRY), [*numbers, None]):
            yield Exclusion(location, number, reason, shown)


def forged(system: TimedAutomaton, asked: Property) -> Component | None:
    """A proof made of every reason that the checker accepts; None when none of that is enough."""
    found = liveness_certificate.steps(system)
    inside = frozenset(location for location in found if asked.name in system.pending(location))
    everything = {(place, number): edge for place in inside for number, edge in enumerate(found[place]) if edge.target in inside}
    return _forged(system, asked, inside, everything, [])


def _forged(
    system: TimedAutomaton,
    asked: Property,
    locations: frozenset[Location],
    hops: dict[tuple[Location, int], Edge],
    above: Sequence[Component],
) -> Component | None:
    def placed(part: Component) -> LivenessCertificate:
        for outer in reversed(above):
            part = replace(outer, parts=(part,))
        return LivenessCertificate(system, asked.name, asked.recurrent, part)

    alone = placed(Component(locations, (), ()))
    fitting = [one for one in candidates(system, locations, hops) if not alone.misfit(one, hops)]
    whole = placed(Component(locations, tuple(fitting), ()))
    queries = list(whole.queries())[-len(fitting) :] if fitting else []
    out = tuple(one for one, said in zip(fitting, answers(whole, queries), strict=True) if said == "unsat")
    if above and not out:
        return None
    gone, dropped = {one.location for one in out if one.step is None}, {(one.location, one.step) for one in out}
    left = locations - gone
    stay = {key: edge for key, edge in hops.items() if {key[0], edge.target} <= left and key not in dropped}
    graph = nx.DiGraph()
    graph.add_nodes_from(left)
    graph.add_edges_from((key[0], edge.target) for key, edge in stay.items())
    condensed = nx.condensation(graph)
    parts = []
    for index in nx.topological_sort(condensed):
        members = frozenset(condensed.nodes[index]["members"])
        within = {key: edge for key, edge in stay.items() if {key[0], edge.target} <= members}
        if asked.recurrent and not any(asked.name in edge.recurrent for edge in within.values()):
            parts.append(Component(members, (), (), no_recurrent_edge=True))
            continue
        inner = _forged(system, asked, members, within, [*above, Component(locations, out, ())])
        if inner is None:
            return None
        parts.append(inner)
    return Component(locations, out, tuple(parts))


def answers(whole: LivenessCertificate, queries: Sequence[certificate.Query]) -> list[str]:
    """What Z3 says to each of some queries."""
    asked = [f"(push 1){''.join(f'(assert {part})' for part in query.assertions)}(check-sat)(pop 1)" for query in queries]
    context = z3.Context()
    return str(z3.Z3_eval_smtlib2_string(context.ref(), "\n".join([*whole.head(), *asked]))).split()


@pytest.mark.parametrize("name", [*TOYS, *BROKEN])
def test_a_proof_of_all_that_is_accepted(name: str) -> None:
    """It is enough where the promise is kept, and never where it is not."""
    toy, asked = (TOYS | BROKEN)[name]
    found = forged(toy, asked)
    assert (found is not None) is (name in TOYS)
    if found is not None:
        assert faults(LivenessCertificate(toy, asked.name, asked.recurrent, found)) == ""


def test_the_letter_is_not_quiet() -> None:
    """No proof that the checker would accept says so of the standard's letter, whose lasso is C10's."""
    system = question(replace(BOTH, behaviour=LETTER)).quotient.system
    assert forged(system, PROPERTIES["quiet"]) is None
