"""The prediction for a constant load, as formulas: what a cold start and the steady state bring."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from timewait.capacity.ports import SOCKET_OCTETS, PortPool, Service


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a constant load does to a pool of ports.

    Attributes
    ----------
    pool : PortPool
        The ports.
    service : Service
        The use of a connection.
    rate : Fraction
        Connections per second that a program tries to open.
    """

    pool: PortPool
    service: Service
    rate: Fraction

    @property
    def useful(self) -> Fraction:
        """Seconds for which a connection does its work."""
        return self.service.service_time

    @property
    def blocked(self) -> Fraction:
        """Seconds for which a closed connection blocks its port.

        Above ``tcp_max_tw_buckets`` connections end without TIME-WAIT, so the average is shorter.
        """
        whole = self.pool.blocked(self.service)
        buckets = self.pool.buckets
        if buckets is None or not whole:
            return whole
        opened = min(self.rate, self._lasting(whole))
        return min(whole, Fraction(buckets) / opened)

    @property
    def lasting_rate(self) -> Fraction | None:
        """The largest rate that lasts, in connections per second; None where no port is ever blocked."""
        whole = self.pool.blocked(self.service)
        if not self.useful + whole:
            return None
        return self._lasting(whole)

    def _lasting(self, whole: Fraction) -> Fraction:
        """The lasting rate where TIME-WAIT blocks a port so long, or as long as the limit of sockets allows."""
        rate = self.pool.size / (self.useful + whole) if self.useful + whole else self.rate
        buckets = self.pool.buckets
        if buckets is None or not whole or rate * whole <= buckets:
            return rate
        return Fraction(self.pool.size - buckets) / self.useful if self.useful else max(self.rate, rate)

    @property
    def lasts(self) -> bool:
        """Whether the load can go on for ever without a refused connection."""
        return self.lasting_rate is None or self.rate <= self.lasting_rate

    @property
    def runs_out(self) -> Fraction | None:
        """Seconds from a cold start to the first refused connection; None if none is ever refused."""
        if self.lasts or not self.rate:
            return None
        return self.pool.size / self.rate

    @property
    def refused_share(self) -> Fraction:
        """The share of connections refused in the steady state."""
        if self.lasts or self.lasting_rate is None:
            return Fraction(0)
        return 1 - self.lasting_rate / self.rate

    @property
    def opened(self) -> Fraction:
        """Connections opened per second in the steady state."""
        return self.rate if self.lasting_rate is None else min(self.rate, self.lasting_rate)

    @property
    def in_use(self) -> Fraction:
        """Open connections in the steady state, on average."""
        return self.opened * self.useful

    @property
    def waiting(self) -> Fraction:
        """Connections in TIME-WAIT in the steady state, on average, at the end that closes first.

        Where connect() takes ports in TIME-WAIT, it takes the one that has waited longest, so TIME-WAIT lasts until all
        other ports have been used.
        """
        longest = self.opened * self.service.time_wait
        if self.pool.reuses and self.pool.blocked(self.service):
            longest = min(longest, self.pool.size - self.in_use)
        return longest if self.pool.buckets is None else min(longest, Fraction(self.pool.buckets))

    @property
    def memory(self) -> Fraction:
        """Memory of the connections in TIME-WAIT, in octets."""
        return self.waiting * SOCKET_OCTETS
