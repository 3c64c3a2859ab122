"""From a stack and what somebody wishes to a configuration: each value stated by the asker, else by the stack."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from timewait.spec.configuration import Configuration, Scope
from timewait.spec.settings import Arrival, Behaviour, ResetRule
from timewait.spec.stacks import Stack


@dataclass(frozen=True, slots=True)
class Overrides:
    """What the asker states; None leaves it to the stack. Durations are in seconds, budgets as in `Configuration`.

    Attributes
    ----------
    orphan : bool
        The users who close also stop reading: FIN-WAIT-2 timeouts and late text then matter.
    retries : int or None
        A retry limit; no stack's own limit is used unless it is asked for, since it multiplies the states.
    """

    msl: Fraction | None = None
    time_wait: Fraction | None = None
    rto: tuple[Fraction, ...] | None = None
    rto_exact: bool = False
    fin_wait_2: Fraction | None = None
    answers: frozenset[Arrival] | None = None
    restarts: frozenset[Arrival] | None = None
    reset: ResetRule | None = None
    loss: int | None = 1
    duplication: int | None = None
    fifo: bool = False
    scope: Scope = Scope.CLOSE
    both_close: bool = False
    text: tuple[int, int] = (0, 0)
    orphan: bool = False
    linger_zero: bool = False
    retries: int | None = None
    acks_restart_rto: bool = True


def assemble(stack: Stack, wishes: Overrides) -> Configuration:
    """The configuration of two ends that both run a stack.

    Raises
    ------
    MissingValue
        Neither the asker nor the stack states a value that is needed.
    ConfigurationError
        The values make no sense.
    """
    msl = stack.require("msl") if wishes.msl is None else wishes.msl
    stack = stack.with_msl(msl)
    time_wait = stack.require("time_wait") if wishes.time_wait is None else wishes.time_wait
    has_time_wait = stack.has_time_wait or wishes.time_wait is not None
    rto = wishes.rto or (stack.require("rto_max"),)
    fin_wait_2 = stack.fin_wait_2 if wishes.fin_wait_2 is None else wishes.fin_wait_2
    answers, restarts, reset = wishes.answers, wishes.restarts, wishes.reset
    if has_time_wait:
        answers = stack.require("answers") if answers is None else answers
        restarts = stack.require("restarts") if restarts is None else restarts
        reset = reset or stack.require("reset")
    behaviour = Behaviour(
        time_wait=has_time_wait,
        answers=answers or frozenset(),
        restarts=restarts or frozenset(),
        reset=reset or ResetRule.IGNORE,
        fin_wait_2=wishes.orphan and fin_wait_2 is not None,
        late_data_reset=bool(stack.late_data_reset),
        linger_zero=wishes.linger_zero,
        retries=wishes.retries,
        backoff=len(rto),
        acks_restart_rto=wishes.acks_restart_rto,
        abandons=wishes.orphan,
    )
    return Configuration(
        msl=msl,
        time_wait=time_wait,
        rto=rto,
        rto_exact=wishes.rto_exact,
        fin_wait_2=fin_wait_2 or Fraction(0),
        loss=wishes.loss,
        duplication=wishes.duplication,
        fifo=wishes.fifo,
        scope=wishes.scope,
        both_close=wishes.both_close,
        text=wishes.text,
        behaviour=behaviour,
    )
