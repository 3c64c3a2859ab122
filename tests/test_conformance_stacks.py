"""Conformance of running stacks: this kernel and lwIP under their profiles."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from commands import run
from model_stacks import LAYERS, LINUX, quiet

from timewait.cli.conform import profile_behaviours
from timewait.laboratory import probe
from timewait.laboratory.conformance import linux_stack, lwip_stack
from timewait.laboratory.conformance.campaign import ConformanceReport, ExperimentLayer, planned, run_campaign
from timewait.laboratory.conformance.departures import DEPARTURES, departures_of, reaction_with
from timewait.laboratory.conformance.experiment import ComparedExperiment, Experiment, compare, predicted, script
from timewait.laboratory.conformance.linux_stack import LinuxStack
from timewait.laboratory.conformance.lwip_stack import LwipStack, lwip_missing
from timewait.laboratory.isolation import LaboratoryUnavailable
from timewait.spec.outcome import Call
from timewait.spec.segment import Segment
from timewait.spec.state import State

PROBES = [("linux", linux_stack, "missing"), ("lwip", lwip_stack, "lwip_missing")]


@pytest.mark.parametrize(("name", "module", "function"), PROBES)
def test_the_command_says_why_it_cannot_run(
    name: str, module: object, function: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One line on standard error, and exit code 4."""
    monkeypatch.setattr(module, function, lambda: "there is nothing here")
    code, out, error = run(capsys, "conform", "--on", name)
    assert (code, out, error) == (4, "", "timewait: there is nothing here\n")


