"""Damaged inputs, made at random from good ones: octets, and plain data."""

from __future__ import annotations

import copy
import os
import random
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


def places(data: Any) -> list[tuple[Any, Any]]:
    """Every container in plain data with each of its keys."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        value = waiting.pop()
        keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
        found += [(value, key) for key in keys]
        waiting += [value[key] for key in keys]
    return found


def damaged_data(rng: random.Random, data: Any) -> Any:
    """A copy of plain data with a few values replaced, removed, repeated or exchanged."""
    changed = copy.deepcopy(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        spots = places(changed)
        if not spots:
            break
        container, key = rng.choice(spots)
        action = rng.randrange(6)
        if action == 0:
            del container[key]
        elif action == 1 and isinstance(container, list):
            container.insert(key, copy.deepcopy(container[key]))
        elif action == 2:
            other, name = rng.choice(spots)
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
