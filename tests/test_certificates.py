"""Certificates: the headline proof is accepted by everybody, and nobody accepts it with anything changed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import cvc5
import pytest
import z3

from checker import certificate
from checker.certificate import MARK, BrokenCertificate
from checker.horn import Invariant
from checker.linear import constraint
from checker.symbolic import Symbolic
from checker.verdict import Verdict
from proofs.certified import SYMBOLS, Certified, certify_file, prove_for_all
from proofs.question import question
from spec.behaviour import Arrival, Behaviour
from spec.configuration import Configuration, Scope
from spec.plain import configuration_of

STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
CORE = Configuration(
    Fraction(1), Fraction(2), (Fraction(1),), loss=1, scope=Scope.CORE, behaviour=Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
)
PROPERTIES = ("graceful", "isolation")
REGION = ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL")


@pytest.fixture(scope="module")
def proof() -> Certified:
    """The proof of C1 for the core."""
    return prove_for_all(CORE, PROPERTIES, REGION, 120)


@pytest.fixture(scope="module")
def symbolic() -> Symbolic:
    """The question it answers."""
    return question_with(REGION)


@pytest.fixture(scope="module")
def invariant(proof: Certified, symbolic: Symbolic, tmp_path_factory: pytest.TempPathFactory) -> Invariant:
    """Its invariant, read from the file."""
    return certificate.read(symbolic, stored(tmp_path_factory.mktemp("certificate"), proof.text))


def question_with(region: Sequence[str]) -> Symbolic:
    """The question in some region."""
    return Symbolic(question(CORE).folded, frozenset(PROPERTIES), SYMBOLS, [constraint(part) for part in region])


def stored(folder: Path, text: str) -> Path:
    """A file with a text in it."""
    path = folder / "proof.smt2"
    path.write_text(text, encoding="utf-8")
    return path


def about(text: str, **changed: object) -> str:
    """A certificate with something else in its first line."""
    first, rest = text.split("\n", 1)
    return f"{MARK}{json.dumps({**json.loads(first.removeprefix(MARK)), **changed}, sort_keys=True)}\n{rest}"


class TestProof:
    """As it was written."""

    def test_is_proved(self, proof: Certified, invariant: Invariant, symbolic: Symbolic) -> None:
        assert (proof.verdict, proof.reason) == (Verdict.PROVED, "")
        assert proof.locations == len(invariant) == len(symbolic.cone) == 30
        assert proof.conjuncts == sum(map(len, invariant.values())) >= 30

    def test_three_queries(self, invariant: Invariant, symbolic: Symbolic) -> None:
        queries = certificate.queries(symbolic, invariant)
        assert [query.name for query in queries] == ["initial", "step", "safe"]
        assert [bool(query.cases) for query in queries] == [True, True, True]
        for query in queries:
            solver = z3.Solver()
            solver.add(z3.Or(*query.cases))
            assert solver.check() == z3.unsat

    def test_z3_and_cvc5_accept_it(self, proof: Certified, invariant: Invariant, symbolic: Symbolic, tmp_path: Path) -> None:
        assert certificate.faults_by_z3(symbolic, invariant) == ""
        assert certificate.faults_by_cvc5(proof.text) == ""
        assert certify_file(stored(tmp_path, proof.text)) == ""

    def test_the_file_as_it_is_runs_in_cvc5(self, proof: Certified, tmp_path: Path) -> None:
        solver = cvc5.Solver()
        parser = cvc5.InputParser(solver)
        parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, str(stored(tmp_path, proof.text)))
        symbols = parser.getSymbolManager()
        said = []
        while not (command := parser.nextCommand()).isNull():
            said.append(str(command.invoke(solver, symbols)).strip())
        assert [line for line in said if line] == ["unsat", "unsat", "unsat"]

    def test_the_file_as_it_is_runs_in_z3(self, proof: Certified) -> None:
        answers = z3.Z3_eval_smtlib2_string(z3.main_ctx().ref(), proof.text)
        assert answers.split() == ["unsat", "unsat", "unsat"]

    def test_what_is_asked_between_push_and_pop_is_unsatisfiable_one_by_one(self, proof: Certified) -> None:
        """Each query by itself, with the definitions before it, read by Z3 without its commands."""
        head, *queries = proof.text.split("(push 1)")
        assert len(queries) == 3
        for query in queries:
            solver = z3.Solver()
            solver.from_string(head + query.split("(check-sat)")[0])
            assert solver.check() == z3.unsat

    def test_the_first_line_says_what_was_asked(self, proof: Certified, tmp_path: Path) -> None:
        said = certificate.about(stored(tmp_path, proof.text))
        assert configuration_of(said.pop("configuration")) == CORE
        assert said == {"properties": list(PROPERTIES), "region": list(REGION), "symbols": list(SYMBOLS)}

    def test_the_region_of_the_proof_is_needed(self) -> None:
        """A region with a counterexample in it: C2's."""
        done = prove_for_all(CORE, PROPERTIES, ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 3/2*MSL"), 120)
        assert done.verdict is Verdict.VIOLATED
        assert done.text == ""

    def test_no_time_is_no_proof(self) -> None:
        done = prove_for_all(CORE, PROPERTIES, REGION, 0.001)
        assert done.verdict is Verdict.INCONCLUSIVE
        assert done.reason
        assert done.text == ""


class TestTampered:
    """With anything changed that matters it is rejected."""

    def test_every_single_conjunct_is_needed(self, invariant: Invariant, symbolic: Symbolic) -> None:
        removed = 0
        for place, conjuncts in invariant.items():
            for conjunct in conjuncts:
                fewer = {**invariant, place: [other for other in conjuncts if other is not conjunct]}
                assert certificate.faults_by_z3(symbolic, fewer).endswith("sat (Z3)"), (place, conjunct)
                removed += 1
        assert removed == sum(map(len, invariant.values()))

    def test_cvc5_misses_one_too(self, invariant: Invariant, symbolic: Symbolic) -> None:
        """By its own search, not because it was told what Z3 found."""
        places = [place for place in sorted(invariant) if invariant[place]]
        assert len(places) >= 10
        for place in (places[0], places[-1]):
            fewer = {**invariant, place: invariant[place][1:]}
            assert certificate.faults_by_cvc5(certificate.written(symbolic, fewer, {})) in (
                "step query: sat (cvc5)",
                "safe query: sat (cvc5)",
            )

    def test_weakened(self, invariant: Invariant, symbolic: Symbolic) -> None:
        """A parameter doubled in one conjunct, wherever that says less than before."""
        weakened = 0
        for place, conjuncts in invariant.items():
            for index, conjunct in enumerate(conjuncts):
                for parameter in (symbolic.parameters[name] for name in SYMBOLS):
                    weaker = z3.substitute(conjunct, (parameter, 2 * parameter))
                    given = [symbolic.assumption, *(clock >= 0 for clock in symbolic.clocks(place))]
                    if follows(given, conjunct, weaker) and not follows(given, weaker, conjunct):
                        other = {**invariant, place: [*conjuncts[:index], weaker, *conjuncts[index + 1 :]]}
                        assert certificate.faults_by_z3(symbolic, other).endswith("sat (Z3)"), (place, conjunct, weaker)
                        weakened += 1
        assert weakened >= 10

    def test_swapped(self, invariant: Invariant, symbolic: Symbolic) -> None:
        """What is said of two locations exchanged, wherever they have the same clocks and it is not the same.

        Here and there what is said of another location happens to hold too: then cvc5 must accept it as well.
        """
        swapped = rejected = 0
        for one, other in combinations(sorted(invariant), 2):
            first, second = z3.And(*invariant[one], True), z3.And(*invariant[other], True)
            given = [symbolic.assumption]
            if symbolic.live[one] != symbolic.live[other] or (follows(given, first, second) and follows(given, second, first)):
                continue
            exchanged = {**invariant, one: invariant[other], other: invariant[one]}
            fault = certificate.faults_by_z3(symbolic, exchanged)
            if not fault:
                assert certificate.faults_by_cvc5(certificate.written(symbolic, exchanged, {})) == "", (one, other)
            swapped += 1
            rejected += fault.endswith("sat (Z3)")
        assert swapped >= 30
        assert rejected >= 0.9 * swapped

    @pytest.mark.parametrize(("weaker", "query"), [("TIME_WAIT >= 3/2*MSL", "step"), ("TIME_WAIT >= 2*MSL - 1/1000", "step")])
    def test_a_region_too_weak(self, proof: Certified, tmp_path: Path, weaker: str, query: str) -> None:
        """The invariant of one region under the name of another one."""
        path = stored(tmp_path, about(proof.text, region=[*REGION[:-1], weaker]))
        assert re.fullmatch(rf"{query} query, case \d+ of \d+: sat \(Z3\)", certify_file(path))

    def test_which_lines_of_the_region_are_needed(self, invariant: Invariant) -> None:
        """Nothing depends on MSL and RTO being more than nought: then there is but one instant, and no time to be late in."""
        needed = set()
        for left_out in REGION:
            fault = certificate.faults_by_z3(question_with([part for part in REGION if part != left_out]), invariant)
            if fault:
                needed.add(left_out)
        assert needed == {"RTO <= MSL", "TIME_WAIT >= 2*MSL"}

    def test_a_stronger_region_is_covered(self, invariant: Invariant) -> None:
        assert certificate.faults_by_z3(question_with([*REGION, "TIME_WAIT >= 3*MSL"]), invariant) == ""

    def test_a_question_that_was_not_asked(self, proof: Certified, tmp_path: Path) -> None:
        """Another loss budget has other locations."""
        said = certificate.about(stored(tmp_path, proof.text))["configuration"]
        path = stored(tmp_path, about(proof.text, configuration={**said, "loss": 2}))
        with pytest.raises(BrokenCertificate, match=r"at\d+"):
            certify_file(path)

    def test_queries_in_the_file_are_not_believed(self, proof: Certified, tmp_path: Path) -> None:
        """A file whose own queries are harmless: what they should be is known."""
        head = proof.text.split("(push 1)")[0]
        harmless = "(push 1)\n(assert false)\n(check-sat)\n(pop 1)\n" * 3
        hollow = re.sub(r"(\(define-fun at\d+ \([^\n]*\) Bool\n).*?(?=\n;|\n\(define|\Z)", r"\1  true)", head, flags=re.DOTALL)
        path = stored(tmp_path, hollow + "\n" + harmless)
        assert certificate.faults_by_cvc5(path.read_text(encoding="utf-8")) == ""
        assert "sat (Z3)" in certify_file(path)

    def test_false_everywhere_is_not_where_it_starts(self, invariant: Invariant, symbolic: Symbolic) -> None:
        nothing = {place: [z3.BoolVal(False)] for place in invariant}
        assert certificate.faults_by_z3(symbolic, nothing) == "initial query, case 1 of 1: sat (Z3)"

    def test_a_location_left_out(self, invariant: Invariant, symbolic: Symbolic) -> None:
        last = max(invariant)
        with pytest.raises(BrokenCertificate, match=rf"says nothing about location {last}$"):
            certificate.queries(symbolic, {place: parts for place, parts in invariant.items() if place != last})


def follows(given: Sequence[z3.BoolRef], premise: z3.BoolRef, conclusion: z3.BoolRef) -> bool:
    """Whether one formula follows from another."""
    solver = z3.Solver()
    solver.add(*given, premise, z3.Not(conclusion))
    return bool(solver.check() == z3.unsat)


class TestTrimmed:
    """What nothing needs is left out."""

    def test_what_is_added_is_taken_away_again(self, invariant: Invariant, symbolic: Symbolic) -> None:
        added = {place: [symbolic.parameters["MSL"] >= 0, *parts] for place, parts in invariant.items()}
        trimmed = certificate.trimmed(symbolic, added)
        assert {place: [part.sexpr() for part in parts] for place, parts in trimmed.items()} == {
            place: [part.sexpr() for part in parts] for place, parts in invariant.items()
        }

    def test_twice_changes_nothing(self, invariant: Invariant, symbolic: Symbolic) -> None:
        assert certificate.trimmed(symbolic, invariant) == invariant


def without_definition(text: str) -> str:
    """The first definition is gone."""
    return text.replace("(define-fun at0 ", "(define-fun elsewhere ", 1)


def in_another_language(text: str) -> str:
    """A definition that is no SMT-LIB."""
    return re.sub(r"(\(define-fun at1 \([^\n]*\) Bool\n)", r"\1 (frobnicate x0) ", text, count=1)


def with_another_clock(text: str) -> str:
    """A definition over a clock too many."""
    return re.sub(r"\(define-fun at1 \(", "(define-fun at1 ((y Real) ", text, count=1)


class TestBroken:
    """A file that is no certificate is said to be none, in a line that names it."""

    @pytest.mark.parametrize(
        ("spoil", "complaint"),
        [
            (lambda _: "", "line 1 does not begin with"),
            (lambda text: text.split("\n", 1)[1], "line 1 does not begin with"),
            (lambda text: "\n" + text, "line 1 does not begin with"),
            (lambda text: text.replace('"properties"', "'properties'", 1), "line 1: Expecting property name"),
            (lambda text: f"{MARK}[]\n" + text, "line 1: an object is expected"),
            (lambda text: f"{MARK}{{}}\n" + text, "line 1: 'properties'"),
            (lambda text: about(text, configuration={}), "line 1: not a configuration"),
            (lambda text: about(text, configuration=None), "line 1: not a configuration"),
            (lambda text: about(text, region=["TIME_WAIT is long"]), "line 1: "),
            (lambda text: about(text, region=[2]), "line 1: "),
            (lambda text: about(text, region=None), "line 1: "),
            (without_definition, "no definition of at0"),
            (lambda text: text[: text.index("(define-fun at1 ")], "no definition of at1"),
            (in_another_language, "at1: "),
            (with_another_clock, "at1: "),
        ],
    )
    def test_is_refused(self, proof: Certified, tmp_path: Path, spoil: object, complaint: str) -> None:
        assert callable(spoil)
        self.refused(stored(tmp_path, spoil(proof.text)), complaint)

    def test_in_the_middle_of_a_definition(self, proof: Certified, tmp_path: Path) -> None:
        self.refused(stored(tmp_path, proof.text[: proof.text.index("(define-fun at1 ") + 30]), "not closed")

    @pytest.mark.parametrize("changed", [{"symbols": [*SYMBOLS, "FOO"]}, {"region": ["FOO > 0"]}], ids=str)
    def test_a_parameter_that_nobody_knows(self, proof: Certified, tmp_path: Path, changed: dict[str, object]) -> None:
        self.refused(stored(tmp_path, about(proof.text, **changed)), "FOO")

    def test_a_division_by_nought(self, proof: Certified, tmp_path: Path) -> None:
        self.refused(stored(tmp_path, about(proof.text, region=["MSL/0 > 0"])), "line 1: ")

    def test_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "proof.smt2"
        path.write_bytes(b"\x7fELF\xff\xfe\x00\x80")
        self.refused(path, "not a text file")

    def refused(self, path: Path, complaint: str) -> None:
        """It is, in a line that names the file."""
        with pytest.raises(BrokenCertificate) as caught:
            certify_file(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert complaint in message
        assert "\n" not in message


class TestVacuous:
    """What proves nothing is no proof."""

    def test_an_empty_region(self) -> None:
        assert prove_for_all(CORE, PROPERTIES, ("MSL > 0", "MSL < 0"), 60).verdict is not Verdict.PROVED

    @pytest.mark.parametrize("properties", [(), ("gracefull",), ("closes",)])
    def test_no_property_at_all(self, properties: tuple[str, ...]) -> None:
        """None, one that nobody knows, and one that is not ``always``."""
        assert prove_for_all(CORE, properties, REGION, 60).verdict is not Verdict.PROVED

    @pytest.mark.parametrize("changed", [{"properties": []}, {"properties": "graceful"}, {"region": ["MSL < 0"]}], ids=str)
    def test_a_certificate_of_nothing(self, proof: Certified, tmp_path: Path, changed: dict[str, object]) -> None:
        try:
            assert certify_file(stored(tmp_path, about(proof.text, **changed))) != ""
        except BrokenCertificate:
            return
