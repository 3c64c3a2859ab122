"""The next incarnation of a replay, and an old segment that meets it: what the users see at their sockets."""

from __future__ import annotations

import time

from timewait.laboratory.kernel_pair import NoSuchPacket
from timewait.laboratory.packets import CarriedPacket
from timewait.laboratory.replaying.ends import NEW, OLD, KernelEnds, other
from timewait.laboratory.replaying.outcome import Refuted
from timewait.spec.incarnation import harm_of
from timewait.spec.outcome import Call
from timewait.spec.sequence_numbers import wrapped
from timewait.spec.state import State

SETTLING = 0.1
"""Seconds that the kernel gets for its reaction."""


def meet_old_segment(ends: KernelEnds, old: CarriedPacket) -> list[str]:
    """Open the connection again so that the old numbers are exactly next, let an old packet arrive, and describe the effect.

    The ISNs are chosen as the worst case has it: the old SEQ is RCV.NXT and the old ACK is SND.UNA. Before a bare
    acknowledgement arrives, its receiver sends an octet, which is lost; the old ACK then acknowledges it.

    Parameters
    ----------
    ends : KernelEnds
        Both ends, CLOSED.
    old : CarriedPacket
        A packet of the old incarnation.

    Raises
    ------
    Refuted
        The old packet has no effect.
    """
    receiver, sender = other(old.sender), old.sender
    fields = old.decoded
    bare = not old.segment.span and not old.segment.rst
    acknowledged = 0 if fields.ack is None else fields.ack - 1 - bare
    ends.open_both({sender: wrapped(fields.seq - 1), receiver: wrapped(acknowledged)})
    effects = [f"the users open the connection again; {receiver} expects the number of the old segment next"]
    if bare:
        effects.append(_send_and_lose(ends, receiver))
    ends.pair.deliver(old)
    time.sleep(SETTLING)
    ends.receive(receiver)
    effects.append(effect_of(ends, receiver, harm_of(old.segment)))
    return effects


def _send_and_lose(ends: KernelEnds, name: str) -> str:
    ends.text = NEW
    ends.call(name, Call.SEND, abandons=False)
    try:
        lost = ends.pair.expect(lambda packet: packet.sender == name and bool(packet.segment.length))
    except NoSuchPacket as problem:
        raise Refuted(f"{name} does not send new text: {problem}") from problem
    ends.pair.drop(lost)
    return f"the user of {name} writes an octet, which is lost"


def effect_of(ends: KernelEnds, receiver: str, harm: str, outstanding: int = 0) -> str:
    """The effect of an old segment in the next incarnation, as the users see it.

    Parameters
    ----------
    ends : KernelEnds
        Both ends, after its arrival.
    receiver : str
        The end at which it arrived.
    harm : str
        Its harm (`timewait.spec.incarnation.HARMS`).
    outstanding : int
        Octets that the receiver has sent and that remain unacknowledged.

    Raises
    ------
    Refuted
        The old segment has no such effect.
    """
    record = ends.record(receiver)
    match harm:
        case "old-reset":
            if record is not None:
                raise Refuted(f"the old RST does not end the connection: {receiver} is in {record.state}")
            error = ends.errors.get(receiver, "none yet")
            return f"the old RST ends the new connection: the user of {receiver} sees {error}"
        case "old-fin":
            if receiver not in ends.end_of_file:
                raise Refuted(f"the old FIN is not taken: {receiver} is in {record.state if record else State.CLOSED}")
            peer = other(receiver)
            at_peer = "is open" if ends.state(peer) is State.ESTABLISHED else f"is in {ends.state(peer)}"
            return f"the old FIN is read as the end: the user of {receiver} reads the end of file, and {peer} {at_peer}"
        case "old-text":
            if OLD not in ends.read[receiver]:
                raise Refuted(f"the old text is not read by the user of {receiver}")
            return f"old text is read as new: the user of {receiver} reads {ends.read[receiver]!r}, which nobody has written"
        case _:
            if record is None or record.unacknowledged != outstanding:
                raise Refuted("the old ACK does not acknowledge the new text")
            return (
                f"the old ACK acknowledges the octet that {receiver} has sent and {other(receiver)} has not received; "
                "it is never retransmitted"
            )
