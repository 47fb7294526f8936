"""The outside world's memory: one line per thing that happened, in a file that no transaction can take back."""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Ledger:
    """Appends lines. One write per line, so that a kill leaves whole lines; the kernel keeps them when we die."""

    def __init__(self, path: Path, *, echo: bool = False) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self._echo = echo

    def write(self, what: str, **facts: Any) -> None:
        """Add a line; with ``echo`` the parent reads it too."""
        line = (json.dumps({"what": what, **facts}) + "\n").encode()
        os.write(self._file, line)
        if self._echo:
            os.write(1, line)


def read_ledger(path: Path) -> list[Line]:
    """All lines so far."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def acknowledged(lines: Sequence[Line]) -> set[str]:
    """Names of the calls that returned to the client's program."""
    return {line["call"] for line in lines if line["what"] == "acknowledged"}


def check_attempts(lines: Sequence[Line]) -> None:
    """I5: no two bodies share a run, an activity and an attempt, and attempts rise."""
    begun = [(line["run"], line["activity"], line["attempt"]) for line in lines if line["what"] == "begin"]
    twice = [body for body, times in Counter(begun).items() if times > 1]
    assert not twice, f"bodies that ran twice: {twice}"
    attempts: dict[tuple[str, str], list[int]] = defaultdict(list)
    for run, activity, attempt in begun:
        attempts[run, activity].append(attempt)
    for body, numbers in attempts.items():
        assert numbers == sorted(numbers), f"attempts of {body} don't rise: {numbers}"
