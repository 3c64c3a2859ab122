"""Captures thought out by hand, kind by kind: each answer follows from RFC 9293 and from the place of the capture."""

from __future__ import annotations

import pytest
from capture_scripts import CLOSE, HALF, OPEN, ORDERLY, PLAIN, SLOW, Answer, differences, explained

from timewait.captures.observations import CloseKind, ResetCause
from timewait.spec.state import State

AGAIN = """
    {0} A S 900000
    {0}.01 B SA 700000 900001
    {0}.02 A A 900001 700001
    {1} A FA 900001 700001
    {1}.01 B FA 700001 900002
    {1}.02 A A 900002 700002
"""
"""The next connection: it opens at one time and closes at another."""


def fins(*times: float) -> str:
    """Transmissions of the FIN of A."""
    return "".join(f"{time} A FA 1 1\n" for time in times)


REUSE: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "three SYNs into TIME-WAIT of which the third is accepted": (
        OPEN + CLOSE + "2 A S 900000\n3 A S 900000\n" + AGAIN.format(5, 6),
        (Answer(ORDERLY, "A", frames=(1, 7), causes=()), Answer(ORDERLY, "A", frames=(8, 15), causes=())),
    ),
    "a copy of the old FIN in the middle of the next connection": (
        OPEN + CLOSE.replace("FA 1 2", "FA 1 2 id=77") + AGAIN.format(2, 4).replace("4 A", "3 B FA 1 2 id=77\n4 A", 1),
        (Answer(ORDERLY, "A", causes=()), Answer(ORDERLY, "A", causes=(), lost=0)),
    ),
    "a next initial number far below": (
        OPEN
        + CLOSE
        + "2 A S -900000\n2.01 B SA 700000 -899999\n2.02 A A -899999 700001\n3 A FA -899999 700001\n"
        + "3.01 B FA 700001 -899998\n3.02 A A -899998 700002\n",
        (Answer(ORDERLY, "A", frames=(1, 7)), Answer(ORDERLY, "A", frames=(8, 13), causes=())),
    ),
    "a new connection a millisecond after a RST": (
        OPEN + "1 A PA 1 1 len=100\n1.01 B A 1 101\n1.999 A RA 101 1\n" + AGAIN.format(2, 3),
        (Answer(CloseKind.RESET, causes=(ResetCause.ABORT,), frames=(1, 6)), Answer(ORDERLY, "A", causes=(), frames=(7, 12))),
    ),
    "the server opens the next connection": (
        OPEN
        + CLOSE
        + "70 B S 900000\n70.01 A SA 700000 900001\n70.02 B A 900001 700001\n71 B FA 900001 700001\n"
        + "71.01 A FA 700001 900002\n71.02 B A 900002 700002\n",
        (Answer(ORDERLY, "A", frames=(1, 7)), Answer(ORDERLY, "B", frames=(8, 13))),
    ),
    "the same initial numbers two minutes later": (
        OPEN + CLOSE + "120 A S 0\n120.01 B SA 0 1\n120.011 A A 1 1\n" + CLOSE.replace("    1", "    121"),
        (Answer(ORDERLY, "A", frames=(1, 7), lost=0), Answer(ORDERLY, "A", frames=(8, 14), lost=0)),
    ),
    "the capture begins with an old FIN": (
        "0 B FA 100 50\n.001 A A 50 101\n" + AGAIN.format(5, 6),
        (Answer(HALF, "B", unknown=("may-have-closed-before",)), Answer(ORDERLY, "A", causes=(), frames=(3, 8))),
    ),
    "refused three times, then accepted with a new number": (
        "0 A S 0\n.01 B RA 0 1\n.5 A S 0\n.51 B RA 0 1\n1 A S 0\n1.01 B RA 0 1\n" + AGAIN.format(3, 4),
        (
            Answer(CloseKind.REFUSED, causes=(ResetCause.REFUSAL,) * 3, frames=(1, 6)),
            Answer(ORDERLY, "A", causes=(), frames=(7, 12)),
        ),
    ),
    "LAST-ACK answers the next SYN, whose sender resets it": (
        OPEN
        + "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n200 A S 900000\n200.01 B A 2 2\n200.011 A R 2\n"
        + AGAIN.format(201, 202),
        (Answer(ORDERLY, "A", causes=(ResetCause.SYN_SENT,), unknown=("old-numbers",)), Answer(ORDERLY, "A", causes=())),
    ),
}

