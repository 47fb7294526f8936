"""Texts of users inside Mermaid's: nothing in a name may end a label or begin markup."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

_LABEL_CHARS_MAX: Final = 80
# Characters that are markup of Mermaid, Markdown or HTML. Mermaid writes entities with a hash.
_MARKUP: Final = '"#&<>`\\;{}[]()|%'
_ENTITIES: Final = {ord(char): f"#{ord(char)};" for char in _MARKUP}
_HTML_ENTITIES: Final = {ord(char): f"&#{ord(char)};" for char in _MARKUP + "*_~!"}
# In a Gantt chart a colon ends the name, a hash or a per cent sign begins a comment and a semicolon ends the line.
_PLAIN: Final = str.maketrans({":": "∶", "#": "＃", ";": "；", "%": "％", "<": "‹", ">": "›"})


def label(text: str) -> str:
    """A text for between quotes in a flowchart."""
    return _shortened(text).translate(_ENTITIES)


def name(text: str) -> str:
    """A text for a line of a Gantt chart."""
    return _shortened(text).translate(_PLAIN).strip() or "‹no name›"


def heading(text: str) -> str:
    """A text for a heading of Markdown."""
    return _shortened(text).translate(_HTML_ENTITIES)


def in_words(duration: timedelta) -> str:
    """A duration as people say it: '5 min', '1.5 s', '3 d 4 h'."""
    seconds = duration.total_seconds()
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds >= 1 or not seconds else f"{seconds * 1000:.3g} ms"
    parts: list[str] = []
    left = round(seconds)
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


def _shortened(text: str) -> str:
    visible = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return visible if len(visible) <= _LABEL_CHARS_MAX else visible[: _LABEL_CHARS_MAX - 1] + "…"
