"""A process is killed between the moment a schedule is due and the end of what it starts, and lives again."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import msgspec
import pytest

from actorflow.core import events as ev
from actorflow.store.sqlite.verify import verify
from tests.crashes import invariants
from tests.crashes.processes import running
from tests.crashes.scheduling import DUE

COMMITS = 12
"""So many commits an undisturbed life makes at least: a due time is decided, its workflow begins, that is noted."""


def live(path: Path, moment: str) -> list[str] | None:
    """One life; what it said, or None if it was killed."""
    with running("-m", "tests.crashes.scheduling", path, moment) as process:
        said, complaints = process.communicate()
    assert process.returncode in (0, -9), complaints
    assert "Traceback" not in complaints, complaints
    return said.split() if process.returncode == 0 else None


@pytest.mark.parametrize("when", ["before", "after", "during"])
@pytest.mark.parametrize("commit", range(1, COMMITS + 1, 2))
def test_each_time_that_is_due_starts_one_workflow_whenever_the_process_dies(
    tmp_path: Path, when: str, commit: int
) -> None:
    path = tmp_path / "j.db"
    assert live(path, "create") == []
    assert live(path, f"{when}:commit:{commit}") is None, "it was not killed"
    said = live(path, "never")
    assert said is not None
    count, *started = said
    assert int(count) == len(started) == len(set(started)) == DUE
    runs = {run.workflow_id: run for run in invariants.read_runs(path)}
    assert Counter(run.workflow_id for run in invariants.read_runs(path)) == Counter(["census", *started])
    assert {run.status for run in runs.values()} == {"completed"}
    assert verify(path).is_sound
    # One after the other: each was given the result of the one before it, none is lost and none comes twice.
    for place, workflow_id in enumerate(started):
        (completed,) = runs[workflow_id].all_of(ev.Completed)
        assert msgspec.json.decode(completed.result.json) == started[: place + 1]
