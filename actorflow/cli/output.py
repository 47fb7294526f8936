"""What a command prints: tables for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from typing import Any

import click

from actorflow.cli.text import instant, visible


class Form(StrEnum):
    """How data is printed; AUTO is a table on a terminal and plain text elsewhere."""

    AUTO = "auto"
    TABLE = "table"
    PLAIN = "plain"
    JSON = "json"
    JSONL = "jsonl"


@dataclass(frozen=True)
class Output:
    """Prints records. A record is a mapping from column to value; JSON gets the values, people their text.

    Attributes:
        form: how.
        has_colour: whether tables may be coloured.
    """

    form: Form
    has_colour: bool = True

    @property
    def is_for_programs(self) -> bool:
        """True if what is printed has to be JSON."""
        return self.form in (Form.JSON, Form.JSONL)

    def records(self, columns: Sequence[str], records: Iterable[Mapping[str, Any]]) -> None:
        """Many records; people see these columns, programs everything."""
        match self.form:
            case Form.JSONL:
                for record in records:
                    click.echo(as_json(record))
            case Form.JSON:
                click.echo(as_json(list(records), indent=2))
            case _:
                self._table(columns, [[cell(record.get(column)) for column in columns] for record in records])

    def record(self, record: Mapping[str, Any]) -> None:
        """One record, a line for each of its fields that has a value."""
        if self.is_for_programs:
            click.echo(as_json(record, indent=2 if self.form is Form.JSON else None))
            return
        shown = {name: cell(value, keeps_lines=True) for name, value in record.items() if value not in (None, "", [])}
        width = max(map(len, shown), default=0)
        for name, text in shown.items():
            indented = text.replace("\n", "\n" + " " * (width + 2))
            click.echo(f"{name:<{width}}  {indented}")

    def text(self, text: str) -> None:
        """Text that is its own form: a diagram, a stack."""
        click.echo(text.rstrip("\n"))

    def _table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        if self.form is Form.TABLE or (self.form is Form.AUTO and sys.stdout.isatty()):
            self._rich_table(columns, rows)
            return
        for row in ([name.upper().replace(" ", "_") for name in columns], *rows):
            click.echo("\t".join(row))

    def _rich_table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        # Loaded only for a table: a program that asks for JSON shall not wait for it.
        from rich import box  # noqa: PLC0415 - see above
        from rich.console import Console  # noqa: PLC0415 - see above
        from rich.table import Table  # noqa: PLC0415 - see above
        from rich.text import Text  # noqa: PLC0415 - see above

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
        for name in columns:
            table.add_column(name, overflow="fold")
        for row in rows:
            table.add_row(*(Text(text, style=_STYLES.get(text, "")) for text in row))
        Console(no_color=not self.has_colour, highlight=False).print(table)


_STYLES = {
    "Running": "cyan",
    "Completed": "green",
    "Failed": "red",
    "TimedOut": "red",
    "Canceled": "yellow",
    "Terminated": "yellow",
}


def cell(value: Any, *, keeps_lines: bool = False) -> str:
    """A value as a person reads it, with nothing in it that could steer the terminal."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return visible(value, keeps_lines=keeps_lines)
        case datetime():
            return instant(value)
        case int() | float():
            return str(value)
        case _:
            return visible(as_json(value), keeps_lines=keeps_lines)


def as_json(value: Any, *, indent: int | None = None) -> str:
    """JSON in ASCII, so that no terminal and no editor is surprised by it."""
    return json.dumps(value, default=_plain, indent=indent)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return instant(value)
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.name
        case _:
            return str(value)
