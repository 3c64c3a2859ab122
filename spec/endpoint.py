"""One endpoint: its outcome for every segment, timer and user call.

Pure functions from a control block to an `Outcome`. `segment_arrives` follows RFC 9293 3.10.7 step by step, in its order.
Every step that has an effect names its rule (`timewait.spec.rules`). Urgent data, security and options are left out, since
they play no part in closing.
"""

from __future__ import annotations

from collections.abc import Callable

from timewait.spec.abandoned import in_minimal_fin_wait_2, is_minimal, refusal
from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.replies import acknowledgement, earliest_unacknowledged, reset_for
from timewait.spec.segment import Segment
from timewait.spec.settings import AnswerLimit, Behaviour, DroppedAck, ResetRule
from timewait.spec.state import FIN_RECEIVED, Block, State, closed
from timewait.spec.time_wait import arrival_class, enter_time_wait, reset_in_time_wait, segment_in_time_wait
from timewait.spec.window import WINDOW, acceptable


def running(block: Block, behaviour: Behaviour) -> tuple[Timer, ...]:
    """The running timers of a control block."""
    timers = []
    if block.outstanding and block.state is not State.TIME_WAIT:
        timers.append(Timer.RETRANSMISSION)
    if block.state is State.TIME_WAIT:
        timers.append(Timer.TIME_WAIT)
    if block.state is State.FIN_WAIT_2 and behaviour.fin_wait_2 and behaviour.abandons:
        timers.append(Timer.FIN_WAIT_2)
    if _has_limit(block.state, behaviour):
        timers.append(Timer.LIMIT)
    return tuple(timers)


def _has_limit(state: State, behaviour: Behaviour) -> bool:
    """Whether a state other than FIN-WAIT-2 and TIME-WAIT has a limit."""
    match state:
        case State.FIN_WAIT_1:
            return behaviour.fin_wait_1
        case State.CLOSE_WAIT:
            return behaviour.close_wait
        case State.CLOSING:
            return behaviour.closing
        case State.LAST_ACK:
            return behaviour.last_ack
        case _:
            return False


def timer_length(block: Block, timer: Timer, behaviour: Behaviour) -> str:
    """The name of the parameter after which a running timer, the retransmission timer apart, may expire.

    No clock of CLOSE-WAIT counts from before its beginning, since CLOSE ends that state.
    """
    counts_before = behaviour.abandons and behaviour.clock_before_close and block.state is not State.CLOSE_WAIT
    early = block.early if timer is Timer.TIME_WAIT else counts_before
    return f"{block.state}_LEFT" if early else str(block.state)


def _entered(before: Block, outcome: Outcome, behaviour: Behaviour) -> Outcome:
    """The outcome; a limit of the state that it enters starts."""
    if outcome.block.state is before.state or not _has_limit(outcome.block.state, behaviour):
        return outcome
    return outcome._replace(started=outcome.started | {Timer.LIMIT})


# --- user calls, RFC 9293 3.10.1 to 3.10.5 -------------------------------------------------------------------------


def allowed_calls(block: Block) -> tuple[Call, ...]:
    """The calls that have an effect in a state; every other call returns an error and changes nothing."""
    match block.state:
        case State.CLOSED:
            return (Call.OPEN_ACTIVE, Call.OPEN_PASSIVE)
        case State.LISTEN | State.SYN_SENT:
            return (Call.CLOSE, Call.ABORT)
        case State.SYN_RECEIVED if block.waited:
            return ()  # its user has not been told of this connection
        case State.SYN_RECEIVED:
            return (Call.CLOSE, Call.ABORT)
        case State.ESTABLISHED | State.CLOSE_WAIT:
            return (Call.SEND, Call.CLOSE, Call.ABORT)
        case _:
            return (Call.ABORT,)


def user_calls(block: Block, call: Call, behaviour: Behaviour) -> Outcome:
    """The outcome of one of `allowed_calls`.

    Raises
    ------
    ValueError
        The call is not allowed in this state.
    """
    if call not in allowed_calls(block):
        raise ValueError(f"{call} is not allowed in {block.state}")
    return _entered(block, _called(block, call, behaviour), behaviour)


