"""Exports: each format is read back, its states are counted, and its verdict is compared."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Hashable
from fractions import Fraction
from pathlib import Path

import pytest
import z3
from automata import Automaton, Edge, read_imitator, read_imitator_property, read_tchecker
from commands import run
from exports import CASES, DENSE, Case, Explored, close, toy_plan
from tla_states import Module
from toys import Place, Step, Toy, counter, fischer, lamp, letterbox, relay, window

from timewait.checker.compiled import CompiledAutomaton, CompiledLocation
from timewait.checker.explicit import Explicit
from timewait.checker.export.imitator import as_imitator, as_imitator_property
from timewait.checker.export.plan import ClockChange, ClockCopy, DurationTooLong, Plan, identifier, plan_of, sequential
from timewait.checker.export.promela import as_promela
from timewait.checker.export.smt2 import as_smt2
from timewait.checker.export.tchecker import as_tchecker
from timewait.checker.export.tla import as_tla, as_tla_configuration
from timewait.checker.finding import Budget
from timewait.checker.zones import Zones
from timewait.proofs.question import question
from timewait.spec.configuration import Scope
from timewait.spec.rules import RULES
from timewait.vocabulary.automaton import INACTIVE, ZERO, Clock

every_dense_case = pytest.mark.parametrize("name", DENSE)


def plan(case: Case) -> Plan:
    """The plan of a case with finitely many locations."""
    return plan_of(question(case.configuration).quotient, case.labels)


# --- names and order -----------------------------------------------------------------------------------------------


def test_identifiers() -> None:
    """Letters, digits and underscores, from any text."""
    assert identifier("age B FIN+ACK seq=1 ack=2") == "age_B_FIN_ACK_seq_1_ack_2"
    assert identifier("time-wait-kept") == "time_wait_kept"


def test_clocks_with_equal_names() -> None:
    """Two clocks with the same identifier get different names."""
    locations: dict[Hashable, Place] = {"here": Place(("x.+", "x.-"), ("x.+ <= HOUR",), (Step("go", "here"),))}
    clocks = toy_plan(Toy("here", locations, {"HOUR": 1})).clocks
    assert clocks == {"x": Clock("x", "+"), "x_2": Clock("x", "-")}


@pytest.mark.parametrize(
    "changes",
    [
        {"a": ClockCopy("b"), "b": ClockCopy("a")},
        {"a": ClockCopy("b"), "b": ClockCopy("c"), "c": ClockCopy("a"), "d": ClockCopy("a")},
        {"a": ClockCopy("b"), "b": ClockChange.RESET},
        {"a": ClockChange.RESET, "b": ClockCopy("a"), "c": ClockCopy("d"), "d": ClockCopy("c")},
    ],
)
def test_simultaneous_changes_as_sequential_assignments(changes: dict[str, ClockChange | ClockCopy]) -> None:
    """The effect is the same."""
    before = dict(zip("abcd", (1, 2, 3, 4), strict=True))
    now = dict(before)
    for clock, change in sequential(changes):
        now[clock] = now[change.clock] if isinstance(change, ClockCopy) else 0
    now.pop("spare", None)
    assert now == before | {
        clock: before[change.clock] if isinstance(change, ClockCopy) else 0 for clock, change in changes.items()
    }


# --- comments -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", [as_promela, as_tchecker, as_imitator, as_tla])
def test_the_head_comment(write: Callable[[Plan], str]) -> None:
    """The configuration, the properties, the meaning of the answers, the command; and every rule with its section."""
    text = write(plan(CASES["the whole close"]))
    for line in ("msl: 1", 'scope: "close"', 'restarts: ["fin", "unacceptable"]', "isolation: no segment of one incarnation"):
        assert line in text
    assert text.index("The properties:") < text.index("The meaning of the answer:") < text.index("The command:")
    assert f"fin.time-wait ({RULES['fin.time-wait'].section})" in text
    assert "incarnation.old-fin (RFC 9293 3.4.3)" in text
    assert "A TIME_WAIT (una 2, nxt 2, rcv 2), B LAST_ACK (una 1, nxt 2, rcv 2)" in text
    assert "age_B_FIN_ACK_seq_1_ack_2" in text or "age(B FIN+ACK seq=1 ack=2)" in text


def test_durations_have_names() -> None:
    """In Promela each duration is defined once."""
    text = as_promela(plan(CASES["a schedule"]))
    for line in ("#define MSL 2", "#define TIME_WAIT 5", "#define RTO_1 1", "#define RTO_2 3"):
        assert line in text.splitlines()
    assert re.findall(r"(?:<=|<|>|==) [1-9]", text.partition("active proctype")[2]) == []


def test_types_are_as_wide_as_needed() -> None:
    """A byte, a short, an int; beyond that, one clear line."""
    for msl, kind in ((254, "byte"), (255, "short"), (40_000, "int")):
        assert f"\n{kind} age_B" in as_promela(plan(Case(close(msl, 1, 1, scope=Scope.CORE), broken=True)))
    with pytest.raises(DurationTooLong, match="MSL is 3,000,000,000 times the unit of 1 s"):
        as_promela(plan(Case(close(3_000_000_000, 1, 1, scope=Scope.CORE), broken=True)))
    with pytest.raises(DurationTooLong, match="no more than 536,870,911"):
        as_tchecker(plan(Case(close(1 << 29, 1, 1, scope=Scope.CORE), broken=True)))


# --- TLA+ ----------------------------------------------------------------------------------------------------------


def weighed(name: str) -> object:
    """A case whose states are read from a module one by one: the larger ones take half a minute."""
    small = DENSE[name].configuration.scope is Scope.CORE or DENSE[name].configuration.loss in (0, None)
    return pytest.param(name, marks=() if small else pytest.mark.slow)


@pytest.mark.parametrize("name", [weighed(name) for name in DENSE])
def test_tla_has_the_same_states(name: str) -> None:
    """The module, read by a parser of TLA+ and executed, has the same states and violates the same properties."""
    explored = Explored(DENSE[name])
    written = plan(DENSE[name])
    states, violated = Module(as_tla(written), as_tla_configuration(written)).explore()
    assert states == len(explored.engine.nodes)
    assert violated == {identifier(one) for one in set(DENSE[name].asked) & explored.engine.broken.keys()}


@pytest.mark.parametrize(
    ("toy", "asked"),
    [(lamp(), "never"), (counter(3), "overflow"), (fischer(1, 1), "exclusion"), (relay(), "never"), (letterbox(2, 1), "fresh")],
)
def test_tla_of_toys(toy: Toy, asked: str) -> None:
    """Clocks that change names, and one that is expired at the start."""
    engine = Explicit(CompiledAutomaton(toy))
    engine.explore(Budget())
    written = toy_plan(toy, asked)
    states, violated = Module(as_tla(written), as_tla_configuration(written)).explore()
    assert states == len(engine.nodes)
    assert violated == {asked} & engine.broken.keys()


# --- timed automata ------------------------------------------------------------------------------------------------


def compiled_edge_by_edge(case: Case) -> tuple[CompiledLocation, ...]:
    """The quotient of a case, compiled edge by edge from the specification, not from the table of edges."""
    return CompiledAutomaton(question(case.configuration).quotient.system).explore()


def expected(case: Case, limit: Callable[[str], str], idle: bool) -> tuple[Automaton, Plan]:
    """The automaton of a case, straight from the specification; `idle` (inactive) clocks are set to zero or left alone."""
    written = plan(case)
    names = {clock: name for name, clock in written.clocks.items()}
    locations = compiled_edge_by_edge(case)
    automaton = Automaton([*names.values()])
    for number, location in enumerate(locations):
        source = written.locations[number].name
        automaton.invariants[source] = frozenset(
            f"{names[location.clocks[test.clock]]}{test.relation}{limit(test.parameter)}" for test in location.invariant
        )
        for edge in location.edges:
            guard = frozenset(f"{names[bound.clock]}{bound.relation}{limit(bound.parameter)}" for bound in edge.original.guard)
            sets = {}
            for clock, origin in zip(locations[edge.target].clocks, edge.original.updates, strict=True):
                assert origin in (None, INACTIVE, clock)
                if origin != clock:
                    sets[names[clock]] = f"{limit('MSL')}+1" if origin == INACTIVE else "0"
            if idle:
                sets |= {names[clock]: "0" for clock in location.clocks if clock not in locations[edge.target].clocks}
            target = written.locations[edge.target].name
            event = identifier(str(edge.original.action))
            automaton.edges.append(Edge(source, target, event, guard, frozenset(sets.items())))
    return automaton, written


def doubled(edges: list[Edge], case: Case, targets: dict[str, str]) -> list[Edge]:
    """The edges, and for each violated property one more to the location of that property."""
    compiled = [edge for location in compiled_edge_by_edge(case) for edge in location.edges]
    more = []
    for edge, source in zip(edges, compiled, strict=True):
        broken = {targets[name] for name in source.original.violates if name in targets}
        more += [edge, *(edge._replace(target=target, sets=frozenset()) for target in broken)]
    return more


@every_dense_case
def test_tchecker_reads_the_automaton(name: str) -> None:
    """The file holds every location, invariant, edge, guard and assignment, and nothing else."""
    case = DENSE[name]
    units = {ZERO: "0", **{name: str(count) for name, count in plan(case).ticks.items()}}
    automaton, written = expected(case, units.__getitem__, idle=False)
    read = read_tchecker(as_tchecker(written))
    expired = str(int(units["MSL"]) + 1)
    edges = [
        edge._replace(sets=frozenset((clock, value.replace(f"{units['MSL']}+1", expired)) for clock, value in edge.sets))
        for edge in automaton.edges
    ]
    targets = {one: f"broken_{identifier(one)}" for one in case.asked}
    assert sorted(map(_sortable, read.edges)) == sorted(map(_sortable, doubled(edges, case, targets)))
    assert read.invariants == automaton.invariants | dict.fromkeys(targets.values(), frozenset())
    assert read.labels == {targets[one]: identifier(one) for one in case.asked}
    assert (read.initial, read.clocks) == (written.locations[0].name, automaton.clocks)


@every_dense_case
def test_imitator_reads_the_automaton(name: str) -> None:
    """The same, with durations by their names."""
    case = DENSE[name]
    automaton, written = expected(case, lambda parameter: parameter, idle=True)
    read = read_imitator(as_imitator(written))

    def normal(edge: Edge) -> Edge:
        return edge._replace(
            guard=frozenset(bound.replace("==", "=") for bound in edge.guard),
            sets=frozenset((clock, value.replace(" ", "")) for clock, value in edge.sets),
        )

    edges = doubled(automaton.edges, case, dict.fromkeys(case.asked, "broken"))
    assert sorted(_sortable(normal(edge)) for edge in read.edges) == sorted(_sortable(normal(edge)) for edge in edges)
    assert read.invariants == automaton.invariants | {"broken": frozenset()}
    assert set(read.start.values()) == {"0"}
    assert read_imitator_property(as_imitator_property(written)) == ("timed_system", "broken")


def _sortable(edge: Edge) -> tuple[object, ...]:
    return (edge.source, edge.target, edge.event, sorted(edge.guard), sorted(edge.sets))


def test_a_clock_expired_at_the_start() -> None:
    """A letter that was never posted cannot be read: TChecker sets its age by a first edge, IMITATOR initially."""
    written = toy_plan(letterbox(2, 1), "fresh")
    read = read_tchecker(as_tchecker(written))
    assert read.initial == "beginning"
    assert [edge.sets for edge in read.edges if edge.source == "beginning"] == [frozenset({("age", "3")})]
    assert read_imitator(as_imitator(written)).start == {"age": "LIFE + 1", "shut": "0"}


def test_clocks_that_change_names() -> None:
    """A clock takes over another one's value."""
    written = toy_plan(relay(), "never")
    assert {("x", "y+0")} in [set(edge.sets) for edge in read_tchecker(as_tchecker(written)).edges]
    assert any(("x", "y") in edge.sets for edge in read_imitator(as_imitator(written)).edges)


