"""Mistakes of beginners, and what they are told."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowFailureError
from tests.support import a_client, a_place, execute, start

SOON = timedelta(seconds=5)


@activity.defn
async def known() -> str:
    return "known"


@workflow.defn(failure_exception_types=[Exception])
class Misspells:
    @workflow.run
    async def run(self) -> None:
        wrong: Any = {"start_to_clos_timeout": SOON}
        await workflow.execute_activity(known, **wrong)


@workflow.defn(failure_exception_types=[Exception])
class LeavesTheLoop:
    @workflow.run
    async def run(self) -> None:
        await asyncio.to_thread(print)


@workflow.defn
class Elsewhere:
    @workflow.run
    async def run(self, queue: str) -> str:
        return await workflow.execute_activity("known", task_queue=queue, start_to_close_timeout=SOON)


async def reason(cls: Any) -> str:
    async with a_place(cls, activities=[known]) as client:
        with pytest.raises(WorkflowFailureError) as failed:
            await execute(client, cls.run)
        return str(failed.value.cause)


async def test_a_misspelt_option_of_an_activity_is_named_with_the_nearest_one() -> None:
    assert "did you mean 'start_to_close_timeout'?" in await reason(Misspells)


async def test_a_thread_in_a_workflow_is_refused_with_what_to_do_instead() -> None:
    told = await reason(LeavesTheLoop)
    assert "run_in_executor" in told
    assert "activity" in told


async def test_arguments_that_a_workflow_cannot_take_are_refused_before_it_starts() -> None:
    async with a_place(Elsewhere, activities=[known]) as client:
        wrong: Any = ["q", "too many"]
        with pytest.raises(TypeError, match=r"'Elsewhere'.*\(queue\)"):
            await client.start_workflow(Elsewhere.run, args=wrong, id="w", task_queue="q")


async def test_a_workflow_on_a_queue_nobody_serves_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Elsewhere, activities=[known]) as client:
        for number in range(3):
            await client.start_workflow("Nobody", id=f"w-{number}", task_queue="misspelt")
    assert [record.message.count("'misspelt'") for record in caplog.records] == [1]


async def test_an_activity_on_a_queue_nobody_serves_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    async with a_place(Elsewhere, activities=[known]) as client:
        handle = await start(client, Elsewhere.run, "misspelt")
        await handle.describe()
    assert ["'misspelt'" in record.message for record in caplog.records] == [True]


async def test_a_program_without_workers_may_start_what_others_run(caplog: pytest.LogCaptureFixture) -> None:
    async with a_client() as client:
        await client.start_workflow("Nobody", id="w", task_queue="q")
    assert caplog.records == []
