"""The workflows and activities that are measured."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from actorflow import activity, workflow
from actorflow.common import RetryPolicy

STEPS = 10
"""Sequential activities of `TenSteps`."""

FAN_OUT = 100
"""Parallel activities of `FanOut`."""

# Far longer than any run here: a measured activity never times out, but every timeout is journaled and armed.
_OPTIONS: workflow.ActivityOptions = {
    "start_to_close_timeout": timedelta(minutes=2),
    "schedule_to_close_timeout": timedelta(minutes=10),
    "retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=100), maximum_attempts=3),
}


@dataclass(frozen=True)
class Order:
    """What every workflow takes."""

    id: str
    total: float = 9.5


@activity.defn
async def charge(order: Order) -> str:
    """The work itself: nothing, so that everything else is what is measured."""
    return receipt_of(order)


def receipt_of(order: Order) -> str:
    """What `charge` returns."""
    return f"charged {order.id}"


def charge_that_never_ends() -> Callable[..., Any]:
    """An activity of the same name that blocks until its process is killed."""
    never = asyncio.Event()

    @activity.defn(name="charge")
    async def charge_blocked(order: Order) -> str:
        await never.wait()
        return receipt_of(order)

    return charge_blocked


@workflow.defn
class OneStep:
    """One activity."""

    @workflow.run
    async def run(self, order: Order) -> str:
        return await workflow.execute_activity(charge, order, **_OPTIONS)


@workflow.defn
class TenSteps:
    """Ten activities, one after the other."""

    @workflow.run
    async def run(self, order: Order) -> str:
        receipt = ""
        for _ in range(STEPS):
            receipt = await workflow.execute_activity(charge, order, **_OPTIONS)
        return receipt


@workflow.defn
class FanOut:
    """A hundred activities at once."""

    @workflow.run
    async def run(self, order: Order) -> int:
        calls = [workflow.execute_activity(charge, order, **_OPTIONS) for _ in range(FAN_OUT)]
        return len(await asyncio.gather(*calls))


@workflow.defn
class Approval:
    """Waits for a signal."""

    def __init__(self) -> None:
        self._approved_by = ""

    @workflow.run
    async def run(self, order: Order) -> str:
        await workflow.wait_condition(lambda: self._approved_by != "")
        return f"{order.id} approved by {self._approved_by}"

    @workflow.signal
    def approve(self, name: str) -> None:
        self._approved_by = name


@workflow.defn
class ApprovalInTime:
    """Waits for a signal and, at the same time, for a timer."""

    def __init__(self) -> None:
        self._approved_by = ""

    @workflow.run
    async def run(self, order: Order) -> str:
        await workflow.wait_condition(lambda: self._approved_by != "", timeout=timedelta(days=30))
        return f"{order.id} approved by {self._approved_by}"

    @workflow.signal
    def approve(self, name: str) -> None:
        self._approved_by = name


@workflow.defn
class Steps:
    """Many activities, one after the other."""

    @workflow.run
    async def run(self, order: Order, count: int) -> None:
        for _ in range(count):
            await workflow.execute_activity(charge, order, **_OPTIONS)


@workflow.defn
class Batches:
    """Many activities, a hundred at once."""

    @workflow.run
    async def run(self, order: Order, count: int) -> None:
        for _ in range(0, count, FAN_OUT):
            await asyncio.gather(*[workflow.execute_activity(charge, order, **_OPTIONS) for _ in range(FAN_OUT)])


@workflow.defn
class Naps:
    """Many timers, one after the other."""

    @workflow.run
    async def run(self, order: Order, count: int) -> None:
        for _ in range(count):
            await workflow.sleep(0)


@workflow.defn
class Rests:
    """Many timers that take their time, one after the other."""

    @workflow.run
    async def run(self, order: Order, count: int, seconds: float) -> None:
        for _ in range(count):
            await workflow.sleep(seconds)


@workflow.defn
class Listens:
    """Many signals."""

    def __init__(self) -> None:
        self._heard = 0

    @workflow.signal
    def hear(self, order: Order) -> None:
        self._heard += 1

    @workflow.run
    async def run(self, order: Order, count: int) -> None:
        await workflow.wait_condition(lambda: self._heard >= count)


@workflow.defn
class Returns:
    """Nothing but a result."""

    @workflow.run
    async def run(self, order: Order) -> str:
        return receipt_of(order)


@workflow.defn
class Family:
    """Many children at once."""

    @workflow.run
    async def run(self, order: Order, count: int) -> int:
        calls = [workflow.execute_child_workflow(Returns.run, order) for _ in range(count)]
        return len(await asyncio.gather(*calls))


@workflow.defn
class Account:
    """Takes updates until it is told to close."""

    def __init__(self) -> None:
        self._total = 0
        self._is_closed = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self._is_closed)
        return self._total

    @workflow.update
    def add(self, amount: int) -> int:
        self._total += amount
        return self._total

    @workflow.signal
    def close(self) -> None:
        self._is_closed = True


WORKFLOWS: Sequence[type] = (
    OneStep,
    TenSteps,
    FanOut,
    Approval,
    ApprovalInTime,
    Steps,
    Batches,
    Naps,
    Listens,
    Returns,
    Family,
    Account,
)
