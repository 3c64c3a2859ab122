"""The start of the default question, ``timewait check --msl 30s``: with nothing compiled, and with everything compiled.

    python -m benchmarks.start --repeat 3

Each run is a process of its own. The first of each round has an empty cache of compiled functions (`NUMBA_CACHE_DIR`), the
second that which the first has left. Seconds of the clock mean something on an idle machine alone.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

QUESTION = ("check", "--msl", "30s")
"""The arguments of the command."""


def seconds_of(environment: dict[str, str]) -> tuple[float, float]:
    """The seconds of the clock and of processor time that one process takes.

    Raises
    ------
    RuntimeError
        The process does not answer that the properties are violated.
    """
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "timewait", *QUESTION], env=environment, capture_output=True, text=True, check=False
    )
    elapsed, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if not done.stdout.endswith("verdict: VIOLATED\n"):
        raise RuntimeError(f"{done.stdout}{done.stderr}exit code {done.returncode}")
    return elapsed, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Print a table of the runs."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeat", type=int, default=1, help="rounds of two runs")
    print(f"{'':>14} {'clock':>8} {'processor':>10} {'cache':>9}")
    for _ in range(options.parse_args().repeat):
        with tempfile.TemporaryDirectory() as folder:
            for label in ("first run", "second run"):
                elapsed, processor = seconds_of(os.environ | {"NUMBA_CACHE_DIR": folder})
                kept = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file()) / 2**20
                print(f"{label:>14} {elapsed:7.2f}s {processor:9.2f}s {kept:6.1f} MB", flush=True)


if __name__ == "__main__":
    main()
