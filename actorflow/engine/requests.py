"""What clients ask of an engine, and how it is answered: nothing is said before it is durable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from actorflow.clock import Clock
from actorflow.common import QueryRejectCondition
from actorflow.converter import Failure, Payload
from actorflow.core import events as ev, limits
from actorflow.core.policy.checks import check_name, check_payloads, check_text
from actorflow.core.schedules.record import Definition, Patch
from actorflow.engine.activity_requests import ActivityRequests
from actorflow.engine.calls import Calls
from actorflow.engine.describe import describe_run
from actorflow.engine.ends import end_of, parking_of
from actorflow.engine.group_commit import stopped
from actorflow.engine.listing import count_runs, list_page
from actorflow.engine.mailbox import Delivery, Query
from actorflow.engine.population import Population
from actorflow.engine.schedule_errands import Errands
from actorflow.engine.schedules import Schedules
from actorflow.engine.site import Site
from actorflow.engine.starts import Starts
from actorflow.engine.update_requests import UpdateRequests
from actorflow.exceptions import StorageError
from actorflow.service import (
    ActivityReport,
    ActivityTarget,
    Closed,
    Description,
    ExecutionCount,
    ExecutionPage,
    Headers,
    ListRequest,
    Parked,
    QueryRejected,
    RPCError,
    RPCStatusCode,
    RunHistory,
    ScheduleDescribed,
    SchedulePage,
    ScheduleRequest,
    StartRequest,
    Target,
    UpdateAnswer,
    UpdateRequest,
    already_closed,
)


class Requests:
    """Implements `actorflow.service.Service` for one engine.

    Args:
        site: collaborators.
        population: where actors are found.
        clock: time and identities.
    """

    def __init__(self, site: Site, population: Population, clock: Clock) -> None:
        self._site = site
        self._population = population
        self._clock = clock
        self._store = site.store
        self._calls = calls = Calls(site, population)
        self._starts = Starts(site, population, clock, calls)
        self._activities = ActivityRequests(site, population, calls)
        self._updates = UpdateRequests(site, population, clock, calls, self._starts)
        self.schedules = Schedules(site, clock, calls, Errands(site, self._starts, self.cancel, self.terminate))

    def stop(self, failure: BaseException | None) -> None:
        """Answer no more; whoever waits is told why."""
        self._calls.stop(failure)
        for waiting in self._site.waiters.values():
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_exception(stopped(failure))
        self._site.waiters.clear()
        self._site.updates.stop(stopped(failure))

    @property
    def is_asked(self) -> bool:
        """True while a call is under way that needs no time to pass."""
        return self._calls.is_waiting

    async def start(self, request: StartRequest) -> tuple[str, bool]:
        """See `Service.start`."""
        return await self._starts.start(request)

    async def update(self, target: Target, request: UpdateRequest) -> UpdateAnswer | Parked:
        """See `Service.update`."""
        return await self._updates.update(target, request)

    async def update_with_start(
        self, start: StartRequest, request: UpdateRequest, on_started: Callable[[str], None]
    ) -> UpdateAnswer | Parked:
        """See `Service.update_with_start`."""
        return await self._updates.update_with_start(start, request, on_started)

    async def update_outcome(self, target: Target, update_id: str) -> UpdateAnswer | Parked:
        """See `Service.update_outcome`."""
        return await self._updates.update_outcome(target, update_id)

    async def signal(
        self, target: Target, name: str, input: tuple[Payload, ...], request_id: str = "", headers: Headers = None
    ) -> None:
        """See `Service.signal`."""
        check_name("signal", name)
        check_text("request id", request_id)
        check_payloads(f"signal {name!r}", input)
        await self._calls.post(target, ev.SignalReceived(name, input, request_id, headers))

    async def cancel(self, target: Target, reason: str) -> None:
        """See `Service.cancel`."""
        self._calls.check_writable()
        check_text("reason", reason)
        actor, _ = await self._calls.find(target)
        if actor is None:
            return
        try:
            await self._calls.posted(actor, ev.CancelRequested(reason))
        except RPCError as refusal:
            if refusal.status != RPCStatusCode.NOT_FOUND:
                raise

    async def terminate(self, target: Target, reason: str, details: tuple[Payload, ...]) -> None:
        """See `Service.terminate`."""
        self._calls.check_writable()
        check_text("reason", reason)
        check_payloads("the details", details)
        actor, record = await self._calls.find(target)
        if actor is None:
            assert record is not None
            self._site.counting.rejected(ev.Terminated())
            raise already_closed(target.workflow_id, record.head.status)
        reply = self._calls.reply()
        message = ev.Terminated(reason, details)
        actor.terminate(Delivery(message, reply))
        await self._calls.taken(reply, message)

    async def query(
        self,
        target: Target,
        name: str,
        input: tuple[Payload, ...],
        reject: QueryRejectCondition | None,
        timeout: float | None,
        headers: Headers = None,
    ) -> Payload | Failure | Parked | QueryRejected:
        """See `Service.query`."""
        self._calls.check_running()
        check_name("query", name)
        check_payloads(f"query {name!r}", input)
        actor, record = await self._calls.find(target)
        status = "running" if actor is not None else record.head.status if record is not None else ""
        if _is_rejected(reject, status):
            self._site.counting.query(is_answered=False)
            return QueryRejected(status)
        if actor is None:
            assert record is not None
            actor = self._population.actor_of(record.identity, record.head, record.inbox)
        reply = self._calls.reply()
        actor.ask(Query(name, input, reply, headers))
        try:
            async with asyncio.timeout(limits.QUERY_TIMEOUT.total_seconds() if timeout is None else timeout):
                answer = await self._calls.answered(reply)
            self._site.counting.query(is_answered=True)
            return answer
        except TimeoutError as late:
            self._site.counting.query(is_answered=False)
            self._site.dispatcher.wake(actor)  # it may have been kept in memory for this question alone
            raise RPCError(
                f"query {name!r} of workflow {target.workflow_id!r} was not answered in time; "
                f"is a worker for its type on task queue {actor.identity.task_queue!r} running?",
                RPCStatusCode.DEADLINE_EXCEEDED,
            ) from late

    async def settle_activity(self, activity: ActivityTarget, report: ActivityReport) -> None:
        """See `Service.settle_activity`."""
        await self._activities.settle(activity, report)

    async def beat_activity(self, activity: ActivityTarget, details: tuple[Payload, ...]) -> bool:
        """See `Service.beat_activity`."""
        return await self._activities.beat(activity, details)

    async def describe(self, target: Target) -> Description:
        """See `Service.describe`."""
        record = await self._calls.record(target)
        with self._site.rest.lookup():
            return await describe_run(self._store, record, now=self._clock.now(), live=self._site.activities)

    async def list(self, request: ListRequest) -> ExecutionPage:
        """See `Service.list`."""
        self._calls.check_running()
        await self._calls.settled()
        try:
            with self._site.rest.lookup():
                known = self._site.attribute_types.known(request.namespace)
                return await list_page(self._store, request, known)
        except StorageError:
            self._calls.check_running()  # the journal was closed while it was being read
            raise

    async def count(self, namespace: str, query: str) -> ExecutionCount:
        """See `Service.count`."""
        self._calls.check_running()
        await self._calls.settled()
        try:
            with self._site.rest.lookup():
                return await count_runs(self._store, namespace, query, self._site.attribute_types.known(namespace))
        except StorageError:
            self._calls.check_running()
            raise

    async def history(self, target: Target) -> RunHistory:
        """See `Service.history`."""
        identity = (await self._calls.record(target)).identity
        return RunHistory(identity.run_id, identity.started_at, await self._calls.turns(identity))

    async def result(self, target: Target) -> Closed | Parked:
        """See `Service.result`."""
        self._calls.check_running()
        actor = self._calls.in_memory(target)
        if actor is not None:
            key, run_id = actor.identity.key, actor.identity.run_id
            if actor.parked is not None:
                return actor.parked
        else:
            identity = (await self._calls.record(target)).identity
            key, run_id = identity.key, identity.run_id
            actor = self._population.by_key(key)
            if actor is not None and actor.is_closed:
                actor = None
            elif actor is not None and actor.parked is not None:  # since it was looked for
                return actor.parked
        self._calls.check_running()
        waiter: asyncio.Future[Closed | Parked] = self._site.loop.create_future()
        self._site.waiters.setdefault(key, []).append(waiter)
        self._site.rest.stir()
        try:
            if actor is None:
                # Read once more: it may have closed between the first look and the waiter.
                known = await self._known_end(Target(target.namespace, target.workflow_id, run_id))
                if known is not None:
                    return known
            return await waiter
        finally:
            self._stop_waiting(key, waiter)

    async def create_schedule(self, request: ScheduleRequest) -> None:
        """See `Service.create_schedule`."""
        await self.schedules.create(request)

    async def describe_schedule(self, namespace: str, schedule_id: str) -> ScheduleDescribed:
        """See `Service.describe_schedule`."""
        return await self.schedules.describe(namespace, schedule_id)

    async def list_schedules(self, namespace: str, after: str, limit: int) -> SchedulePage:
        """See `Service.list_schedules`."""
        return await self.schedules.list(namespace, after, limit)

    async def update_schedule(self, namespace: str, schedule_id: str, definition: Definition, revision: int) -> None:
        """See `Service.update_schedule`."""
        await self.schedules.update(namespace, schedule_id, definition, revision)

    async def patch_schedule(self, namespace: str, schedule_id: str, patch: Patch) -> None:
        """See `Service.patch_schedule`."""
        await self.schedules.patch(namespace, schedule_id, patch)

    async def delete_schedule(self, namespace: str, schedule_id: str) -> None:
        """See `Service.delete_schedule`."""
        await self.schedules.delete(namespace, schedule_id)

    async def _known_end(self, target: Target) -> Closed | Parked | None:
        record = await self._calls.record(target)
        parking = parking_of(record)
        if parking is not None:
            actor = self._population.actor_of(record.identity, record.head, record.inbox)
            if actor.host is not None and actor.parked is None:
                actor.wake_up()  # there is code to try again with: wait for what comes of it
                return None
            return actor.parked or parking
        with self._site.rest.lookup():
            return await end_of(self._store, record)

    def _stop_waiting(self, key: int, waiter: asyncio.Future[Closed | Parked]) -> None:
        waiting = self._site.waiters.get(key)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self._site.waiters[key]


def _is_rejected(reject: QueryRejectCondition | None, status: str) -> bool:
    if reject is None or reject == QueryRejectCondition.NONE:
        return False
    if reject == QueryRejectCondition.NOT_OPEN:
        return status != "running"
    return status not in ("running", "completed")
