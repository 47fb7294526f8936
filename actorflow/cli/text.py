"""Texts of users on a terminal: nothing in an id or a message may move the cursor or reverse what is read."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice


def visible(text: str, *, keeps_lines: bool = False) -> str:
    """The text with every character that would not be seen written as an escape, as Python writes it.

    Args:
        text: from anywhere.
        keeps_lines: leave line feeds and tabs alone.
    """
    if text.isprintable():
        return text
    kept = "\n\t" if keeps_lines else ""
    return "".join(char if char in kept or _is_seen(char) else _escaped(char) for char in text)


def _is_seen(char: str) -> bool:
    # Spaces of all widths are "not printable" for Python; what steers (Cc, Cf, Cs, Zl, Zp) really is not.
    return char.isprintable() or unicodedata.category(char) == "Zs"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode()


def width_of(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return len(text) if text.isascii() else sum(map(_width_of, text))


def _width_of(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def lines_of(text: str, width: int, *, at_most: int) -> list[str]:
    """The text folded into lines of so many columns (at least two); an ellipsis ends it where lines are missing."""
    lines = list(islice(_folded(text, max(width, 2)), at_most + 1))
    if len(lines) <= at_most:
        return lines
    return [*lines[: at_most - 1], next(_folded(lines[at_most - 1], max(width - 1, 1))) + "…"]


def _folded(text: str, width: int) -> Iterator[str]:
    piece, taken = "", 0
    for char in text:
        more = _width_of(char)
        if taken + more > width:
            yield piece
            piece, taken = "", 0
        piece += char
        taken += more
    yield piece


def instant(at: datetime | None) -> str:
    """An instant in UTC, to the millisecond; empty if there is none."""
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def short_instant(at: datetime) -> str:
    """An instant in UTC, to the second, for tables."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def relative(at: datetime, now: datetime) -> str:
    """How long ago an instant was, or how far ahead it is."""
    return f"{duration(now - at)} ago" if at <= now else f"in {duration(at - now)}"


def duration(length: timedelta) -> str:
    """A duration as people say it."""
    seconds = length.total_seconds()
    if seconds < 60:
        return f"{seconds:.1f} s"
    days, rest = divmod(round(seconds), 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, left = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (left, "s")]
    return " ".join([f"{count} {unit}" for count, unit in parts if count][:2])


def size(count: int) -> str:
    """Bytes as people say it."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB"):
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} GiB"
