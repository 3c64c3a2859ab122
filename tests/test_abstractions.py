"""The list of abstractions: each names stacks and properties that exist, and appears where it applies."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from timewait.spec.abstractions import ABSTRACTIONS, EVERY_STACK, abstractions_of
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.reopening import NextIncarnation, Reopen, SynRule
from timewait.spec.settings import SETTINGS, AnswerLimit, Behaviour
from timewait.spec.stacks import stack_names

PLAIN = Configuration(Fraction(1), Fraction(2), (Fraction(1),))


def names(configuration: Configuration, stack: str = "", *properties: str) -> set[str]:
    """The names of the abstractions that could change a verdict."""
    return {entry.name for entry in abstractions_of(configuration, stack, properties)}


@pytest.mark.parametrize("name", ABSTRACTIONS)
def test_each_is_described(name: str) -> None:
    """It names its stacks, properties and option as the tables do, and has a source."""
    entry = ABSTRACTIONS[name]
    assert entry.name == name
    assert entry.stacks == EVERY_STACK or set(entry.stacks) <= set(stack_names())
    assert set(entry.properties) <= PROPERTIES.keys()
    assert not any(text.endswith(".") for text in (entry.left_out, entry.otherwise))
    assert entry.source
    assert entry.option in {"", *(setting.option for setting in SETTINGS.values())}


def test_one_with_an_option_goes_away_with_it() -> None:
    """The option puts it into the model."""
    sends = replace(PLAIN, text=(0, 1))
    for name, behaviour in {
        "retry-limit": Behaviour(retries=3),
        "out-of-order": Behaviour(keeps_out_of_order=True),
        "answer-limit": Behaviour(answer_limit=AnswerLimit.EMPTY),
        "full-table": Behaviour(time_wait_cut=True),
        "unread-text": Behaviour(unread=True),
    }.items():
        assert name in names(sends, "linux")
        assert name not in names(replace(sends, behaviour=behaviour), "linux")
        assert ABSTRACTIONS[name].option
    assert {name for name, entry in ABSTRACTIONS.items() if entry.option} == {
        *("retry-limit", "out-of-order", "answer-limit", "full-table", "unread-text")
    }


def test_those_of_text_apply_where_there_is_text() -> None:
    """Without text they change nothing."""
    assert "reading" not in names(PLAIN)
    assert "reading" in names(replace(PLAIN, text=(0, 1)))


def test_a_backed_off_rto_after_text_is_an_abstraction() -> None:
    """Only where there is text, and a schedule of several steps with least gaps."""
    steps = (Fraction(1), Fraction(2))
    schedule = replace(PLAIN, rto=steps, rto_exact=True, text=(1, 0), behaviour=Behaviour(backoff=2))
    assert "karn" in names(schedule, "linux", "graceful")
    assert "karn" in names(schedule, "", "closes")
    assert "karn" not in names(schedule, "", "integrity")
    for other in (
        replace(schedule, text=(0, 0)),
        replace(schedule, rto_exact=False),
        replace(schedule, rto=steps[:1], behaviour=Behaviour()),
    ):
        assert "karn" not in names(other)


def test_a_retry_limit_could_change_graceful() -> None:
    """An end that gives up its FIN does not close gracefully."""
    assert "retry-limit" in names(PLAIN, "lwip", "graceful")


def test_those_of_a_stack_apply_to_it_alone() -> None:
    """Other stacks do not have it."""
    sends = replace(PLAIN, text=(1, 1))
    assert "skipped-with-unsent-text" in names(sends, "vpp")
    assert "skipped-with-unsent-text" not in names(sends, "linux")
    assert "skipped-with-unsent-text" not in names(replace(sends, text=(0, 1)), "vpp")


def test_those_that_cannot_change_a_property_are_left_out() -> None:
    """Each names the properties that it could change."""
    sends = replace(PLAIN, text=(0, 1))
    assert "reading" in names(sends, "", "integrity")
    assert "reading" not in names(sends, "", "graceful")


def test_those_of_an_opening_apply_where_there_is_one() -> None:
    """A handshake, timestamps in it, an old SYN: each brings its own."""
    opening = {"request-socket", "echoed-timestamp", "equal-isn"}
    assert not opening & names(PLAIN, "linux")
    handshake = NextIncarnation(Reopen.HANDSHAKE, text=(0, 0))
    assert opening & names(replace(PLAIN, reopening=handshake), "linux") == {"request-socket"}
    assert not opening & names(replace(PLAIN, reopening=handshake), "freebsd")
    stamped = replace(handshake, timestamps=(True, True))
    assert opening & names(replace(PLAIN, reopening=stamped), "linux") == {"request-socket", "echoed-timestamp"}
    old = replace(handshake, old_syn=True, syn=SynRule.ABOVE)
    assert opening & names(replace(PLAIN, reopening=old), "freebsd") == {"equal-isn"}
