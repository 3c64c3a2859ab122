"""Runs carried out on the specification: those that engines find, and changed ones, which it rejects."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
from replayed_runs import (
    ACKED,
    AGAIN,
    CALL,
    CONFIGURATIONS,
    CORE,
    FIN,
    FIRST,
    HAIR,
    LATE,
    LEFT,
    MOVES,
    REOPENED,
    deliver,
    each_broken,
    each_run,
    found,
    go,
    timer,
)
from toys import always, counter, courier, eventually, soiled, world

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.lasso import find_lasso
from timewait.checker.replay import Rejected, minimal, replay
from timewait.checker.trace import Trace
from timewait.spec.configuration import Configuration
from timewait.spec.outcome import Call, Timer
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.reference_packets import TimedPacket, due_together
from timewait.spec.segment import PacketInFlight, Segment
from timewait.vocabulary.automaton import Action, Property
from timewait.vocabulary.replay import Event, Packet, ReplayState, RunningTimer


class TestEngines:
    """What they find is a run."""

    @each_run
    @each_broken
    def test_their_runs_are_carried_out(self, name: str, asked: str, engine: str) -> None:
        run = found(name, asked, engine)
        trace = replay(initial_state(CONFIGURATIONS[name]), run, PROPERTIES[asked])
        assert [step.delay for step in trace.steps] == [move.delay for move in run.moves]
        assert [step.number for step in trace.steps] == list(range(1, len(run.moves) + 1))
        assert (trace.shows, trace.loop, trace.dropped) == (asked, None, 0)
        assert trace.duration == sum(move.delay for move in run.moves) > 0
        assert all(type(step.delay) is Fraction and type(step.time) is Fraction for step in trace.steps)

    @each_run
    @each_broken
    def test_not_for_another_property(self, name: str, asked: str, engine: str) -> None:
        with pytest.raises(Rejected, match=r"^its last step does not violate integrity$"):
            replay(initial_state(CONFIGURATIONS[name]), found(name, asked, engine), PROPERTIES["integrity"])

    @each_run
    @each_broken
    def test_nor_without_their_last_step(self, name: str, asked: str, engine: str) -> None:
        run = found(name, asked, engine)
        with pytest.raises(Rejected, match=f"^its last step does not violate {asked}$"):
            replay(initial_state(CONFIGURATIONS[name]), Run(run.moves[:-1]), PROPERTIES[asked])

    @each_run
    @each_broken
    def test_nor_where_time_wait_is_long_enough(self, name: str, asked: str, engine: str) -> None:
        longer = replace(CONFIGURATIONS[name], time_wait=Fraction(1000))
        with pytest.raises(Rejected, match=r"timer of A shows .* and cannot fire$"):
            replay(initial_state(longer), found(name, asked, engine), PROPERTIES[asked])


def delayed(place: int, by: Fraction | int) -> list[Move]:
    """The moves with one delay changed, and so everything after it."""
    return [replace(move, delay=move.delay + by) if index == place else move for index, move in enumerate(MOVES)]


def swapped(one: int, other: int) -> list[Move]:
    """The moves with two of the actions exchanged."""
    moves = list(MOVES)
    moves[one], moves[other] = Move(MOVES[one].delay, MOVES[other].action), Move(MOVES[other].delay, MOVES[one].action)
    return moves


def without(place: int) -> list[Move]:
    """The moves with one left out, its delay given to the next."""
    moves = delayed(place + 1, MOVES[place].delay)
    return moves[:place] + moves[place + 1 :]


def instead(place: int, *moves: Move) -> list[Move]:
    """The moves with others in place of one."""
    return [*MOVES[:place], *moves, *MOVES[place + 1 :]]


def carried_out(moves: Sequence[Move], configuration: Configuration = CORE) -> Trace:
    """The trace of moves that break isolation."""
    return replay(initial_state(configuration), Run(tuple(moves)), PROPERTIES["isolation"])


class TestTampered:
    """One change to a run that is one, and it is none."""

    def test_as_it_is(self) -> None:
        trace = carried_out(MOVES)
        assert trace.duration == 4
        assert [step.state["A.state"] for step in trace.steps] == [
            "FIN_WAIT_2",
            "TIME_WAIT",
            "TIME_WAIT",
            "TIME_WAIT",
            "CLOSED",
            "new incarnation",
            "new incarnation",
        ]
        assert trace.steps[LATE].event.rules[0][0] == "incarnation.old-fin"
        assert [(copy.text, copy.lost) for copy in trace.steps[FIRST].event.sent] == [("ACK seq=2 ack=2", False)]

    @pytest.mark.parametrize(
        ("moves", "reason"),
        [
            (delayed(LATE, HAIR), "step 7: no copy of B's FIN\\+ACK seq=1 ack=2 can arrive"),
            (delayed(LATE, 2), "step 7: no copy of B's FIN\\+ACK seq=1 ack=2 can arrive"),
            (delayed(LEFT, -HAIR), "step 5: the time-wait timer of A shows 3s and cannot fire"),
            (delayed(LEFT, -1), "step 5: the time-wait timer of A shows .* and cannot fire"),
            (delayed(AGAIN, HAIR), "step 3: B must retransmit 2s after it last did"),
            (delayed(AGAIN, 1), "step 3: B must retransmit 2s after it last did"),
            (delayed(AGAIN, -2), "step 3: the retransmission timer of B shows 0 and cannot fire"),
            (delayed(FIRST, 3), "step 2: B must retransmit 2s after it last did"),
            (delayed(ACKED, HAIR), "step 4: A's ACK seq=2 ack=2, sent at 0, must arrive within MSL"),
            (delayed(CALL, -1), "step 1: waits -1s"),
            (swapped(CALL, FIRST), "step 1: no copy of B's"),
            (swapped(FIRST, ACKED), "step 2: no copy of A's ACK seq=2 ack=2 can arrive"),
            (swapped(AGAIN, ACKED), "step 4: the retransmission timer of B does not run"),
            (swapped(LEFT, REOPENED), "step 5: both ends must be CLOSED before they open again"),
            (swapped(ACKED, LEFT), "step 4: the time-wait timer of A shows 2s and cannot fire"),
            (without(CALL), "step 1: no copy of B's"),
            (without(FIRST), "step 3: no copy of A's ACK seq=2 ack=2 can arrive"),
            (without(AGAIN), "step 6: no copy of B's FIN\\+ACK seq=1 ack=2 can arrive"),
            (without(ACKED), "step 4: A's ACK seq=2 ack=2, sent at 0, must arrive within MSL"),
            (without(LEFT), "step 5: both ends must be CLOSED"),
            ([*MOVES, MOVES[REOPENED]], "both ends must be CLOSED before they open again"),
            ([*MOVES[:-1], Move(Fraction(0), None)], "its last step does not violate isolation"),
            ([], "its last step does not violate isolation"),
        ],
    )
    def test_rejected(self, moves: list[Move], reason: str) -> None:
        with pytest.raises(Rejected, match=reason):
            carried_out(moves)

    def test_where_nothing_is_owed_an_old_copy_is_simply_gone(self) -> None:
        """With any number of losses no copy has to arrive, and none can after MSL."""
        lossy = replace(CORE, loss=None)
        assert carried_out(MOVES, lossy).duration == 4
        with pytest.raises(Rejected, match=r"^step 7: no copy of B's FIN\+ACK seq=1 ack=2 can arrive$"):
            carried_out(delayed(LATE, HAIR), lossy)

    def test_a_loss_too_many(self) -> None:
        """One copy of the round may be lost, whichever; then no other."""
        one = instead(AGAIN, Move(Fraction(1), timer("B", Timer.RETRANSMISSION, True)), MOVES[AGAIN])
        one[AGAIN + 1] = replace(one[AGAIN + 1], delay=Fraction(1))
        assert carried_out(one).duration == 4
        two = [*one]
        two[AGAIN + 1] = Move(Fraction(1), timer("B", Timer.RETRANSMISSION, True))
        with pytest.raises(Rejected, match=r"step 4: more than 1 losses in one loss window$"):
            carried_out(two)
        with pytest.raises(Rejected, match=r"step 3: more than 0 losses in one loss window$"):
            carried_out(one, replace(CORE, loss=0))
        assert carried_out(one, replace(CORE, loss=2)).duration == 4

    def test_a_fate_too_many_or_too_few(self) -> None:
        for lost in ((), (False, False)):
            with pytest.raises(Rejected, match=f"step 2: A sends 1 segments, not {len(lost)}$"):
                carried_out(instead(FIRST, Move(Fraction(0), deliver("A", FIN, *lost))))

    def test_what_nobody_sent(self) -> None:
        with pytest.raises(Rejected, match=r"step 7: no copy of B's FIN\+ACK seq=7 ack=2 can arrive$"):
            carried_out(instead(LATE, Move(Fraction(0), deliver("A", ("B", Segment(7, ack=2, fin=True))))))

    def test_what_nobody_can_do(self) -> None:
        for action, reason in (
            (Action("teleport", "A", "FIN"), "there is no action teleport"),
            (Action("deliver", "A", "FIN"), "'FIN' is not a segment with its sender"),
            (Action("call", "A", Call.SEND), "the user of A has nothing more to send"),
            (Action("call", "A", Call.CLOSE), "CLOSE is not allowed in TIME_WAIT"),
        ):
            with pytest.raises(Rejected, match=f"step 3: {reason}$"):
                carried_out(instead(AGAIN, Move(Fraction(0), action)))


# --- without what is not needed ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Recorder:
    """A world that tells of each step no more than which action it was: its place in a book."""

    inner: ReplayState
    book: list[Action]
    event: Event

    @property
    def broken(self) -> frozenset[str]:
        return self.inner.broken

    @property
    def pending(self) -> frozenset[str]:
        return self.inner.pending

    @property
    def recurrent(self) -> frozenset[str]:
        return self.inner.recurrent

    def wait(self, delay: Fraction) -> Recorder:
        return replace(self, inner=self.inner.wait(delay))

    def act(self, action: Action) -> tuple[Recorder, ...]:
        self.book.append(action)
        described = Event(action.actor, str(len(self.book) - 1))
        return tuple(Recorder(after, self.book, described) for after in self.inner.act(action))

    def state(self) -> Mapping[str, str | int]:
        return self.inner.state()

    def in_flight(self) -> tuple[Packet, ...]:
        return self.inner.in_flight()

    def timers(self) -> tuple[RunningTimer, ...]:
        return self.inner.timers()

    def about(self) -> Mapping[str, Any]:
        return self.inner.about()

    def loop_key(self) -> Hashable:
        return self.inner.loop_key()


def shortest(start: ReplayState, run: Run, asked: Property) -> tuple[list[Move], Trace]:
    """The moves of a minimal trace, and the trace."""
    book: list[Action] = []
    trace = minimal(Recorder(start, book, Event("", "")), run, asked)
    return [Move(step.delay, book[int(step.event.text)]) for step in trace.steps], trace


def shows(start: ReplayState, moves: Sequence[Move], asked: Property) -> bool:
    """Whether moves are a run that breaks a property."""
    try:
        replay(start, Run(tuple(moves)), asked)
    except Rejected:
        return False
    return True


def droppable(start: ReplayState, moves: Sequence[Move], asked: Property) -> list[int]:
    """The moves without which the rest still shows the same, after the same wait or at once."""
    return [
        index
        for index in range(len(moves) - 1)
        for after in [moves[index + 1]]
        if any(
            shows(start, [*moves[:index], replace(after, delay=delay), *moves[index + 2 :]], asked)
            for delay in (after.delay, after.delay + moves[index].delay)
        )
    ]


class TestMinimal:
    """Every step left is needed."""

    @each_run
    @each_broken
    def test_no_step_can_be_dropped(self, name: str, asked: str, engine: str) -> None:
        start, run = initial_state(CONFIGURATIONS[name]), found(name, asked, engine)
        moves, trace = shortest(start, run, PROPERTIES[asked])
        assert shows(start, moves, PROPERTIES[asked])
        assert droppable(start, moves, PROPERTIES[asked]) == []
        assert trace.dropped == len(run.moves) - len(moves) >= 0
        assert len(moves) >= 5

    @each_broken
    def test_no_wait_can_be_left_out(self, name: str, asked: str) -> None:
        start = initial_state(CONFIGURATIONS[name])
        moves, _ = shortest(start, found(name, asked, "zones"), PROPERTIES[asked])
        waits = [index for index, move in enumerate(moves) if move.delay]
        assert waits
        for index in waits:
            hasty = [*moves[:index], replace(moves[index], delay=Fraction(0)), *moves[index + 1 :]]
            assert not shows(start, hasty, PROPERTIES[asked])

    def test_what_is_not_needed_is_dropped(self) -> None:
        """The same run with the FIN arriving three times at once, and being answered each time."""
        padded = [*MOVES[: FIRST + 1], MOVES[FIRST], MOVES[FIRST], *MOVES[FIRST + 1 :]]
        moves, trace = shortest(initial_state(CORE), Run(tuple(padded)), PROPERTIES["isolation"])
        assert trace.dropped == 2
        assert [move.action for move in moves] == [move.action for move in MOVES]

    def test_what_shows_nothing_is_rejected_first(self) -> None:
        with pytest.raises(Rejected, match=r"step 5: the time-wait timer"):
            minimal(initial_state(CORE), Run(tuple(delayed(LEFT, -1))), PROPERTIES["isolation"])

    def test_what_becomes_unnecessary_is_dropped_too(self) -> None:
        """Wiping is needed only after painting, which is dropped later."""
        run = Run(tuple(Move(Fraction(0), Action("toy", "somebody", what)) for what in ("paint", "wipe", "open")))
        moves, _ = shortest(world(soiled()), run, always("shut"))
        assert droppable(world(soiled()), moves, always("shut")) == []
        assert len(moves) == 1


class TestLassos:
    """The loop leads back, takes time, and does so again and again."""

    ASKED = eventually("delivered")

    def carried_out(self, moves: Sequence[Move], loop: int | None) -> Trace:
        return replay(world(courier(False, True)), Run(tuple(moves), loop), self.ASKED)

    def test_found(self) -> None:
        explored = Explicit(CompiledAutomaton(courier(False, True)))
        explored.explore(Budget())
        run = find_lasso(explored, self.ASKED)
        assert run is not None
        trace = replay(world(courier(False, True)), run, self.ASKED)
        assert trace.loop == run.loop
        assert minimal(world(courier(False, True)), run, self.ASKED) == trace

    def test_by_hand(self) -> None:
        trace = self.carried_out([*go("go"), *go("come back", "go", delay=1)], 1)
        assert (trace.loop, len(trace.steps)) == (1, 3)
        assert trace.duration == 2

    @pytest.mark.parametrize(
        ("moves", "loop", "reason"),
        [
            ([*go("go", "come back", delay=1)], None, "a run that violates delivered must repeat itself, and this one ends"),
            ([*go("go", "come back")], 0, "the loop takes no time"),
            ([*go("go", delay=1)], 0, "step 2: go cannot happen"),
            ([*go("go"), *go("come back", delay=1)], 1, "step 3: come back cannot happen"),
            ([*go(None, delay=1)], 0, "step 2: t\\(\\) <= HOUR must hold"),
            ([*go("go", "come back", delay=1)], 2, "the loop takes no time"),
            ([*go("deliver"), *go(None, delay=1)], 0, "step 3: deliver cannot happen"),
        ],
    )
    def test_rejected(self, moves: list[Move], loop: int | None, reason: str) -> None:
        with pytest.raises(Rejected, match=f"^{reason}$"):
            self.carried_out(moves, loop)

    def test_a_loop_must_lead_back_to_where_it_began(self) -> None:
        """It can be carried out again and again, and yet does not: each time the count is another."""
        with pytest.raises(Rejected, match=r"^the loop does not lead back to where it began$"):
            replay(world(counter(9, 1)), Run(tuple(go("count", delay=1)), 0), eventually("anything"))


@pytest.mark.parametrize(("fifo", "together"), [(False, [1, 3]), (True, [1])])
def test_which_owed_copies_arrive_together(fifo: bool, together: list[int]) -> None:
    """In a queue those behind another segment that must be delivered must wait for it; elsewhere nothing stands before them."""
    fin, ack = Segment(1, 2, fin=True), Segment(1, 2)
    in_transit = tuple(
        TimedPacket(PacketInFlight("B", segment, must_be_delivered=True, left=None), count, Fraction(0))
        for count, segment in enumerate((fin, ack, fin), start=1)
    )
    assert due_together(in_transit, "B", fin, in_order=fifo) == together
