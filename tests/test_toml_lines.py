"""The line of a value in TOML."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from importlib import resources
from random import Random

import pytest

from timewait.formats.toml_lines import line_of
from timewait.spec.stacks import load_stack, stack_names


class TestLines:
    """The line of a value in TOML."""

    @pytest.mark.parametrize("name", stack_names())
    def test_of_profiles(self, name: str) -> None:
        """Every value of every profile of the package."""
        text = (resources.files("timewait.spec") / "stacks" / f"{name}.toml").read_text(encoding="utf-8")
        lines = text.split("\n")
        for key in load_stack(name).sources:
            line = line_of(text, (key, "value"))
            assert lines[line - 1].startswith("value = ")
            assert lines[line - 2] == f"[{key}]"

    def test_however_it_is_written(self) -> None:
        """In any order of keys, with each way that TOML has to write a table, comments and texts of several lines."""
        rng = Random(7)
        for _ in range(100):
            parts: list[tuple[list[str], int]] = []
            for number in range(rng.randint(1, 6)):
                parts.append(rng.choice(WAYS)(f"k{number}"))
            lines: list[str] = []
            expected = {}
            for number, (written, offset) in enumerate(parts):
                expected[f"k{number}"] = len(lines) + offset + 1
                lines += written
            text = "\n".join(lines)
            assert {key: line_of(text, (key, "value")) for key in tomllib.loads(text)} == expected

    def test_of_what_is_not_there(self) -> None:
        """An error."""
        for path in (("a",), ("b", "value"), ("c", 2), ("c", "value")):
            with pytest.raises(KeyError):
                line_of("b = 1\nc = [1, 2]\n", path)


WAYS: tuple[Callable[[str], tuple[list[str], int]], ...] = (
    lambda key: ([f"[{key}]", "value = 1", 'source = "x"'], 1),
    lambda key: ([f"[{key}]", 'source = """', "[other]", 'value = 3"""', "", "# value = 2", "value = 1"], 6),
    lambda key: ([f"[{key}]", "value = [", "  1,", "]"], 1),
    lambda key: ([f"[ {key} ]", "'value' = 1"], 1),
)
"""Ways to write a table with a value: its lines, and the number of the one on which the value begins."""
