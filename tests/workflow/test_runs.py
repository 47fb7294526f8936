"""Runs that follow others: continued as new, retried, by cron; time-outs and delays of runs."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WithStartWorkflowOperation,
    WorkflowContinuedAsNewError,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from actorflow.common import RawValue, RetryPolicy, WorkflowIDConflictPolicy
from actorflow.core import limits
from actorflow.exceptions import ApplicationError, CancelledError, TimeoutError, TimeoutType, WorkflowParkedError
from actorflow.store.sqlite.verify import verify
from tests.support import a_client, a_place, a_worker, events_of, execute, failure_of, start

SOON = timedelta(seconds=5)
TICK = timedelta(milliseconds=1)
AT_ONCE = RetryPolicy(initial_interval=TICK)


@workflow.defn
class Counts:
    """Continues as new until the count is zero, and says which runs there were."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    @workflow.run
    async def run(self, count: int, runs: list[str] | None = None) -> list[str]:
        info = workflow.info()
        so_far = [*(runs or []), info.run_id]
        assert info.first_execution_run_id == so_far[0]
        assert info.continued_run_id == (so_far[-2] if len(so_far) > 1 else None)
        if count == 0:
            return so_far
        return workflow.continue_as_new(args=[count - 1, so_far])


@workflow.defn
class Stubborn:
    @workflow.run
    async def run(self, failures: int) -> list[Any]:
        attempt, before = workflow.info().attempt, workflow.get_last_failure()
        if attempt <= failures:
            raise ApplicationError(f"attempt {attempt}", type="Stubborn")
        return [attempt, None if before is None else str(before)]


@workflow.defn
class Sleeps:
    @workflow.run
    async def run(self, tidies: bool = False) -> str:
        try:
            await workflow.sleep(3600)
        finally:
            if tidies:
                Stage.tidied = True
        return "slept"


class Stage:
    """What workflows of these stories did."""

    tidied = False
    fired = asyncio.Event()
    said: list[Any]


@pytest.fixture(autouse=True)
def _stage() -> None:
    Stage.tidied = False
    Stage.fired = asyncio.Event()
    Stage.said = []


@activity.defn
async def say(what: Any) -> None:
    Stage.said.append(what)
    if len(Stage.said) >= 3:
        Stage.fired.set()


@workflow.defn
class Fires:
    """Counts the runs of its cron; the second one fails."""

    @workflow.run
    async def run(self) -> int:
        last = workflow.get_last_completion_result(int)
        assert workflow.has_last_completion_result() is (last is not None)
        before = workflow.get_last_failure()
        await workflow.execute_activity(say, [last, before and str(before)], start_to_close_timeout=SOON)
        if last == 1 and before is None:
            raise ApplicationError("the second one fails")
        return (last or 0) + 1


@workflow.defn
class Hears:
    """Hears one signal per run, and goes on with what it has heard."""

    def __init__(self) -> None:
        self.heard: list[int] = []

    @workflow.run
    async def run(self, before: list[int], enough: int) -> list[int]:
        await workflow.wait_condition(lambda: bool(self.heard))
        so_far = [*before, *self.heard]
        if len(so_far) >= enough:
            return so_far
        return workflow.continue_as_new(args=[so_far, enough])

    @workflow.signal
    def hear(self, number: int) -> None:
        self.heard.append(number)

    @workflow.update
    async def add(self, number: int) -> str:
        self.heard.append(number)
        return workflow.info().run_id


EVERYBODY = (Counts, Stubborn, Sleeps, Fires, Hears)


def a_home(path: Path | None = None) -> Any:
    return a_place(*EVERYBODY, activities=[say], path=path)


