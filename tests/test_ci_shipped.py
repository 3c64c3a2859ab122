"""What other repositories use: the action, the templates, the image, and the sample that uses them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from commands import run

from timewait.cli.main import COMMANDS, cli

ROOT = Path(__file__).parent.parent
SAMPLE = ROOT / "examples" / "stack"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read_yaml(path: Path) -> list[Any]:
    """The documents of a file."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


def check_command_line(line: str) -> None:
    """The command and every option of a command line exist."""
    program, name, *words = line.split()
    assert program in PROJECT["scripts"]
    assert name in COMMANDS
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    known = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= known


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The sample, as a repository of its own."""
    shutil.copytree(SAMPLE, tmp_path / "sample")
    (tmp_path / "sample" / ".git").mkdir()
    return tmp_path / "sample"


class TestAction:
    """The composite action, its steps carried out as GitHub does."""

    ACTION = read_yaml(ROOT / "action.yml")[0]

    def carried_out(self, repository: Path, **given: str) -> subprocess.CompletedProcess[str]:
        """The step that decides, with the inputs of the action; the step that installs is that of any installation."""
        inputs = {name: str(about["default"]) for name, about in self.ACTION["inputs"].items()} | given
        step = self.ACTION["runs"]["steps"][-1]
        assert step["shell"] == "bash"
        programs = repository.parent / "programs"
        programs.mkdir(exist_ok=True)
        program = programs / "timewait"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m timewait "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        environment = {
            **os.environ,
            **{
                name: re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda found: inputs[found[1]], value)
                for name, value in step["env"].items()
            },
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "GITHUB_WORKSPACE": str(repository),
            "GITHUB_STEP_SUMMARY": str(repository.parent / "summary.md"),
        }
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=repository,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    @pytest.mark.slow
    def test_the_sample_passes(self, repository: Path) -> None:
        """Without an annotation; its reports are written."""
        done = self.carried_out(repository)
        assert (done.returncode, done.stderr) == (0, "")
        assert "5 of 5 answers as expected" in done.stdout
        assert "::" not in done.stdout
        assert {"timewait.sarif", "timewait.xml"} <= {path.name for path in repository.iterdir()}

    @pytest.mark.slow
    def test_a_changed_value_fails(self, repository: Path) -> None:
        """With annotations on the line of that value, and a summary."""
        text = (repository / "tiny.toml").read_text(encoding="utf-8").replace('"2 * msl"', '"3s"')
        (repository / "tiny.toml").write_text(text, encoding="utf-8")
        line = text.split("\n").index("[time_wait]") + 2
        done = self.carried_out(repository)
        assert done.returncode == 10
        annotations = [row for row in done.stdout.splitlines() if row.startswith("::")]
        assert annotations
        assert all(row.startswith(f"::error file=tiny.toml,line={line},") for row in annotations)
        assert "```mermaid" in (repository.parent / "summary.md").read_text(encoding="utf-8")

    def test_inputs_are_not_part_of_a_script(self) -> None:
        """They reach it as variables, so that no input can be a command."""
        for step in self.ACTION["runs"]["steps"]:
            assert "${{" not in step.get("run", "")
            assert ("run" in step) == ("shell" in step)

    def test_another_file(self, repository: Path) -> None:
        """An input replaces its default; a file that is missing fails the step."""
        done = self.carried_out(repository, file="a b; touch c.toml")
        assert done.returncode == 3
        assert "a b; touch c.toml: cannot be read" in done.stderr
        assert not (repository / "c.toml").exists()

    def test_it_installs_the_repository(self) -> None:
        """The folder of the action, which holds the project; and the commands exist."""
        install, decide = (step["run"] for step in self.ACTION["runs"]["steps"] if "run" in step)
        assert install == 'python -m pip install --quiet "$GITHUB_ACTION_PATH"'
        assert (ROOT / "pyproject.toml").exists()
        check_command_line(decide.replace('"', ""))
        minor = int(str(self.ACTION["inputs"]["python-version"]["default"]).split(".")[1])
        assert minor >= int(PROJECT["requires-python"].rpartition(".")[2])


class TestOtherTemplates:
    """GitLab, pre-commit and the sample's own files."""

    def test_gitlab(self) -> None:
        """Inputs are stated and used, commands exist, and the report is written where it is read."""
        header, jobs = read_yaml(ROOT / "templates" / "timewait.yml")
        text = (ROOT / "templates" / "timewait.yml").read_text(encoding="utf-8")
        assert set(re.findall(r"\$\[\[ inputs\.(\w+) \]\]", text)) == set(header["spec"]["inputs"])
        job = jobs["timewait"]
        check_command_line(job["script"][-1].replace('"', ""))
        assert f"--junit {job['artifacts']['reports']['junit']}" in job["script"][-1]
        assert not any("[[" in line for line in job["script"])
        assert set(read_yaml(SAMPLE / ".gitlab-ci.yml")[0]["include"][0]["inputs"]) <= set(header["spec"]["inputs"])

    def test_pre_commit(self) -> None:
        """The hook's command exists, and the sample names the hook; it runs for a profile and for the questions."""
        ((hook,),) = read_yaml(ROOT / ".pre-commit-hooks.yaml")
        check_command_line(hook["entry"])
        assert not hook["pass_filenames"]
        assert all(re.search(hook["files"], name) for name in ("timewait.toml", "tcp/tiny.toml"))
        (sample,) = read_yaml(SAMPLE / ".pre-commit-config.yaml")
        assert [each["id"] for each in sample["repos"][0]["hooks"]] == [hook["id"]]

    def test_workflow_of_the_sample(self) -> None:
        """It uses the action with inputs that there are, and uploads the file that the action writes."""
        (workflow,) = read_yaml(SAMPLE / ".github" / "workflows" / "close.yml")
        _, use, upload = workflow["jobs"]["close"]["steps"]
        inputs = TestAction.ACTION["inputs"]
        assert set(use["with"]) <= set(inputs)
        assert upload["with"]["sarif_file"] == inputs["sarif"]["default"]
        assert upload["if"] == "always()"

    def test_the_page_shows_the_workflow_of_the_sample(self) -> None:
        """Word for word."""
        assert (SAMPLE / ".github" / "workflows" / "close.yml").read_text(encoding="utf-8") in (
            ROOT / "docs" / "how-to" / "ci.md"
        ).read_text(encoding="utf-8")


