"""The picture of a captured close: the times at the ends, measured where the capture can know them and marked where not."""

from __future__ import annotations

import random
from fractions import Fraction
from pathlib import Path
from xml.etree import ElementTree

import pytest
from commands import run, run_json
from scapy.layers.inet import IP
from scapy.packet import Packet
from test_captured_runs import CONFIGURATION, explained, told_at_both_ends
from wire import Script, pcap, pcapng

from timewait.captures.closes import CapturedCloses, assumed_configuration, read_closes
from timewait.captures.following import follow_at_ends
from timewait.captures.observations import ResetCause
from timewait.checker.trace import Trace
from timewait.diagrams.chart import WHOLE
from timewait.diagrams.chart_layout import chart_of
from timewait.diagrams.legend import UNMEASURED
from timewait.diagrams.sequence import sequence
from timewait.diagrams.svg import XMLNS
from timewait.narration.timeline import DeliveryOutcome, transits
from timewait.spec.exchange import ENDS
from timewait.spec.stacks import load_stack

MILLISECOND = Fraction(1, 1000)


def read(path: Path) -> CapturedCloses:
    """The closes of a capture."""
    return read_closes(path, assumed_configuration(load_stack("rfc9293-intended")))


def seen_between(to_a: Fraction, to_b: Fraction) -> Script:
    """A close that both ends answer at once, captured at one point with these round trips in seconds to each end."""
    a, b = float(to_a), float(to_b)
    script = Script()
    script.say(0, "A", "S", 0)
    script.say(b, "B", "SA", 0, 1)
    script.say(b + a, "A", "A", 1, 1)
    script.say(1, "A", "FA", 1, 1)
    script.say(1 + b, "B", "A", 1, 2)
    script.say(2, "B", "FA", 1, 2)
    script.say(2 + a, "A", "A", 2, 2)
    return script


def ways(trace: Trace) -> set[tuple[str, Fraction]]:
    """The sender of each measured copy that arrives, and the time on its way."""
    steps = trace.steps
    return {(it.copy.sender, steps[it.arrives - 1].time - it.copy.sent) for it in transits(trace) if it.arrives and it.measured}


def classes(svg: str) -> list[set[str]]:
    """The classes of each arrow of a chart."""
    found = (set(str(group.get("class", "")).split()) for group in ElementTree.fromstring(svg).iter(f"{{{XMLNS}}}g"))
    return [names for names in found if "arrow" in names]


@pytest.mark.parametrize("seed", range(4))
def test_one_point_gives_each_side_half_of_its_round_trip(seed: int, tmp_path: Path) -> None:
    """Both ways take half of both round trips; an arrow spans that time on the axis; every label names its frame."""
    rng = random.Random(seed)
    to_a, to_b = (2 * rng.randrange(1, 60) * MILLISECOND for _ in ENDS)
    trace = read(pcap(tmp_path / "one.pcap", seen_between(to_a, to_b).packets)).at_ends(0)
    assert ways(trace) == {(end, (to_a + to_b) / 2) for end in ENDS}
    chart = chart_of(trace, WHOLE)
    for arrow in chart.arrows:
        transit = arrow.transit
        assert transit.sent is not None
        assert transit.arrives is not None
        assert chart.axis.rows[transit.sent] == arrow.y1 < arrow.y2 == chart.axis.rows[transit.arrives]
        assert "".join(label.text for label in arrow.labels).startswith(f"frame {transit.frame}: ")
    assert [arrow.transit.frame for arrow in chart.arrows] == [4, 5, 6, 7]
    svg = sequence(trace)
    assert UNMEASURED not in svg
    assert len(classes(svg)) == 4
    assert not any("unmeasured" in names for names in classes(svg))


def test_both_ends_measure_each_way(tmp_path: Path) -> None:
    """With an interface beside each end the two ways have lengths of their own."""
    delays = {"A": 30 * MILLISECOND, "B": 50 * MILLISECOND}
    script, packets = Script(), []
    for at, who, flags, seq, ack in (
        (1.0, "A", "FA", 1, 1),
        (1.03, "B", "A", 1, 2),
        (1.2, "B", "FA", 1, 2),
        (1.25, "A", "A", 2, 2),
    ):
        other = "B" if who == "A" else "A"
        ident = script.say(at, who, flags, seq, ack)
        packets.append((f"beside {who}", script.packets[-1]))
        script.say(at + float(delays[who]), who, flags, seq, ack, ident=ident, hops=60)
        packets.append((f"beside {other}", script.packets[-1]))
    packets.sort(key=lambda entry: entry[1].time)
    trace = read(pcapng(tmp_path / "two.pcapng", packets)).at_ends(0)
    assert ways(trace) == set(delays.items())
    assert "round trip: 80ms" in trace.statement
    assert UNMEASURED not in sequence(trace)


