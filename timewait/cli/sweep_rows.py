"""Files of rows that grow: a row is whole or absent, and a run that ended early goes on from those that there are."""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from timewait.checker.verdict import Verdict
from timewait.narration.prose import listed
from timewait.spec.plain_data import exact
from timewait.sweep import GridRow
from timewait.vocabulary.errors import InputError, optional_package
from timewait.vocabulary.input_files import LARGEST, read_octets
from timewait.vocabulary.output_files import CannotWrite, write_whole
from timewait.vocabulary.untrusted import parse_json, visible

FORMATS = (".csv", ".jsonl", ".parquet")

NUMBERS = ("msl", "time_wait", "rto", "loss", "max_states", "max_seconds", "seconds")
"""The columns that are numbers where the format has numbers and the cell is one exactly."""


class RowFile:
    """A file of rows, open for more.

    Parameters
    ----------
    path : Path
        The file; its suffix is its format. Parquet cannot grow: its rows are kept in a file beside it until it is complete.
    columns : sequence of str
        The columns.

    Raises
    ------
    click.UsageError
        The format is unknown, the file cannot be written, or another process writes it.
    InputError
        The file holds something else.

    Attributes
    ----------
    rows : list of mapping
        The rows that are in the file.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self.path, self.columns = path, tuple(columns)
        self._parquet = path.suffix == ".parquet"
        self._log = path.with_name(f".{path.name}.rows.jsonl") if self._parquet else path
        self.rows: list[GridRow] = []
        if self._parquet:
            optional_package("pyarrow.parquet", "sweep")
            self.rows += self._of_parquet() if path.exists() else []
        try:
            self._handle = os.open(self._log, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK, 0o666)
        except OSError as problem:
            raise click.UsageError(f"cannot write {path}: {problem.strerror}") from problem
        try:
            self.rows += self._locked_rows()
        except BaseException:
            self.close()
            raise

    def add(self, row: GridRow) -> None:
        """Add a row: one write, so that it is whole unless the disk is full."""
        line = self._line(row).encode()
        try:
            while line:
                line = line[os.write(self._handle, line) :]
        except OSError as problem:
            raise click.UsageError(f"cannot write {self.path}: {problem.strerror}") from problem
        self.rows.append(row)

    def finish(self) -> None:
        """Write the file itself where its rows were kept beside it."""
        if not self._parquet:
            return
        arrow, parquet = optional_package("pyarrow", "sweep"), optional_package("pyarrow.parquet", "sweep")
        table = arrow.table({name: self._column(name) for name in self.columns})
        stream = io.BytesIO()
        parquet.write_table(table, stream)
        try:
            write_whole(self.path, stream.getvalue())
        except CannotWrite as problem:
            raise click.UsageError(f"cannot write {self.path}: {problem.reason}") from problem
        self._log.unlink(missing_ok=True)

    def _column(self, name: str) -> list[Any]:
        cells = [row[name] for row in self.rows]
        return _numbers(cells) if name in NUMBERS else cells

    def close(self) -> None:
        """Close the file; another run may write it then."""
        os.close(self._handle)

    # --- rows as text -----------------------------------------------------------------------------------------------

    def _line(self, row: GridRow) -> str:
        cells = {name: visible(row[name]) for name in self.columns}
        if self._log.suffix == ".csv":
            return _csv_line(cells.values())
        return json.dumps({name: _number(cell) if name in NUMBERS else cell for name, cell in cells.items()}) + "\n"

    def _locked_rows(self) -> list[GridRow]:
        """The rows in the file, which no other process writes from now on."""
        if not stat.S_ISREG(os.fstat(self._handle).st_mode):
            raise click.UsageError(f"cannot write {self.path}: it is no regular file, and a run goes on from the rows in it")
        try:
            fcntl.flock(self._handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.UsageError(f"{self.path}: another run is writing it") from None
        except OSError as problem:
            raise click.UsageError(f"cannot write {self.path}: {problem.strerror}") from problem
        return self._whole_rows()

    def _whole_rows(self) -> list[GridRow]:
        """The rows in the file, after what a write left unfinished at its end is cut off."""
        with os.fdopen(os.dup(self._handle), "rb") as stream:
            octets = stream.read()
        begin = _csv_line(self.columns) if self._log.suffix == ".csv" else ""
        whole, _, rest = octets.rpartition(b"\n")
        if not whole and rest and not (begin.encode().startswith(rest) or (not begin and rest.startswith(b"{"))):
            raise self._foreign("line 1")
        text = (whole + b"\n").decode(errors="replace") if whole else ""
        if text and not text.startswith(begin):
            raise self._foreign("line 1")
        rows = list(self._parsed(text.removeprefix(begin)))
        size = len(octets) - len(rest)
        os.ftruncate(self._handle, size)
        os.lseek(self._handle, 0, os.SEEK_END)
        if begin and not size:
            os.write(self._handle, begin.encode())
        return rows

    def _parsed(self, text: str) -> Iterator[GridRow]:
        if self._log.suffix == ".csv":
            found: Iterable[Any] = self._of_csv(text)
            first = 2
        else:
            found, first = (self._object(line) for line in text.splitlines()), 1
        for number, row in enumerate(found, start=first):
            if not isinstance(row, dict) or tuple(row) != self.columns or row["verdict"] not in [*map(str, Verdict)]:
                raise self._foreign(f"line {number}")
            yield _cells(row)

    def _of_csv(self, text: str) -> Iterator[dict[str, str] | None]:
        """The rows of a text; None where one is none."""
        try:
            for cells in csv.reader(io.StringIO(text)):
                yield dict(zip(self.columns, cells, strict=True)) if len(cells) == len(self.columns) else None
        except csv.Error:
            yield None

    @staticmethod
    def _object(line: str) -> Any:
        try:
            return parse_json(line.encode())
        except ValueError:
            return None

    def _foreign(self, where: str) -> InputError:
        return InputError(f"{self.path}: {where} is no row of this sweep; its columns are {', '.join(self.columns)}")

    def _of_parquet(self) -> list[GridRow]:
        arrow, parquet = optional_package("pyarrow", "sweep"), optional_package("pyarrow.parquet", "sweep")
        try:
            table = parquet.read_table(io.BytesIO(read_octets(self.path, LARGEST)), use_threads=False)
            columns, rows = tuple(table.column_names), list(map(_cells, table.to_pylist()))
        except (OSError, ValueError, OverflowError, arrow.ArrowException) as problem:
            raise InputError(f"{self.path}: no Parquet file") from problem
        if columns != self.columns:
            raise self._foreign("the header")
        for number, row in enumerate(rows, start=1):
            if row["verdict"] not in [*map(str, Verdict)]:
                raise self._foreign(f"row {number}")
        return rows


@contextmanager
def row_file(path: Path, columns: Sequence[str]) -> Iterator[RowFile]:
    """A file of rows, closed at the end."""
    if path.suffix not in FORMATS:
        raise click.UsageError(f"{path}: the format is unknown; name a file that ends in {listed(FORMATS, 'or')}")
    file = RowFile(path, columns)
    try:
        yield file
    finally:
        file.close()


def _csv_line(cells: Iterable[str]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerow(cells)
    return stream.getvalue()


def _number(cell: str) -> str | int | float:
    """A cell as a number, if the number is written in this way."""
    with suppress(ValueError, OverflowError):
        if cell == _cell(value := exact(Fraction(cell))) and not isinstance(value, str):
            return value
    return cell


def _cells(row: Mapping[str, object]) -> GridRow:
    """A row as text."""
    return {name: cell if isinstance(cell, str) else _cell(cell) for name, cell in row.items()}


def _cell(value: object) -> str:
    """A number as a cell; what is missing is an empty one."""
    return str(exact(Fraction(str(value)))) if isinstance(value, int | float) else "" if value is None else str(value)


def _numbers(cells: Sequence[str]) -> list[Any]:
    """A column of numbers if each cell that is not empty is one exactly, else of text."""
    numbers = [_number(cell) if cell else None for cell in cells]
    if any(isinstance(number, str) for number in numbers) or not any(cells):
        return list(cells)
    return [None if number is None else float(number) for number in numbers]
