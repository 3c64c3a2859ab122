"""The oracle finds the known thresholds for small values, and each of its parts is correct."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
from oracle import JUDGED, UNLIMITED, A, B, Copy, End, Search, TooLarge, World, judge
from random_configurations import random_configuration

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.outcome import Effect, Outcome, Timer
from timewait.spec.segment import Segment
from timewait.spec.settings import EVERY_ARRIVAL, Arrival, Behaviour, ResetRule
from timewait.spec.state import Block, State

CORE, CLOSE = Scope.CORE, Scope.CLOSE
NO_RESTART = Behaviour(restarts=frozenset({Arrival.FIN}))
ACKS_TOO = Behaviour(answers=EVERY_ARRIVAL - {Arrival.SYN}, restarts=frozenset({Arrival.FIN}))


def ticks(msl: int = 1, rto: int = 1, time_wait: int = 0, **others: object) -> Configuration:
    """Return a configuration with durations in ticks."""
    return Configuration(Fraction(msl), Fraction(time_wait), (Fraction(rto),), **others)  # type: ignore[arg-type]


def least(name: str, scope: Scope, msl: int, rto: int, loss: int) -> int:
    """Return the least TIME-WAIT for which a property holds."""
    return next(tw for tw in range(20) if not judge(ticks(msl, rto, tw, loss=loss, scope=scope))[name])


def edges(scope: Scope, msl: int, rto: int, loss: int, least: dict[str, int], behaviour: Behaviour) -> None:
    """Check that each property holds at its least TIME-WAIT, and not a tick below."""
    for time_wait in {value - step for value in least.values() for step in (0, 1)}:
        verdict = judge(ticks(msl, rto, time_wait, loss=loss, scope=scope, behaviour=behaviour))
        for name, value in least.items():
            assert verdict[name] == (time_wait < value), (name, time_wait)


class TestThresholds:
    """The least TIME-WAIT that is safe."""

    @pytest.mark.parametrize(
        ("msl", "rto", "loss", "graceful", "isolation"),
        [
            (1, 1, 0, 1, 2),
            (2, 1, 0, 2, 3),
            (2, 2, 0, 2, 4),
            (2, 2, 1, 4, 4),
            (2, 3, 1, 5, 5),
            (2, 3, 2, 8, 8),
            (3, 1, 0, 3, 4),
            (3, 1, 1, 4, 5),
            (3, 2, 0, 3, 5),
        ],
    )
    def test_core(self, msl: int, rto: int, loss: int, graceful: int, isolation: int) -> None:
        """Scope core."""
        assert least("graceful", CORE, msl, rto, loss) == graceful
        assert least("isolation", CORE, msl, rto, loss) == isolation

    @pytest.mark.parametrize(("msl", "rto", "loss", "graceful", "isolation"), [(3, 2, 1, 5, 6), (3, 3, 2, 9, 9)])
    def test_core_edges(self, msl: int, rto: int, loss: int, graceful: int, isolation: int) -> None:
        """Scope core, a tick on either side of the threshold."""
        edges(CORE, msl, rto, loss, {"graceful": graceful, "isolation": isolation}, Behaviour())

    @pytest.mark.parametrize(("rto", "loss", "graceful", "isolation"), [(1, 0, 1, 2), (1, 1, 2, 2), (2, 1, 3, 3), (1, 2, 3, 3)])
    def test_close_one(self, rto: int, loss: int, graceful: int, isolation: int) -> None:
        """The whole close, MSL 1: kR + M (M if nothing is lost), and max(2M, kR + M)."""
        assert least("graceful", CLOSE, 1, rto, loss) == graceful
        assert least("isolation", CLOSE, 1, rto, loss) == isolation

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("rto", "loss", "graceful", "isolation"),
        [
            (1, 0, 2, 4),
            (1, 1, 3, 4),
            (2, 1, 4, 4),
            (2, 2, 6, 6),
        ],
    )
    def test_close_two(self, rto: int, loss: int, graceful: int, isolation: int) -> None:
        """The whole close, MSL 2."""
        edges(CLOSE, 2, rto, loss, {"graceful": graceful, "isolation": isolation}, Behaviour())

    @pytest.mark.parametrize(
        ("behaviour", "msl", "rto", "loss", "known"),
        [
            (NO_RESTART, 1, 1, 0, {"isolation": 3}),
            (ACKS_TOO, 1, 1, 0, {"isolation": 4}),
            pytest.param(NO_RESTART, 2, 2, 1, {"graceful": 4, "isolation": 6}, marks=pytest.mark.slow),
            pytest.param(ACKS_TOO, 2, 2, 1, {"graceful": 4, "isolation": 8}, marks=pytest.mark.slow),
            pytest.param(NO_RESTART, 3, 1, 0, {"isolation": 9}, marks=pytest.mark.slow),
        ],
    )
    def test_answers_without_restart(self, behaviour: Behaviour, msl: int, rto: int, loss: int, known: dict[str, int]) -> None:
        """An answer that does not restart the timer costs one MSL more, or two."""
        edges(CLOSE, msl, rto, loss, known, behaviour)


class TestVerdicts:
    """Single verdicts."""

    def test_every_property_has_one(self) -> None:
        """Each property has a verdict, and a safe configuration violates only a property that none satisfies."""
        verdict = judge(ticks(1, 1, 2))
        assert tuple(verdict) == JUDGED
        assert {name for name, violated in verdict.items() if violated} == {"no-stray-reset"}

    def test_lost_at_will(self) -> None:
        """If any number of copies may be lost, the last acknowledgement need never arrive."""
        assert judge(ticks(1, 1, 6, loss=None, scope=CORE))["graceful"]

    def test_not_restarted(self) -> None:
        """If a retransmitted FIN does not restart TIME-WAIT, no TIME-WAIT is enough."""
        verdict = judge(ticks(1, 1, 6, scope=CORE, behaviour=Behaviour(restarts=frozenset())))
        assert verdict["graceful"]
        assert verdict["fin-restarts"]

    def test_assassinated(self) -> None:
        """A RST that ends TIME-WAIT makes it useless, even without loss."""
        verdict = judge(ticks(1, 1, 6, loss=0, behaviour=Behaviour(reset=ResetRule.EXACT)))
        assert verdict["time-wait-kept"]
        assert verdict["isolation"]

    def test_nothing_old_without_a_second_copy(self) -> None:
        """Without duplicates and retransmissions a short TIME-WAIT isolates; with a slow network it does not."""
        strict = {"duplication": 0, "rto_exact": True, "loss": 0, "scope": CORE}
        assert not judge(ticks(1, 3, 1, **strict))["isolation"]
        assert judge(ticks(3, 1, 1, **strict))["isolation"]

    def test_linger_zero(self) -> None:
        """A CLOSE that aborts loses text in flight."""
        for linger_zero in (False, True):
            strict = ticks(1, 2, 2, text=(1, 0), loss=0, duplication=0, behaviour=Behaviour(linger_zero=linger_zero))
            assert judge(strict)["integrity"] == linger_zero

    @pytest.mark.parametrize(("abandons", "violated"), [(False, False), (True, True)])
    def test_fin_wait_2(self, abandons: bool, violated: bool) -> None:
        """A FIN-WAIT-2 timeout loses the text of a peer that still sends."""
        behaviour = Behaviour(fin_wait_2=True, abandons=abandons)
        limits = {"loss": 0, "duplication": 0, "rto_exact": True, "text": (0, 1)}
        assert judge(ticks(1, 2, 2, behaviour=behaviour, **limits))["integrity"] == violated

    def test_fifo_needs_no_more(self) -> None:
        """Copies that arrive in order need no more TIME-WAIT than copies that do not."""
        assert not judge(ticks(1, 1, 2, fifo=True))["isolation"]
        assert judge(ticks(1, 1, 0, fifo=True))["graceful"]

    def test_both_close(self) -> None:
        """A simultaneous close has the same threshold."""
        for time_wait, violated in ((1, True), (2, False)):
            verdict = judge(ticks(1, 2, time_wait, loss=0, both_close=True))
            assert verdict["isolation"] == violated
            assert not verdict["graceful"]

    def test_too_large(self) -> None:
        """The search stops at its bound."""
        with pytest.raises(TooLarge):
            judge(ticks(1, 1, 2), cap=100)

    def test_whole_ticks_only(self) -> None:
        """A duration of half a tick is an error."""
        with pytest.raises(ValueError, match="whole number"):
            judge(Configuration(Fraction(1, 2), Fraction(1), (Fraction(1),)))


FIN, ACK = Segment(1, 2, fin=True), Segment(2, 2)
CLOSED = Block(State.CLOSED, rcv=1)
WAITING = Block(State.TIME_WAIT, una=2, nxt=2, rcv=2)
LAST = Block(State.LAST_ACK, una=1, nxt=2, rcv=2)
ENDS = (End(WAITING, (0,)), End(LAST, (0,)))


def flying(search: Search, sender: int, segment: Segment, age: int = 0, *, must: bool = False, left: int = UNLIMITED) -> Copy:
    """Return a copy in flight."""
    return Copy(sender, search.number(segment), age, not must, left)


def at(a: Block, b: Block, *copies: Copy, clocks: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())) -> World:
    """Return a state."""
    return World((End(a, clocks[A]), End(b, clocks[B])), copies, (0, 0))


class TestNetwork:
    """Copies in flight: age, obligation and order."""

    def test_dies_after_msl(self) -> None:
        """A copy exists at the age of MSL, and not a tick later."""
        search = Search(ticks(msl=2))
        world = at(CLOSED, CLOSED, flying(search, A, ACK, 1))
        older = search.tick(world)
        assert [copy.age for copy in older.copies] == [2]
        assert search.tick(older).copies == ()

    def test_time_waits_for_what_must_arrive(self) -> None:
        """A copy that must arrive does so before time passes beyond its MSL."""
        search = Search(ticks(msl=2))
        assert search.time_may_pass(at(CLOSED, CLOSED, flying(search, A, ACK, 1, must=True)))
        late = at(CLOSED, LAST, flying(search, A, ACK, 2, must=True), clocks=((), (0,)))
        assert not search.time_may_pass(late)
        (arrived,) = search.arrival(late, 0)
        assert arrived.ends[B].block.state is State.CLOSED
        assert search.time_may_pass(arrived)

    @pytest.mark.parametrize("duplication", [0, 1, 2])
    def test_counted_arrivals(self, duplication: int) -> None:
        """With n duplicates a copy arrives n + 1 times."""
        search = Search(ticks(duplication=duplication))
        world, arrivals = at(CLOSED, CLOSED, flying(search, A, Segment(1, rst=True), left=search.arrivals)), 0
        while world.copies:
            (world,) = search.arrival(world, 0)
            arrivals += 1
        assert arrivals == duplication + 1

    def test_order(self) -> None:
        """In order, an arrival discards earlier copies of its direction, unless one of them must arrive first."""
        search = Search(ticks(fifo=True))
        reset = Segment(1, rst=True)
        early, late, other = flying(search, A, reset, 1), flying(search, A, Segment(2, rst=True)), flying(search, B, reset, 1)
        (world,) = search.arrival(at(CLOSED, CLOSED, early, late, other), 1)
        assert world.copies == (late, other)
        must = early._replace(free=False)
        assert not list(search.arrival(at(CLOSED, CLOSED, must, late, other), 1))
        (world,) = search.arrival(at(CLOSED, CLOSED, must, late, other), 0)
        assert world.copies == (early, late, other)

    def test_only_an_older_copy_is_dropped(self) -> None:
        """The youngest copy of a segment is kept, and every copy that must arrive."""
        search = Search(ticks(msl=3))
        free = [flying(search, A, ACK, age) for age in (0, 1, 2)]
        must = flying(search, A, ACK, 1, must=True)
        other = flying(search, B, ACK, 3)
        assert search.canonical((*free, other)) == (free[0], other)
        assert search.canonical((free[2], must, free[1])) == (must,)
        assert search.canonical((must, free[0])) == (free[0], must)
        assert len(Search(ticks(), twins=True).canonical((*free, *free, must))) == 4

    def test_counted_copies_stay_apart(self) -> None:
        """Two copies that may arrive once each are not merged."""
        search = Search(ticks(duplication=0))
        copy = flying(search, A, ACK, left=1)
        assert search.canonical((copy, copy)) == (copy, copy)

    def test_any_copy_left_breaks_isolation(self) -> None:
        """Once both ends are closed, any copy in flight can reach the next incarnation."""
        search = Search(ticks())
        list(search.successors(at(CLOSED, CLOSED)))
        assert search.violated == set()
        list(search.successors(at(CLOSED, LAST, flying(search, A, Segment(2, rst=True)), clocks=((), (0,)))))
        assert "isolation" not in search.violated
        list(search.successors(at(CLOSED, CLOSED, flying(search, A, Segment(2, rst=True)))))
        assert search.violated == {"graceful", "isolation", "old-reset"}

    def test_core_ignores_what_reaches_a_closed_passive_end(self) -> None:
        """In scope core a CLOSED passive end is silent; the active one never is."""
        core, close = (Search(ticks(scope=scope, loss=None)) for scope in (CORE, CLOSE))
        for search, sender, answers in ((core, A, 0), (core, B, 1), (close, A, 1), (close, B, 1)):
            world = at(CLOSED, CLOSED, flying(search, sender, FIN, must=True))
            (after,) = search.arrival(world, 0)
            assert len(after.copies) == 1 + answers


class TestLoss:
    """The loss budget of a loss window."""

    def test_loss_windows(self) -> None:
        """The FIN of the other end, and its acknowledgement; a copy may be both."""
        one, both = Search(ticks()), Search(ticks(both_close=True))
        for segment, sender, alone, each in (
            (Segment(1, 1, fin=True), A, (), (B,)),
            (Segment(1, 1, fin=True), B, (A,), (A,)),
            (Segment(1, 2, fin=True), A, (A,), (A, B)),
            (Segment(1, 2, fin=True), B, (A,), (A, B)),
            (Segment(2, 2), A, (A,), (A,)),
            (Segment(2, 2), B, (), (B,)),
            (Segment(2, 1), A, (), ()),
            (Segment(2, rst=True), A, (), ()),
        ):
            assert one.loss_windows(sender, segment, 1) == alone
            assert both.loss_windows(sender, segment, 1) == each

    def test_text_counts_once_the_fin_is_out(self) -> None:
        """It is retransmitted instead of the FIN; before the FIN it is outside the budget."""
        search, text = Search(ticks()), Segment(1, 1, length=1)
        assert search.loss_windows(B, text, 1, closing=True) == (A,)
        assert search.loss_windows(B, text, 1, closing=False) == ()
        assert search.loss_windows(B, Segment(1, 1), 1, closing=True) == ()

    def test_deliveries(self) -> None:
        """A copy is lost and counted, or must arrive; no copy is lost beyond the budget."""
        search = Search(ticks(loss=1))
        (kept, counts), (lost, spent) = search.deliveries(B, (FIN,), ENDS, (0, 0))
        assert [copy.free for copy in kept] == [False]
        assert (counts, lost, spent) == ((0, 0), (), (1, 0))
        assert len(list(search.deliveries(B, (FIN,), ENDS, (1, 0)))) == 1
        assert len(list(search.deliveries(B, (FIN, FIN), ENDS, (0, 0)))) == 3

    def test_outside_the_exchange(self) -> None:
        """A copy outside the exchange need not arrive, nor any copy if losses are not counted."""
        for search, sender in ((Search(ticks(loss=0)), A), (Search(ticks(loss=None)), B)):
            ((kept, counts),) = search.deliveries(sender, (Segment(1, 1, fin=True),), ENDS, (0, 0))
            assert [copy.free for copy in kept] == [True]
            assert counts == (0, 0)

    def test_a_fin_accepted_opens_a_loss_window(self) -> None:
        """The count restarts before the answer to that FIN is counted."""
        search = Search(ticks(loss=1))
        world = at(WAITING, LAST, flying(search, B, FIN), clocks=((0,), (0,)))._replace(lost=(1, 0))
        outcomes = {(after.lost, len(after.copies)) for after in search.arrival(world, 0)}
        assert outcomes == {((0, 0), 2), ((1, 0), 1)}


class TestTimers:
    """Clocks and their guards."""

    def due(self, search: Search, block: Block, *clocks: int) -> int:
        """Count the timers of A that may fire."""
        return len(list(search.timers(at(block, CLOSED, clocks=(clocks, ())), A)))

    def test_retransmission(self) -> None:
        """It fires from one tick up to RTO, beyond which time does not pass; or at RTO exactly."""
        loose, exact = Search(ticks(rto=3)), Search(ticks(rto=3, rto_exact=True))
        assert [self.due(loose, LAST, shown) for shown in range(4)] == [0, 1, 1, 1]
        assert [self.due(exact, LAST, shown) for shown in range(4)] == [0, 0, 0, 1]
        assert [loose.time_may_pass(at(LAST, CLOSED, clocks=((shown,), ()))) for shown in range(4)] == [True, True, True, False]

    def test_retransmission_with_slack(self) -> None:
        """It fires from RTO to RTO and the slack, beyond which time does not pass."""
        late = Search(ticks(rto=2, rto_exact=True, rto_slack=Fraction(1)))
        assert [self.due(late, LAST, shown) for shown in range(4)] == [0, 0, 1, 1]
        assert [late.time_may_pass(at(LAST, CLOSED, clocks=((shown,), ()))) for shown in range(4)] == [True, True, True, False]

    def test_schedule(self) -> None:
        """Each try has its own gap, and the last repeats."""
        configuration = Configuration(Fraction(1), Fraction(1), (Fraction(1), Fraction(3)), behaviour=Behaviour(backoff=2))
        assert [Search(configuration).gap(LAST._replace(tries=tries)) for tries in range(4)] == [1, 3, 3, 3]

    def test_time_wait_is_left_after_its_end(self) -> None:
        """TIME-WAIT ends strictly after its length, is never forced to end, and its clock stops there."""
        search = Search(ticks(time_wait=2))
        assert [self.due(search, WAITING, shown) for shown in range(4)] == [0, 0, 0, 1]
        assert search.time_may_pass(at(WAITING, CLOSED, clocks=((3,), ())))
        assert search.later(WAITING, (2,)) == search.later(WAITING, (3,)) == (3,)

    def test_fin_wait_2_timer(self) -> None:
        """The same for FIN-WAIT-2, if there is such a timer."""
        behaviour = Behaviour(fin_wait_2=True, abandons=True)
        search = Search(ticks(fin_wait_2=Fraction(1), behaviour=behaviour, scope=CORE))
        block = search.first().ends[A].block
        assert search.first().ends[A].clocks == (0,)
        assert [self.due(search, block, shown) for shown in range(3)] == [0, 0, 1]

    def test_clocks_start_keep_and_stop(self) -> None:
        """A clock starts with its timer, keeps its value while the timer runs, and is dropped with it."""
        search = Search(ticks(time_wait=9))
        world = at(WAITING, LAST, clocks=((5,), (1,)))
        (kept,) = search.step(world, A, Outcome(WAITING), ())
        assert kept.ends[A].clocks == (5,)
        (restarted,) = search.step(world, A, Outcome(WAITING, started=frozenset({Timer.TIME_WAIT})), ())
        assert restarted.ends[A].clocks == (0,)
        (over,) = search.step(world, A, Outcome(CLOSED), ())
        assert over.ends[A].clocks == ()
        assert over.ends[B] is world.ends[B]


class TestUsers:
    """The calls of the users."""

    def test_who_may_close(self) -> None:
        """The passive end closes second, unless either end may close first."""
        for both_close in (False, True):
            search = Search(ticks(both_close=both_close))
            world = search.first()
            assert len(list(search.user(world, A))) == 1
            assert len(list(search.user(world, B))) == both_close
            assert len(list(search.user(at(WAITING, Block(State.CLOSE_WAIT, 1, 1, 2)), B))) == 1

    def test_text_is_limited(self) -> None:
        """SEND is possible until all text is sent."""
        search = Search(ticks(text=(1, 0)))
        world = search.first()
        sent = [outcome for outcome in search.user(world, A) if outcome.block.sent]
        assert len(sent) == 1
        (after,) = search.step(world, A, sent[0], ())
        assert not [outcome for outcome in search.user(after, A) if outcome.block.sent > 1]
        assert not [outcome for outcome in search.user(world, B) if outcome.block.sent]


class TestJudging:
    """One step and the properties that it violates."""

    @pytest.mark.parametrize(
        ("before", "outcome", "violated"),
        [
            (LAST, Outcome(CLOSED, effects=frozenset({Effect.RESET})), {"graceful"}),
            (WAITING._replace(state=State.CLOSE_WAIT), Outcome(CLOSED, effects=frozenset({Effect.RESET})), set()),
            (WAITING, Outcome(CLOSED, effects=frozenset({Effect.ASSASSINATED})), {"time-wait-kept"}),
            (WAITING, Outcome(WAITING, effects=frozenset({Effect.NOT_RESTARTED})), {"fin-restarts"}),
            (CLOSED, Outcome(CLOSED, (Segment(2, rst=True),)), {"no-stray-reset"}),
            (LAST._replace(sent=1), Outcome(CLOSED._replace(sent=1)), {"integrity"}),
            (CLOSED._replace(sent=1), Outcome(CLOSED._replace(sent=1)), set()),
        ],
    )
    def test_violations(self, before: Block, outcome: Outcome, violated: set[str]) -> None:
        """Each property has an event that violates it, and events that do not."""
        search = Search(ticks())
        search.record_violations(at(before, CLOSED), A, outcome)
        assert search.violated == violated

    def test_text_read_in_time(self) -> None:
        """An end that closes after the other has read everything loses nothing."""
        search = Search(ticks())
        search.record_violations(at(LAST._replace(sent=1), CLOSED._replace(rcv=2)), A, Outcome(CLOSED._replace(sent=1)))
        assert search.violated == set()


class TestDraws:
    """Random configurations."""

    def test_reproducible_and_varied(self) -> None:
        """The same seed gives the same configuration, and every setting is varied."""
        drawn = [random_configuration(random.Random(seed)) for seed in range(300)]
        assert drawn == [random_configuration(random.Random(seed)) for seed in range(300)]
        for name in (
            "msl",
            "time_wait",
            "rto",
            "rto_exact",
            "rto_slack",
            "loss",
            "duplication",
            "fifo",
            "scope",
            "both_close",
            "text",
        ):
            assert len({getattr(configuration, name) for configuration in drawn}) > 1, name
        for name in Behaviour.__dataclass_fields__:
            assert len({getattr(configuration.behaviour, name) for configuration in drawn}) > 1, name

    def test_time_never_stops_for_good(self) -> None:
        """Every state has a successor: no time-lock makes a verdict vacuous."""
        for seed in range(60):
            search = Search(random_configuration(random.Random(seed)))
            seen, waiting = {search.first()}, [search.first()]
            while waiting and len(seen) < 500:
                following = list(search.successors(waiting.pop()))
                assert following
                fresh = set(following) - seen
                seen |= fresh
                waiting += fresh

    def test_twins_change_nothing(self) -> None:
        """Dropping a copy for a younger one changes no verdict."""
        compared = 0
        for seed in range(40):
            configuration = random_configuration(random.Random(seed))
            if configuration.duplication is None and not configuration.fifo:
                try:
                    assert judge(configuration, cap=3000) == judge(configuration, cap=10_000, twins=True), configuration
                except TooLarge:
                    continue
                compared += 1
        assert compared > 5
