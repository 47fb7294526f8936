"""A worker: registers programs and activities with the engine of its client, and leaves in good order."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Any, Self, Unpack

from actorflow.client import Client
from actorflow.core import limits
from actorflow.core.definitions import DYNAMIC, ActivityDefinition, WorkflowDefinition
from actorflow.core.policy.checks import check_name
from actorflow.engine.registry import ChildExecutor, WorkerHost
from actorflow.exceptions import RegistrationError
from actorflow.pool.flag import Flag
from actorflow.pool.shared_state import SharedStateManager
from actorflow.worker.activity_interception import intercepting_activities
from actorflow.worker.assertions import asserting
from actorflow.worker.config import WorkerConfig, check_values
from actorflow.worker.guarding import guarded, install_guard
from actorflow.worker.inheritance import interceptors_of, plugins_of
from actorflow.worker.interceptor import Interceptor
from actorflow.worker.patches import PatchActivationCallback, asking
from actorflow.worker.plugin import Plugin, working_through
from actorflow.worker.ported import PortedOptions, check_ported
from actorflow.worker.processes import check_processes, is_process_pool, running_in_processes
from actorflow.worker.tuning import WorkerTuner, slot_counts
from actorflow.worker.workflow_interception import intercepting


class Worker:
    """Runs workflows and activities of one task queue while its block, or `run`, lasts.

    Args:
        client: whose journal it works on.
        task_queue: what it serves.
        workflows: classes with ``@workflow.defn``.
        activities: functions, bound methods or instances with ``@activity.defn``.
        activity_executor: where sync activities run; required if there are any. A `ProcessPoolExecutor` says how many
            processes, and how they begin: the worker runs its own, so that one that dies can be replaced.
        shared_state_manager: for activities in processes, which must be picklable then.
        max_concurrent_activities: attempts at the same time; others wait in order of arrival.
        max_concurrent_local_activities: the same for local activities of its workflows.
        tuner: says these two instead.
        max_cached_workflows: programs kept in memory; with 0 every turn rebuilds its program from the journal.
        workflow_failure_exception_types: exceptions that fail a workflow instead of its turn.
        patch_activation_callback: asked when a live run calls `workflow.patched` for a patch first; False declines it.
        interceptors: stand around workflows and activities, outermost first, behind those of the client.
        plugins: may change how the worker is made and run, after those of the client.
        graceful_shutdown_timeout: how long running activities may go on once the worker leaves.
        identity: a name for people; default is the client's.
        development_mode: refuse clocks, chance, threads and sleeping in workflow code, too, and run every turn twice to
            compare; by default the variable ``ACTORFLOW_DEVELOPMENT`` says so, and without it whether this is a test.
        ported: further options of the public SDK, see `PortedOptions`.

    Raises:
        TypeError: something is not decorated, a class was given where an instance is needed, or an interceptor or a
            plugin is none.
        RegistrationError: two definitions have one name, a sync activity has no executor, or one for processes can't
            be pickled or has no shared-state manager (it is a TypeError and a ValueError, too).
        ValueError: nothing was given to run, a bound is negative, or there is one beside a tuner.
        ReadOnlyError: the client is read-only.
        UnsupportedOptionError: an option of the public SDK can't be honoured here.
    """

    def __init__(
        self,
        client: Client,
        *,
        task_queue: str,
        workflows: Sequence[type] = (),
        activities: Sequence[Callable[..., Any]] = (),
        activity_executor: Executor | None = None,
        shared_state_manager: SharedStateManager | None = None,
        max_concurrent_activities: int | None = None,
        max_concurrent_local_activities: int | None = None,
        tuner: WorkerTuner | None = None,
        max_cached_workflows: int = limits.CACHED_WORKFLOWS_MAX,
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        patch_activation_callback: PatchActivationCallback | None = None,
        interceptors: Sequence[Interceptor] | None = (),
        plugins: Sequence[Plugin] | None = (),
        graceful_shutdown_timeout: timedelta = timedelta(0),
        identity: str | None = None,
        development_mode: bool | None = None,
        **ported: Unpack[PortedOptions],
    ) -> None:
        check_ported("Worker", ported)
        config = WorkerConfig(
            client=client,
            task_queue=task_queue,
            workflows=workflows,
            activities=activities,
            activity_executor=activity_executor,
            shared_state_manager=shared_state_manager,
            max_concurrent_activities=max_concurrent_activities,
            max_concurrent_local_activities=max_concurrent_local_activities,
            tuner=tuner,
            max_cached_workflows=max_cached_workflows,
            workflow_failure_exception_types=workflow_failure_exception_types,
            patch_activation_callback=patch_activation_callback,
            interceptors=interceptors or (),
            plugins=plugins or (),
            graceful_shutdown_timeout=graceful_shutdown_timeout,
            identity=identity,
            development_mode=development_mode,
            **ported,
        )
        self._given_config = config.copy()
        self._plugins = plugins_of(client, plugins or ())
        for plugin in self._plugins:
            config = plugin.configure_worker(config)
        self._active_config = config
        self._set_up(**config)

    def _set_up(
        self,
        client: Client,
        *,
        task_queue: str,
        workflows: Sequence[type] = (),
        activities: Sequence[Callable[..., Any]] = (),
        activity_executor: Executor | None = None,
        shared_state_manager: SharedStateManager | None = None,
        max_concurrent_activities: int | None = None,
        max_concurrent_local_activities: int | None = None,
        tuner: WorkerTuner | None = None,
        max_cached_workflows: int = limits.CACHED_WORKFLOWS_MAX,
        workflow_failure_exception_types: Sequence[type[BaseException]] = (),
        patch_activation_callback: PatchActivationCallback | None = None,
        interceptors: Sequence[Interceptor] | None = (),
        plugins: Sequence[Plugin] | None = (),
        graceful_shutdown_timeout: timedelta = timedelta(0),
        identity: str | None = None,
        development_mode: bool | None = None,
        **ported: Unpack[PortedOptions],
    ) -> None:
        check_ported("Worker", ported)
        check_name("task queue", task_queue)
        if not workflows and not activities:
            raise ValueError("At least one activity or workflow must be specified")
        if max_cached_workflows < 0:
            raise ValueError(f"max_cached_workflows must not be negative, but is {max_cached_workflows}")
        slots = slot_counts(
            tuner,
            max_concurrent_activities,
            max_concurrent_local_activities,
            ported.get("max_concurrent_workflow_tasks"),
        )
        check_values(graceful_shutdown_timeout, activity_executor, workflow_failure_exception_types)
        if graceful_shutdown_timeout < timedelta(0):
            raise ValueError(f"graceful_shutdown_timeout must not be negative, but is {graceful_shutdown_timeout}")
        client.engine  # noqa: B018 - a client that only looks has none, and says so here
        self._client = client
        self._task_queue = task_queue
        self._workflows = workflows_by_name(workflows)
        if patch_activation_callback is not None:
            asks = asking(patch_activation_callback)
            self._workflows = {
                name: dataclasses.replace(definition, activates_patch=asks)
                for name, definition in self._workflows.items()
            }
        if client.is_of_test:
            self._workflows = {name: asserting(definition) for name, definition in self._workflows.items()}
        self._workflows = guarded(
            self._workflows,
            ported.get("workflow_runner"),
            development_mode=development_mode,
            is_of_test=client.is_of_test,
        )
        self._activities = _activities_by_name(activities, activity_executor)
        self._workflows = {
            name: dataclasses.replace(definition, runs_activity=self._runs_activity)
            for name, definition in self._workflows.items()
        }
        around = interceptors_of(client, interceptors or ())
        self._workflows = intercepting(self._workflows, around)
        self._interception = intercepting_activities(around, activity_executor)
        self._activity_executor = activity_executor
        self._in_processes: Callable[[Flag], ChildExecutor] | None = None
        if activity_executor is not None and is_process_pool(activity_executor):
            check_processes(self._activities.values(), shared_state_manager)
            if shared_state_manager is not None:
                self._in_processes = running_in_processes(
                    activity_executor, shared_state_manager, client.data_converter
                )
                self._activity_executor = None
        self._slots = slots
        self._cached_max = max_cached_workflows
        self._failure_types = tuple(workflow_failure_exception_types)
        self._graceful_shutdown_timeout = graceful_shutdown_timeout
        self._identity = identity or client.identity
        self._host: WorkerHost | None = None
        self._shutdown_asked: asyncio.Event | None = None
        self._stopped: asyncio.Event | None = None
        self._life: asyncio.Task[None] | None = None
        self._begun: asyncio.Future[None] | None = None
        self._interrupted: asyncio.Task[Any] | None = None

    def config(self, *, active_config: bool = False) -> WorkerConfig:
        """What makes another worker like this one: ``Worker(**worker.config())``.

        Args:
            active_config: as plugins have changed it; by default as it was given, since the plugins are in it, too.
        """
        return (self._active_config if active_config else self._given_config).copy()

    def _runs_activity(self, name: str) -> bool:
        return name in self._activities or DYNAMIC in self._activities

    @property
    def task_queue(self) -> str:
        """What it serves."""
        return self._task_queue

    @property
    def client(self) -> Client:
        """Whose journal it works on."""
        return self._client

    @property
    def is_running(self) -> bool:
        """True between the start and the end of its block, or of `run`."""
        return self._host is not None

    @property
    def is_shutdown(self) -> bool:
        """True once it has left."""
        return self._stopped is not None and self._stopped.is_set()

    async def run(self) -> None:
        """Work until `shutdown` is called or this call is cancelled; leave in good order either way."""
        await working_through(self._plugins, _work)(self)

    async def work(self) -> None:
        """Work until `shutdown` is called or this call is cancelled, without the plugins: what they end with."""
        await self._begin()
        if self._begun is not None and not self._begun.done():
            self._begun.set_result(None)
        try:
            assert self._shutdown_asked is not None
            await self._shutdown_asked.wait()
        finally:
            await self._leave()

    async def shutdown(self) -> None:
        """End `run` or the block's work, and wait until the worker has left; safe to call from several places."""
        if self._shutdown_asked is None or self._stopped is None:
            raise RuntimeError("the worker was never started; use `async with worker:` or `await worker.run()`")
        self._shutdown_asked.set()
        await self._leave()
        await self._stopped.wait()

    async def __aenter__(self) -> Self:
        if self._plugins:
            await self._begin_life()
        else:
            await self._begin()
        return self

    async def _begin_life(self) -> None:
        """Let plugins run the worker, in a task that is over with the block."""
        loop = asyncio.get_running_loop()
        self._begun = begun = loop.create_future()
        self._life = life = loop.create_task(self._live(begun), name=f"worker of {self._task_queue}")
        try:
            await begun
        except BaseException:
            life.cancel()
            raise
        life.add_done_callback(partial(self._interrupt, asyncio.current_task()))

    def _interrupt(self, block: asyncio.Task[Any] | None, life: asyncio.Task[None]) -> None:
        """A plugin has failed: whoever waits in the block for what the worker does would wait for ever."""
        if block is not None and self._life is life and not life.cancelled() and life.exception() is not None:
            self._interrupted = block
            block.cancel()

    async def _live(self, begun: asyncio.Future[None]) -> None:
        try:
            await self.run()
        except BaseException as problem:
            if begun.done():
                raise
            begun.set_exception(problem)
        if not begun.done():
            begun.set_exception(RuntimeError("a plugin's run_worker has returned without awaiting next(worker)"))

    async def _begin(self) -> None:
        if self._shutdown_asked is not None:
            raise RuntimeError("a worker runs once; create another one")
        self._shutdown_asked = asyncio.Event()
        self._stopped = asyncio.Event()
        host = WorkerHost(
            loop=asyncio.get_running_loop(),
            namespace=self._client.namespace,
            task_queue=self._task_queue,
            workflows=self._workflows,
            activities=self._activities,
            converter=self._client.data_converter.values,
            coder=self._client.data_converter.coder,
            activity_executor=self._activity_executor,
            in_processes=self._in_processes,
            activities_max=self._slots.activities,
            local_activities_max=self._slots.local_activities,
            cached_max=self._cached_max,
            failure_types=self._failure_types,
            graceful_shutdown_timeout=self._graceful_shutdown_timeout,
            identity=self._identity,
            client=self._client,
            interception=self._interception,
        )
        install_guard(self._workflows)
        try:
            self._client.engine.register(host)
        except BaseException:
            self._stopped.set()
            raise
        self._host = host

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        life, self._life = self._life, None
        if life is None or self._shutdown_asked is None:
            await self._leave()
        else:
            self._shutdown_asked.set()
            interrupted, self._interrupted = self._interrupted, None
            if interrupted is not None:  # also where the block has made something else of it
                interrupted.uncancel()
            await life

    async def _leave(self) -> None:
        host, self._host = self._host, None
        if self._stopped is None:
            return
        if host is None:  # somebody else is about it
            await self._stopped.wait()
            return
        try:
            await self._client.engine.deregister(host)
        finally:
            self._stopped.set()


