"""Capture files: both formats, exact times, frames numbered as Wireshark does, and files that are damaged or end early."""

from __future__ import annotations

import gzip
import random
import struct
import subprocess
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from capture_octets import block, enhanced, interface, option, pcap_header, record, section
from tshark import TSHARK, needs_tshark
from wire import START, Script, pcap, pcapng

from timewait.captures import capture_file
from timewait.captures.capture_file import NANOSECONDS, BrokenCapture, CaptureReader, Frame, Read, frames
from timewait.captures.reading import SegmentReader


def close() -> Script:
    """A connection that is opened and closes in order."""
    script = Script().opened()
    script.say(1.0, "A", "FA", 1, 1)
    script.say(1.01, "B", "FA", 1, 2)
    script.say(1.02, "A", "A", 2, 2)
    return script


PACKETS = [bytes(packet) for packet in close().packets]
PCAP = pcap_header(101) + b"".join(map(record, PACKETS))
PCAPNG = section() + interface(101) + b"".join(enhanced("<", 0, at, packet) for at, packet in enumerate(PACKETS))


def pieces(octets: bytes, step: int = 1 << 20) -> Read:
    """A function that reads octets in pieces."""
    rest = iter([octets[at : at + step] for at in range(0, len(octets), step)])
    return lambda _: next(rest, b"")


def reader(octets: bytes, step: int = 1 << 20) -> CaptureReader:
    """A reader of octets that arrive in pieces."""
    return CaptureReader(pieces(octets, step), "capture")


class TestFormats:
    """pcap and pcapng, both byte orders, times to the nanosecond."""

    @pytest.mark.parametrize("nano", [False, True])
    def test_times_of_pcap_are_exact(self, tmp_path: Path, nano: bool) -> None:
        """To the microsecond, or to the nanosecond where the file has those."""
        script = Script()
        script.say(0.123456, "A", "S", 0)
        (frame,) = frames(pcap(tmp_path / "one.pcap", script.packets, nano=nano))
        assert frame.time == int((START + Decimal("0.123456")) * NANOSECONDS)
        assert frame.number == 1

    def test_both_formats_hold_the_same(self, tmp_path: Path) -> None:
        """The same packets, also gzipped."""
        script = close()
        plain = pcap(tmp_path / "plain.pcap", script.packets)
        others = pcapng(tmp_path / "plain.pcapng", [("eth0", packet) for packet in script.packets])
        zipped = tmp_path / "plain.pcap.gz"
        zipped.write_bytes(gzip.compress(plain.read_bytes()))
        first, second, third = (
            [it._replace(interface="", link_type=0) for it in frames(path)] for path in (plain, others, zipped)
        )
        assert first == second == third
        assert len(first) == 6

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_pcapng_by_hand(self, order: str) -> None:
        """Interfaces with names, clock resolutions and offsets of their own, and blocks that are skipped."""
        near, far = option(order, 2, b"near") + option(order, 9, b"\x09"), option(order, 9, b"\x8a")
        late = option(order, 14, struct.pack(order + "q", 1_000))
        content = (
            section(order)
            + interface(101, near, order)
            + interface(1, far, order)
            + interface(1, late, order)
            + block(order, 5, b"statistics  ")
            + enhanced(order, 0, 5_000_000_007, b"abc", option(order, 1, b"a comment"))
            + enhanced(order, 1, 3 * 1024 + 512, b"defg")
            + enhanced(order, 2, 1, b"")
        )
        assert list(reader(content)) == [
            Frame(1, 5_000_000_007, "near", 101, b"abc", 3),
            Frame(2, 3_500_000_000, "interface 1", 1, b"defg", 4),
            Frame(3, 1_000_000_001_000, "interface 2", 1, b"", 0),
        ]

    @pytest.mark.parametrize("order", ["<", ">"])
    def test_pcap_of_either_order(self, order: str) -> None:
        """Also with the longer records of a patched libpcap."""
        assert [it.octets for it in reader(pcap_header(101, order) + record(b"abc", 1.5, order))] == [b"abc"]
        longer = record(b"", 1.5, order)[:8] + struct.pack(order + "2I", 3, 3) + bytes(8) + b"abc"
        (frame,) = reader(pcap_header(101, order, 0xA1B2CD34) + longer)
        assert (frame.octets, frame.time) == (b"abc", 1_500_000_000)

    @pytest.mark.parametrize("step", [1, 3, 64])
    def test_pieces(self, step: int) -> None:
        """A pipe may give few octets at once."""
        for content in (PCAP, PCAPNG, gzip.compress(PCAP)):
            assert [frame.octets for frame in reader(content, step)] == PACKETS

    def test_every_section_has_its_own_interfaces(self) -> None:
        """Two files one after the other, in different byte orders, and gzipped one by one."""
        second = section(">") + interface(1, order=">") + enhanced(">", 0, 7, b"abc")
        for content in (PCAPNG + second, gzip.compress(PCAPNG) + gzip.compress(second)):
            last = list(reader(content))[-1]
            assert (last.number, last.link_type, last.time) == (7, 1, 7_000)


