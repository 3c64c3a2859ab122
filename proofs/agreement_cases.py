"""The configurations on which the engines are compared; the table holds no verdict.

It has safe and unsafe ones, both scopes, either closer, every loss budget, copies that are counted or kept in order, text,
and stacks with their own rules. Durations are in seconds, small enough for ticks. Where copies are counted, a retry limit
keeps the locations few, so that several engines can enumerate them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from types import MappingProxyType

from timewait.proofs.claims import FIN, INTENDED, LITERAL, STEP_ONE, close, core
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.stacks import load_stack


def _both(configuration: Configuration) -> Configuration:
    """Either end may close first."""
    return replace(configuration, both_close=True)


def _counted(configuration: Configuration, duplication: int | None, fifo: bool = False, retries: int = 1) -> Configuration:
    """Copies are counted, and retries limited."""
    behaviour = replace(configuration.behaviour, retries=retries)
    return replace(configuration, duplication=duplication, fifo=fifo, behaviour=behaviour)


def _stack(name: str, time_wait: int, text: tuple[int, int] = (0, 0), orphan: bool = False) -> Configuration:
    """The rules of a stack, with MSL and RTO of one second, one loss in a loss window, A closes first."""
    second = Fraction(1)
    overrides = Overrides.of(
        msl=second, time_wait=Fraction(time_wait), rto=(second,), fin_wait_2=second, text=text, abandons=orphan
    )
    return assemble(load_stack(name), overrides)


NO_RESTART = replace(INTENDED, restarts=frozenset())
"""Nothing restarts TIME-WAIT."""
UNEVEN = Behaviour(answers=STEP_ONE, restarts=FIN)
"""TIME-WAIT answers more than restarts it."""
ORPHAN = replace(INTENDED, abandons=True, fin_wait_2=True)
"""The user closes for good, and FIN-WAIT-2 has a timeout."""

CASES: Mapping[str, Configuration] = MappingProxyType(
    {
        "core, enough": core(2, 4, 2, 1),
        "core, a second short": core(2, 3, 2, 1),
        "core, no loss, enough": core(2, 3, 1, 0),
        "core, no loss, enough for one reason": core(2, 2, 1, 0),
        "core, two losses, enough": core(2, 6, 2, 2),
        "core, two losses, short": core(2, 5, 2, 2),
        "core, any loss": core(2, 4, 2, None),
        "core, nothing restarts": core(2, 4, 2, 1, NO_RESTART),
        "core, fractions, short": replace(core(1, Fraction(5, 4), 1, 1), msl=Fraction(3, 4), rto=(Fraction(2, 3),)),
        "core, exact gaps": replace(core(3, 6, 2, 1), rto_exact=True),
        "close, enough": close(1, 2, 1, 1),
        "close, a second short": close(1, 1, 1, 1),
        "close, half a second short": close(1, Fraction(3, 2), 1, 1),
        "close, no loss": close(1, 2, 1, 0),
        "close, two losses, enough": close(1, 3, 1, 2),
        "close, two losses, short": close(1, 2, 1, 2),
        "close, any loss": close(1, 2, 1, None),
        "close, no TIME_WAIT": close(1, 0, 1, 0, replace(INTENDED, time_wait=False)),
        "close, answers that do not restart": close(1, 2, 1, 1, UNEVEN),
        "close, answers that do not restart, enough": close(1, 3, 1, 0, UNEVEN),
        "close, an exact RST is honoured": close(1, 2, 1, 0, replace(INTENDED, reset=ResetRule.EXACT)),
        "close, any RST is honoured": close(1, 3, 1, 1, replace(INTENDED, reset=ResetRule.ANY)),
        "close, the letter of the standard": close(1, 2, 1, 1, LITERAL),
        "close, back-off": replace(close(1, 3, 1, 1), rto=(Fraction(1), Fraction(2)), behaviour=replace(INTENDED, backoff=2)),
        "close, one retry": close(1, 2, 1, 1, replace(INTENDED, retries=1)),
        "either closes, enough": _both(close(1, 2, 1, 0)),
        "either closes, a second short": _both(close(1, 1, 1, 0)),
        "either closes, the letter": _both(close(1, 2, 1, 0, LITERAL)),
        "text from B": replace(close(1, 2, 1, 0), text=(0, 1)),
        "text from B, FIN_WAIT_2 gives up": replace(close(1, 2, 1, 0), text=(0, 1), behaviour=ORPHAN, fin_wait_2=Fraction(3)),
        "text from A, CLOSE aborts": replace(close(1, 2, 1, 0), text=(1, 0), behaviour=replace(INTENDED, linger_zero=True)),
        "core, no duplicates": _counted(core(2, 4, 2, 1), 0),
        "core, no duplicates, short": _counted(core(2, 1, 2, 1), 0),
        "core, one duplicate": _counted(core(1, 1, 1, 0), 1),
        "core, in order": _counted(core(2, 4, 2, 1), None, fifo=True, retries=2),
        "core, in order, short": _counted(core(2, 0, 2, 1), None, fifo=True, retries=2),
        "close, no duplicates, in order": _counted(close(1, 2, 1, 0), 0, fifo=True),
        "Linux": _stack("linux", 2),
        "FreeBSD, text from B, orphan": _stack("freebsd", 2, (0, 1), orphan=True),
        "smoltcp": _stack("smoltcp", 2),
        "picoTCP": _stack("picotcp", 4),
    }
)
"""The configurations by name; the properties of each are `timewait.proofs.question.applicable`."""
