"""A trace as a ladder in plain text, with the conventions of RFC 9293, 3.5 (figures 6 to 14).

Each line has a number. Right arrows show a segment that leaves A or arrives at B, left arrows the reverse; an ellipsis
(``...``) a segment that is still in the network, and ``XXX`` one that is lost. The states are those after the segment.
Comments stand in parentheses. A column on the right, which the RFC does not have, states the time where it advances.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from timewait.checker.trace import Step, Trace
from timewait.diagrams.rows import TAGS, seconds
from timewait.narration.sentences import headline, repetition, violating_steps, violation_at
from timewait.narration.timeline import DeliveryOutcome, Transit, transits
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration
from timewait.spec.exchange import ENDS
from timewait.spec.state import in_rfc_spelling
from timewait.vocabulary.replay import Packet

PEERS = ("TCP Peer A", "TCP Peer B")
FLYING, LOST = "...", "XXX"
RIGHT, LEFT = "-->", "<--"
BITS = ("syn", "fin", "rst", "ack")
"""The control bits, in the order of the RFC."""

NEXT, NEXT_SHORT = "new incarnation", "(new)"

WIDTH = 78
"""The width of the texts above and below the ladder, in characters."""


@dataclass(slots=True)
class _Rung:
    """A line of the ladder: its number, what stands at each end, on the wire, and the time; whether it is a comment."""

    number: str = ""
    a: str = ""
    near: str = ""
    wire: str = ""
    far: str = ""
    b: str = ""
    time: str = ""
    comment: bool = False


COLUMNS = ("number", "a", "near", "wire", "far", "b", "time")
"""The columns, from left to right."""


def as_ladder(trace: Trace) -> str:
    """The ladder of a trace."""
    ladder = _Ladder(trace)
    rungs = list(ladder.rungs())
    head = _Rung(a=PEERS[0], b=PEERS[1], time="time" if any(rung.time for rung in rungs) else "")
    places = _places((head, *rungs))
    lines = [
        line
        for text in (headline(trace), trace.statement, data_in_words(trace.about))
        for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False)
    ]
    for rung in (head, *rungs):
        lines += ["", _drawn(rung, places)] if rung.number or rung is head else [_drawn(rung, places)]
    below = [line for text in ladder.remarks() for line in textwrap.wrap(text, WIDTH, break_on_hyphens=False)]
    return "\n".join([*lines, *(["", *below] if below else [])]) + "\n"


def _places(rungs: Sequence[_Rung]) -> dict[str, int]:
    """The first character of each column, and the last one of the times; comments may reach into the next column."""
    plain = [rung for rung in rungs if not rung.comment]
    a, near, wire, far = (max(len(getattr(rung, name)) for rung in plain) for name in COLUMNS[1:5])
    number = max(len(rung.number) for rung in rungs)
    places = {"number": 0, "a": number + 1}
    places["near"] = places["a"] + a + 1
    places["wire"] = places["near"] + near + 1
    places["far"] = places["wire"] + wire + 1
    places["b"] = places["far"] + far + 1
    places["time"] = places["b"] + max(len(rung.b) for rung in rungs) + 1 + max(len(rung.time) for rung in rungs)
    places["middle"] = places["wire"] + wire // 2
    return places


def _drawn(rung: _Rung, places: Mapping[str, int]) -> str:
    line = ""
    for name in COLUMNS:
        text = getattr(rung, name)
        if text:
            begins = places[name] - (len(text) if name == "time" else 0)
            if name == "wire" and rung.comment:
                begins = places["middle"] - len(text) // 2
            line = line.ljust(begins) + text
    return line


class _Ladder:
    """The construction of one ladder."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.sent = {(one.sent, one.copy.number): one for one in transits(trace) if one.outcome is not DeliveryOutcome.DUPLICATE}
        self.line = 0
        self.lines_of: dict[int, int] = {}
        """The line of each step."""
        self.arrived: set[int] = set()
        self.skipped: set[int] = set()
        """Steps that stand on the line of the departure of their segment."""
        msl, time_wait = (seconds(trace.about.get(name)) for name in ("msl", "time_wait"))
        self.two_msl = "2 MSL" if msl and time_wait == 2 * msl else "TIME-WAIT timer"

    def rungs(self) -> Iterator[_Rung]:
        yield self._numbered(_Rung(a=_state(self.trace.initial, "A"), b=_state(self.trace.initial, "B"), time="0"), 0)
        for step in self.trace.steps:
            yield from self._step(step)

    def remarks(self) -> Iterator[str]:
        """The meaning of what the RFC does not have, the loop, and the violation."""
        if any(_state(step.state, end) == NEXT_SHORT for step in self.trace.steps for end in ENDS):
            yield f"{NEXT_SHORT}: the next incarnation of the connection."
        if self.trace.loop is not None:
            first, last = self.lines_of[self.trace.loop + 1], self.line
            which = f"Line {first} repeats" if first == last else f"Lines {first} to {last} repeat"
            yield f"{which} {repetition(self.trace)[0]}. This breaks {self.trace.shows}: {self.trace.statement}."
        for number in sorted(violating_steps(self.trace)):
            step = self.trace.steps[number - 1]
            yield f"Line {self.lines_of[number]} {violation_at(self.trace, step)}."

    def _numbered(self, rung: _Rung, step: int) -> _Rung:
        self.line += 1
        self.lines_of.setdefault(step, self.line)
        rung.number = f"{self.line}."
        return rung

    def _step(self, step: Step) -> Iterator[_Rung]:
        """The lines of a step: a comment, the arrival, and the departures that do not stand on the line of an arrival."""
        actor, time = step.event.actor, format_duration(step.time) if step.delay else ""
        rungs: list[_Rung] = []
        if step.event.received is not None:
            if step.number not in self.skipped:
                rungs += self._arrival(step, step.event.received, time)
        elif actor in ENDS:
            rungs.append(_comment(actor, self._event(step), time))
            if not step.event.sent:
                state = _state(step.state, actor)
                rungs.append(_Rung(a=state) if actor == "A" else _Rung(b=state))
        else:
            rungs.append(_Rung(wire=f"({step.event.text})", time=time, comment=True))
            new = {end: _state(step.state, end) if f"{end}.state" in step.changed else "" for end in ENDS}
            rungs.append(_Rung(a=new["A"], b=new["B"]))
        departures = list(self._departures(step))
        if rungs:
            yield self._numbered(rungs[0], step.number)
            yield from rungs[1:]
        for index, rung in enumerate(departures):
            yield rung if rungs and step.event.received is None and index == 0 else self._numbered(rung, step.number)
        if departures and (step.number + 1) in self.skipped:
            self.lines_of[step.number + 1] = self.line

    def _arrival(self, step: Step, copy: Packet, time: str) -> Iterator[_Rung]:
        """A segment that was in the network; its age where it is a duplicate or late."""
        again = copy.number in self.arrived
        self.arrived.add(copy.number)
        age = step.time - copy.sent
        notes = [*(["duplicate"] if again else []), *([f"{format_duration(age)} old"] if age else [])]
        if notes:
            yield _comment(step.event.actor, ", ".join(notes), time)
            time = ""
        state = _state(step.state, step.event.actor)
        if copy.receiver == "B":
            yield _Rung(near=FLYING, wire=segment(copy), far=RIGHT, b=state, time=time)
        else:
            yield _Rung(a=state, near=LEFT, wire=segment(copy), far=FLYING, time=time)

    def _departures(self, step: Step) -> Iterator[_Rung]:
        for index, copy in enumerate(step.event.sent):
            transit = self.sent[step.number, copy.number]
            last = index == len(step.event.sent) - 1
            following = self.trace.steps[step.number] if step.number < len(self.trace.steps) else None
            at_once = last and following is not None and transit.arrives == following.number
            if at_once and following is not None and step.number != self.trace.loop:
                self.skipped.add(following.number)
                self.arrived.add(copy.number)
                yield self._departure(step, transit, following)
            else:
                yield self._departure(step, transit, None)

    def _departure(self, step: Step, transit: Transit, arrival: Step | None) -> _Rung:
        copy = transit.copy
        state = _state(step.state, copy.sender)
        other = "" if arrival is None else _state(arrival.state, copy.receiver)
        time = format_duration(arrival.time) if arrival is not None and arrival.delay else ""
        end = LOST if transit.outcome is DeliveryOutcome.LOST else FLYING
        if copy.sender == "A":
            return _Rung(a=state, near=RIGHT, wire=segment(copy), far=end if arrival is None else RIGHT, b=other, time=time)
        return _Rung(a=other, near=end if arrival is None else LEFT, wire=segment(copy), far=LEFT, b=state, time=time)

    def _event(self, step: Step) -> str:
        names = [name for name, _, _ in step.event.rules]
        if "timer.time-wait" in names:
            return self.two_msl
        return next((TAGS[name] for name in names if name in TAGS), in_rfc_spelling(step.event.text))


def _comment(end: str, text: str, time: str) -> _Rung:
    """A comment at an end, in parentheses."""
    said = f"({text})"
    return _Rung(a=said, time=time, comment=True) if end == "A" else _Rung(b=said, time=time, comment=True)


def _state(values: Mapping[str, str | int], end: str) -> str:
    return in_rfc_spelling(str(values.get(f"{end}.state", ""))).replace(NEXT, NEXT_SHORT)


def segment(copy: Packet) -> str:
    """A segment as the figures of RFC 9293 write it, for instance ``<SEQ=1><ACK=1><CTL=FIN,ACK>``; other things as text."""
    fields = dict(copy.fields)
    if "seq" not in fields:
        return copy.text
    parts = [f"SEQ={fields['seq']}"]
    parts += [f"ACK={fields['ack']}"] if "ack" in fields else []
    parts += [f"DATA={fields['len']}"] if fields.get("len") else []
    bits = [bit.upper() for bit in BITS if (bit in fields if bit == "ack" else fields.get(bit))]
    return "".join(f"<{part}>" for part in (*parts, *([f"CTL={','.join(bits)}"] if bits else [])))
