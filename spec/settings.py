"""The settings of a stack: the choices that a stack makes when it closes a connection.

Each setting is declared once, as a field of `Durations` or `Behaviour`. Everything else is derived from `SETTINGS`: the
reader of profiles, the overrides, the options of commands, the JSON, the reference page and the values that
`timewait.spec.setting_dependence` tries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum
from fractions import Fraction
from typing import Any, get_args, get_type_hints


class Arrival(StrEnum):
    """The classes of segments other than RST that may arrive in TIME-WAIT."""

    FIN = "fin"
    """A further copy of the FIN of the peer, retransmitted or duplicated by the network."""
    UNACCEPTABLE = "unacceptable"
    """Any other segment outside the window: old text, an old acknowledgement, an old SYN,ACK (3.10.7.4 first step)."""
    ACK = "ack"
    """A bare acknowledgement at RCV.NXT (3.10.7.4 fifth step)."""
    BEYOND = "beyond"
    """Any other segment inside the window: beyond the FIN of the peer, so no peer sends it (3.10.7.4 fifth step)."""
    SYN = "syn"
    """A request to open the connection again: a SYN without ACK."""


EVERY_ARRIVAL = frozenset(Arrival)
STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})


class ResetRule(StrEnum):
    """Which RST ends TIME-WAIT."""

    IGNORE = "ignore"
    """None: RFC 1337, fix F1."""
    EXACT = "exact"
    """Only a RST whose sequence number is exactly RCV.NXT (RFC 9293 3.10.7.4 second step, RFC 5961)."""
    WINDOW = "window"
    """Any RST inside the window (RFC 793)."""
    ANY = "any"
    """Any RST."""


class InProfile(StrEnum):
    """The role of a setting in profiles, and the treatment of a value that a profile leaves out."""

    ABSENT = "absent"
    """A profile has no such key; the setting keeps its default unless it is overridden."""
    REQUIRED = "required"
    """An unknown value that matters is an error, which names the option that supplies it."""
    ASSUMED = "assumed"
    """An unknown value that matters is replaced by the default, and a note says so."""
    REPORTED = "reported"
    """The value is shown, but only an override is used."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting.

    Attributes
    ----------
    meaning : str
        The meaning, as an indirect question.
    section : str
        The section of the standard, or the name of the mechanism.
    option : str
        The option that overrides it; empty if there is none. The option of a bool negates the default.
    takes : str
        The argument of the option, for error messages.
    help : str
        The help text of the option.
    profile : InProfile
        Its role in profiles.
    matters_with : str
        The setting that must be on for this one to matter; empty if this one always matters.
    follows : str
        The setting of `Durations` from which this one is computed; empty if it is stated by itself.
    alike : str
        The setting whose value the word ``answered`` stands for.
    in_msl : bool
        Whether a profile may state it as a multiple of MSL.
    json : str
        Its name among the parameters in the JSON of a verdict; empty if it is not among them.
    name : str
        The name of the field, which is also its key in a profile.
    default : object
        The default of the field; None stands for no limit, or for unknown.
    kind : type
        The type of a known value: Fraction (seconds), bool, int, frozenset (of `Arrival`) or `ResetRule`.
    """

    meaning: str
    section: str
    option: str = ""
    takes: str = ""
    help: str = ""
    profile: InProfile = InProfile.ABSENT
    matters_with: str = ""
    follows: str = ""
    alike: str = ""
    in_msl: bool = False
    json: str = ""
    name: str = ""
    default: Any = None
    kind: type[Any] = object

    @property
    def keyword(self) -> str:
        """The name of its option as a keyword."""
        return self.option.removeprefix("--").replace("-", "_")

    @property
    def choices(self) -> tuple[str, ...]:
        """The values of a setting whose kind is an enumeration."""
        return tuple(str(member) for member in self.kind)

    @property
    def supplied_by(self) -> str:
        """The option that supplies a value, with what it takes."""
        return f"{self.option} {self.takes}".strip()


def setting(meaning: str, section: str, **about: Any) -> Mapping[str, Setting]:
    """The metadata of a field that is a setting; `about` holds further attributes of `Setting`."""
    return {"setting": Setting(meaning, section, **about)}


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
    fin_wait_2: Fraction | None = field(
        default=None,
        metadata=setting(
            "how long FIN-WAIT-2 lasts",
            "no standard: tcp_fin_timeout and its kin",
            option="--fin-wait-2",
            takes="TIME, for instance --fin-wait-2 60s",
            help="FIN_WAIT_2 timeout of an orphan.",
            profile=InProfile.ASSUMED,
            matters_with="abandons",
        ),
    )


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The behaviour of an endpoint where stacks differ. `BEHAVIOUR` describes each field."""

    time_wait: bool = field(
        default=True,
        metadata=setting(
            "whether there is a TIME-WAIT; if not, the connection is forgotten with its last acknowledgement",
            "RFC 9293 3.3.2",
            follows="time_wait",
            json="time_wait_state",
        ),
    )
    answers: frozenset[Arrival] = field(
        default=STEP_ONE,
        metadata=setting(
            "what TIME-WAIT answers",
            "RFC 9293 3.10.7.4",
            option="--answers",
            takes="fin,unacceptable,ack,beyond,syn or some of these",
            help="What TIME_WAIT answers: some of fin,unacceptable,ack,beyond,syn, or any, none.",
            profile=InProfile.REQUIRED,
            matters_with="time_wait",
            json="answers",
        ),
    )
    restarts: frozenset[Arrival] = field(
        default=STEP_ONE,
        metadata=setting(
            "what restarts TIME-WAIT",
            "RFC 9293 3.10.7.4 fifth and eighth step",
            option="--restarts",
            takes="fin,unacceptable,ack,beyond,syn or some of these, or answered, any, none",
            help="What restarts the TIME_WAIT timer: the same words, or answered (whatever is answered).",
            profile=InProfile.REQUIRED,
            matters_with="time_wait",
            alike="answers",
            json="restarts",
        ),
    )
    reset: ResetRule = field(
        default=ResetRule.IGNORE,
        metadata=setting(
            "which RST ends TIME-WAIT",
            "RFC 9293 3.10.7.4 second step; RFC 1337",
            option="--rst",
            takes="ignore, exact, window or any",
            help="Which RST ends TIME_WAIT.",
            profile=InProfile.REQUIRED,
            matters_with="time_wait",
            json="rst",
        ),
    )
    fin_wait_2: bool = field(
        default=False,
        metadata=setting(
            "whether FIN-WAIT-2 of a connection that its user has abandoned ends after a time",
            "no standard: tcp_fin_timeout and its kin",
            follows="fin_wait_2",
        ),
    )
    late_data_reset: bool = field(
        default=False,
        metadata=setting(
            "whether a RST answers text that arrives after the user has abandoned the connection",
            "RFC 9293 3.6.1 SHLD-3",
            profile=InProfile.ASSUMED,
            matters_with="abandons",
        ),
    )
    linger_zero: bool = field(
        default=False,
        metadata=setting(
            "whether CLOSE aborts, with a RST instead of a FIN",
            "SO_LINGER {1,0}",
            option="--linger-zero",
            help="CLOSE aborts, as with SO_LINGER {1,0}.",
            json="linger_zero",
        ),
    )
    retries: int | None = field(
        default=None,
        metadata=setting(
            "how often one segment is retransmitted before the connection is dropped (R2)",
            "RFC 9293 3.8.3",
            option="--retries",
            help="Retransmissions of one segment before giving up. [default: no limit]",
            profile=InProfile.REPORTED,
            json="retries",
        ),
    )
    backoff: int = field(
        default=1,
        metadata=setting(
            "how many steps the retransmission schedule has; the last one repeats",
            "RFC 6298 5.5",
            follows="rto_max",
        ),
    )
    acks_restart_rto: bool = field(
        default=True,
        metadata=setting(
            "whether an acknowledgement of something new restarts the retransmission timer; if not, outstanding segments are"
            " retransmitted within RTO of the last transmission",
            "RFC 6298 5.3",
            option="--rto-runs-on",
            help="Acknowledgements do not restart the retransmission timer (RFC 6298 5.3 says they do).",
            json="acks_restart_rto",
        ),
    )
    abandons: bool = field(
        default=False,
        metadata=setting(
            "whether the user who closes also stops reading: close() rather than shutdown()",
            "RFC 9293 3.6.1",
            option="--orphan",
            help="The user who closes reads no more: FIN_WAIT_2 timeouts then apply.",
        ),
    )


def _declared(owner: type) -> dict[str, Setting]:
    hints = get_type_hints(owner)
    found = {}
    for entry in fields(owner):
        kind = get_args(hints[entry.name])[0] if entry.default is None else type(entry.default)
        found[entry.name] = replace(entry.metadata["setting"], name=entry.name, default=entry.default, kind=kind)
    return found


DURATIONS = _declared(Durations)
"""The settings that are lengths of time, by name."""
BEHAVIOUR = _declared(Behaviour)
"""Everything that an endpoint reads, by name; the settings that follow from a duration among them."""
SETTINGS = DURATIONS | {name: entry for name, entry in BEHAVIOUR.items() if not entry.follows}
"""Every setting that a profile or an override states, by name."""
PROFILE_KEYS = tuple(name for name, entry in SETTINGS.items() if entry.profile is not InProfile.ABSENT)
"""The keys of a profile that carry a value and its source."""
