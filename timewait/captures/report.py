"""A captured connection in words: how it closed, what can be known, what TIME_WAIT had to do, what is out of order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

from timewait.captures.account import Account, Weight
from timewait.captures.container import NANOSECONDS
from timewait.captures.profiles import fit
from timewait.captures.time_wait_lengths import TimeWaitObserved, answered_by_reset, compared, time_waits_observed
from timewait.checker.trace import Step
from timewait.narration.prose import counted, listed, rounded
from timewait.spec.exchange import ENDS
from timewait.spec.settings import ResetRule
from timewait.spec.stacks import Stack
from timewait.spec.state import State
from timewait.vocabulary.replay import Packet

MANY = 6
"""So many things of a kind are named one by one at most."""

CLOSES = ("close.first", "close.second")
DONE = frozenset({State.TIME_WAIT, State.CLOSED})


def headline(account: Account) -> str:
    """Who closed, and how, in a line."""
    return f"{account.ends[0]} (A) and {account.ends[1]} (B): {outcome(account)}"


def outcome(account: Account) -> str:
    """How a connection ended, in a few words."""
    closed, resets = _closed(account), _resets(account)
    ends = _last_states(account)
    if resets:
        end, when = resets[0].event.actor, ""
        if closed:
            when = " after both had closed" if len(closed) == 2 else f" after {next(iter(closed))} had closed"
        return f"reset by {end}{when}"
    for step in account.trace.steps:
        if any(name == "graceful" for name, _ in step.event.breaks):
            end = step.event.actor
            return f"closed by both, but {end} was reset in {step.changed[f'{end}.state'][0]} before it was done"
    if len(closed) == 1:
        return "half closed: A has closed, B has not"
    if all(end in DONE for end in ends):
        return "closed in order by both at once" if _at_once(account) else "closed in order, A first"
    waiting = [end for end, state in zip(ENDS, ends, strict=True) if state not in DONE]
    return f"closing: the FIN of {listed(waiting)} was not acknowledged, as far as the capture shows"


def _last_states(account: Account) -> list[State]:
    """The states in which the ends are at the end, or were when the same addresses and ports were opened again."""
    old = [step.state for step in account.trace.steps if step.state["A.state"] in State.__members__]
    return [State(str(old[-1][f"{end}.state"])) for end in ENDS]


def _closed(account: Account) -> dict[str, Fraction]:
    """When each end closed."""
    found: dict[str, Fraction] = {}
    for step in account.trace.steps:
        if any(name in CLOSES for name, _, _ in step.event.rules):
            found.setdefault(step.event.actor, step.time)
    return found


def _resets(account: Account) -> list[Step]:
    """The steps by which an end dropped a connection that was not closed."""
    return [step for step in account.trace.steps if any(name in ("abort", "text.late") for name, _, _ in step.event.rules)]


def _at_once(account: Account) -> bool:
    return all(
        any(step.changed.get(f"{end}.state", ("", ""))[1] == State.FIN_WAIT_1 for step in account.trace.steps) for end in ENDS
    )


# --- the story in a paragraph ----------------------------------------------------------------------------------------


def summary(account: Account) -> str:
    """How a connection closed, in a paragraph."""
    return " ".join(
        [
            *_how_it_closed(account),
            *_what_was_lost(account),
            *_what_was_sent_again(account),
            *_how_it_was_reset(account),
            *_how_it_stands(account),
        ]
    )


def _clock(account: Account, time: Fraction) -> str:
    moment = datetime.fromtimestamp((account.started + int(time * NANOSECONDS)) // 1_000 / 1_000_000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S.%f}"[:-3] + " UTC"


def _how_it_closed(account: Account) -> Iterator[str]:
    closed = _closed(account)
    if not closed:
        yield f"Neither end closed in order; times count from {_clock(account, account.trace.steps[0].time)}."
        return
    at_once = _at_once(account)
    first = min(closed, key=lambda end: closed[end])
    yield f"{first} closed first, at {_clock(account, closed[first])}."
    yield from _acknowledging(account, first)
    if (octets := _late_text(account)) > 0:
        yield f"Then B went on and sent {counted(octets, 'octet')} more: a half-close."
    if _other(first) not in closed:
        yield f"{_other(first)} did not close."
        return
    took = closed[_other(first)] - closed[first]
    later = f"{rounded(took)} later" if took else "at the same moment"
    knowing = ", before it knew of that: both closed at once" if at_once else ""
    yield f"{_other(first)} closed {later}{knowing}."
    yield from _acknowledging(account, _other(first))


def _acknowledging(account: Account, end: str) -> Iterator[str]:
    """How the other end acknowledged the FIN of an end."""
    fin = next((copy for copy in _sent(account) if copy.sender == end and "fin" in dict(copy.fields)), None)
    if fin is None:
        return
    number = dict(fin.fields)["seq"] + dict(fin.fields)["len"] + 1
    answers = [copy for copy in _sent(account) if copy.sender != end and dict(copy.fields).get("ack", 0) >= number]
    arrived = [copy for copy in answers if not copy.lost and "rst" not in dict(copy.fields)]
    lost = [copy for copy in answers if copy.lost and (not arrived or copy.number < arrived[0].number)]
    if lost:
        yield f"{_other(end)} acknowledged its FIN, but that was lost{'' if len(lost) == 1 else f' {_times(len(lost))}'}."
    if arrived:
        took = arrived[0].sent - fin.sent
        which = "The first acknowledgement that arrived came" if lost else f"{_other(end)} acknowledged its FIN"
        yield f"{which} {f'after {rounded(took)}' if took else 'at once'}."


def _sent(account: Account) -> list[Packet]:
    return [copy for step in account.trace.steps for copy in step.event.sent]


def _late_text(account: Account) -> int:
    """Octets that B sent after A's FIN had reached it."""
    octets, reached = 0, False
    for step in account.trace.steps:
        reached = reached or step.changed.get("B.state", ("", ""))[1] == State.CLOSE_WAIT
        if reached and step.event.actor == "B" and any(name == "send" for name, _, _ in step.event.rules):
            before, after = step.changed["B.nxt"]
            octets += int(after) - int(before) - any(name in CLOSES for name, _, _ in step.event.rules)
    return octets


