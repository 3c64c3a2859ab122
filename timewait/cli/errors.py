"""Error messages: one line on standard error."""

from __future__ import annotations

import sys

from timewait.vocabulary.untrusted import visible


def error(text: str) -> None:
    """Write one line on standard error; characters that do not print are written as their codes."""
    sys.stderr.write(f"timewait: {visible(' '.join(text.split()))}\n")