async def statuses(client: Client, workflow_id: str = "w") -> list[str]:
    """How the runs of a workflow id ended, the latest first."""
    found = [run async for run in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    return [run.status.name for run in found if run.status is not None]


# Continued as new


async def test_a_workflow_continues_as_new_with_an_empty_history(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Counts.run, 3)
        runs = await handle.result()
        assert len(set(runs)) == 4
        assert runs[0] == handle.first_execution_run_id == handle.result_run_id
        assert await statuses(client) == ["COMPLETED", *["CONTINUED_AS_NEW"] * 3]
        first = client.get_workflow_handle("w", run_id=runs[0])
        assert await events_of(first) == ["Started", "ContinuedAsNew"]
    assert verify(tmp_path / "j.db").is_sound


async def test_whoever_does_not_follow_runs_is_told_which_one_comes_next() -> None:
    async with a_home() as client:
        handle = await start(client, Counts.run, 1)
        with pytest.raises(WorkflowContinuedAsNewError) as told:
            await handle.result(follow_runs=False)
        runs = await handle.result()
        assert told.value.new_execution_run_id == runs[1]


async def test_continue_as_new_is_not_caught_by_except_exception() -> None:
    @workflow.defn
    class Careful:
        @workflow.run
        async def run(self, is_second: bool = False) -> str:
            if is_second:
                return "second"
            try:
                workflow.continue_as_new(True)
            except Exception as problem:
                return f"caught {problem!r}"

    async with a_place(Careful) as client:
        assert await execute(client, Careful.run) == "second"


async def test_a_workflow_may_continue_as_another_on_another_queue_and_from_a_handler() -> None:
    @workflow.defn
    class Hands:
        @workflow.run
        async def run(self) -> None:
            await workflow.wait_condition(lambda: False)

        @workflow.signal
        async def over(self) -> None:
            workflow.continue_as_new(0, workflow=Stubborn.run, task_queue="other")

    async with a_place(Hands) as client, a_worker(client, workflows=[Stubborn], task_queue="other"):
        handle = await start(client, Hands.run)
        await handle.signal("over")
        assert await client.get_workflow_handle("w").result() == [1, None]
        described = await client.get_workflow_handle("w").describe()
        assert (described.workflow_type, described.task_queue) == ("Stubborn", "other")


async def test_signals_that_come_while_a_workflow_continues_as_new_are_all_handled_once(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Hears.run, [], 40)
        await asyncio.gather(*[handle.signal(Hears.hear, number) for number in range(40)])
        assert sorted(await handle.result()) == list(range(40))
    assert verify(tmp_path / "j.db").is_sound


async def test_an_update_follows_a_workflow_that_continues_as_new(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Hears.run, [], 10)
        runs = await asyncio.gather(*[handle.execute_update(Hears.add, number) for number in range(10)])
        assert sorted(await handle.result()) == list(range(10))
        known = {run.run_id async for run in client.list_workflows("WorkflowId = 'w'")}
        assert set(runs) <= known
    assert verify(tmp_path / "j.db").is_sound


async def test_signals_kept_for_a_worker_are_carried_over(tmp_path: Path) -> None:
    async with a_client(tmp_path / "j.db") as client, asyncio.timeout(10):
        handle = await start(client, Hears.run, [], 3)
        for number in range(3):
            await handle.signal(Hears.hear, number)
        async with a_worker(client, workflows=[Hears]):
            assert await handle.result() == [0, 1, 2]
    assert verify(tmp_path / "j.db").is_sound


async def test_a_chain_that_spins_is_slowed_down_and_harms_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HURRIED_RUNS_MAX", 2)
    monkeypatch.setattr(limits, "HURRIED_RUN", timedelta(seconds=30))

    async with a_home() as client:
        storm = await start(client, Counts.run, 1_000_000, id="storm")
        while len(await statuses(client, "storm")) < 4:
            await execute(client, Stubborn.run, 0, id="other")  # which goes on as if nothing happened
        await storm.terminate()
        assert len(await statuses(client, "storm")) == 4


async def test_a_long_history_suggests_to_continue_as_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HISTORY_EVENTS_SUGGESTED_MAX", 30)

    @workflow.defn
    class Listens:
        @workflow.run
        async def run(self) -> list[int]:
            info, turns = workflow.info(), 0
            sizes = [info.get_current_history_size()]
            while not info.is_continue_as_new_suggested():
                await workflow.sleep(0)
                turns += 1
                sizes.append(info.get_current_history_size())
            assert sizes == sorted(set(sizes))
            return [turns, info.get_current_history_length()]

    async with a_place(Listens) as client:
        turns, length = await execute(client, Listens.run)
    assert turns >= 4
    assert length >= 30


async def test_an_update_cannot_continue_as_new_and_says_what_to_do(parks_at_once: None) -> None:
    @workflow.defn
    class Hurries:
        @workflow.run
        async def run(self) -> None:
            await workflow.wait_condition(lambda: False)

        @workflow.update
        def go_on(self) -> None:
            workflow.continue_as_new()

    async with a_place(Hurries) as client:
        handle = await start(client, Hurries.run)
        with pytest.raises(WorkflowParkedError, match="set something that the run method waits for"):
            await handle.execute_update(Hurries.go_on)


# Retried


async def test_a_failed_workflow_with_a_retry_policy_is_run_again_and_knows_why(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        assert await execute(client, Stubborn.run, 2, retry_policy=AT_ONCE) == [3, "Stubborn: attempt 2"]
        assert await statuses(client) == ["COMPLETED", "FAILED", "FAILED"]
    assert verify(tmp_path / "j.db").is_sound


async def test_a_workflow_without_a_retry_policy_is_not_run_again() -> None:
    async with a_home() as client:
        failure = await failure_of(await start(client, Stubborn.run, 1))
        assert isinstance(failure, ApplicationError)
        assert await statuses(client) == ["FAILED"]


@pytest.mark.parametrize(
    "policy",
    [
        RetryPolicy(initial_interval=TICK, maximum_attempts=2),
        RetryPolicy(initial_interval=TICK, non_retryable_error_types=["Stubborn"]),
    ],
)
async def test_a_workflow_is_retried_as_often_as_its_policy_says(policy: RetryPolicy) -> None:
    async with a_home() as client:
        failure = await failure_of(await start(client, Stubborn.run, 5, retry_policy=policy))
        assert isinstance(failure, ApplicationError)
        assert len(await statuses(client)) == (2 if policy.maximum_attempts else 1)


async def test_a_retry_waits_across_a_restart(tmp_path: Path) -> None:
    policy = RetryPolicy(initial_interval=timedelta(milliseconds=300))
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Stubborn.run, 1, retry_policy=policy)
        with pytest.raises(WorkflowFailureError) as failed:  # of the first run, which another one follows
            await handle.result(follow_runs=False)
        assert str(failed.value.cause) == "Stubborn: attempt 1"
    async with a_home(tmp_path / "j.db") as client:
        assert await client.get_workflow_handle("w").result() == [2, "Stubborn: attempt 1"]
    assert verify(tmp_path / "j.db").is_sound


# By cron


async def test_a_cron_runs_again_and_again_and_knows_what_came_before(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Fires.run, cron_schedule="@every 1s")
        await Stage.fired.wait()
        assert Stage.said[:3] == [[None, None], [1, None], [1, "the second one fails"]]
        await handle.terminate()
        assert (await statuses(client))[-2:] == ["FAILED", "COMPLETED"]
    assert verify(tmp_path / "j.db").is_sound


async def test_a_cron_that_is_cancelled_does_not_run_again() -> None:
    async with a_home() as client:
        handle = await start(client, Sleeps.run, cron_schedule="@every 1s")
        await handle.cancel()
        assert isinstance(await failure_of(handle), CancelledError)
        assert await statuses(client) == ["CANCELED"]


# Time-outs


async def test_a_run_that_takes_too_long_times_out_without_being_asked(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Sleeps.run, run_timeout=timedelta(milliseconds=50))
        failure = await failure_of(handle)
        assert isinstance(failure, TimeoutError)
        assert failure.type is TimeoutType.START_TO_CLOSE
        assert (await handle.describe()).status is WorkflowExecutionStatus.TIMED_OUT
        assert (await events_of(handle))[-1] == "TimedOut"
    assert verify(tmp_path / "j.db").is_sound


async def test_each_run_of_a_chain_has_its_run_timeout_and_all_share_the_execution_timeout() -> None:
    async with a_home() as client:
        handle = await start(
            client,
            Sleeps.run,
            run_timeout=timedelta(milliseconds=30),
            execution_timeout=timedelta(milliseconds=200),
            retry_policy=AT_ONCE,
        )
        assert isinstance(await failure_of(handle), TimeoutError)
        ends = await statuses(client)
        assert len(ends) > 1
        assert set(ends) == {"TIMED_OUT"}


async def test_a_run_without_a_worker_times_out_too() -> None:
    async with asyncio.timeout(10), a_client() as client:
        handle = await start(client, Sleeps.run, run_timeout=timedelta(milliseconds=50))
        assert isinstance(await failure_of(handle), TimeoutError)


async def test_a_parked_run_times_out_too(parks_at_once: None) -> None:
    @workflow.defn
    class Broken:
        @workflow.run
        async def run(self) -> None:
            raise RuntimeError("a bug")

    async with a_place(Broken) as client:
        handle = await start(client, Broken.run, run_timeout=timedelta(milliseconds=100))
        ended = asyncio.Event()
        asyncio.get_running_loop().call_later(0.15, ended.set)
        await ended.wait()
        assert isinstance(await failure_of(handle), TimeoutError)


async def test_a_run_that_should_have_timed_out_while_nobody_was_there_does_so_at_once(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        await start(client, Sleeps.run, run_timeout=timedelta(milliseconds=100))
    later = asyncio.Event()
    asyncio.get_running_loop().call_later(0.12, later.set)
    await later.wait()
    async with a_home(tmp_path / "j.db") as client:
        assert isinstance(await failure_of(client.get_workflow_handle("w")), TimeoutError)


# Delayed


async def test_a_delayed_start_is_durable_and_begins_later(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Stubborn.run, 0, start_delay=timedelta(milliseconds=200))
        assert await events_of(handle) == []
        assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
    async with a_home(tmp_path / "j.db") as client:
        assert await client.get_workflow_handle("w").result() == [1, None]
    assert verify(tmp_path / "j.db").is_sound


async def test_messages_for_a_delayed_start_wait_for_its_first_turn(tmp_path: Path) -> None:
    async with a_home(tmp_path / "j.db") as client:
        handle = await start(client, Hears.run, [], 1, start_delay=timedelta(milliseconds=100))
        await handle.signal(Hears.hear, 5)
        assert await handle.result() == [5]
        turns = await events_of(handle)
        assert turns[:2] == ["Started", "SignalReceived"]
    assert verify(tmp_path / "j.db").is_sound


async def test_a_delayed_start_can_be_terminated() -> None:
    async with a_home() as client:
        handle = await start(client, Sleeps.run, start_delay=timedelta(hours=1))
        await handle.terminate()
        assert (await handle.describe()).status is WorkflowExecutionStatus.TERMINATED


# Told


async def test_a_workflow_knows_how_it_was_started() -> None:
    @workflow.defn
    class Knows:
        @workflow.run
        async def run(self) -> list[Any]:
            info = workflow.info()
            policy = info.retry_policy
            assert info.workflow_start_time == info.start_time
            return [
                info.execution_timeout and info.execution_timeout.total_seconds(),
                info.run_timeout and info.run_timeout.total_seconds(),
                info.task_timeout.total_seconds(),
                policy and policy.maximum_attempts,
                info.cron_schedule,
                info.first_execution_run_id == info.run_id,
                [info.workflow_id, info.workflow_type, info.task_queue, info.namespace],
            ]

    own = ["w", "Knows", "q", "default"]
    async with a_place(Knows) as client:
        told = await execute(
            client,
            Knows.run,
            execution_timeout=timedelta(hours=1),
            run_timeout=timedelta(minutes=1),
            task_timeout=timedelta(seconds=3),
            retry_policy=RetryPolicy(maximum_attempts=4),
        )
        assert told == [3600, 60, 3, 4, None, True, own]
        assert await execute(client, Knows.run) == [None, None, 10, None, None, True, own]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"cron_schedule": "often"}, "cron schedule 'often'"),
        ({"cron_schedule": "* * * * *", "start_delay": SOON}, "contradict"),
        ({"run_timeout": timedelta(seconds=-1)}, "run_timeout must not be negative"),
        ({"start_delay": timedelta(seconds=-1)}, "start_delay must not be negative"),
        ({"retry_policy": RetryPolicy(backoff_coefficient=0.5)}, "backoff_coefficient"),
    ],
)
async def test_a_start_that_cannot_be_is_refused_and_leaves_nothing(options: dict[str, Any], problem: str) -> None:
    async with a_client() as client:
        with pytest.raises(ValueError, match=problem):
            await start(client, Sleeps.run, **options)
        with pytest.raises(RPCError) as missing:
            await client.get_workflow_handle("w").describe()
        assert missing.value.status == RPCStatusCode.NOT_FOUND