def _called(block: Block, call: Call, behaviour: Behaviour) -> Outcome:
    match call:
        case Call.OPEN_ACTIVE:
            opened = Block(State.SYN_SENT, nxt=1)
            return Outcome(opened, (Segment(0, syn=True),), frozenset({Timer.RETRANSMISSION}), ("open.active",))
        case Call.OPEN_PASSIVE:
            return Outcome(Block(State.LISTEN), rules=("open.passive",))
        case Call.SEND:
            return _send(block)
        case Call.CLOSE:
            return _close(block, behaviour)
        case Call.ABORT:
            return _abort(block, "abort")


def _send(block: Block) -> Outcome:
    after = block._replace(sent=block.sent + 1, nxt=block.nxt + 1)
    started = frozenset() if block.outstanding else frozenset({Timer.RETRANSMISSION})
    return Outcome(after, (Segment(block.nxt, block.rcv, length=1),), started, ("send",))


def _close(block: Block, behaviour: Behaviour) -> Outcome:
    if block.state in (State.LISTEN, State.SYN_SENT):
        return Outcome(closed(block), rules=("close.unopened",))
    if behaviour.linger_zero:
        return _abort(block, "close.linger-zero")
    if behaviour.unread and behaviour.unread_reset and block.read:
        # What the user has not read is lost.
        return _abort(block, "close.unread")._replace(block=Block(State.CLOSED, rcv=1, sent=block.sent))
    second = block.state is State.CLOSE_WAIT
    after = block._replace(state=State.LAST_ACK if second else State.FIN_WAIT_1, nxt=block.nxt + 1)
    started = frozenset() if block.outstanding else frozenset({Timer.RETRANSMISSION})
    rule = "close.second" if second else "close.first"
    return Outcome(after, (Segment(block.nxt, block.rcv, fin=True),), started, (rule,))


def _abort(block: Block, rule: str) -> Outcome:
    silent = {State.LISTEN, State.SYN_SENT, State.CLOSING, State.LAST_ACK, State.TIME_WAIT}
    replies = () if block.state in silent else (Segment(block.nxt, rst=True),)
    return Outcome(closed(block), replies, rules=(rule,), effects=frozenset({Effect.GAVE_UP}))


# --- timers, RFC 9293 3.10.8 ---------------------------------------------------------------------------------------


def timer_fires(block: Block, timer: Timer, behaviour: Behaviour) -> Outcome:
    """The outcome when a running timer expires."""
    match timer:
        case Timer.RETRANSMISSION:
            if behaviour.retries is not None and block.tries >= behaviour.retries:
                return _give_up(block, behaviour)
            counted = max(behaviour.retries or 0, behaviour.backoff - 1)
            after = block._replace(tries=min(block.tries + 1, counted))
            return Outcome(after, (earliest_unacknowledged(block),), frozenset({timer}), ("timer.retransmission",))
        case Timer.TIME_WAIT:
            return Outcome(closed(block), rules=("timer.time-wait",))
        case Timer.FIN_WAIT_2:
            return Outcome(closed(block), rules=("timer.fin-wait-2",), effects=frozenset({Effect.GAVE_UP}))
        case Timer.LIMIT:
            return Outcome(closed(block), rules=("timer.limit",), effects=frozenset({Effect.GAVE_UP}))


def _give_up(block: Block, behaviour: Behaviour) -> Outcome:
    if behaviour.retries_reset and block.una:
        return _abort(block, "timer.retries-reset")._replace(replies=(Segment(block.nxt, rst=True),))
    return Outcome(closed(block), rules=("timer.retries",), effects=frozenset({Effect.GAVE_UP}))


# --- segments, RFC 9293 3.10.7 -------------------------------------------------------------------------------------


