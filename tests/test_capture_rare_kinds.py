"""Captures thought out by hand of what seldom happens near a close: probes, early and merged FINs, odd flags, options.

Scripts and answers are those of `capture_scripts`.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from capture_octets import ETHERNET, ether, pcap_header, record
from capture_scripts import CLOSE, OPEN, PLAIN, SLOW, Answer, differences, explained, packets
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting
from scapy.layers.ipsec import AH
from scapy.layers.l2 import CookedLinuxV2, Dot1AD, Dot1Q
from scapy.packet import Packet, Raw
from test_bad_captures import capture_of
from test_capture_unseen import state

from timewait.captures.observations import CloseKind, ResetCause
from timewait.captures.profiles import fit_profiles
from timewait.spec.stacks import load_stack
from timewait.spec.state import State

ORDERLY, RESET, GAVE_UP = CloseKind.IN_ORDER, CloseKind.RESET, CloseKind.GAVE_UP
WAITS, CLOSED = State.TIME_WAIT, State.CLOSED
FULL = ".5 A PA 1 1 len=100\n.51 B A 1 101 win=0\n"
"""The text of A fills the window of B."""

PROBES: dict[str, tuple[str, Answer]] = {
    "octets into a window of zero before the FIN": (
        OPEN
        + FULL
        + "1 A A 101 1 len=1\n1.01 B A 1 101 win=0\n2.4 A A 101 1 len=1\n2.41 B A 1 101 win=0\n3 B A 1 101\n"
        + "3.01 A FPA 101 1 len=50\n3.02 B A 1 152\n3.1 B FA 1 152\n3.11 A A 152 2\n",
        PLAIN,
    ),
    "a FIN into a window of zero": (
        OPEN
        + FULL
        + ".6 A FA 101 1\n.61 B A 1 101 win=0\n.9 A FA 101 1\n.91 B A 1 101 win=0\n1.5 A FA 101 1\n1.51 B A 1 102\n"
        + "3.1 B FA 1 102\n3.11 A A 102 2\n",
        PLAIN,
    ),
    "a window of zero that is never answered again": (
        OPEN + FULL + "1 A A 100 1\n1.01 B A 1 101 win=0\n2 A A 100 1\n4 A A 100 1\n8 A A 100 1\n16 A A 100 1\n32 A RA 101 1\n",
        Answer(GAVE_UP, causes=(ResetCause.RETRY_LIMIT,), says="limit of retransmissions"),
    ),
    "keep-alives in a half-close": (
        OPEN
        + ".5 B PA 1 1 len=10\n.51 A A 1 11\n1 A FA 1 11\n1.01 B A 11 2\n60 B A 10 2\n60.01 A A 2 11\n"
        + "120 B A 10 2 len=1\n120.01 A A 2 11\n130 B FA 11 2\n130.01 A A 2 12\n",
        PLAIN,
    ),
    "keep-alives of the end that has closed": (
        OPEN + "1 A FA 1 1\n1.01 B A 1 2\n60 A A 1 1\n60.01 B A 1 2\n130 B FA 1 2\n130.01 A A 2 2\n",
        PLAIN,
    ),
    "keep-alives that were answered, and then were not": (
        OPEN
        + ".5 A PA 1 1 len=10\n.51 B A 1 11\n60 A A 10 1\n60.01 B A 1 11\n120 A A 10 1\n120.01 B A 1 11\n"
        + "180 A A 10 1\n190 A A 10 1\n200 A A 10 1\n210 A RA 11 1\n",
        Answer(GAVE_UP, causes=(ResetCause.KEEP_ALIVE,), likely=(CLOSED, CLOSED)),
    ),
}

FINS: dict[str, tuple[str, Answer]] = {
    "text with a FIN, of which the FIN comes again alone": (
        OPEN + "1 A FPA 1 1 len=100\n1.01 B A 1 101\n1.5 A FA 101 1\n1.51 B A 1 102\n1.6 B FA 1 102\n1.61 A A 102 2\n",
        PLAIN,
    ),
    "a FIN that comes again with the text before it": (
        OPEN + "1 A PA 1 1 len=100\n1.001 A FA 101 1\n1.5 A FPA 1 1 len=100\n1.51 B A 1 102\n1.6 B FA 1 102\n1.61 A A 102 2\n",
        Answer(ORDERLY, "A", (WAITS, CLOSED), lost=2),
    ),
    "a FIN that waits for lost text": (
        OPEN
        + "1 A PA 1 1 len=100\n1.001 A FA 101 1\n1.02 B A 1 1\n1.3 A PA 1 1 len=100\n1.32 B A 1 102\n1.4 B FA 1 102\n"
        + "1.401 A A 102 2\n",
        Answer(ORDERLY, "A", (WAITS, CLOSED), lost=1),
    ),
    "a FIN merged with many segments": (
        OPEN
        + "1 B A 1 1 len=20000\n1.0001 A A 1 20001\n1.01 B FPA 20001 1 len=30000\n1.0101 A A 1 30001\n1.0102 A A 1 50002\n"
        + "1.02 A FA 1 50002\n1.03 B A 50002 2\n",
        Answer(ORDERLY, "B", (CLOSED, WAITS), causes=(), lost=0),
    ),
    "a FIN on the last packet of the opening": (
        "0 A S 0\n.01 B SA 0 1\n.011 A FA 1 1\n.02 B A 1 2\n.03 B FA 1 2\n.031 A A 2 2\n",
        PLAIN,
    ),
    "a FIN on the SYN": ("0 A SF 0\n.01 B SA 0 2\n.02 A A 2 1\n.03 B FA 1 2\n.04 A A 2 2\n", PLAIN),
    "a server that closes before the opening is complete": (
        "0 A S 0\n.1 B SA 0 1\n.1001 B FA 1 1\n.11 A A 1 1\n.12 A A 1 2\n.2 A FA 1 2\n.3 B A 2 2\n",
        Answer(ORDERLY, "B", (CLOSED, WAITS), causes=(), lost=0),
    ),
    "text on the SYN, and the answer with its FIN before the opening is complete": (
        "0 A S 0 len=10\n.01 B SA 0 11\n.0101 B PA 1 11 len=50\n.0102 B FA 51 11\n.02 A A 11 52\n.03 A FA 11 52\n.04 B A 52 12\n",
        Answer(ORDERLY, "B", (CLOSED, WAITS), causes=(), lost=0),
    ),
    "both open and close at once": (
        "0 A S 0\n0.001 B S 0\n0.011 B SA 0 1\n0.012 A SA 0 1\n.1 A FA 1 1\n.101 B FA 1 1\n.11 B A 2 2\n.111 A A 2 2\n",
        Answer(CloseKind.SIMULTANEOUS, likely=(WAITS, WAITS), causes=(), lost=0),
    ),
    "an acknowledgement of the FIN that was delayed, on the last text": (
        OPEN + "1 A FA 1 1\n1.2 B PA 1 2 len=700\n1.2001 B FA 701 2\n1.21 A A 2 702\n",
        PLAIN,
    ),
    "a FIN sent again too early, of which both are acknowledged": (
        SLOW + "1 A FA 1 1\n1.09 A FA 1 1\n1.1 B FA 1 2\n1.1001 A A 2 2\n1.19 B A 2 2\n",
        PLAIN,
    ),
    "urgent, echoed congestion, and a FIN": (
        OPEN + "1 A FPUECA 1 1 len=3\n1.01 B AE 1 5\n1.02 B FAC 1 5\n1.03 A A 5 2\n",
        PLAIN,
    ),
    "one direction of a simultaneous close": (
        "0 A S 0\n.011 A A 1 1\n1 A FA 1 1\n1.01 A A 2 2\n",
        Answer(CloseKind.CLOSING, "A", (None, None), unknown=("fin-not-captured",), possible=(State.CLOSING, WAITS)),
    ),
}

RESETS: dict[str, tuple[str, Answer]] = {
    "a RST with a reason as its text": (
        OPEN + "1 A PA 1 1 len=10\n1.01 B RA 1 11 len=24\n",
        Answer(RESET, causes=(ResetCause.ABORT,), likely=(CLOSED, CLOSED)),
    ),
    "a RST with a FIN": (
        OPEN + "1 A FA 1 1\n1.01 B A 1 2\n1.5 B FRA 1 2\n",
        Answer(RESET, "A", causes=(ResetCause.ABORT,), likely=(CLOSED, CLOSED)),
    ),
    "a RST beyond the next number, which is challenged (RFC 5961)": (
        OPEN + "1 A PA 1 1 len=10\n1.01 B A 1 11\n2 A R 50\n2.01 B A 1 11\n2.02 A R 11\n",
        Answer(RESET, likely=(CLOSED, CLOSED), causes=(ResetCause.ABORT, ResetCause.CLOSED)),
    ),
    "a RST of a stranger, which is challenged": (
        OPEN
        + "1 A PA 1 1 len=10\n1.01 B A 1 11\n2 A R 500 ttl=40 id=9999\n2.01 B A 1 11\n"
        + "3 A FA 11 1\n3.01 B FA 1 12\n3.02 A A 12 2\n",
        Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(ResetCause.DEVICE,)),
    ),
    "a server that had only sent a cookie": (
        OPEN + "5 A PA 1 1 len=10\n5.01 B R 1\n",
        Answer(RESET, also=(ResetCause.FORGOTTEN,), likely=(CLOSED, CLOSED)),
    ),
    "a RST that crosses the last acknowledgement": (
        SLOW + "1 A FA 1 1\n1.1 B FA 1 2\n1.1001 A A 2 2\n1.15 B RA 2 2\n",
        Answer(ORDERLY, "A", causes=(ResetCause.ABORT,), unknown=("reset-in-time-wait",), possible=(WAITS,)),
    ),
}

KINDS = {"probes": PROBES, "FINs": FINS, "RSTs": RESETS}
CASES = [(kind, name) for kind, cases in KINDS.items() for name in cases]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind}: {name}" for kind, name in CASES])
def test_case(kind: str, name: str) -> None:
    """The capture is explained as its answer says."""
    text, answer = KINDS[kind][name]
    found = explained(text)
    assert len(found.connections) == 1
    assert differences(found, 0, answer) == []


def test_probes_of_a_window_are_no_retransmissions() -> None:
    """The persist timer may wait longer than the greatest timeout: nothing of it counts against a stack."""
    probes = "".join(f"{at} A A 101 1 len=1\n{at}.01 B A 1 101 win=0\n" for at in (1, 3, 7, 15, 31, 63, 127, 255, 511))
    (close,) = explained(OPEN + FULL + probes + "600 A RA 102 1\n").closes
    assert close.retransmissions == ()
    assert fit_profiles(close, "A", [load_stack("linux")]).excluded == ()


@pytest.mark.parametrize(("scan", "end"), [("0 A S 0\n.01 B SA 0 1\n.011 A R 1", "A"), ("0 A S 0\n.01 B RA 0 1", "B")])
def test_the_end_that_refuses_is_closed(scan: str, end: str) -> None:
    """The RST need not have arrived, so the other end may be in any state."""
    found = explained(scan)
    assert state(found, end).possible == {CLOSED}
    assert State.SYN_SENT in state(found, "AB".replace(end, "")).possible


# --- options and headers ----------------------------------------------------------------------------------------------

NOP = ("NOP", None)
OPTIONS = {
    "multipath": [("MSS", 1460), (30, bytes.fromhex("00810102030405060708")), NOP, NOP],
    "fast open": [("MSS", 1460), (34, bytes(8)), NOP, NOP],
    "authentication": [(29, bytes(14)), NOP, NOP],
    "MD5 signature": [(19, bytes(16)), NOP, NOP],
    "selective acknowledgements": [NOP, NOP, ("SAck", (1_000, 2_000, 3_000, 4_000))],
}


def with_options(name: str) -> Callable[[Packet], bytes]:
    """A packet with options of TCP."""

    def changed(packet: Packet) -> bytes:
        made = packet.copy()
        made[TCP].options = OPTIONS[name]
        for header, field in ((made[TCP], "dataofs"), (made[TCP], "chksum"), (made, "len"), (made, "chksum")):
            delattr(header, field)
        return bytes(made)

    return changed


def version_6(packet: Packet, *extensions: Packet) -> Packet:
    """The segment of a packet in IPv6, after extension headers."""
    ends = "2001:db8::1", "2001:db8::2"
    source, destination = ends if packet.sport == 40_000 else ends[::-1]
    made: Packet = IPv6(src=source, dst=destination)
    segment = packet[TCP].copy()
    del segment.chksum
    for extension in extensions:
        made /= extension
    made /= segment
    return made


def authenticated(packet: Packet) -> bytes:
    """The segment of a packet after an authentication header."""
    header = AH(nh=6, payloadlen=4, spi=1, seq=1, icv=bytes(12))
    return bytes(IP(src=packet.src, dst=packet.dst, id=packet.id, proto=51) / header / Raw(bytes(packet[TCP])))


def cooked(packet: Packet) -> bytes:
    """A packet captured on any interface: sent by A, or received by it."""
    return bytes(CookedLinuxV2(proto=0x0800, pkttype=4 if packet.sport == 40_000 else 0) / Raw(bytes(packet)))


def tagged(packet: Packet) -> bytes:
    """A packet in IPv6 with all extension headers, in two VLANs."""
    extensions = IPv6ExtHdrHopByHop(), IPv6ExtHdrRouting(segleft=0), IPv6ExtHdrFragment(id=7), IPv6ExtHdrDestOpt()
    return bytes(ether() / Dot1AD(vlan=5) / Dot1Q(vlan=6) / version_6(packet, *extensions))


HEADERS: dict[str, tuple[int, Callable[[Packet], bytes]]] = {
    **{f"options: {name}": (228, with_options(name)) for name in OPTIONS},
    "authentication header": (228, authenticated),
    "any interface": (276, cooked),
    "two VLANs, IPv6 with extension headers": (ETHERNET, tagged),
}


@pytest.mark.parametrize("name", HEADERS)
def test_a_close_behind_headers(name: str) -> None:
    """It is explained as it is without them."""
    link, changed = HEADERS[name]
    script = packets(OPEN + CLOSE).packets
    found = capture_of(pcap_header(link) + b"".join(record(changed(it), float(it.time)) for it in script))
    (facts,) = found.connections
    assert facts.kind is ORDERLY
    assert [state.likely for state in facts.states] == [WAITS, CLOSED]
    assert (facts.ends[0].port, facts.resets, facts.deviations, facts.unknowns) == (40_000, (), (), ())
