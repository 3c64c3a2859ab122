"""The claims, from their registry and from what was found."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from live.evidence import Piece, pieces, shown
from live.tables import plain, table
from timewait.proofs.claims import CLAIMS

DIAGRAMS = Path(__file__).parent.parent.parent / "diagrams"


def evidence(claim: str, folder: Path) -> str:
    """The evidence for a claim, a row a piece."""
    found = pieces(folder, claim)
    shortest = shown(found)
    rows = []
    for number, piece in enumerate(found, start=1):
        parts = []
        if piece.trace is not None:
            steps = f"{piece.steps} steps"
            parts.append(f"{{trace}}`review: {steps} <{claim}.{number}>`" if piece.trace == shortest else steps)
        if piece.certificate is not None:
            parts.append("certificate")
        rows.append(
            (
                f"{claim}.{number}",
                plain(piece.label),
                f"**{piece.verdict}**",
                piece.engine,
                plain(_short(piece)),
                ", ".join(parts),
            )
        )
    return table(("", "asked", "verdict", "by", "detail", "evidence"), rows)


def _short(piece: Piece) -> str:
    """What else is to be said of a piece; a script and a count of steps are told elsewhere."""
    if piece.detail.startswith("schedule "):
        return "one schedule, its delays terms"
    return "" if piece.detail.endswith(" steps") else piece.detail


def claim(name: str, folder: Path) -> str:
    """A claim: its statement, status and pictures."""
    stated = CLAIMS[name]
    found = pieces(folder, name)
    parts = [
        f"> **{name}.** {plain(stated.statement[0].upper() + stated.statement[1:])}.",
        f"Section\n: {stated.section}",
        f"Verdict\n: **{status(name, found)}**",
        f"Decided by\n: {'; '.join(dict.fromkeys(piece.engine for piece in found))}",
        f"Evidence\n: {counted(found)}; `timewait prove {name} --out evidence` writes it down",
    ]
    for path in sorted(DIAGRAMS.glob(f"run-{name.lower()}*.svg")):
        if path.stem == f"run-{name.lower()}" or path.stem.startswith(f"run-{name.lower()}-"):
            parts.append(f"```{{picture}} {path.stem}\n```")
    return "\n\n".join(parts) + "\n"


def status(name: str, found: list[Piece]) -> str:
    """How a claim stands, in words."""
    verdicts = Counter(piece.verdict for piece in found)
    everywhere = any(piece.certificate is not None for piece in found)
    families = any(piece.engine.startswith("family") for piece in found)
    if verdicts["proved"] and verdicts["violated"] and everywhere and families:
        return "shown from both sides, for all values"
    if str(CLAIMS[name].expected) == "proved":
        both = ", and what breaks it is shown" if verdicts["violated"] else ""
        return ("proved for all values" if everywhere else "proved at the values asked") + both
    restored = ", and what mends it is proved" if verdicts["proved"] else ""
    return ("counterexamples for all values" if families else "counterexample") + restored


def counted(found: list[Piece]) -> str:
    """How much evidence there is, in words."""
    certificates = sum(piece.certificate is not None for piece in found)
    traces = sum(piece.trace is not None for piece in found)
    parts = [f"{len(found)} answers"]
    if certificates:
        parts.append(f"{certificates} certificate{'s' * (certificates > 1)} accepted by Z3 and cvc5")
    if traces:
        parts.append(f"{traces} counterexample{'s' * (traces > 1)}, each carried out again")
    return ", ".join(parts)


def summary(folder: Path) -> str:
    """Every claim in a row."""
    rows = []
    for name, stated in CLAIMS.items():
        found = pieces(folder, name)
        rows.append((f"[{name}]({name.lower()}.md)", plain(stated.statement), status(name, found), counted(found)))
    return table(("claim", "statement", "verdict", "evidence"), rows)


def engines(folder: Path) -> str:
    """Which engine decided how much of which claim."""
    found = {name: Counter(piece.engine for piece in pieces(folder, name)) for name in CLAIMS}
    names = sorted({engine for counts in found.values() for engine in counts})
    rows = []
    for engine in names:
        claims = [f"[{name}](../claims/{name.lower()}.md)" for name, counts in found.items() if counts[engine]]
        rows.append((engine, str(sum(counts[engine] for counts in found.values())), ", ".join(claims)))
    return table(("engine", "answers", "in claims"), rows)
