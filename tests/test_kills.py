"""Long commands that are ended at any moment: no process stays, no file is half-written, and no earlier file is lost."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from contextlib import suppress
from pathlib import Path

import click
import pytest
from kernel_walks import harmed
from kill_campaign import SIGNALS, THIRDS, Campaign, is_fresh, signal_at, third_at
from long_commands import CAPTURE, ELSEWHERE, LONG, ROOT, SHORT
from running_commands import warm
from test_bad_values import commands

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


NO_PROC = not Path("/proc/self/environ").exists()

NO_LABORATORY = probe.missing()


@pytest.mark.slow
@pytest.mark.skipif(NO_PROC, reason="there is no /proc on this machine")
@pytest.mark.parametrize("name", LONG)
def test_ended_at_any_moment(name: str, tmp_path: Path, inputs: Path) -> None:
    """By SIGKILL and SIGTERM to the process, and by SIGINT to all of its processes as by a terminal, in turn."""
    command = LONG[name]
    if command.seconds and (reason := lwip_missing() if "lwip" in command.words else NO_LABORATORY):
        pytest.skip(reason)
    (tmp_path / "inputs").symlink_to(inputs)
    machine = state_of_machine()
    with warm(command.words[0]) as forked:
        campaign = Campaign(name, command, tmp_path, inputs, forked)
        problems = [problem for moment in range(MOMENTS) for problem in campaign.problems_at(moment)]
    print(campaign.in_words(MOMENTS, len(problems)))
    assert problems == []
    assert campaign.ended, "no run was ended before its end"
    assert state_of_machine() == machine


def state_of_machine() -> tuple[dict[str, str], list[Path]]:
    """The settings of TCP of this machine, and its network devices."""
    settings = {}
    for file in Path("/proc/sys/net/ipv4").glob("tcp_*"):
        with suppress(OSError):
            settings[file.name] = file.read_text()
    return settings, sorted(Path("/sys/class/net").glob("*"))


def test_moments_lie_in_each_third_of_a_run_for_each_signal() -> None:
    """Of a hundred moments about as many, and some of them in runs that are fresh."""
    counts = Counter((signal_at(moment), third_at(moment)) for moment in range(100))
    fresh = {(signal_at(moment), third_at(moment)) for moment in range(100) if is_fresh(moment)}
    assert counts.keys() == {(number, third) for number in SIGNALS for third in range(THIRDS)}
    assert max(counts.values()) - min(counts.values()) <= 2
    assert len(fresh) == len(counts)


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
