"""Programs whose recorded journals must replay on every interpreter we support."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

from actorflow import activity, workflow
from actorflow.common import RetryPolicy
from actorflow.exceptions import ApplicationError, FailureError, WorkflowAlreadyStartedError
from actorflow.workflow import ParentClosePolicy

SOON = timedelta(seconds=10)


@activity.defn
async def double(number: int) -> int:
    return 2 * number


async def doubled(number: int) -> int:
    return await workflow.execute_activity(double, number, start_to_close_timeout=SOON)


@workflow.defn
class Gathers:
    @workflow.run
    async def run(self) -> list[Any]:
        first = await asyncio.gather(*[doubled(n) for n in range(5)])
        second = await asyncio.gather(asyncio.sleep(0.002, "slept"), doubled(7))
        return [*first, *second]


@workflow.defn
class Waits:
    """wait_for, timeout, wait, as_completed and shield: those whose insides differ between interpreters."""

    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = [await asyncio.wait_for(doubled(1), 5)]
        try:
            await asyncio.wait_for(asyncio.Event().wait(), 0.002)
        except TimeoutError:
            seen.append("wait_for")
        try:
            async with asyncio.timeout(0.002):
                await asyncio.Event().wait()
        except TimeoutError:
            seen.append("timeout")
        tasks = [asyncio.create_task(doubled(n)) for n in range(6)]
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        seen.append(sorted([await task for task in done | pending]))
        for future in asyncio.as_completed([doubled(n) for n in range(4)]):
            seen.append(await future)  # noqa: PERF401 - the plain loop is what people write
        seen.append(await asyncio.shield(doubled(9)))
        return seen


@workflow.defn
class Groups:
    @workflow.run
    async def run(self) -> list[Any]:
        seen: list[Any] = []
        queue: asyncio.Queue[int] = asyncio.Queue(2)
        lock, gate = asyncio.Lock(), asyncio.Semaphore(2)

        async def works(number: int) -> None:
            async with gate:
                value = await doubled(number)
                async with lock:
                    await asyncio.sleep(0.001)
                    await queue.put(value)

        async def numbers() -> AsyncIterator[int]:
            for _ in range(6):
                yield await queue.get()

        async with asyncio.TaskGroup() as group:
            for number in range(6):
                group.create_task(works(number))
            async for value in numbers():
                seen.append(value)  # noqa: PERF401
        return seen


@workflow.defn
class Listens:
    def __init__(self) -> None:
        self.heard: list[str] = []
        self.changed = asyncio.Condition()

    @workflow.signal
    async def say(self, word: str) -> None:
        async with self.changed:
            self.heard.append(word)
            self.changed.notify_all()

    @workflow.run
    async def run(self) -> list[Any]:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.heard) >= 2)
        await workflow.wait_condition(lambda: "stop" in self.heard, timeout=5)
        return [*self.heard, workflow.random().randrange(1000), str(workflow.uuid4())]


@workflow.defn
class Changes:
    """Patches, asked for in run and in a handler of the same turn, and one that is deprecated."""

    def __init__(self) -> None:
        self.told: list[bool] = []

    @workflow.signal
    async def say(self, word: str) -> None:
        self.told.append(workflow.patched(word))

    @workflow.run
    async def run(self) -> list[Any]:
        workflow.deprecate_patch("long ago")
        if workflow.patched("twice"):
            self.told.append(await doubled(1) == 2)
        await workflow.wait_condition(lambda: len(self.told) >= 3)
        return [*self.told, workflow.patched("at the end")]


@workflow.defn
class Parcel:
    """A child: of the parcel "waits" until it is sent, and lost if it is "lost"."""

    def __init__(self) -> None:
        self.is_sent = False

    @workflow.signal
    async def send(self) -> None:
        self.is_sent = True

    @workflow.run
    async def run(self, what: str) -> str:
        if what == "lost":
            raise ApplicationError("nowhere to be found", type="Lost")
        if what == "waits":
            await workflow.wait_condition(lambda: self.is_sent)
        return f"{what} sent"


@workflow.defn
class Sends:
    """Children of every fate, messages to others who are there or not, and a second run."""

    @workflow.run
    async def run(self, runs: int = 2) -> list[Any]:
        seen: list[Any] = [await workflow.execute_child_workflow(Parcel.run, "book", id="parcel")]
        waits = [await workflow.start_child_workflow(Parcel.run, "waits") for _ in range(3)]
        await asyncio.gather(waits[0].signal(Parcel.send), _told(waits[1].id, Parcel.send))
        seen += await asyncio.gather(waits[0], waits[1])
        try:
            await workflow.start_child_workflow(Parcel.run, "again", id=waits[2].id)
        except WorkflowAlreadyStartedError as problem:
            seen.append(problem.message)
        lost = workflow.execute_child_workflow(Parcel.run, "lost")
        waits[2].cancel()
        for fate in (waits[2], lost, _told("nobody", "x"), workflow.get_external_workflow_handle("nobody").cancel()):
            try:
                await fate
            except FailureError as problem:
                seen.append([problem.message, str(problem.cause)])
        _, left = [
            await workflow.start_child_workflow(Parcel.run, "waits", parent_close_policy=ParentClosePolicy.ABANDON)
            for _ in range(2)
        ]
        await workflow.get_external_workflow_handle(left.id).cancel(reason="not needed")
        with contextlib.suppress(FailureError):
            await left
        if runs > 1:
            workflow.continue_as_new(runs - 1)
        return [len(seen), workflow.info().continued_run_id is not None]


async def _told(workflow_id: str, signal: Any) -> None:
    await workflow.get_external_workflow_handle(workflow_id).signal(signal)


@workflow.defn
class Retries:
    @workflow.run
    async def run(self) -> int:
        attempt = workflow.info().attempt
        if attempt < 2:
            raise ApplicationError(f"attempt {attempt} is too early")
        return attempt


@workflow.defn
class Repeats:
    @workflow.run
    async def run(self) -> int:
        last = workflow.get_last_completion_result(int) if workflow.has_last_completion_result() else 0
        return await doubled(1 + (last or 0))


@workflow.defn
class Expires:
    @workflow.run
    async def run(self) -> None:
        await asyncio.sleep(3_600)


@activity.defn
async def stumbles(number: int) -> int:
    if activity.info().attempt == 1:
        raise ValueError("once")
    return 3 * number


@workflow.defn
class RunsLocally:
    """Local activities one by one, together, beside an ordinary one, with a timer between attempts, and cancelled."""

    @workflow.run
    async def run(self) -> list[Any]:
        first = await workflow.execute_local_activity(double, 1, start_to_close_timeout=SOON)
        together = await asyncio.gather(
            *[workflow.start_local_activity(double, n, start_to_close_timeout=SOON) for n in range(3)],
            doubled(7),
        )
        retry = RetryPolicy(initial_interval=timedelta(milliseconds=1))
        late = await workflow.execute_local_activity(
            stumbles, 5, start_to_close_timeout=SOON, retry_policy=retry, local_retry_threshold=timedelta(0)
        )
        cancelled = workflow.start_local_activity(double, 1, start_to_close_timeout=SOON)
        await asyncio.sleep(0)
        cancelled.cancel()
        return [first, *together, late, cancelled.exception() is not None]


ALL = [Gathers, Waits, Groups, Listens, Changes, Parcel, Sends, Retries, Repeats, Expires, RunsLocally]
