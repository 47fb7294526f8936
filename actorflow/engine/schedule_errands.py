"""What an actor of a schedule has done by others: workflows that are started, watched and stopped."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

import msgspec

from actorflow.common import WorkflowIDReusePolicy
from actorflow.core import limits
from actorflow.core.events import AnyEvent
from actorflow.core.notes import (
    SCHEDULED_BY_ID,
    SCHEDULED_START_TIME,
    Attributes,
    Type,
    kept_value,
    merged,
)
from actorflow.core.schedules import steps
from actorflow.core.schedules.record import Action, RunningAction, ScheduleRecord, request_id_of, stamped
from actorflow.core.state import NO_OPTIONS
from actorflow.engine.ends import end_of
from actorflow.engine.population import patiently
from actorflow.engine.site import Site
from actorflow.engine.starts import Starts
from actorflow.exceptions import (
    CorruptJournalError,
    SearchAttributeLimitError,
    SearchAttributeTypeError,
    StorageBusyError,
    StorageFullError,
    WorkflowAlreadyStartedError,
)
from actorflow.service import RPCError, RPCStatusCode, StartRequest, Target
from actorflow.store.protocol import Identity

_log = logging.getLogger("actorflow.engine")

T = TypeVar("T")

Told = Callable[[str, AnyEvent | None], None]
"""Told the first run of a workflow that has closed for good, and if it is known the event it closed with."""


class Errands:
    """What an actor of a schedule has done by others.

    Args:
        site: collaborators.
        starts: begins executions.
        cancel: as `Service.cancel`.
        terminate: as `Service.terminate`.
    """

    def __init__(
        self,
        site: Site,
        starts: Starts,
        cancel: Callable[[Target, str], Awaitable[None]],
        terminate: Callable[[Target, str, tuple[()]], Awaitable[None]],
    ) -> None:
        self._site = site
        self._starts = starts
        self._cancel = cancel
        self._terminate = terminate

    async def start(self, namespace: str, record: ScheduleRecord, action: Action, told: Told) -> steps.Start | None:
        """Start the workflow of an action, or find the one it started before; None if another one is in its way.

        ``told`` is called once it has closed for good, with its first run and, if it is known, the closing event.
        """
        request = _start_request(namespace, record, action)
        found = await self._begun_before(request)
        if found is not None:
            running = RunningAction(request.workflow_id, found.run_id)
            await self.watch(namespace, running, told)
            is_own = found.started_at >= action.decided_at
            return steps.Start(request.workflow_id, found.run_id, found.started_at, is_own)
        watched: list[str] = []

        def watch(identity: Identity) -> None:
            watched.append(identity.run_id)
            self._site.scheduled[identity.run_id] = partial(told, identity.run_id)

        try:
            begun = await self._persistently(lambda: self._starts.begin(request, watch=watch))
        except (WorkflowAlreadyStartedError, SearchAttributeTypeError, SearchAttributeLimitError) as refusal:
            _log.warning("schedule %r can't start what is due: %s", record.schedule_id, refusal)
            begun = None
        for run_id in watched:
            if begun is None or run_id != begun.run_id:
                self._site.scheduled.pop(run_id, None)
        if begun is None:
            return None
        if not begun.is_new:  # a try before this one was kept while the disk was full
            await self.watch(namespace, RunningAction(request.workflow_id, begun.run_id), told)
        return steps.Start(request.workflow_id, begun.run_id, self._site.clock.now())

    async def _begun_before(self, request: StartRequest) -> Identity | None:
        """The first run of what the same start began before, in an earlier process or for another action."""
        store, name = self._site.store, (request.namespace, request.workflow_id)
        record = await patiently(lambda: store.find(*name))
        if record is not None and record.identity.first_run_id:
            first = record.identity.first_run_id
            record = await patiently(lambda: store.find(*name, first))
        if record is None or record.identity.request_id != request.request_id:
            return None
        return record.identity

    async def watch(self, namespace: str, running: RunningAction, told: Told) -> None:
        """Have somebody told once a workflow has closed for good, also if it did before."""
        first = running.first_run_id
        self._site.scheduled[first] = partial(told, first)
        store = self._site.store
        record = await patiently(lambda: store.find(namespace, running.workflow_id))
        if record is None or record.identity.chain != first:
            record = await patiently(lambda: store.find(namespace, running.workflow_id, first))
        if record is not None and record.head.status == "running":
            return
        try:
            end = None if record is None else await patiently(lambda: end_of(store, record))
        except (CorruptJournalError, msgspec.DecodeError) as problem:
            _log.warning("how workflow %r ended can't be read: %s", running.workflow_id, problem)
            end = None
        if self._site.scheduled.pop(first, None) is not None:
            told(first, None if end is None else end.event)

    async def stop(self, namespace: str, running: RunningAction, schedule_id: str) -> None:
        """Ask a workflow to stop, or end it."""
        target = Target(namespace, running.workflow_id, first_run_id=running.first_run_id)
        reason = f"the next action of schedule {schedule_id!r} is due"
        try:
            if running.stop == "cancel":
                await self._persistently(lambda: self._cancel(target, reason))
            else:
                await self._persistently(lambda: self._terminate(target, reason, ()))
        except RPCError as refusal:
            if refusal.status != RPCStatusCode.NOT_FOUND:  # it has closed meanwhile
                raise

    async def _persistently(self, call: Callable[[], Awaitable[T]]) -> T:
        """Call again and again while the disk is full or locked; what is repeated is repeated with the same id."""
        while True:
            try:
                return await call()
            except (StorageFullError, StorageBusyError):
                await asyncio.sleep(limits.STORE_RETRY_DELAY.total_seconds())


def _start_request(namespace: str, record: ScheduleRecord, action: Action) -> StartRequest:
    asked = record.definition.action
    options = asked.options or NO_OPTIONS
    options = msgspec.structs.replace(
        options,
        last_result=record.last_result,
        last_failure=record.last_failure,
        search_attributes=merged(options.search_attributes, _scheduled(record.schedule_id, action.nominal)),
    )
    return StartRequest(
        namespace=namespace,
        workflow_id=stamped(asked.workflow_id, action.nominal),
        workflow_type=asked.workflow_type,
        task_queue=asked.task_queue,
        input=asked.input,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        request_id=request_id_of(record, action),
        options=options,
    )


def _scheduled(schedule_id: str, nominal: datetime) -> Attributes:
    """By which the workflows of a schedule are found."""
    return merged(
        None,
        {
            SCHEDULED_BY_ID: kept_value(Type.KEYWORD, schedule_id),
            SCHEDULED_START_TIME: kept_value(Type.DATETIME, nominal),
        },
    )
