"""The guards of the transition graph, in words: the fewest circumstances that separate some events from all others."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple


class Circumstances(NamedTuple):
    """The features of an event that decide its outcome; a feature that plays no part is empty.

    Attributes
    ----------
    trigger : str
        The event, for instance ``"segment FIN+ACK"``.
    position : str
        The place of a segment: ``"last"``, a duplicate of what was accepted last; ``"old"``, any other duplicate; ``"next"``,
        ``"later"`` in the window, or ``"far"`` beyond it.
    acknowledges : str
        The acknowledgement of a segment: ``"nothing"`` new, something ``"new"``, the ``"SYN"``, the ``"FIN"``, something
        ``"unsent"``, or ``"no ACK"``.
    rest : str
        What an acknowledgement of something new leaves outstanding: ``"some"`` or ``"none"``.
    origin : str
        In SYN-RECEIVED, the OPEN that led there: ``"active"`` or ``"passive"``.
    outstanding : str
        The first outstanding item when a user calls or a timer fires: ``"SYN"``, ``"text"``, ``"FIN"`` or ``"none"``.
    tries : str
        Whether R2, when a retransmission is due, is ``"reached"`` or ``"not reached"``.
    """

    trigger: str
    position: str = ""
    acknowledges: str = ""
    rest: str = ""
    origin: str = ""
    outstanding: str = ""
    tries: str = ""


POSITIONS = frozenset({"old", "next", "later", "far"})
"""The places of a segment, where the duplicates of what was accepted last do not differ from others."""

WORDS: dict[str, dict[frozenset[str], str]] = {
    "position": {
        frozenset({"old"}): "duplicate",
        frozenset({"last"}): "duplicate that ends at RCV.NXT",
        frozenset({"last", "far"}): "ends at RCV.NXT or lies beyond the window",
        frozenset({"next"}): "at RCV.NXT",
        frozenset({"later"}): "beyond RCV.NXT",
        frozenset({"far"}): "beyond the window",
        frozenset({"next", "later"}): "in the window",
        frozenset({"old", "far"}): "outside the window",
    },
    "acknowledges": {
        frozenset({"nothing"}): "acknowledges nothing new",
        frozenset({"new"}): "acknowledges something new",
        frozenset({"SYN"}): "acknowledges our SYN",
        frozenset({"FIN"}): "acknowledges our FIN",
        frozenset({"unsent"}): "acknowledges what was not sent",
        frozenset({"no ACK"}): "has no ACK",
    },
    "rest": {
        frozenset({"some"}): "acknowledges something but not all",
        frozenset({"none"}): "acknowledges all that was sent",
    },
    "origin": {
        frozenset({"active"}): "after an active OPEN",
        frozenset({"passive"}): "after a passive OPEN",
    },
    "outstanding": {
        frozenset({"SYN"}): "our SYN is outstanding",
        frozenset({"text"}): "our text is outstanding",
        frozenset({"FIN"}): "our FIN is outstanding",
        frozenset({"none"}): "nothing is outstanding",
    },
    "tries": {
        frozenset({"reached"}): "R2 is reached",
        frozenset({"not reached"}): "R2 is not reached",
    },
}
"""The phrases for the values that a circumstance has."""

EXCEPT: dict[str, dict[frozenset[str], str]] = {
    "acknowledges": {
        frozenset({"SYN"}): "does not acknowledge our SYN",
        frozenset({"FIN"}): "does not acknowledge our FIN",
        frozenset({"FIN", "unsent"}): "does not acknowledge our FIN",
        frozenset({"unsent"}): "acknowledges nothing unsent",
        frozenset({"nothing", "unsent"}): "acknowledges something new",
    },
    "outstanding": {frozenset({"none"}): "something is outstanding"},
    "rest": {
        frozenset({"some"}): "acknowledges all that was sent, or nothing new",
        frozenset({"none"}): "does not acknowledge all that was sent",
    },
}
"""The phrases for the values that a circumstance does not have, where that is shorter."""


def guard(cases: Collection[Circumstances], others: Collection[Circumstances]) -> str:
    """The fewest circumstances, in words, that separate some cases from others of the same state.

    Parameters
    ----------
    cases, others : collection of Circumstances
        The circumstances that the guard admits, and those that it excludes.

    Returns
    -------
    str
        Phrases joined by commas, without the trigger; empty if the trigger alone separates the cases.
    """
    values = {name: {getattr(case, name) for case in cases} for name in Circumstances._fields}
    possible = {name: {getattr(case, name) for case in (*cases, *others) if case.trigger in values["trigger"]} for name in values}
    apart = {frozenset(name for name, value in zip(values, case, strict=True) if value not in values[name]) for case in others}
    # Drop each circumstance without which all other cases stay excluded; a position that excludes something is kept.
    for name in reversed(Circumstances._fields[1:]):
        wider = values.keys() - {name}
        informative = name == "position" and not values[name] & {""} and not _places(values[name], possible[name]) >= POSITIONS
        if not informative and not any(names.isdisjoint(wider) for names in apart):
            del values[name]
    return ", ".join(_phrase(name, values[name], possible[name]) for name in Circumstances._fields[1:] if name in values)


def _places(values: set[str], possible: set[str]) -> set[str]:
    """Places of segments, where all duplicates count as one place unless some are left out."""
    if "last" in values and ("old" in values or "old" not in possible):
        return values - {"last"} | {"old"}
    return values


def _phrase(name: str, values: set[str], possible: set[str]) -> str:
    values = _places(values, possible)
    phrase = WORDS[name].get(frozenset(values)) or EXCEPT.get(name, {}).get(frozenset(possible - values))
    return phrase or " or ".join(WORDS[name][frozenset({value})] for value in sorted(values - {""}))


SEGMENTS = ("SYN", "SYN+ACK", "ACK", "DATA+ACK", "FIN+ACK", "FIN+DATA+ACK", "RST")
"""The segments that may arrive, by their flags; a RST with ACK and one without count as one."""


def joint_trigger(triggers: Collection[str]) -> str:
    """Several triggers of one sort in one phrase."""
    sort, _, rest = min(triggers).partition(" ")
    if sort != "segment":
        return f"{sort} {rest}"
    named = [flags for flags in SEGMENTS if f"segment {flags}" in triggers]
    left_out = [flags for flags in SEGMENTS if flags not in named]
    return "segment " + ("any but " + ", ".join(left_out) if len(left_out) < len(named) else ", ".join(named))
