"""The properties of a close, under the names by which claims and people ask for them."""

from __future__ import annotations

from timewait.vocabulary.automaton import Property

PROPERTIES: dict[str, Property] = {
    entry.name: entry
    for entry in (
        Property(
            "graceful",
            "always",
            "no endpoint that is closing in order is reset by an end that has already forgotten the connection",
            "RFC 9293 3.6.1 MUST-13",
        ),
        Property(
            "isolation",
            "always",
            "no segment of one incarnation reaches the next one on the same addresses and ports",
            "RFC 9293 3.4.3, 3.6.1 MUST-13",
        ),
        Property(
            "integrity",
            "always",
            "no connection ends while octets that its user sent have not reached the other user",
            "RFC 9293 3.6",
        ),
        Property(
            "time-wait-kept",
            "always",
            "TIME-WAIT is left by its timer alone, never by a RST",
            "RFC 9293 3.10.7.4 second step; RFC 1337",
        ),
        Property(
            "fin-restarts",
            "always",
            "a retransmitted FIN that reaches TIME-WAIT restarts its timer",
            "RFC 9293 3.10.7.4 first and eighth step",
        ),
        Property(
            "no-stray-reset",
            "always",
            "no RST is sent at all",
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
            "once both ends are CLOSED or in TIME-WAIT, the exchange stops",
            "RFC 9293 3.10.7.4 fifth step",
            recurrent=True,
        ),
    )
}
"""Every property. ``no-stray-reset`` is asked for by name: with duplication no TIME-WAIT can give it."""

RELIABLE = ("graceful", "isolation", "integrity", "closes")
"""Together: "both directions close reliably"."""

DEFAULT = (*RELIABLE, "quiet", "time-wait-kept", "fin-restarts")
"""What a check asks when nobody names a property."""

WITNESSES: dict[str, tuple[str, ...]] = {
    "graceful": ("reaches LAST_ACK", "reaches CLOSED"),
    "isolation": ("reopen",),
    "integrity": ("reaches CLOSED", "send"),
    "time-wait-kept": ("reaches TIME_WAIT", "timer.time-wait", "closed.answer"),
    "fin-restarts": ("reaches TIME_WAIT", "FIN meets TIME_WAIT"),
    "no-stray-reset": ("reaches CLOSED",),
}
"""What must be possible for a proof of each property to mean anything."""
