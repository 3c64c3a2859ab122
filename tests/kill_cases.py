"""The configurations of the kill suite, each with the engines that decide it."""

from __future__ import annotations

import importlib
import random
from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import Any, NamedTuple


class Case(NamedTuple):
    """A configuration and the engines that decide it: ticks, lassos (in ticks), zones, graph."""

    label: str
    configuration: Any
    engines: tuple[str, ...]


Answer = dict[str, Any]
"""The answers of the engines about a case: broken and vacuous properties, and the size of each exploration."""

TICKS, LASSOS, ZONES, GRAPH = "ticks", "lassos", "zones", "graph"
EVERY = (TICKS, LASSOS, ZONES, GRAPH)
DENSE = (ZONES, GRAPH)
PLAIN = (TICKS, LASSOS)


def cases() -> Iterator[Case]:
    """Small configurations, such that each rule of the endpoint, the network and the composition matters in one of them."""
    from timewait.spec.configuration import Configuration, Scope
    from timewait.spec.settings import AnswerLimit, Arrival, Behaviour, DroppedAck, ResetRule

    fin, step_one = frozenset({Arrival.FIN}), frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
    everything = step_one | {Arrival.ACK}
    letter = Behaviour(answers=everything, restarts=frozenset({Arrival.ACK}), reset=ResetRule.EXACT)

    def ticks(msl: int, time_wait: int, rto: int | tuple[int, ...], **others: Any) -> Configuration:
        gaps = (rto,) if isinstance(rto, int) else rto
        return Configuration(Fraction(msl), Fraction(time_wait), tuple(map(Fraction, gaps)), **others)

    def core(msl: int, time_wait: int, rto: int | tuple[int, ...], loss: int | None, **others: Any) -> Configuration:
        return ticks(msl, time_wait, rto, loss=loss, scope=Scope.CORE, **others)

    def close(msl: int, time_wait: int, rto: int | tuple[int, ...], loss: int | None, **others: Any) -> Configuration:
        return ticks(msl, time_wait, rto, loss=loss, **others)

    yield Case("core, k = 1", core(1, 2, 1, 1), EVERY)
    yield Case("core, k = 1, short", core(1, 1, 1, 1), EVERY)
    yield Case("core, k = 2, M = 2", core(2, 4, 1, 2), EVERY)
    yield Case("core, k = 1, M = 2, R = 3", core(2, 5, 3, 1), EVERY)
    yield Case("core, k = 1, M = 2, R = 3, short", core(2, 4, 3, 1), EVERY)
    yield Case("core, any loss", core(1, 2, 1, None), EVERY)
    yield Case("core, no TIME_WAIT to speak of", core(1, 0, 1, 0), EVERY)
    yield Case("core, each copy once", core(1, 2, 1, 1, duplication=0), PLAIN)
    yield Case("core, each copy once, short", core(1, 1, 1, 1, duplication=0), PLAIN)
    yield Case("core, each copy twice, no retries", core(1, 2, 1, 0, duplication=1, behaviour=Behaviour(retries=0)), PLAIN)
    for copies, duplication in (("any number", None), ("once", 0), ("twice", 1)):
        apart = core(1, 0, 3, 0, rto_exact=True, duplication=duplication, behaviour=Behaviour(retries=1))
        yield Case(f"core, no TIME_WAIT to speak of, R = 3 exactly, each copy {copies}", apart, PLAIN)
    yield Case("core, in order", core(1, 2, 1, 1, fifo=True), PLAIN)
    yield Case("core, in order, each copy once", core(2, 3, 1, 1, fifo=True, duplication=0), PLAIN)
    yield Case(
        "core, FIN_WAIT_2 gives up",
        core(1, 2, 1, 0, fin_wait_2=Fraction(1), behaviour=Behaviour(fin_wait_2=True, abandons=True)),
        EVERY,
    )
    yield Case(
        "core, FIN_WAIT_2 does not give up", core(1, 2, 1, 0, fin_wait_2=Fraction(1), behaviour=Behaviour(fin_wait_2=True)), EVERY
    )
    yield Case("core, back-off", core(1, 3, (1, 2), 1, behaviour=Behaviour(backoff=2)), EVERY)
    yield Case("core, back-off, short", core(1, 2, (1, 2), 1, behaviour=Behaviour(backoff=2)), EVERY)
    yield Case("core, back-off, exact", core(1, 3, (1, 2), 1, rto_exact=True, behaviour=Behaviour(backoff=2)), EVERY)
    yield Case("core, retries", core(1, 2, (1, 2), 1, rto_exact=True, behaviour=Behaviour(backoff=2, retries=1)), EVERY)
    deaf = Behaviour(answers=frozenset(), restarts=frozenset(), retries=0)
    yield Case("core, a FIN is neither answered nor restarts", core(1, 2, 3, 0, rto_exact=True, behaviour=deaf), EVERY)
    hasty = Behaviour(time_wait=False)
    yield Case("core, no TIME_WAIT", core(1, 2, 3, 0, rto_exact=True, behaviour=hasty), EVERY)
    silent = Behaviour(answers=frozenset(), restarts=fin)
    yield Case("core, a FIN restarts and is not answered", core(1, 2, 1, 1, behaviour=silent), EVERY)
    yield Case("core, literal reading", core(1, 2, 1, 1, behaviour=letter), EVERY)
    yield Case("close, k = 0", close(1, 2, 1, 0), (TICKS, *DENSE))
    yield Case("close, k = 0, short", close(1, 1, 1, 0), DENSE)
    yield Case("close, k = 1", close(1, 2, 1, 1), DENSE)
    yield Case("close, k = 1, M = 2, short", close(2, 3, 2, 1), DENSE)
    yield Case("close, k = 1, literal reading", close(1, 2, 1, 1, behaviour=letter), DENSE)
    yield Case("close, only a FIN is answered", close(1, 2, 1, 0, behaviour=Behaviour(answers=fin, restarts=fin)), DENSE)
    yield Case("close, answered without restart", close(1, 2, 1, 0, behaviour=Behaviour(answers=step_one, restarts=fin)), DENSE)
    yield Case(
        "close, bare ACKs answered without restart",
        close(1, 3, 1, 0, behaviour=Behaviour(answers=everything, restarts=fin)),
        DENSE,
    )
    quiet = Behaviour(answers=fin, restarts=everything)
    yield Case("close, bare ACKs restart and are not answered", close(1, 2, 1, 0, behaviour=quiet), (TICKS, *DENSE))
    yield Case("close, nothing restarts", close(1, 2, 1, 1, behaviour=Behaviour(restarts=frozenset())), DENSE)
    for rule in ResetRule:
        yield Case(
            f"close, any loss, a RST in TIME_WAIT: {rule}", close(1, 2, 1, None, behaviour=Behaviour(reset=rule)), (TICKS, *DENSE)
        )
    yield Case("close, no TIME_WAIT", close(1, 2, 1, None, behaviour=Behaviour(time_wait=False)), EVERY)
    yield Case("close, retries", close(1, 2, 1, None, behaviour=Behaviour(retries=1)), EVERY)
    yield Case("close, CLOSE aborts", close(1, 2, 1, None, text=(1, 0), behaviour=Behaviour(linger_zero=True)), EVERY)
    yield Case("close, in order, each copy once", close(1, 2, 1, 0, fifo=True, duplication=0), PLAIN)
    yield Case("close, either first", close(1, 2, 1, None, both_close=True), (TICKS, *DENSE))
    yield Case("close, either first, literal reading", close(1, 2, 1, None, both_close=True, behaviour=letter), (TICKS, LASSOS))
    yield Case(
        "close, either first, no TIME_WAIT", close(1, 2, 1, None, both_close=True, behaviour=Behaviour(time_wait=False)), DENSE
    )
    once = Behaviour(retries=0)
    yield Case("close, either first, k = 1, no retries", close(1, 2, 1, 1, both_close=True, duplication=0, behaviour=once), PLAIN)
    for text in ((1, 0), (0, 1)):
        sends = f"text {text[0]} and {text[1]}"
        yield Case(f"{sends}, any loss", close(1, 2, 1, None, text=text), (ZONES,))
        yield Case(
            f"{sends}, in order, no retries", close(1, 1, 1, 0, text=text, fifo=True, duplication=0, behaviour=once), PLAIN
        )
    orphan = Behaviour(abandons=True, fin_wait_2=True)
    yield Case("B sends to an orphan", close(1, 2, 1, None, text=(0, 1), fin_wait_2=Fraction(1), behaviour=orphan), (ZONES,))
    late = Behaviour(abandons=True, late_data_reset=True)
    yield Case("B sends too late", close(1, 2, 1, None, text=(0, 1), behaviour=late), (ZONES,))
    for ignored in list(DroppedAck)[1:]:
        counts = Behaviour(dropped_ack=ignored)
        yield Case(f"dropped ACK: {ignored}", close(1, 2, 1, None, both_close=True, behaviour=counts), DENSE)
    early = Behaviour(abandons=True, clock_before_close=True)
    for idle in (0, 1, None):
        before = None if idle is None else Fraction(idle)
        yield Case(f"core, the clock started {idle} before", core(1, 3, 1, 1, idle_before_close=before, behaviour=early), EVERY)
    yield Case("core, TIME_WAIT is cut", core(1, 2, 1, 0, behaviour=Behaviour(time_wait_cut=True)), EVERY)
    yield Case("core, LAST_ACK has a limit", core(1, 2, 1, 0, last_ack=Fraction(1), behaviour=Behaviour(last_ack=True)), EVERY)
    mute = Behaviour(answer_limit=AnswerLimit.ANY)
    yield Case("core, answers are limited", core(1, 2, 1, 1, behaviour=mute), EVERY)
    yield Case("no half-close", close(1, 2, 1, 1, behaviour=Behaviour(half_close=False)), (TICKS, *DENSE))
    yield Case("unread text", close(1, 2, 1, 0, text=(0, 1), behaviour=Behaviour(unread=True)), DENSE)
    kept = Behaviour(keeps_out_of_order=True)
    yield Case("text out of order", close(1, 2, 1, None, text=(0, 1), behaviour=kept), (ZONES,))
    yield Case("retries, RST", close(1, 2, 1, None, behaviour=Behaviour(retries=1, retries_reset=True)), EVERY)
    open_still = Behaviour(late_data_reset=True)
    yield Case("B sends late but not too late", close(1, 2, 1, 0, text=(0, 1), behaviour=open_still), (ZONES,))


