"""Arrays that grow: a kernel that lacks room says so, and is called again with larger arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def grown(array: NDArray[Any], length: int, empty: int = 0) -> NDArray[Any]:
    """The array, or one at least twice as long with the same beginning where it has fewer entries than a number."""
    if length <= len(array):
        return array
    larger = np.full((max(2 * len(array), length), *array.shape[1:]), empty, dtype=array.dtype)
    larger[: len(array)] = array
    return larger


def widened(array: NDArray[Any], height: int, width: int, empty: int = 0) -> NDArray[Any]:
    """A table with at least these numbers of rows and columns; new entries are empty."""
    if height <= array.shape[0] and width <= array.shape[1]:
        return array
    taller = max(2 * array.shape[0], height) if height > array.shape[0] else array.shape[0]
    wider = max(2 * array.shape[1], width) if width > array.shape[1] else array.shape[1]
    larger = np.full((taller, wider), empty, dtype=array.dtype)
    larger[: array.shape[0], : array.shape[1]] = array
    return larger
