"""A capture that grows, with frames out of order by less than a second: the same story as of the whole file."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from capture_octets import pcap_header, record
from captured_runs import Capture, Impairment, Simulation
from test_bad_captures import CONFIGURATION, scripts

from timewait.captures.closes import read_closes
from timewait.captures.time_order import Reordering
from timewait.cli.console import Screen
from timewait.cli.live_capture import LiveCapture


@pytest.mark.parametrize("seed", range(6))
def test_frames_of_a_pipe_out_of_order(seed: int, tmp_path: Path) -> None:
    """The facts of every connection are those that are read from the file."""
    rng = random.Random(seed)
    times = [1_700_000_000 + 0.3 * number for number in range(40)]
    frames = sorted(zip(times, rng.choice(scripts()), strict=False), key=lambda frame: frame[0] + rng.uniform(0, 0.9))
    octets = pcap_header(228) + b"".join(record(frame, time) for time, frame in frames)
    path = tmp_path / "whole.pcap"
    path.write_bytes(octets)
    reading, writing = os.pipe()
    os.write(writing, octets)
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as stream:
        live = LiveCapture(Screen(), stream, "pipe", CONFIGURATION).run(b"", 1_000)
    whole = read_closes(path, CONFIGURATION)
    assert list(live.connections) == list(whole.connections)
    assert live.reader.backwards == whole.reader.backwards


@pytest.mark.parametrize("seed", range(6))
def test_each_packet_waits_for_those_that_may_precede_it(seed: int) -> None:
    """Whatever comes late by less than a second is put in order, and nothing is lost."""
    rng = random.Random(seed)
    packets = Capture(Simulation(rng).run(), Impairment(skew=999_000_000), rng).packets()
    rng.shuffle(packets)
    late = sorted(packets, key=lambda packet: packet.time + rng.randrange(1_000_000_000))
    order = Reordering()
    found = [ready for packet in late for ready in order.add(packet)]
    found += order.rest()
    assert found == sorted(packets, key=lambda packet: (packet.time, packet.frame))
