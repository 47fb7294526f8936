"""Journals recorded on Python 3.11 replay on whichever interpreter runs this."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from actorflow.converter import default
from actorflow.core import events as ev
from actorflow.core.definitions import WorkflowDefinition
from actorflow.core.journal import decode_turns, identity_checksum
from actorflow.core.program import Program
from actorflow.core.program.errors import TurnError
from actorflow.core.state import turn_width
from actorflow.engine.reporting import ProgramReporter
from tests.histories.programs import ALL
from tests.histories.record import HERE, Recorded


def replayed(cls: type, path: Path) -> Any:
    recorded = msgspec.json.decode(path.read_bytes(), type=Recorded)
    identity = recorded.identity
    seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
    turns = decode_turns(recorded.turns, seed=seed, run_id=identity.run_id)
    started = turns[0].events[0]
    assert isinstance(started, ev.Started)
    program = Program(WorkflowDefinition.of(cls), identity, started, default, ProgramReporter(identity))
    try:
        for turn in turns:
            program.replay(turn.at, turn.events, first_number=turn.number - turn_width(turn.events) + 1)
    finally:
        program.tear_down()
    return started.interpreter


@pytest.mark.parametrize("cls", ALL, ids=lambda cls: cls.__name__)
def test_a_journal_recorded_on_3_11_replays_here(cls: type) -> None:
    assert replayed(cls, HERE / f"{cls.__name__}.json") == "3.11"


def test_a_journal_does_not_replay_with_another_program_and_the_error_names_the_interpreters() -> None:
    with pytest.raises(TurnError, match=r"begun on Python 3\.11, replayed on 3\.\d+"):
        replayed(ALL[1], HERE / f"{ALL[0].__name__}.json")
