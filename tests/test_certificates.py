"""Certificates: the headline proof is accepted, and rejected when anything that matters is changed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cvc5
import pytest
import z3

from timewait.checker import certificate
from timewait.checker.certificate import HEADER_PREFIX, BrokenCertificate, InvariantCertificate, Statement
from timewait.checker.linear import constraint
from timewait.checker.verdict import Verdict
from timewait.proofs.certificate_files import check_file
from timewait.proofs.certify import CertifiedProof, ClaimedProperties, prove_for_all, prove_for_all_by_horn
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.settings import Arrival, Behaviour
from timewait.vocabulary.automaton import Location

STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
CORE = Configuration(
    Fraction(1), Fraction(2), (Fraction(1),), loss=1, scope=Scope.CORE, behaviour=Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
)
PROPERTIES = ("graceful", "isolation")
REGION = ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL")
Cases = dict[Location, list[str]]

BOUND = re.compile(r"\((?:<|<=) (?:0\.0|x\d+|\(- \S+ x\d+\)) (?:0\.0|\(\* [^()]*(?:\([^()]*\))? MSL\)|\(\* \(- [^()]*\) MSL\))\)")


@pytest.fixture(scope="module")
def proof() -> CertifiedProof:
    """The proof of C1 for the core."""
    return prove_for_all(CORE, PROPERTIES, REGION)


@pytest.fixture(scope="module")
def invariant(proof: CertifiedProof) -> Cases:
    """The invariant of the proof, read from the file."""
    return certificate.read(statement(REGION), proof.text, "here")


def statement(region: Sequence[str]) -> Statement:
    """The statement of the proof for a region."""
    return ClaimedProperties(CORE, PROPERTIES, [constraint(part) for part in region], over_approximated=True).statement


def rejection(invariant: Cases, region: Sequence[str] = REGION) -> str:
    """The reason why Z3 rejects an invariant; empty when it does not."""
    return certificate.rejection_by_z3(InvariantCertificate(statement(region), invariant))


def stored(folder: Path, text: str) -> Path:
    """A file with a text in it."""
    path = folder / "proof.smt2"
    path.write_text(text, encoding="utf-8")
    return path


def rejection_of_file(path: Path) -> str:
    """The reason why the only certificate of a file is rejected."""
    (checked,) = check_file(path)
    return checked.rejection


def with_header(text: str, **changed: object) -> str:
    """A certificate with another first line."""
    first, rest = text.split("\n", 1)
    return f"{HEADER_PREFIX}{json.dumps({**json.loads(first.removeprefix(HEADER_PREFIX)), **changed}, sort_keys=True)}\n{rest}"


def bounds(text: str) -> Iterator[tuple[int, str, str]]:
    """Each bound of each case of a certificate: its line, the bound, and the file without it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if re.match(r"\(define-fun at\d+\.\d+ ", line):
            for found in BOUND.finditer(line):
                yield number, found[0], "\n".join([*lines[:number], line.replace(found[0], "true", 1), *lines[number + 1 :]])


