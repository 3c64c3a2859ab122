"""Traces carried out on the running kernel: confirmed, and refuted where they are spoiled."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Generator, Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from commands import run
from kernel_walks import (
    crashed,
    cut_off_by_old_syn,
    harmed,
    met_by_old_syn,
    opened_at_next_number,
    quiet_crash,
    refused_in_syn_received,
    text_of_peer,
    walk,
)

from timewait import check
from timewait.checker import itf
from timewait.checker.trace import Step, Trace
from timewait.cli.run import carry_out
from timewait.laboratory import probe
from timewait.laboratory.diagnosis import SocketRecord
from timewait.laboratory.isolation import isolated
from timewait.laboratory.kernel_pair import KernelPair
from timewait.laboratory.replaying.ends import KernelEnds
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
    assert any(SAID[harm] in effect for effect in outcome.effects)


# --- a next incarnation that opens by a handshake ------------------------------------------------------------------


def in_pairs(trace: Trace) -> tuple[list[Mapping[str, object]], list[Step]]:
    """The state before each step, and the steps."""
    states: list[Mapping[str, object]] = [trace.initial, *(step.state for step in trace.steps[:-1])]
    return states, list(trace.steps)


def opens_otherwise(before: Mapping[str, object], step: Step) -> bool:
    """Whether Linux may do otherwise at a step of a walk, in a way that no setting expresses.

    In SYN-RECEIVED it repeats its SYN,ACK where RFC 9293 acknowledges a SYN below the window, and takes the SYN,ACK of a
    simultaneous open; in SYN-SENT it looks at the echoed timestamp, in TIME-WAIT at the timestamp; an old bare ACK
    with an old timestamp gets no answer. Text out of order is kept, and a FIN may wait for the congestion window.
    """
    name, rules = step.event.actor, {rule for rule, _, _ in step.event.rules}
    packet = step.event.received
    brings_syn = packet is not None and bool(dict(packet.fields).get("syn"))
    in_syn_received = before[f"{name}.state"] == "SYN_RECEIVED" and rules & {"sequence.unacceptable"} and brings_syn
    bare = packet is not None and not {name for name, value in packet.fields if value} & {"syn", "fin", "rst", "len"}
    by_timestamp = rules & {"syn-sent.ignore", "time-wait.ack"} or (bare and "incarnation.timestamp" in rules)
    waits = "close.second" in rules and before[f"{name}.una"] != before[f"{name}.nxt"]
    out_of_order = {"text.out-of-order", "text.kept", "fin.out-of-order"} & rules
    kept = "text.accept" in rules and any(rule.startswith("ack.fin") for rule in rules)
    return bool(in_syn_received or by_timestamp or waits or out_of_order or kept)


SAID = {
    "old-text": "old text is read as new",
    "old-fin": "the old FIN is read as the end",
    "old-reset": "the old RST ends the new connection",
    "old-ack": "it is never retransmitted",
}
"""The effect of each harm, as the users see it."""


def check_harm(trace: Trace, harm: str) -> None:
    """The kernel does what a trace says, and the users see the harm."""
    outcome = replay_on_kernel(trace)
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)
    assert any(SAID[harm] in effect for effect in outcome.effects)
    assert any("chosen" in aid or "moved" in aid for aid in outcome.aids)


@pytest.mark.parametrize("harm", HARMS)
def test_a_harm_after_a_handshake(harm: str) -> None:
    """The kernel opens again by a handshake and takes the old segment."""
    check_harm(harmed(harm), harm)


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARMS)
def test_a_harm_after_a_simultaneous_open(harm: str) -> None:
    """Both users open at once."""
    check_harm(harmed(harm, "both at once"), harm)


def test_a_rst_passes_the_check_of_timestamps() -> None:
    """An old RST ends a connection with timestamps, and old text does not reach its user."""
    check_harm(harmed("old-reset", timestamps=(True, True)), "old-reset")
    outcome = replay_on_kernel(harmed("old-text", timestamps=(True, True)))
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)
    assert not outcome.effects


# --- a crash, and an old SYN ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("harm", HARMS)
def test_a_harm_after_a_crash(harm: str) -> None:
    """A new namespace takes the place of the host that crashes, and the kernels do what follows of their own accord."""
    trace = crashed(harm)
    assert harm in dict(trace.steps[-1].event.breaks)
    check_harm(trace, harm)
    outcome = replay_on_kernel(trace)
    assert sum("crash" in aid for aid in outcome.aids) == 1
    moved = harm in ("old-reset", "old-ack")  # where one ISN cannot suit both the SYN and the old ACK
    assert any("RST that answers" in aid for aid in outcome.aids) == moved


def test_text_that_is_sent_after_a_crash_is_old() -> None:
    """The host that did not crash is still in the old incarnation, and so is its text."""
    check_harm(text_of_peer(), "old-text")


def test_a_crash_with_timestamps() -> None:
    """The old RST has none, and passes their check."""
    check_harm(crashed("old-reset", (True, True)), "old-reset")


def test_a_host_that_has_crashed_is_quiet() -> None:
    """A segment that reaches it before it opens again is lost."""
    outcome = replay_on_kernel(quiet_crash())
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)
    assert any("is down after the crash" in aid for aid in outcome.aids)


def test_a_crash_leaves_no_socket() -> None:
    """The connection is gone, and nothing was sent for it."""
    (records, aids, settings, sent) = next(isolated(_crash))
    assert records == []
    assert aids[0] == "A: tcp_rfc1337 = 1"
    assert settings == "1"
    assert sent == 0


def _crash() -> Generator[tuple[list[SocketRecord], list[str], str, int]]:
    """The sockets, aids, a setting and the packets of host A after its crash, with a connection open before."""
    with KernelPair() as pair:
        pair.hosts["A"].set("tcp_rfc1337", 1)
        ends = KernelEnds(pair)
        ends.open()
        before = len(pair.events)
        ends.crash("A")
        pair.carry(0.05)
        host = pair.hosts["A"]
        yield host.diagnosis.records(), host.aids, host.namespace.get("ipv4/tcp_rfc1337"), len(pair.events) - before


def test_an_old_syn_ends_time_wait() -> None:
    """The kernel answers it; the RST that proves it old leaves nothing, and an old FIN does harm then."""
    trace = met_by_old_syn()
    check_harm(trace, "old-fin")
    outcome = replay_on_kernel(trace)
    assert any("made and injected" in aid for aid in outcome.aids)
    assert any("a listener on the port" in aid for aid in outcome.aids)


def test_timestamps_keep_an_old_syn_out() -> None:
    """Its timestamp is old, and TIME-WAIT answers it; that Linux then restarts TIME-WAIT is the only difference."""
    trace = met_by_old_syn((True, True))
    assert trace.steps[-1].state["A.state"] == "TIME_WAIT"
    outcome = replay_on_kernel(trace)
    assert (outcome.step, outcome.reason) == (5, "A restarts its TIME-WAIT timer")


def test_linux_does_not_return_to_time_wait() -> None:
    """The second condition of MAY-2 is a setting that is not Linux's."""
    outcome = replay_on_kernel(met_by_old_syn(returns=True))
    assert outcome.verdict is ReplayVerdict.OTHER_SETTINGS
    assert "returns" in outcome.reason


