"""Where a rule can be read: from a citation to an address."""

from __future__ import annotations

import re

_CITED = re.compile(r"RFC (?P<rfc>\d+)(?: (?P<section>\d+(?:\.\d+)*))?")


def link(citation: str) -> str:
    """The address of the first section that is cited, for instance of ``RFC 9293 3.10.7.4 first step``; empty for none."""
    cited = _CITED.search(citation)
    if cited is None:
        return ""
    section = f"#section-{cited['section']}" if cited["section"] else ""
    return f"https://www.rfc-editor.org/rfc/rfc{cited['rfc']}{section}"
