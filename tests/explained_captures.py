"""Closes read from captures, and their states, for the tests of ``timewait explain``."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

from wire import Script, pcap

from timewait.captures.closes import read_closes
from timewait.captures.facts import ObservedClose
from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.trace import Trace
from timewait.proofs.question import question
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration
from timewait.spec.properties import PROPERTIES
from timewait.spec.stacks import load_stack


def configuration(**overrides: Any) -> Configuration:
    """RFC 9293 (intended reading) with an MSL of 30 s."""
    values = {"msl": Fraction(30), "rto": (Fraction(30),), "time_wait": Fraction(60), **overrides}
    return assemble(load_stack("rfc9293-intended"), Overrides.of(**values))


def closes(path: Path, assumed: Configuration | None = None) -> tuple[ObservedClose, ...]:
    """Every close in a capture."""
    return read_closes(path, assumed or configuration()).closes


def only_close(script: Script, tmp_path: Path) -> ObservedClose:
    """The only close in a script."""
    (found,) = closes(pcap(tmp_path / "script.pcap", script.packets))
    return found


def states(close: ObservedClose, end: str) -> list[str]:
    """The states that an end goes through."""
    changes = [str(close.trace.initial[f"{end}.state"])]
    changes += [str(step.changed[f"{end}.state"][1]) for step in close.trace.steps if f"{end}.state" in step.changed]
    return changes


ACTIVE = ["ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "TIME_WAIT"]
PASSIVE = ["ESTABLISHED", "CLOSE_WAIT", "LAST_ACK", "CLOSED"]


def closed(script: Script | None = None, last: bool = True) -> Script:
    """A clean close: A at 1 s, B at 1.2 s."""
    script = Script().opened() if script is None else script
    script.say(1.0, "A", "FA", 1, 1)
    script.say(1.01, "B", "A", 1, 2)
    script.say(1.2, "B", "FA", 1, 2)
    if last:
        script.say(1.21, "A", "A", 2, 2)
    return script


# --- traces ----------------------------------------------------------------------------------------------------------


def violation(name: str, **overrides: Any) -> Trace:
    """A run that violates a property."""
    (answer,) = decide(question(configuration(**overrides)), [PROPERTIES[name]], Engine.AUTO, Budget())
    assert answer.trace is not None
    return answer.trace
