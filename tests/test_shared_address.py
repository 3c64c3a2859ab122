"""Hosts that share an address, and a server that compares their timestamps."""

from __future__ import annotations

from timewait.spec.shared_address import Opening, SharingHost, accepted, openings, shortest_refusal

NEIGHBOURS = (SharingHost("X", 5_000_000), SharingHost("Y", 1_000_000))
"""Two hosts behind a NAT, Y started more than an hour after X."""


def test_hosts_behind_a_nat() -> None:
    """A SYN of the host whose clock is behind is dropped; hosts with one clock, or a minute apart, are not refused."""
    run_of_two = shortest_refusal(NEIGHBOURS)
    assert run_of_two is not None
    assert [(opening.host, opening.accepted) for opening in run_of_two] == [("X", True), ("Y", False)]
    assert shortest_refusal([SharingHost("X", 5), SharingHost("Y", 5)]) is None
    assert shortest_refusal([SharingHost("X", 5)]) is None
    assert shortest_refusal(NEIGHBOURS, interval=60) is None
    assert accepted((10, 0), 9, 0)
    assert not accepted((10, 0), 8, 0)
    assert accepted(None, 8, 0)
    assert accepted((10, 3), 8, 63)
    assert not accepted((10, 3), 8, 62)


def test_each_syn_that_is_answered_is_compared_with_the_next() -> None:
    """A SYN that was dropped leaves no timestamp; each clock counts milliseconds, an interval apart."""
    order = (0, 1, 1, 0)
    found = list(openings((SharingHost("X", 3000), SharingHost("Y", 0)), order, interval=2))
    assert found == [
        Opening(0, "X", 3000, True),
        Opening(2, "Y", 2000, False),
        Opening(4, "Y", 4000, True),
        Opening(6, "X", 9000, True),
    ]
    assert found[0].sentence == "0 s: X sends a SYN with timestamp 3000; the server answers it"
    assert found[1].sentence.endswith("the server drops it, as its timestamp is older than the last one")
    behind = openings((SharingHost("X", 3000), SharingHost("Y", 0)), (0, 1, 1, 1))
    assert [opening.accepted for opening in behind] == [True, False, False, True]
    late = (SharingHost("X", 60_000), SharingHost("Y", 0))
    assert [opening.accepted for opening in openings(late, (0, 1, 1), interval=30)] == [True, False, True]
    assert shortest_refusal([SharingHost("X", 3), SharingHost("Y", 0)], most=1) is None
    slow = (SharingHost("X", 1002), SharingHost("Y", 0))
    assert len(shortest_refusal(slow, most=2) or ()) == len(shortest_refusal(slow) or ()) == 2
