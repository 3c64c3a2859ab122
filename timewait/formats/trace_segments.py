"""The segments and states of a trace in numbers, and the segments before its start, for files of other tools.

A trace starts in ESTABLISHED, or where the last exchange of a close starts. Other tools learn the initial sequence numbers
from a handshake; the segments added for that are older than MSL when the trace starts, so no copy of them is left.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.spec.exchange import ENDS
from timewait.vocabulary.replay import Packet

MAX_TEXT = 65_495
"""Octets of text in an IPv4 packet at most."""

UNOPENED = frozenset({"CLOSED", "LISTEN", "SYN_SENT"})


def state_of(trace: Trace, number: int, end: str) -> str:
    """The state of an end after a step; step 0 is the start.

    Raises
    ------
    BrokenTrace
        The trace lacks it.
    """
    values = trace.steps[number - 1].state if number else trace.initial
    try:
        return str(values[f"{end}.state"])
    except KeyError as problem:
        raise BrokenTrace(f"step {number}: {problem} is missing") from problem


def fields_of(copy: Packet) -> dict[str, int]:
    """The fields of a copy: ``seq``, ``len``, ``ack`` if it acknowledges, and 1 for each control bit that is on.

    Raises
    ------
    BrokenTrace
        The copy is not a TCP segment between A and B.
    """
    fields = dict(copy.fields)
    if {copy.sender, copy.receiver} != set(ENDS):
        raise BrokenTrace(f"copy {copy.number} goes from {copy.sender!r} to {copy.receiver!r}, not between A and B")
    if "seq" not in fields or "len" not in fields:
        raise BrokenTrace(f"copy {copy.number} ({copy.text}) has no sequence number or no length: not a TCP segment")
    if min(fields.values()) < 0 or fields["len"] > MAX_TEXT:
        raise BrokenTrace(f"copy {copy.number} ({copy.text}) has a number that no TCP segment can have")
    return fields


class AddedSegment(NamedTuple):
    """A segment that is not part of the trace.

    Attributes
    ----------
    sender : str
        A or B.
    fields : mapping
        The fields, as in `Packet`.
    purpose : str
        What it is for.
    """

    sender: str
    fields: Mapping[str, int]
    purpose: str


HANDSHAKE = (
    AddedSegment("A", {"seq": 0, "len": 0, "syn": 1}, "A opens the connection"),
    AddedSegment("B", {"seq": 0, "ack": 1, "len": 0, "syn": 1}, "B accepts"),
    AddedSegment("A", {"seq": 1, "ack": 1, "len": 0}, "the connection is open"),
)
"""The three segments that open a connection."""


def segments_before(trace: Trace) -> tuple[AddedSegment, ...]:
    """The segments that lead to the start of a trace; none where the trace contains the opening itself.

    Raises
    ------
    BrokenTrace
        The trace lacks the states at its start.
    """
    if any(state_of(trace, 0, end) in UNOPENED for end in ENDS):
        return ()
    return HANDSHAKE + _first_close(trace)


def _first_close(trace: Trace) -> tuple[AddedSegment, ...]:
    """The FIN of an end that closed before the trace without sending text, and its acknowledgement."""
    for end, other in (ENDS, ENDS[::-1]):
        half_closed = state_of(trace, 0, end) == "FIN_WAIT_2" and state_of(trace, 0, other) == "CLOSE_WAIT"
        if half_closed and trace.initial.get(f"{end}.nxt") == 2:
            return (
                AddedSegment(end, {"seq": 1, "ack": 1, "len": 0, "fin": 1}, f"{end} closes first"),
                AddedSegment(other, {"seq": 1, "ack": 2, "len": 0}, f"{other} acknowledges the FIN; the trace starts here"),
            )
    return ()
