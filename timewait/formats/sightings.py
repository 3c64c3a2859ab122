"""What a capture at one end, or at both, sees of a trace.

An end sees what it sends as it leaves, lost or not, and what the other end sent as it arrives, once or more often. Lost
copies of the other end it never sees. Every step of the trace is told in the comment of some packet: those that move
no packet past the place of capture, with the next one that does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.trace import Step, Trace
from timewait.formats.fields import numbers_of
from timewait.formats.opening import HANDSHAKE, Added, opening
from timewait.narration.sentences import changes_in_words, repetition, violation_reason
from timewait.narration.timeline import reopens
from timewait.spec.duration import format_duration
from timewait.vocabulary.replay import Packet

PASSAGE = Fraction(1, 1_000_000)
"""How long a segment before the trace is on its way, in seconds; the network of the trace delivers at once too."""

ADDED = 0xFF00
"""Identifications of packets that are no part of the trace start here; those of a trace are the numbers of its copies."""


class Sighting(NamedTuple):
    """A packet seen at a place.

    Attributes
    ----------
    place : str
        At which end it was seen.
    time : Fraction
        When, in seconds since the start of the trace.
    sender : str
        Who sent it.
    fields : mapping
        What it carries, in numbers relative to its incarnation.
    identification : int
        The same in all sightings of one copy.
    incarnation : int
        The incarnation whose numbers it carries, from 0.
    comment : str
        What to tell of it.
    """

    place: str
    time: Fraction
    sender: str
    fields: Mapping[str, int]
    identification: int
    incarnation: int
    comment: str

    @property
    def leaves(self) -> bool:
        """Whether it leaves the place; otherwise it arrives there."""
        return self.sender == self.place


def sightings(trace: Trace, places: Sequence[str]) -> list[Sighting]:
    """Every packet seen at some ends, in order.

    Raises
    ------
    BrokenTrace
        The trace has something in it that is no TCP segment between A and B.
    """
    return _Watch(trace, tuple(places)).seen()


@dataclass
class _Watch:
    """A walk along a trace.

    Attributes
    ----------
    trace : Trace
        What is walked along.
    places : tuple of str
        Where captures are made.
    packets : list of Sighting
        What was seen so far.
    untold : list of str
        What the next comment has to tell.
    lives : dict
        For each copy the incarnation that sent it.
    arrived : dict
        For each copy how often it has arrived.
    life : int
        The incarnation that lives, from 0.
    """

    trace: Trace
    places: tuple[str, ...]
    packets: list[Sighting] = field(default_factory=list)
    untold: list[str] = field(default_factory=list)
    lives: dict[int, int] = field(default_factory=dict)
    arrived: dict[int, int] = field(default_factory=dict)
    life: int = 0

    def seen(self) -> list[Sighting]:
        """All packets."""
        self._before()
        unsent = _never_sent(self.trace)
        for step in self.trace.steps:
            while unsent and unsent[0].sent <= step.time:
                self._leave(unsent.pop(0), [])
            self._step(step)
        self._after()
        return self.packets

    def _before(self) -> None:
        """The segments that lead to where the trace starts; the first is seen MSL and a second before."""
        added = opening(self.trace)
        lead = Fraction(str(self.trace.about.get("msl", 0))) + 1
        if "A" not in self.places:
            lead += PASSAGE
        for index, segment in enumerate(added):
            words = f"before the trace, {index + 1} of {len(added)}: {segment.words}"
            self._add(segment, -lead + index * PASSAGE, PASSAGE, words)

    def _add(self, segment: Added, sent: Fraction, passage: Fraction, words: str) -> None:
        number = ADDED + sum(packet.identification >= ADDED for packet in self.packets)
        places = sorted(self.places, key=lambda place: place != segment.sender)
        for place in places:
            time = sent if place == segment.sender else sent + passage
            self.packets.append(Sighting(place, time, segment.sender, segment.fields, number, self.life, words))

    def _step(self, step: Step) -> None:
        head = (
            f"step {step.number} of {len(self.trace.steps)}, t={format_duration(step.time)}: {step.event.actor} {step.event.text}"
        )
        story = [*self._loop(step), head, *_details(self.trace, step)]
        if step.event.received is not None:
            story = self._arrive(step.event.received, step, story)
        for copy in step.event.sent:
            story = self._leave(
                copy, story or [f"step {step.number}, t={format_duration(step.time)}: in answer to the packet before"]
            )
        self.untold += story
        if reopens(step):
            self._next_incarnation(step.time)

    def _loop(self, step: Step) -> list[str]:
        if self.trace.loop is None or step.number != self.trace.loop + 1:
            return []
        return [f"from here on {repetition(self.trace)[0]}"]

    def _arrive(self, copy: Packet, step: Step, story: list[str]) -> list[str]:
        """A copy arrives; what is left to tell of the step."""
        fields = numbers_of(copy)
        times = self.arrived[copy.number] = self.arrived.get(copy.number, 0) + 1
        if copy.receiver not in self.places:
            return story
        fate = f"copy {copy.number}, sent by {copy.sender} at t={format_duration(copy.sent)}, arrives"
        if times > 1:
            fate += f" again: a DUPLICATE that the network made (arrival {times})"
        if step.time > copy.sent:
            fate += (
                f"; OLD: {format_duration(step.time - copy.sent)}"
                f" of the {format_duration(copy.expires - copy.sent)} that it may live"
            )
        life = self.lives.get(copy.number, 0)
        if life != self.life:
            fate += "; of the PREVIOUS INCARNATION"
        self._see(copy.receiver, step.time, copy, fields, life, [fate, *story])
        return []

    def _leave(self, copy: Packet, story: list[str]) -> list[str]:
        """A copy is sent; what is left to tell of the step."""
        fields = numbers_of(copy)
        self.lives[copy.number] = self.life
        if copy.sender not in self.places:
            return [*story, f"copy {copy.number} of {copy.sender} leaves there, {_fate(self.trace, copy)}"]
        words = f"copy {copy.number} of {copy.sender} leaves, {_fate(self.trace, copy)}"
        self._see(copy.sender, copy.sent, copy, fields, self.life, [words, *story])
        return []

    def _see(self, place: str, time: Fraction, copy: Packet, fields: Mapping[str, int], life: int, story: list[str]) -> None:
        comment = "\n".join([story[0], *_heading("unseen before this packet:", self.untold), *story[1:]])
        self.untold = []
        self.packets.append(Sighting(place, time, copy.sender, fields, copy.number, life, comment))

    def _next_incarnation(self, time: Fraction) -> None:
        """The handshake of the next incarnation, which in the trace is one atomic step."""
        self.life += 1
        for index, segment in enumerate(HANDSHAKE):
            words = f"the next incarnation, {index + 1} of {len(HANDSHAKE)}: {segment.words}"
            before = self.untold if index == 0 else []
            self._add(segment, time, Fraction(0), "\n".join([words, *_heading("unseen before this packet:", before)]))
        self.untold = []

    def _after(self) -> None:
        """What is left to tell goes to the last packet."""
        if self.untold and self.packets:
            last = self.packets[-1]
            comment = "\n".join([last.comment, *_heading("unseen after this packet:", self.untold)])
            self.packets[-1] = last._replace(comment=comment)


def _heading(words: str, told: Sequence[str]) -> list[str]:
    return [words, *(f"  {line}" for line in told)] if told else []


def _details(trace: Trace, step: Step) -> Iterator[str]:
    """The rules of a step, what changed, and what it breaks."""
    for name, section, text in step.event.rules:
        yield f"rule {name} ({section}): {text}"
    if changed := changes_in_words(step):
        yield f"changed: {changed}"
    if step is trace.steps[-1] and trace.loop is None and (why := violation_reason(trace)):
        yield f"BREAKS {trace.shows}: {why}"


def _fate(trace: Trace, copy: Packet) -> str:
    """What becomes of a copy that was sent."""
    if copy.lost:
        return f"and is LOST: {copy.receiver} never sees it"
    arrivals = [
        f"step {step.number}, t={format_duration(step.time)}"
        for step in trace.steps
        if step.event.received is not None and step.event.received.number == copy.number
    ]
    if not arrivals:
        return "and the trace ends before it arrives"
    return f"and arrives at {copy.receiver} at {' and again at '.join(arrivals)}"


def _never_sent(trace: Trace) -> list[Packet]:
    """Copies that arrive although no step sends them (of several that arrive together one step tells), by time of sending."""
    sent = {copy.number for step in trace.steps for copy in step.event.sent}
    arrived = [step.event.received for step in trace.steps if step.event.received is not None]
    strangers = {copy.number: copy for copy in arrived if copy.number not in sent}
    return sorted(strangers.values(), key=lambda copy: (copy.sent, copy.number))
