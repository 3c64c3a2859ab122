"""Sentences about a captured close: how it ended, what the capture shows, the TIME-WAIT needed, deviations, profiles."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.facts import ConnectionFacts, ObservedClose
from timewait.captures.observations import CloseKind, Deviation, EndState, RemarkKind, ResetCause, TimeWaitAnswer
from timewait.captures.profiles import fit_profiles
from timewait.captures.time_wait_lengths import TimeWaitObserved, compare, time_waits_observed
from timewait.captures.unknowns import CAUSES
from timewait.checker.trace import Step
from timewait.narration.prose import counted, listed, other_end, rounded, times
from timewait.spec.exchange import ENDS
from timewait.spec.settings import Arrival, ResetRule
from timewait.spec.stacks import Stack
from timewait.spec.state import State
from timewait.vocabulary.replay import Packet

MAX_LISTED = 6
"""Things of one kind that are listed one by one."""


CLOSES = frozenset({"close.first", "close.second"})
"""The rules of a step in which an end closes."""


def headline(observed: ObservedClose) -> str:
    """Both sockets and the outcome, in a line."""
    return f"{observed.ends[0]} (A) and {observed.ends[1]} (B): {outcome(observed)}"


def outcome(observed: ObservedClose) -> str:
    """How the connection ended, in a few words."""
    return outcome_of(observed.facts)


def outcome_of(facts: ConnectionFacts) -> str:
    """How a connection ended, in a few words, whether it closed or not."""
    match facts.kind:
        case CloseKind.IN_ORDER:
            return "closed in order, A first"
        case CloseKind.SIMULTANEOUS:
            return "closed in order, by both ends simultaneously"
        case CloseKind.CUT_OFF:
            end = other_end(facts.by)
            return f"closed by both, but {end} was reset in {_waiting_state(facts, end)} before its close was complete"
        case CloseKind.GAVE_UP:
            return f"{'closing: ' if any(facts.fins) else ''}{facts.by} got no answer and gave up"
        case CloseKind.HALF_CLOSED:
            if not facts.totals[1].packets:
                return "half closed: A has closed, and the capture holds nothing of B"
            if _may_have_closed_before(facts):
                return "half closed: A has closed, and B may have closed before the capture began"
            if _may_have_closed_unseen(facts):
                return "half closed: A has closed, and the capture lacks what B sent last"
            return "half closed: A has closed, B has not"
        case CloseKind.CLOSING:
            return _closing_outcome(facts)
        case CloseKind.RESET:
            return _reset_outcome(facts)
        case CloseKind.REFUSED:
            who = "a device on the way" if facts.by == "device" else facts.by
            return f"not opened: a RST of {who} ended the opening"
        case CloseKind.UNANSWERED:
            return "not opened: nothing answered the SYN"
        case CloseKind.CHALLENGED:
            return "not opened: the SYN was answered with the numbers of the previous connection"
        case CloseKind.OPENING:
            return "not opened: the opening is not complete in the capture"
        case CloseKind.OPEN:
            if not all(total.packets for total in facts.totals):
                return "open: the end that was captured did not close"
            return "open: neither end closed"


def _may_have_closed_before(facts: ConnectionFacts) -> bool:
    return any(unknown.kind == "may-have-closed-before" for unknown in facts.unknowns)


def _may_have_closed_unseen(facts: ConnectionFacts) -> bool:
    return any(unknown.kind == "may-have-closed-unseen" for unknown in facts.unknowns)


def _waiting_state(facts: ConnectionFacts, end: str) -> State:
    """The state in which an end waited for the acknowledgement of its FIN."""
    fin = facts.fins[ENDS.index(end)]
    return State.LAST_ACK if fin is not None and fin.knew is not False else State.CLOSING


def _closing_outcome(facts: ConnectionFacts) -> str:
    waiting = [fin for fin in facts.fins if fin is not None and fin.acknowledged is None]
    simultaneously = all(fin is not None and fin.knew is False for fin in facts.fins)
    order = "by both ends simultaneously" if simultaneously else "A first"
    fins = listed([f"the FIN of {fin.end}" for fin in waiting])
    return f"closing, {order}: the capture shows no acknowledgement of {fins}"


def _reset_outcome(facts: ConnectionFacts) -> str:
    who = "a device on the way" if facts.by == "device" else facts.by
    if any(it.end == facts.by and it.cause is not ResetCause.DEVICE and ResetCause.DEVICE in it.causes for it in facts.resets):
        who += " or by a device in its name"
    closed = [fin.end for fin in facts.fins if fin is not None]
    when = {0: "", 1: f" after {closed[0] if closed else ''} had closed"}.get(len(closed), " after both had closed")
    return f"reset by {who}{when}"


def _rules(step: Step) -> set[str]:
    return {name for name, _, _ in step.event.rules}


def _closing_times(observed: ObservedClose) -> dict[str, Fraction]:
    """When each end closed, in order."""
    return {fin.end: fin.time for fin in observed.facts.fins if fin is not None}


def _simultaneous(observed: ObservedClose) -> bool:
    return all(fin is not None and fin.knew is False for fin in observed.facts.fins)


# --- the summary -----------------------------------------------------------------------------------------------------


def summary(observed: ObservedClose) -> str:
    """The close in a paragraph."""
    return " ".join(
        [
            *_closing(observed),
            *_losses(observed),
            *_retransmissions(observed),
            *_resets(observed),
            *_end_of_trace(observed),
        ]
    )


def _clock(observed: ObservedClose, time: Fraction) -> str:
    moment = datetime.fromtimestamp((observed.started + int(time * NANOSECONDS)) // 1_000 / 1_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def _closing(observed: ObservedClose) -> Iterator[str]:
    closed = _closing_times(observed)
    if not closed:
        yield f"Neither end closed in order; times count from {_clock(observed, observed.trace.steps[0].time)}."
        return
    simultaneous = _simultaneous(observed)
    first = min(closed, key=lambda end: closed[end])
    second = other_end(first)
    shown = {fin.end for fin in observed.facts.fins if fin is not None and fin.captured}
    at = "at" if first in shown else "at the latest at"
    yield f"{first} closed first, {at} {_clock(observed, closed[first])}."
    yield from _acknowledging(observed, first)
    if (octets := _half_close_text(observed)) > 0:
        yield f"Then B sent {counted(octets, 'more octet')}: a half-close."
    if second not in closed:
        before = _may_have_closed_before(observed.facts)
        unseen = _may_have_closed_unseen(observed.facts)
        open_end = f"The capture lacks what {second} sent last, which may be a FIN." if unseen else f"{second} did not close."
        yield f"{second} may have closed before the capture began." if before else open_end
        return
    took = closed[second] - closed[first]
    later = f"{rounded(took)} later" if took else "at the same moment"
    crossing = f", before {first}'s FIN had arrived: a simultaneous close" if simultaneous else ""
    if second not in shown:
        later += " at the latest"
    yield f"{second} closed {later}{crossing}."
    yield from _acknowledging(observed, second)


def _acknowledging(observed: ObservedClose, end: str) -> Iterator[str]:
    """The acknowledgement of an end's FIN."""
    fin = observed.facts.fins[ENDS.index(end)]
    if fin is None:
        return
    answers = [copy for copy in _sent(observed) if copy.sender != end and dict(copy.fields).get("ack", 0) >= fin.number]
    arrived = [copy for copy in answers if not copy.lost and "rst" not in dict(copy.fields)]
    lost = [copy for copy in answers if copy.lost and (not arrived or copy.number < arrived[0].number)]
    if lost:
        which = "acknowledgement was" if len(lost) == 1 else f"first {len(lost)} acknowledgements were"
        yield f"{other_end(end)}'s {which} lost."
    if lost and arrived:
        yield f"The first acknowledgement that arrived came after {rounded(arrived[0].sent - fin.time)}."
    elif fin.acknowledged is not None and not lost and not fin.captured:
        yield f"{other_end(end)} acknowledged {end}'s FIN, which is not in the capture."
    elif fin.acknowledged is not None and not lost:
        took = fin.acknowledged.time - fin.time
        yield f"{other_end(end)} acknowledged {end}'s FIN {f'after {rounded(took)}' if took > 0 else 'at once'}."


