"""``actorflow workflow list|count``: find executions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

from actorflow.cli.exits import say
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.table import Column
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.reading import attributes_shown, in_one_line, reading, status_name
from actorflow.client import WorkflowExecution, WorkflowExecutionCount

_LIMIT: Final = 100

_COLUMNS: Final = (
    Column("status", of=lambda record: "Parked" if record["parked"] else record["status"]),
    Column("workflow_id"),
    Column("run_id", from_width=160),
    Column("workflow_type", "type"),
    Column("task_queue", from_width=120),
    Column("start_time"),
    Column("close_time", from_width=100),
    Column("search_attributes", from_width=180, of=lambda record: in_one_line(record["search_attributes"])),
)


@click.command("list", cls=Command)
@click.option("--query", "-q", metavar="FILTER", help="Which ones; see above.")
@click.option(
    "--limit", metavar="N", type=click.IntRange(min=0), default=_LIMIT, help=f"At most; 0 is all, else {_LIMIT}."
)
@with_settings
def list_(settings: Settings, query: str | None, limit: int) -> None:
    """List executions, the newest first.

    A filter compares columns with values:

    \b
    WorkflowType WorkflowId RunId ExecutionStatus StartTime CloseTime TaskQueue Parked
    and every search attribute of the namespace
    = != > >= < <=  IN ('a', 'b')  BETWEEN 'a' AND 'b'  STARTS_WITH 'a'  IS NULL
    AND OR NOT ( )  ORDER BY StartTime|CloseTime ASC|DESC

    \b
    --query "ExecutionStatus = 'Failed' AND StartTime > '2030-06-01T12:00:00Z'"
    """
    waited_for(lambda: _list(settings, query, limit))


async def _list(settings: Settings, query: str | None, limit: int) -> None:
    shown = 0
    async with reading(settings) as client:
        found = client.list_workflows(query, limit=limit + 1 if limit else None)
        first = await anext(found, None)  # a filter that is refused leaves no heading behind
        with settings.output.rows(_COLUMNS) as add:
            while first is not None and (not limit or shown < limit):
                add(_record(first))
                shown += 1
                first = await anext(found, None)
    if first is not None:
        say(f"There are more than {limit}; --limit 0 shows all, --query narrows them down.")


def _record(execution: WorkflowExecution) -> Mapping[str, Any]:
    return {
        "workflow_id": execution.id,
        "run_id": execution.run_id,
        "workflow_type": execution.workflow_type,
        "task_queue": execution.task_queue,
        "namespace": execution.namespace,
        "status": status_name(execution.status),
        "parked": execution.parked,
        "start_time": execution.start_time,
        "close_time": execution.close_time,
        "history_length": execution.history_length,
        "search_attributes": attributes_shown(execution),
    }


@click.command(cls=Command)
@click.option(
    "--query", "-q", metavar="FILTER", help="As for list; it may end with GROUP BY ExecutionStatus, without ORDER BY."
)
@with_settings
def count(settings: Settings, query: str | None) -> None:
    """Count executions."""
    counted = waited_for(lambda: _count(settings, query))
    groups = [{"status": group.group_values[0], "count": group.count} for group in counted.groups]
    if settings.output.is_for_programs:
        settings.output.record({"count": counted.count, "groups": groups})
        return
    settings.output.record({"Total": counted.count})
    if groups:
        settings.output.records((Column("status"), Column("count")), groups)


async def _count(settings: Settings, query: str | None) -> WorkflowExecutionCount:
    async with reading(settings) as client:
        return await client.count_workflows(query)