def _what_was_lost(account: Account) -> Iterator[str]:
    lost = [copy for copy in _sent(account) if copy.lost]
    if lost:
        named = [f"{copy.sender}'s {copy.text} at {rounded(copy.sent)}" for copy in lost[:MANY]]
        more = [counted(len(lost) - MANY, "more")] if len(lost) > MANY else []
        yield f"Lost: {listed([*named, *more])}."


def _what_was_sent_again(account: Account) -> Iterator[str]:
    for end in ENDS:
        fins = [one for one in account.agains if one.end == end and one.fin]
        text = [one for one in account.agains if one.end == end and not one.fin]
        if fins:
            gaps = listed([rounded(one.gap) for one in fins[:MANY]])
            yield f"{end} sent its FIN again {_times(len(fins))}, after {gaps}{' and so on' if len(fins) > MANY else ''}."
        if text:
            yield f"{end} sent text again {_times(len(text))}."
    arrivals = [step.event.received.number for step in account.trace.steps if step.event.received is not None]
    doubled = len(arrivals) - len(set(arrivals))
    if doubled:
        yield f"The network duplicated {counted(doubled, 'packet')}."


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number} times")


def _how_it_was_reset(account: Account) -> Iterator[str]:
    unknown = False
    for step in account.trace.steps:
        names = {name for name, _, _ in step.event.rules}
        me, when = step.event.actor, rounded(step.time)
        if "abort" in names and any("rst" in dict(copy.fields) for copy in step.event.sent):
            before = step.changed.get(f"{me}.state", ("", ""))[0]
            yield (
                f"At {when} {me}, {_in(str(before))}, dropped the connection with a RST: its user closed with text unread,"
                " or with SO_LINGER at nought, or its program ended."
            )
        if "text.late" in names:
            yield f"At {when} text reached {me}, whose user had closed for good; it was thrown away and answered with a RST."
        if "reset.time-wait" in names:
            yield f"At {when} a RST ended the TIME_WAIT of {me} (RFC 1337)."
        if "reset.accepted" in names:
            before = step.changed.get(f"{me}.state", ("", ""))[0]
            whose = f"At {when} the RST of {_other(me)}, which knew the connection no more," if unknown else "The RST"
            yield f"{whose} met {me} {_in(str(before))} and ended the connection for it."
        unknown = "closed.answer" in names or (unknown and step.event.received is None)


