"""The formats of a trace, by name: the only list of them.

The choices and the help of ``timewait convert``, the command-line page and the tests follow from `TRACE_FORMATS`. A new format
is a module with a function of a `Trace`, an entry here, and a test with a program that reads the format.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import NamedTuple

from timewait import __version__
from timewait.checker import itf
from timewait.checker.trace import Trace
from timewait.formats import mermaid, packetdrill, pcapng, sarif
from timewait.formats.case import case_of_trace


class TraceFormat(NamedTuple):
    """A format of a trace.

    Attributes
    ----------
    suffix : str
        The usual end of a file name.
    description : str
        What it is, for help texts.
    write : callable
        From the trace, and the chosen end (``a`` by default), to the content of a file.
    ends : tuple of str
        The ends that may be chosen; empty for a format that shows both ends alike.
    """

    suffix: str
    description: str
    write: Callable[[Trace, str], str | bytes]
    ends: tuple[str, ...] = ()


TRACE_FORMATS: dict[str, TraceFormat] = {
    "itf": TraceFormat(".itf.json", "Informal Trace Format", lambda trace, _: itf.as_itf_text(trace)),
    "json": TraceFormat(
        ".json",
        "the trace of check --json",
        lambda trace, _: json.dumps(trace.as_json(), indent=2, ensure_ascii=False) + "\n",
    ),
    "mermaid": TraceFormat(".mmd", "sequence diagram for Markdown", lambda trace, _: mermaid.as_mermaid_text(trace)),
    "pcapng": TraceFormat(".pcapng", "packet capture for Wireshark", pcapng.as_pcapng, ("a", "b", "both")),
    "packetdrill": TraceFormat(".pkt", "test script for a real stack", packetdrill.as_packetdrill, ("a", "b")),
    "sarif": TraceFormat(
        ".sarif", "report for code scanning", lambda trace, _: sarif.as_sarif([case_of_trace(trace)], __version__)
    ),
}
