"""The library: its names, the examples of its documentation, its results, and how little it loads."""

from __future__ import annotations

import ast
import doctest
import subprocess
import sys
from fractions import Fraction
from importlib import import_module
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import timewait
from timewait import api
from timewait.checker import itf
from timewait.checker.decide import decide
from timewait.checker.question import Question
from timewait.formats.pcapng import as_pcapng
from timewait.spec.composition import Composition

ROOT = Path(__file__).parent.parent
LOST: dict[str, Any] = {"msl": "30s", "time_wait": "59.9s", "rto": "30s", "closers": "a", "properties": ["graceful"]}
"""A TIME_WAIT that is too short by a tenth of a second."""
HEAVY = ("z3", "numba", "numpy", "networkx", "jinja2", "rich", "cvc5", "timewait.checker", "timewait.spec", "timewait.diagrams")


@pytest.fixture(scope="module")
def lost() -> timewait.CheckResult:
    """The result of the check that finds it."""
    return timewait.check(timewait.Options.of(**LOST))


class TestNames:
    """What ``import timewait`` offers."""

    def test_every_public_name_is_there(self) -> None:
        """Each is found, documented, and listed by ``dir``."""
        assert timewait.__all__ == dir(timewait) == sorted(set(timewait.__all__))
        for name in timewait.__all__:
            assert getattr(timewait, name).__doc__, name

    def test_type_checkers_see_the_same_names(self) -> None:
        """The imports for type checkers are the public names."""
        (block,) = (node for node in ast.parse(Path(timewait.__file__).read_text()).body if isinstance(node, ast.If))
        seen = {alias.asname or alias.name for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
        assert seen | {"__version__"} == set(timewait.__all__)

    def test_unknown_name(self) -> None:
        """A name that is not public is an AttributeError."""
        with pytest.raises(AttributeError, match="nonsense"):
            _ = timewait.nonsense


@pytest.mark.parametrize("name", ["timewait", "timewait.api", "timewait.options", "timewait.results"])
def test_examples(name: str) -> None:
    """The examples of the documentation print what they say."""
    failed, _ = doctest.testmod(import_module(name))
    assert failed == 0


def test_a_threshold_for_two_closers_asks_about_a_first_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither model has all runs of the other, so a value is safe only if both models prove it, as in a check."""
    asked = set()

    def recorded(question: Question, *arguments: Any) -> Any:
        assert isinstance(question.system, Composition)
        asked.add(question.system.configuration.both_close)
        return decide(question, *arguments)

    monkeypatch.setattr(api, "decide", recorded)
    found = timewait.threshold(msl="2s", rto="2s", loss=0, closers="both", properties=["graceful"])
    assert found.least == 2
    assert asked == {False, True}


class TestOptions:
    """`Options.of`."""

    def test_durations(self) -> None:
        """Text with a unit, and seconds."""
        texts = timewait.Options.of(msl="500ms", rto="1s,2s", time_wait="1m").overrides
        numbers = timewait.Options.of(msl=Fraction(1, 2), rto=[1, 2], time_wait=60).overrides
        assert texts == numbers

    def test_any(self) -> None:
        """No bound, by the word and by None."""
        assert timewait.Options.of(loss="any").overrides == timewait.Options.of(loss=None).overrides

    def test_answered(self) -> None:
        """What is answered restarts the timer."""
        options = timewait.Options.of(msl="30s", answers="fin,ack", restarts="answered")
        assert options.configuration().behaviour.restarts == {timewait.Arrival.FIN, timewait.Arrival.ACK}

    @pytest.mark.parametrize(
        ("keyword", "value", "message"),
        [
            ("msl", "soon", "soon"),
            ("msl", -1, "negative"),
            ("loss", "few", "few"),
            ("loss", 1000, "1000"),
            ("properties", ["pretty"], "pretty"),
            ("stack", "nosuch", "nosuch"),
            ("rst", "often", "often"),
            ("engine", "steam", "steam"),
            ("data", "1", "two whole numbers"),
            ("knob", 1, "knob"),
        ],
    )
    def test_nonsense(self, keyword: str, value: object, message: str) -> None:
        """A value that makes no sense is named."""
        keywords = {keyword: value}
        with pytest.raises(timewait.RequestError, match=message):
            timewait.Options.of(**keywords)  # type: ignore[arg-type]  # nonsense

    def test_assumptions(self) -> None:
        """An unknown value that matters is assumed with a warning."""
        with pytest.warns(UserWarning, match="mtcp does not say"):
            timewait.check(stack="mtcp", msl="30s", rto="30s", scope="core", properties=["fin-restarts"])

    def test_options_or_keywords(self) -> None:
        """Not both."""
        with pytest.raises(TypeError):
            timewait.check(timewait.Options.of(), msl="30s")


class TestResults:
    """What functions return."""

    def test_verdict_and_trace(self, lost: timewait.CheckResult) -> None:
        """The verdict, the answers by name, and the run."""
        assert lost.verdict is timewait.Verdict.VIOLATED
        assert lost["graceful"] is lost.answers[0]
        assert lost.trace is lost.answers[0].trace

    def test_a_notebook_shows_a_table(self, lost: timewait.CheckResult) -> None:
        """Every property with its verdict."""
        table = ElementTree.fromstring(lost._repr_html_())
        assert [cell.text for cell in table.iter("td")][:2] == ["graceful", "violated"]

    def test_a_notebook_shows_a_chart(self, lost: timewait.CheckResult) -> None:
        """The sequence chart of a run."""
        assert lost.trace is not None
        assert str(lost.trace._repr_svg_()).startswith("<svg")
        assert timewait.explain(lost.trace)._repr_svg_() == lost.trace._repr_svg_()

    def test_explanation(self, lost: timewait.CheckResult, tmp_path: Path) -> None:
        """A run and its file are explained alike."""
        assert lost.trace is not None
        file = tmp_path / "trace.itf.json"
        file.write_text(itf.as_itf_text(lost.trace))
        explained = timewait.explain(lost.trace)
        assert str(timewait.explain(file)) == str(explained)
        assert "RST" in str(explained)

    def test_capture(self, lost: timewait.CheckResult, tmp_path: Path) -> None:
        """A close in a packet capture is explained."""
        assert lost.trace is not None
        file = tmp_path / "close.pcapng"
        file.write_bytes(as_pcapng(lost.trace, "both"))
        explained = timewait.explain(file, msl=30)
        assert explained.observed is not None
        assert "RST" in str(explained)
        with pytest.raises(timewait.RequestError, match="0 connections close"):
            timewait.explain(file, connection="192.0.2.9:1-192.0.2.2:80")

    def test_threshold(self) -> None:
        """The least safe TIME_WAIT in seconds, and a run just below it."""
        found = timewait.threshold(msl="3s", rto="1s", scope="core", properties=["isolation"])
        assert found.least == 5
        assert found.trace is not None
        assert "isolation" in found._repr_html_()

    def test_unknown_claim(self) -> None:
        """A claim that does not exist is named."""
        with pytest.raises(timewait.RequestError, match="C99"):
            timewait.prove("C99")

    def test_no_certificate(self, tmp_path: Path) -> None:
        """A file that is none is a bad input file."""
        file = tmp_path / "no.smt2"
        file.write_text("(check-sat)\n")
        with pytest.raises(timewait.InputError, match="line 1"):
            timewait.certify(file)


@pytest.mark.parametrize("command", ["import timewait", "from timewait.cli.main import main; main(['--help'])"])
def test_little_is_loaded(command: str) -> None:
    """Neither the library nor the help of the command loads an engine."""
    script = f"import atexit, sys\natexit.register(lambda: print(*sys.modules, file=sys.stderr))\n{command}"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "timewait" in ran.stderr.split()
    assert not set(ran.stderr.split()) & set(HEAVY)
