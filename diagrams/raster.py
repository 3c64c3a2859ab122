"""SVG as PNG and as PDF, by a library that brings its renderer and its fonts along: nothing else need be on a machine."""

from __future__ import annotations

import vl_convert

MOST = 10
"""The largest scale: more makes pictures that nothing opens."""


def as_png(svg: str, scale: float = 2) -> bytes:
    """A picture in pixels, on light paper.

    Parameters
    ----------
    svg : str
        The picture.
    scale : float
        Pixels for each pixel of the SVG, up to `MOST`.
    """
    return bytes(vl_convert.svg_to_png(svg, scale=min(scale, MOST)))


def as_pdf(svg: str) -> bytes:
    """A picture for print, its lines and letters scalable."""
    return bytes(vl_convert.svg_to_pdf(svg))
