"""The probability that an old duplicate is accepted by the next connection of the same addresses and ports.

A packet of the old connection leaves a stray copy with some probability; the age of the copy when it arrives is uniform over the
MSL. The next connection begins when TIME-WAIT ends, the worst instant. Its ISNs are random and independent of the old numbers
(RFC 6528 across different connections, or after a wrap); `Strays.fits` is the probability that the old numbers then fit. A
harm is one of `timewait.spec.incarnation.HARMS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from timewait.spec.sequence_numbers import NUMBERS
from timewait.vocabulary.errors import RequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """Stray copies and what they meet.

    Attributes
    ----------
    rate : Fraction
        The probability that a packet leaves a stray copy.
    msl : Fraction
        The greatest age of a copy, in seconds.
    window : int
        The receive window and the octets in flight of the next connection, in octets.
    timestamps : bool
        Whether both ends use timestamps: PAWS then rejects every old segment but a RST (RFC 7323 5.2, 5.3).
    """

    rate: Fraction
    msl: Fraction
    window: int = 65_535
    timestamps: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.rate <= 1:
            raise RequestError(f"a rate of duplicates lies between 0 and 1, not {float(self.rate):g}")
        if self.msl <= 0 or not 0 < self.window < NUMBERS // 2:
            raise RequestError("the MSL must be more than zero, and the window between one octet and half the numbers")

    def alive(self, time_wait: Fraction) -> Fraction:
        """The probability that a stray copy arrives after TIME-WAIT has ended."""
        return max(Fraction(0), 1 - time_wait / self.msl)

    def fits(self, harm: str) -> Fraction:
        """The probability that the numbers of an old segment fit the next connection.

        SEG.SEQ must lie in the window; for a RST it must be RCV.NXT exactly (RFC 9293 3.10.7.4, second step). For text and for
        a FIN any SEG.ACK up to SND.NXT passes, half of all numbers (fifth step); to acknowledge new text it must lie within
        the octets in flight.
        """
        if self.timestamps and harm != "old-reset":
            return Fraction(0)
        in_window = Fraction(self.window, NUMBERS)
        match harm:
            case "old-reset":
                return Fraction(1, NUMBERS)
            case "old-ack":
                return in_window * in_window
            case _:
                return in_window / 2

    def accepted(self, harm: str, time_wait: Fraction) -> Fraction:
        """The probability that one packet of the old connection does harm.

        Parameters
        ----------
        harm : str
            The harm, of `timewait.spec.incarnation.HARMS`; the packet is of its kind.
        time_wait : Fraction
            In seconds.
        """
        return self.rate * self.alive(time_wait) * self.fits(harm)
