"""The settings of a stack: the choices that a stack makes when it closes a connection.

Each setting is declared once, as a field of `Durations` or `Behaviour`. Everything else is derived from `SETTINGS`: the
reader of profiles, the overrides, the options of commands, the JSON, the reference page and the values that
`timewait.spec.setting_dependence` tries.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from timewait.spec.durations import DURATIONS
from timewait.spec.reopening import AnswerIsn, Paws, SynRule
from timewait.spec.setting import InProfile, Setting, declared, setting


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


class DroppedAck(StrEnum):
    """The segments whose ACK field counts although the first step drops them."""

    NEVER = "never"
    """None (RFC 9293 3.10.7.4 first step)."""
    LAST = "last"
    """Those that end exactly at RCV.NXT; if the ACK field ends CLOSING, nothing is sent (Linux)."""
    OLD = "old"
    """All below RCV.NXT (BSD, which trims them and goes on)."""
    ANY = "any"
    """All, whatever their numbers (lwIP)."""


class AnswerLimit(StrEnum):
    """The segments whose acknowledgement a limit on answers may suppress (RFC 5961 7)."""

    NONE = "none"
    """None: each is answered."""
    EMPTY = "empty"
    """Those without text and FIN, and challenge ACKs (Linux: one answer in 500 ms)."""
    ANY = "any"
    """All that the first step drops, a retransmitted FIN too, and challenge ACKs (smoltcp: one answer a second)."""


def _limited(state: str, name: str) -> Mapping[str, Setting]:
    """The metadata of whether a state has a limit."""
    return setting(f"whether {state} ends after a time", "no standard: waitclose timers and their kin", follows=name)


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
            help="What TIME_WAIT answers: any, none, or some of fin, unacceptable, ack, beyond, syn with commas.",
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
            "whether a RST answers new text that arrives after the user has abandoned the connection",
            "RFC 9293 3.6.1 SHLD-3",
            option="--late-data-reset",
            help="A RST answers text that an orphan receives.",
            profile=InProfile.REQUIRED,
            matters_with="abandons",
            json="late_data_reset",
        ),
    )
    late_fin_reset: bool = field(
        default=False,
        metadata=setting(
            "whether a RST answers a FIN beyond RCV.NXT that arrives after the user has abandoned the connection",
            "no standard: Linux tcp_rcv_state_process",
            option="--late-fin-reset",
            help="A RST answers a FIN beyond RCV.NXT that an orphan receives.",
            profile=InProfile.ASSUMED,
            matters_with="abandons",
            json="late_fin_reset",
        ),
    )
    minimal_fin_wait_2: bool = field(
        default=False,
        metadata=setting(
            "whether FIN-WAIT-2 of an abandoned connection keeps only a minimal socket: any RST in the window ends it, a RST"
            " outside is acknowledged, and a RST answers a SYN in the window",
            "no standard: Linux tcp_timewait_state_process",
            option="--minimal-fin-wait-2",
            help="FIN_WAIT_2 of an orphan is a minimal socket, as in Linux.",
            profile=InProfile.ASSUMED,
            matters_with="abandons",
            json="minimal_fin_wait_2",
        ),
    )
    clock_before_close: bool = field(
        default=False,
        metadata=setting(
            "whether the clocks of TIME-WAIT and of limited states count from the last segment before CLOSE, if the user then"
            " abandons the connection",
            "no standard: lwIP tcp_slowtmr",
            option="--clock-before-close",
            help="TIME_WAIT of an orphan counts from the last segment before CLOSE, as in lwIP; see --idle-before-close.",
            profile=InProfile.ASSUMED,
            matters_with="abandons",
            json="clock_before_close",
        ),
    )
    time_wait_cut: bool = field(
        default=False,
        metadata=setting(
            "whether TIME-WAIT may end at any time: a full table leaves it out or drops the oldest",
            "no standard: tcp_max_tw_buckets and its kin",
            option="--time-wait-cut",
            help="TIME_WAIT may be cut short, as by a full table.",
            json="time_wait_cut",
        ),
    )
    dropped_ack: DroppedAck = field(
        default=DroppedAck.NEVER,
        metadata=setting(
            "which segments outside the window still have an ACK field that counts",
            "RFC 9293 3.10.7.4 first step",
            option="--dropped-ack",
            takes="never, last, old or any",
            help="Which segments outside the window still have an ACK field that counts.",
            profile=InProfile.ASSUMED,
            json="dropped_ack",
        ),
    )
    reset_at_fin: bool = field(
        default=False,
        metadata=setting(
            "whether a RST with the number of the FIN that was accepted, RCV.NXT - 1, ends the connection",
            "no standard: Linux tcp_reset_check",
            option="--reset-at-fin",
            help="A RST at RCV.NXT - 1 ends a connection that has accepted a FIN.",
            profile=InProfile.ASSUMED,
            json="reset_at_fin",
        ),
    )
    challenges_reset: bool = field(
        default=True,
        metadata=setting(
            "whether a challenge ACK answers a RST in TIME-WAIT that is in the window but not at RCV.NXT",
            "RFC 9293 3.10.7.4 second step",
            option="--challenge-reset",
            help="TIME_WAIT answers a RST in the window but not at RCV.NXT.",
            profile=InProfile.ASSUMED,
            matters_with="time_wait",
            json="challenges_reset",
        ),
    )
    half_close: bool = field(
        default=True,
        metadata=setting(
            "whether a user may still send after the FIN of the peer; if not, FIN,ACK answers the FIN at once",
            "RFC 9293 3.6",
            option="--half-close",
            help="A FIN leads to CLOSE_WAIT; if not, FIN,ACK answers it at once.",
            profile=InProfile.ASSUMED,
            json="half_close",
        ),
    )
    keeps_out_of_order: bool = field(
        default=False,
        metadata=setting(
            "whether text and FINs beyond RCV.NXT are kept until what precedes them has arrived",
            "RFC 9293 3.10.7.4 SHLD-31",
            option="--keep-out-of-order",
            help="Text and FINs that arrive out of order are kept.",
            json="keeps_out_of_order",
        ),
    )
    answer_limit: AnswerLimit = field(
        default=AnswerLimit.NONE,
        metadata=setting(
            "which segments a limit on answers may leave without an answer",
            "RFC 5961 7",
            option="--answer-limit",
            takes="none, empty or any",
            help="Which segments may stay unanswered because the stack limits its answers.",
            json="answer_limit",
        ),
    )
    unread: bool = field(
        default=False,
        metadata=setting(
            "whether the users call CLOSE before they have read the text that has arrived",
            "RFC 9293 3.6.1",
            option="--unread",
            help="The users do not read before they call CLOSE.",
            json="unread",
        ),
    )
    unread_reset: bool = field(
        default=True,
        metadata=setting(
            "whether CLOSE sends a RST instead of a FIN if there is unread text",
            "RFC 9293 3.6.1 SHLD-3",
            option="--unread-reset",
            help="CLOSE with unread text sends a RST.",
            profile=InProfile.ASSUMED,
            matters_with="unread",
            json="unread_reset",
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
    retries_reset: bool = field(
        default=False,
        metadata=setting(
            "whether an end that gives up retransmitting sends a RST",
            "RFC 9293 3.8.3",
            option="--retries-reset",
            help="An end that gives up retransmitting sends a RST.",
            profile=InProfile.ASSUMED,
            matters_with="retries",
            json="retries_reset",
        ),
    )
    fin_wait_1: bool = field(default=False, metadata=_limited("FIN-WAIT-1", "fin_wait_1"))
    close_wait: bool = field(default=False, metadata=_limited("CLOSE-WAIT", "close_wait"))
    closing: bool = field(default=False, metadata=_limited("CLOSING", "closing"))
    last_ack: bool = field(default=False, metadata=_limited("LAST-ACK", "last_ack"))
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


@dataclass(frozen=True, slots=True, kw_only=True)
class NextSettings:
    """What a stack does with the next incarnation, where it opens by a handshake. `REUSE` describes each field."""

    syn: SynRule = field(
        default=SynRule.NEVER,
        metadata=setting(
            "which SYN ends TIME-WAIT and opens the next connection",
            "RFC 9293 3.6.1 MAY-2, RFC 6191",
            option="--syn",
            takes="RULE, for instance --syn above",
            help="With --early: the SYN that ends TIME_WAIT. [default: the stack's]",
            profile=InProfile.ASSUMED,
            matters_with="early",
        ),
    )
    isn: AnswerIsn = field(
        default=AnswerIsn.ABOVE,
        metadata=setting(
            "which ISN an end has that a SYN opens in TIME-WAIT",
            "RFC 9293 3.6.1 MAY-2, first condition",
            option="--isn",
            takes="RULE, for instance --isn any",
            help="With --syn: the ISN of the end that a SYN opens. [default: the stack's]",
            profile=InProfile.ASSUMED,
            matters_with="syn",
        ),
    )
    returns: bool = field(
        default=True,
        metadata=setting(
            "whether an end returns to TIME-WAIT if the SYN that ended it proves old",
            "RFC 9293 3.6.1 MAY-2, second condition",
            option="--returns",
            help="With --old-syn: TIME_WAIT goes on once a RST shows that the SYN was old. [default: the stack's]",
            profile=InProfile.ASSUMED,
            matters_with="old_syn",
        ),
    )
    ack_first: bool = field(
        default=False,
        metadata=setting(
            "whether SYN-RECEIVED, after LISTEN, looks at the ACK of a segment before its number and timestamp",
            "no standard: Linux tcp_check_req",
            option="--ack-first",
            help="Handshake: SYN_RECEIVED looks at an ACK before the number of its segment. [default: the stack's]",
            profile=InProfile.ASSUMED,
            matters_with="kind",
        ),
    )
    paws: Paws = field(
        default=Paws.RFC_7323,
        metadata=setting(
            "which old segments the check of timestamps lets through",
            "RFC 7323 5.3",
            option="--paws",
            takes="RULE, for instance --paws linux",
            help="Handshake: the rule that checks timestamps. [default: the stack's]",
            profile=InProfile.ASSUMED,
            matters_with="timestamps",
        ),
    )


BEHAVIOUR = declared(Behaviour)
"""Everything that an endpoint reads, by name; the settings that follow from a duration among them."""
REUSE = declared(NextSettings)
"""What matters to the next incarnation alone, by name."""
SETTINGS = DURATIONS | {name: entry for name, entry in BEHAVIOUR.items() if not entry.follows} | REUSE
"""Every setting that a profile or an override states, by name."""
PROFILE_KEYS = tuple(name for name, entry in SETTINGS.items() if entry.profile is not InProfile.ABSENT)
"""The keys of a profile that carry a value and its source."""
