"""Certificates for ``always`` properties: inductive invariants, checked by plain queries to Z3 and cvc5.

An invariant proves the properties if three kinds of query are unsatisfiable: an initial state outside it (*initial*),
an edge that leaves it (*step*), an edge inside it that violates a property (*safe*). The queries are built here from
the system alone. Nothing of the engine that found the invariant is read. The queries in a file are there for other
solvers, since the file is SMT-LIB 2; `difference` compares them with those that are built here.

The invariant of a location is a list of cases, for instance zones, of which one must hold on entry. A location without
a case is claimed to be unreachable.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, Protocol

from z3 import BoolRef

from timewait.checker import solvers
from timewait.checker.case_formulas import fault
from timewait.checker.finding import never
from timewait.checker.formulas import variables_of
from timewait.checker.linear import Constraint, Terms
from timewait.checker.queries import Query, command, refused
from timewait.vocabulary.automaton import Bound, Clock, ClockUpdate, Edge, Location, TimedAutomaton
from timewait.vocabulary.errors import InputError, optional_package
from timewait.vocabulary.input_files import LARGEST, read_octets
from timewait.vocabulary.untrusted import parse_json, visible

HEADER_PREFIX = "; timewait certificate "

Invariant = Mapping[Location, Sequence[str]]
"""For each location its cases, as SMT-LIB 2 over ``x0``, ``x1``... (its clocks, by position) and the parameters."""

TIMEOUT = 60_000
"""Milliseconds that a solver may spend on one query."""


class BrokenCertificate(InputError):
    """A file that is not a certificate; the message names the file and the problem."""


@dataclass(frozen=True)
class Statement:
    """What an invariant must prove.

    Attributes
    ----------
    system : TimedAutomaton
        The system.
    bad : frozenset of str
        The ``always`` properties, none of which may be violated.
    terms : mapping
        Every parameter of the system as a linear term in the symbolic ones.
    region : tuple of Constraint
        The assumptions about the symbolic parameters; that none is negative is always assumed.
    """

    system: TimedAutomaton
    bad: frozenset[str]
    terms: Mapping[str, Terms]
    region: tuple[Constraint, ...] = ()

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbolic parameters."""
        return tuple(sorted({name for term in self.terms.values() for name in term if name}))


class Certificate(Protocol):
    """A proof as queries that must all be unsatisfiable."""

    @property
    def intro(self) -> tuple[str, ...]:
        """The comments that introduce the proof in a file."""

    def mismatch(self) -> str:
        """The reason to reject the proof before any solver is asked; empty when there is none."""

    def head(self) -> list[str]:
        """The logic, declarations and assumptions."""

    def definitions(self) -> Iterator[str]:
        """The proof itself."""

    def queries(self) -> Iterator[Query]:
        """The proof obligations."""


# --- SMT-LIB -------------------------------------------------------------------------------------------------------


def numeral(value: Any) -> str:
    """An exact real number."""
    size = abs(value)
    text = f"{size.numerator}.0" if size.denominator == 1 else f"(/ {size.numerator}.0 {size.denominator}.0)"
    return text if value >= 0 else f"(- {text})"


def linear(term: Terms) -> str:
    """A linear term."""
    parts = [f"(* {numeral(factor)} {name})" if name else numeral(factor) for name, factor in sorted(term.items()) if factor]
    return parts[0] if len(parts) == 1 else f"(+ {' '.join(parts)})" if parts else "0.0"


def conjunction(parts: Sequence[str]) -> str:
    """The conjunction of some formulas."""
    return parts[0] if len(parts) == 1 else f"(and {' '.join(parts)})" if parts else "true"


