"""Holds workflows that wait for a signal or a timer, and says what they weigh."""

from __future__ import annotations

import asyncio

from actorflow.client import Client
from bench import child, plain
from bench.durable import QUEUE, described, hosted, warm_up
from bench.load import crowd
from bench.programs import ApprovalInTime, Order
from bench.resident import settled_mib

_LIMIT_SECONDS = 30 * 86_400.0


def main() -> None:
    """Weigh them the way the parent asks for."""
    asked = child.arguments()
    if asked["is_plain"]:
        asyncio.run(_weigh_plain(asked["count"]))
    else:
        asyncio.run(_weigh(asked["address"], asked["count"], asked["cached"]))


async def _weigh(address: str, count: int, cached: int) -> None:
    async with hosted(address, max_cached_workflows=cached) as client:
        await warm_up(client, min(count, 500))
        half = count // 2
        before = settled_mib()
        await crowd(lambda number: _start(client, number), half, in_flight=200)
        between = settled_mib()
        await crowd(lambda number: _start(client, half + number), count - half, in_flight=200)
        after = settled_mib()
        await _check_alive(client, count)
        child.say(all=after - before, second_half=after - between, journal=described(client))


async def _start(client: Client, number: int) -> None:
    name = f"waiting-{number}"
    await client.start_workflow(ApprovalInTime.run, Order(name), id=name, task_queue=QUEUE)


async def _check_alive(client: Client, count: int) -> None:
    """What was weighed has to be able to go on."""
    for number in (0, count - 1):
        handle = client.get_workflow_handle_for(ApprovalInTime.run, f"waiting-{number}")
        await handle.signal(ApprovalInTime.approve, "Ada")
        answer = await handle.result()
        assert answer == f"waiting-{number} approved by Ada", answer
        if count == 1:
            return


async def _weigh_plain(count: int) -> None:
    half = count // 2
    before = settled_mib()
    tasks = await _plain(range(half))
    between = settled_mib()
    tasks += await _plain(range(half, count))
    after = settled_mib()
    child.say(all=after - before, second_half=after - between)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _plain(numbers: range) -> list[asyncio.Task[str]]:
    tasks = [
        asyncio.create_task(plain.Approval().run(Order(f"waiting-{number}"), limit=_LIMIT_SECONDS))
        for number in numbers
    ]
    await asyncio.sleep(0)
    return tasks


if __name__ == "__main__":
    main()
