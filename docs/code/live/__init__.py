"""What the site takes from the code itself: claims and their evidence, profiles, rules, pictures, review pages.

Nothing of this is written down a second time, so that it cannot go stale. Each part is a pure function to Markdown
(`live.claims`, `live.stacks`, `live.tables`, `live.schema`), put into a page by the directive ``generated``.
"""

from __future__ import annotations

from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata

from live.api import ignore_aliases, skip_alias
from live.evidence import gathered
from live.generated import Generated
from live.pictures import Picture
from live.reviews import Review, Trace, write_reviews


def setup(app: Sphinx) -> ExtensionMetadata:
    """Tell Sphinx what there is."""
    app.add_config_value("timewait_evidence", "../out/evidence", "env", str)
    app.add_directive("generated", Generated)
    app.add_directive("picture", Picture)
    app.add_role("review", Review())
    app.add_role("trace", Trace())
    app.connect("config-inited", ignore_aliases)
    app.connect("autodoc-skip-member", skip_alias)
    app.connect("builder-inited", gathered)
    app.connect("build-finished", write_reviews)
    return {"parallel_read_safe": False, "parallel_write_safe": True}
