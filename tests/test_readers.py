"""Which modules read what others wrote, and the fuzzer of each."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from test_imports import MODULES, ROOT

READS = frozenset(
    {
        *("read_bytes", "read_text", "read_octets", "read_stream", "open", "loads", "load", "fromstring", "readline", "of_file"),
        *("read", "read_table", "readlink", "recv", "unpack", "unpack_from"),
    }
)
"""The names of functions that read or parse."""

GIVEN = frozenset({"environ", "stdin"})
"""The names of what a process is given."""

FUZZED = {
    "checker/itf.py": "test_bad_traces",
    "checker/jit.py": "test_bad_caches",
    "checker/certificate.py": "test_bad_certificates",
    "proofs/claim_files.py": "test_bad_claims",
    "proofs/certificate_files.py": "test_bad_certificates",
    "proofs/memory.py": "test_bad_listings",
    "proofs/remembered.py": "test_bad_certificates",
    "proofs/remembered_runs.py": "test_bad_traces",
    "spec/stacks.py": "test_bad_profiles",
    "timewait/options.py": "test_bad_values",
    "timewait/capacity/load.py": "test_bad_listings",
    "timewait/captures/capture_file.py": "test_bad_captures",
    "timewait/captures/closes.py": "test_bad_captures",
    "timewait/captures/growing.py": "test_bad_captures",
    "timewait/captures/headers.py": "test_bad_captures",
    "timewait/captures/link_layers.py": "test_bad_captures",
    "timewait/captures/reading.py": "test_bad_captures",
    "timewait/captures/tunnels.py": "test_bad_captures",
    "timewait/cli/blamed_line.py": "test_bad_profiles",
    "timewait/cli/console.py": "test_bad_environment",
    "timewait/cli/expectations.py": "test_bad_expectations",
    "timewait/cli/explain.py": "test_bad_captures",
    "timewait/cli/host.py": "test_bad_listings",
    "timewait/cli/main.py": "test_bad_environment",
    "timewait/cli/picture_folder.py": "test_bad_folders",
    "timewait/cli/prove.py": "test_bad_environment",
    "timewait/cli/replay.py": "test_bad_traces",
    "timewait/cli/sweep_rows.py": "test_bad_listings",
    "timewait/formats/source_locations.py": "test_bad_environment",
    "timewait/formats/toml_lines.py": "test_bad_updates",
    "timewait/machine/sockets.py": "test_bad_folders",
    "timewait/machine/sources.py": "test_bad_listings",
    "timewait/narration/trace_file.py": "test_bad_traces",
    "timewait/vocabulary/untrusted.py": "test_bad_traces",
    "timewait/vocabulary/input_files.py": "test_bad_listings",
}
"""Readers of what anybody may have written, with the module of their fuzzer."""

OWN = {
    "checker/bounded_process.py": "the kernel writes /proc/self/statm",
    "checker/remote_parts.py": "processes of the same run",
    "proofs/bounded_check.py": "a process of the same run",
    "proofs/certify.py": "certificates that were just made",
    "diagrams/graphviz_layout.py": "Graphviz, of a graph of this project",
    "diagrams/page.py": "templates that are shipped",
    "diagrams/rendering.py": "a picture just drawn",
    "timewait/capacity/comparison.py": "a method of that name opens a connection",
    "timewait/cli/convert.py": "the schema that is shipped",
    "timewait/cli/errors.py": "opens the null device to write",
    "timewait/cli/glossary.py": "a page that is shipped",
    "timewait/cli/questions.py": "pages that are shipped",
    "timewait/cli/reports.py": "opens files to write, one of which the environment names",
    "timewait/cli/sweep.py": "a profile, of which it makes a digest",
    "timewait/formats/wire.py": "packets that it has just made",
    "timewait/laboratory/conformance/linux_stack.py": "the kernel, in a namespace of its own",
    "timewait/laboratory/conformance/lwip_stack.py": "a process of the same run",
    "timewait/laboratory/crafted_peer.py": "the kernel, in a namespace of its own",
    "timewait/laboratory/diagnosis.py": "the kernel, in a namespace of its own",
    "timewait/laboratory/isolation.py": "a process of the same run",
    "timewait/laboratory/learning/systems.py": "the kernel, in a namespace of its own",
    "timewait/laboratory/links.py": "a device of the kernel",
    "timewait/laboratory/listeners.py": "a socket in a namespace of its own",
    "timewait/laboratory/namespaces.py": "the kernel writes /proc/sys",
    "timewait/laboratory/packets.py": "the kernel, in a namespace of its own",
    "timewait/laboratory/replaying/ends.py": "a socket in a namespace of its own",
    "timewait/laboratory/replaying/replayer.py": "a method of that name opens a connection",
    "timewait/vocabulary/output_files.py": "opens files to write",
}
"""Readers of what this project wrote or ships, or what the kernel or a process of its own says, with the reason."""


def readers() -> set[str]:
    """The modules that call a function that reads, or read what the process is given."""
    found = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and node.attr in GIVEN:
                found.add(str(path.relative_to(ROOT)))
            elif isinstance(node, ast.Call):
                function = node.func
                name = (
                    function.attr
                    if isinstance(function, ast.Attribute)
                    else function.id
                    if isinstance(function, ast.Name)
                    else ""
                )
                if name in READS:
                    found.add(str(path.relative_to(ROOT)))
    return found


def test_every_reader_has_a_fuzzer() -> None:
    """Each module that reads has a fuzzer, or a reason why nobody else writes what it reads."""
    assert readers() == {*FUZZED, *OWN}


@pytest.mark.parametrize("module", sorted({*FUZZED.values(), "test_bad_values", "test_bad_words"}))
def test_every_fuzzer_has_a_long_run(module: str) -> None:
    """The slow tests run it at length."""
    names = [
        node.name
        for node in ast.parse(Path(__file__).with_name(f"{module}.py").read_text()).body
        if isinstance(node, ast.FunctionDef)
    ]
    assert [name for name in names if name.startswith("test_") and name.endswith("_at_length")]
