"""The profiles of the package, and the errors for profiles that make no sense."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from timewait.spec.assemble import Overrides, assemble
from timewait.spec.reopening import AnswerIsn, NextIncarnation, Paws, Reopen, SynRule
from timewait.spec.settings import EVERY_ARRIVAL, PROFILE_KEYS, SETTINGS, Arrival, ResetRule
from timewait.spec.stacks import EVIDENCE, BrokenStack, MissingValue, Stack, UnknownStack, load_stack, stack_names

FIN, UNACCEPTABLE, ACK, BEYOND, SYN = Arrival.FIN, Arrival.UNACCEPTABLE, Arrival.ACK, Arrival.BEYOND, Arrival.SYN

HEAD = 'name = "mine"\ntitle = "My stack"\n'
FROM = 'source = "notes"\nevidence = "read"\n'


def stated(name: str, value: str) -> str:
    """The lines of one setting of a profile, its source included."""
    return f"[{name}]\nvalue = {value}\n{FROM}"


@pytest.fixture
def write(tmp_path: Path) -> Path:
    """Name a file to write a profile to."""
    return tmp_path / "mine.toml"


def complaint(path: Path, content: str) -> str:
    """Return what is said of a broken profile, the directory left out."""
    path.write_text(content, encoding="utf-8")
    with pytest.raises(BrokenStack) as caught:
        load_stack(path)
    return str(caught.value).replace(str(path), path.name)


# --- the shipped profiles ------------------------------------------------------------------------------------------


def test_every_stack_is_there() -> None:
    """Nothing was lost in packaging: every profile of the repository, and at least these."""
    assert stack_names() == tuple(sorted(path.stem for path in (Path(__file__).parents[1] / "spec" / "stacks").glob("*.toml")))
    assert set(stack_names()) >= {
        *("freebsd", "fstack", "fuchsia", "gvisor", "illumos", "linux", "lwip", "macos", "mtcp", "netbsd", "netxduo"),
        *("openbsd", "picotcp", "rfc9293", "rfc9293-intended", "smoltcp", "uip", "vpp", "windows", "zephyr"),
    }


@pytest.mark.parametrize("name", stack_names())
def test_every_value_has_a_source(name: str) -> None:
    """No value is shipped without a source, and no source without a value."""
    stack = load_stack(name)
    assert stack.name == name
    assert stack.title
    known = {name for name in PROFILE_KEYS if stack.value(name) is not None}
    assert set(stack.sources) == known
    assert known
    for where, evidence in stack.sources.values():
        assert len(where) > 4
        assert evidence in EVIDENCE


@pytest.mark.parametrize("name", stack_names())
def test_numbers_are_plausible(name: str) -> None:
    """TIME-WAIT is twice the lifetime it is said to be made of, and nothing lasts longer than ten minutes."""
    stack = load_stack(name)
    if stack.msl is not None and stack.time_wait is not None:
        assert stack.time_wait == 2 * stack.msl
    for seconds in (stack.time_wait, stack.fin_wait_2, stack.rto_min, stack.rto_max):
        assert seconds is None or 0 <= seconds <= 600


@pytest.mark.parametrize("name", stack_names())
def test_a_profile_can_be_copied_and_sent(name: str) -> None:
    """A profile goes to another process unchanged."""
    stack = load_stack(name)
    assert copy.deepcopy(stack) == pickle.loads(pickle.dumps(stack)) == stack
    assert hash(stack) == hash(load_stack(name))


@pytest.mark.parametrize(
    ("name", "answers", "restarts", "reset"),
    [
        ("linux", {FIN, UNACCEPTABLE, BEYOND, SYN}, {FIN, UNACCEPTABLE, ACK, BEYOND}, ResetRule.EXACT),
        ("freebsd", {FIN, UNACCEPTABLE, BEYOND}, {FIN}, ResetRule.IGNORE),
        ("fstack", {FIN, UNACCEPTABLE, BEYOND}, {FIN}, ResetRule.IGNORE),
        ("gvisor", {FIN, UNACCEPTABLE, BEYOND}, {FIN}, ResetRule.IGNORE),
        ("lwip", {FIN, UNACCEPTABLE, BEYOND, SYN}, {FIN}, ResetRule.IGNORE),
        ("smoltcp", {FIN, UNACCEPTABLE}, {FIN, UNACCEPTABLE}, ResetRule.WINDOW),
        ("vpp", {FIN, UNACCEPTABLE}, {FIN}, ResetRule.IGNORE),
        ("uip", set(EVERY_ARRIVAL), set(), ResetRule.ANY),
        ("picotcp", set(), set(), ResetRule.IGNORE),
        ("mtcp", set(EVERY_ARRIVAL), set(EVERY_ARRIVAL), ResetRule.ANY),
        ("rfc9293", set(EVERY_ARRIVAL), {ACK, BEYOND}, ResetRule.EXACT),
        ("rfc9293-intended", {FIN, UNACCEPTABLE, BEYOND, SYN}, {FIN, UNACCEPTABLE, BEYOND, SYN}, ResetRule.IGNORE),
    ],
)
def test_rules_of_time_wait(name: str, answers: set[Arrival], restarts: set[Arrival], reset: ResetRule) -> None:
    """What each stack answers, what restarts it and which RST ends it, as they were read."""
    stack = load_stack(name)
    assert stack.require("answers") == answers
    assert stack.require("restarts") == restarts
    assert stack.require("reset") is reset


@pytest.mark.parametrize(
    ("name", "time_wait", "rto_max"),
    [
        ("linux", 60, 120),
        ("freebsd", 60, 64),
        ("openbsd", 60, 64),
        ("netbsd", 60, 64),
        ("macos", 30, 64),
        ("windows", 240, None),
        ("illumos", 60, 60),
        ("lwip", 120, 384),
        ("smoltcp", 10, 60),
        ("gvisor", 60, 120),
        ("vpp", 10, 60),
        ("zephyr", Fraction(3, 2), None),
        ("picotcp", 3, 120),
        ("uip", 60, None),
        ("mtcp", 0, None),
        ("fstack", 4, 64),
        ("netxduo", 240, None),
        ("fuchsia", 240, None),
        ("rfc9293", 240, 240),
        ("rfc9293-intended", 240, 240),
    ],
)
def test_times(name: str, time_wait: Fraction, rto_max: Fraction | None) -> None:
    """How long TIME-WAIT and a retransmission last, as they were read."""
    stack = load_stack(name)
    assert stack.has_time_wait
    assert (stack.time_wait, stack.rto_max) == (time_wait, rto_max)


def test_linux_in_full() -> None:
    """Linux gives every value but the lifetime of a segment."""
    stack = load_stack("linux")
    assert stack.msl is None
    assert stack.require("fin_wait_2") == 60
    assert stack.rto_min == Fraction(1, 5)
    assert stack.require("retries") == 9
    assert stack.require("late_data_reset") is True
    assert stack.sources["fin_wait_2"] == ("net.ipv4.tcp_fin_timeout, its default @f3fce01; orphans only", "read")


# --- what is asked of a profile ------------------------------------------------------------------------------------


def test_a_known_value_is_given() -> None:
    """What is known is handed out, even where it is nothing."""
    stack = load_stack("freebsd")
    assert stack.require("time_wait") == 60
    assert stack.require("reset") is ResetRule.IGNORE
    assert stack.require("restarts") == {FIN}
    # Nothing at all is an answer too.
    assert load_stack("picotcp").require("answers") == frozenset()
    assert load_stack("mtcp").require("time_wait") == 0


def test_a_missing_value_names_its_option() -> None:
    """The complaint is one line that a user can act on."""
    with pytest.raises(MissingValue) as caught:
        load_stack("macos").require("reset")
    said = "profile macos does not say which RST ends TIME-WAIT; give --rst ignore, exact, window or any"
    assert str(caught.value) == said


@pytest.mark.parametrize(
    ("name", "flag"),
    [
        ("msl", "--msl"),
        ("time_wait", "--time-wait"),
        ("answers", "--answers"),
        ("restarts", "--restarts"),
        ("reset", "--rst"),
        ("rto_max", "--rto"),
        ("fin_wait_2", "--fin-wait-2"),
    ],
)
def test_every_missing_value_names_its_option(name: str, flag: str) -> None:
    """The error names the option that supplies the value."""
    assert name in PROFILE_KEYS
    assert SETTINGS[name].option == flag
    stack = Stack(name="mine", title="My stack")
    with pytest.raises(MissingValue, match=rf"^profile mine does not say .*; give {flag} ") as caught:
        stack.require(name)
    assert "\n" not in str(caught.value)


# --- profiles that are not there -----------------------------------------------------------------------------------


def test_an_unknown_name_is_corrected() -> None:
    """A near miss is corrected."""
    with pytest.raises(UnknownStack) as caught:
        load_stack("Linus")
    assert str(caught.value) == "there is no profile 'Linus'; did you mean linux?"


def test_a_name_like_no_other_is_only_refused() -> None:
    """A wild guess is not."""
    with pytest.raises(UnknownStack) as caught:
        load_stack("zzzz")
    assert str(caught.value) == "there is no profile 'zzzz'; 'timewait stacks' lists the profiles"


@pytest.mark.parametrize("path", ["mine.toml", "./mine", "elsewhere/mine.toml"])
def test_a_path_that_leads_nowhere(path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error for a path that does not exist differs from the error for a name."""
    monkeypatch.chdir(tmp_path)
    said = f"there is no profile file {path}; 'timewait stacks' lists the profiles"
    with pytest.raises(UnknownStack, match=f"^{said}$"):
        load_stack(path)


