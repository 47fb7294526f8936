"""What a Prometheus server reads about work that was done."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowFailureError
from actorflow.common import RetryPolicy
from actorflow.core import limits
from actorflow.exceptions import ApplicationError, WorkflowParkedError
from actorflow.observability.process import Process
from actorflow.service import RPCError
from actorflow.store.memory import MemoryStore
from tests.crashes.processes import expect, running
from tests.observability.scraping import Scraped, a_metered_client, get, scrape
from tests.support import CACHED, a_worker, execute, start

SOON = timedelta(milliseconds=1)
MINUTE = timedelta(minutes=1)


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@activity.defn
async def third_time_lucky() -> int:
    if activity.info().attempt < 3:
        raise RuntimeError("not yet")
    return activity.info().attempt


@activity.defn
async def hang() -> None:
    await asyncio.Event().wait()


@activity.defn
async def refuse() -> None:
    raise ApplicationError("no", non_retryable=True)


@workflow.defn
class Doubles:
    @workflow.run
    async def run(self, number: int) -> int:
        await workflow.sleep(0.001)
        return await workflow.execute_activity(double, number, start_to_close_timeout=MINUTE)


@workflow.defn
class Persists:
    @workflow.run
    async def run(self) -> int:
        return await workflow.execute_activity(
            third_time_lucky, start_to_close_timeout=MINUTE, retry_policy=RetryPolicy(initial_interval=SOON)
        )


@workflow.defn
class Hangs:
    @workflow.run
    async def run(self) -> None:
        timeout = timedelta(milliseconds=20)
        once = RetryPolicy(maximum_attempts=1)
        await workflow.execute_activity(hang, start_to_close_timeout=timeout, retry_policy=once)


@workflow.defn
class Refused:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity(refuse, start_to_close_timeout=MINUTE)


@workflow.defn
class Breaks:
    @workflow.run
    async def run(self) -> None:
        raise ValueError("a bug")


@workflow.defn
class Waits:
    def __init__(self) -> None:
        self.is_called = False

    @workflow.signal
    def call(self) -> None:
        self.is_called = True

    @workflow.query
    def called(self) -> bool:
        return self.is_called

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self.is_called)


@activity.defn
async def hold() -> None:
    await asyncio.Event().wait()


@workflow.defn
class Holds:
    @workflow.run
    async def run(self) -> None:
        await workflow.execute_activity("hold", start_to_close_timeout=MINUTE)


WORKFLOWS = (Doubles, Persists, Hangs, Refused, Breaks, Waits)
ACTIVITIES = (double, third_time_lucky, hang, refuse)


@asynccontextmanager
async def a_metered_place(
    path: Path | None = None,
    *,
    process: Process | None = None,
    workflows: Sequence[type] = WORKFLOWS,
    activities: Sequence[Any] = ACTIVITIES,
    **options: Any,
) -> AsyncIterator[Client]:
    """A client that counts for itself, and a worker; every wait inside is over after twenty seconds."""
    async with (
        asyncio.timeout(20),
        a_metered_client(path, process=process) as client,
        a_worker(client, workflows=workflows, activities=activities, **options),
    ):
        yield client


async def test_every_workflow_is_counted_once_under_its_type_and_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)
    async with a_metered_place() as client:
        assert [await execute(client, Doubles.run, number, id=f"double-{number}") for number in (1, 2)] == [2, 4]
        for workflow_run in (Hangs.run, Refused.run):
            with pytest.raises(WorkflowFailureError):
                await execute(client, workflow_run, id=workflow_run.__qualname__)
        with pytest.raises(WorkflowParkedError):
            await execute(client, Breaks.run, id="breaks")
        cancelled, terminated = [await start(client, Waits.run, id=id) for id in ("cancelled", "terminated")]
        await cancelled.cancel()
        await terminated.terminate()
        for handle in (cancelled, terminated):
            with pytest.raises(WorkflowFailureError):
                await handle.result()
        await start(client, Waits.run, id="open")
        page = await scrape(client.engine.metrics)

    assert page.labelled("workflows_started_total") == {
        ("Doubles",): 2,
        ("Hangs",): 1,
        ("Refused",): 1,
        ("Breaks",): 1,
        ("Waits",): 3,
    }
    assert page.labelled("workflows_completed_total") == {
        ("completed", "Doubles"): 2,
        ("failed", "Hangs"): 1,
        ("failed", "Refused"): 1,
        ("cancelled", "Waits"): 1,
        ("terminated", "Waits"): 1,
    }
    assert page.labelled("workflow_duration_seconds_count") == page.labelled("workflows_completed_total")
    assert page.labelled("parked_instances") == {("code_failed", "Breaks"): 1}
    assert page.value("workflows", state="parked") == 1
    assert page.value("workflows", state="waiting") == (1 if CACHED is None else 0)


async def test_attempts_are_counted_by_what_became_of_them() -> None:
    async with a_metered_place(max_concurrent_activities=7) as client:
        await execute(client, Persists.run, id="persists")
        for workflow_run in (Hangs.run, Refused.run):
            with pytest.raises(WorkflowFailureError):
                await execute(client, workflow_run, id=workflow_run.__qualname__)
        page = await scrape(client.engine.metrics)

    assert page.labelled("activity_started_total") == {
        ("q", "third_time_lucky"): 3,
        ("q", "hang"): 1,
        ("q", "refuse"): 1,
    }
    assert page.labelled("activity_completed_total") == {
        ("retry", "q", "third_time_lucky"): 2,
        ("ok", "q", "third_time_lucky"): 1,
        ("timeout", "q", "hang"): 1,
        ("failed", "q", "refuse"): 1,
    }
    assert page.labelled("activity_attempts_sum") == {("third_time_lucky",): 3, ("hang",): 1, ("refuse",): 1}
    assert page.value("activity_schedule_to_start_seconds_count", pool="q") == 5
    assert page.value("activity_duration_seconds_count", type="third_time_lucky", outcome="retry") == 2
    assert (page.value("pool_slots", pool="q"), page.value("pool_slots_used", pool="q")) == (7, 0)
    assert (page.value("queue_depth", pool="q"), page.value("queue_oldest_age_seconds", pool="q")) == (0, 0)


async def test_messages_are_counted_by_kind_and_result() -> None:
    async with a_metered_place() as client:
        handle = await start(client, Waits.run)
        assert await handle.query(Waits.called) is False
        await handle.signal(Waits.call)
        await handle.result()
        with pytest.raises(RPCError):
            await handle.signal(Waits.call)
        await execute(client, Doubles.run, 1, id="double")
        page = await scrape(client.engine.metrics)

    counted = {labels: count for labels, count in page.labelled("messages_total").items() if count}
    assert counted == {
        ("query", "ok"): 1,
        ("signal", "ok"): 1,
        ("signal", "rejected"): 1,
        ("timer", "ok"): 1,
        ("activity_result", "ok"): 1,
    }


async def test_what_is_written_is_counted_with_the_group_commits_that_wrote_it(tmp_path: Path) -> None:
    async with a_metered_place(tmp_path / "j.db") as client:
        handle = await start(client, Doubles.run, 1)
        await handle.result()
        history = (await handle.describe()).history_length
        page = await scrape(client.engine.metrics)
    rows = journal_bytes(tmp_path / "j.db")

    assert page.value("journal_events_total") == page.value("journal_batch_events_sum") == history
    assert page.value("workflow_history_events_sum", type="Doubles") == history
    assert page.value("journal_bytes_total") == page.value("workflow_history_bytes_sum", type="Doubles") == rows
    commits = page.value("journal_commit_seconds_count")
    assert commits == page.value("journal_batch_transitions_count") == 3
    assert page.value("turn_messages_sum") == page.value("journal_batch_transitions_sum") == 3
    assert page.value("turn_duration_seconds_count", type="Doubles") == 3
    assert page.value("journal_queue_depth") == 0
    assert (page.value("db_size_bytes") or 0) > 0
    assert (page.value("db_free_bytes") or 0) > 0
    assert page.families["actorflow_build_info"].samples[0].labels["loop"]


def journal_bytes(path: Path) -> int:
    """How much text the turns of a closed journal hold."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT sum(length(CAST(events AS BLOB))) FROM turn").fetchone()[0]