async def test_a_handle_of_one_chain_never_reaches_a_later_unrelated_run() -> None:
    async with a_home() as client:
        first = await start(client, Counts.run, 1)
        await first.result()
        again = await start(client, Hears.run, [], 1)
        for call in (first.cancel(), first.terminate(), first.execute_update(Hears.add, 1)):
            with pytest.raises(RPCError) as refused:
                await call
            assert refused.value.status == RPCStatusCode.NOT_FOUND
        await again.signal(Hears.hear, 1)
        assert await again.result() == [1]


async def test_a_handle_of_a_chain_reaches_its_current_run() -> None:
    async with a_home() as client:
        handle = await start(client, Hears.run, [], 2)
        await handle.signal(Hears.hear, 1)
        with pytest.raises(WorkflowContinuedAsNewError):
            await handle.result(follow_runs=False)
        named = client.get_workflow_handle("w", first_execution_run_id=handle.first_execution_run_id)
        await named.execute_update(Hears.add, 2)
        assert await handle.result() == [1, 2]


async def test_an_update_with_start_takes_the_options_of_a_start() -> None:
    async with a_home() as client:
        operation = WithStartWorkflowOperation(
            Hears.run,
            args=[[], 9],
            id="w",
            task_queue="q",
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            run_timeout=timedelta(milliseconds=100),
        )
        await client.execute_update_with_start_workflow(Hears.add, 1, start_workflow_operation=operation)
        assert isinstance(await failure_of(client.get_workflow_handle("w")), TimeoutError)


