"""Strict readers of the parts of TChecker and IMITATOR files that exports use; anything else fails.

Both return locations with invariants, and edges with guards and assignments, all by name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

NAME = r"[A-Za-z_]\w*"
RESERVED = {"clock", "edge", "event", "int", "location", "process", "sync", "system"}


class Edge(NamedTuple):
    """An edge: its bounds as text without spaces, and each assigned clock with its value."""

    source: str
    target: str
    event: str
    guard: frozenset[str]
    sets: frozenset[tuple[str, str]]


@dataclass
class Automaton:
    """A timed automaton as written in a file."""

    clocks: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    initial: str = ""
    start: dict[str, str] = field(default_factory=dict)
    invariants: dict[str, frozenset[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)

    def check(self) -> Automaton:
        """The automaton itself, if no name is declared twice and every used name is declared."""
        for names in (self.clocks, self.events, [*self.invariants]):
            assert len(names) == len(set(names))
            assert all(re.fullmatch(NAME, name) and name not in RESERVED for name in names)
        assert self.initial in self.invariants
        bounds = [*self.invariants.values(), *(edge.guard for edge in self.edges)]
        assert {re.split("[<>=]", bound)[0] for some in bounds for bound in some} <= set(self.clocks)
        for edge in self.edges:
            assert {edge.source, edge.target} <= self.invariants.keys()
            assert edge.event in self.events
            assert {clock for clock, _ in edge.sets} <= set(self.clocks)
        return self


# --- TChecker ------------------------------------------------------------------------------------------------------

BOUND = rf"{NAME}(?:<=|>=|==|<|>)\d+"
VALUE = rf"(?:\d+|{NAME}\+0)"
DECLARATIONS = {
    "system": re.compile(rf"system:{NAME}"),
    "clock": re.compile(rf"clock:1:({NAME})"),
    "event": re.compile(rf"event:({NAME})"),
    "process": re.compile(rf"process:{NAME}"),
    "location": re.compile(rf"location:{NAME}:({NAME})\{{(.*)\}}"),
    "edge": re.compile(rf"edge:{NAME}:({NAME}):({NAME}):({NAME})\{{(.*)\}}"),
}
ATTRIBUTES = {
    "initial": re.compile(""),
    "committed": re.compile(""),
    "labels": re.compile(NAME),
    "invariant": re.compile(rf"{BOUND}(?: && {BOUND})*"),
    "provided": re.compile(rf"{BOUND}(?: && {BOUND})*"),
    "do": re.compile(rf"{NAME}={VALUE}(?:;{NAME}={VALUE})*"),
}


def read_tchecker(text: str) -> Automaton:
    """A TChecker file: a declaration on each line, before its use."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert DECLARATIONS["system"].fullmatch(lines[0])
    automaton = Automaton()
    for line in lines[1:]:
        kind = line.partition(":")[0]
        found = DECLARATIONS[kind].fullmatch(line)
        assert found is not None, line
        if kind == "clock":
            automaton.clocks.append(found[1])
        elif kind == "event":
            automaton.events.append(found[1])
        elif kind == "location":
            attributes = _attributes(found[2])
            assert attributes.keys() <= {"initial", "committed", "labels", "invariant"}, line
            assert found[1] not in automaton.invariants
            automaton.invariants[found[1]] = _bounds(attributes.get("invariant", ""), " && ")
            if "initial" in attributes:
                assert not automaton.initial
                automaton.initial = found[1]
            if "labels" in attributes:
                automaton.labels[found[1]] = attributes["labels"]
        elif kind == "edge":
            attributes = _attributes(found[4])
            assert attributes.keys() <= {"provided", "do"}, line
            assert {found[1], found[2]} <= automaton.invariants.keys()
            assert found[3] in automaton.events
            sets = [part.partition("=") for part in attributes.get("do", "").split(";") if part]
            guard = _bounds(attributes.get("provided", ""), " && ")
            automaton.edges.append(Edge(found[1], found[2], found[3], guard, frozenset((name, to) for name, _, to in sets)))
    automaton.start = dict.fromkeys(automaton.clocks, "0")
    return automaton.check()


