"""Random walks: runs of a whole connection in which the running stack plays one end, and the specification the other.

Segments of the other end arrive late, twice, in another order or never. Many a walk ends with one that no peer sent. Of the
acknowledgements that arrive again while something is outstanding one walk has one at most: more of them draw a retransmission
(RFC 5681), and in the specification only the timer retransmits.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from timewait.laboratory.conformance.experiment import Experiment
from timewait.laboratory.conformance.grid import KINDS, PLACES
from timewait.spec.endpoint import allowed_calls, segment_arrives, timer_fires, user_calls
from timewait.spec.graph_events import EndpointEvent
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour
from timewait.spec.state import ESTABLISHED, Block

LENGTH = 14
"""Events of the running stack in one walk."""
TEXT = 3
"""Octets that each user sends at most: all of them fit into the window."""
FORGED = 0.08
"""How often an event is a segment that no peer sent; it ends the walk, since stacks may keep it and mix it with others."""


def walks(behaviour: Behaviour, abandons: bool, count: int, seed: int) -> Iterator[Experiment]:
    """Random walks; the same for the same seed."""
    chance = random.Random(f"{seed} {abandons}")
    for _ in range(count):
        yield Experiment(_Walk(behaviour, chance).events(), abandons)


class _Walk:
    """One walk under way: both ends, and every segment that each has sent."""

    def __init__(self, behaviour: Behaviour, chance: random.Random) -> None:
        self._behaviour = behaviour
        self._chance = chance
        self._ends = [ESTABLISHED, ESTABLISHED]
        self._sent: list[list[Segment]] = [[], []]
        self._repeated = False
        self._gap = False

    def events(self) -> tuple[EndpointEvent, ...]:
        """The events at the first end."""
        found: list[EndpointEvent] = []
        for _ in range(20 * LENGTH):
            if len(found) == LENGTH:
                break
            if self._chance.random() < FORGED:
                found.append(self._forged(self._ends[0]))
                break
            side = self._chance.choice((0, 0, 1))
            event = self._choice(side)
            if event is not None and not (side == 0 and self._repeats(event)):
                self._apply(side, event)
                if side == 0:
                    found.append(event)
        return tuple(found)

    def _choice(self, side: int) -> EndpointEvent | None:
        """A call, or the arrival of a segment; at the second end a retransmission too. None: nothing can happen."""
        block = self._ends[side]
        kind = self._chance.random()
        if kind < 0.3:
            calls = [call for call in allowed_calls(block) if call is Call.CLOSE or (call is Call.SEND and block.sent < TEXT)]
            return self._chance.choice(calls) if calls else None
        if kind < 0.4 and side == 1:
            return Timer.RETRANSMISSION if block.outstanding else None
        sent = self._sent[1 - side]
        if not sent:
            return None
        return self._chance.choice(sent[-2:] if self._chance.random() < 0.6 else sent)

    def _repeats(self, event: EndpointEvent) -> bool:
        """Whether an event is the second acknowledgement that acknowledges nothing new of what is outstanding."""
        block = self._ends[0]
        if not isinstance(event, Segment) or event.span or event.rst or event.ack is None or not block.outstanding:
            return False
        if event.ack > block.una:
            return False
        repeats, self._repeated = self._repeated, True
        return repeats

    def _forged(self, block: Block) -> Segment:
        """A segment of any kind; without text and FIN, where it could contradict text or a FIN that the stack keeps."""
        kind = self._chance.choice([one for one in KINDS.values() if one.syn or not (self._gap and one.span)])
        ack = None if kind.ack is None else self._chance.randint(max(block.una - 1, 0), block.nxt + 1)
        return kind._replace(seq=block.rcv + self._chance.choice(PLACES), ack=ack)

    def _apply(self, side: int, event: EndpointEvent) -> None:
        if side == 0 and isinstance(event, Segment):
            self._gap |= event.span > 0 and event.seq > self._ends[0].rcv
        outcome = self._outcome(self._ends[side], event)
        self._ends[side] = outcome.block
        self._sent[side] += outcome.replies

    def _outcome(self, block: Block, event: EndpointEvent) -> Outcome:
        if isinstance(event, Segment):
            return segment_arrives(block, event, self._behaviour)
        if isinstance(event, Timer):
            return timer_fires(block, event, self._behaviour)
        return user_calls(block, event, self._behaviour)
