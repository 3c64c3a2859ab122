"""Certificates: inductive invariants that anybody can check again.

An invariant is believed when three plain queries are unsatisfiable: a start outside it (*initial*), a step
that leaves it (*step*), a bad step inside it (*safe*). They are built anew from the specification each
time; of a file only the invariant itself is read, so a file cannot vouch for itself. The file is SMT-LIB 2
with the three queries in it, for any solver.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cvc5
import z3

from checker.horn import Invariant, conjuncts
from checker.symbolic import Symbolic

MARK = "; timewait certificate "


class BrokenCertificate(ValueError):
    """A file that is no certificate; the message says what is wrong."""


@dataclass(frozen=True)
class Query:
    """One of the three queries, as a list of cases: each must be unsatisfiable."""

    name: str
    cases: list[z3.BoolRef]


def queries(symbolic: Symbolic, invariant: Invariant) -> tuple[Query, Query, Query]:
    """The three queries of an invariant.

    Raises
    ------
    BrokenCertificate
        A location of the cone has no entry.
    """
    missing = sorted(symbolic.cone - set(invariant))
    if missing:
        raise BrokenCertificate(f"the invariant says nothing about location {missing[0]}")
    initial, steps, safe = [], [], []
    if symbolic.table.start in symbolic.cone:
        values, condition = symbolic.start
        initial.append(z3.And(condition, z3.Not(_at(symbolic, invariant, symbolic.table.start, values))))
    for place in sorted(symbolic.cone):
        here = z3.And(symbolic.assumption, *invariant[place])
        for step in symbolic.transitions(place):
            if step.target is None:
                safe.append(z3.And(here, step.formula))
            else:
                there = _at(symbolic, invariant, step.target, step.values)
                if not z3.is_true(there):
                    steps.append(z3.And(here, step.formula, z3.Not(there)))
    return Query("initial", initial), Query("step", steps), Query("safe", safe)


def _at(symbolic: Symbolic, invariant: Invariant, place: int, values: list[z3.ArithRef]) -> z3.BoolRef:
    """The invariant of a location for given values of its clocks."""
    if not invariant[place]:
        return z3.BoolVal(True)
    pairs = list(zip(symbolic.clocks(place), values, strict=True))
    return z3.substitute(z3.And(*invariant[place]), *pairs) if pairs else z3.And(*invariant[place])


def faults_by_z3(symbolic: Symbolic, invariant: Invariant) -> str:
    """What Z3 finds wrong with an invariant by plain queries; empty when nothing is."""
    solver = z3.SolverFor("QF_LRA")
    for query in queries(symbolic, invariant):
        for number, case in enumerate(query.cases, start=1):
            solver.push()
            solver.add(case)
            answer = solver.check()
            solver.pop()
            if answer != z3.unsat:
                return f"{query.name} query, case {number} of {len(query.cases)}: {answer} (Z3)"
    return ""


def faults_by_cvc5(text: str) -> str:
    """What cvc5 finds wrong with a certificate's three queries; empty when nothing is.

    Parameters
    ----------
    text : str
        SMT-LIB 2, as `written` gives it.
    """
    answers, error = _run_cvc5(text)
    if error:
        return error
    if len(answers) != 3:
        return f"cvc5 answered {len(answers)} queries, not 3"
    for name, answer in zip(("initial", "step", "safe"), answers, strict=True):
        if answer != "unsat":
            return f"{name} query: {answer} (cvc5)"
    return ""


def _run_cvc5(text: str) -> tuple[list[str], str]:
    """What cvc5 answers to the queries of a text, and its first error."""
    solver = cvc5.Solver()
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "certificate")
    symbols = parser.getSymbolManager()
    answers: list[str] = []
    try:
        while not (command := parser.nextCommand()).isNull():
            said = command.invoke(solver, symbols)
            said = (said.decode() if isinstance(said, bytes) else str(said)).strip()
            if "error" in said:
                return answers, f"cvc5: {said}"
            if command.getCommandName() == "check-sat":
                answers.append(said)
    except RuntimeError as error:
        return answers, f"cvc5: {error}"
    return answers, ""


def disproved_by_cvc5(formula: z3.BoolRef) -> str:
    """An empty string when cvc5 finds a formula unsatisfiable, else what it says."""
    declared = "".join(f"(declare-const {variable} Real)\n" for variable in _free(formula))
    answers, error = _run_cvc5(f"(set-logic QF_LRA)\n{declared}(assert {formula.sexpr()})\n(check-sat)\n")
    if error:
        return error
    return "" if answers == ["unsat"] else f"not for all values: {answers} (cvc5)"


def trimmed(symbolic: Symbolic, invariant: Invariant) -> Invariant:
    """The invariant without conjuncts that nothing needs: afterwards the removal of any one is noticed.

    To drop a conjunct weakens what may be assumed in its location, so only the steps out of it, and the
    bad steps there, are looked at again.
    """
    kept = {place: list(conjuncts) for place, conjuncts in invariant.items()}
    out: dict[int, list[Any]] = {place: list(symbolic.transitions(place)) for place in symbolic.cone}
    solver = z3.SolverFor("QF_LRA")

    def still_holds(place: int, conjuncts: list[z3.BoolRef]) -> bool:
        trial = {**kept, place: conjuncts}
        here = z3.And(symbolic.assumption, *conjuncts)
        for step in out[place]:
            solver.push()
            solver.add(here, step.formula)
            if step.target is not None:
                solver.add(z3.Not(_at(symbolic, trial, step.target, step.values)))
            answer = solver.check()
            solver.pop()
            if answer != z3.unsat:
                return False
        return True

    changed = True
    while changed:
        changed = False
        for place in sorted(kept):
            for conjunct in list(kept[place]):
                rest = [other for other in kept[place] if other is not conjunct]
                if still_holds(place, rest):
                    kept[place] = rest
                    changed = True
    return kept


# --- files ---------------------------------------------------------------------------------------------------------


def written(symbolic: Symbolic, invariant: Invariant, about: Mapping[str, Any]) -> str:
    """A certificate as SMT-LIB 2.

    Parameters
    ----------
    symbolic : Symbolic
        The question.
    invariant : Invariant
        The answer.
    about : mapping
        Plain data from which the question can be built again; it becomes the first line.
    """
    lines = [
        MARK + json.dumps(dict(about), sort_keys=True),
        "; An inductive invariant, one definition per location, and three queries; each must be unsat.",
        "(set-logic QF_LRA)",
    ]
    lines += [f"(declare-const {name} Real)" for name in symbolic.symbols]
    for place in sorted(invariant):
        room = symbolic.rooms[place]
        named = ", ".join(f"x{clock} = {room.clocks[clock]}" for clock in symbolic.live[place])
        arguments = " ".join(f"(x{clock} Real)" for clock in symbolic.live[place])
        lines.append(f"; location {place}: {named or 'no clock matters'}")
        parts = [part.sexpr().replace("\n", " ") for part in invariant[place]] or ["true"]
        body = "(and\n    " + "\n    ".join(parts) + ")" if len(parts) > 1 else parts[0]
        lines.append(f"(define-fun at{place} ({arguments}) Bool\n  {body})")
    for query in queries(symbolic, invariant):
        lines.append(f"; {query.name}: {len(query.cases)} cases")
        lines.append("(push 1)")
        free = sorted({str(variable) for case in query.cases for variable in _free(case)} - set(symbolic.symbols))
        lines += [f"(declare-const {name} Real)" for name in free]
        body = "\n  ".join(case.sexpr() for case in query.cases)
        lines.append(f"(assert (or false\n  {body}))")
        lines += ["(check-sat)", "(pop 1)"]
    return "\n".join(lines) + "\n"


def _free(formula: z3.ExprRef) -> Iterator[z3.ExprRef]:
    yield from z3.z3util.get_vars(formula)


def about(path: Path) -> dict[str, Any]:
    """What a certificate says it is about: its first line.

    Raises
    ------
    BrokenCertificate
        The file is no certificate.
    """
    try:
        first = path.read_text(encoding="utf-8").split("\n", 1)[0]
    except UnicodeDecodeError as error:
        raise BrokenCertificate(f"{path}: not a text file") from error
    if not first.startswith(MARK):
        raise BrokenCertificate(f"{path}: line 1 does not begin with {MARK.strip()!r}")
    try:
        said = json.loads(first[len(MARK) :])
    except json.JSONDecodeError as error:
        raise BrokenCertificate(f"{path}: line 1: {error}") from error
    if not isinstance(said, dict):
        raise BrokenCertificate(f"{path}: line 1: an object is expected")
    return said


def read(symbolic: Symbolic, path: Path) -> Invariant:
    """The invariant in a certificate; everything else in the file is passed over.

    Raises
    ------
    BrokenCertificate
        The definitions are not those of the question's locations, or not SMT-LIB.
    """
    text = "\n".join(line.partition(";")[0] for line in path.read_text(encoding="utf-8").splitlines())
    header = "".join(f"(declare-const {name} Real)" for name in symbolic.symbols)
    invariant: Invariant = {}
    for place in sorted(symbolic.cone):
        begin = text.find(f"(define-fun at{place} ")
        if begin < 0:
            raise BrokenCertificate(f"{path}: no definition of at{place}")
        end = _closing(text, begin)
        if end is None:
            raise BrokenCertificate(f"{path}: the definition of at{place} is not closed")
        definition = text[begin:end]
        arguments = " ".join(str(clock) for clock in symbolic.clocks(place))
        declared = "".join(f"(declare-const {clock} Real)" for clock in symbolic.clocks(place))
        use = f"(at{place} {arguments})" if arguments else f"at{place}"
        try:
            parsed = z3.parse_smt2_string(f"{header}{definition}{declared}(assert {use})")
        except z3.Z3Exception as error:
            raise BrokenCertificate(f"{path}: at{place}: {error}") from error
        if len(parsed) != 1:
            raise BrokenCertificate(f"{path}: at{place} is more than one definition")
        allowed = {*symbolic.symbols, *map(str, symbolic.clocks(place))}
        foreign = sorted({str(variable) for variable in _free(parsed[0])} - allowed)
        if foreign:
            raise BrokenCertificate(f"{path}: at{place} speaks of {foreign[0]}, which is none of its clocks")
        invariant[place] = conjuncts(parsed[0])
    return invariant


def _closing(text: str, begin: int) -> int | None:
    """Where the list that begins somewhere ends; None when it does not."""
    depth = 0
    for position in range(begin, len(text)):
        depth += (text[position] == "(") - (text[position] == ")")
        if depth == 0:
            return position + 1
    return None
