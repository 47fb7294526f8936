"""One life of a schedule: `python -m tests.crashes.scheduling DB MOMENT`; prints the ids of what it has started."""

from __future__ import annotations

import asyncio
import sys
from datetime import datetime, timedelta
from pathlib import Path

from actorflow import workflow
from actorflow.client import (
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
)
from actorflow.clock import SystemClock
from tests.crashes import kills
from tests.support import a_client, a_worker

HOUR = timedelta(hours=1)
DUE = 4
"""How many times are due in a later life."""


class Later(SystemClock):
    """A clock that is ahead."""

    def now(self) -> datetime:
        """See `Clock.now`."""
        return super().now() + DUE * HOUR


@workflow.defn
class Work:
    """Says which one it is, and which ones were before it."""

    @workflow.run
    async def run(self) -> list[str]:
        before = workflow.get_last_completion_result(list[str]) if workflow.has_last_completion_result() else None
        await workflow.get_external_workflow_handle("census").signal("count", workflow.info().workflow_id)
        return [*(before or ()), workflow.info().workflow_id]


@workflow.defn
class Census:
    """Waits until all have been there, and says in which order."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: len(self.found) >= DUE)
        return self.found

    @workflow.signal
    def count(self, workflow_id: str) -> None:
        self.found.append(workflow_id)


async def create(path: Path) -> None:
    """Make a schedule of every hour, so many times, one workflow after the other."""
    clock = SystemClock()
    async with a_client(path, clock=clock) as client:
        await client.start_workflow(Census.run, id="census", task_queue="q")
        await client.create_schedule(
            "hourly",
            ScheduleSpec(intervals=[ScheduleIntervalSpec(HOUR)], end_at=clock.now() + DUE * HOUR),
            action=ScheduleActionStartWorkflow(Work.run, id="work", task_queue="q"),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.BUFFER_ALL),
        )


async def live(path: Path) -> None:
    """Hours later: wait until everything that is due was started and has ended."""
    async with a_client(path, clock=Later()) as client, a_worker(client, workflows=[Work, Census]):
        counted: list[str] = await client.get_workflow_handle("census").result()
        for workflow_id in counted:
            await client.get_workflow_handle(workflow_id).result()
        print((await client.get_schedule_handle("hourly").describe()).info.num_actions, *counted)


if __name__ == "__main__":
    database, moment = sys.argv[1:]
    if moment == "create":
        asyncio.run(create(Path(database)))
    else:
        kills.arrange(moment, Path(database))
        asyncio.run(live(Path(database)))
