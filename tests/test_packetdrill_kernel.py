"""Exported scripts, carried out on the running kernel by packetdrill, in a network namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from kernel_walks import harmed

from timewait import check
from timewait.checker.trace import Trace
from timewait.cli.run import carry_out
from timewait.formats.packetdrill import as_packetdrill
from timewait.spec.scenarios import SCENARIOS

PACKETDRILL, UNSHARE = shutil.which("packetdrill"), shutil.which("unshare")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(PACKETDRILL is None, reason="no packetdrill on this machine"),
    pytest.mark.skipif(UNSHARE is None or os.geteuid() != 0, reason="packetdrill needs root and a network namespace"),
]

TOLERANCE = 3_000_000
"""Microseconds by which the kernel's own retransmission timers may differ from those of a trace."""

ABORTS = "SO_LINGER {1,0}"
HARMS = ("old-text", "old-fin", "old-reset", "old-ack")


def trace_of(name: str) -> Trace:
    """The trace of a scenario, of a harm after a handshake, or of an abort."""
    if name == ABORTS:
        asked = {"msl": "1s", "rto": "1s", "time_wait": "2s", "closers": "a", "data": (1, 0), "linger_zero": True}
        (answer,) = check(stack="linux", loss=0, properties=("integrity",), **asked).answers  # type: ignore[arg-type]  # mixed
        assert answer.trace is not None
        return answer.trace
    return harmed(name) if name in HARMS else carry_out(SCENARIOS[name])


@pytest.mark.parametrize("end", ["a", "b"])
@pytest.mark.parametrize("name", [*SCENARIOS, *HARMS, ABORTS])
def test_the_kernel_passes_the_script(name: str, end: str, tmp_path: Path) -> None:
    """The kernel, as either end, does what the script expects."""
    script = tmp_path / "script.pkt"
    script.write_text(as_packetdrill(trace_of(name), end))
    command = [str(UNSHARE), "--net", str(PACKETDRILL), f"--tolerance_usecs={TOLERANCE}", str(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
