"""Opens the journal of a killed process and waits until everything it held has its result."""

from __future__ import annotations

import asyncio
from time import monotonic

from actorflow.client import Client
from bench import child
from bench.durable import described, hosted
from bench.programs import OneStep, Order, receipt_of
from bench.resident import peak_mib


def main() -> None:
    """Bring them to their end; times are seconds since the parent exec'ed this process."""
    asked = child.arguments()
    asyncio.run(_finish(asked["address"], asked["count"], asked["executed_at"]))


async def _finish(address: str, count: int, executed_at: float) -> None:
    imported = monotonic() - executed_at
    async with hosted(address) as client:
        served = monotonic() - executed_at
        finished_at: list[float] = []
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                group.create_task(_result(client, f"order-{number}", finished_at))
        child.say(
            imported=imported,
            served=served,
            first=finished_at[0] - executed_at,
            last=finished_at[-1] - executed_at,
            peak_mib=peak_mib(),
            journal=described(client),
        )


async def _result(client: Client, name: str, finished_at: list[float]) -> None:
    answer = await client.get_workflow_handle_for(OneStep.run, name).result()
    assert answer == receipt_of(Order(name)), answer
    finished_at.append(monotonic())


if __name__ == "__main__":
    main()
