"""``actorflow workflow stack``: where the code of an execution waits."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout

import click

from actorflow.cli.exits import CommandError, Exit
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.identifying import identified, takes_execution
from actorflow.cli.workflow.program import definitions_in, stack_of
from actorflow.cli.workflow.reading import reading, status_name
from actorflow.client import WorkflowExecutionDescription, WorkflowExecutionStatus, WorkflowHistory


@click.command(cls=Command)
@click.option(
    "--app",
    metavar="MODULE|FILE.PY",
    required=True,
    type=click.Path(),
    help="Where the workflow's class is; it is imported. :Name behind it picks one class.",
)
@with_settings
@takes_execution
def stack(settings: Settings, workflow_id: str, run_id: str | None, app: str) -> None:
    """Show where the code of an execution waits.

    Its program is rebuilt here from its journal, so its class is needed. No activity runs again, and nothing is
    written; but the module is imported, so what starts your program must stand under if __name__ == "__main__".
    """
    about, history = waited_for(lambda: _found(settings, workflow_id, run_id))
    if about.status is not WorkflowExecutionStatus.RUNNING:
        raise CommandError(f"workflow {about.id!r} is {status_name(about.status)}: it waits nowhere", Exit.FAILED)
    with redirect_stdout(sys.stderr):  # what the user's code prints is not what was asked for
        waits = stack_of(about, history, definitions_in(app))
    settings.output.text(waits)


async def _found(
    settings: Settings, given: str, run_id: str | None
) -> tuple[WorkflowExecutionDescription, WorkflowHistory]:
    async with reading(settings) as client:
        about = await (await identified(client, given, run_id)).describe()
        return about, await client.get_workflow_handle(about.id, run_id=about.run_id).fetch_history()
