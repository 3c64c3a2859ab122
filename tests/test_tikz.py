"""Pictures as TikZ: complete, well formed, and accepted by LaTeX where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from commands import run
from random_runs import random_run
from runs import EVERY, trace

from timewait.cli.figures import can_be_drawn, difference_picture, states_of
from timewait.diagrams.box_sizes import note_columns
from timewait.diagrams.chart import WHOLE
from timewait.diagrams.chart_layout import chart_of
from timewait.diagrams.figure import Figure, plain_text
from timewait.diagrams.tikz import escaped, figure_as_tikz, trace_as_tikz
from timewait.narration.timeline import transits
from timewait.spec.stacks import load_stack, stack_names

STATEMENT = re.compile(r"\\(?:node|draw|fill)\[.*;")
SEEDS = range(16)

DOCUMENT = r"""\documentclass{article}
\usepackage[paperwidth=1200pt,paperheight=2000pt,margin=10pt]{geometry}
\usepackage[T1]{fontenc}
\usepackage{tikz}
\usetikzlibrary{arrows.meta}
\begin{document}
%s
\end{document}
"""


def body(tikz: str) -> list[str]:
    """The statements of a picture; fails where a line is none."""
    lines = tikz.splitlines()
    assert lines[1].startswith("% needs")
    begin, end = (next(place for place, line in enumerate(lines) if line.startswith(word)) for word in (r"\begin", r"\end"))
    assert all(re.fullmatch(r"\\definecolor\{tw[A-Z]\}\{HTML\}\{[0-9A-F]{6}\}", line) for line in lines[2:begin])
    assert end == len(lines) - 1
    return [line.strip() for line in lines[begin + 1 : end]]


def well_formed(tikz: str) -> None:
    """Every line is a statement with balanced brackets, and names colours that are defined."""
    for statement in body(tikz):
        assert STATEMENT.fullmatch(statement), statement
        bare = re.sub(r"\\[{}]", "", statement)
        for opening, closing in ("{}", "[]", "()"):
            if opening == "{":
                assert bare.count(opening) == bare.count(closing), statement
        text = re.sub(r"\\[&%$#_{}]", "", statement)
        assert not re.search(r"[&%$#_^~]", text), statement
    defined = {*re.findall(r"\\definecolor\{(tw[A-Z])\}", tikz)}
    assert {*re.findall(r"\btw[A-Z]\b", "\n".join(body(tikz)))} == defined


def figures() -> dict[str, Figure]:
    """The state diagram of every stack that can be drawn, and its differences from RFC 9293."""
    found = {}
    for name in stack_names():
        if can_be_drawn(load_stack(name)):
            found[name] = states_of(name, whole=True)
            found[f"difference {name}"] = difference_picture(name, "rfc9293", whole=False)
    return found


class TestTikz:
    """Runs and figures."""

    @pytest.mark.parametrize("kind", ["runs", "generated"])
    def test_a_run_is_complete(self, kind: str) -> None:
        """A named node for each step, an arrow for each arrival, and every label."""
        for one in map(trace, EVERY) if kind == "runs" else map(random_run, SEEDS):
            tikz = trace_as_tikz(one)
            well_formed(tikz)
            assert [int(number) for number in re.findall(r"\(step-(\d+)\)", tikz)] == [step.number for step in one.steps]
            assert tikz.count(", ->]") == sum(transit.arrives is not None for transit in transits(one))
            assert all(escaped(label.text) in tikz for label in chart_of(one, WHOLE).labels)

    @pytest.mark.slow
    def test_figures_are_complete(self) -> None:
        """Of every stack: a named node for each box, an arrow for each arrow, and every text."""
        for figure in figures().values():
            complete(figure)

    def test_a_figure_is_complete(self) -> None:
        """Of one stack."""
        complete(difference_picture("linux", "rfc9293", whole=False))

    def test_nothing_is_interpreted(self) -> None:
        """Characters that mean something in LaTeX are written so that they do not."""
        assert escaped("50% of A_B & C#1 {x} ~ ^ \\ $ --rto <>") == (
            r"50\% of A\_B \& C\#1 \{x\} \(\sim\) \textasciicircum{} \textbackslash{} \$"
            r" -{}-rto \textless{}\textgreater{}"
        )

    def test_the_command(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A file that ends in .tex."""
        file = tmp_path / "close.tex"
        assert run(capsys, "run", "--scenario", "clean-close", "--out", str(file))[0] == 0
        assert file.read_text(encoding="utf-8") == trace_as_tikz(trace("clean-close"))

    @pytest.mark.slow
    @pytest.mark.skipif(
        shutil.which("pdflatex") is None, reason="pdflatex is not there; texlive-pictures and texlive-latex-base have it"
    )
    def test_latex_accepts_it(self, tmp_path: Path) -> None:
        """Every run, runs by generation, and the figures of every stack, in one document."""
        pictures = [*map(trace_as_tikz, map(trace, EVERY)), *map(trace_as_tikz, map(random_run, range(8)))]
        pictures += map(figure_as_tikz, figures().values())
        (tmp_path / "all.tex").write_text(DOCUMENT % "\n\\newpage\n".join(pictures), encoding="utf-8")
        done = subprocess.run(
            ["pdflatex", "-draftmode", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout[-2000:]
        assert f"[{len(pictures)}]" in done.stdout.replace("\n", "")


def complete(figure: Figure) -> None:
    """Fail where a box, an arrow or a text of a figure is missing."""
    tikz = figure_as_tikz(figure)
    well_formed(tikz)
    assert tikz.count(", ->]") == len(figure.arrows)
    texts = [*figure.caption, *(text for arrow in figure.arrows for text in arrow.label)]
    texts += [column for note in figure.notes for column in note_columns(note)]
    texts += [cell for box in figure.boxes for row in box.rows for cell in row.cells]
    plain = re.sub(r"\\text(?:bf|it)\{((?:[^{}]|\\[{}]|\{\})*)\}", r"\1", tikz)
    plain = re.sub(r"\\textcolor\{tw[A-Z]\}\{((?:[^{}]|\\[{}]|\{\})*)\}", r"\1", plain)
    for text in texts:
        assert escaped(plain_text(text)) in plain, plain_text(text)
    for box in figure.boxes:
        assert f"({re.sub(r'[^A-Za-z0-9]', '-', box.name)})" in tikz
