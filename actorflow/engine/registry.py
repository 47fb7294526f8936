"""Which workers are here, and what they can run."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from typing import Any, Protocol

from actorflow.activity import ActivityCancellationDetails, Context, Info
from actorflow.actors.residency import Residency
from actorflow.converter import Coder, Payload, ValueConverter
from actorflow.core.definitions import DYNAMIC, ActivityDefinition, WorkflowDefinition
from actorflow.pool.executors import Done, LoopExecutor, RunningAttempt, ThreadExecutor
from actorflow.pool.flag import Flag
from actorflow.pool.slots import Slots, TaskQueue


class Interruptible(Protocol):
    """An attempt that is running."""

    @property
    def name(self) -> str:
        """What runs, for people."""
        ...

    def request_cancel(self, why: ActivityCancellationDetails, *, at_once: bool = False) -> None:
        """Ask it to stop."""
        ...


class ChildExecutor(Protocol):
    """Runs sync activities in other processes; see `actorflow.engine.process_activity`."""

    def start(
        self, function: Callable[..., Any], arguments: Sequence[Any], context: Context, done: Done
    ) -> RunningAttempt:
        """Start an attempt; ``done`` is called once, on the loop, whatever happens."""
        ...

    def close(self) -> None:
        """End what it has started."""
        ...


Run = Callable[[Callable[..., Any], Sequence[Any], Executor | None], Awaitable[Any]]
"""Runs an activity's function with these arguments: in that executor, or on the loop."""


class ActivityInterception(Protocol):
    """A worker's interceptors of activities; see `actorflow.worker.activity_interception`."""

    def call(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        headers: Mapping[str, Payload] | None,
        context: Speaking,
        run: Run,
    ) -> Awaitable[Any]:
        """Go through the interceptors of one attempt, which end with ``run``; gives its result."""
        ...


class Speaking(Protocol):
    """What the code of an attempt can reach, as far as interceptors may stand in between."""

    def unintercepted(self) -> tuple[Callable[[], Info], Callable[[Sequence[Any]], None]]:
        """What gives info and takes heartbeats before anybody stands in between."""
        ...

    def speak_through(self, info: Callable[[], Info], beat: Callable[[Sequence[Any]], None]) -> None:
        """From now on code gets this info, and its heartbeats go there."""
        ...


class WorkerHost:
    """One registered worker: its definitions, its slots, and the programs it keeps in memory.

    ``client`` is for activities that ask for it; nobody here knows what it is. ``in_processes`` makes what runs sync
    activities in other processes, given the flag that tells of the worker's end. ``interception`` is None for a worker
    without interceptors of activities.
    """

    def __init__(
        self,
        *,
        loop: asyncio.AbstractEventLoop,
        namespace: str,
        task_queue: str,
        workflows: Mapping[str, WorkflowDefinition],
        activities: Mapping[str, ActivityDefinition],
        converter: ValueConverter,
        coder: Coder | None,
        activity_executor: Executor | None,
        in_processes: Callable[[Flag], ChildExecutor] | None,
        activities_max: int,
        local_activities_max: int,
        cached_max: int,
        failure_types: tuple[type[BaseException], ...],
        graceful_shutdown_timeout: timedelta,
        identity: str,
        client: object,
        interception: ActivityInterception | None = None,
    ) -> None:
        self.namespace = namespace
        self.task_queue = task_queue
        self.workflows = workflows
        self.activities = activities
        self.converter = converter
        self.coder = coder
        self.failure_types = failure_types
        self.graceful_shutdown_timeout = graceful_shutdown_timeout
        self.identity = identity
        self.client = client
        self.interception = interception
        self.slots: Slots[WorkerHost] = Slots(self, activities_max)
        self.local_slots: Slots[WorkerHost] = Slots(self, local_activities_max)
        self.residency = Residency(cached_max, loop.time)
        self.loop_executor = LoopExecutor(loop)
        self.thread_executor = ThreadExecutor(loop, activity_executor) if activity_executor is not None else None
        self.context = contextvars.copy_context()
        self.shutdown = Flag()
        self.attempts: set[Interruptible] = set()
        self._idle_waiters: list[asyncio.Future[None]] = []
        self.process_executor = in_processes(self.shutdown) if in_processes is not None else None

    @property
    def is_shutting_down(self) -> bool:
        """True once it leaves."""
        return self.shutdown.is_set()

    def close(self) -> None:
        """It has left: end the processes it has started."""
        if self.process_executor is not None:
            self.process_executor.close()

    def on_attempt_ended(self) -> None:
        """An attempt has left; tell who waits for the last one."""
        if not self.attempts:
            for waiter in self._idle_waiters:
                if not waiter.done():
                    waiter.set_result(None)
            self._idle_waiters.clear()

    async def until_idle(self) -> None:
        """Wait until no attempt runs here."""
        if self.attempts:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._idle_waiters.append(waiter)
            await waiter