def test_an_old_syn_lets_a_rst_cut_off_the_close() -> None:
    """With the ACK first, an ACK of the peer that is still in flight is answered with a RST, though nothing is lost."""
    trace = cut_off_by_old_syn()
    assert "graceful" in dict(trace.steps[-1].event.breaks)
    outcome = replay_on_kernel(trace)
    assert outcome.verdict is ReplayVerdict.CONFIRMED, (outcome.step, outcome.reason)


def test_a_syn_at_the_next_number_is_another_setting() -> None:
    """Linux opens above RCV.NXT alone; only that setting is named, and not those that do not matter to the SYN."""
    outcome = replay_on_kernel(opened_at_next_number())
    assert outcome.verdict is ReplayVerdict.OTHER_SETTINGS
    assert outcome.reason.endswith("the trace has another syn than Linux")


def test_an_ack_before_a_number_is_a_setting() -> None:
    """A RST answers an old FIN in SYN-RECEIVED, as profile linux has it; a trace without that setting is refuted for it."""
    assert replay_on_kernel(refused_in_syn_received()).verdict is ReplayVerdict.CONFIRMED
    outcome = replay_on_kernel(refused_in_syn_received(ack_first=False))
    assert outcome.verdict is ReplayVerdict.OTHER_SETTINGS
    assert "another ack_first than Linux" in outcome.reason


@pytest.mark.slow
def test_walks_into_the_next_incarnation() -> None:
    """Each random run is confirmed, or refuted at a step at which Linux is known to do otherwise."""
    verdicts = []
    for seed in range(60):
        trace = walk(seed)
        outcome = replay_on_kernel(trace)
        verdicts.append(outcome.verdict)
        if outcome.verdict is ReplayVerdict.REFUTED:
            assert outcome.step is not None
            before, steps = in_pairs(trace)
            assert any(map(opens_otherwise, before[: outcome.step], steps[: outcome.step])), (seed, outcome.step, outcome.reason)
    assert verdicts.count(ReplayVerdict.CONFIRMED) > 40
    assert verdicts.count(ReplayVerdict.NOT_REPLAYABLE) < 5


@pytest.mark.slow
def test_a_spoiled_handshake_is_refuted() -> None:
    """Another state, another segment or a missing one after the opening is noticed."""
    trace, chance = harmed("old-fin"), random.Random(3)
    opened = [number for number, step in enumerate(trace.steps) if step.state["A.incarnation"] or step.state["B.incarnation"]]
    for index in opened[:-1]:
        step = trace.steps[index]
        changed = [_another_state(step, chance)]
        changed += [_another_segment(step, chance)] if step.event.sent and not step.event.sent[0].lost else []
        for other in changed:
            outcome = replay_on_kernel(replace(trace, steps=(*trace.steps[:index], other, *trace.steps[index + 1 :])))
            assert outcome.verdict in (ReplayVerdict.REFUTED, ReplayVerdict.NOT_REPLAYABLE), (index, other.event)


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
    traces += [*map(crashed, HARMS), met_by_old_syn()]
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
    assert "not by default: " in out
    assert pcap.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    code, out, _ = run(capsys, "replay", str(file), "--json")
    assert json.loads(out)["verdict"] == "confirmed"
    assert run(capsys, "replay", str(tmp_path / "none.json"))[0] == 3


@pytest.mark.slow
@pytest.mark.skipif("TIMEWAIT_EVIDENCE" not in os.environ, reason="TIMEWAIT_EVIDENCE does not say where prove has written")
def test_every_trace_of_the_claims() -> None:
    """Each trace is confirmed, or refuted by a setting that is not Linux's."""
    paths = sorted(Path(os.environ["TIMEWAIT_EVIDENCE"]).rglob("*.itf.json"))
    assert len(paths) > 50
    outcomes = {path.name: replay_on_kernel(read_trace(path)) for path in paths}
    expected = (ReplayVerdict.CONFIRMED, ReplayVerdict.OTHER_SETTINGS)
    other = {name: outcome[:3] for name, outcome in outcomes.items() if outcome.verdict not in expected}
    assert not other, sorted(other.items())
