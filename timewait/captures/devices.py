"""Marks of a packet that was not sent by the end in whose name it came: its time to live, hardware address, identification."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from timewait.captures.kept_packets import CapturedSegment

FEWEST_HOPS_APART = 3
"""A time to live that differs by at least this much from all others of an end is not its own."""

COUNTED = 4
"""Packets whose identifications show that an end counts them up."""

CLOSE = 256
"""Identifications of an end that counts them up differ by less than this from one packet to the next."""


def foreign_marks(end: str, suspect: CapturedSegment, hops: Mapping[int, int], others: Sequence[CapturedSegment]) -> list[str]:
    """What tells a packet from the other packets of its sender, as clauses; empty where nothing does.

    Parameters
    ----------
    end : str
        The name of the end.
    suspect : CapturedSegment
        The packet.
    hops : mapping
        The times to live of the other packets, and the number of packets with each.
    others : sequence of CapturedSegment
        Other packets of the end, in order.
    """
    known = {it.packet.hardware for it in others}
    return [*_of_hops(end, suspect.packet.hops, hops), *_of_hardware(end, suspect.packet.hardware, known)]


def _of_hops(end: str, found: int, hops: Mapping[int, int]) -> Iterator[str]:
    if hops and all(abs(found - value) >= FEWEST_HOPS_APART for value in hops):
        usual = max(hops, key=lambda value: hops[value])
        yield f"it came with a time to live of {found}, and the other packets of {end} with {usual}"


def _of_hardware(end: str, found: bytes, known: set[bytes]) -> Iterator[str]:
    if found and known and b"" not in known and found not in known:
        shown = listed_addresses(known)
        yield f"it came from the hardware address {found.hex(':')}, and the other packets of {end} from {shown}"


def listed_addresses(known: set[bytes]) -> str:
    """Some hardware addresses, in order."""
    return ", ".join(sorted(address.hex(":") for address in known))


def foreign_identification(end: str, suspect: CapturedSegment, others: Sequence[CapturedSegment]) -> list[str]:
    """An identification far from those of an end that counts them up, as a clause.

    By itself it shows nothing: Linux takes the identifications of RSTs without a socket from another counter.
    """
    known = [it.packet.ident for it in others if it.packet.ident]
    counts = len(known) >= COUNTED and all((later - earlier) % 2**16 < CLOSE for earlier, later in pairwise(known))
    found = suspect.packet.ident
    if not found or not counts or any(min((found - it) % 2**16, (it - found) % 2**16) < CLOSE for it in known):
        return []
    return [f"it has the identification {found}, and the other packets of {end} count up from {known[0]}"]
