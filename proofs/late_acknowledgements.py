"""The schedules of C17: text is acknowledged late, and the FIN is retransmitted late in consequence."""

from __future__ import annotations


def late_schedule(loss: int, octets: int, gap: str) -> str:
    """A schedule in which an octet is acknowledged after each gap, before the FIN is retransmitted.

    Parameters
    ----------
    loss : int
        Copies lost in the loss window: the acknowledgement of the FIN, then copies of the FIN.
    octets : int
        Octets of text of B; each is acknowledged alone.
    gap : str
        The time between two of these acknowledgements, as a term.
    """
    fin = f"FIN+ACK seq={octets + 1} ack=2"
    numbers = range(1, octets + 1)
    return "\n".join(
        (
            "0: A call CLOSE",
            "0: B deliver A FIN+ACK seq=1 ack=1",
            *("0: B call SEND" for _ in numbers),
            *(f"0: A deliver B DATA+ACK seq={number} ack=2 len=1" for number in numbers),
            "0: B call CLOSE",
            f"0: A deliver B {fin} (lost)",
            *(f"{gap}: B deliver A ACK seq=2 ack={number + 1}" for number in numbers),
            *("RTO: B timer retransmission (lost)" for _ in range(loss - 1)),
            "RTO: B timer retransmission",
            "repeat",
            "RTO: B timer retransmission",
            "end",
            "MSL - ROUNDS: A timer time-wait",
            f"0: A deliver B {fin}",
            "0: B deliver A RST seq=2",
        )
    )