def segment_arrives(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
    """The outcome when a segment arrives: RFC 9293 3.10.7.1 to 3.10.7.4."""
    match block.state:
        case State.CLOSED:
            return _in_closed(block, segment)
        case State.LISTEN:
            return _in_listen(block, segment)
        case State.SYN_SENT:
            return _in_syn_sent(block, segment)
        case _:
            outcome = _in_synchronised(block, segment, behaviour)
            return _entered(block, _with_answer_limit(outcome, segment, behaviour), behaviour)


MAY_BE_SUPPRESSED = frozenset(
    {"sequence.unacceptable", "sequence.dropped-ack", "minimal.unacceptable", "syn.challenge", "reset.challenge"}
)
"""The rules whose answer a limit on answers may suppress."""


def _with_answer_limit(outcome: Outcome, segment: Segment, behaviour: Behaviour) -> Outcome:
    """The outcome, marked if a limit on answers may suppress its answer."""
    if not outcome.replies or MAY_BE_SUPPRESSED.isdisjoint(outcome.rules):
        return outcome
    match behaviour.answer_limit:
        case AnswerLimit.NONE:
            return outcome
        case AnswerLimit.EMPTY if segment.length or segment.fin:
            return outcome
        case _:
            return outcome._replace(effects=outcome.effects | {Effect.LIMITED})


def _in_closed(block: Block, segment: Segment) -> Outcome:
    """RFC 9293 3.10.7.1."""
    if segment.rst:
        return Outcome(block, rules=("closed.ignore-rst",))
    return Outcome(block, (reset_for(segment),), rules=("closed.answer",), effects=frozenset({Effect.UNKNOWN}))


def _in_listen(block: Block, segment: Segment) -> Outcome:
    """RFC 9293 3.10.7.2."""
    if segment.rst:
        return Outcome(block, rules=("listen.ignore",))
    if segment.ack is not None:
        return Outcome(block, (reset_for(segment),), rules=("listen.ack",))
    if segment.syn:
        after = Block(State.SYN_RECEIVED, nxt=1, rcv=segment.seq + 1, passive=True)
        return Outcome(after, (Segment(0, after.rcv, syn=True),), frozenset({Timer.RETRANSMISSION}), ("listen.syn",))
    return Outcome(block, rules=("listen.ignore",))


def _in_syn_sent(block: Block, segment: Segment) -> Outcome:
    """RFC 9293 3.10.7.3."""
    acknowledged = segment.ack is not None
    if segment.ack is not None and not block.una < segment.ack <= block.nxt:
        if segment.rst:
            return Outcome(block, rules=("syn-sent.ignore",))
        return Outcome(block, (reset_for(segment),), rules=("syn-sent.bad-ack",))
    if segment.rst:
        if acknowledged:
            return Outcome(closed(block), rules=("syn-sent.reset",), effects=frozenset({Effect.RESET}))
        return Outcome(block, rules=("syn-sent.ignore",))
    if not segment.syn:
        return Outcome(block, rules=("syn-sent.ignore",))
    if acknowledged:
        after = block._replace(state=State.ESTABLISHED, una=1, rcv=segment.seq + 1, tries=0)
        return Outcome(after, (acknowledgement(after),), rules=("syn-sent.established",))
    after = block._replace(state=State.SYN_RECEIVED, rcv=segment.seq + 1)
    return Outcome(after, (Segment(0, after.rcv, syn=True),), frozenset({Timer.RETRANSMISSION}), ("syn-sent.crossing",))


def _in_synchronised(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
    """RFC 9293 3.10.7.4: each step either ends the processing, or passes the segment and the new block to the next step."""
    if is_minimal(block, behaviour):
        return in_minimal_fin_wait_2(block, segment, behaviour)
    outcome = Outcome(block)
    for step in STEPS:
        done, result = step(outcome.block, segment, behaviour)
        outcome = outcome.then(result)
        if done:
            break
    return outcome


StepResult = tuple[bool, Outcome]
"""Whether a step ends the processing of the segment, and its outcome."""


def _check_sequence(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """First step: the sequence number. For a RST only its own number counts (second step)."""
    if segment.rst and block.rcv <= segment.seq < block.rcv + WINDOW:
        return False, Outcome(block)
    if acceptable(block, segment) and not segment.rst:
        return False, Outcome(block)
    if segment.rst:
        return _reset_outside(block, segment, behaviour)
    if block.state is State.TIME_WAIT:
        arrival = arrival_class(segment, block.rcv, in_window=False)
        return True, segment_in_time_wait(block, arrival, behaviour, "sequence.unacceptable")
    if _counts_though_dropped(block, segment, behaviour):
        return True, _count_dropped_ack(block, segment, behaviour)
    return True, Outcome(block, (acknowledgement(block),), rules=("sequence.unacceptable",))


def _reset_outside(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """A RST outside the window."""
    if block.state is State.TIME_WAIT and behaviour.reset is ResetRule.ANY:
        return False, Outcome(block)
    at_fin = block.state in FIN_RECEIVED and block.state is not State.TIME_WAIT and segment.seq == block.rcv - 1
    if at_fin and behaviour.reset_at_fin:
        return True, Outcome(closed(block), rules=("reset.at-fin",), effects=frozenset({Effect.RESET}))
    return True, Outcome(block, rules=("sequence.unacceptable-rst",))


def _counts_though_dropped(block: Block, segment: Segment, behaviour: Behaviour) -> bool:
    """Whether the ACK field of a segment outside the window counts."""
    if segment.syn or segment.ack is None or block.state is State.SYN_RECEIVED:
        return False
    match behaviour.dropped_ack:
        case DroppedAck.NEVER:
            return False
        case DroppedAck.LAST:
            return segment.end == block.rcv
        case DroppedAck.OLD:
            return segment.end <= block.rcv
        case DroppedAck.ANY:
            return True


def _count_dropped_ack(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
    """The fifth step for a segment that the first drops; it is acknowledged unless the connection is gone.

    Linux (`DroppedAck.LAST`) sends nothing either where the ACK field leads to TIME-WAIT or to a minimal socket.
    """
    assert segment.ack is not None
    if segment.ack > block.nxt:
        return Outcome(block, (acknowledgement(block),), rules=("sequence.dropped-ack",))
    _, outcome = _check_ack_of_new(block, segment, behaviour, ("sequence.dropped-ack",))
    after = outcome.block
    silent = after.state is State.TIME_WAIT or is_minimal(after, behaviour)
    if after.state is State.CLOSED or (silent and behaviour.dropped_ack is DroppedAck.LAST):
        return outcome
    return outcome._replace(replies=(acknowledgement(after),))


def _check_reset(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """Second step: the RST bit."""
    if not segment.rst:
        return False, Outcome(block)
    exact = segment.seq == block.rcv
    if block.state is State.TIME_WAIT:
        return True, reset_in_time_wait(block, behaviour, exact=exact)
    if not exact:
        return True, Outcome(block, (acknowledgement(block),), rules=("reset.challenge",))
    if block.state is State.SYN_RECEIVED and block.passive:
        return True, Outcome(Block(State.LISTEN), rules=("reset.listen",))
    return True, Outcome(closed(block), rules=("reset.accepted",), effects=frozenset({Effect.RESET}))


def _check_syn(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """Fourth step: the SYN bit."""
    if not segment.syn:
        return False, Outcome(block)
    if block.state is State.SYN_RECEIVED and block.passive:
        return True, Outcome(Block(State.LISTEN), rules=("syn.listen",))
    if block.state is State.TIME_WAIT:
        arrival = arrival_class(segment, block.rcv, in_window=True)
        return True, segment_in_time_wait(block, arrival, behaviour, "syn.challenge")
    return True, Outcome(block, (acknowledgement(block),), rules=("syn.challenge",))


def _check_ack(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """Fifth step: the ACK field."""
    if segment.ack is None:
        return True, Outcome(block, rules=("ack.missing",))
    if block.state is State.SYN_RECEIVED:
        if not block.una < segment.ack <= block.nxt:
            return True, Outcome(block, (reset_for(segment),), rules=("ack.syn-received-bad",))
        return _check_ack_of_new(
            block._replace(state=State.ESTABLISHED, passive=False), segment, behaviour, ("ack.syn-received",)
        )
    if block.state is State.TIME_WAIT:
        arrival = arrival_class(segment, block.rcv, in_window=True)
        return True, segment_in_time_wait(block, arrival, behaviour, f"time-wait.{arrival}")
    if segment.ack > block.nxt:
        return True, Outcome(block, (acknowledgement(block),), rules=("ack.unsent",))
    return _check_ack_of_new(block, segment, behaviour, ())


def _check_ack_of_new(block: Block, segment: Segment, behaviour: Behaviour, rules: tuple[str, ...]) -> StepResult:
    """Fifth step, ESTABLISHED onwards: advance SND.UNA, then check whether our FIN is acknowledged."""
    assert segment.ack is not None
    if segment.ack <= block.una:
        return False, Outcome(block, rules=rules)
    after = block._replace(una=segment.ack, tries=0)
    rules += ("ack.advance",)
    started = frozenset({Timer.RETRANSMISSION} if after.outstanding and behaviour.acks_restart_rto else ())
    if not after.fin_acknowledged:
        return False, Outcome(after, started=started, rules=rules)
    match after.state:
        case State.FIN_WAIT_1:
            waiting = after._replace(state=State.FIN_WAIT_2)
            return False, Outcome(waiting, started=frozenset({Timer.FIN_WAIT_2}), rules=(*rules, "ack.fin-wait-2"))
        case State.CLOSING:
            return True, enter_time_wait(after, behaviour, (*rules, "ack.time-wait"))
        case State.LAST_ACK:
            return True, Outcome(closed(after), rules=(*rules, "ack.closed"))
        case _:
            return False, Outcome(after, rules=rules)


def _take_text(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """Seventh step: the text."""
    if (refused := refusal(block, segment, behaviour)) is not None:
        return True, refused
    if segment.length == 0:
        return False, Outcome(block)
    if block.state not in (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2):
        return False, Outcome(block)
    if segment.seq + segment.length <= block.rcv:
        return False, Outcome(block)
    if segment.seq > block.rcv:
        return True, _out_of_order(block, segment, behaviour, "text")
    after = _absorb(block._replace(rcv=segment.seq + segment.length))
    if segment.fin or after.kept_fin == after.rcv:
        return False, Outcome(after, rules=("text.accept",))
    return False, Outcome(after, (acknowledgement(after),), rules=("text.accept",))


def _out_of_order(block: Block, segment: Segment, behaviour: Behaviour, what: str) -> Outcome:
    """Text or a FIN beyond RCV.NXT: kept where the stack does so, and RCV.NXT is acknowledged again."""
    if not behaviour.keeps_out_of_order:
        return Outcome(block, (acknowledgement(block),), rules=(f"{what}.out-of-order",))
    end = segment.seq + segment.length
    after = block._replace(kept=block.kept | (1 << end) - (1 << segment.seq), kept_fin=end if segment.fin else block.kept_fin)
    return Outcome(after, (acknowledgement(block),), rules=(f"{what}.kept",))


def _absorb(block: Block) -> Block:
    """The block after the kept text that is next."""
    rcv = block.rcv
    while block.kept >> rcv & 1:
        rcv += 1
    return block._replace(rcv=rcv, kept=block.kept >> rcv << rcv)


def _take_fin(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """Eighth step: the FIN bit."""
    kept = bool(block.kept_fin) and block.kept_fin == block.rcv
    if not segment.fin and not kept:
        return True, Outcome(block)
    if segment.fin and segment.seq + segment.length > block.rcv and not kept:
        return True, _out_of_order(block, segment, behaviour, "fin")
    after = block._replace(rcv=block.rcv + 1, kept=0, kept_fin=0)
    answered = Outcome(after, (acknowledgement(after),), effects=frozenset({Effect.FIN_ACCEPTED}))
    match block.state:
        case State.ESTABLISHED if not behaviour.half_close:
            return True, _answer_fin_with_fin(after)
        case State.ESTABLISHED:
            return True, answered.then(Outcome(after._replace(state=State.CLOSE_WAIT), rules=("fin.close-wait",)))
        case State.FIN_WAIT_1:
            return True, answered.then(Outcome(after._replace(state=State.CLOSING), rules=("fin.closing",)))
        case State.FIN_WAIT_2:
            return True, answered.then(enter_time_wait(after, behaviour, ("fin.time-wait",)))
        case _:
            return True, Outcome(block)


def _answer_fin_with_fin(block: Block) -> Outcome:
    """A stack without half-close answers a FIN with FIN,ACK and enters LAST-ACK."""
    started = frozenset() if block.outstanding else frozenset({Timer.RETRANSMISSION})
    after = block._replace(state=State.LAST_ACK, nxt=block.nxt + 1)
    fin = Segment(block.nxt, block.rcv, fin=True)
    return Outcome(after, (fin,), started, ("fin.last-ack",), frozenset({Effect.FIN_ACCEPTED}))


STEPS: tuple[Callable[[Block, Segment, Behaviour], StepResult], ...] = (
    _check_sequence,
    _check_reset,
    _check_syn,
    _check_ack,
    _take_text,
    _take_fin,
)
"""The steps of RFC 9293 3.10.7.4, in its order; the third step, security, is left out."""
