"""One command, ended at many moments, and what is wrong afterwards."""

from __future__ import annotations

import math
import os
import random
import shutil
import signal
import statistics
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from long_commands import LongCommand
from running_commands import Beginning, Fresh, Running, Warm, left_behind
from whole_files import EARLIER, contents, finished_parts, half_written, written

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)

THIRDS = 3
"""Parts of a run; as many moments lie in each."""

FRESH = 10
"""Of so many runs, one is a process of its own from its first instruction; the others are forked after the imports."""

AGAIN = 10
"""Of so many moments, one is followed by a run that goes on."""

SOON = 1.5
"""Seconds of processor time, of all processes together, within which an interrupted command ends.

It may still write what it has found, and a chart is drawn by a library that hears no interrupt, each in half a second; on a busy
machine the same work takes up to twice the processor time.
"""

LIMIT = 600.0
"""Seconds of the clock after which a run that was ended hangs; other work on the machine may slow it down."""

ENDS = (0, 10, 20, 40)
"""Exit codes of a command that came to its end."""


def signal_at(moment: int) -> signal.Signals:
    """The signal that ends a run at a moment: each in turn."""
    return SIGNALS[moment % len(SIGNALS)]


def third_at(moment: int) -> int:
    """The third of its run in which a moment lies: each in turn for each signal."""
    return moment // len(SIGNALS) % THIRDS


def is_fresh(moment: int) -> bool:
    """Whether the run that is ended at a moment is a process of its own from its first instruction."""
    return moment % FRESH == 0


