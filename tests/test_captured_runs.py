"""Runs of the specification, captured at any place with any impairment, and told back: never another story.

A capture need not show everything; but what is stated must be what the run did, no end that conforms may be accused, and no
stack that behaves as the ends did may be excluded.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import pytest
from captured_runs import (
    FIRST_IDENT,
    MILLISECOND,
    MSL,
    SOCKETS,
    START,
    TIME_WAIT,
    TIMEOUTS,
    Capture,
    Copy,
    Impairment,
    SimulatedRun,
    Simulation,
    at_both_ends,
    random_impairment,
)

from timewait.captures.closes import assumed_configuration
from timewait.captures.connections import Connection
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.following import facts_of, follow
from timewait.captures.headers import FIN, CapturedPacket
from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.profiles import fit_profiles
from timewait.captures.traffic import traffic
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.stacks import Stack, load_stack
from timewait.spec.state import State

CONFIGURATION = assumed_configuration(load_stack("rfc9293-intended"), MSL)

FEW = 120
"""Captures in the default tests."""
MANY = 2_500
"""Captures in the slow tests."""
SLOW_PARTS = 5
TOLD_WRONG = {
    41_454: "a RST may have been lost or late",
    41_730: "a lost packet passes when others do",
    51_561: "a RST long after a FIN, in a capture without text",
    52_261: "the acknowledgement that brings an end into TIME-WAIT may be lost behind the capture",
    52_606: "what the other end answered is not in the capture",
    54_032: "several RSTs came before the end that they caused was seen",
    54_945: "old text came first, below the numbers of the rest",
    56_731: "a copy of a FIN looks like a retransmission",
    57_854: "a FIN came again, and then a RST: it never was in FIN_WAIT_2",
    58_050: "text was answered before the RST came",
    62_198: "a last acknowledgement that may be lost, beside the other end",
    65_121: "a last acknowledgement that may be lost, after text sent again",
    67_401: "the capture dropped all retransmissions between two FINs",
    69_043: "a last acknowledgement that may be lost, after merged segments",
    69_623: "a user dropped the connection in CLOSING, which sends nothing",
    73_296: "the last numbers that are missing may hold a FIN",
    73_387: "a last acknowledgement that may be lost, after late FINs",
    77_267: "the last numbers that are missing may hold a FIN, again",
    81_161: "a FIN that answers at once is sent again, after one that was lost before the capture",
    82_579: "a last acknowledgement that may be lost, without identifications",
    83_049: "a user dropped the connection in LAST-ACK, and an old copy passed later",
    88_681: "a last acknowledgement that may be lost, without the opening",
    95_187: "the FIN that was missing may have come before the RST",
    96_198: "a last acknowledgement that may be lost, and a RST two minutes later",
    96_566: "the RST of a user was lost before the capture, and the next one answers text",
    97_729: "a user dropped the connection after two retransmissions, and not when the timer ran out",
    100_626: "a user dropped the connection in CLOSING, and an old copy of an acknowledgement passed later",
    105_527: "a capture of flags lacks the answer to the FIN that came before",
    109_045: "an old copy of a FIN whose first passage came before the capture",
    109_814: "an old copy of a FIN whose first passage the capture dropped",
    135_340: "an old copy of a FIN in a capture of flags",
    165_486: "an old copy of an acknowledgement comes after a RST",
    166_648: "an old copy of a FIN comes just after its acknowledgement",
    173_674: "a FIN that answers at once was first sent before the capture began",
    206_166: "an end in CLOSING drops the acknowledgement on a FIN that it had received, and sends its own again",
    210_762: "old copies of acknowledgements are no keep-alive probes",
    423_966: "an old copy passes after the RST of a user that was lost before the capture",
    453_507: "an old copy of an acknowledgement, of which the capture dropped the first passage, comes after a RST",
    461_534: "nothing shows when a FIN came that was lost before",
    463_355: "the acknowledgement of a FIN was lost behind the capture, and a RST before it",
    505_475: "a capture that lacks the SYN,ACK lacks the first transmission of a FIN",
    505_860: "a FIN came before text that was missing, and began no TIME-WAIT",
    543_022: "the capture dropped a FIN and the acknowledgement of the other, and the FIN was sent again soon after",
    602_694: "an old copy of a FIN passes after the FIN that was sent again, and the capture dropped its first passage",
    611_984: "a dropped acknowledgement made the response five seconds",
    633_125: "a RST to TIME-WAIT was lost, and the next one ended it",
    660_373: "an acknowledgement passed shortly before a FIN that was sent again",
    678_282: "a capture of flags lacks the answers to all FINs before the RST that answers the last",
    688_819: "two RSTs to TIME-WAIT were lost, and the next one ended it",
    811_094: "an acknowledgement took longer than the fastest one, and a FIN was sent again before it arrived",
    811_231: "a RST to TIME-WAIT was lost behind the capture",
    903_050: "a capture that began late lacks the acknowledgement of a FIN",
    903_300: "a capture lacks the SYN,ACK of an end, and its FIN",
    903_338: "old copies without identifications pass after a RST that was not captured",
    907_093: "a capture of flags lacks the acknowledgement of a FIN that came again",
    915_101: "a capture of flags lacks the acknowledgement of a FIN",
    4_009_089: "the SYN was recorded after the SYN,ACK, and the time to the next acknowledgement was five seconds",
    11_013_503: "the capture dropped the RST of a user, and the SYN,ACK",
    20_065_563: "the RST of an end that had left TIME-WAIT was recorded before the FIN that it answers",
    21_050_963: "a bare acknowledgement beyond a FIN came shortly before its retransmission",
    20_020_832: "the acknowledgement on a FIN that the capture lacks is not known",
    12_006_814: "a user dropped the connection in CLOSING, before the acknowledgement of its FIN came",
    6_001_267: "the ACK of the opening was recorded before the SYN,ACK that it acknowledges",
    4_410_949: "an end had sent a RST before another one came",
    3_407_729: "the capture dropped the RST that refused late text",
    2_214_352: "a capture lacks the SYN,ACK of an end, and everything of its close",
    1_017_919: "the capture dropped the acknowledgement of a FIN, after which its sender acknowledged once more",
    1_000_162: "the capture dropped a RST that was sent just after text",
    947_650: "an old copy passes that the capture has not seen before, after a RST that it dropped",
    916_314: "a capture lacks the SYN,ACK and the FIN of an end, whose numbers begin late",
    888: "a copy of a RST without an identification",
    1_269: "a RST without an identification, captured twice",
    1_698: "a capture of the FIN of one end alone",
    4_489: "the first captured packet of an end begins after its FIN",
}
"""Seeds of captures, and what was not seen in them."""


@dataclass
class Told:
    """A run, its capture, and what was told of it.

    Attributes
    ----------
    run : SimulatedRun
        The run.
    behaviour : Behaviour
        The settings of its ends.
    impairment : Impairment
        What the capture did.
    packets : list of CapturedPacket
        The capture.
    connection : Connection
        The connection in it.
    facts : ConnectionFacts
        Its facts.
    close : ObservedClose or None
        Its close.
    numbers : dict of int to int
        For each frame the number of its copy in the run.
    """

    run: SimulatedRun
    behaviour: Behaviour
    impairment: Impairment
    packets: list[CapturedPacket]
    connection: Connection
    facts: ConnectionFacts
    close: ObservedClose | None
    numbers: dict[int, int]

    def copy(self, frame: int) -> Copy:
        """The copy of the run that a frame holds; the opening is no part of the run."""
        return self.run.copies[self.numbers[frame] - 1]

    def side(self, index: int) -> int:
        """The end of the run that the facts call A (0) or B (1)."""
        return SOCKETS.index(self.facts.ends[index])

    def side_of(self, name: str) -> int:
        """The end of the run by its name in the facts."""
        return self.side("AB".index(name))


def explained(seed: int, impairment: Impairment | None = None) -> Told | None:
    """A random run, captured at one place and told; None if nothing was captured."""
    rng = random.Random(seed)
    simulation = Simulation(rng)
    run = simulation.run()
    made = random_impairment(rng) if impairment is None else impairment
    capture = Capture(run, made, rng)
    packets = capture.packets()
    return _told(simulation, run, made, packets, capture.numbers) if packets else None


def told_at_both_ends(seed: int, drops: float) -> Told:
    """A random run, captured at both ends and told."""
    simulation = Simulation(random.Random(seed))
    run = simulation.run()
    packets = at_both_ends(run, drops, seed)
    return _told(simulation, run, Impairment(drops=drops), packets, {packet.frame: packet.ident for packet in packets})


def _told(
    simulation: Simulation, run: SimulatedRun, impairment: Impairment, packets: list[CapturedPacket], numbers: dict[int, int]
) -> Told:
    (connection,) = traffic(packets).connections
    if not connection.closes:
        facts = facts_of(connection, CONFIGURATION, packets[-1].time)
        return Told(run, simulation.behaviour, impairment, packets, connection, facts, None, numbers)
    close = follow(connection, CONFIGURATION, packets[-1].time, {})
    return Told(run, simulation.behaviour, impairment, packets, connection, close.facts, close, numbers)


def problems(case: Told) -> Iterator[str]:
    """Everything told that the run did not do."""
    yield from (f"accused: {deviation.text}" for deviation in case.facts.deviations)
    yield from _of_fins(case)
    yield from _of_resets(case)
    yield from _of_time_wait(case)
    yield from _of_states(case)
    if case.close is not None:
        yield from _of_stacks(case, case.close)


def _of_fins(case: Told) -> Iterator[str]:
    for index, fin in enumerate(case.facts.fins):
        if fin is None:
            continue
        own, other = case.run.fin(case.side(index)), case.run.fin(1 - case.side(index))
        if own is None:
            yield f"{fin.end} sent no FIN"
            continue
        knew = other is not None and (own.segment.ack or 0) >= other.segment.end
        if fin.known is not None and fin.known is not knew:
            yield f"{fin.end} {'did not know' if fin.known else 'knew'} the other's FIN"
        answers = (copy.segment.ack or 0 for copy in case.run.copies if copy.sender != own.sender)
        if fin.acknowledged is not None and max(answers, default=0) < own.segment.end:
            yield f"the FIN of {fin.end} was never acknowledged"


CAUSES = {
    "abort": {ResetCause.ABORT},
    "text.late": {ResetCause.LATE_TEXT},
    "timer.retries": {ResetCause.RETRY_LIMIT},
    "closed.answer": {ResetCause.CLOSED, ResetCause.FORGOTTEN, ResetCause.LEFT_TIME_WAIT},
}
"""The causes of a RST that may be told, by the rule that sent it."""


def _of_resets(case: Told) -> Iterator[str]:
    for reset in case.facts.resets:
        packet = next(packet for packet in case.packets if packet.frame == reset.frame)
        sent = [copy for copy in case.run.copies if copy.segment.rst and copy.sender == SOCKETS.index(packet.source)]
        if not sent:
            yield f"{reset.end} sent no RST"
        elif len(reset.causes) == 1 and reset.cause is not ResetCause.REFUSAL:
            copy = case.copy(reset.frame)
            allowed = set.union(*(CAUSES.get(rule, set()) for rule in copy.rules))
            # RSTs of one end that overtake one another are told in another order.
            if sum(it.sender == copy.sender and it.segment.rst for it in case.run.copies) > 1:
                allowed |= CAUSES["closed.answer"] | CAUSES["text.late"] | {ResetCause.ABORT}
            if reset.cause not in allowed:
                yield f"the RST of {reset.end} was sent by {copy.rules}, not by {reset.cause}"


def _of_time_wait(case: Told) -> Iterator[str]:
    for index, entered in enumerate(case.facts.entered):
        side = case.side(index)
        states = case.run.entered(side)
        # An ABORT in CLOSING is silent (RFC 9293 3.10.5), and no capture shows it.
        dropped = State.CLOSED in states and not case.run.timed_out(side)
        if entered is not None and entered.certain and State.TIME_WAIT not in states and not dropped:
            yield f"{'AB'[index]} was never in TIME-WAIT"
    for left in case.facts.states_left:
        if left.certain and left.state not in case.run.entered(case.side_of(left.end)):
            yield f"{left.end} was never in {left.state}"
    for reset in case.facts.reset_arrivals:
        ends = case.behaviour.reset is not ResetRule.IGNORE and reset.exact
        arrived = bool(case.copy(reset.frame).arrivals)
        # One that was lost ended nothing, whatever the rule.
        if reset.ended is not None and reset.ended is not (ends and arrived):
            yield f"the RST in frame {reset.frame} {'ended no' if reset.ended else 'ended the'} TIME-WAIT"


def _of_states(case: Told) -> Iterator[str]:
    for index, state in enumerate(case.facts.states):
        side = case.side(index)
        own = [packet for packet in case.packets if packet.source == SOCKETS[side]]
        passed = any(packet.flags & FIN for packet in own)
        if case.run.fin(side) is not None and not passed:
            # Its FIN was lost before the capture point.
            continue
        # What counts is when its last packet was sent: a copy may pass when its sender has long sent a RST that was not captured.
        numbers = (case.numbers[packet.frame] for packet in own)
        last = max((case.run.copies[it - 1].sent for it in numbers if it < FIRST_IDENT), default=START)
        # An ABORT in CLOSING or LAST-ACK is silent (RFC 9293 3.10.5): no capture shows that the end left that state.
        # It may have done more at the time of that packet.
        was = case.run.states_from(side, last - 1) | case.run.silently_left(side)
        if not was & state.possible:
            yield f"{'AB'[index]} was in {was}, none of {state.possible}"


def _of_stacks(case: Told, close: ObservedClose) -> Iterator[str]:
    behaviour = case.behaviour
    names = ("answers", "restarts", "reset", "late_data_reset", "retries")
    own = Stack(
        name="own",
        title="The stack of both ends",
        time_wait=Fraction(TIME_WAIT),
        rto_min=Fraction(TIMEOUTS[0]),
        rto_max=Fraction(TIMEOUTS[-1]),
        fin_wait_2=Fraction(20) if behaviour.fin_wait_2 else None,
        behaviour={name: getattr(behaviour, name) for name in names},
    )
    for end in ("A", "B"):
        yield from (f"{end} excluded: {why}" for _, why in fit_profiles(close, end, [own]).excluded)


def all_problems(seeds: range) -> list[str]:
    """The problems of many captures, each with its seed."""
    cases = ((seed, explained(seed)) for seed in seeds)
    return [f"{seed}: {problem}" for seed, case in cases if case is not None for problem in problems(case)]


def test_captures_that_begin_late() -> None:
    """Whatever came before the capture, FINs and retransmitted text too, nothing else is told."""
    found = []
    for seed in range(FEW):
        rng = random.Random(7 * seed + 1)
        starts = START + rng.randrange(6_000) * MILLISECOND
        case = explained(seed, Impairment(place=rng.choice((0.0, 1.0, 0.5)), handshake=False, starts=starts))
        found += [] if case is None else [f"{seed}: {problem}" for problem in (*problems(case), *_of_states(case))]
    assert not found


def test_runs_are_told_back() -> None:
    """Some captures of all kinds."""
    assert all_problems(range(FEW)) == []


@pytest.mark.parametrize("seed", TOLD_WRONG, ids=TOLD_WRONG.get)
def test_a_run_that_was_told_wrong(seed: int) -> None:
    """Each of these captures once showed something that was not so."""
    assert all_problems(range(seed, seed + 1)) == []


@pytest.mark.parametrize("place", [0.0, 0.3, 0.5, 0.9])
def test_lost_packets_pass_when_others_do(place: float) -> None:
    """Where every packet takes equally long, a lost one passes the capture no sooner and no later than one that arrives."""
    lost = 0
    for seed in range(FEW):
        run = Simulation(random.Random(seed)).run()
        packets = Capture(run, Impairment(place=place, handshake=False), random.Random(seed)).packets()
        arrived = [copy.arrivals[0] - copy.sent for copy in run.copies if copy.arrivals]
        copies = {packet.ident: (run.copies[packet.ident - 1], packet) for packet in reversed(packets)}
        if not arrived or min(arrived) != max(arrived):
            continue
        for copy, packet in copies.values():
            share = place if copy.sender == 0 else 1 - place
            assert packet.time == copy.sent + int(share * arrived[0])
            lost += not copy.arrivals
    assert lost > 20


@pytest.mark.slow
@pytest.mark.parametrize("part", range(SLOW_PARTS))
def test_many_runs_are_told_back(part: int) -> None:
    """Thousands of captures, in parts."""
    each = MANY // SLOW_PARTS
    assert all_problems(range(10_000 + part * each, 10_000 + (part + 1) * each)) == []


@pytest.mark.parametrize("drops", [0.0, 0.1])
def test_captures_at_both_ends_are_told_back(drops: float) -> None:
    """What was lost, and when it arrived, is then in the capture."""
    cases = ((seed, told_at_both_ends(seed, drops)) for seed in range(FEW))
    assert [(seed, problem) for seed, case in cases for problem in problems(case)] == []


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
def test_a_whole_capture_is_told_in_full(place: float) -> None:
    """Without impairment, the trace ends in the states that the facts name, and those are states of the run."""
    different = []
    for seed in range(20_000, 20_040):
        case = explained(seed, Impairment(place=place))
        assert case is not None
        assert not list(problems(case))
        if case.close is None:
            continue
        last = case.close.trace.steps[-1].state
        for end, state in zip("AB", case.facts.states, strict=True):
            if state.likely is not None and str(last[f"{end}.state"]) != state.likely:
                different.append((seed, end, last[f"{end}.state"], str(state.likely)))
    assert different == []


def test_every_kind_of_close_occurs() -> None:
    """The generated captures are not all alike."""
    kinds = {case.facts.kind for seed in range(FEW) if (case := explained(seed)) is not None}
    assert kinds >= {
        CloseKind.IN_ORDER,
        CloseKind.SIMULTANEOUS,
        CloseKind.CLOSING,
        CloseKind.HALF_CLOSED,
        CloseKind.RESET,
        CloseKind.OPEN,
    }


def test_a_problem_is_noticed() -> None:
    """The comparison fails for a story of another run."""
    cases = [case for seed in range(FEW) if (case := explained(seed)) is not None]
    case = next(case for case in cases if case.facts.kind is CloseKind.IN_ORDER)
    case.run = next(other.run for other in cases if other.run.fin(0) is None and other.run.fin(1) is None)
    assert list(_of_fins(case))