# Of any type


async def test_a_dynamic_workflow_runs_every_type_nobody_else_does(tmp_path: Path) -> None:
    @workflow.defn(dynamic=True)
    class Anything:
        @workflow.run
        async def run(self, args: list[RawValue]) -> list[Any]:
            convert = workflow.payload_converter()
            values = [convert.from_payload(arg.payload, int) for arg in args]
            if workflow.info().workflow_type == "Twice" and workflow.info().continued_run_id is None:
                workflow.continue_as_new(args=values)
            await workflow.wait_condition(lambda: True)
            return [workflow.info().workflow_type, *values]

    path = tmp_path / "j.db"
    async with a_client(path) as client:
        waiting = await start(client, "Waiting", 5, id="waiting")
    async with a_place(Anything, Stubborn, path=path) as client:
        assert await execute(client, "Whatever", 1, 2) == ["Whatever", 1, 2]
        assert await execute(client, "Twice", 3) == ["Twice", 3]
        assert await execute(client, Stubborn.run, 0) == [1, None]
        assert await client.get_workflow_handle(waiting.id).result() == ["Waiting", 5]
    assert verify(path).is_sound


def test_a_dynamic_workflow_takes_one_parameter_and_has_no_name() -> None:
    with pytest.raises(TypeError, match="must take"):

        @workflow.defn(dynamic=True)
        class TakesNothing:
            @workflow.run
            async def run(self) -> None: ...

    with pytest.raises(TypeError, match="has no name"):

        @workflow.defn(dynamic=True, name="X")
        class HasAName:
            @workflow.run
            async def run(self, args: list[RawValue]) -> None: ...
