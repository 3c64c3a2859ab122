"""Proof obligations as queries to solvers, those of one place asked together.

Most time of a solver is spent on what queries have in common: all edges of a location have its invariant as first assertion.
So such queries are asked together: the invariant and the disjunction of what each adds. If that is unsatisfiable, every one of
them is. Any other answer decides nothing, and the queries are asked one by one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, islice
from typing import NamedTuple


class Query(NamedTuple):
    """A proof obligation: its kind, its place, and the assertions that must be unsatisfiable together."""

    name: str
    where: str
    assertions: list[str]


Ask = Callable[[Sequence[str]], tuple[Sequence[str], str]]
"""Gives a solver some commands with one check each, and returns its answers, and its first error or an empty text."""

BATCH = 500
"""Checks in one call of a solver."""


def command(query: Query) -> str:
    """A query as a command of SMT-LIB 2."""
    return _check(query.assertions)


def joint_command(queries: Sequence[Query]) -> str:
    """Queries with the same first assertion as one command, unsatisfiable if and only if each of them is."""
    if len(queries) == 1:
        return command(queries[0])
    rest = (f"(and true {' '.join(query.assertions[1:])})" for query in queries)
    return _check([*queries[0].assertions[:1], f"(or {' '.join(rest)})"])


def _check(assertions: Sequence[str]) -> str:
    asserted = "".join(f"(assert {part})" for part in assertions)
    return f"(push 1){asserted}(check-sat)(pop 1)"


def refused(queries: Iterable[Query], ask: Ask, solver: str) -> str:
    """The first query that a solver does not answer with ``unsat``, with its answer; empty when there is none.

    Parameters
    ----------
    queries : iterable of Query
        The queries.
    ask : callable
        Asks the solver.
    solver : str
        The name of the solver.
    """
    groups = (list(group) for _, group in groupby(queries, lambda query: query.assertions[:1]))
    while batch := list(islice(groups, BATCH)):
        answers, error = ask([joint_command(group) for group in batch])
        if error:
            return error
        doubtful = ((group, answer) for group, answer in zip(batch, answers, strict=False) if answer != "unsat")
        if failure := next(filter(None, (_refused_alone(group, answer, ask, solver) for group, answer in doubtful)), ""):
            return failure
        if len(answers) != len(batch):
            return f"{solver} answered {len(answers)} queries, not {len(batch)}"
    return ""


def _refused_alone(queries: Sequence[Query], together: str, ask: Ask, solver: str) -> str:
    """The same where each query is asked by itself; one of them is satisfiable if they are together."""
    answers, error = ask([command(query) for query in queries])
    failures = _failures(queries, answers, solver)
    failure = error or next(failures, "")
    if not failure and together == "sat":
        return f"queries of {queries[0].where}: satisfiable together and not one by one ({solver})"
    return failure


def _failures(queries: Sequence[Query], answers: Sequence[str], solver: str) -> Iterator[str]:
    """Every query whose answer is missing or is not ``unsat``."""
    for query, answer in zip(queries, answers, strict=False):
        if answer != "unsat":
            yield f"{query.name} query, {query.where}: {answer} ({solver})"
    if len(answers) != len(queries):
        yield f"{solver} answered {len(answers)} queries, not {len(queries)}"
