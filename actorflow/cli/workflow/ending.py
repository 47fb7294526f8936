"""``actorflow workflow result``: how an execution ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import click

from actorflow.cli.exits import CommandError, Exit, say
from actorflow.cli.helping import Command, Seconds
from actorflow.cli.jsontext import as_json
from actorflow.cli.settings import Settings, with_settings
from actorflow.cli.waiting import waited_for
from actorflow.cli.workflow.identifying import identified, takes_execution
from actorflow.cli.workflow.reading import reading, status_name
from actorflow.client import WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle, WorkflowParkedError
from actorflow.store.sqlite import owner_of

_LOOK_SECONDS: Final = 0.5
"""How often it is looked whether somebody still runs the execution; a program that is restarted may take as long."""


@click.command(cls=Command)
@click.option("--timeout", metavar="SECONDS", type=Seconds(min=0), help="How long to wait; else for ever.")
@with_settings
@takes_execution
def result(settings: Settings, workflow_id: str, run_id: str | None, timeout: float | None) -> int:
    """Wait for an execution to end, and print its result.

    The result is printed as JSON; with -o json or jsonl it comes with the execution's id and status, and so does a
    failure, or why it is parked. It is waited for only while a process has the journal open: nobody else could end
    the execution. Exit code 4 if it failed, was cancelled or terminated, or is parked.
    """
    end = waited_for(lambda: _end(settings, workflow_id, run_id, timeout))
    if settings.output.is_for_programs:
        settings.output.record(end.record)
    elif end.failure is None:
        settings.output.text(as_json(end.value))
    if end.failure is not None:
        say(f"Error: {_sentence(end, end.failure)}")
    return Exit.DONE if end.failure is None else Exit.WORKFLOW_FAILED


@dataclass(frozen=True)
class _End:
    workflow_id: str
    run_id: str
    status: str
    value: Any = None
    failure: BaseException | None = None

    @property
    def record(self) -> Mapping[str, Any]:
        told = {"workflow_id": self.workflow_id, "run_id": self.run_id, "status": self.status}
        return {**told, "result": self.value} if self.failure is None else {**told, "failure": _failure(self.failure)}


async def _end(settings: Settings, given: str, run_id: str | None, timeout: float | None) -> _End:
    async with reading(settings) as client:
        found = await (await identified(client, given, run_id)).describe()
        # One run from here on: its id may be used again while we wait.
        handle = client.get_workflow_handle(found.id, run_id=found.run_id)
        is_going_on = found.status is WorkflowExecutionStatus.RUNNING and found.parked is None
        value: Any = None
        failure: BaseException | None = None
        try:
            value = await _value(handle, settings.path, timeout if is_going_on else None)
        except WorkflowFailureError as failed:
            failure = failed.cause
        except WorkflowParkedError as parked:
            failure = parked
        status = (await handle.describe()).status
        return _End(found.id, found.run_id, status_name(status), value, failure)


async def _value(handle: WorkflowHandle[Any, Any], path: Path, timeout: float | None) -> Any:
    with anyio.move_on_after(timeout):
        return await _awaited(handle, path)
    assert timeout is not None
    if owner_of(path) is None:
        raise _abandoned(handle.id, path)
    raise CommandError(f"workflow {handle.id!r} has not ended after {timeout:g} s; it goes on", Exit.TIMEOUT)


async def _awaited(handle: WorkflowHandle[Any, Any], path: Path) -> Any:
    while True:
        is_owned = owner_of(path) is not None
        with anyio.move_on_after(_LOOK_SECONDS):
            return await handle.result()
        if not is_owned and owner_of(path) is None:
            raise _abandoned(handle.id, path)


def _abandoned(workflow_id: str, path: Path) -> CommandError:
    return CommandError(
        f"workflow {workflow_id!r} is running, but no process has {path} open, so nothing will end it now; "
        "start the program that runs its workers",
        Exit.TIMEOUT,
    )


def _sentence(end: _End, failure: BaseException) -> str:
    if isinstance(failure, WorkflowParkedError):
        return str(failure)
    return f"workflow {end.workflow_id!r} has ended as {end.status}: {_in_words(failure)}"


def _failure(problem: BaseException) -> Mapping[str, Any]:
    cause = problem.__cause__
    said = {"type": _kind(problem), "message": str(getattr(problem, "message", problem))}
    return said if cause is None else {**said, "cause": _failure(cause)}


def _in_words(problem: BaseException) -> str:
    said = f"{_kind(problem)}: {getattr(problem, 'message', problem)}"
    return said if problem.__cause__ is None else f"{said}; caused by {_in_words(problem.__cause__)}"


def _kind(problem: BaseException) -> str:
    return getattr(problem, "type", None) or type(problem).__name__
