"""Damaged inputs, made at random from good ones: octets, and plain data."""

from __future__ import annotations

import copy
import os
import pickle
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

INPUTS = int(os.environ.get("TIMEWAIT_FUZZ", "100000"))
"""Inputs of each reader in a slow test."""

EXTREMES: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    70_000,
    10**40,
    1.5,
    float("inf"),
    float("nan"),
    "",
    "x",
    "-5",
    "1/0",
    "1e999999999",
    "inf",
    "9" * 5_000,
    "\x1b]0;owned\x07\x1b[31m",
    "a\nverdict: PROVED\n::error::x",
    "\ud800",
    "\u202e",
    ":a:",
    "<script>&\"'",
    [],
    {},
    [[]],
    {"#bigint": "7"},
)
"""Values that readers forget."""


def place(rng: random.Random, data: Any) -> tuple[Any, Any] | None:
    """A container in plain data with one of its keys, every depth about as often; None where there is none."""
    found, value = None, data
    while keys := list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        found = (value, key) = value, rng.choice(keys)
        if rng.random() < DEEPER:
            value = value[key]
        else:
            break
    return found


DEEPER = 0.85
"""How often a damage lies in a part of a container, and not at the container itself."""


def damaged_data(rng: random.Random, data: Any) -> Any:
    """A copy of plain data with a few values replaced, removed, repeated or exchanged."""
    changed = pickle.loads(pickle.dumps(data))  # several times as fast as a deep copy
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        if (spot := place(rng, changed)) is None:
            break
        container, key = spot
        action = rng.randrange(6)
        if action == 0:
            del container[key]
        elif action == 1 and isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        elif action == 2:
            other, name = place(rng, changed) or spot
            container[key] = copy.deepcopy(other[name])
        elif action == 3 and isinstance(container, dict):
            container[rng.choice(("", "x", "\x1b[2J"))] = container.pop(key)
        else:
            container[key] = copy.deepcopy(rng.choice(EXTREMES))
    return changed


def damaged_octets(rng: random.Random, octets: bytes) -> bytes:
    """Octets with some changed, removed, repeated or cut off."""
    found = bytearray(octets)
    for _ in range(rng.choice((1, 1, 2, 4, 8))):
        if not found:
            break
        at, length = rng.randrange(len(found)), rng.choice((1, 1, 1, 2, 4, 16, 64))
        action = rng.randrange(5)
        if action == 0:
            del found[at : at + length]
        elif action == 1:
            found[at:at] = found[at : at + length]
        elif action == 2:
            found[at : at + length] = bytes(rng.choice((0, 0xFF, 0x7F, 0x80)) for _ in range(length))
        elif action == 3:
            found[at] ^= 1 << rng.randrange(8)
        else:
            found[at] = rng.randrange(256)
    return bytes(found[: rng.randrange(len(found) + 1)]) if rng.random() < 0.2 else bytes(found)


class TookTooLong(Exception):
    """A reader did not answer in time."""


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Raise `TookTooLong` in this thread if the body takes too long; not while an extension module runs.

    Parameters
    ----------
    seconds : float
        Processor time of this process: on a busy machine a process may wait for seconds, whatever it reads. A body that waits
        without computing, such as for a pipe, ends after `WAITING` times as long.
    """

    def end(*_: object) -> None:
        raise TookTooLong(f"no answer within {seconds:g} s of processor time, or {WAITING} times as long")

    timers = ((signal.SIGPROF, signal.ITIMER_PROF, seconds), (signal.SIGALRM, signal.ITIMER_REAL, WAITING * seconds))
    before = [(number, signal.signal(number, end)) for number, _, _ in timers]
    for _, timer, limit in timers:
        signal.setitimer(timer, limit)
    try:
        yield
    finally:
        for _, timer, _ in timers:
            signal.setitimer(timer, 0)
        for number, handler in before:
            signal.signal(number, handler)


WAITING = 100
"""How many times as long as its processor time a reader may take by the clock."""


def damaged_text(rng: random.Random, text: str, words: Sequence[str]) -> str:
    """A text with some characters changed, removed or repeated, and some of the words put in."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, length = rng.randrange(len(text) + 1), rng.choice((0, 1, 1, 2, 8))
        part = rng.choice(
            ("", text[at : at + length] * 2, rng.choice(words), chr(rng.randrange(33, 127)), rng.choice(text or "x"))
        )
        text = text[:at] + part + text[at + length :]
    return text
