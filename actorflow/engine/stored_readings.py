"""What a store alone can tell of executions, where no engine runs them."""

from __future__ import annotations

from collections.abc import Hashable

import anyio

from actorflow.clock import Clock
from actorflow.core import limits
from actorflow.core.policy.checks import check_id, check_name
from actorflow.core.schedules.record import decode_record
from actorflow.engine.describe import describe_run
from actorflow.engine.ends import end_of, parking_of
from actorflow.engine.execution import turns_of
from actorflow.engine.listing import count_runs, list_page
from actorflow.engine.schedules import described, page_of
from actorflow.service import (
    Closed,
    Description,
    ExecutionCount,
    ExecutionPage,
    ListRequest,
    Parked,
    RunHistory,
    ScheduleDescribed,
    SchedulePage,
    Target,
    not_found,
    schedule_not_found,
)
from actorflow.store.protocol import RunRecord
from actorflow.store.reading import ReadableStore


class StoredReadings:
    """Implements `actorflow.engine.inspection.Readings`.

    Args:
        store: opened already.
        clock: the time.
    """

    def __init__(self, store: ReadableStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def describe(self, target: Target) -> Description:
        """See `Service.describe`. Of an activity it tells what is recorded; whether it runs, only its process knows."""
        return await describe_run(self._store, await self._record(target), now=self._clock.now())

    async def list(self, request: ListRequest) -> ExecutionPage:
        """See `Service.list`."""
        return await list_page(self._store, request)

    async def count(self, namespace: str, query: str) -> ExecutionCount:
        """See `Service.count`."""
        return await count_runs(self._store, namespace, query)

    async def history(self, target: Target) -> RunHistory:
        """See `Service.history`."""
        identity = (await self._record(target)).identity
        turns = turns_of(identity, await self._store.journal(identity.key))
        return RunHistory(identity.run_id, identity.started_at, turns)

    async def result(self, target: Target) -> Closed | Parked:
        """See `Service.result`; the wait lasts as long as nobody runs the execution.

        Raises:
            CorruptJournalError: it is open, and will stay so: its journal is damaged.
        """
        version = await self._store.version()  # from here on, nothing that is committed is missed
        record = await self._record(target)
        run = Target(target.namespace, target.workflow_id, record.identity.run_id)
        if record.head.status == "running":
            turns_of(record.identity, await self._store.journal(record.identity.key))
        while (end := parking_of(record) or await end_of(self._store, record)) is None:
            version = await self._version_after(version)
            record = await self._record(run)
        return end

    async def describe_schedule(self, namespace: str, schedule_id: str) -> ScheduleDescribed:
        """See `Service.describe_schedule`."""
        row = await self._store.schedule(namespace, schedule_id)
        if row is None:
            raise schedule_not_found(schedule_id, namespace)
        return described(decode_record(schedule_id, row.record), self._clock.now())

    async def list_schedules(self, namespace: str, after: str, limit: int) -> SchedulePage:
        """See `Service.list_schedules`."""
        rows = await self._store.schedules((namespace, after), limit + 1)
        records = [decode_record(row.schedule_id, row.record) for row in rows if row.namespace == namespace]
        return await page_of(records, limit, self._clock.now())

    async def _version_after(self, version: Hashable) -> Hashable:
        # Another process commits, so there is nobody to wake us.
        while (found := await self._store.version()) == version:  # noqa: ASYNC110
            await anyio.sleep(limits.LOOK_INTERVAL.total_seconds())
        return found

    async def _record(self, target: Target) -> RunRecord:
        check_id(target.workflow_id)
        if target.run_id is not None:
            check_name("run id", target.run_id)
        record = await self._store.find(target.namespace, target.workflow_id, target.run_id)
        if record is None:
            raise not_found(target.workflow_id, target.run_id, target.namespace)
        return record
