"""Records the journals beside this file: `python -m tests.histories.record`, on the oldest interpreter we support.

A recorded journal stays as it is and is not recorded again; a program that must ask for something else gets a new name.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec

from actorflow.client import Client, WorkflowContinuedAsNewError, WorkflowFailureError
from actorflow.common import RetryPolicy
from actorflow.core.events import AnyEvent
from actorflow.core.journal import Turn, TurnRow, encode_turn, identity_checksum
from actorflow.core.policy.succession import successor_id
from actorflow.store.protocol import Identity
from actorflow.worker import Worker
from tests.histories.programs import (
    ALL,
    Changes,
    Expires,
    Listens,
    Parcel,
    Repeats,
    Retries,
    Sends,
    double,
    stumbles,
)

HERE = Path(__file__).parent
ALONE = [program for program in ALL if program is not Parcel]
WORDS = {Listens: ("a", "b", "stop"), Changes: ("twice", "once")}
OPTIONS: Mapping[type, dict[str, Any]] = {
    Retries: {"retry_policy": RetryPolicy(initial_interval=timedelta(milliseconds=5))},
    Repeats: {"cron_schedule": "@every 1s"},
    Expires: {"run_timeout": timedelta(milliseconds=50)},
}
OTHERS: Mapping[type, Sequence[str]] = {Sends: ("parcel",)}
"""Workflow ids of children that are recorded with their parent, their latest run."""


class Recorded(msgspec.Struct):
    """One journal and whose it is."""

    identity: Identity
    turns: list[TurnRow]


async def record() -> None:
    """Run every program that has no journal yet, and write that of each of its runs."""
    async with (
        await Client.connect("memory://") as client,
        Worker(client, task_queue="q", workflows=ALL, activities=[double, stumbles]),
    ):
        for program in ALONE:
            if not path_of(program.__name__, 1).exists():
                await run(client, program)


async def run(client: Client, program: Any) -> None:
    """Run one program, and write its journals."""
    handle = await client.start_workflow(program.run, id=program.__name__, task_queue="q", **OPTIONS.get(program, {}))
    for word in WORDS.get(program, ()):
        await handle.signal("say", word)
    place = 0
    async for run_id in chain(client, handle):
        place += 1
        await write(client, program.__name__, run_id, path_of(program.__name__, place))
    if program is Repeats:
        await client.get_workflow_handle(program.__name__).terminate()
    for workflow_id in OTHERS.get(program, ()):
        await write(client, workflow_id, None, path_of("Parcel", 1))


async def chain(client: Client, handle: Any) -> AsyncIterator[str]:
    """The first two runs of a workflow, once each has ended."""
    run_id: str | None = handle.first_execution_run_id
    for _ in range(2):
        assert run_id is not None
        found = client.get_workflow_handle(handle.id, run_id=run_id)
        with contextlib.suppress(WorkflowContinuedAsNewError, WorkflowFailureError):
            await found.result(follow_runs=False)
        yield run_id
        run_id = successor_id((await found.fetch_history()).turns[-1].events[-1])
        if not run_id:
            return


async def write(client: Client, workflow_id: str, run_id: str | None, path: Path) -> None:
    """Write the journal of a run."""
    found = await client.engine.store.find("default", workflow_id, run_id)
    assert found is not None
    rows = await client.engine.store.journal(found.identity.key)
    data = msgspec.json.format(msgspec.json.encode(Recorded(found.identity, anywhere(found.identity, rows))))
    await asyncio.to_thread(path.write_bytes, data + b"\n")


def anywhere(identity: Identity, rows: Sequence[TurnRow]) -> list[TurnRow]:
    """Rows whose stack traces don't say where this checkout is."""
    previous = identity_checksum(identity.namespace, identity.workflow_id, identity.run_id, identity.workflow_type)
    found: list[TurnRow] = []
    for row in rows:
        text = row.events.replace(f"{HERE.parents[1]}/", "")
        turn = Turn(row.number, row.at, msgspec.json.decode(text, type=tuple[AnyEvent, ...]))
        found.append(encode_turn(turn, previous=previous))
        previous = found[-1].checksum
    return found


def path_of(name: str, place: int) -> Path:
    """Where the journal of a run is, by its place in its chain."""
    return HERE / (f"{name}.json" if place == 1 else f"{name}-{place}.json")


if __name__ == "__main__":
    asyncio.run(record())
