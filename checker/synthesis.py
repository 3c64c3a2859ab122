"""Thresholds as formulas: the minimum safe value of one duration as a linear term in the others.

Three parameters stay symbolic: a *scale* (MSL), a *rate* (RTO) and the *wait* (TIME_WAIT), whose minimum safe value is
sought. Every bound is a multiple of parameters, so only their ratios matter. The search takes the ratios ``rate / scale``
from the largest down:

1. At one ratio the wait starts from zero. Zones find a run that violates a property, and the polyhedron of parameters for
   which the run is possible gives the largest such wait. The search continues from there until zones find no run: the
   wait is then the minimum safe one, a term in scale and rate.
2. The finished zones are an invariant on an interval of ratios (`timewait.checker.cover`), and the runs are possible on
   the intervals that their polyhedra give. On the intersection the term is exact.
3. The search continues with the next ratio below.

The results are only candidates: `timewait.checker.certificate` checks the invariants, `timewait.checker.family` the runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from typing import NamedTuple

from timewait.checker.certificate import Invariant
from timewait.checker.compiled import CompiledAutomaton, CompiledPath
from timewait.checker.cover import NotGeneric, SumReading, cover_of, invariant, multiples, ratio_interval, side_conditions
from timewait.checker.family import ParametricSchedule, follow
from timewait.checker.finding import Budget, Run
from timewait.checker.linear import Constraint, Terms, constraint_of, difference, evaluate, times
from timewait.checker.projection import Polyhedron, parameters_of_path
from timewait.checker.pumping import pumpable_schedule
from timewait.checker.ratios import EVERY_RATIO, RatioInterval
from timewait.checker.zones import Zones

GENERIC = 16_777_213
"""Ticks of the scale: a prime, so that it is coprime to almost every number of ticks of the rate."""

RUNS_BEFORE_PUMPING = 8
"""Runs at one ratio after which the search looks for a pumpable loop."""

MAX_RUNS = 24
"""Runs at one ratio after which the search gives up; each is possible for longer waits than the one before."""


class ParameterNames(NamedTuple):
    """The three symbolic parameters: scale, rate and wait."""

    scale: str
    rate: str
    wait: str


class Counterexample(NamedTuple):
    """A run that violates a property, and the polyhedron of parameters for which it is possible."""

    path: CompiledPath
    region: Polyhedron
    violated: str


@dataclass(frozen=True)
class ThresholdPiece:
    """The minimum safe wait on an interval of ratios.

    Attributes
    ----------
    ratios : RatioInterval
        The ratios of rate to scale.
    minimum : Terms or None
        The minimum safe wait as a term in scale and rate; None where no wait is safe.
    run : Counterexample or None
        A run that violates a property for every shorter wait; None when zero is safe.
    invariant : Invariant
        The proof for the minimum safe wait and every longer one; empty where none is safe.
    pumped : (ParametricSchedule, list of Constraint) or None
        A schedule with a loop that outlasts every wait, and its region; None where some wait is safe.
    """

    ratios: RatioInterval
    minimum: Terms | None
    run: Counterexample | None
    invariant: Invariant = field(default_factory=dict)
    pumped: tuple[ParametricSchedule, list[Constraint]] | None = None


Shorten = Callable[[Run, str, Mapping[str, Fraction]], Run]


class InconclusiveSynthesis(Exception):
    """The search failed at some ratio; the message gives the reason."""


class Synthesis:
    """The search for the pieces of a threshold.

    Parameters
    ----------
    automata : pair of CompiledAutomaton
        The system and its quotient.
    properties : frozenset of str
        The ``always`` properties that a safe wait keeps.
    terms : mapping
        Every parameter of the system as a term in the symbolic ones.
    names : ParameterNames
        The symbolic parameters.
    shorten : callable
        Shortens a run, given the property that it violates and the values of all parameters in seconds.
    budget : Budget
        Bounds on each exploration.
    """

    def __init__(
        self,
        automata: tuple[CompiledAutomaton, CompiledAutomaton],
        properties: frozenset[str],
        terms: Mapping[str, Terms],
        names: ParameterNames,
        shorten: Shorten,
        budget: Budget,
    ) -> None:
        self.plain, self.automaton = automata
        self.shorten = shorten
        self.properties = properties
        self.terms = terms
        self.names = names
        self.budget = budget
        self.explorations = 0

    def pieces(self, low: Fraction, high: Fraction) -> Iterator[ThresholdPiece]:
        """The pieces that cover the ratios from `low` to `high`, from the highest down.

        Raises
        ------
        InconclusiveSynthesis
            An exploration reached a bound, or there were more than `MAX_RUNS` runs at one ratio.
        """
        yield from self._pieces(RatioInterval(low, high, closed_low=low > 0, closed_high=True))

    def safe_pieces(self, wait: Terms, low: Fraction, high: Fraction) -> Iterator[ThresholdPiece]:
        """The proofs that a wait and every longer one is safe, for the ratios from `low` to `high`, from the highest down.

        Parameters
        ----------
        wait : mapping
            The wait, as a term in scale and rate.
        low, high : Fraction
            The smallest and the largest ratio.

        Raises
        ------
        InconclusiveSynthesis
            A run violates a property at some ratio, or an exploration reached a bound.
        """
        interval = RatioInterval(low, high, closed_low=low > 0, closed_high=True)
        while not interval.empty:
            ratio = self._sample(interval)
            zones = self._explore(ratio, wait)
            if self.properties & zones.broken.keys():
                raise InconclusiveSynthesis(f"at {self._text(ratio)} a run violates {', '.join(sorted(zones.broken))}")
            alone = interval.low == interval.high
            held, proof = self._at(zones, ratio) if alone else self._around(zones, ratio, wait)
            if not interval.above(held).empty:
                raise InconclusiveSynthesis(f"the proof at {self._text(ratio)} does not reach the upper end of the interval")
            yield ThresholdPiece(held, wait, None, proof)
            interval = interval.below(held)

    def _pieces(self, interval: RatioInterval) -> Iterator[ThresholdPiece]:
        if interval.empty:
            return
        ratio = self._sample(interval)
        piece = self._piece(ratio, interval.low == interval.high)
        if ratio not in piece.ratios:
            raise InconclusiveSynthesis(f"the result at {self._text(ratio)} does not hold there")
        yield from self._pieces(interval.above(piece.ratios))
        yield piece
        yield from self._pieces(interval.below(piece.ratios))

    def _sample(self, interval: RatioInterval) -> Fraction:
        """A generic ratio just below the upper end of an interval; the end itself if the interval is a point."""
        assert interval.high is not None
        if interval.low == interval.high:
            return interval.high
        width = interval.high - interval.low
        ticks = int((interval.high - width / 1009) * GENERIC)
        if ticks % GENERIC == 0:
            ticks -= 1
        ratio = Fraction(ticks, GENERIC)
        if ratio not in interval or not ratio:
            low, high = float(interval.low), float(interval.high)
            raise InconclusiveSynthesis(f"ratios between {low:.9g} and {high:.9g} are too close together to be distinguished")
        return ratio

    # --- one ratio --------------------------------------------------------------------------------------------------

    def _piece(self, ratio: Fraction, alone: bool) -> ThresholdPiece:
        """The piece around a ratio, or that ratio alone."""
        minimum: Terms = {}
        found: Counterexample | None = None
        ratios = EVERY_RATIO
        for number in range(MAX_RUNS):
            zones = self._explore(ratio, minimum)
            violated = next((name for name in sorted(self.properties) if name in zones.broken), None)
            if violated is None:
                held, proof = self._at(zones, ratio) if alone else self._around(zones, ratio, minimum)
                return self._exact(ThresholdPiece(ratios.meet(held), minimum, found, proof))
            path = self._path(zones, violated)
            found = Counterexample(path, parameters_of_path(path, self.terms), violated)
            if number == RUNS_BEFORE_PUMPING and (pumped := self._pumped(path, violated)):
                return ThresholdPiece(EVERY_RATIO, None, found, pumped=pumped)
            limit = self._limit(found.region, ratio)
            if limit is None:
                return ThresholdPiece(self._reach(found.region, None), None, found)
            if alone:
                limit = {self.names.scale: evaluate(limit, {self.names.scale: Fraction(1), self.names.rate: ratio})}
            minimum, ratios = limit, self._reach(found.region, limit)
        raise InconclusiveSynthesis(f"{MAX_RUNS} runs at {self._text(ratio)} are not enough")

    def _text(self, ratio: Fraction) -> str:
        return f"{self.names.rate} = {float(ratio):.4g} {self.names.scale}"

    def _at(self, zones: Zones, ratio: Fraction) -> tuple[RatioInterval, Invariant]:
        """The invariant of finished zones at one ratio: every bound is a multiple of the scale."""
        reading = multiples(self.names.scale, zones.ticks[self.names.scale])
        return RatioInterval(ratio, ratio, closed_low=True, closed_high=True), invariant(zones, cover_of(zones), reading)

    def _around(self, zones: Zones, ratio: Fraction, minimum: Terms) -> tuple[RatioInterval, Invariant]:
        """The interval of ratios for which finished zones are an invariant, and the invariant in sums of scale and rate."""
        parts = lcm(*(factor.denominator for term in (*self.terms.values(), minimum) for factor in term.values()))
        scale, rate, tick = self.names.scale, self.names.rate, zones.unit * GENERIC
        reading = SumReading(scale, rate, GENERIC, int(ratio * GENERIC), tick, parts)
        cover = cover_of(zones)
        try:
            held = ratio_interval(side_conditions(zones, cover, reading), rate, scale)
            return held, invariant(zones, cover, reading)
        except NotGeneric as problem:
            raise InconclusiveSynthesis(f"at {self._text(ratio)}: {problem}") from problem

    def _pumped(self, path: CompiledPath, violated: str) -> tuple[ParametricSchedule, list[Constraint]] | None:
        units = (self.names.scale, self.names.rate)
        return pumpable_schedule(self.plain, path, violated, self.terms, units, self.names.wait)

    def _path(self, zones: Zones, violated: str) -> CompiledPath:
        """The run that zones found, shortened, as a path of the system itself."""
        run = zones.run_to(*zones.broken[violated])
        if run is None:
            raise InconclusiveSynthesis(f"no delays make the run that violates {violated} possible")
        moves = self.shorten(run, violated, zones.values).moves
        return follow(self.plain, [move.action for move in moves if move.action is not None])

    def _exact(self, piece: ThresholdPiece) -> ThresholdPiece:
        """The piece with the invariant at its upper end: it holds for lower rates too if the term is independent of the rate."""
        end = piece.ratios.high
        if piece.minimum is None or piece.minimum.get(self.names.rate) or end is None or not piece.ratios.closed_high:
            return piece
        zones = self._explore(end, piece.minimum)
        if self.properties & zones.broken.keys():
            return piece
        scale = zones.ticks[self.names.scale]
        cover = cover_of(zones)
        return ThresholdPiece(piece.ratios, piece.minimum, piece.run, invariant(zones, cover, multiples(self.names.scale, scale)))

    def _explore(self, ratio: Fraction, wait: Terms) -> Zones:
        symbols = {self.names.scale: Fraction(1), self.names.rate: ratio}
        symbols[self.names.wait] = evaluate(wait, symbols)
        values = {name: evaluate(term, symbols) for name, term in self.terms.items()}
        zones = Zones(self.automaton, values)
        self.explorations += 1
        zones.explore(self.budget.fresh(), self.properties if len(self.properties) == 1 else frozenset())
        if zones.stopped and not self.properties & zones.broken.keys():
            raise InconclusiveSynthesis(zones.stopped)
        return zones

    def _limit(self, region: Polyhedron, ratio: Fraction) -> Terms | None:
        """The upper bound on the wait of a run at a ratio, as a term; None when the run is possible for every wait."""
        at = {self.names.scale: Fraction(1), self.names.rate: ratio}
        limits = [limit for part in region if (limit := self._upper(part)) is not None]
        return min(limits, key=lambda term: evaluate(term, at), default=None)

    def _upper(self, part: Constraint) -> Terms | None:
        """The upper bound of a constraint on the wait; None when it has none."""
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
        """The ratios that satisfy a constraint on scale and rate."""
        constant, slope = (part.terms.get(name, Fraction(0)) for name in (self.names.scale, self.names.rate))
        closed = part.relation != ">"
        if slope > 0:
            return EVERY_RATIO.down_to(-constant / slope, closed)
        return EVERY_RATIO.up_to(-constant / slope, closed) if slope < 0 else EVERY_RATIO


def region_constraints(piece: ThresholdPiece, names: ParameterNames, safe: bool) -> list[Constraint]:
    """The constraints of a piece: its interval of ratios, and the wait at least its term, or below it.

    Parameters
    ----------
    piece : ThresholdPiece
        The piece.
    names : ParameterNames
        The symbolic parameters.
    safe : bool
        Whether the wait is safe (at least the term) or unsafe (below it).
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
