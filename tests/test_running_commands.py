"""Commands that run in processes of their own, from their first instruction or forked after the imports."""

from __future__ import annotations

import math
import os
import signal
import time
from pathlib import Path

import pytest
import warm_process
from long_commands import LONG
from running_commands import MARK_LENGTH, Beginning, Fresh, Running, left_behind, mark_of, processes, warm

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc on this machine")


def files_of(folder: Path) -> dict[str, bytes]:
    """The octets of each file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "words",
    [("init", "mine"), ("run", "--scenario", "simultaneous-close", "--trace", "a.itf.json"), ("diff", "linux", "no-such-stack")],
    ids=lambda words: str(words[0]),
)
def test_a_forked_run_does_what_a_fresh_one_does(words: tuple[str, ...], tmp_path: Path) -> None:
    """The exit code, the lines on standard error and the files are those of a process that imports everything itself."""
    found = []
    with warm(words[0]) as forked:
        for name, beginning in (("fresh", Fresh()), ("forked", forked)):
            folder = tmp_path / name
            folder.mkdir()
            running = Running(words, folder, f"{name}-{os.getpid()}", None, beginning)
            running.wait(120)
            found.append((running.code, running.errors, files_of(folder)))
    assert found[0] == found[1]
    assert found[0][0] == (2 if "no-such-stack" in words else 0)


def test_a_forked_run_is_as_one_that_began_fresh(tmp_path: Path) -> None:
    """It has a session of its own, the same signals, no stream but its own, and its mark, also in processes that it starts."""
    words = LONG["threshold for all values"].words
    with warm(words[0]) as forked:
        shown = {name: what_proc_shows(name, words, tmp_path, beginning) for name, beginning in (("a", Fresh()), ("b", forked))}
    assert shown["a"] == shown["b"]


def what_proc_shows(name: str, words: tuple[str, ...], place: Path, beginning: Beginning) -> dict[str, object]:
    """What /proc shows of a run that is in its work."""
    folder, mark = place / name, f"{name}-{os.getpid()}"
    folder.mkdir()
    running = Running(words, folder, mark, None, beginning)
    assert running.until(beginning.begun_after + 0.1) < math.inf
    process = Path("/proc", str(running.number))
    lines = (line.partition(":") for line in (process / "status").read_text().splitlines())
    status = {key: value.strip() for key, _, value in lines}
    streams = {number: (process / "fd" / number).readlink() for number in ("0", "1", "2")}
    shown = {
        "session": os.getsid(running.number) == os.getpgid(running.number) == running.number,
        "signals": {key: status[key] for key in ("SigBlk", "SigIgn", "SigCgt")},
        "streams": [streams["0"], streams["1"], streams["2"].name == f"{mark}.errors"],
        "sockets": [path.name for path in (process / "fd").iterdir() if str(path.readlink()).startswith("socket")],
        "folder": (process / "cwd").readlink() == folder,
        "marked": processes(mark) == [running.number],
    }
    os.kill(running.number, signal.SIGKILL)
    running.wait(120)
    assert running.code == -signal.SIGKILL
    assert left_behind(mark) == []
    return shown


def test_processes_that_a_forked_run_forks_are_found(tmp_path: Path) -> None:
    """A solver runs in a process that the run forks; it has the mark of its run, and ends with it."""
    words = LONG["check by a solver"].words
    with warm(words[0]) as forked:
        (tmp_path / "a").mkdir()
        running = Running(words, tmp_path / "a", "one", None, forked)
        while running.spent() < math.inf and len(processes("one")) < 2:
            time.sleep(0.01)
        assert len(processes("one")) == 2
        assert processes("other") == []
        os.kill(running.number, signal.SIGKILL)
        running.wait(120)
        assert left_behind("one") == []


def test_a_mark_of_another_length_is_refused() -> None:
    """A longer mark would write over what stands behind it in the memory of the process."""
    assert len(mark_of("one")) == MARK_LENGTH
    with pytest.raises(ValueError, match="no mark"):
        mark_of("x" * (MARK_LENGTH + 1))
    with pytest.raises(ValueError, match="cannot become longer or shorter"):
        warm_process.show_variable("PATH", "/")
