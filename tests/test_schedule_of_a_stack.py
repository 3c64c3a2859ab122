"""Retransmissions at stated instants: gaps with a lower bound, and the schedule that a profile gives."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from importlib import resources
from pathlib import Path

import pytest
from commands import run, run_json
from oracle import judge

from timewait.api import check
from timewait.checker.decide import decide
from timewait.checker.finding import Budget
from timewait.checker.question import Engine
from timewait.checker.verdict import Verdict
from timewait.options import Closers, Keywords, Options
from timewait.proofs.question import question
from timewait.spec.backoff import backoff
from timewait.spec.configuration import Configuration, ConfigurationError, Scope
from timewait.spec.duration import parse_duration
from timewait.spec.properties import PROPERTIES
from timewait.spec.settings import Behaviour, ResetRule
from timewait.spec.stacks import Stack, load_stack
from timewait.vocabulary.errors import RequestError

ASKED = ("graceful", "isolation")


def core(time_wait: int, *gaps: int, slack: int = 0, exact: bool = True, loss: int = 1) -> Configuration:
    """The last exchange with a schedule of gaps, in whole seconds, at an MSL of one second."""
    return Configuration(
        msl=Fraction(1),
        time_wait=Fraction(time_wait),
        rto=tuple(map(Fraction, gaps)),
        rto_exact=exact,
        rto_slack=Fraction(slack),
        loss=loss,
        scope=Scope.CORE,
        behaviour=Behaviour(backoff=len(gaps)),
    )


@pytest.mark.parametrize("slack", [0, 1])
@pytest.mark.parametrize("gaps", [(1,), (2,), (1, 2), (1, 2, 4), (3, 1)])
@pytest.mark.parametrize("time_wait", [1, 3, 5])
@pytest.mark.parametrize("engine", [Engine.EXPLICIT, Engine.ZONES])
def test_engines_agree_with_brute_force(gaps: tuple[int, ...], slack: int, time_wait: int, engine: Engine) -> None:
    """In ticks and in dense time, with single copies and merged ones; dense time may violate what ticks do not."""
    configuration = core(time_wait, *gaps, slack=slack)
    expected = judge(configuration, judged=ASKED)
    answers = decide(question(configuration), [PROPERTIES[name] for name in ASKED], engine, Budget(seconds=20))
    found = {answer.name: answer.verdict is Verdict.VIOLATED for answer in answers}
    assert all(answer.verdict in (Verdict.VIOLATED, Verdict.PROVED) for answer in answers)
    assert found == expected


@pytest.mark.parametrize(
    ("slack", "time_wait", "verdict"), [(0, 3, Verdict.PROVED), (1, 3, Verdict.VIOLATED), (1, 4, Verdict.PROVED)]
)
def test_slack_delays_the_last_fin(slack: int, time_wait: int, verdict: Verdict) -> None:
    """One copy of the FIN is lost: the next arrives RTO, the slack and MSL after the first one was acknowledged."""
    (answer,) = decide(question(core(time_wait, 2, slack=slack)), [PROPERTIES["graceful"]], Engine.AUTO, Budget(seconds=20))
    assert answer.verdict is verdict


def test_time_passes_in_every_gap() -> None:
    """A gap between a least and a greatest length causes no time-lock, in the system and its over-approximation."""
    asked = question(replace(core(3, 1, 2, slack=1), behaviour=Behaviour(backoff=2, reset=ResetRule.EXACT)))
    assert not asked.may_time_lock


@pytest.mark.parametrize("changes", [{"rto_slack": Fraction(-1), "rto_exact": True}, {"rto_slack": Fraction(1)}])
def test_slack_without_a_least_gap_is_refused(changes: dict[str, object]) -> None:
    """And a slack below zero."""
    with pytest.raises(ConfigurationError, match="slack"):
        replace(core(3, 1, exact=False), **changes)  # type: ignore[arg-type]  # checked by the dataclass


# --- of a stack -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "gaps"),
    [
        ("linux", [*(Fraction(2**step, 5) for step in range(10)), Fraction(120)]),
        ("smoltcp", [1, 2, 4, 8, 16, 32, 60]),
        ("rfc9293", []),
        ("macos", []),
    ],
)
def test_a_profile_gives_a_schedule(name: str, gaps: list[Fraction]) -> None:
    """Doubling from the least RTO to the greatest; none for a standard, and none where one of them is unknown."""
    assert [*backoff(load_stack(name))] == gaps


@pytest.mark.parametrize(
    "keywords",
    [
        {"rto": "120s"},
        {"schedule": "any"},
        {"duplication": 1},
        {"fifo": True},
        {"rto_runs_on": True},
        {"stack": "macos"},
        {"stack": "rfc9293"},
    ],
)
def test_a_schedule_that_does_not_apply(keywords: Keywords) -> None:
    """An RTO of one's own, any gap, counted copies, a timer that runs on, a profile without it."""
    chosen: Keywords = {"stack": "linux", "msl": "30s", **keywords}
    assert Options.of(**chosen).of_stack() is None


