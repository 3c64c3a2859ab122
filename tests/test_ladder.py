"""The ladder of a run in plain text, as RFC 9293 draws it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from commands import run
from random_runs import random_run
from runs import EVERY, trace

from timewait.checker.trace import Trace
from timewait.diagrams.ladder import as_ladder, segment
from timewait.narration.timeline import DeliveryOutcome, transits
from timewait.spec.state import in_rfc_spelling

SEEDS = range(16)

CLEAN = """\
   TCP Peer A                                      TCP Peer B    time

1. ESTABLISHED                                     ESTABLISHED      0

2. (CLOSE)
   FIN-WAIT-1  --> <SEQ=1><ACK=1><CTL=FIN,ACK> --> CLOSE-WAIT    20ms

3. FIN-WAIT-2  <-- <SEQ=1><ACK=2><CTL=ACK>     <-- CLOSE-WAIT    40ms

4.                                                 (CLOSE)      100ms
   TIME-WAIT   <-- <SEQ=1><ACK=2><CTL=FIN,ACK> <-- LAST-ACK     120ms

5. TIME-WAIT   --> <SEQ=2><ACK=2><CTL=ACK>     --> CLOSED       140ms

6. (2 MSL)                                                     60.14s
   CLOSED

7.          (open the same addresses and ports again)
   (new)                                           (new)
"""
"""Figure 12 of RFC 9293 with the numbers of the scenario, a column of times, and the next incarnation."""


def rungs(run: Trace) -> list[str]:
    """The lines between the heads of the columns and the remarks."""
    lines = as_ladder(run).splitlines()
    head = next(place for place, line in enumerate(lines) if "TCP Peer A" in line)
    return lines[head + 1 :]


def runs() -> list[Trace]:
    """Runs of every kind, and runs by generation."""
    return [*map(trace, EVERY), *map(random_run, SEEDS)]


def test_a_clean_close_is_figure_12() -> None:
    """Line by line."""
    assert CLEAN in as_ladder(trace("clean-close"))


@pytest.mark.parametrize("kind", ["runs", "generated"])
def test_every_transit_is_shown(kind: str) -> None:
    """Each segment leaves once and arrives as often as in the run; a lost one has XXX, one in the network an ellipsis."""
    for one in map(trace, EVERY) if kind == "runs" else map(random_run, SEEDS):
        lines = [line for line in rungs(one) if "<SEQ=" in line]
        for sender, away, near in (("A", "-->", 0), ("B", "<--", 1)):
            found = [transit for transit in transits(one) if transit.copy.sender == sender]
            sides = [re.split(r"(?:<(?:SEQ|ACK|DATA|CTL)=[^>]*>)+", line) for line in lines]
            left, right = [parts[0].strip() for parts in sides], [parts[1].strip() for parts in sides]
            departs = [one if near == 0 else other for one, other in zip(left, right, strict=True)]
            arrives = [other if near == 0 else one for one, other in zip(left, right, strict=True)]
            first = [transit for transit in found if transit.outcome is not DeliveryOutcome.DUPLICATE]
            assert sum(away in text for text in departs) == len(first)
            assert sum(away in text for text in arrives) == sum(transit.arrives is not None for transit in found)
            lost = sum("XXX" in text for text in arrives)
            assert lost == sum(transit.outcome is DeliveryOutcome.LOST for transit in found)


def test_states_are_those_of_the_run() -> None:
    """In order, for each end: the states of the ladder are those that the end passes through."""
    for one in runs():
        for end in "AB":
            states = [str(values[f"{end}.state"]) for values in (one.initial, *(step.state for step in one.steps))]
            names = {in_rfc_spelling(name).replace("new incarnation", "(new)") for name in states}
            text = "\n".join(rungs(one))
            assert all(name in text for name in names)


def test_lines_are_numbered_and_narrow() -> None:
    """From 1 on, without a gap, in at most 80 columns."""
    for one in runs():
        numbers = [int(found[1]) for line in rungs(one) if (found := re.match(r"(\d+)\. ", line))]
        assert numbers == [*range(1, len(numbers) + 1)]
        assert max(map(len, as_ladder(one).splitlines())) <= 80


def test_the_violation_and_the_loop_name_their_lines() -> None:
    """Below the ladder."""
    assert "Lines 11 to 13 repeat again and again, every 2s." in " ".join(as_ladder(trace("endless")).split())
    said = as_ladder(trace("assassinated"))
    assert re.search(r"^Line 11 breaks isolation: ", said, re.MULTILINE)
    assert re.search(r"^11\. \(duplicate, 30s old\)$", said, re.MULTILINE)


def test_segments_are_written_as_in_the_standard() -> None:
    """Sequence number, acknowledgement, text, control bits."""
    copies = {copy.text: segment(copy) for step in trace("half-close").steps for copy in step.event.sent}
    assert copies["DATA+ACK seq=1 ack=2 len=1"] == "<SEQ=1><ACK=2><DATA=1><CTL=ACK>"
    assert copies["FIN+ACK seq=1 ack=1"] == "<SEQ=1><ACK=1><CTL=FIN,ACK>"


@pytest.mark.parametrize("suffix", ["ascii", "svg", "txt", "mmd"])
def test_run_writes_its_picture(capsys: pytest.CaptureFixture[str], tmp_path: Path, suffix: str) -> None:
    """``run --out`` writes what ``diagram sequence --out`` writes, by the end of the name."""
    one, other = tmp_path / f"one.{suffix}", tmp_path / f"other.{suffix}"
    code, said, _ = run(capsys, "run", "--scenario", "clean-close", "--out", str(one))
    assert (code, said) == (0, f"wrote {one}\n")
    assert run(capsys, "diagram", "sequence", "--scenario", "clean-close", "--out", str(other))[0] == 0
    assert one.read_bytes() == other.read_bytes()
