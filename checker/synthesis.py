"""Thresholds as formulas: for which values of a system's parameters is it safe?

Three parameters stay symbolic: a *scale* (MSL), a *rate* (RTO) and the one whose least safe value is asked
for (the *wait*, TIME_WAIT). Every bound is a multiple of parameters, so only their ratios matter. The ratios
``rate / scale`` are gone through from the largest down:

1. At a ratio the wait starts at nought. Zones find a run that breaks the property; the polyhedron of
   parameters in which the run is possible says up to which wait, and the search goes on from there, until
   zones find none: that is the least safe wait, a term in scale and rate.
2. The finished zones are an invariant for all ratios in an interval (`timewait.checker.cover`), the runs reach as
   far as their polyhedra say; on both together the term is proved exact, from both sides.
3. The next ratio lies just below.

Nothing here is believed: the invariants go to `timewait.checker.certificate`, the runs to `timewait.checker.family`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from timewait.checker.certificate import Invariant
from timewait.checker.compiled import CompiledAutomaton, CompiledEdge, CompiledLocation
from timewait.checker.cover import NotGeneric, SumReading, cover_of, invariant, multiples, ratio_interval, side_conditions
from timewait.checker.family import ParametricSchedule, follow
from timewait.checker.finding import Budget, Run
from timewait.checker.linear import Constraint, Terms, constraint_of, difference, evaluate, times
from timewait.checker.projection import Polyhedron, parameters_of_path
from timewait.checker.pumping import pumpable_schedule
from timewait.checker.ratios import EVERY_RATIO, RatioInterval
from timewait.checker.zones import Zones

GENERIC = 16_777_213
"""Ticks of the scale where bounds are read as sums: a prime, so that hardly any ratio has a common divisor with it."""

RUNS_BEFORE_PUMPING = 8
"""Runs looked at for one ratio before one of them is sought that can be made longer and longer."""

MAX_RUNS = 24
"""Runs looked at for one ratio before it is given up: each reaches further than the one before."""


class ParameterNames(NamedTuple):
    """The three symbolic parameters: scale, rate and wait."""

    scale: str
    rate: str
    wait: str


class Counterexample(NamedTuple):
    """A run that breaks a property, and the polyhedron of parameters in which it is possible."""

    path: list[tuple[CompiledLocation, CompiledEdge]]
    region: Polyhedron
    broken: str


@dataclass(frozen=True)
class ThresholdPiece:
    """The least safe wait on an interval of ratios.

    Attributes
    ----------
    ratios : Interval
        Of rate to scale.
    least : Terms or None
        The least safe wait as a term in scale and rate; None where no wait is safe.
    run : Counterexample or None
        A run that breaks a property for every shorter wait; None when nought is safe.
    invariant : Invariant
        What proves the least safe wait, and any longer one; empty where none is.
    family : (Script, list of Constraint) or None
        Where longer and longer runs outlast every wait: one run with a part to be repeated, and its region.
    """

    ratios: RatioInterval
    minimum: Terms | None
    run: Counterexample | None
    invariant: Invariant = field(default_factory=dict)
    family: tuple[ParametricSchedule, list[Constraint]] | None = None


Shorten = Callable[[Run, str, Mapping[str, Fraction]], Run]


class InconclusiveSynthesis(Exception):
    """A ratio at which the search did not come to an end; the message says why."""


class Synthesis:
    """The search for the pieces of one question.

    Parameters
    ----------
    automata : pair of CompiledAutomaton
        The system, and the same folded.
    asked : frozenset of str
        The ``always`` properties that are asked for together.
    terms : mapping
        Every parameter of the system as a term in the symbolic ones.
    names : Names
        The symbolic parameters.
    shorten : callable
        Makes a run shorter, given the property that it breaks and the values of all parameters in seconds.
    budget : Budget
        Bounds on each exploration.
    """

    def __init__(
        self,
        automata: tuple[CompiledAutomaton, CompiledAutomaton],
        asked: frozenset[str],
        terms: Mapping[str, Terms],
        names: ParameterNames,
        shorten: Shorten,
        budget: Budget,
    ) -> None:
        self.plain, self.automaton = automata
        self.shorten = shorten
        self.asked = asked
        self.terms = terms
        self.names = names
        self.budget = budget
        self.explorations = 0

    def pieces(self, low: Fraction, high: Fraction) -> Iterator[ThresholdPiece]:
        """The pieces that cover the ratios from `low` to `high`, from the highest down.

        Raises
        ------
        Unsettled
            An exploration was stopped, or the runs at one ratio came to no end.
        """
        yield from self._covering(RatioInterval(low, high, closed_low=low > 0, closed_high=True))

    def _covering(self, left: RatioInterval) -> Iterator[ThresholdPiece]:
        if left.empty:
            return
        ratio = self._sample(left)
        piece = self._piece(ratio, left.low == left.high)
        if ratio not in piece.ratios:
            raise InconclusiveSynthesis(f"what was found at {self._told(ratio)} does not hold there")
        yield from self._covering(left.above(piece.ratios))
        yield piece
        yield from self._covering(left.below(piece.ratios))

    def _sample(self, left: RatioInterval) -> Fraction:
        """A ratio just below the upper end of what is left, of no simple form; or the end itself when that is all."""
        assert left.high is not None
        if left.low == left.high:
            return left.high
        width = left.high - left.low
        ticks = int((left.high - width / 1009) * GENERIC)
        if ticks % GENERIC == 0:
            ticks -= 1
        ratio = Fraction(ticks, GENERIC)
        if ratio not in left or not ratio:
            raise InconclusiveSynthesis(
                f"ratios between {float(left.low):.9g} and {float(left.high):.9g} are too close together to be told apart"
            )
        return ratio

    # --- one ratio --------------------------------------------------------------------------------------------------

    def _piece(self, ratio: Fraction, alone: bool) -> ThresholdPiece:
        """The piece around a ratio, or that ratio alone."""
        minimum: Terms = {}
        found: Counterexample | None = None
        ratios = EVERY_RATIO
        for number in range(MAX_RUNS):
            zones = self._explore(ratio, minimum)
            broken = next((name for name in sorted(self.asked) if name in zones.broken), None)
            if broken is None:
                held, proof = self._at(zones, ratio) if alone else self._around(zones, ratio, minimum)
                return self._exact(ThresholdPiece(ratios.meet(held), minimum, found, proof))
            path = self._path(zones, broken)
            found = Counterexample(path, parameters_of_path(path, self.terms), broken)
            if number == RUNS_BEFORE_PUMPING and (family := self._pumped(path, broken)):
                return ThresholdPiece(EVERY_RATIO, None, found, family=family)
            limit = self._limit(found.region, ratio)
            if limit is None:
                return ThresholdPiece(self._reach(found.region, None), None, found)
            if alone:
                limit = {self.names.scale: evaluate(limit, {self.names.scale: Fraction(1), self.names.rate: ratio})}
            minimum, ratios = limit, self._reach(found.region, limit)
        raise InconclusiveSynthesis(f"{MAX_RUNS} runs at {self._told(ratio)} came to no end")

    def _told(self, ratio: Fraction) -> str:
        return f"{self.names.rate} = {float(ratio):.4g} {self.names.scale}"

    def _at(self, zones: Zones, ratio: Fraction) -> tuple[RatioInterval, Invariant]:
        """The invariant of finished zones at one ratio, where every bound is a multiple of the scale."""
        reading = multiples(self.names.scale, zones.ticks(self.names.scale))
        return RatioInterval(ratio, ratio, closed_low=True, closed_high=True), invariant(zones, cover_of(zones), reading)

    def _around(self, zones: Zones, ratio: Fraction, minimum: Terms) -> tuple[RatioInterval, Invariant]:
        """The ratios around one for which finished zones are an invariant, and that; each bound is a sum of scale and rate."""
        parts = lcm(*(factor.denominator for term in (*self.terms.values(), minimum) for factor in term.values()))
        scale, rate, tick = self.names.scale, self.names.rate, zones.unit * GENERIC
        reading = SumReading(scale, rate, GENERIC, int(ratio * GENERIC), tick, parts)
        cover = cover_of(zones)
        try:
            held = ratio_interval(side_conditions(zones, cover, reading), rate, scale)
            return held, invariant(zones, cover, reading)
        except NotGeneric as problem:
            raise InconclusiveSynthesis(f"at {self._told(ratio)}: {problem}") from problem

    def _pumped(
        self, path: list[tuple[CompiledLocation, CompiledEdge]], broken: str
    ) -> tuple[ParametricSchedule, list[Constraint]] | None:
        units = (self.names.scale, self.names.rate)
        return pumpable_schedule(self.plain, path, broken, self.terms, units, self.names.wait)

    def _path(self, zones: Zones, broken: str) -> list[tuple[CompiledLocation, CompiledEdge]]:
        """The run that zones found, as short as it may be, in the automaton that is not folded."""
        run = zones.run_to(*zones.broken[broken])
        if run is None:
            raise InconclusiveSynthesis(f"no delays make a run that breaks {broken} possible")
        moves = self.shorten(run, broken, zones.values).moves
        return follow(self.plain, [str(move.action) for move in moves])

    def _exact(self, piece: ThresholdPiece) -> ThresholdPiece:
        """A piece whose term does not depend on the rate, once more at its upper end: it then holds for every lower rate."""
        end = piece.ratios.high
        if piece.minimum is None or piece.minimum.get(self.names.rate) or end is None or not piece.ratios.closed_high:
            return piece
        zones = self._explore(end, piece.minimum)
        if self.asked & zones.broken.keys():
            return piece
        scale = zones.ticks(self.names.scale)
        cover = cover_of(zones)
        return ThresholdPiece(piece.ratios, piece.minimum, piece.run, invariant(zones, cover, multiples(self.names.scale, scale)))

    def _explore(self, ratio: Fraction, wait: Terms) -> Zones:
        symbols = {self.names.scale: Fraction(1), self.names.rate: ratio}
        symbols[self.names.wait] = evaluate(wait, symbols)
        values = {name: evaluate(term, symbols) for name, term in self.terms.items()}
        zones = Zones(self.automaton, values)
        self.explorations += 1
        zones.explore(self.budget.fresh(), self.asked if len(self.asked) == 1 else frozenset())
        if zones.stopped and not self.asked & zones.broken.keys():
            raise InconclusiveSynthesis(zones.stopped)
        return zones

    def _limit(self, region: Polyhedron, ratio: Fraction) -> Terms | None:
        """Up to which wait a run is possible at a ratio, as a term; None when it is so for every wait."""
        at = {self.names.scale: Fraction(1), self.names.rate: ratio}
        limits = [limit for part in region if (limit := self._upper(part)) is not None]
        return min(limits, key=lambda term: evaluate(term, at), default=None)

    def _upper(self, part: Constraint) -> Terms | None:
        """The term below which a constraint keeps the wait; None when it does not."""
        factor = part.terms.get(self.names.wait, Fraction(0))
        rest = {name: value for name, value in part.terms.items() if name != self.names.wait}
        return times(-1 / factor, rest) if factor < 0 else None

    def _reach(self, region: Polyhedron, limit: Terms | None) -> RatioInterval:
        """The ratios at which a run is possible for every wait below a term."""
        found = EVERY_RATIO
        for part in region:
            upper = self._upper(part)
            needed = part.terms if upper is None else difference(upper, limit or {})
            strict = upper is None and part.relation == ">"
            found = found.meet(self._where(constraint_of(needed, ">" if strict else ">=")))
        return found

    def _where(self, part: Constraint) -> RatioInterval:
        """The ratios at which a constraint on scale and rate holds."""
        constant, slope = (part.terms.get(name, Fraction(0)) for name in (self.names.scale, self.names.rate))
        closed = part.relation != ">"
        if slope > 0:
            return EVERY_RATIO.down_to(-constant / slope, closed)
        return EVERY_RATIO.up_to(-constant / slope, closed) if slope < 0 else EVERY_RATIO


def region_constraints(piece: ThresholdPiece, names: ParameterNames, safe: bool) -> list[Constraint]:
    """The constraints of a piece: the interval of its ratios, and the wait below its term or from it on.

    Parameters
    ----------
    piece : Piece
        The piece.
    names : Names
        The symbolic parameters.
    safe : bool
        Whether the safe part is wanted, where the wait is long enough, or the unsafe one.
    """
    one = Fraction(1)
    parts = [constraint_of({names.scale: one}, ">"), constraint_of({names.rate: one}, ">")]
    low, high, closed_low, closed_high = piece.ratios
    if low > 0:
        parts.append(constraint_of({names.rate: one, names.scale: -low}, ">=" if closed_low else ">"))
    if high is not None:
        parts.append(constraint_of({names.rate: -one, names.scale: high}, ">=" if closed_high else ">"))
    if piece.minimum is not None:
        beyond = difference({names.wait: one}, piece.minimum)
        parts.append(constraint_of(beyond, ">=") if safe else constraint_of(times(-one, beyond), ">"))
    return parts
