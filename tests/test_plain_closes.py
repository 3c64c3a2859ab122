"""The short way to the facts of a connection that plainly closed in order gives those of the general judgement, or none."""

from __future__ import annotations

import random
import tracemalloc
from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from pathlib import Path

import pytest
from captured_runs import MILLISECOND, SECOND, SOCKETS, START, Capture, Impairment, Simulation, random_impairment

from benchmarks.captures import write
from timewait.captures.closes import assumed_configuration, read_closes
from timewait.captures.connections import Connection
from timewait.captures.facts import ConnectionFacts
from timewait.captures.following import judged_facts
from timewait.captures.headers import ACK, FIN, RST, SYN, CapturedPacket
from timewait.captures.kept_packets import CapturedSegment, KeptPackets, SkippedRun
from timewait.captures.plain_closes import plain_facts
from timewait.captures.traffic import traffic
from timewait.spec.segment import Segment
from timewait.spec.stacks import load_stack

CONFIGURATION = assumed_configuration(load_stack("rfc9293-intended"))
DATA = Path(__file__).parent / "data"

Line = tuple[int, int, int, int, int | None, int]
"""A packet: milliseconds, sender, flags, relative sequence number, relative acknowledgement number, octets."""

OPENING: tuple[Line, ...] = ((0, 0, SYN, 0, None, 0), (10, 1, SYN | ACK, 0, 1, 0), (20, 0, ACK, 1, 1, 0))
TEXT: tuple[Line, ...] = ((30, 0, ACK, 1, 1, 100), (40, 1, ACK, 1, 101, 500), (50, 0, ACK, 101, 501, 0))
CLOSE: tuple[Line, ...] = ((60, 0, FIN | ACK, 101, 501, 0), (70, 1, FIN | ACK, 501, 102, 0), (80, 0, ACK, 102, 502, 0))
PLAIN = (*OPENING, *TEXT, *CLOSE)


def packets(lines: Iterable[Line], first: int = 1) -> list[CapturedPacket]:
    """The packets of some lines, numbered from a frame on."""
    initial = (1_000, 4_294_967_000)
    made = []
    for frame, (time, sender, flags, seq, ack, length) in enumerate(lines, start=first):
        number = (initial[sender] + seq) % 2**32
        acknowledged = None if ack is None else (initial[1 - sender] + ack) % 2**32
        ends = SOCKETS[sender], SOCKETS[1 - sender]
        at = START + time * MILLISECOND
        made.append(
            CapturedPacket(frame, at, "eth0", *ends, number, acknowledged, length, flags, 512, None, None, frame, 64, bytes(6))
        )
    return made


def explained(found: Sequence[CapturedPacket]) -> tuple[ConnectionFacts | None, ConnectionFacts, Connection]:
    """The plain facts of the first connection, those of the general judgement, and the connection."""
    connection = traffic(found).connections[0]
    ended = found[-1].time + SECOND
    return plain_facts(connection, ended), judged_facts(connection, CONFIGURATION, ended), connection


def but(place: int, *lines: Line, instead: int = 0) -> list[CapturedPacket]:
    """The plain connection with other lines at a place."""
    return packets([*PLAIN[:place], *lines, *PLAIN[place + instead :]])


def later(place: int, by: int) -> list[CapturedPacket]:
    """The plain connection with everything from a place on later by some milliseconds."""
    return packets([*PLAIN[:place], *((line[0] + by, *line[1:]) for line in PLAIN[place:])])


def changed(place: int, change: Callable[[CapturedPacket], CapturedPacket]) -> list[CapturedPacket]:
    """The plain connection with one packet changed."""
    made = packets(PLAIN)
    made[place] = change(made[place])
    return made


