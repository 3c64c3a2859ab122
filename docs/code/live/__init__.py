"""The Sphinx extension of the site: pictures, the evidence for claims, stack profiles and review pages, all from the code.

The content of each of these directives is a command with the same output, for readers of the plain Markdown.
"""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from live.directives import Engines, EvidenceFor, Review, Stacks
from live.evidence import gather, write_downloads
from live.pictures import Picture
from live.reviews import write_reviews


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directives with Sphinx."""
    app.add_config_value("timewait_evidence", "../out/evidence", "env", str)
    app.add_directive("engines", Engines)
    app.add_directive("evidence", EvidenceFor)
    app.add_directive("picture", Picture)
    app.add_directive("review", Review)
    app.add_directive("stacks", Stacks)
    app.connect("builder-inited", gather)
    app.connect("build-finished", write_downloads)
    app.connect("build-finished", write_reviews)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