class Registry:
    """The workers of an engine by what they serve."""

    def __init__(self) -> None:
        self._hosts: list[WorkerHost] = []
        self._by_type: dict[tuple[str, str, str], WorkerHost] = {}
        self._queues: dict[tuple[str, str], TaskQueue[WorkerHost]] = {}
        self._local_queues: dict[tuple[str, str], TaskQueue[WorkerHost]] = {}
        self._has_dynamic = False

    @property
    def hosts(self) -> list[WorkerHost]:
        """Every worker that is registered."""
        return list(self._hosts)

    @property
    def queues(self) -> list[tuple[tuple[str, str], TaskQueue[WorkerHost]]]:
        """The lines of activities by namespace and task queue."""
        return list(self._queues.items())

    def add(self, host: WorkerHost) -> None:
        """A worker has come."""
        self._hosts.append(host)
        self._index()
        if host.activities:
            self.queue(host.namespace, host.task_queue).add(host.slots)
            if host.workflows:
                self.local_queue(host.namespace, host.task_queue).add(host.local_slots)

    def remove(self, host: WorkerHost) -> None:
        """A worker leaves: nothing new is given to it."""
        self._hosts.remove(host)
        self._index()
        if host.activities:
            self.queue(host.namespace, host.task_queue).remove(host.slots)
            if host.workflows:
                self.local_queue(host.namespace, host.task_queue).remove(host.local_slots)

    def host_of(self, namespace: str, task_queue: str, workflow_type: str) -> WorkerHost | None:
        """The worker that runs executions of this type; None if nobody here does."""
        host = self._by_type.get((namespace, task_queue, workflow_type))
        if host is None and self._has_dynamic:
            return self._by_type.get((namespace, task_queue, DYNAMIC))
        return host

    def queue(self, namespace: str, task_queue: str) -> TaskQueue[WorkerHost]:
        """The line in which activities of a task queue wait."""
        found = self._queues.get((namespace, task_queue))
        if found is None:
            found = self._queues[namespace, task_queue] = TaskQueue()
        return found

    def local_queue(self, namespace: str, task_queue: str) -> TaskQueue[WorkerHost]:
        """The line in which local activities of the workflows of a task queue wait."""
        found = self._local_queues.get((namespace, task_queue))
        if found is None:
            found = self._local_queues[namespace, task_queue] = TaskQueue()
        return found

    def release(self, slots: Slots[WorkerHost]) -> None:
        """Give a slot back to the line it came from."""
        host = slots.worker
        line = self.local_queue if slots is host.local_slots else self.queue
        line(host.namespace, host.task_queue).release(slots)

    def _index(self) -> None:
        self._by_type = {
            (host.namespace, host.task_queue, workflow_type): host
            for host in reversed(self._hosts)
            for workflow_type in host.workflows
        }
        self._has_dynamic = any(DYNAMIC in host.workflows for host in self._hosts)