PLAIN_CASES = {
    "first closes": packets(PLAIN),
    "second closes": packets(
        [
            *OPENING,
            *(
                (time, 1 - who, bits, seq, ack, length)
                for time, who, bits, seq, ack, length in (
                    (30, 0, ACK, 1, 1, 9),
                    (40, 1, ACK, 1, 10, 0),
                    (50, 0, FIN | ACK, 10, 1, 0),
                    (60, 1, FIN | ACK, 1, 11, 0),
                    (70, 0, ACK, 11, 2, 0),
                )
            ),
        ]
    ),
    "text on the FIN": packets([*OPENING, (60, 0, FIN | ACK, 1, 1, 100), (70, 1, FIN | ACK, 1, 102, 7), (80, 0, ACK, 102, 9, 0)]),
    "text in flight at the FIN": packets(
        [*OPENING, (30, 0, ACK, 1, 1, 100), (40, 0, FIN | ACK, 101, 1, 0), (70, 1, FIN | ACK, 1, 102, 0), (80, 0, ACK, 102, 2, 0)]
    ),
    "half open for a while": packets(
        [
            *PLAIN[:7],
            (70, 1, ACK, 501, 102, 0),
            (3_000, 1, ACK, 501, 102, 50),
            (3_010, 0, ACK, 102, 551, 0),
            (9_000, 1, FIN | ACK, 551, 102, 0),
            (9_010, 0, ACK, 102, 552, 0),
        ]
    ),
    "long text before the FIN": packets(
        [
            *OPENING,
            *((30 + i, 0, ACK, 1 + 10 * i, 1, 10) for i in range(400)),
            (500, 1, ACK, 1, 4_001, 0),
            (510, 0, FIN | ACK, 4_001, 1, 0),
            (520, 1, FIN | ACK, 1, 4_002, 0),
            (530, 0, ACK, 4_002, 2, 0),
        ]
    ),
    "text on the SYN": packets(
        [
            (0, 0, SYN, 0, None, 5),
            (10, 1, SYN | ACK, 0, 6, 0),
            (20, 0, ACK, 6, 1, 0),
            (60, 0, FIN | ACK, 6, 1, 0),
            (70, 1, FIN | ACK, 1, 7, 0),
            (80, 0, ACK, 7, 2, 0),
        ]
    ),
}
"""Connections that close plainly."""


def long(*more: Line, dropped: int = 0) -> list[CapturedPacket]:
    """A connection with so much text that most of it is not kept, with more lines in the middle of it, or without some."""
    lines: list[Line] = [
        line for i in range(200) for line in ((30 + i, 0, ACK, 1 + 10 * i, 1, 10), (30 + i, 1, ACK, 1, 11 + 10 * i, 0))
    ]
    lines[200 : 200 + dropped] = more
    close = ((510, 0, FIN | ACK, 2_001, 1, 0), (520, 1, FIN | ACK, 1, 2_002, 0), (530, 0, ACK, 2_002, 2, 0))
    return packets([*OPENING, *lines, *close])


PLAIN_CASES["more text in flight than is kept"] = packets(
    [
        *OPENING,
        *((30 + i, 0, ACK, 1 + 10 * i, 1, 10) for i in range(300)),
        (400, 0, FIN | ACK, 3_001, 1, 0),
        (410, 1, FIN | ACK, 1, 3_002, 0),
        (420, 0, ACK, 3_002, 2, 0),
    ]
)
PLAIN_CASES["text that is not kept"] = long()

