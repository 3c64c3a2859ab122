"""The configuration of the site: `sphinx-build -W docs build/site`."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "code"))

project = "timewait"
author = "the timewait maintainers"
copyright = "the timewait maintainers; Apache-2.0"  # the name that Sphinx prescribes
release = version = installed("timewait")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_click", "live"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_use_unqualified_type_names = True

smartquotes_action = "qe"  # no dashes: two hyphens begin an option

html_theme = "furo"
html_title = "timewait"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_search_scorer = str(HERE / "static" / "scorer.js")  # the pages for operators come first
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}

exclude_patterns = ["code", "static"]
