"""Values as JSON, in ASCII, so that no terminal and no editor is surprised by it."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

from actorflow.cli.text import instant


def as_json(value: Any, *, indent: int | None = None) -> str:
    """A value of ours or of a user as JSON; what JSON can't say is said in words."""
    return json.dumps(value, default=_plain, indent=indent)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return instant(value)
        case timedelta():
            return value.total_seconds()
        case Enum():
            return value.name
        case bytes():
            # As a history shows it.
            return {"data": b64encode(value).decode(), "metadata": {"encoding": "binary/plain"}}
        case _:
            return str(value)


class JsonArray:
    """Prints an array while its items are still being found.

    Args:
        write: takes each line.
    """

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._last: str | None = None

    def add(self, item: Any) -> None:
        """One more item."""
        if self._last is None:
            self._write("[")
        else:
            self._write(f"{self._last},")
        self._last = "  " + as_json(item, indent=2).replace("\n", "\n  ")

    def close(self) -> None:
        """No more items."""
        if self._last is None:
            self._write("[]")
        else:
            self._write(self._last)
            self._write("]")
