"""Learning with AALpy: L*, with the W-method as the equivalence oracle (Angluin 1987; Chow 1978)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any, NamedTuple

from timewait.laboratory.learning.alphabet import AbstractPeer, Letter, output
from timewait.laboratory.learning.machine import MealyMachine, MealyReaction
from timewait.laboratory.learning.systems import LearnedSystem
from timewait.vocabulary.errors import optional_package

EXTRA_STATES = 1
"""The learned machine is exact if the system has no more states than it and so many."""


class LearningResult(NamedTuple):
    """A learned machine and what it cost.

    Attributes
    ----------
    machine : MealyMachine
        The machine; its states bear the names that the system gives them.
    queries, steps : int
        Words and letters that were carried out on the system, those of the equivalence oracle among them.
    bound : int
        The machine is exact if the system has at most so many states.
    """

    machine: MealyMachine
    queries: int
    steps: int
    bound: int


@dataclass(slots=True)
class Effort:
    """The cost so far, for progress.

    Attributes
    ----------
    queries, steps : int
        Words and letters carried out.
    """

    queries: int = 0
    steps: int = 0


def learn(system: LearnedSystem, expected: int, effort: Effort | None = None) -> LearningResult:
    """Learn the machine of a system.

    The equivalence oracle tries words that cover every transition and tell all states apart, up to `EXTRA_STATES` states
    beyond the hypothesis. A system that answers one word in two ways raises an exception.

    Parameters
    ----------
    system : LearnedSystem
        The system.
    expected : int
        How many states it is expected to have; with more, learning begins again with a larger bound.
    effort : Effort, optional
        Kept up to date while learning.

    Raises
    ------
    MissingPackage
        AALpy is not installed.
    """
    effort = effort or Effort()
    aalpy: Any = optional_package("aalpy", "learning")
    adapter = _adapter(aalpy.base.SUL)(system, effort)
    alphabet = [*Letter]
    states = expected
    while True:
        oracle = aalpy.oracles.WMethodEqOracle(alphabet, adapter, max_number_of_states=states + EXTRA_STATES)
        model = aalpy.learning_algs.run_Lstar(alphabet, adapter, oracle, automaton_type="mealy", print_level=0)
        if len(model.states) <= states:
            break
        states = len(model.states)
    machine = _named(model, adapter, system)
    return LearningResult(machine, effort.queries, effort.steps, len(model.states) + EXTRA_STATES)


def _adapter(base: Any) -> Any:
    """The class that lets AALpy query a system; made when it is used, since its base class may not be installed."""

    class Adapter(base):  # type: ignore[misc]  # the base class is known only when AALpy is there
        def __init__(self, system: LearnedSystem, effort: Effort) -> None:
            super().__init__()
            self._system, self._effort = system, effort
            self._peer = AbstractPeer()

        def pre(self) -> None:
            self._peer = AbstractPeer()
            self._system.reset()
            self._effort.queries += 1

        def step(self, letter: Letter) -> str:
            self._effort.steps += 1
            replies = self._system.apply(self._peer.event(letter))
            self._peer.see(replies)
            return output(replies)

        def post(self) -> None:
            """The next query resets the system."""

    return Adapter


def _named(model: Any, adapter: Any, system: LearnedSystem) -> MealyMachine:
    """The learned machine; each state bears the name that the system gives it after its access sequence."""
    taken: Counter[str] = Counter()
    names: dict[str, str] = {}
    model.compute_prefixes()
    for state in model.states:
        adapter.pre()
        for letter in state.prefix:
            adapter.step(letter)
        name = str(system.state)
        taken[name] += 1
        names[state.state_id] = name if taken[name] == 1 else f"{name} ({taken[name]})"
    reactions = {
        (names[state.state_id], letter): MealyReaction(state.output_fun[letter], names[state.transitions[letter].state_id])
        for state in model.states
        for letter in Letter
    }
    return MealyMachine(names[model.initial_state.state_id], reactions)
