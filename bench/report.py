"""Figures beside their targets, as tables for people and as plain values for programs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_HEADER = ("figure", "actorflow", "range", "plain asyncio", "raw SQLite", "target", "verdict")
_NOTHING = "–"


@dataclass(frozen=True)
class Target:
    """A bound a figure has to keep."""

    bound: float
    is_minimum: bool = False

    @property
    def text(self) -> str:
        """For people."""
        return f"{'≥' if self.is_minimum else '≤'} {number(self.bound)}"

    def verdict(self, value: float) -> str:
        """Met, or by how much it was missed."""
        is_met = value >= self.bound if self.is_minimum else value <= self.bound
        return "met" if is_met else f"missed by {abs(value / self.bound - 1):.0%}"


def at_least(bound: float) -> Target:
    """More is better."""
    return Target(bound, is_minimum=True)


def at_most(bound: float) -> Target:
    """Less is better."""
    return Target(bound)


@dataclass(frozen=True)
class Figure:
    """One row: what was measured in every round, beside the same without durability and without workflows."""

    name: str
    durable: Sequence[float] = ()
    plain: Sequence[float] = ()
    raw: Sequence[float] = ()
    target: Target | None = None

    def cells(self, *, is_judged: bool) -> Sequence[str]:
        """The row as text."""
        target = self.target
        verdict = target.verdict(statistics.median(self.durable)) if target and is_judged and self.durable else ""
        return (
            self.name,
            _median(self.durable),
            _range(self.durable),
            _median(self.plain),
            _median(self.raw),
            target.text if target else "",
            verdict,
        )

    def as_values(self) -> dict[str, Any]:
        """The row for programs, every round included."""
        sides = {"actorflow": self.durable, "plain_asyncio": self.plain, "raw_sqlite": self.raw}
        values: dict[str, Any] = {"figure": self.name}
        for side, rounds in sides.items():
            values[side] = {"median": statistics.median(rounds), "rounds": list(rounds)} if rounds else None
        values["target"] = None
        if self.target is not None:
            is_met = bool(self.durable) and self.target.verdict(statistics.median(self.durable)) == "met"
            key = "at_least" if self.target.is_minimum else "at_most"
            values["target"] = {key: self.target.bound, "is_met": is_met}
        return values


@dataclass(frozen=True)
class Table:
    """The answer to one question."""

    name: str
    title: str
    figures: Sequence[Figure] = ()
    notes: Sequence[str] = field(default=())

    def text(self, *, is_judged: bool) -> str:
        """For a terminal, and for a Markdown file."""
        rows = [figure.cells(is_judged=is_judged) for figure in self.figures]
        lines = [f"### {self.name.upper()}: {self.title}", ""]
        if rows:
            lines += [*_grid(_without_empty_columns([_HEADER, *rows])), ""]
        return "\n".join([*lines, *(f"- {note}" for note in self.notes if note), ""])

    def as_values(self) -> dict[str, Any]:
        """For programs."""
        return {
            "name": self.name,
            "title": self.title,
            "figures": [figure.as_values() for figure in self.figures],
            "notes": [note for note in self.notes if note],
        }


def number(value: float) -> str:
    """Three or more significant digits, thousands apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _median(rounds: Sequence[float]) -> str:
    return number(statistics.median(rounds)) if rounds else _NOTHING


def _range(rounds: Sequence[float]) -> str:
    return f"{number(min(rounds))} … {number(max(rounds))}" if len(rounds) > 1 else _NOTHING


def _without_empty_columns(rows: Sequence[Sequence[str]]) -> Sequence[Sequence[str]]:
    columns = [column for column in zip(*rows, strict=True) if any(cell not in ("", _NOTHING) for cell in column[1:])]
    return list(zip(*columns, strict=True))


def _grid(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    columns = [_Column(cells[0], max(len(cell) for cell in cells)) for cells in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(column.padded(cell) for column, cell in zip(columns, row, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join(column.rule for column in columns) + "|", *lines[1:]]


@dataclass(frozen=True)
class _Column:
    title: str
    width: int

    @property
    def rule(self) -> str:
        return "-" * (self.width + 1) + ("-" if self._is_text else ":")

    def padded(self, cell: str) -> str:
        return cell.ljust(self.width) if self._is_text else cell.rjust(self.width)

    @property
    def _is_text(self) -> bool:
        return self.title in ("figure", "verdict")
