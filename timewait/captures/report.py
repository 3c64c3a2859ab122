"""Sentences about a captured close: how it ended, what the capture shows, the TIME-WAIT needed, deviations, profiles."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

from timewait.captures.capture_file import NANOSECONDS
from timewait.captures.observations import ObservedClose, RemarkKind
from timewait.captures.profiles import fit_profiles
from timewait.captures.time_wait_lengths import TimeWaitObserved, compare, time_waits_observed
from timewait.checker.trace import Step
from timewait.narration.prose import counted, listed, other_end, rounded, times
from timewait.spec.exchange import ENDS
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import Stack
from timewait.spec.state import State
from timewait.vocabulary.replay import Packet

MAX_LISTED = 6
"""Things of one kind that are listed one by one."""

CLOSES = ("close.first", "close.second")
DONE = frozenset({State.TIME_WAIT, State.CLOSED})


def headline(observed: ObservedClose) -> str:
    """Both sockets and the outcome, in a line."""
    return f"{observed.ends[0]} (A) and {observed.ends[1]} (B): {outcome(observed)}"


def outcome(observed: ObservedClose) -> str:
    """How the connection ended, in a few words."""
    closed, aborts = _closing_times(observed), _aborts(observed)
    states = _last_states(observed)
    if aborts:
        when = ""
        if closed:
            when = " after both had closed" if len(closed) == 2 else f" after {next(iter(closed))} had closed"
        return f"reset by {aborts[0].event.actor}{when}"
    for step in observed.trace.steps:
        if any(name == "graceful" for name, _ in step.event.breaks):
            end = step.event.actor
            return f"closed by both, but {end} was reset in {step.changed[f'{end}.state'][0]} before its close was complete"
    if len(closed) == 1:
        return "half closed: A has closed, B has not"
    if all(state in DONE for state in states):
        return "closed in order, by both ends simultaneously" if _simultaneous(observed) else "closed in order, A first"
    waiting = [end for end, state in zip(ENDS, states, strict=True) if state not in DONE]
    return f"closing: the FIN of {listed(waiting)} was not acknowledged, as far as the capture shows"


def _last_states(observed: ObservedClose) -> list[State]:
    """The states at the end of the trace, or when the ports were reused."""
    states = [observed.trace.initial, *(step.state for step in observed.trace.steps)]
    old = [values for values in states if values["A.state"] in State.__members__]
    return [State(str(old[-1][f"{end}.state"])) for end in ENDS]


def _rules(step: Step) -> set[str]:
    return {name for name, _, _ in step.event.rules}


def _closing_times(observed: ObservedClose) -> dict[str, Fraction]:
    """When each end closed, in order."""
    found: dict[str, Fraction] = {}
    for step in observed.trace.steps:
        if _rules(step) & set(CLOSES):
            found.setdefault(step.event.actor, step.time)
    return found


def _aborts(observed: ObservedClose) -> list[Step]:
    """The steps in which an end aborted an open connection."""
    return [step for step in observed.trace.steps if _rules(step) & {"abort", "text.late"}]


def _simultaneous(observed: ObservedClose) -> bool:
    return all(
        any(step.changed.get(f"{end}.state", ("", ""))[1] == State.FIN_WAIT_1 for step in observed.trace.steps) for end in ENDS
    )


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
    yield f"{first} closed first, at {_clock(observed, closed[first])}."
    yield from _acknowledging(observed, first)
    if (octets := _half_close_text(observed)) > 0:
        yield f"Then B sent {counted(octets, 'more octet')}: a half-close."
    if second not in closed:
        yield f"{second} did not close."
        return
    took = closed[second] - closed[first]
    later = f"{rounded(took)} later" if took else "at the same moment"
    crossing = f", before {first}'s FIN had arrived: a simultaneous close" if simultaneous else ""
    yield f"{second} closed {later}{crossing}."
    yield from _acknowledging(observed, second)


def _acknowledging(observed: ObservedClose, end: str) -> Iterator[str]:
    """The acknowledgement of an end's FIN."""
    sent = _sent(observed)
    fin = next((copy for copy in sent if copy.sender == end and "fin" in dict(copy.fields)), None)
    if fin is None:
        return
    number = dict(fin.fields)["seq"] + dict(fin.fields)["len"] + 1
    answers = [copy for copy in sent if copy.sender != end and dict(copy.fields).get("ack", 0) >= number]
    arrived = [copy for copy in answers if not copy.lost and "rst" not in dict(copy.fields)]
    lost = [copy for copy in answers if copy.lost and (not arrived or copy.number < arrived[0].number)]
    if lost:
        which = "acknowledgement was" if len(lost) == 1 else f"first {len(lost)} acknowledgements were"
        yield f"{other_end(end)}'s {which} lost."
    if arrived:
        took = arrived[0].sent - fin.sent
        subject = "The first acknowledgement that arrived came" if lost else f"{other_end(end)} acknowledged {end}'s FIN"
        yield f"{subject} {f'after {rounded(took)}' if took else 'at once'}."


def _sent(observed: ObservedClose) -> list[Packet]:
    return [copy for step in observed.trace.steps for copy in step.event.sent]


def _half_close_text(observed: ObservedClose) -> int:
    """Octets that B sent after A's FIN had arrived."""
    octets, arrived = 0, False
    for step in observed.trace.steps:
        arrived = arrived or step.changed.get("B.state", ("", ""))[1] == State.CLOSE_WAIT
        if arrived and step.event.actor == "B" and "send" in _rules(step):
            before, after = step.changed["B.nxt"]
            octets += int(after) - int(before) - bool(_rules(step) & set(CLOSES))
    return octets


