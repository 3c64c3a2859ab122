"""The list of long tests names tests that exist."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from conftest import LONG

HERE = Path(__file__).parent


@pytest.mark.parametrize("file", LONG)
def test_each_name_is_a_test(file: str) -> None:
    """Every name on the list is the name of a test of its file."""
    tree = ast.parse((HERE / file).read_text())
    found = [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert not [name for name in LONG[file] if not any(other.startswith(name) for other in found)]
