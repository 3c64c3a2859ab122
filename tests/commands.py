"""Run the command line inside the test process."""

from __future__ import annotations

import json
from typing import Any

import pytest

from timewait.cli.main import main


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run ``timewait`` with some arguments.

    Returns
    -------
    (int, str, str)
        The exit code, standard output and standard error.
    """
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    printed = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, printed.out, printed.err


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Run ``timewait`` with ``--json``; returns the exit code and the object printed."""
    code, out, _ = run(capsys, *arguments, "--json")
    data = json.loads(out)
    assert isinstance(data, dict)
    return code, data
