"""A trace as a packetdrill script: one end is the stack under test, the script is the network and the other end.

The script covers the user calls of that end (CLOSE is ``close()`` where the closing user stops reading, else ``shutdown()``),
what it sends, at the times of the trace, and what arrives, old copies and duplicates included. Lost copies of the other end
do not appear. Comments name everything that a script cannot express: steps of the other end, timers that expire without a
segment, and everything from the next incarnation on, since a script follows one connection.

A real stack has timers of its own. Where its retransmissions differ from the trace's, use a larger ``--tolerance_usecs``. A
script cannot end a TIME-WAIT: that of the trace must be the stack's, else a segment that arrives after it is answered otherwise.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from timewait.checker.trace import Step, Trace
from timewait.formats.trace_segments import AddedSegment, fields_of, segments_before
from timewait.narration.sentences import repetition, step_in_words, violation_reason
from timewait.narration.timeline import leaves_first, reopens
from timewait.spec.description import data_in_words
from timewait.spec.duration import format_duration

WINDOW = 65_535
"""The window that the other end advertises, in octets: no stack has to wait for it."""

LINGER = "setsockopt({socket}, SOL_SOCKET, SO_LINGER, {{onoff=1, linger=0}}, 8) = 0"
CONNECT = (
    "socket(..., SOCK_STREAM, IPPROTO_TCP) = 3",
    "fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0",
    "connect(3, ..., ...) = -1 EINPROGRESS (Operation now in progress)",
)
LISTEN = (
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
        The trace.
    end : {"a", "b"}
        The stack under test.

    Raises
    ------
    BrokenTrace
        The trace contains something other than TCP segments between A and B.
    """
    return "\n".join(_Script(trace, end.upper()).lines()) + "\n"


@dataclass
class _Script:
    """The state of a walk along a trace.

    Attributes
    ----------
    trace : Trace
        The trace.
    end : str
        The stack under test.
    now : int
        The time of the last line, in microseconds since the start of the trace.
    """

    trace: Trace
    end: str
    now: int = 0

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
        yield from self._opening()
        for step in self.trace.steps:
            yield ""
            if self.trace.loop is not None and step.number == self.trace.loop + 1:
                yield from _comment(f"from here on {repetition(self.trace)[0]}")
            yield from _comment(f"step {step.number}, t={format_duration(step.time)}: {step_in_words(step)}")
            if reopens(step) or leaves_first(step, self.end):
                yield from _comment("not covered from here on: a script follows one connection, and the next one begins")
                return
            yield from self._step(step)

    def _opening(self) -> Iterator[str]:
        """The opening of the connection, and its first close where the trace starts after that."""
        yield from _comment("before the trace: the connection is opened")
        yield from (f"+0 {call}" for call in (CONNECT if self.end == "A" else LISTEN))
        accepted = False
        for segment in segments_before(self.trace):
            if segment.fields.get("fin"):
                yield from _comment(f"before the trace: {segment.purpose}")
                if segment.sender == self.end:
                    yield f"+0 {self._close()}"
            yield f"+0 {self._segment(segment.sender, segment.fields)}"
            if self.end == "B" and not accepted and _completes_handshake(segment):
                accepted = True
                yield "+0 accept(3, ..., ...) = 4"

    def _step(self, step: Step) -> Iterator[str]:
        if step.event.actor != self.end:
            return
        yield from (f"{self._elapsed(step.time)} {call}" for call in self._calls(step))
        for copy in (*filter(None, [step.event.received]), *step.event.sent):
            fields = dict(fields_of(copy))
            if fields.get("rst") and step.event.received is None:
                # RFC 9293 3.10.5 has no ACK in the RST of an abort; stacks send one (Linux, tcp_send_active_reset).
                fields.setdefault("ack", int(self._before(step)[f"{self.end}.rcv"]))
            yield f"{self._elapsed(step.time)} {self._segment(copy.sender, fields)}"

    def _before(self, step: Step) -> Mapping[str, str | int]:
        """The state before a step."""
        return self.trace.steps[step.number - 2].state if step.number > 1 else self.trace.initial

    def _elapsed(self, time: Fraction) -> str:
        """The time since the previous line, in seconds, to the microsecond."""
        now = round(time * 10**6)
        elapsed, self.now = now - self.now, now
        whole, part = divmod(elapsed, 10**6)
        return f"+{whole}" + (f".{part:06d}".rstrip("0") if part else "")

    def _calls(self, step: Step) -> Iterator[str]:
        """The system calls of a step."""
        rules = {name for name, _, _ in step.event.rules}
        if "send" in rules:
            octets = sum(fields_of(copy)["len"] for copy in step.event.sent)
            yield f"send({self.socket}, ..., {octets}, 0) = {octets}"
        if rules & {"close.first", "close.second"}:
            yield self._close()
        if rules & {"abort", "close.linger-zero"}:
            yield LINGER.format(socket=self.socket)
            yield f"close({self.socket}) = 0"

    def _close(self) -> str:
        abandons = self.trace.about.get("behaviour", {}).get("abandons", False)
        return f"close({self.socket}) = 0" if abandons else f"shutdown({self.socket}, SHUT_WR) = 0"

    def _segment(self, sender: str, fields: Mapping[str, int]) -> str:
        """A segment in packetdrill's notation, which also has relative numbers with a SYN at 0."""
        flags = "".join(letter for name, letter in (("fin", "F"), ("syn", "S"), ("rst", "R")) if fields.get(name))
        first, length = fields["seq"], fields["len"]
        flags += ("P" if length else "") + ("." if "ack" in fields else "")
        ack = f" ack {fields['ack']}" if "ack" in fields else ""
        numbers = f"{flags} {first}:{first + length}({length}){ack}"
        if sender == self.end:
            return f"> {numbers}" + (" <...>" if fields.get("syn") else "")
        return f"< {numbers} win {WINDOW}" + (" <mss 1460>" if fields.get("syn") else "")


def _completes_handshake(segment: AddedSegment) -> bool:
    return segment.sender == "A" and "ack" in segment.fields


def _comment(text: str) -> list[str]:
    return [f"// {line}" for line in textwrap.wrap(text, 110)]
