"""A program that leaves memory between its turns comes back as it was, and nothing it asked for happens twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import RetryPolicy, activity, workflow
from tests.crashes import invariants
from tests.crashes.processes import running
from tests.support import a_client, a_worker

LONG = timedelta(minutes=1)


class Clerk:
    """Counts how often it was asked."""

    def __init__(self) -> None:
        self.attempts: list[int] = []

    @activity.defn
    async def stamp(self, text: str) -> str:
        """Stamp a text."""
        self.attempts.append(activity.info().attempt)
        await asyncio.sleep(0)
        return f"{text}!"

    @property
    def all(self) -> list[Callable[..., Any]]:
        """For a worker."""
        return [self.stamp]


@workflow.defn
class Stamps:
    """Has one text stamped, if need be only once."""

    @workflow.run
    async def run(self, maximum_attempts: int) -> str:
        return await workflow.execute_activity_method(
            Clerk.stamp,
            "paid",
            start_to_close_timeout=LONG,
            retry_policy=RetryPolicy(maximum_attempts=maximum_attempts),
        )


@pytest.mark.parametrize("maximum_attempts", [0, 1])
async def test_an_activity_that_ends_while_its_run_is_not_in_memory_has_run_once(
    tmp_path: Path, maximum_attempts: int
) -> None:
    clerk, path = Clerk(), tmp_path / "orders.db"
    async with a_client(path) as client:
        async with a_worker(client, workflows=[Stamps], activities=clerk.all, max_cached_workflows=0):
            result = await client.execute_workflow(Stamps.run, maximum_attempts, id="order", task_queue="q")
        assert result == "paid!"
        assert clerk.attempts == [1]
    invariants.check(path)


TEARS_DOWN = """
import asyncio, gc, sys
from datetime import timedelta
from actorflow import activity, workflow
from actorflow.client import Client
from actorflow.core import limits
from actorflow.worker import Worker

limits.LOOP_STALL_SECONDS = 1000  # taking thousands apart at once takes a while on a busy machine
ended = {}

@activity.defn
async def forever() -> None:
    await asyncio.Event().wait()

async def numbers():
    try:
        while True:
            await asyncio.sleep(1000)
            yield 1
    finally:
        ended["generators"] = ended.get("generators", 0) + 1

@workflow.defn
class Waits:
    @workflow.run
    async def run(self, number: int) -> None:
        try:
            await WAYS[number % len(WAYS)]()
        finally:
            ended["programs"] = ended.get("programs", 0) + 1

async def for_a_condition():
    await workflow.wait_condition(lambda: False, timeout=1000)

async def for_a_timer():
    await asyncio.sleep(1000)

async def for_a_group():
    lock = asyncio.Lock()
    async def second():
        async with lock:
            await asyncio.sleep(1000)
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(second())

async def for_a_generator():
    async for _ in numbers():
        pass

async def for_a_lost_task():
    tasks = [asyncio.create_task(asyncio.Queue().get()) for _ in range(2)]
    await asyncio.shield(asyncio.gather(*tasks))

async def for_an_event_and_then_cleans_up():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(1000)

WAYS = [for_a_condition, for_a_timer, for_a_group, for_a_generator, for_a_lost_task, for_an_event_and_then_cleans_up]

async def main(count, cached):
    async with await Client.connect("memory://") as client:
        async with Worker(client, task_queue="q", workflows=[Waits], activities=[forever], max_cached_workflows=cached):
            for first in range(0, count, 500):
                await asyncio.gather(*[
                    client.start_workflow(Waits.run, number, id=f"w{number}", task_queue="q")
                    for number in range(first, first + 500)
                ])
            print("started", flush=True)
    gc.collect()

asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
gc.collect()
print(ended["programs"], ended["generators"], flush=True)
"""


@pytest.mark.parametrize("cached", [100_000, 100])
def test_ten_thousand_programs_are_torn_down_without_a_warning(cached: int) -> None:
    count = 10_000
    with running("-c", TEARS_DOWN, count, cached, options=("-W", "error")) as process:
        said, complaints = process.communicate(timeout=100)
    assert complaints == ""
    assert process.returncode == 0
    assert said.split() == ["started", str(count), str(len(range(3, count, 6)))]
