"""The shortest way in: `actorflow.open` and `actorflow.run`."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from datetime import timedelta
from pathlib import Path

import pytest

import actorflow
from actorflow import activity, workflow
from actorflow.client import WorkflowFailureError
from actorflow.exceptions import ApplicationError, StorageOwnedError


@activity.defn
async def charge(order: str) -> str:
    return f"paid {order}"


@activity.defn
def in_a_thread() -> str:
    return threading.current_thread().name


@workflow.defn
class Order:
    def __init__(self) -> None:
        self.is_approved = False

    @workflow.run
    async def run(self, order: str) -> str:
        await workflow.wait_condition(lambda: self.is_approved)
        return await workflow.execute_activity(charge, order, start_to_close_timeout=timedelta(seconds=5))

    @workflow.signal
    def approve(self) -> None:
        self.is_approved = True


@workflow.defn
class Threaded:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity(in_a_thread, start_to_close_timeout=timedelta(seconds=5))


@workflow.defn
class Once:
    @workflow.run
    async def run(self, count: int, by: int) -> int:
        return count + by


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("no")


async def test_one_block_opens_a_journal_and_runs_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "50% off.db"
    async with actorflow.open(file, workflows=[Order], activities=[charge]) as client:
        await client.start_workflow(Order.run, "A-1", id="order")
    assert file.exists()
    async with actorflow.open(str(file), workflows=[Order], activities=[charge]) as client:
        handle = client.get_workflow_handle_for(Order.run, "order")
        await handle.signal(Order.approve)
        assert await handle.result() == "paid A-1"


async def test_activities_that_are_not_async_get_threads_of_their_own() -> None:
    async with actorflow.open("memory://", workflows=[Threaded], activities=[in_a_thread]) as client:
        assert (await client.execute_workflow(Threaded.run, id="w")).startswith("actorflow-activity")


async def test_without_anything_to_run_the_client_still_signals(tmp_path: Path) -> None:
    async with actorflow.open(tmp_path / "a.db") as client:
        handle = await client.start_workflow(Order.run, "A-1", id="order")
        await handle.signal(Order.approve)
    async with actorflow.open(tmp_path / "a.db", workflows=[Order], activities=[charge]) as client:
        assert await client.get_workflow_handle_for(Order.run, "order").result() == "paid A-1"


async def test_a_client_without_a_task_queue_says_what_is_missing() -> None:
    async with await actorflow.client.Client.connect("memory://") as client:
        with pytest.raises(TypeError, match="task_queue"):
            await client.start_workflow(Order.run, "A-1", id="order")


async def test_what_is_no_activity_is_refused_and_the_journal_is_free_again(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="not an activity"):
        async with actorflow.open(tmp_path / "a.db", workflows=[Order], activities=[print]):
            pytest.fail("the block began")
    async with actorflow.open(tmp_path / "a.db", workflows=[Order], activities=[charge]):
        pass


def test_a_script_runs_one_workflow_to_its_end(tmp_path: Path) -> None:
    assert actorflow.run(Once.run, args=[1, 2], journal=tmp_path / "a.db", id="sum") == 3


def test_a_completed_run_gives_its_result_again(tmp_path: Path) -> None:
    assert actorflow.run(Once.run, args=[1, 2], journal=tmp_path / "a.db", id="sum") == 3
    assert actorflow.run(Once.run, args=[5, 5], journal=tmp_path / "a.db", id="sum") == 3


def test_a_failed_run_is_started_anew(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(WorkflowFailureError):
            actorflow.run(Fails.run, journal=tmp_path / "a.db", id="w")


def test_run_refuses_what_is_no_run_method(tmp_path: Path) -> None:
    for wrong in (Once, "Once", print):
        with pytest.raises(TypeError, match="run method"):
            actorflow.run(wrong, journal=tmp_path / "a.db", id="w")  # pyright: ignore[reportArgumentType]
    assert not (tmp_path / "a.db").exists()


async def test_run_inside_a_running_loop_names_what_to_use(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"actorflow\.open"):
        actorflow.run(Once.run, args=[1, 2], journal=tmp_path / "a.db", id="sum")


async def test_a_second_process_is_refused_while_the_block_lasts(tmp_path: Path) -> None:
    async with actorflow.open(tmp_path / "a.db"):
        with pytest.raises(StorageOwnedError):
            await _open_in_a_thread(tmp_path / "a.db")


async def _open_in_a_thread(path: Path) -> None:
    import anyio

    async def opened() -> None:
        async with actorflow.open(path):
            pass

    await anyio.to_thread.run_sync(lambda: anyio.run(opened))


SCRIPT = """
    import os, signal, sys
    from datetime import timedelta
    import actorflow
    from actorflow import activity, workflow

    @activity.defn
    def fetch() -> str:
        print("fetch", flush=True)
        return "rows"

    @activity.defn
    def store(rows: str) -> str:
        if activity.info().attempt == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return f"stored {rows}"

    @workflow.defn
    class Import:
        @workflow.run
        async def run(self) -> str:
            rows = await workflow.execute_activity(fetch, start_to_close_timeout=timedelta(seconds=9))
            return await workflow.execute_activity(store, rows, start_to_close_timeout=timedelta(seconds=9))

    print(actorflow.run(Import.run, journal="import.db", id="import-2030-06-01", activities=[fetch, store]))
"""


def test_a_script_that_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    script = tmp_path / "nightly.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def play() -> subprocess.CompletedProcess[str]:
        return subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    killed = play()
    assert (killed.returncode, killed.stdout) == (-9, "fetch\n")
    again = play()
    assert (again.returncode, again.stdout) == (0, "stored rows\n"), again.stderr
