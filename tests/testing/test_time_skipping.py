"""Time is skipped when nothing else can happen, and only then."""

from __future__ import annotations

import asyncio
import builtins
import logging
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowFailureError, WorkflowHandle
from actorflow.common import RetryPolicy
from actorflow.core import limits
from actorflow.exceptions import ActivityError, EngineStoppedError, TimeoutError, TimeoutType, WorkflowParkedError
from actorflow.testing import ResultNeverComesError, WorkflowEnvironment
from tests.support import a_worker, execute, failure_of, start

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture
async def env() -> AsyncIterator[WorkflowEnvironment]:
    async with asyncio.timeout(20), await WorkflowEnvironment.start_time_skipping() as environment:
        yield environment


@workflow.defn
class Sleeps:
    """Sleeps so often for so long, and says how long it took by its own time."""

    def __init__(self) -> None:
        self.slept = 0

    @workflow.run
    async def run(self, seconds: float, times: int = 1) -> float:
        began_at = workflow.now()
        for _ in range(times):
            await workflow.sleep(seconds)
            self.slept += 1
        return (workflow.now() - began_at).total_seconds()

    @workflow.query
    def times(self) -> int:
        return self.slept


@workflow.defn
class Waits:
    """Waits for a signal, at most so long."""

    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self, seconds: float | None = None) -> str:
        try:
            await workflow.wait_condition(
                lambda: self.word != "", timeout=None if seconds is None else timedelta(seconds=seconds)
            )
        except builtins.TimeoutError:
            return "nobody came"
        return self.word

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word

    @workflow.query
    def heard(self) -> str:
        return self.word

    @workflow.update
    async def say_later(self, word: str) -> str:
        await workflow.sleep(HOUR)
        self.word = word
        return word


@workflow.defn
class Does:
    """Runs one activity with these options."""

    @workflow.run
    async def run(self, name: str, options: dict[str, float]) -> Any:
        given: Any = {key: timedelta(seconds=value) for key, value in options.items()}
        return await workflow.execute_activity(name, **given, retry_policy=RetryPolicy(maximum_attempts=5))


def loop_seconds() -> float:
    return asyncio.get_running_loop().time()


async def test_ninety_days_pass_at_once_and_to_the_microsecond(env: WorkflowEnvironment) -> None:
    began_at, began = await env.get_current_time(), loop_seconds()
    async with a_worker(env.client, workflows=[Sleeps]):
        assert await execute(env.client, Sleeps.run, DAY.total_seconds(), 90) == timedelta(days=90).total_seconds()
    assert timedelta(days=90) <= await env.get_current_time() - began_at < timedelta(days=90, minutes=1)
    assert loop_seconds() - began < 15
    assert env.supports_time_skipping


async def test_what_is_asked_for_in_one_burst_falls_due_in_one(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Sleeps]):
        runs = [execute(env.client, Sleeps.run, 3600.0, 3, id=f"w{number}") for number in range(100)]
        assert await asyncio.gather(*runs) == [3 * 3600.0] * 100


async def test_timers_of_several_workflows_fire_in_the_order_of_their_times(env: WorkflowEnvironment) -> None:
    ended: list[int] = []

    @activity.defn
    async def note(hours: int) -> None:
        ended.append(hours)

    @workflow.defn
    class Notes:
        @workflow.run
        async def run(self, hours: int) -> datetime:
            await workflow.sleep(timedelta(hours=hours))
            await workflow.execute_activity(note, hours, start_to_close_timeout=HOUR)
            return workflow.now()

    async with a_worker(env.client, workflows=[Notes], activities=[note]):
        handles = [await start(env.client, Notes.run, hours, id=f"w{hours}") for hours in (5, 1, 4, 2, 3)]
        times = await asyncio.gather(*[handle.result() for handle in handles])
    assert ended == [1, 2, 3, 4, 5]
    assert sorted(times) == [times[index] for index in (1, 3, 4, 2, 0)]


async def test_a_timeout_that_nobody_prevents_is_skipped_to(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Waits]):
        assert await execute(env.client, Waits.run, 30 * DAY.total_seconds()) == "nobody came"


