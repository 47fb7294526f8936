"""Plugins: they change how clients, workers and replayers are made and run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, client as clients, worker as workers, workflow
from actorflow.client import Client, ClientConfig
from actorflow.client.connection import Connection
from actorflow.converter import DataConverter, DefaultPayloadConverter
from actorflow.exceptions import UnsupportedOptionError
from actorflow.plugin import SimplePlugin
from actorflow.service import ConnectConfig
from actorflow.testing import WorkflowEnvironment
from actorflow.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    Interceptor,
    Replayer,
    ReplayerConfig,
    Worker,
    WorkerConfig,
)
from tests.support import a_client, a_worker, execute, start

MINUTE = timedelta(minutes=1)


@activity.defn
async def greet(name: str) -> str:
    return f"hello {name}"


@workflow.defn
class Greets:
    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(greet, name, start_to_close_timeout=MINUTE)


class Notes(clients.Plugin, workers.Plugin):
    """Notes what it is asked, and changes a little."""

    def __init__(self, name: str, noted: list[str]) -> None:
        self._name = name
        self.noted = noted

    def name(self) -> str:
        return self._name

    def configure_client(self, config: ClientConfig) -> ClientConfig:
        self.noted.append(f"{self._name} configures a client")
        return {**config, "namespace": f"{config.get('namespace')}-{self._name}"}

    async def connect_service_client(
        self, config: ConnectConfig, next: Callable[[ConnectConfig], Awaitable[Connection]]
    ) -> Connection:
        self.noted.append(f"{self._name} connects to {config.target_host}")
        return await next(replace(config, target_host="memory://"))

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        self.noted.append(f"{self._name} configures a worker")
        config["activities"] = [*config.get("activities", ()), greet][:1]
        return config

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        self.noted.append(f"{self._name} runs")
        try:
            await next(worker)
        finally:
            self.noted.append(f"{self._name} has run")

    def configure_replayer(self, config: ReplayerConfig) -> ReplayerConfig:
        self.noted.append(f"{self._name} configures a replayer")
        config["workflows"] = [Greets]
        return config

    def run_replayer(self, replayer: Replayer, histories: Any, next: Any) -> Any:
        self.noted.append(f"{self._name} replays")
        return next(replayer, histories)


async def test_plugins_of_a_client_change_how_it_is_made_and_are_those_of_its_workers() -> None:
    noted: list[str] = []
    outer, inner = Notes("outer", noted), Notes("inner", noted)
    async with await Client.connect("nowhere:7233", plugins=[outer, inner]) as client:
        assert client.namespace == "default-outer-inner"
        assert noted == [
            "outer connects to nowhere:7233",
            "inner connects to memory://",
            "outer configures a client",
            "inner configures a client",
        ]
        noted.clear()
        async with a_worker(client, workflows=[Greets]) as worker:
            assert worker.is_running
            assert await execute(client, Greets.run, "you") == "hello you"
        assert worker.is_shutdown
        assert noted == [
            "outer configures a worker",
            "inner configures a worker",
            "outer runs",
            "inner runs",
            "inner has run",
            "outer has run",
        ]


async def test_a_config_is_as_it_was_given_unless_the_active_one_is_wanted() -> None:
    noted: list[str] = []
    plugin = Notes("once", noted)
    async with await Client.connect("memory://", plugins=[plugin]) as client:
        assert client.config().get("namespace") == "default"
        assert client.config(active_config=True).get("namespace") == "default-once"
        assert Client(**client.config()).namespace == "default-once"
        plain = Client(client.service_client)
        worker = a_worker(plain, workflows=[Greets], plugins=[plugin])
        assert list(worker.config().get("activities", ())) == []
        assert list(worker.config(active_config=True).get("activities", ())) == [greet]
        assert worker.config()["task_queue"] == "q"
        async with Worker(**worker.config()):
            assert await execute(plain, Greets.run, "you") == "hello you"


async def test_a_worker_that_is_run_goes_through_its_plugins_too() -> None:
    noted: list[str] = []
    async with a_client() as client:
        worker = a_worker(client, workflows=[Greets], plugins=[Notes("a", noted)])
        async with asyncio.TaskGroup() as group:
            group.create_task(worker.run())
            assert await execute(client, Greets.run, "you") == "hello you"
            await worker.shutdown()
        assert noted == ["a configures a worker", "a runs", "a has run"]


class Breaks(Notes):
    """Raises, or forgets what it is for, instead of running a worker."""

    def __init__(self, problem: BaseException | None) -> None:
        super().__init__("breaks", [])
        self.problem = problem

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        if self.problem is not None:
            raise self.problem


async def test_a_plugin_that_can_not_run_a_worker_is_told_at_the_block() -> None:
    async with a_client() as client:
        with pytest.raises(ConnectionError, match="no licence"):
            await a_worker(client, workflows=[Greets], plugins=[Breaks(ConnectionError("no licence"))]).__aenter__()
        with pytest.raises(RuntimeError, match=r"returned without awaiting next\(worker\)"):
            await a_worker(client, workflows=[Greets], plugins=[Breaks(None)]).__aenter__()


class BreaksLater(Breaks):
    """Fails while its worker works, when it is told to."""

    def __init__(self) -> None:
        super().__init__(None)
        self.may_fail = asyncio.Event()

    async def run_worker(self, worker: Worker, next: Callable[[Worker], Awaitable[None]]) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._fail())
            await next(worker)

    async def _fail(self) -> None:
        await self.may_fail.wait()
        raise ConnectionError("no pool")


@pytest.mark.parametrize("answer", ["lets it pass", "makes another error of it", "goes on"])
async def test_a_plugin_that_fails_in_the_middle_ends_the_block_that_waits(answer: str) -> None:
    async def work(client: Client) -> None:
        plugin = BreaksLater()
        async with a_worker(client, workflows=[Greets], plugins=[plugin]):
            plugin.may_fail.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if answer == "makes another error of it":
                    raise ValueError("given up") from None
                if answer == "lets it pass":
                    raise

    async with asyncio.timeout(10), a_client() as client:
        with pytest.raises(ExceptionGroup) as told:
            await work(client)
        assert isinstance(told.value.exceptions[0], ConnectionError)
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()


async def test_what_a_plugin_holds_is_there_until_the_worker_has_left() -> None:
    noted: list[str] = []
    began, may_end = asyncio.Event(), asyncio.Event()

    @activity.defn
    async def lasts() -> None:
        began.set()
        await may_end.wait()
        noted.append("done")

    @workflow.defn
    class Lasts:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(lasts, start_to_close_timeout=timedelta(seconds=10))

    async with asyncio.timeout(10), a_client() as client:
        worker = a_worker(
            client,
            workflows=[Lasts],
            activities=[lasts],
            plugins=[Notes("a", noted)],
            graceful_shutdown_timeout=timedelta(seconds=10),
        )
        running = asyncio.create_task(worker.run())
        await start(client, Lasts.run)
        await began.wait()
        leaving = asyncio.create_task(worker.shutdown())
        for _ in range(20):
            await asyncio.sleep(0)
        may_end.set()
        await leaving
        await running
    assert noted[-2:] == ["done", "a has run"]


async def test_a_worker_of_plugins_leaves_when_its_block_fails() -> None:
    noted: list[str] = []
    async with a_client() as client:
        worker = a_worker(client, workflows=[Greets], plugins=[Notes("a", noted)])
        with pytest.raises(LookupError, match="mine"):
            async with worker:
                raise LookupError("mine")
        assert worker.is_shutdown
        assert noted[-1] == "a has run"


async def test_what_a_plugin_wants_opened_is_checked_too() -> None:
    class Encrypts(Notes):
        async def connect_service_client(self, config: ConnectConfig, next: Any) -> Connection:
            return await next(replace(config, tls=True))

    with pytest.raises(UnsupportedOptionError, match="tls"):
        await Client.connect("memory://", plugins=[Encrypts("tls", [])])


async def test_a_replayer_is_made_and_run_through_its_plugins() -> None:
    noted: list[str] = []
    async with a_client() as client, a_worker(client, workflows=[Greets], activities=[greet]):
        handle = await start(client, Greets.run, "you")
        await handle.result()
        history = await handle.fetch_history()

    async def histories() -> AsyncIterator[clients.WorkflowHistory]:
        yield history

    replayer = Replayer(workflows=[], plugins=[Notes("a", noted), Notes("b", noted)])
    assert (await replayer.replay_workflow(history)).replay_failure is None
    assert (await replayer.replay_workflows(histories())).replay_failures == {}
    assert noted == ["a configures a replayer", "b configures a replayer", *(["a replays", "b replays"] * 2)]
    assert replayer.config().get("workflows") == []


class Suffixes(Interceptor):
    def __init__(self, suffix: str) -> None:
        self.suffix = suffix

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        suffix = self.suffix

        class Inbound(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                return await super().execute_activity(input) + suffix

        return Inbound(next)


class SuffixesAndCounts(Suffixes, clients.Interceptor):
    """For clients, too."""


async def test_a_simple_plugin_brings_values_to_clients_workers_and_replayers() -> None:
    entered: list[str] = []

    @asynccontextmanager
    async def context() -> AsyncIterator[None]:
        entered.append("in")
        yield
        entered.append("out")

    def with_more(there: Sequence[type] | None) -> Sequence[type]:
        return [*(there or ()), Greets]

    converter = DataConverter(DefaultPayloadConverter)
    plugin = SimplePlugin(
        "mine",
        data_converter=converter,
        interceptors=[SuffixesAndCounts("!"), Suffixes("?")],
        worker_interceptors=[Suffixes(".")],
        activities=[greet],
        workflows=with_more,
        workflow_failure_exception_types=[LookupError],
        run_context=context,
    )
    assert plugin.name() == "mine"
    async with await WorkflowEnvironment.start_time_skipping(plugins=[plugin]) as env:
        client = env.client
        assert client.data_converter is converter
        async with a_worker(client) as worker:
            assert entered == ["in"]
            assert await execute(client, Greets.run, "you") == "hello you.?!"
            history = await client.get_workflow_handle("w").fetch_history()
        assert entered == ["in", "out"]
        assert worker.config(active_config=True).get("workflow_failure_exception_types", ()) == [LookupError]
    replayer = Replayer(workflows=[], plugins=[plugin])
    await replayer.replay_workflow(history)
    assert entered == ["in", "out"] * 2
    assert len(replayer.config(active_config=True).get("interceptors", ())) == 3


async def test_a_plugin_of_the_client_and_of_its_worker_is_warned_about() -> None:
    plugin = SimplePlugin("mine")
    async with await Client.connect("memory://", plugins=[plugin]) as client:
        with pytest.warns(UserWarning, match="SimplePlugin is there twice"):
            a_worker(client, workflows=[Greets], plugins=[plugin])


async def test_what_is_no_plugin_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"plugins\[0\] is the class SimplePlugin; pass an instance"):
        await Client.connect("memory://", plugins=[SimplePlugin])  # pyright: ignore[reportArgumentType]
    async with a_client() as client:
        with pytest.raises(TypeError, match=r"plugins\[0\] must be an actorflow.worker.Plugin, not 1"):
            a_worker(client, workflows=[Greets], plugins=[1])
    with pytest.raises(TypeError, match=r"plugins\[0\] must be an actorflow.worker.Plugin, not 1"):
        Replayer(workflows=[Greets], plugins=[1])  # pyright: ignore[reportArgumentType]
