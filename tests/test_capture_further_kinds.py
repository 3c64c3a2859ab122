"""Further captures thought out by hand: many incarnations, both readings of one place, and devices that send RSTs.

Scripts and answers are those of `capture_scripts`.
"""

from __future__ import annotations

import pytest
from capture_scripts import CLOSE, OPEN, SLOW, Answer, differences, explained

from timewait.captures.observations import CloseKind, ResetCause
from timewait.spec.state import State

ORDERLY, RESET = CloseKind.IN_ORDER, CloseKind.RESET
WAITS, CLOSED = State.TIME_WAIT, State.CLOSED
FAR = SLOW.replace("0 1\n", "0 1 ttl=50\n")
"""Captured beside A; the packets of B have passed fourteen routers."""
TEXT = "1 A PA 1 1 len=10\n1.1 B A 1 11 ttl=50\n"


def next_connection(at: int, own: int, other: int, rest: str) -> str:
    """A connection that opens at a time in seconds with these initial numbers, and goes on `rest`, relative to them."""
    lines = [f"{at} A S {own}", f"{at}.01 B SA {other} {own + 1}", f"{at}.011 A A {own + 1} {other + 1}"]
    for line in rest.strip().split("\n"):
        when, who, flags, seq, *ack = line.split()
        mine, theirs = (own, other) if who == "A" else (other, own)
        numbers = [str(int(seq) + mine), *(str(int(number) + theirs) for number in ack)]
        lines.append(" ".join([f"{at + float(when):.3f}", who, flags, *numbers]))
    return "\n".join(lines) + "\n"


BY_B = "1 B FA 1 1\n1.01 A A 1 2\n1.05 A FA 1 2\n1.06 B A 2 2\n"
AT_ONCE = "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n"

REUSE: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "closed by A, reset by B, closed by B, and then nobody answers": (
        OPEN
        + CLOSE
        + next_connection(3, 900_000, 700_000, "1 B RA 1 1\n")
        + next_connection(5, 1_900_000, 1_700_000, BY_B)
        + "90 A S 2900000\n91 A S 2900000\n93 A S 2900000\n",
        (
            Answer(ORDERLY, "A", frames=(1, 7), causes=()),
            Answer(RESET, "B", frames=(8, 11), causes=(ResetCause.ABORT,)),
            Answer(ORDERLY, "B", frames=(12, 18), likely=(CLOSED, WAITS)),
            Answer(CloseKind.UNANSWERED, frames=(19, 21)),
        ),
    ),
    "three health checks that end with a RST": (
        "".join(
            f"{t} A S {n}\n{t}.01 B SA {n} {n + 1}\n{t}.02 A A {n + 1} {n + 1}\n{t}.03 A RA {n + 1} {n + 1}\n"
            for t, n in ((1, 0), (2, 500_000), (3, 999_999))
        ),
        tuple(Answer(RESET, "A", (CLOSED, CLOSED), causes=(ResetCause.ABORT,), frames=(n, n + 3)) for n in (1, 5, 9)),
    ),
    "a next number inside the old window": (
        OPEN + CLOSE + next_connection(2, 60_000, 700_000, AT_ONCE),
        (Answer(ORDERLY, "A", frames=(1, 7), causes=()), Answer(ORDERLY, "A", (WAITS, CLOSED), frames=(8, 13), causes=())),
    ),
    "old text of the first connection in the third": (
        OPEN
        + "1 B PA 1 1 len=100 id=77\n1.01 A A 1 101\n1.1 A FA 1 101\n1.11 B FA 101 2\n1.12 A A 2 102\n"
        + next_connection(2, 900_000, 700_000, AT_ONCE)
        + next_connection(4, 1_900_000, 1_700_000, AT_ONCE).replace("5.000 A", "4.5 B PA 1 1 len=100 id=77\n5.000 A"),
        (
            Answer(ORDERLY, "A", causes=(), frames=(1, 18)),
            Answer(ORDERLY, "A", causes=(), frames=(9, 14)),
            Answer(ORDERLY, "A", causes=(), frames=(15, 21)),
        ),
    ),
    "refused, then half closed and left, then reset": (
        "0 A S 0\n.01 B RA 96 1\n"
        + next_connection(1, 900_000, 700_000, "1 A FA 1 1\n1.01 B A 1 2\n")
        + next_connection(400, 1_900_000, 1_700_000, "1 A RA 1 1\n"),
        (
            Answer(CloseKind.REFUSED, causes=(ResetCause.REFUSAL,), frames=(1, 2)),
            Answer(CloseKind.HALF_CLOSED, "A", (CLOSED, CLOSED), frames=(3, 7)),
            Answer(RESET, "A", causes=(ResetCause.ABORT,), frames=(8, 11)),
        ),
    ),
    "the client leaves a half-closed connection and opens again": (
        OPEN
        + "1 A FA 1 1\n1.01 B A 1 2\n100 A S 900000\n100.01 B A 1 2\n100.02 A R 2\n"
        + next_connection(101, 900_000, 700_000, AT_ONCE),
        (
            Answer(CloseKind.HALF_CLOSED, "A", causes=(ResetCause.SYN_SENT,), unknown=("old-numbers",), frames=(1, 8)),
            Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(), frames=(6, 14)),
        ),
    ),
    "four incarnations, of which the second answers a SYN in TIME-WAIT": (
        OPEN
        + CLOSE
        + next_connection(2, 900_000, 700_000, BY_B)
        + "3.5 A S 1900000\n3.51 B A 700002 900002\n3.52 A R 900002\n"
        + next_connection(4, 1_900_000, 1_700_000, "1 A RA 1 1\n")
        + next_connection(6, 2_900_000, 2_700_000, AT_ONCE),
        (
            Answer(ORDERLY, "A", causes=(), frames=(1, 7)),
            Answer(ORDERLY, "B", causes=(ResetCause.SYN_SENT,), possible=(WAITS, CLOSED), frames=(8, 17)),
            Answer(RESET, "A", causes=(ResetCause.ABORT,), frames=(15, 21)),
            Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(), frames=(22, 27)),
        ),
    ),
    "a simultaneous open is one connection": (
        "0 A S 0\n0.001 B S 0\n0.011 B SA 0 1\n0.012 A SA 0 1\n0.02 A A 1 1\n" + CLOSE,
        (Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(), frames=(1, 9)),),
    ),
}

