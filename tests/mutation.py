"""Mutation tests: every mutant of the specification (`mutants`) meets the kill suite (`kill_suite`), which must detect it.

The changed module is imported afresh, with all of `spec`, in a process of its own.

As a script, this module tries mutants and reports the result of each; ``--record`` records the verdicts anew.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.abc
import importlib.util
import itertools
import json
import random
import signal
import sys
import time
import tomllib
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

from kill_cases import cases, drawn, opening_cases
from kill_suite import Killed, answer, kill_suite
from mutants import BESIDE, ENDPOINT_TESTS, OPENING_TESTS, ROOT, Mutant, mutants

HERE = Path(__file__).resolve().parent
EXPECTATIONS = HERE / "mutation_expectations.json"
SURVIVORS = HERE / "mutation_survivors.toml"

DEPENDENT = frozenset(
    {
        *("endpoint_cases", "handshake_oracle", "openings", "oracle", "random_configurations", "reference_walks"),
        *(*ENDPOINT_TESTS, *OPENING_TESTS, *BESIDE.values()),
    }
)
"""The modules of `tests` that the kill suite imports and that depend on the specification."""

SECONDS = 60.0
"""Seconds of processor time for one mutant; the specification itself takes less than twenty, a mutant half of that."""
SECONDS_ALONE = 20.0
"""The same for a mutant of a module that tests of its own test; they take less than five."""
PATIENCE = 900.0
"""Seconds of real time for one mutant."""


class MutantResult(NamedTuple):
    """The result of a mutant: the kind of evidence that killed it (empty: it survived), details, seconds of processor time."""

    kind: str
    detail: str
    seconds: float


class _Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports one module from a changed source."""

    def __init__(self, mutant: Mutant) -> None:
        self.mutant = mutant

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        del path, target
        if fullname != self.mutant.module:
            return None
        return importlib.util.spec_from_file_location(fullname, ROOT / self.mutant.path, loader=self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        del spec
        return None

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(self.mutant.tree, self.mutant.path, "exec"), vars(module))


def _forget_specification() -> None:
    """Unload every module that depends on the specification."""
    for name in list(sys.modules):
        if name.startswith(("timewait.spec", "timewait.proofs")) or name in DEPENDENT:
            del sys.modules[name]


def try_here(mutant: Mutant | None, expected: dict[str, Any]) -> MutantResult:
    """Run the kill suite on a mutant (None: the specification itself) in this process, which cannot be used afterwards."""
    started = time.process_time()
    _forget_specification()
    for folder in (ROOT, HERE):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    if mutant is not None:
        sys.meta_path.insert(0, _Changed(mutant))
    try:
        if mutant is not None:
            try:
                importlib.import_module("timewait.spec.handshake")
            except Exception as problem:
                raise Killed("error", f"cannot be imported: {problem!r}") from problem
        kill_suite(mutant.path if mutant is not None else "", expected)
    except Killed as killed:
        return MutantResult(killed.kind, killed.detail, time.process_time() - started)
    return MutantResult("", "", time.process_time() - started)


def _in_child(mutant: Mutant | None, expected: dict[str, Any], end: Connection) -> None:
    seconds = SECONDS_ALONE if mutant is not None and mutant.path in BESIDE else SECONDS

    def out_of_time(number: int, frame: object) -> None:
        del number, frame
        raise Killed("time", f"no answer within {seconds:g} s")

    signal.signal(signal.SIGPROF, out_of_time)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        end.send(try_here(mutant, expected))
    except Exception as problem:
        end.send(repr(problem))
    end.close()


def try_all(
    asked: Sequence[Mutant | None], jobs: int = 2, described: Callable[[Mutant | None, MutantResult], None] | None = None
) -> list[MutantResult]:
    """Try mutants in parallel, each in a process of its own; a mutant that takes too long is killed.

    Parameters
    ----------
    asked : sequence of Mutant or None
        The mutants; None stands for the specification itself.
    jobs : int
        Processes at a time.
    described : callable, optional
        Called with each mutant and its result.
    """
    expected = expectations()
    _warm_up()
    context = get_context("fork")
    results: dict[int, MutantResult] = {}
    waiting = list(enumerate(asked))[::-1]
    running: dict[Connection, tuple[int, ForkProcess, float]] = {}
    while waiting or running:
        while waiting and len(running) < jobs:
            index, mutant = waiting.pop()
            mine, other = context.Pipe(duplex=False)
            child = context.Process(target=_in_child, args=(mutant, expected, other), daemon=True)
            child.start()
            other.close()
            running[mine] = (index, child, time.monotonic())
        ready = wait(list(running), timeout=1.0)
        for end, (index, child, started) in list(running.items()):
            spent = time.monotonic() - started
            if end not in ready and spent < PATIENCE:
                continue
            result = MutantResult("time", f"no answer within {PATIENCE:g} s", spent)
            if end in ready:
                answered = _received(end)
                if not isinstance(answered, MutantResult):
                    raise RuntimeError(f"the kill suite fails on {asked[index] or 'the specification'}: {answered}")
                result = answered
            child.kill()
            child.join()
            end.close()
            del running[end]
            results[index] = result
            if described is not None:
                described(asked[index], result)
    return [results[index] for index in range(len(asked))]


