"""Workers, replayers, schedules and test environments."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import assert_type

from given import Mailer, Night, Order, Pair, Receipt, Sale, Stamp, charge, charge_in_a_thread

from actorflow.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from actorflow.testing import ActivityEnvironment, WorkflowEnvironment
from actorflow.worker import FixedSizeSlotSupplier, Replayer, Worker, WorkerTuner

ORDER = Order(1)
HOURLY = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(hours=1))])


async def working(client: Client, mailer: Mailer) -> None:
    worker = Worker(
        client,
        task_queue="q",
        workflows=[Sale, Night, Pair],
        activities=[charge, charge_in_a_thread, mailer.send, Stamp()],
        activity_executor=ThreadPoolExecutor(5),
        max_concurrent_activities=5,
        graceful_shutdown_timeout=timedelta(seconds=5),
        max_concurrent_workflow_tasks=5,
    )
    async with worker as entered:
        assert_type(entered, Worker)
    two = FixedSizeSlotSupplier(2)
    tuner = WorkerTuner.create_composite(workflow_supplier=two, activity_supplier=two, local_activity_supplier=two)
    Worker(client, task_queue="q", workflows=[Sale], tuner=tuner)
    Replayer(workflows=[Sale])

    Worker(client, workflows=[Sale])  # expect: reportCallIssue
    Worker(client, task_queue="q", workflow=[Sale])  # expect: reportCallIssue
    Worker(client, task_queue="q", workflows=Sale)  # expect: reportArgumentType
    Worker(client, task_queue="q", workflows=[charge])  # expect: reportArgumentType
    Worker(client, task_queue="q", activities=["charge"])  # expect: reportArgumentType
    Worker(client, task_queue="q", workflows=[Sale], max_concurrent_activities="5")  # expect: reportArgumentType
    Worker(client, task_queue="q", workflows=[Sale], graceful_shutdown_timeout=5)  # expect: reportArgumentType
    Worker(client, task_queue="q", workflows=[Sale], tuner=5)  # expect: reportArgumentType
    WorkerTuner.create_fixed(activities=5)  # expect: reportCallIssue
    Replayer(workflows=[Sale], task_queue="q")  # expect: reportCallIssue


async def scheduling(client: Client) -> None:
    action = ScheduleActionStartWorkflow(Sale.run, ORDER, id="s", task_queue="q")
    handle = await client.create_schedule("s", Schedule(action=action, spec=HOURLY), trigger_immediately=True)
    assert_type(handle, ScheduleHandle)
    ScheduleActionStartWorkflow(Night.run, id="s")
    ScheduleActionStartWorkflow(Pair.run, args=[1, "x"], id="s")
    ScheduleActionStartWorkflow("Sale", ORDER, id="s", run_timeout=timedelta(hours=1))

    def paused(given: ScheduleUpdateInput) -> ScheduleUpdate:
        given.description.schedule.state.paused = True
        return ScheduleUpdate(given.description.schedule)

    await handle.update(paused)
    await handle.pause(note="holidays")

    ScheduleActionStartWorkflow(Sale.run, ORDER)  # expect: reportCallIssue
    ScheduleActionStartWorkflow(Sale.run, "order", id="s")  # expect: reportCallIssue
    ScheduleActionStartWorkflow(Night.run, ORDER, id="s")  # expect: reportCallIssue
    ScheduleActionStartWorkflow(Sale.run, ORDER, id="s", queue="q")  # expect: reportCallIssue
    ScheduleIntervalSpec(every=60)  # expect: reportArgumentType
    ScheduleSpec(cron="@daily")  # expect: reportCallIssue
    await client.create_schedule("s", action)  # expect: reportArgumentType
    await handle.update(lambda given: given.description)  # expect: reportArgumentType
    await handle.pause("holidays")  # expect: reportCallIssue


async def testing() -> None:
    async with await WorkflowEnvironment.start_time_skipping() as environment:
        assert_type(environment, WorkflowEnvironment)
        receipt = await environment.client.execute_workflow(Sale.run, ORDER, id="1", task_queue="q")
        assert_type(receipt, Receipt)
        await environment.sleep(timedelta(days=90))
    alone = ActivityEnvironment()
    assert_type(await alone.run(charge, ORDER), Receipt)
    assert_type(alone.run(charge_in_a_thread, ORDER), Receipt)

    await environment.sleep("long")  # expect: reportArgumentType
    await alone.run(charge, "order")  # expect: reportArgumentType
    await WorkflowEnvironment.start_local(db="x")  # expect: reportCallIssue
