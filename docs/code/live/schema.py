"""The JSON Schema of traces, as tables."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from live.tables import code, plain, table
from timewait.checker.itf import SCHEMA

Schema = Mapping[str, Any]


def tables() -> str:
    """A table for every object that has names of its own."""
    whole: Schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [whole["description"]]
    for name, described in _objects("the whole", whole):
        needed = described.get("required", ())
        rows = [
            (code(key), _kind(field), "yes" if key in needed else "", plain(_told(field, whole)))
            for key, field in described["properties"].items()
        ]
        parts.append(f"## {name[0].upper()}{name[1:]}")
        if "description" in described and described is not whole:
            parts.append(described["description"])
        parts.append(table(("key", "kind", "always there", "what it says"), rows))
    return "\n\n".join(parts) + "\n"


def _objects(name: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Every object with properties, the outermost first, under a name that people understand."""
    if "properties" in schema:
        yield name, schema
    for key, field in schema.get("properties", {}).items():
        yield from _objects(f"{code(key)} of {name}", field)
    for key, field in schema.get("$defs", {}).items():
        yield from _objects(TITLES.get(key, key), field)
    if "items" in schema:
        yield from _objects(f"an entry of {name}", schema["items"])


TITLES = {
    "initial": "the initial state",
    "later": "a later state",
    "step": "the step that led to a state",
    "copy": "a copy of a segment",
    "timer": "a timer",
    "value": "a value",
}
"""How the parts of the schema are called."""


def _kind(field: Schema) -> str:
    """What a field is, in a word or two."""
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return TITLES.get(name, str(name))
    if "const" in field:
        return code(json.dumps(field["const"]))
    if "oneOf" in field:
        return " or ".join(_kind(one) for one in field["oneOf"])
    if field.get("type") == "array":
        return f"array of {_kind(field['items'])}" if "items" in field else "array"
    return str(field.get("type", "any"))


def _told(field: Schema, whole: Schema) -> str:
    """What a field says of itself, or what it refers to."""
    if "description" in field:
        return str(field["description"])
    if "$ref" in field:
        return str(whole["$defs"][field["$ref"].rsplit("/", 1)[-1]].get("description", ""))
    return ""
