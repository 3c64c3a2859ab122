"""The probability of a RST: exact against drawn lots, and zero where TIME_WAIT is proved long enough."""

from __future__ import annotations

import random
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import run, run_json

from timewait.api import threshold
from timewait.cli.risk import orderly_close, risk_curve
from timewait.risk.chain import CloseResult, result_probabilities
from timewait.risk.path import NetworkPath, OrderlyClose, delays_around
from timewait.risk.sampling import estimate, sampled
from timewait.risk.stray import Strays
from timewait.risk.table import least_without_risk, risks, time_waits_of_stacks
from timewait.spec.backoff import doubling
from timewait.spec.incarnation import HARMS
from timewait.spec.settings import Behaviour
from timewait.spec.stacks import load_stack
from timewait.vocabulary.errors import RequestError


def some_close(chance: random.Random, budget: int | None, *, rounds: bool = False) -> OrderlyClose:
    """A close on a random network; where `rounds`, the shortest delay is 0 and each RTO is longer than a round trip."""
    half = Fraction(chance.randint(1, 4), 10)
    delays = delays_around(2 * half, half if rounds or chance.random() < 0.5 else Fraction(0))
    first = Fraction(chance.randint(1, 6), 2) + (4 * half if rounds else 0)
    gaps = doubling(first, first * chance.choice([1, 2, 4]))
    path = NetworkPath(loss_rate=Fraction(chance.randint(1, 4), 10), delays=delays, budget=budget)
    behaviour = Behaviour(retries=chance.randint(1, 3), backoff=len(gaps))
    return OrderlyClose(time_wait=Fraction(chance.randint(0, 8), 2), gaps=gaps, behaviour=behaviour, path=path)


@pytest.mark.parametrize("seed", range(20))
def test_exact_and_sampled_agree(seed: int) -> None:
    """On 20 random networks the interval of confidence contains the exact value, up to its own rate of error."""
    chance = random.Random(seed)
    close = some_close(chance, chance.choice([None, None, 1, 2]))
    exact = result_probabilities(close)
    assert sum(exact.values()) == 1
    found = sampled(close, 1_500, seed)
    for result in CloseResult:
        slack = (found[result].high - found[result].low) / 2
        assert found[result].low - slack <= exact[result] <= found[result].high + slack, result


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 12))])
def test_no_risk_from_the_proved_threshold_on(seed: int) -> None:
    """With a bound on losses the probability is zero exactly from the TIME_WAIT on that the engine proves."""
    chance = random.Random(50 + seed)
    budget = 1 + seed % 2
    close = some_close(chance, budget, rounds=True)
    gaps = close.gaps[: 1 if seed < 2 else 2]
    close = replace(close, gaps=gaps, behaviour=Behaviour(retries=4, backoff=len(gaps)))
    found = threshold(
        msl=close.path.longest, rto=close.gaps, loss=budget, exact_rto=True, properties=("graceful",), engine="zones"
    )
    assert found.least is not None
    assert least_without_risk(close) == found.least
    least = found.least
    assert result_probabilities(replace(close, time_wait=least))[CloseResult.RESET] == 0
    assert result_probabilities(replace(close, time_wait=least - Fraction(1, 1000)))[CloseResult.RESET] > 0
    falling = [risk.reset for risk in risks(close, None, [least * Fraction(part, 8) for part in range(10)])]
    assert falling == sorted(falling, reverse=True)


def test_the_risk_falls_with_time_wait() -> None:
    """A longer TIME_WAIT is never worse, and with any number of losses only the limit of retransmissions ends the risk."""
    gaps = doubling(Fraction(1, 5), Fraction(120))[:6]
    path = NetworkPath(loss_rate=Fraction(1, 100), delays=delays_around(Fraction(1, 20), Fraction(0)))
    close = OrderlyClose(time_wait=Fraction(0), gaps=gaps, behaviour=Behaviour(retries=6, backoff=6), path=path)
    values = [Fraction(number, 10) for number in range(0, 140, 5)]
    table = [risk.reset for risk in risks(close, None, values)]
    assert table == sorted(table, reverse=True)
    assert len(set(table)) > 5
    assert least_without_risk(close) == sum(gaps)
    assert table[-1] == 0 < table[0]


def test_the_first_lost_acknowledgement() -> None:
    """Without TIME-WAIT one lost acknowledgement is enough: loss rate times the chance that the second FIN and the RST arrive."""
    rate = Fraction(1, 10)
    path = NetworkPath(loss_rate=rate, delays=delays_around(Fraction(1), Fraction(0)))
    close = OrderlyClose(time_wait=Fraction(0), gaps=(Fraction(5),), behaviour=Behaviour(retries=1), path=path)
    # FIN of A (two tries), ACK and FIN of B; then the ACK of A is lost, and B's one retransmission draws a RST.
    results = result_probabilities(close)
    arrives = 1 - rate
    assert 0 < results[CloseResult.RESET] <= rate * arrives
    lossless = replace(close, path=replace(path, loss_rate=Fraction(0)))
    assert result_probabilities(lossless) == {CloseResult.IN_ORDER: 1, CloseResult.RESET: 0, CloseResult.GAVE_UP: 0}


def test_an_unlimited_sender_has_no_chain() -> None:
    """Without a limit of retransmissions the chain would not end."""
    path = NetworkPath(loss_rate=Fraction(1, 10), delays=delays_around(Fraction(1), Fraction(0)))
    with pytest.raises(RequestError, match="--retries"):
        OrderlyClose(time_wait=Fraction(0), gaps=(Fraction(5),), behaviour=Behaviour(), path=path)


