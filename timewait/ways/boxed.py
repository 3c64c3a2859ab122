"""Closes through a middlebox, carried out on the specification: what each host sees when the box forgets first, or last.

The box stands beside the sender of each packet. A path takes `WAY` in one direction and loses only what a run states.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Hashable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction

from timewait.checker.finding import Move, Run
from timewait.checker.replay import carried_out
from timewait.checker.trace import Trace
from timewait.spec.configuration import Configuration
from timewait.spec.duration import format_duration
from timewait.spec.endpoint import allowed_calls
from timewait.spec.exchange import ENDS
from timewait.spec.middlebox import Forwarding, Middlebox, TrackedConnection, TrackedPhase, passes
from timewait.spec.outcome import Call, Timer
from timewait.spec.reference import ReferenceState, initial_state
from timewait.spec.replies import reset_for
from timewait.spec.scenarios import WAY
from timewait.spec.segment import Segment
from timewait.spec.trace_actions import segment_of
from timewait.vocabulary.automaton import Action
from timewait.vocabulary.replay import ImpossibleMove, Packet

LONGER = Fraction(1)
"""How much longer than the box remembers an end waits, in seconds."""

RUNS = ("idle", "half-closed", "last-ack")
"""The names of the runs."""

RETRANSMISSIONS = 3
"""How often an end retransmits a segment before it gives up; fewer than usual, so that a run is short."""

MOST_ANSWERS = 3
"""Segments that one event sends at most."""


_GIVEN_UP = RETRANSMISSIONS + 2
"""Gaps between transmissions after which an end has given up."""

_LAST_ACK = 4
"""The number of the acknowledgement of the second FIN: after both FINs and the acknowledgement of the first."""


@dataclass(slots=True)
class _Passage:
    """A close through a box, event by event in the order of time.

    Attributes
    ----------
    box : Middlebox
        The box.
    state : ReferenceState
        The hosts and the packets in flight.
    entry : TrackedConnection or None
        The connection in the table of the box.
    lost : collection of int
        The numbers of the packets that get lost behind the box.
    moves : list of Move
        Everything that has happened.
    """

    box: Middlebox
    state: ReferenceState
    lost: Collection[int] = ()
    entry: TrackedConnection | None = field(default_factory=lambda: TrackedConnection(TrackedPhase.OPEN, Fraction(0)))
    moves: list[Move] = field(default_factory=list)
    _arrivals: list[tuple[Fraction, int, str, Segment]] = field(default_factory=list)
    _recorded: Fraction = Fraction(0)

    def call(self, end: str, call: Call) -> None:
        """A user calls now, unless its connection has ended before."""
        if call in allowed_calls(self.state.ends[ENDS.index(end)]):
            self._act("call", end, call)

    def wait(self, seconds: Fraction) -> None:
        """Let time pass: packets arrive and timers expire, each at the first instant at which it may."""
        until = self.state.now + seconds
        while (following := min(self._events(), default=None)) is not None and following[0] <= until:
            time, _, kind, actor, subject = following
            self.state = self.state.wait(time - self.state.now)
            if kind == "deliver":
                heapq.heappop(self._arrivals)
            self._act(kind, actor, subject)
        self.state = self.state.wait(until - self.state.now)

    def _events(self) -> Iterator[tuple[Fraction, int, str, str, Hashable]]:
        """What happens next at each place: its time, its rank at one instant, and the action."""
        if self._arrivals:
            time, number, sender, segment = self._arrivals[0]
            yield time, number, "deliver", "B" if sender == "A" else "A", (sender, segment)
        for timer in self.state.timers():
            late = WAY if timer.strict else Fraction(0)
            yield timer.since + timer.limit + late, self.state.copies + 1, "timer", timer.owner, Timer(timer.name)

    def _act(self, kind: str, actor: str, subject: Hashable) -> None:
        """Carry out an action; the box decides about each packet that it sends."""
        deliveries, gone = [], []
        for packet in self._sent(kind, actor, subject):
            self.entry, delivery = passes(self.box, self.entry, self.state.now, packet.sender, segment_of(packet.fields))
            deliveries.append((packet, delivery))
            gone.append(delivery is not Forwarding.FORWARDED or packet.number in self.lost)
        self._record(Action(kind, actor, subject, tuple(gone)))
        for (packet, delivery), is_gone in zip(deliveries, gone, strict=True):
            segment = segment_of(packet.fields)
            if not is_gone:
                self._send(packet.number, packet.sender, segment)
            elif delivery is Forwarding.RESET:
                answer = reset_for(segment)
                self._record(Action("inject", "network", (packet.receiver, answer)))
                self._send(self.state.copies, packet.receiver, answer)

    def _sent(self, kind: str, actor: str, subject: Hashable) -> tuple[Packet, ...]:
        """The packets that an action sends."""
        for count in range(MOST_ANSWERS):
            with suppress(ImpossibleMove):
                return self.state.act(Action(kind, actor, subject, (False,) * count))[0].event.sent
        return self.state.act(Action(kind, actor, subject, (False,) * MOST_ANSWERS))[0].event.sent

    def _record(self, action: Action) -> None:
        self.state = self.state.act(action)[0]
        self.moves.append(Move(self.state.now - self._recorded, action))
        self._recorded = self.state.now

    def _send(self, number: int, sender: str, segment: Segment) -> None:
        heapq.heappush(self._arrivals, (self.state.now + WAY, number, sender, segment))


def box_runs(box: Middlebox, configuration: Configuration) -> dict[str, Trace]:
    """Closes through a box, by name, each with what it shows in its statement.

    Parameters
    ----------
    box : Middlebox
        The box.
    configuration : Configuration
        The hosts; the network and the number of retransmissions are replaced.
    """
    behaviour = replace(configuration.behaviour, retries=RETRANSMISSIONS, backoff=1)
    hosts = replace(configuration, loss=None, rto=configuration.rto[-1:], rto_exact=True, text=(1, 1), behaviour=behaviour)
    closed, time_wait = box.remembers[TrackedPhase.CLOSED], configuration.time_wait
    traces = (
        _trace(
            _idle(box, hosts), f"both ends are open and idle for longer than {_remembered(box, TrackedPhase.OPEN)}; then A closes"
        ),
        _trace(
            _half_closed(box, hosts),
            f"A has closed; B sends text after a pause longer than {_remembered(box, TrackedPhase.HALF_CLOSED)}",
        ),
        _trace(
            _last_ack(box, replace(hosts, rto=(min(closed, time_wait) + LONGER,))),
            f"the box remembers a closed connection for {format_duration(closed)}, TIME-WAIT lasts {format_duration(time_wait)}; "
            "the last acknowledgement is lost, and B retransmits its FIN",
        ),
    )
    return dict(zip(RUNS, traces, strict=True))


def _remembered(box: Middlebox, phase: TrackedPhase) -> str:
    return f"the box remembers ({format_duration(box.remembers[phase])})"


def _idle(box: Middlebox, configuration: Configuration) -> _Passage:
    passage = _Passage(box, initial_state(configuration))
    passage.wait(box.remembers[TrackedPhase.OPEN] + LONGER)
    passage.call("A", Call.CLOSE)
    passage.wait(_GIVEN_UP * configuration.rto[0])
    return passage


def _half_closed(box: Middlebox, configuration: Configuration) -> _Passage:
    passage = _Passage(box, initial_state(configuration))
    passage.call("A", Call.CLOSE)
    passage.wait(box.remembers[TrackedPhase.HALF_CLOSED] + LONGER)
    passage.call("B", Call.SEND)
    passage.wait(_GIVEN_UP * configuration.rto[0])
    return passage


def _last_ack(box: Middlebox, configuration: Configuration) -> _Passage:
    passage = _Passage(box, initial_state(configuration), lost={_LAST_ACK})
    passage.call("A", Call.CLOSE)
    passage.wait(WAY)
    passage.call("B", Call.CLOSE)
    passage.wait(_GIVEN_UP * configuration.rto[0])
    return passage


def _trace(passage: _Passage, statement: str) -> Trace:
    initial = initial_state(passage.state.configuration)
    return carried_out(initial, Run(tuple(passage.moves)), "middlebox", f"{passage.box.title}: {statement}")
