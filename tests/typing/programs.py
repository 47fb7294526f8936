"""What a workflow asks for: activities in every form, children, messages to others, and going on as a new run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, assert_type

from given import (
    Clock,
    Mailer,
    Night,
    Order,
    Pair,
    Receipt,
    Sale,
    Stamp,
    Sum,
    added,
    charge,
    charge_in_a_thread,
    ping,
    ping_in_a_thread,
    with_default,
)

from actorflow import workflow
from actorflow.common import RetryPolicy
from actorflow.workflow import ActivityConfig, ActivityHandle, ChildWorkflowHandle, ParentClosePolicy

ORDER = Order(1)
SOON = timedelta(seconds=1)


async def functions(mailer: Mailer) -> None:
    shared = ActivityConfig(start_to_close_timeout=SOON, retry_policy=RetryPolicy(maximum_attempts=3))
    assert_type(await workflow.execute_activity(charge, ORDER, **shared), Receipt)
    assert_type(await workflow.execute_activity(charge_in_a_thread, ORDER, start_to_close_timeout=SOON), Receipt)
    assert_type(await workflow.execute_activity(ping, schedule_to_close_timeout=SOON), str)
    assert_type(await workflow.execute_activity(ping_in_a_thread, start_to_close_timeout=SOON), str)
    assert_type(await workflow.execute_activity(added, args=[1, 2], start_to_close_timeout=SOON), int)
    assert_type(await workflow.execute_activity(with_default, ORDER, start_to_close_timeout=SOON), Receipt)
    assert_type(await workflow.execute_activity(mailer.send, "text", start_to_close_timeout=SOON), bool)
    assert_type(await workflow.execute_activity("charge", ORDER, start_to_close_timeout=SOON), Any)
    assert_type(await workflow.execute_activity("added", args=[1, 2], result_type=int, task_queue="q"), Any)
    handle = workflow.start_activity(charge, ORDER, start_to_close_timeout=SOON)
    assert_type(handle, ActivityHandle[Receipt])
    assert_type(await handle, Receipt)

    await workflow.execute_activity(charge, start_to_close_timeout=SOON)  # expect: reportCallIssue
    await workflow.execute_activity(charge, "order", start_to_close_timeout=SOON)  # expect: reportCallIssue
    await workflow.execute_activity(charge_in_a_thread, 5)  # expect: reportCallIssue
    await workflow.execute_activity(ping, 5, start_to_close_timeout=SOON)  # expect: reportCallIssue
    await workflow.execute_activity(charge, ORDER, start_to_close=SOON)  # expect: reportCallIssue
    await workflow.execute_activity(added, args=[1, 2], start_to_close=SOON)  # expect: reportCallIssue
    await workflow.execute_activity(added, 1, 2, start_to_close_timeout=SOON)  # expect: reportCallIssue
    await workflow.execute_activity(charge, ORDER, start_to_close_timeout=5)  # expect: reportCallIssue
    await workflow.execute_activity("charge", ORDER, timeout=SOON)  # expect: reportCallIssue
    wrong: int = await workflow.execute_activity(charge, ORDER, **shared)  # expect: reportAssignmentType
    workflow.start_activity(charge, "order", **shared)  # expect: reportCallIssue
    ActivityConfig(timeout=SOON)  # expect: reportCallIssue
    print(wrong)


async def methods() -> None:
    assert_type(await workflow.execute_activity_method(Mailer.send, "text", start_to_close_timeout=SOON), bool)
    assert_type(await workflow.execute_activity_method(Mailer.send_in_a_thread, "t", start_to_close_timeout=SOON), bool)
    assert_type(await workflow.execute_activity_method(Mailer.flush, start_to_close_timeout=SOON), int)
    assert_type(await workflow.execute_activity_method(Mailer.copy, args=["t", 1], start_to_close_timeout=SOON), int)
    assert_type(workflow.start_activity_method(Mailer.send, "t", start_to_close_timeout=SOON), ActivityHandle[bool])

    await workflow.execute_activity_method(Mailer.send, start_to_close_timeout=SOON)  # expect: reportArgumentType
    await workflow.execute_activity_method(Mailer.send, 5)  # expect: reportArgumentType
    await workflow.execute_activity_method(Mailer.copy, args=["t", 1], timeout=SOON)  # expect: reportCallIssue
    await workflow.execute_activity_method("send", "text")  # expect: reportArgumentType


async def classes() -> None:
    assert_type(await workflow.execute_activity_class(Stamp, ORDER, start_to_close_timeout=SOON), int)
    assert_type(await workflow.execute_activity_class(Clock, start_to_close_timeout=SOON), float)
    assert_type(await workflow.execute_activity_class(Sum, args=[1, 2], start_to_close_timeout=SOON), int)
    assert_type(workflow.start_activity_class(Stamp, ORDER, start_to_close_timeout=SOON), ActivityHandle[int])

    await workflow.execute_activity_class(Stamp, "order")  # expect: reportArgumentType
    await workflow.execute_activity_class(Stamp, ORDER, timeout=SOON)  # expect: reportCallIssue
    await workflow.execute_activity_class(Order, 5)  # expect: reportArgumentType


async def local_activities() -> None:
    assert_type(await workflow.execute_local_activity(charge, ORDER, start_to_close_timeout=SOON), Receipt)
    assert_type(await workflow.execute_local_activity(ping_in_a_thread, local_retry_threshold=SOON), str)
    assert_type(await workflow.execute_local_activity(added, args=[1, 2], start_to_close_timeout=SOON), int)
    assert_type(await workflow.execute_local_activity("charge", ORDER, start_to_close_timeout=SOON), Any)
    assert_type(await workflow.execute_local_activity_method(Mailer.send, "t", start_to_close_timeout=SOON), bool)
    assert_type(await workflow.execute_local_activity_class(Stamp, ORDER, start_to_close_timeout=SOON), int)
    assert_type(workflow.start_local_activity(charge, ORDER, start_to_close_timeout=SOON), ActivityHandle[Receipt])

    await workflow.execute_local_activity(charge, 5)  # expect: reportCallIssue
    await workflow.execute_local_activity(charge, ORDER, heartbeat_timeout=SOON)  # expect: reportCallIssue
    await workflow.execute_local_activity_method(Mailer.send, 5)  # expect: reportArgumentType


async def children() -> None:
    assert_type(await workflow.execute_child_workflow(Sale.run, ORDER, id="c"), Receipt)
    assert_type(await workflow.execute_child_workflow(Night.run), int)
    assert_type(await workflow.execute_child_workflow(Pair.run, args=[1, "x"]), list[str])
    assert_type(await workflow.execute_child_workflow("Sale", ORDER, result_type=Receipt), Any)
    child = await workflow.start_child_workflow(Sale.run, ORDER, parent_close_policy=ParentClosePolicy.ABANDON)
    assert_type(child, ChildWorkflowHandle[Sale, Receipt])
    assert_type(await child, Receipt)
    await child.signal(Sale.add, ORDER)
    await child.signal(Sale.moved, args=[1, 2])
    await child.signal("anything", 5)

    await workflow.execute_child_workflow(Sale.run)  # expect: reportCallIssue
    await workflow.execute_child_workflow(Sale.run, "order")  # expect: reportCallIssue
    await workflow.execute_child_workflow(Sale.run, ORDER, workflow_id="c")  # expect: reportCallIssue
    await workflow.execute_child_workflow(Pair.run, 1, "x")  # expect: reportCallIssue
    await workflow.start_child_workflow(Night.run, ORDER)  # expect: reportCallIssue
    await child.signal(Sale.add, "order")  # expect: reportCallIssue
    await child.signal(Night.stop)  # expect: reportCallIssue
    wrong: str = await workflow.execute_child_workflow(Night.run)  # expect: reportAssignmentType
    print(wrong)


async def others() -> None:
    other = workflow.get_external_workflow_handle_for(Sale.run, "1")
    await other.signal(Sale.stop)
    await other.signal(Sale.add, ORDER)
    await other.signal(Sale.moved, args=[1, 2])
    await workflow.get_external_workflow_handle_for(Pair.run, "1").signal(Pair.stop)
    await workflow.get_external_workflow_handle("1").signal("anything", 5)

    await other.signal(Sale.add, "order")  # expect: reportCallIssue
    await other.signal(Night.stop)  # expect: reportCallIssue
    workflow.get_external_workflow_handle_for("Sale", "1")  # expect: reportArgumentType


async def going_on(number: int) -> None:
    match number:
        case 1:
            workflow.continue_as_new(ORDER)
        case 2:
            workflow.continue_as_new(args=[1, 2], run_timeout=SOON)
        case 3:
            workflow.continue_as_new(ORDER, workflow=Sale.run)
        case 4:
            workflow.continue_as_new(args=[1, "x"], workflow=Pair.run)
        case 5:
            workflow.continue_as_new(5, workflow="Sale")
        case 6:
            workflow.continue_as_new(workflow=Night.run)
        case 7:
            workflow.continue_as_new(ORDER, timeout=SOON)  # expect: reportCallIssue
        case 8:
            workflow.continue_as_new("order", workflow=Sale.run)  # expect: reportCallIssue
        case _:
            workflow.continue_as_new(workflow=Sale.run)  # expect: reportCallIssue


async def waiting() -> None:
    await workflow.wait_condition(lambda: True, timeout=SOON)
    await workflow.sleep(5)
    await workflow.sleep(SOON)

    await workflow.wait_condition(True)  # expect: reportArgumentType
    await workflow.sleep("long")  # expect: reportArgumentType
    workflow.patched(5)  # expect: reportArgumentType


@workflow.defn(nme="x")  # expect: reportCallIssue
class Misspelt:
    @workflow.run
    async def run(self) -> None: ...

    @workflow.signal(nme="x")  # expect: reportCallIssue
    def stop(self) -> None: ...

    @workflow.update
    def change(self, order: Order) -> None: ...

    @change.validator  # expect: reportArgumentType
    def can_change(self, order: str) -> None: ...
