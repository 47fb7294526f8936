"""Executions that send each other messages are killed together; whatever one has sent, the other has got once."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from actorflow.core import events as ev
from tests.crashes import invariants
from tests.crashes.family import CHILDREN, NOTES, PARENTS, child_id, fails_first
from tests.crashes.ledger import read_ledger
from tests.crashes.processes import running

ROUNDS = int(os.environ.get("ACTORFLOW_CRASH_ROUNDS", "6"))
LIVES_MAX = 12

MOMENTS = [f"{when}:commit:{number}" for when in ("before", "during", "after") for number in range(1, 24)]
LOADING = [
    f"{when}:{call}:{number}" for when in ("before", "after") for call in ("load", "arrivals") for number in (1, 3)
]


def live(folder: Path, cached: int, moment: str) -> bool:
    """One life, killed by itself at a moment; True if it finished."""
    with running("-m", "tests.crashes.family", folder / "f.db", folder / "ledger", cached, moment) as process:
        said, complaints = process.communicate()
    assert process.returncode in (0, -9), said + complaints
    return process.returncode == 0


def check_midway(path: Path) -> None:
    """What must hold of the file a killed process leaves."""
    if path.exists() and path.stat().st_size:
        check_messages(invariants.check(path, may_wait=lambda run: True))


def check(folder: Path) -> None:
    """Everything that must hold once all have come to their end."""
    runs = invariants.check(folder / "f.db")
    check_results({line["workflow"]: line["result"] for line in read_ledger(folder / "ledger")})
    check_messages(runs)
    check_children(runs)
    for run in runs:
        sent = run.all_of((ev.SignalSent, ev.CancelSent))
        assert len(sent) == len(run.all_of(ev.MessageDelivered)), f"{run.workflow_id} has not heard of all it sent"
    got = Counter(note for run in runs for note in notes_of(run))
    assert got == Counter(NOTES)


def check_results(results: dict[str, object]) -> None:
    hub = results.pop("hub")
    assert isinstance(hub, list)
    assert sorted(hub) == NOTES
    poked = {1: [5], 2: [1], 4: [2], 5: [4]}  # each by the one before it, past those that fail first
    children = [[child, *poked.get(child, [])] for child in range(CHILDREN)]
    for parent in range(PARENTS):
        assert results.pop(f"parent-{parent}") == [children, list(range(CHILDREN)), "stopped"]
        assert results.pop(f"parent-{parent}-left") == "TerminatedError"
    assert results == {}


def check_messages(runs: Sequence[invariants.Run]) -> None:
    """Nothing was taken twice, and nothing by two runs."""
    notes = Counter(note for run in runs for note in notes_of(run))
    assert set(notes.values()) <= {1}, f"notes taken more than once: {notes}"
    for run in runs:
        outcomes = Counter(event.initiated for event in run.all_of(ev.ChildResolved))
        assert set(outcomes.values()) <= {1}, f"{run.workflow_id} has heard twice of the end of a child"
        assert run.all_of(ev.SignalUnhandled) == []


def notes_of(run: invariants.Run) -> list[int]:
    """What a run of the hub was told."""
    told = run.all_of(ev.SignalReceived) if run.workflow_type == "Hub" else []
    return [int(bytes(event.input[0].json)) for event in told]


def check_children(runs: Sequence[invariants.Run]) -> None:
    """Each child has begun once, and again only if it was to be tried again."""
    ends: dict[str, list[str]] = {}
    for run in runs:
        ends.setdefault(run.workflow_id, []).append(run.status)
    for parent in range(PARENTS):
        assert ends.pop(f"parent-{parent}") == ["completed"]
        assert ends.pop(f"parent-{parent}-stopped") == ["completed"]
        assert ends.pop(f"parent-{parent}-left") == ["terminated"]
        for child in range(CHILDREN):
            wanted = ["failed", "completed"] if fails_first(child) else ["completed"]
            assert ends.pop(child_id(parent, child)) == wanted
    *before, last = ends.pop("hub")
    assert set(before) == {"continued"}
    assert last == "completed"
    assert ends == {}


@pytest.mark.parametrize("cached", [0, 3, 1000])
def test_a_family_nobody_disturbs_hears_everything_once(tmp_path: Path, cached: int) -> None:
    assert live(tmp_path, cached, "never")
    check(tmp_path)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_family_that_is_killed_again_and_again_hears_everything_once(tmp_path: Path, number: int) -> None:
    chance = random.Random(number)
    for _ in range(LIVES_MAX):
        if live(tmp_path, chance.choice([0, 3, 1000]), chance.choice(chance.choice([MOMENTS, LOADING]))):
            break
        check_midway(tmp_path / "f.db")
    else:
        assert live(tmp_path, 1000, "never")
    check(tmp_path)