def _disjunction(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"(or {' '.join(parts)})" if parts else "false"


def _applied(name: str, arguments: Sequence[str]) -> str:
    return f"({name} {' '.join(arguments)})" if arguments else name


# --- the proof obligations ---------------------------------------------------------------------------------------------------


class InvariantCertificate:
    """An inductive invariant as proof obligations.

    Parameters
    ----------
    statement : Statement
        What the invariant must prove.
    invariant : Invariant
        The invariant.
    """

    intro = (
        "; An inductive invariant, a definition for each case of each location, and three queries: initial, step, safe.",
        "; Every answer must be unsat.",
    )

    def __init__(self, statement: Statement, invariant: Invariant) -> None:
        self.statement = statement
        self.invariant = invariant
        self.system = statement.system
        self._numbers, self._edges = numbered(self.system, lambda _, location: bool(invariant.get(location)))

    def mismatch(self) -> str:
        """Nothing: the queries decide everything."""
        return ""

    def head(self) -> list[str]:
        """The logic, the variables, and the assumptions."""
        symbols = self.statement.symbols
        most = max((len(self.system.clocks(location)) for location in self._numbers), default=0)
        lines = ["(set-logic QF_LRA)", *(f"(declare-const {name} Real)" for name in symbols), "(declare-const wait Real)"]
        lines += [f"(declare-const {kind}{index} Real)" for kind in ("x", "dead") for index in range(most)]
        lines += [f"(assert (>= {name} 0.0))" for name in symbols]
        lines += [f"(assert {_compared(part)})" for part in self.statement.region]
        return lines

    def definitions(self) -> Iterator[str]:
        """A definition for each case of each location, and for their disjunction."""
        for location, number in self._numbers.items():
            clocks = self.system.clocks(location)
            arguments = " ".join(f"(x{index} Real)" for index in range(len(clocks)))
            cases = self.invariant.get(location, ())
            if cases:
                named = ", ".join(f"x{index} = {clock}" for index, clock in enumerate(clocks))
                yield f"; location {number}: {named or 'no clock matters'}"
            for index, case in enumerate(cases):
                yield f"(define-fun at{number}.{index} ({arguments}) Bool {case})"
            names = [_applied(f"at{number}.{index}", _clocks(clocks)) for index in range(len(cases))]
            yield f"(define-fun at{number} ({arguments}) Bool {_disjunction(names)})"

    def queries(self) -> Iterator[Query]:
        """Every proof obligation."""
        values, conditions = self._values(self.system.initial(), self.system.initial_updates(), ())
        yield Query("initial", "the start", [*conditions, f"(not {_applied('at0', values)})"])
        for location, edges in self._edges.items():
            number, clocks = self._numbers[location], self.system.clocks(location)
            here = _applied(f"at{number}", _clocks(clocks))
            for edge in edges:
                where, step = f"location {number}: {edge.action}", self._step(location, edge)
                if (edge.violates | edge.witnesses) & self.statement.bad:
                    yield Query("safe", where, [here, *step])
                yield Query("step", where, [here, *step, *self._target(edge, clocks)])

    def _step(self, location: Location, edge: Edge) -> list[str]:
        """A wait under the invariant of the location, then the guard."""
        clocks = self.system.clocks(location)
        positions = {clock: index for index, clock in enumerate(clocks)}
        bounds = (*self.system.invariant(location), *edge.guard)
        return ["(>= wait 0.0)", *(self._bound(bound, positions) for bound in bounds)]

    def _bound(self, bound: Bound, positions: Mapping[Clock, int]) -> str:
        relation = "=" if bound.relation == "==" else bound.relation
        return f"({relation} (+ x{positions[bound.clock]} wait) {linear(self.statement.terms[bound.parameter])})"

    def _target(self, edge: Edge, clocks: Sequence[Clock]) -> list[str]:
        """The edge leads out of the invariant."""
        values, conditions = self._values(edge.target, edge.updates, clocks)
        return [*conditions, f"(not {_applied(f'at{self._numbers[edge.target]}', values)})"]

    def _values(self, target: Location, updates: Sequence[ClockUpdate], clocks: Sequence[Clock]) -> tuple[list[str], list[str]]:
        """The values of the clocks of a target; those of inactive clocks exceed their lifetimes."""
        positions = {clock: index for index, clock in enumerate(clocks)}
        values, conditions = [], []
        for index, (clock, update) in enumerate(zip(self.system.clocks(target), updates, strict=True)):
            if update is None:
                values.append("0.0")
            elif isinstance(update, Clock):
                values.append(f"(+ x{positions[update]} wait)")
            else:
                lifetime = self.statement.terms[self.system.lifetimes[clock.role]]
                values.append(f"dead{index}")
                conditions.append(f"(> dead{index} {linear(lifetime)})")
        return values, conditions


def numbered(
    system: TimedAutomaton, expand: Callable[[int, Location], bool]
) -> tuple[dict[Location, int], dict[Location, tuple[Edge, ...]]]:
    """The numbers of the locations that edges lead to, breadth first, and the edges of those that are expanded.

    Parameters
    ----------
    system : TimedAutomaton
        The system.
    expand : callable
        Decides, from its number and the location itself, whether to follow the edges of a location.
    """
    numbers = {system.initial(): 0}
    edges: dict[Location, tuple[Edge, ...]] = {}
    waiting = [system.initial()]
    for location in waiting:
        if expand(numbers[location], location):
            edges[location] = tuple(system.edges(location))
            for edge in edges[location]:
                if edge.target not in numbers:
                    numbers[edge.target] = len(numbers)
                    waiting.append(edge.target)
    return numbers, edges


def _clocks(clocks: Sequence[Clock]) -> list[str]:
    return [f"x{index}" for index in range(len(clocks))]


def _compared(part: Constraint) -> str:
    relation = "=" if part.relation == "==" else part.relation
    return f"({relation} {linear(part.terms)} 0.0)"


def satisfiable(symbols: Sequence[str], region: Sequence[Constraint]) -> bool:
    """Whether some values, none negative, satisfy a region's constraints."""
    lines = [*(f"(declare-const {name} Real)(assert (>= {name} 0.0))" for name in symbols)]
    lines += [f"(assert {_compared(part)})" for part in region]
    answers, error = _run_cvc5("\n".join(["(set-logic QF_LRA)", *lines, "(check-sat)"]))
    return not error and answers == ["sat"]


def covered(symbols: Sequence[str], region: Sequence[Constraint], by: Sequence[Sequence[Constraint]]) -> bool:
    """Whether all values of a region, none negative, lie in one of some other regions."""
    lines = [*(f"(declare-const {name} Real)(assert (>= {name} 0.0))" for name in symbols)]
    lines += [f"(assert {_compared(part)})" for part in region]
    lines += [f"(assert (not {conjunction([_compared(part) for part in other])}))" for other in by]
    answers, error = _run_cvc5("\n".join(["(set-logic QF_LRA)", *lines, "(check-sat)"]))
    return not error and answers == ["unsat"]


# --- solvers ------------------------------------------------------------------------------------------------


def rejection(script: Certificate) -> str:
    """The reason why a proof is rejected: a mismatch in it, or a solver's answer; empty when Z3 and cvc5 accept it."""
    if mismatch := script.mismatch():
        return mismatch
    stop = Event()
    with ThreadPoolExecutor(2) as pool:
        answers = [pool.submit(rejection_by, script, stop.is_set) for rejection_by in (rejection_by_z3, rejection_by_cvc5)]
        try:
            return next(filter(None, (answer.result() for answer in answers)), "")
        finally:
            stop.set()  # an answer, or an interrupt, that came before the other solver ends


def rejection_by_z3(script: Certificate, stop: Callable[[], bool] = never) -> str:
    """The first query that Z3 does not answer with ``unsat``; empty when there is none.

    Raises
    ------
    timewait.checker.solvers.Abandoned
        It was asked to stop.
    """
    z3 = solvers.Script(TIMEOUT, stop)
    if errors := z3.printed([*script.head(), *script.definitions()]):
        return f"Z3: {errors[0]}"
    return refused(script.queries(), lambda commands: (z3.printed(commands), ""), "Z3")


def rejection_by_cvc5(script: Certificate, stop: Callable[[], bool] = never) -> str:
    """The first query that cvc5 does not answer with ``unsat``; empty when there is none.

    Raises
    ------
    timewait.checker.solvers.Abandoned
        It was asked to stop.
    """
    before = [*script.head(), *script.definitions()]
    return refused(script.queries(), lambda commands: _run_cvc5("\n".join([*before, *commands]), stop), "cvc5")


def _run_cvc5(text: str, stop: Callable[[], bool] = never) -> tuple[list[str], str]:
    """The answers of cvc5 to the queries of a text, and its first error; it stops between two commands."""
    cvc5 = optional_package("cvc5", "certificates")
    solver = cvc5.Solver()
    solver.setOption("tlimit-per", str(TIMEOUT))
    solver.setOption("incremental", "true")
    solver.setOption("simplification", "none")
    parser = cvc5.InputParser(solver)
    parser.setStringInput(cvc5.InputLanguage.SMT_LIB_2_6, text, "certificate")
    symbols = parser.getSymbolManager()
    answers: list[str] = []
    try:
        while not (command := parser.nextCommand()).isNull():
            if stop():
                raise solvers.Abandoned
            output = command.invoke(solver, symbols)
            output = (output.decode() if isinstance(output, bytes) else str(output)).strip()
            if "error" in output:
                return answers, f"cvc5: {output}"
            if command.getCommandName() == "check-sat":
                answers.append(output)
    except RuntimeError as error:
        return answers, f"cvc5: {error}"
    return answers, ""


def failed_refutation_by_cvc5(formula: BoolRef) -> str:
    """Empty when cvc5 finds a formula unsatisfiable, else its answer."""
    declared = "".join(f"(declare-const {variable} Real)\n" for variable in variables_of(formula))
    answers, error = _run_cvc5(f"(set-logic QF_LRA)\n{declared}(assert {formula.sexpr()})\n(check-sat)\n")
    if error:
        return error
    return "" if answers == ["unsat"] else f"not for all values: {answers} (cvc5)"


# --- files ---------------------------------------------------------------------------------------------------------


def as_smt2(script: Certificate, header: Mapping[str, Any]) -> str:
    """A certificate as SMT-LIB 2.

    Parameters
    ----------
    script : Certificate
        The proof.
    header : mapping
        Plain data from which the statement can be built again; it becomes the first line.
    """
    lines = [
        first_line(header),
        *script.intro,
        *script.head(),
        *script.definitions(),
    ]
    for query in script.queries():
        lines += [f"; {query.name}: {query.where}", command(query)]
    return "\n".join(lines) + "\n"


def first_line(header: Mapping[str, Any]) -> str:
    """The first line of a certificate."""
    return HEADER_PREFIX + json.dumps(dict(header), sort_keys=True)


def sections(path: Path) -> list[tuple[str, str]]:
    """The certificates in a file, each with its place in it.

    Raises
    ------
    BrokenCertificate
        The file holds no certificate.
    """
    try:
        text = read_octets(path, LARGEST).decode()
    except UnicodeDecodeError as error:
        raise BrokenCertificate(f"{path}: not a text file") from error
    except OSError as error:
        raise BrokenCertificate(f"{path}: {error.strerror}") from error
    return sections_of(text, str(path))


def sections_of(text: str, name: str) -> list[tuple[str, str]]:
    """The certificates in the text of a file of some name, as `sections`."""
    if not text.startswith(HEADER_PREFIX):
        raise BrokenCertificate(f"{name}: line 1 does not begin with {HEADER_PREFIX.strip()!r}")
    found: list[tuple[str, str]] = []
    row = 1
    for part in text[len(HEADER_PREFIX) :].split(f"\n{HEADER_PREFIX}"):
        found.append((f"{name}: line {row}", f"{HEADER_PREFIX}{part}"))
        row += part.count("\n") + 1
    return found


BETWEEN = "(reset)"
"""The line between two certificates of a file."""


def joined(texts: Sequence[str]) -> str:
    """Several certificates as one file; solvers start anew between them."""
    return f"{BETWEEN}\n".join(texts)


def header(text: str, where: str) -> dict[str, Any]:
    """The first line of a certificate, as plain data.

    Raises
    ------
    BrokenCertificate
        It is not a JSON object; the message begins with `where`.
    """
    first = text.split("\n", 1)[0]
    try:
        data = parse_json(first[len(HEADER_PREFIX) :].encode())
    except ValueError as error:
        raise BrokenCertificate(f"{where}: {error}") from error
    if not isinstance(data, dict):
        raise BrokenCertificate(f"{where}: an object is expected")
    return data


_CASE = re.compile(r"\(define-fun at([0-9]{1,9})\.([0-9]{1,9}) \(((?:\(x[0-9]{1,9} Real\) ?)*)\) Bool (.*)\)")


class Case(NamedTuple):
    """A case as a file defines it: the row, the number of its location, its place there, the clocks declared, and the formula."""

    row: int
    number: int
    place: int
    clocks: tuple[str, ...]
    body: str


def cases_in(text: str) -> Iterator[Case]:
    """The definitions of cases in a certificate, of which nothing is known but their form."""
    for row, line in enumerate(text.split("\n")):
        if line.startswith("(define-fun at") and (found := _CASE.fullmatch(line)):
            yield Case(row, int(found[1]), int(found[2]), tuple(re.findall(r"x[0-9]+", found[3])), found[4])


def read(statement: Statement, text: str, where: str) -> dict[Location, list[str]]:
    """The invariant in a certificate.

    Raises
    ------
    BrokenCertificate
        A definition is no formula of linear arithmetic over the clocks of its location and the parameters.
    """
    cases: dict[int, list[str]] = {}
    clocks: dict[int, int] = {}
    for case in cases_in(text):
        if case.place != len(cases.setdefault(case.number, [])):
            raise BrokenCertificate(f"{where} and {case.row} more: case {case.place} of location {case.number} is out of turn")
        if problem := fault(case.body, [*case.clocks, *statement.symbols]):
            raise BrokenCertificate(f"{where} and {case.row} more: {problem}")
        cases[case.number].append(case.body)
        clocks[case.number] = max(clocks.get(case.number, 0), len(case.clocks))
    if not cases:
        raise BrokenCertificate(f"{where}: no definition of any location")
    numbers, edges = numbered(statement.system, lambda number, _: number in cases)
    for location in edges:
        if clocks[numbers[location]] > (own := len(statement.system.clocks(location))):
            raise BrokenCertificate(f"{where}: location {numbers[location]} has {own} clocks, not {clocks[numbers[location]]}")
    return {location: cases[numbers[location]] for location in edges}


def difference(script: Certificate, header: Mapping[str, Any], text: str) -> str:
    """The first line, comments aside, at which a file differs from the one rebuilt from its proof; empty if none does.

    Another solver checks the queries of the file. So they must be the proof obligations of the specification.
    """
    rebuilt = iter(_commands(as_smt2(script, header)))
    lines = text.rstrip("\n").split("\n")
    if lines[-1] == BETWEEN:
        lines.pop()
    for number, line in enumerate(lines, start=1):
        if line and not line.startswith(";") and line != next(rebuilt, None):
            return f"line {number} of the certificate is not that of the specification: {visible(line[:60])}"
    missing = next(rebuilt, None)
    return "" if missing is None else f"the file lacks a proof obligation: {missing[:60]}"


def _commands(text: str) -> list[str]:
    """The lines of a file without its comments."""
    return [line for line in text.split("\n") if line and not line.startswith(";")]