def _losses(observed: ObservedClose) -> Iterator[str]:
    lost = [copy for copy in _sent(observed) if copy.lost]
    if lost:
        named = [f"{copy.sender}'s {copy.text} at {rounded(copy.sent)}" for copy in lost[:MAX_LISTED]]
        more = [f"{len(lost) - MAX_LISTED:,} more"] if len(lost) > MAX_LISTED else []
        yield f"Lost: {listed([*named, *more])}."


def _retransmissions(observed: ObservedClose) -> Iterator[str]:
    for end in ENDS:
        fins = [sent for sent in observed.retransmissions if sent.end == end and sent.fin]
        texts = [sent for sent in observed.retransmissions if sent.end == end and not sent.fin]
        if fins:
            gaps = listed([rounded(sent.gap) for sent in fins[:MAX_LISTED]])
            yield f"{end} retransmitted its FIN {times(len(fins))}, after {gaps}{' and so on' if len(fins) > MAX_LISTED else ''}."
        if texts:
            yield f"{end} retransmitted text {times(len(texts))}."
    arrivals = [step.event.received.number for step in observed.trace.steps if step.event.received is not None]
    duplicates = len(arrivals) - len(set(arrivals))
    if duplicates:
        yield f"The network duplicated {counted(duplicates, 'packet')}."


def _resets(observed: ObservedClose) -> Iterator[str]:
    from_closed = False
    for step in observed.trace.steps:
        rules = _rules(step)
        me, when = step.event.actor, rounded(step.time)
        state = f"in {step.changed.get(f'{me}.state', (State.CLOSED, ''))[0]}"
        if "abort" in rules and any("rst" in dict(copy.fields) for copy in step.event.sent):
            yield (
                f"At {when} {me}, {state}, aborted the connection with a RST: its user closed with unread text or with"
                " SO_LINGER 0, or its program ended."
            )
        if "text.late" in rules:
            yield f"At {when} text reached {me} after its user had closed both directions; {me} discarded it and sent a RST."
        if "reset.time-wait" in rules:
            yield f"At {when} a RST ended the TIME_WAIT of {me} (RFC 1337)."
        if "reset.accepted" in rules:
            rst = f"At {when} a RST from {other_end(me)}, which had left the connection," if from_closed else "The RST"
            yield f"{rst} reached {me} {state} and ended the connection there."
        from_closed = "closed.answer" in rules or (from_closed and step.event.received is None)


def _end_of_trace(observed: ObservedClose) -> Iterator[str]:
    a, b = _last_states(observed)
    yield f"At the end both ends are in {a}." if a is b else f"At the end A is in {a} and B in {b}."
    if observed.reopened is not None:
        yield f"At {rounded(observed.reopened)} the same addresses and ports were opened again."
    yield from _remarks(observed, RemarkKind.OLD_DUPLICATE)


def _remarks(observed: ObservedClose, kind: RemarkKind) -> Iterator[str]:
    for remark in observed.remarks:
        if remark.kind is kind:
            section = f" ({remark.section})" if kind is RemarkKind.DEVIATION else ""
            yield f"At {rounded(remark.time)} {remark.end} {remark.text}{section}."


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
    if observed.captured_twice:
        lines.append(f"{counted(observed.captured_twice, 'packet was', 'packets were')} captured twice and counted once.")
    if observed.truncated:
        lines.append("There were too many packets after the close; the last ones were dropped.")
    return [*lines, *_remarks(observed, RemarkKind.NOT_CAPTURED)]


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
        since = rounded(observed.reopened - entered)
        lines.append(f"The same addresses and ports were opened again {since} after {end} entered TIME_WAIT.")
    old_duplicates = [remark.time for remark in observed.remarks if remark.kind is RemarkKind.OLD_DUPLICATE]
    if old_duplicates:
        least = rounded(max(old_duplicates) - entered)
        lines.append(
            f"{end}: at least {least} were needed to keep old duplicates out of the next connection, which accepted one."
        )
    return lines


def _time_wait_of(need: TimeWaitObserved, stacks: Sequence[Stack], asked: Fraction | None) -> Iterator[str]:
    other = other_end(need.end)
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
                f"{reset.end}: a RST arrived at {rounded(reset.time)}; nothing later shows whether it ended TIME_WAIT"
                f" (RFC 1337). It does in {accepting}."
            )


def _with_lengths(stacks: Iterable[Stack]) -> str:
    return listed(
        [f"{stack.name} ({rounded(stack.time_wait or Fraction(0)) if stack.has_time_wait else 'none'})" for stack in stacks]
    )


# --- the standard, and the stacks ------------------------------------------------------------------------------------


def deviations(observed: ObservedClose) -> list[str]:
    """Deviations of both ends from the standard."""
    return [*_remarks(observed, RemarkKind.DEVIATION), *_without_back_off(observed)]


def _without_back_off(observed: ObservedClose) -> Iterator[str]:
    for end in ENDS:
        fins = [sent for sent in observed.retransmissions if sent.end == end and sent.fin]
        # The first gap may be that of a tail loss probe (RFC 8985), not of the timer.
        for sent, following in pairwise(fins[1:]):
            if following.gap < sent.gap * Fraction(3, 2) and following.before == sent.before + 1:
                gaps = f"{rounded(sent.gap)} and then {rounded(following.gap)}"
                yield f"{end} retransmitted its FIN after {gaps}: the timeout should have doubled (RFC 6298 5.5)."
                break


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
        lines += [f"{end}: not {stack.name}: {why}." for stack, why in fit.excluded]
    return lines
