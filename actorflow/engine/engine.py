"""The service of one journal in this process: clients ask it, workers register with it, actors live in it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any, TypeVar

import anyio

from actorflow.clock import Clock
from actorflow.common import QueryRejectCondition, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from actorflow.converter import Failure, Payload
from actorflow.core import events as ev
from actorflow.core import limits
from actorflow.core.journal import Turn, decode_turns, identity_checksum
from actorflow.core.policy.ids import check_id, check_name
from actorflow.engine.describe import describe_run
from actorflow.engine.failing import decode_failing
from actorflow.engine.group_commit import stopped
from actorflow.engine.mailbox import Delivery, Query
from actorflow.engine.population import Population
from actorflow.engine.recovery import Recovery
from actorflow.engine.registry import WorkerHost
from actorflow.engine.site import Site
from actorflow.engine.workflow_actor import WorkflowActor
from actorflow.exceptions import StorageError, StorageFailedError, WorkflowAlreadyStartedError
from actorflow.service import (
    Closed,
    Description,
    Parked,
    QueryRejected,
    RPCError,
    RPCStatusCode,
    StartRequest,
    Target,
    already_closed,
    not_found,
)
from actorflow.store.protocol import Begin, Conflict, Identity, RunRecord, Store

_log = logging.getLogger("actorflow.engine")
T = TypeVar("T")

_REUSE = {
    WorkflowIDReusePolicy.ALLOW_DUPLICATE: "allow",
    WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY: "failed_only",
    WorkflowIDReusePolicy.REJECT_DUPLICATE: "reject",
}
_QUERY_TIMEOUT = 10.0
_CLOSE_TIMEOUT = 5.0


class Engine:
    """Implements `actorflow.service.Service` on a store. Use `opened` before anything else, `close` at the end.

    Args:
        store: where journals are kept; the engine opens and closes it.
        clock: time and identities.
        name: of the journal, for messages.
    """

    def __init__(self, store: Store, clock: Clock, name: str) -> None:
        self._loop = asyncio.get_running_loop()
        self.name = name
        self.clock = clock
        self.store = store
        self._failure: BaseException | None = None
        self._is_closing = False
        self._calls: set[asyncio.Future[Any]] = set()
        self._jobs: set[asyncio.Task[None]] = set()
        self.site = Site(self._loop, store, clock, slice_seconds=limits.DISPATCH_SLICE_SECONDS)
        self.site.fail = self._fail
        self.site.spawn = self._spawn
        self.population = Population(self.site)
        self._recovery = Recovery(self.site, self.population)
        self._opened: asyncio.Future[None] = self._loop.create_future()
        self._close_asked = asyncio.Event()
        # The root of everything the engine runs. Whoever ends the event loop cancels it, and then it still closes the
        # store, so a program that forgets to close its client loses nothing and exits.
        self._main = self._loop.create_task(self._serve(), name=f"actorflow {name}")

    # Life

    @property
    def is_stopped(self) -> bool:
        """True once it serves no more."""
        return self._is_closing or self._main.done()

    async def opened(self) -> None:
        """Wait until the journal is open.

        Raises:
            StorageError: it can't be.
        """
        await asyncio.shield(self._opened)

    async def close(self) -> None:
        """Write what was decided, give the journal back and end every thread."""
        self._close_asked.set()
        await asyncio.wait([self._main])
        if not self._main.cancelled() and self._main.exception() is not None:
            _log.error("the engine ended with an error", exc_info=self._main.exception())

    async def _serve(self) -> None:
        try:
            await self._open()
            async with anyio.create_task_group() as group:
                group.start_soon(self.population.run)
                group.start_soon(self._let_idle_leave)
                await self._close_asked.wait()
                await self._finish_writing()
                group.cancel_scope.cancel()
        except StorageError as problem:
            self._fail(problem)
        finally:
            with anyio.CancelScope(shield=True):
                await self._shut_down()

    async def _open(self) -> None:
        try:
            await self.store.open()
        except BaseException as problem:
            if not self._opened.done():
                self._opened.set_exception(problem if isinstance(problem, Exception) else stopped(None))
                self._opened.exception()  # nobody may be waiting any more
            raise
        self.site.health.start()
        self._opened.set_result(None)

    async def _finish_writing(self) -> None:
        with anyio.move_on_after(_CLOSE_TIMEOUT):
            await self._settled()

    async def _shut_down(self) -> None:
        self._is_closing = True
        self.site.journal.close()
        self.site.wakes.close()
        for job in list(self._jobs):
            job.cancel()
        for actor in self.population.actors:
            actor.passivate()
        for of_run in list(self.site.activities.values()):
            for activity in list(of_run.values()):
                activity.abandon()
        error = stopped(self._failure)
        waiters = [waiter for waiting in self.site.waiters.values() for waiter in waiting]
        for call in [*self._calls, *waiters]:
            if not call.done():
                call.set_exception(error)
        self.site.waiters.clear()
        self.site.health.stop()
        await self.store.close()

    def _fail(self, problem: BaseException) -> None:
        """Stop: nothing more is acknowledged. What is on disk is right; a restart goes on from there."""
        if self._failure is not None or self._is_closing:
            return
        self._failure = problem
        _log.critical("the engine of %s stops: %s", self.name, problem)
        for call in self._calls:
            if not call.done():
                call.set_exception(stopped(problem))
        self._close_asked.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._is_closing:
            work.close()
            return
        job = self._loop.create_task(self._guarded(work))
        self._jobs.add(job)
        job.add_done_callback(self._jobs.discard)

    async def _guarded(self, work: Awaitable[None]) -> None:
        try:
            await work
        except StorageError as problem:
            self._fail(problem)
        except Exception as problem:
            _log.critical("a bug in the engine", exc_info=True)
            self._fail(StorageFailedError(f"a bug in the engine: {problem!r}; restart, and please report it"))

    async def _let_idle_leave(self) -> None:
        idle = limits.IDLE_TIMEOUT.total_seconds()
        while True:
            await anyio.sleep(idle / 4)
            for host in self.site.registry.hosts:
                host.residency.passivate_idle(idle)

    # Workers

    def register(self, host: WorkerHost) -> None:
        """A worker has come: run what it can serve."""
        self._check_running()
        self.site.registry.add(host)
        self._spawn(self._recovery.resume(host))

    async def deregister(self, host: WorkerHost) -> None:
        """A worker leaves. Running activities get its graceful timeout, then cancellation; completions are recorded."""
        host.is_shutting_down = True
        self.site.registry.remove(host)
        with anyio.move_on_after(host.graceful_shutdown_timeout.total_seconds()):
            await host.until_idle()
        for attempt in list(host.attempts):
            attempt.request_cancel(at_once=True)
        with anyio.move_on_after(limits.CANCELLED_ACTIVITY_GRACE.total_seconds()):
            await host.until_idle()
        if host.attempts:
            _log.warning(
                "worker %s leaves %d activities behind that did not stop when asked: %s",
                host.identity,
                len(host.attempts),
                ", ".join(sorted({attempt.name for attempt in host.attempts})),
            )
        await self._evict(host)

    async def _evict(self, host: WorkerHost) -> None:
        """Let every program of a worker leave memory, once its last turn is durable."""
        for actor in self.population.actors:
            if actor.runs_on(host):
                self.site.dispatcher.wake(actor)
        if not self.is_stopped:
            await self._settled()
        for actor in self.population.actors:
            if actor.runs_on(host):
                actor.passivate()

    # Service

    async def start(self, request: StartRequest) -> tuple[str, bool]:
        """See `Service.start`."""
        self._check_running()
        check_id(request.workflow_id)
        check_name("workflow type", request.workflow_type)
        check_name("task queue", request.task_queue)
        outcome, identity = await self._begin(request)
        if outcome is None:
            return identity.run_id, True
        run = outcome.run
        assert run is not None
        if outcome.repeated:
            return run.identity.run_id, False
        if run.head.status == "running" and request.conflict == WorkflowIDConflictPolicy.USE_EXISTING:
            return run.identity.run_id, False
        if run.head.status == "running" and request.conflict == WorkflowIDConflictPolicy.TERMINATE_EXISTING:
            return await self._replace(request, run)
        raise _already_started(run)

    async def _begin(self, request: StartRequest, instead_of: WorkflowActor | None = None) -> Any:
        identity = Identity(
            key=self.store.new_run_key(),
            namespace=request.namespace,
            workflow_id=request.workflow_id,
            run_id=self.clock.new_run_id(),
            workflow_type=request.workflow_type,
            task_queue=request.task_queue,
            started_at=self.clock.now(),
            request_id=request.request_id,
        )
        actor = WorkflowActor(self.site, identity)
        started = ev.Started(request.workflow_type, request.task_queue, request.input)
        reply = self._reply()
        begin = Begin(identity, _REUSE[request.reuse])
        if instead_of is None:
            actor.begin(begin, started, reply)
        else:
            self._loop.call_soon(_end_and_begin, instead_of, actor, begin, started, reply)
        return await self._answered(reply), identity

    async def _replace(self, request: StartRequest, run: RunRecord) -> tuple[str, bool]:
        """End the open run and begin the new one in one transaction."""
        await self._loaded(run.identity.key)
        existing = self.population.by_key(run.identity.key)
        outcome, identity = await self._begin(request, existing)
        if outcome is not None:
            raise _already_started(outcome.run)
        return identity.run_id, True

    async def signal(self, target: Target, name: str, input: tuple[Payload, ...], request_id: str = "") -> None:
        """See `Service.signal`."""
        check_name("signal", name)
        await self._post(target, ev.SignalReceived(name, input, request_id))

    async def cancel(self, target: Target, reason: str) -> None:
        """See `Service.cancel`."""
        self._check_running()
        actor, record = await self._find(target)
        if actor is None:
            return
        del record
        try:
            await self._posted(actor, ev.CancelRequested(reason))
        except RPCError as refusal:
            if refusal.status != RPCStatusCode.NOT_FOUND:
                raise

    async def terminate(self, target: Target, reason: str, details: tuple[Payload, ...]) -> None:
        """See `Service.terminate`."""
        self._check_running()
        actor, record = await self._find(target)
        if actor is None:
            assert record is not None
            raise already_closed(target.workflow_id, record.head.status)
        reply = self._reply()
        actor.terminate(Delivery(ev.Terminated(reason, details), reply))
        await self._answered(reply)

    async def query(
        self,
        target: Target,
        name: str,
        input: tuple[Payload, ...],
        reject: QueryRejectCondition | None,
        timeout: float | None,
    ) -> Payload | Failure | Parked | QueryRejected:
        """See `Service.query`."""
        self._check_running()
        actor, record = await self._find(target)
        status = "running" if actor is not None else record.head.status if record is not None else ""
        if _is_rejected(reject, status):
            return QueryRejected(status)
        if actor is None:
            assert record is not None
            actor = self.population.actor_of(record.identity, record.head)
        reply = self._reply()
        actor.ask(Query(name, input, reply))
        try:
            async with asyncio.timeout(_QUERY_TIMEOUT if timeout is None else timeout):
                return await self._answered(reply)
        except TimeoutError as late:
            raise RPCError(
                f"query {name!r} of workflow {target.workflow_id!r} was not answered in time; "
                f"is a worker for its type on task queue {actor.identity.task_queue!r} running?",
                RPCStatusCode.DEADLINE_EXCEEDED,
            ) from late

    async def describe(self, target: Target) -> Description:
        """See `Service.describe`."""
        record = await self._record(target)
        return await describe_run(self.site, record)

    async def history(self, target: Target) -> Sequence[Turn]:
        """See `Service.history`."""
        return await self._turns((await self._record(target)).identity)

    async def result(self, target: Target) -> Closed | Parked:
        """See `Service.result`."""
        self._check_running()
        actor = self._in_memory(target)
        if actor is not None:
            key, run_id = actor.identity.key, actor.identity.run_id
            if actor.parked is not None:
                return actor.parked
        else:
            identity = (await self._record(target)).identity
            key, run_id = identity.key, identity.run_id
        waiter: asyncio.Future[Closed | Parked] = self._loop.create_future()
        self.site.waiters.setdefault(key, []).append(waiter)
        try:
            if actor is None:
                # Read once more: it may have closed between the first look and the waiter.
                known = await self._known_end(Target(target.namespace, target.workflow_id, run_id))
                if known is not None:
                    return known
            return await waiter
        finally:
            self._stop_waiting(key, waiter)

    async def _known_end(self, target: Target) -> Closed | Parked | None:
        record = await self._record(target)
        if record.head.status != "running":
            turns = await self._turns(record.identity)
            return Closed(record.identity.run_id, turns[-1].events[-1])
        if record.head.parked is not None and record.head.failing is not None:
            failing = decode_failing(record.head.failing)
            return Parked(record.identity.run_id, failing.reason, failing.failure)
        return None

    def _stop_waiting(self, key: int, waiter: asyncio.Future[Closed | Parked]) -> None:
        waiting = self.site.waiters.get(key)
        if waiting is not None and waiter in waiting:
            waiting.remove(waiter)
            if not waiting:
                del self.site.waiters[key]

    # Finding and waiting

    def _in_memory(self, target: Target) -> WorkflowActor | None:
        actor = self.population.current(target.namespace, target.workflow_id)
        if actor is None or (target.run_id is not None and actor.identity.run_id != target.run_id):
            return None
        return actor

    async def _find(self, target: Target) -> tuple[WorkflowActor | None, RunRecord | None]:
        """The actor of an open run, or the record of a closed one."""
        actor = self._in_memory(target)
        if actor is not None:
            return actor, None
        record = await self._stored(target)
        if record.head.status != "running":
            return None, record
        return self.population.actor_of(record.identity, record.head), record

    async def _record(self, target: Target) -> RunRecord:
        """A run as it is on disk, with everything decided until now."""
        self._check_running()
        await self._settled()
        return await self._stored(target)

    async def _stored(self, target: Target) -> RunRecord:
        record = await self.store.find(target.namespace, target.workflow_id, target.run_id)
        if record is None:
            raise not_found(target.workflow_id, target.run_id, target.namespace)
        return record

    async def _turns(self, identity: Identity) -> Sequence[Turn]:
        seed = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
        return decode_turns(await self.store.journal(identity.key), seed=seed, run_id=identity.run_id)

    async def _loaded(self, key: int) -> None:
        if (actor := self.population.by_key(key)) is None or not actor.is_loaded:
            for run in await self.store.load([key]):
                self.population.take_in(run)

    async def _post(self, target: Target, message: ev.SignalReceived | ev.CancelRequested) -> None:
        self._check_running()
        actor, record = await self._find(target)
        if actor is None:
            assert record is not None
            raise already_closed(target.workflow_id, record.head.status)
        await self._posted(actor, message)

    async def _posted(self, actor: WorkflowActor, message: ev.SignalReceived | ev.CancelRequested) -> None:
        reply = self._reply()
        actor.post(Delivery(message, reply))
        await self._answered(reply)

    def _reply(self) -> asyncio.Future[Any]:
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._calls.add(reply)
        return reply

    async def _answered(self, reply: asyncio.Future[T]) -> T:
        try:
            return await reply
        finally:
            self._calls.discard(reply)

    async def _settled(self) -> None:
        if self.site.journal.is_settled:
            return
        reply = self._reply()
        self.site.journal.when_settled(lambda: None if reply.done() else reply.set_result(None))
        await self._answered(reply)

    def _check_running(self) -> None:
        if self._failure is not None or self.is_stopped:
            raise stopped(self._failure)
        if self.site.journal.stalled is not None:
            raise self.site.journal.stalled


def _end_and_begin(
    existing: WorkflowActor | None, actor: WorkflowActor, begin: Begin, started: ev.Started, reply: asyncio.Future[Any]
) -> None:
    # Both submit their change here and now, so both are in the same transaction.
    if existing is not None and not existing.is_closed:
        existing.terminate(Delivery(ev.Terminated("TerminateIfRunning WorkflowIdConflictPolicy", ())))
        existing.step()
    actor.begin(begin, started, reply)
    actor.step()


def _already_started(run: RunRecord) -> WorkflowAlreadyStartedError:
    identity = run.identity
    return WorkflowAlreadyStartedError(identity.workflow_id, identity.workflow_type, run_id=identity.run_id)


def _is_rejected(reject: QueryRejectCondition | None, status: str) -> bool:
    if reject is None or reject == QueryRejectCondition.NONE:
        return False
    if reject == QueryRejectCondition.NOT_OPEN:
        return status != "running"
    return status not in ("running", "completed")


__all__ = ["Conflict", "Engine"]
