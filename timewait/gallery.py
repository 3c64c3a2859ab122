"""The committed set of pictures: what is in it, and how it is kept up to date.

A picture has files in several formats. Whatever is written without a layout (DOT, Mermaid, text, and the SVG of charts
with axes) is the same on every machine and compared letter by letter. The SVG of boxes and arrows is laid out by
Graphviz, whose versions differ in where they put things: one laid out by another version is kept as long as its DOT is
unchanged and it says the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import click

from checker.finding import Budget
from diagrams import bars, plain, region, region_text
from diagrams.composition import composition, reach
from diagrams.dot import as_dot
from diagrams.drawn import as_svg
from diagrams.essence import alike
from diagrams.figure import Figure
from diagrams.mermaid import as_mermaid
from diagrams.states import one_state
from diagrams.tables import as_text
from spec.assemble import Wishes, assemble
from spec.configuration import Configuration, Scope
from spec.graph import CLOSE_PART
from spec.stacks import load, names
from spec.state import State
from timewait.boundaries import boundaries, ratios_up_to
from timewait.depicted import (
    STANDARD,
    bars_of,
    difference_of,
    difference_picture,
    graph_of,
    known_stacks,
    region_of,
    states_of,
)
from timewait.files import write_whole

INTENDED = "rfc9293-intended"
MSL = Fraction(30)
BOTH = ("graceful", "isolation")
INDEX = "README.md"


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the set.

    Attributes
    ----------
    name : str
        Of its files, without an end.
    title : str
        What it shows.
    command : str
        What draws it by itself.
    files : mapping of str to str
        What is in each file, by its end: ``svg``, ``dot``, ``mmd``, ``txt``.
    """

    name: str
    title: str
    command: str
    files: Mapping[str, str]

    @property
    def laid_out(self) -> bool:
        """Whether its SVG depends on a layout."""
        return "dot" in self.files


def _of_figure(name: str, command: str, figure: Figure, text: str | None = None) -> Picture:
    files = {
        "svg": as_svg(figure),
        "dot": as_dot(figure),
        "mmd": as_mermaid(figure),
        "txt": plain.as_text(figure) if text is None else text,
    }
    return Picture(name, figure.title, command, files)


# --- what is in it ------------------------------------------------------------------------------------------------


def groups() -> dict[str, Callable[[], tuple[Picture, ...]]]:
    """The set, in groups that are drawn side by side: whoever has more pictures adds a line here."""
    return {
        "states": _states,
        "each state": _each_state,
        "differences": _differences,
        "regions": _regions,
        "losses": _losses,
        "compositions": _compositions,
    }


def _states() -> tuple[Picture, ...]:
    """The letter of the standard, and what it was meant to say; the close, and all of it."""
    found = []
    for stack in (STANDARD, INTENDED):
        for whole in (False, True):
            name = f"states-{stack}{'-whole' if whole else ''}"
            option = " --whole" if whole else ""
            command = f"timewait diagram states --stack {stack} --against none{option}"
            found.append(_of_figure(name, command, states_of(stack, whole), as_text(graph_of(stack, whole))))
    return tuple(found)


def _each_state() -> tuple[Picture, ...]:
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


def _differences() -> tuple[Picture, ...]:
    """Every stack of which it is known what it does in TIME_WAIT, against the letter of the standard."""
    found = []
    for name in names():
        stack = load(name)
        known = stack.answers is not None and stack.restarts is not None and stack.reset is not None
        if name != STANDARD and (known or not stack.has_time_wait):
            told = "\n".join(difference_of(name, STANDARD, whole=False).words(STANDARD, name))
            figure = difference_picture(name, STANDARD, whole=False)
            command = f"timewait diagram states --stack {name}"
            found.append(_of_figure(f"difference-{name}", command, figure, f"{figure.title}\n\n{told or 'nothing differs'}\n"))
    return tuple(found)


def _asked(scope: Scope, loss: int, both_close: bool = False) -> Configuration:
    wishes = Wishes(msl=MSL, rto=(MSL,), time_wait=2 * MSL, loss=loss, scope=scope, both_close=both_close)
    return assemble(load(INTENDED), wishes)