def opening_cases() -> Iterator[Case]:
    """Small configurations whose next incarnation opens by a handshake: each place of numbers, and each rule about a SYN.

    The cheapest come first, since the first difference kills.
    """
    from timewait.spec.configuration import Configuration, Scope
    from timewait.spec.reopening import AnswerIsn, Crash, NextIncarnation, Numbers, Paws, Reopen, SynRule
    from timewait.spec.settings import Behaviour

    both = (True, True)

    def core(time_wait: int, **about: Any) -> Configuration:
        others: dict[str, Any] = {
            name: about.pop(name) for name in ("duplication", "fifo", "scope", "behaviour", "text") if name in about
        }
        opening = NextIncarnation(Reopen.HANDSHAKE, **{"text": (0, 0)} | about.pop("new", {}) | about)
        given: dict[str, Any] = {"loss": 0, "scope": Scope.CORE, "behaviour": Behaviour(time_wait=time_wait > 0)} | others
        return Configuration(Fraction(1), Fraction(time_wait), (Fraction(1),), reopening=opening, **given)

    yield Case("opens, 2 MSL", core(2), (TICKS,))
    yield Case("opens early", core(2, early=True), (TICKS,))
    yield Case("opens early, a RST answers a SYN", core(2, early=True, syn=SynRule.RESET), (TICKS,))
    yield Case("opens early, a SYN above", core(2, early=True, syn=SynRule.ABOVE), (TICKS,))
    at_any: dict[str, Any] = {"syn": SynRule.AT_OR_ABOVE, "isn": AnswerIsn.ANY}
    yield Case("opens early, a SYN at or above, any ISN", core(2, early=True, **at_any), (TICKS,))
    stamps: dict[str, Any] = {"timestamps": both}
    yield Case("opens early, a newer timestamp", core(2, early=True, syn=SynRule.TIMESTAMP, **stamps), (TICKS,))
    yield Case("opens, 1 MSL, numbers above", core(1, numbers=Numbers.ABOVE), (TICKS,))
    yield Case("opens, 1 MSL, numbers repeated", core(1, numbers=Numbers.REPEATED), (TICKS, ZONES))
    yield Case("opens, 1 MSL, timestamps", core(1, **stamps), (TICKS,))
    yield Case("opens, 1 MSL, timestamps of Linux, an ACK first", core(1, paws=Paws.LINUX, ack_first=True, **stamps), (TICKS,))
    yield Case("opens, 1 MSL, an ACK first", core(1, ack_first=True), (TICKS,))
    yield Case("opens, each copy once", core(2, duplication=0), (TICKS,))
    yield Case("opens, in order", core(2, fifo=True), (TICKS,))
    yield Case("B crashes", core(2, crash=Crash.B), (TICKS, ZONES))
    yield Case("an old SYN", core(2, old_syn=True, syn=SynRule.ABOVE), (TICKS,))
    yield Case("opens, 1 MSL", core(1), (TICKS,))
    yield Case("opens, no TIME_WAIT, new text of A", core(0, new={"text": (1, 0)}), (ZONES,))
    yield Case("A crashes", core(0, crash=Crash.A, quiet=Fraction(1), new={"text": (0, 1)}), (ZONES,))


def drawn(numbers: Iterable[int]) -> Iterator[Case]:
    """Random configurations, by number."""
    configurations = importlib.import_module("random_configurations")
    for number in numbers:
        configuration = configurations.random_configuration(random.Random(number))
        yield Case(f"drawn {number}", configuration, (TICKS,))
