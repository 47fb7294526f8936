"""Starts workflows whose activity never ends, says when all are acknowledged, and waits to be killed."""

from __future__ import annotations

import asyncio
import os

from bench import child
from bench.durable import QUEUE, hosted
from bench.load import crowd
from bench.programs import OneStep, Order, charge_that_never_ends


def main() -> None:
    """Start them."""
    asked = child.arguments()
    asyncio.run(_start(asked["address"], asked["count"]))


async def _start(address: str, count: int) -> None:
    activities = (charge_that_never_ends(),)
    async with hosted(address, activities=activities, activities_max=count, max_cached_workflows=count) as client:

        async def one(number: int) -> None:
            name = f"order-{number}"
            await client.start_workflow(OneStep.run, Order(name), id=name, task_queue=QUEUE)

        await crowd(one, count, in_flight=200)
        child.say(started=count)
        await asyncio.to_thread(child.until_orphaned)
        os._exit(1)


if __name__ == "__main__":
    main()
