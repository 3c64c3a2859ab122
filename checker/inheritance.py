"""Proofs and violations of a question from those of another one that is decided already.

A property that holds in a system with every run of another holds in that one too. Still the proof means something there only if
its witnesses are possible there, and time can pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from timewait.checker.decide import Answer
from timewait.checker.finding import Budget
from timewait.checker.over_approximated import witnessed_as_in_small_systems
from timewait.checker.question import Question
from timewait.checker.verdict import Verdict


def inherited(question: Question, answers: Sequence[Answer], of_what: str, budget: Budget) -> list[Answer]:
    """The proofs of a system with every run of this one that are proofs for this one: no proof becomes vacuous.

    Parameters
    ----------
    question : Question
        This system. Less text takes nothing from what an end does when its timer expires, so that time can pass in it is
        looked up in the system with the least text.
    answers : sequence of Answer
        Answers for the system with more runs, in which time can pass.
    of_what : str
        That system in words, which follow the name of the engine.
    budget : Budget
        The budget for the witnesses.

    Returns
    -------
    list of Answer
        The proofs that count here, in their order.
    """
    proofs = [answer for answer in answers if answer.verdict is Verdict.PROVED and not answer.reason]
    least = (*question.narrower, question)[0]
    if not proofs or least.unlimited_graph is None or least.unlimited_graph.may_lock():
        return []
    wanted = {answer.name: set(question.witnesses.get(answer.name, ())) for answer in proofs}
    possible = witnessed_as_in_small_systems(question, set().union(*wanted.values()), budget.fresh())
    return [
        replace(answer, finding=replace(answer.finding, engine=f"{answer.engine}, {of_what}"))
        for answer in proofs
        if wanted[answer.name] <= possible
    ]
