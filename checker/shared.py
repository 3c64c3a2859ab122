"""What several questions share: quotients and what is explored of them, each made once for equal systems with equal values.

Who asks about two systems that differ little, or about the same system twice, makes one `Shared` and gives it to both questions.
What depends on no value is shared by all questions of a process (`timewait.checker.made_once`).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from timewait.checker.compiled import CompiledAutomaton
from timewait.vocabulary.automaton import Identified, TimedAutomaton

Explored = TypeVar("Explored", bound=Hashable)
Product = TypeVar("Product")


class Shared:
    """Quotients and what is explored of them."""

    def __init__(self) -> None:
        self._quotients: dict[Hashable, CompiledAutomaton] = {}
        self._made: dict[tuple[Hashable, Callable[[Any], object]], Any] = {}

    def __reduce__(self) -> tuple[type[Shared], tuple[()]]:
        """It is not pickled: another process begins anew."""
        return Shared, ()

    def quotient(self, system: TimedAutomaton, make: Callable[[], CompiledAutomaton]) -> CompiledAutomaton:
        """The compiled quotient of a system, made once for equal systems; an error is raised each time."""
        if not isinstance(system, Identified):
            return make()
        key = system.identity(), frozenset(system.parameters.items())
        if key not in self._quotients:
            self._quotients[key] = make()
        return self._quotients[key]

    def once(self, source: Explored, make: Callable[[Explored], Product]) -> Product:
        """What a function makes of a quotient or of an exploration, made once for each such object."""
        if (source, make) not in self._made:
            self._made[source, make] = make(source)
        made: Product = self._made[source, make]
        return made
