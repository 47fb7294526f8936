"""TESTING: how long tests take whose workflows sleep for days."""

from __future__ import annotations

import asyncio
from typing import Final

from actorflow.client import Client
from actorflow.testing import WorkflowEnvironment
from actorflow.worker import Worker
from bench.durable import QUEUE
from bench.load import crowd
from bench.programs import Order, Rests
from bench.progress import Progress
from bench.report import Figure, Table, at_most
from bench.samples import Sample, take_rounds
from bench.settings import Settings

_RESTING: Final = 1_000
_RESTS: Final = 10
_HOUR: Final = 3600.0
_ALONE: Final = 2_000
_SECONDS_MAX: Final = 2.0


def testing(settings: Settings, progress: Progress) -> Table:
    """Many workflows at once, and one alone."""
    resting, alone = settings.sized(_RESTING), settings.sized(_ALONE)
    sides = {
        "many": lambda: asyncio.run(_measured(resting, _RESTS)),
        "alone": lambda: asyncio.run(_measured(1, alone)),
    }
    rounds = take_rounds(settings, progress, sides)
    figures = [
        Figure(
            f"{resting:,} workflows that sleep ten hours in ten steps, s",
            rounds.of("many", "s"),
            target=at_most(_SECONDS_MAX),
        ),
        Figure("one workflow alone, ms per step", rounds.scaled("alone", "s", 1e3 / alone)),
    ]
    return Table("testing", "tests that skip time", figures, ("journal: memory, as in a test",))


async def _measured(workflows: int, steps: int) -> Sample:
    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        Worker(env.client, task_queue=QUEUE, workflows=[Rests]),
    ):
        return Sample({"s": await _rested(env.client, workflows, steps)})


async def _rested(client: Client, workflows: int, steps: int) -> float:
    async def rest(number: int) -> None:
        order = Order(f"rests-{number}")
        await client.execute_workflow(Rests.run, args=[order, steps, _HOUR], id=order.id, task_queue=QUEUE)

    return await crowd(rest, workflows, in_flight=workflows)