def _sent(observed: ObservedClose) -> list[Packet]:
    return [copy for step in observed.trace.steps for copy in step.event.sent]


def _half_close_text(observed: ObservedClose) -> int:
    """Octets that B sent after A's FIN had arrived."""
    octets, arrived = 0, False
    for step in observed.trace.steps:
        arrived = arrived or step.changed.get("B.state", ("", ""))[1] == State.CLOSE_WAIT
        if arrived and step.event.actor == "B" and "send" in _rules(step):
            before, after = step.changed["B.nxt"]
            octets += int(after) - int(before) - bool(_rules(step) & CLOSES)
    return octets


def _losses(observed: ObservedClose) -> Iterator[str]:
    lost = [copy for copy in _sent(observed) if copy.lost]
    if lost:
        named = [f"{copy.sender}'s {copy.text} at {rounded(copy.sent)}" for copy in lost[:MAX_LISTED]]
        more = [f"{len(lost) - MAX_LISTED:,} more"] if len(lost) > MAX_LISTED else []
        certain = len(observed.interfaces) == 2
        yield f"{'Lost' if certain else 'Lost, or late'}: {listed([*named, *more])}."


def _retransmissions(observed: ObservedClose) -> Iterator[str]:
    for end in ENDS:
        fins = [sent for sent in observed.retransmissions if sent.end == end and sent.fin and sent.timed]
        texts = [sent for sent in observed.retransmissions if sent.end == end and not sent.fin]
        if fins:
            gaps = listed([rounded(sent.gap) for sent in fins[:MAX_LISTED]])
            yield f"{end} retransmitted its FIN {times(len(fins))}, after {gaps}{' and so on' if len(fins) > MAX_LISTED else ''}."
        if texts:
            yield f"{end} retransmitted text {times(len(texts))}."
        if any(sent.end == end and sent.fin and not sent.timed for sent in observed.retransmissions):
            yield f"{end} repeated its FIN on an acknowledgement of {other_end(end)}'s."
    arrivals = [step.event.received.number for step in observed.trace.steps if step.event.received is not None]
    duplicates = len(arrivals) - len(set(arrivals))
    if duplicates:
        yield f"The network duplicated {counted(duplicates, 'packet')}."