OTHER_CASES = {
    "last acknowledgement missing": packets(PLAIN[:-1]),
    "opening missing": packets(PLAIN[2:]),
    "opening without the first SYN": packets(PLAIN[1:]),
    "a FIN alone": packets(PLAIN[:7]),
    "late FIN": later(7, 300),
    "late acknowledgement of the first FIN": packets(
        [*PLAIN[:7], (600, 1, ACK, 501, 102, 0), (610, 1, FIN | ACK, 501, 102, 0), (620, 0, ACK, 102, 502, 0)]
    ),
    "late acknowledgement of the second FIN": later(8, 600),
    "acknowledged with text, and closed long after": packets(
        [
            *PLAIN[:7],
            (70, 1, ACK, 501, 102, 9),
            (80, 0, ACK, 102, 510, 0),
            (900, 1, FIN | ACK, 510, 102, 0),
            (910, 0, ACK, 102, 511, 0),
        ]
    ),
    "both close at once": packets(
        [*PLAIN[:7], (65, 1, FIN | ACK, 501, 101, 0), (75, 0, ACK, 102, 502, 0), (80, 1, ACK, 502, 102, 0)]
    ),
    "both close at once, and the first speaks last": packets(
        [*PLAIN[:7], (65, 1, FIN | ACK, 501, 101, 0), (70, 1, ACK, 502, 102, 0), (75, 0, ACK, 102, 502, 0)]
    ),
    "the last packet acknowledges text alone": packets(
        [
            *PLAIN[:7],
            (65, 1, ACK, 501, 102, 0),
            (70, 1, ACK, 501, 102, 50),
            (71, 1, FIN | ACK, 551, 102, 0),
            (80, 0, ACK, 102, 551, 0),
        ]
    ),
    "text that is not kept, without the opening": long()[3:],
    "text again that is not kept": long((130, 0, ACK, 991, 1, 10)),
    "the other's text again that is not kept": long((130, 1, ACK, 0, 1_001, 1)),
    "text missing that is not kept": long((130, 0, ACK, 1_001, 1, 5), dropped=1),
    "the other's text missing that is not kept": long((130, 1, ACK, 9, 1_001, 0), (131, 1, ACK, 1, 1_011, 0)),
    "an acknowledgement of too much that is not kept": long((130, 1, ACK, 1, 9_000, 0)),
    "the closer's acknowledgement of too much that is not kept": long((130, 0, ACK, 1_001, 9_000, 0)),
    "text with an older acknowledgement": packets(
        [
            *OPENING,
            *TEXT,
            (55, 0, ACK, 101, 301, 20),
            (60, 0, FIN | ACK, 121, 501, 0),
            (70, 1, FIN | ACK, 501, 122, 0),
            (80, 0, ACK, 122, 502, 0),
        ]
    ),
    "a time that goes back": changed(5, lambda it: it._replace(time=it.time - SECOND)),
    "a FIN again": but(7, (65, 0, FIN | ACK, 101, 501, 0)),
    "the last acknowledgement again": but(9, (85, 0, ACK, 102, 502, 0)),
    "an acknowledgement again": but(6, (55, 0, ACK, 101, 501, 0)),
    "a RST afterwards": but(9, (90, 1, RST, 502, None, 0)),
    "a RST that acknowledges, instead of the last acknowledgement": but(8, (80, 0, RST | ACK, 102, 502, 0), instead=1),
    "a RST instead of the last acknowledgement": but(8, (80, 0, RST, 102, None, 0), instead=1),
    "text again": but(4, (35, 0, ACK, 1, 1, 100)),
    "text missing": but(3, (30, 0, ACK, 51, 1, 50), instead=1),
    "an acknowledgement overtakes": packets([*PLAIN[:5], (45, 0, ACK, 101, 1, 0), *PLAIN[5:]]),
    "text beyond the FIN": but(9, (90, 0, ACK, 102, 502, 50)),
    "text captured after its acknowledgement": packets([*PLAIN[:3], PLAIN[4], (41, 0, ACK, 1, 1, 100), *PLAIN[5:]]),
    "no ACK bit": but(3, (30, 0, 0, 1, None, 100), instead=1),
    "two interfaces": changed(7, lambda it: it._replace(interface="eth1")),
    "used again": [
        *packets(PLAIN),
        *(it._replace(frame=it.frame + 9, time=it.time + SECOND, seq=(it.seq + 10**6) % 2**32) for it in packets(OPENING[:1])),
    ],
    "an old SYN in between": but(6, (55, 0, SYN, 0, None, 0)),
}
"""Connections that must be judged in general; of some both ways happen to say the same."""


@pytest.mark.parametrize("name", PLAIN_CASES)
def test_plain_closes(name: str) -> None:
    """They are recognised, and their facts are those of the general judgement."""
    plain, judged, _ = explained(PLAIN_CASES[name])
    assert plain is not None
    for it in fields(ConnectionFacts):
        assert getattr(plain, it.name) == getattr(judged, it.name), it.name


@pytest.mark.parametrize("name", OTHER_CASES)
def test_everything_else(name: str) -> None:
    """It is left to the general judgement."""
    plain, _, _ = explained(OTHER_CASES[name])
    assert plain is None


