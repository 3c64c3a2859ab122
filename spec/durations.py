"""The durations among the settings of a stack: MSL, TIME-WAIT, the retransmission schedule, the limits of states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from timewait.spec.setting import InProfile, Setting, declared, setting


class NoLimit(StrEnum):
    """The value of a duration that is known to have no limit."""

    NONE = "none"


def _state_limit(state: str) -> Mapping[str, Setting]:
    """The metadata of the limit of a state that has none in the standard."""
    option = f"--{state.lower()}"
    return setting(
        f"how long {state} lasts at most",
        "no standard: waitclose timers and their kin",
        option=option,
        takes=f"TIME or none, for instance {option} 60s",
        help=f"Limit of {state.replace('-', '_')}, or none.",
        profile=InProfile.ASSUMED,
        in_msl=True,
        may_lack_limit=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Durations in seconds; None if unknown. `DURATIONS` describes each field."""

    msl: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long a segment may live",
            "RFC 9293 3.4.2",
            option="--msl",
            takes="TIME, for instance --msl 30s",
            help="Maximum segment lifetime, for instance 30s.",
            profile=InProfile.REQUIRED,
        ),
    )
    time_wait: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long TIME-WAIT lasts",
            "RFC 9293 3.6.1 MUST-13",
            option="--time-wait",
            takes="TIME, for instance --time-wait 60s",
            help="TIME_WAIT. [default: the stack's]",
            profile=InProfile.REQUIRED,
            in_msl=True,
        ),
    )
    rto_min: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long a retransmission takes at least",
            "RFC 6298 2.4",
            profile=InProfile.REPORTED,
        ),
    )
    rto_max: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long a retransmission may take",
            "RFC 6298 2.5",
            option="--rto",
            takes="TIME, for instance --rto 60s",
            help="Longest gap between transmissions; several with commas are a back-off schedule.",
            profile=InProfile.REQUIRED,
            in_msl=True,
        ),
    )
    retry_time: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long a segment is retransmitted, from its first retransmission on, before the connection is dropped",
            "RFC 9293 3.8.3: R2 as a time",
            profile=InProfile.REPORTED,
        ),
    )
    fin_wait_2: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long FIN-WAIT-2 lasts",
            "no standard: tcp_fin_timeout and its kin",
            option="--fin-wait-2",
            takes="TIME or none, for instance --fin-wait-2 60s",
            help="FIN_WAIT_2 timeout of an orphan, or none.",
            profile=InProfile.REQUIRED,
            matters_with="abandons",
            may_lack_limit=True,
        ),
    )
    fin_wait_1: Fraction | None = field(default=None, metadata=_state_limit("FIN-WAIT-1"))
    close_wait: Fraction | None = field(default=None, metadata=_state_limit("CLOSE-WAIT"))
    closing: Fraction | None = field(default=None, metadata=_state_limit("CLOSING"))
    last_ack: Fraction | None = field(default=None, metadata=_state_limit("LAST-ACK"))
    idle_before_close: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long before a state begins its clock may have started, where it counts from the last segment before CLOSE",
            "no standard: lwIP",
            option="--idle-before-close",
            takes="TIME, for instance --idle-before-close 110s",
            help="How long before TIME_WAIT the last segment counted may have come, with --clock-before-close. [default: any]",
        ),
    )


DURATIONS = declared(Durations)
"""The settings that are lengths of time, by name."""
STATE_LIMITS = ("fin_wait_1", "close_wait", "closing", "last_ack")
"""The limits of states that have none in the standard, by the name of the setting; the state is the name in capitals."""
