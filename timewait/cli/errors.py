"""Error messages: one line on standard error."""

from __future__ import annotations

import sys


def error(text: str) -> None:
    """Write one line on standard error."""
    sys.stderr.write(f"timewait: {' '.join(text.split())}\n")
