"""Other activities under the same names take the place of the real ones; the workflow is not told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from actorflow import activity, workflow
from actorflow.exceptions import ActivityError, ApplicationError
from actorflow.testing import WorkflowEnvironment
from tests.support import a_worker, execute, failure_of, start


@activity.defn
async def charge(order_id: str) -> str:
    raise AssertionError(f"a test must not charge {order_id}")


class Warehouse:
    """Activities that are methods."""

    @activity.defn(name="reserve_stock")
    async def reserve(self, order_id: str) -> str:
        raise AssertionError(f"a test must not reserve {order_id}")


@workflow.defn
class Orders:
    @workflow.run
    async def run(self, order_id: str) -> list[str]:
        options: workflow.ActivityOptions = {"start_to_close_timeout": timedelta(minutes=1)}
        receipt = await workflow.execute_activity(charge, order_id, **options)
        return [receipt, await workflow.execute_activity_method(Warehouse.reserve, order_id, **options)]


async def test_activities_are_mocked_by_registering_others_under_their_names() -> None:
    @activity.defn(name="charge")
    async def charge_mocked(order_id: str) -> str:
        return f"would charge {order_id}"

    @activity.defn(name="reserve_stock")
    async def reserve_mocked(order_id: str) -> str:
        return f"would reserve {order_id}"

    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        a_worker(env.client, workflows=[Orders], activities=[charge_mocked, reserve_mocked]),
    ):
        assert await execute(env.client, Orders.run, "A-1") == ["would charge A-1", "would reserve A-1"]


async def test_a_mocked_activity_may_fail_as_the_real_one_would() -> None:
    @activity.defn(name="charge")
    async def declines(order_id: str) -> str:
        raise ApplicationError("declined", type="CardDeclined", non_retryable=True)

    async with (
        await WorkflowEnvironment.start_time_skipping() as env,
        a_worker(env.client, workflows=[Orders], activities=[declines]),
    ):
        failure = await failure_of(await start(env.client, Orders.run, "A-1"))
    assert isinstance(failure, ActivityError)
    assert isinstance(failure.cause, ApplicationError)
    assert failure.cause.type == "CardDeclined"


async def test_two_activities_of_one_name_on_one_worker_are_refused() -> None:
    @activity.defn(name="charge")
    async def charge_mocked(order_id: str) -> str:
        return order_id

    async with await WorkflowEnvironment.start_time_skipping() as env:
        with pytest.raises(TypeError, match="More than one activity named charge"):
            a_worker(env.client, workflows=[Orders], activities=[charge, charge_mocked])