async def test_signals_queries_and_updates_do_not_move_the_time(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Sleeps, Waits]):
        sleeping = await start(env.client, Sleeps.run, HOUR.total_seconds(), id="sleeping")
        waiting = await start(env.client, Waits.run, HOUR.total_seconds(), id="waiting")
        began_at = await env.get_current_time()
        await waiting.signal(Waits.say, "early")
        assert await sleeping.query(Sleeps.times) == 0
        assert await env.get_current_time() - began_at < timedelta(minutes=1)
        assert await waiting.result() == "early"
        assert await sleeping.query(Sleeps.times) == 0


async def test_calls_that_are_under_way_are_waited_for_before_time_moves(tmp_path: Path) -> None:
    async def asks_and_signals(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
        await handle.query(Waits.heard)
        await handle.describe()
        await handle.fetch_history()
        assert [one.id async for one in client.list_workflows(f"WorkflowId = '{handle.id}'")] == [handle.id]
        await handle.signal(Waits.say, "in time")

    async with (
        asyncio.timeout(30),
        await WorkflowEnvironment.start_time_skipping(db_filename=str(tmp_path / "j.db")) as env,
        a_worker(env.client, workflows=[Waits]),
    ):
        for number in range(20):
            handle = await start(env.client, Waits.run, 60.0, id=f"w{number}")
            result, _ = await asyncio.gather(handle.result(), asks_and_signals(env.client, handle))
            assert result == "in time"


async def test_an_update_that_takes_time_gets_it_while_a_result_is_awaited(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Waits]):
        handle = await start(env.client, Waits.run)
        result, outcome = await asyncio.gather(handle.result(), handle.execute_update(Waits.say_later, "late"))
    assert (result, outcome) == ("late", "late")


async def test_time_does_not_jump_while_an_activity_runs(env: WorkflowEnvironment) -> None:
    is_running, may_end = asyncio.Event(), asyncio.Event()

    @activity.defn
    async def work() -> str:
        is_running.set()
        await may_end.wait()
        return "done"

    async with a_worker(env.client, workflows=[Does, Sleeps], activities=[work]):
        sleeping = await start(env.client, Sleeps.run, HOUR.total_seconds(), id="sleeping")
        working = await start(env.client, Does.run, "work", {"start_to_close_timeout": 60.0}, id="working")
        async with asyncio.TaskGroup() as tasks:
            results = [tasks.create_task(handle.result()) for handle in (sleeping, working)]
            await is_running.wait()
            assert await sleeping.query(Sleeps.times) == 0
            for _ in range(50):  # rounds of the loop, ten times as many as time needs to jump
                await asyncio.sleep(0)
            assert not results[0].done()
            may_end.set()
    assert [task.result() for task in results] == [HOUR.total_seconds(), "done"]


async def test_retries_take_no_time(env: WorkflowEnvironment) -> None:
    attempts: list[datetime] = []

    @activity.defn
    async def fails_thrice() -> int:
        attempts.append(await env.get_current_time())
        if len(attempts) < 4:
            raise ValueError("not yet")
        return len(attempts)

    async with a_worker(env.client, workflows=[Does], activities=[fails_thrice]):
        assert await execute(env.client, Does.run, "fails_thrice", {"start_to_close_timeout": 60.0}) == 4
    waits = [round((later - earlier).total_seconds()) for earlier, later in pairwise(attempts)]
    assert waits == [1, 2, 4]


async def test_sleeping_fires_what_falls_due_on_the_way_and_nothing_later(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Sleeps]):
        handle = await start(env.client, Sleeps.run, HOUR.total_seconds(), 10)
        began_at = await env.get_current_time()
        await env.sleep(timedelta(hours=3, minutes=30))
        assert await handle.query(Sleeps.times) == 3
        await env.sleep(3600)
        assert await handle.query(Sleeps.times) == 4
        passed = await env.get_current_time() - began_at
        assert timedelta(hours=4, minutes=30) <= passed < timedelta(hours=4, minutes=31)


async def test_an_activity_that_sleeps_misses_its_heartbeat(env: WorkflowEnvironment) -> None:
    @activity.defn
    async def forgets_to_beat() -> None:
        activity.heartbeat("once")
        await env.sleep(HOUR)

    options = {"start_to_close_timeout": 7200.0, "heartbeat_timeout": 60.0}
    async with a_worker(env.client, workflows=[Does], activities=[forgets_to_beat]):
        failure = await failure_of(await start(env.client, Does.run, "forgets_to_beat", options))
    assert isinstance(failure, ActivityError)
    assert isinstance(failure.cause, TimeoutError)
    assert failure.cause.type == TimeoutType.HEARTBEAT