GAPS: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "the last acknowledgement": (
        OPEN + CLOSE.rpartition("    1.06")[0],
        (Answer(CloseKind.CLOSING, "A", (None, State.LAST_ACK), unknown=("fin-not-answered",)),),
    ),
    "a FIN and its acknowledgement": (
        OPEN + ".5 A PA 1 1 len=100\n.51 B A 1 101\n1.05 B FA 1 102\n1.06 A A 102 2\n",
        (Answer(ORDERLY, likely=(None, None), unknown=("fin-not-captured", "order-of-fins"), lost=0),),
    ),
    "everything but SYN and FIN": (
        "0 A S 0\n.01 B SA 0 1\n1 A FA 1001 5001\n1.02 B FA 5001 1002\n",
        (Answer(CloseKind.CLOSING, "A", unknown=("octets-missing", "fin-not-answered"), lost=0),),
    ),
    "one direction": (
        ".01 B SA 0 1\n.5 B A 1 101\n.52 B PA 1 101 len=300\n1.01 B A 301 102\n1.05 B FA 301 102\n",
        (Answer(CloseKind.CLOSING, unknown=("fin-not-captured", "fin-not-answered"), likely=(None, None), lost=0),),
    ),
    "a segment of twenty kilobytes, acknowledged in parts": (
        OPEN
        + "1 A FPA 1 1 len=20000\n1.01 B A 1 1449\n1.011 B A 1 8001\n1.012 B A 1 20002\n1.05 B FA 1 20002\n1.06 A A 20002 2\n",
        (PLAIN,),
    ),
    "text before the FIN": (
        OPEN + "1 A PA 1 1 len=1000\n1.0002 A FA 2001 1\n1.01 B A 1 2002\n1.05 B FA 1 2002\n1.06 A A 2002 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), unknown=("octets-missing",), lost=0),),
    ),
    "a FIN that only acknowledgements show": (
        OPEN + "1.01 B A 1 2\n1.3 B A 1 2\n1.4 B FA 1 2\n1.41 A A 2 2\n",
        (Answer(ORDERLY, "A", (None, State.CLOSED), unknown=("fin-not-captured",), lost=0),),
    ),
    "everything of the client after the opening": (
        OPEN + "1 B PA 1 1 len=500\n1.2 B FA 501 102\n",
        (
            Answer(
                HALF,
                "B",
                (None, None),
                (State.CLOSE_WAIT, State.TIME_WAIT, State.FIN_WAIT_2, State.LAST_ACK),
                unknown=("octets-missing", "may-have-closed-unseen"),
                says="which may be a FIN",
            ),
        ),
    ),
}

