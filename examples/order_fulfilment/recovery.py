"""What an earlier life of the program left in the journal."""

from __future__ import annotations

from actorflow.client import (
    Client,
    RPCError,
    RPCStatusCode,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowHistory,
)
from examples.order_fulfilment.reports import Report


async def look_up(client: Client, order_id: str) -> Report | None:
    """The order as an earlier life left it, or None if there was none."""
    handle = client.get_workflow_handle(order_id)
    try:
        known = await handle.describe()
    except RPCError as refusal:
        if refusal.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return _recovered(known, await handle.fetch_history())


def _recovered(known: WorkflowExecutionDescription, history: WorkflowHistory) -> Report:
    completed = _completed(history)
    interrupted = [
        {"activity_type": pending.activity_type, "activity_id": pending.activity_id, "attempt": pending.attempt}
        for pending in known.pending_activities
    ]
    facts = {
        "status": known.status.name,
        "events": known.history_length,
        "completed": completed,
        "interrupted": interrupted,
    }
    return Report("recovered", known.id, _in_words(known, len(completed)), facts)


def _completed(history: WorkflowHistory) -> list[dict[str, str]]:
    """The activities whose results are in the journal; none of them runs again."""
    types_by_id: dict[str, str] = {}
    completed: list[dict[str, str]] = []
    for event in history.events:
        about = event.attributes
        if event.event_type == "ActivityScheduled":
            types_by_id[about["activity_id"]] = about["activity_type"]
        elif event.event_type == "ActivityCompleted":
            activity_id = about["activity_id"]
            completed.append({"activity_type": types_by_id[activity_id], "activity_id": activity_id})
    return completed


def _in_words(known: WorkflowExecutionDescription, completed: int) -> str:
    if known.status is not WorkflowExecutionStatus.RUNNING:
        return f"order {known.id} was finished before; nothing is done again"
    running = [f"{pending.activity_type} (activity {pending.activity_id})" for pending in known.pending_activities]
    return (
        f"recovered order {known.id}: {known.history_length} events, completed activities: {completed}; "
        f"interrupted: {', '.join(running) or 'nothing'}"
    )
