"""What a command prints: tables for people, lines for pipes, JSON for programs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from actorflow.cli.jsontext import JsonArray, as_json
from actorflow.cli.table import Column, Table
from actorflow.cli.text import instant, relative, short_instant, visible
from actorflow.clock import SystemClock

Record = Mapping[str, Any]


class Form(StrEnum):
    """How data is printed; TEXT is a table on a terminal and plain lines elsewhere."""

    TEXT = "text"
    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"
    JSONL = "jsonl"


class TimeFormat(StrEnum):
    """How instants are written for people."""

    ISO = "iso"
    RELATIVE = "relative"


@dataclass(frozen=True)
class Output:
    """Prints records. A record is a mapping from name to value; JSON gets all of it, people what they asked for.

    Attributes:
        form: how.
        has_colour: whether a terminal may be coloured.
        time_format: how instants are written for people.
    """

    form: Form
    has_colour: bool = True
    time_format: TimeFormat = TimeFormat.ISO

    @property
    def is_for_programs(self) -> bool:
        """True if what is printed has to be JSON."""
        return self.form in (Form.JSON, Form.JSONL)

    @property
    def is_table(self) -> bool:
        """True if somebody looks at columns."""
        return self.form is Form.TABLE or (self.form is Form.TEXT and sys.stdout.isatty())

    @contextmanager
    def rows(self, columns: Sequence[Column], *, is_live: bool = False) -> Generator[Callable[[Record], None]]:
        """Print records as they are found: call what this gives with each.

        Args:
            columns: what people see; programs get everything.
            is_live: show each at once, because the next may take a while.
        """
        write, close = self._writer(columns, is_live)

        def add(record: Record) -> None:
            write(record)
            if is_live:
                sys.stdout.flush()

        yield add
        close()

    def records(self, columns: Sequence[Column], records: Iterable[Record]) -> None:
        """Print records that are there already; see `rows`."""
        with self.rows(columns) as add:
            for record in records:
                add(record)

    def record(self, record: Record) -> None:
        """One record, a line for each of its fields that has a value."""
        if self.is_for_programs:
            _write(as_json(record, indent=2 if self.form is Form.JSON else None))
            return
        shown = {name.replace("_", " "): value for name, value in record.items() if value not in (None, "", [])}
        width = max(map(len, shown), default=0)
        for name, value in shown.items():
            if self.is_table:
                _write(f"{name:<{width}}  {self.cell(value, keeps_lines=True)}".replace("\n", "\n" + " " * (width + 2)))
            else:
                _write(f"{name}\t{self.cell(value)}")

    def text(self, text: str) -> None:
        """Text that is its own form: a diagram, a stack."""
        _write(visible(text.rstrip("\n"), keeps_lines=True))

    def cell(self, value: Any, *, keeps_lines: bool = False) -> str:
        """A value as a person reads it, with nothing in it that could steer the terminal."""
        match value:
            case None:
                return ""
            case bool():
                return "yes" if value else "no"
            case str():
                return visible(value, keeps_lines=keeps_lines)
            case datetime():
                return self._instant(value)
            case int() | float():
                return str(value)
            case _:
                return as_json(value)

    def _instant(self, at: datetime) -> str:
        if self.time_format is TimeFormat.RELATIVE:
            return relative(at, SystemClock().now())
        return short_instant(at) if self.is_table else instant(at)

    def _writer(
        self, columns: Sequence[Column], is_live: bool
    ) -> tuple[Callable[[Record], object], Callable[[], object]]:
        match self.form:
            case Form.JSONL:
                return lambda record: _write(as_json(record)), _nothing
            case Form.JSON:
                array = JsonArray(_write)
                return array.add, array.close
            case _ if self.is_table:
                return self._table(columns, is_live)
            case _:
                _write("\t".join(column.heading.upper().replace(" ", "_") for column in columns))
                return lambda record: _write("\t".join(self.cell(column.value(record)) for column in columns)), _nothing

    def _table(
        self, columns: Sequence[Column], is_live: bool
    ) -> tuple[Callable[[Record], object], Callable[[], object]]:
        table = Table(columns, _write, has_colour=self.has_colour and sys.stdout.isatty(), is_live=is_live)
        return (
            lambda record: table.add([self.cell(column.value_in_table(record)) for column in table.columns]),
            table.flush,
        )


def _write(line: str) -> None:
    # Not click.echo, which flushes after each line: a million of them would be a million writes.
    sys.stdout.write(f"{line}\n")


def _nothing() -> None:
    """There is no end to write."""
