"""Tables of the pages that the code determines: properties, verdicts, settings, rules, states, stacks, claims, trace files.

A page holds such a table between two comments, ``<!-- generated: NAME ARGUMENT -->`` and ``<!-- end -->``, so that it can be
read without building the site. As a script, this module rewrites the tables of all pages: ``python docs/code/live/tables.py``.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import networkx as nx

from timewait.checker.itf import SCHEMA
from timewait.checker.verdict import SEVERITY, Verdict
from timewait.diagrams.edges import citation, event, kind_order, response
from timewait.laboratory.conformance.departures import DEPARTURES
from timewait.proofs.claims import CLAIMS
from timewait.spec.assemble import Overrides, behaviour_of
from timewait.spec.duration import format_duration
from timewait.spec.graph import condense, transition_graph
from timewait.spec.middlebox import BOXES, TrackedPhase
from timewait.spec.properties import DEFAULT, PROPERTIES, RELIABLE, WITNESSES
from timewait.spec.rules import RULES
from timewait.spec.setting import InProfile
from timewait.spec.settings import SETTINGS
from timewait.spec.stacks import EVIDENCE, load_stack, stack_names
from timewait.spec.state import MEANING, State

DOCS = Path(__file__).parents[2]
MARKED = re.compile(r"(<!-- generated: ([\w-]+) ?(\w*) -->\n).*?(<!-- end -->)", re.DOTALL)


def refreshed(text: str) -> str:
    """The text of a page with its generated tables up to date."""

    def replaced(found: re.Match[str]) -> str:
        opening, name, argument, closing = found.groups()
        return f"{opening}\n{TABLES[name](*filter(None, [argument]))}\n\n{closing}"

    return MARKED.sub(replaced, text)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def plain(text: str) -> str:
    """Text with an escape before each character that Markdown would interpret."""
    return re.sub(r"\*|\b_\B|\B_\b|<(?=[a-zA-Z/!])", r"\\\g<0>", text)


def members(module: str, name: str) -> dict[str, str]:
    """The docstring below each member of a class, by the name of the member."""
    found = ast.parse(inspect.getsource(getattr(importlib.import_module(module), name))).body[0]
    assert isinstance(found, ast.ClassDef)
    described = {}
    for statement, text in zip(found.body, found.body[1:], strict=False):
        if isinstance(statement, ast.Assign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
            described[ast.unparse(statement.targets[0])] = " ".join(str(text.value.value).split())
    return described


# --- properties, verdicts, claims ----------------------------------------------------------------------------------


def properties() -> str:
    """The properties with their sections and witnesses."""
    rows = []
    for name, entry in PROPERTIES.items():
        asked = "yes" if name in DEFAULT else "by name only"
        witnesses = ", ".join(WITNESSES.get(name, ())) or "none"
        bold = f"**{code(name)}**" if name in RELIABLE else code(name)
        rows.append((bold, entry.kind, plain(entry.statement), entry.section, asked, plain(witnesses)))
    return table(("property", "kind", "statement", "source", "checked by default", "witnesses"), rows)


ERRORS = {
    1: ("internal error", "a fault of `timewait`: please report it with the traceback"),
    2: ("usage error", "the line on standard error says what to change"),
    3: ("bad file", "a file cannot be read or is malformed; the line on standard error says which, and where"),
    4: ("unavailable", "this machine lacks what the command needs; the line on standard error says what, and why"),
}
"""The exit codes that are no verdict."""


def verdicts() -> str:
    """The verdicts and errors with their exit codes, in order of severity."""
    meaning = members("timewait.checker.verdict", "Verdict")
    rows = {verdict.exit_code: (f"**{verdict}**", meaning[verdict.name]) for verdict in Verdict} | ERRORS
    return table(
        ("exit code, best first", "verdict or error", "meaning"), [(code(str(number)), *rows[number]) for number in SEVERITY]
    )


def claims(seen_from: str = "") -> str:
    """The claims with links to their explanations, for a page in docs/claims or at the root."""
    folder = "docs/claims/" if seen_from == "root" else ""
    addresses = {}
    for page in sorted((DOCS / "claims").glob("*.md")):
        for name, title in re.findall(r"^## (\w+): (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            anchor = re.sub(r"[^\w -]", "", f"{name} {title}".lower()).replace(" ", "-")
            addresses[name] = f"{folder}{page.name}#{anchor}"
    rows = []
    for name, claim in CLAIMS.items():
        expected = "counterexample" if claim.expected is Verdict.VIOLATED else str(claim.expected)
        rows.append((f"[{name}]({addresses[name]})", plain(claim.statement), claim.section, expected))
    return table(("claim", "statement", "source", "result"), rows)


# --- the specification ---------------------------------------------------------------------------------------------


def rules() -> str:
    """The rules of an endpoint."""
    rows = [(code(name), plain(rule.text), plain(rule.section)) for name, rule in RULES.items()]
    return table(("rule", "statement", "source"), rows)


def settings() -> str:
    """The settings with the key of a profile and the option that state each."""
    rows = []
    for name, entry in SETTINGS.items():
        key = "" if entry.profile is InProfile.ABSENT else code(name)
        rows.append((key, code(entry.option) if entry.option else "", plain(entry.meaning), entry.section))
    return table(("key in a profile", "option", "meaning", "source"), rows)


def departures() -> str:
    """What running stacks do that no setting expresses."""
    rows = [
        (code(name), ", ".join(entry.stacks), plain(entry.meaning), plain(entry.reason), plain(entry.source))
        for name, entry in DEPARTURES.items()
    ]
    return table(("departure", "stacks", "what the stack does", "why no setting expresses it", "source"), rows)


def words(kind: str) -> str:
    """The values of an enumeration of `timewait.spec.settings`."""
    meaning = members("timewait.spec.settings", kind)
    enumeration = getattr(importlib.import_module("timewait.spec.settings"), kind)
    return table(("word", "meaning"), [(code(member.value), meaning[member.name]) for member in enumeration])


@cache
def _graph() -> nx.MultiDiGraph:
    """The transition graph of RFC 9293 (intended reading)."""
    return condense(transition_graph(behaviour_of(load_stack("rfc9293-intended"), Overrides())))


def meaning(name: str) -> str:
    """The purpose of a state."""
    return f"> {plain(MEANING[State(name)])}"


def events(name: str) -> str:
    """The edges out of a state."""
    rows = []
    edges = _graph().out_edges(State(name), data=True)
    for source, target, edge in sorted(edges, key=lambda edge: (edge[0] is edge[1], kind_order(edge[2]))):
        to = "" if source is target else str(target).replace("_", "-")
        rows.append((plain(event(edge)), plain(response(edge)) or "nothing", to, plain(citation(edge)).replace("   ", "; ")))
    return table(("event", "sends or starts", "next state", "source"), rows)


# --- stacks --------------------------------------------------------------------------------------------------------

COLUMNS = {
    "msl": "MSL",
    "time_wait": "TIME_WAIT",
    "answers": "answers",
    "restarts": "restarted by",
    "reset": "RST that ends it",
    "rto_max": "longest RTO",
}
"""The settings in the table of all stacks."""


def stacks() -> str:
    """The stacks with their most important settings."""
    rows = []
    for name in stack_names():
        stack = load_stack(name)
        rows.append((stack.title, *map(stack.described, COLUMNS), f"[{name}](../spec/stacks/{name}.toml)"))
    return table(("stack", *COLUMNS.values(), "profile"), rows)


def fin_wait_2() -> str:
    """The limit of FIN-WAIT-2 of each stack whose profile states one, with its source."""
    rows = []
    for name in stack_names():
        stack = load_stack(name)
        if source := stack.sources.get("fin_wait_2"):
            rows.append((stack.title, stack.described("fin_wait_2"), plain(source.where), source.evidence))
    return table(("stack", "FIN-WAIT-2 lasts at most", "source", "evidence"), rows)


def evidence() -> str:
    """The kinds of evidence for a value."""
    return table(("evidence", "meaning"), [(code(word), meaning) for word, meaning in EVIDENCE.items()])


# --- trace files ---------------------------------------------------------------------------------------------------

TITLES = {
    "initial": "the initial state",
    "later": "a later state",
    "step": "the step that led to a state",
    "copy": "a packet in flight",
    "timer": "a timer",
    "value": "a value",
}
"""The names of the definitions of the schema."""

Schema = Mapping[str, Any]


def schema() -> str:
    """A table for each object of the schema of trace files."""
    whole: Schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    parts = [whole["description"]]
    for name, described in _objects("the file", whole):
        required = described.get("required", ())
        rows = [
            (code(key), _type(field), "yes" if key in required else "", plain(_description(field, whole)))
            for key, field in described["properties"].items()
        ]
        parts.append(f"## {name[0].upper()}{name[1:]}")
        if "description" in described and described is not whole:
            parts.append(described["description"])
        parts.append(table(("key", "type", "required", "meaning"), rows))
    return "\n\n".join(parts)


def _objects(name: str, described: Schema) -> Iterator[tuple[str, Schema]]:
    """Every object with properties, the outermost first, with a readable name."""
    if "properties" in described:
        yield name, described
    for key, field in described.get("properties", {}).items():
        yield from _objects(f"{code(key)} of {name}", field)
    for key, field in described.get("$defs", {}).items():
        yield from _objects(TITLES.get(key, key), field)
    if "items" in described:
        yield from _objects(f"an entry of {name}", described["items"])


def _type(field: Schema) -> str:
    if "$ref" in field:
        name = field["$ref"].rsplit("/", 1)[-1]
        return TITLES.get(name, str(name))
    if "const" in field:
        return code(json.dumps(field["const"]))
    if "oneOf" in field:
        return " or ".join(map(_type, field["oneOf"]))
    if field.get("type") == "array":
        return f"array of {_type(field['items'])}" if "items" in field else "array"
    return str(field.get("type", "any"))


def _description(field: Schema, whole: Schema) -> str:
    """The description of a field, or of the definition to which it refers."""
    referred = whole["$defs"][field["$ref"].rsplit("/", 1)[-1]] if "$ref" in field else {}
    return str(field.get("description") or referred.get("description", ""))


def middleboxes() -> str:
    """How long each known middlebox remembers an idle connection, and whom it answers afterwards."""
    heads = ("`--box`", "box", "open", "half-closed", "closed", "a packet that comes later")
    phases = (TrackedPhase.OPEN, TrackedPhase.HALF_CLOSED, TrackedPhase.CLOSED)
    answers = {"": "is dropped", "A": "of A is answered by a RST, of B dropped", "AB": "is answered by a RST"}
    rows = (
        (
            code(name),
            box.title,
            *(format_duration(box.remembers[phase]) for phase in phases),
            answers["".join(sorted(box.resets))],
        )
        for name, box in BOXES.items()
    )
    return table(heads, rows)


TABLES: dict[str, Callable[..., str]] = {
    "departures": departures,
    "claims": claims,
    "events": events,
    "fin-wait-2": fin_wait_2,
    "meaning": meaning,
    "middleboxes": middleboxes,
    "properties": properties,
    "rules": rules,
    "schema": schema,
    "settings": settings,
    "stack-evidence": evidence,
    "stacks": stacks,
    "verdicts": verdicts,
    "words": words,
}
"""The tables by name."""


if __name__ == "__main__":
    for path in (DOCS.parent / "README.md", *sorted(DOCS.rglob("*.md"))):
        text = path.read_text(encoding="utf-8")
        if (new := refreshed(text)) != text:
            path.write_text(new, encoding="utf-8")
            print(path)
