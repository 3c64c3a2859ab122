"""The command ``learn``: learns the machine of the kernel's close, and compares it with the specification."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from timewait.checker.verdict import Verdict
from timewait.cli.console import Screen
from timewait.cli.picture_formats import PictureOptions, deliver, of_figure, output_options
from timewait.cli.value_types import WordChoice
from timewait.diagrams.figure import Figure
from timewait.diagrams.machine_figure import MachineEdge, machine_figure
from timewait.laboratory.learning.alphabet import Letter
from timewait.laboratory.learning.learner import EXTRA_STATES, LearningResult
from timewait.laboratory.learning.machine import MachineDifference, MealyMachine, differences
from timewait.laboratory.learning.session import learn_kernel, learn_specification
from timewait.narration.prose import counted
from timewait.spec.assemble import Overrides, behaviour_of
from timewait.spec.stacks import load_stack


@click.command("learn")
@click.option("--on", type=WordChoice(["linux"]), required=True, help="The running stack: the kernel of this machine.")
@click.option(
    "--users",
    type=WordChoice(["shutdown", "close"]),
    default="shutdown",
    show_default=True,
    help="How the user closes: shutdown() goes on reading, close() does not.",
)
@output_options(layout=True)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def learn_command(on: str, users: str, picture: PictureOptions, as_json: bool) -> int:
    """Learn how the kernel closes, as a Mealy machine, and compare it with the specification.

    Exits with 10 when they differ, with 4 when this machine cannot run the laboratory.
    """
    screen = Screen()
    behaviour = behaviour_of(load_stack(on), Overrides.of(abandons=users == "close"))
    specified = learn_specification(behaviour)
    learned = _learned(users == "close", len(specified.machine.states), screen)
    found = list(differences(specified.machine, learned.machine))
    if as_json:
        screen.as_json(_as_data(on, users, learned, found))
    elif picture.asked:
        title = f"The close of {on} as learned ({users}())"
        deliver(
            of_figure(_figure(title, specified.machine, learned.machine), picture, picture.width(screen)),
            replace(picture),
            screen,
        )
    if not as_json and (picture.out or not picture.form):
        _show(learned, specified, found, screen)
    return Verdict.VIOLATED.exit_code if found else 0


def _learned(abandons: bool, expected: int, screen: Screen) -> LearningResult:
    shown = -1
    for news in learn_kernel(abandons, expected):
        if isinstance(news, LearningResult):
            return news
        if news.queries // 500 > shown:
            shown = news.queries // 500
            screen.progress_note(f"{news.queries:,} queries, {news.steps:,} steps")
    raise AssertionError("learning ends with a result or an exception")


def _show(learned: LearningResult, specified: LearningResult, found: list[MachineDifference], screen: Screen) -> None:
    states = learned.machine.states
    screen.line(f"{counted(len(states), 'state')}: {', '.join(states)}")
    screen.line(f"the specification has {len(specified.machine.states)}")
    screen.paragraphs(
        [
            f"Learned by L* with {learned.queries:,} queries of {learned.steps:,} steps. The W-method found no further "
            f"difference: the machine is exact if the kernel has at most {learned.bound} states over this alphabet, "
            f"{EXTRA_STATES} more than the machine."
        ]
    )
    screen.line()
    if not found:
        screen.line("the kernel and the specification have the same machine")
    for difference in found:
        screen.line(f"differs: {', then '.join(difference.word)}")
        screen.line(f"  the kernel sends {difference.outputs[1]}, the specification {difference.outputs[0]}")


def _figure(title: str, specified: MealyMachine, learned: MealyMachine) -> Figure:
    expected = {(entry.states[1], entry.word[-1]): entry.outputs[0] for entry in differences(specified, learned)}
    edges = [
        MachineEdge(state, reaction.target, letter, reaction.output, expected.get((state, letter), reaction.output))
        for (state, letter), reaction in learned.reactions.items()
    ]
    return machine_figure(title, learned.states, edges)


def _as_data(on: str, users: str, learned: LearningResult, found: list[MachineDifference]) -> dict[str, Any]:
    """The result as plain data."""
    return {
        "on": on,
        "users": users,
        "alphabet": [str(letter) for letter in Letter],
        "states": list(learned.machine.states),
        "queries": learned.queries,
        "steps": learned.steps,
        "exact_up_to_states": learned.bound,
        "reactions": [
            {"state": state, "event": str(letter), "output": reaction.output, "target": reaction.target}
            for (state, letter), reaction in learned.machine.reactions.items()
        ],
        "differences": [
            {
                "experiment": [str(letter) for letter in difference.word],
                "kernel": difference.outputs[1],
                "specification": difference.outputs[0],
            }
            for difference in found
        ],
    }