class Campaign:
    """A command that is ended at one moment after another.

    Parameters
    ----------
    name : str
        Its name in the table of long commands.
    command : LongCommand
        The command.
    place : Path
        An empty folder but for a link to the inputs.
    inputs : Path
        The folder with its inputs.
    forked : Warm
        The process from which most of its runs are forked.

    Attributes
    ----------
    ended : int
        The runs that were ended before their end.
    heard : list of float
        The processor time in seconds of each run after its interrupt.
    """

    def __init__(self, name: str, command: LongCommand, place: Path, inputs: Path, forked: Warm) -> None:
        self._name, self._command, self._place, self._inputs, self._forked = name, command, place, inputs, forked
        self._given = contents(inputs)
        self._draw = random.Random(name)
        self._whole = place / "whole"
        self._lasts = math.inf if command.seconds else min(map(self._whole_run, ("compiled", "whole")))  # the first compiles
        self.ended = 0
        self.heard: list[float] = []

    def problems_at(self, moment: int) -> Iterator[str]:
        """End a run at a moment, and name everything that is wrong then."""
        folder, mark = self._place / str(moment), self._mark(str(moment))
        folder.mkdir()
        for file in self._command.files:
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            (folder / file).write_text(EARLIER)
        number, fresh = signal_at(moment), is_fresh(moment)
        running, spent = self._ended_run(folder, mark, number, fresh, self._part(moment))
        where = f"moment {moment}, {'fresh' if fresh else 'forked'}: {number.name} after {spent:.2f} s of {self._lasts:.2f} s"
        found = [*self._left(folder, mark)]
        if number is signal.SIGINT:
            found += self._badly_interrupted(running, spent)
        if self._command.goes_on and moment % AGAIN == AGAIN - 1:
            found += self._badly_continued(folder, mark)
        yield from (f"{where}: {problem}" for problem in found)
        shutil.rmtree(folder)

    def _mark(self, text: str) -> str:
        return f"{self._name}-{text}-{os.getpid()}"

    def _part(self, moment: int) -> float:
        """The part of a run after which it is ended."""
        return (third_at(moment) + self._draw.random()) / THIRDS

    def _whole_run(self, name: str) -> float:
        folder = self._place / name
        folder.mkdir()
        return self._finished(folder, self._mark(name))

    def _begun(self, folder: Path, mark: str, beginning: Beginning) -> Running:
        """The command, begun in a folder."""
        command = self._command
        if command.copied:
            shutil.copytree(self._inputs / command.copied, folder / command.copied, dirs_exist_ok=True)
        return Running(command.words, folder, mark, self._inputs / command.piped if command.piped else None, beginning)

    def _finished(self, folder: Path, mark: str) -> float:
        """Run the command to its end; returns the seconds of processor time."""
        running = self._begun(folder, mark, self._forked)
        running.wait(LIMIT)
        assert running.code in ENDS, running.errors
        assert left_behind(mark) == []
        return running.seconds

    def _ended_run(self, folder: Path, mark: str, number: signal.Signals, fresh: bool, part: float) -> tuple[Running, float]:
        """A run that was ended after a part of it, and the processor time until then; infinite if it had come to its end."""
        beginning = Fresh() if fresh else self._forked
        running = self._begun(folder, mark, beginning)
        least = beginning.begun_after if number is signal.SIGINT else 0.0
        if self._command.seconds:
            spent = running.until(least)
            spent = running.until_clock(part * self._command.seconds)
        else:
            spent = running.until(max(part * (self._lasts + (self._forked.start_up if fresh else 0.0)), least))
        self.ended += spent < math.inf
        with suppress(ProcessLookupError):
            (os.killpg if number is signal.SIGINT else os.kill)(running.number, number)
        running.wait(LIMIT)
        return running, spent

    def _left(self, folder: Path, mark: str) -> Iterator[str]:
        """Processes that stay, files that are not whole, and earlier files that are lost or changed."""
        if stay := left_behind(mark):
            yield f"processes stay: {stay}"
        yield from (problem for path in written(folder) if (problem := half_written(path)))
        yield from (f"{file} is lost" for file in self._command.files if not (folder / file).exists())
        if contents(self._inputs) != self._given:
            yield "an input is another"
        if copied := self._command.copied:
            allowed = [contents(each / copied) for each in (self._inputs, self._whole)]
            if contents(folder / copied) not in allowed:
                yield f"{copied} is neither as before nor as after a whole run"

    def _badly_interrupted(self, running: Running, spent: float) -> Iterator[str]:
        if problem := interrupted_badly(running.code, running.errors):
            yield problem
        if spent < math.inf:
            self.heard.append(running.seconds - spent)
            if self.heard[-1] >= SOON:
                yield f"it goes on for {self.heard[-1]:.2f} s"

    def _badly_continued(self, folder: Path, mark: str) -> Iterator[str]:
        """What is wrong with a second run, which goes on from what the first one kept."""
        place = folder / self._command.goes_on
        kept = finished_parts(place)
        self._finished(folder, f"{mark}-again")
        if not kept <= finished_parts(place):
            yield "the second run did again what was finished"
        if not self._same_answer(folder):
            yield "the second run wrote something else than one that was never ended"

    def _same_answer(self, folder: Path) -> bool:
        """Whether a run that went on wrote the files of one that was never ended, and a sweep the same rows."""
        folders = (folder, self._whole)
        names = [
            {str(path.relative_to(each)) for path in written(each) if path.name != self._command.goes_on} for each in folders
        ]
        rows = [
            [line.rsplit(",", 1)[0] for line in sorted(path.read_text().splitlines())]
            for each in folders
            for path in each.glob("*.csv")
        ]
        return names[0] == names[1] and (not rows or rows[0] == rows[1])

    def in_words(self, moments: int, failures: int) -> str:
        """The campaign in a line."""
        after = "none went on"
        if self.heard:
            after = f"{statistics.median(self.heard):.2f} s at the median, {max(self.heard):.2f} s at most"
        command = self._command
        lasts = f"{command.seconds:g} s" if command.seconds else f"{self._lasts:.2f} s of processor time"
        return (
            f"{self._name}: {lasts} after imports of {self._forked.start_up:.2f} s; {moments} moments, {self.ended} before the "
            f"end, {failures} failures; after SIGINT {after or 'none was interrupted'}"
        )


def interrupted_badly(code: int, text: str) -> str:
    """Why an interrupt was not answered in one clear line; empty if it was, or if the command ended before."""
    problems = ["an empty line"] if "\n\n" in f"\n{text}" else []
    problems += [word for word in ("Traceback", "KeyboardInterrupt", "Exception ignored", "Process ") if word in text]
    gone = code == -signal.SIGINT and not text  # when all was done, and Python itself was ending
    return "" if gone or (not problems and code in (*ENDS, 20)) else f"exit {code}: {text[-2000:]}"
