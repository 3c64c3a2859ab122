"""The profiles of stacks, each value with its source."""

from __future__ import annotations

from pathlib import Path

from live.tables import code, plain, table
from timewait.spec.settings import PROFILE_KEYS
from timewait.spec.stacks import EVIDENCE, Stack, load, names

DIAGRAMS = Path(__file__).parent.parent.parent / "diagrams"

SHOWN = {
    "msl": "MSL",
    "time_wait": "TIME_WAIT",
    "answers": "answers",
    "restarts": "restarted by",
    "reset": "RST that ends it",
    "rto_max": "longest RTO",
}
"""The settings that the table of all stacks shows, and their heads."""


def value(stack: Stack, name: str) -> str:
    """The value of a setting, for readers."""
    text = stack.described(name)
    return {"True": "yes", "False": "no"}.get(text, text)


def summary() -> str:
    """Every stack in a row."""
    rows = []
    for name in names():
        stack = load(name)
        rows.append((f"[{stack.title}](#stack-{name})", *(value(stack, key) for key in SHOWN)))
    return table(("stack", *SHOWN.values()), rows)


def sections() -> str:
    """A section for each stack."""
    return "\n\n".join(_section(name) for name in names()) + "\n"


def _section(name: str) -> str:
    stack = load(name)
    rows = []
    for key in PROFILE_KEYS:
        source = stack.sources.get(key)
        where = plain(f"{source.where} ({source.evidence})") if source else ""
        rows.append((code(key), value(stack, key), where))
    parts = [f"(stack-{name})=\n## {stack.title}", f"`--stack {name}`"]
    if stack.note:
        parts.append(plain(" ".join(stack.note.split())))
    parts.append(table(("key", "value", "source (evidence)"), rows))
    if (DIAGRAMS / f"difference-{name}.svg").exists():
        parts.append(f"```{{picture}} difference-{name}\n```")
    return "\n\n".join(parts)


def evidence() -> str:
    """How far a value can be trusted."""
    return table(("evidence", "what it means"), [(code(word), told) for word, told in EVIDENCE.items()])
