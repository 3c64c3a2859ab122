"""Questions to the graph of a quotient in arrays: whether a property may stay pending for ever, and whether time may stop."""

from __future__ import annotations

import numpy as np

from timewait.checker import graph_kernels as kernels
from timewait.checker.compiled import RESET
from timewait.checker.quotient_kernels import ROWS
from timewait.checker.quotient_table import QuotientTable, joined
from timewait.checker.unlimited_kernels import MessageMarks, may_stay_unlimited
from timewait.vocabulary.automaton import Property

RELATIONS = ("<=", "==", ">=", ">")
"""The relations of bounds, by the numbers that kernels use."""


def may_stay_pending(quotient: QuotientTable, asked: Property) -> bool:
    """Whether, by the graph alone, a fair run may keep an ``eventually`` property pending for ever.

    As `timewait.checker.structural.proof_of` is None.
    """
    names = _FairnessNames(quotient)
    return bool(kernels.may_stay(quotient.arrays, _bounds(quotient), _marks(quotient, names, asked), _part(quotient, len(names))))


def may_stay_pending_unlimited(quotient: QuotientTable, asked: Property) -> bool:
    """The same for a system whose network has limits, of which `quotient` is the one without.

    As `timewait.checker.unlimited.UnlimitedGraph.may_stay_pending`.
    """
    names, table = _FairnessNames(quotient), quotient.table
    sending = [names.numbers.get(table.system.sending_name(message), -1) for message in table.messages]
    arrivals = [names.numbers.get(table.system.arrival_name(message), -1) for message in table.messages]
    sent_of, sent = joined(
        [
            [message for message, _ in reaction.sent if sending[message] in named]
            for reaction, named in zip(quotient.reactions, names.of_reactions, strict=True)
        ]
    )
    messages = MessageMarks(
        np.array(arrivals, dtype=np.int32),
        sent_of,
        sent,
        offering=np.zeros(len(arrivals), dtype=np.int32),
        last=np.zeros(len(arrivals), dtype=np.int32),
    )
    marks, state = _marks(quotient, names, asked), _part(quotient, len(names))
    return bool(may_stay_unlimited(quotient.arrays, _bounds(quotient), marks, messages, state))


class _FairnessNames:
    """The fairness names of a quotient as numbers, and those of each of its reactions."""

    def __init__(self, quotient: QuotientTable) -> None:
        self.numbers: dict[str, int] = {}
        number = self.numbers.setdefault
        self.of_reactions = [
            [number(name, len(self.numbers)) for name in sorted(reaction.edge.fair)] for reaction in quotient.reactions
        ]

    def __len__(self) -> int:
        return len(self.numbers)


def _marks(quotient: QuotientTable, names: _FairnessNames, asked: Property) -> kernels.Marks:
    """What the graph says of a property."""
    fair_of, fair_names = joined(names.of_reactions)
    return kernels.Marks(
        pending=np.array([asked.name in pending for pending in quotient.pending]),
        reaction_of=quotient.reaction_of,
        recurrent=np.array([asked.name in reaction.edge.recurrent for reaction in quotient.reactions]),
        fair_of=fair_of,
        fair=fair_names,
        names=len(names),
        by_events=asked.recurrent,
    )


def is_narrow(quotient: QuotientTable) -> bool:
    """Whether no location has more clocks than the search for time-locks can order."""
    return int(quotient.arrays.locations[:, ROWS].max()) <= kernels.MAX_ROWS


def may_lock(quotient: QuotientTable, *, ordered: bool) -> bool:
    """Whether time may stop while no edge is possible; as `timewait.checker.timelock.time_locks` is not empty.

    Parameters
    ----------
    quotient : QuotientTable
        The quotient.
    ordered : bool
        Whether to use the order of clocks, for which the quotient must be `is_narrow`. Otherwise True says nothing.
    """
    roles = dict[str, int]()
    of_clock = [roles.setdefault("" if clock is None else clock.role, len(roles)) for clock in quotient.clocks]
    fresh = np.array([True, *(update == RESET for update in quotient.start_updates())])
    order = kernels.ClockOrder(
        asked=np.zeros((len(roles), len(roles)), dtype=np.bool_),
        below=np.zeros(len(quotient.arrays.clocks), dtype=np.uint64),
        waiting=np.zeros(len(quotient), dtype=np.int32),
        waits=np.zeros(len(quotient), dtype=np.bool_),
    )
    of_clocks = np.array(of_clock, dtype=np.int32)
    return int(kernels.first_lock(quotient.arrays, _bounds(quotient), of_clocks, fresh, order, ordered)) >= 0


def _part(quotient: QuotientTable, names: int) -> kernels.Part:
    """Where a search for components begins, for a number of fairness names."""
    count = len(quotient)
    return kernels.Part(
        part=np.full(count, -1, dtype=np.int32),
        dropped=np.zeros(len(quotient.arrays.edges), dtype=np.bool_),
        started=np.full(len(quotient.clocks), -1, dtype=np.int32),
        served=np.full(names, -1, dtype=np.int32),
        order=np.zeros(count, dtype=np.int32),
        found=np.zeros(count, dtype=np.int32),
        low=np.zeros(count, dtype=np.int32),
        next_edge=np.zeros(count, dtype=np.int32),
        members=np.zeros(count, dtype=np.int32),
        path=np.zeros(count, dtype=np.int32),
        waiting=np.zeros(count, dtype=np.int32),
        components=np.zeros((count, 3), dtype=np.int32),
        parts=np.zeros((count, 2), dtype=np.int32),
    )


def _bounds(quotient: QuotientTable) -> kernels.BoundArrays:
    """What the bounds of a quotient say."""
    values, bounds = quotient.base.parameters, quotient.table.bounds
    names = sorted({name for _, name in bounds})
    order = sorted({values[name] for name in names})
    return kernels.BoundArrays(
        np.array([RELATIONS.index(relation) for relation, _ in bounds], dtype=np.int8),
        np.array([names.index(name) for _, name in bounds], dtype=np.int32),
        np.array([order.index(values[name]) for _, name in bounds], dtype=np.int32),
    )
