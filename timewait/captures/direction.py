"""What one end of a connection sent, counted packet by packet: the totals, the numbers reached, and repeated captures."""

from __future__ import annotations

from dataclasses import dataclass, field

from timewait.captures.headers import FIN, SYN, CapturedPacket
from timewait.spec.sequence_numbers import difference

CAPTURED_TWICE = 1_000_000
"""Nanoseconds within which two captures of one copy on one interface count as one."""

PROMPT = 20_000_000
"""Nanoseconds that an answer may take beyond two of the shortest times to an acknowledgement."""

UNMEASURED = 1_000_000_000
"""Nanoseconds that an answer may take where no time to an acknowledgement is known: the first timeout (RFC 6298 2.1)."""

REMEMBERED = 8
"""Packets of each end that are remembered to recognise one that the capture holds twice."""


@dataclass(slots=True)
class Direction:
    """What one end sent, as far as it was captured.

    Attributes
    ----------
    first : int or None
        The initial sequence number on the wire.
    opening : bool
        Whether a SYN of this end was captured.
    text_on_syn : int
        Octets of text on its SYN, and one more with a FIN on it.
    high : int
        The number after everything captured of this end.
    acknowledges : int
        The highest number of the other end that this end acknowledged.
    fin : int or None
        The number after its FIN, if that was captured.
    scale : int or None
        The window scale that the SYN offered.
    shift : int or None
        The same, or 0 where the SYN offered none; None where the capture lacks the SYN.
    interface : str
        The interface on which this end is counted: that of its first packet.
    packets, octets, repeated : int
        Packets, octets of text, and packets with text or FIN that had been sent before; on that interface.
    missing : list of (int, int)
        Octets that the capture lacks although later ones were captured.
    response : int or None
        The shortest time in nanoseconds from a segment of the other end to its acknowledgement by this one.
    latest : list of CapturedPacket
        Its latest packets, of which the next may be a second capture.
    """

    first: int | None = None
    opening: bool = False
    text_on_syn: int = 0
    high: int = 0
    acknowledges: int = 0
    fin: int | None = None
    scale: int | None = None
    shift: int | None = None
    interface: str = ""
    packets: int = 0
    octets: int = 0
    repeated: int = 0
    missing: list[tuple[int, int]] = field(default_factory=list)
    response: int | None = None
    skipped_to: int | None = None
    skipped_octets: int = 0
    awaiting: tuple[int, int] | None = None
    latest: list[CapturedPacket] = field(default_factory=list)
    _hops: int = -1
    _with_hops: int = 0
    _further_hops: dict[int, int] | None = None

    @property
    def hops(self) -> dict[int, int]:
        """The times to live of its packets other than RSTs, and the number of packets with each."""
        first = {} if self._hops < 0 else {self._hops: self._with_hops}
        return first | (self._further_hops or {})

    def had_time(self, passed: int, sent: int) -> bool:
        """Whether this end could certainly take what passed at one time into account in what it sent, and what passed later.

        Ways vary: the shortest time to an acknowledgement is no bound on the others.

        Parameters
        ----------
        passed, sent : int
            The times at which the packet for this end and its own packet passed the capture, in nanoseconds.
        """
        return sent - passed > (UNMEASURED if self.response is None else 2 * self.response + PROMPT)

    def note_hops(self, hops: int) -> None:
        """Count the time to live of a packet; nearly always all packets of an end have the same."""
        if hops == self._hops:
            self._with_hops += 1
        elif self._hops < 0:
            self._hops, self._with_hops = hops, 1
        else:
            further = self._further_hops = self._further_hops or {}
            further[hops] = further.get(hops, 0) + 1

    def remember(self, packet: CapturedPacket) -> None:
        """Keep a packet as long as the next one may be a second capture of it."""
        latest = self.latest
        if latest and packet.time - latest[-1].time >= CAPTURED_TWICE:
            latest.clear()
        elif len(latest) == REMEMBERED:
            del latest[0]
        latest.append(packet)

    def relative(self, number: int, syn: bool = False) -> int:
        """A sequence number of the wire, unwrapped and relative."""
        if self.first is None:
            self.first = number if syn else number - 1
        return self.high + difference(number - self.first, self.high)

    def distance(self, number: int) -> int:
        """How far a number of the wire is from the highest number of this end; 0 where nothing of it is known."""
        if self.first is None:
            return 0
        return abs(difference(number - self.first, self.high))

    def fills_gap(self, seq: int, end: int) -> bool:
        """Whether numbers that were sent before are ones that the capture lacked so far; they are no longer missing."""
        if not self.missing or not any(start < end and seq < stop for start, stop in self.missing):
            return False
        pieces = [piece for gap in self.missing for piece in ((gap[0], min(gap[1], seq)), (max(gap[0], end), gap[1]))]
        self.missing = sorted({(start, stop) for start, stop in pieces if start < stop})
        return True


def count(own: Direction, other: Direction, packet: CapturedPacket, seq: int, end: int, ack: int | None) -> None:
    """Count a packet other than a RST, and measure the response of its sender."""
    _, time, interface, _, _, _, _, length, _, _, _, _, _, hops, _ = packet
    if not own.packets:
        own.interface = interface
    high = own.high
    if end > high:
        known = False
        if seq > high and own.packets:
            own.missing.append((high, seq))
        elif seq > 1 and other.opening and not own.packets:
            # The other end acknowledged its SYN, which the capture lacks as well.
            own.missing.append((1, seq))
        own.high = end
    else:
        known = end > seq and not own.fills_gap(seq, end)
    if interface == own.interface:
        own.packets += 1
        if known:
            own.repeated += 1
            own.awaiting = None
        else:
            own.octets += length
            if end > high and end > seq:
                own.awaiting = (end, time)
    own.note_hops(hops)
    if ack is None:
        return
    new = ack > own.acknowledges
    own.acknowledges = max(own.acknowledges, ack)
    awaited = other.awaiting
    if awaited is not None and ack >= awaited[0]:
        took = time - awaited[1]
        # A longer time is none to an acknowledgement, nor is one to a repeated number: the capture lacks one, or has it before.
        sample = new and ack == awaited[0] and 0 <= took < UNMEASURED
        if sample and (own.response is None or took < own.response):
            own.response = took
        other.awaiting = None


def is_repeated_capture(own: Direction, packet: CapturedPacket) -> bool:
    """Whether the capture has a copy twice, on one interface and almost at once."""
    if not (packet.ident or packet.length or packet.flags & (SYN | FIN)):
        return False
    for known in reversed(own.latest):
        if packet.time - known.time >= CAPTURED_TWICE:
            break
        if _capture_key(known) == _capture_key(packet):
            return True
    return False


def _capture_key(packet: CapturedPacket) -> tuple[object, ...]:
    """Equal for two captures of one copy on one interface."""
    _, _, interface, _, _, seq, ack, length, flags, window, _, timestamps, ident, _, _ = packet
    return interface, ident, seq, ack, length, flags, timestamps, window


def wire_key(packet: CapturedPacket) -> tuple[object, ...]:
    """Equal for all captures of one copy."""
    return (packet.source, packet.ident, packet.seq, packet.ack, packet.length, packet.flags)