def _in(state: str) -> str:
    return f"in {state}" if state else "already closed"


def _how_it_stands(account: Account) -> Iterator[str]:
    states = _last_states(account)
    if states[0] == states[1]:
        words = f"both ends are {_standing(states[0])}"
    else:
        words = f"A is {_standing(states[0])} and B {_standing(states[1])}"
    yield f"At the end {words}."
    if account.reopened is not None:
        yield f"At {rounded(account.reopened)} the same addresses and ports were opened again."
    for remark in account.remarks:
        if remark.weight is Weight.INTRUDES:
            yield f"At {rounded(remark.time)} {remark.end} {remark.text}."


def _standing(state: str) -> str:
    return state if state in (State.CLOSED, State.ESTABLISHED) else f"in {state}"


def _other(end: str) -> str:
    return ENDS[1 - ENDS.index(end)]


# --- what can be known -----------------------------------------------------------------------------------------------


def known(account: Account) -> list[str]:
    """What the capture shows and what it cannot."""
    lines = []
    if len(account.places) == 2:
        lines.append(
            f"Captured at both ends ({account.places[0]}, {account.places[1]}): what was sent, lost and arrived was seen."
        )
        if account.shift:
            lines.append(f"The two clocks differed; B's was set on by {rounded(Fraction(account.shift, NANOSECONDS))}.")
    else:
        lines.append(_one_place(account))
        if any(copy.lost for copy in _sent(account)):
            lines.append("Lost means: lost beyond that place, or too late, or its answer was lost before it came back there.")
    if not account.opened:
        lines.append("The opening is not in the capture: numbers count from the first packets seen.")
    if account.twice:
        lines.append(f"{counted(account.twice, 'packet was', 'packets were')} captured twice and counted once.")
    if account.cut:
        lines.append("There were too many packets after the close; the last ones were left out.")
    for remark in account.remarks:
        if remark.weight is Weight.UNSEEN:
            lines.append(f"At {rounded(remark.time)} {remark.end} {remark.text}.")
    return lines


def _one_place(account: Account) -> str:
    if account.beside:
        far = _other(account.beside)
        return (
            f"Captured at one place, beside {account.beside} (its packets had passed no router there): when {far} sent its"
            f" packets and when those for {far} arrived is not known; times are those at which they came past."
        )
    return (
        "Captured at one place: times are those at which packets came past it; when they were sent, and when they arrived,"
        " is not known."
    )


# --- TIME_WAIT -------------------------------------------------------------------------------------------------------


def time_wait(account: Account, stacks: Sequence[Stack], given: Fraction | None) -> list[str]:
    """How long TIME_WAIT would have had to be, against that of stacks and a given one."""
    found = time_waits_observed(account)
    if not found:
        return ["No end came to TIME_WAIT, as far as the capture shows."]
    lines = [line for need in found for line in _one_wait(account, need, stacks, given)]
    lines += _undecided_resets(account, stacks)
    if account.reopened is not None:
        since = rounded(account.reopened - found[0].entered)
        lines.append(f"The same addresses and ports were opened again {since} after {found[0].end} came to TIME_WAIT.")
    intrusions = [one.time for one in account.remarks if one.weight is Weight.INTRUDES]
    if intrusions:
        lasted = rounded(max(intrusions) - found[0].entered)
        lines.append(f"{found[0].end}: at least {lasted}, to keep old segments out of the next connection; one came into it.")
    return lines


