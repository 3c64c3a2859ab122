"""The command line: exit codes, JSON, and one line for each error."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import click
import pytest
from commands import run, run_json

import timewait
from timewait.checker.verdict import Verdict
from timewait.cli.main import COMMANDS, FORMER, cli

QUICK = ("--closers", "a")
THIRTY = ("--msl", "30s", "--rto", "30s")


class TestCheck:
    """``timewait check``."""

    @pytest.mark.parametrize(
        ("time_wait", "loss", "expected"),
        [("60s", "1", 0), ("59.9s", "1", 10), ("60s", "2", 10), ("90s", "2", 0), ("60s", "0", 0)],
    )
    def test_exit_codes(self, capsys: pytest.CaptureFixture[str], time_wait: str, loss: str, expected: int) -> None:
        """A TIME_WAIT of 2 MSL is enough for one loss, but not for two; a shorter one is not enough for one."""
        code, data = run_json(capsys, "check", *THIRTY, *QUICK, "--time-wait", time_wait, "--loss", loss)
        assert code == expected
        assert data["verdict"] == {0: "proved", 10: "violated"}[expected]
        assert {"property", "engine", "parameters", "states", "seconds", "trace", "results"} <= data.keys()

    @pytest.mark.parametrize("command", ["check", "threshold", "export --to smt2", "certify", "diagram region"])
    def test_the_last_exchange_has_one_closer(self, command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """It begins when A has closed: either end first is refused there, and is the default only of the whole close."""
        certificate = tmp_path / "any.smt2"
        certificate.write_text("", encoding="utf-8")
        words = (*command.split(), *([str(certificate)] if command == "certify" else []))
        code, out, err = run(capsys, *words, *THIRTY, "--scope", "core", "--closers", "both")
        assert (code, out) == (2, "")
        assert "closers both needs scope close" in err.splitlines()[-1]

    def test_the_default_closer_of_the_last_exchange(self, capsys: pytest.CaptureFixture[str]) -> None:
        """It is A, on the command line and in the library, with the same answer as where A is stated."""
        asked = ("check", *THIRTY, "--time-wait", "60s", "--scope", "core", "--property", "graceful")
        given, plain = (run_json(capsys, *asked, *closers) for closers in (QUICK, ()))
        assert given[0] == plain[0] == 0
        assert given[1]["parameters"] == plain[1]["parameters"]
        found = timewait.check(msl="30s", rto="30s", time_wait="60s", scope="core", properties=["graceful"])
        assert found.verdict is Verdict.PROVED

    def test_delays_sum_as_the_theory_says(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The last FIN arrives after RTO and one lifetime, that is 60 s after the first, and after TIME_WAIT."""
        _, data = run_json(capsys, "check", *THIRTY, *QUICK, "--time-wait", "59.9s", "--property", "graceful")
        steps = data["trace"]["steps"]
        accepted = next(step for step in steps if step["changed"].get("A.state", {}).get("to") == "TIME_WAIT")
        forgotten = next(step for step in steps if step["changed"].get("A.state", {}).get("to") == "CLOSED")
        waited = Fraction(str(forgotten["time"])) - Fraction(str(accepted["time"]))
        assert Fraction("59.9") < waited <= 60
        assert sum(Fraction(str(step["delay"])) for step in steps) == Fraction(str(steps[-1]["time"]))

    def test_fine_durations(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Durations may mix half seconds and minutes."""
        code, data = run_json(capsys, "check", "--msl", "120s", "--time-wait", "239.5s", *QUICK)
        assert code == 10
        assert data["parameters"]["time_wait"] == 239.5

    @pytest.mark.parametrize("engine", ["explicit", "zones", "smt"])
    def test_every_engine(self, capsys: pytest.CaptureFixture[str], engine: str) -> None:
        """Every engine gives the same verdicts."""
        safe = ("check", *THIRTY, "--scope", "core", "--engine", engine, "--property", "graceful", "--property", "isolation")
        assert run_json(capsys, *safe, "--time-wait", "60s")[0] == 0
        assert run_json(capsys, *safe, "--time-wait", "45s")[0] == 10

    def test_linux_is_assassinated(self, capsys: pytest.CaptureFixture[str]) -> None:
        """The counterexample of RFC 1337 cites the rule of the standard."""
        code, out, _ = run(capsys, "check", "--stack", "linux", "--msl", "30s", *QUICK)
        assert code == 10
        assert "time-wait-kept  VIOLATED" in out
        assert "3.10.7.4 second step; RFC 1337" in out

    def test_the_letter(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A FIN does not restart the timer, and two ends acknowledge each other for ever."""
        code, out, _ = run(capsys, "check", "--stack", "rfc9293", "--msl", "30s", "--loss", "0")
        assert code == 10
        assert "fin-restarts    VIOLATED" in out
        assert "quiet           VIOLATED" in out
        assert "fifth step: in TIME-WAIT, an acknowledgement at RCV.NXT is acknowledged and restarts the timer" in out
        assert "again and again" in out

    def test_bounds_are_never_a_pass(self, capsys: pytest.CaptureFixture[str]) -> None:
        """A search that reaches a bound is inconclusive and reports what it covered."""
        code, data = run_json(capsys, "check", *THIRTY, *QUICK, "--time-wait", "60s", "--max-states", "10")
        assert code == 20
        assert data["verdict"] == "inconclusive"
        assert "bound 10" in data["reason"]

    def test_a_dense_engine_for_counted_copies(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An engine in dense time leaves open what a bound on duplicates may rule out, and names the one that counts copies."""
        slow = ("--msl", "30s", "--rto", "70s", "--exact-rto", *QUICK, "--loss", "0", "--rst", "exact")
        counted = ("--duplication", "0", "--engine", "zones")
        code, data = run_json(capsys, "check", *slow, "--time-wait", "60s", "--property", "isolation", *counted)
        assert code == 20
        assert "use explicit" in data["reason"]

    def test_a_violation_in_dense_time_of_counted_copies(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An engine in dense time finds violations though copies are counted."""
        less = (*THIRTY, *QUICK, "--time-wait", "20s", "--property", "graceful")
        code, data = run_json(capsys, "check", *less, "--duplication", "0", "--engine", "zones")
        assert code == 10
        assert "zones, dense time" in json.dumps(data)

    def test_a_vacuous_proof_is_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        """An end that aborts never reaches LAST-ACK, so a proof about LAST-ACK is vacuous."""
        code, data = run_json(capsys, "check", *THIRTY, *QUICK, "--time-wait", "60s", "--linger-zero", "--property", "graceful")
        assert code == 30
        assert "reaches LAST_ACK" in data["reason"]

    def test_trace_file(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The first violation is written as ITF JSON, and nothing else is left."""
        target = tmp_path / "trace.itf.json"
        assert run(capsys, "check", *THIRTY, *QUICK, "--time-wait", "1s", "--trace", str(target))[0] == 10
        assert json.loads(target.read_text())["#meta"]["format"] == "ITF"
        assert list(tmp_path.iterdir()) == [target]


class TestThreshold:
    """``timewait threshold``."""

    @pytest.mark.parametrize(
        ("arguments", "seconds"),
        [
            (THIRTY, 60),
            ((*THIRTY, "--restarts", "fin"), 90),
            ((*THIRTY, "--loss", "2"), 90),
            (("--msl", "30s", "--rto", "3s"), 60),
            (("--msl", "3s", "--rto", "1s", "--scope", "core", "--property", "isolation"), 5),
            (("--msl", "2s", "--rto", "1s", "--loss", "0", "--property", "graceful"), 2),
            (("--msl", "1s", "--rto", "1s", "--loss", "0", "--duplication", "0", "--property", "graceful"), 1),
        ],
    )
    def test_least(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], seconds: int) -> None:
        """The least safe TIME_WAIT, and a violation just below it."""
        code, data = run_json(capsys, "threshold", *arguments)
        assert code == 0
        assert data["least_time_wait"] == seconds
        assert any(result["verdict"] == "violated" for result in data["below"])

    def test_none(self, capsys: pytest.CaptureFixture[str]) -> None:
        """With unlimited loss no TIME_WAIT is enough."""
        code, data = run_json(capsys, "threshold", *THIRTY, "--loss", "any", "--property", "graceful", "--scope", "core")
        assert code == 10
        assert data["least_time_wait"] is None

    def test_a_profile_of_ones_own(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """The intended reading, changed to answer without restarting the timer, needs 3 MSL."""
        source = Path(__file__).parent.parent / "spec" / "stacks" / "rfc9293-intended.toml"
        changed = tmp_path / "changed.toml"
        changed.write_text(source.read_text().replace('value = "answered"', 'value = "fin"'))
        _, data = run_json(capsys, "threshold", *THIRTY, "--stack", str(changed))
        assert data["least_time_wait"] == 90
        rules = [rule["name"] for step in data["below"][1]["trace"]["steps"] for rule in step["rules"]]
        assert rules[-3:] == ["timer.time-wait", "incarnation.reopen", "incarnation.old-reset"]
        assert rules.count("sequence.unacceptable") == 1
        assert "closed.answer" in rules


class TestBadInput:
    """One line on standard error, and exit code 2 or 3."""

    @pytest.mark.parametrize(
        ("arguments", "code", "said"),
        [
            (("check", "--msl", "-3s"), 2, "must not be negative"),
            (("check", "--msl", "0"), 2, "MSL must be more than zero"),
            (("check", "--msl", "soon"), 2, "'soon'"),
            (("check", "--stack", "nosuch"), 2, "nosuch"),
            (("check", "--stack", "macos", "--msl", "30s"), 2, "give --answers"),
            (("check", "--stack", "linux"), 2, "give --msl"),
            (("check", "--stack", "./missing.toml"), 2, "missing.toml"),
            (("check", "--host", "--stack", "linux"), 2, "exclude"),
            (("check", "--loss", "few"), 2, "'few'"),
            (("check", "--data", "1"), 2, "two whole numbers"),
            (("check", "--answers", "all"), 2, "none of"),
            (("check", "--property", "pretty"), 2, "pretty"),
            (("check", "--scope", "core", "--data", "1,1"), 2, "no text"),
            (("prove", "C99"), 2, "C99"),
            (("certify", "./missing.smt2"), 2, "missing.smt2"),
            (("nonsense",), 2, "nonsense"),
        ],
    )
    def test_usage(self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: int, said: str) -> None:
        """A request that makes no sense exits with 2."""
        left, out, err = run(capsys, *arguments)
        assert (left, out) == (code, "")
        assert err.startswith("timewait: ")
        assert err.count("\n") == 1
        assert said in err

    def test_broken_profile(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A broken profile exits with 3."""
        broken = tmp_path / "broken.toml"
        broken.write_text('name = "x"\ntitle = "x"\n[time_wait]\nvalue = "-60s"\nsource = "x"\nevidence = "read"\n')
        code, _, err = run(capsys, "check", "--stack", str(broken))
        assert code == 3
        assert "time_wait" in err
        assert err.count("\n") == 1

    def test_broken_certificate(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A file without a certificate exits with 3."""
        file = tmp_path / "no.smt2"
        file.write_text("(check-sat)\n")
        code, _, err = run(capsys, "certify", str(file))
        assert code == 3
        assert "line 1" in err

    def test_unwritable_trace(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        """A folder that does not exist is a usage error."""
        target = tmp_path / "nowhere" / "trace.json"
        code, _, err = run(capsys, "check", *THIRTY, *QUICK, "--time-wait", "1s", "--trace", str(target))
        assert code == 2
        assert "cannot write" in err


class TestCommands:
    """Every command."""

    @pytest.mark.parametrize("name", [*COMMANDS, *FORMER])
    def test_loads(self, name: str) -> None:
        """Each name leads to the command of that name, and its line of help is a sentence."""
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        assert command.name == name
        assert COMMANDS.get(name, "A former command.").endswith(".")

    def test_help_lists_them(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Help lists all commands but the former ones."""
        code, out, _ = run(capsys, "--help")
        listed = [line.split()[0] for line in out.partition("Commands:\n")[2].splitlines()]
        assert (code, listed) == (0, [*COMMANDS])

    @pytest.mark.parametrize(
        ("word", "advice"), [("chek", "did you mean check?"), ("xyzzy", "timewait --help lists the commands")]
    )
    def test_a_word_that_is_no_command(self, capsys: pytest.CaptureFixture[str], word: str, advice: str) -> None:
        """The nearest command is named."""
        assert run(capsys, word) == (2, "", f"timewait: there is no command '{word}'; {advice}\n")

    @pytest.mark.parametrize(
        ("arguments", "advice"),
        [
            (("check", "--property", "gracefull"), "there is no 'gracefull'; did you mean graceful?"),
            (("check", "--property", "xyzzy"), "there is no 'xyzzy'; timewait check --help lists them"),
            (("check", "--scope", "xyzzy"), "there is no 'xyzzy'; there are core, close"),
            (("run", "--scenario", "clean"), "there is no 'clean'; did you mean clean-close?"),
            (("certify", "pyproject.toml", "--for", "C77"), "there is no claim 'C77'; did you mean C7"),
            (
                ("explain", "examples/capture.pcapng", "--only", "inorder"),
                "'inorder' is no group of connections; did you mean in-order?",
            ),
        ],
    )
    def test_a_word_that_an_option_does_not_know(
        self, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], advice: str
    ) -> None:
        """The nearest words are named, or the few that there are; no message is a long list."""
        code, out, said = run(capsys, *arguments)
        assert (code, out) == (2, "")
        assert advice in said
        assert len(said) < 120

    def test_no_command(self, capsys: pytest.CaptureFixture[str]) -> None:
        """Without a command help goes to standard error."""
        code, out, err = run(capsys)
        assert (code, out) == (2, "")
        assert "Commands:" in err


def test_stacks(capsys: pytest.CaptureFixture[str]) -> None:
    """The list names every profile; a profile shows its sources."""
    assert "picotcp" in run(capsys, "stacks")[1]
    assert "TCP_TIMEWAIT_LEN" in run(capsys, "stacks", "linux")[1]


def test_graph(capsys: pytest.CaptureFixture[str]) -> None:
    """The former command prints the graph in three forms; a hint names the command that replaces it."""
    _, out, err = run(capsys, "graph", "--format", "dot")
    assert out.lstrip().startswith(("digraph", "//"))
    assert "timewait diagram states" in err
    assert json.loads(run(capsys, "graph", "--format", "json")[1])
    assert "LAST_ACK" in run(capsys, "graph")[1]


@pytest.mark.skipif(not Path("/proc/sys/net/ipv4/tcp_fin_timeout").exists(), reason="not a Linux machine")
def test_host(capsys: pytest.CaptureFixture[str]) -> None:
    """The command describes this machine, and another command checks its settings as a stack."""
    code, out, _ = run(capsys, "host")
    assert code in (0, 10)
    assert "tcp_rfc1337" in out
    assert ("Nothing needs doing." in out) == (code == 0)
    code, out, _ = run(capsys, "check", "--host", *THIRTY, "--scope", "core", "--closers", "a", "--property", "graceful")
    assert code in (0, 10)
    assert "verdict: " in out


@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_interrupt_keeps_what_was_found(tmp_path: Path) -> None:
    """The first interrupt ends a search in order."""
    events = tmp_path / "events.jsonl"
    durations = ("--msl", "7s", "--rto", "5s", "--time-wait", "15s", "--loss", "2", "--max-states", "100000000", "--closers", "a")
    command = [sys.executable, "-m", "timewait", "check", "--engine", "explicit", *durations, "--events", str(events)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    patience = time.monotonic() + 120
    while not (events.exists() and '"progress"' in events.read_text()):
        assert process.poll() is None
        assert time.monotonic() < patience
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode in (20, 10)
    assert "interrupted with" in out
