"""Trace files, read for accounts and pictures of two TCP ends."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from timewait.checker import itf
from timewait.checker.itf import BrokenTrace
from timewait.checker.trace import Trace, VariableValue
from timewait.spec.configuration import ConfigurationError
from timewait.spec.exchange import ENDS
from timewait.spec.plain_data import configuration_from_data
from timewait.vocabulary.input_files import LARGE, read_stream
from timewait.vocabulary.replay import Packet
from timewait.vocabulary.untrusted import shown

ACTORS = frozenset({*ENDS, "users", "network"})

MAX_FIELD = 1 << 40
"""A relative number of more than a terabyte."""

NUMBERS = tuple(f"{end}.{name}" for end in ENDS for name in ("nxt", "una", "rcv", "incarnation")) + tuple(
    f"lost.{end}" for end in ENDS
)
"""Variables of a state that are whole numbers where a trace has them; accounts and replays compute with them."""

MAX_STEPS = 20_000
"""Steps at most: an account of more is no account."""


def read_trace(path: Path) -> Trace:
    """Read a trace of the two ends of a connection.

    Raises
    ------
    BrokenTrace
        The file cannot be read, holds no trace, or one of something else.
    """
    return _of_two_ends(itf.read(path), str(path))


def trace_of_stream(stream: BinaryIO, where: str, begin: bytes = b"") -> Trace:
    """The trace in a stream, after some octets that were read before. Errors as of `read_trace`."""
    try:
        return parsed_trace(read_stream(stream, LARGE, begin), where)
    except OSError as problem:
        raise BrokenTrace(f"{where}: {problem.strerror}") from problem


def parsed_trace(octets: bytes, where: str) -> Trace:
    """The trace in the octets of a file; messages name its source, `where`. Errors as of `read_trace`."""
    return _of_two_ends(itf.parsed_octets(octets, where), where)


def _of_two_ends(trace: Trace, where: str) -> Trace:
    if len(trace.steps) > MAX_STEPS:
        raise BrokenTrace(f"{where}: holds {len(trace.steps):,} steps; more than {MAX_STEPS:,} are not explained")
    if {"behaviour", "msl"} & trace.about.keys():
        try:
            configuration_from_data(trace.about)
        except ConfigurationError as problem:
            raise BrokenTrace(f"{where}: the head: {problem}") from problem
    for number, values in enumerate([trace.initial, *(step.state for step in trace.steps)]):
        if missing := _missing(values):
            raise BrokenTrace(f"{where}: state {number}: {missing} is missing or is no text: not a trace of two TCP ends")
        if wrong := next((name for name in NUMBERS if not isinstance(values.get(name, 0), int)), ""):
            raise BrokenTrace(f"{where}: state {number}: {wrong} is {shown(values[wrong])}, not a whole number")
    for step in trace.steps:
        if step.event.actor not in ACTORS:
            raise BrokenTrace(f"{where}: state {step.number}: its actor is neither A, B, the users nor the network")
        received = () if step.event.received is None else (step.event.received,)
        for copy in (*received, *step.event.sent, *step.in_flight):
            reason = _no_segment(copy) or ("" if copy.sent <= step.time else "is sent after the state")
            if reason:
                raise BrokenTrace(f"{where}: state {step.number}: copy {copy.number} ({copy.text}) {reason}")
    return trace


def _missing(values: Mapping[str, VariableValue]) -> str:
    return next((f"{end}.state" for end in ENDS if not isinstance(values.get(f"{end}.state"), str)), "")


def _no_segment(copy: Packet) -> str:
    """The reason why a copy is no TCP segment between the two ends; empty if it is one."""
    fields = dict(copy.fields)
    if {copy.sender, copy.receiver} != set(ENDS):
        return "does not go from one end to the other"
    if not {"seq", "len"} <= fields.keys():
        return "has no sequence number or no length"
    if not copy.text.strip():
        return "has no text"
    possible = fields["len"] >= 0 and all(abs(value) <= MAX_FIELD for value in fields.values())
    return "" if possible else "has a number that no segment can have"
