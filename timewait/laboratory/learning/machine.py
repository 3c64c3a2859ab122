"""A Mealy machine over the alphabet of a close, and the differences of two machines."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from timewait.laboratory.learning.alphabet import Letter


class MealyReaction(NamedTuple):
    """The output of a machine to a letter, and the state that follows."""

    output: str
    target: str


@dataclass(frozen=True, slots=True)
class MealyMachine:
    """A Mealy machine.

    Attributes
    ----------
    initial : str
        The name of its first state.
    reactions : dict of (str, Letter) to MealyReaction
        Its transitions: every letter in every state.
    """

    initial: str
    reactions: dict[tuple[str, Letter], MealyReaction]

    @property
    def states(self) -> tuple[str, ...]:
        """The names of its states, the first one first."""
        return tuple(dict.fromkeys([self.initial, *(state for state, _ in self.reactions)]))

    def run(self, word: tuple[Letter, ...]) -> tuple[str, ...]:
        """The outputs to the letters of a word."""
        state, outputs = self.initial, []
        for letter in word:
            reaction = self.reactions[state, letter]
            outputs.append(reaction.output)
            state = reaction.target
        return tuple(outputs)


class MachineDifference(NamedTuple):
    """A difference of two machines.

    Attributes
    ----------
    states : (str, str)
        The states of both before the last letter.
    word : tuple of Letter
        A shortest word to whose last letter their outputs differ.
    outputs : (str, str)
        The outputs to the last letter.
    """

    states: tuple[str, str]
    word: tuple[Letter, ...]
    outputs: tuple[str, str]


def differences(one: MealyMachine, other: MealyMachine) -> Iterator[MachineDifference]:
    """Every pair of states and letter for which two machines differ, each with a shortest word; the search goes on from there.

    Parameters
    ----------
    one, other : MealyMachine
        The machines.
    """
    start = (one.initial, other.initial)
    words: dict[tuple[str, str], tuple[Letter, ...]] = {start: ()}
    waiting = deque([start])
    while waiting:
        pair = waiting.popleft()
        for letter in Letter:
            left, right = one.reactions[pair[0], letter], other.reactions[pair[1], letter]
            word = (*words[pair], letter)
            if left.output != right.output:
                yield MachineDifference(pair, word, (left.output, right.output))
                continue
            following = (left.target, right.target)
            if following not in words:
                words[following] = word
                waiting.append(following)
