"""Every way in which words outran evidence, as a kind: what a verdict and a certificate say is what was decided."""

from __future__ import annotations

from pathlib import Path

import pytest
from commands import run, run_json

SMALL = ("--msl", "2s", "--time-wait", "4s", "--rto", "2s", "--scope", "core")

COUNTED = [
    ("--fifo",),
    ("--duplication", "0"),
    ("--duplication", "1"),
    ("--fifo", "--duplication", "0"),
    ("--fifo", "--duplication", "1", "--loss", "0"),
]
"""Networks whose copies are counted or in order, which ticks alone explore."""


class TestCertificatesSayWhatTheyProve:
    """Of certificates of another configuration, of nothing, and where there is none."""

    @pytest.mark.parametrize("network", COUNTED)
    def test_no_certificate_leaves_the_verdict(
        self, network: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        """Where there are no certificates, the verdict is that without asking for one, a line says so, nothing is written."""
        asked = ("check", *SMALL, *network, "--property", "graceful", "--property", "isolation")
        code, plain, _ = run(capsys, *asked)
        path = tmp_path / "none.smt2"
        again, out, err = run(capsys, *asked, "--certificate", str(path))
        assert (again, code) == (0, 0)
        verdicts = [[line.split()[:2] for line in text.splitlines() if " PROVED " in line] for text in (plain, out)]
        assert verdicts[0] == verdicts[1] != []
        assert f"nothing to certify: {path} is not written" in err
        assert not list(tmp_path.iterdir())

    def test_a_violated_property_is_not_certified(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """The certificate speaks of the proved one alone."""
        path = tmp_path / "a.smt2"
        asked = (*SMALL[:2], "--time-wait", "3s", "--rto", "1s", "--scope", "core", "--loss", "1", "--closers", "a")
        code, out, err = run(
            capsys, "check", *asked, "--property", "graceful", "--property", "isolation", "--certificate", str(path)
        )
        assert (code, "isolation       VIOLATED" in out, "graceful, accepted" in err) == (10, True, True)
        assert run(capsys, "certify", str(path), *asked, "--property", "graceful")[0] == 0
        code, out, _ = run(capsys, "certify", str(path), *asked, "--property", "isolation")
        assert (code, "it says nothing about isolation" in out) == (40, True)

    @pytest.mark.parametrize(
        "other",
        [
            ("--loss", "2"),
            ("--time-wait", "3s"),
            ("--msl", "3s"),
            ("--rto", "1s"),
            ("--data", "0,1", "--scope", "close"),
            ("--duplication", "0"),
            ("--exact-rto",),
            ("--rst", "exact"),
            ("--answers", "any"),
            ("--restarts", "none"),
        ],
    )
    def test_another_question(self, other: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """An honest certificate proves no other question, whichever option differs."""
        path = tmp_path / "a.smt2"
        asked = (*SMALL, "--closers", "a", "--property", "isolation")
        assert run(capsys, "check", *asked, "--certificate", str(path))[0] == 0
        assert run(capsys, "certify", str(path), *asked)[0] == 0
        code, out, _ = run(capsys, "certify", str(path), *asked, *other)
        assert (code, "another configuration" in out) == (40, True), out


class TestVerdictsSayWhatWasDecided:
    """Of thresholds beside their exact border, of both closers, and of ticks."""

    @pytest.mark.parametrize(("rto", "verdict"), [("499ms", "proved"), ("500ms", "proved"), ("501ms", "violated")])
    def test_beside_the_border(self, rto: str, verdict: str, capsys: pytest.CaptureFixture[str]) -> None:
        """C17: with one octet from B and one loss, graceful needs M + 2R, at its border and beside it."""
        asked = ("--msl", "1s", "--time-wait", "2s", "--rto", rto, "--data", "0,1", "--closers", "a", "--loss", "1")
        _, data = run_json(capsys, "check", *asked, "--property", "graceful")
        assert data["verdict"] == verdict

    def test_text_in_both_directions(self, capsys: pytest.CaptureFixture[str]) -> None:
        """C11 holds with text only where acknowledgements do not restart the retransmission timer."""
        asked = ("check", "--msl", "1s", "--rto", "1s", "--time-wait", "2s", "--closers", "both", "--data", "0,1")
        assert run(capsys, *asked, "--property", "graceful")[0] == 10

    @pytest.mark.parametrize(("closers", "least"), [("a", 2), ("both", 2)])
    def test_thresholds_of_either_closer(self, closers: str, least: int, capsys: pytest.CaptureFixture[str]) -> None:
        """The least value is safe by ``check`` with the same closers, and less is not."""
        asked = ("--msl", "1s", "--rto", "1s", "--closers", closers, "--loss", "1", "--property", "graceful")
        _, data = run_json(capsys, "threshold", *asked)
        assert data["least_time_wait"] == least
        for value, code in ((f"{least}s", 0), (f"{1000 * least - 1}ms", 10)):
            assert run(capsys, "check", *asked, "--time-wait", value)[0] == code

    @pytest.mark.parametrize("network", COUNTED[:3])
    def test_the_tick_is_named(self, network: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
        """Where ticks are counted, the first line says how long one is."""
        _, out, _ = run(capsys, "check", *SMALL, *network, "--property", "isolation")
        assert "ticks of 2s" in " ".join(out.split("\n\n")[0].split())

    @pytest.mark.parametrize(
        ("option", "words"),
        [
            (("--fifo",), "in order"),
            (("--exact-rto",), "exactly"),
            (("--data", "0,1", "--scope", "close"), "0,1"),
            (("--restarts", "none"), "restart"),
            (("--rst", "exact"), "--rst exact"),
            (("--retries", "2"), "2"),
        ],
    )
    def test_the_first_line_names_it(self, option: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]) -> None:
        """Whatever differs from the stack is part of the line that heads the verdict."""
        begins = ("check", *SMALL, "--max-states", "1", "--property", "graceful")
        (plain, _), (other, _) = (run(capsys, *begins, *extra)[1].split("\n\n", 1) for extra in ((), option))
        assert other != plain
        assert words in " ".join(other.split())


@pytest.mark.parametrize(("data", "least"), [("0,0", 4), ("0,2", 6)])
def test_text_of_the_second_closer_needs_more(data: str, least: int, capsys: pytest.CaptureFixture[str]) -> None:
    """max(2 MSL, k RTO + MSL) bounds a close without text; the page on ways around states the other bound, 2 MSL + k RTO."""
    asked = ("--msl", "2s", "--rto", "1s", "--loss", "2", "--closers", "a", "--data", data, "--property", "graceful")
    _, found = run_json(capsys, "threshold", *asked)
    assert found["least_time_wait"] == least
    page = (Path(__file__).parent.parent / "docs" / "why" / "ways-around.md").read_text(encoding="utf-8")
    assert "If the end that closes second sends data, that is **not** enough" in page
