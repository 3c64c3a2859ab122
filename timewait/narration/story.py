"""A trace as a story: what happened, step by step, in words that somebody who meets TCP's close for the first time follows.

What each state is for is said where it is first entered, in the words of `timewait.spec.state.MEANING`; why a step was possible,
by the rule of the specification that decided it. A run of the checker and a captured connection are told alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.trace import Step, Trace
from timewait.narration.prose import counted, listed, rounded, short_duration
from timewait.spec.exchange import ENDS
from timewait.spec.properties import PROPERTIES
from timewait.spec.state import MEANING, State
from timewait.vocabulary.replay import Packet

CAPTURE = "capture"
"""What a trace that was captured shows, in place of a property."""

FOLDED = 5
"""So many steps of mere text in a row, or more, are told in one sentence."""


class StoryLine(NamedTuple):
    """One step, or several alike, in words.

    Attributes
    ----------
    time : Fraction
        When, in seconds since the start.
    numbers : tuple of int
        The first and the last step that is told; (0, 0) for the start.
    text : str
        What happened.
    why : str
        The rule that decided it, and its section; empty when it was told before, or there is none.
    meanings : tuple of (str, str)
        The states that are new to the reader, and what each is for.
    """

    time: Fraction
    numbers: tuple[int, int]
    text: str
    why: str = ""
    meanings: tuple[tuple[str, str], ...] = ()


CALLS = {
    "open.active": "{me}'s user opens the same addresses and ports again",
    "send": "{me}'s user sends text",
    "close.first": "{me}'s user closes. {me} sends a FIN, which says that nothing more will come from it",
    "close.second": "{me}'s user closes too. {me} sends its FIN",
    "close.linger-zero": "{me}'s user closes with SO_LINGER at nought. {me} throws away what is unsent and sends a RST",
    "abort": "{me}'s user drops the connection. {me} sends a RST",
    "timer.retries": "{me} has sent the same again as often as it may, and gives up",
    "timer.fin-wait-2": "{me} has waited long enough for {other} to close, and gives up",
    "incarnation.reopen": "Both ends have forgotten the connection, and the same addresses and ports are opened again",
}
"""What an end does of its own accord, by the rule."""

REACTIONS = {
    "closed.answer": "{me} knows of no such connection",
    "closed.ignore-rst": "{me} knows of no such connection, and no RST is ever answered",
    "sequence.unacceptable-rst": "its number is outside {me}'s window, so it is dropped",
    "reset.challenge": "its number is not just the one that {me} expects, so {me} asks back",
    "reset.accepted": "for {me} that is the end of the connection",
    "reset.time-wait": "it ends {me}'s TIME_WAIT at once",
    "reset.time-wait-ignored": "{me} ignores it",
    "syn.challenge": "{me} still has the old connection",
    "ack.unsent": "it acknowledges what {me} never sent",
    "ack.fin-wait-2": "it acknowledges {me}'s FIN",
    "ack.time-wait": "it acknowledges {me}'s FIN",
    "ack.closed": "it acknowledges {me}'s FIN",
    "time-wait.bare-ack": "to the letter of the standard it is answered, and the wait begins anew",
    "text.accept": "{me} takes in the text",
    "text.out-of-order": "something before it is missing",
    "text.late": "{me}'s user reads no more, so the text is thrown away",
    "fin.out-of-order": "something before it is missing, so it has to wait",
    "fin.close-wait": "nothing more will come from {other}",
    "fin.closing": "{other} has closed at the same time, for it does not acknowledge {me}'s FIN",
    "fin.time-wait": "{other} has closed too",
    "incarnation.intrusion": "it lies in the window of the new connection, which takes it for its own",
}
"""What an end makes of a segment, by the rule."""


def story(trace: Trace) -> list[StoryLine]:
    """Tell a trace.

    Returns
    -------
    list of Told
        The start, then every step in which somebody does something; what fails is for `moral` to say.
    """
    return list(_Teller(trace).tell())


def conclusion(trace: Trace) -> list[str]:
    """What a trace shows broken, and where that is asked for; nothing for a trace that shows something at work."""
    asked = PROPERTIES.get(trace.shows)
    if asked is None:
        return []
    whys = [why for step in trace.steps[-1:] for name, why in step.event.breaks if name == trace.shows]
    if trace.loop is not None:
        whys = ["the last steps can be repeated for ever, and the promise stays open"]
    return [*(f"What fails: {why}." for why in whys), f"The property {asked.name}: {asked.statement} ({asked.section})."]


@dataclass
class _Teller:
    """Goes along a trace and remembers what the reader has been told.

    Attributes
    ----------
    trace : Trace
        What is told.
    arrived : set of int
        The copies that have arrived.
    known : set of str
        The states that were explained.
    cited : set of str
        The rules that were cited.
    """

    trace: Trace
    arrived: set[int] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    cited: set[str] = field(default_factory=set)
    sent: list[Packet] = field(default_factory=list)

    def tell(self) -> Iterator[StoryLine]:
        """Everything."""
        yield self._start()
        waiting: list[Step] = []
        for step in self.trace.steps:
            if self.trace.loop is not None and step.number == self.trace.loop + 1:
                yield from self._several(waiting)
                waiting = []
                yield StoryLine(step.time, (step.number, step.number), "What follows can repeat itself for ever.")
            if _is_text(step):
                waiting.append(step)
                continue
            yield from self._several(waiting)
            waiting = []
            if step.event.actor in (*ENDS, "users"):
                yield self._one(step)
        yield from self._several(waiting)

    def _start(self) -> StoryLine:
        states = [str(self.trace.initial[f"{end}.state"]) for end in ENDS]
        same = states[0] == states[1]
        text = f"Both ends are {states[0]}." if same else f"A is {_in(states[0])}, B {_in(states[1])}."
        return StoryLine(Fraction(0), (0, 0), text, meanings=self._meanings(states))

    def _meanings(self, states: Sequence[str]) -> tuple[tuple[str, str], ...]:
        new = [name for name in dict.fromkeys(states) if name in State.__members__ and name not in self.known]
        self.known.update(new)
        return tuple((name, MEANING[State[name]]) for name in new)

    def _several(self, steps: Sequence[Step]) -> Iterator[StoryLine]:
        """Steps of mere text: one by one if they are few."""
        if len(steps) < FOLDED:
            for step in steps:
                yield self._one(step)
            return
        parts = []
        for end in ENDS:
            sent = [copy for step in steps for copy in step.event.sent if copy.sender == end and _length(copy)]
            if sent:
                octets = counted(sum(map(_length, sent)), "octet")
                parts.append(f"{end} sends {octets} in {counted(len(sent), 'segment')}, which arrive")
        took = rounded(steps[-1].time - steps[0].time)
        for step in steps:
            self._remember(step)
        text = f"{' and '.join(parts) or 'The ends only acknowledge'}; all that takes {took}."
        yield StoryLine(steps[0].time, (steps[0].number, steps[-1].number), text)

    def _one(self, step: Step) -> StoryLine:
        text = self._arrival(step) if step.event.received is not None else self._deed(step)
        entered = [str(after) for name, (_, after) in step.changed.items() if name.endswith(".state")]
        self._remember(step)
        return StoryLine(step.time, (step.number, step.number), text, self._why(step), self._meanings(entered))

    def _remember(self, step: Step) -> None:
        if step.event.received is not None:
            self.arrived.add(step.event.received.number)
        self.sent += step.event.sent

    def _why(self, step: Step) -> str:
        """The last rule: the others led to it."""
        rules = [rule for rule in step.event.rules if rule[0] not in self.cited]
        if not rules or rules[-1] != step.event.rules[-1]:
            return ""
        name, section, words = rules[-1]
        self.cited.add(name)
        return f"{words} ({section})"

    # --- sentences --------------------------------------------------------------------------------------------------

    def _deed(self, step: Step) -> str:
        """What somebody does of their own accord."""
        event, rule = step.event, next((name for name, _, _ in step.event.rules), "")
        me, other = event.actor, _other(event.actor)
        names = [name for name, _, _ in event.rules]
        if rule == "timer.retransmission":
            waited = event.text.rpartition(" after ")[2] if " after " in event.text else "a while"
            what = listed([_plain(copy) for copy in event.sent]) or "it"
            words = f"{me} has heard of no acknowledgement for {waited}, and sends its {what} again"
        elif rule == "timer.time-wait":
            words = f"{me} {event.text}"
        elif rule == "send" and event.sent and "close.first" not in names and "close.second" not in names:
            words = f"{me}'s user sends {counted(_length(event.sent[0]), 'octet')} of text"
        elif rule == "send" and not event.sent:
            words = f"{me} {event.text}"
        elif rule == "incarnation.reopen" and self.trace.shows == CAPTURE:
            words = "The same addresses and ports are opened again"
        elif rule in CALLS:
            last = next((name for name in reversed(names) if name in CALLS), rule)
            words = CALLS[last].format(me=me, other=other)
        else:
            words = f"{me} {self._answer(step)}"
        lost = [copy for copy in event.sent if copy.lost]
        if lost:
            words += f"; {self._lost()}"
        return _sentences(words, *self._ways(step))

    def _answer(self, step: Step) -> str:
        """An answer that is a step of its own."""
        first = step.event.sent[0] if step.event.sent else None
        acknowledged = None if first is None else self._acknowledged(first)
        text = step.event.text
        for verb in ("acknowledges", "repeats its acknowledgement"):
            if text.startswith(verb) and acknowledged:
                of = "" if verb == "acknowledges" else " of"
                return f"{verb}{of} {acknowledged}{text[len(verb) :]}"
        return text

    def _acknowledged(self, copy: Packet) -> str:
        """What a segment acknowledges last: a FIN or text of the other end."""
        ack = dict(copy.fields).get("ack")
        for earlier in reversed(self.sent):
            fields = dict(earlier.fields)
            end = fields["seq"] + fields.get("len", 0) + fields.get("fin", 0)
            if earlier.sender != copy.sender and end == ack and end > fields["seq"]:
                return f"{earlier.sender}'s {'FIN' if 'fin' in fields else 'text'}"
        return ""

    def _arrival(self, step: Step) -> str:
        """What a copy does to the end where it arrives."""
        copy = step.event.received
        assert copy is not None
        me, other = step.event.actor, copy.sender
        again = copy.number in self.arrived
        age = step.time - copy.sent
        when = f", {short_duration(age)} after it was sent" if age > 0 else ""
        how = f"arrives at {me} once more{when}: a duplicate that the network made" if again else f"arrives at {me}{when}"
        words = f"{other}'s {_plain(copy)} {how}"
        reactions = [_reaction(name, copy) for name, _, _ in step.event.rules]
        told = [one.format(me=me, other=other) for one in dict.fromkeys(reactions) if one]
        if told:
            words += (". " + _capital(told[0]) if again else ": " + told[0]) + "".join(f"; {one}" for one in told[1:])
        doing = [*self._replies(step, copy), *self._ways(step)]
        return _sentences(words, *([f"{me} {listed(doing)}"] if doing and not doing[0].startswith(me) else doing))

    def _replies(self, step: Step, copy: Packet) -> list[str]:
        words = []
        for reply in step.event.sent:
            fields = dict(reply.fields)
            verb = "answers with a RST" if "rst" in fields else "acknowledges it"
            if _plain(copy) == "acknowledgement" and "rst" not in fields:
                verb = "answers with an acknowledgement"
            words.append(verb + (f" ({self._lost()})" if reply.lost else ""))
        return words

    def _ways(self, step: Step) -> list[str]:
        """The states that the step leads to, as the rest of a sentence about the actor."""
        found = []
        for name, (_, after) in step.changed.items():
            end = name.partition(".")[0]
            if name.endswith(".state") and str(after) in State.__members__ and end == step.event.actor:
                found.append("is CLOSED" if after == State.CLOSED else f"goes to {after}")
        return found

    def _lost(self) -> str:
        capture = self.trace.about.get("capture", {})
        known = self.trace.shows != CAPTURE or len(capture.get("places", ())) > 1
        return "this copy gets lost" if known else "nothing shows that it arrived"


def _reaction(rule: str, copy: Packet) -> str:
    if rule != "sequence.unacceptable":
        return REACTIONS.get(rule, "")
    what = _plain(copy)
    if what in ("FIN", "text"):
        return f"{{me}} has had this {what} before"
    return "it says nothing that {me} does not know"


def _sentences(words: str, *ways: str) -> str:
    """A sentence, and what it leads to as another one with the same subject."""
    subject = words.partition("'")[0].partition(" ")[0]
    rest = [way if way[0].isupper() else f"{subject} {way}" for way in ways]
    return " ".join(f"{_capital(one)}." for one in (words, *rest))


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _other(end: str) -> str:
    return ENDS[1 - ENDS.index(end)] if end in ENDS else ""


def _in(state: str) -> str:
    return state if state in (State.CLOSED, State.ESTABLISHED) else f"in {state}"


def _length(copy: Packet) -> int:
    return dict(copy.fields).get("len", 0)


def _plain(copy: Packet) -> str:
    """What a segment is to the close."""
    fields = dict(copy.fields)
    for name in ("rst", "fin", "syn"):
        if name in fields:
            return name.upper()
    return "text" if fields.get("len") else "acknowledgement"


def _is_text(step: Step) -> bool:
    """Whether a step is nothing but text in an open direction, or its acknowledgement."""
    copies = [*step.event.sent, *([step.event.received] if step.event.received else [])]
    plain = all(_plain(copy) in ("text", "acknowledgement") and not copy.lost for copy in copies)
    moves = any(name.endswith(".state") for name in step.changed)
    names = {name for name, _, _ in step.event.rules}
    return bool(copies) and plain and not moves and names <= {"send", "text.accept", "ack.advance"}