@pytest.mark.parametrize("way", [0.01, 0.06, None])
def test_both_ends_show_whether_a_rst_had_arrived(way: float | None, tmp_path: Path) -> None:
    """What A answers is certain where its interface shows that the RST of B had arrived: not if it is lost (None) or late."""
    packets: list[tuple[str, Packet]] = []
    for at, who, flags, seq, ack, length, delay in (
        (0.0, "A", "S", 0, None, 0, 0.01),
        (0.011, "B", "SA", 0, 1, 0, 0.01),
        (0.022, "A", "A", 1, 1, 0, 0.01),
        (1.0, "A", "FA", 1, 1, 0, 0.01),
        (1.005, "B", "PA", 1, 1, 100, 0.01),
        (1.011, "B", "R", 1, None, 0, way),
        (1.05, "A", "R", 1, None, 0, 0.01),
    ):
        script, other = Script(), "B" if who == "A" else "A"
        ident = script.say(at, who, flags, seq, ack, length, ident=len(packets) + 1)
        packets.append((f"beside {who}", script.packets[-1]))
        if delay is not None:
            script.say(at + delay, who, flags, seq, ack, length, ident=ident, hops=60)
            packets.append((f"beside {other}", script.packets[-1]))
    packets.sort(key=lambda entry: entry[1].time)
    (close,) = read(pcapng(tmp_path / "two.pcapng", packets)).closes
    reset = close.facts.resets[1]
    assert reset.cause is ResetCause.CLOSED
    assert (len(reset.causes) == 1) is (way == 0.01)
    assert ("had ended" if way == 0.01 else "may have ended") in reset.evidence


@pytest.mark.parametrize("only", ENDS)
def test_one_direction_measures_nothing(only: str, tmp_path: Path) -> None:
    """No end is seen to answer: every arrow is marked, and the legend and the statement say so."""
    script = seen_between(20 * MILLISECOND, 60 * MILLISECOND)
    address = {"A": "192.0.2.1", "B": "192.0.2.2"}[only]
    packets = [packet for packet in script.packets if packet[IP].src == address]
    trace = read(pcap(tmp_path / "direction.pcap", packets)).at_ends(0)
    svg = sequence(trace)
    assert not ways(trace)
    assert classes(svg)
    assert all("unmeasured" in names for names in classes(svg))
    assert UNMEASURED in svg
    assert ".unmeasured .flight { stroke-dasharray" in svg
    assert "times are those at which packets passed it" in trace.statement


def test_an_end_that_answers_nothing(tmp_path: Path) -> None:
    """One side is measured: that end has estimated times, the other those of the capture, and arrows between them are marked."""
    script = Script()
    script.say(1.0, "A", "FA", 1, 1)
    script.say(1.02, "B", "A", 1, 2)
    script.say(1.5, "B", "FA", 1, 2)
    trace = read(pcap(tmp_path / "end.pcap", script.packets)).at_ends(0)
    assert [(it.outcome, it.measured) for it in transits(trace)] == [
        (DeliveryOutcome.ARRIVES, False),
        (DeliveryOutcome.ARRIVES, False),
        (DeliveryOutcome.OPEN, True),
    ]
    assert trace.steps[1].time == 10 * MILLISECOND
    assert "to A: not measured; to B: 20ms" in trace.statement


def test_an_arrival_that_only_later_packets_show() -> None:
    """Text acknowledged in parts arrived after acknowledgements that do not cover it: it took longer than half a round trip."""
    trace = read(Path(__file__).parent / "data" / "captures" / "tso-acknowledged-in-parts.pcap").at_ends(0)
    assert {it.frame for it in transits(trace) if not it.measured} == {4, 5}
    assert {way for _, way in ways(trace)} == {Fraction(20_050, 2 * 10**6)}


def test_random_runs_are_never_told_otherwise() -> None:
    """Estimated times change no event of an end; where they would, no copy is measured. No copy arrives before it is sent."""
    contradicted = 0
    cases = [*(explained(seed) for seed in range(130, 190)), *(told_at_both_ends(seed, 0.0) for seed in range(10))]
    for case in cases:
        if case is None or case.close is None:
            continue
        trace = follow_at_ends(case.connection, CONFIGURATION, case.packets[-1].time, {})
        for end in ENDS:
            states = [[step.changed.get(f"{end}.state") for step in it.steps] for it in (case.close.trace, trace)]
            assert [it for it in states[0] if it] == [it for it in states[1] if it]
        assert all(way >= 0 for _, way in ways(trace))
        if "contradicts" in trace.statement:
            contradicted += 1
            assert not any(it.measured for it in transits(trace))
            assert [step.time for step in trace.steps] == [step.time for step in case.close.trace.steps]
    assert contradicted


def test_the_command_draws_one_connection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The report is as without a picture; other formats, other files and several connections are refused in a line."""
    script = seen_between(20 * MILLISECOND, 60 * MILLISECOND)
    capture, picture = str(pcap(tmp_path / "close.pcap", script.packets)), tmp_path / "close.svg"
    assert run(capsys, "explain", capture, "--out", str(picture)) == run(capsys, "explain", capture)
    assert "frame 4: FIN+ACK" in picture.read_text()
    picture.unlink()
    assert run_json(capsys, "explain", capture, "--out", str(picture)) == run_json(capsys, "explain", capture)
    assert picture.exists()
    for arguments, words in (
        (("--out", str(tmp_path / "close.txt")), "there is svg, png, pdf"),
        (("--format", "svg"), "give --out FILE"),
        (("--only", "open", "--out", str(tmp_path / "none.svg")), "--out writes one connection, and 0 close"),
    ):
        code, out, error = run(capsys, "explain", capture, *arguments)
        assert (code, out) == (2, "")
        assert words in error
        assert error.count("\n") == 1
    assert not (tmp_path / "close.txt").exists()
    assert not (tmp_path / "none.svg").exists()
