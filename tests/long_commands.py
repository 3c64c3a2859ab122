"""The commands that take a while, each with what it writes: the one table of the tests that end them at any moment."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
CAPTURE, TRACE = str(ROOT / "examples/capture.pcapng"), str(ROOT / "examples/trace.itf.json")
SMALL = ("--msl", "1s", "--rto", "1s")
REPORTS = ("--junit", "a.xml", "--sarif", "a.sarif", "--events", "a.events.jsonl")
REPORTED = ("a.xml", "a.sarif", "a.events.jsonl")


class LongCommand(NamedTuple):
    """A command that takes a while.

    Attributes
    ----------
    words : tuple of str
        The command; ``inputs`` is a folder beside that in which it runs.
    files : tuple of str
        Files that are there before it runs, and that it writes anew.
    goes_on : str
        A file or folder from which a second run goes on; empty where there is none.
    copied : str
        A folder of the inputs of which it changes a copy; empty where there is none.
    piped : str
        A file of the inputs that comes through a pipe as its standard input; empty where there is none.
    seconds : float
        Of a command of the laboratory, which waits more than it computes: the seconds of the clock in which it is ended. Of
        another command, which is ended at any moment of its processor time, 0.
    """

    words: tuple[str, ...]
    files: tuple[str, ...] = ()
    goes_on: str = ""
    copied: str = ""
    piped: str = ""
    seconds: float = 0.0


LONG: Mapping[str, LongCommand] = MappingProxyType(
    {
        "check": LongCommand(
            (
                *("check", *SMALL, "--time-wait", "1s", "--scope", "core", "--property", "isolation", "--property", "closes"),
                *("--trace", "a.itf.json", "--html", "a.html", "--certificate", "a.smt2"),
            ),
            ("a.itf.json", "a.html", "a.smt2"),
        ),
        "check by a solver": LongCommand(
            (
                *("check", "--msl", "2s", "--rto", "2s", "--time-wait", "4s", "--scope", "core", "--engine", "smt"),
                *("--certificate", "a.smt2"),
            ),
            ("a.smt2",),
        ),
        "check by several threads": LongCommand(
            (
                *("check", *SMALL, "--time-wait", "2s", "--engine", "explicit", "--workers", "2", "--property", "isolation"),
                *REPORTS,
            ),
            REPORTED,
        ),
        "check on this kernel": LongCommand(
            ("check", *SMALL, "--time-wait", "1s", "--scope", "core", "--stack", "linux", "--on", "linux", "--html", "a.html"),
            ("a.html",),
            seconds=8.0,
        ),
        "prove": LongCommand(
            ("prove", "C15", "../inputs/mine.py", "--out", "out", "--cache", "cache", *REPORTS),
            ("out/C15.2.itf.json", "out/X1.1.smt2", *REPORTED),
            "cache",
        ),
        "threshold": LongCommand(("threshold", *SMALL, "--json")),
        "threshold by several threads": LongCommand(("threshold", *SMALL, "--engine", "explicit", "--workers", "2")),
        "threshold for all values": LongCommand(("threshold", *SMALL, "--symbolic", "--out", "out"), ("out/piece-1.smt2",)),
        "agree": LongCommand(
            ("agree", "core, no loss, enough for one reason", "--max-seconds", "1", "--out", "a.json"), ("a.json",)
        ),
        "ci": LongCommand(("ci", str(ROOT / "examples/stack/timewait.toml"), *REPORTS), REPORTED),
        "ci that updates": LongCommand(("ci", "stack/timewait.toml", "--update"), copied="stack"),
        "init": LongCommand(("init", "mine")),
        "sweep": LongCommand(("sweep", *SMALL, "--time-wait", "1s..4s", "--scope", "core", "--out", "a.csv"), (), "a.csv"),
        "sweep into lines": LongCommand(
            ("sweep", *SMALL, "--time-wait", "1s..2s", "--scope", "core", "--jobs", "1", "--out", "a.jsonl"), (), "a.jsonl"
        ),
        "sweep into Parquet": LongCommand(
            ("sweep", *SMALL, "--time-wait", "1s..4s", "--scope", "core", "--out", "a.parquet"), (), ".a.parquet.rows.jsonl"
        ),
        "explain": LongCommand(("explain", "../inputs/big.pcapng")),
        "explain a pipe": LongCommand(("explain", "-", "--json"), piped="some.pcapng"),
        "explain what comes": LongCommand(("explain", "-", "--follow"), piped="some.pcapng"),
        "explain a close": LongCommand(("explain", CAPTURE, "--trace", "a.itf.json", "--out", "a.svg"), ("a.itf.json", "a.svg")),
        "view": LongCommand(("view", TRACE, "--out", "a.html"), ("a.html",)),
        "convert": LongCommand(("convert", TRACE, "--to", "mermaid", "--out", "a.mmd"), ("a.mmd",)),
        "export": LongCommand(
            ("export", *SMALL, "--time-wait", "2s", "--scope", "core", "--to", "promela", "--out", "a.pml"), ("a.pml",)
        ),
        "certify": LongCommand(("certify", "../inputs/long.smt2", "--max-seconds", "60")),
        "risk": LongCommand(
            (
                *("risk", "--loss-rate", "1%", "--rtt", "50ms", "--time-wait", "1s", "--retries", "4", "--samples", "1000"),
                *("--out", "a.svg"),
            ),
            ("a.svg",),
        ),
        "capacity": LongCommand(("capacity", "--rate", "1000/s", "--time-wait", "60s", "--out", "a.svg"), ("a.svg",)),
        "capacity on this kernel": LongCommand(
            ("capacity", "--on", "linux", "--rate", "5/s", "--ports", "20", "--time-wait", "1s"), seconds=8.0
        ),
        "ways": LongCommand(("ways", "--way", "linger", "--json")),
        "ways through a middlebox": LongCommand(
            ("ways", "--box", "aws-nat", "--run", "idle", "--trace", "a.itf.json"), ("a.itf.json",)
        ),
        "ways on this kernel": LongCommand(("ways", "--way", "reuseaddr", "--on", "linux"), seconds=6.0),
        "run": LongCommand(
            ("run", "--scenario", "simultaneous-close", "--out", "a.svg", "--html", "a.html", "--trace", "a.itf.json"),
            ("a.svg", "a.html", "a.itf.json"),
        ),
        "diff": LongCommand(("diff", "linux", "freebsd")),
        "states": LongCommand(("diagram", "states", "--out", "a.svg"), ("a.svg",)),
        "composition": LongCommand(
            ("diagram", "composition", *SMALL, "--time-wait", "1s", "--scope", "core", "--out", "a.dot"), ("a.dot",)
        ),
        "sequence": LongCommand(("diagram", "sequence", "--trace", TRACE, "--out", "a.svg"), ("a.svg",)),
        "region": LongCommand(("diagram", "region", "--msl", "1s", "--scope", "core", "--out", "a.svg"), ("a.svg",)),
        "all pictures": LongCommand(
            ("diagram", "--all", "--committed", "--out", "out"), ("out/run-c8.svg", "out/README.md", "out/capacity.svg"), "out"
        ),
        "replay": LongCommand(
            ("replay", "../inputs/harm.itf.json", "--pcap", "a.pcapng", "--html", "a.html"), ("a.pcapng", "a.html"), seconds=4.0
        ),
        "conform of this kernel": LongCommand(
            (
                *("conform", "--on", "linux", "--layer", "walks", "--max-seconds", "5"),
                *("--out", "a.json", "--html", "a.html"),
            ),
            ("a.json", "a.html"),
            seconds=7.0,
        ),
        "conform of lwIP": LongCommand(
            (
                *("conform", "--on", "lwip", "--layer", "walks", "--max-seconds", "5"),
                *("--out", "a.json", "--html", "a.html"),
            ),
            ("a.json", "a.html"),
            seconds=4.0,
        ),
        "learn": LongCommand(("learn", "--on", "linux", "--out", "a.svg"), ("a.svg",), seconds=10.0),
    }
)
"""Every command that takes a while, in each of the ways in which it runs other processes or threads, or writes files."""

SHORT: Mapping[str, str] = MappingProxyType(
    {
        "stacks": "prints profiles; it writes no file and starts no process",
        "glossary": "prints a page of the documentation",
        "help": "prints a page of the documentation or the text of an option",
        "host": "prints settings of the machine",
        "graph": "the former name of diagram composition",
    }
)
"""The commands that are not ended at any moment, with the reason."""

ELSEWHERE: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("sweep", "--on"): "a Ray cluster is no part of the development tools",
        ("prove", "--on"): "a Ray cluster is no part of the development tools",
        ("agree", "--jobs"): "two by default",
        ("prove", "--jobs"): "two by default",
        ("capacity", "--load"): "is read",
        ("replay", "--on"): "linux by default",
    }
)
"""Options for processes or files that no command of the table states, with the reason."""