def _received(end: Connection) -> MutantResult | str:
    """The result that a child sends, or a text if the child died."""
    try:
        received: MutantResult | str = end.recv()
    except EOFError:
        return "the process died"
    return received


def _warm_up() -> None:
    """Import and compile what does not depend on the specification, before processes are forked."""
    for folder in (ROOT, HERE):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    for library in ("hypothesis", "pytest"):
        importlib.import_module(library)
    case = next(iter(cases()))
    answer(case, None)
    gc.collect()
    gc.freeze()


# --- records -------------------------------------------------------------------------------------------------------


def expectations() -> dict[str, Any]:
    """The recorded answers."""
    known: dict[str, Any] = json.loads(EXPECTATIONS.read_text(encoding="utf-8"))
    return known


def survivors() -> dict[str, str]:
    """The mutants that no check can detect, each with the reason."""
    listed = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("survivor", [])
    return {entry["name"]: entry["reason"] for entry in listed}


def record(wanted: int = 24, largest: int = 600) -> None:
    """Record the answers of the specification; random configurations are those that are decided quickly."""
    oracle = importlib.import_module("oracle")
    numbers: list[int] = []
    for case in drawn(range(400)):
        try:
            oracle.judge(case.configuration, 3 * largest)
            if answer(case, None, largest)["sizes"]["states"] > 30:
                numbers.append(int(case.label.split()[1]))
        except (oracle.TooLarge, Killed):
            continue
        if len(numbers) == wanted:
            break
    walks = importlib.import_module("reference_walks")
    walks.RECORD.write_text(json.dumps({name: walks.account(name) for name in walks.WALKED}, indent=2) + "\n", encoding="utf-8")
    answers = {}
    for case in itertools.chain(cases(), opening_cases(), drawn(numbers)):
        started = time.monotonic()
        answers[case.label] = answer(case, None)
        print(f"{time.monotonic() - started:6.2f} s  {case.label}: {answers[case.label]}", flush=True)
    lines = ",\n".join(f"    {json.dumps(label)}: {json.dumps(described)}" for label, described in answers.items())
    EXPECTATIONS.write_text(f'{{\n  "drawn": {json.dumps(numbers)},\n  "answers": {{\n{lines}\n  }}\n}}\n', encoding="utf-8")


def sample(asked: Sequence[Mutant], count: int, seed: int = 0) -> list[Mutant]:
    """A sample of the mutants of every module, the same each time."""
    rng = random.Random(seed)
    by_path: dict[str, list[Mutant]] = defaultdict(list)
    for mutant in asked:
        by_path[mutant.path].append(mutant)
    for group in by_path.values():
        rng.shuffle(group)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*by_path.values()))
    return list(itertools.islice((mutant for mutant in turns if mutant is not None), count))


def main() -> int:
    """Try mutants and print their results; return 1 if one survives that is not listed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--record", action="store_true", help="record the answers anew")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", default="", help="only mutants whose name contains this")
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--baseline", action="store_true", help="try the specification itself")
    parser.add_argument("--list", action="store_true", help="only list the mutants")
    options = parser.parse_args()
    for folder in (ROOT, HERE):
        sys.path.insert(0, str(folder))
    if options.record:
        record()
        return 0
    chosen: list[Mutant | None] = [mutant for mutant in mutants() if options.only in mutant.name]
    if options.sample:
        chosen = list(sample([mutant for mutant in chosen if mutant], options.sample))
    if options.baseline:
        chosen = [None]
    if options.list:
        print(*chosen, len(chosen), sep="\n")
        return 0
    listed = survivors()
    kinds: Counter[str] = Counter()
    unexplained = 0

    def described(mutant: Mutant | None, result: MutantResult) -> None:
        nonlocal unexplained
        kinds[result.kind or "survived"] += 1
        unexplained += not result.kind and mutant is not None and mutant.name not in listed
        print(
            f"{result.seconds:5.1f} s  {result.kind or 'SURVIVED':8}  {mutant or 'the specification'}\n    {result.detail}",
            flush=True,
        )

    try_all(chosen, options.jobs, described)
    print(dict(kinds))
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