ONE_PLACE: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "FINs that cross": (
        OPEN + "1 A FA 1 1\n1.005 B FA 1 1\n1.0051 A A 2 2\n1.02 B A 2 2\n",
        (Answer(CloseKind.SIMULTANEOUS, "A", (State.TIME_WAIT, State.TIME_WAIT), (State.CLOSING,), lost=0),),
    ),
    "an acknowledgement just after the retransmission": (
        SLOW + fins(1, 1.3) + "1.303 B A 1 2\n1.4 B A 1 2\n1.5 B FA 1 2\n1.5001 A A 2 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), lost=0),),
    ),
    "each transmission is acknowledged, a round trip after the second": (
        SLOW + fins(1, 1.3) + "1.42 B A 1 2\n1.43 B A 1 2\n1.5 B FA 1 2\n1.5001 A A 2 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), lost=0),),
    ),
    "one acknowledgement, a round trip after the second transmission": (
        SLOW + fins(1, 1.3) + "1.42 B A 1 2\n1.5 B FA 1 2\n1.5001 A A 2 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), lost=1, says="Lost, or late"),),
    ),
    "a retransmission that crosses the last acknowledgement": (
        SLOW + "1 A FA 1 1\n1.1 B FA 1 2\n1.1001 A A 2 2\n1.15 B FA 1 2\n1.1501 A A 2 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), lost=0),),
    ),
    "text that crosses the FIN and draws a RST": (
        SLOW + "1 A FA 1 1\n1.05 B PA 1 1 len=100\n1.0501 A R 2\n1.06 B PA 101 1 len=100\n1.0601 A R 2\n1.1 B A 201 2\n",
        (Answer(CloseKind.RESET, causes=(ResetCause.LATE_TEXT, ResetCause.CLOSED), lost=0),),
    ),
    "RSTs that cross": (
        OPEN + "1 A RA 1 1\n1.001 B RA 1 1\n",
        (Answer(CloseKind.RESET, causes=(ResetCause.ABORT, ResetCause.ABORT), likely=(State.CLOSED, State.CLOSED)),),
    ),
    "a FIN at the end of the capture": (
        OPEN + "1 A FA 1 1\n1.001 B A 1 1\n",
        (Answer(HALF, "A", (State.FIN_WAIT_1, None), unknown=("fin-not-answered",), lost=0),),
    ),
}

LOCAL_ORDER: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "the last acknowledgement before the FIN that it acknowledges": (
        OPEN + "1 A FA 1 1\n1.01 B A 1 2\n1.049995 A A 2 2\n1.05 B FA 1 2\n",
        (PLAIN,),
    ),
    "a FIN before its text": (
        OPEN + "1 A FA 1001 1\n1.0001 A PA 1 1 len=1000\n1.01 B A 1 1\n1.0102 B A 1 1002\n1.02 B FA 1 1002\n1.03 A A 1002 2\n",
        (PLAIN,),
    ),
    "a FIN before the acknowledgement of the other": (
        OPEN + "1 A FA 1 1\n1.01 B FA 1 2\n1.0101 B A 1 2\n1.02 A A 2 2\n",
        (PLAIN,),
    ),
    "acknowledgements that overtake one another": (
        OPEN
        + "1 B PA 1 1 len=100\n1.0001 B PA 101 1 len=100\n1.0002 B FA 201 1\n1.02 A A 1 202\n1.0201 A A 1 101\n"
        + "1.05 A FA 1 202\n1.06 B A 202 2\n",
        (Answer(ORDERLY, "B", (State.CLOSED, State.TIME_WAIT), lost=0),),
    ),
    "a retransmitted FIN before the acknowledgement that its sender had sent before": (
        OPEN + "1 B FA 1 1\n1.016 A FA 1 2\n1.0161 B A 2 2\n1.021 A A 2 2\n",
        (Answer(ORDERLY, "B", (None, State.TIME_WAIT), (State.CLOSED, State.CLOSING), lost=0),),
    ),
    "an old copy of a FIN, without identifications": (
        OPEN.replace("1 1", "1 1 id=0")
        + "1 A FA 1 1 id=0\n1.01 B A 1 2\n1.3 B FA 1 2\n1.31 A A 2 2 id=0\n2.8 A FA 1 1 id=0\n3 B R 1\n",
        (Answer(ORDERLY, "A", possible=(State.TIME_WAIT, State.CLOSED), causes=(ResetCause.CLOSED,)),),
    ),
    "equal times": (
        "0 A S 0\n0 B SA 0 1\n0 A A 1 1\n1 A FA 1 1\n1 B A 1 2\n1 B FA 1 2\n1 A A 2 2\n",
        (PLAIN,),
    ),
    "a clock that is an hour ahead in one frame": (
        OPEN + CLOSE.replace("1.01 B", "3601.01 B"),
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), frames=(1, 7), silent_on=("spoke-when-closed",), lost=0),),
    ),
    "a clock that is an hour behind in one frame": (
        OPEN + CLOSE.replace("1.01 B", "-3598.99 B"),
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), frames=(1, 7), lost=0),),
    ),
    "a clock that is an hour ahead in the first frame": (
        OPEN.replace("0 A S", "3600 A S", 1) + CLOSE,
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), frames=(1, 7), lost=0),),
    ),
    "a clock that is an hour behind in the last frame": (
        OPEN + CLOSE.replace("1.06 A", "-3598.94 A"),
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), frames=(1, 7), lost=0),),
    ),
}

