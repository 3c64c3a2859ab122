"""The committed set of pictures: what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fractions import Fraction
from multiprocessing import get_context
from typing import NamedTuple

from timewait.checker.finding import Budget
from timewait.checker.trace import Trace
from timewait.cli.boundaries import boundaries
from timewait.cli.claim_runs import CLAIM_RUNS, counterexample
from timewait.cli.committed_pictures import CommittedPicture
from timewait.cli.figures import (
    LOSSES,
    STANDARD,
    bars_of,
    can_be_drawn,
    difference_of,
    difference_picture,
    farthest,
    graph_of,
    region_of,
    run_picture,
    states_of,
)
from timewait.cli.run import carry_out
from timewait.diagrams import bars, figure_text, region_chart, region_text, sequence_text
from timewait.diagrams.composition import composition, reach
from timewait.diagrams.figure import Figure
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.figure_mermaid import as_mermaid
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.region import Against
from timewait.diagrams.sequence import sequence
from timewait.diagrams.states import one_state
from timewait.diagrams.tables import as_text
from timewait.formats.mermaid import as_mermaid_text as as_sequence
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.graph import CLOSE_PART
from timewait.spec.scenarios import SCENARIOS
from timewait.spec.stacks import load, names
from timewait.spec.state import State

INTENDED = "rfc9293-intended"
MSL = Fraction(30)
BOTH = ("graceful", "isolation")


class Group(NamedTuple):
    """Pictures that are drawn together: the heading under which they are listed, and what draws them."""

    section: str
    pictures: Callable[[], tuple[CommittedPicture, ...]]


def _of_figure(name: str, command: str, figure: Figure, text: str | None = None) -> CommittedPicture:
    files = {
        "svg": as_svg(figure),
        "dot": as_dot(figure),
        "mmd": as_mermaid(figure),
        "txt": figure_text.as_text(figure) if text is None else text,
    }
    return CommittedPicture(name, figure.title, command, files)


# --- what is in it ------------------------------------------------------------------------------------------------


def groups() -> dict[str, Group]:
    """The set, in groups that are drawn side by side: whoever has more pictures adds a line here."""
    return {
        "states": Group("The states of an endpoint", _states),
        "each state": Group("Each state by itself", _each_state),
        "differences": Group("What stacks do otherwise than RFC 9293", _differences),
        "scenarios": Group("Closes that go well", _scenarios),
        "claims": Group("How claims are broken", _claims),
        "used": Group("What such a run uses of the states", _used),
        "regions": Group("How long TIME_WAIT must be", _regions),
        "losses": Group("How long TIME_WAIT must be", _losses),
        "compositions": Group("What two endpoints and a network can reach", _compositions),
    }


BEGUN_FIRST = ("regions", "differences")
"""The groups that take longest: to begin with them shortens the whole."""


def _states() -> tuple[CommittedPicture, ...]:
    """The letter of the standard, and what it was meant to say; the close, and all of it."""
    found = []
    for stack in (STANDARD, INTENDED):
        for whole in (False, True):
            name = f"states-{stack}{'-whole' if whole else ''}"
            option = " --whole" if whole else ""
            command = f"timewait diagram states --stack {stack} --against none{option}"
            found.append(_of_figure(name, command, states_of(stack, whole), as_text(graph_of(stack, whole))))
    return tuple(found)


def _each_state() -> tuple[CommittedPicture, ...]:
    """The states in which a connection closes, one by one."""
    graph = graph_of(INTENDED, whole=True)
    closing = [state for state in CLOSE_PART if state not in (State.ESTABLISHED, State.CLOSED)]
    return tuple(
        _of_figure(
            f"state-{state.lower().replace('_', '-')}",
            f"timewait diagram states --stack {INTENDED} --state {state}",
            one_state(graph, state),
        )
        for state in (State.ESTABLISHED, *closing)
    )


def _differences() -> tuple[CommittedPicture, ...]:
    """Every stack of which it is known what it does in TIME_WAIT, against the letter of the standard."""
    found = []
    for name in names():
        stack = load(name)
        if name != STANDARD and can_be_drawn(stack):
            told = "\n".join(difference_of(name, STANDARD, whole=False).words(STANDARD, name))
            figure = difference_picture(name, STANDARD, whole=False)
            command = f"timewait diagram states --stack {name}"
            found.append(_of_figure(f"difference-{name}", command, figure, f"{figure.title}\n\n{told or 'nothing differs'}\n"))
    return tuple(found)


def _of_run(name: str, title: str, options: str, trace: Trace) -> CommittedPicture:
    files = {"svg": sequence(trace), "mmd": as_sequence(trace), "txt": sequence_text.as_text(trace)}
    return CommittedPicture(f"run-{name}", title, f"timewait diagram sequence {options}", files)


def _scenarios() -> tuple[CommittedPicture, ...]:
    """Runs in which nothing goes wrong."""
    return tuple(
        _of_run(one.name, f"{one.name}: {one.statement}", f"--scenario {one.name}", carry_out(one)) for one in SCENARIOS.values()
    )


def _claims() -> tuple[CommittedPicture, ...]:
    """The runs by which claims are shown."""
    alone = {claim for claim, count in Counter(shown.claim for shown in CLAIM_RUNS).items() if count == 1}
    found = []
    for shown in CLAIM_RUNS:
        name = shown.claim.lower() if shown.claim in alone else f"{shown.claim.lower()}-{shown.broken}"
        option = "" if shown.claim in alone else f" --property {shown.broken}"
        found.append(_of_run(name, f"{shown.claim}: {shown.told}", f"--claim {shown.claim}{option}", shown.find()))
    return tuple(found)


def _used() -> tuple[CommittedPicture, ...]:
    """The states and edges that the runs of two claims use."""
    found = []
    for claim in ("C8", "C10"):
        graph, figure, use = run_picture(counterexample(claim), False, claim)
        command = f"timewait diagram states --claim {claim}"
        found.append(_of_figure(f"used-{claim.lower()}", command, figure, as_text(graph, None, use)))
    return tuple(found)


def _asked(scope: Scope, loss: int, both_close: bool = False) -> Configuration:
    overrides = Overrides(msl=MSL, rto=(MSL,), time_wait=2 * MSL, loss=loss, scope=scope, both_close=both_close)
    return assemble(load(INTENDED), overrides)


def _regions() -> tuple[CommittedPicture, ...]:
    """Safe and unsafe TIME_WAIT, against RTO and against MSL."""
    asked = _asked(Scope.CLOSE, 1)
    found = boundaries(asked, BOTH, farthest(MSL), Budget)
    pictures = []
    ways: tuple[Against, ...] = ("rto", "msl")
    for against in ways:
        shown = region_of(asked, f"Safe and unsafe TIME_WAIT, against {against.upper()}", found, against)
        files = {"svg": region_chart.as_svg(shown), "txt": region_text.as_text(shown)}
        option = f" --against {against}{' --rto 30s' if against == 'msl' else ''}"
        pictures.append(CommittedPicture(f"region-{against}", shown.title, f"timewait diagram region --msl 30s{option}", files))
    return tuple(pictures)


def _losses() -> tuple[CommittedPicture, ...]:
    """The least safe TIME_WAIT against losses."""
    shown = bars_of(_asked(Scope.CLOSE, 0), LOSSES, "The least safe TIME_WAIT, against losses", BOTH, Budget)
    files = {"svg": bars.as_svg(shown), "txt": bars.as_text(shown)}
    return (CommittedPicture("region-loss", shown.title, "timewait diagram region --msl 30s --rto 30s --against loss", files),)


def _compositions() -> tuple[CommittedPicture, ...]:
    """What can be reached."""
    asked = {
        "core": (Scope.CORE, 0, False, "the last exchange, nothing lost", "--scope core --loss 0"),
        "core-loss": (Scope.CORE, 1, False, "the last exchange, one loss a round", "--scope core --loss 1"),
        "close": (Scope.CLOSE, 1, False, "the whole close, A first, one loss a round", "--closers a --loss 1"),
        "simultaneous": (Scope.CLOSE, 0, True, "the whole close, either end first, nothing lost", "--closers both --loss 0"),
    }
    pictures = []
    for name, (scope, loss, both, title, options) in asked.items():
        figure = composition(reach(_asked(scope, loss, both), Budget()), f"What can be reached: {title}")
        command = f"timewait diagram composition --msl 30s --rto 30s --time-wait 60s {options}"
        pictures.append(_of_figure(f"composition-{name}", command, figure))
    return tuple(pictures)


# --- how it is drawn ----------------------------------------------------------------------------------------------


def draw(group: str) -> tuple[CommittedPicture, ...]:
    """The pictures of a group."""
    section, pictures = groups()[group]
    return tuple(replace(picture, section=section) for picture in pictures())


def drawn(jobs: int) -> Iterator[CommittedPicture]:
    """The whole set, groups side by side in processes of their own, in a fixed order."""
    if jobs == 1:
        yield from (picture for group in groups() for picture in draw(group))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        begun = {group: pool.submit(draw, group) for group in (*BEGUN_FIRST, *(set(groups()) - set(BEGUN_FIRST)))}
        for group in groups():
            yield from begun[group].result()
