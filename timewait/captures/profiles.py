"""Stack profiles compared with what an end was observed to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from typing import NamedTuple

from timewait.captures.facts import ObservedClose
from timewait.captures.observations import ResetCause, Retransmission, StateLeft, TimeWaitAnswer
from timewait.narration.prose import rounded
from timewait.spec.exchange import ENDS
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import Stack
from timewait.spec.state import State

TOLERANCE = Fraction(11, 10)
"""Timers have coarse ticks: a measured time may exceed the stated one by a tenth."""

NOT_ALL_LOST = 2
"""RSTs to an end in TIME-WAIT of which one at least is taken to have arrived."""

LOSS_PROBES = frozenset({"linux", "freebsd", "gvisor", "windows", "macos"})
"""Stacks that may send a loss probe before the first timeout (RFC 8985): their first wait can be below the least timeout."""


class ShorterWait(NamedTuple):
    """A FIN-WAIT-2 that a host can be set to: its length in seconds, and the setting."""

    length: Fraction
    setting: str


SHORTER_FIN_WAIT_2 = {
    "freebsd": ShorterWait(Fraction(60), "net.inet.tcp.fast_finwait2_recycle = 1"),
}
"""Stacks of which a switch shortens FIN-WAIT-2, here to net.inet.tcp.finwait2_timeout (TCPTV_FINWAIT2_TIMEOUT, 60 s, in
sys/netinet/tcp_timer.h; tcp_do_segment in sys/netinet/tcp_input.c): a FIN-WAIT-2 that ended earlier than the profile says
fits them with that setting."""

SEGMENTS = {"fin": "a FIN", "ack": "a bare acknowledgement", "beyond": "a segment beyond the FIN", "syn": "a SYN"}


class ProfileFit(NamedTuple):
    """The profiles that fit one end.

    Attributes
    ----------
    end : str
        A or B.
    clues : tuple of str
        Its actions that tell stacks apart.
    fitting : tuple of Stack
        The profiles that nothing contradicts.
    excluded : tuple of (Stack, str)
        The others, each with the first contradiction.
    provided : tuple of (Stack, str)
        Of the fitting ones those that need a setting other than the profile's, and the setting.
    """

    end: str
    clues: tuple[str, ...]
    fitting: tuple[Stack, ...]
    excluded: tuple[tuple[Stack, str], ...]
    provided: tuple[tuple[Stack, str], ...] = ()


def fit_profiles(observed: ObservedClose, end: str, stacks: Iterable[Stack]) -> ProfileFit:
    """Compare one end with profiles."""
    contradictions = [(stack, next(_contradictions(observed, end, stack), None)) for stack in stacks]
    return ProfileFit(
        end,
        tuple(_clues(observed, end)),
        tuple(stack for stack, why in contradictions if why is None),
        tuple((stack, why) for stack, why in contradictions if why is not None),
        tuple(
            (stack, SHORTER_FIN_WAIT_2[stack.name].setting)
            for stack, why in contradictions
            if why is None and any(_needs_shorter_wait(stack, left) for left in observed.states_left if left.end == end)
        ),
    )


def _needs_shorter_wait(stack: Stack, left: StateLeft) -> bool:
    """Whether a FIN-WAIT-2 ended earlier than that of a profile, as a setting of the stack allows."""
    if left.state is not State.FIN_WAIT_2 or stack.fin_wait_2 is None or stack.name not in SHORTER_FIN_WAIT_2:
        return False
    return SHORTER_FIN_WAIT_2[stack.name].length <= left.within * TOLERANCE < stack.fin_wait_2


def _clues(observed: ObservedClose, end: str) -> Iterator[str]:
    fins = [it for it in observed.retransmissions if it.end == end and it.fin and it.timed]
    if fins:
        yield f"retransmitted its FIN after {', '.join(rounded(it.gap) for it in fins)}"
    for arrival in observed.time_wait_arrivals:
        if arrival.end == end and arrival.answer is not TimeWaitAnswer.NONE:
            yield f"in TIME_WAIT for {rounded(arrival.waited)}, answered {_segment(arrival.arrival)} with {arrival.answer}"
    for reset in observed.resets:
        if reset.end == end and reset.ended is not None:
            lost = "" if reset.ended or _surely_arrived(observed, end) else ", or the RST was lost"
            yield f"{'left TIME_WAIT because of' if reset.ended else 'stayed in TIME_WAIT in spite of'} a RST{lost}"
    for left in observed.states_left:
        if left.end == end:
            dropped = "" if left.certain else ", or its user had dropped the connection with a RST that was lost"
            yield f"had left {left.state} at some time within {rounded(left.within)} of entering it{dropped}"
    if _refused_late_text(observed, end):
        yield "answered text with a RST after its user had closed"


def _segment(arrival: str) -> str:
    return SEGMENTS.get(arrival, "a segment outside the window")


def _contradictions(observed: ObservedClose, end: str, stack: Stack) -> Iterator[str]:
    yield from _retransmissions(observed, end, stack)
    entry = observed.facts.entered[ENDS.index(end)]
    if entry is not None and entry.certain:
        yield from _time_wait(observed, end, stack)
        yield from _resets(observed, end, stack)
    ended_by_reset = any(reset.end == end and reset.ended for reset in observed.resets)
    for left in (it for it in observed.states_left if it.certain):
        length = {State.TIME_WAIT: stack.time_wait, State.FIN_WAIT_2: stack.fin_wait_2}.get(State(left.state))
        too_long = length is not None and length > left.within * TOLERANCE and not _needs_shorter_wait(stack, left)
        if left.end == end and length is not None and too_long and not ended_by_reset:
            yield f"its {left.state} lasts {rounded(length)}, and this one ended within {rounded(left.within)}"
    if stack.value("late_data_reset") is False and _refused_late_text(observed, end, certain=True):
        yield "it does not answer late text with a RST"


def _retransmissions(observed: ObservedClose, end: str, stack: Stack) -> Iterator[str]:
    retries = stack.value("retries")
    for sent in observed.retransmissions:
        if sent.end != end or not sent.shows_timeout:
            continue
        if stack.rto_max is not None and sent.gap > stack.rto_max * TOLERANCE and _is_one_timeout(observed, sent):
            yield f"it retransmits after {rounded(stack.rto_max)} at the latest, and this took {rounded(sent.gap)}"
        # Text may be retransmitted early without a timeout (fast retransmit); a FIN alone is not.
        first = sent.fin and sent.before == 1 and stack.name not in LOSS_PROBES
        if first and stack.rto_min is not None and sent.gap * TOLERANCE < stack.rto_min:
            yield f"it retransmits after {rounded(stack.rto_min)} at the earliest, and this took {rounded(sent.gap)}"
        if sent.fin and retries is not None and sent.before > retries:
            yield f"it retransmits a FIN {retries} times at most, and this end did it {sent.before} times"


def _is_one_timeout(observed: ObservedClose, sent: Retransmission) -> bool:
    """Whether the wait for a retransmission is one timeout, as far as a capture can show, with no other transmission in it.

    Elsewhere than beside the sender a transmission may have been lost before the capture point. A capture may drop packets
    without a trace, but where the timeout doubles, two waits in one are three times as long as the wait before, or longer.
    """
    whole = observed.sees_all_of(sent.end) and not any(total.missing for total in observed.facts.totals)
    alike = (it for it in observed.retransmissions if (it.end, it.fin) == (sent.end, sent.fin))
    before = next((it for it in alike if it.time + sent.gap == sent.time), None)
    return whole and before is not None and sent.gap <= before.gap * 2 * TOLERANCE


def _time_wait(observed: ObservedClose, end: str, stack: Stack) -> Iterator[str]:
    answers, restarts = stack.value("answers"), stack.value("restarts")
    restarted = Fraction(0)
    for arrival in observed.time_wait_arrivals:
        if arrival.end != end or arrival.answer is not TimeWaitAnswer.ACK:
            continue
        if not stack.has_time_wait:
            yield "it has no TIME_WAIT, and this end still answered in it"
        lasted = arrival.waited - restarted
        if stack.time_wait is not None and lasted > stack.time_wait * TOLERANCE:
            yield f"its TIME_WAIT lasts {rounded(stack.time_wait)}, and this one lasted {rounded(lasted)}"
        if answers is not None and arrival.arrival not in answers:
            yield f"in TIME_WAIT it does not answer {_segment(arrival.arrival)}"
        if restarts is None or arrival.arrival in restarts:
            restarted = arrival.waited


def _resets(observed: ObservedClose, end: str, stack: Stack) -> Iterator[str]:
    rule = stack.value("reset")
    for reset in observed.resets:
        if reset.end != end or rule is None or reset.ended is None:
            continue
        may_accept = rule in (ResetRule.ANY, ResetRule.WINDOW) or (rule is ResetRule.EXACT and reset.exact)
        if reset.ended and not may_accept:
            yield "its TIME_WAIT ignores such a RST, and this one ended"
        would_end = rule is ResetRule.ANY or (rule is not ResetRule.IGNORE and reset.exact)
        if not reset.ended and would_end and _surely_arrived(observed, end):
            yield "such a RST ends its TIME_WAIT, and this one went on"


def _surely_arrived(observed: ObservedClose, end: str) -> bool:
    """Whether a RST that was sent to an end in TIME-WAIT, and did not end it, cannot just have been lost.

    It was captured beside the end, or so many were sent that not all of them can have been lost.
    """
    survived = [reset for reset in observed.resets if reset.end == end and reset.exact and reset.ended is False]
    return observed.sees_all_of(end) or len(survived) >= NOT_ALL_LOST


def _refused_late_text(observed: ObservedClose, end: str, *, certain: bool = False) -> bool:
    """Whether an end answered late text with a RST; where it is asked for certainty, nothing else may be the cause."""
    resets = [reset for reset in observed.facts.resets if reset.end == end and reset.cause is ResetCause.LATE_TEXT]
    return any(len(reset.causes) == 1 for reset in resets) if certain else bool(resets)