TCHECKER = shutil.which("tck-reach")
IMITATOR = shutil.which("imitator")
TLC = shutil.which("tlc")


@pytest.mark.skipif(TCHECKER is None, reason="no tck-reach on the path")
@every_dense_case
def test_tchecker_agrees(name: str, tmp_path: Path) -> None:
    """The real TChecker gives the verdicts of our zones, property by property."""
    case = DENSE[name]
    zones = Zones(question(case.configuration).quotient)
    zones.explore(Budget())
    file = tmp_path / "model.tck"
    file.write_text(as_tchecker(plan(case)))
    for asked in case.asked:
        command = [str(TCHECKER), "-a", "covreach", "-l", identifier(asked), str(file)]
        output = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
        assert f"REACHABLE {'true' if asked in zones.broken else 'false'}" in output


@pytest.mark.skipif(IMITATOR is None, reason="no imitator on the path")
@pytest.mark.parametrize("name", ["2 MSL", "less than 2 MSL"])
def test_imitator_agrees(name: str, tmp_path: Path) -> None:
    """The real IMITATOR, with the durations fixed."""
    written = plan(DENSE[name])
    model = as_imitator(written).replace("(* this configuration: uncomment some or all of these", "")
    (tmp_path / "model.imi").write_text(re.sub(r"\n    \*\)\n  ;", "\n  ;", model))
    (tmp_path / "model.imiprop").write_text(as_imitator_property(written))
    command = [str(IMITATOR), "model.imi", "model.imiprop", "-output-prefix", "answer"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=300)
    constraint = (tmp_path / "answer.res").read_text().partition("BEGIN CONSTRAINT")[2].partition("END CONSTRAINT")[0]
    assert ("False" in constraint) == DENSE[name].broken