async def _work(worker: Worker) -> None:
    await worker.work()


def workflows_by_name(classes: Sequence[type]) -> dict[str, WorkflowDefinition]:
    """The definitions of workflow classes.

    Raises:
        TypeError: a class is not decorated, or its parameters can't be filled.
        ValueError: two definitions have one name.
    """
    found: dict[str, WorkflowDefinition] = {}
    for cls in classes:
        definition = WorkflowDefinition.of(cls)
        definition.signature  # noqa: B018 - reads the parameters now, so that mistakes are reported here
        if definition.name in found:
            named = f"named {definition.name}; give one of them another name"
            raise RegistrationError(
                f"More than one {'dynamic workflow' if definition.is_dynamic else 'workflow ' + named}"
            )
        found[definition.name] = definition
    return found


def _activities_by_name(
    activities: Sequence[Callable[..., Any]], executor: Executor | None
) -> dict[str, ActivityDefinition]:
    found: dict[str, ActivityDefinition] = {}
    for activity in activities:
        definition = ActivityDefinition.of(activity)
        if definition.name in found:
            raise RegistrationError(f"More than one activity named {definition.name}; give one of them another name")
        if not definition.is_async and executor is None:
            raise RegistrationError(
                f"Activity {definition.name} is not async, so an activity_executor must be present; "
                "pass a ThreadPoolExecutor, or make it async"
            )
        definition.signature  # noqa: B018 - as above
        found[definition.name] = definition
    return found
