"""The directive ``generated``: Markdown that is made from the code, in the place where it stands."""

from __future__ import annotations

from collections.abc import Callable

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from live import api, claims, schema, stacks, tables
from live.evidence import RECORD, folder_of

Maker = Callable[[SphinxDirective, list[str]], str]

MAKERS: dict[str, Maker] = {
    "api": lambda _, given: api.package(*given),
    "claim": lambda page, given: claims.claim(given[0], folder_of(page.env.app)),
    "evidence": lambda page, given: claims.evidence(given[0], folder_of(page.env.app)),
    "claims": lambda page, _: claims.summary(folder_of(page.env.app)),
    "engines": lambda page, _: claims.engines(folder_of(page.env.app)),
    "exit-codes": lambda *_: tables.exit_codes(),
    "settings": lambda *_: tables.settings(),
    "needed": lambda *_: tables.needed(),
    "words": lambda _, given: tables.words_of(*given),
    "meaning": lambda _, given: tables.meaning(*given),
    "properties": lambda *_: tables.properties(),
    "rules": lambda *_: tables.rules(),
    "schema": lambda *_: schema.tables(),
    "stacks": lambda *_: stacks.summary(),
    "stack-evidence": lambda *_: stacks.evidence(),
    "every-stack": lambda *_: stacks.sections(),
    "state": lambda _, given: tables.state(*given),
    "verdicts": lambda *_: tables.verdicts(),
}
"""What can be made, by name."""


class Generated(SphinxDirective):
    """Put in what is made from the code: its name, and what it is about."""

    required_arguments = 1
    optional_arguments = 1
    final_argument_whitespace = True
    option_spec = {"class": directives.class_option}  # noqa: RUF012 - the type that docutils declares

    def run(self) -> list[nodes.Node]:
        """The nodes that stand in its place."""
        name, given = self.arguments[0], " ".join(self.arguments[1:]).split()
        if name not in MAKERS:
            raise self.error(f"nothing is generated under the name {name!r}; there are {', '.join(MAKERS)}")
        self.env.note_dependency(str(folder_of(self.env.app) / RECORD))
        self.env.note_reread()
        return self.parse_text_to_nodes(MAKERS[name](self, given), allow_section_headings=True)
