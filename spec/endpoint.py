"""One endpoint: its outcome for every segment, timer and user call.

Pure functions from a control block to an `Outcome`. `segment_arrives` follows RFC 9293 3.10.7 step by step, in its order.
Every step that has an effect names its rule (`timewait.spec.rules`). Urgent data, security and options are left out, since
they play no part in closing.
"""

from __future__ import annotations

from collections.abc import Callable

from timewait.spec.outcome import Call, Effect, Outcome, Timer
from timewait.spec.replies import acknowledgement, earliest_unacknowledged, reset_for
from timewait.spec.segment import Segment
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.state import Block, State, closed
from timewait.spec.time_wait import arrival_class, reset_in_time_wait, segment_in_time_wait
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
    return tuple(timers)


# --- user calls, RFC 9293 3.10.1 to 3.10.5 -------------------------------------------------------------------------


def allowed_calls(block: Block) -> tuple[Call, ...]:
    """The calls that have an effect in a state; every other call returns an error and changes nothing."""
    match block.state:
        case State.CLOSED:
            return (Call.OPEN_ACTIVE, Call.OPEN_PASSIVE)
        case State.LISTEN | State.SYN_SENT:
            return (Call.CLOSE, Call.ABORT)
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
                return Outcome(closed(block), rules=("timer.retries",), effects=frozenset({Effect.GAVE_UP}))
            counted = max(behaviour.retries or 0, behaviour.backoff - 1)
            after = block._replace(tries=min(block.tries + 1, counted))
            return Outcome(after, (earliest_unacknowledged(block),), frozenset({timer}), ("timer.retransmission",))
        case Timer.TIME_WAIT:
            return Outcome(closed(block), rules=("timer.time-wait",))
        case Timer.FIN_WAIT_2:
            return Outcome(closed(block), rules=("timer.fin-wait-2",), effects=frozenset({Effect.GAVE_UP}))


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
            return _in_synchronised(block, segment, behaviour)


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
        if block.state is State.TIME_WAIT and behaviour.reset is ResetRule.ANY:
            return False, Outcome(block)
        return True, Outcome(block, rules=("sequence.unacceptable-rst",))
    if block.state is State.TIME_WAIT:
        arrival = arrival_class(segment, block.rcv, in_window=False)
        return True, segment_in_time_wait(block, arrival, behaviour, "sequence.unacceptable")
    return True, Outcome(block, (acknowledgement(block),), rules=("sequence.unacceptable",))


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
            return True, _enter_time_wait(after, behaviour, (*rules, "ack.time-wait"))
        case State.LAST_ACK:
            return True, Outcome(closed(after), rules=(*rules, "ack.closed"))
        case _:
            return False, Outcome(after, rules=rules)


def _enter_time_wait(block: Block, behaviour: Behaviour, rules: tuple[str, ...]) -> Outcome:
    waiting = block._replace(state=State.TIME_WAIT)
    if not behaviour.time_wait:
        return Outcome(closed(waiting), rules=rules)
    return Outcome(waiting, started=frozenset({Timer.TIME_WAIT}), rules=rules)


def _take_text(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """Seventh step: the text."""
    if segment.length == 0:
        return False, Outcome(block)
    if block.state not in (State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2):
        return False, Outcome(block)
    if segment.seq + segment.length <= block.rcv:
        return False, Outcome(block)
    if behaviour.late_data_reset and behaviour.abandons and block.state is not State.ESTABLISHED:
        refusal = (reset_for(segment),)
        return True, Outcome(closed(block), refusal, rules=("text.late",), effects=frozenset({Effect.GAVE_UP}))
    if segment.seq > block.rcv:
        return True, Outcome(block, (acknowledgement(block),), rules=("text.out-of-order",))
    after = block._replace(rcv=segment.seq + segment.length)
    if segment.fin:
        return False, Outcome(after, rules=("text.accept",))
    return False, Outcome(after, (acknowledgement(after),), rules=("text.accept",))


def _take_fin(block: Block, segment: Segment, behaviour: Behaviour) -> StepResult:
    """Eighth step: the FIN bit."""
    if not segment.fin:
        return True, Outcome(block)
    if segment.seq + segment.length > block.rcv:
        return True, Outcome(block, (acknowledgement(block),), rules=("fin.out-of-order",))
    after = block._replace(rcv=block.rcv + 1)
    answered = Outcome(after, (acknowledgement(after),), effects=frozenset({Effect.FIN_ACCEPTED}))
    match block.state:
        case State.ESTABLISHED:
            return True, answered.then(Outcome(after._replace(state=State.CLOSE_WAIT), rules=("fin.close-wait",)))
        case State.FIN_WAIT_1:
            return True, answered.then(Outcome(after._replace(state=State.CLOSING), rules=("fin.closing",)))
        case State.FIN_WAIT_2:
            return True, answered.then(_enter_time_wait(after, behaviour, ("fin.time-wait",)))
        case _:
            return True, Outcome(block)


STEPS: tuple[Callable[[Block, Segment, Behaviour], StepResult], ...] = (
    _check_sequence,
    _check_reset,
    _check_syn,
    _check_ack,
    _take_text,
    _take_fin,
)
"""The steps of RFC 9293 3.10.7.4, in its order; the third step, security, is left out."""
