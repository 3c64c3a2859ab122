"""A prediction and a simulation in words and as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from timewait.capacity.ports import SOCKET_OCTETS, Closer, PortPool, Reuse, Service
from timewait.capacity.prediction import Prediction
from timewait.capacity.simulation import Timeline
from timewait.narration.prose import counted, short_duration
from timewait.spec.duration import format_duration

KILO, HUNDRED = 1000, 100


def question_in_words(prediction: Prediction) -> str:
    """The load and the ports in one line."""
    pool, service = prediction.pool, prediction.service
    parts = [
        f"{connections_in_words(rate_in_words(prediction.rate))}, each {_lasting(service.service_time)}",
        f"TIME_WAIT {format_duration(service.time_wait)} at the {service.closer}",
        f"{counted(pool.ports, 'port')}, {counted(pool.addresses, 'address', 'addresses')}",
        counted(pool.destinations, "destination"),
        reuse_in_words(pool, service),
    ]
    if pool.buckets is not None:
        parts.append(f"at most {pool.buckets:,} connections in TIME_WAIT")
    return ", ".join(parts)


def _lasting(service_time: Fraction) -> str:
    """How long a connection lasts."""
    return f"for {format_duration(service_time)}" if service_time else "closed as soon as it is open"


def reuse_in_words(pool: PortPool, service: Service) -> str:
    """The rule for a port in TIME_WAIT, as far as it applies."""
    if service.closer is Closer.SERVER:
        return "no TIME_WAIT at the client"
    if pool.reuse is Reuse.OFF:
        return "no reuse of a port in TIME_WAIT"
    if not pool.timestamps:
        return "no reuse of a port in TIME_WAIT without timestamps"
    if not pool.reuses:
        return "no reuse of a port in TIME_WAIT, as the destination is not on loopback"
    return f"reuse of a port after {format_duration(pool.reuse_delay)} of TIME_WAIT"


def rate_in_words(rate: Fraction) -> str:
    """A number per second, never more than it is: whole from 100 on, else to three digits."""
    return f"{int(rate):,}" if rate >= HUNDRED or rate.denominator == 1 else f"{float(rate):.3g}"


def connections_in_words(rate: str) -> str:
    """A rate in words with its noun."""
    return f"{rate} {'connection' if rate == '1' else 'connections'} per second"


def facts(prediction: Prediction) -> Iterator[tuple[str, str]]:
    """The prediction as a table: a heading and a value for each row."""
    lasting = prediction.lasting_rate
    if prediction.runs_out is None:
        yield "ports run out", "never at this rate"
    else:
        yield (
            "ports run out",
            f"{short_duration(prediction.runs_out)} after a cold start; then connect() fails with EADDRNOTAVAIL",
        )
    yield "lasting rate", "no limit by ports" if lasting is None else connections_in_words(rate_in_words(lasting))
    if prediction.refused_share:
        yield "refused in the steady state", f"{float(prediction.refused_share):.1%} of the connections"
        yield "to refuse none", remedies_in_words(prediction)
    yield "open in the steady state", f"{round(prediction.in_use):,}"
    where = f"at the {prediction.service.closer}"
    yield "in TIME_WAIT in the steady state", f"{round(prediction.waiting):,} {where}, {memory_in_words(prediction.memory)}"
    yield "a port is in use, then blocked", useful_in_words(prediction)


def memory_in_words(octets: Fraction) -> str:
    """An amount of memory."""
    if octets >= KILO**2:
        return f"{float(octets / KILO**2):.1f} MB"
    return f"{float(octets / KILO):.1f} kB"


def useful_in_words(prediction: Prediction) -> str:
    """The time for which a port works against the time for which it is blocked."""
    useful, blocked = prediction.useful, prediction.blocked
    if not blocked:
        return "no port is blocked"
    if not useful:
        return f"for no time, then for {short_duration(blocked)}"
    lengths = f"for {short_duration(useful)}, then for {short_duration(blocked)}"
    longer = "as long" if blocked == useful else f"{float(blocked / useful):.3g} times as long"
    return f"{lengths}, which is {longer}"


def needed(prediction: Prediction) -> int:
    """How many combinations of ports, addresses and destinations the rate needs."""
    whole = prediction.useful + prediction.pool.blocked(prediction.service)
    return math.ceil(prediction.rate * whole)


def remedies_in_words(prediction: Prediction) -> str:
    """What would make the rate last: more combinations, or a shorter time in TIME_WAIT."""
    pool, rate = prediction.pool, prediction.rate
    times = math.ceil(Fraction(needed(prediction), pool.size))
    longest = pool.size / rate - prediction.useful
    shorter = f", or ports that are blocked for {short_duration(longest)} at most" if longest > 0 else ""
    return f"{times} times as many addresses or destinations{shorter}"


def as_data(prediction: Prediction, timeline: Timeline) -> dict[str, Any]:
    """Everything as plain data; times in seconds, memory in octets."""
    pool, service = prediction.pool, prediction.service
    return {
        "load": {"rate": float(prediction.rate), "service_time": float(service.service_time)},
        "time_wait": float(service.time_wait),
        "closer": str(service.closer),
        "pool": {
            "ports": pool.ports,
            "addresses": pool.addresses,
            "destinations": pool.destinations,
            "reuse": str(pool.reuse),
            "reuse_delay": float(pool.reuse_delay),
            "timestamps": pool.timestamps,
            "loopback": pool.loopback,
            "buckets": pool.buckets,
        },
        "reuse_applies": pool.reuses,
        "runs_out_after": None if prediction.runs_out is None else float(prediction.runs_out),
        "lasting_rate": None if prediction.lasting_rate is None else float(prediction.lasting_rate),
        "refused_share": float(prediction.refused_share),
        "open": float(prediction.in_use),
        "in_time_wait": float(prediction.waiting),
        "memory": float(prediction.memory),
        "memory_of_one": SOCKET_OCTETS,
        "useful_time": float(prediction.useful),
        "blocked_time": float(prediction.blocked),
        "needed": needed(prediction),
        "simulated": {
            "opened": timeline.opened,
            "refused": timeline.refused,
            "first_refused": None if timeline.first_refused is None else float(timeline.first_refused),
            "without_time_wait": timeline.without_time_wait,
            "timeline": [{**sample._asdict(), "time": float(sample.time)} for sample in timeline.samples],
        },
    }
