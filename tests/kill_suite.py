"""The kill suite, which must detect every mutant of the specification.

It consists of tests of single events, the verdicts of small configurations, a replay of every run found, the verdicts of the
oracle, and the exact size of every exploration.
"""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from types import ModuleType
from typing import Any, NamedTuple

from kill_cases import GRAPH, LASSOS, TICKS, ZONES, Answer, Case, cases, drawn, opening_cases
from mutants import BESIDE, COMPOSED, ENDPOINT, ENDPOINT_TESTS, OPENING, OPENING_TESTS


class Killed(Exception):
    """The kill suite detected the mutant; `kind` names the kind of evidence."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(kind, detail)
        self.kind, self.detail = kind, detail


def answer(case: Case, known: Answer | None, states: int = 100_000) -> Answer:
    """The answers of the engines about a case; a run that cannot be replayed kills at once.

    With `known`, an exploration stops if it is much larger than recorded; otherwise at a number of states.
    """
    from timewait.checker.compiled import CompiledAutomaton
    from timewait.checker.explicit import Explicit
    from timewait.checker.finding import Budget
    from timewait.checker.lasso import find_lasso
    from timewait.checker.quotient import Quotient
    from timewait.checker.structural import proof_of
    from timewait.checker.zones import Zones

    asked = importlib.import_module("timewait.spec.properties").PROPERTIES
    always = [entry.name for entry in asked.values() if entry.kind == "always"]
    promises = [entry for entry in asked.values() if entry.kind == "eventually"]
    system = importlib.import_module("timewait.spec.handshake").compose(case.configuration)
    described: Answer = {}
    sizes = known["sizes"] if known else {}
    if TICKS in case.engines:
        explored = Explicit(CompiledAutomaton(system))
        explored.explore(Budget(_bound(sizes.get("states"), states)))
        described["ticks break"] = sorted(explored.broken)
        described["ticks vacuous"] = _vacuous(always, explored) or (["time stops"] if explored.time_locked else [])
        _bounded(case, explored.stopped, described, known)
        for name, where in sorted(explored.broken.items()):
            _carried_out(case, explored.run_to(*where), asked[name])
        described["rules"] = sorted(explored.witnessed)
        described["sizes"] = {"states": len(explored.nodes), "transitions": explored.transitions}
        if LASSOS in case.engines:
            described["ticks never keep"] = []
            for entry in promises:
                lasso = find_lasso(explored, entry)
                if lasso is not None:
                    _carried_out(case, lasso, entry)
                    described["ticks never keep"].append(entry.name)
    if ZONES in case.engines:
        table = CompiledAutomaton(Quotient(system))
        locations = len(table.explore())
        if known and locations > 2 * sizes["locations"]:
            raise Killed("bound", f"{case.label}: {locations} locations, not {sizes['locations']}")
        zones = Zones(table)
        zones.explore(Budget(_bound(sizes.get("zones"), states)))
        described["zones break"] = sorted(zones.broken)
        described["zones vacuous"] = _vacuous(always, zones)
        _bounded(case, zones.stopped, described, known)
        for name, where in sorted(zones.broken.items()):
            _carried_out(case, zones.run_to(*where), asked[name])
        described["sizes"] = described.get("sizes", {}) | {
            "zones": len(zones),
            "crossings": zones.transitions,
            "locations": len(table),
        }
        described |= _relaxed(case, described["sizes"])
        if GRAPH in case.engines:
            described["graph keeps"] = [entry.name for entry in promises if proof_of(table, entry) is not None]
    if not system.dense:
        described["relaxed"] = _refused(case.configuration)
    return described


def _refused(configuration: Any) -> str:
    """The reason why there is no over-approximation."""
    relaxation = importlib.import_module("timewait.spec.over_approximation")
    try:
        relaxation.OverApproximation(configuration, relaxation.one_per_effect)
    except ValueError as refused:
        return str(refused)
    return ""


def _relaxed(case: Case, sizes: dict[str, int]) -> Answer:
    """The broken properties of the over-approximation, and the time-locks with each obligation alone; sizes are added."""
    from timewait.checker.compiled import CompiledAutomaton
    from timewait.checker.explicit import Explicit
    from timewait.checker.finding import Budget
    from timewait.checker.quotient import Quotient
    from timewait.checker.timelock import time_locks
    from timewait.checker.zones import Zones

    relaxation = importlib.import_module("timewait.spec.over_approximation")
    relaxed = relaxation.OverApproximation(case.configuration, relaxation.one_per_effect)
    if TICKS in case.engines:
        explored = Explicit(CompiledAutomaton(relaxed))
        explored.explore(Budget(states=50_000))
        sizes["relaxed states"] = len(explored.nodes)
    zones = Zones(CompiledAutomaton(Quotient(relaxed)))
    zones.explore(Budget())
    obliged_approximation = CompiledAutomaton(
        Quotient(relaxation.OverApproximation(case.configuration, relaxation.one_at_a_time))
    )
    sizes |= {
        "relaxed zones": len(zones),
        "relaxed crossings": zones.transitions,
        "obliged": len(obliged_approximation.explore()),
    }
    return {"relaxed breaks": sorted(zones.broken), "obliged stuck": len(time_locks(obliged_approximation))}


def _bound(known: int | None, otherwise: int) -> int:
    return otherwise if known is None else 5 * known + 2000


def _vacuous(always: list[str], explored: Any) -> list[str]:
    """The unbroken properties that lack a witness."""
    witnesses = importlib.import_module("timewait.spec.properties").WITNESSES
    return [name for name in always if name not in explored.broken and not set(witnesses[name]) <= explored.witnessed.keys()]


def _bounded(case: Case, stopped: str, described: Answer, known: Answer | None) -> None:
    """An exploration that was stopped kills: by what is broken beside what should be, else by its size."""
    if stopped:
        for key in (key for key in described if key.endswith("break")):
            if known and set(described[key]) - set(known[key]):
                raise Killed("verdict", f"{case.label}: {key} {described[key]}, not {known[key]}")
        raise Killed("bound", f"{case.label}: {stopped}")


def _carried_out(case: Case, run: Any, asked: Any) -> None:
    from timewait.checker.replay import Rejected, replay

    reference = importlib.import_module("timewait.spec.reference")
    if run is None:
        raise Killed("replay", f"{case.label}: no delays for the run that breaks {asked.name}")
    try:
        replay(reference.initial_state(case.configuration), run, asked)
    except Rejected as rejected:
        raise Killed("replay", f"{case.label}: the run that breaks {asked.name} is rejected: {rejected}") from rejected


def kill_suite(path: str, expected: dict[str, Any]) -> None:
    """Compare every answer of the imported specification with the recorded one; a difference raises `Killed`.

    Parameters
    ----------
    path : str
        The changed module, or an empty string; checks that cannot depend on it are left out.
    expected : dict
        The recorded answers.
    """
    for module, tests in BESIDE.items():
        if path in ("", module):
            _run_tests(tests)
    if path in ("", *OPENING):
        _opening_suite(path, expected)
    if path not in (*OPENING, *BESIDE):
        _closing_suite(path, expected)


def _opening_suite(path: str, expected: dict[str, Any]) -> None:
    """What the next incarnation matters to: single events, and runs, which come first where the composition is changed."""
    if path != COMPOSED:
        _run_tests(*OPENING_TESTS)
    for case in opening_cases():
        known = expected["answers"][case.label]
        _compare_verdicts(case, described := _answered(case, known), known)
        _compare({case.label: described}, {case.label: known})
    if path == COMPOSED:
        _run_tests(*OPENING_TESTS)


def _closing_suite(path: str, expected: dict[str, Any]) -> None:
    """What the close alone matters to; the sizes of explorations are compared last."""
    endpoint = path in ("", *ENDPOINT)
    if endpoint:
        _run_tests(*ENDPOINT_TESTS)
    answers: dict[str, Answer] = {}
    for case in itertools.chain(cases(), drawn(expected["drawn"])):
        known = expected["answers"][case.label]
        answers[case.label] = described = _answered(case, known)
        _compare_verdicts(case, described, known)
    if endpoint:
        _oracle(expected)
        _run_tests(*ENDPOINT_TESTS, drawn_values=True)
    _check_facts()
    _compare(answers, expected["answers"])


def _answered(case: Case, known: Answer) -> Answer:
    """The answers about a case; an exception other than `Killed` kills."""
    try:
        return answer(case, known)
    except Killed:
        raise
    except Exception as problem:
        raise Killed("error", f"{case.label}: {problem!r}") from problem


def _compare_verdicts(case: Case, described: Answer, known: Answer) -> None:
    for key in known:
        if key not in ("rules", "sizes") and described[key] != known[key]:
            raise Killed("verdict", f"{case.label}: {key} {described[key]}, not {known[key]}")


def _compare(answers: dict[str, Answer], expected: dict[str, Answer]) -> None:
    """Compare the rules that were applied, then the sizes of the explorations."""
    for key, kind in (("rules", "rules"), ("sizes", "count")):
        for label, described in answers.items():
            known = expected[label]
            if key in known and described[key] != known[key]:
                raise Killed(kind, f"{label}: {key} {described[key]}, not {known[key]}")


def _facts() -> Iterator[tuple[str, bool]]:
    """Facts on which no verdict of a small configuration depends, each with whether it holds."""
    from timewait.spec.composition import Composition, CompositionState, Phase
    from timewait.spec.configuration import Configuration
    from timewait.spec.endpoint import allowed_calls, segment_arrives
    from timewait.spec.exchange import loss_windows, violated_properties
    from timewait.spec.network import Channel
    from timewait.spec.outcome import Call, Effect, Outcome, Timer
    from timewait.spec.replies import acknowledgement, earliest_unacknowledged
    from timewait.spec.segment import PacketInFlight, Segment
    from timewait.spec.settings import Behaviour
    from timewait.spec.state import ESTABLISHED, Block, State

    usual = Behaviour()
    closing = Block(State.FIN_WAIT_1, una=0, nxt=2, rcv=1, passive=True)
    outcome = segment_arrives(closing, Segment(1, rst=True), usual)
    yield "a RST ends FIN-WAIT-1 even if it was reached from a passive open", outcome.block.state is State.CLOSED
    outcome = segment_arrives(closing, Segment(1, syn=True), usual)
    yield "a SYN does not end it", outcome == Outcome(closing, (acknowledgement(closing),), rules=("syn.challenge",))
    outcome = segment_arrives(ESTABLISHED, Segment(1, syn=True), usual)
    yield "outside TIME-WAIT a SYN gets a challenge ACK for every setting", outcome.replies == (acknowledgement(ESTABLISHED),)
    yield "the challenge ACK starts no timer", outcome.started == frozenset()

    waiting = Block(State.TIME_WAIT, una=2, nxt=2, rcv=2)
    lasting = Block(State.LAST_ACK, una=1, nxt=2, rcv=2)
    both = (waiting, waiting)
    yield "a RST belongs to no loss window", loss_windows(both, 0, Segment(2, 2, rst=True), (True, True)) == ()
    yield "an acknowledgement of nothing belongs to no loss window", loss_windows(both, 0, Segment(2), (True, True)) == ()
    yield (
        "a FIN belongs to the loss window of the other end",
        loss_windows(both, 0, Segment(1, 1, fin=True), (True, True)) == (1,),
    )
    yield (
        "a FIN to an end that cannot close first belongs to no loss window",
        loss_windows((lasting, waiting), 0, Segment(1, 1, fin=True), (True, False)) == (),
    )
    yield "an end that closes second has no loss window", loss_windows((lasting, waiting), 0, Segment(2, 2), (True, True)) == ()

    half_open = Block(State.SYN_RECEIVED, una=2, nxt=3, rcv=501, passive=True, waited=2)
    windows = loss_windows((half_open, lasting), 0, Segment(3, 501), (True, False))
    yield "what a half-open connection sends acknowledges no FIN", windows == ()
    yield "its SYN,ACK is retransmitted", earliest_unacknowledged(half_open) == Segment(2, 501, syn=True)
    yield "its user makes no call", allowed_calls(half_open) == ()
    yield (
        "the user of any other connection in SYN-RECEIVED may close it",
        Call.CLOSE in allowed_calls(half_open._replace(waited=0)),
    )

    for state in State:
        before, over = Block(state, una=1, nxt=2, rcv=1), Block(State.CLOSED)
        reset = Outcome(over, effects=frozenset({Effect.RESET}))
        in_order = state in (State.FIN_WAIT_1, State.FIN_WAIT_2, State.CLOSING, State.LAST_ACK)
        described = violated_properties((before, ESTABLISHED), (over, ESTABLISHED), 0, reset)
        yield f"a RST in {state} is{'' if in_order else ' not'} ungraceful", ("graceful" in described) is in_order
    configuration = Configuration(Fraction(1), Fraction(2), (Fraction(1),))
    composition = Composition(configuration)
    quiet = composition.pending(CompositionState((Block(State.CLOSED), waiting), (), (0, 0)))
    yield "an end that is CLOSED is silent too", quiet == {"closes", "quiet"}
    reopened = CompositionState((Block(State.CLOSED), Block(State.CLOSED)), (), (0, 0), Phase.REOPENED)
    yield "in the next incarnation nothing is pending", composition.pending(reopened) == frozenset()
    quiet = composition.pending(CompositionState((ESTABLISHED, waiting), (), (0, 0)))
    yield "quiet is not pending while an end is not silent", quiet == {"closes"}

    def recurrent(*ends: Block) -> set[str]:
        situation = CompositionState((ends[0], ends[1]), (PacketInFlight("B", Segment(1, 2, fin=True), True, None),), (0, 0))
        return {f"{edge.action.kind} {name}" for edge in composition.edges(situation) for name in edge.recurrent}

    yield (
        "an answer in TIME-WAIT is a recurrent event, the end of TIME-WAIT is not",
        recurrent(waiting, waiting) == {"deliver quiet"},
    )
    yield "that holds with a CLOSED peer too", recurrent(waiting, Block(State.CLOSED)) == {"deliver quiet"}
    yield "there are no recurrent events elsewhere", recurrent(ESTABLISHED, ESTABLISHED) == set()
    yield "every maximal constant is a parameter", set(composition.maximal_constants.values()) <= set(composition.parameters)
    queued = Composition(replace(configuration, fifo=True))
    free = CompositionState((ESTABLISHED, ESTABLISHED), (PacketInFlight("A", Segment(1, 1), False, None),), (0, 0))
    yield "in a queue each location is its own equivalence class", queued.equivalence_class(free) == free
    yield (
        "elsewhere packets that need not be delivered do not separate locations",
        composition.equivalence_class(free) == free._replace(network=()),
    )
    mine, other = PacketInFlight("A", Segment(1, 1), True, None), PacketInFlight("B", Segment(1, 1), True, None)
    queue, twice = Channel(None, True), Channel(1, False)
    yield (
        "a packet waits for those ahead of it that must be delivered",
        queue.blocked((mine, mine._replace(segment=Segment(2, 1))), 1),
    )
    yield "it does not wait for packets of the other direction", not queue.blocked((other, mine), 1)
    yield (
        "it does not wait for packets that need not be delivered",
        not queue.blocked((mine._replace(must_be_delivered=False), mine), 1),
    )
    yield "it does not wait without order", not twice.blocked((mine, mine), 1)
    (again,) = twice.deliver((mine._replace(left=1),), 0)
    yield "a delivered packet need not be delivered again", again.packet == mine._replace(must_be_delivered=False, left=0)
    yield "a packet arrives no more often than it may", twice.deliver((mine._replace(left=0),), 0) == []
    merged = Channel(None, False)
    yield "the oldest packet that must be delivered has a clock of its own", merged.due((mine,), 0) != merged.age((mine,), 0)
    yield "an unmerged packet has one clock", twice.due((mine,), 0) == twice.age((mine,), 0)
    unread = Block(State.CLOSED, sent=1)
    described = violated_properties((unread, ESTABLISHED), (unread, ESTABLISHED), 0, Outcome(unread))
    yield "integrity is lost when an end closes, not when it is closed", described == frozenset()
    yield (
        "a FIN restarts the timer of TIME-WAIT",
        Timer.TIME_WAIT in segment_arrives(waiting, Segment(1, 2, fin=True), usual).started,
    )


def _check_facts() -> None:
    try:
        for fact, holds in _facts():
            if not holds:
                raise Killed("fact", fact)
    except Killed:
        raise
    except Exception as problem:
        raise Killed("fact", repr(problem)) from problem


def _oracle(expected: dict[str, Any]) -> None:
    """The oracle and the engine must agree on the random configurations."""
    oracle = importlib.import_module("oracle")
    for case in drawn(expected["drawn"]):
        known = [name for name in expected["answers"][case.label]["ticks break"] if name in oracle.JUDGED]
        try:
            described = sorted(name for name, bad in oracle.judge(case.configuration, 20_000).items() if bad)
        except Exception as problem:
            raise Killed("oracle", f"{case.label}: {problem!r}") from problem
        if described != known:
            raise Killed("oracle", f"{case.label}: the oracle says {described}, the engine {known}")


def _run_tests(*names: str, drawn_values: bool = False) -> None:
    """The tests of some modules: those with random values and walks, or the others."""
    from hypothesis import Phase, settings

    settings.register_profile(
        "mutation", max_examples=30, database=None, derandomize=True, deadline=None, phases=[Phase.generate]
    )
    settings.load_profile("mutation")
    try:
        found = [test for name in names for test in _tests(importlib.import_module(name))]
    except Exception as problem:
        raise Killed("error", f"tests cannot be imported: {problem!r}") from problem
    tests = [test for test in found if (hasattr(test.run, "hypothesis") or "somewhere" in test.name) is drawn_values]
    for test in tests:
        for values in test.values:
            try:
                test.run(**values)
            except BaseException as problem:
                if isinstance(problem, KeyboardInterrupt):
                    raise
                shown = ", ".join(f"{name}={value}" for name, value in values.items())
                raise Killed("test", f"{test.name}({shown}): {str(problem).splitlines()[:1]}") from problem


class TestFunction(NamedTuple):
    """A test function with all sets of its values."""

    name: str
    run: Callable[..., object]
    values: list[dict[str, Any]]


def _tests(module: ModuleType) -> Iterator[TestFunction]:
    """The test functions of a module, as pytest finds them, without those expected to fail."""
    for name, thing in vars(module).items():
        if name.startswith("Test") and isinstance(thing, type):
            for inner, function in vars(thing).items():
                if inner.startswith("test_") and not _expected_to_fail(function):
                    yield TestFunction(f"{name}.{inner}", getattr(thing(), inner), _values(function))
        elif name.startswith("test_") and callable(thing) and not _expected_to_fail(thing):
            yield TestFunction(name, thing, _values(thing))


def _expected_to_fail(function: Callable[..., object]) -> bool:
    return any(mark.name == "xfail" for mark in getattr(function, "pytestmark", []))


def _values(function: Callable[..., object]) -> list[dict[str, Any]]:
    """Every set of values from the marks of a test."""
    dimensions = []
    for mark in getattr(function, "pytestmark", []):
        if mark.name == "parametrize":
            names, values = mark.args[:2]
            names = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
            rows = []
            for value in values:
                if hasattr(value, "marks"):
                    if any(inner.name == "xfail" for inner in value.marks):
                        continue
                    value = value.values if len(names) > 1 else value.values[0]
                rows.append(dict(zip(names, value if len(names) > 1 else [value], strict=True)))
            dimensions.append(rows)
    return [{name: value for part in parts for name, value in part.items()} for parts in itertools.product(*dimensions)]
