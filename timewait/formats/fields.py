"""What files for other tools need of a trace in numbers: the states of the ends, and the fields of the segments."""

from __future__ import annotations

from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace
from timewait.spec.exchange import ENDS
from timewait.vocabulary.replay import Packet

MOST_TEXT = 65_495
"""Octets of text in an IPv4 packet at most."""


def state_of(trace: Trace, number: int, end: str) -> str:
    """The state of an end after a step; step 0 is the start.

    Raises
    ------
    BrokenTrace
        The trace does not tell of it.
    """
    values = trace.steps[number - 1].state if number else trace.initial
    try:
        return str(values[f"{end}.state"])
    except KeyError as problem:
        raise BrokenTrace(f"step {number}: {problem} is missing") from problem


def numbers_of(copy: Packet) -> dict[str, int]:
    """What a copy carries: ``seq``, ``len``, ``ack`` if it acknowledges, and the control bits that are on.

    Raises
    ------
    BrokenTrace
        It is no TCP segment, or not one between A and B.
    """
    fields = dict(copy.fields)
    if {copy.sender, copy.receiver} != set(ENDS):
        raise BrokenTrace(f"copy {copy.number} goes from {copy.sender!r} to {copy.receiver!r}, not between A and B")
    if "seq" not in fields or "len" not in fields:
        raise BrokenTrace(f"copy {copy.number} ({copy.text}) has no sequence number or no length: not a TCP segment")
    if min(fields.values()) < 0 or fields["len"] > MOST_TEXT:
        raise BrokenTrace(f"copy {copy.number} ({copy.text}) has a number that no TCP segment carries")
    return fields
