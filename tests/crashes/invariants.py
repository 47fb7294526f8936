"""What must hold of a journal file whatever happened to the processes that wrote it; read offline, nothing is changed.

`actorflow.core.invariants` says what must hold of each run. What it can't say, because a program may wait for a
message, is added here: of these programs it is known what they wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from actorflow.core.invariants import StoredRun, Story, is_waiting_visibly, read_story
from actorflow.core.journal import Turn
from actorflow.store.sqlite import queries, rows
from actorflow.store.sqlite.read_only_file import ReadOnlyFile
from actorflow.store.sqlite.verify import stored_run, verify


@dataclass(frozen=True)
class Run:
    """One run as it is on disk."""

    stored: StoredRun
    story: Story

    @property
    def workflow_id(self) -> str:
        """Its workflow id."""
        return self.stored.workflow_id

    @property
    def run_id(self) -> str:
        """Its run id."""
        return self.stored.run_id

    @property
    def workflow_type(self) -> str:
        """Its workflow type."""
        return self.stored.workflow_type

    @property
    def status(self) -> str:
        """What its head says."""
        return self.stored.status

    @property
    def turns(self) -> Sequence[Turn]:
        """Its journal."""
        return self.story.turns

    @property
    def events(self) -> list[Any]:
        """All events in order."""
        return self.story.events

    @property
    def inbox(self) -> Sequence[Any]:
        """Messages no turn has consumed."""
        return self.story.inbox

    def all_of(self, kind: type[Any] | tuple[type[Any], ...]) -> list[Any]:
        """The events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


def read_runs(path: Path) -> list[Run]:
    """Every run of a file; checksums are verified on the way.

    Raises:
        CorruptJournalError: a row does not match its checksum.
    """
    file = ReadOnlyFile(path)
    try:
        keys = [key for key, _ in file.fetch(queries.KEYS, (0, 1_000_000))]
        found = rows.loaded_runs(keys, file.fetch(queries.LOAD, {"keys": str(keys)}))
    finally:
        file.close()
    stored = [stored_run(run) for run in found]
    return [Run(run, read_story(run)) for run in stored]


def check(path: Path, *, may_wait: Callable[[Run], bool] = lambda run: False) -> list[Run]:
    """Check a file that nobody has open.

    Args:
        path: of the database.
        may_wait: says of an open run with nothing pending that its program waits for a condition or a signal.

    Returns:
        Its runs.

    Raises:
        AssertionError: names the run and what does not hold.
    """
    found = verify(path)
    assert found.is_sound, [*found.structure, *map(str, found.violations)]
    runs = read_runs(path)
    for run in runs:
        if run.status == "running" and not is_waiting_visibly(run.stored, run.story):
            assert may_wait(run), f"{run.workflow_id} is open and waits for nothing"
    open_ids = [run.workflow_id for run in runs if run.status == "running"]
    assert len(open_ids) == len(set(open_ids)), "one workflow id has two open runs"
    return runs
