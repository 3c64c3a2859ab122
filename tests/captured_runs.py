"""Runs of two endpoints of the specification over a random network, and captures of them at any place on the way.

The endpoints are `timewait.spec.endpoint`, the network loses, delays, reorders and duplicates, and the capture is beside
either end or between them. A capture may lack packets (drops, a filter, one direction, a late start), hold packets twice or
in the wrong order, or have the segments of one end merged, as segmentation offload does.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import count

from timewait.captures.headers import ACK, FIN, RST, SYN, CapturedPacket, Socket
from timewait.spec.endpoint import allowed_calls, running, segment_arrives, timer_fires, user_calls
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.state import ESTABLISHED, Block, State

MILLISECOND = 1_000_000
SECOND = 1_000 * MILLISECOND
START = 1_700_000_000 * SECOND
TIMEOUTS = (1, 2, 4, 8, 16, 32, 64)
"""The retransmission timeouts in seconds: they double."""
TIME_WAIT = 60
"""TIME-WAIT in seconds, and twice the maximum segment lifetime that the readers of the captures assume."""
MSL = Fraction(TIME_WAIT, 2)
LATEST = 150 * SECOND
"""The end of a run."""

FIRST_IDENT = 65_533
"""The IPv4 identification of the SYN; those of the run follow those of the opening, and begin at 1."""

SOCKETS = (Socket(bytes([192, 0, 2, 1]), 40_000), Socket(bytes([192, 0, 2, 2]), 80))


@dataclass
class Copy:
    """One transmission: its sender, when it was sent, when its copies arrived, and the rules that sent it.

    A lost one has the `delay` that the network gives every packet, so that it passes a place when others would.
    """

    sender: int
    segment: Segment
    sent: int
    rules: tuple[str, ...]
    delay: int
    arrivals: list[int] = field(default_factory=list)


@dataclass
class Network:
    """How the network treats packets.

    Attributes
    ----------
    loss, duplication : float
        The chances that a copy is lost, or arrives again.
    delay, jitter : int
        The one-way delay and its variation, in nanoseconds.
    """

    loss: float
    duplication: float
    delay: int
    jitter: int


@dataclass
class SimulatedRun:
    """A run of both ends.

    Attributes
    ----------
    copies : list of Copy
        Every transmission, in order.
    states : list of (int, int, State)
        Every entered state: the time, the end, the state.
    blocks : list of Block
        The control blocks at the end.
    dropped : set of int
        The ends whose user dropped the connection without a packet.
    delay : int
        The delay that the network gives every packet, in nanoseconds.
    """

    copies: list[Copy] = field(default_factory=list)
    states: list[tuple[int, int, State]] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    dropped: set[int] = field(default_factory=set)
    delay: int = 0

    def fin(self, side: int) -> Copy | None:
        """The first transmission of an end's FIN."""
        return next((copy for copy in self.copies if copy.sender == side and copy.segment.fin), None)

    def entered(self, side: int) -> set[State]:
        """Every state that an end was in."""
        return {State.ESTABLISHED} | {state for _, end, state in self.states if end == side}

    def timed_out(self, side: int) -> bool:
        """Whether a timer or a packet ended the connection at an end, and not a silent call of its user."""
        return side not in self.dropped

    def silently_left(self, side: int) -> set[State]:
        """The states that an end seems to be in after its user dropped the connection without a packet; empty if none did.

        It was in the first of them. An acknowledgement of its FIN that came later would have led from CLOSING to TIME-WAIT.
        """
        entered = [State.ESTABLISHED, *(state for _, end, state in self.states if end == side)]
        if side not in self.dropped or State.CLOSED not in entered:
            return set()
        left = entered[entered.index(State.CLOSED) - 1]
        return {left, State.TIME_WAIT} if left is State.CLOSING else {left}

    def states_from(self, side: int, time: int) -> set[State]:
        """The states of an end from a time on."""
        before = [state for when, end, state in self.states if end == side and when <= time]
        return {before[-1] if before else State.ESTABLISHED} | {
            state for when, end, state in self.states if end == side and when > time
        }


