"""An instance of a claim: a point that its words cover, with the verdict that the words predict."""

from __future__ import annotations

from dataclasses import dataclass

from timewait.checker.verdict import Verdict
from timewait.spec.configuration import Configuration


@dataclass(frozen=True)
class Instance:
    """A point that the words of a claim cover.

    Attributes
    ----------
    words : str
        The words of the statement that predict the verdict.
    configuration : Configuration
        The point.
    name : str
        The property.
    expected : Verdict
        The verdict that the words predict.
    slow : bool
        Whether an engine takes seconds to decide it.
    """

    words: str
    configuration: Configuration
    name: str
    expected: Verdict
    slow: bool = False
