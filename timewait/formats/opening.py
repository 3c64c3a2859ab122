"""What comes before a trace: the segments that lead to where it starts, so that tools know the initial numbers.

A trace starts in ESTABLISHED, or where the last exchange of a close starts. These segments are no part of it: they are
older than MSL when it starts, so that no copy of them is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from timewait.checker.trace import Trace
from timewait.formats.fields import state_of
from timewait.spec.exchange import ENDS

UNOPENED = frozenset({"CLOSED", "LISTEN", "SYN_SENT"})


class Added(NamedTuple):
    """A segment that is no part of the trace.

    Attributes
    ----------
    sender : str
        Who sends it.
    fields : mapping
        What it carries, as `timewait.vocabulary.replay.Message` has it.
    words : str
        What it is for.
    """

    sender: str
    fields: Mapping[str, int]
    words: str


HANDSHAKE = (
    Added("A", {"seq": 0, "len": 0, "syn": 1}, "A opens the connection"),
    Added("B", {"seq": 0, "ack": 1, "len": 0, "syn": 1}, "B agrees"),
    Added("A", {"seq": 1, "ack": 1, "len": 0}, "the connection is open"),
)
"""Three segments that open a connection."""


def opening(trace: Trace) -> tuple[Added, ...]:
    """The segments before a trace; none where it tells of the opening itself.

    Raises
    ------
    BrokenTrace
        The trace does not say in which states it starts.
    """
    if any(state_of(trace, 0, end) in UNOPENED for end in ENDS):
        return ()
    return HANDSHAKE + _first_close(trace)


def _first_close(trace: Trace) -> tuple[Added, ...]:
    """The FIN of an end that has closed already, with nothing sent before it, and its acknowledgement."""
    for end, other in (ENDS, ENDS[::-1]):
        waiting = state_of(trace, 0, end) == "FIN_WAIT_2" and state_of(trace, 0, other) == "CLOSE_WAIT"
        if waiting and trace.initial.get(f"{end}.nxt") == 2:
            return (
                Added(end, {"seq": 1, "ack": 1, "len": 0, "fin": 1}, f"{end} closes first"),
                Added(other, {"seq": 1, "ack": 2, "len": 0}, f"{other} acknowledges the FIN: where the trace starts"),
            )
    return ()