async def test_an_activity_in_a_thread_may_sleep_too(env: WorkflowEnvironment) -> None:
    loop = asyncio.get_running_loop()

    @activity.defn
    def sleeps() -> str:
        asyncio.run_coroutine_threadsafe(env.sleep(HOUR), loop).result()
        return "slept"

    with ThreadPoolExecutor() as executor:
        async with a_worker(env.client, workflows=[Does, Sleeps], activities=[sleeps], activity_executor=executor):
            sleeping = await start(env.client, Sleeps.run, 600.0, id="sleeping")
            assert await execute(env.client, Does.run, "sleeps", {"start_to_close_timeout": 7200.0}) == "slept"
            assert await sleeping.query(Sleeps.times) == 1


async def test_a_test_that_sleeps_runs_activities_out_of_their_time(env: WorkflowEnvironment) -> None:
    @activity.defn
    async def hangs() -> None:
        await asyncio.Event().wait()

    async with a_worker(env.client, workflows=[Does], activities=[hangs]):
        options = {"start_to_close_timeout": 60.0, "schedule_to_close_timeout": 100.0}
        handle = await start(env.client, Does.run, "hangs", options)
        await env.sleep(HOUR)
        failure = await failure_of(handle)
    assert isinstance(failure, ActivityError)
    assert isinstance(failure.cause, TimeoutError)


async def test_with_skipping_switched_off_time_passes_as_it_does(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Sleeps]):
        with env.auto_time_skipping_disabled():
            began = loop_seconds()
            assert await execute(env.client, Sleeps.run, 0.2) >= 0.2
            assert loop_seconds() - began >= 0.19
            handle = await start(env.client, Sleeps.run, HOUR.total_seconds(), id="long")
            result = asyncio.ensure_future(handle.result())
            await env.sleep(timedelta(minutes=59))
            assert await handle.query(Sleeps.times) == 0
        assert await result == HOUR.total_seconds()


async def test_two_environments_have_times_of_their_own(env: WorkflowEnvironment) -> None:
    began_at = datetime.now(UTC)
    async with (
        await WorkflowEnvironment.start_time_skipping() as other,
        a_worker(env.client, workflows=[Sleeps]),
        a_worker(other.client, workflows=[Sleeps]),
    ):
        still = await start(other.client, Sleeps.run, 60.0)
        assert await execute(env.client, Sleeps.run, DAY.total_seconds(), 10) == 10 * DAY.total_seconds()
        assert await still.query(Sleeps.times) == 0
        assert await other.get_current_time() - began_at < timedelta(minutes=1)
        assert await env.get_current_time() - began_at >= 10 * DAY


async def test_a_file_keeps_what_happened_in_skipped_time(tmp_path: Path) -> None:
    async with asyncio.timeout(20):
        path = str(tmp_path / "j.db")
        async with (
            await WorkflowEnvironment.start_time_skipping(db_filename=path) as env,
            a_worker(env.client, workflows=[Sleeps]),
        ):
            assert await execute(env.client, Sleeps.run, HOUR.total_seconds(), 5) == 5 * HOUR.total_seconds()
        async with await WorkflowEnvironment.start_local(db_filename=path) as env:
            about = await env.client.get_workflow_handle("w").describe()
            assert about.close_time is not None
            assert about.close_time - about.start_time == 5 * HOUR


async def test_a_bug_in_a_workflow_is_told_at_once(env: WorkflowEnvironment) -> None:
    @workflow.defn
    class Breaks:
        @workflow.run
        async def run(self) -> None:
            raise TypeError("a bug")

    async with a_worker(env.client, workflows=[Breaks]):
        with pytest.raises(WorkflowParkedError, match="a bug"):
            await execute(env.client, Breaks.run)