def test_lwip_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A compiler, or the library."""
    monkeypatch.setattr(lwip_stack, "COMPILERS", ("no-such-compiler",))
    assert "needs a C compiler" in lwip_missing.__wrapped__()
    monkeypatch.undo()
    monkeypatch.setattr(lwip_stack, "INCLUDES", "/no/such/folder")
    reason = lwip_missing.__wrapped__()
    assert "liblwip-dev" in reason or "C compiler" in reason
    assert "\n" not in reason


# --- running stacks ------------------------------------------------------------------------------------------------------

in_laboratory = pytest.mark.skipif(bool(probe.missing()), reason=probe.missing())
with_lwip = pytest.mark.skipif(bool(lwip_missing()), reason=lwip_missing())


def unexplained(report: ConformanceReport) -> list[ComparedExperiment]:
    """The differences that nothing explains."""
    return [group.shortest for group in report.groups if group.explanation is None]


CLEAN_CLOSE = Experiment((Call.SEND, Call.CLOSE, Segment(1, 3), Segment(1, 3, fin=True), Segment(1, 3, fin=True)), abandons=True)


@in_laboratory
def test_the_kernel_closes_as_its_profile_says() -> None:
    """A close with text, and a FIN that arrives twice."""
    with LinuxStack() as stack:
        (found,) = compare(stack, [CLEAN_CLOSE], LINUX)
    assert found.observed == found.predicted
    assert found.observed[-1].restarted


@in_laboratory
@pytest.mark.parametrize("abandons", [False, True])
def test_the_kernel_agrees_with_its_profile_in_a_close(abandons: bool) -> None:
    """Every seventh reachable situation."""
    settings = {abandons: LINUX[abandons]}
    chosen = planned(ExperimentLayer.REACHABLE, settings, 1)[::7]
    with LinuxStack() as stack:
        compared = [*compare(stack, chosen, settings)]
    assert [one.truncated for one in compared if one.first_difference is not None] == []


@in_laboratory
@pytest.mark.slow
def test_the_kernel_agrees_with_its_profile() -> None:
    """All three layers: every reachable situation agrees, and no difference is unexplained."""
    with LinuxStack() as stack:
        report = run_campaign(stack, LINUX, LAYERS, 1, 300, quiet)
    assert all(one.first_difference is None for one in report.layers[0].compared)
    assert unexplained(report) == []
    assert not report.stopped


@in_laboratory
@pytest.mark.slow
def test_the_kernel_does_what_its_profile_and_departures_say_together() -> None:
    """With text kept out of order and all departures at once the specification predicts every observation."""
    settings = {abandons: replace(behaviour, keeps_out_of_order=True) for abandons, behaviour in LINUX.items()}
    with LinuxStack() as stack:
        for layer in LAYERS:
            for one in compare(stack, planned(layer, settings, 2), settings):
                reaction = reaction_with(departures_of("linux"))
                assert predicted(one.experiment, settings[one.experiment.abandons], reaction) == one.observed, one.experiment


@with_lwip
def test_lwip_agrees_with_its_profile_or_is_explained() -> None:
    """Every reachable situation."""
    with LwipStack() as stack:
        report = run_campaign(stack, profile_behaviours("lwip"), [ExperimentLayer.REACHABLE], 1, 30, quiet)
    assert unexplained(report) == []
    assert len(report.layers[0].compared) == report.layers[0].planned
    met = {name for group in report.groups if group.explanation for name in group.explanation.departures}
    assert met
    for name in met:
        assert DEPARTURES[name].abstractions, f"a close meets {name}, so an abstraction must state it"


@with_lwip
@pytest.mark.slow
def test_no_difference_of_lwip_is_unexplained() -> None:
    """All three layers."""
    with LwipStack() as stack:
        report = run_campaign(stack, profile_behaviours("lwip"), LAYERS, 1, 60, quiet)
    assert unexplained(report) == []
    assert not report.stopped


@with_lwip
def test_lwip_keeps_a_time_wait_of_two_minutes() -> None:
    """On its own clock."""
    close = (Call.CLOSE, Segment(1, 2), Segment(1, 2, fin=True))
    with LwipStack() as stack:
        (observed,) = stack.carry_out([script(Experiment(close, abandons=True), profile_behaviours("lwip")[True])], abandons=True)
    assert [one.state for one in observed] == [State.FIN_WAIT_1, State.FIN_WAIT_2, State.TIME_WAIT]


@with_lwip
def test_lwip_is_apart_from_the_terminal() -> None:
    """Ctrl-C reaches the command alone, and a process of lwIP that has ended is said, not taken for a reader that has gone."""
    script_of_close = script(Experiment((Call.CLOSE,), abandons=True), profile_behaviours("lwip")[True])
    with LwipStack() as stack:
        assert os.getpgid(stack._process.pid) == stack._process.pid
        stack._process.kill()
        stack._process.wait()
        with pytest.raises(LaboratoryUnavailable, match="the process of lwIP ended with -9"):
            list(stack.carry_out([script_of_close], abandons=True))


def processes_of(session: int) -> set[int]:
    """The processes of a session that have not ended."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            state, _, _, own = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
            if int(own) == session and state != "Z":
                found.add(int(entry.name))
    return found


def killed(name: str, seconds: float) -> None:
    """Kill the command some seconds after its start; its processes vanish with it."""
    command = [sys.executable, "-m", "timewait", "conform", "--on", name]
    started = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    started.kill()
    started.wait()
    end = time.monotonic() + 5
    while left := processes_of(started.pid):
        assert time.monotonic() < end, f"{name}: killed after {seconds} s, {left} are still there"
        time.sleep(0.01)


@in_laboratory
@with_lwip
@pytest.mark.slow
def test_nothing_is_left_of_a_killed_command() -> None:
    """At 50 moments, from the start of the interpreter to the first layer: no process, so no namespace that it holds."""
    devices = sorted(Path("/sys/class/net").iterdir())
    for number in range(50):
        killed("lwip" if number % 5 == 4 else "linux", 0.05 + 0.05 * number)
    assert sorted(Path("/sys/class/net").iterdir()) == devices


def test_unavailable_stacks_raise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The constructor says why."""
    monkeypatch.setattr(linux_stack, "missing", lambda: "no laboratory")
    with pytest.raises(LaboratoryUnavailable, match="no laboratory"):
        LinuxStack()
