"""Records the journals beside this file: `python -m tests.histories.record`, on the oldest interpreter we support.

A recorded journal stays as it is. A program that must ask for something else gets a new name.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec

from actorflow.client import Client
from actorflow.core.journal import TurnRow
from actorflow.store.protocol import Identity
from actorflow.worker import Worker
from tests.histories.programs import ALL, Changes, Listens, double, stumbles

HERE = Path(__file__).parent
WORDS = {Listens: ("a", "b", "stop"), Changes: ("twice", "once")}


class Recorded(msgspec.Struct):
    """One journal and whose it is."""

    identity: Identity
    turns: list[TurnRow]


async def record() -> None:
    """Run every program once and write its journal."""
    async with (
        await Client.connect("memory://") as client,
        Worker(client, task_queue="q", workflows=ALL, activities=[double, stumbles]),
    ):
        for program in ALL:
            handle = await client.start_workflow(program.run, id=program.__name__, task_queue="q")
            for word in WORDS.get(program, ()):
                await handle.signal("say", word)
            await handle.result()
            found = await client.engine.store.find("default", program.__name__)
            assert found is not None
            turns = list(await client.engine.store.journal(found.identity.key))
            data = msgspec.json.format(msgspec.json.encode(Recorded(found.identity, turns)))
            await asyncio.to_thread((HERE / f"{program.__name__}.json").write_bytes, data + b"\n")


if __name__ == "__main__":
    asyncio.run(record())
