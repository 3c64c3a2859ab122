"""Proofs of earlier runs: what was kept is checked again, and no file, however spoiled, changes a verdict."""

from __future__ import annotations

import copy
import json
import os
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from commands import run, run_json

from timewait.checker.certificate import HEADER_PREFIX
from timewait.checker.finding import Move, Run
from timewait.checker.itf import as_itf
from timewait.checker.question import Engine
from timewait.checker.replay import replay
from timewait.checker.verdict import Verdict
from timewait.proofs import memory as memory_module
from timewait.proofs import remembered_runs
from timewait.proofs.claims import INTENDED, LITERAL, close, core
from timewait.proofs.evidence import Evidence, as_formula, at, for_all, for_any_text, for_every_duration
from timewait.proofs.memory import FIRST_LINE, Memory, remembering, with_digest
from timewait.spec.properties import PROPERTIES
from timewait.spec.reference import initial_state

REGION = ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL")
FORMULA = "safe iff TIME_WAIT >= MSL"

SOME = 6
"""Spoiled files in a default run, of each kind."""


def proof(region: tuple[str, ...] = REGION) -> list[Evidence]:
    """A small proof for all values."""
    return [for_all("core, k = 0", core(1, 2, 1, 0), region)]


def threshold(expected: str = FORMULA) -> list[Evidence]:
    """A small threshold as a formula, with certificates and counterexamples."""
    return list(as_formula("core, k = 0", core(1, 0, 1, 0), ["graceful"], expected))


def violation() -> list[Evidence]:
    """A short violation, by one engine."""
    return [at("close, M = R = 1, k = 0, TIME_WAIT = 1", close(1, 1, 1, 0), "isolation", Verdict.VIOLATED)]


def endless() -> list[Evidence]:
    """A violation that is a run without end."""
    both = replace(close(1, 2, 1, 0, LITERAL), both_close=True)
    return [at("close, either first, literal reading", both, "quiet", Verdict.VIOLATED)]


def gathered(folder: Path | None, gather: Callable[[], list[Evidence]]) -> tuple[list[Evidence], Memory]:
    """The evidence with a folder of earlier results, and what came of them."""
    with remembering(folder) as used:
        return gather(), used


def kept(folder: Path) -> Path:
    """The only file in a folder of results."""
    (file,) = folder.iterdir()
    return file


