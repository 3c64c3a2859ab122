"""Commands of the laboratory that are killed: no process, device or setting is left."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from kernel_walks import harmed

from timewait.checker.itf import as_itf_text
from timewait.laboratory import probe

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(probe.missing()), reason=probe.missing() or "the laboratory runs"),
]

MARK = "TIMEWAIT_TEST_KILLED"
KILLS = int(os.environ.get("TIMEWAIT_KILLS", "10"))
STARTING, LONGEST, TIDYING = 60.0, 1.5, 10.0
"""Seconds: until the laboratory has begun, from then to the kill at most, and until nothing may be left."""

COMMANDS = {
    "replay": ("replay", "TRACE"),
    "conform": ("conform", "--on", "linux", "--layer", "walks", "--max-seconds", "30"),
    "learn": ("learn", "--on", "linux"),
    "ways": ("ways", "--way", "reuseaddr", "--on", "linux"),
    "capacity": ("capacity", "--on", "linux", "--ports", "20"),
}


def marked(value: str) -> list[int]:
    """The processes whose environment has the mark."""
    found = []
    for process in Path("/proc").iterdir():
        with suppress(OSError):
            if process.name.isdigit() and f"{MARK}={value}\0".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
    return found


def elsewhere(processes: list[int]) -> bool:
    """Whether one of some processes is in another network namespace: the laboratory has begun."""
    own, found = Path("/proc/self/ns/net").readlink(), set()
    for process in processes:
        with suppress(OSError):
            found.add(Path(f"/proc/{process}/ns/net").readlink())
    return bool(found - {own})


def settings() -> dict[str, str]:
    """The settings of TCP of this machine."""
    found = {}
    for file in Path("/proc/sys/net/ipv4").glob("tcp_*"):
        with suppress(OSError):
            found[file.name] = file.read_text()
    return found


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_left_of_a_killed_command(name: str, tmp_path: Path) -> None:
    """Kills at random moments after the process of the laboratory has begun."""
    trace = tmp_path / "trace.itf.json"
    trace.write_text(as_itf_text(harmed("old-ack")))
    arguments = [str(trace) if part == "TRACE" else part for part in COMMANDS[name]]
    before, devices = settings(), sorted(Path("/sys/class/net").iterdir())
    chance, running = random.Random(1), 0
    for number in range(KILLS):
        value = f"{name}-{number}-{os.getpid()}"
        command = subprocess.Popen(
            [sys.executable, "-m", "timewait", *arguments],
            env={**os.environ, MARK: value},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        end = time.monotonic() + STARTING
        while command.poll() is None and not elsewhere(marked(value)) and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(chance.uniform(0, LONGEST / 5 if name == "replay" else LONGEST))
        running += command.poll() is None
        command.kill()
        command.wait()
        end = time.monotonic() + TIDYING
        while left := marked(value):
            assert time.monotonic() < end, f"processes {left} are left"
            time.sleep(0.05)
    assert running, "every command had ended before it was killed"
    assert (settings(), sorted(Path("/sys/class/net").iterdir())) == (before, devices)
