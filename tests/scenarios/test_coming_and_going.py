"""Workers and clients that come and go while work waits: nothing is lost, nothing runs twice, nothing hangs."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, RPCError, RPCStatusCode, WorkflowExecutionStatus
from actorflow.core import limits
from actorflow.exceptions import EngineStoppedError, MailboxFullError, StorageOwnedError
from actorflow.testing import WorkflowEnvironment
from tests.support import CACHED, a_client, a_place, a_worker, execute, start

SOON = timedelta(seconds=5)


@activity.defn
async def double(number: int) -> int:
    return number * 2


@workflow.defn
class Collects:
    def __init__(self) -> None:
        self.heard: list[Any] = []

    @workflow.signal
    def say(self, what: Any) -> None:
        self.heard.append(what)

    @workflow.query
    def so_far(self) -> list[Any]:
        return self.heard

    @workflow.run
    async def run(self, nap: float = 0.0) -> list[Any]:
        if nap:
            await workflow.sleep(nap)
        await workflow.wait_condition(lambda: "stop" in self.heard)
        self.heard.append(await workflow.execute_activity(double, 21, start_to_close_timeout=SOON))
        return self.heard


SERVED: dict[str, Any] = {"workflows": [Collects], "activities": [double]}


@pytest.fixture(params=["memory", "file"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return None if request.param == "memory" else tmp_path / "j.db"


async def test_what_a_client_without_a_worker_starts_and_signals_waits_for_one(path: Path | None) -> None:
    async with asyncio.timeout(10), a_client(path) as client:
        handle = await start(client, Collects.run)
        for number in range(3):
            await handle.signal(Collects.say, number)
        await handle.signal(Collects.say, "stop")
        assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
        async with a_worker(client, **SERVED):
            assert await handle.result() == [0, 1, 2, "stop", 42]


async def test_work_that_waits_survives_the_process_that_sent_it(tmp_path: Path) -> None:
    async with a_client(tmp_path / "j.db") as client:
        handle = await start(client, Collects.run)
        await handle.signal(Collects.say, "stop")
    async with asyncio.timeout(10), a_client(tmp_path / "j.db") as client, a_worker(client, **SERVED):
        assert await client.get_workflow_handle("w").result() == ["stop", 42]


@pytest.mark.parametrize("round_", range(3))
async def test_signals_sent_at_the_moment_a_worker_comes_are_all_delivered(path: Path | None, round_: int) -> None:
    async with asyncio.timeout(10), a_client(path) as client:
        handles = [await start(client, Collects.run, id=f"w{number}") for number in range(12)]
        async with a_worker(client, **SERVED):
            sends = [handle.signal(Collects.say, word) for word in ("a", "b", "stop") for handle in handles]
            await asyncio.gather(*sends)
            results = await asyncio.gather(*[handle.result() for handle in handles])
    assert results == [["a", "b", "stop", 42]] * 12


async def test_signals_sent_one_after_the_other_while_a_worker_comes_arrive_in_order(path: Path | None) -> None:
    async with asyncio.timeout(10), a_client(path) as client:
        handles = [await start(client, Collects.run, id=f"w{number}") for number in range(8)]

        async def sends(handle: Any) -> None:
            for word in (*range(10), "stop"):
                await handle.signal(Collects.say, word)

        async with asyncio.TaskGroup() as group, a_worker(client, **SERVED):
            for handle in handles:
                group.create_task(sends(handle))
            for handle in handles:
                assert await handle.result() == [*range(10), "stop", 42]


async def test_signals_sent_while_workers_leave_and_come_are_all_delivered_once(path: Path | None) -> None:
    async with asyncio.timeout(20), a_client(path) as client:
        handles = [await start(client, Collects.run, id=f"w{number}") for number in range(4)]

        async def sends(handle: Any) -> None:
            for number in range(30):
                await handle.signal(Collects.say, number)
            await handle.signal(Collects.say, "stop")

        async with asyncio.TaskGroup() as group:
            senders = [group.create_task(sends(handle)) for handle in handles]
            while not all(sender.done() for sender in senders):
                async with a_worker(client, **SERVED):
                    for _ in range(20):
                        await asyncio.sleep(0)  # calls on memory never wait, and the senders want their turn
        async with a_worker(client, **SERVED):
            for handle in handles:
                assert await handle.result() == [*range(30), "stop", 42]


async def test_a_timer_that_falls_due_without_a_worker_fires_when_one_comes(path: Path | None) -> None:
    async with asyncio.timeout(10), a_client(path) as client:
        async with a_worker(client, **SERVED):
            handle = await start(client, Collects.run, 0.02)
            assert await handle.query(Collects.so_far) == []
        await handle.signal(Collects.say, "stop")
        due = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_later(0.03, due.set_result, None)
        await due
        async with a_worker(client, **SERVED):
            assert await handle.result() == ["stop", 42]


async def test_a_timer_due_after_the_worker_came_fires_too(path: Path | None) -> None:
    async with asyncio.timeout(10), a_client(path) as client:
        async with a_worker(client, **SERVED):
            handle = await start(client, Collects.run, 0.1)
            await handle.query(Collects.so_far)
        async with a_worker(client, **SERVED):
            await handle.signal(Collects.say, "stop")
            assert await handle.result() == ["stop", 42]


async def test_another_worker_takes_over_what_a_leaving_one_hosted(path: Path | None) -> None:
    async with asyncio.timeout(10), a_client(path) as client:
        one, two = a_worker(client, **SERVED), a_worker(client, **SERVED)
        async with two:
            async with one:
                handles = [await start(client, Collects.run, id=f"w{number}") for number in range(5)]
                for handle in handles:
                    await handle.signal(Collects.say, "a")
            for handle in handles:
                await handle.signal(Collects.say, "stop")
                assert await handle.result() == ["a", "stop", 42]


async def test_a_query_waits_for_a_worker_and_says_so_when_none_comes() -> None:
    async with asyncio.timeout(10), a_client() as client:
        handle = await start(client, Collects.run)
        with pytest.raises(RPCError, match="task queue 'q'") as late:
            await handle.query(Collects.so_far, rpc_timeout=timedelta(milliseconds=30))
        assert late.value.status == RPCStatusCode.DEADLINE_EXCEEDED
        asking = asyncio.ensure_future(handle.query(Collects.so_far))
        await handle.describe()
        async with a_worker(client, **SERVED):
            assert await asking == []


async def test_two_clients_and_two_workers_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    @workflow.defn
    class Other:
        @workflow.run
        async def run(self) -> int:
            return await workflow.execute_activity(double, 4, task_queue="q", start_to_close_timeout=SOON)

    async with asyncio.timeout(10), a_client(path) as one, a_client(path) as two:
        async with a_worker(one, **SERVED), a_worker(two, task_queue="other", workflows=[Other]):
            handle = await start(one, Collects.run)
            await two.get_workflow_handle_for(Collects.run, "w").signal(Collects.say, "stop")
            assert await two.get_workflow_handle("w").result() == await handle.result() == ["stop", 42]
            assert await one.execute_workflow(Other.run, id="other", task_queue="other") == 8
        await one.close()
        assert (await two.get_workflow_handle("w").describe()).status == WorkflowExecutionStatus.COMPLETED


async def test_a_memory_journal_is_shared_by_its_name_and_private_without_one() -> None:
    async with (
        asyncio.timeout(10),
        await Client.connect("memory://shared") as one,
        await Client.connect("memory://shared") as two,
        await Client.connect("memory://") as alone,
        await Client.connect("memory://") as alone_too,
    ):
        await start(one, Collects.run)
        assert (await two.get_workflow_handle("w").describe()).status == WorkflowExecutionStatus.RUNNING
        await start(alone, Collects.run)
        for other in (alone_too,):
            with pytest.raises(RPCError, match="not found"):
                await other.get_workflow_handle("w").describe()


async def test_namespaces_of_one_journal_do_not_see_each_other() -> None:
    async with (
        asyncio.timeout(10),
        await Client.connect("memory://names", namespace="a") as one,
        await Client.connect("memory://names", namespace="b") as two,
        a_worker(one, **SERVED),
    ):
        await start(one, Collects.run)
        waiting = await start(two, Collects.run)
        await one.get_workflow_handle("w").signal(Collects.say, "stop")
        assert await one.get_workflow_handle("w").result() == ["stop", 42]
        assert (await waiting.describe()).status == WorkflowExecutionStatus.RUNNING


async def test_another_event_loop_of_this_process_is_refused_on_the_same_file(tmp_path: Path) -> None:
    path = tmp_path / "j.db"

    def elsewhere() -> BaseException | None:
        async def connect() -> None:
            async with a_client(path):
                pass

        try:
            asyncio.run(connect())
        except StorageOwnedError as refusal:
            return refusal
        return None

    async with a_client(path):
        refusal = await asyncio.to_thread(elsewhere)
        assert "another event loop" in str(refusal)
        assert threading.current_thread().name in str(refusal)
    assert await asyncio.to_thread(elsewhere) is None


@pytest.mark.parametrize(
    "address",
    ["", "orders.db", "sqlite://", "sqlite:///", "sqlite:/x.db", "postgres://x", "local host", "MEMORY://", None, 5],
)
async def test_connecting_to_nonsense_says_what_an_address_looks_like(address: Any) -> None:
    with pytest.raises((ValueError, TypeError), match=r"sqlite:///orders\.db"):
        await Client.connect(address)


async def test_a_closed_client_says_so() -> None:
    async with a_client() as client:
        handle = await start(client, Collects.run)
    await client.close()
    calls = [
        lambda: start(client, Collects.run, id="other"),
        lambda: handle.signal("say", 1),
        lambda: handle.query(Collects.so_far),
        handle.describe,
        handle.result,
        handle.cancel,
        handle.terminate,
        handle.fetch_history,
    ]
    for call in calls:
        with pytest.raises(EngineStoppedError, match="closed"):
            await call()


async def test_a_caller_who_waits_for_a_result_is_told_when_the_client_closes() -> None:
    async with a_client() as client:
        handle = await start(client, Collects.run)
        waiting = asyncio.ensure_future(handle.result())
        await handle.describe()
    with pytest.raises(EngineStoppedError):
        await waiting


# Bounds


async def test_a_full_mailbox_refuses_the_next_message_and_keeps_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAILBOX_MESSAGES_MAX", 20)
    async with a_place(Collects, activities=[double]) as client:
        handle = await start(client, Collects.run)
        sent = await asyncio.gather(*[handle.signal(Collects.say, n) for n in range(40)], return_exceptions=True)
        refused = [outcome for outcome in sent if outcome is not None]
        assert refused
        assert all(isinstance(refusal, MailboxFullError) and refusal.limit == 20 for refusal in refused)
        await handle.query(Collects.so_far)  # answered when it has caught up
        await handle.signal(Collects.say, "stop")
        heard = await handle.result()
    assert heard == [*[n for n, outcome in enumerate(sent) if outcome is None], "stop", 42]


async def test_workflows_that_leave_memory_to_make_room_come_back(path: Path | None) -> None:
    async with asyncio.timeout(20), a_client(path) as client, a_worker(client, **SERVED, max_cached_workflows=2):
        handles = [await start(client, Collects.run, id=f"w{number}") for number in range(10)]
        for word in ("a", "b", "c"):
            for handle in handles:
                await handle.signal(Collects.say, word)
                assert (await handle.query(Collects.so_far))[-1] == word
        for handle in handles:
            await handle.signal(Collects.say, "stop")
            assert await handle.result() == ["a", "b", "c", "stop", 42]


async def test_an_idle_workflow_leaves_memory_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "IDLE_TIMEOUT", timedelta(milliseconds=20))
    left = asyncio.Event()

    @workflow.defn
    class Idles(Collects):
        @workflow.run
        async def run(self, nap: float = 0.0) -> list[Any]:
            try:
                await workflow.wait_condition(lambda: "stop" in self.heard)
            finally:
                if workflow.unsafe.is_replaying():
                    left.set()
            return self.heard

    async with a_place(Idles) as client:
        handle = await start(client, Idles.run)
        await handle.signal(Collects.say, "a")
        await left.wait()
        await handle.signal(Collects.say, "stop")
        assert await handle.result() == ["a", "stop"]


async def test_two_thousand_activities_in_one_workflow_each_run_once() -> None:
    ran: Counter[int] = Counter()

    @activity.defn
    async def count(number: int) -> int:
        ran[number] += 1
        return number

    @workflow.defn
    class FansOut:
        @workflow.run
        async def run(self, width: int) -> int:
            calls = [workflow.execute_activity(count, n, start_to_close_timeout=SOON) for n in range(width)]
            return sum(await asyncio.gather(*calls))

    # without a cache the whole fan-out is replayed for each group of results, so a narrower one has to do there
    width = 2000 if CACHED is None else 300
    async with asyncio.timeout(30):
        async with a_client() as client, a_worker(client, workflows=[FansOut], activities=[count]):
            assert await execute(client, FansOut.run, width) == sum(range(width))
    assert ran == Counter(dict.fromkeys(range(width), 1))


async def test_a_thousand_signals_at_once_arrive_once_each(path: Path | None) -> None:
    async with asyncio.timeout(20), a_client(path) as client, a_worker(client, **SERVED):
        handle = await start(client, Collects.run)
        await asyncio.gather(*[handle.signal(Collects.say, number) for number in range(1000)])
        await handle.signal(Collects.say, "stop")
        heard = await handle.result()
    assert sorted(heard[:-2]) == list(range(1000))
    assert heard[-2:] == ["stop", 42]


async def test_the_local_test_environment_is_a_journal_in_real_time(tmp_path: Path) -> None:
    for name in (None, str(tmp_path / "j.db")):
        environment = await WorkflowEnvironment.start_local(db_filename=name)
        assert environment.supports_time_skipping is False
        async with environment, a_worker(environment.client, **SERVED):
            handle = await start(environment.client, Collects.run)
            await handle.signal(Collects.say, "stop")
            assert await handle.result() == ["stop", 42]
