"""A trace as a packetdrill script: one end is the stack under test, the script is the network and the other end.

Covered: the calls of that end's user (CLOSE is ``close()`` where the user who closes stops reading, else ``shutdown()``),
what it sends, at the times of the trace, and what arrives, old copies and duplicates too. Lost copies of the other end
do not appear. What a script cannot say stands in comments: steps of the other end, timers that run out without a
segment, and all from the next incarnation on, since a script follows one connection.

When a real stack sends something again is its own affair: where its timers differ from the trace's, give packetdrill a
larger ``--tolerance_usecs``.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from timewait.checker.trace import Step, Trace
from timewait.formats.fields import numbers_of
from timewait.formats.opening import Added, opening
from timewait.narration.sentences import repetition, step_in_words, violation_reason
from timewait.narration.timeline import reopens
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration

WIDE = 65_535
"""The window that the other end advertises, in octets: no stack should wait for it."""

LINGER = "setsockopt({socket}, SOL_SOCKET, SO_LINGER, {{onoff=1, linger=0}}, 8) = 0"
CONNECTED = (
    "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
    "connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
)
LISTENING = (
    "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    "setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0",
    "bind(3, ..., ...) = 0",
    "listen(3, 1) = 0",
)


def as_packetdrill(trace: Trace, end: str = "a") -> str:
    """A trace as the text of a script.

    Parameters
    ----------
    trace : Trace
        What happened.
    end : {"a", "b"}
        Which end is the stack under test.

    Raises
    ------
    BrokenTrace
        The trace has something in it that is no TCP segment between A and B.
    """
    return "\n".join(_Script(trace, end.upper()).lines()) + "\n"


@dataclass
class _Script:
    """A walk along a trace.

    Attributes
    ----------
    trace : Trace
        What is walked along.
    end : str
        The stack under test.
    told : int
        Microseconds since the start of the trace at which the last line stands.
    """

    trace: Trace
    end: str
    told: int = 0

    @property
    def socket(self) -> int:
        """The descriptor of the connection."""
        return 3 if self.end == "A" else 4

    def lines(self) -> Iterator[str]:
        """The whole script."""
        yield from _comment(f"{self.trace.shows}: {self.trace.statement}")
        if why := violation_reason(self.trace):
            yield from _comment(f"fails: {why}")
        yield from _comment(data_in_words(self.trace.about))
        yield from _comment(f"{self.end} is the stack under test. Times are those of the trace; its own timers may differ.")
        yield ""
        yield from self._opened()
        for step in self.trace.steps:
            yield ""
            if self.trace.loop is not None and step.number == self.trace.loop + 1:
                yield from _comment(f"from here on {repetition(self.trace)[0]}")
            yield from _comment(f"step {step.number}, t={format_duration(step.time)}: {step_in_words(step)}")
            if reopens(step):
                yield from _comment("not covered from here on: a script follows one connection, and the next one begins")
                return
            yield from self._step(step)

    def _opened(self) -> Iterator[str]:
        """The connection is opened, and closed as far as the trace takes for granted."""
        calls = CONNECTED if self.end == "A" else LISTENING
        yield from _comment("before the trace: the connection is opened")
        yield from (f"+0 {call}" for call in calls)
        accepted = False
        for segment in opening(self.trace):
            if segment.fields.get("fin"):
                yield from _comment(f"before the trace: {segment.words}")
                yield from (f"+0 {call}" for call in self._close() if segment.sender == self.end)
            yield f"+0 {self._segment(segment.sender, segment.fields)}"
            if self.end == "B" and not accepted and _completes(segment):
                accepted = True
                yield "+0 accept(3, ..., ...) = 4"

    def _step(self, step: Step) -> Iterator[str]:
        if step.event.actor != self.end:
            return
        yield from (f"{self._after(step.time)} {call}" for call in self._calls(step))
        passing = (*filter(None, [step.event.received]), *step.event.sent)
        yield from (f"{self._after(step.time)} {self._segment(copy.sender, numbers_of(copy))}" for copy in passing)

    def _after(self, time: Fraction) -> str:
        """The time since the line before, in seconds, to the microsecond."""
        now = round(time * 10**6)
        waited, self.told = now - self.told, now
        whole, part = divmod(waited, 10**6)
        return f"+{whole}" + (f".{part:06d}".rstrip("0") if part else "")

    def _calls(self, step: Step) -> Iterator[str]:
        """The calls of the user that a step stands for."""
        rules = {name for name, _, _ in step.event.rules}
        if "send" in rules:
            octets = sum(numbers_of(copy)["len"] for copy in step.event.sent)
            yield f"send({self.socket}, ..., {octets}, 0) = {octets}"
        if rules & {"close.first", "close.second"}:
            yield from self._close()
        if rules & {"abort", "close.linger-zero"}:
            yield LINGER.format(socket=self.socket)
            yield f"close({self.socket}) = 0"

    def _close(self) -> Iterator[str]:
        abandons = self.trace.about.get("behaviour", {}).get("abandons", False)
        yield f"close({self.socket}) = 0" if abandons else f"shutdown({self.socket}, SHUT_WR) = 0"

    def _segment(self, sender: str, fields: Mapping[str, int]) -> str:
        """A segment as the language writes it; numbers are relative there too, and a SYN is 0."""
        flags = "".join(letter for name, letter in (("fin", "F"), ("syn", "S"), ("rst", "R")) if fields.get(name))
        first, length = fields["seq"], fields["len"]
        flags += ("P" if length else "") + ("." if "ack" in fields else "")
        acknowledged = f" ack {fields['ack']}" if "ack" in fields else ""
        if sender == self.end:
            options = " <...>" if fields.get("syn") else ""
            return f"> {flags} {first}:{first + length}({length}){acknowledged}{options}"
        options = " <mss 1460>" if fields.get("syn") else ""
        return f"< {flags} {first}:{first + length}({length}){acknowledged} win {WIDE}{options}"


def _completes(segment: Added) -> bool:
    """Whether it is the last segment of a handshake."""
    return segment.sender == "A" and "ack" in segment.fields


def _comment(text: str) -> list[str]:
    return [f"// {line}" for line in textwrap.wrap(text, 110)]