def test_a_challenged_opening() -> None:
    """A SYN that the connection before answers, and that is then accepted, is part of the facts."""
    second = [it._replace(seq=(it.seq + 10**6) % 2**32, ack=it.ack and (it.ack + 10**6) % 2**32) for it in packets(PLAIN)]
    challenge = packets([(5, 1, ACK, 502, 102, 0)])
    found = [*packets(PLAIN), *(it._replace(time=it.time + SECOND) for it in (second[0], *challenge, *second[1:]))]
    found = [it._replace(frame=frame, ident=frame) for frame, it in enumerate(found, start=1)]
    _, connection = traffic(found).connections
    assert plain_facts(connection, found[-1].time) is None
    assert judged_facts(connection, CONFIGURATION, found[-1].time).challenges == ((10, 11),)


@pytest.mark.parametrize("part", range(4))
def test_generated_captures(part: int) -> None:
    """Where there are plain facts, the general judgement gives the same."""
    plainly = 0
    for seed in range(400 * part, 400 * part + 400):
        rng = random.Random(seed)
        run = Simulation(rng).run()
        made = Impairment() if seed % 2 else random_impairment(rng)
        found = Capture(run, made, rng).packets()
        if found:
            plain, judged, _ = explained(found)
            plainly += plain is not None
            assert plain in (None, judged), seed
    assert plainly > 20


def test_captures_of_the_cases() -> None:
    """Where there are plain facts in a file of the test data, the general judgement gives the same."""
    plainly = 0
    for file in sorted((DATA / "captures").iterdir()):
        found = read_closes(file, CONFIGURATION)
        for connection in found.traffic.connections:
            plain = plain_facts(connection, found.reader.ended)
            plainly += plain is not None
            assert plain in (None, judged_facts(connection, CONFIGURATION, found.reader.ended)), file
    assert plainly > 8


def test_a_large_capture_is_plain(tmp_path: Path) -> None:
    """Every connection of the capture that is measured takes the short way, and little memory."""
    write(tmp_path / "large.pcap", 400, 3)
    tracemalloc.start()
    found = read_closes(tmp_path / "large.pcap", CONFIGURATION)
    taken, _ = tracemalloc.get_traced_memory()
    kinds = {str(facts.kind) for facts in found.connections}
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert kinds == {"closed in order"}
    assert all(plain_facts(connection, found.reader.ended) is not None for connection in found.traffic.connections)
    assert taken < 400 * 5_500
    assert most < 400 * 9_000  # all facts are held: there are fewer than `HELD`


def test_kept_packets() -> None:
    """Packets are kept whole: unpacked, they are what they were."""
    rng = random.Random(3)
    kept = KeptPackets()
    expected: list[CapturedSegment | SkippedRun] = []
    for number in range(300):
        sender, bits, shift = rng.randrange(2), rng.randrange(256), rng.choice((None, 0, 14))
        most = rng.choice((1, 2**32 - 1))
        packet = CapturedPacket(
            number,
            rng.choice((0, START, 2**63 - 1)),
            rng.choice(("eth0", "eth1", "lo")),
            SOCKETS[sender],
            SOCKETS[1 - sender],
            rng.randrange(2**32),
            rng.randrange(2**32) if bits & ACK else None,
            rng.choice((0, 1_400, most)),
            bits,
            rng.randrange(2**16),
            rng.choice((None, 0, 255)),
            rng.choice((None, (0, 0), (most, 1))),
            rng.randrange(2**16),
            rng.randrange(256),
            rng.choice((b"", bytes(6), b"\1\2\3\4\5\6")),
        )
        seq, ack = rng.randrange(-(2**40), 2**40), rng.randrange(-5, 2**40) if bits & ACK else None
        kept.add(packet, sender, seq, ack, shift)
        segment = Segment(seq, ack, packet.length, bool(bits & SYN), bool(bits & FIN), bool(bits & RST))
        expected.append(CapturedSegment(packet, sender, segment, None if shift is None else packet.window << shift))
        if number in (0, 100):
            run = SkippedRun(number, (1, 2), START, (None, 5))
            kept.skip(run)
            expected.append(run)
    assert kept.items(SOCKETS) == expected
    assert kept.packets == 300
