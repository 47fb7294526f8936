"""``actorflow workflow show``: the history of an execution, once or as it grows."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import click

from actorflow import diagram
from actorflow.cli.helping import Command
from actorflow.cli.output import Output
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.events import COLUMNS, Tell, in_full, record_of
from actorflow.cli.workflow.following import follow
from actorflow.cli.workflow.identifying import identified, takes_execution
from actorflow.cli.workflow.reading import reading
from actorflow.client import WorkflowHistory

_DRAWINGS: Final[Mapping[str, Callable[[WorkflowHistory], str]]] = {
    "flowchart": diagram.flowchart,
    "gantt": diagram.gantt,
}


@click.command(cls=Command)
@click.option("--follow", "-f", "is_followed", is_flag=True, help="Go on with new events until the execution closes.")
@click.option("--detailed", "is_detailed", is_flag=True, help="All of each event, also on a terminal.")
@click.option("--reverse", "is_reversed", is_flag=True, help="The latest event first.")
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
    is_detailed: bool,
    is_reversed: bool,
    drawing: str | None,
) -> None:
    """Show the history of an execution, or a diagram of it.

    Numbers are those of the public history, whose task events are not stored here. With --follow, Ctrl-C ends it.
    """
    if is_followed and (is_reversed or drawing):
        left_out = "--reverse" if is_reversed else "--diagram"
        raise click.UsageError(f"--follow tells events as they are committed; leave out {left_out}")
    waited_for(lambda: _show(settings, workflow_id, run_id, is_followed, is_detailed, is_reversed, drawing))


async def _show(
    settings: Settings,
    given: str,
    run_id: str | None,
    is_followed: bool,
    is_detailed: bool,
    is_reversed: bool,
    drawing: str | None,
) -> None:
    async with reading(settings) as client:
        handle = await identified(client, given, run_id)
        history = None if is_followed else await handle.fetch_history()
    if history is None:
        with _telling(settings.output, is_detailed=is_detailed, is_live=True) as tell:
            await follow(settings, handle.id, run_id, tell)
    elif drawing is not None:
        settings.output.text(_DRAWINGS[drawing](history))
    else:
        with _telling(settings.output, is_detailed=is_detailed, is_live=False) as tell:
            for event in reversed(history.events) if is_reversed else history.events:
                tell(event)


@contextmanager
def _telling(output: Output, *, is_detailed: bool, is_live: bool) -> Generator[Tell]:
    if is_detailed and output.is_table:
        yield lambda event: _tell_in_full(output, in_full(event))
        return
    with output.rows(COLUMNS, is_live=is_live) as add:
        yield lambda event: add(record_of(event))


def _tell_in_full(output: Output, record: Mapping[str, Any]) -> None:
    output.record(record)
    output.text("")