class TestProof:
    """The proof as it was written."""

    def test_is_proved(self, proof: CertifiedProof, invariant: Cases) -> None:
        assert (proof.verdict, proof.reason) == (Verdict.PROVED, "")
        assert (proof.locations, proof.cases) == (len(invariant), sum(map(len, invariant.values()))) == (16, 17)

    def test_three_queries(self, invariant: Cases) -> None:
        assert {query.name for query in InvariantCertificate(statement(REGION), invariant).queries()} == {
            "initial",
            "step",
            "safe",
        }

    def test_z3_and_cvc5_accept_it(self, proof: CertifiedProof, invariant: Cases, tmp_path: Path) -> None:
        script = InvariantCertificate(statement(REGION), invariant)
        assert certificate.rejection_by_z3(script) == certificate.rejection_by_cvc5(script) == ""
        assert rejection_of_file(stored(tmp_path, proof.text)) == ""

    def test_the_file_runs_in_cvc5_and_in_z3(self, proof: CertifiedProof, tmp_path: Path) -> None:
        solver = cvc5.Solver()
        solver.setOption("incremental", "true")
        parser = cvc5.InputParser(solver)
        parser.setFileInput(cvc5.InputLanguage.SMT_LIB_2_6, str(stored(tmp_path, proof.text)))
        symbols = parser.getSymbolManager()
        output = []
        while not (command := parser.nextCommand()).isNull():
            output.append(str(command.invoke(solver, symbols)).strip())
        answers = [line for line in output if line]
        assert set(answers) == {"unsat"}
        assert len(answers) == proof.text.count("(check-sat)")
        context = z3.Context()
        assert z3.Z3_eval_smtlib2_string(context.ref(), proof.text).split() == answers

    def test_the_first_line_holds_the_statement(self, proof: CertifiedProof) -> None:
        header = certificate.header(proof.text, "here")
        assert configuration_from_data(header.pop("configuration")) == CORE
        assert header == {"properties": list(PROPERTIES), "region": list(REGION), "relaxed": True}

    def test_horn_clauses_prove_it_too(self) -> None:
        """Spacer does not use zones, and its invariant passes the same queries."""
        proof = prove_for_all_by_horn(CORE, PROPERTIES, REGION, 120)
        assert (proof.verdict, proof.reason) == (Verdict.PROVED, "")

    def test_no_time_is_no_proof(self) -> None:
        proof = prove_for_all_by_horn(CORE, PROPERTIES, REGION, 0.001)
        assert (proof.verdict, proof.text) == (Verdict.INCONCLUSIVE, "")
        assert proof.reason

    def test_the_region_of_the_proof_is_needed(self) -> None:
        """A region with a counterexample (C2), stated elsewhere than at its worst corner, and at it; one that lacks a corner."""
        wider = ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 3/2*MSL")
        assert prove_for_all(CORE, PROPERTIES, wider).verdict is Verdict.VIOLATED
        assert prove_for_all(CORE, PROPERTIES, (*wider[:3], "TIME_WAIT > 3/2*MSL")).verdict is Verdict.DISAGREEMENT
        assert prove_for_all(replace(CORE, time_wait=Fraction(3, 2)), PROPERTIES, wider).verdict is Verdict.VIOLATED


