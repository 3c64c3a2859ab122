"""Old segments in the next incarnation: the harm that each kind does, and the rules that name it."""

from __future__ import annotations

from timewait.spec.segment import Segment

ISOLATION = "isolation"
"""The property that forbids every harm: the conjunction of those of `HARMS`."""

HARMS: dict[str, str] = {
    "old-text": "{end}'s user reads old text as new",
    "old-fin": "{end}'s user reads the old FIN as the end of {peer}'s text",
    "old-reset": "the old RST ends {end}'s new connection",
    "old-ack": "{end} counts new text that was lost as acknowledged, and never sends it again",
}
"""The harms that an old segment can do, by the property that forbids each: what happens to the end that receives it."""

INCARNATION_RULES = {
    "incarnation.reopen": ("RFC 9293 3.10.1", "both ends are CLOSED: the same addresses and ports are opened again"),
    "incarnation.old-text": (
        "RFC 1337 H1",
        "an old segment with text is in the window of the next incarnation, which reads the old text as new",
    ),
    "incarnation.old-fin": (
        "RFC 9293 3.4.3",
        "an old FIN is in the window of the next incarnation, which takes it for the end of the peer's text",
    ),
    "incarnation.old-reset": (
        "RFC 1337 H3",
        "an old RST is in the window of the next incarnation, which it ends",
    ),
    "incarnation.old-ack": (
        "RFC 9293 3.4.3",
        "an old ACK acknowledges text of the next incarnation that was lost, and that is then never retransmitted",
    ),
}
"""The rules about incarnations, which belong to no endpoint."""


def harm_of(segment: Segment) -> str:
    """The harm that an old segment does if all its numbers are acceptable: the property of `HARMS` that it breaks."""
    if segment.rst:
        return "old-reset"
    if segment.length:
        return "old-text"
    return "old-fin" if segment.fin else "old-ack"


def harm_rule(harm: str) -> tuple[str, str, str]:
    """The rule of a harm as a trace lists it: name, section, sentence."""
    name = f"incarnation.{harm}"
    return (name, *INCARNATION_RULES[name])


def harm_in_words(harm: str, sender: str, receiver: str, segment: str) -> tuple[tuple[str, str], ...]:
    """The properties that an old segment breaks by its harm, ``isolation`` first, each with the conjunct that fails."""
    consequence = HARMS[harm].format(end=receiver, peer=sender)
    why = f"{sender}'s old {segment} is in the window of {receiver}'s new incarnation: {consequence}"
    return (ISOLATION, why), (harm, why)