@pytest.mark.skipif(TLC is None, reason="no tlc on the path")
@pytest.mark.parametrize("name", ["2 MSL", "less than 2 MSL", "the whole close"])
def test_tlc_agrees(name: str, tmp_path: Path) -> None:
    """The real TLC: the same verdict, and without a violation the same number of states."""
    explored, written = Explored(DENSE[name]), plan(DENSE[name])
    (tmp_path / "model.tla").write_text(as_tla(written))
    (tmp_path / "model.cfg").write_text(as_tla_configuration(written))
    command = [str(TLC), "-config", "model.cfg", "model.tla"]
    output = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300).stdout
    assert ("is violated" in output) == explored.broken
    if not explored.broken:
        assert f"{len(explored.engine.nodes)} distinct states found" in output


# --- Horn clauses --------------------------------------------------------------------------------------------------

QUICK = ("2 MSL", "less than 2 MSL", "the old duplicate alone", "the last acknowledgement alone", "a FIN restarts nothing")


def horn(text: str) -> z3.CheckSatResult:
    """Z3's answer to a file."""
    solver = z3.SolverFor("HORN")
    solver.set("timeout", 120_000)
    solver.from_string(text)
    return solver.check()


@pytest.mark.parametrize("name", QUICK)
def test_horn_clauses_are_decided(name: str) -> None:
    """Satisfiable if and only if no property is violated, as the head comment says."""
    case = DENSE[name]
    text = as_smt2(plan(case))
    assert horn(text) == (z3.unsat if case.broken else z3.sat)
    assert "; " + "sat: predicates exist that fulfil every clause" in text.replace(";   ", "; ")


