"""What a message about an unknown word adds: the nearest known words, or where to find them."""

from __future__ import annotations

import difflib
from collections.abc import Collection

NEAR = 2
"""The most known words that are suggested."""

FEW = 60
"""The most characters of known words that a message lists."""


def advice(word: str, known: Collection[str], listing: str = "") -> str:
    """Words that may have been meant; all known ones if none is near and they are few.

    Parameters
    ----------
    word : str
        The unknown word.
    known : collection of str
        The known words.
    listing : str
        What to say instead of many known words, such as ``'timewait stacks' lists them``; empty to list them all the same.
    """
    spelled = {name.lower(): name for name in known}
    near = [spelled[name] for name in difflib.get_close_matches(word.lower(), spelled, n=NEAR)]
    every = ", ".join(known)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return listing if listing and len(every) > FEW else f"there are {every}"
