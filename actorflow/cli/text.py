"""Texts of users on a terminal: nothing in an id or a message may move the cursor or reverse what is read."""

from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Final

# Control characters (Cc, with ESC), formatting ones (Cf: bidirectional overrides, zero-width), surrogates, separators.
_HIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))


def visible(text: str, *, keeps_lines: bool = False) -> str:
    """The text with every character that would not be seen written as an escape, as Python writes it.

    Args:
        text: from anywhere.
        keeps_lines: leave line feeds and tabs alone.
    """
    if text.isprintable():  # which says no to all of them, and to nothing we want
        return text
    kept = "\n\t" if keeps_lines else ""
    return "".join(char if char in kept or not _is_hidden(char) else _escaped(char) for char in text)


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode() if ord(char) < 0xD800 or ord(char) > 0xDFFF else f"\\u{ord(char):x}"


def shortened(text: str, width: int) -> str:
    """The text in at most so many characters."""
    return text if len(text) <= width else text[: max(width - 1, 0)] + "…"


def instant(at: datetime | None) -> str:
    """An instant in UTC, to the millisecond; empty if there is none."""
    return "" if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


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
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{count} B"
