"""Deploying a changed workflow over runs that are under way: facts about `patched` and `deprecate_patch`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import WorkflowQueryFailedError
from actorflow.worker import PatchActivationInput
from tests.support import a_place, events_of, execute, failure_of, start

SOON = timedelta(seconds=5)


@activity.defn
async def charge(how: str) -> str:
    return f"charged {how}"


@workflow.defn(name="Order")
class OrderBefore:
    def __init__(self) -> None:
        self.is_paid = False

    @workflow.signal
    async def pay(self) -> None:
        self.is_paid = True

    @workflow.query
    def ask(self) -> bool:
        return workflow.patched("vouchers")

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.is_paid)
        return await workflow.execute_activity(charge, "a card", start_to_close_timeout=SOON)


@workflow.defn(name="Order")
class Order(OrderBefore):
    @workflow.run
    async def run(self) -> str:
        how = "a voucher" if workflow.patched("vouchers") else "a card"
        await workflow.wait_condition(lambda: self.is_paid)
        return await workflow.execute_activity(charge, how, start_to_close_timeout=SOON)


@workflow.defn(name="Order")
class OrderAfter(OrderBefore):
    @workflow.run
    async def run(self) -> str:
        workflow.deprecate_patch("vouchers")
        await workflow.wait_condition(lambda: self.is_paid)
        return await workflow.execute_activity(charge, "a voucher", start_to_close_timeout=SOON)


@workflow.defn(name="Order")
class OrderLongAfter(OrderBefore):
    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self.is_paid)
        return await workflow.execute_activity(charge, "a voucher", start_to_close_timeout=SOON)


async def deployed(path: Path, versions: Sequence[type], **options: Any) -> str:
    """The result of an order that was begun under the first version, seen by each, and paid under the last."""
    first, *others = versions
    async with a_place(first, activities=[charge], path=path, **options) as client:
        await start(client, first.run)
    for version in others:
        async with a_place(version, activities=[charge], path=path, **options) as client:
            handle = client.get_workflow_handle("w")
            if version is others[-1]:
                await handle.signal("pay")
                return await handle.result()
            await handle.query("__stack_trace")
    raise AssertionError("nobody has paid")


@pytest.mark.parametrize(
    ("versions", "how"),
    [
        ((OrderBefore, Order), "charged a card"),
        ((OrderBefore, Order, Order), "charged a card"),
        ((Order, Order), "charged a voucher"),
        ((Order, OrderAfter), "charged a voucher"),
        ((OrderAfter, OrderLongAfter), "charged a voucher"),
        ((OrderLongAfter, OrderLongAfter), "charged a voucher"),
    ],
)
async def test_a_run_keeps_the_side_it_began_with_through_every_deployment(
    tmp_path: Path, versions: Sequence[type], how: str
) -> None:
    assert await deployed(tmp_path / "j.db", versions) == how


async def test_a_new_run_has_one_marker_however_often_it_is_rebuilt() -> None:
    async with a_place(Order, activities=[charge], max_cached_workflows=0) as client:
        handle = await start(client, Order.run)
        await handle.signal(Order.pay)
        assert await handle.result() == "charged a voucher"
        assert (await events_of(handle)).count("Patched") == 1


async def test_a_query_that_asks_for_a_patch_is_refused_and_harms_nothing() -> None:
    async with a_place(Order, activities=[charge]) as client:
        handle = await start(client, Order.run)
        with pytest.raises(WorkflowQueryFailedError, match="can't take a patch in a query"):
            await handle.query(Order.ask)
        await handle.signal(Order.pay)
        assert await handle.result() == "charged a voucher"


async def test_the_workers_callback_decides_whether_a_live_run_takes_a_patch() -> None:
    asked: list[tuple[str, str]] = []

    def declines(about: PatchActivationInput) -> bool:
        asked.append((about.workflow_info.workflow_id, about.patch_id))
        return False

    async with a_place(
        Order, activities=[charge], patch_activation_callback=declines, max_cached_workflows=0
    ) as client:
        handle = await start(client, Order.run)
        await handle.signal(Order.pay)
        assert await handle.result() == "charged a card"
        assert "Patched" not in await events_of(handle)
    assert asked == [("w", "vouchers")]


async def test_a_callback_that_agrees_leaves_the_marker() -> None:
    async with a_place(Order, activities=[charge], patch_activation_callback=lambda _: True) as client:
        handle = await start(client, Order.run)
        await handle.signal(Order.pay)
        assert await handle.result() == "charged a voucher"
        assert (await events_of(handle)).count("Patched") == 1


async def test_what_the_callback_raises_is_raised_by_patched() -> None:
    def raises(_: PatchActivationInput) -> bool:
        raise LookupError("no rollout service")

    async with a_place(
        Order, patch_activation_callback=raises, workflow_failure_exception_types=[LookupError]
    ) as client:
        handle = await start(client, Order.run)
        assert "no rollout service" in str(await failure_of(handle))


async def test_one_class_serves_two_workers_with_different_callbacks() -> None:
    async with (
        a_place(Order, activities=[charge], patch_activation_callback=lambda _: False) as one,
        a_place(Order, activities=[charge]) as two,
    ):
        for client, how in ((one, "charged a card"), (two, "charged a voucher")):
            handle = await start(client, Order.run)
            await handle.signal(Order.pay)
            assert await handle.result() == how


@workflow.defn
class Both:
    @workflow.run
    async def run(self) -> list[bool]:
        told = [workflow.patched("a")]
        workflow.deprecate_patch("a")
        workflow.deprecate_patch("b")
        told.append(workflow.patched("b"))
        return told


async def test_the_first_question_decides_what_the_marker_says() -> None:
    async with a_place(Both) as client:
        assert await execute(client, Both.run) == [True, True]
        history = await client.get_workflow_handle("w").fetch_history()
    patches = [dict(event.attributes) for event in history.events if event.event_type == "Patched"]
    assert patches == [{"patch_id": "a"}, {"patch_id": "b", "deprecated": True}]
