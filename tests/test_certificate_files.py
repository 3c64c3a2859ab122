"""Certificate files: what they prove, vacuous and time-locked ones, other questions, and damaged files."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from commands import run, run_json

from timewait.checker import certificate
from timewait.checker.certificate import HEADER_PREFIX, BrokenCertificate
from timewait.checker.cover import constants, cover_of, invariant
from timewait.checker.finding import Budget
from timewait.checker.linear import constraint
from timewait.checker.verdict import Verdict
from timewait.checker.zones import Zones
from timewait.cli.certify import Asked, compare
from timewait.options import Options
from timewait.proofs.bounded_check import check_within
from timewait.proofs.certificate_claims import CertifiedPart, certified_part, missing, statements_of_claim
from timewait.proofs.certificate_files import CheckedCertificate, ProvedStatement, check_file, statements_in
from timewait.proofs.certify import ClaimedProperties, certified_proof, certify_at_values, certify_liveness, prove_for_all
from timewait.proofs.claim import Claim
from timewait.proofs.claims import CLAIMS
from timewait.proofs.evidence import Evidence
from timewait.spec.configuration import Configuration, Scope
from timewait.spec.durations import STATE_LIMITS
from timewait.spec.settings import BEHAVIOUR as BEHAVIOUR_SETTINGS
from timewait.spec.settings import Arrival, Behaviour

DATA = Path(__file__).parent / "data" / "reliability"
STEP_ONE = frozenset({Arrival.FIN, Arrival.UNACCEPTABLE})
BEHAVIOUR = Behaviour(answers=STEP_ONE, restarts=STEP_ONE)
CORE = Configuration(Fraction(1), Fraction(2), (Fraction(1),), loss=1, scope=Scope.CORE, behaviour=BEHAVIOUR)
REGION = ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL")
BOTH = ("graceful", "isolation")


@pytest.fixture(scope="module")
def text() -> str:
    """A certificate of the first part of C1."""
    return prove_for_all(CORE, BOTH, REGION).text


def stored(folder: Path, content: str) -> Path:
    """A file with a text in it."""
    path = folder / "proof.smt2"
    path.write_text(content, encoding="utf-8")
    return path


def with_header(text: str, **changed: object) -> str:
    """A certificate with other values in its first line."""
    first, rest = text.split("\n", 1)
    return HEADER_PREFIX + json.dumps({**json.loads(first[len(HEADER_PREFIX) :]), **changed}) + "\n" + rest


def verdict_of(path: Path) -> tuple[Verdict, str]:
    """The verdict on the only certificate of a file, and its reason."""
    (checked,) = check_file(path)
    return checked.verdict, checked.rejection


LAST_ACK_LASTS: dict[str, Any] = {"last_ack": "20s"}
"""A setting that a stack declares, and no type checker knows."""


class TestOutput:
    """What was certified is printed, and compared with what is asked."""

    def test_the_statement_is_printed(self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """Configuration, scope, loss, region and settings."""
        path = stored(tmp_path, text)
        code, out, _ = run(capsys, "certify", str(path))
        assert code == 0
        words = " ".join(out.split())
        for part in (*REGION, "loss 1", "scope core", "A closes first", "text 0,0", "reset ignore", "answers fin+unacceptable"):
            assert part in words
        code, data = run_json(capsys, "certify", str(path))
        (part,) = data["certificates"]
        assert (code, part["region"], part["configuration"]["loss"]) == (0, list(REGION), 1)

    def test_a_weaker_file_is_another_statement(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """No loss, and a long TIME_WAIT, do not prove what `check` is asked with one loss."""
        asked = ("--property", "graceful", "--msl", "1s", "--rto", "1s", "--scope", "core", "--closers", "a")
        honest = ("--time-wait", "100h", "--loss", "0")
        weak = Options.of(msl="1s", rto="1s", scope="core", closers="a", time_wait="100h", loss=0).configuration()
        path = stored(tmp_path, certify_at_values(weak, ["graceful"], Budget()).text)
        assert run(capsys, "certify", str(path))[0] == 0
        code, out, _ = run(capsys, "certify", str(path), *asked, *honest)
        assert (code, "PROVED by this file, 1 statement" in out) == (0, True), out
        for other in (("--loss", "1"), ("--time-wait", "2s"), ("--property", "isolation"), ("--rst", "any")):
            code, out, _ = run(capsys, "certify", str(path), *asked, *honest, *other)
            assert code in (20, 40)
            assert "PROVED by this file, " not in out

    def test_a_claim(self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """One part of a claim is not the claim; another claim is refused."""
        path = stored(tmp_path, text)
        code, out, _ = run(capsys, "certify", str(path), "--for", "C1")
        assert code == 20
        assert "C1: 1 of " in out
        code, out, _ = run(capsys, "certify", str(path), "--for", "C10")
        assert code == 40
        assert "C10: NOT PROVED by this file" in out
        for name in ("C2", "C99"):
            code, _, err = run(capsys, "certify", str(path), "--for", name)
            assert (code, err.count("\n")) == (2, 1)

    def test_a_whole_claim(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """All parts in one file."""
        wanted = statements_of_claim("C10")
        texts = [certify_liveness(each.configuration, each.properties[0], Budget()).text for each in wanted]
        code, out, _ = run(capsys, "certify", str(stored(tmp_path, certificate.joined(texts))), "--for", "C10")
        assert (code, f"the certified part of C10 is accepted, {len(wanted)} statements; 2 of 8 pieces" in out) == (20, True), out
        assert "PROVED" not in out

    def test_a_claim_of_certificates_alone(self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """It is proved; with a piece that carries none, it is not."""
        (proved,) = statements_in(path := stored(tmp_path, text))
        checked = [CheckedCertificate(proved, Verdict.PROVED)]
        for pieces, verdict in ((1, Verdict.PROVED), (2, Verdict.INCONCLUSIVE)):
            found = compare(checked, Asked("C1", [proved], CertifiedPart([proved], 1, pieces)))
            assert found.verdict is verdict
            assert ("PROVED" in found.line) == (verdict is Verdict.PROVED)
        code, out, err = run(capsys, "certify", str(path), "--for", "C19")
        assert (code, err.count("\n"), out) == (2, 1, "")


class TestStatements:
    """One statement implies another, or not."""

    def test_regions(self) -> None:
        """Every value asked about must be in the region proved."""
        proved = ProvedStatement(CORE, BOTH, tuple(map(constraint, REGION)))
        inside = ("MSL > 0", "RTO > 0", "RTO <= MSL/2", "TIME_WAIT >= 3*MSL")
        assert missing([proved], ProvedStatement(CORE, BOTH, tuple(map(constraint, inside)))) == ""
        assert (
            missing([proved], ProvedStatement(replace(CORE, msl=Fraction(5), time_wait=Fraction(10)), ("graceful",), None)) == ""
        )
        beyond = ("MSL > 0", "RTO > 0", "RTO <= 2*MSL", "TIME_WAIT >= 3*MSL")
        assert "RTO <= MSL" in missing([proved], ProvedStatement(CORE, BOTH, tuple(map(constraint, beyond))))
        assert "TIME_WAIT" in missing([proved], ProvedStatement(replace(CORE, time_wait=Fraction(1)), BOTH, None))
        assert "loss 1, not 2" in missing([proved], ProvedStatement(replace(CORE, loss=2), BOTH, proved.region))
        other = replace(CORE, behaviour=replace(BEHAVIOUR, answers=frozenset({Arrival.FIN})))
        halves = [
            ProvedStatement(CORE, BOTH, tuple(map(constraint, (*REGION, part)))) for part in ("2*RTO <= MSL", "2*RTO >= MSL")
        ]
        assert missing(halves, proved) == ""
        assert missing(halves[:1], proved) != ""
        whole = replace(proved, configuration=replace(CORE, scope=Scope.CLOSE))
        any_text = replace(whole, any_text=True)
        assert missing([any_text], proved) != ""
        assert missing([any_text], whole) == ""
        assert "limited" in missing([whole], any_text)
        said = missing([proved], ProvedStatement(other, BOTH, proved.region))
        assert said.endswith("answers fin+unacceptable, not fin")

    def test_any_amount_of_text_is_of_b(self) -> None:
        """Text of A is not counted away, neither in the question nor in the statement."""
        whole = ProvedStatement(replace(CORE, scope=Scope.CLOSE), BOTH, tuple(map(constraint, REGION)), any_text=True)
        from_b, from_a, from_both = (
            replace(whole, configuration=replace(whole.configuration, text=text)) for text in ((0, 5), (1, 0), (1, 1))
        )
        assert missing([whole], replace(from_b, any_text=False)) == ""
        assert "text 0,0, not 1,0" in missing([whole], replace(from_both, any_text=False))
        assert "A sends no text" in missing([from_a], replace(from_both, any_text=False))

    def test_lengths_are_multiples_of_the_symbols(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """LAST-ACK of 20 MSL is no LAST-ACK of 2/3 MSL, though both last 20 s."""
        common = ("--closers", "a", "--property", "graceful", "--loss", "0")
        options = Options.of(msl="1s", rto="1s", time_wait="2s", loss=0, closers="a", **LAST_ACK_LASTS)
        proof = prove_for_all(options.configuration(), ["graceful"], ("MSL > 0", "RTO > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL"))
        path = str(stored(tmp_path, proof.text))
        asked = (*common, "--msl", "30s", "--rto", "30s", "--time-wait", "60s", "--last-ack")
        code, out, _ = run(capsys, "certify", path, *asked, "20s")
        assert (code, "LAST_ACK = 20*MSL, not 2/3*MSL" in out) == (40, True), out
        code, out, _ = run(capsys, "certify", path, *asked, "600s")
        assert (code, "PROVED by this file, 1 statement" in out) == (0, True), out

    @pytest.mark.parametrize("name", ["fin_wait_2", *STATE_LIMITS, "rto_slack", "idle_before_close", "rto"])
    def test_every_length_is_compared_as_a_multiple(self, name: str) -> None:
        """The same seconds at another MSL and RTO are another statement; the same multiple is the same statement."""
        limited: dict[str, Any] = dict.fromkeys(("fin_wait_2", *STATE_LIMITS, "abandons", "clock_before_close"), True)
        behaviour = replace(BEHAVIOUR, **limited, backoff=2)
        one, three = Fraction(1), Fraction(3)
        lengths: dict[str, Any] = dict.fromkeys(("fin_wait_2", *STATE_LIMITS), Fraction(20)) | {
            "rto_slack": Fraction(1, 4),
            "idle_before_close": Fraction(1, 8),
            "rto": (one, Fraction(2)),
        }
        whole = replace(CORE, scope=Scope.CLOSE, behaviour=behaviour, rto_exact=True, **lengths)
        longer: dict[str, Any] = {
            key: tuple(three * gap for gap in value) if isinstance(value, tuple) else three * value
            for key, value in lengths.items()
        }
        scaled = replace(whole, msl=three, time_wait=three * whole.time_wait, **longer)
        proved = ProvedStatement(whole, BOTH, tuple(map(constraint, ("MSL > 0", "RTO > 0", "TIME_WAIT >= 0"))))
        assert missing([proved], ProvedStatement(scaled, BOTH, None)) == ""
        kept: Any = (three, Fraction(2)) if name == "rto" else lengths[name]
        assert "not " in missing([proved], ProvedStatement(replace(scaled, **{name: kept}), BOTH, None))

    @pytest.mark.parametrize("name", ["fin_wait_2", *STATE_LIMITS, "rto_slack", "idle_before_close", "rto", "time_wait"])
    def test_liveness_holds_for_every_length(self, name: str) -> None:
        """A proof of an ``eventually`` property is about every value of every duration, so the multiples may be others too."""
        limited: dict[str, Any] = dict.fromkeys(("fin_wait_2", *STATE_LIMITS, "abandons", "clock_before_close"), True)
        behaviour = replace(BEHAVIOUR, **limited, backoff=2)
        lengths: dict[str, Any] = dict.fromkeys(("fin_wait_2", *STATE_LIMITS, "time_wait"), Fraction(20)) | {
            "rto_slack": Fraction(1, 4),
            "idle_before_close": Fraction(1, 8),
            "rto": (Fraction(1), Fraction(2)),
        }
        whole = replace(CORE, scope=Scope.CLOSE, behaviour=behaviour, rto_exact=True, **lengths)
        changed: Any = (Fraction(1), Fraction(5)) if name == "rto" else Fraction(1, 3)
        other = replace(whole, **{name: changed})
        proved = ProvedStatement(whole, ("closes",), ())
        assert missing([proved], ProvedStatement(other, ("closes",), None)) == ""
        assert missing([proved], ProvedStatement(other, ("quiet",), None))
        assert (
            missing([replace(proved, properties=("graceful",))], ProvedStatement(other, ("graceful",), None))
            or name == "time_wait"
        )
        for different in ({"behaviour": replace(behaviour, fin_wait_2=False)}, {"both_close": True}, {"rto_slack": Fraction(0)}):
            assert missing([proved], ProvedStatement(replace(other, **different), ("closes",), None))

    @pytest.mark.parametrize("name", BEHAVIOUR_SETTINGS)
    def test_the_setting_that_differs_is_named(self, name: str) -> None:
        """Whichever it is."""
        entry = BEHAVIOUR_SETTINGS[name]
        whole = replace(CORE, scope=Scope.CLOSE)
        stated = getattr(whole.behaviour, name)
        if entry.kind is bool:
            value: Any = not stated
        elif entry.kind is int:
            value = 2 if stated is None else stated + 1
        else:
            value = frozenset() if entry.kind is frozenset else next(each for each in entry.kind if each is not stated)
        rto = (Fraction(1),) * (value if name == "backoff" else 1)
        other = replace(whole, rto=rto, behaviour=replace(whole.behaviour, **{name: value}))
        for region in (None, ()):
            said = missing([ProvedStatement(whole, BOTH, region)], ProvedStatement(other, BOTH, region))
            assert f"{name} " in said or (name == "backoff" and "rto " in said)

    def test_every_claim_states_what_its_certificates_prove(self) -> None:
        """Without proving anything."""
        found = {name: len(statements_of_claim(name)) for name in CLAIMS}
        assert found["C1"] >= 7
        assert found["C2"] == found["C9"] == 0
        assert all(each.region is not None for name in CLAIMS for each in statements_of_claim(name))

    def test_the_evidence_without_a_certificate_is_counted(self) -> None:
        """C20 rests on engines, C19 on arithmetic too; C2 on schedules."""
        parts = {name: certified_part(name) for name in CLAIMS}
        assert (parts["C20"].certified, parts["C20"].pieces) == (4, 30)
        assert (parts["C19"].certified, parts["C19"].pieces) == (0, 8)
        assert (parts["C2"].certified, parts["C2"].pieces) == (0, 8)
        assert not any(part.whole for part in parts.values())

    def test_evidence_that_a_claim_makes_itself(self, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """With a certificate it is what its first line states, without one it is a piece more."""

        def gather() -> Iterator[Evidence]:
            yield Evidence("made", Verdict.PROVED, Verdict.PROVED, "some engine", certificate=text)
            yield Evidence("made", Verdict.PROVED, Verdict.PROVED, "some engine")

        monkeypatch.setitem(CLAIMS, "X1", Claim("X1", "made", "none", Verdict.PROVED, False, gather))
        part = certified_part("X1")
        assert (part.certified, part.pieces, part.whole) == (1, 2, False)
        assert missing(part.statements, ProvedStatement(CORE, BOTH, None)) == ""


class TestVacuous:
    """A certificate of nothing is named for what it is."""

    def test_a_property_that_nothing_could_violate(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """There is no TIME-WAIT that could be kept."""
        none = replace(CORE, behaviour=replace(BEHAVIOUR, time_wait=False))
        vacuous = _proved_regardless(none, ["time-wait-kept"])
        code, out, _ = run(capsys, "certify", str(stored(tmp_path, vacuous)))
        assert code == 30
        assert "VACUOUS: never happens: " in out

    def test_time_cannot_pass(self, text: str, tmp_path: Path) -> None:
        """At an RTO of 0 retransmissions follow one another without end."""
        for region in (["MSL > 0", "RTO <= 0", "TIME_WAIT >= 2*MSL"], ["MSL > 0", "RTO <= MSL", "TIME_WAIT >= 2*MSL"]):
            verdict, reason = verdict_of(stored(tmp_path, with_header(text, region=region)))
            assert verdict is Verdict.VACUOUS
            assert "time cannot pass" in reason

    def test_a_liveness_property_that_is_never_pending(self, tmp_path: Path) -> None:
        """The honest proof is accepted."""
        proof = certify_liveness(replace(CORE, scope=Scope.CLOSE), "closes", Budget())
        assert verdict_of(stored(tmp_path, proof.text)) == (Verdict.PROVED, "")


def _proved_regardless(configuration: Configuration, properties: list[str]) -> str:
    """A certificate of an invariant that is inductive, whether or not the properties could be violated."""
    claimed = ClaimedProperties(configuration, properties, None)
    zones = Zones(claimed.automaton)
    zones.explore(Budget())
    proof = certified_proof(claimed, invariant(zones, cover_of(zones), constants(zones.unit)))
    assert proof.verdict is Verdict.PROVED
    return proof.text


class TestFirstLine:
    """What the first line says is checked, or the file is refused."""

    @pytest.mark.parametrize(
        ("changed", "said"),
        [
            ({"version": "0.0"}, "the first line says 'version', which no certificate of this version says"),
            ({"assumes": ["nothing is lost"]}, "says 'assumes'"),
            ({"told_apart": 3}, "says 'told_apart'"),
            ({"properties": ["gracefull"]}, "there is no property 'gracefull'"),
            ({"properties": [["graceful"]]}, "there is no property"),
        ],
    )
    def test_words_that_nobody_checks(self, text: str, changed: dict[str, object], said: str, tmp_path: Path) -> None:
        """Those of another version, and misspelt ones."""
        with pytest.raises(BrokenCertificate, match=said):
            check_file(stored(tmp_path, with_header(text, **changed)))

    @pytest.mark.parametrize("word", ["configuration", "properties", "region", "relaxed"])
    def test_words_that_are_missing(self, text: str, word: str, tmp_path: Path) -> None:
        """Each is named."""
        first, rest = text.split("\n", 1)
        data = json.loads(first[len(HEADER_PREFIX) :])
        del data[word]
        with pytest.raises(BrokenCertificate, match=f"the first line lacks '{word}'"):
            check_file(stored(tmp_path, f"{HEADER_PREFIX}{json.dumps(data)}\n{rest}"))

    def test_words_that_are_there_twice(self, text: str, tmp_path: Path) -> None:
        """A reader may see the other one."""
        twice = text.replace('"loss": 1', '"loss": 2, "loss": 1', 1)
        assert twice != text
        with pytest.raises(BrokenCertificate, match="'loss' is there twice"):
            check_file(stored(tmp_path, twice))

    def test_a_region_of_a_liveness_property(self, tmp_path: Path) -> None:
        """There is none."""
        proof = certify_liveness(replace(CORE, scope=Scope.CLOSE), "closes", Budget())
        for changed in ({"region": ["MSL > 0"]}, {"relaxed": False}):
            with pytest.raises(BrokenCertificate, match=r"its region is \[\]|says 'relaxed'"):
                check_file(stored(tmp_path, with_header(proof.text, **changed)))


class TestQueriesOfTheFile:
    """Any solver can check the file: so its queries must be those of the specification."""

    @pytest.mark.parametrize("spoil", ["assert", "lacks", "declares", "answers"])
    def test_changed_queries(self, text: str, tmp_path: Path, spoil: str) -> None:
        """An added assertion, a query left out, another assumption, and commands at the end."""
        lines = text.split("\n")
        query = next(number for number, line in enumerate(lines) if line.startswith("(push 1)"))
        if spoil == "assert":
            lines[query] = lines[query].replace("(check-sat)", "(assert false)(check-sat)")
        elif spoil == "lacks":
            del lines[query]
        elif spoil == "declares":
            lines.insert(query, "(assert false)")
        else:
            lines.append("(check-sat)")
        verdict, reason = verdict_of(stored(tmp_path, "\n".join(lines)))
        assert verdict is Verdict.DISAGREEMENT
        assert "not that of the specification" in reason or "lacks a proof obligation" in reason

    def test_comments_do_not_count(self, text: str, tmp_path: Path) -> None:
        """They prove nothing."""
        commented = text.replace("(set-logic QF_LRA)", "; a comment\n(set-logic QF_LRA)")
        assert verdict_of(stored(tmp_path, commented)) == (Verdict.PROVED, "")


class TestBounds:
    """Every certificate has a bound on time and memory."""

    def test_no_time(self, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        """What is not checked is inconclusive."""
        path = stored(tmp_path, certificate.joined([text] * 2))
        code, out, _ = run(capsys, "certify", str(path), "--max-seconds", "0.001")
        assert code == 20
        assert out.count("INCONCLUSIVE: not checked within 0.001 s") == 2

    def test_the_process_is_gone(self, text: str, tmp_path: Path) -> None:
        """Whatever the end."""
        path = stored(tmp_path, text)
        check_within(path, 60, 4_000)
        check_within(path, 0.001, 4_000)
        assert not multiprocessing.active_children()


FILES = sorted(DATA.glob("cert-*"))
STILL_CERTIFICATES = {"cert-many.smt2", "cert-body-forward.smt2"}


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_files_that_crashed_the_reader(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused in one line, not believed, or stopped at the bound."""
    code, out, err = run(capsys, "certify", str(file), "--max-seconds", "3")
    assert "\x1b" not in out + err
    assert code in (3, 20, 30, 40) or file.name in STILL_CERTIFICATES
    if code == 3:
        assert (out, err.count("\n")) == ("", 1)
