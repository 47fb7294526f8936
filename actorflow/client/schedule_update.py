"""How a schedule is updated: by a function of what it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from actorflow.client.schedule import Schedule
from actorflow.client.schedule_views import ScheduleDescription


@dataclass
class ScheduleUpdateInput:
    """What an update is decided on."""

    description: ScheduleDescription


@dataclass
class ScheduleUpdate:
    """What a schedule is to be from now on."""

    schedule: Schedule


Updater = Callable[[ScheduleUpdateInput], ScheduleUpdate | Awaitable[ScheduleUpdate | None] | None]