def test_a_directory_is_no_profile(tmp_path: Path) -> None:
    """A directory is refused in one line."""
    with pytest.raises(BrokenStack, match=r"cannot be read: Is a directory$"):
        load_stack(f"{tmp_path}/")


# --- profiles of one's own -----------------------------------------------------------------------------------------


def test_the_least_profile(write: Path) -> None:
    """A name and a title are enough."""
    write.write_text(HEAD)
    assert load_stack(write) == load_stack(str(write)) == Stack(name="mine", title="My stack")


def test_a_stack_without_time_wait(write: Path) -> None:
    """No TIME-WAIT is not the same as one of no length."""
    write.write_text(HEAD + stated("time_wait", '"none"'))
    stack = load_stack(write)
    assert not stack.has_time_wait
    assert stack.require("time_wait") == 0


@pytest.mark.parametrize(
    ("value", "restarts"),
    [
        ('"answered"', {FIN, SYN}),
        ('"any"', set(EVERY_ARRIVAL)),
        ('"none"', set()),
        ('"fin"', {FIN}),
        ('["unacceptable", "ack"]', {UNACCEPTABLE, ACK}),
        ("[]", set()),
    ],
)
def test_words_for_restarts(write: Path, value: str, restarts: set[Arrival]) -> None:
    """Words stand for the usual lists."""
    write.write_text(HEAD + stated("restarts", value) + stated("answers", '["fin", "syn"]'))
    assert load_stack(write).require("restarts") == restarts


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('title = "My stack"', "name: is missing"),
        ('name = "mine"', "title: is missing"),
        ('name = ""\ntitle = "My stack"', "name: must be a text that is not empty, not ''"),
        ('name = 5\ntitle = "My stack"', "name: must be a text that is not empty, not 5"),
        (HEAD + "note = 5", "note: must be a text that is not empty, not 5"),
        (HEAD + 'msl = "30s"', "msl: must be a table of value, source and evidence"),
        (HEAD + f"[msl]\n{FROM}", "msl.value: is missing"),
        (HEAD + '[msl]\nvalue = "30s"\nevidence = "read"', "msl.source: is missing"),
        (HEAD + '[msl]\nvalue = "30s"\nsource = "notes"', "msl.evidence: is missing"),
        (HEAD + '[msl]\nvalue = "30s"\nsource = " "\nevidence = "read"', "msl.source: must be a text that is not empty, not ' '"),
        (
            HEAD + '[msl]\nvalue = "30s"\nsource = "notes"\nevidence = "rumour"',
            "msl.evidence: must be one of read, excerpt, documented, measured, not 'rumour'",
        ),
        (HEAD + stated("msl", '"30s"') + "unit = 1", "msl.unit: is not known here; a value has value, source and evidence"),
        (HEAD + stated("msl", "30"), 'msl: must be a length of time in quotes, such as "30s", not 30'),
        (HEAD + stated("msl", '"30"'), "msl: '30' has no unit; write 30s for seconds, 30ms for milliseconds"),
        (HEAD + stated("rto_max", '"-1s"'), "rto_max: a length of time must not be negative: '-1s'"),
        (HEAD + stated("msl", '"none"'), "msl: 'none' is not a length of time; write for instance 250ms, 30s, 1.5s, 2m or 1h"),
        (HEAD + stated("rto_min", '"2s"') + stated("rto_max", '"1s"'), "rto_min: is longer than rto_max"),
        (
            HEAD + stated("answers", '"fin"'),
            "answers: must be a list of fin, unacceptable, ack, beyond, syn ([] for none), not 'fin'",
        ),
        (
            HEAD + stated("answers", '["rst"]'),
            "answers: must be a list of fin, unacceptable, ack, beyond, syn ([] for none); 'rst' is none of them",
        ),
        (
            HEAD + stated("answers", "[1]"),
            "answers: must be a list of fin, unacceptable, ack, beyond, syn ([] for none); 1 is none of them",
        ),
        (
            HEAD + stated("restarts", '"all"'),
            "restarts: must be a list of fin, unacceptable, ack, beyond, syn ([] for none),"
            ' or "any", or "none", or "fin", not \'all\'',
        ),
        (HEAD + stated("restarts", '"answered"'), 'restarts: cannot be "answered" where answers is not known'),
        (HEAD + stated("reset", '"never"'), "reset: must be one of ignore, exact, window, any, not 'never'"),
        (HEAD + stated("reset", "[]"), "reset: must be one of ignore, exact, window, any, not []"),
        (HEAD + stated("retries", "-1"), "retries: must be a whole number from 0 to 1,000,000, not -1"),
        (HEAD + stated("retries", "true"), "retries: must be a whole number from 0 to 1,000,000, not True"),
        (HEAD + stated("retries", "1.5"), "retries: must be a whole number from 0 to 1,000,000, not 1.5"),
        (HEAD + stated("late_data_reset", "1"), "late_data_reset: must be true or false, not 1"),
    ],
)
def test_a_broken_profile_is_explained(write: Path, content: str, said: str) -> None:
    """The complaint names the file, the key and what is wrong."""
    assert complaint(write, content) == f"mine.toml: {said}"


