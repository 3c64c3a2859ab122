"""The connections of a capture at a glance: how many ended how, their totals, and each as a row or as plain data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.choosing import GROUPS, display_filter
from timewait.captures.facts import ConnectionFacts
from timewait.captures.observations import CloseKind, EndState
from timewait.captures.reading import SegmentReader
from timewait.captures.report import outcome_of
from timewait.narration.prose import counted, rounded
from timewait.spec.exchange import ENDS

KIND_GROUPS = tuple(GROUPS)[: len(CloseKind)]
"""The groups that divide all connections."""


@dataclass(slots=True)
class Overview:
    """The numbers of many connections.

    Attributes
    ----------
    groups : Counter of str
        The connections in each group that has any.
    look : list of int
        The indices of those that need a look.
    packets, octets, repeated, missing : int
        The sums over both ends of all connections, as in `timewait.captures.facts.Totals`.
    """

    groups: Counter[str] = field(default_factory=Counter)
    look: list[int] = field(default_factory=list)
    packets: int = 0
    octets: int = 0
    repeated: int = 0
    missing: int = 0

    def lines(self) -> Iterator[tuple[int, str, str]]:
        """How many connections ended how: number, group, meaning; then those that need a look, and so on."""
        for name, group in GROUPS.items():
            if self.groups[name]:
                yield self.groups[name], name, group.meaning

    def totals_in_words(self) -> str:
        """What all ends sent, in a line."""
        parts = [
            counted(self.packets, "packet"),
            f"{counted(self.octets, 'octet')} of text",
            counted(self.repeated, "retransmission"),
        ]
        if self.missing:
            parts.append(f"{counted(self.missing, 'octet')} not in the capture")
        return ", ".join(parts)


def overview(connections: Iterable[ConnectionFacts]) -> Overview:
    """The numbers of some connections, which are asked for once, one after the other."""
    found = Overview()
    for index, facts in enumerate(connections):
        for name, group in GROUPS.items():
            found.groups[name] += group.holds(facts)
        if facts.needs_a_look:
            found.look.append(index)
        for total in facts.totals:
            found.packets += total.packets
            found.octets += total.octets
            found.repeated += total.repeated
            found.missing += total.missing
    return found


def reading_notes(reader: SegmentReader) -> list[str]:
    """What a capture holds beside the TCP segments that were read."""
    notes = []
    if reader.problem:
        notes.append(f"The file {reader.problem}. The frames before that place are explained.")
    if reader.left_out:
        kinds = ", ".join(f"{number:,} {reason}" for reason, number in reader.left_out.items())
        notes.append(f"{counted(reader.left_out.total(), 'frame')} left out, without a TCP segment that can be read: {kinds}.")
    if reader.backwards:
        were = counted(reader.backwards, "frame is", "frames are")
        notes.append(f"{were} earlier than the one before; the frames are explained in the order of their times.")
    if reader.stray:
        were = counted(reader.stray, "frame has", "frames have")
        notes.append(f"{were} a time far from those around: the clock was off; such a frame is explained where the file has it.")
    if reader.limit_hit:
        notes.append(f"Reading stopped after {counted(reader.frames, 'frame')}; --max-frames reads more.")
    return notes


def counts(facts: ConnectionFacts) -> list[str]:
    """The counts of a connection, in sentences: its frames, its duration, and what each end sent."""
    lines = [
        f"Frames {facts.frames[0]} to {facts.frames[1]}, {rounded(facts.finished - facts.began)} from the first to the last;"
        f" in Wireshark: {display_filter(facts)}"
    ]
    for end, total in zip(ENDS, facts.totals, strict=True):
        parts = [counted(total.packets, "packet"), f"{counted(total.octets, 'octet')} of text"]
        if total.repeated:
            parts.append(f"{total.repeated:,} retransmitted")
        if total.missing:
            parts.append(f"{counted(total.missing, 'octet')} not in the capture")
        if total.response is not None:
            soon = f"{rounded(total.response)} after the segment at the earliest" if total.response else "at once"
            parts.append(f"it acknowledges {soon}")
        lines.append(f"{end}: {', '.join(parts)}.")
    if facts.round_trip is not None:
        lines.append(f"Round trip between the ends: {rounded(facts.round_trip)} at the least, by way of the capture point.")
    return lines


HEADS = ("#", "A", "B", "outcome", "frames", "lasts", "packets", "octets", "again", "round trip", "look")
"""The heads of the columns of `row`."""


def row(index: int, facts: ConnectionFacts) -> tuple[str, ...]:
    """A connection as a row of a table."""
    again = sum(total.repeated for total in facts.totals)
    look = "deviates" if facts.deviations else "look" if facts.needs_a_look else ""
    return (
        str(index + 1),
        str(facts.ends[0]),
        str(facts.ends[1]),
        outcome_of(facts),
        f"{facts.frames[0]}-{facts.frames[1]}",
        rounded(facts.finished - facts.began),
        f"{facts.packets_captured:,}",
        f"{sum(total.octets for total in facts.totals):,}",
        str(again or ""),
        "" if facts.round_trip is None else rounded(facts.round_trip),
        look,
    )


def line(index: int, facts: ConnectionFacts) -> str:
    """A connection in a line."""
    low, high = facts.frames
    frames = f"frame {low}" if low == high else f"frames {low} to {high}"
    return f"#{index + 1} {facts.ends[0]} (A) and {facts.ends[1]} (B): {outcome_of(facts)} ({frames})"


# --- plain data -------------------------------------------------------------------------------------------------------


def facts_as_data(index: int, facts: ConnectionFacts) -> dict[str, Any]:
    """A connection as plain data; times in seconds since ``started``."""
    began = facts.started + int(facts.began * NANOSECONDS)
    return {
        "number": index + 1,
        "incarnation": facts.incarnation,
        "A": str(facts.ends[0]),
        "B": str(facts.ends[1]),
        "opener": facts.opener or None,
        "kind": str(facts.kind),
        "by": facts.by or None,
        "outcome": outcome_of(facts),
        "needs_a_look": facts.needs_a_look,
        "frames": list(facts.frames),
        "filter": display_filter(facts),
        "began": _moment(began),
        "started": _moment(facts.started),
        "duration": float(facts.finished - facts.began),
        "round_trip": _seconds(facts.round_trip),
        "ends": {end: _end_as_data(facts, side) for side, end in enumerate(ENDS)},
        "resets": [
            {
                "end": it.end,
                "time": float(it.time),
                "frame": it.frame,
                "causes": [str(cause) for cause in it.causes],
                "answers": it.answers,
                "evidence": it.evidence,
            }
            for it in facts.resets
        ],
        "deviations": [_plain(asdict_of(it)) for it in facts.deviations],
        "unknowns": [_plain(asdict_of(it)) for it in facts.unknowns],
        "retransmissions": [_plain(asdict_of(it)) for it in facts.retransmissions],
        "reopening": None if facts.reopening is None else _plain(asdict_of(facts.reopening)),
        "captured_twice": facts.captured_twice,
        "truncated": facts.truncated,
    }


def asdict_of(value: Any) -> dict[str, Any]:
    """The fields of a named tuple or of a data class."""
    return dict(value._asdict()) if hasattr(value, "_asdict") else asdict(value)


def _end_as_data(facts: ConnectionFacts, side: int) -> dict[str, Any]:
    total, fin, entered = facts.totals[side], facts.fins[side], facts.entered[side]
    return {
        "packets": total.packets,
        "octets": total.octets,
        "retransmissions": total.repeated,
        "not_captured": total.missing,
        "response": _seconds(total.response),
        "state": _state_as_data(facts.states[side]),
        "time_wait_entered": None if entered is None else float(entered.time),
        "time_wait_certain": None if entered is None else entered.certain,
        "fin": None
        if fin is None
        else {
            "time": float(fin.time),
            "frames": [it.frame for it in fin.transmissions],
            "acknowledged": None if fin.acknowledged is None else fin.acknowledged.frame,
            "knew_of_the_other": fin.knew,
            "knew_for_certain": fin.certain,
        },
    }


def _state_as_data(state: EndState) -> dict[str, Any]:
    return {"likely": None if state.likely is None else str(state.likely), "possible": sorted(map(str, state.possible))}


def _plain(data: dict[str, Any]) -> dict[str, Any]:
    return {name: _value(value) for name, value in data.items()}


def _value(value: Any) -> Any:
    if isinstance(value, Fraction):
        return float(value)
    return list(value) if isinstance(value, tuple) else value


def _seconds(value: Fraction | None) -> float | None:
    return None if value is None else float(value)


def _moment(nanoseconds: int) -> str:
    seconds, part = divmod(nanoseconds, NANOSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{part:09d}Z"
