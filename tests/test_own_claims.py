"""``prove my_claim.py``: claims in a file of the user."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import run

from timewait.proofs.claim_files import load_claims, registered
from timewait.proofs.claims import CLAIMS
from timewait.vocabulary.errors import InputError, RequestError

CLAIM = """\
from __future__ import annotations
from timewait.checker.verdict import Verdict
from timewait.proofs.claim import claim
from timewait.proofs.claims import core
from timewait.proofs.evidence import at, for_every_duration


@claim("Mine-1", "a core with 2 MSL is graceful, one with 1 s is not", "design, 3", Verdict.PROVED)
def mine():
    yield at("long", core(2, 4, 1, 1), "graceful", Verdict.PROVED)
    yield at("short", core(2, 1, 1, 1), "graceful", Verdict.VIOLATED)
"""


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file with a claim; the registry is restored after the test."""
    monkeypatch.chdir(tmp_path)
    before = dict(CLAIMS)
    path = tmp_path / "my_claim.py"
    path.write_text(CLAIM, encoding="utf-8")
    yield path
    CLAIMS.clear()
    CLAIMS.update(before)


def prove(file: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run the command for the file."""
    return run(capsys, "prove", file.name, "--jobs", "1", *arguments)


@pytest.mark.slow
class TestDecided:
    """The claim is decided in a process of its own."""

    def test_as_expected(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """With the reports of every claim, at the line of the user's file; nothing is written beside it."""
        code, out, _ = prove(file, capsys, "--sarif", "a.sarif", "--out", "out")
        assert code == 0
        assert out.endswith("1 of 1 as expected\n")
        assert sorted(path.name for path in file.parent.iterdir()) == ["a.sarif", "my_claim.py", "out"]
        assert [path.name for path in (file.parent / "out").iterdir()] == ["Mine-1.2.itf.json"]
        (found,) = json.loads((file.parent / "a.sarif").read_text(encoding="utf-8"))["runs"]
        place = found["results"][0]["locations"][0]["physicalLocation"]
        assert place["artifactLocation"] == {"uri": "my_claim.py", "uriBaseId": "%SRCROOT%"}
        assert "@claim" in CLAIM.splitlines()[place["region"]["startLine"] - 1]

    def test_a_surprise_fails(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """As for a claim of the project."""
        file.write_text(CLAIM.replace("4, 1, 1)", "1, 1, 1)"), encoding="utf-8")
        code, out, _ = prove(file, capsys)
        assert code == 10
        assert "0 of 1 as expected" in out

    @pytest.mark.parametrize(
        ("yields", "code", "said"),
        [
            ("yield 1 / 0", 3, "line 10: ZeroDivisionError: division by zero"),
            ("yield 3", 3, "claim Mine-1 yields int, which is no evidence"),
            ("return [1]", 3, "the function of claim Mine-1 must yield evidence"),
            ("import sys; yield sys.exit(0)", 3, "line 10: SystemExit"),
            ("import os; yield os._exit(0)", 3, "ended without an answer"),
            ("yield at('x', core(2, 4, 1, 1), 'gracious', Verdict.PROVED)", 3, "line 10: KeyError"),
            ("return; yield", 30, ""),
        ],
    )
    def test_an_error_while_it_is_decided(
        self, yields: str, code: int, said: str, file: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """One line; no evidence is vacuous. Nothing of it passes."""
        head = CLAIM[: CLAIM.index("    yield")]
        file.write_text(f"{head}    {yields}\n", encoding="utf-8")
        found, _, err = prove(file, capsys)
        assert found == code
        assert said in err
        assert "Traceback" not in err


WRONG = {
    "": "registers no claim",
    "x = (": "line 1: SyntaxError",
    "import nowhere": "line 1: ModuleNotFoundError: No module named 'nowhere'",
    "\n\nraise ValueError('first\\nsecond')": "line 3: ValueError: first second",
    "import sys\nsys.exit(0)": "line 2: SystemExit",
    CLAIM.replace("Mine-1", "C1"): "there is a claim C1 already",
    CLAIM.replace("Mine-1", "../out"): "is no name of a claim",
    CLAIM.replace('"design, 3", ', ""): "line 8: TypeError",
}


class TestBadFiles:
    """Each is one clear line, and leaves the registry of claims as it was."""

    @pytest.mark.parametrize("text", WRONG)
    def test_one_line(self, text: str, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Before any claim is decided."""
        before = dict(CLAIMS)
        file.write_text(text, encoding="utf-8")
        code, out, err = prove(file, capsys)
        assert (code, out, err.count("\n")) == (3, "", 1)
        assert err.startswith("timewait: my_claim.py: ")
        assert WRONG[text] in err
        assert before == CLAIMS

    def test_no_file(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """And a word that is neither a file nor a claim."""
        assert run(capsys, "prove", str(file.parent / "nowhere.py"))[0] == 3
        code, _, err = run(capsys, "prove", "C99")
        assert code == 2
        assert "a file of your own ends in .py" in err


def test_loaded(file: Path) -> None:
    """By the name that it gives; again after a change; beside claims of the project."""
    assert registered(["c2", file.name, "C2"]) == ("C2", "Mine-1")
    assert CLAIMS["Mine-1"].file == file.resolve()
    file.write_text(CLAIM.replace("Mine-1", "Mine-2"), encoding="utf-8")
    assert load_claims(file) == ("Mine-2",)
    assert "Mine-1" not in CLAIMS
    with pytest.raises(RequestError):
        registered(["Mine-1"])


def test_helpers_beside_it(file: Path) -> None:
    """A claim may import a module of its folder."""
    (file.parent / "own_helper_of_claims.py").write_text("STATEMENT = 'so it is'\n", encoding="utf-8")
    text = CLAIM.replace("from timewait.checker", "from own_helper_of_claims import STATEMENT\nfrom timewait.checker", 1)
    file.write_text(text.replace('"a core with 2 MSL is graceful, one with 1 s is not"', "STATEMENT"), encoding="utf-8")
    load_claims(file)
    assert CLAIMS["Mine-1"].statement == "so it is"


def test_a_directory(file: Path) -> None:
    """Is no file."""
    with pytest.raises(InputError, match="cannot be read"):
        load_claims(file.parent)