class TestStrays:
    """Old duplicates."""

    STRAYS = Strays(rate=Fraction(1, 100), msl=Fraction(30), window=1000)

    def test_none_is_left_after_an_msl(self) -> None:
        for harm in HARMS:
            assert self.STRAYS.accepted(harm, Fraction(30)) == 0
            assert self.STRAYS.accepted(harm, Fraction(29)) > 0

    def test_timestamps_leave_the_rst(self) -> None:
        protected = replace(self.STRAYS, timestamps=True)
        assert [harm for harm in HARMS if protected.accepted(harm, Fraction(0))] == ["old-reset"]

    @pytest.mark.parametrize("harm", HARMS)
    def test_numbers_by_counting(self, harm: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same probability by counting every pair of numbers in a space of 64."""
        space, window = 64, 8
        monkeypatch.setattr("timewait.risk.stray.NUMBERS", space)
        hits = 0
        for seq in range(space):
            for ack in range(space):
                in_window, exact = seq < window, seq == 0
                passes, acknowledges = ack < space // 2, ack < window
                fits = {"old-text": in_window and passes, "old-fin": in_window and passes, "old-reset": exact}
                hits += fits.get(harm, in_window and acknowledges)
        strays = Strays(rate=Fraction(1), msl=Fraction(1), window=window)
        assert strays.accepted(harm, Fraction(0)) == Fraction(hits, space**2)


def test_an_estimate_contains_its_share() -> None:
    """The interval of Wilson lies within 0 and 1, also without a hit."""
    for hits in (0, 1, 50, 99, 100):
        found = estimate(hits, 100)
        assert 0 <= found.low <= found.share <= found.high <= 1
    assert estimate(0, 100).high > 0


def test_the_command(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every stack's TIME_WAIT is in the table, and 102.2 s cover all retransmissions of an orphan on Linux."""
    code, out, _ = run(capsys, "risk", "--loss-rate", "1%", "--rtt", "50ms", "--rate-of-reuse", "1000")
    assert code == 0
    assert "with a TIME_WAIT of 102.2s or more no close ends in a RST" in out
    assert "less than RTO + 102.2s after its first" in " ".join(out.split())
    assert "63.75s or more" in run(capsys, "risk", "--loss-rate", "1%", "--rtt", "250ms")[1]
    assert "RTO +" not in run(capsys, "risk", "--loss-rate", "1%", "--rtt", "50ms", "--retries", "9")[1]
    for names in time_waits_of_stacks().values():
        assert ", ".join(names)[:20] in out
    code, data = run_json(
        capsys, "risk", "--loss-rate", "0.3", "--rtt", "1s", "--time-wait", "1s", "--retries", "2", "--samples", "200"
    )
    assert code == 0
    (row,) = data["risks"]
    assert abs(sum(row["results"].values()) - 1) < 1e-12
    assert row["sampled"]["reset"]["low"] <= row["sampled"]["reset"]["high"]
    assert run(capsys, "risk", "--loss-rate", "2", "--rtt", "1s")[0] == 2
    assert run(capsys, "risk", "--loss-rate", "1%", "--rtt", "1s", "--jitter", "2s")[0] == 2
    assert run(capsys, "risk", "--loss-rate", "0", "--rtt", "1s", "--out", str(tmp_path / "risk.svg"))[0] == 2


@pytest.mark.parametrize("stack", ["lwip", "vpp", "smoltcp"])
def test_a_stack_with_limits_of_states(stack: str) -> None:
    """Limits of states end a close out of order; exact and sampled agree on how often."""
    path = NetworkPath(loss_rate=Fraction(1, 3), delays=delays_around(Fraction(1), Fraction(0)))
    profile = load_stack(stack)
    close = orderly_close(profile, path, Fraction(4), retries=3)
    exact, found = result_probabilities(close), sampled(close, 2_000, 1)
    assert sum(exact.values()) == 1
    for result in CloseResult:
        slack = (found[result].high - found[result].low) / 2
        assert found[result].low - slack <= exact[result] <= found[result].high + slack, result


def test_the_proved_mark_is_that_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is asked about the stack whose risk is drawn, with its gaps and without a limit of retransmissions."""
    asked: dict[str, object] = {}

    def recorded(**options: object) -> SimpleNamespace:
        asked.update(options)
        return SimpleNamespace(least=Fraction(9))

    monkeypatch.setattr("timewait.cli.risk.threshold", recorded)
    path = NetworkPath(loss_rate=Fraction(1, 10), delays=delays_around(Fraction(2), Fraction(1)), budget=1)
    profile = load_stack("uip")
    curve = risk_curve(orderly_close(profile, path, Fraction(1), (Fraction(3),), retries=2), profile)
    assert curve.proved == 9
    assert asked["stack"] is profile
    assert (asked["rto"], asked["loss"], asked["msl"]) == ((Fraction(3),), 1, Fraction(2))
    assert asked.get("retries") is None


def test_the_proved_mark_is_where_the_risk_ends() -> None:
    """With ends that give up: the engine's threshold and the chain's agree."""
    path = NetworkPath(loss_rate=Fraction(1, 10), delays=delays_around(Fraction(2), Fraction(1)), budget=1)
    profile = load_stack("rfc9293-intended")
    curve = risk_curve(orderly_close(profile, path, Fraction(1), (Fraction(5),), retries=2), profile)
    assert curve.proved == curve.zero_from == 7
