"""For SPIN: the system in ticks, so that it stores exactly the states that `timewait.checker.explicit.Explicit` visits.

A place is a label, a step an atomic sequence that ends at the next label, and so is a tick: nothing in between is
ever stored. (Sequences are not ``d_step``, of which SPIN takes no more than 2,048 that are each left for somewhere else.)
Clocks that do not run are kept at nought, and one that is beyond all that it is compared with at one more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from timewait.checker.export.plan import (
    SPARE,
    UNEXPECTED,
    ClockChange,
    ClockCopy,
    ExportedBound,
    ExportedEdge,
    ExportedLocation,
    ExportedUpdate,
    Plan,
    head,
    in_order,
)
from timewait.vocabulary.automaton import ZERO

WIDTHS = (("byte", 255), ("short", 32_767), ("int", 2_147_483_647))
"""The types of Promela, and the largest value of each."""

BUILD = "gcc -O1 -DSAFETY -DNOREDUCE -DBFS -DMEMLIM=4000 -o pan pan.c"
"""How a verifier is made that visits every state, breadth first, and stores each exactly, in 4 GB at most."""


def as_promela(plan: Plan) -> str:
    """A plan as Promela.

    Raises
    ------
    TooLong
        A duration has too many ticks.
    """
    kind = _width(plan)
    lines = ["/*", *(f" * {line}".replace("*/", "* /").rstrip() for line in _head(plan)), " */", ""]
    lines += [f"#define {name} {count}" for name, count in plan.ticks.items()]
    lines += ["", "/* A clock that runs grows by one with every tick, up to one more than it is ever compared with. */"]
    lines += ["#define older(clock, most) clock = (clock <= most -> clock + 1 : clock)", ""]
    lines += [f"{kind} {_declared(plan, name)}; /* {clock} */" for name, clock in plan.clocks.items()]
    if plan.exchanges:
        lines.append(f"hidden {kind} {SPARE}; /* not part of a state */")
    lines += ["", "active proctype all()", "{"]
    for place in plan.places:
        lines += [f"/* {place.says} */", f"{place.name}:", *_body(plan, place), ""]
    if plan.drops:
        lines += ["/* No exploration came here. */", f"{UNEXPECTED}:", "  assert(false)"]
    return "\n".join([*lines, "}", ""])


def _head(plan: Plan) -> list[str]:
    means = (
        "errors: 0, with no word of 'search depth too small' or 'Search not completed': no reachable step breaks what is asked.",
        "assertion violated: one does; 'spin -t' prints the run that leads to it.",
        "invalid end state: time cannot pass and nothing can happen, which would make a proof worthless.",
        "states, stored: as many as timewait's engine 'explicit' visits, if all are visited (pan -A -c0).",
        "(pan exits 0 whatever it finds; never use -DHC or -DBITSTATE, which may pass over states.)",
    )
    name = plan.words.file
    run = (
        f"spin -a {name} && {BUILD} && ./pan",
        f"spin -t {name}    # the run that leads to an error",
        "./pan -A -c0    # past every violation, to count the states",
    )
    return head(plan.words, f"in ticks of {float(plan.unit):g} s", means, run)


def _width(plan: Plan) -> str:
    """The least type that holds one more than any duration."""
    most = plan.fitting(WIDTHS[-1][1] - 1) + 1
    return next(kind for kind, largest in WIDTHS if most <= largest)


def _declared(plan: Plan, clock: str) -> str:
    return f"{clock} = {plan.lifetimes[clock]} + 1" if clock in plan.dead else clock


def _body(plan: Plan, place: ExportedLocation) -> Iterator[str]:
    """What a place is made of; where nothing but time goes on, and no clock shows it, to stay for ever is in order."""
    options = [line for step in place.steps for line in _step(plan, step)]
    options += _ticks(plan, place)
    ending = "" if place.clocks else f"end_{place.name}: "
    yield from (f"  {ending}if", *options, "  fi;") if options else (f"  {ending}false;",)


def _step(plan: Plan, step: ExportedEdge) -> Iterator[str]:
    said = step.says.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    parts = [f'printf("{said}\\n")']
    for name in step.breaks:
        parts.append(f'printf("this breaks {name}\\n"); assert(false)')
    if step.rules:
        yield f"  /* {', '.join(step.rules)} */"
    yield _option([_compared(test) for test in step.guard], parts, [*_assignments(plan, step.changes)], step.target)


def _ticks(plan: Plan, place: ExportedLocation) -> Iterator[str]:
    """A tick, or one for each set of clocks that may pass their lifetime in it."""
    may_wait = [f"{test.clock} < {test.limit}" for test in place.limits]
    if not place.clocks:
        return
    if not plan.mortal(place):
        yield "  /* a tick */"
        yield _option(may_wait, [], _tick(plan, place.clocks, {}), place.name)
        return
    cases = []
    for lapse in place.lapses:
        case = [f"{clock} {'==' if clock in lapse.clocks else '<'} {plan.lifetimes[clock]}" for clock in plan.mortal(place)]
        left = tuple(clock for clock in place.clocks if clock not in lapse.clocks)
        yield f"  /* a tick{', the last of ' if lapse.clocks else ''}{', '.join(lapse.clocks)} */"
        yield _option([*may_wait, *case], [], _tick(plan, left, lapse.changes), lapse.target)
        cases.append(f"({' && '.join(case)})")
    others = [f"!({' || '.join(cases)})"] if cases else []
    yield "  /* a tick that no exploration has seen */"
    yield _option([*may_wait, *others], [], [], UNEXPECTED)


def _option(conditions: Sequence[str], said: Sequence[str], changes: Sequence[str], target: str) -> str:
    head = " ".join(("  :: atomic {", *([" && ".join(conditions), "->"] if conditions else []), *(f"{part};" for part in said)))
    return f"{head}\n       {'; '.join([*changes, f'goto {target}'])} }}"


def _tick(plan: Plan, clocks: Iterable[str], changes: Mapping[str, ExportedUpdate]) -> list[str]:
    """What a tick does: some clocks grow older, then what is left of them changes names."""
    return [*(f"older({clock}, {_numeral(plan.most(clock))})" for clock in clocks), *_assignments(plan, changes)]


def _assignments(plan: Plan, changes: Mapping[str, ExportedUpdate]) -> Iterator[str]:
    for clock, change in in_order(changes):
        if isinstance(change, ClockCopy):
            yield f"{clock} = {change.clock}"
        else:
            yield f"{clock} = {plan.lifetimes[clock]} + 1" if change is ClockChange.DEAD else f"{clock} = 0"


def _compared(test: ExportedBound) -> str:
    return f"{test.clock} {test.relation} {test.limit}"


def _numeral(parameter: str) -> str:
    return "0" if parameter == ZERO else parameter
