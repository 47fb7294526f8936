"""A process killed while it commits: what was acknowledged is there, whole."""

from __future__ import annotations

import random
import signal
from pathlib import Path

import pytest

from actorflow.core.journal import decode_turns
from actorflow.store.sqlite import SqliteStore
from tests.store import child
from tests.store.given import seed

COMMITS = """
import random
async def main():
    chance = random.Random(int(sys.argv[2]))
    store = SqliteStore(path)
    await store.open()
    while True:
        runs = [begin(store) for _ in range(chance.choice([1, 5, 40, 300]))]
        await store.commit(runs)
        say(runs[0].key, runs[-1].key)
asyncio.run(main())
"""


@pytest.mark.parametrize("number", range(6))
async def test_every_acknowledged_batch_survives_a_kill(path: Path, number: int) -> None:
    chance = random.Random(number)
    acknowledged: list[tuple[int, int]] = []
    for life in range(3):
        with child.start(COMMITS, path, number * 10 + life) as committing:
            assert committing.stdout is not None
            for _ in range(chance.randrange(1, 60)):
                line = committing.stdout.readline()
                acknowledged.append((int(line.split()[0]), int(line.split()[1])))
            committing.send_signal(signal.SIGKILL)
            acknowledged += [
                (int(line.split()[0]), int(line.split()[1]))
                for line in committing.stdout.read().splitlines(keepends=True)
                if line.endswith("\n")
            ]
        await check(path, acknowledged)


async def check(path: Path, acknowledged: list[tuple[int, int]]) -> None:
    store = SqliteStore(path)
    await store.open()
    for first, last in acknowledged:
        loaded = await store.load(range(first, last + 1))
        assert [run.record.identity.key for run in loaded] == list(range(first, last + 1))
        for run in loaded:
            decode_turns(run.turns, seed=seed(run.record.identity), run_id=run.record.identity.run_id)
    assert store.new_run_key() > acknowledged[-1][1]
    await store.close()
