"""Journals recorded on Python 3.11 replay on whichever interpreter runs this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorflow.client import WorkflowHistory
from actorflow.client.history import history_of
from actorflow.converter import default
from actorflow.core import events as ev
from actorflow.core.definitions import WorkflowDefinition
from actorflow.core.journal import decode_turns, identity_checksum
from actorflow.core.program import Program
from actorflow.core.program.errors import TurnError
from actorflow.core.state import turn_width
from actorflow.engine.execution import turns_of
from actorflow.engine.reporting import ProgramReporter
from actorflow.worker import Replayer
from tests.histories.programs import ALL
from tests.histories.record import HERE, Recorded


def replayed(cls: type, path: Path) -> Any:
    recorded = msgspec.json.decode(path.read_bytes(), type=Recorded)
    identity = recorded.identity
    seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
    turns = decode_turns(recorded.turns, seed=seed, run_id=identity.run_id)
    started = turns[0].events[0]
    assert isinstance(started, ev.Started)
    program = Program(WorkflowDefinition.of(cls), identity, started, default().values, ProgramReporter(identity))
    try:
        for turn in turns:
            program.replay(turn.at, turn.events, first_number=turn.number - turn_width(turn.events) + 1)
    finally:
        program.tear_down()
    return started.interpreter


PROGRAMS = {cls.__name__: cls for cls in ALL}
JOURNALS = sorted(HERE.glob("*.json"))
each_journal = pytest.mark.parametrize("path", JOURNALS, ids=lambda path: path.stem)


def program_of(path: Path) -> type:
    return PROGRAMS[path.stem.split("-")[0]]


def test_every_program_has_a_journal() -> None:
    assert {program_of(path) for path in JOURNALS} == set(ALL)


@each_journal
def test_a_journal_recorded_on_3_11_replays_here(path: Path) -> None:
    assert replayed(program_of(path), path) == "3.11"


@each_journal
async def test_a_recorded_journal_replays_from_its_public_history_too(path: Path) -> None:
    recorded = msgspec.json.decode(path.read_bytes(), type=Recorded)
    identity, turns = recorded.identity, turns_of(recorded.identity, recorded.turns)
    history = history_of(identity.workflow_id, identity.run_id, turns, identity.started_at)
    read = WorkflowHistory.from_json(identity.workflow_id, history.to_json())
    assert (read.run_id, read.start_time) == (identity.run_id, identity.started_at)
    assert [(event.event_id, event.event_type) for event in read.events] == [
        (event.event_id, event.event_type) for event in history.events
    ]
    numbers = [event["eventId"] for event in read.to_json_dict()["events"]]
    assert numbers == [str(number) for number in range(1, turns[-1].number + 1)]
    for found in (history, read):
        await Replayer(workflows=[program_of(path)]).replay_workflow(found)


def test_a_journal_does_not_replay_with_another_program_and_the_error_names_the_interpreters() -> None:
    with pytest.raises(TurnError, match=r"begun on Python 3\.11, replayed on 3\.\d+"):
        replayed(ALL[1], HERE / f"{ALL[0].__name__}.json")
