"""However a program ends, it ends soon: no thread of ours keeps it, and the file is free again."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.crashes import invariants
from tests.crashes.processes import expect, running

PRELUDE = """
import asyncio, logging, os, sys, threading, time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from actorflow import activity, workflow
from actorflow.client import Client
from actorflow.worker import Worker

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

@activity.defn
async def waits() -> None:
    say("waiting")
    await asyncio.Event().wait()

@activity.defn
def waits_in_a_thread() -> None:
    say("waiting in a thread")
    while not activity.is_cancelled():
        time.sleep(0.01)

@workflow.defn
class Waits:
    @workflow.run
    async def run(self) -> None:
        options = {"start_to_close_timeout": timedelta(minutes=5)}
        one = workflow.start_activity(waits, **options)
        await workflow.start_activity(waits_in_a_thread, **options)
        await one

async def begin(client):
    return await client.start_workflow(Waits.run, id="order", task_queue="q")

def a_worker(client, executor):
    activities = [waits, waits_in_a_thread]
    return Worker(client, task_queue="q", workflows=[Waits], activities=activities, activity_executor=executor)

def threads():
    return sorted(thread.name for thread in threading.enumerate() if thread is not threading.main_thread())
"""

FORGETS_TO_CLOSE = """
async def main():
    client = await Client.connect(sys.argv[1])
    await begin(client)
    say("ready")

asyncio.run(main())
say("leaving", threads())
"""

FORGETS_EVERYTHING = """
async def main():
    client = await Client.connect(sys.argv[1])
    await begin(client)

loop = asyncio.new_event_loop()
loop.run_until_complete(main())
say("leaving []")
logging.disable()
"""

RAISES = """
async def main():
    with ThreadPoolExecutor() as executor:
        async with await Client.connect(sys.argv[1]) as client, a_worker(client, executor):
            await begin(client)
            await asyncio.sleep(0)
            say("ready")
            raise ValueError("of the program")

try:
    asyncio.run(main())
except ValueError:
    say("leaving", threads())
"""

IS_INTERRUPTED = """
async def main():
    with ThreadPoolExecutor() as executor:
        async with await Client.connect(sys.argv[1]) as client, a_worker(client, executor):
            await (await begin(client)).result()

try:
    asyncio.run(main())
except KeyboardInterrupt:
    say("leaving", threads())
"""

IS_INTERRUPTED_WITHOUT_A_BLOCK = """
async def main(executor):
    client = await Client.connect(sys.argv[1])
    working = asyncio.create_task(a_worker(client, executor).run())
    await asyncio.sleep(0)
    await (await begin(client)).result()

try:
    with ThreadPoolExecutor() as executor:
        asyncio.run(main(executor))
except KeyboardInterrupt:
    say("leaving", threads())
"""

SOON = 2
"""Seconds within which a program has to be gone, as promised."""


@pytest.mark.parametrize("program", [FORGETS_TO_CLOSE, RAISES], ids=["forgets to close", "raises"])
def test_a_program_that_leaves_without_a_goodbye_is_gone_at_once(tmp_path: Path, program: str) -> None:
    path = tmp_path / "orders.db"
    with running("-c", PRELUDE + program, f"sqlite:///{path}") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while process.stdout.readline() not in ("ready\n", ""):
            pass
        process.wait(timeout=SOON)
        assert process.stdout.read().splitlines()[-1] == "leaving []"
        assert process.stderr.read() == ""
    assert process.returncode == 0
    check_begun(path)


def test_a_program_that_forgets_even_its_event_loop_exits(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    with running("-c", PRELUDE + FORGETS_EVERYTHING, f"sqlite:///{path}") as process:
        expect(process, "leaving []")
        process.wait(timeout=SOON)
    check_begun(path)


@pytest.mark.parametrize(
    "program", [IS_INTERRUPTED, IS_INTERRUPTED_WITHOUT_A_BLOCK], ids=["in a block", "without a block"]
)
def test_an_interrupted_program_stops_its_activities_and_ends_every_thread(tmp_path: Path, program: str) -> None:
    path = tmp_path / "orders.db"
    with running("-c", PRELUDE + program, f"sqlite:///{path}") as process:
        assert process.stdout is not None
        assert {process.stdout.readline(), process.stdout.readline()} == {"waiting\n", "waiting in a thread\n"}
        process.send_signal(signal.SIGINT)
        process.wait(timeout=SOON)
        assert process.stdout.read() == "leaving []\n"
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.returncode == 0
    check_begun(path)


def check_begun(path: Path) -> None:
    """The file is whole, and the order is there and goes on."""
    (run,) = invariants.check(path)
    assert (run.workflow_id, run.status) == ("order", "running")