async def test_counts_stay_when_the_engine_has_closed_and_engines_add_up(tmp_path: Path) -> None:
    process = Process()
    async with asyncio.timeout(10):
        async with a_metered_client(process=process) as one, a_metered_client(tmp_path / "j", process=process) as other:
            for client in (one, other):
                async with a_worker(client, workflows=WORKFLOWS, activities=ACTIVITIES):
                    await execute(client, Doubles.run, 1)
            together, alone = await scrape(process), await scrape(other.engine.metrics)
        closed = await scrape(process)

    completed = {"type": "Doubles", "outcome": "completed"}
    assert alone.value("workflows_completed_total", **completed) == 1
    assert together.value("workflows_completed_total", **completed) == 2
    assert closed.value("workflows_completed_total", **completed) == 2
    assert closed.value("journal_commit_seconds_count") == together.value("journal_commit_seconds_count")
    assert (together.value("timers") is None, closed.value("timers") is None) == (False, True)


async def test_what_leaves_memory_and_comes_back_is_counted() -> None:
    async with a_metered_place(max_cached_workflows=1) as client:
        handles = [await start(client, Waits.run, id=f"waits-{number}") for number in range(3)]
        resident = await scrape(client.engine.metrics)
        for handle in handles:
            await handle.signal(Waits.call)
            await handle.result()
        page = await scrape(client.engine.metrics)

    assert resident.value("actors", tier="hot", kind="workflow") == 1
    assert resident.value("passivations_total", reason="lru") == 2
    assert page.value("activations_total", type="Waits") == page.value("replay_events_count", type="Waits") == 2
    assert page.value("activation_duration_seconds_count", type="Waits") == 2


