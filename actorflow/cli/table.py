"""Tables for a terminal that can be printed while their rows are still being found."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

from actorflow.cli.text import lines_of, width_of

_GAP: Final = "  "
_WIDTH_MIN: Final = 8
_LINES_MAX: Final = 4
"""One odd cell shall not push everything else off the screen."""

_SETTLED_AFTER: Final = 500
"""Rows whose cells decide how wide columns are; later ones have to fit."""

_STYLES: Final[Mapping[str, str]] = {
    "Running": "cyan",
    "Completed": "green",
    "Failed": "red",
    "TimedOut": "red",
    "Parked": "magenta",
    "Canceled": "yellow",
    "Terminated": "yellow",
}


@dataclass(frozen=True)
class Column:
    """A column of a table.

    Attributes:
        key: of the record.
        title: for people; by default the key in words.
        width: of a table whose rows are shown as they come.
        from_width: how wide a terminal has to be for it; 0 is any.
        is_shortened: in a table, what does not fit into one line is cut off, not folded.
        brief: what a table shows of it, if not all.
        of: the value, if it is not just that of the key.
    """

    key: str
    title: str = ""
    width: int = 0
    from_width: int = 0
    is_shortened: bool = False
    of: Callable[[Mapping[str, Any]], Any] | None = None
    brief: Callable[[Mapping[str, Any]], Any] | None = None

    @property
    def heading(self) -> str:
        """What stands above it."""
        return self.title or self.key.replace("_", " ")

    def value(self, record: Mapping[str, Any]) -> Any:
        """What it shows of a record."""
        return record.get(self.key) if self.of is None else self.of(record)

    def value_in_table(self, record: Mapping[str, Any]) -> Any:
        """What it shows of a record where there is little room."""
        return self.value(record) if self.brief is None else self.brief(record)


class Table:
    """Prints rows below each other, in columns that fit the terminal.

    Args:
        columns: which.
        write: takes each line.
        has_colour: whether statuses may be coloured.
        is_live: rows are printed at once, in columns of a fixed width.

    Attributes:
        columns: those the terminal has room for; rows hold a cell for each.
    """

    def __init__(
        self, columns: Sequence[Column], write: Callable[[str], object], *, has_colour: bool, is_live: bool = False
    ) -> None:
        self._room = shutil.get_terminal_size().columns
        self.columns = [column for column in columns if column.from_width <= self._room]
        self._write = write
        self._has_colour = has_colour
        self._is_live = is_live
        self._waiting: list[Sequence[str]] = []
        self._widths: Sequence[int] = ()

    def add(self, cells: Sequence[str]) -> None:
        """One more row, of texts that are fit for a terminal."""
        self._waiting.append(cells)
        if self._is_live or self._widths or len(self._waiting) >= _SETTLED_AFTER:
            self.flush()

    def flush(self) -> None:
        """Print what waits."""
        if not self._widths:
            self._widths = self._settled()
            self._line([column.heading for column in self.columns], is_heading=True)
        rows, self._waiting = self._waiting, []
        for row in rows:
            self._row(row)

    def _settled(self) -> Sequence[int]:
        headings = [width_of(column.heading) for column in self.columns]
        if self._is_live:
            wanted = [max(column.width, heading) for column, heading in zip(self.columns, headings, strict=True)]
        else:
            cells = zip(*self._waiting, strict=True) if self._waiting else [()] * len(headings)
            wanted = [max([heading, *map(width_of, column)]) for heading, column in zip(headings, cells, strict=True)]
        return fitting(wanted, self._room - len(_GAP) * (len(wanted) - 1))

    def _row(self, cells: Sequence[str]) -> None:
        pieces = [
            lines_of(cell, width, at_most=1 if column.is_shortened else _LINES_MAX)
            for column, cell, width in zip(self.columns, cells, self._widths, strict=True)
        ]
        for number in range(max(map(len, pieces))):
            self._line([lines[number] if number < len(lines) else "" for lines in pieces])

    def _line(self, cells: Sequence[str], *, is_heading: bool = False) -> None:
        padded = [
            self._styled(cell, is_heading) + " " * (width - width_of(cell))
            for cell, width in zip(cells, self._widths, strict=True)
        ]
        self._write(_GAP.join(padded).rstrip())

    def _styled(self, cell: str, is_heading: bool) -> str:
        style = _STYLES.get(cell)
        if not self._has_colour or not (is_heading or style):
            return cell
        return click.style(cell, dim=True) if is_heading else click.style(cell, fg=style)


def fitting(wanted: Sequence[int], room: int) -> Sequence[int]:
    """Widths that fit: the widest columns give way first, none below a minimum unless it wants less."""
    cap = max(min(max(wanted), room), _WIDTH_MIN)
    while cap > _WIDTH_MIN and sum(min(width, cap) for width in wanted) > room:
        cap -= 1
    return [min(width, cap) for width in wanted]
