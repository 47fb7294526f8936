"""An assertion that does not hold inside a workflow fails the test at once, in every environment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowUpdateFailedError
from actorflow.common import RetryPolicy
from actorflow.core import limits
from actorflow.exceptions import ActivityError, ApplicationError, WorkflowParkedError
from actorflow.testing import WorkflowEnvironment
from actorflow.worker import Replayer
from tests.support import a_worker, failure_of, start


@workflow.defn
class Asserts:
    """Asserts in ``run`` if told to, else waits for a handler that does."""

    @workflow.run
    async def run(self, number: int) -> None:
        assert number != 1, "not one"
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def check(self, number: int) -> None:
        assert number != 2, "not two"

    @workflow.signal
    async def check_later(self, number: int) -> None:
        await workflow.sleep(1)
        assert number != 3, "not three"

    @workflow.update
    async def judge(self, number: int) -> None:
        assert number != 4, "not four"

    @workflow.query
    def ask(self, number: int) -> int:
        assert number != 5, "not five"
        return number


async def on_a_client() -> WorkflowEnvironment:
    return WorkflowEnvironment.from_client(await Client.connect("memory://"))


@pytest.mark.parametrize(
    "starter", [WorkflowEnvironment.start_time_skipping, WorkflowEnvironment.start_local, on_a_client]
)
async def test_an_assertion_in_run_or_a_handler_fails_the_workflow(
    starter: Callable[[], Awaitable[WorkflowEnvironment]],
) -> None:
    async with await starter() as env, env.client, a_worker(env.client, workflows=[Asserts]):
        in_run = await start(env.client, Asserts.run, 1, id="run")
        in_signal = await start(env.client, Asserts.run, 2, id="signal")
        await in_signal.signal(Asserts.check, 2)
        in_later_signal = await start(env.client, Asserts.run, 3, id="later")
        await in_later_signal.signal(Asserts.check_later, 3)
        for handle, message in ((in_run, "not one"), (in_signal, "not two"), (in_later_signal, "not three")):
            failure = await failure_of(handle)
            assert isinstance(failure, ApplicationError)
            assert (failure.type, failure.non_retryable) == ("AssertionError", True)
            assert message in failure.message


async def test_an_assertion_in_an_update_fails_the_update_and_leaves_the_workflow() -> None:
    async with await WorkflowEnvironment.start_local() as env, a_worker(env.client, workflows=[Asserts]):
        handle = await start(env.client, Asserts.run, 0)
        with pytest.raises(WorkflowUpdateFailedError) as failed:
            await handle.execute_update(Asserts.judge, 4)
        assert isinstance(failed.value.cause, ApplicationError)
        assert (failed.value.cause.type, failed.value.cause.non_retryable) == ("AssertionError", True)
        assert await handle.query(Asserts.ask, 6) == 6


async def test_a_worker_on_the_clients_own_terms_parks_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "TURN_FAILURES_BEFORE_PARKING", 1)
    async with await Client.connect("memory://") as client, a_worker(client, workflows=[Asserts]):
        WorkflowEnvironment.from_client(client)
        handle = await start(client, Asserts.run, 1)
        with pytest.raises(WorkflowParkedError, match="not one"):
            await handle.result()


async def test_an_assertion_in_an_activity_is_a_failure_like_any_other() -> None:
    attempts: list[int] = []

    @activity.defn
    async def asserts() -> None:
        attempts.append(activity.info().attempt)
        assert len(attempts) == 3, "not yet"
        raise ApplicationError("enough", non_retryable=True)

    @workflow.defn
    class Does:
        @workflow.run
        async def run(self) -> None:
            policy = RetryPolicy(maximum_attempts=5)
            await workflow.execute_activity(asserts, start_to_close_timeout=timedelta(minutes=1), retry_policy=policy)

    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        a_worker(env.client, workflows=[Does], activities=[asserts]),
    ):
        failure = await failure_of(await start(env.client, Does.run))
    assert isinstance(failure, ActivityError)
    assert attempts == [1, 2, 3]


async def test_a_failed_assertion_replays_where_it_is_an_outcome(tmp_path: Path) -> None:
    async with await WorkflowEnvironment.start_local() as env, a_worker(env.client, workflows=[Asserts]):
        handle = await start(env.client, Asserts.run, 1)
        await failure_of(handle)
        history = await handle.fetch_history()
    await Replayer(workflows=[Asserts], workflow_failure_exception_types=[AssertionError]).replay_workflow(history)