def refused() -> Iterator[tuple[str, bytes, str]]:
    """Files without a frame: name, content, message."""
    yield "empty", b"", "is empty"
    yield "short", b"ab", "is no capture"
    yield "garbage", b"not a capture at all", "is neither a packet capture"
    yield "head cut", PCAP[:10], "ends in the middle of its header"
    yield "first frame cut", PCAP[:60], "ends in the middle of a frame"
    yield "huge frame", pcap_header(101) + struct.pack("<4I", 0, 0, 1 << 30, 1 << 30), "a frame of 1,073,741,824 octets"
    yield "odd block", section() + struct.pack("<II", 6, 33), "is damaged: a block of 33 octets"
    yield "other end", section() + struct.pack("<III", 5, 12, 16), "a block whose two lengths differ"
    yield "no order", struct.pack("<III", 0x0A0D0D0A, 28, 7), "no byte order"
    yield "short interface", section() + block("<", 1, b"abcd"), "the description of an interface is too short"
    yield "zstd", b"\x28\xb5\x2f\xfd" + bytes(9), "is compressed with zstd"
    yield "snoop", b"snoop\0\0\0" + bytes(9), "editcap"
    yield "zipped nothing", gzip.compress(b""), "is empty"
    yield "zipped, cut", gzip.compress(PCAP)[:12], "ends in the middle of its compressed data"


