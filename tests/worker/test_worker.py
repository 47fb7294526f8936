"""What a worker accepts, and how it begins and ends."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import textwrap
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actorflow import activity, workflow
from actorflow.client import Client, WorkflowParkedError
from actorflow.core import limits
from actorflow.worker import Worker
from tests.support import a_client, a_place, a_worker, execute, start


@workflow.defn
class Fine:
    @workflow.run
    async def run(self) -> str:
        return "fine"


@workflow.defn(name="Fine")
class FineToo:
    @workflow.run
    async def run(self) -> str:
        return "too"


class Undecorated:
    @workflow.run
    async def run(self) -> None: ...


class Inherits(Fine):
    pass


@activity.defn
async def fine() -> None: ...


@activity.defn(name="fine")
async def fine_too() -> None: ...


@activity.defn
def in_a_thread() -> None: ...


async def undecorated() -> None: ...


class Shop:
    @activity.defn
    async def sell(self) -> None: ...


@activity.defn
class Calls:
    async def __call__(self) -> None: ...


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "nothing to run": ({}, "At least one activity or workflow"),
    "an undecorated workflow": ({"workflows": [Undecorated]}, "@workflow.defn"),
    "a subclass without a decorator of its own": ({"workflows": [Inherits]}, "@workflow.defn"),
    "an instance instead of a workflow class": ({"workflows": [Fine()]}, "@workflow.defn"),
    "two workflows of one name": ({"workflows": [Fine, FineToo]}, "More than one workflow named Fine"),
    "an undecorated activity": ({"activities": [undecorated]}, "@activity.defn"),
    "a class instead of an instance": ({"activities": [Calls]}, "instance"),
    "a method that is not bound": ({"activities": [Shop.sell]}, "instance"),
    "two activities of one name": ({"activities": [fine, fine_too]}, "More than one activity named fine"),
    "a sync activity without an executor": ({"activities": [in_a_thread]}, "activity_executor"),
    "no slots": ({"activities": [fine], "max_concurrent_activities": 0}, "max_concurrent_activities"),
    "a negative cache": ({"workflows": [Fine], "max_cached_workflows": -1}, "max_cached_workflows"),
    "a negative grace": ({"workflows": [Fine], "graceful_shutdown_timeout": timedelta(-1)}, "graceful_shutdown"),
    "an empty task queue": ({"workflows": [Fine], "task_queue": ""}, "task queue is empty"),
}


@pytest.mark.parametrize("kind", list(BAD))
async def test_what_a_worker_can_not_run_is_refused_when_it_is_made(kind: str) -> None:
    options, says = BAD[kind]
    given: dict[str, Any] = {"task_queue": "q", **options}
    async with a_client() as client:
        with pytest.raises((TypeError, ValueError), match=says):
            Worker(client, **given)


def test_a_workflow_without_a_run_method_or_with_two_is_refused_at_the_decorator() -> None:
    with pytest.raises(TypeError, match=r"no @workflow\.run method"):

        @workflow.defn
        class _None: ...

    with pytest.raises(TypeError, match="several"):

        @workflow.defn
        class _Two:
            @workflow.run
            async def run(self) -> None: ...

            @workflow.run
            async def run_too(self) -> None: ...


def test_a_run_method_must_be_async_and_handlers_must_not_share_a_name() -> None:
    with pytest.raises(TypeError, match="not async"):

        @workflow.run
        def run(self: Any) -> None: ...

    with pytest.raises(TypeError, match="two handlers of the signal 'x'"):

        @workflow.defn
        class _Clash:
            @workflow.signal(name="x")
            def one(self) -> None: ...

            @workflow.signal(name="x")
            def two(self) -> None: ...

            @workflow.run
            async def run(self) -> None: ...


def test_an_init_must_take_what_run_takes() -> None:
    with pytest.raises(TypeError, match="same parameters"):

        @workflow.defn
        class _Differs:
            @workflow.init
            def __init__(self, text: str) -> None: ...

            @workflow.run
            async def run(self, number: int) -> None: ...

    with pytest.raises(TypeError, match="belongs on __init__"):

        @workflow.init
        def other(self: Any) -> None: ...


def test_keyword_only_parameters_are_refused_at_the_decorator() -> None:
    with pytest.raises(TypeError, match="keyword-only"):

        @activity.defn
        async def keyword(*, only: int) -> None: ...


async def test_workflows_that_inherit_one_run_method_are_refused_or_kept_apart() -> None:
    class Template:
        @workflow.run
        async def run(self) -> str:
            return type(self).__name__

    try:

        @workflow.defn
        class One(Template): ...

        @workflow.defn
        class Two(Template): ...
    except TypeError:
        return
    async with a_place(One, Two) as client:
        assert await execute(client, One.run) == "One"


async def test_a_worker_runs_until_it_is_shut_down() -> None:
    async with a_client() as client:
        worker = a_worker(client, workflows=[Fine])
        with pytest.raises(RuntimeError, match="never started"):
            await worker.shutdown()
        running = asyncio.ensure_future(worker.run())
        assert await execute(client, Fine.run) == "fine"
        assert worker.is_running
        await asyncio.gather(worker.shutdown(), worker.shutdown())
        await running
        assert (worker.is_running, worker.is_shutdown) == (False, True)
        with pytest.raises(RuntimeError, match="runs once"):
            await worker.run()


async def test_cancelling_run_makes_the_worker_leave() -> None:
    async with a_client() as client:
        worker = a_worker(client, workflows=[Fine])
        running = asyncio.ensure_future(worker.run())
        await execute(client, Fine.run)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert worker.is_shutdown


async def test_an_exception_in_the_block_leaves_in_good_order_and_is_passed_on() -> None:
    with pytest.raises(KeyError, match="mine"):
        async with a_client() as client, a_worker(client, workflows=[Fine]) as worker:
            raise KeyError("mine")
    assert worker.is_shutdown


@pytest.mark.usefixtures("quick_retries")
async def test_a_program_that_never_rests_is_parked_with_its_line() -> None:
    @workflow.defn
    class Spins:
        @workflow.run
        async def run(self) -> None:
            while True:  # noqa: ASYNC110 - that is what it does
                await asyncio.sleep(0)

    async with a_place(Spins, Fine) as client:
        with pytest.raises(WorkflowParkedError) as error:
            await execute(client, Spins.run)
        assert f"{limits.TURN_STEPS_MAX:,} steps" in str(error.value.__cause__)
        assert "test_worker.py" in str(error.value.__cause__)
        assert await execute(client, Fine.run, id="other") == "fine"


async def test_a_workflow_that_blocks_the_loop_is_named_with_its_stack(caplog: pytest.LogCaptureFixture) -> None:
    is_blocked = [True]

    @workflow.defn
    class Blocks:
        @workflow.run
        async def run(self) -> str:
            reported = time.monotonic() + 3.5
            while is_blocked and time.monotonic() < reported:
                if any("has been blocked" in record.message for record in caplog.records):
                    is_blocked.clear()
            return "free"

    with caplog.at_level(logging.ERROR, "actorflow.engine"):
        async with a_place(Blocks) as client:
            assert await execute(client, Blocks.run, id="blocking") == "free"
    (record,) = [record for record in caplog.records if "has been blocked" in record.message]
    for part in ("'blocking'", "Blocks", "test_worker.py", "activity"):
        assert part in record.message


SCRIPT = """
    import asyncio, sys, threading, time
    from actorflow import activity, workflow
    from actorflow.client import Client
    from actorflow.worker import Worker
    from datetime import timedelta

    @activity.defn
    async def body() -> None:
        {body}

    @workflow.defn
    class W:
        @workflow.run
        async def run(self) -> None:
            await workflow.execute_activity(body, start_to_close_timeout=timedelta(seconds=60))

    async def main() -> None:
        async with await Client.connect("sqlite:///" + sys.argv[1]) as client:
            async with Worker(client, task_queue="q", workflows=[W], activities=[body]):
                await client.execute_workflow(W.run, id="w", task_queue="q")

    asyncio.run(main())
