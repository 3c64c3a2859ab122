"""The guards of timers: the lengths after which they may expire, as bounds on their clocks."""

from __future__ import annotations

from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import timer_length
from timewait.spec.outcome import Timer
from timewait.spec.state import Block
from timewait.vocabulary.automaton import ZERO, Bound, Clock


def gap(configuration: Configuration, block: Block) -> tuple[str, str]:
    """The names of the least and the greatest length of the gap before the next retransmission."""
    names = configuration.gap_names
    return names[min(block.tries, len(names) - 1)]


def timer_guard(configuration: Configuration, block: Block, timer: Timer, end: str) -> tuple[Bound, ...]:
    """The guard of the timeout of a running timer of an end."""
    clock = Clock(timer.value, end)
    match timer:
        case Timer.RETRANSMISSION:
            least, most = gap(configuration, block)
            if least == most:
                return (Bound(clock, "==", most),)
            return (Bound(clock, ">" if least == ZERO else ">=", least), Bound(clock, "<=", most))
        case Timer.TIME_WAIT if configuration.behaviour.time_wait_cut:
            return ()
        case _:
            return (Bound(clock, ">", timer_length(block, timer, configuration.behaviour)),)