def _attributes(text: str) -> dict[str, str]:
    """The attributes of a location or an edge: ``key: value``, with colons between them."""
    parts = [part.strip() for part in text.split(":")]
    attributes = dict(zip(parts[::2], parts[1::2], strict=True)) if text else {}
    for name, value in attributes.items():
        assert ATTRIBUTES[name].fullmatch(value), f"{name}: {value}"
    return attributes


def _bounds(text: str, separator: str) -> frozenset[str]:
    return frozenset(part.replace(" ", "") for part in text.split(separator) if part)


# --- IMITATOR ------------------------------------------------------------------------------------------------------

TERM = rf"(?:{NAME}|\d+)"
TEST = rf"{NAME} (?:<=|>=|=|<|>) {TERM}"
TESTS = rf"True|{TEST}(?: & {TEST})*"
UPDATE = rf"{NAME} := (?:{TERM}|{NAME} \+ 1)"
MODEL = re.compile(
    rf"var (?:(?P<clocks>{NAME}(?:, {NAME})*) : clock; )?(?P<parameters>{NAME}(?:, {NAME})*) : parameter; "
    rf"automaton (?P<name>{NAME}) actions: (?P<actions>{NAME}(?:, {NAME})*); (?P<locations>loc .*) end "
    rf"init := \{{ discrete = loc\[(?P<same>{NAME})\] := (?P<initial>{NAME}); continuous =(?P<values>[^;]*) ; \}} end"
)
LOCATION = re.compile(
    rf"loc (?P<name>{NAME}): invariant (?P<invariant>{TESTS})(?P<transitions>(?: when (?:[^;{{]|\{{[^}}]*\}})*;)*)"
)
TRANSITION = re.compile(
    rf" when (?P<guard>{TESTS}) sync (?P<action>{NAME})(?: do \{{(?P<sets>{UPDATE}(?:; {UPDATE})*)\}})? goto (?P<target>{NAME});"
)
PROPERTY = re.compile(rf"property := #synth AGnot\(loc\[(?P<name>{NAME})\] = (?P<location>{NAME})\);")


def read_imitator(text: str) -> Automaton:
    """An IMITATOR model: one automaton and its initial values, nothing else."""
    found = MODEL.fullmatch(_plain(text))
    assert found is not None
    assert found["name"] == found["same"]
    automaton = Automaton((found["clocks"] or "").split(", "), found["actions"].split(", "), found["initial"])
    position = 0
    while position < len(found["locations"]):
        location = LOCATION.match(found["locations"], position)
        assert location is not None, found["locations"][position : position + 200]
        assert location["name"] not in automaton.invariants
        automaton.invariants[location["name"]] = _tests(location["invariant"])
        _transitions(automaton, location["name"], location["transitions"])
        position = location.end() + 1
    for part in found["values"].split(" & ")[1:]:
        name, relation, value = part.split(" ", 2)
        if name in automaton.clocks:
            assert relation == "="
            automaton.start[name] = value
        else:
            assert (name in found["parameters"].split(", "), relation, value) == (True, ">=", "0")
    assert automaton.start.keys() == set(automaton.clocks)
    return automaton.check()


def _transitions(automaton: Automaton, source: str, text: str) -> None:
    position = 0
    while position < len(text):
        found = TRANSITION.match(text, position)
        assert found is not None, text[position : position + 200]
        sets = [part.split(" := ") for part in (found["sets"] or "").split("; ") if part]
        updates = frozenset((name, value) for name, value in sets)
        automaton.edges.append(Edge(source, found["target"], found["action"], _tests(found["guard"]), updates))
        position = found.end()


def _tests(text: str) -> frozenset[str]:
    return frozenset() if text == "True" else _bounds(text, " & ")


def read_imitator_property(text: str) -> tuple[str, str]:
    """The automaton and the location of a property."""
    found = PROPERTY.fullmatch(_plain(text))
    assert found is not None
    return found["name"], found["location"]


def _plain(text: str) -> str:
    """A text without comments and with single spaces."""
    return " ".join(re.sub(r"\(\*.*?\*\)", "", text, flags=re.DOTALL).split())
