"""Every segment in every state of the next incarnation, beside a brute-force search."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
from handshake_oracle import HandshakeSearch, Opened
from openings import (
    ACTIVE,
    ESTABLISHED,
    HALF_OPEN,
    LISTEN,
    NEW_SYN,
    OLD_ACK,
    OLD_FIN,
    OLD_RST,
    OLD_SYN_ACK,
    OLD_TEXT,
    OPENED,
    SYN_RECEIVED,
    SYN_SENT,
    TAKEN,
    WAITING,
    handshake,
    harms,
)
from oracle import UNLIMITED, Copy, End

from timewait.spec.configuration import Configuration
from timewait.spec.incarnation import HARMS, ISOLATION, UNKNOWN, KnownIsns, crossings
from timewait.spec.old_syn import OLD_SYN
from timewait.spec.reopening import AnswerIsn, NextIncarnation, Numbers, Paws, SynRule
from timewait.spec.segment import Segment
from timewait.spec.state import Block, State
from timewait.spec.window import WINDOW

OPENINGS: tuple[dict[str, Any], ...] = (
    {},
    {"numbers": Numbers.REPEATED},
    {"numbers": Numbers.ABOVE},
    {"timestamps": (True, True)},
    {"timestamps": (True, False)},
    {"timestamps": (True, True), "paws": Paws.LINUX},
    {"ack_first": True},
    {"timestamps": (True, True), "ack_first": True},
    {"early": True, "syn": SynRule.ABOVE},
    {"early": True, "syn": SynRule.AT_OR_ABOVE, "isn": AnswerIsn.ANY},
    {"early": True, "syn": SynRule.TIMESTAMP, "timestamps": (True, True)},
    {"early": True, "syn": SynRule.TIMESTAMP_OR_AT},
    {"early": True, "syn": SynRule.TIMESTAMP_OR_AT, "timestamps": (True, True), "numbers": Numbers.REPEATED},
    {"early": True, "syn": SynRule.RESET},
    {"early": True, "syn": SynRule.ABOVE, "numbers": Numbers.ABOVE},
    {"early": True, "syn": SynRule.TIMESTAMP, "timestamps": (True, True), "paws": Paws.LINUX},
    {"early": True, "syn": SynRule.ABOVE, "timestamps": (True, True)},
    {"old_syn": True, "syn": SynRule.ABOVE},
    {"old_syn": True, "syn": SynRule.ABOVE, "timestamps": (True, True)},
)
"""Every rule about the next incarnation in one of them."""

ISNS: tuple[KnownIsns, ...] = (UNKNOWN, (2, None), (None, 2), (1, None), (None, 1), (2, 2), (1, 1))
Way = tuple[Block, frozenset[Segment], bool, KnownIsns]
"""An arrival that does no harm: the block afterwards, the answers, whether the next incarnation opens, the ISNs then known."""


class Arrived(NamedTuple):
    """A segment that arrives at an end: 0 is A, 1 is B; both ends, their incarnations, and the ISNs that are known."""

    configuration: Configuration
    side: int
    ends: tuple[Block, Block]
    numbers: tuple[int, int]
    segment: Segment
    isns: KnownIsns


def situations(opening: NextIncarnation) -> Iterator[tuple[Block, int, Segment, KnownIsns]]:
    """Yield the receiver's block and incarnation, a segment of the other incarnation, and the ISNs that are known.

    An ISN is known where a SYN may open in TIME-WAIT, and the old SYN is taken where there is one.
    """
    new = (OPENED, ESTABLISHED, SYN_SENT, SYN_RECEIVED, ACTIVE, LISTEN, *([TAKEN] if opening.old_syn else []))
    segments = (OLD_FIN, OLD_TEXT, OLD_ACK, OLD_RST, OLD_SYN_ACK, OLD_SYN, Segment(501, 2), Segment(2, OLD_SYN.end))
    for block, segment, isns in product(new, segments, ISNS if opening.early else ISNS[:1]):
        yield block, 1, segment, isns
    last = Block(State.LAST_ACK, una=1, nxt=2, rcv=2)
    for block in (WAITING, Block(State.CLOSED), last, ACTIVE, *([HALF_OPEN] if opening.old_syn else [])):
        yield block, 0, NEW_SYN, UNKNOWN


def suite_says(case: Arrived) -> tuple[set[Way], set[str]]:
    """Return the ways that do no harm, and the harms of the others."""
    ways, found = set(), set()
    for crossing in crossings(case.configuration, case.ends, case.numbers, case.side, case.segment, case.isns):
        harms_done = {name for name, _ in crossing.broken if name in HARMS}
        assert crossing.harmful == bool(harms_done)
        found |= harms_done
        if not harms_done:
            outcome = crossing.outcome
            ways.add((outcome.block, frozenset(outcome.replies), crossing.opens, crossing.isns))
    return ways, found


def brute_force_says(case: Arrived) -> tuple[set[Way], set[str]]:
    """Return the same, from the arrival of one copy in the search of the oracle."""
    search = HandshakeSearch(case.configuration)
    first, second = (End(block, (0,) * len(search.running(block))) for block in case.ends)
    copy = Copy(1 - case.side, search.number(case.segment), 0, True, UNLIMITED)
    old = (not case.numbers[0], not case.numbers[1])
    ways = set()
    for after in search.arrivals_of(Opened((first, second), (copy,), old, starts=case.isns), 0):
        answers = frozenset(search.segments[sent.number] for sent in after.copies if sent.sender == case.side)
        opens = after.old != old
        ways.add((after.ends[case.side].block, answers, opens, after.starts if opens else UNKNOWN))
    return ways, search.violated


class TestEveryArrival:
    """Brute force says the same of every segment in every state."""

    @pytest.mark.parametrize("opening", OPENINGS)
    def test_brute_force_agrees(self, opening: dict[str, Any]) -> None:
        """The outcome and the harm, at either end, whatever the peer has received."""
        configuration = handshake(2, **opening)
        compared = 0
        for (block, incarnation, segment, isns), side in product(situations(configuration.reopening), (0, 1)):
            for peer in (OPENED._replace(rcv=2), SYN_SENT) if segment.ack and incarnation else (SYN_SENT,):
                numbers = (1, 1) if incarnation else (0, 1) if side == 0 else (1, 0)
                ends = (block, peer) if side == 0 else (peer, block)
                case = Arrived(configuration, side, ends, numbers, segment, isns)
                assert suite_says(case) == brute_force_says(case), (opening, case[1:])
                compared += 1
        assert compared > 50

    def test_what_the_peer_has_received_counts_in_its_own_incarnation_alone(self) -> None:
        """RCV.NXT of an end that is still in the old incarnation, or not synchronised, says nothing about new text."""
        for peer, numbers in ((OPENED._replace(rcv=2), (1, 0)), (SYN_SENT._replace(rcv=2), (1, 1))):
            found = crossings(handshake(), (ESTABLISHED, peer), numbers, 0, OLD_ACK)
            assert {name for crossing in found for name, _ in crossing.broken} == {ISOLATION, "old-ack"}

    @pytest.mark.parametrize("segment", [Segment(0, rst=True, incarnation=1), Segment(0, 1, syn=True, incarnation=1)])
    def test_only_a_syn_without_ack_opens(self, segment: Segment) -> None:
        """Whatever its number, no other segment ends TIME-WAIT and opens, or gets the RST that answers a SYN."""
        configuration = handshake(2, early=True, syn=SynRule.AT_OR_ABOVE, numbers=Numbers.ABOVE)
        for at_end, opens in ((segment, False), (NEW_SYN, True)):
            (way,) = crossings(configuration, (WAITING, SYN_SENT), (0, 1), 0, at_end)
            assert way.opens == opens
            refuses = handshake(2, early=True, syn=SynRule.RESET, numbers=Numbers.ABOVE)
            (way,) = crossings(refuses, (WAITING, SYN_SENT), (0, 1), 0, at_end)
            assert ("incarnation.syn-reset" in way.outcome.rules) == opens

    @pytest.mark.parametrize(("number", "refused"), [(1, False), (2, True), (1 + WINDOW, True), (2 + WINDOW, False)])
    def test_a_rst_answers_a_syn_in_the_window_alone(self, number: int, refused: bool) -> None:
        """From RCV.NXT on, up to the end of the window."""
        configuration = handshake(2, early=True, syn=SynRule.RESET, numbers=Numbers.REPEATED)
        (way,) = crossings(configuration, (WAITING, SYN_SENT), (0, 1), 0, NEW_SYN._replace(seq=number))
        assert ("incarnation.syn-reset" in way.outcome.rules) == refused

    def test_linux_lets_through_one_ack_alone(self) -> None:
        """Only a bare ACK at RCV.NXT of SND.UNA passes the check of timestamps; every other one is acknowledged by it."""
        configuration = handshake(timestamps=(True, True), paws=Paws.LINUX)
        passed = [
            (crossing.counted, crossing.outcome.rules)
            for crossing in crossings(configuration, (OPENED, OPENED), (1, 1), 0, OLD_ACK)
        ]
        assert [rules for counted, rules in passed if counted != Segment(1, 1)] == [("incarnation.timestamp",)]
        assert (Segment(1, 1), ()) in passed

    def test_what_an_old_segment_finds_is_no_harm_of_it(self) -> None:
        """A RST ends no connection that is CLOSED already, and text that was acknowledged before is not acknowledged again."""
        assert harms(Block(State.CLOSED), OLD_RST) == set()
        assert harms(ESTABLISHED._replace(una=2), OLD_FIN, peer=SYN_SENT) == {"old-fin"}

    def test_an_acknowledgement_of_our_syn_alone_is_no_harm(self) -> None:
        """Only text that is acknowledged although it was lost is never sent again."""
        found = crossings(handshake(), (SYN_RECEIVED, SYN_SENT), (1, 1), 0, OLD_ACK)
        assert not any(crossing.harmful for crossing in found)
