"""The outcome of carrying out a trace."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple


class ReplayVerdict(StrEnum):
    """Whether the kernel did what a trace says."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_REPLAYABLE = "not replayable"
    OTHER_SETTINGS = "not this stack's settings"


class CarriedStep(NamedTuple):
    """A step as the kernel carried it out.

    Attributes
    ----------
    number : int
        The number of the step in the trace.
    sent : str
        The segments that the kernels sent in consequence, with relative numbers.
    states : (str, str)
        The states of A and B afterwards.
    """

    number: int
    sent: str
    states: tuple[str, str]


class ReplayOutcome(NamedTuple):
    """What became of a trace.

    Attributes
    ----------
    verdict : ReplayVerdict
        Whether the kernel did what the trace says.
    step : int or None
        The step at which it did otherwise, or which cannot be carried out.
    reason : str
        What it did instead, or why not; empty if confirmed.
    steps : tuple of CarriedStep
        The steps carried out.
    effects : tuple of str
        What the users saw at their sockets, where the next incarnation met an old segment.
    aids : tuple of str
        What was done that does not happen by default.
    put_aside : int
        Retransmissions that the trace does not have and that reached nobody.
    capture : bytes
        What went over the wire, as a pcapng file.
    """

    verdict: ReplayVerdict
    step: int | None = None
    reason: str = ""
    steps: tuple[CarriedStep, ...] = ()
    effects: tuple[str, ...] = ()
    aids: tuple[str, ...] = ()
    put_aside: int = 0
    capture: bytes = b""

    def as_json(self) -> dict[str, Any]:
        """The outcome as plain data."""
        return {
            "verdict": str(self.verdict),
            "step": self.step,
            "reason": self.reason,
            "steps": [
                {"number": step.number, "sent": step.sent, "A": step.states[0], "B": step.states[1]} for step in self.steps
            ],
            "effects": list(self.effects),
            "aids": list(self.aids),
            "put_aside": self.put_aside,
        }


class Refuted(Exception):
    """The kernel did otherwise than a step says; the message says what it did."""


class NotReplayable(Exception):
    """A step cannot be carried out; the message says why."""
