"""What went over the wire in a replay, as a packet capture at both hosts."""

from __future__ import annotations

from collections.abc import Sequence

from timewait.formats.pcapng_blocks import Interface, PacketBlock, capture
from timewait.laboratory.kernel_pair import ADDRESSES, WireEvent

HOSTS = tuple(ADDRESSES)


def captured(events: Sequence[WireEvent], shows: str) -> bytes:
    """A pcapng file: each packet where it left its sender and each time it arrived; a comment says that it was lost.

    Parameters
    ----------
    events : sequence of WireEvent
        What happened on the wire.
    shows : str
        What the trace shows.
    """
    dropped = {event.packet.number for event in events if event.fate == "dropped"}
    blocks = []
    for event in events:
        if event.fate == "dropped":
            continue
        sender = event.packet.sender
        outbound = event.fate == "sent"
        at = sender if outbound else next(name for name in HOSTS if name != sender)
        lost = ", lost" if outbound and event.packet.number in dropped else ""
        comment = f"packet {event.packet.number}: {event.packet.segment}{lost}"
        blocks.append(PacketBlock(HOSTS.index(at), event.time, outbound, event.packet.octets, comment))
    interfaces = [Interface(name, f"host {name}, {ADDRESSES[name]}") for name in HOSTS]
    return capture(f"a replay of a run that shows {shows}", "timewait replay", interfaces, blocks)