ONE_PLACE: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "an abort crosses a FIN": (
        SLOW + "1 A RA 1 1\n1.03 B FA 1 1\n",
        (Answer(RESET, causes=(ResetCause.ABORT,), likely=(CLOSED, CLOSED), possible=(State.FIN_WAIT_1,)),),
    ),
    "an abort crosses a FIN, which is answered as CLOSED does": (
        SLOW + "1 A RA 1 1\n1.03 B FA 1 1\n1.0301 A R 1\n",
        (Answer(RESET, causes=(ResetCause.ABORT, ResetCause.CLOSED), likely=(CLOSED, CLOSED)),),
    ),
    "a last acknowledgement that came three times": (
        SLOW + "1 A FA 1 1\n1.1 B FA 1 2\n1.1001 A A 2 2\n1.5 B FA 1 2\n1.5001 A A 2 2\n2.3 B FA 1 2\n2.3001 A A 2 2\n",
        (Answer(ORDERLY, "A", (WAITS, CLOSED), possible=(State.LAST_ACK,), causes=(), lost=2),),
    ),
    "a RST that TIME-WAIT ignored, or that was lost": (
        OPEN + CLOSE + "2 B R 2\n3 B FA 1 2\n3.01 A A 2 2\n",
        (Answer(ORDERLY, "A", (WAITS, CLOSED), also=(ResetCause.DEVICE,), says="ignored the RST, or the RST was lost"),),
    ),
    "one direction, with a RST": (
        "0 A S 0\n.02 A A 1 1\n1 A FA 1 1\n1.5 A R 2\n",
        (Answer(RESET, likely=(CLOSED, None), also=(ResetCause.LATE_TEXT, ResetCause.FORGOTTEN), unknown=("cause-of-reset",)),),
    ),
    "a keep-alive that FIN-WAIT-2 no longer answers": (
        OPEN + "1 A FA 1 1\n1.01 B A 1 2\n76 B A 0 2\n76.001 A R 2\n",
        (Answer(RESET, causes=(ResetCause.FORGOTTEN,), likely=(CLOSED, CLOSED), possible=(State.CLOSE_WAIT,)),),
    ),
    "text that was sent again with the FIN": (
        OPEN + "1 A PA 1 1 len=500\n1.001 A FA 501 1\n1.2 A FPA 1 1 len=500\n1.21 B A 1 502\n1.3 B FA 1 502\n1.31 A A 502 2\n",
        (Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(), says="retransmitted its FIN once"),),
    ),
}