def test_an_unknown_key_is_corrected(write: Path) -> None:
    """A misspelt key is corrected."""
    said = complaint(write, HEAD + stated("time-wait", '"60s"'))
    assert said == "mine.toml: time-wait: is not a key of a profile; did you mean time_wait?"


def test_a_key_like_no_other_is_only_refused(write: Path) -> None:
    """The message says where all keys are."""
    said = complaint(write, HEAD + stated("zzzz", '"60s"'))
    assert said == "mine.toml: zzzz: is not a key of a profile; 'timewait stacks rfc9293' shows every key"


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (HEAD + "msl = = 5\n", "(at line 3, column 7)"),
        (HEAD + "[msl]\nvalue =", "(at line 4, the end of the document)"),
        (HEAD + 'name = "yours"\n', "(at line 3, column 15)"),
    ],
)
def test_bad_toml_names_the_line(write: Path, content: str, line: str) -> None:
    """The error for bad syntax names the line, even at the end of the file."""
    said = complaint(write, content)
    assert said.startswith("mine.toml: ")
    assert said.endswith(line)
    assert "\n" not in said


def test_a_profile_is_text(write: Path) -> None:
    """Bytes that are no text are refused."""
    write.write_bytes(b"name = '\xff'")
    with pytest.raises(BrokenStack, match=r"mine\.toml: is not UTF-8 text$"):
        load_stack(write)


