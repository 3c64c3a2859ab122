"""The packets that a capture of a trace at one end, or at both, contains, each with a comment.

A capture at an end contains everything that the end sends, lost or not, and every arrival from the other end, duplicates
included; lost copies of the other end are not in it. The comments cover every step of the trace: a step that moves no packet
past the capturing end is described in the comment of the next packet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.trace import Step, Trace
from timewait.formats.trace_segments import HANDSHAKE, AddedSegment, fields_of, segments_before
from timewait.narration.sentences import changes_in_words, repetition, violation_reason
from timewait.narration.timeline import reopens
from timewait.spec.duration import format_duration
from timewait.vocabulary.replay import Packet

TRANSIT = Fraction(1, 1_000_000)
"""The transit time of a segment before the trace, in seconds."""

ADDED = 0xFF00
"""The first identification of packets that are not part of the trace; those of a trace are the numbers of its copies."""


class CaptureEntry(NamedTuple):
    """A packet captured at an end.

    Attributes
    ----------
    end : str
        The capturing end.
    time : Fraction
        Seconds since the start of the trace.
    sender : str
        The sending end.
    fields : mapping
        The fields, with numbers relative to its incarnation.
    identification : int
        Equal for all entries of one copy.
    incarnation : int
        The incarnation of its numbers, from 0.
    comment : str
        The comment.
    """

    end: str
    time: Fraction
    sender: str
    fields: Mapping[str, int]
    identification: int
    incarnation: int
    comment: str

    @property
    def leaves(self) -> bool:
        """Whether it leaves the capturing end; otherwise it arrives there."""
        return self.sender == self.end


def capture_entries(trace: Trace, ends: Sequence[str]) -> list[CaptureEntry]:
    """Every packet captured at some ends, in order.

    Raises
    ------
    BrokenTrace
        The trace contains something other than TCP segments between A and B.
    """
    return _Capture(trace, tuple(ends)).run()


@dataclass
class _Capture:
    """The state of a walk along a trace.

    Attributes
    ----------
    trace : Trace
        The trace.
    ends : tuple of str
        The capturing ends.
    entries : list of CaptureEntry
        The entries so far.
    uncommented : list of str
        Lines for the next comment.
    sent_in : dict
        For each copy the incarnation that sent it.
    arrivals : dict
        For each copy the number of its arrivals.
    incarnation : int
        The current incarnation, from 0.
    """

    trace: Trace
    ends: tuple[str, ...]
    entries: list[CaptureEntry] = field(default_factory=list)
    uncommented: list[str] = field(default_factory=list)
    sent_in: dict[int, int] = field(default_factory=dict)
    arrivals: dict[int, int] = field(default_factory=dict)
    incarnation: int = 0

    def run(self) -> list[CaptureEntry]:
        """All entries."""
        self._before_trace()
        unsent = _never_sent(self.trace)
        for step in self.trace.steps:
            while unsent and unsent[0].sent <= step.time:
                self._leave(unsent.pop(0), [])
            self._step(step)
        if self.uncommented and self.entries:
            last = self.entries[-1]
            comment = "\n".join([last.comment, *_under("unseen after this packet:", self.uncommented)])
            self.entries[-1] = last._replace(comment=comment)
        return self.entries

    def _before_trace(self) -> None:
        """The segments that lead to the start of the trace; the first is captured MSL and a second before it."""
        added = segments_before(self.trace)
        lead = Fraction(str(self.trace.about.get("msl", 0))) + 1
        if "A" not in self.ends:
            lead += TRANSIT
        for index, segment in enumerate(added):
            comment = f"before the trace, {index + 1} of {len(added)}: {segment.purpose}"
            self._add(segment, -lead + index * TRANSIT, TRANSIT, comment)

    def _add(self, segment: AddedSegment, sent: Fraction, transit: Fraction, comment: str) -> None:
        number = ADDED + sum(entry.identification >= ADDED for entry in self.entries)
        for end in sorted(self.ends, key=lambda end: end != segment.sender):
            time = sent if end == segment.sender else sent + transit
            self.entries.append(CaptureEntry(end, time, segment.sender, segment.fields, number, self.incarnation, comment))

    def _step(self, step: Step) -> None:
        when = f"t={format_duration(step.time)}"
        head = f"step {step.number} of {len(self.trace.steps)}, {when}: {step.event}"
        loops = self.trace.loop is not None and step.number == self.trace.loop + 1
        lines = [*([f"from here on {repetition(self.trace)[0]}"] if loops else []), head, *_details(self.trace, step)]
        if step.event.received is not None:
            lines = self._arrive(step.event.received, step, lines)
        for copy in step.event.sent:
            lines = self._leave(copy, lines or [f"step {step.number}, {when}: in answer to the packet before"])
        self.uncommented += lines
        if reopens(step):
            self._next_incarnation(step.time)

    def _arrive(self, copy: Packet, step: Step, lines: list[str]) -> list[str]:
        """Add the arrival of a copy; returns the lines still without a comment."""
        fields = fields_of(copy)
        times = self.arrivals[copy.number] = self.arrivals.get(copy.number, 0) + 1
        if copy.receiver not in self.ends:
            return lines
        head = f"copy {copy.number}, sent by {copy.sender} at t={format_duration(copy.sent)}, arrives"
        if times > 1:
            head += f" again: a DUPLICATE made by the network (arrival {times})"
        if step.time > copy.sent:
            age, life = format_duration(step.time - copy.sent), format_duration(copy.expires - copy.sent)
            head += f"; OLD: {age} of the {life} that it may live"
        incarnation = self.sent_in.get(copy.number, 0)
        if incarnation != max(self.incarnation, *self.sent_in.values(), 0):
            head += "; of the PREVIOUS INCARNATION"
        self._capture(copy.receiver, step.time, copy, fields, incarnation, [head, *lines])
        return []

    def _leave(self, copy: Packet, lines: list[str]) -> list[str]:
        """Add the sending of a copy; returns the lines still without a comment."""
        fields = fields_of(copy)
        incarnation = self.sent_in[copy.number] = fields.get("incarnation", self.incarnation)
        delivery = _delivery(self.trace, copy)
        if copy.sender not in self.ends:
            return [*lines, f"copy {copy.number} of {copy.sender} leaves there, {delivery}"]
        head = f"copy {copy.number} of {copy.sender} leaves, {delivery}"
        self._capture(copy.sender, copy.sent, copy, fields, incarnation, [head, *lines])
        return []

    def _capture(
        self, end: str, time: Fraction, copy: Packet, fields: Mapping[str, int], incarnation: int, lines: list[str]
    ) -> None:
        comment = "\n".join([lines[0], *_under("unseen before this packet:", self.uncommented), *lines[1:]])
        self.uncommented = []
        self.entries.append(CaptureEntry(end, time, copy.sender, fields, copy.number, incarnation, comment))

    def _next_incarnation(self, time: Fraction) -> None:
        """The handshake of the next incarnation, which is one atomic step in the trace."""
        self.incarnation += 1
        for index, segment in enumerate(HANDSHAKE):
            comment = f"the next incarnation, {index + 1} of {len(HANDSHAKE)}: {segment.purpose}"
            before = _under("unseen before this packet:", self.uncommented if index == 0 else [])
            self._add(segment, time, Fraction(0), "\n".join([comment, *before]))
        self.uncommented = []


def _under(heading: str, lines: Sequence[str]) -> list[str]:
    return [heading, *(f"  {line}" for line in lines)] if lines else []


def _details(trace: Trace, step: Step) -> Iterator[str]:
    """The rules of a step, its changes, and the violation at the last step."""
    for name, section, text in step.event.rules:
        yield f"rule {name} ({section}): {text}"
    if changed := changes_in_words(step):
        yield f"changed: {changed}"
    if step is trace.steps[-1] and trace.loop is None and (why := violation_reason(trace)):
        yield f"BREAKS {trace.shows}: {why}"


def _delivery(trace: Trace, copy: Packet) -> str:
    """The loss or the arrivals of a copy."""
    if copy.lost:
        return f"and is LOST: it never reaches {copy.receiver}"
    arrivals = [
        f"step {step.number}, t={format_duration(step.time)}"
        for step in trace.steps
        if step.event.received is not None and step.event.received.number == copy.number
    ]
    if not arrivals:
        return "and the trace ends before it arrives"
    return f"and arrives at {copy.receiver} at {' and again at '.join(arrivals)}"


def _never_sent(trace: Trace) -> list[Packet]:
    """Copies that arrive although no step sends them, in order of sending; of copies that arrive together a step names one."""
    sent = {copy.number for step in trace.steps for copy in step.event.sent}
    arrived = [step.event.received for step in trace.steps if step.event.received is not None]
    unsent = {copy.number: copy for copy in arrived if copy.number not in sent}
    return sorted(unsent.values(), key=lambda copy: (copy.sent, copy.number))
