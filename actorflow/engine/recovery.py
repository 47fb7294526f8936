"""Finds the executions that have something to do, page by page, while everybody else is served.

Recovery is nothing but activation: a run is loaded, folded, and its open activities are taken care of. It is replayed
only when a message needs its program. Runs that merely wait stay where they are.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from actorflow.clock import TimerHandle
from actorflow.core import limits
from actorflow.core.definitions import DYNAMIC
from actorflow.engine.population import Population, patiently
from actorflow.engine.registry import WorkerHost
from actorflow.engine.site import Site
from actorflow.store.protocol import Share

_log = logging.getLogger("actorflow.engine")

Page = Callable[[int], Awaitable[Sequence[int]]]


class Recovery:
    """Brings back what an earlier process, or the time without a worker, left.

    Args:
        site: collaborators.
        population: where loaded runs go.
    """

    def __init__(self, site: Site, population: Population) -> None:
        self._site = site
        self._population = population
        self._has_resumed_activities = False
        self._alarms: dict[Share, TimerHandle] = {}

    def rouse(self, host: WorkerHost) -> None:
        """A worker has come: let the actors in memory that it can serve try at once."""
        for actor in self._population.actors:
            if actor.host is host:
                actor.try_now()

    async def resume(self, host: WorkerHost) -> None:
        """A worker has come: wake what it can serve."""
        began = self._site.clock.monotonic()
        if not self._has_resumed_activities:
            self._has_resumed_activities = True
            count = await self._wake_pages(lambda after: self._site.store.busy(after, limits.RECOVERY_PAGE))
            if count:
                _log.info("recovered %d executions with open activities", count)
            await self._wake_pages(lambda after: self._site.store.unattended(after, limits.RECOVERY_PAGE))
        if host.workflows:
            share = Share(host.namespace, host.task_queue)
            types = None if DYNAMIC in host.workflows else list(host.workflows)
            store = self._site.store
            await self._wake_pages(lambda after: store.arrivals(share, types, after, limits.RECOVERY_PAGE))
            await self._wake_sleepers(share)
        self._site.counting.recovery_seconds = self._site.clock.monotonic() - began

    def close(self) -> None:
        """Look for nothing more."""
        for alarm in self._alarms.values():
            alarm.cancel()
        self._alarms.clear()

    async def _wake_pages(self, page: Page) -> int:
        after, count = 0, 0
        while keys := await patiently(lambda: page(after)):  # noqa: B023
            await self._population.bring_in(keys)
            after, count = keys[-1], count + len(keys)
            await asyncio.sleep(0)  # whoever else is ready goes first
        return count

    async def _wake_sleepers(self, share: Share) -> None:
        """Wake runs whose timers fell due, and come back for the next one that an earlier process left."""
        seen: set[int] = set()
        while (types := self._types_of(share)) != []:
            stuck = len(seen)  # at most so many of those that were woken are still due, and come first
            now = self._site.clock.now()
            keys, next_at = await patiently(
                lambda: self._site.store.due(share, types, now, limits.RECOVERY_PAGE + stuck)  # noqa: B023
            )
            fresh = [key for key in keys if key not in seen]
            if not fresh:
                self._come_back(share, next_at)
                return
            seen.intersection_update(keys)
            seen.update(fresh)
            for start in range(0, len(fresh), limits.RECOVERY_PAGE):
                await self._population.bring_in(fresh[start : start + limits.RECOVERY_PAGE])
                await asyncio.sleep(0)

    def _types_of(self, share: Share) -> Sequence[str] | None:
        """The types that workers here run; None for all."""
        hosts = self._site.registry.hosts
        types = {
            workflow_type
            for host in hosts
            if (host.namespace, host.task_queue) == (share.namespace, share.task_queue)
            for workflow_type in host.workflows
        }
        return None if DYNAMIC in types else sorted(types)

    def _come_back(self, share: Share, at: datetime | None) -> None:
        alarm = self._alarms.pop(share, None)
        if alarm is not None:
            alarm.cancel()
        if at is not None:
            delay = (at - self._site.clock.now()).total_seconds()
            self._alarms[share] = self._site.clock.call_later(
                max(delay, 0.0), lambda: self._site.spawn(self._wake_sleepers(share))
            )
