"""A client and a worker on a journal of their own, and what the journal did meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any, Final

from actorflow.client import Client
from actorflow.converter import DataConverter
from actorflow.worker import Worker
from bench.load import crowd
from bench.programs import WORKFLOWS, OneStep, Order, charge
from bench.samples import Sample, Values
from bench.settings import Settings

QUEUE: Final = "orders"
_WARM_UP: Final = 300
_CONCURRENT: Final = 1_000
_ROUND_SECONDS_MAX: Final = 120.0
"""A round that takes longer is stuck; it fails by name instead of waiting for ever."""


@asynccontextmanager
async def hosted(
    address: str,
    *,
    activities: Sequence[Callable[..., Any]] = (charge,),
    activities_max: int = _CONCURRENT,
    data_converter: DataConverter | None = None,
    **options: Any,
) -> AsyncIterator[Client]:
    """A client whose journal is served by a worker of this process; ``options`` are the worker's."""
    async with (
        await Client.connect(address, data_converter=data_converter) as client,
        Worker(
            client,
            task_queue=QUEUE,
            workflows=WORKFLOWS,
            activities=activities,
            max_concurrent_activities=activities_max,
            **options,
        ),
    ):
        yield client


async def warm_up(client: Client, count: int) -> None:
    """Run what is run for the first time: imports, caches, the first pages of the file."""

    async def one(number: int) -> None:
        order = Order(f"warm-{number}")
        await client.execute_workflow(OneStep.run, order, id=f"warm-{number}", task_queue=QUEUE)

    await crowd(one, count, in_flight=50)


def measured(
    settings: Settings, body: Callable[[Client], Awaitable[Values]], data_converter: DataConverter | None = None
) -> Sample:
    """Run a body against a fresh journal; adds ``commits`` per second and the ``batch``, changes per commit."""

    async def run() -> Sample:
        with settings.scratch() as scratch:
            address = settings.address(scratch)
            async with asyncio.timeout(_ROUND_SECONDS_MAX), hosted(address, data_converter=data_converter) as client:
                await warm_up(client, settings.sized(_WARM_UP))
                commits, changes = _written(client)
                started = perf_counter()
                values = await body(client)
                seconds = perf_counter() - started
                commits, changes = _written(client)[0] - commits, _written(client)[1] - changes
                journal = {"commits": commits / seconds, "batch": changes / commits if commits else 0.0}
                return Sample({**values, **journal}, described(client))

    return asyncio.run(run())


def described(client: Client) -> str:
    """How durable the journal is, as it says itself."""
    facts = client.engine.store.facts()
    if facts["store"] != "sqlite":
        return f"journal: {facts['store']}, nothing is durable"
    return (
        f"journal: SQLite {facts['version']}, read back: synchronous={facts['synchronous']}, "
        f"journal_mode={facts['journal_mode']}"
    )


def _written(client: Client) -> tuple[int, int]:
    facts = client.engine.store.facts()
    commits, changes = facts["commits"], facts["changes"]
    assert isinstance(commits, int)
    assert isinstance(changes, int)
    return commits, changes