MEMORY: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "three hundred segments in flight": (
        OPEN
        + "".join(f"{1 + i / 10_000} A A {1 + 10 * i} 1 len=10\n" for i in range(300))
        + "1.1 A FA 3001 1\n"
        + "".join(f"{1.2 + i / 10_000} B A 1 {1 + 10 * i}\n" for i in range(3, 300, 3))
        + "1.3 B A 1 3002\n1.4 B FA 1 3002\n1.41 A A 3002 2\n",
        (PLAIN,),
    ),
    "thirty keep-alives before the second FIN": (
        OPEN
        + "1 A FA 1 1\n1.01 B A 1 2\n"
        + "".join(f"{60 * i} B A 0 2\n{60 * i + 0.001} A A 2 1\n" for i in range(1, 31))
        + "2000 B FA 1 2\n2000.01 A A 2 2\n",
        (PLAIN,),
    ),
    "fifteen window updates before the acknowledgement": (
        OPEN
        + "1 A FA 1 1\n"
        + "".join(f"{1 + i / 1_000} B A 1 1 win={500 * i}\n" for i in range(1, 16))
        + "1.02 B A 1 2\n1.05 B FA 1 2\n1.06 A A 2 2\n",
        (PLAIN,),
    ),
    "text again, ninety packets later": (
        OPEN
        + "".join(f"{1 + i / 1_000} A A {1 + 10 * i} 1 len=10\n" for i in range(45))
        + "1.046 A FA 451 1\n"
        + "".join(f"{1.05 + i / 1_000} B A 1 1\n" for i in range(45))
        + "1.3 A A 1 1 len=10\n1.31 B A 1 452\n1.32 B FA 1 452\n1.33 A A 452 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), lost=1),),
    ),
    "twenty-five FINs": (
        OPEN + fins(*range(1, 1_501, 60)),
        (Answer(HALF, "A", (State.FIN_WAIT_1, None), unknown=("fin-not-answered",), lost=0),),
    ),
    "three thousand packets before the second FIN": (
        OPEN
        + "1 A FA 1 1\n1.01 B A 1 2\n"
        + "".join(
            f"{2 + i / 1_000} B A {1 + 10 * i} 2 len=10\n{2 + i / 1_000 + 0.0005} A A 2 {11 + 10 * i}\n" for i in range(1_500)
        )
        + "5 B FA 15001 2\n5.01 A A 2 15002\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), says="15,000 more octets", lost=0),),
    ),
    "twelve SYNs": (
        "".join(f"{i} A S 0\n" for i in range(12))
        + "12.01 B SA 0 1\n12.02 A A 1 1\n13 A FA 1 1\n13.01 B FA 1 2\n13.02 A A 2 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED), frames=(1, 17)),),
    ),
}

