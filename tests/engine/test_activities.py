"""Arguments, policies and ids of activities that nobody should have chosen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

import pytest

from actorflow import activity, workflow
from actorflow.common import RetryPolicy
from tests.support import a_place, execute

SOON = timedelta(seconds=5)
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=3)


@dataclass
class Order:
    built: ClassVar[list[int]] = []
    number: int

    def __post_init__(self) -> None:
        self.built.append(self.number)
        if len(self.built) == 1:
            raise KeyError("not yet")


@activity.defn
async def number_of(order: Order) -> int:
    return order.number


async def test_an_argument_whose_own_code_raises_fails_only_its_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Order, "built", [])

    @workflow.defn
    class Orders:
        @workflow.run
        async def run(self, number: int) -> int:
            return await workflow.execute_activity(
                "number_of", {"number": number}, result_type=int, start_to_close_timeout=SOON, retry_policy=QUICK
            )

    async with a_place(Orders, activities=[number_of]) as client:
        assert await execute(client, Orders.run, 7) == 7
    assert Order.built == [7, 7]


@activity.defn
async def double(number: int) -> int:
    return number * 2


async def test_an_explicit_activity_id_is_good_for_one_activity() -> None:
    @workflow.defn
    class Reuses:
        @workflow.run
        async def run(self) -> list[int | str]:
            answers: list[int | str] = []
            for activity_id in ("mine", "mine", "2", "yours"):
                try:
                    answers.append(
                        await workflow.execute_activity(
                            double, len(answers), activity_id=activity_id, start_to_close_timeout=SOON
                        )
                    )
                except ValueError as problem:
                    answers.append(str(problem).split(" is ")[0])
            return answers

    async with a_place(Reuses, activities=[double]) as client:
        assert await execute(client, Reuses.run) == [0, "activity id 'mine'", "activity id '2'", 6]


async def test_a_policy_that_never_retries_is_still_refused_if_its_coefficient_is_not_a_number() -> None:
    @workflow.defn
    class Miscounts:
        @workflow.run
        async def run(self) -> str:
            policy = RetryPolicy(maximum_attempts=1, backoff_coefficient=float("nan"))
            try:
                await workflow.execute_activity(double, 1, start_to_close_timeout=SOON, retry_policy=policy)
            except ValueError as problem:
                return str(problem)
            return "accepted"

    async with a_place(Miscounts, activities=[double]) as client:
        assert "backoff_coefficient" in await execute(client, Miscounts.run)
