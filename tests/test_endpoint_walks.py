"""Random walks of the endpoint: properties of every step, and the rules that are applied."""

from __future__ import annotations

from dataclasses import replace

from endpoint_cases import LETTER, LINUX, USUAL, S
from hypothesis import given
from hypothesis import strategies as st

from timewait.spec.endpoint import allowed_calls, running, segment_arrives
from timewait.spec.graph_events import apply_event, reachable_steps
from timewait.spec.outcome import Call, Outcome, Timer
from timewait.spec.replies import acknowledgement
from timewait.spec.rules import RULES
from timewait.spec.segment import Segment
from timewait.spec.settings import Arrival, Behaviour, ResetRule
from timewait.spec.state import ESTABLISHED, FIN_RECEIVED, Block, State
from timewait.spec.window import WINDOW

# --- whatever happens ---------------------------------------------------------------------------------------------

behaviours = st.builds(
    Behaviour,
    time_wait=st.booleans(),
    answers=st.frozensets(st.sampled_from(Arrival)),
    restarts=st.frozensets(st.sampled_from(Arrival)),
    reset=st.sampled_from(ResetRule),
    fin_wait_2=st.booleans(),
    late_data_reset=st.booleans(),
    linger_zero=st.booleans(),
    retries=st.none() | st.integers(0, 2),
    backoff=st.integers(1, 3),
    abandons=st.booleans(),
)


Course = tuple[Behaviour, list[tuple[Block, Segment | Timer | Call, Outcome]]]
"""A behaviour, and the events of one endpoint."""


@st.composite
def segments(draw: st.DrawFn, block: Block) -> Segment:
    """Any segment with numbers around those of a block, but with nothing beyond the FIN of the other end."""
    seq = draw(st.integers(max(block.rcv - 3, 0), block.rcv + WINDOW + 1))
    ack = draw(st.none() | st.integers(0, block.nxt + 1))
    syn, rst = draw(st.sampled_from([(False, False), (False, False), (True, False), (False, True), (True, True)]))
    length, fin = draw(st.integers(0, 2)), draw(st.booleans())
    if block.state in FIN_RECEIVED and seq + length + fin > block.rcv:
        length, fin = 0, False
    return Segment(seq, ack, length, syn, fin, rst)


@st.composite
def walks(draw: st.DrawFn) -> Course:
    """A walk from CLOSED, or from an open connection."""
    behaviour = draw(behaviours)
    block = draw(st.sampled_from([Block(State.CLOSED), ESTABLISHED]))
    walk = []
    for _ in range(draw(st.integers(1, 12))):
        own: list[Timer | Call] = [*allowed_calls(block), *running(block, behaviour)]
        happening: Segment | Timer | Call = draw(st.sampled_from(own) | segments(block))
        outcome = apply_event(block, happening, behaviour)
        walk.append((block, happening, outcome))
        block = outcome.block
    return behaviour, walk


MOVES = {
    # figure 5 with its notes, every state keeping itself; the moves by RST, ABORT and time-out to CLOSED are added
    S.CLOSED: {S.LISTEN, S.SYN_SENT},
    S.LISTEN: {S.SYN_RECEIVED},
    S.SYN_SENT: {S.SYN_RECEIVED, S.ESTABLISHED},
    S.SYN_RECEIVED: {S.LISTEN, S.ESTABLISHED, S.FIN_WAIT_1, S.CLOSE_WAIT},
    S.ESTABLISHED: {S.FIN_WAIT_1, S.CLOSE_WAIT},
    S.FIN_WAIT_1: {S.FIN_WAIT_2, S.CLOSING, S.TIME_WAIT},
    S.FIN_WAIT_2: {S.TIME_WAIT},
    S.CLOSE_WAIT: {S.LAST_ACK},
    S.CLOSING: {S.TIME_WAIT},
    S.LAST_ACK: set(),
    S.TIME_WAIT: set(),
}
SENT_FIN = {S.FIN_WAIT_1, S.FIN_WAIT_2, S.CLOSING, S.LAST_ACK, S.TIME_WAIT}


class TestWhateverHappens:
    """Properties of every step of every walk; that no step raises is one of them."""

    @given(walks())
    def test_states_move_as_in_figure_5(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            assert outcome.block.state in MOVES[block.state] | {block.state, State.CLOSED}

    @given(walks())
    def test_numbers_never_go_backwards(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            after = outcome.block
            if after.state not in (State.CLOSED, State.LISTEN) and block.state is not State.CLOSED:
                assert after.una >= block.una
                assert after.nxt >= block.nxt
                assert after.rcv >= block.rcv
                assert after.sent >= block.sent

    @given(walks())
    def test_numbers_fit_the_state(self, course: Course) -> None:
        for _, _, outcome in course[1]:
            block = outcome.block
            if block.state is State.CLOSED:
                assert block.una == block.nxt == 0
                continue
            assert 0 <= block.una <= block.nxt <= block.fin_seq + 1
            assert block.fin_sent is (block.state in SENT_FIN)
            assert block.fin_acknowledged is (block.state in {S.FIN_WAIT_2, S.TIME_WAIT})
            if block.state is State.TIME_WAIT:
                assert not block.outstanding

    @given(walks())
    def test_text_read_never_decreases(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            if outcome.block.state is State.CLOSED and block.state is not State.CLOSED:
                assert outcome.block.sent == block.sent
                assert outcome.block.read >= block.read  # the segment that closes may bring text

    @given(walks())
    def test_every_reply_speaks_for_the_block_it_leaves(self, course: Course) -> None:
        for block, happening, outcome in course[1]:
            after = outcome.block
            for reply in outcome.replies:
                assert not (reply.rst and isinstance(happening, Segment) and happening.rst)
                if reply == Segment(reply.seq, reply.ack) and after.state is not State.CLOSED:
                    assert reply == acknowledgement(after)
                if (reply.fin or reply.length) and reply.ack is not None:
                    assert reply.ack == block.rcv
                    assert reply.end <= after.nxt

    @given(walks())
    def test_a_timer_that_begins_to_run_was_started(self, course: Course) -> None:
        behaviour, walk = course
        for block, _, outcome in walk:
            assert set(running(outcome.block, behaviour)) - set(running(block, behaviour)) <= outcome.started

    @given(walks())
    def test_every_rule_applied_is_in_the_list(self, course: Course) -> None:
        for block, _, outcome in course[1]:
            assert set(outcome.rules) <= RULES.keys()
            assert outcome.rules or (outcome.block, outcome.replies, outcome.started) == (block, (), frozenset())


def test_every_rule_in_the_list_is_applied_somewhere() -> None:
    """Every rule is reachable from CLOSED under some behaviour."""
    used = set()
    for behaviour in (
        USUAL,
        LETTER,
        Behaviour(linger_zero=True),
        Behaviour(retries=1, fin_wait_2=True, late_data_reset=True, abandons=True),
        LINUX,
        replace(LINUX, minimal_fin_wait_2=False),
        Behaviour(half_close=False, unread=True, retries=0, retries_reset=True, last_ack=True),
        Behaviour(keeps_out_of_order=True),
    ):
        for block, _, outcome in reachable_steps(behaviour):
            used |= set(outcome.rules)
            used |= set(segment_arrives(block, Segment(block.rcv), behaviour).rules)
    assert used == RULES.keys()


def test_every_rule_cites_a_section() -> None:
    """The text of a rule is one clause."""
    for name, rule in RULES.items():
        assert rule.section, name
        assert rule.text, name
        assert not rule.text.endswith("."), name