def _one_wait(account: Account, need: TimeWaitObserved, stacks: Sequence[Stack], given: Fraction | None) -> Iterator[str]:
    other = _other(need.end)
    if need.last is None:
        goes_on = f"goes on for {rounded(need.watched)} after" if need.watched else "ends as"
        yield (
            f"{need.end}: the capture {goes_on} {need.end} came to TIME_WAIT, and nothing that needed an answer came from"
            f" {other}. So far none was needed; the standard's 2 MSL are for what may still come."
        )
        return
    yield (
        f"{need.end}: at least {rounded(need.restarted)}. So long after {need.end}'s last acknowledgement came a segment"
        f" of {other} that still needed an answer; a shorter TIME_WAIT would have met it with a RST."
    )
    if rounded(need.unrestarted) != rounded(need.restarted):
        yield f"{need.end}: one that retransmitted FINs do not restart, at least {rounded(need.unrestarted)}."
    if (late := answered_by_reset(need, account)) is not None:
        when = f"{rounded(late.waited)} after it came to TIME_WAIT"
        yield f"{need.end}: {when} it knew the connection no more, and answered with a RST."
    if given is not None:
        verdict = "long enough" if given >= need.restarted else "too short"
        yield f"{need.end}: the given {rounded(given)} is {verdict}."
    enough, short = compared(need, account.met, stacks)
    if short:
        yield f"{need.end}: too short would have been that of {_named(short)}."
    if len(enough) > MANY:
        least = min(enough, key=lambda one: (one.time_wait or Fraction(0), one.name))
        yield f"{need.end}: long enough would have been that of {len(enough)} stacks, from {_named([least])} on."
    elif enough:
        yield f"{need.end}: long enough would have been that of {_named(enough)}."


def _undecided_resets(account: Account, stacks: Sequence[Stack]) -> Iterator[str]:
    """RSTs of which nothing shows whether they ended a wait."""
    heeding = listed([one.name for one in stacks if one.value("reset") not in (None, ResetRule.IGNORE)])
    for shot in account.shots:
        if shot.ended is None and shot.exact:
            yield (
                f"{shot.end}: at {rounded(shot.time)} a RST came; nothing that came later shows whether it ended the wait"
                f" (RFC 1337). It does with {heeding}."
            )


def _named(stacks: Iterable[Stack]) -> str:
    return listed(
        [f"{one.name} ({'none' if not one.has_time_wait else rounded(one.time_wait or Fraction(0))})" for one in stacks]
    )


# --- the standard, and the stacks ------------------------------------------------------------------------------------


def deviations(account: Account) -> list[str]:
    """Where the peers differ from the standard."""
    lines = [
        f"At {rounded(one.time)} {one.end} {one.text} ({one.section})."
        for one in account.remarks
        if one.weight is Weight.DEVIATES
    ]
    return lines + list(_without_back_off(account))


def _without_back_off(account: Account) -> Iterator[str]:
    for end in ENDS:
        fins = [one for one in account.agains if one.end == end and one.fin]
        # The first gap may be a probe's rather than the timer's.
        for one, following in pairwise(fins[1:]):
            if following.gap < one.gap * Fraction(3, 2) and following.before == one.before + 1:
                gaps = f"{rounded(one.gap)} and then {rounded(following.gap)}"
                yield f"{end} sent its FIN again after {gaps}: the wait should have doubled (RFC 6298 5.5)."
                break


def profiles(account: Account, stacks: Sequence[Stack]) -> list[str]:
    """Which profiles fit each end."""
    lines = []
    for end in ENDS:
        found = fit(account, end, stacks)
        if not found.clues:
            lines.append(f"{end} did nothing that tells stacks apart.")
            continue
        lines.append(f"{end}: {'; '.join(found.clues)}.")
        lines.append(f"{end}: fits {listed([one.name for one in found.fitting], 'or') or 'no profile'}.")
        lines += [f"{end}: not {stack.name}: {why}." for stack, why in found.unfitting]
    return lines
