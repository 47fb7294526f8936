"""One life of the story: `python -m tests.crashes.child DB LEDGER COPIES MOMENT`."""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.crashes import kills
from tests.crashes.ledger import Ledger, acknowledged, read_ledger
from tests.crashes.story import parts, tell, worker_options
from tests.support import a_client, a_worker


async def live(path: Path, ledger_path: Path, copies: int) -> None:
    """Start whatever has not been started, and wait until all of it has ended."""
    ledger = Ledger(ledger_path, echo=True)
    known = acknowledged(read_ledger(ledger_path))
    with ThreadPoolExecutor(4) as executor:
        # Few slots, so that some activities wait for theirs.
        options = worker_options(ledger, executor, max_concurrent_activities=5)
        async with a_client(path) as client, a_worker(client, **options), asyncio.TaskGroup() as group:
            for part in parts(copies):
                group.create_task(tell(client, ledger, known, part))
    ledger.write("finished")


if __name__ == "__main__":
    database, ledger_file, copies, moment = sys.argv[1:]
    kills.arrange(moment, Path(database))
    asyncio.run(live(Path(database), Path(ledger_file), int(copies)))
