"""The opening of the next incarnation: how it begins, how its numbers lie to the old ones, and whether it has timestamps."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from fractions import Fraction

from timewait.spec.duration import format_duration
from timewait.spec.sequence_numbers import HALF_THE_NUMBERS
from timewait.vocabulary.errors import RequestError

ISN_RATE = 250_000
"""Numbers a second of the clock that generates initial sequence numbers: one every 4 us (RFC 6528 3, RFC 9293 3.4.1)."""

CONTROLS = 2
"""The numbers that SYN and FIN of the old incarnation take, besides its text."""


class Reopen(StrEnum):
    """The opening of the next incarnation."""

    ATOMIC = "atomic"
    """Both ends are CLOSED, and at once both are open again; every old number is acceptable to them."""
    HANDSHAKE = "handshake"
    """Users call OPEN, and the ends exchange SYNs through LISTEN, SYN-SENT and SYN-RECEIVED."""


class Numbers(StrEnum):
    """The place of old sequence numbers among those of the next incarnation."""

    WORST = "worst"
    """Each old segment is, as it suits, exactly next or outside the window; its ACK changes nothing, or acknowledges all."""
    REPEATED = "repeated"
    """Both ends use the ISNs of the old incarnation again."""
    ABOVE = "above"
    """Both ISNs exceed every old number (RFC 9293 3.6.1, first condition)."""
    CLOCK = "clock"
    """The ISN is a clock of 250,000 numbers a second (RFC 6528): above, or worst, by data rate, idle time and lifetime."""


class Paws(StrEnum):
    """The old segments that the check of timestamps lets through, besides RSTs."""

    RFC_7323 = "rfc7323"
    """None (RFC 7323 5.3 R1)."""
    LINUX = "linux"
    """A bare ACK at RCV.NXT that acknowledges SND.UNA: ``tcp_disordered_ack_check`` in Linux, ``net/ipv4/tcp_input.c``."""


class SynRule(StrEnum):
    """The SYN that opens the next incarnation at an end in TIME-WAIT; every other one meets TIME-WAIT as usual."""

    NEVER = "never"
    """None."""
    ABOVE = "above"
    """One whose number is more than RCV.NXT (RFC 6191 2; Linux, ``tcp_timewait_state_process``)."""
    AT_OR_ABOVE = "at-or-above"
    """One whose number is at least RCV.NXT, and so more than every number that its sender used."""
    TIMESTAMP = "timestamp"
    """One with a newer timestamp where both ends have timestamps, else one above RCV.NXT (RFC 6191 2)."""
    TIMESTAMP_OR_AT = "timestamp-or-at"
    """One with a newer timestamp where both ends have timestamps, else one at RCV.NXT or above."""
    RESET = "reset"
    """None; a RST answers one in the window (RFC 793 3.9, fourth check)."""

    @property
    def least(self) -> int | None:
        """The least number above RCV.NXT at which a SYN opens by its number; None if none does."""
        return {self.ABOVE: 1, self.TIMESTAMP: 1, self.AT_OR_ABOVE: 0, self.TIMESTAMP_OR_AT: 0}.get(self)

    @property
    def by_timestamp(self) -> bool:
        """Whether a newer timestamp is enough."""
        return self in (self.TIMESTAMP, self.TIMESTAMP_OR_AT)


class AnswerIsn(StrEnum):
    """The ISN of an end that a SYN opens in TIME-WAIT."""

    ABOVE = "above"
    """More than every number that the end used: at least SND.NXT (RFC 9293 3.6.1 MAY-2, first condition)."""
    ANY = "any"
    """Any number, for instance a random one or a SYN cookie."""


class Crash(StrEnum):
    """The end whose host loses all memory, once, at any instant; without one no end does."""

    NONE = "none"
    A = "a"
    B = "b"


class NextIncarnationError(RequestError):
    """An opening that makes no sense; the message says what is wrong."""


@dataclass(frozen=True, slots=True)
class NextIncarnation:
    """The opening of the next incarnation.

    Attributes
    ----------
    kind : Reopen
        Atomic, or by a handshake. Everything else applies to a handshake alone.
    numbers : Numbers
        The place of old numbers among the new ones.
    timestamps : pair of bool
        Whether A and whether B uses timestamps; they take effect if both do (RFC 7323 3.2).
    paws : Paws
        The old segments that the check of timestamps lets through.
    syn : SynRule
        The SYN that opens the next incarnation at an end in TIME-WAIT.
    isn : AnswerIsn
        The ISN of an end that a SYN opens in TIME-WAIT.
    old_syn : bool
        Whether a SYN of B from an incarnation before the one that closes is in flight at the start, no older than MSL, with a
        number above all that B has used since.
    returns : bool
        Whether an end that such a SYN opened in TIME-WAIT returns to TIME-WAIT when a RST, or another SYN, shows that it was old.
    ack_first : bool
        Whether an end in SYN-RECEIVED that listened looks at the ACK of a segment before its number and timestamp.
    early : bool
        Whether an end may open as soon as it is CLOSED itself; otherwise when both are.
    text : pair of int
        Octets that the users of A and of B may send in the next incarnation, at most.
    crash : Crash
        The end whose host loses all memory; only runs with its crash reach the next incarnation. It sends nothing until it
        opens again, and need not wait for the other end.
    quiet : Fraction or None
        The time after the crash before which it does not open, in seconds; None: as long as TIME-WAIT.
    data_rate, idle, lifetime : Fraction or None
        For numbers by the clock: the mean rate of the old incarnation at most, in octets a second; the time from its last
        number to the new ISN at least, in seconds; its lifetime at most, in seconds, None if unknown.
    """

    kind: Reopen = Reopen.ATOMIC
    numbers: Numbers = Numbers.WORST
    timestamps: tuple[bool, bool] = (False, False)
    paws: Paws = Paws.RFC_7323
    syn: SynRule = SynRule.NEVER
    isn: AnswerIsn = AnswerIsn.ABOVE
    old_syn: bool = False
    returns: bool = True
    ack_first: bool = False
    early: bool = False
    text: tuple[int, int] = (1, 1)
    crash: Crash = Crash.NONE
    quiet: Fraction | None = None
    data_rate: Fraction | None = None
    idle: Fraction | None = None
    lifetime: Fraction | None = None

    def __post_init__(self) -> None:
        stated = (self.data_rate, self.idle, self.lifetime)
        if self.kind is Reopen.ATOMIC:
            if any(getattr(self, entry.name) != entry.default for entry in fields(self)):
                raise NextIncarnationError(
                    "an atomic reopen has no numbers, timestamps, early opening or new text: "
                    "open by a handshake (--reopen handshake)"
                )
        elif self.numbers is Numbers.CLOCK:
            if self.data_rate is None or self.idle is None:
                raise NextIncarnationError("numbers by the clock need a data rate and an idle time")
        elif any(value is not None for value in stated):
            raise NextIncarnationError("a data rate, an idle time and a lifetime matter only to numbers by the clock")
        if self.quiet is not None and self.crash is Crash.NONE:
            raise NextIncarnationError("a quiet time follows a crash; state which end crashes")
        if self.syn is not SynRule.NEVER and not (self.early or self.old_syn):
            raise NextIncarnationError("a SYN meets TIME-WAIT only where an end may open early, or where an old SYN is in flight")
        if self.early and self.old_syn:
            raise NextIncarnationError("an old SYN in flight and an end that opens early are two questions; ask them one by one")
        if not self.returns and not self.old_syn:
            raise NextIncarnationError("the return to TIME-WAIT matters only where an old SYN is in flight")
        if self.isn is not AnswerIsn.ABOVE and self.syn.least is None:
            raise NextIncarnationError("the ISN of an end that a SYN opens matters only where a SYN opens; state which one does")
        if min(value for value in (*stated, self.quiet, *map(Fraction, self.text), Fraction(0)) if value is not None) < 0:
            raise NextIncarnationError("data rate, idle time, lifetime, quiet time and text must not be negative")

    @property
    def handshake(self) -> bool:
        """Whether the next incarnation opens by a handshake."""
        return self.kind is Reopen.HANDSHAKE

    @property
    def quiet_name(self) -> str:
        """The name of the parameter that is the quiet time."""
        return "TIME_WAIT" if self.quiet is None else "QUIET"

    @property
    def checks_timestamps(self) -> bool:
        """Whether both ends use timestamps, and so reject old segments (PAWS)."""
        return all(self.timestamps)

    def relation(self, msl: Fraction) -> Numbers:
        """The place of old numbers: worst, repeated or above; for the clock it follows from rate, idle time, lifetime, MSL."""
        if self.numbers is not Numbers.CLOCK:
            return self.numbers
        return Numbers.ABOVE if self.clock_is_ahead(msl) else Numbers.WORST

    def clock_is_ahead(self, msl: Fraction) -> bool:
        """Whether every ISN by the clock exceeds every old number, and by less than half of all numbers.

        A connection that lasts L seconds uses at most ``data_rate * L + 2`` numbers, and the clock has advanced by
        ``250000 * (L + idle)`` from its ISN to the next one, or more if the actual idle time is longer. Old segments live MSL
        at most, so idle times longer than the greater of ``idle`` and MSL need not be considered.

        Parameters
        ----------
        msl : Fraction
            The maximum segment lifetime, in seconds.
        """
        assert self.data_rate is not None
        assert self.idle is not None
        gained = ISN_RATE * self.idle - CONTROLS
        if self.data_rate > ISN_RATE:
            ahead = self.lifetime is not None and gained > (self.data_rate - ISN_RATE) * self.lifetime
        else:
            ahead = gained > 0
        return ahead and (self.lifetime is None or ISN_RATE * (self.lifetime + max(self.idle, msl)) < HALF_THE_NUMBERS)

    @property
    def depends_on_msl(self) -> bool:
        """Whether the place of old numbers is not the same for every MSL: the clock is ahead for the shortest ones alone."""
        return self.numbers is Numbers.CLOCK and self.lifetime is not None and self.clock_is_ahead(Fraction(0))

    def derivation(self, msl: Fraction) -> str:
        """How the place of the old numbers follows from the clock, in a sentence; empty for other numbers."""
        if self.numbers is not Numbers.CLOCK:
            return ""
        assert self.data_rate is not None
        assert self.idle is not None
        facts = f"{float(self.data_rate):,.12g} octets a second at most, an idle time of {format_duration(self.idle)} at least"
        lasting = "" if self.lifetime is None else f", a lifetime of {format_duration(self.lifetime)} at most"
        if not self.clock_is_ahead(msl):
            return f"the ISN clock may lag behind old numbers ({facts}{lasting}), so the worst case counts"
        limit = HALF_THE_NUMBERS / Fraction(ISN_RATE) - max(self.idle, msl)
        within = f", for a connection shorter than {format_duration(Fraction(int(limit)))}" if self.lifetime is None else ""
        return f"the ISN clock is ahead of every old number ({facts}{lasting}{within})"


ATOMIC = NextIncarnation()
"""The atomic reopen."""