class TestTampered:
    """A proof with a relevant change is rejected."""

    def test_every_single_bound_is_needed(self, proof: CertifiedProof) -> None:
        removed = 0
        for number, bound, fewer in bounds(proof.text):
            cases = certificate.read(statement(REGION), fewer, "here")
            assert rejection(cases).endswith("sat (Z3)"), (number, bound)
            removed += 1
        assert removed >= 40

    def test_cvc5_rejects_it_too(self, proof: CertifiedProof) -> None:
        """CVC5 rejects it on its own, without the answer of Z3."""
        found = list(bounds(proof.text))
        for _, _, fewer in (found[0], found[-1]):
            cases = certificate.read(statement(REGION), fewer, "here")
            assert certificate.rejection_by_cvc5(InvariantCertificate(statement(REGION), cases)).endswith(" sat (cvc5)")

    def test_weakened(self, proof: CertifiedProof, tmp_path: Path) -> None:
        """An upper bound of one MSL becomes two."""
        weakened = 0
        for number, bound, _ in bounds(proof.text):
            if "(* 1.0 MSL)" in bound:
                lines = proof.text.splitlines()
                lines[number] = lines[number].replace(bound, bound.replace("1.0", "2.0"), 1)
                assert "sat (Z3)" in rejection_of_file(stored(tmp_path, "\n".join(lines))), (number, bound)
                weakened += 1
        assert weakened >= 3

    def test_a_case_dropped(self, invariant: Cases) -> None:
        dropped = 0
        for location, cases in invariant.items():
            for case in cases:
                fewer = {**invariant, location: [other for other in cases if other is not case]}
                assert rejection(fewer).endswith("sat (Z3)"), case
                dropped += 1
        assert dropped == 17

    def test_swapped(self, invariant: Cases) -> None:
        """The cases of two locations are exchanged, where they differ and the numbers of clocks are equal."""
        system = statement(REGION).system
        swapped = rejected = 0
        for one in invariant:
            for other in invariant:
                alike = len(system.clocks(one)) == len(system.clocks(other)) and invariant[one] != invariant[other]
                if one != other and alike:
                    swapped += 1
                    rejected += rejection({**invariant, one: invariant[other], other: invariant[one]}).endswith("sat (Z3)")
        assert swapped >= 10
        assert rejected >= 0.8 * swapped

    @pytest.mark.parametrize("weaker", ["TIME_WAIT >= 3/2*MSL", "TIME_WAIT >= 2*MSL - 1/1000"])
    def test_a_region_too_weak(self, proof: CertifiedProof, tmp_path: Path, weaker: str) -> None:
        """The invariant of one region, with the header of a larger one."""
        path = stored(tmp_path, with_header(proof.text, region=[*REGION[:-1], weaker]))
        assert re.fullmatch(r"step query, location \d+: .*: sat \(Z3\)", rejection_of_file(path))

    def test_the_needed_constraints_of_the_region(self, invariant: Cases) -> None:
        """The proof does not need MSL and RTO to be positive: otherwise everything happens at one instant."""
        needed = {left_out for left_out in REGION if rejection(invariant, [part for part in REGION if part != left_out])}
        assert needed == {"RTO <= MSL", "TIME_WAIT >= 2*MSL"}

    def test_a_stronger_region_is_covered(self, invariant: Cases) -> None:
        assert rejection(invariant, [*REGION, "TIME_WAIT >= 3*MSL"]) == ""

    def test_another_configuration(self, proof: CertifiedProof, tmp_path: Path) -> None:
        """Exact gaps change the edges alone: the queries in the file are not those of the header."""
        path = stored(tmp_path, self.with_setting(proof, "rto_exact", True))
        assert re.fullmatch(r"line \d+ of the certificate is not that of the specification: .*", rejection_of_file(path))

    @pytest.mark.parametrize("loss", [0, 2, 3, None])
    def test_another_loss_budget(self, proof: CertifiedProof, tmp_path: Path, loss: int | None) -> None:
        """Its locations have other numbers, and so other clocks than those of the definitions."""
        path = stored(tmp_path, self.with_setting(proof, "loss", loss))
        with pytest.raises(BrokenCertificate, match=r"location \d+ has \d clocks, not \d$"):
            check_file(path)

    def with_setting(self, proof: CertifiedProof, name: str, value: object) -> str:
        """The certificate, with another value of a setting in its header."""
        data = certificate.header(proof.text, "here")["configuration"]
        assert data[name] != value
        return with_header(proof.text, configuration={**data, name: value})

    def test_queries_in_the_file_are_not_read(self, proof: CertifiedProof, tmp_path: Path) -> None:
        """A file with trivial queries is rejected: the queries are built anew."""
        head = proof.text.split("; initial: ")[0]
        hollow = re.sub(r"(\(define-fun at\d+\.\d+ \(.*?\) Bool ).*\)$", r"\1true)", head, flags=re.MULTILINE)
        path = stored(tmp_path, hollow + "(push 1)(assert false)(check-sat)(pop 1)\n" * 3)
        assert "sat (Z3)" in rejection_of_file(path)

    def test_an_invariant_without_the_initial_state(self, invariant: Cases) -> None:
        nothing = {location: ["false"] for location in invariant}
        assert rejection(nothing) == "initial query, the start: sat (Z3)"


def without_definitions(text: str) -> str:
    """No line is a definition."""
    return text.replace("(define-fun at", "(define-fun of")


