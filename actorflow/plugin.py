"""A plugin for clients and workers that is made of values. Names and meaning follow the Temporal Python SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, TypeVar, cast

from actorflow import client, worker
from actorflow.client import ClientConfig, WorkflowHistory
from actorflow.client.connection import Connection
from actorflow.client.plugin import Connect
from actorflow.converter import DataConverter
from actorflow.service import ConnectConfig
from actorflow.worker import ReplayerConfig, WorkerConfig
from actorflow.worker.plugin import Replay, Results, Work

T = TypeVar("T")

PluginParameter = T | Callable[[T | None], T] | None
"""A value, or a function of what is there already; None changes nothing."""

_Interceptors = Sequence[client.Interceptor | worker.Interceptor]


class SimplePlugin(client.Plugin, worker.Plugin):
    """Adds to what clients, workers and replayers are made from. Given to a client it is there for its workers, too.

    Sequences are added behind those that are there; everything else takes the place of what is there. A function of
    what is there gives what is to be instead.

    Args:
        name: for people.
        data_converter: of clients and replayers.
        interceptors: those of clients for clients, those of workers for workers and replayers.
        client_interceptors: only for clients and, if they are for workers, too, their workers.
        worker_interceptors: only for workers and replayers.
        activities: of workers.
        workflows: of workers and replayers.
        workflow_runner: accepted for ported programs, as by a `Worker`.
        workflow_failure_exception_types: of workers and replayers.
        run_context: makes a context manager that is entered while a worker works or a replayer replays.
    """

    def __init__(
        self,
        name: str,
        *,
        data_converter: PluginParameter[DataConverter] = None,
        interceptors: PluginParameter[_Interceptors] = None,
        client_interceptors: PluginParameter[Sequence[client.Interceptor]] = None,
        worker_interceptors: PluginParameter[Sequence[worker.Interceptor]] = None,
        activities: PluginParameter[Sequence[Callable[..., Any]]] = None,
        workflows: PluginParameter[Sequence[type]] = None,
        workflow_runner: PluginParameter[Any] = None,
        workflow_failure_exception_types: PluginParameter[Sequence[type[BaseException]]] = None,
        run_context: Callable[[], AbstractAsyncContextManager[Any]] | None = None,
    ) -> None:
        self._name = name
        self._data_converter = data_converter
        self._interceptors = interceptors
        self._client_interceptors = client_interceptors
        self._worker_interceptors = worker_interceptors
        self._activities = activities
        self._workflows = workflows
        self._workflow_runner = workflow_runner
        self._failure_types = workflow_failure_exception_types
        self._run_context = run_context

    def name(self) -> str:
        """See `client.Plugin.name`."""
        return self._name

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        """See `client.Plugin.configure_client`."""
        _replace(config, "data_converter", self._data_converter)
        _add(config, "interceptors", _only(client.Interceptor, self._interceptors))
        _add(config, "interceptors", self._client_interceptors)
        return config

    async def connect_service_client(self, config: ConnectConfig, next: Connect) -> Connection:
        """See `client.Plugin.connect_service_client`."""
        return await next(config)

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """See `worker.Plugin.configure_worker`."""
        inherited = config["client"].config(active_config=True).get("interceptors", ())
        _add(config, "interceptors", _only(worker.Interceptor, self._interceptors, but=inherited))
        _add(config, "interceptors", self._worker_interceptors)
        _add(config, "activities", self._activities)
        self._configure_workflows(config)
        return config

    async def run_worker(self, worker: Any, next: Work) -> None:
        """See `worker.Plugin.run_worker`."""
        if self._run_context is None:
            await next(worker)
            return
        async with self._run_context():
            await next(worker)

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """See `worker.Plugin.configure_replayer`."""
        _replace(config, "data_converter", self._data_converter)
        _add(config, "interceptors", _only(worker.Interceptor, self._interceptors))
        _add(config, "interceptors", _only(worker.Interceptor, self._client_interceptors))
        _add(config, "interceptors", self._worker_interceptors)
        self._configure_workflows(config)
        return config

    def run_replayer(self, replayer: Any, histories: AsyncIterator[WorkflowHistory], next: Replay) -> Results:
        """See `worker.Plugin.run_replayer`."""
        if self._run_context is None:
            return next(replayer, histories)
        return self._replaying(self._run_context(), next(replayer, histories))

    @asynccontextmanager
    async def _replaying(
        self, context: AbstractAsyncContextManager[Any], replay: Results
    ) -> AsyncGenerator[AsyncIterator[Any]]:
        async with context, replay as results:
            yield results

    def _configure_workflows(self, config: WorkerConfig | ReplayerConfig) -> None:
        _add(config, "workflows", self._workflows)
        _add(config, "workflow_failure_exception_types", self._failure_types)
        _replace(config, "workflow_runner", self._workflow_runner)


def _replace(config: Any, name: str, parameter: Any) -> None:
    if parameter is not None:
        config[name] = parameter(config.get(name)) if callable(parameter) else parameter


def _add(config: Any, name: str, parameter: Any) -> None:
    if parameter is not None:
        there = config.get(name)
        config[name] = parameter(there) if callable(parameter) else [*(there or ()), *parameter]


def _only(kind: type, interceptors: Any, *, but: Sequence[Any] = ()) -> Any:
    """Interceptors of one kind; a function is to know for itself. ``but`` are there in another way."""
    if interceptors is None or callable(interceptors):
        return interceptors
    given = cast("Sequence[Any]", interceptors)
    return [one for one in given if isinstance(one, kind) and not any(one is other for other in but)]
