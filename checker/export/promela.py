"""SPIN: the system in ticks, so that SPIN stores exactly the states that `timewait.checker.explicit.Explicit` visits.

A location is a label. An edge or a tick is an atomic sequence that ends at the next label, so no state in between is stored.
(Sequences are not ``d_step``: SPIN accepts at most 2,048 of these with a jump out.) Inactive clocks are zero, and a clock
beyond everything that it is compared with stays at one more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from timewait.checker.export.plan import (
    SPARE,
    UNEXPLORED,
    ExportedEdge,
    ExportedLocation,
    ExportedUpdate,
    Plan,
    head_comment,
    sequential,
)

WIDTHS = (("byte", 255), ("short", 32_767), ("int", 2_147_483_647))
"""The types of Promela, and the largest value of each."""

BUILD = "gcc -O1 -DSAFETY -DNOREDUCE -DBFS -DMEMLIM=4000 -o pan pan.c"
"""Builds a verifier that visits every state, breadth first, and stores each exactly, in 4 GB at most."""


def as_promela(plan: Plan) -> str:
    """A plan as Promela.

    Raises
    ------
    DurationTooLong
        A duration has too many ticks.
    """
    kind = _width(plan)
    lines = ["/*", *(f" * {line}".replace("*/", "* /").rstrip() for line in _head(plan)), " */", ""]
    lines += [f"#define {name} {count}" for name, count in plan.ticks.items()]
    lines += ["", "/* An active clock grows by one with every tick, up to one more than it is ever compared with. */"]
    lines += ["#define older(clock, most) clock = (clock <= most -> clock + 1 : clock)", ""]
    for name, clock in plan.clocks.items():
        initial = f" = {plan.initial(name)}" if name in plan.inactive else ""
        lines.append(f"{kind} {name}{initial}; /* {clock} */")
    if plan.needs_spare:
        lines.append(f"hidden {kind} {SPARE}; /* not part of a state */")
    lines += ["", "active proctype all()", "{"]
    for location in plan.locations:
        lines += [f"/* {location.description} */", f"{location.name}:", *_body(plan, location), ""]
    if plan.drops_expired:
        lines += ["/* The exploration never came here. */", f"{UNEXPLORED}:", "  assert(false)"]
    return "\n".join([*lines, "}", ""])


def _head(plan: Plan) -> list[str]:
    meanings = (
        "errors: 0, without 'search depth too small' or 'Search not completed': no reachable edge violates a property.",
        "assertion violated: an edge does; 'spin -t' prints the run that leads to it.",
        "invalid end state: time cannot pass and no edge is enabled, which would make a proof vacuous.",
        "states, stored: as many as timewait's engine 'explicit' visits, if all are visited (pan -A -c0).",
        "(pan exits 0 in every case; never use -DHC or -DBITSTATE, which may miss states.)",
    )
    name = plan.labels.file
    commands = (
        f"spin -a {name} && {BUILD} && ./pan",
        f"spin -t {name}    # the run that leads to an error",
        "./pan -A -c0    # past every violation, to count the states",
    )
    return head_comment(plan.labels, f"in ticks of {float(plan.unit):g} s", meanings, commands)


def _width(plan: Plan) -> str:
    """The smallest type that holds one more than any duration."""
    largest_value = plan.longest(WIDTHS[-1][1] - 1) + 1
    return next(kind for kind, largest in WIDTHS if largest_value <= largest)


def _body(plan: Plan, location: ExportedLocation) -> Iterator[str]:
    """The options of a location; one without clocks and without edges is a valid end."""
    options = [line for edge in location.edges for line in _edge(plan, edge)]
    options += _ticks(plan, location)
    ending = "" if location.clocks else f"end_{location.name}: "
    yield from (f"  {ending}if", *options, "  fi;") if options else (f"  {ending}false;",)


def _edge(plan: Plan, edge: ExportedEdge) -> Iterator[str]:
    text = edge.description.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    statements = [f'printf("{text}\\n")']
    statements += [f'printf("this violates {name}\\n"); assert(false)' for name in edge.violates]
    if edge.rules:
        yield f"  /* {', '.join(edge.rules)} */"
    guard = [f"{bound.clock} {bound.relation} {bound.parameter}" for bound in edge.guard]
    yield _option(guard, statements, [*_assignments(plan, edge.changes)], edge.target)


def _ticks(plan: Plan, location: ExportedLocation) -> Iterator[str]:
    """A tick, or one for each set of clocks that may pass their lifetime in it."""
    may_wait = [f"{bound.clock} < {bound.parameter}" for bound in location.invariant]
    if not location.clocks:
        return
    droppable = plan.droppable(location)
    if not droppable:
        yield "  /* a tick */"
        yield _option(may_wait, [], _tick(plan, location.clocks, {}), location.name)
        return
    cases = []
    for expiry in location.expiries:
        case = [f"{clock} {'==' if clock in expiry.clocks else '<'} {plan.lifetimes[clock]}" for clock in droppable]
        remaining = [clock for clock in location.clocks if clock not in expiry.clocks]
        yield f"  /* a tick{', the last of ' if expiry.clocks else ''}{', '.join(expiry.clocks)} */"
        yield _option([*may_wait, *case], [], _tick(plan, remaining, expiry.changes), expiry.target)
        cases.append(f"({' && '.join(case)})")
    others = [f"!({' || '.join(cases)})"] if cases else []
    yield "  /* a tick that the exploration never took */"
    yield _option([*may_wait, *others], [], [], UNEXPLORED)


def _option(conditions: Sequence[str], statements: Sequence[str], changes: Sequence[str], target: str) -> str:
    guard = [" && ".join(conditions), "->"] if conditions else []
    head = " ".join(("  :: atomic {", *guard, *(f"{statement};" for statement in statements)))
    return f"{head}\n       {'; '.join([*changes, f'goto {target}'])} }}"


def _tick(plan: Plan, clocks: Iterable[str], changes: Mapping[str, ExportedUpdate]) -> list[str]:
    """Some clocks grow older, and then the changes of an expiry happen."""
    return [*(f"older({clock}, {plan.saturation(clock)})" for clock in clocks), *_assignments(plan, changes)]


def _assignments(plan: Plan, changes: Mapping[str, ExportedUpdate]) -> Iterator[str]:
    return (f"{clock} = {plan.assigned(clock, change)}" for clock, change in sequential(changes))
