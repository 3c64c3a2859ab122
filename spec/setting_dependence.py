"""The settings on which each event of the transition graph depends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from enum import Enum
from functools import cache, partial
from typing import Any, NamedTuple

from timewait.spec.endpoint import running
from timewait.spec.graph_events import EdgeClass, EndpointEvent, apply_event, edge_class
from timewait.spec.outcome import Timer
from timewait.spec.settings import BEHAVIOUR, Arrival, Behaviour
from timewait.spec.state import Block


def alternatives(behaviour: Behaviour) -> dict[str, tuple[Behaviour, ...]]:
    """For each setting, behaviours that differ in it alone.

    A set differs by one member, a number by one or by having no limit; any other setting takes all its other values.
    """
    return {
        name: tuple(replace(behaviour, **{name: value}) for value in _others(getattr(behaviour, name), entry.default is None))
        for name, entry in BEHAVIOUR.items()
    }


def _others(value: object, optional: bool) -> Iterator[Any]:
    match value:
        case bool():
            yield not value
        case Enum():
            yield from (other for other in type(value) if other is not value)
        case frozenset():
            yield from (value ^ {arrival} for arrival in Arrival)
        case int():
            yield from (other for other in ((None, 0, value + 1) if optional else (value + 1,)) if other != value)
        case None:
            yield from (0, 1)
        case _:
            raise TypeError(f"no other value is known for a setting of {value!r}")


class SettingDependence:
    """The settings on which events depend, at one behaviour and at those that differ from it in one setting."""

    def __init__(self, behaviour: Behaviour) -> None:
        self._base = _Neighbourhood.of(behaviour)
        self._varied = {name: [_Neighbourhood.of(other) for other in others] for name, others in self._base.others.items()}

    def of(self, block: Block, event: EndpointEvent) -> set[str]:
        """The settings on which one event depends."""
        reads = cache(partial(_settings_read, block, event))
        outcome = cache(partial(_edge_class, block, event))
        first = reads(self._base.behaviour)
        # An endpoint may read a setting only while another setting has another value.
        near = first.union(*(reads(other.behaviour) for name in first for other in self._varied[name]))
        found = {name for name in first if self._base.matters(name, outcome)}
        for varied in near:
            for other in self._varied[varied]:
                candidates = reads(other.behaviour) - found - {varied}
                found |= {name for name in candidates if other.matters(name, outcome)}
        return found


class _Neighbourhood(NamedTuple):
    """A behaviour and its `alternatives`."""

    behaviour: Behaviour
    others: dict[str, tuple[Behaviour, ...]]

    @classmethod
    def of(cls, behaviour: Behaviour) -> _Neighbourhood:
        return cls(behaviour, alternatives(behaviour))

    def matters(self, name: str, outcome: Callable[[Behaviour], EdgeClass | None]) -> bool:
        """Whether the outcome of an event changes with a setting."""
        return any(outcome(other) != outcome(self.behaviour) for other in self.others[name])


def _edge_class(block: Block, event: EndpointEvent, behaviour: Behaviour) -> EdgeClass | None:
    if isinstance(event, Timer) and event not in running(block, behaviour):
        return None
    return edge_class(block, event, apply_event(block, event, behaviour), behaviour)


def _settings_read(block: Block, event: EndpointEvent, behaviour: Behaviour) -> frozenset[str]:
    """The settings that an endpoint reads for an event; the event depends on no others."""
    recorder = _ReadRecorder(behaviour)
    _edge_class(block, event, recorder)
    return frozenset(recorder.read)


class _ReadRecorder(Behaviour):
    """A behaviour that records which settings are read."""

    __slots__ = ("read",)
    read: set[str]

    def __init__(self, behaviour: Behaviour) -> None:
        object.__setattr__(self, "read", set())
        super().__init__(**{name: getattr(behaviour, name) for name in BEHAVIOUR})

    def __getattribute__(self, name: str) -> Any:
        if name in BEHAVIOUR:
            object.__getattribute__(self, "read").add(name)
        return object.__getattribute__(self, name)
