"""Schedules whose delays are terms, in words."""

from __future__ import annotations

from collections.abc import Iterable

from timewait.checker.family import ParametricSchedule, ScheduledAction
from timewait.checker.linear import as_text
from timewait.spec.segment import Segment
from timewait.vocabulary.automaton import Action


def schedule_in_words(schedule: ParametricSchedule) -> str:
    """A schedule in a line: the delay before each action, and the action."""
    loop = f"; again and again [{_listed(schedule.repeated)}]; {_listed(schedule.after)}" if schedule.repeated else ""
    return _listed(schedule.before) + loop


def _listed(actions: Iterable[ScheduledAction]) -> str:
    return "; ".join(f"{_delay(scheduled)}: {_done(scheduled.action)}" for scheduled in actions)


def _delay(scheduled: ScheduledAction) -> str:
    return f"after {as_text(scheduled.delay)}" if any(scheduled.delay.values()) else "at once"


def _done(action: Action | str) -> str:
    """An action; one that a person wrote is left as it is."""
    if isinstance(action, str):
        return action
    match action.kind, action.subject:
        case "deliver", (_, Segment() as segment):
            return f"{action.actor} receives {segment}" + (", and its answer is lost" if any(action.lost) else "")
        case "timer", "retransmission":
            return f"{action.actor} retransmits" + (", and the segment is lost" if any(action.lost) else "")
        case "timer", timer:
            return f"the {timer} timer of {action.actor} expires"
        case "call", call:
            return f"the user of {action.actor} calls {call}" + (", and the segment is lost" if any(action.lost) else "")
        case _:
            return str(action)
