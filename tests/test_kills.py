"""Long commands that are ended at any moment: no process stays, no file is half-written, and no earlier file is lost."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import statistics
from contextlib import suppress
from pathlib import Path

import click
import pytest
from kernel_walks import harmed
from long_commands import CAPTURE, ELSEWHERE, LONG, ROOT, SHORT, LongCommand
from running_commands import Running, left_behind
from test_bad_values import commands
from whole_files import EARLIER, contents, finished_parts, half_written, written

from timewait.checker.certificate import joined
from timewait.checker.finding import Budget
from timewait.checker.itf import as_itf_text
from timewait.cli.main import cli
from timewait.laboratory import probe
from timewait.laboratory.conformance.lwip_stack import lwip_missing
from timewait.proofs.certify import certify_at_values
from timewait.proofs.claims import close

MOMENTS = int(os.environ.get("TIMEWAIT_KILLS", "10"))
"""Random moments at which each command is ended."""

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

SOON = 2.5
"""Seconds of processor time, of all processes together, within which an interrupted command ends.

It may still write what it has found, which takes a second, and a chart is drawn by a library that hears no interrupt; on a busy
machine the same work takes up to twice the processor time.
"""

SHORTEST = 0.4
"""Seconds of processor time, about, until a command is loaded; an interrupt before is answered by Python."""

AGAIN = 10
"""Of so many moments, one is followed by a run that goes on."""


CLAIM = """
from timewait.checker.verdict import Verdict
from timewait.proofs.claim import claim
from timewait.proofs.claims import core
from timewait.proofs.evidence import for_all

