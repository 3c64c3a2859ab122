"""A middlebox that forgets connections at its own time, and closes through it."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from commands import run, run_json

from timewait.checker import itf
from timewait.checker.finding import Move, Run
from timewait.checker.replay import carried_out
from timewait.checker.trace import Trace
from timewait.cli.ways import close_of
from timewait.formats.trace_formats import TRACE_FORMATS
from timewait.laboratory.replaying.kernel_settings import script_of
from timewait.laboratory.replaying.outcome import NotReplayable
from timewait.narration.trace_file import read_trace
from timewait.spec.middlebox import BOXES, Forwarding, Middlebox, TrackedConnection, TrackedPhase, passes
from timewait.spec.plain_data import configuration_from_data
from timewait.spec.reference import initial_state
from timewait.spec.segment import Segment
from timewait.spec.stacks import MissingValue, load_stack, stack_names
from timewait.spec.trace_actions import action_of, segment_of
from timewait.ways.boxed import RUNS, box_runs

TEXT, FIN, SYN, RST = Segment(1, ack=1, length=1), Segment(1, ack=1, fin=True), Segment(0, syn=True), Segment(1, rst=True)
every_box = pytest.mark.parametrize("box", BOXES.values(), ids=BOXES)


def runs(box: Middlebox, stack: str = "rfc9293-intended", time_wait: int | None = None) -> dict[str, Trace]:
    """The runs through a box between two hosts with a stack."""
    wait = None if time_wait is None else Fraction(time_wait)
    return box_runs(box, close_of(load_stack(stack), Fraction(30), wait, Fraction(4)))


@pytest.mark.parametrize("stack", stack_names())
def test_the_box_decides_about_each_packet(stack: str) -> None:
    """Of each stack: a packet is lost if the box says so, a RST answers it if the box resets; else one ACK alone is lost."""
    for box in BOXES.values():
        try:
            found = runs(box, stack, 60)
        except MissingValue:
            return
        for name, trace in found.items():
            entry: TrackedConnection | None = TrackedConnection(TrackedPhase.OPEN, Fraction(0))
            lost_behind = 0
            for step, following in zip(trace.steps, (*trace.steps[1:], None), strict=True):
                for packet in step.event.sent if step.event.actor != "network" else ():
                    entry, delivery = passes(box, entry, step.time, packet.sender, segment_of(packet.fields))
                    lost_behind += packet.lost and delivery is Forwarding.FORWARDED
                    assert packet.lost or delivery is Forwarding.FORWARDED
                    answered = following is not None and following.event.actor == "network"
                    assert answered == (delivery is Forwarding.RESET)
            assert lost_behind <= (name == "last-ack")


@every_box
def test_runs_are_traces(box: Middlebox, tmp_path: Path) -> None:
    """Each can be written in every format, read back, and carried out again from its steps."""
    for name, trace in runs(box).items():
        path = tmp_path / f"{name}.itf.json"
        path.write_text(itf.as_itf_text(trace), encoding="utf-8")
        assert read_trace(path) == trace
        moves = tuple(Move(step.delay, action_of(step.event)) for step in trace.steps)
        initial = initial_state(configuration_from_data(trace.about))
        assert carried_out(initial, Run(moves), trace.shows, trace.statement) == trace
        assert all(form.write(trace, "a") for form in TRACE_FORMATS.values())


def broken(box: str, name: str, time_wait: int | None = None) -> set[str]:
    """The properties that a run breaks."""
    return {why for step in runs(BOXES[box], time_wait=time_wait)[name].steps for why, _ in step.event.breaks}


def test_what_the_hosts_see() -> None:
    """A box that drops makes the sender give up; one that resets cuts off a close; after the box neither helps."""
    assert "integrity" in broken("conntrack", "half-closed")
    assert "graceful" in broken("aws-nat", "idle")
    assert "graceful" not in broken("conntrack", "idle")
    assert "graceful" in broken("conntrack", "last-ack", 60)
    late = runs(BOXES["conntrack"], time_wait=240)["last-ack"].steps
    assert "graceful" not in broken("conntrack", "last-ack", 240)
    assert late[-1].state["A.state"] == "TIME_WAIT" or late[-1].state["B.state"] == "CLOSED"


def test_no_kernel_sends_for_a_box() -> None:
    """A RST of a box is not replayed; a box that drops is."""
    with pytest.raises(NotReplayable, match="middlebox"):
        script_of(runs(BOXES["azure-nat"])["idle"])
    assert script_of(runs(BOXES["conntrack"])["half-closed"]).actions


@pytest.mark.parametrize("name", BOXES)
def test_command(name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every run as text and as data, or one in a file."""
    code, out, _ = run(capsys, "ways", "--box", name)
    assert code == 0
    assert all(f"\n{heading}\n" in out for heading in RUNS)
    assert BOXES[name].source.split()[0] in out
    code, data = run_json(capsys, "ways", "--box", name, "--run", "idle")
    assert (code, [*data["runs"]]) == (0, ["idle"])
    target = tmp_path / "idle.itf.json"
    code, out, _ = run(capsys, "ways", "--box", name, "--run", "idle", "--trace", str(target))
    assert code == 0
    assert json.loads(target.read_text(encoding="utf-8"))
    assert run(capsys, "explain", str(target))[0] == 0


@pytest.mark.parametrize("arguments", [("--run", "idle"), ("--box", "conntrack", "--trace", "x.json"), ("--box", "nothing")])
def test_bad_use(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    code, out, err = run(capsys, "ways", *arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
