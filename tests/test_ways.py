"""The ways around TIME-WAIT: each cell has a verdict with evidence, and each way does what its row says."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest
from commands import run, run_json

from timewait.checker.verdict import Verdict
from timewait.cli.ways import close_of
from timewait.laboratory import probe
from timewait.laboratory.listeners import restarts
from timewait.laboratory.replaying.replayer import replay_on_kernel
from timewait.spec.incarnation import HARMS
from timewait.spec.stacks import MissingValue, load_stack, stack_names
from timewait.ways.description import as_data, cell, evidence_in_words, legend, refusal, row
from timewait.ways.judging import ASKED, Judge, JudgedWay, gain, named
from timewait.ways.way import PLAIN, WAYS, Way, unchanged_close, way_name

MSL = Fraction(30)
PAGE = Path(__file__).parent.parent / "docs" / "why" / "ways-around.md"
CLOSE = close_of(load_stack("rfc9293-intended"), MSL, None, Fraction(4))
QUICK = [way for way in WAYS if not way.close(CLOSE).reopening.handshake]
"""The ways that take less than a few seconds: no handshake opens the next connection."""

LABORATORY = pytest.mark.skipif(bool(probe.missing()), reason=probe.missing() or "the laboratory runs")


@cache
def judge(stack: str = "rfc9293-intended") -> Judge:
    """A judge of a stack; what it has decided once it knows."""
    return Judge(close_of(load_stack(stack), MSL, None, Fraction(4)))


def way_named(name: str) -> Way:
    """A way that exists."""
    found = named(WAYS, name)
    assert found is not None
    return found


def judged(name: str, stack: str = "rfc9293-intended") -> JudgedWay:
    """A way with its verdicts."""
    return judge(stack).judge(way_named(name))


def verdicts(name: str, stack: str = "rfc9293-intended") -> dict[str, Verdict]:
    """The verdict about each property with a way."""
    return {name: answer.verdict for name, answer in judged(name, stack).answers.items()}


def broken(way: JudgedWay) -> set[str]:
    """The properties that the way breaks, and that hold without it."""
    return set(way.broken(judge().judge(PLAIN)))


@pytest.mark.parametrize("way", QUICK, ids=lambda way: way.name)
def test_each_cell_has_a_verdict_with_evidence(way: Way) -> None:
    """No cell is undecided; a violation has a replayed trace, another verdict names its engine, a vacuous one its reason."""
    found = judge().judge(way)
    assert tuple(found.answers) == ASKED
    assert found.decided
    for name, answer in found.answers.items():
        assert answer.engine
        assert (answer.trace is not None) == (answer.verdict is Verdict.VIOLATED)
        assert answer.trace is None or answer.trace.shows == name
        assert answer.verdict is not Verdict.VACUOUS or answer.reason
        assert evidence_in_words(found, answer)


@pytest.mark.slow
@pytest.mark.parametrize("stack", ["rfc9293-intended", "linux"])
def test_each_cell_of_a_handshake(stack: str) -> None:
    """The same for the ways after which a handshake opens the next connection."""
    for way in set(WAYS) - set(QUICK):
        found = judge(stack).judge(way)
        assert found.decided, way.name
        assert all((each.trace is not None) == (each.verdict is Verdict.VIOLATED) for each in found.answers.values())


def test_the_plain_close_keeps_everything() -> None:
    """Without any way TIME-WAIT of 2 MSL keeps every property; on Linux a RST ends it, and tcp_rfc1337 mends that."""
    assert set(verdicts("none").values()) == {Verdict.PROVED}
    on_linux = verdicts("none", "linux")
    assert {name for name in ASKED if on_linux[name] is Verdict.VIOLATED} == set(HARMS)
    assert set(verdicts("rfc1337", "linux").values()) == {Verdict.PROVED}


@pytest.mark.parametrize("name", ["shorter", "buckets", "kill"])
def test_a_time_wait_that_is_too_short(name: str) -> None:
    """A TIME-WAIT that is short, absent or cut loses graceful and admits every harm; the text arrives all the same."""
    assert broken(judged(name)) == {"graceful", *HARMS}


def test_a_spoilt_way_is_noticed() -> None:
    """A way that does nothing breaks nothing, so the test above and the mark of a cell tell it from the real one."""
    spoilt = replace(way_named("shorter"), close=unchanged_close)
    found = judge().judge(spoilt)
    assert found.inherits
    assert broken(found) == set()
    assert not judged("shorter").inherits


def test_ways_that_change_only_the_ports() -> None:
    """They inherit every verdict, and their cells say so."""
    inheriting = {way.name for way in WAYS if way is not PLAIN and way.close(CLOSE) == CLOSE}
    assert inheriting == {
        *("keep-alive", "addresses", "ports", "destinations", "client-first"),
        *("reuseaddr", "reuseport", "tw-reuse-0", "tw-reuse-2", "rfc1337"),
    }
    for name in inheriting:
        assert judged(name).answers is judged("none").answers
        assert {cell(judged(name), asked, {}) for asked in ASKED} == {"proved="}


def test_a_network_that_loses_nothing() -> None:
    """On one machine nothing needs TIME-WAIT; no end ever sends a RST, so none reaches the next connection."""
    found = verdicts("nolocal")
    assert {name for name, verdict in found.items() if verdict is not Verdict.PROVED} == {"old-reset"}
    assert found["old-reset"] is Verdict.VACUOUS
    lossy = replace(way_named("nolocal"), close=lambda close: replace(way_named("nolocal").close(close), lossless=False))
    assert {"old-text", "old-reset", "old-ack"} <= broken(judge().judge(lossy))


def test_linger_and_fin_timeout_lose_text() -> None:
    """An abort loses text and closes nothing in order; a short tcp_fin_timeout loses text of the peer."""
    linger = verdicts("linger")
    assert linger["integrity"] is Verdict.VIOLATED
    assert linger["graceful"] is Verdict.VACUOUS
    assert "integrity" in broken(judged("fin-timeout"))


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("none", Fraction(28_232, 61)),
        ("keep-alive", Fraction(28_232 * 100, 160)),
        ("addresses", Fraction(2 * 28_232, 61)),
        ("destinations", Fraction(2 * 28_232, 61)),
        ("ports", Fraction(64_512, 61)),
        ("server-first", Fraction(28_232)),
        ("tw-reuse-0", Fraction(28_232, 61)),
        ("tw-reuse-1", Fraction(28_232, 2)),
        ("tw-reuse-2", Fraction(28_232, 61)),
        ("tw-recycle", Fraction(28_232, 15)),
        ("shorter", Fraction(28_232, 16)),
        ("buckets", Fraction(28_232)),
        ("kill", Fraction(28_232)),
        ("linger", Fraction(28_232)),
        ("fin-timeout", Fraction(28_232, 61)),
    ],
)
def test_gains(name: str, rate: Fraction) -> None:
    """Ports over the life of a port, TIME-WAIT of 60 s included, for connections that work for a second."""
    assert gain(way_named(name), CLOSE).rate == rate


def test_only_a_recycling_way_refuses() -> None:
    """Only the way that shares an address has such a run."""
    assert [way.name for way in WAYS if way.shared_address] == ["tw-recycle"]
    assert refusal(judged("shorter")) == ()


def test_rows_fit_and_marks_are_explained() -> None:
    """The longest title leaves the table 80 characters wide; each word of a cell is in the legend."""
    rows = [judge().judge(way) for way in QUICK]
    cells = [row(way, {}) for way in rows]
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    assert widths[0] <= 19
    assert all(width <= 8 for width in widths[1:])
    explained = " ".join(legend(rows, {}))
    for word in ("proved", "broken", "vacuous", "="):
        assert f"{word}:" in explained
    assert "!" not in explained


def test_each_stack() -> None:
    """The close of each stack can be made, or one line says what is missing."""
    missing: list[str] = []
    for name in stack_names():
        stack = load_stack(name)
        try:
            made = close_of(stack, MSL, None, Fraction(4))
        except MissingValue as problem:
            missing.append(str(problem))
        else:
            assert made.msl == MSL
            assert made.behaviour.time_wait == stack.has_time_wait
    assert all(text.count("\n") == 0 and "give" in text for text in missing), missing


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    """One way in detail: its trace, its engine once, and the exit code of its verdict."""
    code, out, _ = run(capsys, "ways", "--way", "buckets")
    assert code == Verdict.VIOLATED.exit_code
    assert "graceful        VIOLATED" in out
    assert "leaves the close as it is" not in out
    violated = out.partition("graceful ")[2].partition("integrity ")[0]
    assert violated.count("zones, dense time") == 1
    code, out, _ = run(capsys, "ways", "--way", "addresses")
    assert "leaves the close as it is, so each verdict is that without it" in " ".join(out.split())
    code, data = run_json(capsys, "ways", "--way", "addresses")
    assert code == 0
    assert data["ways"] == [as_data(judged("addresses"), {})]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--way", "nonsense"),
        ("--markdown", "--json"),
        ("--box", "conntrack", "--way", "kill"),
        ("--msl", "0"),
        ("--stack", "nonsense"),
    ],
)
def test_bad_requests(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    """One line on standard error, and the exit code of bad usage."""
    code, out, err = run(capsys, "ways", *arguments)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [((), f"{len(WAYS)} ways"), (("--way", "kill"), "1 way"), (("--way", PLAIN.name), "1 way"), (("--json",), "")],
)
def test_the_work_is_announced(
    arguments: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before the first way is judged, also where standard error is no terminal; JSON needs no remark."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("timewait.cli.ways._judged", interrupted)
    _, _, err = run(capsys, "ways", *arguments)
    assert err == (f"judging {said}; the answers follow when all are judged\n" if said else "") + "timewait: interrupted\n"


@LABORATORY
def test_restart_of_a_listener() -> None:
    """Both the former listener and the new one must set the option; TIME-WAIT stays in each case."""
    found = list(restarts())
    assert [(each.old, each.new) for each in found if each.bound] == [(True, True)] * 2
    assert len(found) == 8
    assert all(each.kept for each in found)


@LABORATORY
@pytest.mark.slow
@pytest.mark.parametrize("name", ["none", "shorter", "buckets", "kill", "linger", "fin-timeout"])
def test_linux_does_what_the_traces_say(name: str) -> None:
    """The running kernel confirms each trace of these ways."""
    for asked, answer in judged(name, "linux").answers.items():
        if answer.trace is not None:
            outcome = replay_on_kernel(answer.trace)
            assert str(outcome.verdict) == "confirmed", (asked, outcome.reason)


@pytest.mark.slow
def test_page_holds_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    """The table of the page is the output of the command."""
    _, out, _ = run(capsys, "ways", "--markdown")
    found = re.search(r"<!-- ways --markdown -->\n\n(.*?)\n<!-- end of ways -->", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    assert found[1].strip() == out.strip()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("server-first", "server-first"),
        ("server-closes-first", "server-first"),
        ("server closes first", "server-first"),
        ("tcp_tw_reuse = 2", "tw-reuse-2"),
        ("tcp-tw-reuse", "tw-reuse-1"),
        ("nolocaltimewait", "nolocal"),
        ("TCP_FIN_TIMEOUT", "fin-timeout"),
        ("SO_LINGER {1,0}", "linger"),
    ],
)
def test_a_way_by_its_name_in_the_table(text: str, name: str) -> None:
    """In any spelling; a setting alone is set to 1."""
    assert way_name(text) == name


def test_every_way_has_names_of_its_own() -> None:
    """Its name and its title lead to it; another text to none."""
    names = [way.name for way in WAYS]
    assert [way_name(way.name) for way in WAYS] == names
    assert [way_name(way.title) for way in WAYS] == names
    with pytest.raises(ValueError, match="there is no way"):
        way_name("rose")
