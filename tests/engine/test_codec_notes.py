"""Codecs and what is noted about executions, and what schedules keep for them."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from actorflow.common import ScheduleOverlapPolicy
from actorflow.converter import PayloadCodec
from actorflow.worker import Replayer
from tests.engine.hidden import SECRET, Bound, Hidden, files_hold, hiding
from tests.support import a_client, a_worker, start


@workflow.defn
class Noted:
    """Adds to its memo, goes on as a new run, and says what it has noted."""

    @workflow.run
    async def run(self, runs: int) -> dict[str, Any]:
        workflow.upsert_memo({f"run {runs}": SECRET})
        if runs:
            workflow.continue_as_new(runs - 1)
        return dict(workflow.memo())


@workflow.defn
class Echo:
    @workflow.run
    async def run(self, text: str) -> str:
        await workflow.execute_activity("arrive", start_to_close_timeout=timedelta(seconds=5))
        assert workflow.memo() == {"who": SECRET}
        return (workflow.get_last_completion_result(str) or "") + text


async def test_a_memo_is_hidden_on_disk_and_shown_to_those_with_the_key(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    whole = {"begin": SECRET, "run 1": SECRET, "run 0": SECRET}
    async with (
        a_client(path, data_converter=hiding(Hidden())) as client,
        a_worker(client, workflows=[Noted], max_cached_workflows=0),
    ):
        handle = await start(client, Noted.run, 1, memo={"begin": SECRET})
        assert await handle.result() == whole
        about = await handle.describe()
        assert await about.memo() == whole
        assert await about.memo_value("begin", type_hint=str) == SECRET
        listed = [await execution.memo() async for execution in client.list_workflows()]
        assert whole in listed
        await Replayer(workflows=[Noted], data_converter=hiding(Hidden())).replay_workflow(await handle.fetch_history())
        stranger = Client(**{**client.config(), "data_converter": None})
        assert (await stranger.get_workflow_handle("w").describe()).status is not None
    assert not files_hold(path, SECRET)


@pytest.mark.parametrize("codec", [Hidden(), Bound()])
async def test_a_schedule_keeps_arguments_memo_and_last_result_hidden(tmp_path: Path, codec: PayloadCodec) -> None:
    path = tmp_path / "journal.db"
    arrivals: asyncio.Queue[str] = asyncio.Queue()

    @activity.defn
    async def arrive() -> None:
        arrivals.put_nowait(activity.info().workflow_id or "")

    action = ScheduleActionStartWorkflow(Echo.run, SECRET, id="echo", task_queue="q", memo={"who": SECRET})
    async with (
        a_client(path, data_converter=hiding(codec)) as client,
        a_worker(client, workflows=[Echo], activities=[arrive]),
        asyncio.timeout(10),
    ):
        handle = await client.create_schedule("s", Schedule(action, ScheduleSpec()), memo={"why": SECRET})

        async def result_of_a_trigger() -> Any:
            # After the one before it, whose result it is to know.
            await handle.trigger(overlap=ScheduleOverlapPolicy.BUFFER_ONE)
            started = client.get_workflow_handle(await arrivals.get(), result_type=str)
            assert await (await started.describe()).memo() == {"who": SECRET}
            return await started.result()

        assert await result_of_a_trigger() == SECRET
        about = await handle.describe()
        assert await about.memo() == {"why": SECRET}
        assert isinstance(about.schedule.action, ScheduleActionStartWorkflow)
        (argument,) = about.schedule.action.args
        assert argument.metadata["encoding"].startswith(b"binary/")
        await handle.update(changed_note)
        assert await result_of_a_trigger() == SECRET + SECRET
    assert not files_hold(path, SECRET)


def changed_note(input: ScheduleUpdateInput) -> ScheduleUpdate:
    """The arguments of the description are handed back as they are."""
    input.description.schedule.state.note = "changed"
    return ScheduleUpdate(input.description.schedule)