class TestImage:
    """The Dockerfile."""

    LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    STEPS = tuple(line.split(maxsplit=1) for line in LINES if line and not line.startswith("#"))

    def last(self, instruction: str) -> str:
        """The last argument of an instruction."""
        return [rest for name, rest in self.STEPS if name == instruction][-1]

    def test_it_is_slim_and_not_root(self) -> None:
        """The user that runs the command is made before."""
        assert all(rest.split()[0].endswith("-slim") for name, rest in self.STEPS if name == "FROM")
        assert f"useradd --uid 10001 --create-home {self.last('USER')}" in self.last("RUN")
        assert self.last("USER") not in ("root", "0")
        assert [name for name, _ in self.STEPS].index("USER") > max(i for i, step in enumerate(self.STEPS) if step[0] == "RUN")

    def test_its_command_exists(self) -> None:
        """And the extra that it installs."""
        entry, command = (yaml.safe_load(self.last(name)) for name in ("ENTRYPOINT", "CMD"))
        check_command_line(" ".join([*entry, *command]))
        (extra,) = re.findall(r"\[(\w+)\]\"", self.last("RUN"))
        assert extra in PROJECT["optional-dependencies"]

    def test_what_it_copies_is_not_ignored(self) -> None:
        """No folder of the distribution is left out of the build."""
        ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
        assert not {"spec", "checker", "proofs", "diagrams", "docs", "timewait", "*"} & set(ignored)

    @pytest.mark.slow
    @pytest.mark.skipif(subprocess.run(["sh", "-c", "docker info"], capture_output=True).returncode != 0, reason="no docker")
    def test_it_is_built_and_decides_the_sample(self) -> None:
        """As the page says."""
        subprocess.run(["docker", "build", "--quiet", "--tag", "timewait-test", str(ROOT)], check=True)
        mounted = f"{SAMPLE}:/stack:ro"
        done = subprocess.run(
            ["docker", "run", "--rm", "-v", mounted, "timewait-test"], check=False, capture_output=True, text=True
        )
        assert done.returncode == 0
        assert "5 of 5 answers as expected" in done.stdout


def test_the_sample(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """All of its verdicts are as expected, and nothing is assumed."""
    monkeypatch.chdir(SAMPLE)
    code, out, err = run(capsys, "ci")
    assert (code, err) == (0, "")
    assert out.endswith("5 of 5 answers as expected\n")
