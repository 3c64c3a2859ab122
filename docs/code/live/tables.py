"""Tables of what the code says: verdicts, exit codes, properties, rules, states, settings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

import networkx as nx
from sphinx.pycode import ModuleAnalyzer

from timewait.checker.verdict import SEVERITY, Verdict
from timewait.cli.main import BAD_FILE, USAGE
from timewait.diagrams.edges import answer, authority, event, sort_of
from timewait.spec.assemble import Overrides, behaviour_of
from timewait.spec.endpoint import RULES
from timewait.spec.graph import condense, transition_graph
from timewait.spec.properties import DEFAULT, PROPERTIES, RELIABLE, WITNESSES
from timewait.spec.settings import BEHAVIOUR, SETTINGS, Arrival, InProfile, ResetRule
from timewait.spec.stacks import load
from timewait.spec.state import MEANING, State


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a bar in a cell is escaped."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines)


def words(module: str, kind: str) -> dict[str, str]:
    """What a module says of each member of a class, by its name."""
    found = ModuleAnalyzer.for_module(module).find_attr_docs()
    return {name: " ".join(" ".join(lines).split()) for (owner, name), lines in found.items() if owner == kind}


def code(text: str) -> str:
    """Text as code."""
    return f"`{text}`"


def plain(text: str) -> str:
    """Text as it stands, whatever Markdown would make of it."""
    return re.sub(r"([\\`*_{}\[\]<>#])", r"\\\1", text)


# --- verdicts ------------------------------------------------------------------------------------------------------


def verdicts() -> str:
    """Every verdict, what it means, and the exit code that says so."""
    told = words("timewait.checker.verdict", "Verdict")
    rows = [(f"**{verdict}**", told[verdict.name], code(str(verdict.exit_code))) for verdict in Verdict]
    return table(("verdict", "what it means", "exit code"), rows)


OTHERS = {
    1: "an internal error: please report it, with the traceback",
    USAGE: "bad usage: the line on standard error says what to change",
    BAD_FILE: "a file that cannot be read or makes no sense; the line says which, and where in it",
}
"""The exit codes that are no verdict."""


def exit_codes() -> str:
    """Every exit code."""
    told = words("timewait.checker.verdict", "Verdict")
    meanings = {verdict.exit_code: f"**{verdict}**: {told[verdict.name]}" for verdict in Verdict} | OTHERS
    worst_first = " ".join(code(str(number)) for number in reversed(SEVERITY))
    rows = [(code(str(number)), meanings[number]) for number in sorted(meanings)]
    return f"{table(('exit code', 'what it means'), rows)}\n\nOf several, the worst counts; from worst to best: {worst_first}.\n"


# --- the specification ---------------------------------------------------------------------------------------------


def properties() -> str:
    """Every property."""
    rows = []
    for name, entry in PROPERTIES.items():
        asked = "together: reliable" if name in RELIABLE else "yes" if name in DEFAULT else "by name only"
        witnesses = ", ".join(WITNESSES.get(name, ())) or "none"
        rows.append((code(name), entry.kind, plain(entry.statement), entry.section, asked, plain(witnesses)))
    return table(("property", "kind", "what it says", "where it comes from", "asked by default", "what must be possible"), rows)


def rules() -> str:
    """Every rule of an endpoint."""
    return table(
        ("rule", "what it says", "where it stands"),
        [(code(name), plain(rule.text), plain(rule.section)) for name, rule in RULES.items()],
    )


def settings() -> str:
    """Every setting that an endpoint reads, its default, and the option or the key of a profile that states it."""
    rows = []
    for name, entry in BEHAVIOUR.items():
        stated = SETTINGS[entry.follows] if entry.follows else entry
        value = entry.default
        shown = ", ".join(sorted(value)) if isinstance(value, frozenset) else str(value)
        rows.append(
            (code(name), plain(entry.meaning), code(stated.option) if stated.option else "a profile", shown, entry.section)
        )
    return table(("setting", "what it says", "set by", "by default", "where it comes from"), rows)


def words_of(kind: str) -> str:
    """The words that `--answers` and `--rst` take."""
    members = {"arrivals": Arrival, "resets": ResetRule}[kind]
    told = words("timewait.spec.settings", members.__name__)
    return table(("word", "what it means"), [(code(member.value), told[member.name]) for member in members])


def needed() -> str:
    """The keys that a profile may leave out, and the option that states the value instead."""
    rows = [
        (code(name), entry.meaning, code(entry.option))
        for name, entry in SETTINGS.items()
        if entry.option and entry.profile in (InProfile.REQUIRED, InProfile.ASSUMED)
    ]
    return table(("key", "what it says", "option that says it instead"), rows)


# --- states --------------------------------------------------------------------------------------------------------


@cache
def _graph() -> nx.MultiDiGraph:
    """All that an endpoint does that follows the standard as it was meant."""
    return condense(transition_graph(behaviour_of(load("rfc9293-intended"), Overrides())))


def meaning(name: str) -> str:
    """What a state is for."""
    return f"> {plain(MEANING[State(name)])}\n"


def state(name: str) -> str:
    """All that happens in a state."""
    rows = []
    edges = _graph().out_edges(State(name), data=True)
    for source, target, edge in sorted(edges, key=lambda edge: (edge[0] is edge[1], sort_of(edge[2]))):
        to = "" if source is target else code(target)
        rows.append((plain(event(edge)), plain(answer(edge)) or "nothing", to, plain(authority(edge))))
    return table(("when", "it sends or starts", "and goes to", "because of"), rows)
