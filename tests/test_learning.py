"""Learned machines: those of endpoints with other settings, told apart, and that of the running kernel."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from itertools import product
from xml.etree import ElementTree

import pytest
from commands import run_json

from timewait.diagrams.box_sizes import LABEL
from timewait.diagrams.figure_svg import as_svg
from timewait.diagrams.machine_figure import DIFFERS, SILENT, MachineEdge, machine_figure
from timewait.laboratory import probe
from timewait.laboratory.learning.alphabet import AbstractPeer, Letter, output
from timewait.laboratory.learning.learner import LearningResult
from timewait.laboratory.learning.machine import MealyMachine, MealyReaction, differences
from timewait.laboratory.learning.session import learn_specification
from timewait.laboratory.learning.systems import SpecifiedEnd
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.state import State

pytest.importorskip("aalpy", reason="AALpy is not installed: pip install 'timewait[learning]'")

CLOSING = {
    State.ESTABLISHED,
    State.FIN_WAIT_1,
    State.FIN_WAIT_2,
    State.CLOSING,
    State.CLOSE_WAIT,
    State.LAST_ACK,
    State.TIME_WAIT,
    State.CLOSED,
}


@cache
def learned(behaviour: Behaviour) -> LearningResult:
    """The machine of an endpoint."""
    return learn_specification(behaviour)


def carried_out(behaviour: Behaviour, word: tuple[Letter, ...]) -> tuple[str, ...]:
    """The outputs of an endpoint to a word, without learning."""
    system, peer, outputs = SpecifiedEnd(behaviour), AbstractPeer(), []
    system.reset()
    for letter in word:
        replies = system.apply(peer.event(letter))
        peer.see(replies)
        outputs.append(output(replies))
    return tuple(outputs)


def test_the_states_of_the_specification() -> None:
    """Every state of a close is found; CLOSED occurs twice, since the peer has seen a FIN or not."""
    machine = learned(Behaviour()).machine
    assert {name.removesuffix(" (2)") for name in machine.states} == {str(state) for state in CLOSING}
    assert len(machine.states) == len(CLOSING) + 1


def test_its_picture() -> None:
    """Every transition that shows is an arrow or in a box, no arrow is a loop, and letters are legible at 400 pixels."""
    machine = learned(Behaviour()).machine
    edges = [MachineEdge(state, to.target, letter, to.output, to.output) for (state, letter), to in machine.reactions.items()]
    figure = machine_figure("the machine", machine.states, edges)
    assert all(arrow.source != arrow.target for arrow in figure.arrows)
    assert {arrow.target for arrow in figure.arrows} == {*machine.states} - {State.ESTABLISHED}
    words = ["".join(span.text for span in text) for arrow in figure.arrows for text in arrow.label]
    words += ["".join(span.text for span in cell) for box in figure.boxes for row in box.rows for cell in row.cells]
    shown = [edge for edge in edges if edge.source != edge.target or edge.output != SILENT]
    said = Counter(re.findall("|".join(sorted(map(str, Letter), key=len, reverse=True)), "\n".join(words)))
    for letter in Letter:
        assert said[letter] >= sum(edge.event == letter for edge in shown)
    assert LABEL * 400 / float(ElementTree.fromstring(as_svg(figure)).get("width", "inf")) > 8.95
    boxes = {box.name: box for box in figure.boxes}
    assert boxes[State.FIN_WAIT_1].title == "FIN-WAIT-1"


def test_a_difference_is_an_arrow() -> None:
    """Also where the event changes nothing."""
    edges = [MachineEdge("A", "B", "FIN", "ACK", "ACK"), MachineEdge("B", "B", "old ACK", "nothing", "ACK")]
    loop, _ = sorted(machine_figure("the machine", ["A", "B"], edges).arrows, key=lambda arrow: arrow.source, reverse=True)
    assert (loop.source, loop.target, loop.style) == ("B", "B", DIFFERS)


def test_the_machine_is_the_endpoint() -> None:
    """The machine and the endpoint agree on every word of three letters, and on longer ones that pass TIME-WAIT."""
    behaviour = Behaviour()
    machine = learned(behaviour).machine
    for word in product(Letter, repeat=3):
        assert machine.run(word) == carried_out(behaviour, word)
    to_time_wait = (Letter.CLOSE, Letter.ACK, Letter.FIN)
    for word in product(Letter, repeat=2):
        assert machine.run(to_time_wait + word) == carried_out(behaviour, to_time_wait + word)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        (Behaviour(reset=ResetRule.EXACT), (Letter.CLOSE, Letter.FIN_ACK, Letter.RESET, Letter.ACK)),
        (Behaviour(answers=frozenset()), (Letter.CLOSE, Letter.FIN_ACK, Letter.FIN)),
        (Behaviour(time_wait=False), (Letter.CLOSE, Letter.FIN_ACK, Letter.ACK)),
    ],
)
def test_a_changed_setting_is_found(changed: Behaviour, word: tuple[Letter, ...]) -> None:
    """The difference has a word as short as the shortest one by hand, and the word shows it."""
    one, other = learned(Behaviour()).machine, learned(changed).machine
    found = list(differences(one, other))
    assert min(len(difference.word) for difference in found) <= len(word)
    for difference in found:
        assert carried_out(Behaviour(), difference.word)[-1] == difference.outputs[0]
        assert carried_out(changed, difference.word)[-1] == difference.outputs[1]
    assert not list(differences(one, one))


needs_kernel = pytest.mark.skipif(bool(probe.missing()), reason=probe.missing() or "the laboratory runs")


@needs_kernel
@pytest.mark.slow
@pytest.mark.parametrize("users", ["shutdown", "close"])
def test_the_kernel_is_learned(capsys: pytest.CaptureFixture[str], users: str) -> None:
    """The kernel has the states of the specification; each difference is a shortest experiment; twice the same machine."""
    results = [run_json(capsys, "learn", "--on", "linux", "--users", users) for _ in range(2)]
    (code, one), (_, other) = results
    assert code == (10 if one["differences"] else 0)
    assert sorted(one["states"]) == sorted(learned(Behaviour()).machine.states)
    assert machine_of(one) == machine_of(other)


def machine_of(data: dict[str, object]) -> MealyMachine:
    """The machine in the JSON of the command, its states named by access sequences, so that names do not matter."""
    reactions = data["reactions"]
    assert isinstance(reactions, list)
    table = {(entry["state"], Letter(entry["event"])): MealyReaction(entry["output"], entry["target"]) for entry in reactions}
    return renamed(MealyMachine(reactions[0]["state"], table))


def renamed(machine: MealyMachine) -> MealyMachine:
    """The same machine, its states numbered in the order of a breadth-first search."""
    names = {machine.initial: "0"}
    for state in (queue := [machine.initial]):
        for letter in Letter:
            target = machine.reactions[state, letter].target
            if target not in names:
                names[target] = str(len(names))
                queue.append(target)
    table = {
        (names[state], letter): reaction._replace(target=names[reaction.target])
        for (state, letter), reaction in machine.reactions.items()
        if state in names
    }
    return MealyMachine("0", table)
