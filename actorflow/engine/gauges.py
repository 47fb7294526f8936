"""What an engine holds at this moment, looked up by whoever scrapes, in a thread of its own.

Nothing here waits for the event loop or keeps it waiting: it reads lengths and copies, which one thread can take while
another one changes the original.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from operator import attrgetter

from actorflow.engine.population import Population
from actorflow.engine.site import Site
from actorflow.observability import table
from actorflow.observability.metrics import Gauge, Metrics

_backlog = attrgetter("mailbox.backlog")


class Gauges:
    """Call it for the numbers.

    Args:
        site: of the engine.
        population: its actors.
    """

    def __init__(self, site: Site, population: Population) -> None:
        self._site = site
        self._population = population

    def __call__(self) -> Iterator[Gauge]:
        """Every gauge of the engine."""
        yield from self._executions()
        yield from self._pools()
        yield from self._disk()
        yield table.TIMERS, (), len(self._site.wakes)
        if self._site.counting.recovery_seconds is not None:
            yield table.RECOVERY_SECONDS, (), self._site.counting.recovery_seconds

    def _executions(self) -> Iterator[Gauge]:
        actors = self._population.actors
        ready = self._site.dispatcher.ready
        reasons = Counter(list(self._site.counting.parked.values()))
        under_way = self._site.journal.under_way
        yield table.JOURNAL_QUEUE, (), len(under_way)
        persisting = len({change.key for change in under_way})
        parked = reasons.total()
        waiting = max(0, len(actors) - len(ready) - persisting - parked)
        states = {"running": len(ready), "persisting": persisting, "parked": parked, "waiting": waiting}
        for state, count in states.items():
            yield table.WORKFLOWS, (state,), count
        for (workflow_type, reason), count in reasons.items():
            yield table.PARKED, (workflow_type, reason), count
        backlogs = list(map(_backlog, actors))
        yield table.INBOX_ROWS, (), sum(backlogs)
        yield table.MAILBOX_DEPTH, (), max([0, *backlogs, *[actor.depth for actor in ready]])
        yield from self._tiers(len(actors))

    def _tiers(self, actors: int) -> Iterator[Gauge]:
        hot = sum(len(host.residency) for host in self._site.registry.hosts)
        yield table.ACTORS, ("hot", "workflow"), hot
        yield table.ACTORS, ("warm", "workflow"), max(0, actors - hot)
        yield table.ACTORS, ("hot", "activity"), sum(map(len, list(self._site.activities.values())))

    def _pools(self) -> Iterator[Gauge]:
        for host in self._site.registry.hosts:
            if host.activities:
                slots, labels = host.slots, (host.task_queue,)
                yield table.POOL_SLOTS, labels, slots.maximum
                yield table.POOL_SLOTS_USED, labels, slots.maximum - slots.free
        now = self._site.clock.now()
        for (_, task_queue), queue in self._site.registry.queues:
            waiting = queue.waiting
            yield table.QUEUE_DEPTH, (task_queue,), len(waiting)
            yield table.QUEUE_AGE, (task_queue,), _age(waiting[0].since, now) if waiting else 0.0

    def _disk(self) -> Iterator[Gauge]:
        """Sizes as the file system knows them. The files are never opened: closing one would drop SQLite's locks."""
        path = self._site.store.facts().get("path")
        if path is None:
            return
        for spec, file in ((table.DB_SIZE, str(path)), (table.DB_WAL, f"{path}-wal")):
            with suppress(OSError):  # gone while the engine closes; without permission there is nothing to say
                yield spec, (), os.stat(file).st_size
        with suppress(OSError):
            disk = os.statvfs(str(path))
            yield table.DB_FREE, (), disk.f_bavail * disk.f_frsize


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())


def describe_build(metrics: Metrics, loop: asyncio.AbstractEventLoop, sqlite: str) -> None:
    """Say what this engine is made of."""
    # Looked up, not imported: the package itself stands above every layer.
    version = str(sys.modules["actorflow"].__version__)
    metrics.count(
        table.BUILD, version, platform.python_version(), sqlite, type(loop).__module__.split(".")[0]
    ).value = 1
