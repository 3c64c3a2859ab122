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
from timewait.vocabulary.replay import Event, Packet, RunningTimer

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


def is_json(path: Path) -> bool:
    """Whether a file begins like JSON; `read` reports a file that cannot be opened."""
    try:
        with path.open("rb") as content:
            return content.read(64).lstrip().startswith(b"{")
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
        data = json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as problem:
        raise BrokenTrace(f"{path}: not a text file") from problem
    except OSError as problem:
        raise BrokenTrace(f"{path}: {problem.strerror}") from problem
    except json.JSONDecodeError as problem:
        raise BrokenTrace(f"{path}: line {problem.lineno}: {problem.msg}") from problem
    return parsed(data, str(path))


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
        names = [str(name) for name in data["vars"]]
        place = "state 0"
        initial = _variables(data["states"][0], names)
        timers = tuple(_timer(timer) for timer in data["states"][0]["#meta"]["timers"])
        steps: list[Step] = []
        for index, state in enumerate(data["states"][1:], start=1):
            place = f"state {index}"
            steps.append(_step(state, names, steps[-1].state if steps else initial))
        loop = data.get("loop")
        return Trace(
            str(meta["shows"]),
            str(meta["statement"]),
            initial,
            tuple(steps),
            dict(meta["about"]),
            timers,
            None if loop is None else int(loop),
            int(meta["dropped"]),
        )
    except KeyError as problem:
        raise BrokenTrace(f"{where}: {place}: {problem} is missing; was it written by timewait?") from problem
    except (TypeError, ValueError, IndexError, AttributeError, ZeroDivisionError) as problem:
        raise BrokenTrace(f"{where}: {place}: {problem}") from problem


def _variables(state: Mapping[str, Any], names: list[str]) -> dict[str, VariableValue]:
    return {name: int(value["#bigint"]) if isinstance(value := state[name], Mapping) else str(value) for name in names}


def _step(state: Mapping[str, Any], names: list[str], before: Mapping[str, VariableValue]) -> Step:
    meta, after = state["#meta"], _variables(state, names)
    event = Event(
        str(meta["actor"]),
        str(meta["event"]),
        None if meta["received"] is None else _message(meta["received"]),
        tuple(_message(copy) for copy in meta["sent"]),
        tuple((str(rule["name"]), str(rule["section"]), str(rule["text"])) for rule in meta["rules"]),
        tuple((str(name), str(why)) for name, why in meta["breaks"].items()),
    )
    return Step(
        int(meta["index"]),
        Fraction(meta["time"]),
        Fraction(meta["delay"]),
        event,
        {name: (before[name], after[name]) for name in names if before[name] != after[name]},
        after,
        tuple(_message(copy) for copy in meta["in_flight"]),
        tuple(_timer(timer) for timer in meta["timers"]),
    )


def _message(copy: Mapping[str, Any]) -> Packet:
    return Packet(
        int(copy["copy"]),
        str(copy["sender"]),
        str(copy["receiver"]),
        str(copy["text"]),
        tuple((str(name), int(value)) for name, value in copy["fields"].items()),
        Fraction(copy["sent"]),
        Fraction(copy["expires"]),
        bool(copy["lost"]),
    )


def _timer(timer: Mapping[str, Any]) -> RunningTimer:
    return RunningTimer(
        str(timer["name"]), str(timer["owner"]), Fraction(timer["since"]), Fraction(timer["limit"]), bool(timer["strict"])
    )
