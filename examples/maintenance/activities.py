"""The three chores, on the folder of an application: ``tmp/``, ``history.jsonl``, ``archive.jsonl``, its figures.

Each may be tried again after a crash, so each leaves a folder it has worked on before as it is.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from actorflow import activity
from examples.maintenance.models import Analytics, Archived, Cleaned


class Application:
    """An application that has left something to tidy up.

    Args:
        folder: where its files are.
    """

    def __init__(self, folder: Path) -> None:
        self._temporary = folder / "tmp"
        self._history = folder / "history.jsonl"
        self._archive = folder / "archive.jsonl"
        self._analytics = folder / "analytics.json"

    @property
    def chores(self) -> Sequence[Any]:
        """The activities."""
        return (self.cleanup_temp_files, self.archive_old_history, self.update_daily_analytics)

    def work_a_day(self) -> None:
        """What an application does all day: leave files and records behind, some of them old."""
        self._temporary.mkdir(parents=True, exist_ok=True)
        for number in range(5):
            (self._temporary / f"upload-{number}.tmp").write_text("half of an upload\n")
        today = datetime.now(UTC).date()
        days = (today, today, today - timedelta(days=30), today - timedelta(days=100), today - timedelta(days=200))
        with self._history.open("a") as history:
            for day in days:
                record = {"id": str(uuid4()), "day": day.isoformat(), "prompt": "a lamp at night"}
                history.write(json.dumps(record) + "\n")

    @activity.defn
    def cleanup_temp_files(self) -> Cleaned:
        """Remove temporary files."""
        files = sorted(self._temporary.glob("*.tmp"))
        for file in files:
            file.unlink(missing_ok=True)
        return Cleaned(len(files))

    @activity.defn
    def archive_old_history(self, days_old: int) -> Archived:
        """Move records that are older than so many days into the archive."""
        oldest = datetime.now(UTC).date() - timedelta(days=days_old)
        lines = _lines(self._history)
        old = [line for line in lines if _day(line) < oldest]
        # The archive first: a crash in between leaves a record in both, and then it is found there.
        known = frozenset(_lines(self._archive))
        with self._archive.open("a") as archive:
            archive.writelines(f"{line}\n" for line in old if line not in known)
        self._history.write_text("".join(f"{line}\n" for line in lines if _day(line) >= oldest))
        return Archived(len(old))

    @activity.defn
    def update_daily_analytics(self) -> Analytics:
        """Count the records of each day."""
        days = Counter(_day(line).isoformat() for line in _lines(self._history))
        self._analytics.write_text(json.dumps(dict(sorted(days.items())), indent=2) + "\n")
        return Analytics(success=True, records=days.total())


def _lines(path: Path) -> Sequence[str]:
    return path.read_text().splitlines() if path.exists() else ()


def _day(line: str) -> date:
    return date.fromisoformat(json.loads(line)["day"])
