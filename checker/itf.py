"""Traces as files: the Informal Trace Format of Apalache (ADR-015), and back.

The variables of each state are those of the endpoints. The ``#meta`` of each state holds the rest of the trace: the
action, the packets in flight, and the running timers. A trace that is read back equals the trace that was written. Every
time is an exact number of seconds, as text.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from timewait.checker.trace import Step, Trace, VariableValue
from timewait.vocabulary.errors import InputError
from timewait.vocabulary.input_files import LARGE, read_octets
from timewait.vocabulary.replay import Event, Packet, RunningTimer
from timewait.vocabulary.untrusted import check_plain_data, exact_number, parse_json, shown

FORMAT = "ITF"

SCHEMA = Path(__file__).with_name("itf.schema.json")
"""The JSON Schema of the files."""


class BrokenTrace(InputError):
    """A file that holds no trace; the message says why, and where in the file."""


def as_itf(trace: Trace) -> dict[str, Any]:
    """A trace as plain data."""
    names = sorted(trace.initial)
    first = {
        "index": 0,
        "action": "initial",
        "delay": "0",
        "time": "0",
        "timers": [_running(timer) for timer in trace.initial_timers],
    }
    states: list[dict[str, Any]] = [{"#meta": first} | {name: _value(trace.initial[name]) for name in names}]
    for step in trace.steps:
        states.append({"#meta": _meta(step)} | {name: _value(step.state[name]) for name in names})
    whole: dict[str, Any] = {
        "#meta": {
            "format": FORMAT,
            "description": f"{trace.shows}: {trace.statement}",
            "shows": trace.shows,
            "statement": trace.statement,
            "about": dict(trace.about),
            "dropped": trace.dropped,
        },
        "vars": names,
        "states": states,
    }
    if trace.loop is not None:
        whole["loop"] = trace.loop
    return whole


def as_itf_text(trace: Trace) -> str:
    """A trace as the text of a file."""
    return json.dumps(as_itf(trace), indent=1) + "\n"


def _meta(step: Step) -> dict[str, Any]:
    event = step.event
    return {
        "index": step.number,
        "action": str(event),
        "delay": str(step.delay),
        "time": str(step.time),
        "actor": event.actor,
        "event": event.text,
        "received": None if event.received is None else _copy(event.received),
        "sent": [_copy(copy) for copy in event.sent],
        "rules": [{"name": name, "section": section, "text": text} for name, section, text in event.rules],
        "breaks": dict(event.breaks),
        "in_flight": [_copy(copy) for copy in step.in_flight],
        "timers": [_running(timer) for timer in step.timers],
        **({"frames": list(event.frames)} if event.frames else {}),
        **({} if event.starts is None else {"starts": list(event.starts)}),
    }


def _value(value: VariableValue) -> Any:
    return {"#bigint": str(value)} if isinstance(value, int) else value


def _copy(copy: Packet) -> dict[str, Any]:
    return {
        "copy": copy.number,
        "sender": copy.sender,
        "receiver": copy.receiver,
        "text": copy.text,
        "fields": dict(copy.fields),
        "sent": str(copy.sent),
        "expires": str(copy.expires),
        "lost": copy.lost,
    }


def _running(timer: RunningTimer) -> dict[str, Any]:
    return {
        "name": timer.name,
        "owner": timer.owner,
        "since": str(timer.since),
        "limit": str(timer.limit),
        "strict": timer.strict,
    }


# --- reading --------------------------------------------------------------------------------------------------------


def looks_like_json(start: bytes) -> bool:
    """Whether the first octets of a file look like JSON."""
    return start.removeprefix(b"\xef\xbb\xbf").lstrip()[:1] in (b"{", b"[")


def is_json(path: Path) -> bool:
    """Whether a file begins like JSON; `read` reports a file that cannot be opened."""
    try:
        with path.open("rb") as content:
            return looks_like_json(content.read(64))
    except OSError:
        return True


def read(path: Path) -> Trace:
    """Read a trace from a file that holds the text of `as_itf_text`.

    Raises
    ------
    BrokenTrace
        The file cannot be read, or holds no trace.
    """
    try:
        return parsed_octets(read_octets(path, LARGE), str(path))
    except OSError as problem:
        raise BrokenTrace(f"{path}: {problem.strerror}") from problem


def parsed_octets(octets: bytes, where: str) -> Trace:
    """The trace in the octets of a file; parameters and errors as of `parsed`."""
    try:
        data = parse_json(octets)
    except ValueError as problem:
        raise BrokenTrace(f"{where}: {problem}") from problem
    return parsed(data, where)


def parsed(data: Any, where: str) -> Trace:
    """The trace in plain data; messages name its source, `where`.

    Raises
    ------
    BrokenTrace
        The data hold no trace.
    """
    if not isinstance(data, Mapping) or not isinstance(meta := data.get("#meta"), Mapping) or meta.get("format") != FORMAT:
        raise BrokenTrace(f"{where}: not a trace in the Informal Trace Format")
    place = "the head"
    try:
        check_plain_data(data)
        names = _names(data["vars"])
        place = "state 0"
        initial = _variables(data["states"][0], names)
        timers = tuple(_timer(timer) for timer in data["states"][0]["#meta"]["timers"])
        steps: list[Step] = []
        copies: set[int] = set()
        for index, state in enumerate(data["states"][1:], start=1):
            place = f"state {index}"
            steps.append(_step(state, names, steps[-1].state if steps else initial))
            _check_order(steps)
            _check_copies(steps[-1], copies)
        place = "the head"
        return Trace(
            _text(meta["shows"]),
            _text(meta["statement"]),
            initial,
            tuple(steps),
            dict(meta["about"]),
            timers,
            _loop(data.get("loop"), len(steps)),
            _integer(meta["dropped"]),
        )
    except KeyError as problem:
        raise BrokenTrace(f"{where}: {place}: {problem} is missing; was it written by timewait?") from problem
    except (TypeError, ValueError, IndexError, AttributeError) as problem:
        raise BrokenTrace(f"{where}: {place}: {problem}") from problem


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)} is no text")
    return value


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{shown(value)} is no whole number")
    return value


def _names(value: object) -> list[str]:
    if not isinstance(value, list) or len(set(map(_text, value))) < len(value):
        raise TypeError("the variables are no list of different names")
    return value


def _loop(value: object, steps: int) -> int | None:
    if value is not None and not 0 <= _integer(value) < steps:
        raise ValueError(f"the loop begins after state {shown(value)}, and the last state is {steps}")
    return None if value is None else _integer(value)


def _check_order(steps: list[Step]) -> None:
    """Raise unless the last step follows the one before: its number and its time."""
    last = steps[-1]
    before = steps[-2].time if len(steps) > 1 else Fraction(0)
    if last.number != len(steps):
        raise ValueError(f"its number is {last.number}")
    if last.delay < 0 or last.time != before + last.delay:
        raise ValueError("its time is not that of the state before and its delay")


def _check_copies(step: Step, known: set[int]) -> None:
    """Raise if a step sends a copy whose number is known; its own become known."""
    for copy in step.event.sent:
        if copy.number in known:
            raise ValueError(f"copy {copy.number} is sent twice")
        known.add(copy.number)


def _variables(state: Mapping[str, Any], names: list[str]) -> dict[str, VariableValue]:
    return {name: _bigint(value) if isinstance(value := state[name], Mapping) else _text(value) for name in names}


def _bigint(value: Mapping[str, Any]) -> int:
    if (number := exact_number(value["#bigint"])).denominator != 1:
        raise ValueError(f"{number} is no whole number")
    return number.numerator


def _step(state: Mapping[str, Any], names: list[str], before: Mapping[str, VariableValue]) -> Step:
    meta, after = state["#meta"], _variables(state, names)
    event = Event(
        _text(meta["actor"]),
        _text(meta["event"]),
        None if meta["received"] is None else _message(meta["received"]),
        tuple(_message(copy) for copy in meta["sent"]),
        tuple((_text(rule["name"]), _text(rule["section"]), _text(rule["text"])) for rule in meta["rules"]),
        tuple((name, _text(why)) for name, why in meta["breaks"].items()),
        tuple(_integer(frame) for frame in meta.get("frames", [])),
        tuple(_text(name) for name in meta["starts"]) if "starts" in meta else None,
    )
    return Step(
        _integer(meta["index"]),
        exact_number(meta["time"]),
        exact_number(meta["delay"]),
        event,
        {name: (before[name], after[name]) for name in names if before[name] != after[name]},
        after,
        tuple(_message(copy) for copy in meta["in_flight"]),
        tuple(_timer(timer) for timer in meta["timers"]),
    )


def _message(copy: Mapping[str, Any]) -> Packet:
    sent, expires = exact_number(copy["sent"]), exact_number(copy["expires"])
    if expires < sent:
        raise ValueError(f"copy {shown(copy['copy'])} expires before it is sent")
    return Packet(
        _integer(copy["copy"]),
        _text(copy["sender"]),
        _text(copy["receiver"]),
        _text(copy["text"]),
        tuple((name, _integer(value)) for name, value in copy["fields"].items()),
        sent,
        expires,
        bool(copy["lost"]),
    )


def _timer(timer: Mapping[str, Any]) -> RunningTimer:
    since, limit = exact_number(timer["since"]), exact_number(timer["limit"])
    return RunningTimer(_text(timer["name"]), _text(timer["owner"]), since, limit, bool(timer["strict"]))
