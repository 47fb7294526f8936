"""``actorflow workflow signal|cancel|terminate``: write to a journal nobody has open.

A journal has one owner. While a program runs on it, only that program can write; without one the command takes the file
for a moment, and what it wrote waits there for the next worker. What is wrong with a call is refused before the file
is taken: a look at it leaves no trace, while every owner leaves its epoch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click

from actorflow.cli.exits import CommandError, Exit, say
from actorflow.cli.helping import Command
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.arguments import takes_input
from actorflow.cli.workflow.identifying import exists, ids_that_begin, takes_execution
from actorflow.cli.workflow.reading import reading, status_name
from actorflow.client import Client, WorkflowExecutionStatus, WorkflowHandle
from actorflow.client.address import address_of_file
from actorflow.common import RawValue
from actorflow.core.policy.checks import check_name, check_text
from actorflow.exceptions import StorageOwnedError
from actorflow.store.sqlite import owner_of

Act = Callable[[WorkflowHandle[Any, Any]], Awaitable[None]]


@click.command(cls=Command)
@click.option("--name", required=True, metavar="NAME", help="The signal's name.")
@takes_input
@click.option("--request-id", default="", metavar="ID", help="Repeat a call with the same one, and it counts once.")
@with_settings
@takes_execution
def signal(
    settings: Settings, workflow_id: str, run_id: str | None, name: str, arguments: Sequence[RawValue], request_id: str
) -> None:
    """Send a signal to an execution.

    It is written into the journal and handled by the next program that opens it; while one has it open, only that
    program can send signals.
    """
    check_name("signal", name)
    check_text("request id", request_id)
    status = _steer(
        settings, workflow_id, run_id, lambda handle: handle.signal(name, args=arguments, request_id=request_id)
    )
    if status is not WorkflowExecutionStatus.RUNNING:
        raise _closed(workflow_id, status)
    say(f"Signal {name!r} was accepted by workflow {workflow_id!r}.")


@click.command(cls=Command)
@click.option("--reason", default="", metavar="TEXT", help="Why; for people.")
@with_settings
@takes_execution
def cancel(settings: Settings, workflow_id: str, run_id: str | None, reason: str) -> None:
    """Ask an execution to stop; its code may tidy up first."""
    check_text("reason", reason)
    status = _steer(settings, workflow_id, run_id, lambda handle: handle.cancel(reason=reason))
    if status is WorkflowExecutionStatus.RUNNING:
        say(f"Workflow {workflow_id!r} was asked to stop.")
    else:
        say(f"Workflow {workflow_id!r} had ended before as {status_name(status)}; nothing has changed.")


@click.command(cls=Command)
@click.option("--reason", default="", metavar="TEXT", help="Why; for people.")
@with_settings
@takes_execution
def terminate(settings: Settings, workflow_id: str, run_id: str | None, reason: str) -> None:
    """End an execution without asking its code."""
    check_text("reason", reason)
    status = _steer(settings, workflow_id, run_id, lambda handle: handle.terminate(reason=reason))
    if status is not WorkflowExecutionStatus.RUNNING:
        raise _closed(workflow_id, status)
    say(f"Workflow {workflow_id!r} was terminated.")


def _closed(workflow_id: str, status: WorkflowExecutionStatus) -> CommandError:
    return CommandError(
        f"workflow {workflow_id!r} has ended as {status_name(status)}, so it can't take this any more", Exit.NOT_FOUND
    )


def _steer(settings: Settings, given: str, run_id: str | None, act: Act) -> WorkflowExecutionStatus:
    """Do something to an execution if it is running; says whether it was.

    Raises:
        CommandError: there is none, or the journal is somebody else's.
    """
    try:
        return waited_for(lambda: _steered(settings, given, run_id, act))
    except StorageOwnedError as owned:
        raise _owned(settings, str(owned)) from owned


async def _steered(settings: Settings, given: str, run_id: str | None, act: Act) -> WorkflowExecutionStatus:
    async with reading(settings) as client:
        if not await exists(client, given, run_id):
            raise await _not_found(client, given, run_id)
        about = await client.get_workflow_handle(given, run_id=run_id).describe()
    if about.status is not WorkflowExecutionStatus.RUNNING:
        return about.status
    owner = owner_of(settings.path)
    if owner is not None:
        raise _owned(settings, f"{settings.path} is in use by {owner}")
    async with await Client.connect(address_of_file(settings.path), namespace=settings.namespace) as client:
        await act(client.get_workflow_handle(given, run_id=about.run_id))
    return about.status


def _owned(settings: Settings, who: str) -> CommandError:
    return CommandError(
        f"{who}. While a program has a journal open, only that program can write to it: do it there, or stop it first",
        Exit.UNREACHABLE,
    )


async def _not_found(client: Client, given: str, run_id: str | None) -> CommandError:
    """What is changed is named in full, so a beginning is only a hint."""
    if run_id is not None:
        what = f"workflow {given!r} has no run {run_id!r} in namespace {client.namespace!r}"
        return CommandError(f"{what}; `actorflow workflow list` shows runs", Exit.NOT_FOUND)
    ids = await ids_that_begin(client, given, at_most=2)
    hint = f"; did you mean {ids[0]!r}?" if len(ids) == 1 else "; `actorflow workflow list` shows them"
    return CommandError(f"no workflow has the id {given!r} in namespace {client.namespace!r}{hint}", Exit.NOT_FOUND)
