"""A folder with the sample's profile, and files of expectations about it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from timewait.formats.source_locations import WORKSPACE

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "examples" / "stack"
CORE = '[options]\nclosers = "a"\nscope = "core"\n'
"""Options of questions that take a tenth of a second."""


def folder_with_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The sample's profile in a folder of its own, which is the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(WORKSPACE, raising=False)
    shutil.copy(SAMPLE / "tiny.toml", tmp_path)
    return tmp_path


def ask(folder: Path, questions: str) -> None:
    """Write a file of expectations about the sample's profile."""
    (folder / "timewait.toml").write_text(f'stacks = ["tiny.toml"]\n{CORE}{questions}', encoding="utf-8")


def change(folder: Path, key: str, value: str) -> int:
    """Change a value of the sample's profile; returns its line."""
    text = (folder / "tiny.toml").read_text(encoding="utf-8")
    changed, count = re.subn(rf"(?<=\[{key}\]\nvalue = ).*", value, text)
    assert count == 1
    (folder / "tiny.toml").write_text(changed, encoding="utf-8")
    return changed.split("\n").index(f"[{key}]") + 2


def question(expect: str, *more: str) -> str:
    """A question."""
    return "\n".join(("[[question]]", 'name = "q"', expect, *more, ""))