REASONS = {
    ResetCause.ABORT: "aborted the connection with a RST: its user closed with unread text or with SO_LINGER 0, or its program"
    " ended",
    ResetCause.LATE_TEXT: "received text after its user had closed both directions, discarded it and sent a RST",
    ResetCause.RETRY_LIMIT: "had reached its limit of retransmissions (RFC 9293 3.8.3), gave up and sent a RST",
    ResetCause.KEEP_ALIVE: "received no answer to its keep-alive probes, gave up and sent a RST",
    ResetCause.FORGOTTEN: "answered with a RST: it had left FIN_WAIT_2 or lost the connection",
    ResetCause.LEFT_TIME_WAIT: "had left TIME_WAIT and answered with a RST",
    ResetCause.CLOSED: "no longer had the connection and answered with a RST, as it should",
    ResetCause.SYN_SENT: "was in SYN_SENT and answered the old acknowledgement with a RST, as it should (RFC 9293 3.10.7.3)",
    ResetCause.REFUSAL: "ended the opening with a RST",
}
"""What the sender of a RST did, by the cause of the RST."""


def _resets(observed: ObservedClose) -> Iterator[str]:
    told: Counter[tuple[str, ResetCause]] = Counter()
    for reset in observed.facts.resets:
        told[reset.end, reset.cause] += 1
        if told[reset.end, reset.cause] > 1:
            continue
        when, frame = rounded(reset.time), reset.frame
        if reset.cause is ResetCause.DEVICE:
            yield f"At {when} a device on the way sent a RST in the name of {reset.end} (frame {frame}): {reset.evidence}."
        elif len(reset.causes) > 1:
            why = f" ({reset.evidence})" if reset.evidence else ""
            readings = listed([CAUSES[cause] for cause in reset.causes], "or")
            yield f"At {when} {reset.end} sent a RST (frame {frame}): {readings}{why}."
        else:
            why = f" ({reset.evidence})" if reset.evidence else ""
            yield f"At {when} {reset.end} {REASONS[reset.cause]} (frame {frame}){why}."
    for (end, cause), number in told.items():
        if number > 1 and cause is not ResetCause.DEVICE:
            yield f"{end} sent {number - 1} more such RST{'s' if number > 2 else ''}."
    for hit in observed.resets:
        if hit.ended:
            yield f"At {rounded(hit.time)} a RST ended the TIME_WAIT of {hit.end} (RFC 1337)."
        elif hit.ended is False:
            yield f"At {rounded(hit.time)} {hit.end} stayed in TIME_WAIT after a RST: it ignored the RST, or the RST was lost."


def _end_of_trace(observed: ObservedClose) -> Iterator[str]:
    yield states_in_words(observed.facts)
    yield from _reuse(observed.facts)
    yield from _remarks(observed, RemarkKind.OLD_DUPLICATE)