async def test_a_result_no_worker_can_bring_is_refused(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SKIP_STUCK_GRACE", timedelta(milliseconds=10))
    async with a_worker(env.client, workflows=[Sleeps]):
        handle = await start(env.client, "Missing")
        with pytest.raises(ResultNeverComesError, match=r"no worker .* 'Missing' on task queue 'q' .*Sleeps on 'q'"):
            await handle.result()


async def test_a_worker_that_comes_while_its_workflow_is_awaited_is_in_time(env: WorkflowEnvironment) -> None:
    handle = await start(env.client, Sleeps.run, HOUR.total_seconds())
    result = asyncio.ensure_future(handle.result())
    await asyncio.sleep(0)
    async with a_worker(env.client, workflows=[Sleeps]):
        assert await result == HOUR.total_seconds()


async def test_an_activity_no_worker_can_run_is_named(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SKIP_STUCK_GRACE", timedelta(milliseconds=10))
    async with a_worker(env.client, workflows=[Does]):
        handle = await start(env.client, Does.run, "charge", {"start_to_close_timeout": 60.0})
        with pytest.raises(ResultNeverComesError, match=r"activity 'charge' waits for task queue 'q'"):
            await handle.result()


async def test_a_child_no_worker_can_run_is_named(env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SKIP_STUCK_GRACE", timedelta(milliseconds=10))

    @workflow.defn
    class Parents:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_child_workflow("Missing", id="child")

    async with a_worker(env.client, workflows=[Parents]):
        handle = await start(env.client, Parents.run)
        with pytest.raises(ResultNeverComesError, match=r"child 'child' waits: no worker .* 'Missing'"):
            await handle.result()


async def test_children_and_runs_that_continue_sleep_in_skipped_time_too(env: WorkflowEnvironment) -> None:
    @workflow.defn
    class Continues:
        @workflow.run
        async def run(self, left: int) -> str:
            await workflow.execute_child_workflow(Sleeps.run, args=[DAY.total_seconds(), 3])
            if left:
                workflow.continue_as_new(left - 1)
            return "done"

    began_at = await env.get_current_time()
    async with a_worker(env.client, workflows=[Continues, Sleeps]):
        assert await execute(env.client, Continues.run, 4) == "done"
    assert 15 * DAY <= await env.get_current_time() - began_at < 16 * DAY


async def test_a_workflow_nobody_runs_is_skipped_to_its_timeout(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Sleeps]):
        failure = await failure_of(await start(env.client, "Missing", execution_timeout=DAY))
    assert isinstance(failure, TimeoutError)


async def test_an_activity_left_open_by_an_earlier_process_counts_as_running(tmp_path: Path) -> None:
    tokens: asyncio.Queue[bytes] = asyncio.Queue()

    @activity.defn
    async def leaves() -> None:
        await tokens.put(activity.info().task_token)
        activity.raise_complete_async()

    path = str(tmp_path / "j.db")
    options = {"start_to_close_timeout": DAY.total_seconds()}
    async with (
        asyncio.timeout(20),
        await WorkflowEnvironment.start_time_skipping(db_filename=path) as env,
        a_worker(env.client, workflows=[Does], activities=[leaves]),
    ):
        await start(env.client, Does.run, "leaves", options, id="leaves")
        token = await tokens.get()
    async with (
        asyncio.timeout(20),
        await WorkflowEnvironment.start_time_skipping(db_filename=path) as env,
        a_worker(env.client, workflows=[Does, Sleeps], activities=[leaves]),
    ):
        left_open = env.client.get_workflow_handle("leaves")
        sleeping = await start(env.client, Sleeps.run, HOUR.total_seconds(), id="sleeping")
        results = asyncio.gather(left_open.result(), sleeping.result())
        for _ in range(50):  # rounds of the loop, ten times as many as time needs to jump
            await asyncio.sleep(0)
        assert await sleeping.query(Sleeps.times) == 0
        await env.client.get_async_activity_handle(task_token=token).complete("from outside")
        assert await results == ["from outside", HOUR.total_seconds()]


async def test_an_activity_that_fails_for_ever_is_not_retried_for_ever(env: WorkflowEnvironment) -> None:
    @activity.defn
    async def fails() -> None:
        raise ValueError("as always")

    @workflow.defn
    class Persists:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(fails, start_to_close_timeout=HOUR)

    async with a_worker(env.client, workflows=[Persists], activities=[fails]):
        handle = await start(env.client, Persists.run)
        with pytest.raises(ResultNeverComesError, match=r"'fails' fails again .* ValueError: as always"):
            await handle.result()


async def test_a_workflow_that_waits_for_a_call_is_warned_about(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(limits, "SKIP_STUCK_GRACE", timedelta(milliseconds=10))
    warned = asyncio.Event()

    class Told(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            warned.set()

    logging.getLogger("actorflow.testing").addHandler(told := Told())
    try:
        async with a_worker(env.client, workflows=[Waits]):
            handle = await start(env.client, Waits.run)
            result = asyncio.ensure_future(handle.result())
            await warned.wait()
            await handle.signal(Waits.say, "here I am")
            assert await result == "here I am"
    finally:
        logging.getLogger("actorflow.testing").removeHandler(told)
    assert "waits for a signal, an update or another call" in caplog.text


@pytest.mark.parametrize(
    ("duration", "error"),
    [(-1, ValueError), (timedelta(seconds=-1), ValueError), (float("nan"), ValueError), (1e12, ValueError)],
)
@pytest.mark.parametrize("starter", [WorkflowEnvironment.start_time_skipping, WorkflowEnvironment.start_local])
async def test_a_duration_that_can_be_none_is_refused(starter: Any, duration: Any, error: type[Exception]) -> None:
    async with await starter() as env:
        with pytest.raises(error, match=r"duration"):
            await env.sleep(duration)
        with pytest.raises(TypeError, match="not str"):
            await env.sleep("1h")


async def test_an_environment_shut_down_twice_is_shut_down(env: WorkflowEnvironment) -> None:
    await asyncio.gather(env.shutdown(), env.shutdown())
    await env.shutdown()
    with pytest.raises(RuntimeError, match="shut down"):
        await env.sleep(1)
    with pytest.raises(EngineStoppedError):
        await env.client.get_workflow_handle("w").result()


async def test_somebody_who_awaits_a_result_is_told_of_the_shutdown(env: WorkflowEnvironment) -> None:
    handle = await start(env.client, "Missing")
    result = asyncio.ensure_future(handle.result())
    await asyncio.sleep(0)
    await env.shutdown()
    with pytest.raises(EngineStoppedError):
        await result


async def test_somebody_who_sleeps_in_an_environment_is_told_of_its_shutdown(env: WorkflowEnvironment) -> None:
    is_running = asyncio.Event()

    @activity.defn
    async def works() -> None:
        is_running.set()
        await asyncio.Event().wait()

    async with a_worker(env.client, workflows=[Does], activities=[works]):
        await start(env.client, Does.run, "works", {"start_to_close_timeout": 60.0})
        await is_running.wait()
        sleeping = asyncio.ensure_future(env.sleep(1))  # held up a moment by the activity
        await asyncio.sleep(0)
        await env.shutdown()
        with pytest.raises(RuntimeError, match="shut down"):
            await sleeping


async def test_a_chain_of_runs_without_end_is_not_followed_for_ever(
    env: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch
) -> None:
    @workflow.defn
    class Goes:
        @workflow.run
        async def run(self) -> None:
            await workflow.sleep(DAY)
            workflow.continue_as_new()

    monkeypatch.setattr(limits, "DURATION_MAX", 20 * DAY)
    async with a_worker(env.client, workflows=[Goes]):
        handle = await start(env.client, Goes.run)
        with pytest.raises(ResultNeverComesError, match="years were skipped"):
            await handle.result()


async def test_another_event_loop_is_refused(env: WorkflowEnvironment) -> None:
    problems: list[BaseException] = []

    async def elsewhere() -> None:
        for use in (lambda: env.sleep(1), env.get_current_time, env.shutdown):
            try:
                await use()
            except RuntimeError as problem:
                problems.append(problem)

    thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
    thread.start()
    thread.join()
    assert ["another event loop" in str(problem) for problem in problems] == [True] * 3


async def test_a_file_that_is_open_with_another_clock_is_refused(tmp_path: Path) -> None:
    path = str(tmp_path / "j.db")
    async with await WorkflowEnvironment.start_local(db_filename=path):
        with pytest.raises(RuntimeError, match="another clock"):
            await WorkflowEnvironment.start_time_skipping(db_filename=path)


async def test_an_environment_on_a_client_leaves_the_client_open() -> None:
    async with await WorkflowEnvironment.start_local() as owner:
        async with WorkflowEnvironment.from_client(owner.client) as env:
            assert not env.supports_time_skipping
            await env.sleep(0)
            with env.auto_time_skipping_disabled():
                assert (await env.get_current_time()).tzinfo is UTC
        assert [one async for one in owner.client.list_workflows()] == []


async def test_a_failing_workflow_fails_its_test(env: WorkflowEnvironment) -> None:
    async with a_worker(env.client, workflows=[Does]):
        with pytest.raises(WorkflowFailureError):
            await execute(
                env.client, Does.run, "nothing", {"schedule_to_start_timeout": 5.0, "start_to_close_timeout": 1}
            )