class TestDamage:
    """A file that is damaged or ends early gives the frames before that place; one without any frame is refused."""

    @pytest.mark.parametrize(("name", "content", "message"), list(refused()), ids=[name for name, _, _ in refused()])
    def test_files_without_a_frame(self, tmp_path: Path, name: str, content: bytes, message: str) -> None:
        """One line that names the file."""
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BrokenCapture) as problem:
            list(frames(path))
        assert message in str(problem.value)
        assert str(path) in str(problem.value)
        assert "\n" not in str(problem.value)

    @pytest.mark.parametrize("content", [PCAP, PCAPNG])
    def test_files_that_end_early(self, content: bytes) -> None:
        """At every octet: the whole frames, and a word about the rest unless the file ends between two frames."""
        whole = list(reader(content))
        for kept in range(content.index(PACKETS[1]), len(content)):
            cut = reader(content[:kept])
            found = list(cut)
            assert found == whole[: len(found)]
            between = content is PCAP and content[:kept].endswith(PACKETS[len(found) - 1])
            between = between or (content is PCAPNG and kept % 4 == 0 and (kept - len(section() + interface(101))) % 72 == 0)
            assert between or f"after frame {len(found)}" in cut.problem

    def test_a_zipped_file_that_ends_early(self) -> None:
        """No frame before the end of the compressed data is lost."""
        octets = gzip.compress(PCAP, compresslevel=0)
        cut = reader(octets[:-30])
        assert len(list(cut)) == 5
        assert cut.problem.startswith("ends in the middle of its compressed data, after frame 5")
        damaged = reader(octets[:-5] + b"\0" + octets[-4:])
        assert len(list(damaged)) == 6
        assert "damaged compressed data" in damaged.problem
        behind = reader(gzip.compress(PCAP) + b"garbage")
        assert len(list(behind)) == 6
        assert "damaged compressed data" in behind.problem

    def test_single_frames_are_left_out(self) -> None:
        """Frames that cannot be read are counted by reason, and have numbers."""
        short = struct.pack("<5I", 0, 0, 0, 99, 99)
        content = (
            section()
            + interface(101)
            + interface(101, option("<", 9, b"\x7f"))
            + block("<", 6, short)
            + block("<", 6, b"abcd")
            + block("<", 3, struct.pack("<I", 4) + b"abcd")
            + enhanced("<", 7, 0, b"abcd")
            + enhanced("<", 1, 0, b"abcd")
            + enhanced("<", 0, (1 << 64) - 1, b"abcd")
            + block("<", 9, b"log ")
            + enhanced("<", 0, 0, b"abcd")
        )
        found = reader(content)
        assert [frame.number for frame in found] == [8]
        assert found.left_out == {
            "frame that is longer than its block": 1,
            "frame whose block is too short": 1,
            "frame without a time (simple packet block)": 1,
            "frame of an interface that the file does not describe": 1,
            "frame with an impossible time": 2,
            "entry of a system log": 1,
        }

    def test_blocks_without_frames_have_a_limit(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A small file must not keep the reader busy."""
        monkeypatch.setattr(capture_file, "MAX_IDLE", 100)
        found = reader(PCAPNG + block("<", 5, b"") * 200)
        assert len(list(found)) == 6
        assert "100 blocks without a frame" in found.problem

    def test_memory_depends_on_the_longest_frame(self) -> None:
        """The window does not grow with the file."""
        zeros = record(bytes(1_000))
        found = reader(gzip.compress(pcap_header(101) + zeros * 5_000))
        longest = max(len(found._window.buffer) for _ in found)
        assert longest <= 2 * capture_file.CHUNK

    def test_no_file(self, tmp_path: Path) -> None:
        """The message of the operating system, in one line."""
        with pytest.raises(BrokenCapture, match="No such file"):
            list(frames(tmp_path / "none"))


@needs_tshark
def test_wireshark_numbers_frames_alike(tmp_path: Path) -> None:
    """Also behind entries of other kinds."""
    content = (
        section() + interface(101) + block("<", 9, b"__REALTIME_TIMESTAMP=1\nMESSAGE=x\n\n\n") + enhanced("<", 0, 0, PACKETS[0])
    )
    content += block("<", 3, struct.pack("<I", len(PACKETS[0])) + PACKETS[0]) + block("<", 5, struct.pack("<3I", 0, 0, 0))
    content += enhanced("<", 0, 9, PACKETS[1])
    path = tmp_path / "some.pcapng"
    path.write_bytes(content)
    command = [str(TSHARK), "-n", "-r", str(path), "-Y", "tcp.flags.syn == 1", "-T", "fields", "-e", "frame.number"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert [int(line) for line in done.stdout.split()] == [2, 3, 4]
    assert [frame.number for frame in frames(path)] == [2, 4]


class TestSegments:
    """The TCP segments, and an account of the rest."""

    def segments(self, octets: bytes, max_frames: int = 1_000) -> SegmentReader:
        """A reader whose segments were all read."""
        found = SegmentReader(pieces(octets), "capture", max_frames=max_frames)
        assert list(found)
        return found

    def test_frames_of_other_kinds(self) -> None:
        """Counted by what they hold."""
        found = self.segments(PCAP + record(bytes(40)) * 3 + record(b""))
        assert (found.frames, found.segments, found.problem) == (10, 6, "")
        assert found.left_out == {"a packet that is not IP": 3, "damaged headers": 1}

    def test_frames_out_of_order(self) -> None:
        """Counted."""
        assert self.segments(PCAP + pcap_header(101)[24:] + record(PACKETS[0], 2) + record(PACKETS[0], 1)).backwards == 1

    def test_the_limit_is_reported(self) -> None:
        """Reading stops there."""
        found = self.segments(PCAP, max_frames=4)
        assert (found.frames, found.limit_hit) == (4, True)
        assert not self.segments(PCAP, max_frames=6).limit_hit

    def test_nothing_to_explain(self) -> None:
        """The message says what the frames hold."""
        with pytest.raises(BrokenCapture, match="its 2 frames: 2 a packet that is not IP"):
            self.segments(pcap_header(101) + record(bytes(40)) * 2)
        with pytest.raises(BrokenCapture, match="without a single frame"):
            self.segments(pcap_header(101))


def test_random_damage_is_reported_or_harmless() -> None:
    """Changed octets and truncation raise only the documented error, in one line."""
    rng = random.Random(9293)
    messages = []
    for _ in range(2_000):
        octets = bytearray(rng.choice((PCAP, PCAPNG)))
        for _ in range(rng.randint(1, 4)):
            octets[rng.randrange(len(octets))] = rng.randrange(256)
        found = SegmentReader(pieces(bytes(octets)), "damaged")
        try:
            assert all(packet.length < 1 << 31 for packet in found)
        except BrokenCapture as problem:
            messages.append(str(problem))
    assert messages
    assert all("\n" not in message for message in messages)
