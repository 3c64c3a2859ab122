"""How the site is built: `sphinx-build -W docs build/site`."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "code"))

project = "timewait"
author = "the timewait maintainers"
copyright = "the timewait maintainers; Apache-2.0"  # the name that Sphinx asks for
release = version = installed("timewait")

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc", "sphinx_click", "live"]
myst_enable_extensions = ["colon_fence", "deflist", "attrs_inline"]
myst_heading_anchors = 3

nitpicky = True
nitpick_ignore_regex = [
    # The site is built without a network, so nothing outside the project can be looked up.
    (
        r"py:.*",
        r"(collections|datetime|enum|fractions|ipaddress|os|pathlib|typing|xml|click|cvc5|jinja2|networkx|nx|numpy|np|rich|z3)\..*",
    ),
    (r"py:.*", r"(NDArray|Fraction|Path|IPv[46]Address|Location|tuple\[.*)"),
]
suppress_warnings = ["ref.python"]  # two modules may have a class of the same name; either will do

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = "timewait"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True, "top_of_page_buttons": []}

exclude_patterns = ["code", "static"]
