"""``timewait explain`` on captures of the kernel's own TCP."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import kernel
import pytest
from explained_captures import ACTIVE, PASSIVE, closes, states

from timewait.captures.profiles import fit_profiles
from timewait.captures.report import deviations, outcome, summary
from timewait.captures.time_wait_lengths import time_waits_observed
from timewait.spec.stacks import load_stack

# --- the kernel's own TCP --------------------------------------------------------------------------------------------


@pytest.mark.skipif(bool(kernel.NO_CAPTURE), reason=kernel.NO_CAPTURE or "never")
class TestLoopback:
    """Real connections over the loopback interface, captured by tcpdump."""

    def test_a_clean_close(self, tmp_path: Path) -> None:
        """The client closes first."""
        (close,) = closes(kernel.on_loopback(tmp_path / "clean.pcap", kernel.clean_close))
        assert states(close, "A")[-1] == "TIME_WAIT"
        assert states(close, "B") == PASSIVE
        assert outcome(close) == "closed in order, A first"
        assert deviations(close) == []
        assert close.trace.initial["A.nxt"] == 6

    def test_a_half_close(self, tmp_path: Path) -> None:
        """The server sends text after the client's FIN, and closes second."""
        (close,) = closes(kernel.on_loopback(tmp_path / "half.pcap", kernel.half_close))
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert "Then B sent 3,000 more octets: a half-close" in summary(close)
        assert deviations(close) == []

    def test_a_reset(self, tmp_path: Path) -> None:
        """SO_LINGER 0."""
        (close,) = closes(kernel.on_loopback(tmp_path / "reset.pcap", kernel.reset))
        assert outcome(close) == "reset by A"
        assert (states(close, "A"), states(close, "B")) == (["ESTABLISHED", "CLOSED"],) * 2
        assert deviations(close) == []


@pytest.mark.skipif(bool(kernel.NO_TUNNEL), reason=kernel.NO_TUNNEL or "never")
class TestTunnels:
    """Two network namespaces of this kernel, and a network between them under the test's control."""

    @pytest.mark.parametrize("both", [True, False])
    def test_a_lost_last_acknowledgement(self, tmp_path: Path, both: bool) -> None:
        """Captured at both ends or at A alone, the result is the same: Linux retransmits its FIN after about 200 ms."""
        (close,) = closes(kernel.through_tunnels(tmp_path / "lost.pcapng", kernel.lose_the_last_acknowledgement, both))
        assert (states(close, "A"), states(close, "B")) == (ACTIVE, PASSIVE)
        assert [copy.sender for step in close.trace.steps for copy in step.event.sent if copy.lost] == ["A"]
        assert [(sent.end, sent.fin) for sent in close.retransmissions] == [("B", True)]
        (need,) = time_waits_observed(close)
        assert Fraction(1, 10) < need.restarted < Fraction(3, 2)
        assert deviations(close) == []
        assert "linux" in [stack.name for stack in fit_profiles(close, "B", [load_stack("linux"), load_stack("smoltcp")]).fitting]

    def test_rfc_1337(self, tmp_path: Path) -> None:
        """B answers the acknowledgement of a duplicate FIN with a RST, which ends A's TIME-WAIT, as on Linux."""
        (close,) = closes(kernel.through_tunnels(tmp_path / "killed.pcapng", kernel.duplicate_the_fin, True))
        assert (states(close, "A"), states(close, "B")) == ([*ACTIVE, "CLOSED"], PASSIVE)
        assert [(shot.end, shot.exact, shot.ended) for shot in close.resets] == [("A", True, True)]
        assert deviations(close) == []
        assert [stack.name for stack in fit_profiles(close, "A", [load_stack("linux"), load_stack("freebsd")]).fitting] == [
            "linux"
        ]
