"""``actorflow workflow``: look at executions. None of these commands writes; see `steering` for those that do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import click

from actorflow import diagram
from actorflow.cli.exits import CommandError, Exit, say
from actorflow.cli.identifying import identified, takes_execution
from actorflow.cli.output import as_json
from actorflow.cli.program import definitions_in, stack_of
from actorflow.cli.settings import Settings, takes_settings, with_settings
from actorflow.cli.steering import cancel, signal, terminate
from actorflow.client import (
    Client,
    HistoryEvent,
    WorkflowExecution,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)
from actorflow.store.sqlite import owner_of

_LISTED = 100


@click.group()
@takes_settings
def workflow() -> None:
    """Look at workflow executions, and steer them."""


@asynccontextmanager
async def reading(settings: Settings) -> AsyncGenerator[Client]:
    """A client that can't write; it may read beside the process that owns the journal."""
    async with await Client.connect(settings.address, namespace=settings.namespace, read_only=True) as client:
        yield client


@workflow.command("list")
@click.option("--query", "-q", metavar="FILTER", help="""Such as "ExecutionStatus = 'Running' AND StartTime > '…'".""")
@click.option("--limit", metavar="N", type=click.IntRange(min=0), default=_LISTED, help=f"0 is all; default {_LISTED}.")
@with_settings
def list_(settings: Settings, query: str | None, limit: int) -> None:
    """List executions, the newest first.

    \b
    Columns of a filter: WorkflowType WorkflowId RunId ExecutionStatus StartTime CloseTime TaskQueue Parked
    Operators: = != > >= < <= IN BETWEEN STARTS_WITH IS NULL, AND OR NOT, parentheses, ORDER BY StartTime|CloseTime
    """
    found = asyncio.run(_listed(settings, query, limit))
    if limit and len(found) > limit:
        say(f"There are more than {limit}; --limit 0 shows all, --query narrows them down.")
    columns = ("status", "workflow id", "type", "task queue", "start time", "close time")
    settings.output.records(columns, (_execution(execution, settings) for execution in found[: limit or None]))


async def _listed(settings: Settings, query: str | None, limit: int) -> list[WorkflowExecution]:
    async with reading(settings) as client:
        return [execution async for execution in client.list_workflows(query, limit=limit + 1 if limit else None)]


def _execution(execution: WorkflowExecution, settings: Settings) -> Mapping[str, Any]:
    status = status_name(execution.status)
    if settings.output.is_for_programs:
        return {
            "workflow_id": execution.id,
            "run_id": execution.run_id,
            "workflow_type": execution.workflow_type,
            "task_queue": execution.task_queue,
            "namespace": execution.namespace,
            "status": status,
            "parked": execution.parked,
            "start_time": execution.start_time,
            "close_time": execution.close_time,
            "history_length": execution.history_length,
        }
    return {
        "status": "Parked" if execution.parked else status,
        "workflow id": execution.id,
        "type": execution.workflow_type,
        "task queue": execution.task_queue,
        "start time": execution.start_time,
        "close time": execution.close_time,
    }


def status_name(status: WorkflowExecutionStatus | None) -> str:
    """A status as filters write it."""
    return "" if status is None else "".join(word.capitalize() for word in status.name.split("_"))


@workflow.command()
@click.option("--query", "-q", metavar="FILTER", help="As for list; may end with GROUP BY ExecutionStatus.")
@with_settings
def count(settings: Settings, query: str | None) -> None:
    """Count executions."""
    counted = asyncio.run(_counted(settings, query))
    groups = [{"status": ", ".join(map(str, group.group_values)), "count": group.count} for group in counted.groups]
    if settings.output.is_for_programs:
        settings.output.record({"count": counted.count, "groups": groups})
    else:
        click.echo(f"Total: {counted.count}")
        if groups:
            settings.output.records(("status", "count"), groups)


async def _counted(settings: Settings, query: str | None) -> Any:
    async with reading(settings) as client:
        return await client.count_workflows(query)


@workflow.command()
@click.option("--reverse", is_flag=True, help="The latest event first.")
@click.option(
    "--diagram",
    "picture",
    type=click.Choice(["flowchart", "gantt"]),
    is_flag=False,
    flag_value="flowchart",
    help="Print a Mermaid diagram instead: the way it took (default), or when its activities ran.",
)
@with_settings
@takes_execution
def show(
    settings: Settings,
    workflow_id: str,
    run_id: str | None,
    reverse: bool,
    picture: str | None,
) -> None:
    """Show the history of an execution, or a diagram of it."""
    history = asyncio.run(_history(settings, workflow_id, run_id))
    if picture is not None:
        settings.output.text(diagram.gantt(history) if picture == "gantt" else diagram.flowchart(history))
        return
    events = reversed(history.events) if reverse else history.events
    settings.output.records(("event", "time", "type", "details"), (_event(event, settings) for event in events))


