"""Captures that anybody may have written: each is explained, or refused in one clear line, within bounded memory."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import resource
import struct
import sys
import time
import tracemalloc
from collections.abc import Sequence
from contextlib import redirect_stderr, suppress
from functools import cache
from pathlib import Path

import pytest
from bad_inputs import damaged_octets
from capture_octets import IPV4, Wrapped, block, interface, links, option, pcap_header, record, section, tunnels
from commands import run
from wire import Script

from timewait.captures.capture_file import BrokenCapture
from timewait.captures.closes import CapturedCloses, assumed_configuration, closes_in
from timewait.captures.overview import facts_as_data, line, reading_notes, row
from timewait.captures.reading import SegmentReader
from timewait.captures.report import deviations, headline, known, profiles, summary, time_wait
from timewait.checker import itf
from timewait.cli.console import Screen
from timewait.cli.live_capture import LiveCapture
from timewait.narration.story import story
from timewait.narration.trace_file import parsed_trace
from timewait.spec.stacks import load_stack
from timewait.vocabulary.untrusted import unprintable

HERE = Path(__file__).parent / "data"
FILES = sorted([*(HERE / "reliability").glob("cap-*"), *(HERE / "captures").glob("*.pcap*")])
CONFIGURATION = assumed_configuration(load_stack("rfc9293-intended"))
LONGEST = 20.0
"""Seconds of processor time that one small capture may take."""
MOST = 100_000_000
"""Octets by which a thousand small captures may raise the peak of memory."""
WITH_TRACES = 0.125
"""The part of the damaged captures of which traces are written and read back."""
LARGEST_PIPED = 60_000
"""The octets that a pipe surely holds."""
STACKS = [load_stack(name) for name in ("linux", "freebsd", "lwip")]


def capture_of(octets: bytes) -> CapturedCloses:
    """The connections in a file with these octets."""
    return closes_in(SegmentReader(io.BytesIO(octets).read, "file", max_frames=20_000, steady=True), CONFIGURATION, "file")


def explained(octets: bytes, *, traces: bool = True) -> int:
    """Make everything of a capture that can be made; returns its connections, or -1 if it is refused.

    Parameters
    ----------
    octets : bytes
        The capture.
    traces : bool
        Whether traces are also written and read back, which takes longer than all the rest.
    """
    try:
        found = capture_of(octets)
    except BrokenCapture as problem:
        refused = str(problem)
    else:
        refused = ""
    assert not unprintable(refused)
    if refused:
        return -1
    texts = reading_notes(found.reader)
    for index, facts in enumerate(found.connections):
        json.dumps(facts_as_data(index, facts), allow_nan=False)
        texts += [line(index, facts), *row(index, facts)]
        close = found.close(index)
        if close is not None:
            texts += [headline(close), summary(close), *known(close), *deviations(close), *profiles(close, STACKS)]
            texts += [*time_wait(close, STACKS, None), *(each.text for each in story(close.trace))]
            if traces:
                parsed_trace(itf.as_itf_text(close.trace).encode(), "file")
    assert not any(unprintable(text) for text in texts)
    return len(found.connections)


def followed(octets: bytes) -> None:
    """Read a capture from a pipe as one that still grows, and report its closes as they are so far."""
    reading, writing = os.pipe()
    os.write(writing, octets[:LARGEST_PIPED])
    os.close(writing)
    with os.fdopen(reading, "rb", buffering=0) as stream, redirect_stderr(io.StringIO()) as said, suppress(BrokenCapture):
        live = LiveCapture(Screen(), stream, "pipe", CONFIGURATION)
        live.run(b"", 20_000)
        live._tell()
    assert not unprintable(said.getvalue(), keep="\n")


def shuffled(rng: random.Random, frames: Sequence[bytes]) -> bytes:
    """Frames with some changed, repeated, dropped, moved, or with other times, as a pcap file."""
    chosen = [bytearray(frame) for frame in frames if rng.random() < 0.9]
    for frame in chosen:
        if rng.random() < 0.3 and frame:
            for _ in range(rng.randint(1, 3)):
                frame[rng.randrange(len(frame))] = rng.choice((0, 1, 2, 4, 16, 17, 0x7F, 0x80, 0xFF, rng.randrange(256)))
    if rng.random() < 0.3:
        chosen += rng.choices(chosen or [bytearray()], k=rng.randint(1, 5))
    if rng.random() < 0.3:
        rng.shuffle(chosen)
    moment, parts = 1_700_000_000.0, [pcap_header(228)]
    for frame in chosen:
        moment += rng.choice((0.0, 1e-6, 1e-3, 0.3, 3.0, 100.0, -1.0))
        parts.append(record(bytes(frame), moment))
    return b"".join(parts)


def on_two_interfaces(frames: Sequence[bytes], name: bytes = b"") -> bytes:
    """Every frame on two interfaces, the first of which has a name, as a pcapng file."""
    parts = [section(), interface(228, option("<", 2, name) if name else b""), interface(228)]
    for number, frame in enumerate(frames):
        for index in (0, 1):
            at = divmod((1_700_000_000 + number) * 1_000_000 + 40 * index, 1 << 32)
            head = struct.pack("<5I", index, *at, len(frame), len(frame))
            parts.append(block("<", 6, head + frame + bytes(-len(frame) % 4)))
    return b"".join(parts)


def scripts() -> list[list[bytes]]:
    """The packets of a few connections."""
    clean = Script().opened()
    for at, who, flags, seq, ack in (
        (1.0, "A", "FA", 1, 1),
        (1.01, "B", "A", 1, 2),
        (1.2, "B", "FA", 1, 2),
        (1.21, "A", "A", 2, 2),
    ):
        clean.say(at, who, flags, seq, ack)
    again = Script().opened()
    again.packets = [*clean.packets]
    again.say(3, "A", "S", 5_000)
    again.say(3.1, "B", "A", 2, 2)
    again.say(3.2, "A", "R", 2)
    again.say(4, "A", "S", 5_000)
    again.say(4.1, "B", "SA", 7_000, 5_001)
    again.say(4.2, "A", "RA", 5_001, 7_001)
    text = Script().opened()
    for number in range(6):
        text.say(0.1 + number / 10, "B", "PA", 1 + 100 * number, 1, length=100)
    text.say(1, "B", "FA", 601, 1)
    text.say(1.3, "B", "FA", 601, 1)
    text.say(2, "A", "R", 1)
    return [[bytes(packet) for packet in script.packets] for script in (clean, again, text)]


@cache
def material() -> tuple[list[list[bytes]], list[bytes], list[Wrapped]]:
    """Packets, files, and a packet in every encapsulation."""
    packets = scripts()
    whole = [file.read_bytes() for file in FILES if file.stat().st_size < 20_000]
    return packets, whole, [it for kind in (links, tunnels) for it in kind(IPV4, packets[0][3])]


def fuzz(number: int, seed: int) -> tuple[int, int]:
    """Explain damaged captures; returns how many were explained and how many refused."""
    rng = random.Random(seed)
    packets, whole, wrapped = material()
    taken = refused = 0
    for _ in range(number):
        kind = rng.randrange(5)
        if kind == 0:
            octets = damaged_octets(rng, rng.choice(whole))
        elif kind == 4:
            # Damaged before or after it is compressed, and recorded on several interfaces.
            plain = rng.choice((rng.choice(whole), on_two_interfaces(rng.choice(packets))))
            compressed = gzip.compress(damaged_octets(rng, plain) if rng.random() < 0.5 else plain, 1, mtime=0)
            octets = damaged_octets(rng, compressed) if rng.random() < 0.5 else compressed
        elif kind == 1:
            one = rng.choice(wrapped)
            octets = pcap_header(one.link_type) + b"".join(record(damaged_octets(rng, one.octets)) for _ in range(4))
        else:
            octets = shuffled(rng, rng.choice(packets))
        began = time.process_time()
        connections = explained(octets, traces=rng.random() < WITH_TRACES)
        if rng.random() < WITH_TRACES:
            followed(octets)
        assert time.process_time() - began < LONGEST
        taken, refused = (taken + 1, refused) if connections >= 0 else (taken, refused + 1)
    return taken, refused


def test_damaged_captures() -> None:
    """Every one is explained or refused."""
    taken, refused = fuzz(120, 1)
    assert taken > 40
    assert refused > 2


def at_length(number: int, first: int = 0) -> None:
    """Explain this many damaged captures, a thousand for each seed from the first on, with a line of progress for each.

    A capture that takes longer than `LONGEST` fails, and so does a process that grows by more than `MOST`.
    """
    began = time.monotonic()
    for seed in range(first, first - (-number // 1_000)):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        taken, refused = fuzz(min(1_000, number - 1_000 * (seed - first)), seed)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert seed == first or peak - before < MOST // 1024
        print(
            f"seed {seed}: {taken} explained, {refused} refused, {time.monotonic() - began:.0f} s, {peak // 1024} MB", flush=True
        )


@pytest.mark.slow
def test_damaged_captures_at_length() -> None:
    """The same, a hundred thousand times."""
    at_length(100_000)


REFUSED = {"cap-empty.pcap", "cap-giant.pcap", "cap-head.pcap", "cap-ihl.pcap", "cap-tsres127.pcapng"}
REPRODUCERS = [file for file in FILES if file.parent.name == "reliability"]


@pytest.mark.parametrize("file", REPRODUCERS, ids=[file.name for file in REPRODUCERS])
def test_files_that_crashed_the_reader(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 3, with nothing written; or an answer."""
    trace = tmp_path / "trace.json"
    code, out, err = run(capsys, "explain", str(file), "--trace", str(trace))
    assert "\x1b" not in out + err
    assert (code == 3) == (file.name in REFUSED)
    if code == 3:
        assert (out, err.count("\n")) == ("", 1)
        assert not trace.exists()
    if "emoji" in file.name:
        code, out, _ = run(capsys, "explain", str(file))
        assert ":a:b:" in out


@pytest.mark.parametrize(
    "name", [b"eth\xff", "eth\ufffd\u202e".encode(), b"\x1b[2J", b"x" * 60_000], ids=["octet", "mark", "escape", "long"]
)
def test_names_of_interfaces(name: bytes) -> None:
    """Whatever the name, the trace can be read back."""
    (frames, *_), _, _ = material()
    octets = on_two_interfaces(frames, name)
    assert explained(octets) == 1


def test_memory_is_bounded_by_the_file() -> None:
    """Frames with many headers, large frames and many small blocks take a constant."""
    tags = b"\x02" * 12 + b"\x81\0\0\5" * 16_000
    large = pcap_header(1) + record(tags) * 30
    many = section() + b"\x05\0\0\0\x0c\0\0\0\x0c\0\0\0" * 30_000
    for octets in (large, many):
        tracemalloc.start()
        assert explained(octets) == -1
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < len(octets) + 4_000_000


if __name__ == "__main__":
    at_length(*map(int, sys.argv[1:]))