@pytest.mark.parametrize(
    ("toy", "asked", "safe"),
    [
        (window(">", 2, 2), "safe", True),
        (window(">=", 2, 2), "safe", False),
        (window("==", Fraction(5, 2), 3), "safe", False),
        (letterbox(2, 2), "fresh", True),
        (letterbox(2, 1), "fresh", False),
        (fischer(1, 1), "exclusion", True),
        (fischer(1, 1, ">="), "exclusion", False),
        (lamp(), "never", True),
    ],
)
def test_horn_clauses_of_toys(toy: Toy, asked: str, safe: bool) -> None:
    """Strict and other bounds, fractions, a clock that is expired at the start, and no edge that violates a property."""
    assert horn(as_smt2(toy_plan(toy, asked))) == (z3.sat if safe else z3.unsat)


# --- the command ---------------------------------------------------------------------------------------------------

ASKED = ("--msl", "30s", "--rto", "30s", "--time-wait", "60s", "--scope", "core")


@pytest.mark.parametrize(
    ("form", "files"),
    [
        ("promela", ["close.pml"]),
        ("tchecker", ["close.tck"]),
        ("tla", ["close.cfg", "close.tla"]),
        ("imitator", ["close.imi", "close.imiprop"]),
        ("smt2", ["close.smt2"]),
    ],
)
def test_files(form: str, files: list[str], capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Each format writes its files and no others; the command in the head comment names them."""
    code, out, err = run(capsys, "export", "--to", form, *ASKED, "--out", str(tmp_path / files[-1 if form == "tla" else 0]))
    assert (code, err) == (0, "")
    assert "19 locations, 64 edges, 7 clocks" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == files
    text = (tmp_path / files[-1 if form == "tla" else 0]).read_text()
    assert all(name in text.partition("The command:")[2] for name in files)
    assert 'scope: "core"' in text


def test_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """Without --out the text is printed, or an object with it."""
    code, out, _ = run(capsys, "export", "--to", "smt2", *ASKED, "--property", "graceful")
    assert code == 0
    assert out.endswith("(check-sat)\n")
    assert "isolation" not in out
    code, out, _ = run(capsys, "export", "--to", "tchecker", *ASKED, "--json")
    data = json.loads(out)
    assert (code, data["locations"], data["properties"]) == (0, 19, ["graceful", "isolation", "fin-restarts"])
    assert read_tchecker(data["text"]).initial == "L0_FIN_WAIT_2_CLOSE_WAIT"


def test_counted_copies(capsys: pytest.CaptureFixture[str]) -> None:
    """Where copies are counted, SPIN gets an exploration in ticks."""
    code, out, _ = run(capsys, "export", "--to", "promela", *ASKED, "--duplication", "0")
    assert code == 0
    assert "unforeseen:" in out


def test_both_files_or_none(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Where the second file cannot be written, the first is not there either."""
    (tmp_path / "close.cfg").mkdir()
    code, _, err = run(capsys, "export", "--to", "tla", *ASKED, "--out", str(tmp_path / "close.tla"))
    assert code == 2
    assert "cannot write" in err
    assert "close.cfg" in err
    assert [path.name for path in tmp_path.iterdir()] == ["close.cfg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "uppaal"), "uppaal"),
        (("--to", "tla"), "give --out NAME.tla"),
        (("--to", "tla", "--out", "close.txt"), "close.tla"),
        (("--to", "imitator", "--out", "close.imiprop"), "ends in .imi"),
        (("--to", "promela", "--out", "a b.pml"), "file name of letters"),
        (("--to", "promela", "--property", "closes"), "'closes' is a liveness property"),
        (("--to", "tchecker", "--duplication", "0"), "use --to promela"),
        (("--to", "promela", "--duplication", "0", "--scope", "close", "--max-states", "999"), "raise --max-states"),
        (("--to", "promela", "--host", "--stack", "linux"), "exclude"),
        (("--to", "tchecker", "--msl", "1000000s", "--rto", "1us"), "no more than"),
        (("--to", "smt2", "--out", "nowhere/close.smt2"), "cannot write"),
        ((), "--to"),
    ],
)
def test_usage(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear line, exit code 2, and no file."""
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, "export", *ASKED, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
