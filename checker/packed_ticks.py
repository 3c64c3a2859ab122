"""Exploration in ticks of automata that pass messages: as `timewait.checker.explicit.Explicit`, compiled.

The states, and the number of steps to each, are those of `Explicit`. Only their order differs where several steps lead out of
one state.
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from timewait.checker import tick_kernels as kernels
from timewait.checker.finding import Budget, Run
from timewait.checker.location_kernels import DONE, MAX_CLOCKS, MAX_EDGES
from timewait.checker.locations import Locations
from timewait.checker.mealy import Unsupported
from timewait.checker.shortest_run import least_parent, least_violation, run_along
from timewait.checker.state_set_kernels import insert, spread
from timewait.checker.tick_kernels import BATCH, BLOCK, MOST_STEPS
from timewait.checker.tick_layout_kernels import (
    DEAD_ENDS,
    DEPTH,
    EXPIRIES,
    LEVEL_END,
    LIMITS,
    MOST_LIMITS,
    MOVES,
    NEXT,
    NO_PROGRAM,
    NO_SLOTS,
    NO_STATES,
    STATES,
    TOO_WIDE,
    TRANSITIONS,
    WANTED,
    WIDTH,
    Ticks,
    decode,
    lay_out,
)
from timewait.checker.time_unit import in_ticks, unit_of
from timewait.vocabulary.message_passing import MessagePassing

UNBOUNDED = 1 << 60
"""The upper end of a range without an upper bound, in ticks."""

CHUNK = 1 << 15
"""States between two looks at the budget."""

MAX_WORDS = 8
"""Words of one state, at most."""

FIRST_WIDTH, MAX_WIDTH = 12, 28
"""Bits of the number of a location, at first and at most."""

MOST_STATES = (1 << 32) - 2 * (CHUNK + BLOCK) * MOST_STEPS - 2 * BATCH
"""States at which an exploration stops, so that a number of 32 bits expresses those that it adds before its next look."""


class PackedTicks:
    """An exploration of an automaton that passes messages, in ticks.

    Parameters
    ----------
    locations : Locations
        The automaton, compiled.
    unit : Fraction or None
        The length of a tick in seconds; by default the greatest one of which every parameter is a multiple.

    Attributes
    ----------
    ticks : mapping
        The parameters in ticks.
    broken, witnessed : dict
        For each violated ``always`` property, and for each witnessed ``sometimes`` property, a (state, edge) of the first level;
        for a violation the least one (`timewait.checker.shortest_run`) once the exploration has ended.
    stopped : str
        Why the search ended early; empty when it is complete.
    """

    def __init__(self, locations: Locations, unit: Fraction | None = None) -> None:
        self.locations = locations
        self.system: MessagePassing = locations.table.system
        self.unit = unit_of(self.system.parameters) if unit is None else unit
        self.ticks: Mapping[str, int] = in_ticks(self.system.parameters, self.unit)
        self.broken: dict[str, tuple[int, int]] = {}
        self.witnessed: dict[str, tuple[int, int]] = {}
        self.stopped = ""
        self.arrays = self._begin(1, FIRST_WIDTH)

    def _begin(self, words: int, width: int) -> Ticks:
        """The arrays with the first state alone: the words of a state, and the bits of the number of a location."""
        self.broken, self.witnessed = {}, {}
        self._noted = np.zeros(0, dtype=np.bool_)
        ticks = Ticks(
            bits=np.zeros(0, dtype=np.int64),
            caps=np.zeros(0, dtype=np.int64),
            lives=np.zeros(0, dtype=np.int64),
            low=np.zeros(0, dtype=np.int64),
            high=np.zeros(0, dtype=np.int64),
            states=np.zeros((1 << 13, words), dtype=np.uint64),
            levels=np.zeros(1 << 10, dtype=np.int64),
            order=np.zeros(1 << 10, dtype=np.uint32),
            tally=np.zeros(0, dtype=np.uint32),
            slots=np.zeros(1 << 14, dtype=np.uint64),
            counts=np.zeros(12, dtype=np.int64),
            taken=np.full((4096, 2), -1, dtype=np.int64),
            dead_end=np.full(1, -1, dtype=np.int64),
            shifts=np.zeros(0, dtype=np.int16),
            programs=np.zeros((0, 2), dtype=np.int32),
            moves=np.zeros((1 << 18, 4), dtype=np.int64),
            waits=np.zeros((0, 2), dtype=np.int32),
            limits=np.zeros((1 << 12, 4), dtype=np.uint64),
            ready=np.zeros(0, dtype=np.int8),
            tests=np.zeros((0, 5), dtype=np.uint64),
            expiries=np.zeros((1 << 10, 5), dtype=np.int64),
        )
        ticks.counts[WIDTH] = width
        ticks = self._with_programs(self._described(ticks))
        if not lay_out(self.locations.arrays, ticks, self.locations.start):
            return self._wider(words, width)
        found = np.zeros((words, 1), dtype=np.uint64)
        found[0] = self.locations.start
        ticks.counts[STATES] = insert(ticks.states, 0, ticks.slots, found, 1)
        return ticks

    def _with_programs(self, ticks: Ticks) -> Ticks:
        """The arrays with room for the programs of every edge that there is room for."""
        arrays = self.locations.arrays
        moves = ticks.moves
        if int(ticks.counts[MOVES]) + MAX_EDGES * MAX_CLOCKS > len(moves):
            moves = _larger(moves, 2 * len(moves))
        limits = ticks.limits
        if int(ticks.counts[LIMITS]) + MOST_LIMITS > len(limits):
            limits = _larger(limits, 2 * len(limits))
        expiries = ticks.expiries
        if 2 * ticks.counts[EXPIRIES] >= len(expiries):  # each is found again when it is needed
            expiries = np.zeros((2 * len(expiries), 5), dtype=np.int64)
            ticks.counts[EXPIRIES] = 0
        return ticks._replace(
            limits=limits,
            expiries=expiries,
            waits=_larger(ticks.waits, len(arrays.place)),
            shifts=_larger(ticks.shifts, len(arrays.roles)),
            programs=_larger(ticks.programs, len(arrays.edges)),
            ready=_larger(ticks.ready, len(arrays.place)),
            tests=_larger(ticks.tests, len(arrays.guards)),
            moves=moves,
        )

    def _described(self, ticks: Ticks) -> Ticks:
        """The arrays with the roles of clocks and the bounds met so far, in ticks."""
        table = self.locations.table
        roles, bounds = len(table.roles), len(table.bounds)
        ticks = ticks._replace(
            bits=_larger(ticks.bits, roles),
            caps=_larger(ticks.caps, roles),
            lives=_larger(ticks.lives, roles),
            low=_larger(ticks.low, bounds),
            high=_larger(ticks.high, bounds),
        )
        for number, role in enumerate(table.roles):
            lifetime = self.system.lifetimes.get(role)
            ticks.lives[number] = -1 if lifetime is None else self.ticks[lifetime]
            ticks.caps[number] = self.ticks[self.system.maximal_constants[role]] + 1
            ticks.bits[number] = int(ticks.caps[number]).bit_length()
        for number, (relation, parameter) in enumerate(table.bounds):
            limit = self.ticks[parameter]
            ticks.low[number] = {"<=": 0, "==": limit, ">=": limit, ">": limit + 1}[relation]
            ticks.high[number] = limit if relation in ("<=", "==") else UNBOUNDED
        return ticks

    # --- exploration ------------------------------------------------------------------------------------------------

    def explore(self, budget: Budget, until: frozenset[str] = frozenset(), few: int | None = None) -> None:
        """Visit every state; stop early when the budget is used up, or with the level in which all of `until` are violated.

        With `few`, also stop at the end of a level once there are so many states, which is no reason in `stopped`.
        """
        while self.arrays.counts[NEXT] < self.arrays.counts[STATES]:
            if few is not None and len(self) >= few and self.arrays.counts[NEXT] == self.arrays.counts[LEVEL_END]:
                break
            if stopped := budget.exceeded(len(self), self.depth):
                self.stopped = stopped
                break
            if len(self) > MOST_STATES:
                self.stopped = f"stopped at {len(self):,} states, as many as numbers of 32 bits express"
                break
            status = kernels.explore(
                self.locations.arrays, self.arrays, self._chunk(whole=bool(until) or few is not None), self.locations.scratch
            )
            if status != DONE:
                self.supply(status)
            else:
                self._note()
            if until and until <= self.broken.keys() and self.arrays.counts[NEXT] == self.arrays.counts[LEVEL_END]:
                self.stopped = "every property asked for is broken"
                break
        self._note()  # what was taken before the last stop counts too
        for name, (state, _) in self.broken.items():
            self.broken[name] = self._least_violation(name, self.level(self.level_of(state)))

    def _least_violation(self, name: str, level: tuple[int, int]) -> tuple[int, int]:
        """The least (state, edge) of a level that violates a property."""
        least = least_violation(self.locations, self.arrays, *level, name)
        assert least is not None, "the property is violated in this level"
        same = (self.arrays.states[slice(*level)] == np.array(least.words, dtype=np.uint64)).all(axis=1)
        return level[0] + int(np.argmax(same)), least.step

    def _chunk(self, whole: bool) -> int:
        """States that are visited before the next look: not beyond the level if it may be the last one."""
        left = int(self.arrays.counts[LEVEL_END] - self.arrays.counts[NEXT])
        return min(CHUNK, max(left, 1)) if whole else CHUNK

    def described(self) -> Ticks:
        """The arrays, as they are now."""
        return self.arrays

    def supply(self, status: int) -> None:
        """Supply what the kernel lacks."""
        if status == TOO_WIDE:
            self.arrays = self._wider(self.arrays.states.shape[1], int(self.arrays.counts[WIDTH]))
        elif status == NO_STATES:
            self._grow()
        elif status == NO_SLOTS:
            slots, before = self.arrays.slots, len(self.arrays.slots)
            slots.resize(max(3 * before // 2, 2 * int(self.arrays.counts[WANTED])), refcheck=False)
            spread(slots, before, self.arrays.states.shape[1])
        elif status == NO_PROGRAM:
            self.arrays = self._with_programs(self.arrays)
        else:
            self.locations.supply(status)
            self.arrays = self._described(self.arrays)

    def _grow(self) -> None:
        """Make room for states, levels, locations and rows wherever it may be lacking."""
        arrays = self.arrays
        wanted, (room, words), taken = int(arrays.counts[WANTED]), arrays.states.shape, arrays.taken
        if wanted > room:  # in place: the operating system moves pages, and copies nothing
            arrays.states.resize((max(9 * room // 8, wanted + room // 8), words), refcheck=False)
        if len(self.locations.rows) > len(taken):
            taken = np.full((2 * len(self.locations.rows), 2), -1, dtype=np.int64)
            taken[: len(arrays.taken)] = arrays.taken
        self.arrays = arrays._replace(
            taken=taken,
            levels=_larger(arrays.levels, 2 * (int(arrays.counts[DEPTH]) + 1)),
            order=_larger(arrays.order, int(arrays.counts[STATES] - arrays.counts[NEXT])),
            tally=_larger(arrays.tally, len(self.locations.arrays.place)),
        )

    def _wider(self, words: int, width: int) -> Ticks:
        """The arrays with the first state alone, and more room in a state for its location or for its clocks."""
        if len(self.locations) + 1 >= 1 << width:
            width = max(width + 4, len(self.locations).bit_length() + 1)
        else:
            words += 1
        if words > MAX_WORDS or width > MAX_WIDTH:
            raise Unsupported(f"a state needs more than {MAX_WORDS} words, or its location more than {MAX_WIDTH} bits")
        return self._begin(words, width)

    def _note(self) -> None:
        """Note which properties are violated and witnessed by rows that were taken since the last time."""
        taken = self.arrays.taken[:, 0] >= 0
        taken[: len(self._noted)] &= ~self._noted
        self._noted = self.arrays.taken[:, 0] >= 0
        fresh = sorted(
            (int(self.arrays.taken[row, 0]), int(self.arrays.taken[row, 1]), int(row)) for row in np.flatnonzero(taken)
        )
        for state, edge, row in fresh:
            for name in self.locations.rows[row].edge.violates:
                self.broken.setdefault(name, (state, edge))
            for name in self.locations.rows[row].edge.witnesses:
                self.witnessed.setdefault(name, (state, edge))

    # --- results ----------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        """The number of states reached."""
        return int(self.arrays.counts[STATES])

    @property
    def complete(self) -> bool:
        """Whether every state reached has been visited."""
        return bool(self.arrays.counts[NEXT] == self.arrays.counts[STATES])

    @property
    def transitions(self) -> int:
        """The number of steps between states."""
        return int(self.arrays.counts[TRANSITIONS])

    @property
    def dead_ends(self) -> int:
        """The number of states in which neither time can pass nor anything happen."""
        return int(self.arrays.counts[DEAD_ENDS])

    @property
    def depth(self) -> int:
        """The largest number of steps from the first state to any other."""
        return max(int(self.arrays.counts[DEPTH]) - 1, 0)

    @property
    def bytes(self) -> int:
        """The memory of all arrays, as far as it is used, in bytes."""
        used: int = len(self) * self.arrays.states.strides[0]
        used += sum(array.nbytes for name, array in self.arrays._asdict().items() if name != "states")
        return used + sum(array.nbytes for array in self.locations.arrays)

    def run_to(self, state: int, edge: int | None = None) -> Run:
        """The least shortest run to a state (`timewait.checker.shortest_run`), then along an edge out of it."""
        steps, wanted = [] if edge is None else [edge], self.arrays.states[state].copy()
        for level in range(self.level_of(state), 0, -1):
            parent = least_parent(self, *self.level(level - 1), wanted)
            assert parent is not None, "every state but the first was reached from one of the level before it"
            steps.append(parent.step)
            wanted = np.array(parent.words, dtype=np.uint64)
        return run_along(self.locations, steps[::-1], self.unit)

    def level(self, number: int) -> tuple[int, int]:
        """The first state of a level, and the one after its last."""
        counts = self.arrays.counts
        levels = [*self.arrays.levels[: int(counts[DEPTH])], counts[LEVEL_END], counts[STATES]]
        return int(levels[number]), int(levels[number + 1])

    def level_of(self, state: int) -> int:
        """The level of a state: the number of steps to it."""
        counts = self.arrays.counts
        levels = np.append(self.arrays.levels[: int(counts[DEPTH])], counts[LEVEL_END])
        return int(np.searchsorted(levels, state, side="right")) - 1

    def controls(self) -> NDArray[np.int32]:
        """The control of the location of each state, by number, of shape (states,)."""
        mask = np.uint64((1 << int(self.arrays.counts[WIDTH])) - 1)
        located: NDArray[np.int32] = self.locations.arrays.place[(self.arrays.states[: len(self), 0] & mask).astype(np.int64), 0]
        return located

    def state(self, number: int) -> tuple[int, tuple[int, ...]]:
        """The location of a state, and its clocks in ticks, both as `Locations` numbers them."""
        values = np.zeros(MAX_CLOCKS, dtype=np.int64)
        location = decode(self.locations.arrays, self.arrays, number, values)
        return location, tuple(int(value) for value in values[: self.locations.arrays.place[location, 6]])


def _larger(array: NDArray[Any], length: int) -> NDArray[Any]:
    """The array with room for a number of entries; itself if it has it."""
    if len(array) >= length:
        return array
    larger = np.zeros((length, *array.shape[1:]), dtype=array.dtype)
    larger[: len(array)] = array
    return larger
