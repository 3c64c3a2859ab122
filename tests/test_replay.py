"""Runs carried out on the specification: those that engines find, and those that nobody should believe."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import itf_py  # type: ignore[import-untyped]
import pytest
from toys import always, counter, courier, eventually, soiled, world

from timewait.checker.compiled import CompiledAutomaton
from timewait.checker.explicit import Explicit
from timewait.checker.finding import Budget, Move, Run
from timewait.checker.itf import BrokenTrace, as_itf, parsed
from timewait.checker.itf import as_itf_text as itf_text
from timewait.checker.itf import read as read_itf
from timewait.checker.lasso import find_lasso
from timewait.checker.quotient import Quotient
from timewait.checker.replay import Rejected, minimal, replay
from timewait.checker.trace import Trace, number
from timewait.checker.zones import Zones
from timewait.spec.composition import Composition
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.outcome import Call, Timer
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state
from timewait.spec.reference_packets import TimedPacket, due_together
from timewait.spec.segment import PacketInFlight, Segment
from timewait.spec.settings import Arrival, Behaviour
from timewait.vocabulary.automaton import Action, Property
from timewait.vocabulary.replay import Event, Packet, ReplayState, RunningTimer

STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
INTENDED = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
CORE = Configuration(Fraction(2), Fraction(3), (Fraction(2),), loss=1, scope=Scope.CORE, behaviour=INTENDED)
CLOSE = Configuration(Fraction(1), Fraction(1), (Fraction(1),), loss=1, behaviour=INTENDED)
ODD = replace(CORE, msl=Fraction(2, 3), time_wait=Fraction(1), rto=(Fraction(1, 2),))
TEXT = replace(CLOSE, text=(0, 1), time_wait=Fraction(0))
CONFIGURATIONS = {"core": CORE, "close": CLOSE, "odd": ODD, "text": TEXT}
BROKEN = [(name, asked) for name in CONFIGURATIONS for asked in ("graceful", "isolation")]

each_run = pytest.mark.parametrize("engine", ["explicit", "zones"])
each_broken = pytest.mark.parametrize(("name", "asked"), BROKEN)


@cache
def found(name: str, asked: str, engine: str) -> Run:
    """The run by which an engine breaks a property."""
    system = Composition(CONFIGURATIONS[name])
    explored: Explicit | Zones = (
        Explicit(CompiledAutomaton(system)) if engine == "explicit" else Zones(CompiledAutomaton(Quotient(system)))
    )
    explored.explore(Budget(), frozenset({asked}))
    run = explored.run_to(*explored.broken[asked])
    assert run is not None
    return run


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


# --- a run written by hand -----------------------------------------------------------------------------------------

FIN = ("B", Segment(1, ack=2, fin=True))
ACK = ("A", Segment(2, ack=2))
HAIR = Fraction(1, 10**9)


def deliver(actor: str, subject: tuple[str, Segment], *lost: bool) -> Action:
    """The arrival of a copy, and what becomes of the answers."""
    return Action("deliver", actor, subject, lost)


def timer(actor: str, which: Timer, *lost: bool) -> Action:
    """A timer, and what becomes of what is sent then."""
    return Action("timer", actor, which, lost)


# MSL = 2 s, RTO = 2 s, TIME_WAIT = 3 s: the FIN sent at 2 s may arrive until 4 s; TIME-WAIT, entered at 0 s, ends after 3 s.
MOVES = (
    Move(Fraction(0), Action("call", "B", Call.CLOSE, (False,))),
    Move(Fraction(0), deliver("A", FIN, False)),
    Move(Fraction(2), timer("B", Timer.RETRANSMISSION, False)),
    Move(Fraction(0), deliver("B", ACK)),
    Move(1 + HAIR, timer("A", Timer.TIME_WAIT)),
    Move(Fraction(0), Action("reopen", "users", "the same addresses and ports")),
    Move(1 - HAIR, deliver("A", FIN)),
)
CALL, FIRST, AGAIN, ACKED, LEFT, REOPENED, LATE = range(len(MOVES))


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


# --- runs without end ----------------------------------------------------------------------------------------------


def go(*does: str | None, delay: int = 0) -> list[Move]:
    """Moves of a toy."""
    return [Move(Fraction(delay), Action("toy", "somebody", what) if what else None) for what in does]


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


# --- what a trace is written as ------------------------------------------------------------------------------------


class TestTraces:
    """As ITF and as plain data."""

    @each_run
    @each_broken
    def test_itf_is_read_by_others(self, name: str, asked: str, engine: str) -> None:
        trace = replay(initial_state(CONFIGURATIONS[name]), found(name, asked, engine), PROPERTIES[asked])
        read = itf_py.trace_from_json(json.loads(json.dumps(as_itf(trace))))
        assert read.meta["format"] == "ITF"
        assert read.meta["description"].startswith(f"{asked}: ")
        assert read.loop is None
        assert len(read.states) == 1 + len(trace.steps)
        assert read.vars == sorted(trace.initial)
        assert read.states[0].meta["action"] == "initial"
        assert read.states[0].values == trace.initial
        for state, step in zip(read.states[1:], trace.steps, strict=True):
            assert state.values == step.state
            assert state.meta["index"] == step.number
            assert state.meta["action"] == str(step.event)
            assert [rule["name"] for rule in state.meta["rules"]] == [rule[0] for rule in step.event.rules]
            assert Fraction(state.meta["delay"]) == step.delay
            assert Fraction(state.meta["time"]) == step.time

    @each_run
    @each_broken
    def test_itf_is_read_back_unchanged(self, name: str, asked: str, engine: str, tmp_path: Path) -> None:
        trace = minimal(initial_state(CONFIGURATIONS[name]), found(name, asked, engine), PROPERTIES[asked])
        file = tmp_path / "trace.itf.json"
        file.write_text(itf_text(trace), encoding="utf-8")
        assert read_itf(file) == trace

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[", "line 1"),
            ("{}", "not a trace in the Informal Trace Format"),
            ('{"#meta": {"format": "ITF"}, "vars": [], "states": []}', "the head|state 0"),
        ],
    )
    def test_a_broken_file_is_told_where(self, text: str, said: str, tmp_path: Path) -> None:
        file = tmp_path / "trace.itf.json"
        file.write_text(text, encoding="utf-8")
        with pytest.raises(BrokenTrace, match=said):
            read_itf(file)

    def test_any_part_that_is_missing_is_noticed(self) -> None:
        """Of the head, of a state, and of what stands in its meta."""
        whole = as_itf(minimal(initial_state(CORE), found("core", "isolation", "zones"), PROPERTIES["isolation"]))
        last = whole["states"][-1]
        for part in (whole, last, last["#meta"], last["#meta"]["received"]):
            for key in [key for key in part if key not in ("loop", "index", "action", "description")]:
                held = part.pop(key)
                with pytest.raises(BrokenTrace):
                    parsed(whole, "here")
                part[key] = held
        parsed(whole, "here")

    def test_itf_of_a_loop(self) -> None:
        """The number of the state to which the last one leads back."""
        run = Run((*go("go"), *go("come back", "go", delay=1)), 1)
        trace = replay(world(courier(False, True)), run, eventually("delivered"))
        read = itf_py.trace_from_json(json.loads(json.dumps(as_itf(trace))))
        assert read.loop == 1
        assert [state.values["place"] for state in read.states] == ["here", "there", "here", "there"]
        assert read.states[read.loop].values["place"] == read.states[-1].values["place"]

    def test_numbers_of_any_size_are_whole(self) -> None:
        written = as_itf(replay(initial_state(CORE), Run(MOVES), PROPERTIES["isolation"]))
        whole = [value for state in written["states"] for value in state.values() if isinstance(value, int)]
        assert whole == []
        assert written["states"][0]["A.una"] == {"#bigint": "2"}

    def test_delays_are_exact(self) -> None:
        """A third of a second is one, in ITF as a fraction and in plain data as one where no decimal is."""
        moves = [replace(move, delay=move.delay / 3) for move in MOVES]
        thirds = replace(CORE, msl=Fraction(2, 3), time_wait=Fraction(1), rto=(Fraction(2, 3),))
        trace = replay(initial_state(thirds), Run(tuple(moves)), PROPERTIES["isolation"])
        assert trace.steps[AGAIN].delay == Fraction(2, 3)
        assert as_itf(trace)["states"][AGAIN + 1]["#meta"]["delay"] == "2/3"
        assert trace.as_json()["steps"][AGAIN]["delay"] == "2/3"
        assert sum(Fraction(state["#meta"]["delay"]) for state in as_itf(trace)["states"]) == trace.duration == Fraction(4, 3)

    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (Fraction(0), 0.0),
            (Fraction(3), 3.0),
            (Fraction(1, 8), 0.125),
            (Fraction(599, 10), 59.9),
            (Fraction(1, 3), "1/3"),
            (Fraction(10**30 + 1), str(10**30 + 1)),
        ],
    )
    def test_numbers(self, value: Fraction, expected: float | str) -> None:
        assert number(value) == expected

    def test_plain_data(self) -> None:
        written = json.loads(json.dumps(replay(initial_state(CORE), Run(MOVES), PROPERTIES["isolation"]).as_json()))
        assert (written["property"], written["loop"], written["dropped"]) == ("isolation", None, 0)
        assert [step["number"] for step in written["steps"]] == [1, 2, 3, 4, 5, 6, 7]
        assert written["steps"][FIRST]["received"] == "FIN+ACK seq=1 ack=2"
        assert written["steps"][FIRST]["sent"] == [{"segment": "ACK seq=2 ack=2", "lost": False}]
        assert written["steps"][FIRST]["changed"]["A.state"] == {"from": "FIN_WAIT_2", "to": "TIME_WAIT"}
        assert {rule["name"] for rule in written["steps"][FIRST]["rules"]} == {"fin.time-wait"}

    def test_what_changed_is_the_difference_of_two_states(self) -> None:
        trace = replay(initial_state(CORE), Run(MOVES), PROPERTIES["isolation"])
        before = trace.initial
        for step in trace.steps:
            assert step.changed == {name: (before[name], now) for name, now in step.state.items() if before[name] != now}
            before = step.state
        assert [bool(step.changed) for step in trace.steps] == [True] * 6 + [False]


@pytest.mark.parametrize(("fifo", "together"), [(False, [1, 3]), (True, [1])])
def test_which_owed_copies_arrive_together(fifo: bool, together: list[int]) -> None:
    """In a queue those behind another segment that must be delivered must wait for it; elsewhere nothing stands before them."""
    fin, ack = Segment(1, 2, fin=True), Segment(1, 2)
    in_transit = tuple(
        TimedPacket(PacketInFlight("B", segment, must_be_delivered=True, left=None), count, Fraction(0))
        for count, segment in enumerate((fin, ack, fin), start=1)
    )
    assert due_together(in_transit, "B", fin, in_order=fifo) == together