def states_in_words(facts: ConnectionFacts) -> str:
    """The states of both ends after the last packet, with the other possibilities."""
    a, b = facts.states
    if a.likely is not None and a.likely is b.likely and a.certain and b.certain:
        return f"At the end both ends are in {a.likely}."
    return f"At the end A is in {_state(a)}, and B in {_state(b)}."


def _state(state: EndState) -> str:
    others = sorted(str(it) for it in state.possible if it not in (state.likely, state.coming))
    if state.coming is not None:
        until = f" (until then {listed(others, 'or')})" if others else ""
        return f"{state.coming} as soon as the other end's FIN arrives, which nothing shows{until}"
    if state.likely is None:
        return f"a state that the capture does not show ({listed(others, 'or')})"
    passing = f" (or {listed(others, 'or')}, which the capture cannot exclude)" if others else ""
    return f"{state.likely}{passing}"


def _reuse(facts: ConnectionFacts) -> Iterator[str]:
    following = facts.reopening
    if following is None:
        return
    if following.accepted is not None:
        yield f"At {rounded(following.accepted)} the same addresses and ports were opened again."
    elif following.syns:
        syns = counted(following.syns, "SYN")
        yield (
            f"From {rounded(following.after)} on {syns} tried to open the same addresses and ports again, and none was accepted"
            f" (frames {listed([str(frame) for frame in following.frames[:MAX_LISTED]])})."
        )
    syns_answered = [it for it in facts.time_wait_arrivals if it.arrival is Arrival.SYN and it.answer is TimeWaitAnswer.ACK]
    if syns_answered:
        first = syns_answered[0]
        what = "the SYN" if len(syns_answered) == 1 else f"{len(syns_answered)} SYNs"
        yield (
            f"{first.end}, in TIME_WAIT, answered {what} with its last acknowledgement (frame {first.answered}), as TIME_WAIT"
            " does where it does not accept a SYN."
        )


def _remarks(observed: ObservedClose, kind: RemarkKind) -> Iterator[str]:
    for remark in observed.remarks:
        if remark.kind is kind:
            yield f"At {rounded(remark.time)} {remark.end} {remark.text}."


# --- what the capture shows ------------------------------------------------------------------------------------------


def known(observed: ObservedClose) -> list[str]:
    """What the capture shows, and what it cannot show."""
    lines = []
    if len(observed.interfaces) == 2:
        both = ", ".join(observed.interfaces)
        lines.append(f"Captured at both ends ({both}): the capture shows what was sent, what was lost and what arrived.")
        if observed.clock_shift:
            shift = rounded(Fraction(observed.clock_shift, NANOSECONDS))
            lines.append(f"The two clocks differed; B's was advanced by {shift}.")
    else:
        lines.append(_one_point(observed))
        if any(copy.lost for copy in _sent(observed)):
            lines.append("Lost means: lost behind the capture point, or too late, or its answer was lost before that point.")
    if not observed.opened:
        lines.append("The opening is not in the capture: numbers count from the first packets seen.")
    facts = observed.facts
    if facts.captured_twice:
        lines.append(f"{counted(facts.captured_twice, 'packet was', 'packets were')} captured twice and counted once.")
    if facts.truncated:
        lines.append("There were too many packets after the close; the last ones were dropped.")
    return [*lines, *(unknown.text for unknown in facts.unknowns)]


def _one_point(observed: ObservedClose) -> str:
    if not observed.beside:
        return (
            "Captured at one point: times are those at which packets passed it; the times of sending and of arrival are unknown."
        )
    far = other_end(observed.beside)
    return (
        f"Captured at one point, beside {observed.beside} (its packets had passed no router): times are those at which packets"
        f" passed it; when {far} sent and received them is unknown."
    )


# --- TIME-WAIT -------------------------------------------------------------------------------------------------------


def time_wait(observed: ObservedClose, stacks: Sequence[Stack], asked: Fraction | None) -> list[str]:
    """The TIME-WAIT that was needed, compared with that of stacks and with a length in seconds, if one was asked about."""
    needs = time_waits_observed(observed)
    if not needs:
        return ["No end entered TIME_WAIT, as far as the capture shows."]
    lines = [f"{need.end}: {line}" for need in needs for line in _time_wait_of(need, stacks, asked)]
    lines += _undecided_resets(observed, stacks)
    end, entered = needs[0].end, needs[0].entered
    if observed.reopened is not None:
        since = rounded(observed.reopened - entered.time)
        lines.append(f"The same addresses and ports were opened again {since} after {end} entered TIME_WAIT.")
    old_duplicates = [remark.time for remark in observed.remarks if remark.kind is RemarkKind.OLD_DUPLICATE]
    if old_duplicates:
        least = rounded(max(old_duplicates) - entered.time)
        lines.append(
            f"{end}: at least {least} were needed to keep old duplicates out of the next connection, which accepted one."
        )
    return lines