@pytest.mark.parametrize(
    ("name", "rule", "isn"),
    [
        ("linux", SynRule.TIMESTAMP, AnswerIsn.ABOVE),
        ("freebsd", SynRule.ABOVE, AnswerIsn.ANY),
        ("fstack", SynRule.ABOVE, AnswerIsn.ABOVE),
        ("gvisor", SynRule.ABOVE, AnswerIsn.ABOVE),
        ("vpp", SynRule.TIMESTAMP_OR_AT, AnswerIsn.ABOVE),
        ("lwip", SynRule.RESET, AnswerIsn.ABOVE),
        ("smoltcp", SynRule.NEVER, AnswerIsn.ABOVE),
    ],
)
def test_a_syn_in_time_wait(name: str, rule: SynRule, isn: AnswerIsn) -> None:
    """A profile states which SYN ends TIME-WAIT, and with which ISN; it counts where an end may open early, or an option does."""
    stack = load_stack(name)
    early = NextIncarnation(Reopen.HANDSHAKE, early=True)
    known = {"msl": Fraction(1), "rto": (Fraction(1),), "reopening": early}
    found = assemble(stack, Overrides.of(**known)).reopening
    assert (found.syn, found.isn) == (rule, isn)
    assert assemble(stack, Overrides.of(**known, syn=SynRule.ABOVE, isn=AnswerIsn.ANY)).reopening.isn is AnswerIsn.ANY
    assert assemble(stack, Overrides.of(**known, syn=SynRule.AT_OR_ABOVE)).reopening.syn is SynRule.AT_OR_ABOVE
    late = known | {"reopening": replace(early, early=False)}
    assert assemble(stack, Overrides.of(**late)).reopening.syn is SynRule.NEVER


def test_the_check_of_timestamps_is_the_stack_s() -> None:
    """Linux lets more through than RFC 7323 does, where both ends have timestamps."""
    both = NextIncarnation(Reopen.HANDSHAKE, timestamps=(True, True))
    known = {"msl": Fraction(1), "rto": (Fraction(1),), "reopening": both}
    assert assemble(load_stack("linux"), Overrides.of(**known)).reopening.paws is Paws.LINUX
    assert assemble(load_stack("rfc9293"), Overrides.of(**known, time_wait=Fraction(2))).reopening.paws is Paws.RFC_7323
