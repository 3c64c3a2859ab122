"""A trace as a story, for readers who meet TCP's close for the first time.

Each state is explained where it is first entered, with `timewait.spec.state.MEANING`; each step cites the rule of the
specification that decided it. Runs of the checker and captured connections are described alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from timewait.checker.trace import Step, Trace
from timewait.narration.prose import capitalised, counted, frames_in_words, listed, other_end, rounded, short_duration
from timewait.narration.sentences import violation_reason
from timewait.spec.exchange import ENDS
from timewait.spec.properties import PROPERTIES
from timewait.spec.state import MEANING, State
from timewait.vocabulary.replay import Packet

CAPTURE = "capture"
"""The value of `Trace.shows` for a trace made from a capture."""

SUMMARISED = 5
"""The least number of successive text steps that become one sentence."""


class StoryLine(NamedTuple):
    """The description of one step, or of several alike.

    Attributes
    ----------
    time : Fraction
        Seconds since the start.
    numbers : (int, int)
        The first and the last step described; (0, 0) for the start.
    text : str
        What happened.
    why : str
        The deciding rule and its section; empty when there is none or it was cited before.
    meanings : tuple of (str, str)
        The states entered for the first time, with their meanings.
    frames : tuple of int
        Of a captured connection, the frames that show it.
    """

    time: Fraction
    numbers: tuple[int, int]
    text: str
    why: str = ""
    meanings: tuple[tuple[str, str], ...] = ()
    frames: tuple[int, ...] = ()

    @property
    def text_with_frames(self) -> str:
        """The text, and the frames that show it."""
        return f"{self.text} ({frames_in_words(self.frames)})" if self.frames else self.text


OWN_ACTIONS = {
    "open.active": "{me}'s user opens the same addresses and ports again, actively. {me} sends a SYN",
    "open.passive": "{me}'s user opens the same addresses and ports again, passively",
    "send": "{me}'s user sends text",
    "close.first": "{me}'s user closes. {me} sends a FIN: nothing more will come from {me}",
    "close.second": "{me}'s user closes too. {me} sends its FIN",
    "close.linger-zero": "{me}'s user closes with SO_LINGER 0. {me} discards its unsent text and sends a RST",
    "abort": "{me}'s user aborts the connection. {me} sends a RST",
    "timer.retries": "{me} has reached its limit of retransmissions and gives up",
    "timer.fin-wait-2": "{me}'s timeout for {other}'s FIN expires, and {me} gives up",
    "incarnation.crash": "{me}'s host loses all memory of the connection. {me} keeps quiet",
    "incarnation.reopen": "Both ends are in CLOSED, and the same addresses and ports are opened again",
}
"""What an end does by a user call or a timer, by rule."""

REACTIONS = {
    "closed.answer": "{me} has no such connection",
    "closed.ignore-rst": "{me} has no such connection, and a RST is never answered",
    "sequence.unacceptable-rst": "its number is outside {me}'s window, so {me} drops it",
    "reset.challenge": "its number is not exactly the one {me} expects, so {me} sends a challenge ACK",
    "reset.accepted": "it ends the connection for {me}",
    "reset.time-wait": "it ends {me}'s TIME_WAIT at once",
    "reset.time-wait-ignored": "{me} ignores it",
    "syn.challenge": "{me} still has the old connection",
    "ack.unsent": "it acknowledges something {me} never sent",
    "ack.fin-wait-2": "it acknowledges {me}'s FIN",
    "ack.time-wait": "it acknowledges {me}'s FIN",
    "ack.closed": "it acknowledges {me}'s FIN",
    "time-wait.ack": "by the letter of the standard {me} answers it and restarts its TIME_WAIT",
    "time-wait.beyond": "by the letter of the standard {me} answers it and restarts its TIME_WAIT",
    "text.accept": "{me} accepts the text",
    "text.out-of-order": "earlier text is still missing",
    "text.late": "{me}'s user no longer reads, so {me} discards the text",
    "fin.out-of-order": "earlier text is still missing, so {me} does not process the FIN yet",
    "fin.close-wait": "nothing more will come from {other}",
    "fin.closing": "{other} has closed simultaneously: its FIN does not acknowledge {me}'s FIN",
    "fin.time-wait": "{other} has closed too",
    "incarnation.timestamp": "its timestamp is older than the last one, so {me} acknowledges it and drops it",
    "incarnation.ack-first": "its ACK does not complete the handshake, so {me} refuses it with a RST, whatever its number",
    "incarnation.syn-reset": "its number is in the window of {me}'s TIME_WAIT, so {me} refuses it with a RST",
    "incarnation.syn": "it is new, so {me}'s TIME_WAIT ends, and {me} opens the next connection",
    "listen.syn": "{other} opens a connection",
    "listen.ack": "{me} has no such connection",
    "syn-sent.bad-ack": "it acknowledges something {me} never sent",
    "syn-sent.established": "it acknowledges {me}'s SYN",
    "syn-sent.crossing": "{other} opens simultaneously",
    "syn-sent.reset": "it ends the attempt",
    "ack.syn-received": "it acknowledges {me}'s SYN",
    "ack.syn-received-bad": "it acknowledges something {me} never sent",
    "reset.listen": "it ends the attempt, and {me} waits again",
    "incarnation.old-text": "it lies in the window of the new connection: {me}'s user reads old text as new",
    "incarnation.old-fin": "it lies in the window of the new connection: {me} takes it for the end of {other}'s text",
    "incarnation.old-reset": "it lies in the window of the new connection, and ends it",
    "incarnation.old-ack": "{me} takes it for an acknowledgement of new text, and never retransmits that text if it was lost",
}
"""What a segment does to its receiver, by rule."""


def story(trace: Trace) -> list[StoryLine]:
    """Describe a trace: its start, and every step of an end or of the users; `conclusion` says what fails."""
    return list(_Narrator(trace).lines())


def conclusion(trace: Trace) -> list[str]:
    """What fails in a trace, and the violated property with its section; empty for a trace that violates nothing."""
    shown = PROPERTIES.get(trace.shows)
    if shown is None:
        return []
    endless = "the last steps can repeat for ever, and the property is never fulfilled"
    why = violation_reason(trace) if trace.loop is None else endless
    return [*([f"What fails: {why}."] if why else []), f"The property {shown.name}: {shown.statement} ({shown.section})."]


@dataclass
class _Narrator:
    """The state of a walk along a trace.

    Attributes
    ----------
    trace : Trace
        The trace.
    arrived : set of int
        The numbers of the copies that have arrived.
    explained, cited : set of str
        The states already explained, and the rules already cited.
    sent : list of Packet
        The copies sent so far.
    """

    trace: Trace
    arrived: set[int] = field(default_factory=set)
    explained: set[str] = field(default_factory=set)
    cited: set[str] = field(default_factory=set)
    sent: list[Packet] = field(default_factory=list)

    def lines(self) -> Iterator[StoryLine]:
        """The whole story."""
        yield self._start()
        text_steps: list[Step] = []
        for step in self.trace.steps:
            if self.trace.loop is not None and step.number == self.trace.loop + 1:
                yield from self._text_steps(text_steps)
                text_steps = []
                yield StoryLine(step.time, (step.number, step.number), "From here on the steps can repeat for ever.")
            if _is_text_step(step):
                text_steps.append(step)
                continue
            yield from self._text_steps(text_steps)
            text_steps = []
            if step.event.actor in (*ENDS, "users"):
                yield self._step(step)
            elif step.event.sent:
                self._remember(step)
                (copy,) = step.event.sent
                text = f"A box between the ends sends {copy.text} to {copy.receiver}, in the name of {copy.sender}."
                yield StoryLine(step.time, (step.number, step.number), text)
        yield from self._text_steps(text_steps)

    def _start(self) -> StoryLine:
        a, b = (str(self.trace.initial[f"{end}.state"]) for end in ENDS)
        text = f"Both ends are in {a}." if a == b else f"A is in {a}, B in {b}."
        return StoryLine(Fraction(0), (0, 0), text, meanings=self._meanings([a, b]))

    def _meanings(self, states: Sequence[str]) -> tuple[tuple[str, str], ...]:
        new = [name for name in dict.fromkeys(states) if name in State.__members__ and name not in self.explained]
        self.explained.update(new)
        return tuple((name, MEANING[State[name]]) for name in new)

    def _text_steps(self, steps: Sequence[Step]) -> Iterator[StoryLine]:
        """Successive text steps: one by one if they are few, else in one sentence."""
        if len(steps) < SUMMARISED:
            for step in steps:
                yield self._step(step)
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
        text = f"{' and '.join(parts) or 'The ends only acknowledge'}; this takes {took}."
        frames = tuple(sorted({frame for step in steps for frame in step.event.frames}))
        yield StoryLine(steps[0].time, (steps[0].number, steps[-1].number), text, frames=frames)

    def _step(self, step: Step) -> StoryLine:
        text = self._arrival(step) if step.event.received is not None else self._own_action(step)
        entered = [str(after) for name, (_, after) in step.changed.items() if name.endswith(".state")]
        self._remember(step)
        numbers = (step.number, step.number)
        return StoryLine(step.time, numbers, text, self._why(step), self._meanings(entered), step.event.frames)

    def _remember(self, step: Step) -> None:
        if step.event.received is not None:
            self.arrived.add(step.event.received.number)
        self.sent += step.event.sent

    def _why(self, step: Step) -> str:
        """The last rule applied, which the others led to."""
        if not step.event.rules or step.event.rules[-1][0] in self.cited:
            return ""
        name, section, text = step.event.rules[-1]
        self.cited.add(name)
        return f"{text} ({section})"

    # --- sentences --------------------------------------------------------------------------------------------------

    def _own_action(self, step: Step) -> str:
        """A user call, a timer, or an answer that is a step of its own."""
        event = step.event
        names = [name for name, _, _ in event.rules]
        rule = names[0] if names else ""
        me = event.actor
        closes = "close.first" in names or "close.second" in names
        if rule == "timer.retransmission":
            waited = event.text.rpartition(" after ")[2] if " after " in event.text else "a while"
            what = listed([_kind(copy) for copy in event.sent]) or "segment"
            text = f"{me} has received no acknowledgement in the {waited} since its last transmission and retransmits its {what}"
        elif rule == "send" and event.sent and not closes:
            text = f"{me}'s user sends {counted(_length(event.sent[0]), 'octet')} of text"
        elif rule == "timer.time-wait" or (rule == "send" and not event.sent):
            text = f"{me} {event.text}"
        elif rule == "incarnation.reopen" and self.trace.shows == CAPTURE:
            text = "The same addresses and ports are opened again"
        elif rule in OWN_ACTIONS:
            last = next((name for name in reversed(names) if name in OWN_ACTIONS), rule)
            text = OWN_ACTIONS[last].format(me=me, other=other_end(me))
        else:
            text = f"{me} {self._answer(step)}"
        if any(copy.lost for copy in event.sent):
            text += f"; {self._lost()}"
        return _sentences(text, *self._transitions(step))

    def _answer(self, step: Step) -> str:
        """An answer, with what it acknowledges."""
        text = step.event.text
        acknowledged = self._acknowledged(step.event.sent[0]) if step.event.sent else ""
        for verb, preposition in (("acknowledges", ""), ("repeats its acknowledgement", " of")):
            if text.startswith(verb) and acknowledged:
                return f"{verb}{preposition} {acknowledged}{text[len(verb) :]}"
        return text

    def _acknowledged(self, copy: Packet) -> str:
        """The last FIN or text that a segment acknowledges."""
        ack = dict(copy.fields).get("ack")
        for earlier in reversed(self.sent):
            fields = dict(earlier.fields)
            end = fields["seq"] + fields.get("len", 0) + fields.get("fin", 0)
            if earlier.sender != copy.sender and end == ack and end > fields["seq"]:
                return f"{earlier.sender}'s {'FIN' if 'fin' in fields else 'text'}"
        return ""

    def _arrival(self, step: Step) -> str:
        """The arrival of a copy, its effect, and the answers."""
        copy = step.event.received
        assert copy is not None
        me, other = step.event.actor, copy.sender
        duplicate = copy.number in self.arrived
        age = step.time - copy.sent
        when = f", {short_duration(age)} after it was sent" if age > 0 else ""
        how = f"arrives at {me} again{when}: a duplicate made by the network" if duplicate else f"arrives at {me}{when}"
        text = f"{other}'s {_kind(copy)} {how}"
        reactions = dict.fromkeys(_reaction(name, copy) for name, _, _ in step.event.rules)
        effects = [reaction.format(me=me, other=other) for reaction in reactions if reaction]
        if effects:
            text += (". " + capitalised(effects[0]) if duplicate else ": " + effects[0]) + "".join(
                f"; {it}" for it in effects[1:]
            )
        actions = [*self._answers(step, copy), *self._transitions(step)]
        return _sentences(text, *([f"{me} {listed(actions)}"] if actions else []))

    def _answers(self, step: Step, copy: Packet) -> list[str]:
        found = []
        for answer in step.event.sent:
            if "rst" in dict(answer.fields):
                verb = "answers with a RST"
            elif _kind(copy) == "acknowledgement":
                verb = "answers with an acknowledgement"
            else:
                verb = "acknowledges it"
            found.append(verb + (f" ({self._lost()})" if answer.lost else ""))
        return found

    def _transitions(self, step: Step) -> list[str]:
        """The state that the actor enters, as the rest of a sentence about it."""
        entered = step.changed.get(f"{step.event.actor}.state", ("", ""))[1]
        return [f"goes to {entered}"] if str(entered) in State.__members__ else []

    def _lost(self) -> str:
        capture = self.trace.about.get("capture", {})
        certain = self.trace.shows != CAPTURE or len(capture.get("places", ())) > 1
        return "this copy is lost" if certain else "nothing shows that it arrived"


def _reaction(rule: str, copy: Packet) -> str:
    if rule != "sequence.unacceptable":
        return REACTIONS.get(rule, "")
    kind = _kind(copy)
    return f"{{me}} has received this {kind} before" if kind in ("FIN", "text") else "it tells {me} nothing new"


def _sentences(text: str, *actions: str) -> str:
    """A sentence, followed by further actions of the same subject as sentences of their own."""
    subject = text.partition("'")[0].partition(" ")[0]
    rest = [action if action[0].isupper() else f"{subject} {action}" for action in actions]
    return " ".join(f"{capitalised(sentence)}." for sentence in (text, *rest))


def _length(copy: Packet) -> int:
    return dict(copy.fields).get("len", 0)


def _kind(copy: Packet) -> str:
    """The name of a segment by its most important bit: RST, FIN, SYN, text or acknowledgement."""
    fields = dict(copy.fields)
    for name in ("rst", "fin", "syn"):
        if name in fields:
            return name.upper()
    return "text" if fields.get("len") else "acknowledgement"


def _is_text_step(step: Step) -> bool:
    """Whether a step only carries or acknowledges text, without losses and state changes."""
    copies = [*step.event.sent, *([step.event.received] if step.event.received else [])]
    plain = all(_kind(copy) in ("text", "acknowledgement") and not copy.lost for copy in copies)
    moves = any(name.endswith(".state") for name in step.changed)
    names = {name for name, _, _ in step.event.rules}
    return bool(copies) and plain and not moves and names <= {"send", "text.accept", "ack.advance"}
