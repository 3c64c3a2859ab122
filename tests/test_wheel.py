"""The wheel: it owns one top-level name, holds every module and file, and works beside packages of other names."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import timewait

ROOT = Path(__file__).parent.parent
FOLDERS = ("spec", "checker", "proofs", "diagrams", "timewait")
PAGES = {"timewait/reference/glossary.md", *(f"timewait/questions/{page.name}" for page in (ROOT / "docs/questions").iterdir())}
NEEDED = 77
"""The version of setuptools that pyproject.toml requires."""

pytestmark = pytest.mark.skipif(
    int(version("setuptools").split(".")[0]) < NEEDED, reason=f"needs setuptools {NEEDED} to build a wheel"
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy of the tree, since a build leaves files in it."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, source / folder, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in ("questions", "reference"):
        shutil.copytree(ROOT / "docs" / folder, source / "docs" / folder)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / file, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(target),
        ".",
    ]
    subprocess.run(command, cwd=source, check=True)
    (built,) = target.glob("*.whl")
    return built


def test_one_name(wheel: Path) -> None:
    """Installed, the distribution owns ``timewait`` and nothing else."""
    tops = {Path(name).parts[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"timewait", f"timewait-{timewait.__version__}.dist-info"}


def test_pages_are_in_it(wheel: Path) -> None:
    """Those that ``timewait glossary`` and ``timewait help`` read, and no other."""
    assert {name for name in zipfile.ZipFile(wheel).namelist() if name.endswith(".md")} == PAGES


def test_everything_is_in_it(wheel: Path) -> None:
    """Every module of the tree, and every file that the package reads."""
    files = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts and not any(map(Path.is_symlink, path.parents))]
    expected = {str(path.relative_to(ROOT)) for path in files}
    names = {name if name.startswith("timewait/") else f"timewait/{name}" for name in expected}
    names |= PAGES
    assert {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name} == names


def test_it_works_beside_others(wheel: Path, tmp_path: Path) -> None:
    """In a folder that holds somebody else's ``spec``, ``checker``, ``proofs`` and ``diagrams``."""
    installed, here = tmp_path / "installed", tmp_path / "here"
    zipfile.ZipFile(wheel).extractall(installed)
    for name in ("spec", "proofs", "diagrams"):
        (here / name).mkdir(parents=True)
        (here / name / "__init__.py").write_text("raise ImportError('not the one of timewait')\n")
    (here / "checker.py").write_text("raise ImportError('not the one of timewait')\n")
    for command, printed in ((["--version"], timewait.__version__), (["diagram", "states", "--stack", "linux"], "TIME_WAIT")):
        ran = subprocess.run(
            [sys.executable, "-m", "timewait", *command],
            cwd=here,
            env={"PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert printed in ran.stdout