async def test_what_waits_for_a_worker_is_in_the_inbox_and_recovered_when_one_comes() -> None:
    store = MemoryStore()
    async with asyncio.timeout(10), a_metered_client(store=store) as client:
        handle = await start(client, Waits.run)
        started = await scrape(client.engine.metrics)
        async with a_worker(client, workflows=WORKFLOWS, activities=ACTIVITIES):
            await handle.signal(Waits.call)
            await handle.result()
            page = await scrape(client.engine.metrics)

    assert started.value("workflows_started_total", type="Waits") == 1
    assert page.value("workflows_started_total", type="Waits") == 1
    assert page.value("recovered_instances_total") == 1
    assert (page.value("recovery_seconds") or -1) >= 0


async def test_activities_that_wait_for_a_slot_are_a_queue(tmp_path: Path) -> None:
    async with a_metered_place(workflows=[Holds], activities=[hold], max_concurrent_activities=1) as client:
        handles = [await start(client, Holds.run, id=f"holds-{number}") for number in range(3)]
        page = await scrape(client.engine.metrics)
        for handle in handles:
            await handle.terminate()

    assert (page.value("queue_depth", pool="q"), page.value("pool_slots_used", pool="q")) == (2, 1)
    assert (page.value("queue_oldest_age_seconds", pool="q") or 0) > 0
    assert page.value("actors", tier="hot", kind="activity") == 3


async def test_scraping_never_fails_while_the_engine_is_busy() -> None:
    process = Process()
    async with a_metered_place(process=process) as client:
        is_over = False

        def snapshots() -> int:
            taken = 0
            while not is_over:
                process.snapshot()
                taken += 1
            return taken

        with ThreadPoolExecutor(2) as threads:
            scraping = [threads.submit(snapshots) for _ in range(2)]
            try:
                await asyncio.gather(*[execute(client, Doubles.run, number, id=f"d-{number}") for number in range(300)])
            finally:
                is_over = True
            assert all(future.result() > 0 for future in scraping)
        page = await scrape(process)
    assert page.value("workflows_completed_total", type="Doubles", outcome="completed") == 300
    assert page.value("workflow_duration_seconds_count", type="Doubles", outcome="completed") == 300


KILLED = """
import asyncio, sys
from actorflow.client import Client
from actorflow.worker import Worker
from tests.scenarios.test_metrics import Holds, hold

async def main():
    async with await Client.connect(f"sqlite:///{sys.argv[1]}") as client:
        async with Worker(client, task_queue="q", workflows=[Holds], activities=[hold]):
            for number in range(3):
                await client.start_workflow(Holds.run, id=f"holds-{number}", task_queue="q")
            print("held", flush=True)
            await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_recovered_process_says_what_it_recovered_and_what_was_lost(tmp_path: Path) -> None:
    running_again: asyncio.Queue[int] = asyncio.Queue()

    @activity.defn(name="hold")
    async def hold_again() -> None:
        running_again.put_nowait(activity.info().attempt)
        await hold()

    with running("-c", KILLED, tmp_path / "j.db") as process:
        expect(process, "held")
        process.kill()
    async with a_metered_place(tmp_path / "j.db", workflows=[Holds], activities=[hold_again]) as client:
        assert [await running_again.get() for _ in range(3)] == [2, 2, 2]
        for number in range(3):
            await client.get_workflow_handle(f"holds-{number}").terminate()
        page = await scrape(client.engine.metrics)

    assert page.value("recovered_instances_total") == 3
    assert page.labelled("activity_completed_total") == {("worker_died", "q", "hold"): 3, ("cancelled", "q", "hold"): 3}
    assert page.labelled("workflows_completed_total") == {("terminated", "Holds"): 3}
    assert page.labelled("workflows_started_total") == {("Holds",): 0}


SERVED = """
import asyncio, urllib.request
import actorflow.observability
from actorflow.client import Client
from actorflow.worker import Worker
from tests.scenarios.test_metrics import Doubles, double

async def main():
    with actorflow.observability.start_http_server(0) as server:
        async with await Client.connect("memory://") as client:
            async with Worker(client, task_queue="q", workflows=[Doubles], activities=[double]):
                await client.execute_workflow(Doubles.run, 1, id="d", task_queue="q")
        print(server.port, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_program_shows_its_engines_with_one_line(tmp_path: Path) -> None:
    with running("-c", SERVED) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        text, _ = await asyncio.to_thread(get, port)
        process.kill()
    page = Scraped(text)
    assert page.value("workflows_completed_total", type="Doubles", outcome="completed") == 1
    assert page.families["process_resident_memory_bytes"].samples[0].value > 0