async def _history(settings: Settings, given: str, run_id: str | None) -> Any:
    async with reading(settings) as client:
        return await (await identified(client, given, run_id)).fetch_history()


def _event(event: HistoryEvent, settings: Settings) -> Mapping[str, Any]:
    if settings.output.is_for_programs:
        return {
            "event_id": event.event_id,
            "event_time": event.event_time,
            "event_type": event.event_type,
            "attributes": event.attributes,
        }
    return {
        "event": event.event_id,
        "time": event.event_time,
        "type": event.event_type,
        "details": dict(event.attributes) or None,
    }


@workflow.command()
@with_settings
@takes_execution
def describe(settings: Settings, workflow_id: str, run_id: str | None) -> None:
    """Show how an execution stands: its status, what it waits for, why it is parked."""
    about = asyncio.run(_described(settings, workflow_id, run_id))
    pending = [
        {
            "activity": activity.activity_id,
            "type": activity.activity_type,
            "state": activity.state,
            "attempt": activity.attempt,
            "next attempt": activity.next_attempt_time,
            "last failure": activity.last_failure,
        }
        for activity in about.pending_activities
    ]
    record: dict[str, Any] = {
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
        "turn_failures": about.turn_failures or None,
        "last_failure": about.last_failure,
    }
    if settings.output.is_for_programs:
        settings.output.record({**record, "pending_activities": pending})
        return
    settings.output.record(record)
    if pending:
        click.echo("\npending activities")
        settings.output.records(list(pending[0]), pending)


async def _described(settings: Settings, given: str, run_id: str | None) -> WorkflowExecutionDescription:
    async with reading(settings) as client:
        return await (await identified(client, given, run_id)).describe()


@workflow.command()
@click.option("--timeout", metavar="SECONDS", type=click.FloatRange(min=0), help="How long to wait; default: for ever.")
@with_settings
@takes_execution
def result(
    settings: Settings,
    workflow_id: str,
    run_id: str | None,
    timeout: float | None,
) -> int:
    """Wait for an execution to end and print its result as JSON; exit code 4 if it failed.

    It is waited for only while a process has the journal open: nobody else could end it.
    """
    try:
        value = asyncio.run(_result(settings, workflow_id, run_id, timeout))
    except TimeoutError as late:
        raise CommandError(
            f"workflow {workflow_id!r} has not ended after {timeout} s; it goes on", Exit.TIMEOUT
        ) from late
    except WorkflowFailureError as failure:
        settings.output.record({"status": "failed", **_failure(failure.cause)})
        return Exit.WORKFLOW_FAILED
    settings.output.text(as_json(value))
    return Exit.DONE


async def _result(settings: Settings, given: str, run_id: str | None, timeout: float | None) -> Any:
    async with reading(settings) as client, asyncio.timeout(timeout):
        handle = await identified(client, given, run_id)
        about = await handle.describe()
        if about.status is WorkflowExecutionStatus.RUNNING and owner_of(settings.path) is None:
            raise CommandError(
                f"workflow {handle.id!r} is running, but no process has {settings.path} open, so nothing will end it "
                "now; start the program that runs its workers",
                Exit.TIMEOUT,
            )
        return await handle.result()


def _failure(problem: BaseException | None) -> dict[str, Any]:
    if problem is None:
        return {}
    kind = getattr(problem, "type", None) or type(problem).__name__
    inner = _failure(problem.__cause__)
    return {"type": kind, "message": str(problem), **({"cause": inner} if inner else {})}


@workflow.command()
@click.option("--app", metavar="MODULE|FILE.PY", required=True, help="Where the workflow's class is.")
@with_settings
@takes_execution
def stack(settings: Settings, workflow_id: str, run_id: str | None, app: str) -> None:
    """Show where the code of an execution waits.

    Its program is rebuilt here from its journal, so its class is needed; nothing is run again and nothing is written.
    """
    definitions = definitions_in(app)
    about, history = asyncio.run(_described_with_history(settings, workflow_id, run_id))
    if about.status is not WorkflowExecutionStatus.RUNNING:
        raise CommandError(f"workflow {about.id!r} is {status_name(about.status)}: it waits nowhere", Exit.FAILED)
    settings.output.text(stack_of(about, history, definitions))


async def _described_with_history(settings: Settings, given: str, run_id: str | None) -> Any:
    async with reading(settings) as client:
        handle = await identified(client, given, run_id)
        about = await handle.describe()
        return about, await client.get_workflow_handle(about.id, run_id=about.run_id).fetch_history()


for command in (signal, cancel, terminate):
    workflow.add_command(command)
