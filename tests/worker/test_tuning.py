"""Tuners and suppliers of slots of the public SDK: what they bound, and what they refuse."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client
from actorflow.core import limits
from actorflow.exceptions import UnsupportedOptionError
from actorflow.worker import (
    CustomSlotSupplier,
    FixedSizeSlotSupplier,
    ResourceBasedSlotConfig,
    ResourceBasedSlotSupplier,
    ResourceBasedTunerConfig,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
    SlotSupplier,
    WorkerTuner,
)
from tests.support import a_client, a_worker, execute

SOON = timedelta(minutes=1)
HALF = ResourceBasedTunerConfig(target_memory_usage=0.5, target_cpu_usage=0.5)
TWO = FixedSizeSlotSupplier(2)


class Crowd:
    """Counts who is in an activity at the same time; everybody stays until those who may come have come."""

    def __init__(self, expected: int) -> None:
        self.most = 0
        self._expected = expected
        self._inside = 0
        self._is_full = asyncio.Event()

    @activity.defn
    async def enter(self) -> None:
        self._inside += 1
        self.most = max(self.most, self._inside)
        if self._inside >= self._expected:
            self._is_full.set()
        await self._is_full.wait()
        self._inside -= 1


@workflow.defn
class Fair:
    @workflow.run
    async def run(self, visitors: int) -> None:
        await asyncio.gather(
            *(workflow.execute_activity_method(Crowd.enter, start_to_close_timeout=SOON) for _ in range(visitors))
        )


@workflow.defn
class LocalFair:
    @workflow.run
    async def run(self, visitors: int) -> None:
        await asyncio.gather(
            *(workflow.execute_local_activity_method(Crowd.enter, start_to_close_timeout=SOON) for _ in range(visitors))
        )


class Own(CustomSlotSupplier):
    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        return SlotPermit()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        return None

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None: ...

    def release_slot(self, ctx: SlotReleaseContext) -> None: ...


def composite(**suppliers: SlotSupplier) -> WorkerTuner:
    return WorkerTuner.create_composite(
        workflow_supplier=suppliers.get("workflow", TWO),
        activity_supplier=suppliers.get("activity", TWO),
        local_activity_supplier=suppliers.get("local_activity", TWO),
        nexus_supplier=suppliers.get("nexus"),
    )


def following_the_load(**bounds: Any) -> ResourceBasedSlotSupplier:
    return ResourceBasedSlotSupplier(ResourceBasedSlotConfig(**bounds), HALF)


THREE = {
    "fixed": WorkerTuner.create_fixed(activity_slots=3, local_activity_slots=3),
    "resource-based": WorkerTuner.create_resource_based(
        target_memory_usage=0.5,
        target_cpu_usage=0.5,
        activity_config=ResourceBasedSlotConfig(minimum_slots=1, maximum_slots=3, ramp_throttle=SOON),
        local_activity_config=ResourceBasedSlotConfig(maximum_slots=3),
    ),
    "composite": composite(activity=FixedSizeSlotSupplier(3), local_activity=following_the_load(maximum_slots=3)),
}


@pytest.mark.parametrize("fair", [Fair, LocalFair])
@pytest.mark.parametrize("tuner", THREE.values(), ids=THREE)
async def test_a_tuner_bounds_what_runs_at_the_same_time(tuner: WorkerTuner, fair: Any) -> None:
    crowd = Crowd(3)
    async with (
        asyncio.timeout(10),
        a_client() as client,
        a_worker(client, workflows=[fair], activities=[crowd.enter], tuner=tuner),
    ):
        await execute(client, fair.run, 7)
    assert crowd.most == 3


def test_what_a_tuner_does_not_say_has_a_default() -> None:
    assert WorkerTuner.create_fixed().counts() == (100, 100)
    followed = WorkerTuner.create_resource_based(target_memory_usage=0.8, target_cpu_usage=1.0).counts()
    assert followed == (limits.RESOURCE_BASED_SLOTS_MAX, limits.RESOURCE_BASED_SLOTS_MAX)


REFUSED: dict[str, tuple[WorkerTuner | None, dict[str, Any], str]] = {
    "a bound of activities beside a tuner": (
        WorkerTuner.create_fixed(),
        {"max_concurrent_activities": 5},
        "Cannot specify max_concurrent_activities when also specifying tuner",
    ),
    "a bound of local activities beside a tuner": (
        WorkerTuner.create_fixed(),
        {"max_concurrent_local_activities": 5},
        "Cannot specify max_concurrent_local_activities",
    ),
    "a bound of turns beside a tuner": (
        WorkerTuner.create_fixed(),
        {"max_concurrent_workflow_tasks": 5},
        "Cannot specify max_concurrent_workflow_tasks",
    ),
    "no slots": (WorkerTuner.create_fixed(activity_slots=0), {}, "num_slots of the activity slots must be positive"),
    "less than no slots": (
        composite(local_activity=following_the_load(maximum_slots=-1)),
        {},
        "maximum_slots of the local-activity slots must be positive, but is -1",
    ),
    "a minimum above its maximum": (
        composite(workflow=following_the_load(minimum_slots=3, maximum_slots=2)),
        {},
        "minimum_slots of the workflow slots must not be above",
    ),
    "a target of ninety": (
        WorkerTuner.create_resource_based(target_memory_usage=90, target_cpu_usage=0.5),
        {},
        "target_memory_usage must be from 0 to 1",
    ),
    "two targets": (
        composite(
            activity=following_the_load(),
            local_activity=ResourceBasedSlotSupplier(ResourceBasedSlotConfig(), ResourceBasedTunerConfig(0.1, 0.1)),
        ),
        {},
        "must have the same tuner_config",
    ),
    "no activities without a tuner": (None, {"max_concurrent_activities": 0}, "max_concurrent_activities must be"),
}


@pytest.mark.parametrize("refused", REFUSED)
async def test_bounds_that_contradict_are_refused(refused: str) -> None:
    tuner, options, why = REFUSED[refused]
    async with await Client.connect("memory://") as client:
        with pytest.raises(ValueError, match=why):
            a_worker(client, workflows=[Fair], tuner=tuner, **options)


@pytest.mark.parametrize("kind", ["workflow", "activity", "local_activity", "nexus"])
async def test_a_supplier_with_code_of_its_own_is_refused_by_name(kind: str) -> None:
    async with await Client.connect("memory://") as client:
        with pytest.raises(UnsupportedOptionError, match=f"CustomSlotSupplier of the {kind.replace('_', '-')} slots"):
            a_worker(client, workflows=[Fair], tuner=composite(**{kind: Own()}))


async def test_what_is_no_tuner_is_refused() -> None:
    async with await Client.connect("memory://") as client:
        with pytest.raises(TypeError, match="tuner must be a WorkerTuner, not int"):
            a_worker(client, workflows=[Fair], tuner=5)
        with pytest.raises(TypeError, match="the supplier of the activity slots must be a SlotSupplier, not int"):
            a_worker(client, workflows=[Fair], tuner=composite(activity=5))  # pyright: ignore[reportArgumentType]