GOES_ON = "2 A FA 11 1\n2.1 B FA 1 12 ttl=50\n2.1001 A A 12 2\n"

DEVICES: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "a device refuses, and the server accepts": (
        "0 A S 0\n.002 B RA 96 1 ttl=250\n.1 B SA 0 1 ttl=50\n.1001 A R 1\n",
        (Answer(CloseKind.REFUSED, causes=(ResetCause.DEVICE, ResetCause.REFUSAL), says="a device on the way ended"),),
    ),
    "a device refuses in vain": (
        "0 A S 0\n.002 B RA 96 1 ttl=250\n.1 B SA 0 1 ttl=50\n.1001 A A 1 1\n" + TEXT + GOES_ON,
        (Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(ResetCause.DEVICE,)),),
    ),
    "a device refuses in vain, with a number of its own": (
        "0 A S 0\n.002 B RA 5000 1 ttl=250\n.1 B SA 0 1 ttl=50\n.1001 A A 1 1\n" + TEXT + GOES_ON,
        (Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(ResetCause.DEVICE,)),),
    ),
    "a NAT has forgotten the connection": (
        FAR + TEXT + "400 A PA 11 1 len=10\n400.001 B R 1 ttl=255\n",
        (Answer(RESET, causes=(ResetCause.DEVICE,), also=(ResetCause.ABORT,), possible=(State.ESTABLISHED,)),),
    ),
    "a NAT has forgotten the connection, and the server answers, too": (
        FAR + TEXT + "400 A PA 11 1 len=10\n400.001 B RA 1 21 ttl=255\n400.1 B A 1 21 ttl=50\n400.1001 A R 21\n",
        (Answer(RESET, causes=(ResetCause.DEVICE, ResetCause.CLOSED), says="by a device on the way"),),
    ),
    "a device resets the server, which does not mind": (
        FAR + "1 A PA 1 1 len=10\n1.03 A R 11 ttl=61\n1.1 B A 1 11 ttl=50\n" + GOES_ON,
        (Answer(ORDERLY, "A", (WAITS, CLOSED), causes=(ResetCause.DEVICE,)),),
    ),
    "a device that only the identification gives away": (
        OPEN.replace("SA 0 1", "SA 0 1 id=1000")
        + "1 A PA 1 1 len=10\n1.01 B A 1 11 id=1001\n2 B R 1 id=40000\n2.1 A PA 11 1 len=10\n2.11 B A 1 21 id=1002\n"
        + "3 B FA 1 21 id=1003\n3.01 A A 21 2\n3.02 A FA 21 2\n3.03 B A 2 22 id=1004\n",
        (Answer(ORDERLY, "B", causes=(ResetCause.DEVICE,), likely=(CLOSED, WAITS)),),
    ),
    "a firewall resets both ends of a close": (
        FAR + "1 A FA 1 1\n1.001 A RA 2 1 ttl=33\n1.002 B RA 1 2 ttl=33\n1.1 B FA 1 2 ttl=50\n",
        (Answer(RESET, "A", causes=(ResetCause.DEVICE, ResetCause.DEVICE), says="by a device on the way"),),
    ),
    "a RST of the server itself, with unread text": (
        FAR + "1 A PA 1 1 len=100\n1.1 B RA 1 1 ttl=50\n",
        (Answer(RESET, "B", causes=(ResetCause.ABORT,), likely=(CLOSED, CLOSED)),),
    ),
}

KINDS = {"reuse": REUSE, "one place": ONE_PLACE, "devices": DEVICES}
CASES = [(kind, name) for kind, cases in KINDS.items() for name in cases]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind}: {name}" for kind, name in CASES])
def test_case(kind: str, name: str) -> None:
    """The capture is explained as its answer says."""
    text, answers = KINDS[kind][name]
    found = explained(text)
    assert len(found.connections) == len(answers)
    assert [differences(found, index, answer) for index, answer in enumerate(answers)] == [[] for _ in answers]
