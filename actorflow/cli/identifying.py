"""Which execution a command means: a workflow id, or the beginning of one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from actorflow.cli.exits import CommandError, Exit
from actorflow.cli.settings import settings_of
from actorflow.client import Client, RPCError, RPCStatusCode, WorkflowHandle
from actorflow.exceptions import ActorflowError

_SHOWN_MAX: Final = 10


def takes_execution(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take a workflow id, as an argument or an option, and a run id; its function gets both by name."""

    @click.argument("positional_id", metavar="[WORKFLOW_ID]", required=False, shell_complete=_complete_id)
    @click.option(
        "--workflow-id", "-w", metavar="ID", shell_complete=_complete_id, help="The workflow id, if not an argument."
    )
    @click.option("--run-id", "-r", metavar="ID", help="One run of it; default is the current or last one.")
    @wraps(function)
    def command(*args: Any, positional_id: str | None, workflow_id: str | None, **options: Any) -> Any:
        return function(*args, workflow_id=_chosen(positional_id, workflow_id), **options)

    return command


def _chosen(positional_id: str | None, workflow_id: str | None) -> str:
    if positional_id and workflow_id and positional_id != workflow_id:
        raise click.UsageError(f"two workflow ids: {positional_id!r} and {workflow_id!r}; pass one")
    given = positional_id or workflow_id
    if not given:
        raise click.UsageError("which execution? Pass its workflow id")
    return given


async def identified(client: Client, given: str, run_id: str | None) -> WorkflowHandle[Any, Any]:
    """A handle to the execution of that id; else to the only one whose id begins like that.

    Raises:
        CommandError: no id, or more than one, begins like that.
    """
    handle = client.get_workflow_handle(given, run_id=run_id)
    try:
        await handle.describe()
    except RPCError as refusal:
        if refusal.status is not RPCStatusCode.NOT_FOUND or run_id is not None:
            raise
    else:
        return handle
    ids = await ids_that_begin(client, given)
    if not ids:
        raise CommandError(
            f"no workflow has the id {given!r}, or one that begins like that, in namespace {client.namespace!r}; "
            "`actorflow workflow list` shows them",
            Exit.NOT_FOUND,
        )
    if len(ids) > 1:
        more = ", …" if len(ids) > _SHOWN_MAX else ""
        raise CommandError(
            f"{given!r} is ambiguous: it begins {', '.join(map(repr, ids[:_SHOWN_MAX]))}{more}; type more of the id",
            Exit.USAGE,
        )
    return client.get_workflow_handle(ids[0])


async def ids_that_begin(client: Client, text: str) -> list[str]:
    """Workflow ids that begin with a text: all if they are few, else some more than are worth showing."""
    quoted = text.replace("\\", "\\\\").replace("'", "''")
    found: dict[str, None] = {}
    async for execution in client.list_workflows(f"WorkflowId STARTS_WITH '{quoted}'"):
        found[execution.id] = None
        if len(found) > _SHOWN_MAX:
            break
    return sorted(found)


def _complete_id(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    async def look() -> list[str]:
        settings = settings_of(context)
        address = settings.address
        async with await Client.connect(address, namespace=settings.namespace, read_only=True) as client:
            return await ids_that_begin(client, incomplete)

    try:
        return [CompletionItem(id_) for id_ in asyncio.run(look())]
    except (ActorflowError, click.UsageError):
        return []  # a shell that completes has no place for an error; the command itself will say it