@claim("X1", "2 MSL are enough", "none", Verdict.PROVED)
def enough():
    yield for_all("core", core(1, 2, 1, 1), ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL"))
"""
"""A claim of one's own whose proof is found in a moment."""


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with captures, a file of many certificates, a claim, a run, and a stack of which more is expected than holds."""
    folder = tmp_path_factory.mktemp("inputs")
    octets = Path(CAPTURE).read_bytes()
    (folder / "some.pcapng").write_bytes(octets * 400)  # a capture may have several sections
    (folder / "big.pcapng").write_bytes(octets * 1_500)
    proof = certify_at_values(close(1, 2, 1, 1), ["graceful"], Budget()).text
    (folder / "long.smt2").write_text(joined([proof] * 8))
    (folder / "mine.py").write_text(CLAIM)
    (folder / "harm.itf.json").write_text(as_itf_text(harmed("old-ack")))
    shutil.copytree(ROOT / "examples/stack", folder / "stack")
    file = folder / "stack/timewait.toml"
    file.write_text(file.read_text().replace('graceful = "proved"', 'graceful = "violated"'))
    return folder


def interrupted_badly(code: int, text: str) -> str:
    """Why an interrupt was not answered in one clear line; empty if it was, or if the command ended before."""
    problems = ["an empty line"] if "\n\n" in f"\n{text}" else []
    problems += [word for word in ("Traceback", "KeyboardInterrupt", "Exception ignored", "Process ") if word in text]
    gone = code == -signal.SIGINT and not text  # when all was done, and Python itself was ending
    return "" if gone or (not problems and code in (*ENDS, 20)) else f"exit {code}: {text[-2000:]}"


ENDS = (0, 10, 20, 40)
"""Exit codes of a command that came to its end."""

NO_PROC = not Path("/proc/self/environ").exists()

NO_LABORATORY = probe.missing()


@pytest.mark.slow
@pytest.mark.skipif(NO_PROC, reason="there is no /proc on this machine")
@pytest.mark.parametrize("name", LONG)
def test_ended_at_any_moment(name: str, tmp_path: Path, inputs: Path) -> None:
    """By SIGKILL and SIGTERM to the process, and by SIGINT to all of its processes as by a terminal, in turn."""
    command, whole = LONG[name], tmp_path / "whole"
    if command.seconds and (reason := lwip_missing() if "lwip" in command.words else NO_LABORATORY):
        pytest.skip(reason)
    (tmp_path / "inputs").symlink_to(inputs)
    given, machine = contents(inputs), state_of_machine()
    lasts = math.inf
    for folder in () if command.seconds else (tmp_path / "compiled", whole):  # the first run of an installation takes longer
        folder.mkdir()
        lasts = min(lasts, finished(command, folder, inputs, f"{name}-{folder.name}-{os.getpid()}"))
    draw, ended, heard = random.Random(name), 0, []
    for moment in range(MOMENTS):
        folder, mark = tmp_path / str(moment), f"{name}-{moment}-{os.getpid()}"
        folder.mkdir()
        for file in command.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(EARLIER)
        number, part = SIGNALS[moment % len(SIGNALS)], draw.uniform(0.05, 1.0)
        running = begun(command, folder, inputs, mark)
        begun_after = SHORTEST if number is signal.SIGINT else 0.0
        spent = running.until(begun_after if command.seconds else max(part * lasts, begun_after))
        if command.seconds:
            spent = running.until_clock(part * command.seconds)
        ended += spent < math.inf
        with suppress(ProcessLookupError):
            (os.killpg if number is signal.SIGINT else os.kill)(running.number, number)
        running.wait(120)
        where = f"moment {moment}: {number.name} after {spent:.1f} s of processor time"
        assert left_behind(mark) == [], f"processes stay; {where}"
        assert [problem for path in written(folder) if (problem := half_written(path))] == [], where
        assert all((folder / file).exists() for file in command.files), where
        assert contents(inputs) == given, where
        if command.copied:
            allowed = [contents(each / command.copied) for each in (inputs, whole)]
            assert contents(folder / command.copied) in allowed, where
        if number is signal.SIGINT:
            assert not (problem := interrupted_badly(running.code, running.errors)), f"{where}; {problem}"
            if spent < math.inf:
                heard.append(running.seconds - spent)
                assert heard[-1] < SOON, f"{where} of {lasts:.1f} s; it goes on for {heard[-1]:.1f} s"
        if command.goes_on and moment % AGAIN == AGAIN - 1:
            kept = finished_parts(folder / command.goes_on)
            finished(command, folder, inputs, f"{mark}-again")
            assert kept <= finished_parts(folder / command.goes_on), where
            assert same_answer(command, folder, whole), where
        shutil.rmtree(folder)
    assert state_of_machine() == machine
    assert ended, "no run was ended before its end"
    after = f"{statistics.median(heard):.2f} s at the median, {max(heard):.2f} s at most" if heard else "never interrupted"
    whole_run = f"{command.seconds:g} s" if command.seconds else f"{lasts:.1f} s of processor time"
    print(f"{name}: {whole_run}, {ended} of {MOMENTS} ended before the end; after SIGINT {after}")


def begun(command: LongCommand, folder: Path, inputs: Path, mark: str) -> Running:
    """A command that has begun to run in a folder."""
    if command.copied:
        shutil.copytree(inputs / command.copied, folder / command.copied, dirs_exist_ok=True)
    return Running(command.words, folder, mark, inputs / command.piped if command.piped else None)


def finished(command: LongCommand, folder: Path, inputs: Path, mark: str) -> float:
    """Run a command to its end; returns the seconds of processor time."""
    running = begun(command, folder, inputs, mark)
    running.wait(900)
    assert running.code in ENDS, running.errors
    assert left_behind(mark) == []
    return running.seconds


def state_of_machine() -> tuple[dict[str, str], list[Path]]:
    """The settings of TCP of this machine, and its network devices."""
    settings = {}
    for file in Path("/proc/sys/net/ipv4").glob("tcp_*"):
        with suppress(OSError):
            settings[file.name] = file.read_text()
    return settings, sorted(Path("/sys/class/net").glob("*"))


def same_answer(command: LongCommand, folder: Path, whole: Path) -> bool:
    """Whether a run that went on wrote the files of one that was never ended, and a sweep the same rows."""
    names = [{str(path.relative_to(each)) for path in written(each) if path.name != command.goes_on} for each in (folder, whole)]
    rows = [
        [line.rsplit(",", 1)[0] for line in sorted(path.read_text().splitlines())]
        for each in (folder, whole)
        for path in each.glob("*.csv")
    ]
    return names[0] == names[1] and (not rows or rows[0] == rows[1])


def test_every_command_is_ended_or_short() -> None:
    """Each command, and each of its options for a file to write, for processes or for threads, is in the table."""
    names = dict(commands(cli))
    stated = {name: [each.words for each in LONG.values() if " ".join(each.words).startswith(f"{name} ")] for name in names}
    assert {name for name, words in stated.items() if not words} == SHORT.keys()
    missing = {
        (name, option)
        for name, command in names.items()
        for each in command.params
        for option in each.opts[-1:]
        if name not in SHORT and (writes(each) or option in ("--on", "--jobs", "--workers"))
        if not any(option in words for words in stated[name])
    }
    assert missing == ELSEWHERE.keys()


def writes(parameter: click.Parameter) -> bool:
    """Whether a parameter names a file or folder to write."""
    return isinstance(parameter, click.Option) and isinstance(parameter.type, click.Path) and not parameter.type.exists
