"""``timewait explain``: what a trace or a packet capture tells, in words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click

from timewait.captures.account import Account
from timewait.captures.connections import Connection
from timewait.captures.container import BrokenCapture, frames
from timewait.captures.following import followed
from timewait.captures.headers import CapturedPacket, Socket, UnreadLink, packet
from timewait.captures.report import deviations, headline, known, outcome, profiles, summary, time_wait
from timewait.captures.traffic import MOST_CONNECTIONS, Traffic, between, traffic
from timewait.checker import itf
from timewait.checker.trace import Trace
from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.files import write_whole
from timewait.cli.options import DURATION
from timewait.narration.prose import counted, rounded
from timewait.narration.story import conclusion, story
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration
from timewait.spec.stacks import Stack, load, names

PARAGRAPHS = 12
"""Of so many connections each gets a paragraph; of more, a row."""

STANDARDS = ("rfc9293", "rfc9293-intended")
"""The profiles that are no stack's."""


@click.command("explain")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--connection", metavar="ADDRESS:PORT-ADDRESS:PORT", help="Of a capture: this connection alone, in full.")
@click.option("--stack", help="What the specification is to do where stacks differ. [default: rfc9293-intended]")
@click.option("--msl", type=DURATION, help="How long segments live. [default: the stack's, else 30s]")
@click.option("--time-wait", type=DURATION, help="Of a capture: a TIME_WAIT to hold against what was needed.")
@click.option("--steps", is_flag=True, help="Show the steps as a table too.")
@click.option(
    "--trace", "trace_file", type=click.Path(path_type=Path, dir_okay=False), help="Of a capture: write the close as ITF JSON."
)
@click.option(
    "--max-frames", type=click.IntRange(min=1), default=5_000_000, show_default=True, help="Of a capture: frames read at most."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain_command(file: Path, **given: Any) -> int:
    """Tell the story of a trace (ITF JSON) or of the closes in a packet capture (pcap, pcapng, also gzipped)."""
    if not _is_trace(file):
        return _explain_capture(file, given)
    for option in ("connection", "time_wait", "trace_file"):
        if given[option] is not None:
            name = {"trace_file": "trace"}.get(option, option).replace("_", "-")
            raise click.UsageError(f"--{name} is for packet captures, and {file} is none")
    return _explain_trace(itf.read(file), given)


def _is_trace(file: Path) -> bool:
    """Whether a file begins as JSON does."""
    try:
        with file.open("rb") as content:
            return content.read(64).lstrip().startswith(b"{")
    except OSError as problem:
        raise BrokenCapture(f"{file}: {problem.strerror}") from problem


# --- a trace -------------------------------------------------------------------------------------------------------


def _explain_trace(trace: Trace, given: Mapping[str, Any]) -> int:
    screen = Screen()
    if given["as_json"]:
        screen.as_json({"kind": "trace", **_story_data(trace)})
        return 0
    screen.heading(f"{trace.shows}: {trace.statement}")
    if given["steps"]:
        screen.trace(trace)
        screen.line()
    screen.story(trace)
    return 0


def _story_data(trace: Trace) -> dict[str, Any]:
    told = [
        {"time": float(one.time), "steps": list(one.numbers), "text": one.text, "rule": one.why, "states": dict(one.meanings)}
        for one in story(trace)
    ]
    return {"story": told, "moral": conclusion(trace), "trace": trace.as_json()}


# --- a capture -----------------------------------------------------------------------------------------------------


@dataclass
class _Reading:
    """A capture while it is read: at most so many frames, when the last was captured, and whether there were more."""

    file: Path
    most: int
    ended: int = 0
    cut: bool = False

    def packets(self) -> Iterator[CapturedPacket | None]:
        """Its TCP segments; None for every other frame."""
        for frame in frames(self.file):
            if frame.number > self.most:
                self.cut = True
                return
            self.ended = max(self.ended, frame.time)
            try:
                yield packet(frame)
            except UnreadLink as problem:
                raise BrokenCapture(f"{self.file}: frame {frame.number}: {problem}") from problem


def _explain_capture(file: Path, given: Mapping[str, Any]) -> int:
    wanted = None if given["connection"] is None else _ends(given["connection"])
    reading = _Reading(file, given["max_frames"])
    found = traffic(reading.packets() if wanted is None else between(reading.packets(), wanted))
    closing = [one for one in found.connections if one.closes]
    _complain(file, found, wanted is not None)
    if given["trace_file"] is not None and len(closing) != 1:
        many = f"{len(closing)} connections close in {file}"
        raise click.UsageError(f"{many}, and --trace writes one; choose it with --connection, as {_first(closing)}")
    configuration = _configuration(given)
    accounts = [followed(one, configuration, reading.ended, {"file": file.name}) for one in closing]
    if given["trace_file"] is not None:
        write_whole(given["trace_file"], itf.as_itf_text(accounts[0].trace))
    stacks = [load(name) for name in names() if name not in STANDARDS]
    screen = Screen()
    if reading.cut:
        screen.note(f"stopped after {counted(reading.most, 'frame')}; --max-frames reads more")
    if given["as_json"]:
        screen.as_json({"kind": "capture", "connections": [_account_data(one, stacks, given["time_wait"]) for one in accounts]})
    else:
        _print(screen, file, found, accounts, stacks, given)
    return 0 if accounts else Verdict.VACUOUS.exit_code


def _ends(text: str) -> frozenset[Socket]:
    """The two ends that somebody names."""
    ends = []
    for part in text.split("-"):
        form = re.fullmatch(r"\[?(?P<address>[0-9a-fA-F.:]+?)\]?:(?P<port>[0-9]{1,5})", part.strip())
        try:
            ends.append(Socket(ip_address(form["address"]).packed, int(form["port"])) if form else None)
        except ValueError:
            ends.append(None)
    if len(ends) != 2 or None in ends:
        raise click.UsageError(f"{text!r} is no connection; write it as 192.0.2.1:40000-192.0.2.2:80, or [2001:db8::1]:80")
    return frozenset(end for end in ends if end is not None)


def _configuration(given: Mapping[str, Any]) -> Configuration:
    stack = load(given["stack"] or "rfc9293-intended")
    msl = given["msl"] if given["msl"] is not None else stack.msl or Fraction(30)
    rto = None if stack.rto_max is not None else (2 * msl,)
    return assemble(stack, Overrides(msl=msl, time_wait=given["time_wait"], rto=rto))


def _first(closing: list[Connection]) -> str:
    return f"{closing[0].ends[0]}-{closing[0].ends[1]}" if closing else "192.0.2.1:40000-192.0.2.2:80"


def _complain(file: Path, found: Traffic, chosen: bool) -> None:
    """A capture in which there is nothing to follow."""
    if not found.frames:
        raise BrokenCapture(f"{file}: is a capture without a single frame")
    if not found.segments and chosen:
        raise click.UsageError(f"no such connection in {file}; 'timewait explain {file}' names those that close")
    if not found.segments:
        raise BrokenCapture(f"{file}: none of its {counted(found.frames, 'frame')} is a TCP segment with a whole header")


def _account_data(account: Account, stacks: list[Stack], given: Fraction | None) -> dict[str, Any]:
    return {
        "A": str(account.ends[0]),
        "B": str(account.ends[1]),
        "outcome": outcome(account),
        "summary": summary(account),
        "known": known(account),
        "time_wait": time_wait(account, stacks, given),
        "deviations": deviations(account),
        "profiles": profiles(account, stacks),
        **_story_data(account.trace),
    }


def _print(
    screen: Screen, file: Path, found: Traffic, accounts: list[Account], stacks: list[Stack], given: Mapping[str, Any]
) -> None:
    total = len(found.connections)
    screen.line(
        f"{file}: {counted(found.frames, 'frame')}, {counted(found.segments, 'TCP segment')},"
        f" {counted(total, 'connection')}, {len(accounts) or 'none'} of them closing"
    )
    if found.unfollowed:
        screen.line(
            f"{found.unfollowed:,} segments of connections beyond the first {MOST_CONNECTIONS:,} were not followed;"
            " choose one with --connection"
        )
    if len(accounts) == 1:
        _print_whole(screen, accounts[0], stacks, given)
    elif len(accounts) <= PARAGRAPHS:
        for account in accounts:
            _print_short(screen, account, stacks, given)
    elif accounts:
        _print_table(screen, accounts)
    if len(accounts) > 1:
        screen.line()
        screen.line(f"in full: timewait explain {file} --connection {accounts[0].ends[0]}-{accounts[0].ends[1]}")


def _print_whole(screen: Screen, account: Account, stacks: list[Stack], given: Mapping[str, Any]) -> None:
    _print_short(screen, account, stacks, given)
    _section(screen, "Step by step", [])
    screen.story(account.trace)
    if given["steps"]:
        screen.line()
        screen.trace(account.trace, _seconds)
    _section(screen, "Which stack profiles fit", profiles(account, stacks))


def _print_short(screen: Screen, account: Account, stacks: list[Stack], given: Mapping[str, Any]) -> None:
    screen.line()
    screen.heading(headline(account))
    screen.paragraphs([summary(account)])
    _section(screen, "What the capture can show", known(account))
    _section(screen, "How long TIME_WAIT would have had to be", time_wait(account, stacks, given["time_wait"]))
    against = deviations(account) or ["Nothing was seen that RFC 9293 would not do."]
    _section(screen, "Where the ends differ from RFC 9293", against)


def _section(screen: Screen, title: str, lines: list[str]) -> None:
    screen.line()
    screen.heading(title)
    screen.paragraphs(lines, indent=2)


def _print_table(screen: Screen, accounts: list[Account]) -> None:
    rows = []
    for account in accounts:
        lost = sum(copy.lost for step in account.trace.steps for copy in step.event.sent)
        needed = max((one.quiet for one in account.met), default=Fraction(0))
        rows.append(
            (
                str(account.ends[0]),
                str(account.ends[1]),
                outcome(account),
                str(lost),
                str(len(account.agains)),
                rounded(needed) if needed else "none",
                str(len(deviations(account))),
            )
        )
    screen.line()
    screen.table(("A", "B", "how it ended", "lost", "sent again", "TIME_WAIT needed", "deviations"), rows)


def _seconds(time: Fraction) -> str:
    """A time of a capture in seconds, to the microsecond."""
    return f"{float(time):.6f}"
