"""Conformance: situations, experiments, explanations and reports, on stacks made of the specification."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from commands import run, run_json
from model_stacks import LAYERS, LINUX, PROFILES, ModelStack, campaign

from timewait.checker.verdict import Verdict
from timewait.cli import conform
from timewait.laboratory.conformance.campaign import ExperimentLayer, planned
from timewait.laboratory.conformance.departures import DEPARTURES, departures_of, reaction_with
from timewait.laboratory.conformance.experiment import (
    ComparedExperiment,
    Experiment,
    Observation,
    Stimulus,
    as_specified,
    placed,
    predicted,
    script,
)
from timewait.laboratory.conformance.explanation import NEVER_VARIED, Explainer, settings_left_out, value_in_words
from timewait.laboratory.conformance.grid import KINDS, PLACES, grid
from timewait.laboratory.conformance.page import conformance_page
from timewait.laboratory.conformance.reachable import Situation, experiments, reachable_situations, shortest_ways
from timewait.laboratory.conformance.walks import walks
from timewait.spec.abstractions import ABSTRACTIONS
from timewait.spec.assemble import Overrides, assemble
from timewait.spec.composition import Composition, CompositionState, Phase
from timewait.spec.endpoint import segment_arrives
from timewait.spec.exchange import ENDS
from timewait.spec.graph_events import apply_event
from timewait.spec.outcome import Call, Outcome
from timewait.spec.segment import Segment
from timewait.spec.setting_dependence import alternatives
from timewait.spec.settings import BEHAVIOUR, Behaviour, ResetRule
from timewait.spec.stacks import load_stack
from timewait.spec.state import FIN_RECEIVED, Block, State
from timewait.spec.window import WINDOW

# --- situations and experiments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("abandons", [False, True])
def test_every_run_of_the_composition_stays_in_the_situations(abandons: bool) -> None:
    """Random runs of the close, with loss and duplicates, meet only situations that were enumerated."""
    overrides = Overrides.of(msl=Fraction(30), both_close=True, text=(1, 1), loss=None, abandons=abandons)
    composition = Composition(assemble(load_stack("linux"), overrides))
    known = set(reachable_situations(LINUX[abandons]))
    chance = random.Random(abandons)
    met: set[Situation] = set()
    for _ in range(60):
        location = composition.initial()
        while location.phase is Phase.FIRST:
            for packet in location.network:
                met.add(Situation(location.ends[1 - ENDS.index(packet.sender)], packet.segment))
            location = cast(CompositionState, chance.choice([*composition.edges(location)]).target)
            if chance.random() < 0.02:
                break
    assert met <= known
    assert len(met) > len(known) / 6


@pytest.mark.parametrize("abandons", [False, True])
def test_each_situation_has_an_experiment_that_leads_to_it(abandons: bool) -> None:
    """The way ends in the control block of the situation, and no shorter prefix of it does."""
    behaviour = LINUX[abandons]
    situations = reachable_situations(behaviour)
    found = experiments(situations, behaviour, abandons)
    assert found.keys() == set(situations)
    for situation, experiment in found.items():
        assert experiment is not None
        block = Block(State.ESTABLISHED, una=1, nxt=1, rcv=1)
        met = [block]
        for stimulus in script(experiment, behaviour)[:-1]:
            block = reaction(block, stimulus, behaviour)
            met.append(block)
        assert met.index(situation.block) == len(met) - 1
        assert experiment.events[-1] == situation.segment


def reaction(block: Block, stimulus: Stimulus, behaviour: Behaviour) -> Block:
    """The block after a stimulus."""
    return apply_event(block, stimulus.event, behaviour).block


def test_a_way_can_avoid_situations() -> None:
    """Control blocks behind an avoided situation are reached otherwise or not at all."""
    situations = reachable_situations(LINUX[False])
    avoided = {one for one in situations if one.block.state is State.FIN_WAIT_1}
    states = {block.state for block in shortest_ways(situations, LINUX[False], avoided)}
    assert State.CLOSING not in states
    assert State.LAST_ACK in states


def test_the_grid_holds_every_kind_place_and_state() -> None:
    """In each state of an open connection; each acknowledgement from the one before SND.UNA to the one after SND.NXT."""
    cells = [situation for situation, _ in grid(LINUX[True], True)]
    for state in {State.ESTABLISHED, State.FIN_WAIT_1, State.FIN_WAIT_2, *FIN_RECEIVED}:
        found = [cell for cell in cells if cell.block.state is state]
        assert {cell.segment.seq - cell.block.rcv for cell in found} == set(PLACES)
        assert {cell.segment._replace(seq=0, ack=None if cell.segment.ack is None else 0) for cell in found} == set(
            KINDS.values()
        )
        for cell in found:
            assert cell.segment.ack is None or cell.block.una - 1 <= cell.segment.ack <= cell.block.nxt + 1


def test_walks_depend_on_the_seed_alone() -> None:
    """The same seed, the same walks; another seed, others; text stays inside the window."""
    found = [*walks(LINUX[False], False, 20, 5)]
    assert found == [*walks(LINUX[False], False, 20, 5)]
    assert found != [*walks(LINUX[False], False, 20, 6)]
    assert {str(event) for one in found for event in one.events} >= {Call.CLOSE.value, Call.SEND.value}


@pytest.mark.parametrize("place", PLACES)
def test_numbers_near_the_right_edge_follow_the_running_stack(place: int) -> None:
    """A number near the edge is counted from there and back again; any other stays as it is."""
    segment = Segment(1 + place, length=1)
    (stimulus,) = script(Experiment((segment,), abandons=False), LINUX[False])
    sent = placed(segment, stimulus.from_edge, 60_001)
    assert sent.seq == (60_001 + place - WINDOW if place > 1 else segment.seq)
    assert as_specified(Segment(0, sent.end, rst=True), segment, sent) == Segment(0, segment.end, rst=True)
    assert as_specified(Segment(5, 1), segment, None) == Segment(5, 1)


# --- explanations --------------------------------------------------------------------------------------------------------


def test_the_specification_conforms_to_itself() -> None:
    """No difference in any layer."""
    report = campaign(ModelStack(LINUX), LAYERS)
    assert (report.verdict, report.groups) == (Verdict.PROVED, ())
    assert [len(result.compared) for result in report.layers] == [result.planned for result in report.layers]
    assert min(result.planned for result in report.layers) > 300


@cache
def everything(name: str, thinned: int) -> tuple[tuple[Experiment, tuple[Observation, ...]], ...]:
    """Every so manieth experiment of the first two layers, with what the profile of a stack predicts."""
    settings = PROFILES[name]
    chosen = [*planned(ExperimentLayer.REACHABLE, settings, 1), *planned(ExperimentLayer.GRID, settings, 1)]
    return tuple((one, predicted(one, settings[one.abandons])) for one in chosen[::thinned])


def telling(stack: ModelStack, name: str = "linux", thinned: int = 6) -> list[ComparedExperiment]:
    """Some experiments in which a stack differs from the profile, and many in which it does not."""
    compared = [ComparedExperiment(one, expected, stack.observed(one)) for one, expected in everything(name, thinned)]
    differing = [one for one in compared if one.first_difference is not None]
    agreeing = [one for one in compared if one.first_difference is None]
    return [*differing[:: max(len(differing) // 20, 1)], *agreeing[:: max(len(agreeing) // 600, 1)]]


def other_settings() -> dict[str, dict[bool, Behaviour]]:
    """Stacks that differ from the profile in one setting, as an explanation names it."""
    found = {}
    for name, others in alternatives(LINUX[True]).items():
        for other in others:
            value = getattr(other, name)
            changed = {abandons: replace(LINUX[abandons], **{name: value}) for abandons in LINUX}
            if name not in NEVER_VARIED and not BEHAVIOUR[name].follows:
                found[f"{name} = {value_in_words(value)}"] = changed
    return found


def settings_by_speed() -> Iterator[object]:
    """The name of each other setting; of those about one setting all but the first are slow."""
    seen: set[str] = set()
    for name in other_settings():
        setting = name.partition(" ")[0]
        yield pytest.param(name, marks=[pytest.mark.slow] if setting in seen else [])
        seen.add(setting)


@pytest.mark.parametrize("name", [*settings_by_speed()])
def test_a_setting_explains_what_it_changes(name: str) -> None:
    """Every difference between the profile and a stack that differs in one setting is explained by this setting alone."""
    compared = telling(ModelStack(other_settings()[name]))
    explanations = Explainer("linux", LINUX, compared).explain_all()
    assert len(explanations) == sum(one.first_difference is not None for one in compared)
    assert {str(explanation) for explanation in explanations} <= {f"setting {name}"}


def test_most_settings_are_visible() -> None:
    """The experiments show a difference for each setting of TIME-WAIT."""
    seen = {name.partition(" ")[0] for name, changed in other_settings().items() if any_difference(changed)}
    assert seen >= {"answers", "restarts", "reset", "late_data_reset"}


def any_difference(changed: Mapping[bool, Behaviour]) -> bool:
    """Whether an experiment tells other settings from those of the profile."""
    stack = ModelStack(changed)
    return any(stack.observed(one) != expected for one, expected in everything("linux", 6))


def departures_by_speed() -> Iterator[object]:
    """Each stack and departure; one of each stack is not slow."""
    for stack in PROFILES:
        for number, entry in enumerate(departures_of(stack)):
            yield pytest.param(stack, entry.name, marks=[pytest.mark.slow] if number else [])


@pytest.mark.parametrize(("stack", "name"), [*departures_by_speed()])
def test_a_departure_explains_what_it_changes(stack: str, name: str) -> None:
    """Every difference between the specification and a stack with one departure is explained by this departure."""
    settings = PROFILES[stack]
    compared = telling(ModelStack(settings, lambda: reaction_with((DEPARTURES[name],))), stack, 1)
    explanations = Explainer(stack, settings, compared).explain_all()
    assert {str(explanation) for explanation in explanations} == {f"departure {name}"}


def deaf(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
    """A stack that ignores a FIN in FIN-WAIT-2."""
    if segment.fin and block.state is State.FIN_WAIT_2:
        return Outcome(block)
    return segment_arrives(block, segment, behaviour)


def test_what_no_setting_expresses_is_unexplained() -> None:
    """The shortest experiment is shown, minimised from longer ones, and the verdict is bad."""
    report = campaign(ModelStack(LINUX, lambda: deaf), [ExperimentLayer.WALKS])
    assert report.verdict is Verdict.VIOLATED
    assert {group.explanation for group in report.groups} == {None}
    shortest = min((group.shortest for group in report.groups), key=lambda one: len(one.experiment.events))
    first, second, last = shortest.experiment.events
    assert isinstance(second, Segment)
    assert isinstance(last, Segment)
    assert (first, second.ack, last.fin) == (Call.CLOSE, 2, True)
    for group in report.groups:
        assert group.shortest.first_difference == len(group.shortest.experiment.events) - 1


def test_an_explanation_may_not_spoil_what_agrees() -> None:
    """A stack that ignores a RST in TIME-WAIT only if it has an ACK does not have the setting ``reset = ignore``."""

    def picky(block: Block, segment: Segment, behaviour: Behaviour) -> Outcome:
        if segment.rst and segment.ack is not None and block.state is State.TIME_WAIT:
            return segment_arrives(block, segment, replace(behaviour, reset=ResetRule.IGNORE))
        return segment_arrives(block, segment, behaviour)

    compared = telling(ModelStack(LINUX, lambda: picky))
    assert set(Explainer("linux", LINUX, compared).explain_all()) == {None}
    with_ack = [one for one in compared if getattr(one.experiment.events[-1], "ack", None) is not None]
    assert {str(one) for one in Explainer("linux", LINUX, with_ack).explain_all()} == {"setting reset = ignore"}


# --- reports -------------------------------------------------------------------------------------------------------------


def test_what_was_left_out_is_no_success() -> None:
    """A limit on time makes the report inconclusive, an interrupt too; without experiments it is vacuous."""
    limited = campaign(ModelStack(LINUX), LAYERS, max_seconds=1e-9)
    assert limited.verdict is Verdict.INCONCLUSIVE
    assert limited.stopped == "the limit on time was reached"
    assert [len(result.compared) for result in limited.layers] == [1, 0, 0]

    class Interrupted(ModelStack):
        def carry_out(self, scripts: Sequence[tuple[Stimulus, ...]], abandons: bool) -> Iterator[tuple[Observation, ...]]:
            yield from super().carry_out(scripts[:3], abandons)
            raise KeyboardInterrupt

    interrupted = campaign(Interrupted(LINUX))
    assert (interrupted.verdict, interrupted.stopped) == (Verdict.INCONCLUSIVE, "interrupted")
    assert len(interrupted.layers[0].compared) == 3
    assert campaign(ModelStack(LINUX), []).verdict is Verdict.VACUOUS


class ContextStack(ModelStack):
    """A model as a context."""

    def __enter__(self) -> ContextStack:
        return self

    def __exit__(self, *problem: object) -> None:
        return None


def test_the_command_reports(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """As text and as JSON, with the exit code of the verdict."""
    monkeypatch.setitem(conform.STACKS, "linux", lambda: ContextStack(LINUX))
    code, out, _ = run(capsys, "conform", "--on", "linux", "--layer", "reachable")
    assert (code, out.splitlines()[-1]) == (0, "verdict: stack and specification AGREE")
    monkeypatch.setitem(conform.STACKS, "linux", lambda: ContextStack(LINUX, lambda: deaf))
    code, out, _ = run(capsys, "conform", "--on", "linux", "--layer", "reachable")
    assert code == 10
    assert "UNEXPLAINED" in out
    code, data = run_json(capsys, "conform", "--on", "linux", "--layer", "reachable")
    assert (code, data["verdict"], data["stack"]) == (10, "violated", "linux")
    assert (
        data["layers"][0]["agree"] + sum(group["counts"]["reachable"] for group in data["differences"])
        == data["layers"][0]["carried_out"]
    )
    ignoring = {abandons: replace(behaviour, reset=ResetRule.IGNORE) for abandons, behaviour in LINUX.items()}
    monkeypatch.setitem(conform.STACKS, "linux", lambda: ContextStack(ignoring))
    code, out, _ = run(capsys, "conform", "--on", "linux", "--layer", "reachable")
    assert (code, out.splitlines()[-1]) == (10, "verdict: the profile linux is WRONG about reset")
    assert "PROFILE IS WRONG: setting reset = ignore" in out


def changed_in(name: str, value: Any) -> dict[bool, Behaviour]:
    """The profile of Linux with another value of one setting."""
    return {abandons: replace(behaviour, **{name: value}) for abandons, behaviour in LINUX.items()}


def test_a_wrong_setting_of_the_profile_is_no_success() -> None:
    """Another value explains every difference, so the profile is wrong."""
    report = campaign(ModelStack(changed_in("reset_at_fin", not LINUX[False].reset_at_fin)))
    assert report.groups
    assert report.count(ExperimentLayer.REACHABLE, explained=False) == 0
    assert (report.verdict, report.wrong_settings) == (Verdict.VIOLATED, ("reset_at_fin",))
    assert report.as_json()["wrong_settings"] == ["reset_at_fin"]
    page = conformance_page(report)
    assert 'class="unexplained"' in page
    assert page.count('data-label="agree"') == len(report.layers), "a narrow screen shows the name of each column"


def test_a_setting_that_an_abstraction_leaves_out_may_differ() -> None:
    """Text kept out of order is an abstraction of every stack, and no profile states it."""
    report = campaign(ModelStack(changed_in("keeps_out_of_order", True)), [ExperimentLayer.WALKS])
    assert {group.explanation.setting for group in report.groups if group.explanation} == {"keeps_out_of_order"}
    assert (report.verdict, report.summary) == (Verdict.PROVED, "every difference is EXPLAINED")


def test_the_settings_left_out_are_those_of_abstractions() -> None:
    """An abstraction of another stack does not count, nor does a setting that the profile states."""
    assert settings_left_out("linux") == {"keeps_out_of_order", "answer_limit", "time_wait_cut", "unread"}
    assert settings_left_out("lwip") == {"keeps_out_of_order", "time_wait_cut", "unread"}


def test_the_report_is_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Well-formed, with the verdict, each group and its shortest experiment."""
    monkeypatch.setitem(conform.STACKS, "linux", lambda: ContextStack(LINUX, lambda: deaf))
    path = tmp_path / "report.html"
    run(capsys, "conform", "--on", "linux", "--layer", "reachable", "--html", str(path))
    text = path.read_text(encoding="utf-8")
    document = ElementTree.fromstring(re.sub(r"<!DOCTYPE html>|<meta[^>]*>", "", text))
    report = campaign(ModelStack(LINUX, lambda: deaf))
    assert report.summary in "".join(document.itertext())
    assert len(document.findall(".//section")) == len(report.groups) > 0
    assert all(section.get("class") == "unexplained" for section in document.findall(".//section"))
    assert len(document.findall(".//section//tbody/tr")) == sum(len(one.shortest.experiment.events) for one in report.groups)


def test_departures_name_abstractions_of_their_stacks() -> None:
    """Each abstraction exists and is about a stack of the departure."""
    for entry in DEPARTURES.values():
        for name in entry.abstractions:
            assert set(ABSTRACTIONS[name].stacks) <= set(entry.stacks)
