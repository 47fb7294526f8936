"""Which execution a command means: a workflow id, or the beginning of one."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, Final

import click
from click.shell_completion import CompletionItem

from actorflow.cli.exits import CommandError, Exit
from actorflow.cli.settings import settings_of
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.reading import reading
from actorflow.client import Client, WorkflowHandle
from actorflow.core import limits
from actorflow.core.policy.checks import check_name
from actorflow.exceptions import ActorflowError

_SHOWN_MAX: Final = 10
_COMPLETED_MAX: Final = 100


def takes_execution(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a command take a workflow id, as an argument or an option, and a run id; its function gets both by name."""

    @click.argument("positional_id", metavar="[WORKFLOW_ID]", required=False, shell_complete=_complete_id)
    @click.option(
        "--workflow-id", "-w", metavar="ID", shell_complete=_complete_id, help="The workflow id, if not an argument."
    )
    @click.option("--run-id", "-r", metavar="ID", help="One run of it; else the current or last one.")
    @wraps(function)
    def command(
        *args: Any, positional_id: str | None, workflow_id: str | None, run_id: str | None, **options: Any
    ) -> Any:
        if run_id is not None:
            check_name("run id", run_id)
        return function(*args, workflow_id=_chosen(positional_id, workflow_id), run_id=run_id, **options)

    return command


def _chosen(positional_id: str | None, workflow_id: str | None) -> str:
    if positional_id and workflow_id and positional_id != workflow_id:
        raise click.UsageError(f"two workflow ids: {positional_id!r} and {workflow_id!r}; pass one")
    given = positional_id or workflow_id
    if not given:
        raise click.UsageError("which execution? Pass its workflow id")
    _check(given)
    return given


def _check(given: str) -> None:
    """Refuse what can't be the beginning of any id; what begins none is not found, and that is something else."""
    try:
        length = len(given.encode())
    except UnicodeEncodeError as problem:
        raise click.UsageError(f"{given!r} is not UTF-8, so it is no workflow id") from problem
    if length > limits.WORKFLOW_ID_BYTES_MAX:
        raise click.UsageError(f"a workflow id has at most {limits.WORKFLOW_ID_BYTES_MAX:,} bytes, this has {length:,}")


async def identified(client: Client, given: str, run_id: str | None) -> WorkflowHandle[Any, Any]:
    """A handle to the execution of that id; else to the only one whose id begins like that.

    Raises:
        CommandError: no id, or more than one, begins like that; or there is no such run.
    """
    if await exists(client, given, run_id):
        return client.get_workflow_handle(given, run_id=run_id)
    ids = await ids_that_begin(client, given, at_most=_SHOWN_MAX + 1)
    if not ids:
        raise CommandError(
            f"no workflow has the id {given!r}, or one that begins like that, in namespace {client.namespace!r}; "
            "`actorflow workflow list` shows them",
            Exit.NOT_FOUND,
        )
    if given in ids:
        raise CommandError(
            f"workflow {given!r} has no run {run_id!r}; `actorflow workflow list` shows runs", Exit.NOT_FOUND
        )
    if len(ids) > 1:
        more = ", …" if len(ids) > _SHOWN_MAX else ""
        raise CommandError(
            f"{given!r} is ambiguous: it begins {', '.join(map(repr, ids[:_SHOWN_MAX]))}{more}; type more of the id",
            Exit.USAGE,
        )
    return client.get_workflow_handle(ids[0], run_id=run_id)


async def exists(client: Client, workflow_id: str, run_id: str | None) -> bool:
    """True if there is a run of exactly that id."""
    query = f"WorkflowId = {_quoted(workflow_id)}" + (f" AND RunId = {_quoted(run_id)}" if run_id is not None else "")
    return await anext(client.list_workflows(query, limit=1, page_size=1), None) is not None


async def ids_that_begin(client: Client, text: str, at_most: int = _SHOWN_MAX) -> list[str]:
    """Some workflow ids that begin with a text, in order; those of the newest executions if they are many."""
    found: dict[str, None] = {}
    async for execution in client.list_workflows(f"WorkflowId STARTS_WITH {_quoted(text)}"):
        found[execution.id] = None
        if len(found) >= at_most:
            break
    return sorted(found)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def _complete_id(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    async def look() -> list[str]:
        async with reading(settings_of(context)) as client:
            return await ids_that_begin(client, incomplete, at_most=_COMPLETED_MAX)

    try:
        # What can't be seen can't be typed either, and would upset the terminal.
        return [CompletionItem(id_) for id_ in waited_for(lambda: look()) if id_.isprintable()]
    except (ActorflowError, click.UsageError, OSError, ValueError):
        return []  # a shell that completes has no place for an error; the command itself will say it
