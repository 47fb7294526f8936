"""A program whose activities run in processes ends as others do, and leaves nothing that keeps its file."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from actorflow import activity, workflow
from tests.crashes import invariants
from tests.crashes.processes import HANGS, running
from tests.support import a_client, a_worker
from tests.worker.in_processes import Fifo

PROGRAM = """
import asyncio, multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from actorflow.client import Client
from actorflow.worker import SharedStateManager, Worker
from tests.crashes.test_process_activities import Waits
from tests.worker.in_processes import hangs

async def main(shared):
    pool = ProcessPoolExecutor(1)  # on most systems it would fork
    options = {"activity_executor": pool, "shared_state_manager": shared}
    async with await Client.connect(f"sqlite:///{sys.argv[1]}") as client:
        async with Worker(client, task_queue="q", workflows=[Waits], activities=[hangs], **options):
            await (await client.start_workflow(Waits.run, sys.argv[2], id="order", task_queue="q")).result()

if __name__ == "__main__":
    with multiprocessing.get_context("spawn").Manager() as manager:
        try:
            asyncio.run(main(SharedStateManager.create_from_multiprocessing(manager)))
        except KeyboardInterrupt:
            print("interrupted")
"""


@workflow.defn
class Waits:
    @workflow.run
    async def run(self, began: str) -> str:
        return await workflow.execute_activity("hangs", began, start_to_close_timeout=timedelta(minutes=5))


@activity.defn(name="hangs")
async def hangs_no_more(_began: str) -> str:
    return f"attempt {activity.info().attempt}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
async def test_its_file_is_free_at_once_and_the_activity_is_tried_again(tmp_path: Path, number: signal.Signals) -> None:
    path, began = tmp_path / "orders.db", Fifo(str(tmp_path / "began")).make()
    with running("-c", PROGRAM, path, began.path) as process:
        pid = int(await anyio.to_thread.run_sync(began.wait))
        process.send_signal(number)
        if number is signal.SIGKILL:
            process.wait()
            os.kill(pid, signal.SIGKILL)  # what runs is not ended by the death of its parent
        else:
            output, errors = process.communicate(timeout=HANGS)
            assert (output, process.returncode) == ("interrupted\n", 0)
            assert errors.splitlines() == [line for line in errors.splitlines() if "did not stop when asked" in line]
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
    invariants.check(path)
    with anyio.fail_after(HANGS):
        async with a_client(path) as client, a_worker(client, workflows=[Waits], activities=[hangs_no_more]):
            assert await client.get_workflow_handle("order").result() == "attempt 2"
