"""SCHEDULES: what they cost while nothing is due, and how late they are when something is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from time import perf_counter, process_time
from typing import Final

from actorflow.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
)
from actorflow.common import ScheduleOverlapPolicy
from bench.durable import QUEUE, measured
from bench.load import crowd
from bench.programs import Order, Returns
from bench.progress import Progress
from bench.report import Figure, Table, at_most
from bench.samples import Values, take_rounds
from bench.settings import Settings

_SCHEDULES: Final = 2_000
_FIRES: Final = 10
_IDLE_SECONDS: Final = 5.0
_HOUR: Final = timedelta(hours=1)
_SECOND: Final = timedelta(seconds=1)
_CORE_MAX: Final = 0.05
_LATE_MAX_MS: Final = 100.0


def schedules(settings: Settings, progress: Progress) -> Table:
    """Many that rest, and beside them one that starts a workflow every second."""
    count, fires = settings.sized(_SCHEDULES), settings.sized(_FIRES)
    idle = max(_IDLE_SECONDS * settings.scale, 0.1)

    async def body(client: Client) -> Values:
        began = perf_counter()
        await crowd(lambda number: _make_one(client, number), count, in_flight=200)
        made = perf_counter() - began
        used, began = process_time(), perf_counter()
        await asyncio.sleep(idle)
        core = (process_time() - used) / (perf_counter() - began)
        return {"made": count / made, "core": core, "late": await _latest(client, fires)}

    rounds = take_rounds(settings, progress, {"schedules": lambda: measured(settings, body)})
    figures = [
        Figure(f"created, of {count:,} schedules, per second", rounds.of("schedules", "made")),
        Figure("part of one core while none is due", rounds.of("schedules", "core"), target=at_most(_CORE_MAX)),
        Figure(f"latest of {fires} fires, ms late", rounds.of("schedules", "late"), target=at_most(_LATE_MAX_MS)),
    ]
    return Table("schedules", "many schedules in one process", figures, rounds.journals)


async def _make_one(client: Client, number: int) -> None:
    """A schedule of its own second of the hour, half an hour from now at the earliest."""
    offset = timedelta(seconds=(client.engine.clock.now().timestamp() + 1_800 + number % 1_000) % 3_600)
    await client.create_schedule(f"rests-{number}", _schedule(f"rests-{number}", ScheduleIntervalSpec(_HOUR, offset)))


async def _latest(client: Client, fires: int) -> float:
    """Milliseconds between the time of a fire and the start of its workflow, of the worst one."""
    every_second = _schedule("fires", ScheduleIntervalSpec(_SECOND))
    every_second.policy.overlap = ScheduleOverlapPolicy.ALLOW_ALL
    handle = await client.create_schedule("fires", every_second)
    await asyncio.sleep(fires + 0.5)
    recent = (await handle.describe()).info.recent_actions
    await handle.delete()
    return max((one.started_at - one.scheduled_at).total_seconds() for one in recent) * 1e3


def _schedule(id: str, interval: ScheduleIntervalSpec) -> Schedule:
    action = ScheduleActionStartWorkflow(Returns.run, Order(id), id=id, task_queue=QUEUE)
    return Schedule(action, ScheduleSpec(intervals=[interval]))