def _regions() -> tuple[Picture, ...]:
    """Safe and unsafe TIME_WAIT, against RTO and against MSL."""
    asked = _asked(Scope.CLOSE, 1)
    ratios = ratios_up_to(max(stack.across for stack in known_stacks("rto", MSL)))
    found = boundaries(asked, BOTH, ratios, Budget)
    pictures = []
    for against, unit in (("rto", "RTO"), ("msl", "MSL")):
        shown = region_of(asked, f"Safe and unsafe TIME_WAIT, against {unit}", found, ratios, against)
        files = {"svg": region.as_svg(shown), "txt": region_text.as_text(shown)}
        option = f" --against {against}{' --rto 30s' if against == 'msl' else ''}"
        pictures.append(Picture(f"region-{against}", shown.title, f"timewait diagram region --msl 30s{option}", files))
    return tuple(pictures)


def _losses() -> tuple[Picture, ...]:
    """The least safe TIME_WAIT against losses."""
    shown = bars_of((_asked(Scope.CLOSE, loss) for loss in range(4)), "The least safe TIME_WAIT, against losses", BOTH, Budget)
    files = {"svg": bars.as_svg(shown), "txt": bars.as_text(shown)}
    return (Picture("region-loss", shown.title, "timewait diagram region --msl 30s --rto 30s --against loss", files),)


def _compositions() -> tuple[Picture, ...]:
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


# --- how it is kept -----------------------------------------------------------------------------------------------


def draw(group: str) -> tuple[Picture, ...]:
    """The pictures of a group."""
    return groups()[group]()


def drawn(jobs: int) -> Iterator[Picture]:
    """The whole set, groups side by side in processes of their own, in a fixed order."""
    if jobs == 1:
        yield from (picture for group in groups() for picture in draw(group))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for pictures in pool.map(draw, groups()):
            yield from pictures


def contents(pictures: Sequence[Picture]) -> dict[str, str]:
    """What is in every file of the set, by name, the list of all pictures included."""
    files = {f"{picture.name}.{end}": text for picture in pictures for end, text in picture.files.items()}
    return files | {INDEX: index(pictures)}


def index(pictures: Sequence[Picture]) -> str:
    """The list of all pictures, as Markdown."""
    parts = ["# Pictures", "Drawn from the specification by `timewait diagram --all --out docs/diagrams`; not to be edited."]
    for picture in pictures:
        others = ", ".join(f"[{end}]({picture.name}.{end})" for end in picture.files if end != "svg")
        parts += [
            f"## {picture.title}",
            f"![{picture.title}]({picture.name}.svg)",
            f"Also as {others}. Drawn by",
            f"    {picture.command}",
        ]
    return "\n\n".join(parts) + "\n"


@dataclass(frozen=True, slots=True)
class Changes:
    """How a folder differs from the set.

    Attributes
    ----------
    stale : dict of str to str
        The files that are missing or not as they should be, with what should be in them.
    odd : tuple of str
        Files of pictures that are not in the set.
    """

    stale: dict[str, str]
    odd: tuple[str, ...]


def changes(pictures: Sequence[Picture], folder: Path) -> Changes:
    """How a folder differs from the set."""
    wanted = contents(pictures)
    here = {path.name: path.read_text(encoding="utf-8", errors="replace") for path in folder.glob("*") if path.is_file()}
    laid_out = {picture.name for picture in pictures if picture.laid_out}
    stale = {name: text for name, text in wanted.items() if not _same(name, here, wanted, laid_out)}
    ends = {Path(name).suffix for name in wanted}
    return Changes(stale, tuple(sorted(name for name in here if name not in wanted and Path(name).suffix in ends)))


def _same(name: str, here: Mapping[str, str], wanted: Mapping[str, str], laid_out: set[str]) -> bool:
    if name not in here or here[name] == wanted[name]:
        return name in here
    stem, _, end = name.rpartition(".")
    source = f"{stem}.dot"
    kept = end == "svg" and stem in laid_out and here.get(source) == wanted[source]
    return kept and alike(here[name], wanted[name])


def update(found: Changes, folder: Path) -> None:
    """Write what is stale.

    Raises
    ------
    click.UsageError
        It cannot be written there.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise click.UsageError(f"cannot write into {folder}: {problem.strerror}") from problem
    for name, text in found.stale.items():
        write_whole(folder / name, text)
