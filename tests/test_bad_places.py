"""Places of input and output that no command expects: each is refused in one line, and nothing else is changed."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import pytest
from commands import run
from test_bad_values import commands

from timewait.cli.errors import LONGEST, error
from timewait.cli.files import ensure_writable
from timewait.cli.main import cli
from timewait.cli.value_types import FilePath
from timewait.machine.sources import HostUnreadable, settings_of_file
from timewait.spec.stacks import UnknownStack, load_stack

EXAMPLES = Path(__file__).parent.parent / "examples"
CHECK = ("check", "--msl", "1s", "--rto", "1s", "--time-wait", "1s", "--closers", "a", "--property", "graceful", "--loss", "0")
NAMES = (b"n\xff", b"n\nverdict: PROVED\n", b"n\x1b[31m", "n\u202e".encode())
"""Names of files that the system allows, and that would forge a line, steer a terminal, or fit into no report."""


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """A folder with places at which nothing can be written."""
    (tmp_path / "loop").symlink_to("pool")
    (tmp_path / "pool").symlink_to("loop")
    (tmp_path / "dangling").symlink_to("nowhere/x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "to-folder").symlink_to("folder")
    (tmp_path / "file").write_text("kept")
    return tmp_path


IMPOSSIBLE = ("loop", "dangling", "folder", "to-folder", "file/x", "nowhere/x", "x" * 300, ".", "..", "/")


@pytest.mark.parametrize("place", IMPOSSIBLE)
def test_no_work_begins_for_a_place_that_cannot_be_written(place: str, places: Path) -> None:
    """The line names it, before anything is computed."""
    with pytest.raises(click.UsageError, match="cannot write") as refused:
        ensure_writable(places / place)
    assert str(places / place) in refused.value.message


@pytest.mark.parametrize("place", ["file", "new", "/dev/null", "/dev/stdout"])
def test_other_places(place: str, places: Path) -> None:
    """Files, old and new, and devices are written."""
    ensure_writable(places / place)
    assert (places / "file").read_text() == "kept"


@pytest.mark.parametrize("option", ["--sarif", "--junit", "--events", "--html"])
@pytest.mark.parametrize("place", ["loop", "dangling", "/dev/full"])
def test_reports_that_cannot_be_written(option: str, place: str, places: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 2; a device that is full shows it only when it is written."""
    if not Path("/dev/full").exists():
        pytest.skip("there is no full device")
    code, out, err = run(capsys, *CHECK, option, str(places / place))
    assert (code, [line for line in err.splitlines() if "cannot write" in line]) == (2, err.splitlines())
    assert not out or place == "/dev/full" or option == "--html"
    assert sorted(each.name for each in places.iterdir()) == ["dangling", "file", "folder", "loop", "pool", "to-folder"]


def paths() -> Iterator[tuple[str, click.Parameter]]:
    """The parameters of all commands that are names of files."""
    for name, command in commands(cli):
        for each in command.params:
            if isinstance(each.type, click.Path):
                yield f"{name} {each.name}", each


@pytest.mark.parametrize(("name", "parameter"), list(paths()), ids=[name for name, _ in paths()])
def test_names_that_do_not_print(name: str, parameter: click.Parameter) -> None:
    """No command takes one, and each says which character it is."""
    assert isinstance(parameter.type, FilePath), name
    for octets in NAMES:
        with pytest.raises(click.BadParameter, match=r"is a text with the control character U.*; rename it"):
            parameter.type.convert(os.fsdecode(octets), parameter, click.Context(cli))


def test_a_profile_whose_name_does_not_print() -> None:
    """Pages and reports show the name."""
    for octets in NAMES:
        with pytest.raises(UnknownStack, match=r"is a text with the control character U.*; rename it"):
            load_stack(f"{os.fsdecode(octets)}/some.toml")


@pytest.mark.parametrize("octets", NAMES)
@pytest.mark.parametrize("command", [("explain", "X"), ("view", "X"), ("check", "--stack", "./X"), ("ci", "X"), ("init", "X")])
def test_no_line_is_forged(octets: bytes, command: tuple[str, ...], tmp_path: Path) -> None:
    """By a name on a command line; nothing is written under it."""
    words = [word.encode().replace(b"X", octets) for word in command]
    (tmp_path / os.fsdecode(octets)).write_bytes((EXAMPLES / "trace.itf.json").read_bytes())
    line = [sys.executable.encode(), b"-m", b"timewait", *words]
    ended = subprocess.run(line, cwd=tmp_path, capture_output=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count(b"\n")) == (2, b"", 1)
    assert b"\x1b" not in ended.stderr
    assert [each.name for each in tmp_path.iterdir()] == [os.fsdecode(octets)]


@pytest.mark.parametrize("title", ["a\nb", "a\x1b[31m", "\ud800", "\u202e", "x" * 200_000])
@pytest.mark.parametrize("form", ["svg", "png", "tex"])
def test_titles_that_do_not_print(title: str, form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A picture with one would not be well-formed, and a line break would end a comment of TeX."""
    out = tmp_path / f"a.{form}"
    words = ("diagram", "states", "--stack", "linux", "--title", title, "--out", str(out))
    code, _, err = run(capsys, *words)
    assert (code, err.count("\n"), out.exists()) == (2, 1, False)


def test_a_machine_whose_settings_have_too_long_a_name(tmp_path: Path) -> None:
    """One line."""
    with pytest.raises(HostUnreadable, match=r"cannot read .*: File name too long"):
        settings_of_file(tmp_path / ("x" * 300))


def test_a_claim_in_a_circle_of_links(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is no file."""
    path = tmp_path / "mine.py"
    path.symlink_to(path)
    code, out, err = run(capsys, "prove", str(path))
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert "Too many levels of symbolic links" in err


@contextmanager
def limited(kind: int, most: int) -> Iterator[None]:
    """Let this process have no more of a resource in the body."""
    before = resource.getrlimit(kind)
    resource.setrlimit(kind, (most, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(kind, before)


def test_no_more_open_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line that says so."""
    path = tmp_path / "rows.csv"
    path.write_text("")
    words = ("capacity", "--load", str(path))
    assert "there is no row" in run(capsys, *words)[2]
    with limited(resource.RLIMIT_NOFILE, 3):
        code, out, err = run(capsys, *words)
    assert (code, out, err) == (3, "", f"timewait: cannot read {path}: Too many open files\n")


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/some/file"), "refuses it: /some/file: Permission denied"),
        (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), "refuses it: Resource temporarily unavailable"),
        (OSError("odd"), "refuses it: odd"),
        (MemoryError(), "too little memory"),
    ],
)
def test_what_the_system_refuses_anywhere(
    problem: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line and exit code 4, whatever a command does when it happens."""

    def refused(_: object) -> None:
        raise problem

    monkeypatch.setattr("timewait.cli.glossary.glossary_command.invoke", refused)
    code, out, err = run(capsys, "glossary", "loss")
    assert (code, out, err.count("\n")) == (4, "", 1)
    assert said in err


def test_a_long_message_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    """Its beginning and its end are kept."""
    error("begin " + "x" * 100_000 + " end")
    said = capsys.readouterr().err
    assert said.startswith("timewait: begin x")
    assert said.endswith("x end\n")
    assert len(said) < LONGEST + 20
