"""Which stack profiles can have done what an end was seen to do, and what speaks against the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.account import Account, TimeWaitAnswer
from timewait.narration.prose import rounded
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import Stack
from timewait.spec.state import State

SLACK = Fraction(11, 10)
"""Timers run in coarse ticks: a measured time may differ from the stated one by a tenth."""


class Fit(NamedTuple):
    """How profiles fit one end.

    Attributes
    ----------
    end : str
        Which end: A or B.
    clues : tuple of str
        What it did that tells stacks apart.
    fitting : tuple of Stack
        The profiles that nothing speaks against.
    unfitting : tuple of (Stack, str)
        The others, each with the first thing that does.
    """

    end: str
    clues: tuple[str, ...]
    fitting: tuple[Stack, ...]
    unfitting: tuple[tuple[Stack, str], ...]


def fit(account: Account, end: str, stacks: Iterable[Stack]) -> Fit:
    """Hold an end's doings against profiles."""
    fitting: list[Stack] = []
    unfitting: list[tuple[Stack, str]] = []
    for stack in stacks:
        against = next(_against(account, end, stack), None)
        if against is None:
            fitting.append(stack)
        else:
            unfitting.append((stack, against))
    return Fit(end, tuple(_clues(account, end)), tuple(fitting), tuple(unfitting))


def _clues(account: Account, end: str) -> Iterator[str]:
    fins = [one for one in account.agains if one.end == end and one.fin]
    if fins:
        yield f"sent its FIN again after {', '.join(rounded(one.gap) for one in fins)}"
    for met in account.met:
        if met.end == end and met.answer is not TimeWaitAnswer.NONE:
            yield f"in TIME_WAIT for {rounded(met.waited)}, answered {_a(met.arrival.value)} with {met.answer}"
    for shot in account.shots:
        if shot.end == end and shot.ended is not None:
            yield f"{'left TIME_WAIT because of' if shot.ended else 'stayed in TIME_WAIT in spite of'} a RST"
    for gone in account.gone:
        if gone.end == end:
            yield f"had forgotten the connection {rounded(gone.within)} after its {gone.state} began"
    if _refused_late_text(account, end):
        yield "answered text that came after its user had gone with a RST"


def _a(arrival: str) -> str:
    return {"fin": "a FIN", "ack": "a bare acknowledgement", "syn": "a SYN"}.get(arrival, "a segment outside the window")


def _against(account: Account, end: str, stack: Stack) -> Iterator[str]:
    """What speaks against a profile."""
    yield from _retransmissions(account, end, stack)
    yield from _wait(account, end, stack)
    yield from _resets(account, end, stack)
    for gone in account.gone:
        known = {State.TIME_WAIT: stack.time_wait, State.FIN_WAIT_2: stack.fin_wait_2}.get(State(gone.state))
        killed = any(shot.end == end and shot.ended for shot in account.shots)
        if gone.end == end and known is not None and known > gone.within * SLACK and not killed:
            yield f"its {gone.state} lasts {rounded(known)}, and this one was over after {rounded(gone.within)}"
    if stack.value("late_data_reset") is False and _refused_late_text(account, end):
        yield "it does not answer late text with a RST"


def _retransmissions(account: Account, end: str, stack: Stack) -> Iterator[str]:
    for again in account.agains:
        if again.end != end:
            continue
        if stack.rto_max is not None and again.gap > stack.rto_max * SLACK:
            yield f"it retransmits after {rounded(stack.rto_max)} at the latest, and this took {rounded(again.gap)}"
        # Text may be sent again early for other reasons than a timer; a FIN alone is not.
        timed = again.fin and again.alone and again.before == 1
        if timed and stack.rto_min is not None and again.gap * SLACK < stack.rto_min:
            yield f"it retransmits after {rounded(stack.rto_min)} at the earliest, and this took {rounded(again.gap)}"
        retries = stack.value("retries")
        if again.fin and retries is not None and again.before > retries:
            yield f"it sends a FIN again {retries} times at most, and this was done {again.before} times"


def _wait(account: Account, end: str, stack: Stack) -> Iterator[str]:
    last = Fraction(0)
    for met in account.met:
        if met.end != end or met.answer is not TimeWaitAnswer.ACK:
            continue
        if not stack.has_time_wait:
            yield "it has no TIME_WAIT, and this end still answered in it"
        if stack.time_wait is not None and met.waited - last > stack.time_wait * SLACK:
            yield f"its TIME_WAIT lasts {rounded(stack.time_wait)}, and this one went on for {rounded(met.waited - last)}"
        answers, restarts = stack.value("answers"), stack.value("restarts")
        if answers is not None and met.arrival not in answers:
            yield f"in TIME_WAIT it does not answer {_a(met.arrival.value)}"
        if restarts is None or met.arrival in restarts:
            last = met.waited


def _resets(account: Account, end: str, stack: Stack) -> Iterator[str]:
    reset = stack.value("reset")
    for shot in account.shots:
        if shot.end != end or reset is None or shot.ended is None:
            continue
        heeds = reset in (ResetRule.ANY, ResetRule.WINDOW) or (reset is ResetRule.EXACT and shot.exact)
        if shot.ended and not heeds:
            yield "no such RST ends its TIME_WAIT, and this one did"
        if not shot.ended and heeds:
            yield "such a RST ends its TIME_WAIT, and this one did not"


def _refused_late_text(account: Account, end: str) -> bool:
    return any(
        step.event.actor == end and any(name == "text.late" for name, _, _ in step.event.rules) for step in account.trace.steps
    )
