"""What a server exports of a run with children, messages to others and a run that follows replays here."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from actorflow import workflow
from actorflow.client import WorkflowHistory
from actorflow.converter import default
from actorflow.core import events as ev
from actorflow.core.letters import NOBODY
from actorflow.exceptions import ApplicationError, ChildWorkflowError
from actorflow.worker import Replayer
from tests.core.history.given import BEGINNING, event, payload, turns_of


@workflow.defn(name="Order")
class Sends:
    """One child after another, a child that is told to stop, a signal that finds nobody, and the next run."""

    order = ("sent", "lost")

    @workflow.run
    async def run(self, item: str) -> None:
        seen: list[Any] = []
        for name in self.order:
            try:
                seen.append(await workflow.execute_child_workflow("Parcel", item, id=name))
            except ChildWorkflowError as problem:
                seen.append((getattr(problem.cause, "type", None), problem.workflow_id, problem.run_id))
        waits = await workflow.start_child_workflow("Parcel", item, id="waits")
        await waits.signal("hurry", 1)
        waits.cancel()
        nobody = workflow.get_external_workflow_handle("nobody", run_id="run-n")
        try:
            await nobody.signal("hello")
        except ApplicationError:
            await asyncio.gather(nobody.cancel(), waits, return_exceptions=True)
        if seen == ["yes", ("Lost", "lost", "run-l")]:
            workflow.continue_as_new("second")


@workflow.defn(name="Order")
class SendsTheOtherWayRound(Sends):
    order = ("lost", "sent")

    @workflow.run
    async def run(self, item: str) -> None:
        await super().run(item)


def task(number: int) -> list[dict[str, Any]]:
    return [
        event(number, "WORKFLOW_TASK_SCHEDULED"),
        event(number + 1, "WORKFLOW_TASK_STARTED"),
        event(number + 2, "WORKFLOW_TASK_COMPLETED"),
    ]


def asks(number: int, workflow_id: str) -> dict[str, Any]:
    return event(
        number,
        "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
        {
            "namespace": "orders",
            "namespaceId": "0b1f",
            "workflowId": workflow_id,
            "workflowType": {"name": "Parcel"},
            "taskQueue": {"name": "orders", "kind": "TASK_QUEUE_KIND_NORMAL"},
            "input": {"payloads": [payload("book")]},
            "workflowExecutionTimeout": "0s",
            "workflowRunTimeout": "0s",
            "workflowTaskTimeout": "10s",
            "parentClosePolicy": "PARENT_CLOSE_POLICY_TERMINATE",
            "workflowIdReusePolicy": "WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE",
            "header": {},
        },
    )


def of_child(number: int, what: str, workflow_id: str, initiated: int, **more: Any) -> dict[str, Any]:
    about = {
        "namespace": "orders",
        "workflowExecution": {"workflowId": workflow_id, "runId": f"run-{workflow_id[0]}"},
        "workflowType": {"name": "Parcel"},
        "initiatedEventId": str(initiated),
    }
    return event(number, f"CHILD_WORKFLOW_EXECUTION_{what}", {**about, **more})


def to_other(number: int, what: str, workflow_id: str, **more: Any) -> dict[str, Any]:
    receiver = {"workflowId": workflow_id, "runId": "run-n"} if workflow_id == "nobody" else {"workflowId": workflow_id}
    attributes = {"workflowExecution": receiver, "childWorkflowOnly": workflow_id != "nobody", **more}
    return event(number, f"{what}_EXTERNAL_WORKFLOW_EXECUTION_INITIATED", attributes)


LOST = {"message": "nowhere", "source": "GoSDK", "applicationFailureInfo": {"type": "Lost"}}
REFUSED = "EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"


def served() -> WorkflowHistory:
    events = [
        *BEGINNING,
        asks(5, "sent"),
        of_child(6, "STARTED", "sent", 5),
        *task(7),
        of_child(10, "COMPLETED", "sent", 5, startedEventId="6", result={"payloads": [payload("yes")]}),
        *task(11),
        asks(14, "lost"),
        of_child(15, "STARTED", "lost", 14),
        *task(16),
        of_child(19, "FAILED", "lost", 14, failure=LOST, retryState="RETRY_STATE_RETRY_POLICY_NOT_SET"),
        *task(20),
        asks(23, "waits"),
        of_child(24, "STARTED", "waits", 23),
        *task(25),
        to_other(28, "SIGNAL", "waits", signalName="hurry", input={"payloads": [payload(1)]}),
        event(29, "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED", {"initiatedEventId": "28"}),
        *task(30),
        to_other(33, "REQUEST_CANCEL", "waits"),
        to_other(34, "SIGNAL", "nobody", signalName="hello"),
        event(35, "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED", {"initiatedEventId": "33"}),
        event(
            36,
            "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
            {"initiatedEventId": "34", "cause": f"SIGNAL_{REFUSED}"},
        ),
        *task(37),
        to_other(40, "REQUEST_CANCEL", "nobody"),
        event(
            41,
            "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED",
            {"initiatedEventId": "40", "cause": f"CANCEL_{REFUSED}"},
        ),
        of_child(42, "CANCELED", "waits", 23, startedEventId="24"),
        *task(43),
        event(
            46,
            "WORKFLOW_EXECUTION_CONTINUED_AS_NEW",
            {
                "newExecutionRunId": "next-run",
                "workflowType": {"name": "Order"},
                "taskQueue": {"name": "orders"},
                "input": {"payloads": [payload("second")]},
                "workflowTaskTimeout": "10s",
                "initiator": "CONTINUE_AS_NEW_INITIATOR_WORKFLOW",
            },
        ),
    ]
    return WorkflowHistory.from_json("w", {"events": events})


async def test_a_servers_history_with_children_and_messages_replays() -> None:
    history = served()
    follows = ev.ContinuedAsNew("Order", "orders", default().values.encode(["second"]), successor="next-run")
    assert history.turns[-1].events == (ev.MessageRefused(40, NOBODY), ev.ChildCancelled(23), follows)
    await Replayer(workflows=[Sends]).replay_workflow(history)


async def test_another_child_than_then_is_named_with_the_servers_event() -> None:
    with pytest.raises(workflow.NondeterminismError) as failed:
        await Replayer(workflows=[SendsTheOtherWayRound]).replay_workflow(served())
    error = failed.value
    assert (error.number, error.recorded, error.asked) == (
        5,
        "start child Parcel (id sent)",
        "start child Parcel (id lost)",
    )


@pytest.mark.parametrize("end", [ev.TimedOut(), ev.Terminated()])
async def test_a_run_that_ended_before_any_program_saw_it_replays(end: Any) -> None:
    history = WorkflowHistory("w", "run-1", (), turns_of((ev.Started("Order", "q"), end)))
    await Replayer(workflows=[Sends]).replay_workflow(WorkflowHistory.from_json("w", history.to_json()))
