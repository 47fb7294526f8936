"""``actorflow workflow show``: the history of an execution, once or as it grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Final

import click

from actorflow import diagram
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.table import Column
from actorflow.cli.workflow.following import follow
from actorflow.cli.workflow.identifying import identified, takes_execution
from actorflow.cli.workflow.reading import reading
from actorflow.client import HistoryEvent, WorkflowHistory

_DRAWINGS: Final[Mapping[str, Callable[[WorkflowHistory], str]]] = {
    "flowchart": diagram.flowchart,
    "gantt": diagram.gantt,
}


@click.command(cls=Command)
@click.option("--follow", "-f", "is_followed", is_flag=True, help="Go on with new events until the execution closes.")
@click.option("--detailed", is_flag=True, help="All of each event, also where it takes many lines of a table.")
@click.option("--reverse", is_flag=True, help="The latest event first.")
@click.option(
    "--diagram",
    "drawing",
    metavar="[=flowchart|gantt]",
    type=click.Choice(list(_DRAWINGS)),
    is_flag=False,
    flag_value="flowchart",
    help="A Mermaid diagram instead: the way it took, or when its activities ran.",
)
@with_settings
@takes_execution
def show(
    settings: Settings,
    workflow_id: str,
    run_id: str | None,
    is_followed: bool,
    detailed: bool,
    reverse: bool,
    drawing: str | None,
) -> None:
    """Show the history of an execution, or a diagram of it."""
    if is_followed and (reverse or drawing):
        raise click.UsageError(
            f"--follow goes forward through events; leave out {'--reverse' if reverse else '--diagram'}"
        )
    columns = _columns(is_detailed=detailed)
    if is_followed:
        with settings.output.rows(columns, is_live=True) as add:
            asyncio.run(_follow(settings, workflow_id, run_id, lambda event: add(_record(event))))
        return
    history = asyncio.run(_history(settings, workflow_id, run_id))
    if drawing is not None:
        settings.output.text(_DRAWINGS[drawing](history))
    else:
        events = reversed(history.events) if reverse else history.events
        settings.output.records(columns, map(_record, events))


def _columns(*, is_detailed: bool) -> tuple[Column, ...]:
    # The details come last and get what is left.
    return (
        Column("event_id", "event", width=5),
        Column("event_time", "time", width=19),
        Column("event_type", "type", width=18),
        Column(
            "attributes", "details", width=10_000, is_shortened=not is_detailed, of=lambda e: e["attributes"] or None
        ),
    )


async def _history(settings: Settings, given: str, run_id: str | None) -> WorkflowHistory:
    async with reading(settings) as client:
        return await (await identified(client, given, run_id)).fetch_history()


async def _follow(settings: Settings, given: str, run_id: str | None, see: Callable[[HistoryEvent], None]) -> None:
    async with reading(settings) as client:
        handle = await identified(client, given, run_id)
    await follow(settings, handle.id, run_id, see)


def _record(event: HistoryEvent) -> Mapping[str, Any]:
    return {
        "event_id": event.event_id,
        "event_time": event.event_time,
        "event_type": event.event_type,
        "attributes": event.attributes,
    }