def test_slack_without_a_schedule_is_refused() -> None:
    """It would be ignored silently."""
    with pytest.raises(RequestError, match="a slack belongs to"):
        Options.of(msl="30s", rto="1s", rto_slack="1ms")


@pytest.fixture(scope="module")
def small() -> Stack:
    """A stack with a short schedule: 1 s, 2 s, 3 s."""
    stack = load_stack("rfc9293-intended")
    return replace(stack, name="small", rto_min=Fraction(1), rto_max=Fraction(3), multiples={})


@pytest.mark.parametrize("slack", ["0s", "500ms"])
@pytest.mark.parametrize(
    ("closers", "time_wait"),
    [("a", "3s"), ("a", "4s"), ("a", "4.5s"), pytest.param("both", "4s", marks=pytest.mark.slow)],
)
def test_both_verdicts(small: Stack, closers: Closers, time_wait: str, slack: str) -> None:
    """Those of the schedule are the engine's own, also where a proof is inherited from any gap."""
    chosen: Keywords = {"stack": small, "msl": "1s", "time_wait": time_wait, "closers": closers, "rto_slack": slack}
    chosen |= {"properties": ["graceful", "isolation", "quiet"]}
    result = check(**chosen)
    assert result.any_gap is not None
    assert (result.configuration.rto_exact, result.any_gap.configuration.rto_exact) == (True, False)
    written: Keywords = {**chosen, "rto": ["1s", "2s", "3s"], "exact_rto": True}
    whole = check(**written)
    assert [answer.verdict for answer in result.answers] == [answer.verdict for answer in whole.answers]
    assert all(answer.verdict <= wider.verdict for answer, wider in zip(result.answers, result.any_gap.answers, strict=True))
    assert result.any_gap.configuration.rto == (3 + parse_duration(slack),)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["linux", "freebsd", "smoltcp"])
def test_every_retransmission_of_a_trace_is_the_kernel_s(name: str) -> None:
    """At the instant that the back-off gives."""
    stack = load_stack(name)
    result = check(stack=name, msl="30s")
    assert result.any_gap is not None
    gaps, seen = backoff(stack), 0
    for answer in result.answers:
        tries = {"A": 0, "B": 0}
        for step in () if answer.trace is None else answer.trace.steps:
            text = step.event.text
            if text.startswith("retransmits after "):
                gap = gaps[min(tries[step.event.actor], len(gaps) - 1)]
                assert parse_duration(text.rpartition(" ")[2]) == gap
                tries[step.event.actor] += 1
                seen += 1
    assert seen


def test_the_output_names_both_verdicts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last line, with the properties that differ; JSON has all answers with any gap."""
    text = (resources.files("timewait.spec") / "stacks" / "rfc9293-intended.toml").read_text(encoding="utf-8")
    profile = tmp_path / "small.toml"
    profile.write_text(text.replace('"rfc9293-intended"', '"small"').replace('"2*msl"', '"3s"'), encoding="utf-8")
    command = ("check", "--stack", str(profile), "--msl", "1s", "--time-wait", "4s", "--closers", "a", "--property", "graceful")
    code, out, _ = run(capsys, *command)
    assert code == 0
    last = " ".join(out.partition("verdict: ")[2].split())
    assert last.startswith("PROVED with the schedule of RFC 9293 (intended reading) (1s, 2s, 3s); PROVED with any gap up to 3s")
    code, data = run_json(capsys, *command)
    assert (data["verdict"], data["any_gap"]["verdict"], data["any_gap"]["parameters"]["rto"]) == ("proved", "proved", [3.0])
