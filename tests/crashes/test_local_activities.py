"""A process that dies while a local activity runs runs it again; one whose marker is on disk never does."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from actorflow import activity, workflow
from actorflow.core import events as ev
from tests.crashes import invariants
from tests.crashes.processes import HANGS, killed_after
from tests.support import a_client, a_worker

PROGRAM = """
import asyncio, os, sys
from actorflow import activity
from actorflow.client import Client
from actorflow.worker import Worker
from tests.crashes.test_local_activities import Steps

@activity.defn
async def step(number: int) -> str:
    if number == int(sys.argv[2]):
        os.write(1, b"in the middle\\n")
        await asyncio.Event().wait()
    return f"first life: {number}"

async def main():
    async with await Client.connect(f"sqlite:///{sys.argv[1]}") as client:
        async with Worker(client, task_queue="q", workflows=[Steps], activities=[step]):
            await (await client.start_workflow(Steps.run, id="order", task_queue="q")).result()

asyncio.run(main())
"""


@workflow.defn
class Steps:
    @workflow.run
    async def run(self) -> list[str]:
        return [
            await workflow.execute_local_activity(
                "step", number, result_type=str, start_to_close_timeout=timedelta(minutes=5)
            )
            for number in range(3)
        ]


@activity.defn
async def step(number: int) -> str:
    return f"second life: {number}"


@pytest.mark.parametrize("killed_at", [0, 1, 2])
async def test_what_has_its_marker_stays_and_the_rest_runs_in_the_next_life(tmp_path: Path, killed_at: int) -> None:
    path = tmp_path / "orders.db"
    killed_after("in the middle", "-c", PROGRAM, path, killed_at)
    invariants.check(path)
    with anyio.fail_after(HANGS):
        async with a_client(path) as client, a_worker(client, workflows=[Steps], activities=[step]):
            result = await client.get_workflow_handle("order").result()
    lives = ["first" if number < killed_at else "second" for number in range(3)]
    assert result == [f"{life} life: {number}" for number, life in enumerate(lives)]
    (run,) = invariants.check(path)
    assert len(run.all_of(ev.LocalActivityResolved)) == 3
