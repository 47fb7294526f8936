"""Plugins of workers and replayers. Names and meaning follow the Temporal Python SDK."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from actorflow.client import WorkflowHistory
from actorflow.worker.config import ReplayerConfig, WorkerConfig

Results = AbstractAsyncContextManager[AsyncIterator[Any]]
"""Of `WorkflowReplayResult`."""

Work = Callable[[Any], Awaitable[None]]
Replay = Callable[[Any, AsyncIterator[WorkflowHistory]], Results]


class Plugin(ABC):
    """Changes how workers and replayers are made and run. The `Worker` and the `Replayer` themselves are handed in."""

    def name(self) -> str:
        """For people; that of the class by default."""
        return f"{type(self).__module__}.{type(self).__qualname__}"

    @abstractmethod
    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Called when a worker is made, in order of the plugins; returns what it is made from now."""

    @abstractmethod
    async def run_worker(self, worker: Any, next: Work) -> None:
        """Called around the life of a worker, whether it is run or its block entered; the first plugin is outermost.

        Args:
            worker: that is to work.
            next: works until the worker is to leave; await it with ``worker``.
        """

    @abstractmethod
    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        """Called when a replayer is made, in order of the plugins; returns what it is made from now."""

    @abstractmethod
    def run_replayer(self, replayer: Any, histories: AsyncIterator[WorkflowHistory], next: Replay) -> Results:
        """Called around replays; the first plugin is outermost.

        Args:
            replayer: that is to replay.
            histories: what it is to replay.
            next: replays; call it with ``replayer`` and ``histories``.

        Returns:
            A context manager that gives the results, such as what ``next`` returns.
        """


def working_through(plugins: Sequence[Plugin], work: Work) -> Work:
    """``work`` with plugins around it, the first one outermost."""

    def through(plugin: Plugin, next: Work) -> Work:
        return lambda worker: plugin.run_worker(worker, next)

    for plugin in reversed(plugins):
        work = through(plugin, work)
    return work


def replaying_through(plugins: Sequence[Plugin], replay: Replay) -> Replay:
    """``replay`` with plugins around it, the first one outermost."""

    def through(plugin: Plugin, next: Replay) -> Replay:
        return lambda replayer, histories: plugin.run_replayer(replayer, histories, next)

    for plugin in reversed(plugins):
        replay = through(plugin, replay)
    return replay
