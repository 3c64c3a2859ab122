"""Traces carried out on the running kernel: confirmed, and refuted where they are spoiled."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from commands import run

from timewait import check
from timewait.checker import itf
from timewait.checker.trace import Step, Trace
from timewait.cli.run import carry_out
from timewait.laboratory import probe
from timewait.laboratory.replaying.outcome import ReplayOutcome, ReplayVerdict
from timewait.laboratory.replaying.replayer import replay_on_kernel
from timewait.narration.trace_file import read_trace
from timewait.spec.scenarios import SCENARIOS

pytestmark = pytest.mark.skipif(bool(probe.missing()), reason=probe.missing() or "the laboratory runs")

BRIEF = {"stack": "linux", "msl": "2s", "rto": "1s", "time_wait": "1s", "closers": "a"}
HARMS = ("old-text", "old-fin", "old-reset", "old-ack")


@cache
def counterexample(name: str, **changed: object) -> Trace:
    """The trace of a violated property."""
    (answer,) = check(**BRIEF | {"properties": (name,)} | changed).answers  # type: ignore[arg-type]  # mixed values
    assert answer.trace is not None
    return answer.trace


def known() -> Iterator[tuple[str, Trace]]:
    """The best known runs, each by its name."""
    for scenario in SCENARIOS.values():
        yield scenario.name, carry_out(scenario)
    yield "lost last ACK without TIME-WAIT", counterexample("graceful")
    yield "RFC 1337", counterexample("time-wait-kept")
    yield "RFC 1337, RST ignored", counterexample("isolation", rst="ignore")
    for harm in HARMS:
        yield harm, counterexample(harm, data=(1, 1) if harm == "old-text" else (0, 0))
    yield "SO_LINGER {1,0}", counterexample("integrity", linger_zero=True, data=(1, 0))


@pytest.mark.parametrize("name", [*SCENARIOS, "graceful", "time-wait-kept", "old-fin"])
def test_is_confirmed(name: str) -> None:
    """The kernel does what the trace says."""
    trace = carry_out(SCENARIOS[name]) if name in SCENARIOS else counterexample(name)
    outcome = replay_on_kernel(trace)
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)
    assert outcome.aids


@pytest.mark.slow
def test_the_best_known_runs() -> None:
    """Each is confirmed, 20 times in the same way."""
    for name, trace in known():
        first = replay_on_kernel(trace)
        assert first.verdict is ReplayVerdict.CONFIRMED, (name, first.step, first.reason)
        for _ in range(19):
            assert comparable(replay_on_kernel(trace)) == comparable(first), name


def comparable(outcome: ReplayOutcome) -> tuple[object, ...]:
    """The parts of an outcome that do not depend on random numbers."""
    return outcome.verdict, outcome.step, outcome.steps, outcome.effects


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
def test_the_effect_at_the_sockets(harm: str) -> None:
    """An old segment in the next incarnation shows at the sockets."""
    trace = counterexample(harm, data=(1, 1) if harm == "old-text" else (0, 0))
    outcome = replay_on_kernel(trace)
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)
    said = {
        "old-text": "old text is read as new",
        "old-fin": "the old FIN is read as the end",
        "old-reset": "the old RST ends the new connection",
        "old-ack": "it is never retransmitted",
    }
    assert any(said[harm] in effect for effect in outcome.effects)


# --- spoiled traces ------------------------------------------------------------------------------------------------


def spoiled(trace: Trace, chance: random.Random) -> Trace:
    """The trace with one field of one step changed to something that the kernel does not do."""
    while True:
        index = chance.randrange(len(trace.steps))
        step = trace.steps[index]
        kinds = [_another_state, _another_number]
        if step.event.sent and not step.event.sent[0].lost:
            kinds += [_another_segment, _one_less]
        changed = chance.choice(kinds)(step, chance)
        if changed is not None and not _after_reopening(trace, index):
            return replace(trace, steps=(*trace.steps[:index], changed, *trace.steps[index + 1 :]))


def _after_reopening(trace: Trace, index: int) -> bool:
    return any(step.state["A.state"] == "new incarnation" for step in trace.steps[: index + 1])


def _another_state(step: Step, chance: random.Random) -> Step:
    name = chance.choice(["A.state", "B.state"])
    states = ("ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSING", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT", "CLOSED")
    return replace(step, state={**step.state, name: chance.choice([state for state in states if state != step.state[name]])})


def _another_number(step: Step, chance: random.Random) -> Step | None:
    """Another number of octets read by a user who still reads."""
    name = chance.choice("AB")
    if step.state[f"{name}.state"] not in ("ESTABLISHED", "FIN_WAIT_1", "FIN_WAIT_2", "CLOSE_WAIT"):
        return None
    return replace(step, state={**step.state, f"{name}.rcv": int(step.state[f"{name}.rcv"]) + 1})


def _another_segment(step: Step, chance: random.Random) -> Step:
    packet = step.event.sent[0]
    fields = dict(packet.fields)
    name = chance.choice([name for name in fields if name != "incarnation"])
    fields[name] = fields[name] + 1 if name in ("seq", "ack", "len") else 0
    changed = replace(packet, fields=tuple(fields.items()), text=f"{packet.text} with another {name}")
    return replace(step, event=replace(step.event, sent=(changed, *step.event.sent[1:])))


def _one_less(step: Step, chance: random.Random) -> Step:
    del chance
    return replace(step, event=replace(step.event, sent=step.event.sent[1:]))


def check_spoiled(count: int, seed: int) -> None:
    """Spoil traces, each at one place; none may be confirmed."""
    chance = random.Random(seed)
    traces = [carry_out(SCENARIOS["lost-last-ack"]), carry_out(SCENARIOS["half-close"]), counterexample("graceful")]
    for _ in range(count):
        trace = spoiled(chance.choice(traces), chance)
        outcome = replay_on_kernel(trace)
        assert outcome.verdict in (ReplayVerdict.REFUTED, ReplayVerdict.NOT_REPLAYABLE), outcome


def test_a_spoiled_trace_is_not_confirmed() -> None:
    """A few spoiled traces."""
    check_spoiled(4, seed=1)


@pytest.mark.slow
def test_a_hundred_spoiled_traces() -> None:
    """A hundred spoiled traces."""
    check_spoiled(100, seed=2)


def test_a_restart_that_does_not_happen_is_refuted() -> None:
    """A trace whose TIME-WAIT is not restarted by a further FIN is not what Linux does."""
    trace = carry_out(SCENARIOS["lost-last-ack"])
    steps = list(trace.steps)
    index = max(
        number
        for number, step in enumerate(steps)
        if step.event.received
        and step.event.actor == "A"
        and step.state["A.state"] == "TIME_WAIT" == trace.steps[number - 1].state["A.state"]
    )
    steps[index] = replace(steps[index], event=replace(steps[index].event, starts=()))
    outcome = replay_on_kernel(replace(trace, steps=tuple(steps)))
    assert outcome.verdict is ReplayVerdict.REFUTED
    assert "TIME-WAIT timer" in outcome.reason


def test_settings_of_another_stack_are_named() -> None:
    """A trace of a stack whose TIME-WAIT a further FIN does not restart is refuted, and the setting is named."""
    trace = counterexample("fin-restarts", restarts="none")
    outcome = replay_on_kernel(trace)
    assert outcome.verdict is ReplayVerdict.OTHER_SETTINGS
    assert "restarts" in outcome.reason


# --- the command ---------------------------------------------------------------------------------------------------


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Text, JSON and a packet capture."""
    file, pcap = tmp_path / "run.itf.json", tmp_path / "run.pcapng"
    file.write_text(itf.as_itf_text(counterexample("graceful")))
    code, out, _ = run(capsys, "replay", str(file), "--pcap", str(pcap))
    assert code == 0
    assert "CONFIRMED" in out
    assert "aid: " in out
    assert pcap.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    code, out, _ = run(capsys, "replay", str(file), "--json")
    assert json.loads(out)["verdict"] == "confirmed"
    assert run(capsys, "replay", str(tmp_path / "none.json"))[0] == 3


@pytest.mark.slow
@pytest.mark.skipif("TIMEWAIT_EVIDENCE" not in os.environ, reason="TIMEWAIT_EVIDENCE does not say where prove has written")
def test_every_trace_of_the_claims() -> None:
    """Each trace is confirmed, or refuted by a setting that is not Linux's; those that open by a handshake are not replayable."""
    paths = sorted(Path(os.environ["TIMEWAIT_EVIDENCE"]).rglob("*.itf.json"))
    traces = {path.name: read_trace(path) for path in paths}
    atomic = {name: trace for name, trace in traces.items() if trace.about["reopening"]["kind"] == "atomic"}
    assert len(atomic) > 50
    outcomes = {name: replay_on_kernel(trace) for name, trace in atomic.items()}
    expected = (ReplayVerdict.CONFIRMED, ReplayVerdict.OTHER_SETTINGS)
    other = {name: outcome[:3] for name, outcome in outcomes.items() if outcome.verdict not in expected}
    assert not other
