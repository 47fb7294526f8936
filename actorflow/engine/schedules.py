"""The schedules of one engine: all of them in memory, and one timer for the earliest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from itertools import count

import msgspec

from actorflow.clock import Clock
from actorflow.core import limits
from actorflow.core.policy.checks import check_id
from actorflow.core.schedules import steps
from actorflow.core.schedules.record import Definition, Patch, ScheduleRecord, decode_record
from actorflow.engine.calls import Calls
from actorflow.engine.population import patiently
from actorflow.engine.schedule_actor import ScheduleActor, Step
from actorflow.engine.schedule_errands import Errands
from actorflow.engine.site import Site
from actorflow.engine.wakes import Wakes
from actorflow.exceptions import ScheduleAlreadyRunningError
from actorflow.service import (
    RPCError,
    RPCStatusCode,
    ScheduleDescribed,
    SchedulePage,
    ScheduleRequest,
    schedule_not_found,
)
from actorflow.store.protocol import ScheduleRow

_NOT_YET = 0
"""The version of a row that does not exist."""


class Schedules:
    """The part of `actorflow.service.Service` that is about schedules.

    Args:
        site: collaborators.
        clock: the time.
        calls: what every call needs.
        errands: what actors of schedules have done by others.
    """

    def __init__(self, site: Site, clock: Clock, calls: Calls, errands: Errands) -> None:
        self._site = site
        self._clock = clock
        self._calls = calls
        self._errands = errands
        self._actors: dict[tuple[str, str], ScheduleActor] = {}
        self._actor_by_number: dict[int, ScheduleActor] = {}
        self._number_by_actor: dict[ScheduleActor, int] = {}
        self._numbers = count()
        self._armed: dict[int, datetime] = {}
        self._wakes = Wakes(clock, self._wake, site.counting.timer_lag)
        self._is_loaded = False
        self._early: list[asyncio.Future[None]] = []

    # Life

    async def resume(self) -> None:
        """Read all schedules, and go on with them."""
        store, after = self._site.store, ("", "")
        while rows := await patiently(lambda: store.schedules(after, limits.RECOVERY_PAGE)):  # noqa: B023
            for row in rows:
                self._admit(row, decode_record(row.schedule_id, row.record))
            after = (rows[-1].namespace, rows[-1].schedule_id)
        self._is_loaded = True
        for early in self._early:
            if not early.done():
                early.set_result(None)
        self._early.clear()
        for actor in list(self._actors.values()):
            actor.wake()
            await asyncio.sleep(0)  # whoever else is ready goes first

    def close(self) -> None:
        """Wake none any more."""
        self._wakes.close()

    def _admit(self, row: ScheduleRow, record: ScheduleRecord | None) -> ScheduleActor:
        actor = ScheduleActor(self._site, self._errands, row, record, arm=self._arm, leave=self._leave)
        number = next(self._numbers)
        self._actors[row.namespace, row.schedule_id] = actor
        self._actor_by_number[number] = actor
        self._number_by_actor[actor] = number
        return actor

    def _leave(self, actor: ScheduleActor) -> None:
        del self._actors[actor.namespace, actor.schedule_id]
        number = self._number_by_actor.pop(actor)
        del self._actor_by_number[number]
        self._armed.pop(number, None)

    def _arm(self, actor: ScheduleActor) -> None:
        at = None if actor.record is None else steps.wakes_at(actor.record)
        number = self._number_by_actor[actor]
        if (
            at is not None and self._armed.get(number) != at
        ):  # entries are never taken back: one for each time is enough
            self._armed[number] = at
            self._wakes.add(at, number)

    def _wake(self, number: int) -> None:
        self._armed.pop(number, None)
        actor = self._actor_by_number.get(number)
        if actor is not None:
            actor.wake()

    # Calls

    async def create(self, request: ScheduleRequest) -> None:
        """See `Service.create_schedule`."""
        check_id(request.schedule_id)
        await self._ready()
        self._calls.check_writable()
        name = (request.namespace, request.schedule_id)
        if name in self._actors:
            await self._calls.settled()
            raise ScheduleAlreadyRunningError(request.schedule_id)
        if len(self._actors) >= limits.SCHEDULES_MAX:
            raise RPCError(
                f"there are {limits.SCHEDULES_MAX:,} schedules; delete one, or let one of them start more",
                RPCStatusCode.RESOURCE_EXHAUSTED,
            )
        definition = self._typed(request.namespace, request.definition)
        actor = self._admit(ScheduleRow(*name, _NOT_YET, ""), None)

        def step(_record: ScheduleRecord | None) -> ScheduleRecord:
            return steps.created(
                request.schedule_id, definition, self._clock.now(), patch=request.patch, memo=request.memo
            )

        await self._posted(actor, step)

    async def describe(self, namespace: str, schedule_id: str) -> ScheduleDescribed:
        """See `Service.describe_schedule`."""
        actor = await self._actor(namespace, schedule_id)
        if self._site.journal.stalled is None:  # else the disk is the truth
            await self._posted(actor, _unchanged)  # what has come before is in it
        if actor.record is None:
            raise schedule_not_found(schedule_id, namespace)
        return described(actor.record, self._clock.now())

    async def list(self, namespace: str, after: str, limit: int) -> SchedulePage:
        """See `Service.list_schedules`."""
        await self._ready()
        names = sorted(name for name in self._actors if name[0] == namespace and name[1] > after)
        records = [record for name in names if (record := self._actors[name].record) is not None]
        return await page_of(records, limit, self._clock.now())

    async def update(self, namespace: str, schedule_id: str, definition: Definition, revision: int) -> None:
        """See `Service.update_schedule`."""

        def step(record: ScheduleRecord) -> ScheduleRecord:
            if record.revision != revision:
                raise RPCError(
                    f"schedule {schedule_id!r} has changed since it was described; describe it again",
                    RPCStatusCode.ABORTED,
                )
            return steps.updated(record, self._typed(namespace, definition), self._clock.now())

        await self._change(namespace, schedule_id, step)

    async def patch(self, namespace: str, schedule_id: str, patch: Patch) -> None:
        """See `Service.patch_schedule`."""
        await self._change(namespace, schedule_id, lambda record: steps.patched(record, patch, self._clock.now()))

    async def delete(self, namespace: str, schedule_id: str) -> None:
        """See `Service.delete_schedule`."""
        await self._change(namespace, schedule_id, lambda _record: None)

    async def _change(
        self, namespace: str, schedule_id: str, step: Callable[[ScheduleRecord], ScheduleRecord | None]
    ) -> None:
        actor = await self._actor(namespace, schedule_id)
        self._calls.check_writable()

        def known(record: ScheduleRecord | None) -> ScheduleRecord | None:
            if record is None:
                raise schedule_not_found(schedule_id, namespace)
            return step(record)

        await self._posted(actor, known)

    def _typed(self, namespace: str, definition: Definition) -> Definition:
        action = definition.action
        if action.options is None:
            return definition
        options = self._site.attribute_types.options(namespace, action.workflow_id, action.options)
        return msgspec.structs.replace(definition, action=msgspec.structs.replace(action, options=options))

    async def _posted(self, actor: ScheduleActor, step: Step) -> None:
        reply = self._calls.reply()
        actor.post(step, reply)
        await self._calls.answered(reply)

    async def _actor(self, namespace: str, schedule_id: str) -> ScheduleActor:
        """The actor of a schedule that exists durably."""
        check_id(schedule_id)
        await self._ready()
        actor = self._actors.get((namespace, schedule_id))
        if actor is None or actor.record is None:
            raise schedule_not_found(schedule_id, namespace)
        return actor

    async def _ready(self) -> None:
        """Wait until all schedules were read."""
        self._calls.check_running()
        if not self._is_loaded:
            early = self._calls.reply()
            self._early.append(early)
            await self._calls.answered(early)


def _unchanged(record: ScheduleRecord | None) -> ScheduleRecord | None:
    return record


def described(record: ScheduleRecord, now: datetime) -> ScheduleDescribed:
    """A record, and when it is due next."""
    return ScheduleDescribed(record, tuple(steps.next_times(record, now)))


async def page_of(records: Sequence[ScheduleRecord], limit: int, now: datetime) -> SchedulePage:
    """The first of them, and whether there are more."""
    page: list[ScheduleDescribed] = []
    for record in records[:limit]:
        page.append(described(record, now))
        await asyncio.sleep(0)  # each takes about a millisecond, and others want their turn
    return SchedulePage(tuple(page), page[-1].record.schedule_id if len(records) > limit else "")
