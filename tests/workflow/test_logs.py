"""What workflow code logs, and when it is silent."""

from __future__ import annotations

import logging
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import workflow
from actorflow.worker import Replayer
from tests.support import a_place, execute, start

SOON = timedelta(milliseconds=1)
always = workflow.LoggerAdapter(logging.getLogger("actorflow.workflow.always"), {"component": "billing"})
always.log_during_replay = True


@workflow.defn
class Speaks:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.signal
    async def end(self) -> None:
        self.is_over = True

    @workflow.query
    def speak(self) -> None:
        workflow.logger.warning("in a query")

    @workflow.run
    async def run(self) -> None:
        workflow.logger.warning("begins")
        always.warning("always")
        try:
            await workflow.wait_condition(lambda: self.is_over)
        finally:
            workflow.logger.warning("leaves, replaying" if workflow.unsafe.is_replaying() else "leaves")


def said(caplog: pytest.LogCaptureFixture, name: str = "actorflow.workflow") -> list[str]:
    return [record.message.split(" ({")[0] for record in caplog.records if record.name == name]


async def test_a_line_is_logged_once_however_often_the_program_is_rebuilt(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Speaks, max_cached_workflows=0) as client:
        handle = await start(client, Speaks.run)
        await handle.query(Speaks.speak)
        await handle.query(Speaks.speak)
        await handle.signal(Speaks.end)
        await handle.result()
    assert said(caplog) == ["begins", "in a query", "in a query", "leaves"]


async def test_a_program_that_is_taken_apart_says_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Speaks, path=tmp_path / "j.db") as client:
        await start(client, Speaks.run)
    assert said(caplog) == ["begins"]


async def test_a_replayed_history_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Speaks) as client:
        handle = await start(client, Speaks.run)
        history = await handle.fetch_history()
    caplog.clear()
    await Replayer(workflows=[Speaks]).replay_workflow(history)
    assert said(caplog) == []


async def test_a_logger_that_is_told_to_logs_during_replay_too(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Speaks, max_cached_workflows=0) as client:
        handle = await start(client, Speaks.run)
        await handle.signal(Speaks.end)
        await handle.result()
    assert set(said(caplog, always.name)) == {"always"}
    assert len(said(caplog, always.name)) > 1


async def test_a_loggers_own_extra_is_added_and_says_which_run_speaks(caplog: pytest.LogCaptureFixture) -> None:
    extra: dict[str, Any] = {"mine": 1}

    @workflow.defn
    class Once:
        @workflow.run
        async def run(self) -> None:
            always.warning("inside", extra=extra)

    async with a_place(Once) as client:
        await execute(client, Once.run)
    always.warning("outside", extra=extra)
    inside, outside = [vars(record) for record in caplog.records if record.name == always.name]
    assert (inside["component"], inside["mine"]) == (outside["component"], outside["mine"]) == ("billing", 1)
    assert inside["temporal_workflow"]["workflow_type"] == "Once"
    assert "temporal_workflow" not in outside
    assert extra == {"mine": 1}


@workflow.defn
class Updated:
    def __init__(self) -> None:
        self.is_over = False

    @workflow.update
    def end(self) -> None:
        self.is_over = True
        workflow.logger.warning("ends", extra={"temporal_workflow": "mine"})
        workflow.logger.warning("ended")

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_over)
        workflow.logger.warning("leaves")


async def test_inside_an_update_its_id_and_name_are_added_and_the_callers_extra_counts_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with a_place(Updated) as client:
        handle = await start(client, Updated.run)
        await handle.execute_update(Updated.end, id="u1")
        await handle.result()
    ends, ended, leaves = [record for record in caplog.records if record.name == "actorflow.workflow"]
    assert vars(ends)["temporal_workflow"] == "mine"
    assert vars(ended)["temporal_workflow"]["update_id"] == "u1"
    assert "'update_name': 'end'" in ended.message
    assert "update_id" not in vars(leaves)["temporal_workflow"]