TIMERS: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "a loss probe, and a timeout that doubles": (
        OPEN + fins(1, 1.03, 1.25, 1.69, 2.57) + "2.6 B A 1 2\n2.7 B FA 1 2\n2.71 A A 2 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED)),),
    ),
    "a FIN repeated on an acknowledgement of text": (
        OPEN + "1 B FA 1 1\n1.1 A PA 1 1 len=100\n1.101 B FA 1 101\n1.12 A A 101 2\n1.2 A FA 101 2\n1.21 B A 2 102\n",
        (Answer(ORDERLY, "B", (State.CLOSED, State.TIME_WAIT), says="repeated its FIN on an acknowledgement"),),
    ),
    "a timeout at its maximum of two minutes": (
        OPEN + fins(1, 31, 91, 211, 331, 451),
        (Answer(HALF, "A", (State.FIN_WAIT_1, None)),),
    ),
    "a timeout that never doubles": (
        OPEN + fins(1, 2, 3, 4, 5, 6) + "6.01 B A 1 2\n",
        (Answer(HALF, "A", (State.FIN_WAIT_2, State.CLOSE_WAIT), deviations=("no-back-off",)),),
    ),
    "a timeout that starts anew after progress": (
        OPEN
        + "1 A PA 1 1 len=1000\n1.0001 A FA 1001 1\n1.2 A PA 1 1 len=1000\n1.6 A PA 1 1 len=1000\n1.65 B A 1 1001\n"
        + "1.85 A FA 1001 1\n2.25 A FA 1001 1\n2.3 B A 1 1002\n2.4 B FA 1 1002\n2.41 A A 1002 2\n",
        (Answer(ORDERLY, "A", (State.TIME_WAIT, State.CLOSED)),),
    ),
    "timeouts that vary by a tenth": (
        OPEN + fins(1, 2, 3.9, 8.1, 15.8, 32) + "32.01 B A 1 2\n",
        (Answer(HALF, "A", (State.FIN_WAIT_2, State.CLOSE_WAIT)),),
    ),
    "equal timeouts at first, as of thin streams": (
        OPEN + fins(1, 1.2, 1.4, 1.6, 2.0, 2.8) + "2.81 B A 1 2\n",
        (Answer(HALF, "A", (State.FIN_WAIT_2, State.CLOSE_WAIT)),),
    ),
    "FIN-WAIT-2 after a keep-alive": (
        OPEN + "1 A FA 1 1\n1.01 B A 1 2\n30 B A 0 2\n30.001 A A 2 1\n70 B FA 1 2\n70.001 A R 2\n",
        (Answer(CloseKind.CUT_OFF, "A", causes=(ResetCause.FORGOTTEN,), says="it had left FIN_WAIT_2"),),
    ),
    "a FIN that TIME-WAIT no longer answers after four minutes": (
        OPEN + "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n301 B FA 1 2\n301.01 A R 2\n",
        (Answer(CloseKind.CUT_OFF, "A", causes=(ResetCause.LEFT_TIME_WAIT,)),),
    ),
    "a TIME-WAIT of twenty seconds": (
        OPEN + "1 A FA 1 1\n1.01 B FA 1 2\n1.02 A A 2 2\n21 B FA 1 2\n21.01 A R 2\n",
        (Answer(CloseKind.CUT_OFF, "A", causes=(ResetCause.LEFT_TIME_WAIT,), deviations=("time-wait-left",)),),
    ),
}

TEXT = ".5 A PA 1 1 len=10\n.51 B A 1 11\n"
ANY = (ResetCause.ABORT, ResetCause.KEEP_ALIVE, ResetCause.FORGOTTEN, ResetCause.DEVICE)

