"""Segments that arrive at an end of another incarnation: how their numbers count there, and the harm that they do.

With an atomic reopen an old segment does the harm of its kind (`harm_of`). After a handshake the endpoint decides:
`crossings` lets it process the segment with its numbers as they count in the other incarnation, and judges the effect.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from timewait.spec.configuration import Configuration
from timewait.spec.endpoint import segment_arrives
from timewait.spec.exchange import ENDS, EndPair
from timewait.spec.old_syn import OLD_SYN, beyond, received
from timewait.spec.outcome import Effect, Outcome
from timewait.spec.reopening import AnswerIsn, Numbers, Paws, SynRule
from timewait.spec.replies import acknowledgement, reset_for
from timewait.spec.request import refused_by_ack
from timewait.spec.rules import RULES
from timewait.spec.segment import Segment
from timewait.spec.state import Block, State
from timewait.spec.window import WINDOW

ISOLATION = "isolation"
"""The property that forbids every harm: the conjunction of those of `HARMS`."""

HARMS: dict[str, str] = {
    "old-text": "{end}'s user reads old text as new",
    "old-fin": "{end}'s user reads the old FIN as the end of {peer}'s text",
    "old-reset": "the old RST ends {end}'s new connection",
    "old-ack": "{end} counts new text that was lost as acknowledged, and never sends it again",
}
"""The harms that an old segment can do, by the property that forbids each: what happens to the end that receives it."""

INCARNATION_RULES = {
    "incarnation.reopen": ("RFC 9293 3.10.1", "both ends are CLOSED: the same addresses and ports are opened again"),
    "incarnation.crash": ("RFC 9293 3.4.3", "a host loses all memory of its connections, and keeps quiet before it opens again"),
    "incarnation.old-text": (
        "RFC 1337 H1",
        "an old segment with text is in the window of the next incarnation, which reads the old text as new",
    ),
    "incarnation.old-fin": (
        "RFC 9293 3.4.3",
        "an old FIN is in the window of the next incarnation, which takes it for the end of the peer's text",
    ),
    "incarnation.old-reset": (
        "RFC 1337 H3",
        "an old RST is in the window of the next incarnation, which it ends",
    ),
    "incarnation.old-ack": (
        "RFC 9293 3.4.3",
        "an old ACK acknowledges text of the next incarnation that was lost, and that is then never retransmitted",
    ),
    "incarnation.syn": (
        "RFC 9293 3.6.1 MAY-2; RFC 6191",
        "a SYN that is new by its number or its timestamp opens the next incarnation in TIME-WAIT",
    ),
    "incarnation.syn-reset": ("RFC 793 3.9 fourth check", "a RST answers a SYN in the window of TIME-WAIT, which lasts on"),
    "incarnation.old-syn": ("RFC 9293 3.6.1 MAY-2", "an old SYN with a number above RCV.NXT ends TIME-WAIT, and is answered"),
    "incarnation.old-syn-return": (
        "RFC 9293 3.6.1 MAY-2, second condition",
        "the SYN that ended TIME-WAIT proves old: TIME-WAIT begins again",
    ),
    "incarnation.old-syn-end": (
        "Linux tcp_timewait_state_process",
        "the SYN that ended TIME-WAIT proves old: the connection that it opened is gone, and nothing waits any more",
    ),
    "incarnation.ack-first": (
        "Linux tcp_check_req",
        "in SYN-RECEIVED, after LISTEN, a RST answers a segment whose ACK does not complete the handshake, whatever its number",
    ),
    "incarnation.timestamp": (
        "RFC 7323 5.3 R1",
        "an old segment, not a RST, has an older timestamp than the last one: it is acknowledged and dropped (PAWS)",
    ),
}
"""The rules about incarnations, which belong to no endpoint."""


def harm_of(segment: Segment) -> str:
    """The harm that an old segment does if all its numbers are acceptable: the property of `HARMS` that it breaks."""
    if segment.rst:
        return "old-reset"
    if segment.length:
        return "old-text"
    return "old-fin" if segment.fin else "old-ack"


def harm_rule(harm: str) -> tuple[str, str, str]:
    """The rule of a harm as a trace lists it: name, section, sentence."""
    name = f"incarnation.{harm}"
    return (name, *INCARNATION_RULES[name])


def harm_in_words(harm: str, sender: str, receiver: str, segment: str) -> tuple[tuple[str, str], ...]:
    """The properties that an old segment breaks by its harm, ``isolation`` first, each with the conjunct that fails."""
    consequence = HARMS[harm].format(end=receiver, peer=sender)
    why = f"{sender}'s old {segment} is in the window of {receiver}'s new incarnation: {consequence}"
    return (ISOLATION, why), (harm, why)


# --- after a handshake ----------------------------------------------------------------------------------------------

UNDELAYED = "undelayed"
"""The property that neither an old segment nor an end of the old incarnation delays or refuses the next one."""

FAR = 1_000
"""A distance between numbers of two incarnations that is more than any window."""

OPENING = frozenset({State.SYN_SENT, State.SYN_RECEIVED, State.ESTABLISHED})
"""The states of a connection of the next incarnation that a RST would end."""

SYNCHRONISED = frozenset({State.SYN_RECEIVED, State.ESTABLISHED})
"""The states of the next incarnation in which an end knows the numbers of the other end."""


KnownIsns = tuple[int | None, int | None]
"""The numbers of the old incarnation at which the new ISNs of A and of B lie; None where one may lie anywhere."""

UNKNOWN: KnownIsns = (None, None)


class Crossing(NamedTuple):
    """The arrival of a segment at an end of another incarnation.

    Attributes
    ----------
    outcome : Outcome
        The outcome at the end.
    broken : tuple of (str, str)
        The properties that it breaks, each with the conjunct that fails, in words.
    place : str
        How the numbers of the segment lie to those of the end, in words.
    opens : bool
        Whether a SYN that meets TIME-WAIT opens the next incarnation there.
    isns : KnownIsns
        The places of the new ISNs that are known where a SYN opens.
    counted : Segment or None
        The segment with its numbers as they count at the end; None if it is one of the end's own incarnation.
    """

    outcome: Outcome
    broken: tuple[tuple[str, str], ...]
    place: str
    opens: bool = False
    isns: KnownIsns = UNKNOWN
    counted: Segment | None = None

    @property
    def harmful(self) -> bool:
        """Whether it breaks ``isolation``."""
        return ISOLATION in dict(self.broken)


def crossings(
    configuration: Configuration,
    ends: EndPair,
    incarnations: tuple[int, int],
    side: int,
    segment: Segment,
    isns: KnownIsns = UNKNOWN,
) -> tuple[Crossing, ...]:
    """Each way in which a segment of another incarnation may count at an end, without those that have the same outcome.

    Parameters
    ----------
    configuration : Configuration
        The configuration.
    ends : pair of Block
        The control blocks.
    incarnations : pair of int
        The incarnations of A and of B.
    side : int
        The receiver: 0 for A, 1 for B.
    segment : Segment
        The segment, of another incarnation than the receiver's.
    isns : KnownIsns
        The places of the new ISNs that are known.
    """
    relation = configuration.reopening.relation(configuration.msl)
    if incarnations[side]:
        ways = _old_at_new(relation, (isns[1 - side], isns[side]), ends[side], segment)
    else:
        ways = _new_at_old(relation, ends[side], segment)
    found: dict[tuple[Outcome, tuple[tuple[str, str], ...], KnownIsns], Crossing] = {}
    for translated, place in ways:
        if not incarnations[side] and _reopens(configuration, ends[side], translated):
            opened = segment_arrives(Block(State.LISTEN), segment, configuration.behaviour)
            opened = opened._replace(replies=stamped(opened.replies, 1), rules=("incarnation.syn", *opened.rules))
            known = _isns_of_opening(configuration, ends[side], side, translated)
            found.setdefault((opened, (), known), Crossing(opened, (), place, True, known, translated))
            continue
        outcome = _processed(configuration, ends[side], incarnations[side], translated)
        outcome = outcome._replace(replies=answers(outcome.replies, incarnations[side], segment))
        broken = _broken(ends, incarnations, side, segment, outcome)
        found.setdefault((outcome, broken, UNKNOWN), Crossing(outcome, broken, place, counted=translated))
    return tuple(found.values())


def _isns_of_opening(configuration: Configuration, block: Block, side: int, syn: Segment) -> KnownIsns:
    """The places of the new ISNs after a SYN opened at an end in TIME-WAIT.

    That of its sender is known if the number of the SYN is at RCV.NXT or above. The end itself then takes the least ISN that
    its rule allows: every old number lies below it, as below any greater one.
    """
    sender = syn.seq if syn.seq >= block.rcv else None
    own = block.nxt if configuration.reopening.isn is AnswerIsn.ABOVE else None
    return (own, sender) if side == 0 else (sender, own)


def answers(replies: tuple[Segment, ...], incarnation: int, to: Segment) -> tuple[Segment, ...]:
    """The answers of an end to a segment; a RST for an unknown connection has the numbers of the segment that it answers."""
    if to.incarnation == incarnation:
        return stamped(replies, incarnation)
    reset = reset_for(to)._replace(incarnation=to.incarnation)
    return tuple(reset if reply.rst else reply._replace(incarnation=incarnation) for reply in replies)


def stamped(replies: tuple[Segment, ...], incarnation: int) -> tuple[Segment, ...]:
    """Segments that an end of an incarnation sends of its own accord."""
    return tuple(reply._replace(incarnation=incarnation) for reply in replies)


def _old_at_new(relation: Numbers, isns: KnownIsns, block: Block, segment: Segment) -> Iterator[tuple[Segment, str]]:
    """An old segment as its numbers may count at an end of the next incarnation; `isns` are those of sender and receiver."""
    if relation is Numbers.REPEATED:
        yield segment, "whose ISNs are those of the old one"
        return
    if beyond(segment):
        yield segment, "where its number is one of an incarnation before"
        return
    if isns != UNKNOWN:
        yield from _beside_known(relation, isns, block, segment)
        return
    worst = relation is Numbers.WORST and block.state in OPENING
    if worst:
        acks = (None,) if segment.ack is None else (block.una, block.nxt)
        # An end that took the old SYN for a new one counts from it, and every other old number of its sender lies below.
        seq = segment.seq if block.rcv == OLD_SYN.end else block.rcv
        for ack in dict.fromkeys(acks):
            known = "old" if seq != block.rcv else "exactly next" if block.state in SYNCHRONISED else "of no account yet"
            what = "" if ack is None else f", its ACK is SND.{'UNA' if ack == block.una else 'NXT'}"
            yield segment._replace(seq=seq, ack=ack), f"where its number is {known}{what}"
    ack = None if segment.ack is None else segment.ack - FAR
    yield segment._replace(seq=segment.seq - FAR, ack=ack), "where its numbers are old"
    if worst and segment.ack is not None:
        # An end may look at the ACK of a segment although its number is old; that of an old ACK says nothing new.
        yield segment._replace(seq=segment.seq - FAR, ack=block.nxt), "where its number is old, its ACK is SND.NXT"


def _beside_known(relation: Numbers, isns: KnownIsns, block: Block, segment: Segment) -> Iterator[tuple[Segment, str]]:
    """An old segment where the place of one new ISN is known, or of both: a known place decides, another may be the worst."""
    worst = relation is Numbers.WORST and block.state in OPENING
    sender, receiver = isns
    seqs = {segment.seq - (FAR if sender is None else sender)}
    if sender is None and worst:
        seqs.add(block.rcv)
    acks: tuple[int | None, ...] = (None,)
    if segment.ack is not None:
        known = {segment.ack - (FAR if receiver is None else receiver)}
        acks = tuple(sorted(known | {block.una, block.nxt} if receiver is None and worst else known, reverse=True))
    for seq in sorted(seqs, reverse=True):
        for ack in acks:
            number = "exactly next" if seq == block.rcv else "old"
            what = "" if ack not in (block.una, block.nxt) else f", its ACK is SND.{'UNA' if ack == block.una else 'NXT'}"
            yield segment._replace(seq=seq, ack=ack), f"where its number is {number}{what}"


def _new_at_old(relation: Numbers, block: Block, segment: Segment) -> Iterator[tuple[Segment, str]]:
    """A SYN of the next incarnation as its number may count at an end that is still in the old one."""
    if relation is Numbers.REPEATED:
        yield segment, "where its ISN is that of the old incarnation"
        return
    if relation is Numbers.WORST:
        yield segment._replace(seq=block.rcv - FAR), "where its ISN is below RCV.NXT"
        yield segment._replace(seq=block.rcv), "where its ISN is RCV.NXT"
    yield segment._replace(seq=block.rcv + 1), "where its ISN is above RCV.NXT"


def _reopens(configuration: Configuration, block: Block, segment: Segment) -> bool:
    """Whether a SYN opens the next incarnation at an end in TIME-WAIT, with its number as it counts there."""
    if block.state is not State.TIME_WAIT or not segment.syn or segment.ack is not None:
        return False
    reopening, least = configuration.reopening, configuration.reopening.syn.least
    if least is None:
        return False
    return segment.seq >= block.rcv + least or (reopening.syn.by_timestamp and reopening.checks_timestamps)


def _processed(configuration: Configuration, block: Block, incarnation: int, segment: Segment) -> Outcome:
    """The outcome of a segment with its numbers as they count; the check of timestamps comes first (RFC 7323 5.3 R1).

    A stack may look at the ACK in SYN-RECEIVED before that (`refused_by_ack`).
    """
    reopening = configuration.reopening
    if (refused := refused_by_ack(reopening, block, segment)) is not None:
        return refused
    if incarnation and reopening.checks_timestamps and block.state in SYNCHRONISED and not segment.rst:
        bare = not segment.span and segment.seq == block.rcv and segment.ack == block.una
        if not (reopening.paws is Paws.LINUX and block.state is State.ESTABLISHED and bare):
            return Outcome(block, (acknowledgement(block),), rules=("incarnation.timestamp",))
    waiting = not incarnation and block.state is State.TIME_WAIT and segment.syn and segment.ack is None
    if waiting and reopening.syn is SynRule.RESET and block.rcv <= segment.seq < block.rcv + WINDOW:
        return Outcome(block, (reset_for(segment),), rules=("incarnation.syn-reset",))
    if incarnation:
        return segment_arrives(block, segment, configuration.behaviour)
    return received(configuration, block, segment)


def _broken(
    ends: EndPair, incarnations: tuple[int, int], side: int, segment: Segment, outcome: Outcome
) -> tuple[tuple[str, str], ...]:
    """The properties that an arrival across incarnations breaks, by its effect."""
    end, sender = ENDS[side], ENDS[1 - side]
    if not incarnations[side]:
        if ends[side].state is State.CLOSED:
            return ()
        return ((UNDELAYED, f"{end} is still in {ends[side].state} of the old incarnation when {sender}'s SYN arrives"),)
    harms = tuple(_harms(ends, incarnations, side, segment, outcome))
    if harms:
        why = "; ".join(HARMS[harm].format(end=end, peer=sender) for harm in harms)
        text = f"{sender}'s old {segment} is accepted in {end}'s new incarnation: {why}"
        return ((ISOLATION, text), *((harm, text) for harm in harms))
    if outcome.block != ends[side] or any(reply.rst for reply in outcome.replies):
        return ((UNDELAYED, f"{sender}'s old {segment} disturbs {end}, which is opening the next incarnation"),)
    return ()


def _harms(ends: EndPair, incarnations: tuple[int, int], side: int, segment: Segment, outcome: Outcome) -> Iterator[str]:
    """The harms that an old segment does at an end of the next incarnation."""
    before, after, peer = ends[side], outcome.block, ends[1 - side]
    if "text.accept" in outcome.rules:
        yield "old-text"
    if Effect.FIN_ACCEPTED in outcome.effects:
        yield "old-fin"
    if segment.rst and before.state in OPENING and after.state is State.CLOSED:
        yield "old-reset"
    received = peer.rcv if incarnations[1 - side] and peer.state in SYNCHRONISED else 0
    if after.una > before.una and after.una > max(received, 1):
        yield "old-ack"


def rule_of(name: str) -> tuple[str, str]:
    """The section and the text of a rule, of a segment or of the next incarnation."""
    return INCARNATION_RULES[name] if name in INCARNATION_RULES else RULES[name]