def in_another_language(text: str) -> str:
    """A definition is not SMT-LIB."""
    return re.sub(r"(\(define-fun at1\.0 \(.*?\) Bool ).*", r"\1(frobnicate x0))", text, count=1)


def with_another_clock(text: str) -> str:
    """A definition names a clock that the location does not have."""
    return re.sub(r"(\(define-fun at1\.0 \(.*?\) Bool ).*", r"\1(>= x99 0.0))", text, count=1)


def out_of_turn(text: str) -> str:
    """The first case is missing, the second is there."""
    return text.replace("(define-fun at1.0 ", "(define-fun at1.1 ", 1)


class TestBroken:
    """A malformed file is refused with one line that names it."""

    @pytest.mark.parametrize(
        ("spoil", "complaint"),
        [
            (lambda _: "", "line 1 does not begin with"),
            (lambda text: text.split("\n", 1)[1], "line 1 does not begin with"),
            (lambda text: "\n" + text, "line 1 does not begin with"),
            (lambda text: text.replace('"properties"', "'properties'", 1), "line 1: Expecting property name"),
            (lambda text: f"{HEADER_PREFIX}[]\n" + text, "line 1: an object is expected"),
            (lambda text: f"{HEADER_PREFIX}{{}}\n" + text, "line 1: the first line lacks 'configuration'"),
            (lambda text: with_header(text, properties="graceful"), "line 1: the properties"),
            (lambda text: with_header(text, configuration={}), "line 1: not a configuration"),
            (lambda text: with_header(text, configuration=None), "line 1: not a configuration"),
            (lambda text: with_header(text, region=["TIME_WAIT is long"]), "line 1: "),
            (lambda text: with_header(text, region=[2]), "line 1: "),
            (lambda text: with_header(text, region=["MSL/0 > 0"]), "line 1: "),
            (lambda text: with_header(text, region=["FOO > 0"]), "FOO"),
            (without_definitions, "no definition of any location"),
            (in_another_language, "linear arithmetic"),
            (with_another_clock, "x99"),
            (out_of_turn, "out of turn"),
        ],
    )
    def test_is_refused(self, proof: CertifiedProof, tmp_path: Path, spoil: Callable[[str], str], complaint: str) -> None:
        self.refused(stored(tmp_path, spoil(proof.text)), complaint)

    def test_cut_off(self, proof: CertifiedProof, tmp_path: Path) -> None:
        """A file that ends in the middle of a definition is rejected."""
        assert rejection_of_file(stored(tmp_path, proof.text[: proof.text.index("(define-fun at1.0 ") + 30])) != ""

    def test_no_text(self, tmp_path: Path) -> None:
        path = tmp_path / "proof.smt2"
        path.write_bytes(b"\x7fELF\xff\xfe\x00\x80")
        self.refused(path, "not a text file")

    def refused(self, path: Path, complaint: str) -> None:
        """The file is refused with one line that names it."""
        with pytest.raises(BrokenCertificate) as caught:
            check_file(path)
        message = str(caught.value)
        assert message.startswith(f"{path}: ")
        assert complaint in message
        assert "\n" not in message


class TestVacuous:
    """A vacuous proof is not a proof."""

    def test_an_empty_region(self) -> None:
        assert prove_for_all(CORE, PROPERTIES, ("MSL > 0", "MSL < 0")).verdict is Verdict.VACUOUS

    @pytest.mark.parametrize("properties", [(), ("gracefull",), ("closes",)])
    def test_no_property_at_all(self, properties: tuple[str, ...]) -> None:
        """No property, an unknown one, and one that is not ``always``."""
        assert prove_for_all(CORE, properties, REGION).verdict is Verdict.VACUOUS

    @pytest.mark.parametrize("changed", [{"properties": []}, {"region": ["MSL < 0"]}], ids=str)
    def test_a_certificate_of_nothing(self, proof: CertifiedProof, tmp_path: Path, changed: dict[str, object]) -> None:
        assert rejection_of_file(stored(tmp_path, with_header(proof.text, **changed))) != ""
