"""The abstractions of the specification: what stacks do and it leaves out, and the properties whose verdict could change.

This is the only list. A reader of a verdict asks `abstractions_of` for those that could change it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from timewait.spec.configuration import Configuration
from timewait.spec.settings import AnswerLimit

EVERY_STACK = ("every stack",)
"""The value of `Abstraction.stacks` for what every stack does."""


def _always(configuration: Configuration) -> bool:
    del configuration
    return True


@dataclass(frozen=True, slots=True)
class Abstraction:
    """One abstraction.

    Attributes
    ----------
    name : str
        Its name, in lower case with hyphens.
    left_out : str
        What the specification leaves out, as a clause without a full stop.
    stacks : tuple of str
        The profiles of the stacks that do it, or `EVERY_STACK`.
    properties : tuple of str
        The properties of `timewait.spec.properties` whose verdict could change.
    otherwise : str
        What could change, as a clause without a full stop.
    source : str
        The section of the standard, or the file of a stack.
    applies : callable
        Whether it could change a verdict about a configuration.
    option : str
        The option that puts it into the model; empty if there is none.
    """

    name: str
    left_out: str
    stacks: tuple[str, ...]
    properties: tuple[str, ...]
    otherwise: str
    source: str
    applies: Callable[[Configuration], bool] = lambda _: True
    option: str = ""


def _text(configuration: Configuration) -> bool:
    return any(configuration.text)


def _text_both(configuration: Configuration) -> bool:
    return all(configuration.text)


def _late_text(configuration: Configuration) -> bool:
    return _text(configuration) and configuration.behaviour.abandons


def _time_wait(configuration: Configuration) -> bool:
    return configuration.behaviour.time_wait


def _drops_out_of_order(configuration: Configuration) -> bool:
    return _text(configuration) and not configuration.behaviour.keeps_out_of_order


def _answers_all(configuration: Configuration) -> bool:
    return configuration.behaviour.answer_limit is AnswerLimit.NONE


def _keeps_time_wait(configuration: Configuration) -> bool:
    return configuration.behaviour.time_wait and not configuration.behaviour.time_wait_cut


def _reads(configuration: Configuration) -> bool:
    return _text(configuration) and not configuration.behaviour.unread


def _backs_off_with_text(configuration: Configuration) -> bool:
    return _text(configuration) and configuration.rto_exact and len(configuration.rto) > 1


def _no_retry_limit(configuration: Configuration) -> bool:
    return configuration.behaviour.retries is None


def _handshake(configuration: Configuration) -> bool:
    return configuration.reopening.handshake


def _timestamps(configuration: Configuration) -> bool:
    return configuration.reopening.handshake and any(configuration.reopening.timestamps)


def _old_syn(configuration: Configuration) -> bool:
    return configuration.reopening.old_syn


ABSTRACTIONS: dict[str, Abstraction] = {
    entry.name: entry
    for entry in (
        Abstraction(
            "retry-limit",
            "the limit on retransmissions, after which a stack drops the connection",
            EVERY_STACK,
            ("graceful", "integrity", "closes", "no-stray-reset"),
            "an end that gives up closes without the acknowledgement of its text or FIN",
            "RFC 9293 3.8.3",
            _no_retry_limit,
            "--retries",
        ),
        Abstraction(
            "karn",
            "that an RTO backed off for retransmitted text lasts until a round trip is measured (Karn): here the schedule begins"
            " again with each acknowledgement of something new",
            EVERY_STACK,
            ("graceful", "closes", "no-stray-reset"),
            "a FIN after retransmitted text is retransmitted later than the schedule says",
            "RFC 6298 3, 5.7",
            _backs_off_with_text,
        ),
        Abstraction(
            "reading",
            "the time at which a user reads: acknowledged text counts as read",
            EVERY_STACK,
            ("integrity",),
            "text that was acknowledged and not read is lost if the user never reads it",
            "RFC 9293 3.6.1",
            _text,
        ),
        Abstraction(
            "delayed-ack",
            "the delay of acknowledgements, up to 500 ms: an endpoint acknowledges at once",
            EVERY_STACK,
            ("graceful", "isolation"),
            "each delay adds to the least safe TIME_WAIT as a longer MSL does",
            "RFC 9293 3.8.6.3 MUST-40",
        ),
        Abstraction(
            "window",
            "flow control: the window is constant, larger than all text, never zero; only text at SND.UNA is retransmitted",
            EVERY_STACK,
            ("integrity", "closes"),
            "a user that does not read stops the peer before its FIN",
            "RFC 9293 3.8.6",
            _text,
        ),
        Abstraction(
            "text-with-fin",
            "segments that carry text and a FIN, or several segments of text joined in a retransmission",
            EVERY_STACK,
            ("graceful", "isolation", "integrity"),
            "fewer retransmissions are needed than one for each octet",
            "RFC 9293 3.7",
            _text,
        ),
        Abstraction(
            "out-of-order",
            "the queue of text and FINs that arrive out of order: they are dropped and must be retransmitted",
            EVERY_STACK,
            ("graceful", "isolation", "integrity"),
            "a FIN that arrives before the text it follows leads to TIME-WAIT as soon as the text has arrived",
            "RFC 9293 3.10.7.4 SHLD-31",
            _drops_out_of_order,
            "--keep-out-of-order",
        ),
        Abstraction(
            "answer-limit",
            "the limit on answers: two segments that call for an acknowledgement within 500 ms (Linux) or a second (smoltcp)"
            " may get one",
            ("linux", "freebsd", "smoltcp"),
            ("graceful", "closes", "quiet"),
            "answers are missing beyond the loss budget",
            "RFC 5961 7",
            _answers_all,
            "--answer-limit",
        ),
        Abstraction(
            "full-table",
            "a full table of connections, which leaves TIME-WAIT out or drops the oldest",
            ("linux", "lwip", "uip"),
            ("graceful", "isolation", "time-wait-kept"),
            "TIME-WAIT may end at any time",
            "no standard: tcp_max_tw_buckets and its kin",
            _keeps_time_wait,
            "--time-wait-cut",
        ),
        Abstraction(
            "local-connections",
            "that a connection between two addresses of one machine gets no TIME-WAIT",
            ("freebsd",),
            ("graceful", "isolation"),
            "TIME-WAIT is left out, as with --time-wait 0s",
            "nolocaltimewait, sys/netinet/tcp_timewait.c",
            _keeps_time_wait,
        ),
        Abstraction(
            "unread-text",
            "users who call CLOSE before they have read",
            EVERY_STACK,
            ("graceful", "integrity"),
            "CLOSE sends a RST instead of a FIN",
            "RFC 9293 3.6.1 SHLD-3",
            _reads,
            "--unread",
        ),
        Abstraction(
            "lwip-fin-number",
            "that lwIP answers a FIN in TIME-WAIT and restarts its timer whatever the number of the FIN",
            ("lwip",),
            ("fin-restarts",),
            "nothing: no peer sends a FIN beyond its own",
            "tcp_timewait_input, src/core/tcp_in.c",
            _time_wait,
        ),
        Abstraction(
            "lwip-old-acks",
            "that lwIP leaves an old acknowledgement without text or FIN unanswered in TIME-WAIT",
            ("lwip",),
            ("no-stray-reset", "quiet"),
            "fewer answers reach a peer that is CLOSED, which sends fewer RSTs",
            "tcp_timewait_input, src/core/tcp_in.c",
            _time_wait,
        ),
        Abstraction(
            "lwip-late-text",
            "that the RST with which lwIP answers late text has the number SND.NXT, not SEG.ACK",
            ("lwip",),
            ("graceful", "no-stray-reset"),
            "a peer that has not received the FIN sends a challenge ACK, and a second RST ends its connection",
            "tcp_abandon, src/core/tcp.c",
            _late_text,
        ),
        Abstraction(
            "lwip-reset-ack",
            "that every RST of lwIP has the ACK bit and acknowledges the segment that it answers",
            ("lwip",),
            (),
            "nothing: in a synchronised state the ACK of a RST is ignored",
            "tcp_rst, src/core/tcp_out.c",
        ),
        Abstraction(
            "skipped-with-unsent-text",
            "that VPP skips TIME-WAIT if a FIN arrives while text is unsent",
            ("vpp",),
            ("graceful", "isolation"),
            "TIME-WAIT is left out, as with --time-wait 0s",
            "src/vnet/tcp/tcp_input.c",
            _text_both,
        ),
        Abstraction(
            "request-socket",
            "that SYN-RECEIVED of Linux repeats its SYN,ACK for a further SYN, and takes the SYN,ACK of a simultaneous open",
            ("linux",),
            ("undelayed",),
            "an old SYN gets a SYN,ACK where RFC 9293 acknowledges it, and ends of a simultaneous open wait for each other",
            "tcp_check_req, net/ipv4/tcp_minisocks.c; seen with `timewait replay` on Linux 6.18",
            _handshake,
        ),
        Abstraction(
            "echoed-timestamp",
            "that Linux looks at the echoed timestamp in SYN-SENT, and at the timestamp of a segment in order in TIME-WAIT, which"
            " an old SYN restarts, and that it does not answer an old bare acknowledgement with an old timestamp",
            ("linux",),
            ("old-reset", "undelayed"),
            "an old acceptable acknowledgement gets a RST, and an old one in TIME-WAIT an answer",
            "tcp_rcv_synsent_state_process, tcp_disordered_ack_check, net/ipv4/tcp_input.c; `timewait replay`, Linux 6.18",
            _timestamps,
        ),
        Abstraction(
            "equal-isn",
            "that an ISN of the next incarnation equals the number of the old SYN",
            EVERY_STACK,
            ("old-text", "old-fin", "old-reset", "old-ack", "undelayed"),
            "the old SYN and the new one could not be distinguished",
            "RFC 9293 3.4.1",
            _old_syn,
        ),
    )
}
"""Every abstraction, by name."""


def abstractions_of(configuration: Configuration, stack: str = "", properties: Collection[str] = ()) -> tuple[Abstraction, ...]:
    """The abstractions that could change a verdict.

    Parameters
    ----------
    configuration : Configuration
        The configuration of the verdict.
    stack : str
        The name of the profile; empty for those of every stack alone.
    properties : collection of str
        The properties decided; empty for every property.
    """
    return tuple(
        entry
        for entry in ABSTRACTIONS.values()
        if (entry.stacks == EVERY_STACK or stack in entry.stacks)
        and entry.applies(configuration)
        and (not properties or not set(properties).isdisjoint(entry.properties))
    )
