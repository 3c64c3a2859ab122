"""Fragments of IP packets (RFC 791 3.2, RFC 8200 4.5), joined as far as the headers of a TCP segment need it.

The first fragment has the TCP header, and all of them together tell the length of the text. The segment counts as captured
with the fragment that completes it, as in Wireshark. Fragments of a packet that is never complete are left out.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from timewait.captures.headers import CapturedPacket, Fragment

MAX_WAITING = 1_024
"""Packets of which fragments are kept at once; the oldest one gives way."""

INCOMPLETE = "fragment of an IP packet that the capture does not hold whole"


@dataclass(slots=True)
class _Waiting:
    """The fragments of one packet: how many frames, the octets by start, the end of the packet, and the first fragment."""

    frames: int = 0
    pieces: dict[int, int] = field(default_factory=dict)
    total: int | None = None
    first: Fragment | None = None

    def whole(self) -> bool:
        """Whether the pieces leave no gap."""
        reached = 0
        for start, stop in sorted(self.pieces.items()):
            if start > reached:
                return False
            reached = max(reached, stop)
        return self.total is not None and reached >= self.total


class Fragments:
    """The fragments of packets that are not whole yet.

    Attributes
    ----------
    given_up : int
        Frames with fragments that gave way to others.
    """

    def __init__(self) -> None:
        self.given_up = 0
        self._waiting: OrderedDict[tuple[object, ...], _Waiting] = OrderedDict()

    @property
    def left_out(self) -> int:
        """Frames with fragments of packets that are not whole."""
        return self.given_up + sum(packet.frames for packet in self._waiting.values())

    def add(self, fragment: Fragment) -> CapturedPacket | None:
        """Add a fragment; returns the segment that it completes."""
        waiting = self._waiting.get(fragment.packet)
        if waiting is not None and fragment.start in waiting.pieces:
            # The identification is used again, or the fragment came twice: the older packet will not become whole.
            self.given_up += waiting.frames
            waiting = None
        if waiting is None:
            waiting = self._waiting[fragment.packet] = _Waiting()
            self._waiting.move_to_end(fragment.packet)
            if len(self._waiting) > MAX_WAITING:
                self.given_up += self._waiting.popitem(last=False)[1].frames
        waiting.frames += 1
        waiting.pieces[fragment.start] = fragment.stop
        waiting.total = fragment.stop if fragment.last else waiting.total
        waiting.first = fragment if fragment.segment is not None else waiting.first
        first = waiting.first
        if first is None or first.segment is None or waiting.total is None or not waiting.whole():
            return None
        del self._waiting[fragment.packet]
        text = first.segment.length + waiting.total - first.stop
        return first.segment._replace(frame=fragment.frame, time=fragment.time, length=text)