def leaves(data: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The place of every value in plain data."""
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from leaves(value, (*path, key))
    else:
        yield path


def changed(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """Plain data with another value at a place."""
    found = copy.deepcopy(data)
    inner = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    1,
    -1,
    1e300,
    "",
    "0",
    "MSL",
    "2*MSL",
    "isolation",
    "closes",
    "1/3",
    [],
    {},
    [[]],
    "x" * 200,
)
"""Values that stand in the place of every value of a file."""


@pytest.fixture(params=[proof, threshold, violation, endless], ids=["proof", "threshold", "violation", "endless"])
def gather(request: pytest.FixtureRequest) -> Callable[[], list[Evidence]]:
    """Evidence of either kind."""
    found: Callable[[], list[Evidence]] = request.param
    return found


@pytest.mark.parametrize(
    "again",
    [
        proof,
        threshold,
        violation,
        endless,
        lambda: [for_every_duration("close", replace(close(1, 2, 1, 0, INTENDED), both_close=True), "quiet")],
        pytest.param(lambda: list(for_any_text("close, k = 0", close(1, 0, 1, 0), ["graceful"], "MSL")), marks=pytest.mark.slow),
    ],
    ids=["proof", "threshold", "violation", "endless", "liveness", "any text"],
)
def test_recalled(again: Callable[[], list[Evidence]], tmp_path: Path) -> None:
    """The second run finds the proofs of the first, checks them, and yields equal evidence."""
    first, used = gathered(tmp_path, again)
    assert (used.asked, used.recalled) == (1, 0)
    assert all(piece.verdict is piece.expected for piece in first)
    second, used = gathered(tmp_path, again)
    assert (used.asked, used.recalled) == (1, 1)
    assert second == first


def contents(file: Path) -> str:
    """A file without its digest."""
    return file.read_text().removeprefix(FIRST_LINE).partition(" ")[2]


def spoiled(text: str, every: bool) -> Iterator[tuple[str, str]]:
    """The contents of a file in which one thing is another, with the place of it."""
    draw = random.Random(5)
    first, _, certificates = text.partition("\n")
    data = json.loads(first)
    places = [(path, value) for path in leaves(data) for value in OTHERS]
    lines = certificates.split("\n")
    rows = list(range(len(lines) - 1))
    ends = list(range(0, len(text) - 1, 97))
    for path, value in places if every else draw.sample(places, SOME):
        if (other := changed(data, path, value)) != data:
            yield str(path), f"{json.dumps(other, sort_keys=True)}\n{certificates}"
    for row in rows if every else draw.sample(rows, min(SOME // 2, len(rows))):
        for what, instead in (("gone", []), ("twice", 2 * [lines[row]]), ("other", [lines[row].replace("0", "1", 1) + " "])):
            yield f"line {row} {what}: {lines[row]}", "\n".join([first, *lines[:row], *instead, *lines[row + 1 :]])
    for end in ends if every else draw.sample(ends, SOME):
        yield f"cut off at {end}", text[:end]


def believed(folder: Path, gather: Callable[[], list[Evidence]], every: bool, for_others: bool = False) -> list[str]:
    """The places at which a spoiled value with a fitting digest was believed; the evidence must be as expected all the same."""
    _, _ = gathered(folder, gather)
    file = kept(folder)
    honest, found = contents(file), []
    for place, text in spoiled(honest, every):
        file.write_text(with_digest(text))
        with remembering(folder, for_others=for_others) as used:
            evidence = gather()
        assert all(piece.verdict is piece.expected for piece in evidence), place
        found += [place] * used.recalled
    return found


def only_in_schedules(places: list[str]) -> bool:
    """Whether all places are delays of a schedule: another delay may be a counterexample too, and was checked as one.

    How many steps minimisation dropped says how a run was found: nothing else depends on that.
    """
    return all("schedule" in place or "dropped" in place for place in places)


def test_spoiled(gather: Callable[[], list[Evidence]], tmp_path: Path) -> None:
    """A certificate in which one value, one line or the end is wrong is not handed on, even if the digest was made to fit."""
    assert only_in_schedules(believed(tmp_path, gather, every=False, for_others=True))


def test_spoiled_and_not_handed_on(gather: Callable[[], list[Evidence]], tmp_path: Path) -> None:
    """A spoiled file with a fitting digest is believed only where its cases are an invariant all the same.

    Only the cases are evidence then: a query may be missing, and a bound may be another one with which the invariant still holds.
    """
    places = believed(tmp_path, gather, every=False)
    assert only_in_schedules([place for place in places if not place.startswith(("line ", "cut off"))])
    assert not any(f" {what}: (define-fun at" in place for place in places for what in ("gone", "twice"))


@pytest.mark.slow
def test_every_spoiled_field(gather: Callable[[], list[Evidence]], tmp_path: Path) -> None:
    """The same for every value of a file in turn, every line, and ends all over it."""
    assert only_in_schedules(believed(tmp_path, gather, every=True, for_others=True))


def test_damaged(gather: Callable[[], list[Evidence]], tmp_path: Path) -> None:
    """A file with another octet, without its end, or of another result is as good as none."""
    gathered(tmp_path, gather)
    file, draw = kept(tmp_path), random.Random(3)
    honest = file.read_bytes()
    for place in draw.sample(range(len(honest)), 3):
        file.write_bytes(honest[:place] + bytes([honest[place] ^ 1 << draw.randrange(7)]) + honest[place + 1 :])
        assert gathered(tmp_path, gather)[1].recalled == 0
    file.write_bytes(honest[: -len(honest) // 3])
    assert gathered(tmp_path, gather)[1].recalled == 0


def test_exchanged(tmp_path: Path) -> None:
    """Two results whose files are exchanged are found anew."""
    narrower = (*REGION, "TIME_WAIT >= MSL + RTO")
    gathered(tmp_path, lambda: proof() + proof(narrower))
    one, other = tmp_path.iterdir()
    texts = one.read_bytes(), other.read_bytes()
    one.write_bytes(texts[1])
    other.write_bytes(texts[0])
    pieces, used = gathered(tmp_path, lambda: proof() + proof(narrower))
    assert (used.asked, used.recalled) == (2, 0)
    assert all(piece.verdict is Verdict.PROVED for piece in pieces)


def forged(folder: Path, honest: Callable[[], list[Evidence]], wrong: Callable[[], list[Evidence]], *words: str) -> Memory:
    """What comes of a file of an honest result, rewritten word by word, under the name that a wrong result would have."""
    gathered(folder / "honest", honest)
    text = contents(kept(folder / "honest"))
    for one, other in zip(words[::2], words[1::2], strict=True):
        assert one in text
        text = text.replace(one, other)
    names: list[Path] = []
    original = Memory.recall

    def forge(self: Memory, question: Any, check: Any) -> Any:
        file = self._file(folder, question)
        first, _, rest = text.partition("\n")
        file.write_text(with_digest(f"{json.dumps(json.loads(first) | {'question': question})}\n{rest}"))
        names.append(file)
        return original(self, question, check)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Memory, "recall", forge)
        evidence, used = gathered(folder, wrong)
    assert names
    assert any(piece.verdict is not piece.expected for piece in evidence)
    return used


def test_a_forged_region(tmp_path: Path) -> None:
    """A certificate that is made to speak of a region in which the property fails is not believed."""
    wider = (*REGION[:3], "TIME_WAIT >= 1/2*MSL")
    words = ("TIME_WAIT >= 2*MSL", "TIME_WAIT >= 1/2*MSL")
    assert forged(tmp_path, proof, lambda: proof(wider), *words).recalled == 0


@pytest.mark.parametrize("least", ["1/2*MSL", "2*MSL"])
def test_a_forged_threshold(least: str, tmp_path: Path) -> None:
    """Neither a threshold that is too low nor one that is too high."""
    words = ('"minimum": "MSL"', f'"minimum": "{least}"', '"TIME_WAIT >= MSL"', f'"TIME_WAIT >= {least}"')
    used = forged(tmp_path, threshold, lambda: threshold(f"safe iff TIME_WAIT >= {least}"), *words)
    assert used.recalled == 0


def test_a_forged_violation(tmp_path: Path) -> None:
    """A run that violates a property with another TIME_WAIT is no violation where the specification does not carry it out."""

    def longer() -> list[Evidence]:
        return [at("TIME_WAIT = 2", close(1, 2, 1, 0), "isolation", Verdict.VIOLATED)]

    assert forged(tmp_path, violation, longer).recalled == 0


def test_an_unfair_run(tmp_path: Path) -> None:
    """A run without end in which nothing ever happens is kept for nothing: no fair run leaves the calls of the users out."""
    configuration = close(1, 2, 1, 0)
    idle = replay(initial_state(configuration), Run((Move(Fraction(1), None),), loop=0), PROPERTIES["closes"])
    with remembering(tmp_path) as used:
        question = remembered_runs.asked(configuration, "closes", Engine.AUTO)
        used.keep(question, {"engine": "explicit, breadth first", "trace": as_itf(idle)}, [])
        (answer,) = remembered_runs.decided(configuration, ["closes"], Engine.AUTO, Verdict.VIOLATED)
    assert (used.asked, used.recalled) == (1, 0)
    assert answer.verdict is Verdict.PROVED


@pytest.mark.parametrize(("wait", "expected"), [(2, Verdict.VIOLATED), (1, Verdict.PROVED)])
def test_a_surprise(wait: int, expected: Verdict, tmp_path: Path) -> None:
    """A verdict that is not expected is found anew each time."""
    for _ in range(2):
        (piece,), used = gathered(tmp_path, lambda: [at("M = R = 1", close(1, wait, 1, 0), "isolation", expected)])
        assert piece.verdict is not expected
        assert used.recalled == 0
    assert not any(tmp_path.iterdir())


def test_pieces_with_a_gap(tmp_path: Path) -> None:
    """A threshold without one of its pieces is not believed, although all of the rest holds."""
    gathered(tmp_path, threshold)
    file = kept(tmp_path)
    first, _, rest = contents(file).partition("\n")
    data = json.loads(first)
    _, one, others = rest.partition(HEADER_PREFIX)[2].partition(f"(reset)\n{HEADER_PREFIX}")
    assert one
    data["facts"] = data["facts"][1:]
    file.write_text(with_digest(f"{json.dumps(data)}\n{HEADER_PREFIX}{others}"))
    assert gathered(tmp_path, threshold)[1].recalled == 0


@pytest.mark.parametrize("kind", ["empty", "folder", "pipe", "zeros", "octets", "huge"])
def test_no_file_of_a_result(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else under the name of a result ends nothing and holds nothing up."""
    gathered(tmp_path, proof)
    file = kept(tmp_path)
    text = file.read_bytes()
    file.unlink()
    if kind == "folder":
        file.mkdir()
    elif kind == "pipe":
        os.mkfifo(file)
    elif kind == "zeros":
        file.symlink_to("/dev/zero")
    elif kind == "huge":
        monkeypatch.setattr(memory_module, "MAX_OCTETS", 1000)
        file.write_bytes(text)
    else:
        file.write_bytes(b"" if kind == "empty" else bytes(range(256)))
    (piece,), used = gathered(tmp_path, proof)
    assert (piece.verdict, used.recalled) == (Verdict.PROVED, 0)


def test_other_code_asks_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A result of another version of the code or of a solver has another name."""
    gathered(tmp_path, proof)
    monkeypatch.setattr(memory_module, "version_of_code", lambda: "another")
    assert gathered(tmp_path, proof)[1].recalled == 0
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The result is the same, and nothing is kept."""
    place = tmp_path / "file"
    place.write_text("")
    (piece,), used = gathered(place, proof)
    assert (piece.verdict, used.recalled) == (Verdict.PROVED, 0)
    assert place.read_text() == ""


def test_no_folder() -> None:
    """Without a folder nothing is remembered."""
    assert gathered(None, proof)[1] == Memory(None)


def test_written_by_several(tmp_path: Path) -> None:
    """Readers of a file that several write at once see a whole result or none."""
    _, _ = gathered(tmp_path, proof)
    question = {"asked": "by a test"}
    texts = [HEADER_PREFIX + letter * size for letter, size in zip("abcdef", range(10_000, 70_000, 10_000), strict=True)]
    stop = threading.Event()

    def write(text: str) -> None:
        while not stop.is_set():
            Memory(tmp_path).keep(question, None, [text])

    writers = [threading.Thread(target=write, args=(text,)) for text in texts[:2]]
    for writer in writers:
        writer.start()
    try:
        seen = [Memory(tmp_path).recall(question, lambda _, found: found[0]) for _ in range(200)]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert {text for text in seen if text is not None} <= set(texts)
    assert Memory(tmp_path).recall(question, lambda _, found: found[0]) in texts


OWN = """\
from timewait.checker.verdict import Verdict
from timewait.proofs.claim import claim
from timewait.proofs.claims import core
from timewait.proofs.evidence import for_all

@claim("Mine-2", "a core with 2 MSL", "design, 3", Verdict.PROVED)
def mine():
    yield for_all("long", core(1, 2, 1, 0), ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL"))
"""


@pytest.mark.slow
def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """The command keeps proofs in the folder of the user, in one that it is given, or nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("my_claim.py").write_text(OWN)
    command = ("prove", "my_claim.py", "--jobs", "1")
    for options, remembered in (([], 0), ([], 1), (["--no-cache"], 0), (["--cache", "mine"], 0), (["--cache", "mine"], 1)):
        code, data = run_json(capsys, *command, *options)
        assert (code, data["claims"][0]["remembered"]) == (0, remembered), options
    assert kept(tmp_path / "cache/timewait/proofs").name == kept(tmp_path / "mine").name
    assert run(capsys, *command, "--cache", "mine", "--no-cache")[0] == 2
    assert "1 result of an earlier run checked again" in run(capsys, *command)[2]