def _time_wait_of(need: TimeWaitObserved, stacks: Sequence[Stack], asked: Fraction | None) -> Iterator[str]:
    other = other_end(need.end)
    if not need.entered.certain:
        yield (
            f"the acknowledgement of its FIN passed the capture, and may have been lost behind it: {need.end} is then still in"
            " CLOSING."
        )
    if not need.arrivals:
        goes_on = f"goes on for {rounded(need.watched)} after" if need.watched else "ends when"
        yield (
            f"the capture {goes_on} {need.end} entered TIME_WAIT, and {other} sent nothing that needed an answer. So far no"
            " TIME_WAIT was needed; the standard requires 2 MSL because old segments may still arrive."
        )
        return
    yield (
        f"at least {rounded(need.restarted)}. That long after {need.end}'s last acknowledgement {other} sent a segment that"
        " needed an answer; with a shorter TIME_WAIT the answer is a RST."
    )
    if rounded(need.unrestarted) != rounded(need.restarted):
        yield f"at least {rounded(need.unrestarted)} if retransmitted FINs do not restart the timer."
    if (late := need.answered_by_reset) is not None:
        yield f"{rounded(late.waited)} after entering TIME_WAIT it had left it, and answered with a RST."
    if asked is not None:
        yield f"a TIME_WAIT of {rounded(asked)} is {'long enough' if asked >= need.restarted else 'too short'}."
    enough, short = compare(need, stacks)
    if short:
        yield f"the TIME_WAIT of {_with_lengths(short)} is too short."
    if len(enough) > MAX_LISTED:
        least = min(enough, key=lambda stack: (stack.time_wait or Fraction(0), stack.name))
        yield f"the TIME_WAIT of {len(enough)} stacks is long enough; {_with_lengths([least])} has the shortest of them."
    elif enough:
        yield f"the TIME_WAIT of {_with_lengths(enough)} is long enough."


def _undecided_resets(observed: ObservedClose, stacks: Sequence[Stack]) -> Iterator[str]:
    """RSTs whose effect on TIME-WAIT the capture does not show."""
    accepting = listed([stack.name for stack in stacks if stack.value("reset") not in (None, ResetRule.IGNORE)])
    for reset in observed.resets:
        if reset.ended is None and reset.exact:
            yield (
                f"{reset.end}: a RST was sent to it at {rounded(reset.time)}; nothing later shows whether it ended TIME_WAIT"
                f" (RFC 1337). It does in {accepting}, if it arrived."
            )


def _with_lengths(stacks: Iterable[Stack]) -> str:
    return listed(
        [f"{stack.name} ({rounded(stack.time_wait or Fraction(0)) if stack.has_time_wait else 'none'})" for stack in stacks]
    )


# --- the standard, and the stacks ------------------------------------------------------------------------------------


def deviations(observed: ObservedClose) -> list[str]:
    """Deviations of both ends from the standard, each with what else it may be."""
    return [deviation_in_words(it) for it in observed.facts.deviations]


def deviation_in_words(deviation: Deviation) -> str:
    """A deviation as a sentence, with the frames that show it."""
    frames = f"frame{'s' if len(deviation.frames) > 1 else ''} {listed([str(frame) for frame in deviation.frames])}"
    return (
        f"At {rounded(deviation.time)} {deviation.end} {deviation.text} ({deviation.section}; {frames}). It may also be that"
        f" {deviation.otherwise}."
    )


def profiles(observed: ObservedClose, stacks: Sequence[Stack]) -> list[str]:
    """The profiles that fit each end, and why the others do not."""
    lines = []
    for end in ENDS:
        fit = fit_profiles(observed, end, stacks)
        if not fit.clues:
            lines.append(f"{end} did nothing that tells stacks apart.")
            continue
        lines.append(f"{end}: {'; '.join(fit.clues)}.")
        lines.append(f"{end}: fits {listed([stack.name for stack in fit.fitting], 'or') or 'no profile'}.")
        lines += [f"{end}: {stack.name} only with {setting}." for stack, setting in fit.provided]
        lines += [f"{end}: not {stack.name}: {why}." for stack, why in fit.excluded]
    return lines
