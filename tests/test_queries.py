"""Proof obligations that are asked together are refused if and only if one of them is."""

from __future__ import annotations

import random
from collections.abc import Sequence

import z3

from timewait.checker.queries import Query, command, joint_command, refused

HERE, THERE = "(> x 1.0)", "(> x 2.0)"
IMPOSSIBLE, POSSIBLE = "(< x 0.0)", "(< x 9.0)"


def query(where: str, *assertions: str) -> Query:
    """A query at a place."""
    return Query("step", where, list(assertions))


def ask(commands: Sequence[str]) -> tuple[Sequence[str], str]:
    """Z3's answers about one variable."""
    text = "\n".join(["(declare-const x Real)", *commands])
    context = z3.Context()
    return str(z3.Z3_eval_smtlib2_string(context.ref(), text)).split(), ""


def test_queries_of_one_place_are_one_check() -> None:
    """Six queries at two places take two checks."""
    asked: list[str] = []

    def counting(commands: Sequence[str]) -> tuple[Sequence[str], str]:
        asked.extend(commands)
        return ask(commands)

    queries = [query(f"{place}, {number}", place, IMPOSSIBLE) for place in (HERE, THERE) for number in range(3)]
    assert refused(queries, counting, "Z3") == ""
    assert len(asked) == 2


def test_the_first_query_that_can_be_satisfied_is_named() -> None:
    """Its place and its answer, wherever it stands among others."""
    for number in range(6):
        queries = [query(str(place), HERE, "true", IMPOSSIBLE) for place in range(6)]
        queries[number] = query("there", HERE, POSSIBLE)
        assert refused(queries, ask, "Z3") == "step query, there: sat (Z3)"


def test_together_they_are_unsatisfiable_if_and_only_if_each_is() -> None:
    """On random queries, among them some with one assertion alone."""
    draw, seen = random.Random(7), set()
    for _ in range(60):
        parts = [[f"({draw.choice('<>')} x {draw.randint(0, 4)}.0)" for _ in range(draw.randint(0, 2))] for _ in range(3)]
        queries = [query("", HERE, *part) for part in parts]
        (together,), _ = ask([joint_command(queries)])
        alone, _ = ask([command(each) for each in queries])
        assert (together == "unsat") is all(answer == "unsat" for answer in alone)
        seen.add(together)
    nothing = [query("empty"), query("empty")]
    assert refused(nothing, ask, "Z3") == "step query, empty: sat (Z3)"
    assert seen == {"sat", "unsat"}


def test_a_solver_that_gives_up_on_several_is_asked_about_each() -> None:
    """Its answers about each count; if it gives up on one, that is the answer."""

    def joint_unknown(commands: Sequence[str]) -> tuple[Sequence[str], str]:
        return (["unknown"], "") if "(or " in commands[0] else ask(commands)

    fine = [query("here", HERE, IMPOSSIBLE), query("there", HERE, IMPOSSIBLE)]
    assert refused(fine, joint_unknown, "Z3") == ""
    assert refused(fine, lambda commands: (["unknown"] * len(commands), ""), "Z3") == "step query, here: unknown (Z3)"


def test_a_missing_answer_and_an_error_are_no_acceptance() -> None:
    """Whether the queries are asked together or alone."""
    queries = [query("here", HERE, IMPOSSIBLE), query("there", THERE, IMPOSSIBLE)]
    assert refused(queries, lambda _: ([], ""), "Z3") == "Z3 answered 0 queries, not 2"
    assert refused(queries, lambda _: (["unsat"], ""), "Z3") == "Z3 answered 1 queries, not 2"
    assert refused(queries, lambda _: (["unsat", "unsat"], "out of memory"), "Z3") == "out of memory"

    def dies_alone(commands: Sequence[str]) -> tuple[Sequence[str], str]:
        return (["unknown"], "") if "(or " in commands[0] else ([], "out of memory")

    assert refused([queries[0], queries[0]], dies_alone, "Z3") == "out of memory"


def test_answers_that_contradict_one_another() -> None:
    """Queries that are satisfiable together, and not one by one, are refused: one of the answers is wrong."""
    queries = [query("here", HERE, IMPOSSIBLE), query("here", HERE, "false")]

    def contradictory(commands: Sequence[str]) -> tuple[Sequence[str], str]:
        return (["sat"] if len(commands) == 1 else ["unsat"] * len(commands)), ""

    assert refused(queries, contradictory, "Z3") == "queries of here: satisfiable together and not one by one (Z3)"
