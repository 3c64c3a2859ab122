"""The properties of a close, by name."""

from __future__ import annotations

from timewait.vocabulary.automaton import Property

PROPERTIES: dict[str, Property] = {
    entry.name: entry
    for entry in (
        Property(
            "graceful",
            "always",
            "an orderly close is never cut off by a RST from a peer that has left TIME-WAIT",
            "RFC 9293 3.6.1 MUST-13",
        ),
        Property(
            "isolation",
            "always",
            "no segment of one incarnation is received in the next incarnation of the same addresses and ports",
            "RFC 9293 3.4.3, 3.6.1 MUST-13",
        ),
        Property(
            "old-text",
            "always",
            "no text of one incarnation is read as text of the next one",
            "RFC 1337 H1",
        ),
        Property(
            "old-fin",
            "always",
            "no FIN of one incarnation is read as the end of the peer's text in the next one",
            "RFC 9293 3.4.3",
        ),
        Property(
            "old-reset",
            "always",
            "no RST of one incarnation ends the next one",
            "RFC 1337 H3",
        ),
        Property(
            "old-ack",
            "always",
            "no ACK of one incarnation acknowledges text of the next one, which may have been lost",
            "RFC 9293 3.4.3",
        ),
        Property(
            "undelayed",
            "always",
            "neither an old segment nor an end of the old incarnation delays or refuses the next one",
            "RFC 9293 3.6.1 MAY-2",
        ),
        Property(
            "integrity",
            "always",
            "no connection ends before the peer's user has read every octet sent",
            "RFC 9293 3.6",
        ),
        Property(
            "time-wait-kept",
            "always",
            "TIME-WAIT ends only by its timer, never by a RST",
            "RFC 9293 3.10.7.4 second step; RFC 1337",
        ),
        Property(
            "fin-restarts",
            "always",
            "every further copy of the FIN of the peer restarts the TIME-WAIT timer",
            "RFC 9293 3.10.7.4 first and eighth step",
        ),
        Property(
            "no-stray-reset",
            "always",
            "no RST is sent",
            "RFC 9293 3.5.2",
        ),
        Property(
            "closes",
            "eventually",
            "under fair delivery both ends reach CLOSED",
            "RFC 9293 3.6",
        ),
        Property(
            "quiet",
            "eventually",
            "once both ends are CLOSED or in TIME-WAIT, the exchange of segments ends",
            "RFC 9293 3.10.7.4 fifth step",
            recurrent=True,
        ),
    )
}
"""Every property.

``isolation`` is the conjunction of those of `timewait.spec.incarnation.HARMS`, which are checked only by name; so are
``undelayed``, which only a handshake can violate, and ``no-stray-reset``, since with duplication it fails for every TIME-WAIT.
"""

RELIABLE = ("graceful", "isolation", "integrity", "closes")
"""Together: "both directions close reliably"."""

DEFAULT = (*RELIABLE, "quiet", "time-wait-kept", "fin-restarts")
"""The properties of a check that names none."""

WITNESSES: dict[str, tuple[str, ...]] = {
    "graceful": ("reaches LAST_ACK", "reaches CLOSED"),
    "isolation": ("reopen",),
    "old-text": ("reopen", "send"),
    "old-fin": ("reopen", "reaches LAST_ACK"),
    "old-reset": ("reopen", "closed.answer"),
    "old-ack": ("reopen",),
    "undelayed": ("next: reaches ESTABLISHED",),
    "integrity": ("reaches CLOSED", "send"),
    "time-wait-kept": ("reaches TIME_WAIT", "timer.time-wait", "closed.answer"),
    "fin-restarts": ("reaches TIME_WAIT", "FIN meets TIME_WAIT"),
    "no-stray-reset": ("reaches CLOSED",),
}
"""The witnesses of each property: without one of them, a proof of it is vacuous."""
