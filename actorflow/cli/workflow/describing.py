"""``actorflow workflow describe``: how an execution stands."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import click

from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.table import Column
from actorflow.cli.text import duration
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.identifying import identified, takes_execution
from actorflow.cli.workflow.reading import reading, status_name
from actorflow.client import PendingActivity, PendingChild, PendingMessage, WorkflowExecutionDescription

_COLUMNS: Final = (
    Column("activity_id", "id"),
    Column("activity_type", "type"),
    Column("state"),
    Column("attempt"),
    Column("scheduled_time", "scheduled", from_width=120),
    Column("next_attempt_time", "next attempt"),
    Column("last_failure"),
)
_CHILD_COLUMNS: Final = (
    Column("workflow_id", "id"),
    Column("workflow_type", "type"),
    Column("state"),
    Column("parent_close_policy", "if this closes"),
    Column("run_id", from_width=120),
    Column("initiated_id", "event", from_width=120),
)
_MESSAGE_COLUMNS: Final = (
    Column("message"),
    Column("workflow_id", "to"),
    Column("run_id", "run", from_width=120),
    Column("initiated_id", "event"),
)


@click.command(cls=Command)
@with_settings
@takes_execution
def describe(settings: Settings, workflow_id: str, run_id: str | None) -> None:
    """Show how an execution stands, and what it waits for.

    Of a parked execution it says why it can't go on: its status stays Running.
    """
    about = waited_for(lambda: _described(settings, workflow_id, run_id))
    pending = (
        ("pending_activities", _COLUMNS, [_pending(activity) for activity in about.pending_activities]),
        ("pending_children", _CHILD_COLUMNS, [_child(child) for child in about.pending_children]),
        ("pending_messages", _MESSAGE_COLUMNS, [_message(message) for message in about.pending_messages]),
    )
    if settings.output.is_for_programs:
        settings.output.record({**_record(about), **_relatives(about), **{name: rows for name, _, rows in pending}})
        return
    settings.output.record({**_record(about), **_relatives(about), **_in_brief(about)})
    for name, columns, rows in pending:
        if rows:
            settings.output.text(f"\n{name.replace('_', ' ')}\n")
            settings.output.records(columns, rows)


async def _described(settings: Settings, given: str, run_id: str | None) -> WorkflowExecutionDescription:
    async with reading(settings) as client:
        return await (await identified(client, given, run_id)).describe()


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


def _relatives(about: WorkflowExecutionDescription) -> Mapping[str, Any]:
    """Chain, tree and timeouts."""
    return {
        "parent_id": about.parent_id,
        "parent_run_id": about.parent_run_id,
        "root_id": about.root_id,
        "root_run_id": about.root_run_id,
        "first_execution_run_id": about.first_execution_run_id,
        "continued_run_id": about.continued_run_id,
        "new_execution_run_id": about.new_execution_run_id,
        "attempt": about.attempt,
        "cron_schedule": about.cron_schedule or None,
        "execution_time": about.execution_time,
        "execution_timeout": about.execution_timeout,
        "run_timeout": about.run_timeout,
        "expiration_time": about.expiration_time,
    }


def _in_brief(about: WorkflowExecutionDescription) -> Mapping[str, Any]:
    """For people: nothing that says what is so of most executions."""
    is_first = about.first_execution_run_id == about.run_id
    return {
        "first_execution_run_id": None if is_first else about.first_execution_run_id,
        "attempt": None if about.retry_policy is None else about.attempt,
        "execution_time": None if about.execution_time == about.start_time else about.execution_time,
        "execution_timeout": _in_words(about.execution_timeout),
        "run_timeout": _in_words(about.run_timeout),
        "turn_failures": about.turn_failures or None,
    }


def _in_words(timeout: timedelta | None) -> str | None:
    return None if timeout is None else duration(timeout)


def _child(child: PendingChild) -> Mapping[str, Any]:
    return {
        "workflow_id": child.id,
        "run_id": child.run_id,
        "workflow_type": child.workflow_type,
        "state": "started" if child.has_started else "initiated",
        "parent_close_policy": child.parent_close_policy.name.lower(),
        "initiated_id": child.initiated_id,
    }


def _message(message: PendingMessage) -> Mapping[str, Any]:
    return {
        "message": "cancel" if message.signal is None else f"signal {message.signal}",
        "workflow_id": message.id,
        "run_id": message.run_id,
        "initiated_id": message.initiated_id,
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
