"""The colours of the pictures of a trace: told apart by the colour-blind, and legible on light and on dark pages.

The hues are those of Okabe and Ito (https://jfly.uni-koeln.de/color/), darkened for light pages and lightened for dark
ones. Nothing is told by colour alone: duplicates are dashed, losses crossed, TIME-WAIT is a bar, a violation a diamond.
"""

from __future__ import annotations

LIGHT = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "muted": "#57606a",
    "faint": "#d0d7de",
    "band": "#eef1f4",
    "first": "#0072b2",
    "next": "#00795a",
    "wait": "#e69f00",
    "waiting": "#8a5a00",
    "wrong": "#b84a00",
    "marked": "#fff3c4",
}
DARK = {
    "paper": "#14181d",
    "ink": "#e6edf3",
    "muted": "#9aa5b1",
    "faint": "#39424d",
    "band": "#1e252d",
    "first": "#6cc0f0",
    "next": "#3ed1a6",
    "wait": "#d99a1e",
    "waiting": "#f2c14e",
    "wrong": "#ff9351",
    "marked": "#3a3210",
}


def themed(rules: str) -> str:
    """Style sheet rules for light pages, dark pages and print.

    Parameters
    ----------
    rules : str
        Rules in which ``$name`` stands for a colour of the palette, a rule a line.
    """
    dark = "\n".join(line for line in rules.splitlines() if "$" in line)
    return "\n".join((_filled(rules, LIGHT), "@media screen and (prefers-color-scheme: dark) {", _filled(dark, DARK), "}"))


def _filled(rules: str, colours: dict[str, str]) -> str:
    for name in sorted(colours, key=len, reverse=True):
        rules = rules.replace(f"${name}", colours[name])
    return rules
