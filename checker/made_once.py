"""What depends on the locations and edges of an automaton alone is made once for all values of its parameters.

A threshold, or a proof in pieces, asks about one automaton at many values of its parameters, and the identity of the automaton
says that it is the same one. A process keeps what was made for the identities that were asked for last, unless it is large.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sized
from functools import lru_cache
from typing import Any, TypeVar

from timewait.checker.finding import Budget
from timewait.vocabulary.automaton import Identified, TimedAutomaton

Made = TypeVar("Made", bound=Sized)

MAX_KEPT = 5_000
"""The largest size of what is kept, in locations; more may fill the memory that later questions need."""

KEPT = 24
"""How many things are kept at most: those that were asked for last."""


def made_once(kind: str, system: TimedAutomaton, budget: Budget, make: Callable[[], Made]) -> Made:
    """What `make` makes from the locations and edges of a system, or what it made earlier for a system of the same identity.

    Parameters
    ----------
    kind : str
        What is made.
    system : TimedAutomaton
        The system; without an identity, it is made anew.
    budget : Budget
        Its budget: what was made within other bounds on states and memory is made anew, so that the answer is the same
        whatever was asked before.
    make : callable
        Makes it; an error is raised each time.
    """
    if not isinstance(system, Identified):
        return make()
    kept = kept_for(kind, system.identity(), budget.states, budget.megabytes)
    made: Made = kept[0] if kept else make()
    kept[:] = [made] if len(made) <= MAX_KEPT else []  # a table of edges grows while it is kept
    return made


def forget() -> None:
    """Keep nothing of what was made: after an interrupt it may be incomplete."""
    kept_for.cache_clear()


@lru_cache(maxsize=KEPT)
def kept_for(kind: str, identity: Hashable, states: int, megabytes: float) -> list[Any]:
    """A list, empty at first, for what is made."""
    del kind, identity, states, megabytes
    return []
