"""``actorflow workflow describe``: how an execution stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

import click

from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.table import Column
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.identifying import identified, takes_execution
from actorflow.cli.workflow.reading import attributes_shown, in_one_line, reading, status_name
from actorflow.client import PendingActivity, WorkflowExecutionDescription
from actorflow.exceptions import PayloadError

_COLUMNS: Final = (
    Column("activity_id", "id"),
    Column("activity_type", "type"),
    Column("state"),
    Column("attempt"),
    Column("scheduled_time", "scheduled", from_width=120),
    Column("next_attempt_time", "next attempt"),
    Column("last_failure"),
)


@click.command(cls=Command)
@with_settings
@takes_execution
def describe(settings: Settings, workflow_id: str, run_id: str | None) -> None:
    """Show how an execution stands, and what it waits for.

    Of a parked execution it says why it can't go on: its status stays Running.
    """
    about, notes = waited_for(lambda: _described(settings, workflow_id, run_id))
    pending = [_pending(activity) for activity in about.pending_activities]
    if settings.output.is_for_programs:
        settings.output.record({**_record(about), **notes, "pending_activities": pending})
        return
    lines = {
        name: in_one_line(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
        for name, value in notes.items()
    }
    settings.output.record({**_record(about), "turn_failures": about.turn_failures or None, **lines})
    if pending:
        settings.output.text("\npending activities\n")
        settings.output.records(_COLUMNS, pending)


async def _described(
    settings: Settings, given: str, run_id: str | None
) -> tuple[WorkflowExecutionDescription, Mapping[str, Any]]:
    async with reading(settings) as client:
        about = await (await identified(client, given, run_id)).describe()
        return about, {
            "static_summary": await about.static_summary(),
            "static_details": await about.static_details(),
            "search_attributes": attributes_shown(about),
            "memo": await _memo(about),
        }


async def _memo(about: WorkflowExecutionDescription) -> Mapping[str, Any] | str:
    try:
        return await about.memo()
    except PayloadError as problem:  # encoded by a program of its own, and the rest is worth knowing
        return str(problem)


def _record(about: WorkflowExecutionDescription) -> Mapping[str, Any]:
    return {
        "workflow_id": about.id,
        "run_id": about.run_id,
        "workflow_type": about.workflow_type,
        "task_queue": about.task_queue,
        "namespace": about.namespace,
        "status": status_name(about.status),
        "parked": about.parked,
        "start_time": about.start_time,
        "close_time": about.close_time,
        "history_length": about.history_length,
        "pending_timers": about.pending_timers,
        "inbox_messages": about.inbox_messages,
        "turn_failures": about.turn_failures,
        "last_failure": about.last_failure,
    }


def _pending(activity: PendingActivity) -> Mapping[str, Any]:
    return {
        "activity_id": activity.activity_id,
        "activity_type": activity.activity_type,
        "state": activity.state,
        "attempt": activity.attempt,
        "scheduled_time": activity.scheduled_time,
        "next_attempt_time": activity.next_attempt_time,
        "last_failure": activity.last_failure,
    }
