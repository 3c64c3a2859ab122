"""Directives that insert what ``timewait prove`` found, the profiles of stacks, and links to review pages."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from live.evidence import RECORD, RecordedAnswer, answers, download, folder_of, shortest
from live.reviews import address, slug
from live.tables import code, plain, table
from timewait.checker.verdict import Verdict
from timewait.cli.figures import DRAWN_AGAINST, can_be_drawn
from timewait.proofs.claims import CLAIMS
from timewait.spec.settings import PROFILE_KEYS
from timewait.spec.stacks import load_stack, stack_names

HEADS = ("", "question", "verdict", "engine", "detail", "evidence")
"""The heads of the answers for a claim."""

MOST_ROWS = 12
"""The most rows of a table that a page shows at once."""


class Generated(SphinxDirective):
    """Insert Markdown that the code determines."""

    has_content = True
    optional_arguments = 1

    def markdown(self, folder: Path) -> str:
        """The Markdown; `folder` is the one with the evidence."""
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        """The nodes in place of the directive."""
        folder = folder_of(self.env.app)
        self.env.note_dependency(str(folder / RECORD))
        self.env.note_reread()
        return self.parse_text_to_nodes(self.markdown(folder), allow_section_headings=True)


class EvidenceFor(Generated):
    """The statement of a claim, its result and its evidence."""

    required_arguments = 1
    optional_arguments = 0

    def markdown(self, folder: Path) -> str:
        """The statement as a quotation, the result, and a row for each answer."""
        name = self.arguments[0]
        claim, found = CLAIMS[name], answers(folder, name)
        statement = plain(claim.statement[0].upper() + claim.statement[1:])
        rows = [self._row(name, number, answer, shortest(found)) for number, answer in enumerate(found, start=1)]
        heads, kept = without_empty_columns(HEADS, rows)
        parts = [f"> **{name}.** {statement}. ({claim.section})", f"**Result**: {result(name, found)}; {counted(found)}."]
        return "\n\n".join([*parts, folded(f"The {len(rows)} answers", table(heads, kept), len(rows))])

    def _row(self, name: str, number: int, answer: RecordedAnswer, reviewed: RecordedAnswer | None) -> tuple[str, ...]:
        docname = self.env.docname
        parts = [] if answer.certificate is None else [f"<a href='{download(answer.certificate, docname)}'>certificate</a>"]
        if answer.trace is not None:
            parts.append(f"<a href='{download(answer.trace, docname)}'>{answer.steps} steps</a>")
            if answer is reviewed:
                parts.append(f"<a href='{address(f'{name}.{number}', docname)}'>review</a>")
        detail = "one schedule with delays as terms" if answer.detail.startswith("schedule ") else answer.detail
        detail = "" if detail.endswith(" steps") else plain(detail)
        question = plain(answer.label.removeprefix(f"{name}: "))
        return f"{name}.{number}", question, f"**{answer.verdict}**", answer.engine, detail, ", ".join(parts)


def without_empty_columns(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]]]:
    """A table without the columns in which every cell is empty."""
    kept = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    return [heads[place] for place in kept], [[row[place] for place in kept] for row in rows]


def folded(title: str, text: str, rows: int) -> str:
    """A table of many rows below a title that opens it; a short one as it is."""
    return text if rows <= MOST_ROWS else f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def result(name: str, found: list[RecordedAnswer]) -> str:
    """The result of a claim in words."""
    verdicts = Counter(answer.verdict for answer in found)
    for_all = any(answer.certificate is not None for answer in found)
    families = any(answer.engine.startswith("family") for answer in found)
    if verdicts["proved"] and verdicts["violated"] and for_all and families:
        return "shown from both sides, for all values"
    if CLAIMS[name].expected is Verdict.PROVED:
        return ("proved for all values" if for_all else "proved at given values") + (
            ", with counterexamples for the opposite case" if verdicts["violated"] else ""
        )
    return ("counterexamples for all values" if families else "counterexample") + (
        ", with a proof for the fix" if verdicts["proved"] else ""
    )


def counted(found: list[RecordedAnswer]) -> str:
    """The number of answers, certificates and counterexamples in words."""
    certificates = sum(answer.certificate is not None for answer in found)
    traces = sum(answer.trace is not None for answer in found)
    parts = [f"{len(found)} answers"]
    if certificates:
        parts.append(f"{certificates} certificate{'s' * (certificates > 1)} accepted by Z3 and cvc5")
    if traces:
        parts.append(f"{traces} replayed counterexample{'s' * (traces > 1)}")
    return ", ".join(parts)


class Engines(Generated):
    """The number of answers of each engine, and the claims for which it decided something."""

    def markdown(self, folder: Path) -> str:
        """A row for each engine."""
        counts = {name: Counter(answer.engine for answer in answers(folder, name)) for name in CLAIMS}
        total: Counter[str] = sum(counts.values(), Counter())
        rows = [
            (engine, str(total[engine]), ", ".join(name for name in CLAIMS if counts[name][engine])) for engine in sorted(total)
        ]
        return table(("engine", "answers", "claims"), rows)


class Stacks(Generated):
    """A section for each stack, with the source of every value."""

    def markdown(self, folder: Path) -> str:
        """The sections."""
        del folder
        return "\n\n".join(map(self._section, stack_names()))

    def _section(self, name: str) -> str:
        stack = load_stack(name)
        rows = []
        for key in PROFILE_KEYS:
            source = stack.sources.get(key)
            rows.append((code(key), stack.described(key), plain(f"{source.where} ({source.evidence})") if source else ""))
        values = table(("key", "value", "source (evidence)"), rows)
        parts = [
            f"## {stack.title}",
            plain(" ".join(stack.note.split())),
            folded("Every value with its source", values, len(rows)),
        ]
        if name != DRAWN_AGAINST and can_be_drawn(stack):
            picture = f"```{{picture}} difference-{name}\n```"
            parts.append(folded(f"What it does otherwise than {load_stack(DRAWN_AGAINST).title}", picture, MOST_ROWS + 1))
        return "\n\n".join(filter(None, parts))


class Review(SphinxDirective):
    """A link to the review page that the command in its content writes."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """The command and the link; `write_reviews` writes the page."""
        command = " ".join(self.content)
        requested = getattr(self.env, "timewait_reviews", {})
        self.env.timewait_reviews = requested | {slug(command): command}  # type: ignore[attr-defined] # Sphinx's convention
        page = address(slug(command), self.env.docname)
        return self.parse_text_to_nodes(f"```sh\n{command}\n```\n\n<a href='{page}'>The page that this command writes.</a>")
