"""``actorflow workflow signal|cancel|terminate``: write to a journal nobody has open.

A journal has one owner. While a program runs on it, only that program can write; without one the command takes the file
for a moment, and what it wrote waits there for the next worker.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from difflib import get_close_matches
from typing import Any

import click

from actorflow.cli.exits import CommandError, Exit, say
from actorflow.cli.identifying import ids_that_begin, takes_execution
from actorflow.cli.settings import Settings, with_settings
from actorflow.client import Client, RPCError, RPCStatusCode, WorkflowHandle
from actorflow.exceptions import StorageOwnedError

Act = Callable[[WorkflowHandle[Any, Any]], Awaitable[None]]


@click.command()
@click.option("--name", required=True, metavar="NAME", help="The signal's name.")
@click.option(
    "--input", "-i", "inputs", multiple=True, metavar="JSON", help="An argument; may be repeated. - is stdin."
)
@click.option("--request-id", default="", metavar="ID", help="Repeat a call with the same one, and it counts once.")
@with_settings
@takes_execution
def signal(
    settings: Settings,
    workflow_id: str,
    run_id: str | None,
    name: str,
    inputs: tuple[str, ...],
    request_id: str,
) -> None:
    """Send a signal to an execution."""
    arguments = [_argument(text) for text in inputs]
    _steer(settings, workflow_id, run_id, lambda handle: handle.signal(name, args=arguments, request_id=request_id))
    say(f"Signal {name!r} was accepted by workflow {workflow_id!r}.")


@click.command()
@click.option("--reason", default="", help="For people.")
@with_settings
@takes_execution
def cancel(settings: Settings, workflow_id: str, run_id: str | None, reason: str) -> None:
    """Ask an execution to stop; its code may tidy up first."""
    _steer(settings, workflow_id, run_id, lambda handle: handle.cancel(reason=reason))
    say(f"Workflow {workflow_id!r} was asked to stop; if it had ended before, nothing has changed.")


@click.command()
@click.option("--reason", default=None, help="For people.")
@with_settings
@takes_execution
def terminate(settings: Settings, workflow_id: str, run_id: str | None, reason: str | None) -> None:
    """End an execution without asking its code."""
    _steer(settings, workflow_id, run_id, lambda handle: handle.terminate(reason=reason))
    say(f"Workflow {workflow_id!r} was terminated.")


def _argument(text: str) -> Any:
    raw = sys.stdin.read() if text == "-" else text
    try:
        return json.loads(raw)
    except (json.JSONDecodeError, RecursionError) as problem:
        raise click.BadParameter(
            f"{raw[:80]!r} is not JSON ({problem}); a string needs quotes of its own: --input '\"text\"'"
        ) from problem


def _steer(settings: Settings, given: str, run_id: str | None, act: Act) -> None:
    if not settings.path.exists():
        raise CommandError(f"{settings.path} does not exist; name a journal with --db", Exit.UNREACHABLE)
    try:
        asyncio.run(_steered(settings, given, run_id, act))
    except StorageOwnedError as owned:
        raise CommandError(
            f"{owned}. While a program runs on a journal, only that program can write to it", Exit.UNREACHABLE
        ) from owned


async def _steered(settings: Settings, given: str, run_id: str | None, act: Act) -> None:
    async with await Client.connect(settings.address, namespace=settings.namespace) as client:
        handle = client.get_workflow_handle(given, run_id=run_id)
        try:
            await handle.describe()
        except RPCError as refusal:
            if refusal.status is RPCStatusCode.NOT_FOUND and run_id is None:
                raise await _not_found(client, given) from refusal
            raise
        await act(handle)


async def _not_found(client: Client, given: str) -> CommandError:
    """What is changed is named in full, so a beginning is only a hint."""
    ids = await ids_that_begin(client, given)
    near = get_close_matches(given, ids, n=1, cutoff=0.0)
    hint = f"; did you mean {near[0]!r}?" if near else "; `actorflow workflow list` shows them"
    return CommandError(f"no workflow has the id {given!r} in namespace {client.namespace!r}{hint}", Exit.NOT_FOUND)