RESETS: dict[str, tuple[str, tuple[Answer, ...]]] = {
    "SO_LINGER 0": (
        OPEN + TEXT + "1 A RA 11 1\n",
        (Answer(CloseKind.RESET, causes=(ResetCause.ABORT,), likely=(State.CLOSED, State.CLOSED)),),
    ),
    "late text": (
        OPEN + "1 A FA 1 1\n1.01 B A 1 2\n1.5 B PA 1 2 len=100\n1.501 A R 2\n",
        (Answer(CloseKind.RESET, causes=(ResetCause.LATE_TEXT,), says="received text after its user had closed"),),
    ),
    "a host that lost the connection answers text": (
        OPEN + TEXT + "300 A PA 11 1 len=10\n300.01 B R 1\n",
        (Answer(CloseKind.RESET, causes=(ResetCause.FORGOTTEN,), also=(ResetCause.ABORT, ResetCause.DEVICE)),),
    ),
    "a host that lost the connection answers a keep-alive": (
        OPEN + TEXT + "7200 A A 10 1\n7200.01 B R 1\n",
        (Answer(CloseKind.RESET, causes=(ResetCause.FORGOTTEN,), also=(ResetCause.DEVICE,)),),
    ),
    "a RST without ACK after two hours": (
        OPEN + TEXT + "7200 A R 11\n",
        (Answer(CloseKind.RESET, also=ANY, unknown=("cause-of-reset",), says="nothing had passed for"),),
    ),
    "a RST with ACK after two hours": (
        OPEN + TEXT + "7200 B RA 1 11\n",
        (Answer(CloseKind.RESET, also=ANY, unknown=("cause-of-reset",), likely=(State.CLOSED, State.CLOSED)),),
    ),
    "a RST five minutes after a half close": (
        OPEN + "1 A FA 1 1\n1.01 B A 1 2\n301 B R 1\n",
        (Answer(CloseKind.RESET, also=ANY, unknown=("cause-of-reset",)),),
    ),
    "a firewall resets both ends": (
        OPEN
        + TEXT.replace("1 11", "1 11 ttl=50")
        + "1 A PA 11 1 len=100\n1.001 B RA 1 111 ttl=240\n1.002 A RA 111 1 ttl=240\n1.01 B A 1 111 ttl=64\n",
        (Answer(CloseKind.RESET, causes=(ResetCause.DEVICE, ResetCause.DEVICE)),),
    ),
    "the retry limit": (
        OPEN + fins(1, 1.2, 1.6, 2.4, 4, 7.2, 13.6, 26.4) + "52 A RA 2 1\n",
        (Answer(CloseKind.GAVE_UP, "A", causes=(ResetCause.RETRY_LIMIT,), likely=(State.CLOSED, None)),),
    ),
    "a scan of half an opening": (
        "0 A S 0\n.01 B SA 0 1\n.0101 A R 1\n",
        (Answer(CloseKind.REFUSED, causes=(ResetCause.REFUSAL,)),),
    ),
    "an end that is done answers the last acknowledgement": (
        OPEN + CLOSE + "1.08 B R 2\n",
        (Answer(ORDERLY, "A", causes=(ResetCause.CLOSED,), unknown=("reset-in-time-wait",)),),
    ),
    "a blind RST that changes nothing": (
        OPEN + "1 A R 30\n1.01 B A 1 1\n2 A PA 1 1 len=10\n2.01 B A 1 11\n3 A FA 11 1\n3.01 B FA 1 12\n3.02 A A 12 2\n",
        (Answer(ORDERLY, "A", also=(ResetCause.DEVICE,), likely=(State.TIME_WAIT, State.CLOSED)),),
    ),
}

KINDS = {
    "reuse": REUSE,
    "gaps": GAPS,
    "one place": ONE_PLACE,
    "local order": LOCAL_ORDER,
    "memory": MEMORY,
    "timers": TIMERS,
    "resets": RESETS,
}
CASES = [(kind, name) for kind, cases in KINDS.items() for name in cases]


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind}: {name}" for kind, name in CASES])
def test_case(kind: str, name: str) -> None:
    """The capture is explained as its answer says."""
    text, answers = KINDS[kind][name]
    found = explained(text)
    assert len(found.connections) == len(answers)
    assert [differences(found, index, answer) for index, answer in enumerate(answers)] == [[] for _ in answers]