class Simulation:
    """Both ends, the network between them, and the events to come."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._network = random_network(rng)
        self.behaviour = random_behaviour(rng)
        self._run = SimulatedRun(blocks=[ESTABLISHED, ESTABLISHED], delay=self._network.delay)
        self._events: list[tuple[int, int, str, tuple[object, ...]]] = []
        self._order = count()
        self._armed: dict[tuple[int, Timer], int] = {}
        self._now = START

    def run(self) -> SimulatedRun:
        """A whole run."""
        for side in (0, 1):
            self._plan(side)
        while self._events:
            self._now, _, kind, about = heapq.heappop(self._events)
            if self._now > START + LATEST:
                break
            getattr(self, f"_on_{kind}")(*about)
        return self._run

    def _plan(self, side: int) -> None:
        """The calls of a user: some text, then CLOSE, or rarely ABORT."""
        at = START + self._rng.randrange(200) * MILLISECOND
        for _ in range(self._rng.choice((0, 0, 1, 2, 4))):
            self._push(at, "call", side, Call.SEND)
            at += self._rng.choice((0, 0, 1, 5, 30)) * MILLISECOND
        at += self._rng.choice((0, 0, 10, 300, 5_000)) * MILLISECOND
        chance = self._rng.random()
        if chance < 0.85:
            self._push(at, "call", side, Call.CLOSE)
        elif chance < 0.93:
            self._push(at, "call", side, Call.ABORT)
        if self._rng.random() < 0.07:
            self._push(at + self._rng.randrange(2_000) * MILLISECOND, "call", side, Call.ABORT)

    def _push(self, at: int, kind: str, *about: object) -> None:
        heapq.heappush(self._events, (at, next(self._order), kind, about))

    # --- events -----------------------------------------------------------------------------------------------------

    def _on_call(self, side: int, call: Call) -> None:
        block = self._run.blocks[side]
        waits = call is Call.ABORT and block.state is State.TIME_WAIT
        if call in allowed_calls(block) and not waits and (call is not Call.SEND or block.sent < 5):
            outcome = user_calls(block, call, self.behaviour)
            if call is Call.ABORT and not outcome.replies:
                self._run.dropped.add(side)
            self._after(side, outcome)

    def _on_arrive(self, side: int, copy: Copy) -> None:
        self._after(side, segment_arrives(self._run.blocks[side], copy.segment, self.behaviour))

    def _on_timer(self, side: int, timer: Timer, armed: int) -> None:
        if self._armed.get((side, timer)) == armed:
            del self._armed[side, timer]
            self._after(side, timer_fires(self._run.blocks[side], timer, self.behaviour))

    def _after(self, side: int, outcome: Outcome) -> None:
        old, block = self._run.blocks[side], outcome.block
        self._run.blocks[side] = block
        if block.state is not old.state:
            self._run.states.append((self._now, side, block.state))
        for reply in outcome.replies:
            self._send(side, reply, outcome.rules)
        wanted = running(block, self.behaviour)
        for timer in Timer:
            if timer not in wanted:
                self._armed.pop((side, timer), None)
            elif timer in outcome.started or (side, timer) not in self._armed:
                self._arm(side, timer, block)

    def _arm(self, side: int, timer: Timer, block: Block) -> None:
        armed = next(self._order)
        self._armed[side, timer] = armed
        lengths = {Timer.TIME_WAIT: TIME_WAIT, Timer.FIN_WAIT_2: 20}
        length = lengths.get(timer, TIMEOUTS[min(block.tries, len(TIMEOUTS) - 1)])
        self._push(self._now + length * SECOND + MILLISECOND, "timer", side, timer, armed)

    def _send(self, side: int, segment: Segment, rules: tuple[str, ...]) -> None:
        copy = Copy(side, segment, self._now, rules, self._network.delay)
        self._run.copies.append(copy)
        if self._rng.random() < self._network.loss:
            return
        arrivals = [self._now + self._network.delay + self._rng.randrange(self._network.jitter + 1)]
        if self._rng.random() < self._network.duplication:
            arrivals.append(arrivals[0] + self._rng.randrange(1, 3_000) * MILLISECOND)
        for at in arrivals:
            copy.arrivals.append(at)
            self._push(at, "arrive", 1 - side, copy)


def random_network(rng: random.Random) -> Network:
    """A network: mostly a good one."""
    return Network(
        loss=rng.choice((0.0, 0.0, 0.1, 0.3)),
        duplication=rng.choice((0.0, 0.0, 0.0, 0.15)),
        delay=rng.choice((20_000, MILLISECOND, 20 * MILLISECOND, 200 * MILLISECOND)),
        jitter=rng.choice((0, 0, 100_000, 15 * MILLISECOND)),
    )


def random_behaviour(rng: random.Random) -> Behaviour:
    """Settings that conform to RFC 9293."""
    abandons = rng.random() < 0.3
    return Behaviour(
        reset=rng.choice((ResetRule.IGNORE, ResetRule.IGNORE, ResetRule.EXACT)),
        late_data_reset=abandons,
        abandons=abandons,
        fin_wait_2=abandons and rng.random() < 0.5,
        retries=rng.choice((None, None, 4)),
        backoff=len(TIMEOUTS),
    )


# --- captures --------------------------------------------------------------------------------------------------------


@dataclass
class Impairment:
    """What a capture does to what it holds.

    Attributes
    ----------
    place : float
        The place of the capture: 0 beside A, 1 beside B.
    drops : float
        The chance that a packet is not recorded.
    only_flags : bool
        Whether only SYN, FIN and RST are recorded.
    only_from : int or None
        The only end whose packets are recorded.
    twice : bool
        Whether every packet is recorded twice.
    skew : int
        How late a packet may be recorded, in nanoseconds.
    offload : bool
        Whether segments of the nearer end are merged.
    handshake : bool
        Whether the opening is in the capture.
    starts : int
        When the capture begins, in nanoseconds.
    stops : int
        When the capture ends, in nanoseconds.
    idents : bool
        Whether IPv4 identifications are set.
    """

    place: float = 0.0
    drops: float = 0.0
    only_flags: bool = False
    only_from: int | None = None
    twice: bool = False
    skew: int = 0
    offload: bool = False
    handshake: bool = True
    starts: int = 0
    stops: int = START + LATEST
    idents: bool = True

    @property
    def lossless(self) -> bool:
        """Whether everything that passes the place is recorded, in time."""
        return not self.drops and not self.only_flags and self.only_from is None


def random_impairment(rng: random.Random) -> Impairment:
    """A capture with one or two impairments, or none."""
    made = Impairment(place=rng.choice((0.0, 1.0, 0.3, 0.5, 0.9)))
    for kind in rng.sample(
        ("drops", "flags", "direction", "twice", "skew", "offload", "start", "late", "end", "idents", "none"), 2
    ):
        match kind:
            case "drops":
                made.drops = rng.choice((0.05, 0.2, 0.5))
            case "flags":
                made.only_flags = True
            case "direction":
                made.only_from = rng.randrange(2)
            case "twice":
                made.twice = True
            case "skew":
                made.skew = 30_000
            case "offload":
                made.offload = True
            case "start":
                made.handshake = False
            case "late":
                made.handshake = False
                made.starts = START + rng.randrange(6_000) * MILLISECOND
            case "end":
                made.stops = START + rng.randrange(LATEST // 10)
            case "idents":
                made.idents = False
    return made


@dataclass
class Passing:
    """A packet that passes the place of a capture."""

    time: int
    sender: int
    segment: Segment
    ident: int


class Capture:
    """A capture of a run.

    Parameters
    ----------
    run : SimulatedRun
        The run.
    impairment : Impairment
        What the capture does to it.
    rng : random.Random
        Chance.
    scale : int
        Octets on the wire for one octet of the specification.

    Attributes
    ----------
    numbers : dict of int to int
        For each frame the number of its copy in the run, from 1, and those of the opening from `FIRST_IDENT` on.
    """

    def __init__(self, run: SimulatedRun, impairment: Impairment, rng: random.Random, scale: int = 1_448) -> None:
        self.numbers: dict[int, int] = {}
        self._run = run
        self._impairment = impairment
        self._rng = rng
        self._scale = scale
        self._initial = (rng.randrange(1 << 32), rng.randrange(1 << 32))
        self._text = [block.sent for block in self._final_blocks()]

    def packets(self) -> list[CapturedPacket]:
        """What the capture holds, in its order."""
        passing = sorted([*self._handshake(), *self._passings()], key=lambda it: it.time)
        if self._impairment.offload:
            passing = self._merged(passing)
        kept = [it for it in passing if self._records(it)]
        recorded = sorted(((it.time + self._lateness(), it) for it in kept), key=lambda entry: entry[0])
        frames = [entry for entry in recorded for _ in range(1 + self._impairment.twice)]
        packets = []
        for number, (time, it) in enumerate(frames, start=1):
            again = number > 1 and frames[number - 2][1] is it
            packets.append(self._packet(number, time + 5_000 * again, it))
        return packets

    def _final_blocks(self) -> list[Block]:
        sent = [Block(State.CLOSED), Block(State.CLOSED)]
        for copy in self._run.copies:
            if not copy.segment.rst:
                last = copy.segment.seq - 1 + copy.segment.length
                sent[copy.sender] = sent[copy.sender]._replace(sent=max(sent[copy.sender].sent, last))
        # The number after a FIN is not text.
        for side in (0, 1):
            fin = self._run.fin(side)
            if fin is not None:
                sent[side] = sent[side]._replace(sent=fin.segment.seq - 1)
        return sent

    def _handshake(self) -> list[Passing]:
        """The opening: each packet follows the one before after the delay of the network, and passes on its way."""
        if not self._impairment.handshake:
            return []
        opening = (Segment(0, syn=True), Segment(0, 1, syn=True), Segment(1, 1))
        step = max(self._run.delay, MILLISECOND)
        made = []
        for number, segment in enumerate(opening):
            sent, share = START - (4 - number) * step, self._share(number % 2)
            made.append(Passing(sent + int(share * self._run.delay), number % 2, segment, FIRST_IDENT + number))
        return made

    def _share(self, sender: int) -> float:
        """The part of the way of a sender's packets that lies before the place of the capture."""
        return self._impairment.place if sender == 0 else 1 - self._impairment.place

    def _passings(self) -> list[Passing]:
        made = []
        for number, copy in enumerate(self._run.copies, start=1):
            share = self._share(copy.sender)
            for arrival in copy.arrivals:
                made.append(Passing(copy.sent + int(share * (arrival - copy.sent)), copy.sender, copy.segment, number))
                if share == 0:
                    break
            if not copy.arrivals and (share == 0 or self._rng.random() < 1 - share):
                made.append(Passing(copy.sent + int(share * copy.delay), copy.sender, copy.segment, number))
        return [it for it in made if self._impairment.starts <= it.time <= self._impairment.stops]

    def _merged(self, passing: list[Passing]) -> list[Passing]:
        """Successive new text of one end in one packet, as segmentation offload records it."""
        kept: list[Passing] = []
        high = [0, 0]
        for it in passing:
            last = kept[-1] if kept else None
            joins = (
                last is not None
                and last.sender == it.sender
                and last.segment.length
                and not last.segment.fin
                and it.segment.length
                and it.segment.seq == last.segment.end == high[it.sender]
                and it.segment.ack == last.segment.ack
                and it.time - last.time < 2 * MILLISECOND
            )
            if joins and last is not None:
                last.segment = last.segment._replace(length=last.segment.length + it.segment.length, fin=it.segment.fin)
            else:
                kept.append(Passing(it.time, it.sender, it.segment, it.ident))
            high[it.sender] = max(high[it.sender], it.segment.end)
        return kept

    def _records(self, it: Passing) -> bool:
        impairment, segment = self._impairment, it.segment
        if impairment.only_from is not None and it.sender != impairment.only_from:
            return False
        if impairment.only_flags and not (segment.syn or segment.fin or segment.rst):
            return False
        return self._rng.random() >= impairment.drops

    def _lateness(self) -> int:
        return self._rng.randrange(self._impairment.skew + 1)

    def _wire(self, side: int, number: int) -> int:
        """A relative number of the specification as a number of the wire."""
        octets = min(number - 1, self._text[side]) if number else 0
        relative = 1 + octets * self._scale + max(number - 1 - self._text[side], 0) if number else 0
        return (self._initial[side] + relative) % (1 << 32)

    def _packet(self, frame: int, time: int, it: Passing) -> CapturedPacket:
        segment, side = it.segment, it.sender
        self.numbers[frame] = it.ident
        flags = FIN * segment.fin | SYN * segment.syn | RST * segment.rst | ACK * (segment.ack is not None)
        seq, end = self._wire(side, segment.seq), self._wire(side, segment.seq + segment.length)
        near = self._impairment.place == side
        return CapturedPacket(
            frame,
            time,
            "eth0",
            SOCKETS[side],
            SOCKETS[1 - side],
            seq,
            None if segment.ack is None else self._wire(1 - side, segment.ack),
            (end - seq) % (1 << 32),
            flags,
            65_535,
            None,
            None,
            it.ident if self._impairment.idents else 0,
            64 if near else 57,
        )


def at_both_ends(run: SimulatedRun, drops: float, seed: int) -> list[CapturedPacket]:
    """A capture of a run beside A and beside B, each on an interface of its own."""
    ends = ((0.0, "a"), (1.0, "b"))
    captures = {name: Capture(run, Impairment(place=place, drops=drops), random.Random(seed)) for place, name in ends}
    packets = [packet._replace(interface=name) for name, capture in captures.items() for packet in capture.packets()]
    ordered = sorted(packets, key=lambda packet: (packet.time, packet.interface))
    return [packet._replace(frame=frame) for frame, packet in enumerate(ordered, start=1)]