"""


@pytest.mark.parametrize(
    "body",
    [
        "raise KeyboardInterrupt",
        "import os, signal; os.kill(os.getpid(), signal.SIGINT); await asyncio.sleep(60)",
    ],
)
def test_an_interrupted_script_ends_within_seconds_and_leaves_the_file_in_order(tmp_path: Path, body: str) -> None:
    script = textwrap.dedent(SCRIPT).format(body=body)
    ended = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "j.db")],
        check=False,
        capture_output=True,
        text=True,
        timeout=40,  # two seconds, and the start of an interpreter on a slow machine; the activity would take sixty
        cwd=Path(__file__).parents[2],
    )
    assert ended.returncode != 0
    assert "KeyboardInterrupt" in ended.stderr

    async def look() -> str:
        async with await Client.connect(f"sqlite:///{tmp_path / 'j.db'}") as client:
            return (await client.get_workflow_handle("w").describe()).status.name

    assert asyncio.run(look()) == "RUNNING"


async def test_slots_are_shared_by_the_workers_of_a_task_queue() -> None:
    ran: list[str] = []
    all_there = asyncio.Event()

    @activity.defn
    async def meets() -> None:
        ran.append("x")
        if len(ran) == 2:
            all_there.set()
        await all_there.wait()

    @workflow.defn
    class Both:
        @workflow.run
        async def run(self) -> None:
            options: Any = {"start_to_close_timeout": timedelta(seconds=5)}
            await asyncio.gather(
                workflow.execute_activity(meets, **options), workflow.execute_activity(meets, **options)
            )

    async with (
        a_client() as client,
        a_worker(client, workflows=[Both], activities=[meets], max_concurrent_activities=1),
        a_worker(client, activities=[meets], max_concurrent_activities=1),
    ):
        await asyncio.wait_for(execute(client, Both.run), 5)
    assert len(ran) == 2


async def test_a_running_workflow_is_not_hosted_by_a_worker_of_another_task_queue() -> None:
    async with a_client() as client, a_worker(client, task_queue="other", workflows=[Fine]):
        handle = await start(client, Fine.run)
        assert (await handle.describe()).status.name == "RUNNING"
        async with a_worker(client, workflows=[Fine]):
            assert await asyncio.wait_for(handle.result(), 5) == "fine"
