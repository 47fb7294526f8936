"""The life of one journal in this process: opened, served, closed; workers register here, actors live here."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Coroutine, Sequence
from typing import Any

import anyio

from actorflow.activity import ActivityCancellationDetails
from actorflow.clock import Clock
from actorflow.core import limits
from actorflow.engine.gauges import Gauges, describe_build
from actorflow.engine.group_commit import stopped
from actorflow.engine.population import Population
from actorflow.engine.post import Post
from actorflow.engine.recovery import Recovery
from actorflow.engine.registry import WorkerHost
from actorflow.engine.requests import Requests
from actorflow.engine.site import Site
from actorflow.engine.workflow_actor import WorkflowActor
from actorflow.exceptions import EngineStoppedError, StorageError, StorageFailedError
from actorflow.observability.metrics import Metrics
from actorflow.store.protocol import Store

_log = logging.getLogger("actorflow.engine")

_TORN_DOWN_AT_ONCE = 100


class Engine:
    """Hosts actors on a store: `opened` before anything else, `service` for requests, `stop` and `ended` at the end.

    Args:
        store: where journals are kept; the engine opens and closes it.
        clock: time and identities.
        name: of the journal, for messages.
        metrics: what it counts; by default part of this process's sum.
    """

    def __init__(self, store: Store, clock: Clock, name: str, metrics: Metrics | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        self.metrics = metrics or Metrics()
        self.name = name
        self.clock = clock
        self.store = store
        self._failure: BaseException | None = None
        self._is_stopping = False
        self._is_closing = False
        self._background: set[asyncio.Task[None]] = set()
        self.site = Site(self._loop, store, clock, self.metrics, slice_seconds=limits.DISPATCH_SLICE_SECONDS)
        self.site.fail = self._fail
        self.site.spawn = self._spawn
        self.site.is_ending = lambda: self._is_closing or self._main.cancelling() > 0
        self.population = Population(self.site)
        Post(self.site, self.population)
        self.service = Requests(self.site, self.population, clock)
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
        return self._is_stopping or self._is_closing or self._failure is not None or self._main.done()

    @property
    def is_at_rest(self) -> bool:
        """True if nothing is under way: only time, a caller, or an activity that runs can change anything."""
        return (
            self.site.dispatcher.is_idle
            and self.site.journal.is_settled
            and self.population.is_idle
            and not self.service.is_asked
            and not self._background
        )

    async def opened(self) -> None:
        """Wait until the journal is open.

        Raises:
            StorageError: it can't be.
        """
        await asyncio.shield(self._opened)

    def stop(self) -> None:
        """Begin to close: write what was decided, give the journal back and end every thread; see `ended`."""
        self._is_stopping = True
        self._close_asked.set()

    async def ended(self) -> None:
        """Wait until everything is closed."""
        await asyncio.wait([self._main])
        if not self._main.cancelled() and self._main.exception() is not None:
            _log.error("the engine ended with an error", exc_info=self._main.exception())

    async def _serve(self) -> None:
        try:
            if not await self._open():
                return  # whoever waits in `opened` knows why
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

    async def _open(self) -> bool:
        try:
            await self.store.open()
        except BaseException as problem:
            self._opened.set_exception(problem if isinstance(problem, Exception) else stopped(None))
            self._opened.exception()  # nobody may be waiting any more
            if not isinstance(problem, StorageError):
                raise
            return False
        self.site.health.start()
        describe_build(self.metrics, self._loop, str(self.store.facts().get("version", "")))
        self.metrics.open(Gauges(self.site, self.population))
        self._opened.set_result(None)
        return True

    async def _finish_writing(self) -> None:
        if self._failure is not None:
            return
        await self._settle()

    async def _shut_down(self) -> None:
        self._is_closing = True
        self.site.journal.close(self._failure)
        self.site.wakes.close()
        self._recovery.close()
        for task in list(self._background):
            task.cancel()
        await self._leave_memory(self.population.actors)
        for of_run in list(self.site.activities.values()):
            for activity in list(of_run.values()):
                activity.abandon()
        self.service.stop(self._failure)
        self.population.close(stopped(self._failure))
        self.site.health.stop()
        self.metrics.close()
        await self.store.close()

    def _fail(self, problem: BaseException) -> None:
        """Stop: nothing more is acknowledged. What is on disk is right; a restart goes on from there."""
        if self._failure is not None or self._is_closing:
            return
        self._failure = problem
        _log.critical("the engine of %s stops: %s", self.name, problem)
        self.site.journal.close(problem)
        self.service.stop(problem)
        self.population.close(stopped(problem))
        self._close_asked.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        if self._is_closing:
            work.close()
            return
        task = self._loop.create_task(self._guarded(work))
        self._background.add(task)
        task.add_done_callback(self._end_background)

    def _end_background(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        self.site.rest.stir()

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
        if self.is_stopped:
            raise stopped(self._failure)
        self.site.registry.add(host)
        self._recovery.rouse(host)
        self._spawn(self._recovery.resume(host))

    async def deregister(self, host: WorkerHost) -> None:
        """A worker leaves. Running activities get its graceful timeout, then cancellation; completions are recorded."""
        host.shutdown.set()
        self.site.registry.remove(host)
        await self._settle()  # a turn under way may still start activities on a slot it has reserved here
        with anyio.move_on_after(host.graceful_shutdown_timeout.total_seconds()):
            await host.until_idle()
        for attempt in list(host.attempts):
            attempt.request_cancel(ActivityCancellationDetails(worker_shutdown=True), at_once=True)
        with anyio.move_on_after(limits.CANCELLED_ACTIVITY_GRACE.total_seconds()):
            await host.until_idle()
        if host.attempts:
            _log.warning(
                "worker %s leaves %d activities behind that did not stop when asked: %s",
                host.identity,
                len(host.attempts),
                ", ".join(sorted({attempt.name for attempt in host.attempts})),
            )
        host.close()
        await self._evict(host)

    async def _evict(self, host: WorkerHost) -> None:
        """Let every program of a worker leave memory, once its last turn is durable."""
        for actor in self.population.actors:
            if actor.runs_on(host):
                self.site.dispatcher.wake(actor)
        await self._settle()
        leaving = [actor for actor in self.population.actors if actor.runs_on(host)]
        await self._leave_memory(leaving, only_idle=True)

    async def _settle(self) -> None:
        try:
            with anyio.move_on_after(limits.CLOSE_TIMEOUT.total_seconds()):
                await self.site.journal.settled(is_patient=False)
        except (EngineStoppedError, StorageError) as problem:
            _log.info("leaving without waiting for the journal: %s", problem)

    async def _leave_memory(self, actors: Sequence[WorkflowActor], *, only_idle: bool = False) -> None:
        """Take programs apart, a few at a time: their ``finally`` blocks run now, and others want their turn."""
        for index, actor in enumerate(actors):
            if actor.is_evictable or not only_idle:
                actor.passivate("drain")
            if index % _TORN_DOWN_AT_ONCE == 0:
                await asyncio.sleep(0)
