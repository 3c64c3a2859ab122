"""The pictures of the documentation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import as_completed
from fractions import Fraction
from functools import cache, partial
from itertools import chain
from typing import NamedTuple

from timewait.capacity.load import constant
from timewait.capacity.ports import PortPool, Service
from timewait.capacity.prediction import Prediction
from timewait.capacity.simulation import simulate
from timewait.checker.finding import Budget
from timewait.checker.trace import Trace
from timewait.checker.worker_pool import worker_pool
from timewait.cli.boundaries import boundaries
from timewait.cli.capacity import port_use
from timewait.cli.claim_runs import CLAIM_RUNS, counterexample
from timewait.cli.figures import (
    DRAWN_AGAINST,
    LOSSES,
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
from timewait.cli.picture_folder import DrawnPicture
from timewait.cli.risk import orderly_close, risk_curve
from timewait.cli.run import carry_out
from timewait.diagrams import bars, capacity_chart, figure_text, region_chart, region_text, risk_chart, sequence_text
from timewait.diagrams.boundary import Boundary
from timewait.diagrams.composition import composition, reach
from timewait.diagrams.figure import Figure
from timewait.diagrams.figure_dot import as_dot
from timewait.diagrams.figure_mermaid import as_mermaid
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.ladder import as_ladder
from timewait.diagrams.region import Against
from timewait.diagrams.sequence import sequence
from timewait.diagrams.states import one_state
from timewait.diagrams.tables import as_text
from timewait.formats.mermaid import as_mermaid_text as as_sequence
from timewait.risk.path import NetworkPath, delays_around
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.graph import CLOSE_PART
from timewait.spec.scenarios import SCENARIOS, WITHOUT_TIME_WAIT, Scenario
from timewait.spec.stacks import load_stack, stack_names
from timewait.spec.state import State

INTENDED = "rfc9293-intended"
MSL = Fraction(30)
BOTH = ("graceful", "isolation")

COMMITTED = frozenset(
    {
        *("states-rfc9293", "states-rfc9293-intended", "difference-linux", "region-rto", "region-loss"),
        *("run-clean-close", "run-half-close", "run-lost-last-ack", "run-simultaneous-close"),
        *("run-lost-last-ack-without", "run-old-duplicate"),
        *("run-c2", "run-c4-graceful", "run-c4-isolation", "run-c7", "run-c8", "run-c10", "run-c12", "run-c15", "run-c16"),
        *("run-c17", "used-c8", "composition-core", "composition-close"),
        *("capacity", "risk"),
    }
)
"""The pictures that the repository keeps, as SVG, for the pages that the forge shows."""


class PictureFormats(NamedTuple):
    """A picture that is not drawn yet: its title, the command that draws it, and a function for each format."""

    title: str
    command: str
    formats: Mapping[str, Callable[[], str]]


NamedPictures = Iterator[tuple[str, Callable[[], PictureFormats]]]
"""The pictures of a group, by name."""


class Group(NamedTuple):
    """Pictures that one process draws, under one heading of the list."""

    section: str
    pictures: Callable[[], NamedPictures]


def groups() -> dict[str, Group]:
    """The pictures, in groups that are drawn in parallel."""
    return {
        "states": Group("The states of an endpoint", _states),
        "each state": Group("Each state", _each_state),
        "differences": Group("Differences of stacks from RFC 9293", _differences),
        "scenarios": Group("Orderly closes", partial(_scenarios, SCENARIOS)),
        "without": Group("Without TIME-WAIT", partial(_scenarios, WITHOUT_TIME_WAIT)),
        "claims": Group("Counterexamples of claims", _claims),
        "used": Group("Transitions that a counterexample takes", _used),
        "regions": Group("The least safe TIME_WAIT", _regions),
        "losses": Group("The least safe TIME_WAIT", _losses),
        "compositions": Group("Reachable locations", _compositions),
        "cost": Group("The cost of TIME-WAIT, and what it buys", _cost),
    }


SLOWEST = ("regions", "differences")
"""The groups that take longest, and therefore start first."""


def draw(group: str, committed: bool = False) -> tuple[DrawnPicture, ...]:
    """The pictures of a group, in every format; or the committed ones, as SVG."""
    section, pictures = groups()[group]
    chosen = [(name, make()) for name, make in pictures() if name in COMMITTED or not committed]
    return tuple(_drawn(name, picture, section, {"svg"} if committed else picture.formats) for name, picture in chosen)


def draw_picture(name: str) -> DrawnPicture:
    """One picture by its name, in every format.

    Raises
    ------
    KeyError
        There is no such picture.
    """
    for section, pictures in groups().values():
        for other, make in pictures():
            if other == name:
                picture = make()
                return _drawn(name, picture, section, picture.formats)
    raise KeyError(name)


def _drawn(name: str, picture: PictureFormats, section: str, ends: Collection[str]) -> DrawnPicture:
    files = {end: write() for end, write in picture.formats.items() if end in ends}
    return DrawnPicture(name, picture.title, picture.command, files, section)


def draw_all(jobs: int, committed: bool = False) -> Iterator[DrawnPicture]:
    """All pictures, or the committed ones, each when its group is drawn; groups are drawn by several processes."""
    if jobs == 1:
        yield from (picture for group in groups() for picture in draw(group, committed))
        return
    with worker_pool(jobs) as pool:
        ordered = (*SLOWEST, *(group for group in groups() if group not in SLOWEST))
        for drawn in as_completed([pool.submit(draw, group, committed) for group in ordered]):
            yield from drawn.result()


def in_order(pictures: Iterable[DrawnPicture]) -> list[DrawnPicture]:
    """Pictures in the order of their list; those that are not of the set come last."""
    names = chain.from_iterable(group.pictures() for group in groups().values())
    order = {name: number for number, (name, _) in enumerate(names)}
    return sorted(pictures, key=lambda picture: order.get(picture.name, len(order)))


# --- the groups ---------------------------------------------------------------------------------------------------


def _figure(command: str, figure: Figure, text: Callable[[], str] | None = None) -> PictureFormats:
    formats: dict[str, Callable[[], str]] = {
        "svg": partial(as_svg, figure),
        "dot": partial(as_dot, figure),
        "mmd": partial(as_mermaid, figure),
        "txt": text or partial(figure_text.as_text, figure),
    }
    return PictureFormats(figure.title, f"timewait diagram {command}", formats)


def _states() -> NamedPictures:
    """The literal and the intended reading of the standard; the close alone, and with the opening."""
    for stack in (DRAWN_AGAINST, INTENDED):
        for whole in (False, True):
            yield f"states-{stack}{'-whole' * whole}", partial(_state_diagram, stack, whole)


def _state_diagram(stack: str, whole: bool) -> PictureFormats:
    command = f"states --stack {stack} --against none{' --whole' * whole}"
    return _figure(command, states_of(stack, whole), partial(as_text, graph_of(stack, whole)))


def _each_state() -> NamedPictures:
    """The states in which a connection closes."""
    for state in (State.ESTABLISHED, *(state for state in CLOSE_PART if state not in (State.ESTABLISHED, State.CLOSED))):
        yield f"state-{state.lower().replace('_', '-')}", partial(_one_state, state)


def _one_state(state: State) -> PictureFormats:
    figure = one_state(graph_of(INTENDED, whole=True), state, load_stack(INTENDED).title)
    return _figure(f"states --stack {INTENDED} --state {state}", figure)


def _differences() -> NamedPictures:
    """Every stack whose behaviour in TIME-WAIT is known, compared with the literal reading of the standard."""
    for name in stack_names():
        if name != DRAWN_AGAINST and can_be_drawn(load_stack(name)):
            yield f"difference-{name}", partial(_difference, name)


def _difference(name: str) -> PictureFormats:
    figure = difference_picture(name, DRAWN_AGAINST, whole=False)
    lines = difference_of(name, DRAWN_AGAINST, whole=False).words(DRAWN_AGAINST, name) or ["no differences"]
    return _figure(f"states --stack {name}", figure, lambda: "\n".join([figure.title, "", *lines]) + "\n")


def _run(title: str, options: str, find: Callable[[], Trace]) -> PictureFormats:
    trace = find()
    formats = {
        "svg": partial(sequence, trace),
        "mmd": partial(as_sequence, trace),
        "txt": partial(sequence_text.as_text, trace),
        "ascii": partial(as_ladder, trace),
    }
    return PictureFormats(title, f"timewait diagram sequence {options}", formats)


def _scenarios(scenarios: Mapping[str, Scenario]) -> NamedPictures:
    for scenario in scenarios.values():
        title = f"{scenario.name}: {scenario.statement}"
        yield f"run-{scenario.name}", partial(_run, title, f"--scenario {scenario.name}", partial(carry_out, scenario))


def _claims() -> NamedPictures:
    counts = Counter(run.claim for run in CLAIM_RUNS)
    for run in CLAIM_RUNS:
        several = counts[run.claim] > 1
        options = f"--claim {run.claim}{f' --property {run.broken}' if several else ''}"
        name = f"run-{run.claim.lower()}{f'-{run.broken}' if several else ''}"
        yield name, partial(_run, f"{run.claim}: {run.title}", options, run.find)


def _used() -> NamedPictures:
    for claim in ("C8", "C10"):
        yield f"used-{claim.lower()}", partial(_transitions, claim)


def _transitions(claim: str) -> PictureFormats:
    graph, figure, use = run_picture(counterexample(claim), False, claim)
    return _figure(f"states --claim {claim}", figure, partial(as_text, graph, None, use))


def _configuration(scope: Scope, loss: int, both_close: bool = False) -> Configuration:
    overrides = Overrides(msl=MSL, rto=(MSL,), time_wait=2 * MSL, loss=loss, scope=scope, both_close=both_close)
    return assemble(load_stack(INTENDED), overrides)


@cache
def _boundaries() -> tuple[Boundary, ...]:
    return boundaries(_configuration(Scope.CLOSE, 1), BOTH, farthest(MSL), Budget)


def _regions() -> NamedPictures:
    yield "region-rto", partial(_region, "rto", "")
    yield "region-msl", partial(_region, "msl", " --rto 30s")


def _region(against: Against, option: str) -> PictureFormats:
    title = f"Safe and unsafe TIME_WAIT, against {against.upper()}"
    region = region_of(_configuration(Scope.CLOSE, 1), title, _boundaries(), against, load_stack(INTENDED).title)
    formats = {"svg": partial(region_chart.as_svg, region), "txt": partial(region_text.as_text, region)}
    return PictureFormats(title, f"timewait diagram region --msl 30s --against {against}{option}", formats)


def _losses() -> NamedPictures:
    yield "region-loss", _loss_bars


def _loss_bars() -> PictureFormats:
    title = "The least safe TIME_WAIT, against losses"
    chart = bars_of(_configuration(Scope.CLOSE, 0), LOSSES, title, BOTH, Budget)
    formats = {"svg": partial(bars.as_svg, chart), "txt": partial(bars.as_text, chart)}
    return PictureFormats(title, "timewait diagram region --msl 30s --rto 30s --against loss", formats)


def _compositions() -> NamedPictures:
    asked = {
        "core": (Scope.CORE, 0, False, "the last exchange, nothing lost", "--scope core --loss 0"),
        "core-loss": (Scope.CORE, 1, False, "the last exchange, one loss in a loss window", "--scope core --loss 1"),
        "close": (Scope.CLOSE, 1, False, "the whole close, A first, one loss in a loss window", "--closers a --loss 1"),
        "simultaneous": (Scope.CLOSE, 0, True, "the whole close, either end first, nothing lost", "--closers both --loss 0"),
    }
    for name, (scope, loss, both, title, options) in asked.items():
        yield f"composition-{name}", partial(_composition, _configuration(scope, loss, both), title, options)


def _composition(configuration: Configuration, title: str, options: str) -> PictureFormats:
    figure = composition(reach(configuration, Budget()), f"Reachable locations: {title}")
    return _figure(f"composition --msl 30s --rto 30s --time-wait 60s {options}", figure)


def _cost() -> NamedPictures:
    yield "capacity", _ports_over_time
    yield "risk", _risk


def _ports_over_time() -> PictureFormats:
    pool, service = PortPool(ports=28232), Service(time_wait=Fraction(60), service_time=Fraction(1))
    prediction = Prediction(pool, service, Fraction(1000))
    use = port_use(prediction, simulate(constant(prediction.rate, Fraction(183)), pool, service))
    formats: dict[str, Callable[[], str]] = {
        "svg": partial(capacity_chart.as_svg, use),
        "txt": lambda: "\n".join(use.sentences()) + "\n",
    }
    return PictureFormats(use.title, "timewait capacity --rate 1000/s --service-time 1s", formats)


def _risk() -> PictureFormats:
    rtt = Fraction(1, 20)
    path = NetworkPath(loss_rate=Fraction(1, 100), delays=delays_around(rtt, Fraction(0)))
    stack = load_stack("linux")
    curve = risk_curve(orderly_close(stack, path, rtt), stack)
    formats: dict[str, Callable[[], str]] = {
        "svg": partial(risk_chart.as_svg, curve),
        "txt": lambda: "\n".join(curve.sentences()) + "\n",
    }
    return PictureFormats(curve.title, "timewait risk --loss-rate 1% --rtt 50ms", formats)
