"""Closes of the kernel's own TCP, captured at either end and at both, and told right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import kernel_closes
import pytest
from kernel_closes import KernelClose, Scene, played

from timewait.captures.closes import CapturedCloses, assumed_configuration, read_closes
from timewait.captures.facts import ConnectionFacts
from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.profiles import fit_profiles
from timewait.laboratory import probe
from timewait.laboratory.isolation import isolated
from timewait.spec.stacks import load_stack
from timewait.spec.state import State

MISSING = probe.missing()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)

PLACES = ("A", "B", "AB")


def played_once(script: Callable[[Scene], None]) -> KernelClose:
    """A script, played in the laboratory."""
    (close,) = isolated(played, script)
    return close


def explained(close: KernelClose, places: str, folder: Path) -> CapturedCloses:
    """The capture at some ends, told."""
    path = folder / f"{places}.pcapng"
    path.write_bytes(close.written(places))
    return read_closes(path, assumed_configuration(load_stack("linux")))


def first(facts: ConnectionFacts) -> str:
    """The host that closed first."""
    return "A" if facts.ends[0].port == kernel_closes.CLIENT_PORT else "B"


def agree(close: KernelClose, facts: ConnectionFacts) -> None:
    """Assert that the states told are those of the kernel; no record means CLOSED."""
    for end, state in zip(facts.ends, facts.states, strict=True):
        kernel = close.states["A" if end.port == kernel_closes.CLIENT_PORT else "B"]
        actual = State(kernel[0]) if kernel else State.CLOSED
        assert actual in state.possible, (end, actual, state)
        assert state.likely in (actual, None), (end, actual, state)


def nobody_accused(found: CapturedCloses) -> None:
    """Assert that no deviation is told, and that Linux is not excluded at either end."""
    assert [facts.deviations for facts in found.connections] == [()] * len(found.connections)
    for close in found.closes:
        for end in "AB":
            assert fit_profiles(close, end, [load_stack("linux")]).excluded == ()


ORDERLY = [
    (kernel_closes.clean, CloseKind.IN_ORDER),
    (kernel_closes.simultaneous, CloseKind.SIMULTANEOUS),
    (kernel_closes.half, CloseKind.IN_ORDER),
]


@pytest.mark.parametrize(("script", "kind"), ORDERLY, ids=[script.__name__ for script, _ in ORDERLY])
def test_orderly_closes(script: Callable[[Scene], None], kind: CloseKind, tmp_path: Path) -> None:
    """Clean, at once, and half: the same story wherever the capture is, and the kernel's states."""
    close = played_once(script)
    for places in PLACES:
        found = explained(close, places, tmp_path)
        (facts,) = found.connections
        assert facts.kind is kind
        if kind is CloseKind.IN_ORDER:
            assert first(facts) == "A"
        agree(close, facts)
        nobody_accused(found)
        assert not facts.resets
    if script is kernel_closes.half:
        assert facts.totals[1].octets == 3_000


@pytest.mark.parametrize(("script", "ends"), [(kernel_closes.assassinated, True), (kernel_closes.survived, False)])
def test_rfc_1337(script: Callable[[Scene], None], ends: bool, tmp_path: Path) -> None:
    """A RST in TIME-WAIT: the second duplicate of the FIN shows what it did."""
    close = played_once(script)
    assert close.states["A"] == ([] if ends else ["TIME_WAIT"])
    for places in PLACES:
        found = explained(close, places, tmp_path)
        (facts,) = found.connections
        assert (facts.kind, first(facts)) == (CloseKind.IN_ORDER, "A")
        assert facts.reset_arrivals[0].ended is ends
        assert facts.resets[0].cause is ResetCause.CLOSED
        agree(close, facts)
        assert not facts.deviations


def test_time_wait_answers_a_syn(tmp_path: Path) -> None:
    """A SYN with a lower number: an answer with old numbers, a RST of SYN-SENT, and the next SYN opens."""
    close = played_once(kernel_closes.challenged)
    for places in PLACES:
        found = explained(close, places, tmp_path)
        old, new = found.connections
        assert (old.kind, first(old)) == (CloseKind.IN_ORDER, "B")
        assert (new.kind, first(new), new.incarnation) == (CloseKind.IN_ORDER, "A", 2)
        assert [reset.cause for reset in old.resets] == [ResetCause.SYN_SENT]
        assert [hit.ended for hit in old.reset_arrivals] == [True]
        assert len(new.challenges) == 1
        assert old.reopening is not None
        assert old.reopening.accepted is not None
        agree(close, new)
        nobody_accused(found)


@pytest.mark.parametrize(("script", "closer"), [(kernel_closes.reused_by_server, "B"), (kernel_closes.reused_by_client, "A")])
def test_reuse(script: Callable[[Scene], None], closer: str, tmp_path: Path) -> None:
    """TIME-WAIT gives way to the next connection, at the server and at the client."""
    close = played_once(script)
    for places in PLACES:
        found = explained(close, places, tmp_path)
        old, new = found.connections
        assert (old.kind, first(old)) == (CloseKind.IN_ORDER, closer)
        assert (new.kind, first(new)) == (CloseKind.IN_ORDER, "A")
        assert (old.resets, new.resets, new.challenges) == ((), (), ())
        agree(close, new)
        nobody_accused(found)


@pytest.mark.slow
def test_a_path_that_drops_everything(tmp_path: Path) -> None:
    """The server retransmits its FIN and gives up in silence; at the client nothing shows that it closed."""
    close = played_once(kernel_closes.unanswered)
    found = explained(close, "B", tmp_path)
    (facts,) = found.connections
    assert (facts.kind, first(facts)) == (CloseKind.CLOSING, "A")
    assert facts.states[0].likely is None
    assert State(close.states["A"][0]) in facts.states[0].possible
    assert [unknown.kind for unknown in facts.unknowns] == ["fin-not-answered"]
    assert len(facts.retransmissions) >= 2
    assert all(again.shows_timeout for again in facts.retransmissions)
    nobody_accused(found)
    (other,) = explained(close, "A", tmp_path).connections
    assert other.kind is CloseKind.HALF_CLOSED


@pytest.mark.slow
def test_fin_wait_2_expires(tmp_path: Path) -> None:
    """The server's FIN comes after the client's FIN-WAIT-2 of one second: a RST answers it."""
    close = played_once(kernel_closes.fin_wait_2_expired)
    for places in PLACES:
        found = explained(close, places, tmp_path)
        (facts,) = found.connections
        (left,) = facts.states_left
        assert (facts.kind, facts.by, first(facts)) == (CloseKind.CUT_OFF, "A", "A")
        assert (left.end, left.state) == ("A", State.FIN_WAIT_2)
        assert 1 <= left.within < 3
        # One capture point does not show which end it is beside, nor a RST of the client's user that was lost before it.
        others = () if places == "AB" else (ResetCause.ABORT,)
        assert [reset.causes for reset in facts.resets] == [(ResetCause.FORGOTTEN, *others)]
        agree(close, facts)
        assert not facts.deviations


def test_linger_zero(tmp_path: Path) -> None:
    """The client's RST ends the connection."""
    close = played_once(kernel_closes.lingering)
    for places in PLACES:
        found = explained(close, places, tmp_path)
        (facts,) = found.connections
        assert (facts.kind, facts.by, first(facts)) == (CloseKind.RESET, "A", "A")
        assert [reset.causes for reset in facts.resets] == [(ResetCause.ABORT,)]
        agree(close, facts)
        nobody_accused(found)
