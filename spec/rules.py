"""The rules of an endpoint: the section and the text of each, by the name that steps and traces use."""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """A rule of the specification: its section and its text."""

    section: str
    text: str


RULES: dict[str, Rule] = {
    "open.active": Rule("RFC 9293 3.10.1", "an active OPEN sends a SYN and enters SYN-SENT"),
    "open.passive": Rule("RFC 9293 3.10.1", "a passive OPEN enters LISTEN"),
    "send": Rule("RFC 9293 3.10.2", "SEND transmits text while this direction is open"),
    "close.unopened": Rule("RFC 9293 3.10.4", "CLOSE before the connection is open deletes the connection"),
    "close.first": Rule("RFC 9293 3.10.4", "CLOSE sends a FIN and enters FIN-WAIT-1"),
    "close.second": Rule("RFC 9293 3.10.4", "CLOSE in CLOSE-WAIT sends a FIN and enters LAST-ACK"),
    "close.unread": Rule("RFC 9293 3.6.1 SHLD-3", "CLOSE with unread text sends a RST"),
    "close.linger-zero": Rule("SO_LINGER {1,0}", "CLOSE discards unsent text and sends a RST"),
    "abort": Rule("RFC 9293 3.10.5", "ABORT sends a RST and deletes the connection"),
    "closed.answer": Rule("RFC 9293 3.10.7.1", "in CLOSED, a RST answers any segment but a RST"),
    "closed.ignore-rst": Rule("RFC 9293 3.10.7.1", "in CLOSED, a RST is dropped"),
    "listen.syn": Rule("RFC 9293 3.10.7.2", "in LISTEN, SYN,ACK answers a SYN"),
    "listen.ack": Rule("RFC 9293 3.10.7.2", "in LISTEN, a RST answers an ACK"),
    "listen.ignore": Rule("RFC 9293 3.10.7.2", "in LISTEN, any other segment is dropped"),
    "syn-sent.bad-ack": Rule("RFC 9293 3.10.7.3", "in SYN-SENT, a RST answers an unacceptable ACK"),
    "syn-sent.reset": Rule("RFC 9293 3.10.7.3", "in SYN-SENT, a RST that acknowledges the SYN ends the attempt"),
    "syn-sent.established": Rule("RFC 9293 3.10.7.3", "in SYN-SENT, SYN,ACK opens the connection"),
    "syn-sent.crossing": Rule("RFC 9293 3.10.7.3", "in SYN-SENT, a SYN without ACK is a simultaneous open"),
    "syn-sent.ignore": Rule("RFC 9293 3.10.7.3", "in SYN-SENT, a segment without SYN or RST is dropped"),
    "sequence.unacceptable": Rule(
        "RFC 9293 3.10.7.4 first step", "a segment outside the window is dropped, and acknowledged where the stack does so"
    ),
    "sequence.dropped-ack": Rule(
        "RFC 9293 3.10.7.4 first step", "the ACK field of a segment outside the window counts, where the stack does so"
    ),
    "sequence.unacceptable-rst": Rule("RFC 9293 3.10.7.4 first step", "a RST outside the window is dropped"),
    "reset.challenge": Rule(
        "RFC 9293 3.10.7.4 second step", "a challenge ACK answers a RST that is in the window but not at RCV.NXT"
    ),
    "reset.accepted": Rule("RFC 9293 3.10.7.4 second step", "a RST at RCV.NXT ends the connection"),
    "reset.at-fin": Rule(
        "no standard: Linux tcp_reset_check",
        "a RST with the number of the FIN that was accepted ends the connection, where the stack does so",
    ),
    "reset.listen": Rule("RFC 9293 3.10.7.4 second step", "in SYN-RECEIVED after a passive open, a RST leads back to LISTEN"),
    "reset.time-wait": Rule("RFC 9293 3.10.7.4 second step", "in TIME-WAIT, a RST ends the connection at once"),
    "reset.time-wait-ignored": Rule("RFC 1337 F1", "in TIME-WAIT, a RST is ignored"),
    "syn.challenge": Rule(
        "RFC 9293 3.10.7.4 fourth step",
        "a challenge ACK answers a SYN in a synchronised state, in TIME-WAIT where the stack does so",
    ),
    "syn.listen": Rule("RFC 9293 3.10.7.4 fourth step", "in SYN-RECEIVED after a passive open, a SYN leads back to LISTEN"),
    "ack.missing": Rule("RFC 9293 3.10.7.4 fifth step", "a segment without ACK is dropped"),
    "ack.syn-received": Rule("RFC 9293 3.10.7.4 fifth step", "in SYN-RECEIVED, an acceptable ACK opens the connection"),
    "ack.syn-received-bad": Rule("RFC 9293 3.10.7.4 fifth step", "in SYN-RECEIVED, a RST answers an unacceptable ACK"),
    "ack.unsent": Rule("RFC 9293 3.10.7.4 fifth step", "an ACK answers an ACK of something not yet sent, which is dropped"),
    "ack.advance": Rule("RFC 9293 3.10.7.4 fifth step", "SND.UNA advances to SEG.ACK"),
    "ack.fin-wait-2": Rule("RFC 9293 3.10.7.4 fifth step", "our FIN is acknowledged: FIN-WAIT-1 becomes FIN-WAIT-2"),
    "ack.time-wait": Rule("RFC 9293 3.10.7.4 fifth step", "our FIN is acknowledged: CLOSING becomes TIME-WAIT"),
    "ack.closed": Rule("RFC 9293 3.10.7.4 fifth step", "our FIN is acknowledged: LAST-ACK becomes CLOSED"),
    "time-wait.ack": Rule(
        "RFC 9293 3.10.7.4 fifth step",
        "in TIME-WAIT, an acknowledgement at RCV.NXT is acknowledged and restarts the timer, where the stack does so",
    ),
    "time-wait.beyond": Rule(
        "RFC 9293 3.10.7.4 fifth step",
        "in TIME-WAIT, any other segment in the window is acknowledged and restarts the timer, where the stack does so",
    ),
    "text.accept": Rule("RFC 9293 3.10.7.4 seventh step", "text at RCV.NXT is accepted and acknowledged"),
    "text.out-of-order": Rule("RFC 9293 3.10.7.4 seventh step", "text beyond RCV.NXT is not kept; RCV.NXT is acknowledged again"),
    "text.kept": Rule("RFC 9293 3.10.7.4 SHLD-31", "text beyond RCV.NXT is kept; RCV.NXT is acknowledged again"),
    "text.late": Rule("RFC 9293 3.6.1 SHLD-3", "a RST answers text for a user who has stopped reading"),
    "fin.out-of-order": Rule("RFC 9293 3.10.7.4 eighth step", "a FIN beyond RCV.NXT is not kept; RCV.NXT is acknowledged again"),
    "fin.kept": Rule("RFC 9293 3.10.7.4 SHLD-31", "a FIN beyond RCV.NXT is kept; RCV.NXT is acknowledged again"),
    "fin.late": Rule(
        "no standard: Linux tcp_rcv_state_process", "a RST answers a FIN beyond RCV.NXT for a user who has stopped reading"
    ),
    "fin.last-ack": Rule(
        "no standard: stacks without half-close", "in ESTABLISHED or SYN-RECEIVED, FIN,ACK answers a FIN at once"
    ),
    "fin.close-wait": Rule("RFC 9293 3.10.7.4 eighth step", "in ESTABLISHED or SYN-RECEIVED, a FIN leads to CLOSE-WAIT"),
    "fin.closing": Rule("RFC 9293 3.10.7.4 eighth step", "in FIN-WAIT-1, our FIN not acknowledged, a FIN leads to CLOSING"),
    "fin.time-wait": Rule(
        "RFC 9293 3.10.7.4 eighth step",
        "in FIN-WAIT-2, or with the acknowledgement of our FIN, a FIN leads to TIME-WAIT, if there is one",
    ),
    "timer.retransmission": Rule("RFC 9293 3.10.8", "the earliest unacknowledged segment is retransmitted"),
    "timer.retries": Rule("RFC 9293 3.8.3", "after R2 retransmissions the connection is dropped"),
    "timer.time-wait": Rule("RFC 9293 3.10.8", "the TIME-WAIT timer expires: the connection is deleted"),
    "timer.retries-reset": Rule("RFC 9293 3.8.3", "after R2 retransmissions the connection is dropped with a RST"),
    "timer.limit": Rule(
        "no standard: waitclose timers and their kin", "the limit of the state is reached: the connection is deleted"
    ),
    "timer.fin-wait-2": Rule(
        "no standard: tcp_fin_timeout and its kin",
        "the FIN-WAIT-2 timer of an abandoned connection expires: the connection is deleted",
    ),
    "minimal.unacceptable": Rule(
        "no standard: Linux tcp_timewait_state_process",
        "in FIN-WAIT-2 of an abandoned connection, a segment outside the window is acknowledged, a RST too",
    ),
    "minimal.reset": Rule(
        "no standard: Linux tcp_timewait_state_process",
        "in FIN-WAIT-2 of an abandoned connection, any RST in the window ends the connection",
    ),
    "minimal.syn": Rule(
        "no standard: Linux tcp_timewait_state_process",
        "in FIN-WAIT-2 of an abandoned connection, a RST answers a SYN in the window, and the connection is deleted",
    ),
    "minimal.ignore": Rule(
        "no standard: Linux tcp_timewait_state_process",
        "in FIN-WAIT-2 of an abandoned connection, an ACK of something not yet sent is dropped",
    ),
}
"""Every rule, by the name that steps and traces use."""
